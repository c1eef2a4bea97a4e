//! Texts read with their escapes undone, each byte with the place that it came from.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroize;

/// How many escapes around each other are undone.
const DEPTH: usize = 3;

/// So many bytes are read of a text in all ways together, and in so many ways: only one that was made up needs more.
const READ_MAX: usize = 1024 * 1024;
const READINGS_MAX: usize = 256;

/// The longest escape in bytes, where a text may be cut inside of one.
const LONGEST: usize = 12;

/// One way of reading a text.
pub(super) struct Reading<'a> {
    bytes: Cow<'a, [u8]>,
    /// The range of the text that each byte came from; none where every byte is its own.
    from: Vec<Range<usize>>,
    /// How many layers of escapes are undone.
    depth: usize,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(bytes) = &mut self.bytes {
            bytes.zeroize();
        }
    }
}

impl<'a> Reading<'a> {
    fn plain(text: &'a str) -> Self {
        Self {
            bytes: Cow::Borrowed(text.as_bytes()),
            from: Vec::new(),
            depth: 0,
        }
    }

    /// The bytes that are read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the text the byte at `at` comes from.
    pub(super) fn span(&self, at: usize) -> Range<usize> {
        if self.from.is_empty() {
            at..at + 1
        } else {
            self.from[at].clone()
        }
    }

    /// The kinds of the escapes in it.
    fn kinds(&self, spaces: bool) -> Vec<u8> {
        let mut left: Vec<u8> = KINDS
            .into_iter()
            .filter(|kind| spaces || *kind != b'+')
            .collect();
        let mut there = Vec::new();
        for (at, byte) in self.bytes.iter().enumerate() {
            if let Some(place) = left.iter().position(|kind| kind == byte)
                && undone(&self.bytes[at..], &[*byte]).is_some()
            {
                there.push(left.remove(place));
                if left.is_empty() {
                    break;
                }
            }
        }
        there
    }

    /// The same text read once more with one escape undone wherever one of these kinds stands. `None` where there
    /// is none.
    fn undo(&self, kinds: &[u8]) -> Option<Self> {
        let first = (0..self.bytes.len()).find(|at| undone(&self.bytes[*at..], kinds).is_some())?;
        // Never longer than before: no copy of a secret is left behind by growing.
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut from = Vec::with_capacity(self.bytes.len());
        bytes.extend_from_slice(&self.bytes[..first]);
        from.extend((0..first).map(|at| self.span(at)));
        let mut at = first;
        while at < self.bytes.len() {
            let Some((taken, read)) = undone(&self.bytes[at..], kinds) else {
                bytes.push(self.bytes[at]);
                from.push(self.span(at));
                at += 1;
                continue;
            };
            let span = self.span(at).start..self.span(at + taken - 1).end;
            if let Some(c) = read {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    bytes.push(byte);
                    from.push(span.clone());
                }
            }
            at += taken;
        }
        Some(Self {
            bytes: Cow::Owned(bytes),
            from,
            depth: self.depth + 1,
        })
    }
}

/// What begins an escape of each kind; a form's `+` is one where secrets have spaces.
const KINDS: [u8; 4] = *b"\\&%+";

/// The text as it is and with up to [`DEPTH`] layers of escapes undone: of all kinds at once, since servers mix them,
/// and of every other set of kinds, since what stands beside a secret may look like the start of an escape of
/// another kind.
pub(super) fn readings(text: &str, spaces: bool) -> Vec<Reading<'_>> {
    let mut all = vec![Reading::plain(text)];
    // All kinds come first in each layer, so that a text that has room for no more is read to the end.
    while let Some(last) = all.last().filter(|last| last.depth < DEPTH)
        && let Some(next) = last
            .undo(&last.kinds(spaces))
            .filter(|next| next.bytes != last.bytes)
    {
        all.push(next);
    }
    let room = (READ_MAX / text.len().max(1)).min(READINGS_MAX);
    let mut at = 0;
    while at < all.len() {
        let there = if all[at].depth < DEPTH {
            all[at].kinds(spaces)
        } else {
            Vec::new()
        };
        for set in (0..1_usize << there.len()).rev() {
            if all.len() >= room {
                return all;
            }
            let kinds: Vec<u8> = (0..there.len())
                .filter(|at| set >> at & 1 == 1)
                .map(|at| there[at])
                .collect();
            let next = all[at].undo(&kinds);
            all.extend(next.filter(|next| all.iter().all(|known| known.bytes != next.bytes)));
        }
        at += 1;
    }
    all
}

