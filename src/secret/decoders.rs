//! Undoes the escapes in which a server may echo a secret.

use std::collections::HashMap;
use std::iter::successors;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::foreign::unseen;

/// Tells how many bytes an escape at the start of a text takes and which character it stands for, if for any. An escape
/// is at least as long as its character, and begins with neither a letter, nor a digit, nor a space.
type Decoder = fn(&str) -> Escape;
type Escape = Option<(usize, Option<char>)>;

/// The kinds of escapes.
const DECODERS: &[Decoder] = &[
    // `%41`, `%C3%A7`
    |text| hex_bytes(text, "%"),
    // `\n`, `\"`, `\u00e7`, `\ud83d\ude00`
    |text| {
        let kind = text.strip_prefix('\\')?.chars().next()?;
        if kind == 'u' {
            return utf_16(text, "\\u");
        }
        let at = "\"\\/nrtbf".find(kind)?;
        Some((2, "\"\\/\n\r\t\u{8}\u{c}"[at..].chars().next()))
    },
    // `&lt;`, `&#60;`, `&#x3c;`
    |text| closed(text, ';', open_entity(text)?),
    // In forms
    |text| text.starts_with('+').then_some((1, Some(' '))),
    // A tag, unless it is too long for one, or a line break that a server has put into a text
    |text| {
        if text.starts_with(['\r', '\n']) {
            return Some((1, None));
        }
        let name = text.strip_prefix('<')?;
        let end = name.find(['<', '>']).filter(|end| *end < 64)?;
        let is_tag = name.starts_with(|c: char| c == '/' || c.is_ascii_alphabetic());
        (is_tag && name[end..].starts_with('>')).then_some((end + 2, None))
    },
    // `<br />` and the line's end after it, and no other tag: a secret may itself have what looks like one
    |text| {
        let (start, end) = text.split_at_checked(3)?;
        let next = end.trim_start_matches([' ', '/']).strip_prefix('>')?;
        let next = next.trim_start_matches(['\r', '\n']);
        let is_break = start.eq_ignore_ascii_case("<br");
        is_break.then_some((text.len() - next.len(), None))
    },
    // `\xc3\xa7`, `\303\247`, `\u{e7}`, `\U000000e7`, as programming languages write them
    |text| {
        let mut braces = ["\\u{", "\\x{"].into_iter();
        let braced = || braces.find_map(|mark| closed(text, '}', number(text, mark, 1..=ANY, 16)?));
        let whole = number(text, "\\U", 8..=8, 16).or_else(braced);
        let byte =
            |text: &str| number(text, "\\x", 2..=2, 16).or_else(|| number(text, "\\", 3..=3, 8));
        whole.map_or_else(|| bytes(text, byte), character)
    },
    // `%E7`, `\xe7`: Windows' Latin-1, of which two characters may look like one of UTF-8
    |text| {
        let one = |mark| number(text, mark, 2..=2, 16);
        let (length, byte) = one("%").or_else(|| one("\\x"))?;
        Some((length, Some(windows_1252(byte as u8))))
    },
    // `%u00E7`, as .NET and old scripts write it
    |text| utf_16(text, "%u"),
    // `\%`, `\_`, `\'`, as SQL's LIKE, PHP and shells write them
    |text| marked(text, '\\'),
    open_entity,
    // `''` for a quote inside of quotes and `]]` inside of brackets, as SQL writes it; `'\''` and `'"'"'`, as shells do
    |text| {
        let pairs = ["'\\''", "'\"'\"'", "''", "\"\"", "]]"];
        let pair = pairs.iter().find(|pair| text.starts_with(**pair))?;
        Some((pair.len(), pair.chars().next()))
    },
    // `[%]`, as SQL Server's LIKE wants it
    |text| {
        let mut sets = ["[[]", "[%]", "[_]"].into_iter();
        let set = sets.find(|set| text.starts_with(set))?;
        Some((3, set[1..].chars().next()))
    },
    // `\c3\a7` in LDAP
    |text| hex_bytes(text, "\\"),
    // `-`, `:` and `,` between bytes in hex, as .NET and Node write them
    |text| {
        let digits = text.strip_prefix(['-', ':', ','])?.bytes();
        let length = digits.take_while(u8::is_ascii_hexdigit).count();
        (length == 2).then_some((1, None))
    },
    // A line break and the blanks after it
    |text| {
        let line = text.trim_start_matches(['\r', '\n']);
        let next = line.trim_start_matches([' ', '\t']);
        (line.len() < text.len()).then_some((text.len() - next.len(), None))
    },
    // An accent that is a character of its own; a secret is spelled without accents for it
    |text| {
        let is_accent = text.starts_with(|c| ('\u{300}'..='\u{36f}').contains(&c));
        is_accent.then_some((2, None))
    },
    // `_x0027_`, as .NET and SQL Server write what a name in XML may not contain
    |text| character(closed(text, '_', number(text, "_x", 4..=ANY, 16)?)?),
    // What nobody sees, and what is left of a character that was cut in half
    |text| {
        let c = text.chars().next().filter(|c| !c.is_ascii())?;
        (unseen(c) || c == '\u{fffd}').then_some((c.len_utf8(), None))
    },
];

