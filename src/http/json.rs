//! The one JSON object in an answer's body, and what its fields mean.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::error::{Cause, Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::session::{Session, check_token};

/// The byte order mark of UTF-8, which some editors write before a text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How many braces of a text that is not JSON as a whole are tried as the start of an object.
const PLACES_MAX: usize = 64;

/// Finds the one object in a body, which may have PHP's text around it.
pub(super) fn find(host: &str, body: &[u8]) -> Result<Json> {
    let json = |fields, had_extra_text| Json {
        fields,
        had_extra_text,
        host: host.to_owned(),
    };
    let bad = |message| Error::new(Cause::BadAnswer, message);
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let text = body.trim_ascii();
    if text.is_empty() {
        return Err(bad(tr!("{host} sent an empty answer", host)));
    }
    let error = match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(fields)) => return Ok(json(fields, false)),
        Ok(other) => {
            let kind = kind(&other);
            return Err(bad(tr!(
                "{host} sent {kind} where a JSON object was expected",
                host,
                kind
            )));
        }
        Err(error) => error,
    };
    let among_text = if is_page(text) {
        None
    } else {
        only_object(text)
    };
    match among_text {
        Some(fields) => Ok(json(fields, true)),
        None if text.starts_with(b"<") => {
            Err(error!(Html, "{host} sent HTML instead of JSON", host))
        }
        None => {
            let at = body.len() - body.trim_ascii_start().len() + offset(text, &error);
            Err(bad(tr!("{host} sent invalid JSON at byte {at}", host, at)).caused_by(error))
        }
    }
}

/// Whether the object may still be on its way in a body of which more is to come.
pub(super) fn may_follow(body: &[u8]) -> bool {
    let start = text(body);
    match start.first() {
        Some(b'{') => {
            let mut objects = serde_json::Deserializer::from_slice(start).into_iter::<IgnoredAny>();
            objects
                .next()
                .is_some_and(|object| object.is_err_and(|error| error.is_eof()))
        }
        // A byte order mark may be cut in half.
        None | Some(0xEF | b'<') => true,
        Some(_) => is_php_notice(start),
    }
}

/// A body without the byte order mark and the white space before its text.
pub(super) fn text(body: &[u8]) -> &[u8] {
    body.strip_prefix(BOM).unwrap_or(body).trim_ascii_start()
}

/// Whether a text is a whole HTML page. JSON in it is not an answer to us.
fn is_page(text: &[u8]) -> bool {
    let start = text.get(..9).unwrap_or(text).to_ascii_lowercase();
    start.starts_with(b"<!doctype") || start.starts_with(b"<html")
}