/// How many of the first `alike` bytes of `text` stand before its end, or its line's: dots may show that it was
/// cut, and it may be cut inside of an escape.
pub(super) fn cut_at(text: &[u8], alike: usize) -> Option<usize> {
    let rest = &text[alike..];
    let escape = |byte: &u8| KINDS[..3].contains(byte);
    let ends = match rest.first() {
        None | Some(b'\n' | b'\r') => true,
        Some(byte) if escape(byte) => rest.len() < LONGEST,
        _ => rest.starts_with(b"...") || rest.starts_with("\u{2026}".as_bytes()),
    };
    if ends {
        return Some(alike);
    }
    let start = text[..alike].iter().rposition(escape)?;
    (text.len() - start < LONGEST).then_some(start)
}

/// What an escape of these kinds at the start of `bytes` stands for, and its length. A line break that a server
/// put in stands for nothing.
fn undone(bytes: &[u8], kinds: &[u8]) -> Option<(usize, Option<char>)> {
    let some = |(taken, c): (usize, char)| (taken, Some(c));
    match bytes.first()? {
        b'\n' | b'\r' => Some((1, None)),
        b'<' => {
            let tags = ["<br />", "<br/>", "<br>"];
            tags.iter()
                .find(|tag| bytes.starts_with(tag.as_bytes()))
                .map(|tag| (tag.len(), None))
        }
        kind if !kinds.contains(kind) => None,
        b'\\' => backslash(bytes).map(some),
        b'&' => entity(bytes).map(some),
        b'%' => percent(bytes).map(some),
        _ => Some((1, Some(' '))),
    }
}

/// `\n`, `\"`, `\u00e9`, `\x41`.
fn backslash(bytes: &[u8]) -> Option<(usize, char)> {
    let digits = |from: usize, count: usize| {
        let digits = bytes.get(from..from + count)?;
        digits.iter().try_fold(0, |number, digit| {
            Some(number * 16 + char::from(*digit).to_digit(16)?)
        })
    };
    let c = match bytes.get(1)? {
        kind @ (b'"' | b'\\' | b'/' | b'\'') => char::from(*kind),
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'x' => return Some((4, char::from_u32(digits(2, 2)?)?)),
        b'u' => {
            let unit = digits(2, 4)?;
            if let Some(c) = char::from_u32(unit) {
                return Some((6, c));
            }
            let low = bytes
                .get(6..8)
                .filter(|start| start == b"\\u")
                .and_then(|_| digits(8, 4))?;
            let units = [unit, low].map(|unit| u16::try_from(unit).unwrap_or_default());
            return Some((12, char::decode_utf16(units).next()?.ok()?));
        }
        _ => return None,
    };
    Some((2, c))
}

/// The names that HTML has for the printable ASCII characters that are neither letters nor digits.
const ASCII: [(&str, char); 35] = [
    ("quot", '"'),
    ("amp", '&'),
    ("apos", '\''),
    ("lt", '<'),
    ("gt", '>'),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
];

/// The names that HTML has for U+00A0 to U+00FF, in their order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn \
    sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde \
    Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde \
    Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil \
    egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave \
    uacute ucirc uuml yacute thorn yuml";

/// `&amp;`, `&eacute;`, `&#60;`, `&#x3c;`.
fn entity(bytes: &[u8]) -> Option<(usize, char)> {
    let end = bytes.iter().take(LONGEST).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&bytes[1..end]).ok()?;
    let c = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        None => match ASCII.iter().find(|(known, _)| *known == name) {
            Some((_, c)) => *c,
            None => {
                let place = LATIN
                    .split_ascii_whitespace()
                    .position(|known| known == name)?;
                char::from_u32(0xa0 + u32::try_from(place).ok()?)?
            }
        },
    };
    Some((end + 1, c))
}

/// `%41`, `%c3%a9`; a byte that is no UTF-8 is Latin-1.
fn percent(bytes: &[u8]) -> Option<(usize, char)> {
    let byte = |at: usize| {
        let [b'%', high, low] = bytes.get(at..at + 3)? else {
            return None;
        };
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        u8::try_from(digit(high)? * 16 + digit(low)?).ok()
    };
    let first = byte(0)?;
    let mut group = [first, 0, 0, 0];
    for length in 1..=group.len() {
        if let Ok(text) = std::str::from_utf8(&group[..length]) {
            return Some((3 * length, text.chars().next()?));
        }
        match byte(3 * length) {
            Some(next) if length < group.len() => group[length] = next,
            _ => break,
        }
    }
    Some((3, char::from(first)))
}