/// Kinds that are not undone together with others: a secret may well contain what looks like them.
const ALONE: &[Decoder] = &[
    // `=C3=A7` in mails
    |text| hex_bytes(text, "="),
    // The marks of PowerShell and of `cmd`
    |text| marked(text, '`'),
    |text| marked(text, '^'),
];

/// Layers that are undone in every order of the kinds, and layers of all kinds at once.
const DEPTH: usize = 3;
const DEPTH_AT_ONCE: usize = 8;

/// Bounds the readings of one text, and their bytes: only a text that was made up needs more.
const READINGS_MAX: usize = 256;
const READ_MAX: usize = 1024 * 1024;

/// However many digits there are.
const ANY: usize = usize::MAX;

/// Shows `see` the text as it is, then with one layer of escapes undone, then with two and so on, until it returns
/// something. A layer is one kind of escape, since the text beside a secret may look like another kind, or all kinds at
/// once, since servers mix them.
pub(super) fn find_in_readings<T>(text: &str, mut see: impl FnMut(&str) -> Option<T>) -> Option<T> {
    let most = (READ_MAX / text.len().max(1)).clamp(1, READINGS_MAX);
    let at_once = |text: &str| undo(text, DECODERS);
    let undone = successors(at_once(text), |text| at_once(text));
    let undone: Vec<_> = undone.take(DEPTH_AT_ONCE).collect();
    let escaped = !undone.is_empty() || undo(text, ALONE).is_some();
    let mut readings = vec![(0, Zeroizing::new(text.to_owned()))];
    let mut at = 0;
    while let Some((depth, reading)) = readings.get(at) {
        if let Some(found) = see(reading) {
            return Some(found);
        }
        let depth = depth + 1;
        if escaped && depth <= DEPTH {
            let kinds = DECODERS.chunks(1).chain(ALONE.chunks(1));
            let alone = kinds.filter_map(|kind| undo(reading, kind));
            for next in alone.chain(at_once(reading)).collect::<Vec<_>>() {
                if readings.len() < most && readings.iter().all(|(_, known)| *known != next) {
                    readings.push((depth, next));
                }
            }
        }
        at += 1;
    }
    undone.iter().find_map(|reading| see(reading))
}

/// Undoes one layer of escapes of these kinds. Returns `None` if there are none.
fn undo(text: &str, kinds: &[Decoder]) -> Option<Zeroizing<String>> {
    let mut read = Zeroizing::new(String::new());
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        if at < done || byte == b' ' || byte.is_ascii_alphanumeric() || !text.is_char_boundary(at) {
            continue;
        }
        if let Some((length, meant)) = kinds.iter().find_map(|undo| undo(&text[at..])) {
            // Growing would leave copies of a secret behind.
            let room = text.len() - read.len();
            read.reserve_exact(room);
            read.push_str(&text[done..at]);
            read.extend(meant);
            done = at + length;
        }
    }
    read.push_str(&text[done..]);
    (done > 0).then_some(read)
}