/// Whether a text is one of PHP's notices without HTML, or may become one.
fn is_php_notice(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 7] = [
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

/// The only JSON object among other text. PHP prints its warnings before or after an answer and ends them with a tag or
/// a line; an object that is cut, or a second one, makes the answer unusable.
fn only_object(text: &[u8]) -> Option<Map<String, Value>> {
    let mut found = None;
    let mut at = 0;
    for _ in 0..PLACES_MAX {
        let Some(brace) = text[at..]
            .iter()
            .position(|byte| *byte == b'{')
            .map(|next| at + next)
        else {
            return found;
        };
        let before = text[..brace].trim_ascii_end();
        let own_place = before.is_empty()
            || before.ends_with(b">")
            || text[before.len()..brace].contains(&b'\n')
            || found.is_some();
        at = brace + 1;
        if !own_place {
            continue;
        }
        let mut stream = serde_json::Deserializer::from_slice(&text[brace..]).into_iter::<Value>();
        match stream.next() {
            Some(Ok(Value::Object(_))) if found.is_some() => return None,
            Some(Ok(Value::Object(fields))) => {
                at = brace + stream.byte_offset();
                found = Some(fields);
            }
            // The text began as an object and is not one: an object inside of it is not the answer.
            Some(Err(_)) if brace == 0 => return None,
            Some(Err(error)) if error.is_eof() => return None,
            _ => {}
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

fn kind(value: &Value) -> Text {
    match value {
        Value::Null => tr!("null"),
        Value::Bool(_) => tr!("true or false"),
        Value::Number(_) => tr!("a number"),
        Value::String(_) => tr!("a text"),
        Value::Array(_) => tr!("an array"),
        Value::Object(_) => tr!("an object"),
    }
}

/// A JSON object of an answer. A name is looked for as it is, then without regard to case.
#[derive(Debug, Clone)]
pub struct Json {
    fields: Map<String, Value>,
    had_extra_text: bool,
    host: String,
}

impl Json {
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Whether there was other text around it.
    pub fn had_extra_text(&self) -> bool {
        self.had_extra_text
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// A field's value, whatever it is; `null` counts as absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let named = self.fields.get(name).or_else(|| {
            self.fields
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        named.filter(|value| !value.is_null())
    }

    /// A field's value under exactly this name; `null` counts as absent.
    pub fn exact(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub fn inner(&self, name: &str) -> Option<Self> {
        let fields = self.get(name)?.as_object()?.clone();
        Some(Self {
            fields,
            had_extra_text: self.had_extra_text,
            host: self.host.clone(),
        })
    }

    pub fn require_object(&self, name: &str) -> Result<Self> {
        self.inner(name)
            .ok_or_else(|| self.wrong(name, &tr!("an object")))
    }

    /// A field as text; a number counts as its digits. Absent or of another type: `None`.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub fn require_text(&self, name: &str) -> Result<&str> {
        self.get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| self.wrong(name, &tr!("a text")))
    }

    pub fn session(&self, name: &str, token_type: &str) -> Result<Session> {
        let token = match self.get(name) {
            None => "",
            Some(_) => self.require_text(name)?,
        };
        check_token(token).map_err(|error| {
            Error::new(
                error.cause,
                tr!("{host}: {what}", host = self.host, what = error.message),
            )
        })?;
        Session::new(token, token_type)
    }

    /// The fields that may be shown, as the session's details; neither secrets nor those named.
    pub fn details(&self, leave_out: &[&str]) -> Map<String, Value> {
        let mut details = public(&self.fields);
        details.retain(|name, _| {
            !leave_out
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name))
        });
        details
    }

    /// Every secret in it, at any depth, for the redactor.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut found = Vec::new();
        collect_secrets(&self.fields, &mut found);
        found
    }

    /// The server's sentence for people, and its code.
    pub fn said(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        for names in [
            &["error", "code", "codigo", "CodigoRetorno"][..],
            &SENTENCES,
        ] {
            if let Some(part) = names
                .iter()
                .find_map(|name| self.text(name).filter(|text| !text.is_empty()))
            {
                parts.push(part);
            }
        }
        parts.dedup();
        // OAuth2's `message` is the same whatever is wrong; its `hint` says what.
        if let (Some(hint), Some(last)) = (self.text("hint"), parts.last_mut()) {
            *last = format!("{}: {hint}", last.trim_end_matches('.'));
        }
        match self.inner("error").or_else(|| self.inner("errors")) {
            Some(inner) if parts.is_empty() => inner.said(),
            _ => (!parts.is_empty()).then(|| parts.join(": ")),
        }
    }

    /// The error for a field that is missing or of another type.
    pub fn wrong(&self, name: &str, expected: &Text) -> Error {
        let message = match self.get(name) {
            None => tr!(
                "{host}'s answer has no field `{name}`",
                host = self.host,
                name
            ),
            Some(value) => {
                tr!(
                    "{host}'s answer has {kind} in `{name}` where {expected} was expected",
                    host = self.host,
                    kind = kind(value),
                    name,
                    expected
                )
            }
        };
        Error::new(Cause::BadAnswer, message)
    }
}

/// Names of fields with a sentence for people.
const SENTENCES: [&str; 7] = [
    "error_description",
    "message",
    "mensagem",
    "MensagemRetorno",
    "detail",
    "title",
    "description",
];

