//! Values that must not be seen: a type that cannot print itself, encoders that keep what they write
//! secret, and the redactor that blanks known secrets in texts of others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::Digest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// What stands where a secret stood.
pub const BLANK: &str = "***";

/// A secret shorter than this many bytes is blanked in texts of others only: in our own sentences it would
/// blank words that merely look like it.
const OWN_TEXT_MIN: usize = 4;

/// How many bytes a byte of a secret takes at most where a server echoes it: `&` as `\u0026quot;`.
const ESCAPED_MAX: usize = 12;

/// A text nobody may see. It has no `Display`, its `Debug` is blank, and its memory is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `text`; an empty text is allowed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself: the one way to read it, so that `grep expose` finds every reader.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One path segment or query value, percent-encoded so that it stays one.
pub fn percent(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Lower-case hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// MD5 of the parts one after the other, 32 lower-case hex digits.
pub fn md5_hex(parts: &[&str]) -> Secret {
    let mut hash = md5::Md5::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    Secret::new(hex(&hash.finalize()))
}

/// SHA-256 of `text`, 64 lower-case hex digits.
pub fn sha256_hex(text: &str) -> Secret {
    Secret::new(hex(&sha2::Sha256::digest(text.as_bytes())))
}

/// A request body under construction: fields in the order given, each told whether it is secret.
///
/// The finished body is a [`Secret`] of its own, and every secret field goes to the redactor with it.
#[derive(Default)]
pub struct Fields {
    fields: Vec<(&'static str, Secret)>,
    secrets: Vec<Secret>,
}

impl Fields {
    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field that anybody may see.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, Secret::new(value.to_owned())));
        self
    }

    /// Adds a secret field.
    #[must_use]
    pub fn secret(mut self, name: &'static str, value: &Secret) -> Self {
        self.fields.push((name, value.clone()));
        self.secrets.push(value.clone());
        self
    }

    /// The secret fields' values.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The body as `application/x-www-form-urlencoded`, spaces as `+`.
    pub fn form(&self) -> Secret {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.fields {
            body.append_pair(name, value.expose());
        }
        Secret::new(body.finish())
    }

    /// The body as one JSON object of strings.
    pub fn json(&self) -> Secret {
        let object: Map<String, Value> = self
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::String(value.expose().to_owned())))
            .collect();
        Secret::new(Value::Object(object).to_string())
    }
}

/// Knows the secrets of this run and blanks them wherever they appear, in every form a server may echo.
#[derive(Default)]
pub struct Redactor {
    known: RefCell<Known>,
}

impl Redactor {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on `secret` is blanked. An empty one is ignored.
    pub fn learn(&self, secret: &Secret) {
        let mut known = self.known.borrow_mut();
        if !secret.expose().is_empty() && !known.secrets.contains(secret) {
            known.secrets.push(secret.clone());
        }
    }

    /// A text of others with every known secret blanked.
    pub fn foreign(&self, text: &str) -> String {
        replace(text, self.hits(text, 1))
    }

    /// The first `shown` bytes of such a text. Secrets are looked for beyond them: of one that stands across the
    /// end nothing may show.
    pub fn foreign_start(&self, text: &str, shown: usize) -> String {
        let longest = self.known.borrow().secrets.iter().map(|secret| secret.expose().len()).max();
        let window = shown.saturating_add(ESCAPED_MAX.saturating_mul(longest.unwrap_or_default()));
        let (window, end) = (text.floor_char_boundary(window), text.floor_char_boundary(shown));
        let mut hits = self.hits(&text[..window], 1);
        hits.retain(|hit| hit.start < end);
        hits.iter_mut().for_each(|hit| hit.end = hit.end.min(end));
        replace(&text[..end], hits)
    }

    /// A sentence of our own with every known secret blanked that is long enough not to be a common word.
    pub fn own(&self, text: &str) -> String {
        replace(text, self.hits(text, OWN_TEXT_MIN))
    }

    /// Where the secrets stand that have at least `min` bytes.
    fn hits(&self, text: &str, min: usize) -> Vec<Range<usize>> {
        let mut known = self.known.borrow_mut();
        known.index();
        let mut hits = Vec::new();
        if !known.needles.is_empty() {
            readings(text).iter().for_each(|reading| known.find(reading, min, &mut hits));
        }
        hits
    }
}