/// One or two units of UTF-16 in hex, each after `mark`.
fn utf_16(text: &str, mark: &str) -> Escape {
    let unit = |text| number(text, mark, 4..=4, 16);
    let (length, first) = unit(text)?;
    if let Some(c) = char::from_u32(first) {
        return Some((length, Some(c)));
    }
    let (_, second) = unit(&text[length..])?;
    let mut pair = char::decode_utf16([first as u16, second as u16]);
    Some((2 * length, Some(pair.next()?.ok()?)))
}

/// A character after a mark that takes its meaning away.
fn marked(text: &str, mark: char) -> Escape {
    let meant = text.strip_prefix(mark)?.chars().next()?;
    (meant == ' ' || meant.is_ascii_punctuation()).then_some((2, Some(meant)))
}

/// `&lt`, `&#60`
fn open_entity(text: &str) -> Escape {
    let mut marks = [("&#x", 16), ("&#X", 16), ("&#", 10)].into_iter();
    if let Some(code) = marks.find_map(|(mark, radix)| number(text, mark, 1..=ANY, radix)) {
        return character(code);
    }
    let name = text.strip_prefix('&')?;
    let mut names = (2..=8).rev().filter_map(|length| name.get(..length));
    names.find_map(|name| Some((1 + name.len(), Some(*ENTITIES.get(name)?))))
}

/// A number, after how long it is with its mark
type Number = Option<(usize, u32)>;

/// The number whose digits, `count` of them, stand after a mark.
fn number(text: &str, mark: &str, count: RangeInclusive<usize>, radix: u32) -> Number {
    let rest = text.strip_prefix(mark)?;
    let digits = rest.bytes().take(*count.end());
    let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
    let length = digits.take_while(is_digit).count();
    let number = u32::from_str_radix(&rest[..length], radix).ok()?;
    (length >= *count.start()).then_some((mark.len() + length, number))
}

/// What is closed by a character of one byte.
fn closed<T>(text: &str, end: char, (length, meant): (usize, T)) -> Option<(usize, T)> {
    let is_closed = text[length..].starts_with(end);
    is_closed.then_some((length + 1, meant))
}

fn character((length, code): (usize, u32)) -> Escape {
    Some((length, Some(char::from_u32(code)?)))
}

fn hex_bytes(text: &str, mark: &str) -> Escape {
    bytes(text, |text| number(text, mark, 2..=2, 16))
}

/// A character whose bytes are escaped one by one, all at the same length: as UTF-8, or else as Windows' Latin-1.
fn bytes(text: &str, one: impl Fn(&str) -> Number) -> Escape {
    let byte = |text: &str| u8::try_from(one(text)?.1).ok();
    let (length, mut read) = (one(text)?.0, vec![byte(text)?]);
    loop {
        if let Ok(character) = std::str::from_utf8(&read) {
            return Some((length * read.len(), character.chars().next()));
        }
        match text.get(length * read.len()..).and_then(byte) {
            Some(next) if read.len() < 4 => read.push(next),
            _ => return Some((length, Some(windows_1252(read[0])))),
        }
    }
}

/// Decodes a byte as Windows does.
pub fn windows_1252(byte: u8) -> char {
    const FROM_80: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let place = usize::from(byte).checked_sub(0x80);
    let other = place.and_then(|place| FROM_80.chars().nth(place));
    other.unwrap_or(char::from(byte))
}

/// Takes the accent off a letter: the name of an accented letter is the letter and the accent.
pub(super) fn unaccented(c: char) -> char {
    const ACCENTS: &str = "grave acute circ tilde uml ring cedil caron";
    let mut names = ENTITIES.iter().filter(|(_, known)| **known == c);
    let accented = |name: &&str| ACCENTS.split(' ').any(|accent| name[1..] == *accent);
    let name = names.find_map(|(name, _)| Some(*name).filter(accented));
    name.and_then(|name| name.chars().next()).unwrap_or(c)
}

