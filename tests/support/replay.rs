//! Answers made from a report of `status --check --report`, so that a scripted server can give them again.

use serde_json::{Map, Value};

use super::Reply;

/// The answers of a target of a report, in order. Where it says "a known value", `typed` is answered.
pub fn replies(target: &Value, typed: &str) -> Vec<Reply> {
    let exchanges = target["exchanges"].as_array().expect("exchanges");
    let answers = exchanges.iter().map(|exchange| &exchange["answer"]);
    answers.map(|answer| reply(answer, typed)).collect()
}

/// What two runs over the same answers have in common: all but times, and what a body of ours is made of.
pub fn comparable(target: &Value) -> Value {
    let mut target = target.clone();
    for exchange in target["exchanges"].as_array_mut().expect("exchanges") {
        exchange["ms"].take();
        exchange["answer"]["headers"].take();
        exchange["answer"]["version"].take();
        exchange["request"]["body"].take();
    }
    target
}

fn reply(answer: &Value, typed: &str) -> Reply {
    if answer["failed"].is_string() {
        return Reply::Reset;
    }
    let status = u16::try_from(answer["status"].as_u64().expect("a status")).expect("a status");
    let kept = [
        "content-type",
        "www-authenticate",
        "allow",
        "content-encoding",
    ];
    let headers: Vec<_> = kept
        .iter()
        .filter_map(|name| Some((*name, answer["headers"][name].as_str()?.replace('…', ""))))
        .collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.trim()))
        .collect();
    let body = match &answer["body"] {
        Value::String(what) if what == "empty" => String::new(),
        Value::String(what) if what.contains(" bytes") => page(what),
        shape => match &answer["around"] {
            Value::String(around) => {
                let json = value(shape, typed).to_string();
                let page = page(around);
                format!(
                    "{}\n{json}",
                    &page[..page.len().saturating_sub(json.len() + 1)]
                )
            }
            _ => value(shape, typed).to_string(),
        },
    };
    Reply::with_headers(status, &headers, body)
}

/// A text of another kind than JSON: `HTML of 153 bytes with =Fatal error`.
fn page(what: &str) -> String {
    let words: Vec<_> = what.split(" with =").collect();
    let (kind, rest) = words[0].split_once(" of ").expect("a length");
    let length = count(rest);
    let mut page = String::from(if kind == "HTML" { "<b>" } else { "!" });
    page.extend(words[1..].iter().copied());
    page.push_str(&".".repeat(length.saturating_sub(page.len())));
    page
}

fn value(shape: &Value, typed: &str) -> Value {
    match shape {
        Value::String(what) => scalar(what, typed),
        Value::Array(items) => match items.as_slice() {
            [first, Value::String(more)] if more.starts_with("… ") => {
                vec![value(first, typed); count(&more["… ".len()..])].into()
            }
            items => items.iter().map(|item| value(item, typed)).collect(),
        },
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, shape)| (named(name), value(shape, typed)));
            members.collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn scalar(what: &str, typed: &str) -> Value {
    if let Some(word) = what.strip_prefix('=') {
        return word.into();
    }
    let Some((kind, rest)) = what.split_once(" of ") else {
        return match what {
            "text with a known value" => typed.into(),
            "number with a fraction" => 7.5.into(),
            _ => Value::Null,
        };
    };
    let length = count(rest);
    let text = match rest.split_once(' ').expect("a kind").1 {
        "digits" => "7".repeat(length),
        "hex digits" => random(length),
        "HEX digits" => random(length).to_uppercase(),
        "characters, a JWT" => format!("eyJ{}.x.x", letters(length - 7)),
        _ => letters(length),
    };
    match kind {
        "number" => serde_json::from_str(&text).expect("digits"),
        _ => text.into(),
    }
}

/// Hex digits that are no other text's, as a token's are not.
fn random(length: usize) -> String {
    let words = std::iter::repeat_with(|| format!("a{:016x}", getrandom::u64().expect("bytes")));
    let text: String = words.take(length / 17 + 1).collect();
    text[..length].to_owned()
}

fn letters(length: usize) -> String {
    let digit =
        |c: char| char::from(b'g' + u8::try_from(c.to_digit(16).expect("hex")).expect("a digit"));
    random(length).chars().map(digit).collect()
}

/// A name that is none again where the report had to hide it.
fn named(name: &str) -> String {
    match name.strip_prefix("name of ") {
        Some(rest) => ".".repeat(count(rest)),
        None => name.to_owned(),
    }
}

fn count(text: &str) -> usize {
    let number = text.split(' ').next().unwrap_or_default();
    number
        .parse()
        .unwrap_or_else(|_| panic!("no number in {text}"))
}
