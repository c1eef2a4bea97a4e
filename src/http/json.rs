//! The JSON object of an answer, and what its fields mean.

use serde_json::{Map, Value};

use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};
use crate::secret::{Secret, names_secret};
use crate::session::{Session, check_token};

pub(super) fn kind(value: &Value) -> Text {
    match value {
        Value::Null => tr!("null"),
        Value::Bool(_) => tr!("true or false"),
        Value::Number(_) => tr!("a number"),
        Value::String(_) => tr!("a string"),
        Value::Array(_) => tr!("an array"),
        Value::Object(_) => tr!("an object"),
    }
}

/// A JSON object of an answer. A name is looked for as it is, then without regard to case.
#[derive(Debug, Clone)]
pub struct Json {
    fields: Map<String, Value>,
    oddities: Vec<Text>,
    host: String,
}

impl Json {
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub(super) fn new(fields: Map<String, Value>, oddities: Vec<Text>, host: &str) -> Self {
        let host = host.to_owned();
        Self {
            fields,
            oddities,
            host,
        }
    }

    pub(super) fn also(&mut self, oddity: Text) {
        self.oddities.push(oddity);
    }

    /// What was read generously, a sentence each.
    pub fn oddities(&self) -> &[Text] {
        &self.oddities
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
        Some(Self::new(fields, Vec::new(), &self.host))
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
            .ok_or_else(|| self.wrong(name, &tr!("a string")))
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

    /// The fields but those named, for a session's details.
    pub fn details(&self, leave_out: &[&str]) -> Map<String, Value> {
        let mut details = self.fields.clone();
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

fn collect_secrets(fields: &Map<String, Value>, found: &mut Vec<Secret>) {
    for (name, value) in fields {
        match value {
            Value::String(text) if names_secret(name) => found.push(Secret::new(text.clone())),
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
