//! Exchanges as they may be shown to anybody: names, types and shapes, and of values only words of the protocol itself.

use serde_json::{Map, Value, json};

use super::body::Body;
use super::failure::Outcome;
use super::response::Response;
use super::{Channel, Request};
use crate::json::is_small;
use crate::report::Report;

/// Words that HTTP has for itself, in headers.
const HTTP_WORDS: &str = "application/json application/vnd.api+json application/problem+json text/html text/plain \
    application/x-www-form-urlencoded multipart/form-data charset=utf-8 charset=iso-8859-1 gzip deflate br identity \
    chunked close keep-alive no-cache no-store GET HEAD OPTIONS POST PUT PATCH DELETE Basic Bearer Digest NTLM Negotiate";
/// How deep and how broad a shape is drawn.
const DEPTH_MAX: usize = 6;
const MEMBERS_MAX: usize = 60;
/// The longest name that is taken for one.
const NAME_MAX: usize = 40;
/// Shorter values are looked for as a whole only: they stand everywhere by chance.
const TYPED_MIN: usize = 8;

/// What has been asked, by target.
#[derive(Default)]
pub struct Transcript {
    /// Words that are shown as they are: the protocols' own.
    pub words: Vec<&'static str>,
    /// Values of settings that are no secret, in lower case; secrets the report knows.
    typed: Vec<String>,
    exchanges: Vec<(String, Value)>,
}

impl Transcript {
    /// From here on `value` is not shown.
    pub fn hide(&mut self, value: &str) {
        self.typed.push(value.to_lowercase());
    }

    /// The exchanges with a target, in the order in which they ended.
    pub fn of(&self, target: &str) -> Vec<&Value> {
        let of_target = self.exchanges.iter().filter(|(name, _)| name == target);
        of_target.map(|(_, exchange)| exchange).collect()
    }

    pub(super) fn add(&mut self, via: &Channel<'_>, request: &Request, outcome: &Outcome, ms: u64) {
        let draw = Draw {
            transcript: self,
            report: via.report,
        };
        let answer = match outcome {
            Ok(answer) => draw.answer(answer),
            Err(failure) => json!({ "failed": failure.error.cause.code() }),
        };
        let base = via.settings.url.path().trim_end_matches('/');
        let exchange = json!({
            "request": draw.request(request, base),
            "answer": answer,
            "ms": ms,
        });
        let target = via.settings.target.to_string();
        self.exchanges.push((target, exchange));
    }
}

/// What is known while a shape is drawn.
struct Draw<'a> {
    transcript: &'a Transcript,
    report: &'a Report,
}

