//! Finds the one JSON object in an answer's body, whatever a server or what stands before it put around it.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Map, Value};

use super::json::{Json, kind};
use crate::error::{Cause, Error, Result, error};
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
        let other = utf16(u16::from_le_bytes, b"\xff\xfe", 1)
            .or_else(|| utf16(u16::from_be_bytes, b"\xfe\xff", 0))
            .map(|text| (text, "UTF-16"));
        let other = other.or_else(|| match std::str::from_utf8(body) {
            Ok(_) => None,
            Err(_) => single_bytes(body, &declared),
        });
        let (text, charset) = match other {
            Some((text, charset)) => (text.into_bytes().into(), Some(charset)),
            None => (body.into(), None),
        };
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
                objects
                    .next()
                    .is_some_and(|object| object.is_err_and(|error| error.is_eof()))
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
            let message = tr!("{host} sent an empty answer", host);
            return Err(Error::new(Cause::BadAnswer, message));
        }
        let start = self.text.len() - self.trimmed().len();
        let mut around = [&self.text[..start], &self.text[start + text.len()..]].into_iter();
        let mut oddities = Vec::new();
        if let Some(charset) = self.charset {
            oddities.push(tr!("the server sent its JSON in {charset}", charset));
        }
        if around.any(|part| part.contains(&BOM[0])) {
            oddities.push(tr!("the server put a byte order mark beside its JSON"));
        }
        if (text.starts_with(b"{") || text.starts_with(b"[")) && !is_small(text) {
            return Err(error!(
                TooLarge,
                "{host}'s answer has too many values", host
            ));
        }
        let fields = match serde_json::from_slice(text) {
            Ok(Value::Object(fields)) => fields,
            Ok(other) => {
                let fields = self.unwraps.then(|| wrapped(&other)).flatten();
                oddities.push(tr!("the server put its JSON into a JSON text"));
                let kind = kind(&other);
                fields.ok_or_else(|| {
                    let message = tr!("{host} sent {kind} instead of a JSON object", host, kind);
                    Error::new(Cause::BadAnswer, message)
                })?
            }
            Err(error) => match only_object(text) {
                Some(found) => {
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
                None if text.starts_with(b"<?xml") && !is_page(text) => {
                    return Err(error!(Html, "{host} sent XML instead of JSON", host));
                }
                None if text.starts_with(b"<") => {
                    return Err(error!(Html, "{host} sent HTML instead of JSON", host));
                }
                None => {
                    let at = start + offset(text, &error);
                    let message = tr!("{host} sent invalid JSON at byte {at}", host, at);
                    return Err(Error::new(Cause::BadAnswer, message).caused_by(error));
                }
            },
        };
        Ok(Json::new(fields, oddities, host))
    }
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
    /// Where ISO-8859-15 differs from ISO-8859-1, and what it has there.
    const LATIN_9: (&str, &str) = ("¤¦¨´¸¼½¾", "€ŠšŽžŒœŸ");
    let name = match charset.replace('_', "-").as_str() {
        "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "us-ascii" | "ascii" => "ISO-8859-1",
        "windows-1252" | "cp1252" | "cp-1252" | "x-cp1252" => "windows-1252",
        "iso-8859-15" | "iso8859-15" | "latin9" | "latin-9" => "ISO-8859-15",
        _ => return None,
    };
    let decode = |byte: &u8| match char::from(*byte) {
        char if name == "ISO-8859-15" => {
            let place = LATIN_9.0.chars().position(|other| other == char);
            place
                .and_then(|at| LATIN_9.1.chars().nth(at))
                .unwrap_or(char)
        }
        _ => windows_1252(*byte),
    };
    Some((body.iter().map(decode).collect(), name))
}

/// The object in a JSON text, as some .NET services send it.
fn wrapped(value: &Value) -> Option<Fields> {
    let text = value.as_str().filter(|text| is_small(text.as_bytes()))?;
    serde_json::from_str(text).ok()
}

/// Whether a text is one of PHP's notices without HTML, or vtiger's last word, or may become one.
fn is_php_notice(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] = [
        b"Sorry!",
        b"Warning",
        b"Notice",
        b"Deprecated",
        b"Fatal error",
        b"Parse error",
        b"Strict Standards",
        b"PHP ",
    ];
    WORDS
        .iter()
        .any(|word| text.starts_with(word) || word.starts_with(text))
}

struct Found {
    fields: Fields,
    length: usize,
    commas: bool,
}