static ENTITIES: LazyLock<HashMap<&str, char>> = LazyLock::new(|| {
    let mut words = NAMES.split_ascii_whitespace();
    std::iter::from_fn(|| Some((words.next()?, words.next()?.chars().next()?))).collect()
});

/// HTML's names of ASCII characters and of all that PHP's `htmlentities` escapes, each name before its character.
const NAMES: &str = "\
    excl ! quot \" num # dollar $ percnt % amp & apos ' lpar ( rpar ) ast * plus + comma , period . \
    sol / colon : semi ; lt < equals = gt > quest ? commat @ lsqb [ lbrack [ bsol \\ rsqb ] rbrack ] \
    Hat ^ lowbar _ grave ` lcub { lbrace { verbar | vert | rcub } rbrace } nbsp \u{a0} iexcl ¡ \
    cent ¢ pound £ curren ¤ yen ¥ brvbar ¦ sect § uml ¨ copy © ordf ª laquo « not ¬ shy \u{ad} reg ® \
    macr ¯ deg ° plusmn ± sup2 ² sup3 ³ acute ´ micro µ para ¶ middot · cedil ¸ sup1 ¹ ordm º \
    raquo » frac14 ¼ frac12 ½ frac34 ¾ iquest ¿ Agrave À Aacute Á Acirc Â Atilde Ã Auml Ä Aring Å \
    AElig Æ Ccedil Ç Egrave È Eacute É Ecirc Ê Euml Ë Igrave Ì Iacute Í Icirc Î Iuml Ï ETH Ð \
    Ntilde Ñ Ograve Ò Oacute Ó Ocirc Ô Otilde Õ Ouml Ö times × Oslash Ø Ugrave Ù Uacute Ú Ucirc Û \
    Uuml Ü Yacute Ý THORN Þ szlig ß agrave à aacute á acirc â atilde ã auml ä aring å aelig æ \
    ccedil ç egrave è eacute é ecirc ê euml ë igrave ì iacute í icirc î iuml ï eth ð ntilde ñ \
    ograve ò oacute ó ocirc ô otilde õ ouml ö divide ÷ oslash ø ugrave ù uacute ú ucirc û uuml ü \
    yacute ý thorn þ yuml ÿ OElig Œ oelig œ Scaron Š scaron š Yuml Ÿ fnof ƒ circ ˆ tilde ˜ Alpha Α \
    Beta Β Gamma Γ Delta Δ Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ \
    Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ Omega Ω alpha α beta β gamma γ \
    delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ omicron ο pi π \
    rho ρ sigmaf ς sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω thetasym ϑ upsih ϒ piv ϖ \
    ensp \u{2002} emsp \u{2003} thinsp \u{2009} zwnj \u{200c} zwj \u{200d} lrm \u{200e} rlm \u{200f} \
    ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ ldquo “ rdquo ” bdquo „ dagger † Dagger ‡ bull • \
    hellip … permil ‰ prime ′ Prime ″ lsaquo ‹ rsaquo › oline ‾ frasl ⁄ euro € image ℑ weierp ℘ \
    real ℜ trade ™ alefsym ℵ larr ← uarr ↑ rarr → darr ↓ harr ↔ crarr ↵ lArr ⇐ uArr ⇑ rArr ⇒ dArr ⇓ \
    hArr ⇔ forall ∀ part ∂ exist ∃ empty ∅ nabla ∇ isin ∈ notin ∉ ni ∋ prod ∏ sum ∑ minus − lowast ∗ \
    radic √ prop ∝ infin ∞ ang ∠ and ∧ or ∨ cap ∩ cup ∪ int ∫ there4 ∴ sim ∼ cong ≅ asymp ≈ ne ≠ \
    equiv ≡ le ≤ ge ≥ sub ⊂ sup ⊃ nsub ⊄ sube ⊆ supe ⊇ oplus ⊕ otimes ⊗ perp ⊥ sdot ⋅ lceil ⌈ \
    rceil ⌉ lfloor ⌊ rfloor ⌋ lang 〈 rang 〉 loz ◊ spades ♠ clubs ♣ hearts ♥ diams ♦";
