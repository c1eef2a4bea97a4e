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
        Self {
            class,
            value: value.to_owned(),
            forms,
            hashes,
        }
    }

    /// The form of it that stands in a text, if one does; `lower` is the same text in lower case.
    fn in_both(&self, text: &str, lower: &str) -> Option<&str> {
        let form = self.forms.iter().find(|form| text.contains(form.as_str()));
        form.or_else(|| {
            self.hashes
                .iter()
                .find(|hash| lower.contains(hash.as_str()))
        })
        .map(String::as_str)
    }
}

/// The canaries that stand in a text, each with its form.
pub fn found<'a>(canaries: &'a [Canary], text: &[u8]) -> Vec<(&'a Canary, &'a str)> {
    let text = String::from_utf8_lossy(text);
    let lower = text.to_ascii_lowercase();
    canaries
        .iter()
        .filter_map(|canary| Some((canary, canary.in_both(&text, &lower)?)))
        .collect()
}

/// Sixteen letters and digits that nobody has seen before.
fn word() -> String {
    format!("{:016x}", getrandom::u64().expect("random bytes"))
}

/// Parts of the value as they stand in it, which plain escapes leave as they are, then every form that changes
/// letters too.
fn forms(value: &str) -> Vec<String> {
    let mut all: Vec<String> = value
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() >= PART)
        .flat_map(parts)
        .collect();
    if all.is_empty() {
        all.push(value.to_owned());
    }
    all.push(
        value
            .chars()
            .map(|c| format!("&#{};", u32::from(c)))
            .collect(),
    );
    all.push(
        value
            .chars()
            .map(|c| format!("&#x{:x};", u32::from(c)))
            .collect(),
    );
    all.push(
        value
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect(),
    );
    all.push(value.bytes().map(|byte| format!("%{byte:02X}")).collect());
    all.push(value.bytes().map(|byte| format!("%{byte:02x}")).collect());
    // Of all of these a beginning is enough.
    all.iter_mut()
        .filter(|form| form.starts_with(['&', '\\', '%']))
        .for_each(|form| form.truncate(40));
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
fn parts(word: &str) -> Vec<String> {
    vec![
        word[..PART].to_owned(),
        word[word.len() - PART..].to_owned(),
    ]
}

fn hashes(value: &str) -> Vec<String> {
    let digits = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let all = [
        digits(&md5::Md5::digest(value)),
        digits(&sha1::Sha1::digest(value)),
        digits(&sha2::Sha256::digest(value)),
    ];
    all.iter()
        .flat_map(|hash| {
            [
                hash[..DIGITS].to_owned(),
                hash[hash.len() - DIGITS..].to_owned(),
            ]
        })
        .collect()
}

/// The lower-case hex digits of an MD5: what Gluocrm is sent in place of its key.
pub fn md5_hex(text: &str) -> String {
    md5::Md5::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn every_form_is_found() {
    let canary = Canary::secret();
    let value = &canary.value;
    let json = serde_json::Value::String(value.clone()).to_string();
    let html = value
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let percent: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let longer = STANDARD.encode(format!("user:{value}:more"));
    let shown = [
        value.clone(),
        json.clone(),
        json.replace('/', "\\/"),
        html,
        percent,
        value.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        value
            .chars()
            .map(|c| format!("&#{};", u32::from(c)))
            .collect(),
        value
            .chars()
            .map(|c| format!("\\u{:04x}", u32::from(c)))
            .collect(),
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
