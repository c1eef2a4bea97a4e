//! Finds the one JSON object in an answer's body, whatever a server or what stands before it put around it.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Map, Value};

use super::json::{Json, kind};
use crate::error::{Error, Result, error};
use crate::i18n::tr;
use crate::json::is_small;
use crate::secret::windows_1252;

type Fields = Map<String, Value>;

/// A body as text, and how generously it may be read.
pub(super) struct Body<'a> {
    /// In UTF-8, where it could be decoded.
    text: Cow<'a, [u8]>,
    /// The charset that it was in, where that was another.
    charset: Option<&'static str>,
    /// Whether a JSON text that contains JSON stands for what it contains.
    unwraps: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(body: &'a [u8], content_type: Option<&str>, unwraps: bool) -> Self {
        let declared = content_type.and_then(charset).unwrap_or_default();
        let utf16 = declared.starts_with("utf-16");
        let utf16 = |swap: fn([u8; 2]) -> u16, mark: &[u8], zero: usize| {
            let text = body.strip_prefix(mark);
            let text = text.or((utf16 && body.get(zero) == Some(&0)).then_some(body))?;
            let units = text.chunks_exact(2).map(|pair| swap([pair[0], pair[1]]));
            let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
            Some(chars.collect::<String>())
        };
        // JSON and markup begin with an ASCII character, which has one byte that is zero.
        let little = utf16(u16::from_le_bytes, b"\xff\xfe", 1);
        let other = match little.or_else(|| utf16(u16::from_be_bytes, b"\xfe\xff", 0)) {
            Some(text) => Some((text, "UTF-16")),
            None if std::str::from_utf8(body).is_ok() => None,
            None => single_bytes(body, &declared),
        };
        let (text, charset) = other.unzip();
        let text = text.map_or(body.into(), |text| text.into_bytes().into());
        Self {
            text,
            charset,
            unwraps,
        }
    }

    /// Without the byte order marks and the white space before it.
    pub(super) fn trimmed(&self) -> &[u8] {
        trim_start(&self.text)
    }

    /// Whether the object may still be on its way in a body of which more is to come.
    pub(super) fn may_grow(&self) -> bool {
        let start = self.trimmed();
        match start.first() {
            Some(b'{') => {
                let mut objects = Deserializer::from_slice(start).into_iter::<IgnoredAny>();
                matches!(objects.next(), Some(Err(error)) if error.is_eof())
            }
            // A byte order mark may be cut in half.
            None | Some(0xEF | b'<') => true,
            Some(_) => is_php_notice(start),
        }
    }

    /// The object, with a sentence for each thing that was read generously.
    pub(super) fn object(&self, host: &str) -> Result<Json> {
        let text = trim_end(self.trimmed());
        if text.is_empty() {
            return Err(error!(BadAnswer: "{host} sent an empty answer"; host));
        }
        let start = self.text.len() - self.trimmed().len();
        let mut around = [&self.text[..start], &self.text[start + text.len()..]].into_iter();
        let mut oddities = Vec::new();
        if let Some(charset) = self.charset {
            oddities.push(tr!("the server sent its JSON in {charset}"; charset));
        }
        if around.any(|part| part.contains(&BOM[0])) {
            oddities.push(tr!("the server put a byte order mark beside its JSON"));
        }
        if (text.starts_with(b"{") || text.starts_with(b"[")) && !is_small(text) {
            return Err(error!(TooLarge: "{host}'s answer has too many values"; host));
        }
        let fields = match serde_json::from_slice(text) {
            Ok(Value::Object(fields)) => fields,
            Ok(other) => {
                let fields = self.unwraps.then(|| wrapped(&other)).flatten();
                oddities.push(tr!("the server put its JSON into a JSON text"));
                let kind = kind(&other);
                fields.ok_or_else(
                    || error!(BadAnswer: "{host} sent {kind} instead of a JSON object"; host, kind),
                )?
            }
            Err(error) => {
                let found = only_object(text);
                let found = found.ok_or_else(|| not_json(text, start, error, host))?;
                if found.length < text.len() {
                    oddities.push(tr!(
                        "the server printed text around its JSON (PHP display_errors?)"
                    ));
                }
                if found.commas {
                    oddities.push(tr!("the server's JSON has a comma too many"));
                }
                found.fields
            }
        };
        let host = host.to_owned();
        Ok(Json {
            fields,
            oddities,
            host,
        })
    }
}

/// The error for a text that contains no object; it begins at byte `start` of the body.
fn not_json(text: &[u8], start: usize, error: serde_json::Error, host: &str) -> Error {
    if text.starts_with(b"<?xml") && !is_page(text) {
        return error!(Html: "{host} sent XML instead of JSON"; host);
    }
    if text.starts_with(b"<") {
        return error!(Html: "{host} sent HTML instead of JSON"; host);
    }
    let at = start + offset(text, &error);
    error!(BadAnswer: "{host} sent invalid JSON at byte {at}"; host, at).caused_by(error)
}

/// The byte order mark of UTF-8. Some editors write it before a text, and PHP prints that of every file it includes.
const BOM: &[u8] = b"\xef\xbb\xbf";

fn trim_start(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii_start();
    while let Some(rest) = text.strip_prefix(BOM) {
        text = rest.trim_ascii_start();
    }
    text
}

fn trim_end(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii_end();
    while let Some(rest) = text.strip_suffix(BOM) {
        text = rest.trim_ascii_end();
    }
    text
}

/// The charset that a content type names, in lower case.
fn charset(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').skip(1);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })
}