/// By so many bytes at most is a needle looked up. A batch has thousands of them, and most are made of the same few
/// digits: by one byte each place of a text would be compared with hundreds.
const START: usize = 4;

/// The secrets, and an index of what to look for.
#[derive(Default)]
struct Known {
    secrets: Vec<Secret>,
    /// How many of the secrets the index knows: it is made when something is to be blanked, which most runs never do.
    indexed: usize,
    needles: Vec<Needle>,
    /// Places in `needles`, by the first [`START`] bytes, or by all of one that is shorter.
    by_start: [HashMap<[u8; START], Vec<usize>>; START],
    /// Whether a needle begins with a byte and goes on with another: most places are ruled out before anything is
    /// looked up.
    pairs: Vec<[bool; 256]>,
}

/// Something to look for, and how long the secret is that it stands for.
struct Needle {
    text: Zeroizing<String>,
    secret: usize,
}

impl Known {
    /// Takes what has been learnt into the index.
    fn index(&mut self) {
        if self.indexed == self.secrets.len() {
            return;
        }
        self.pairs.resize(256, [false; 256]);
        for secret in &self.secrets[self.indexed..] {
            for text in needles(secret.expose()) {
                let (length, start) = start(text.as_bytes(), START);
                match start {
                    [first, ..] if length == 1 => self.pairs[usize::from(first)].fill(true),
                    [first, second, ..] => self.pairs[usize::from(first)][usize::from(second)] = true,
                }
                self.by_start[length - 1].entry(start).or_default().push(self.needles.len());
                self.needles.push(Needle { text, secret: secret.expose().len() });
            }
        }
        self.indexed = self.secrets.len();
    }

    /// Adds where needles for secrets of at least `min` bytes stand in a reading.
    fn find(&self, reading: &Reading, min: usize, hits: &mut Vec<Range<usize>>) {
        for at in 0..reading.bytes.len() {
            let rest = &reading.bytes[at..];
            if let [first, second, ..] = rest
                && !self.pairs[usize::from(*first)][usize::from(*second)]
            {
                continue;
            }
            for length in 1..=rest.len().min(START) {
                let places = self.by_start[length - 1].get(&start(rest, length).1);
                for needle in places.into_iter().flatten().map(|place| &self.needles[*place]) {
                    if needle.secret >= min && rest.starts_with(needle.text.as_bytes()) {
                        hits.push(reading.from[at].start..reading.from[at + needle.text.len() - 1].end);
                    }
                }
            }
        }
    }
}

/// The first bytes of a text that is not empty, `most` at most, and how many they are.
fn start(text: &[u8], most: usize) -> (usize, [u8; START]) {
    let length = text.len().min(most);
    let mut start = [0; START];
    start[..length].copy_from_slice(&text[..length]);
    (length, start)
}

/// `text` with the byte ranges replaced by [`BLANK`]; ranges that touch become one.
fn replace(text: &str, mut hits: Vec<Range<usize>>) -> String {
    hits.sort_by_key(|hit| (hit.start, hit.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut blanked_to = None;
    for hit in hits {
        if hit.start > at {
            out.push_str(&text[at..hit.start]);
            blanked_to = None;
        }
        if blanked_to.is_none() {
            out.push_str(BLANK);
        }
        at = at.max(hit.end);
        blanked_to = Some(at);
    }
    out.push_str(&text[at..]);
    out
}

/// What to look for: the secret itself, its hashes and its base64 forms. Escaped forms are found by reading
/// the text unescaped instead.
fn needles(secret: &str) -> Vec<Zeroizing<String>> {
    let mut needles = vec![secret.to_owned()];
    for hash in [
        hex(&md5::Md5::digest(secret.as_bytes())),
        hex(&sha1::Sha1::digest(secret.as_bytes())),
        hex(&sha2::Sha256::digest(secret.as_bytes())),
    ] {
        needles.push(hash.to_uppercase());
        needles.push(hash);
    }
    // A secret inside a longer base64 text stands at one of three offsets; the digits that share bits with
    // its neighbours are left out.
    for offset in 0..3usize {
        let mut padded = vec![0u8; offset];
        padded.extend_from_slice(secret.as_bytes());
        let from = (offset * 8).div_ceil(6);
        let to = padded.len() * 8 / 6;
        if to.saturating_sub(from) >= 6 {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                needles.push(engine.encode(&padded)[from..to].to_owned());
            }
        }
    }
    needles.into_iter().map(Zeroizing::new).collect()
}

/// One way of reading a text: unescaped bytes, each with the range of the text it came from.
struct Reading {
    bytes: Zeroizing<Vec<u8>>,
    from: Vec<Range<usize>>,
}

impl Reading {
    fn plain(text: &str) -> Self {
        Self {
            bytes: Zeroizing::new(text.as_bytes().to_vec()),
            from: (0..text.len()).map(|at| at..at + 1).collect(),
        }
    }

    /// The same text read once more with one kind of escape undone.
    fn undo(&self, unescape: fn(&[u8]) -> Option<(usize, String)>) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut from = Vec::with_capacity(self.bytes.len());
        let mut at = 0;
        while at < self.bytes.len() {
            let Some((taken, decoded)) = unescape(&self.bytes[at..]) else {
                bytes.push(self.bytes[at]);
                from.push(self.from[at].clone());
                at += 1;
                continue;
            };
            let span = self.from[at].start..self.from[at + taken - 1].end;
            for byte in decoded.into_bytes() {
                bytes.push(byte);
                from.push(span.clone());
            }
            at += taken;
        }
        Self { bytes: Zeroizing::new(bytes), from }
    }
}