impl Draw<'_> {
    fn request(&self, request: &Request, base: &str) -> Value {
        let path = request.url.path();
        let path = path.strip_prefix(base).unwrap_or(path);
        let segments: Vec<_> = path.split('/').map(|part| self.segment(part)).collect();
        let pairs = |pairs: url::form_urlencoded::Parse<'_>| -> Value {
            let drawn = pairs.map(|(name, value)| (self.name(&name), self.sent(&value)));
            drawn.collect()
        };
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.expose().as_bytes()));
        let mut drawn = json!({
            "method": request.method.as_str(),
            "path": segments.join("/"),
            "query": pairs(request.url.query_pairs()),
            "headers": self.headers(headers),
        });
        if let Some(body) = request.bytes() {
            drawn["body"] = match serde_json::from_slice::<Map<String, Value>>(body) {
                Ok(fields) => {
                    let sent = |value: &Value| self.sent(value.as_str().unwrap_or_default());
                    let drawn = |(name, value): (&String, _)| (self.name(name), sent(value));
                    fields.iter().map(drawn).collect()
                }
                Err(_) => pairs(url::form_urlencoded::parse(body)),
            };
        }
        drawn
    }

    fn answer(&self, answer: &Response) -> Value {
        let headers = answer.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let (body, around) = self.body(&answer.body);
        let mut drawn = json!({
            "version": format!("{:?}", answer.version),
            "status": answer.status,
            "headers": self.headers(headers),
            "body": body,
        });
        if let Some(around) = around {
            drawn["around"] = around.into();
        }
        drawn
    }

    /// A body: its JSON, and the text around that; or what else it is.
    fn body(&self, body: &[u8]) -> (Value, Option<String>) {
        let read = Body::new(body, None, false);
        let html = read.trimmed().starts_with(b"<");
        let kind = if html { "HTML" } else { "text" };
        let text = String::from_utf8_lossy(body);
        let words = self.transcript.words.iter();
        let said = words.filter(|word| word.len() > 8 && text.contains(**word));
        let said: String = said.map(|word| format!(" with ={word}")).collect();
        let all = format!("{kind} of {} bytes{said}", body.len());
        let small = Some(read.trimmed()).filter(|text| is_small(text));
        match serde_json::from_slice::<Value>(small.unwrap_or_default()) {
            _ if body.is_empty() => (json!("empty"), None),
            Ok(value) => (self.shape(&value, 0), None),
            Err(_) => match read.object("") {
                Ok(object) => (self.members(&object.fields, 0), Some(all)),
                Err(_) => (json!(all), None),
            },
        }
    }

    fn headers<'h>(&self, headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Value {
        fn known(word: &str) -> &str {
            let mut words = HTTP_WORDS.split_ascii_whitespace();
            let known = words.any(|known| known.eq_ignore_ascii_case(word));
            if known { word } else { "…" }
        }
        let drawn = headers.map(|(name, value)| {
            let value = String::from_utf8_lossy(value);
            let words = value.split([' ', ',', ';']).filter(|word| !word.is_empty());
            let mut words: Vec<_> = words.map(known).collect();
            words.dedup();
            (self.name(name), words.join(" "))
        });
        drawn.collect()
    }

    /// A value of ours: a word of the protocol, or something typed or secret, whose length would tell of it too.
    fn sent(&self, value: &str) -> Value {
        match self.is_word(value) {
            true => format!("={value}").into(),
            false => "…".into(),
        }
    }

    fn shape(&self, value: &Value, depth: usize) -> Value {
        match value {
            Value::Object(_) | Value::Array(_) if depth == DEPTH_MAX => json!("…"),
            Value::Object(fields) => self.members(fields, depth),
            Value::Array(items) => {
                let first = items.first().map(|item| self.shape(item, depth + 1));
                let more = (items.len() > 1).then(|| json!(format!("… {} in all", items.len())));
                first.into_iter().chain(more).collect()
            }
            Value::String(text) => self.text(text).into(),
            Value::Number(number) => {
                let text = number.to_string();
                match (self.is_word(&text), number.is_f64()) {
                    (true, _) => value.clone(),
                    (_, true) => json!("number with a fraction"),
                    _ => json!(format!("number of {} digits", text.len())),
                }
            }
            Value::Bool(_) | Value::Null => value.clone(),
        }
    }

    fn members(&self, fields: &Map<String, Value>, depth: usize) -> Value {
        let shape = |value| self.shape(value, depth + 1);
        let drawn = fields.iter().take(MEMBERS_MAX);
        let drawn = drawn.map(|(name, value)| (self.name(name), shape(value)));
        let mut drawn: Map<_, _> = drawn.collect();
        if fields.len() > MEMBERS_MAX {
            drawn.insert("…".to_owned(), json!(format!("{} in all", fields.len())));
        }
        drawn.into()
    }

    fn text(&self, text: &str) -> String {
        let all = |test: fn(&u8) -> bool| text.bytes().all(|byte| test(&byte));
        let kind = match text {
            _ if self.is_word(text) => return format!("={text}"),
            // Its length may be that of a password.
            _ if self.is_typed(text) => return "text with a known value".to_owned(),
            "" => "characters",
            _ if all(u8::is_ascii_digit) => "digits",
            _ if all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => "hex digits",
            _ if all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) => "HEX digits",
            _ if text.starts_with("eyJ") && text.split('.').count() == 3 => "characters, a JWT",
            _ => "characters",
        };
        format!("text of {} {kind}", text.chars().count())
    }

    /// A name of a member, a parameter or a header, if it looks like one: a map's keys may be anything.
    fn name(&self, name: &str) -> String {
        let digits = name.bytes().filter(u8::is_ascii_digit).count();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_name = name.len() <= NAME_MAX && digits <= 2 && name.bytes().all(plain);
        match is_name && !self.is_typed(name) {
            true => name.to_owned(),
            false => format!("name of {} characters", name.chars().count()),
        }
    }

    /// A part of a path, if it is one of the protocol's own.
    fn segment<'s>(&self, part: &'s str) -> &'s str {
        let part_of = |word: &&str| word.split(['/', '?']).any(|other| other == part);
        let mut words = self.transcript.words.iter();
        let known = part.is_empty() || words.any(part_of) && !self.is_typed(part);
        if known { part } else { "…" }
    }

    fn is_word(&self, text: &str) -> bool {
        self.transcript.words.contains(&text) && !self.is_typed(text)
    }

    fn is_typed(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let mut typed = self.transcript.typed.iter();
        typed.any(|value| lower == *value || value.len() >= TYPED_MIN && lower.contains(value))
            || self.report.knows(text)
    }
}