/// What a brace begins.
enum Place {
    Object(Found),
    /// An object that does not end.
    Cut,
    /// Something else, as far as that is certain.
    Other(usize),
}

/// The only JSON object among other text. PHP prints its warnings before or after an answer and ends them with a tag or
/// a line; an object that is cut, or a second one, makes the answer unusable. Each byte is looked at a few times at most:
/// what has been read as a part of something else is not tried again.
fn only_object(text: &[u8]) -> Option<Found> {
    let mut found: Option<Found> = None;
    let mut at = 0;
    while let Some(next) = text[at..].iter().position(|byte| *byte == b'{') {
        let brace = at + next;
        let before = trim_end(&text[..brace]);
        let own_place = before.is_empty()
            || before.ends_with(b">")
            || text[before.len()..brace].contains(&b'\n');
        at = brace + 1;
        if !own_place && found.is_none() {
            continue;
        }
        match object_at(&text[brace..]) {
            // After the answer, `function() {}` is a part of a sentence.
            Place::Object(more) if found.is_some() => {
                if own_place || before.ends_with(b"}") || !more.fields.is_empty() {
                    return None;
                }
                at = brace + more.length;
            }
            Place::Object(_) if is_page(&text[..brace]) => return None,
            Place::Object(object) => {
                at = brace + object.length;
                found = Some(object);
            }
            Place::Cut => return None,
            // The text began as an object and is not one: an object inside of it is not the answer.
            Place::Other(_) if brace == 0 => return None,
            Place::Other(length) => at = at.max(brace + length),
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

fn object_at(text: &[u8]) -> Place {
    if !matches!(
        text[1..].trim_ascii_start().first(),
        None | Some(b'"' | b'}')
    ) {
        return Place::Other(1);
    }
    let mut objects = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let next = objects.next();
    let (length, fields, commas) = match next {
        Some(Ok(_)) => {
            let length = objects.byte_offset();
            if !is_small(&text[..length]) {
                return Place::Cut;
            }
            (length, serde_json::from_slice(&text[..length]), false)
        }
        Some(Err(error)) if !error.is_eof() => {
            let at = offset(text, &error).saturating_sub(1);
            let comma = text[..at].trim_ascii_end().ends_with(b",");
            if !comma || !matches!(text.get(at), Some(b'}' | b']')) {
                return Place::Other(at);
            }
            let Some((length, object)) = without_commas(text) else {
                return Place::Cut;
            };
            if !is_small(&object) {
                return Place::Cut;
            }
            (length, serde_json::from_slice(&object), true)
        }
        _ => return Place::Cut,
    };
    match fields {
        Ok(fields) => Place::Object(Found {
            fields,
            length,
            commas,
        }),
        Err(_) => Place::Other(length),
    }
}

/// The object at the start of a text, without the commas before closing brackets, and the length that it had. The seed
/// document's own example of an answer has such a comma.
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
    lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>()
        + error.column()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &[u8]) -> std::result::Result<(Value, bool), Cause> {
        let found = Body::new(body, None, false).object("h");
        found
            .map(|o| (Value::Object(o.details(&[])), !o.oddities().is_empty()))
            .map_err(|e| e.cause)
    }

    const GOOD: &str = r#"{"a":{"b":1}}"#;

    #[test]
    fn one_object_is_found_wherever_it_stands() {
        let good = json!({"a": {"b": 1}});
        let xdebug = "<tr><td>1</td><td bgcolor='#eee'>{main}(  )</td></tr>\n";
        let note = "<br />\n<b>Deprecated</b>:  Using ${var}, use {$var} in <b>/a.php</b><br />\n";
        let many = "PHP Notice:  {closure} in a.php\n".repeat(1000);
        for (before, after, odd) in [
            ("", "", false),
            (" \r\n", "\r\n", false),
            ("\u{feff} ", "\r\n", true),
            ("\u{feff}\u{feff}", "", true),
            ("\r\n\u{feff}\n\n\u{feff}", "\u{feff}\n", true),
            ("<br />\n<b>Warning</b>: x {closure} in /a.php\n", "", true),
            ("<br /><b>Warning</b><br />", "", true),
            ("", "<br />\n<b>Notice</b>: y", true),
            ("", "\n<b>Notice</b>: function() {} in {main}<br />\n", true),
            ("Warning: x\n", "", true),
            ("Warning: x\n\u{feff}", "", true),
            ("Warning: f({\"a\":1}) x\n", "", true),
            ("Warning: x\n{\n{main}\n{ $a }\n", "", true),
            (&note.repeat(31), note, true),
            (&note.repeat(32), "", true),
            (&note.repeat(200), &note.repeat(200), true),
            (&xdebug.repeat(63), "", true),
            (&many, &many, true),
        ] {
            let body = [before, GOOD, after].concat();
            assert_eq!(parse(body.as_bytes()), Ok((good.clone(), odd)), "{body}");
        }
        for body in [
            r#"{"a":{"b":1,},}"#,
            "{\"a\":{\"b\":1},\r\n}",
            "{\"a\":{\"b\":1\t,\t}\n,\n}\n",
            "<b>x</b>\n{\"a\":{\"b\":1},}<br />",
        ] {
            assert_eq!(parse(body.as_bytes()), Ok((good.clone(), true)), "{body}");
        }
        let (kept, commas) = (
            json!({"a": ",}", "b": [1, "\",]"]}),
            br#"{"a":",}","b":[1,"\",]",],}"#,
        );
        assert_eq!(parse(commas), Ok((kept, true)));
    }

    #[test]
    fn anything_else_is_refused() {
        let deep = "[".repeat(10_000);
        for (body, cause) in [
            (r#"{"a":{"b":1}"#, Cause::BadAnswer),
            (r#"{"a":1}{}"#, Cause::BadAnswer),
            (r#"{"a":1} {"b":1}"#, Cause::BadAnswer),
            ("{\"a\":1}\n{\"b\":1}", Cause::BadAnswer),
            ("{\"a\":1}\n{}", Cause::BadAnswer),
            ("{\"a\":1,}\n{\"b\":1,}", Cause::BadAnswer),
            ("{\"a\":bad,\n{\"b\":1}\n}", Cause::BadAnswer),
            ("{\"a\":1,,}", Cause::BadAnswer),
            ("{,}", Cause::BadAnswer),
            ("{\"a\":1,", Cause::BadAnswer),
            ("<b>x</b>{\"a\":{\"b\":1}", Cause::Html),
            ("[1]", Cause::BadAnswer),
            ("\"x\"", Cause::BadAnswer),
            ("\"{}\"", Cause::BadAnswer),
            ("", Cause::BadAnswer),
            ("\u{feff}\r\n\u{feff}", Cause::BadAnswer),
            ("Invalid request", Cause::BadAnswer),
            (&deep, Cause::BadAnswer),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(cause), "{body}");
        }
        assert_eq!(parse(&[0xff, 0xfe, b'{']), Err(Cause::BadAnswer));
        let page = "<html><script type=\"application/ld+json\">\n{\"a\":1}\n</script></html>";
        for start in [
            "",
            "<!DOCTYPE html>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html>",
            "<!-- cached -->\n",
            "\u{feff}\n<!-- a --><!-- b -->\n<!doctype HTML PUBLIC \"x\">",
            "<b>Warning</b>: x<br />\n",
            "<head>\n",
        ] {
            for page in [
                page,
                &page.to_uppercase().replace("\"A\":1", "\"a\":1"),
                &page[6..],
            ] {
                let page = [start, page].concat();
                assert_eq!(parse(page.as_bytes()), Err(Cause::Html), "{page}");
            }
        }
    }

    /// What is not linear takes minutes for these.
    #[test]
    fn a_mebibyte_of_braces_is_soon_judged() {
        let nested = ["<b>", &"\n{\"a\":".repeat(100), &"1,".repeat(400_000)].concat();
        let parts = [
            "{",
            "\n{",
            ">{",
            "\n{\"",
            "\n{\"\":",
            "\n{\"a\":[1,],",
            "\n{ }",
            "\n{\"a\":1,}x",
            "<",
            "{\"a\":1}",
            "\n{   ",
        ];
        for text in parts.map(|part| ["<b>", &part.repeat((1 << 20) / part.len())].concat()) {
            assert_eq!(parse(text.as_bytes()), Err(Cause::Html));
        }
        assert_eq!(parse(nested.as_bytes()), Err(Cause::Html));
    }

    #[test]
    fn the_byte_where_json_breaks_is_named() {
        let error = Body::new(b"{\"a\":1,\n \"b\":}", None, false)
            .object("h")
            .expect_err("bad JSON");
        assert_eq!(error.message.english(), "h sent invalid JSON at byte 14");
    }
}