/// Whether a field of that name contains a secret: a token (not its type), a password or a key.
fn is_secret(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect::<String>()
        .to_ascii_lowercase();
    let token = name.contains("token") && !name.ends_with("tokentype");
    token
        || ["secret", "password", "passwd", "accesskey", "apikey"]
            .iter()
            .any(|word| name.contains(word))
}

fn public(fields: &Map<String, Value>) -> Map<String, Value> {
    let public = fields.iter().filter(|(name, _)| !is_secret(name));
    public
        .map(|(name, value)| (name.clone(), public_value(value)))
        .collect()
}

fn public_value(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(public(fields)),
        Value::Array(items) => Value::Array(items.iter().map(public_value).collect()),
        other => other.clone(),
    }
}

fn collect_secrets(fields: &Map<String, Value>, found: &mut Vec<Secret>) {
    for (name, value) in fields {
        match value {
            Value::String(text) if is_secret(name) => found.push(Secret::new(text.clone())),
            Value::Object(inner) => collect_secrets(inner, found),
            Value::Array(items) => {
                items
                    .iter()
                    .filter_map(Value::as_object)
                    .for_each(|inner| collect_secrets(inner, found));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &[u8]) -> std::result::Result<(Value, bool), Cause> {
        let found = find("h", body);
        found
            .map(|o| (Value::Object(o.fields.clone()), o.had_extra_text))
            .map_err(|e| e.cause)
    }

    #[test]
    fn one_object_is_found_wherever_it_stands() {
        let good = json!({"a": {"b": 1}});
        for (body, had_extra_text) in [
            (&br#"{"a":{"b":1}}"#[..], false),
            (b"\xef\xbb\xbf {\"a\":{\"b\":1}}\r\n", false),
            (
                b"<br />\n<b>Warning</b>: x {closure} in /a.php\n{\"a\":{\"b\":1}}",
                true,
            ),
            (b"<br /><b>Warning</b><br />{\"a\":{\"b\":1}}", true),
            (b"{\"a\":{\"b\":1}}<br />\n<b>Notice</b>: y", true),
            (b"Warning: x\n{\"a\":{\"b\":1}}", true),
        ] {
            assert_eq!(
                parse(body),
                Ok((good.clone(), had_extra_text)),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let deep = "[".repeat(10_000);
        for (body, cause) in [
            (&br#"{"a":{"b":1}"#[..], Cause::BadAnswer),
            (br#"{"a":1}{}"#, Cause::BadAnswer),
            (b"{\"a\":1}\n{\"b\":1}", Cause::BadAnswer),
            (b"{\"a\":bad,\n{\"b\":1}\n}", Cause::BadAnswer),
            (b"<b>x</b>{\"a\":{\"b\":1}", Cause::Html),
            (b"[1]", Cause::BadAnswer),
            (b"\"x\"", Cause::BadAnswer),
            (b"", Cause::BadAnswer),
            (b"Invalid request", Cause::BadAnswer),
            (b"<!DOCTYPE html><script>{\"a\":1}</script>", Cause::Html),
            (b"<HTML>{\"a\":1}", Cause::Html),
            (deep.as_bytes(), Cause::BadAnswer),
            (&[0xff, 0xfe, b'{'], Cause::BadAnswer),
        ] {
            assert_eq!(parse(body), Err(cause), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_byte_where_json_breaks_is_named() {
        let error = find("h", b"{\"a\":1,\n \"b\":}").expect_err("bad JSON");
        assert_eq!(error.message.english(), "h sent invalid JSON at byte 14");
    }

    #[test]
    fn details_hold_no_token() {
        let fields = json!({"userId": 1, "temporaryToken": "t", "token_type": "Bearer", "n": {"refresh_token": "r", "x": 1}});
        let object = Json {
            fields: fields.as_object().expect("object").clone(),
            had_extra_text: false,
            host: "h".into(),
        };
        assert_eq!(
            Value::Object(object.details(&[])),
            json!({"userId": 1, "token_type": "Bearer", "n": {"x": 1}})
        );
        assert_eq!(object.secrets().len(), 2);
    }
}
