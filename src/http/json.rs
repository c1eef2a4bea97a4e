//! The JSON object of an answer, and what its fields mean.

use serde_json::{Map, Value};

use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::{Secret, names_secret};
use crate::session::Session;

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
    pub fields: Map<String, Value>,
    /// What was read generously, a sentence each.
    pub oddities: Vec<Text>,
    pub host: String,
}

impl Json {
    /// A field's value, whatever it is; `null` counts as absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut fields = self.fields.iter();
        let mut other = || fields.find(|(other, _)| other.eq_ignore_ascii_case(name));
        let found = self.fields.get(name).or_else(|| Some(other()?.1));
        found.filter(|value| !value.is_null())
    }

    /// A field's value under exactly this name; `null` counts as absent.
    pub fn exact(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub fn inner(&self, name: &str) -> Option<Self> {
        Some(Self {
            fields: self.get(name)?.as_object()?.clone(),
            oddities: Vec::new(),
            host: self.host.clone(),
        })
    }

    pub fn require_object(&self, name: &str) -> Result<Self> {
        let object = self.inner(name);
        object.ok_or_else(|| self.wrong(name, &tr!("an object")))
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
        let text = self.get(name).and_then(Value::as_str);
        text.ok_or_else(|| self.wrong(name, &tr!("a string")))
    }

    /// The session whose token a field holds, with the other fields.
    pub fn session(&self, name: &str, token_type: &str) -> Result<Session> {
        let token = self.get(name).map_or(Ok(""), |_| self.require_text(name))?;
        let mut session = Session::new(token, token_type).map_err(|error| {
            let message = tr!("{host}: {what}"; host = self.host, what = error.message);
            Error { message, ..error }
        })?;
        session.details.clone_from(&self.fields);
        session
            .details
            .retain(|other, _| !other.eq_ignore_ascii_case(name));
        Ok(session)
    }

    /// The same where the answer is like OAuth2's, which names the token's type.
    pub fn oauth_session(&self, name: &str) -> Result<Session> {
        const TYPE: &str = "token_type";
        let token_type = self.text(TYPE);
        let mut session = self.session(name, token_type.as_deref().unwrap_or("Bearer"))?;
        session
            .details
            .retain(|other, _| !other.eq_ignore_ascii_case(TYPE));
        Ok(session)
    }

    /// Every secret in it, at any depth, for the redactor.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut found = Vec::new();
        collect_secrets(&self.fields, &mut found);
        found
    }

    /// The server's sentence for people, and its code.
    pub fn said(&self) -> Option<String> {
        let one = |names: &str| {
            let mut texts = names.split(' ').filter_map(|name| self.text(name));
            texts.find(|text| !text.is_empty())
        };
        let names = "error_description message mensagem MensagemRetorno detail title description";
        let parts = [one("error code codigo CodigoRetorno"), one(names)].into_iter();
        let mut parts: Vec<String> = parts.flatten().collect();
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
        let host = &self.host;
        match self.get(name).map(kind) {
            None => error!(BadAnswer: "{host}'s answer has no field `{name}`"; host, name),
            Some(kind) => error!(BadAnswer:
                "{host}'s answer has {kind} in `{name}` where {expected} was expected"; host, kind, name, expected),
        }
    }
}

fn collect_secrets(fields: &Map<String, Value>, found: &mut Vec<Secret>) {
    for (name, value) in fields {
        match value {
            Value::String(text) if names_secret(name) => found.push(Secret::new(text.clone())),
            Value::Object(inner) => collect_secrets(inner, found),
            Value::Array(items) => {
                let inner = items.iter().filter_map(Value::as_object);
                inner.for_each(|inner| collect_secrets(inner, found));
            }
            _ => {}
        }
    }
}
