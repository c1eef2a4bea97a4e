//! Texts with live values in them: `{name}` is a value, `{md5 a b}` the MD5 of two one after the other (`{MD5 …}` in
//! upper case), `{basic a b}` the base64 of `a:b`, `{tampered a}` a token with another signature; `=x` stands for x
//! itself.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crmauth::secret::md5_hex;
use serde_json::{Value, json};

/// What the names stand for.
pub struct Values(HashMap<String, String>);

impl Values {
    /// Takes an object's texts.
    pub fn new(given: &Value) -> Self {
        let given = given.as_object().expect("values").iter();
        Self(
            given
                .map(|(name, value)| (name.clone(), text(value).to_owned()))
                .collect(),
        )
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn value<'v>(&'v self, word: &'v str) -> &'v str {
        match word.strip_prefix('=') {
            Some(literal) => literal,
            None => self
                .0
                .get(word)
                .unwrap_or_else(|| panic!("no value {word}")),
        }
    }

    /// Keeps texts of an answer by the names and pointers of an object, if there is one.
    pub fn keep(&mut self, prefix: &str, kept: &Value, answer: &Value) {
        for (name, pointer) in kept.as_object().into_iter().flatten() {
            let value = answer.pointer(text(pointer)).and_then(Value::as_str);
            let value = value.unwrap_or_else(|| panic!("no {pointer} in {answer}"));
            self.set(&format!("{prefix}{name}"), value);
        }
    }

    pub fn fill(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((plain, recipe)) = rest.split_once('{') {
            let (recipe, after) = recipe.split_once('}').expect("a closing brace");
            out += plain;
            out += &self.make(recipe);
            rest = after;
        }
        out + rest
    }

    /// Every text of a JSON value filled in, names of members apart.
    pub fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(members) => {
                let filled = members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.fill_all(value)));
                filled.collect::<serde_json::Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    fn make(&self, recipe: &str) -> String {
        let mut words = recipe.split(' ');
        let first = words.next().expect("a word");
        let values: Vec<&str> = words.map(|word| self.value(word)).collect();
        match first {
            "md5" => md5_hex(&values).expose().to_owned(),
            "MD5" => md5_hex(&values).expose().to_ascii_uppercase(),
            "basic" => STANDARD.encode(values.join(":")),
            "tampered" => {
                let (signed, signature) = values[0].rsplit_once('.').expect("a JWT");
                format!("{signed}.{}", signature.chars().rev().collect::<String>())
            }
            name => self.value(name).to_owned(),
        }
    }
}

/// A value's JSON type, as deep as `like` goes. Compare two as texts, so that the order counts.
pub fn shape(value: &Value, like: &Value) -> Value {
    match value {
        Value::Object(_) if !like.is_object() => json!("object"),
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| (name.clone(), shape(value, &like[name])))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null => json!("null"),
        Value::Bool(_) => json!("boolean"),
        Value::Number(number) if number.is_f64() => json!("float"),
        Value::Number(_) => json!("integer"),
        Value::String(_) => json!("string"),
        Value::Array(_) => json!("array"),
    }
}

pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}
