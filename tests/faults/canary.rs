//! Canaries: secrets and tokens that exist once, every form that one can take, and where one shows. The forms are
//! written here once more, by hand: a search with the program's own redactor would miss what that misses.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use md5::Digest;

/// How many characters of a canary are enough to know it by.
const PART: usize = 8;
/// How many hex digits of a hash are.
const DIGITS: usize = 16;
/// What makes each escaped form another text: each of these is escaped somewhere.
const SPECIAL: &str = "\"<&>+%/=";

/// Who may see a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A setting: nobody.
    Setting,
    /// What a server gave: the store, and whoever asked for it.
    Token,
}

/// A value that stands nowhere else.
#[derive(Debug, Clone)]
pub struct Canary {
    pub class: Class,
    pub value: String,
    forms: Vec<String>,
    hashes: Vec<String>,
}

impl Canary {
    /// A new secret, with characters that every escape changes.
    pub fn secret() -> Self {
        Self::of(Class::Setting, &format!("{}{SPECIAL} {}é", word(), word()))
    }

    /// A new token.
    pub fn token() -> Self {
        Self::of(Class::Token, &format!("{}{SPECIAL}{}", word(), word()))
    }

    /// A value that a test has made itself.
    pub fn of(class: Class, value: &str) -> Self {
        let (forms, hashes) = (forms(value), hashes(value));
        let value = value.to_owned();
        Self {
            class,
            value,
            forms,
            hashes,
        }
    }

    /// The form of it that stands in a text, if one does; `lower` is the same text in lower case.
    fn in_both(&self, text: &str, lower: &str) -> Option<&str> {
        let form = self.forms.iter().find(|form| text.contains(form.as_str()));
        let mut hashes = self.hashes.iter();
        let form = form.or_else(|| hashes.find(|hash| lower.contains(hash.as_str())));
        form.map(String::as_str)
    }
}

/// The canaries that stand in a text, each with its form.
pub fn found<'a>(canaries: &'a [Canary], text: &[u8]) -> Vec<(&'a Canary, &'a str)> {
    let text = String::from_utf8_lossy(text);
    let lower = text.to_ascii_lowercase();
    let form = |canary: &'a Canary| Some((canary, canary.in_both(&text, &lower)?));
    canaries.iter().filter_map(form).collect()
}

/// Sixteen letters and digits that nobody has seen before.
fn word() -> String {
    format!("{:016x}", getrandom::u64().expect("random bytes"))
}

/// Parts of the value as they stand in it, which plain escapes leave as they are, then every form that changes
/// letters too.
fn forms(value: &str) -> Vec<String> {
    let words = value.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| word.len() >= PART);
    let mut all: Vec<String> = words.flat_map(|word| ends(word, PART)).collect();
    if all.is_empty() {
        all.push(value.to_owned());
    }
    let characters = || value.chars().map(u32::from);
    all.push(characters().map(|c| format!("&#{c};")).collect());
    all.push(characters().map(|c| format!("&#x{c:x};")).collect());
    let units = value.encode_utf16();
    all.push(units.map(|unit| format!("\\u{unit:04x}")).collect());
    all.push(value.bytes().map(|byte| format!("%{byte:02X}")).collect());
    all.push(value.bytes().map(|byte| format!("%{byte:02x}")).collect());
    // Of all of these a beginning is enough.
    for form in &mut all {
        if form.starts_with(['&', '\\', '%']) {
            form.truncate(40);
        }
    }
    for offset in 0..3 {
        let padded = [&vec![0; offset][..], value.as_bytes()].concat();
        for text in [STANDARD.encode(&padded), URL_SAFE.encode(&padded)] {
            // Without the digits that share bits with whatever stands before and behind.
            all.push(text[4..text.len() - 4].to_owned());
        }
    }
    all.sort();
    all.dedup();
    all
}

/// The beginning and the end of a word: what a limit cuts off leaves one of them.
fn ends(word: &str, length: usize) -> [String; 2] {
    [&word[..length], &word[word.len() - length..]].map(str::to_owned)
}

fn hashes(value: &str) -> Vec<String> {
    let sha1 = hex(&sha1::Sha1::digest(value));
    let all = [md5_hex(value), sha1, hex(&sha2::Sha256::digest(value))];
    all.iter().flat_map(|hash| ends(hash, DIGITS)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lower-case hex digits of an MD5: what Gluocrm is sent in place of its key.
pub fn md5_hex(text: &str) -> String {
    hex(&md5::Md5::digest(text))
}

/// A text as a page has it.
pub fn in_html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

#[test]
fn every_form_is_found() {
    let canary = Canary::secret();
    let value = &canary.value;
    let json = serde_json::Value::String(value.clone()).to_string();
    let html = in_html(value);
    let percent: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let longer = STANDARD.encode(format!("user:{value}:more"));
    let characters = || value.chars().map(u32::from);
    let shown = [
        value.clone(),
        json.clone(),
        json.replace('/', "\\/"),
        html,
        percent,
        value.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        characters().map(|c| format!("&#{c};")).collect(),
        characters().map(|c| format!("\\u{c:04x}")).collect(),
        value[..12].to_owned(),
        STANDARD.encode(value),
        STANDARD.encode(value).trim_end_matches('=').to_owned(),
        URL_SAFE.encode(value),
        longer,
        md5_hex(value),
        md5_hex(value).to_uppercase(),
        crmauth::secret::sha256_hex(value).expose().to_uppercase(),
        sha1::Sha1::digest(value)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect(),
    ];
    for text in shown {
        let text = format!("before {text} after");
        assert_eq!(
            found(std::slice::from_ref(&canary), text.as_bytes()).len(),
            1,
            "{text}"
        );
    }
    assert!(
        found(&[Canary::secret()], value.as_bytes()).is_empty(),
        "another canary is not this one"
    );
}