/// Decodes a charset of one byte a character, if it is one of Western Europe's: the others are rare, and a token is ASCII
/// in all of them. ISO-8859-1 is read as its superset windows-1252, as browsers do.
fn single_bytes(body: &[u8], charset: &str) -> Option<(String, &'static str)> {
    let (name, decode): (_, fn(u8) -> char) = match charset.replace('_', "-").as_str() {
        "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "us-ascii" | "ascii" => {
            ("ISO-8859-1", windows_1252)
        }
        "windows-1252" | "cp1252" | "cp-1252" | "x-cp1252" => ("windows-1252", windows_1252),
        "iso-8859-15" | "iso8859-15" | "latin9" | "latin-9" => ("ISO-8859-15", latin_9),
        _ => return None,
    };
    Some((body.iter().copied().map(decode).collect(), name))
}

/// Decodes a byte of ISO-8859-15, which has eight characters that ISO-8859-1 does not have.
fn latin_9(byte: u8) -> char {
    let mut eight = "¤¦¨´¸¼½¾".chars().zip("€ŠšŽžŒœŸ".chars());
    let own = eight.find(|(other, _)| *other == char::from(byte));
    own.map_or(char::from(byte), |(_, own)| own)
}

/// The object in a JSON text, as some .NET services send it.
fn wrapped(value: &Value) -> Option<Fields> {
    let text = value.as_str().filter(|text| is_small(text.as_bytes()))?;
    serde_json::from_str(text).ok()
}

/// Whether a text is one of PHP's notices without HTML, or vtiger's last word, or may become one.
fn is_php_notice(text: &[u8]) -> bool {
    let words = "Sorry!|Warning|Notice|Deprecated|Fatal error|Parse error|Strict Standards|PHP ";
    let mut words = words.split('|').map(str::as_bytes);
    words.any(|word| text.starts_with(word) || word.starts_with(text))
}

struct Found {
    fields: Fields,
    length: usize,
    commas: bool,
}

/// The only JSON object among other text: PHP ends its warnings with a tag or a line; an object that is cut, or a second
/// one, makes the answer unusable. Each byte is looked at a few times at most.
fn only_object(text: &[u8]) -> Option<Found> {
    let mut found: Option<Found> = None;
    let mut at = 0;
    while let Some(next) = text[at..].iter().position(|byte| *byte == b'{') {
        let brace = at + next;
        let before = trim_end(&text[..brace]);
        let after_line = text[before.len()..brace].contains(&b'\n');
        let own_place = before.is_empty() || before.ends_with(b">") || after_line;
        at = brace + 1;
        if !own_place && found.is_none() {
            continue;
        }
        match object_at(&text[brace..])? {
            // After the answer, `function() {}` is a part of a sentence.
            Ok(more) if found.is_some() => {
                if own_place || before.ends_with(b"}") || !more.fields.is_empty() {
                    return None;
                }
                at = brace + more.length;
            }
            Ok(_) if is_page(&text[..brace]) => return None,
            Ok(object) => at = brace + found.insert(object).length,
            // The text began as an object and is not one: an object inside of it is not the answer.
            Err(_) if brace == 0 => return None,
            Err(length) => at = at.max(brace + length),
        }
    }
    found
}

/// Whether what stands before an object makes it a part of a page. JSON in that is not an answer to us.
fn is_page(before: &[u8]) -> bool {
    let starts = |at: usize, tag: &[u8]| {
        let part = before.get(at..at + tag.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(tag))
    };
    let mut tags = (0..before.len()).filter(|at| before[*at] == b'<');
    tags.any(|at| starts(at, b"<html") || starts(at, b"<!doctype") || starts(at, b"<script"))
}

/// What a brace begins: an object, or something else as far as that is certain; `None` if it does not end.
fn object_at(text: &[u8]) -> Option<std::result::Result<Found, usize>> {
    if !matches!(text[1..].trim_ascii_start(), [] | [b'"' | b'}', ..]) {
        return Some(Err(1));
    }
    let mut objects = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let (length, object) = match objects.next()? {
        Ok(_) => {
            let length = objects.byte_offset();
            (length, Cow::from(&text[..length]))
        }
        Err(error) if error.is_eof() => return None,
        Err(error) => {
            let at = offset(text, &error).saturating_sub(1);
            let comma = text[..at].trim_ascii_end().ends_with(b",");
            if !comma || !matches!(text.get(at), Some(b'}' | b']')) {
                return Some(Err(at));
            }
            let (length, object) = without_commas(text)?;
            (length, object.into())
        }
    };
    if !is_small(&object) {
        return None;
    }
    let commas = object.len() < length;
    let fields = serde_json::from_slice(&object).map_err(|_| length);
    Some(fields.map(|fields| Found {
        fields,
        length,
        commas,
    }))
}

/// The object at the start of a text, without commas before closing brackets (the seed document has one); its length.
fn without_commas(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (mut kept, mut depth, mut in_string, mut escaped) = (Vec::new(), 0u32, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth -= 1;
                if let Some(rest) = kept.trim_ascii_end().strip_suffix(b",") {
                    kept.truncate(rest.len());
                }
            }
            _ => {}
        }
        kept.push(*byte);
        if depth == 0 {
            return Some((at + 1, kept));
        }
    }
    None
}

/// Where a parser stopped, in bytes from the start.
fn offset(text: &[u8], error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let before = lines.take(error.line().saturating_sub(1));
    before.map(<[u8]>::len).sum::<usize>() + error.column()
}
