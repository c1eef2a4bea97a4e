//! How an answer is compared with a recorded one.

use crmauth::sandbox::State;
use serde_json::json;

use super::*;
use crate::support::recipe::shape;

/// An answer's JSON, whatever PHP says before or behind it.
pub fn json(reply: &Reply) -> Value {
    let (_, json, _) = split(reply.text());
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {}", reply.text()))
}

/// What PHP says first, the answer itself, and what PHP says behind it.
fn split(body: &str) -> (&str, &str, &str) {
    let start = body.rfind("\n{\"success\"").map_or(0, |at| at + 1);
    let (before, rest) = body.split_at(start);
    let end = rest
        .find("<br />\n<b>")
        .filter(|at| *at > 0)
        .unwrap_or(rest.len());
    let (json, behind) = rest.split_at(end);
    (before, json, behind)
}

impl Run<'_> {
    pub fn compare(&self, step: &Value, reply: &Reply) -> Vec<String> {
        let answer = match step["answer"].as_str() {
            Some(name) => &self.facts["answers"][name],
            None => &step["answer"],
        };
        assert!(answer.is_object(), "no answer {}", step["answer"]);
        let mut faults = Vec::new();
        let mut same = |what: &str, expected: Value, found: Value| {
            if expected != found {
                faults.push(format!("{what}: expected {expected}, found {found}"));
            }
        };
        let denied = answer["denied"].as_str();
        let usual = if denied.is_some() { 401 } else { 200 };
        same(
            "status",
            json!(answer["status"].as_u64().unwrap_or(usual)),
            json!(reply.status),
        );
        let media = step["type"]
            .as_str()
            .or(answer["type"].as_str())
            .unwrap_or("application/json");
        same("type", json!(media), json!(reply.header("Content-Type")));
        let headers = [
            ("location", "Location"),
            ("allow", "Allow"),
            ("challenge", "WWW-Authenticate"),
        ];
        for (member, name) in headers {
            same(name, answer[member].clone(), json!(reply.header(name)));
        }
        let (before, body, behind) = split(reply.text());
        let messages = step["text"].as_u64().unwrap_or_default();
        let margin = (messages / 5).max(100);
        same(
            "PHP's messages",
            json!(true),
            json!((before.len() as u64).abs_diff(messages) <= margin),
        );
        same(
            "PHP's notes",
            json!(step["noted"] == true),
            json!(behind.starts_with("<br />\n<b>Deprecated</b>:  ")),
        );
        if let Some(title) = answer["page"].as_str() {
            same(
                "title",
                json!(true),
                json!(body.contains(&format!("<title>{title}</title>"))),
            );
            return faults;
        }
        if let Some(words) = answer["says"].as_str() {
            same("body", json!(words), json!(body));
            return faults;
        }
        if answer["empty"] == true {
            same("body", json!(""), json!(reply.text()));
            return faults;
        }
        if !answer["fatal"].is_null() {
            let words = answer["fatal"].as_str().unwrap_or_default();
            let fatal = reply
                .text()
                .contains("<br />\n<b>Fatal error</b>:  Uncaught ");
            same(
                "last words",
                json!(true),
                json!(fatal && reply.text().contains(words)),
            );
            return faults;
        }
        let Ok(found) = serde_json::from_str::<Value>(body) else {
            faults.push(format!("no JSON: {body}"));
            return faults;
        };
        faults.extend(self.compare_json(answer, &found));
        faults
    }

    fn compare_json(&self, answer: &Value, found: &Value) -> Vec<String> {
        if let Some([code, message]) = answer["error"].as_array().map(Vec::as_slice) {
            let error = match self.vtiger {
                7 => json!({"code": code, "message": message}),
                _ => json!({"message": message, "code": code}),
            };
            return self.differ("", &json!({"success": false, "error": error}), found, true);
        }
        if answer["null"] == true {
            return self.differ("", &json!({"success": false, "error": null}), found, true);
        }
        if !answer["fields"].is_null() {
            let expected = json!({"success": "boolean", "result": answer["fields"]});
            let mut faults = differ_in_shape(&expected, found);
            if !answer["first field"].is_null() {
                faults.extend(differ_in_shape(
                    &answer["first field"],
                    &found["result"]["fields"][0],
                ));
            }
            return faults;
        }
        if let Some(module) = answer["record"].as_str() {
            let mut record = self.facts["records"][format!("{module} {}", self.vtiger)].clone();
            for (name, value) in answer["with"].as_object().into_iter().flatten() {
                record[name] = value.clone();
            }
            return self.differ("", &json!({"success": true, "result": record}), found, true);
        }
        if !answer["result"].is_null() {
            return self.differ(
                "",
                &json!({"success": true, "result": answer["result"]}),
                found,
                true,
            );
        }
        if let Some(hint) = answer["denied"].as_str() {
            let words = "The resource owner or authorization server denied the request.";
            let expected = json!({
                "error": "access_denied", "error_description": words, "hint": hint, "message": words,
            });
            return self.differ("", &expected, found, true);
        }
        if let Some([error, message]) = answer["refused"].as_array().map(Vec::as_slice) {
            let expected =
                json!({"error": error, "error_description": message, "message": message});
            return self.differ("", &expected, found, true);
        }
        match &answer["body"] {
            Value::Null => self.differ("", &answer["has"], found, false),
            body => self.differ("", body, found, true),
        }
    }

    /// Where JSON differs. `whole`: nothing else may be there, and the order counts.
    fn differ(&self, at: &str, expected: &Value, found: &Value, whole: bool) -> Vec<String> {
        let here = || vec![format!("{at}: expected {expected}, found {found}")];
        match (expected, found) {
            (Value::Object(expected), Value::Object(members)) => {
                if whole && !expected.keys().eq(members.keys()) {
                    return vec![format!("{at}: other members: {found}")];
                }
                let inner = expected.iter().flat_map(|(name, value)| {
                    self.differ(
                        &format!("{at}/{name}"),
                        value,
                        members.get(name).unwrap_or(&Value::Null),
                        whole,
                    )
                });
                inner.collect()
            }
            (Value::Array(expected), Value::Array(items)) => {
                if items.len() < expected.len() || whole && items.len() != expected.len() {
                    return here();
                }
                let pairs = expected.iter().zip(items);
                pairs
                    .flat_map(|(expected, item)| {
                        self.differ(&format!("{at}/…"), expected, item, whole)
                    })
                    .collect()
            }
            (Value::String(pattern), found) => {
                let right = match (pattern.as_str(), found.as_str()) {
                    ("{number}", _) => found.is_u64(),
                    ("{text}", text) => text.is_some_and(|text| !text.is_empty()),
                    ("{id}", text) => text.is_some_and(is_id),
                    ("{time}", text) => text.is_some_and(is_time),
                    (recipe, text) => text.is_some_and(|text| text == self.values.fill(recipe)),
                };
                if right { Vec::new() } else { here() }
            }
            _ if expected == found => Vec::new(),
            _ => here(),
        }
    }

    pub fn compare_state(&self, step: &Value) -> Vec<String> {
        let Some(expected) = step["state"].as_str() else {
            return Vec::new();
        };
        let session = self.values.value("session").to_owned();
        let found = match self.servers.gluo(move |gluo| gluo.sessions.state(&session)) {
            State::Alive => "alive",
            State::Dead => "dead",
            State::Poisoned => "poisoned",
        };
        if found == expected {
            Vec::new()
        } else {
            vec![format!("the session is {found}")]
        }
    }
}

fn differ_in_shape(expected: &Value, found: &Value) -> Vec<String> {
    let (expected, found) = (expected.to_string(), shape(found, expected).to_string());
    if expected == found {
        Vec::new()
    } else {
        vec![format!("expected {expected}, found {found}")]
    }
}

/// `12x5`.
fn is_id(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('x')
        .is_some_and(|(module, number)| digits(module) && digits(number))
}

/// `2026-11-28 00:22:10`.
fn is_time(text: &str) -> bool {
    let like = |letter: char| if letter.is_ascii_digit() { '0' } else { letter };
    text.chars().map(like).eq("0000-00-00 00:00:00".chars())
}