/// The text as it is and with escapes undone, alone and nested in the orders that servers produce.
fn readings(text: &str) -> Vec<Reading> {
    let plain = Reading::plain(text);
    let json = plain.undo(json_escape);
    let html = plain.undo(html_escape);
    let percent = plain.undo(percent_escape);
    let mut all = vec![json.undo(html_escape), html.undo(json_escape)];
    all.push(all[0].undo(percent_escape));
    all.push(plain.undo(plus).undo(percent_escape));
    all.extend([plain, json, html, percent]);
    all
}

fn json_escape(bytes: &[u8]) -> Option<(usize, String)> {
    let [b'\\', kind, rest @ ..] = bytes else {
        return None;
    };
    let one = |c: char| Some((2, c.to_string()));
    match kind {
        b'"' | b'\\' | b'/' | b'\'' => one(char::from(*kind)),
        b'n' => one('\n'),
        b'r' => one('\r'),
        b't' => one('\t'),
        b'b' => one('\u{8}'),
        b'f' => one('\u{c}'),
        b'u' => {
            let unit = |at: usize| {
                let digits = std::str::from_utf8(rest.get(at..at + 4)?).ok()?;
                u16::from_str_radix(digits, 16).ok()
            };
            let high = unit(0)?;
            if let Some(c) = char::from_u32(u32::from(high)) {
                return Some((6, c.to_string()));
            }
            if rest.get(4..6)? != b"\\u" {
                return None;
            }
            let pair = char::decode_utf16([high, unit(6)?]).next()?.ok()?;
            Some((12, pair.to_string()))
        }
        _ => None,
    }
}

