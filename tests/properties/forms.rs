//! Finds a secret in a text in any form that it can be read back from. Written apart from the redactor, which is
//! what it checks: it decodes the text over and over, where the redactor looks for what it knows.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Secrets shorter than this stand in too many texts by chance once these are decoded.
pub const TELLING: usize = 5;
/// How many escapes may be wrapped around each other.
const DEPTH: usize = 3;

type Decoder = fn(&str) -> String;

/// Whether `secret` can be read in `text`: as it is, hashed, in base64, or behind escapes.
pub fn readable(text: &str, secret: &str) -> bool {
    if text.contains(secret) {
        return true;
    }
    if secret.len() < TELLING {
        return false;
    }
    let mut texts = vec![text.to_owned()];
    let mut from = 0;
    for _ in 0..DEPTH {
        let to = texts.len();
        for at in from..to {
            for decode in DECODERS {
                let decoded = decode(&texts[at]);
                if !texts.contains(&decoded) {
                    texts.push(decoded);
                }
            }
        }
        from = to;
    }
    let lower = text.to_ascii_lowercase();
    texts.iter().any(|text| text.contains(secret))
        || hashes(secret).iter().any(|hash| lower.contains(hash))
        || in_base64(text, secret)
}

/// Lower-case hex digits of the hashes that servers make of passwords.
pub fn hashes(secret: &str) -> [String; 3] {
    use md5::Digest;
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let bytes = secret.as_bytes();
    [
        hex(&md5::Md5::digest(bytes)),
        hex(&sha1::Sha1::digest(bytes)),
        hex(&sha2::Sha256::digest(bytes)),
    ]
}

fn in_base64(text: &str, secret: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    text.split(|c| !is_digit(c))
        .filter(|run| run.len() >= secret.len())
        .any(|run| {
            (0..4).any(|skip| {
                let run = &run[skip.min(run.len())..];
                // The last digits may stand for half a byte.
                let whole = &run[..run.len() / 4 * 4];
                [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD].iter().any(|engine| {
                    let decoded = engine.decode(whole).unwrap_or_default();
                    decoded
                        .windows(secret.len())
                        .any(|bytes| bytes == secret.as_bytes())
                })
            })
        })
}

const DECODERS: &[Decoder] = &[percent, form, json, html];

fn form(text: &str) -> String {
    percent(&text.replace('+', " "))
}

/// `%41`, as far as the bytes are UTF-8.
fn percent(text: &str) -> String {
    let bytes = percent_encoding::percent_decode_str(text);
    bytes
        .decode_utf8()
        .map_or_else(|_| text.to_owned(), Into::into)
}

/// The escapes of a JSON text.
fn json(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // The longest piece that JSON takes for one escape: a pair of units, a unit, a letter.
        let piece = [12, 6, 2]
            .into_iter()
            .filter_map(|len| rest.get(..len))
            .find_map(|piece| {
                let read: String = serde_json::from_str(&format!("\"{piece}\"")).ok()?;
                (read.chars().count() == 1).then_some((piece.len(), read))
            });
        let (len, read) = piece.unwrap_or((1, "\\".to_owned()));
        out.push_str(&read);
        rest = &rest[len..];
    }
    out + rest
}

/// `&lt;`, `&#60;`, `&#x3c;`.
fn html(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let decoded = rest
            .split_once(';')
            .and_then(|(name, behind)| Some((entity(name)?, behind)));
        match decoded {
            Some((c, behind)) => {
                out.push(c);
                rest = behind;
            }
            None => out.push('&'),
        }
    }
    out + rest
}

fn entity(name: &str) -> Option<char> {
    let known = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("eacute", '\u{e9}'),
        ("percnt", '%'),
        ("plus", '+'),
        ("bsol", '\\'),
    ];
    if let Some((_, c)) = known.iter().find(|(known, _)| *known == name) {
        return Some(*c);
    }
    let number = name.strip_prefix('#')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}