fn html_escape(bytes: &[u8]) -> Option<(usize, String)> {
    if bytes.first() != Some(&b'&') {
        return None;
    }
    let end = bytes.iter().take(12).position(|b| *b == b';')?;
    let name = std::str::from_utf8(&bytes[1..end]).ok()?;
    let c = match name {
        "quot" => '"',
        "apos" => '\'',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((end + 1, c.to_string()))
}

fn percent_escape(bytes: &[u8]) -> Option<(usize, String)> {
    // Bytes above 0x7F come in groups that are one character together.
    let mut decoded = Vec::new();
    let mut at = 0;
    loop {
        let digits = bytes.get(at..at + 3).filter(|b| b[0] == b'%')?;
        decoded.push(u8::from_str_radix(std::str::from_utf8(&digits[1..]).ok()?, 16).ok()?);
        at += 3;
        match std::str::from_utf8(&decoded) {
            Ok(text) => return Some((at, text.to_owned())),
            Err(_) if decoded.len() < 4 => {}
            Err(_) => return None,
        }
    }
}

fn plus(bytes: &[u8]) -> Option<(usize, String)> {
    (bytes.first() == Some(&b'+')).then(|| (1, " ".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::new();
        for secret in secrets {
            redactor.learn(&Secret::new((*secret).to_owned()));
        }
        redactor
    }

    #[test]
    fn a_secret_cannot_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(***)");
    }

    #[test]
    fn every_form_of_a_secret_is_blanked() {
        let secret = r#"p&ss"w<o>r'd/é+ %x"#;
        let redactor = redactor(&[secret]);
        let json = Value::String(secret.into()).to_string();
        let html = secret.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#039;");
        let html = html.replace('<', "&lt;").replace('>', "&gt;");
        let basic = STANDARD_NO_PAD.encode(format!("client:{secret}"));
        for form in [
            secret.to_owned(),
            percent(secret),
            percent(secret).to_lowercase(),
            percent(secret).replace("%20", "+"),
            json.trim_matches('"').to_owned(),
            json.trim_matches('"').replace('/', "\\/").replace('é', "\\u00e9"),
            Value::String(html.clone()).to_string(),
            html,
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            hex(&md5::Md5::digest(secret.as_bytes())),
            hex(&sha1::Sha1::digest(secret.as_bytes())),
            sha256_hex(secret).expose().to_uppercase(),
        ] {
            let said = redactor.foreign(&format!("before {form} after"));
            assert!(said.starts_with("before "), "{said}");
            assert!(said.ends_with(" after"), "{said}");
            assert!(said.contains(BLANK) && said.len() <= "before \"***\" after".len() + 3, "{form}: {said}");
        }
        assert!(redactor.foreign(&basic).contains(BLANK));
    }

    #[test]
    fn overlapping_secrets_leave_nothing_over() {
        assert_eq!(redactor(&["abcdef", "defghi"]).foreign("xabcdefghiy"), "x***y");
        assert_eq!(redactor(&["aa"]).foreign("aaa b aa"), "*** b ***");
    }

    #[test]
    fn of_a_secret_across_the_end_nothing_shows() {
        let secret: String = (0..3300_u32).map(|at| char::from(b'a' + (at * 7 % 25) as u8)).collect();
        let redactor = redactor(&[&secret]);
        let escaped: String = secret.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        for before in [0, 100, 4096, 16 * 1024 - 1] {
            for echo in [&secret, &escaped] {
                let text = format!("{}{echo} behind", "-".repeat(before));
                let shown = redactor.foreign_start(&text, 16 * 1024);
                let whole = before + echo.len() + " behind".len() <= 16 * 1024;
                assert!(shown.starts_with(&"-".repeat(before)), "{before}");
                let rest = &shown[before..];
                assert!(
                    rest.starts_with(BLANK) && !rest.contains("\\u") && rest.len() <= 10,
                    "{before}: {rest}"
                );
                assert_eq!(rest.ends_with(" behind"), whole, "{before}: {rest}");
            }
        }
    }

    #[test]
    fn a_short_secret_spares_our_own_sentences() {
        let redactor = redactor(&["a"]);
        assert_eq!(redactor.own("a broken answer"), "a broken answer");
        assert_eq!(redactor.foreign("a b"), "*** b");
    }

    #[test]
    fn secrets_of_every_length_are_found_among_many() {
        let many: Vec<String> = (0..500).map(|number| format!("key-{number:04}")).collect();
        let short = ["#", "~!", "=+=", "^^^^", "<<>><"];
        let redactor = redactor(&short);
        for secret in &many {
            redactor.learn(&Secret::new(secret.clone()));
        }
        for secret in short.into_iter().chain(many.iter().map(String::as_str)) {
            for (before, behind) in [("", ""), ("a ", " b"), ("", "c"), ("key-", "")] {
                let text = [before, secret, behind].concat();
                assert_eq!(redactor.foreign(&text), [before, BLANK, behind].concat(), "{text}");
            }
        }
        // What is learnt later is found too.
        redactor.learn(&Secret::new("later".to_owned()));
        assert_eq!(redactor.foreign("key-0499 later key-0500"), "*** *** key-0500");
    }

    #[test]
    fn known_hashes() {
        assert_eq!(md5_hex(&["123", "456"]).expose(), "e10adc3949ba59abbe56e057f20f883e");
        assert_eq!(
            sha256_hex("teste").expose(),
            "46070d4bf934fb0d4b06d9e2c46e346944e322444900a435d7d9a95e6d7435f5"
        );
    }
}
