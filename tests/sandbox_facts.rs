//! What real servers and their documents say, replayed against the sandbox.
//!
//! A file of `facts/` holds for each system `values`, `steps` that put live values in place, `exchanges`, the
//! `shapes` that several answers have, and which recorded exchanges are `skipped`. Texts are recipes of
//! `support/recipe.rs`. `login as other` keeps its values as `other.…`, `advance 301` moves the clock.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::raw::{self, Reply, Request};
use crate::support::recipe::{Values, shape, text};
use crate::support::sandbox::Servers;

#[test]
fn gluo() {
    replay(include_str!("facts/gluo.json"), 69);
}

#[test]
fn hellocloud() {
    replay(include_str!("facts/hellocloud.json"), 81);
}

#[test]
fn seeds() {
    replay(include_str!("facts/seeds.json"), 25);
}

/// Each exchange against servers that have seen nothing else.
fn replay(facts: &str, exchanges: usize) {
    let facts: Value = serde_json::from_str(facts).expect("JSON");
    let mut wrong = Vec::new();
    let mut done = 0;
    for (system, facts) in facts.as_object().expect("systems") {
        for exchange in facts["exchanges"].as_array().expect("exchanges") {
            let mut run = Run::new(system, facts);
            run.before(exchange);
            let reply = run.send(&exchange["request"]);
            let name = text(&exchange["name"]);
            let faults = run.compare(&exchange["answer"], &reply);
            wrong.extend(
                faults
                    .iter()
                    .map(|fault| format!("{system}: {name}: {fault}")),
            );
            done += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(done, exchanges);
}

struct Run<'a> {
    servers: Servers,
    system: &'a str,
    steps: &'a Value,
    shapes: &'a Value,
    values: Values,
}

impl<'a> Run<'a> {
    fn new(system: &'a str, facts: &'a Value) -> Self {
        let servers = Servers::start();
        let mut values = Values::new(&facts["values"]);
        values.set("host", servers.host(system));
        Self {
            servers,
            system,
            steps: &facts["steps"],
            shapes: &facts["shapes"],
            values,
        }
    }

    fn before(&mut self, of: &Value) {
        for step in of["before"].as_array().into_iter().flatten().map(text) {
            if let Some(seconds) = step.strip_prefix("advance ") {
                self.servers.advance(seconds.parse().expect("seconds"));
                continue;
            }
            let (name, prefix) = match step.split_once(" as ") {
                Some((name, prefix)) => (name, format!("{prefix}.")),
                None => (step, String::new()),
            };
            let step = self
                .steps
                .get(name)
                .unwrap_or_else(|| panic!("no step {name}"));
            self.before(step);
            let reply = self.send(&step["request"]);
            if step["keep"].is_object() {
                self.values.keep(&prefix, &step["keep"], &reply.json());
            }
        }
    }

    fn send(&self, request: &Value) -> Reply {
        let mut headers = Vec::new();
        for (key, name) in [("accept", "Accept"), ("authorization", "Authorization")] {
            if let Some(value) = request[key].as_str() {
                headers.push((name, self.values.fill(value)));
            }
        }
        let body = request["body"]
            .as_object()
            .and_then(|body| body.iter().next());
        let body = body.map(|(kind, fields)| self.body(kind, fields));
        let usual = body.as_ref().map(|(media, _)| *media);
        if let Some(media) = request["content_type"].as_str().or(usual) {
            headers.push(("Content-Type", media.to_owned()));
        }
        let request = Request {
            method: text(&request["method"]),
            target: &self.values.fill(text(&request["path"])),
            headers,
            body: body.map(|(_, bytes)| bytes),
        };
        raw::send(self.servers.host(self.system), &request)
    }

    fn body(&self, kind: &str, fields: &Value) -> (&'static str, Vec<u8>) {
        if kind == "raw" {
            return ("application/json", text(fields).as_bytes().to_vec());
        }
        let fields: Vec<(&str, String)> = fields
            .as_object()
            .expect("fields")
            .iter()
            .map(|(name, value)| (name.as_str(), self.values.fill(text(value))))
            .collect();
        let (media, body) = match kind {
            "form" => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                (
                    "application/x-www-form-urlencoded",
                    form.extend_pairs(fields).finish(),
                )
            }
            "json" => {
                let object: serde_json::Map<String, Value> = fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), json!(value)))
                    .collect();
                ("application/json", Value::Object(object).to_string())
            }
            "multipart" => {
                let part = |(name, value): (&str, String)| {
                    format!(
                        "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                    )
                };
                let parts: String = fields.into_iter().map(part).collect();
                ("multipart/form-data; boundary=edge", parts + "--edge--\r\n")
            }
            _ => panic!("no body is made by {kind}"),
        };
        (media, body.into_bytes())
    }

    fn compare(&self, fact: &Value, reply: &Reply) -> Vec<String> {
        let mut faults = Vec::new();
        let mut same = |what: &str, expected: Value, found: Value| {
            if expected != found {
                faults.push(format!("{what}: expected {expected}, found {found}"));
            }
        };
        same("status", fact["status"].clone(), json!(reply.status));
        for (key, name) in [
            ("content_type", "Content-Type"),
            ("allow", "Allow"),
            ("challenge", "WWW-Authenticate"),
        ] {
            if !fact[key].is_null() {
                same(key, fact[key].clone(), json!(reply.header(name)));
            }
        }
        let location = fact["location"].as_str().map(|text| self.values.fill(text));
        same("location", json!(location), json!(reply.header("Location")));
        if fact["empty"] == true {
            same("body", json!(""), json!(reply.text()));
        }
        if let Some(words) = fact["text"].as_str() {
            same("body", json!(self.values.fill(words)), json!(reply.text()));
        }
        if let Some(title) = fact["title"].as_str() {
            let title = format!("<title>{title}</title>");
            same("title", json!(true), json!(reply.text().contains(&title)));
        }
        let fields = match &fact["fields"] {
            Value::String(name) => &self.shapes[name],
            fields => fields,
        };
        if !fields.is_null() {
            same(
                "fields",
                json!(fields.to_string()),
                json!(shape(&reply.json(), fields).to_string()),
            );
        }
        for (pointer, expected) in fact["says"].as_object().into_iter().flatten() {
            let expected = match expected {
                Value::String(text) => json!(self.values.fill(text)),
                other => other.clone(),
            };
            let found = reply.json().pointer(pointer).cloned();
            same(pointer, expected, found.unwrap_or_default());
        }
        if !fact["body"].is_null() {
            same(
                "body",
                json!(self.values.fill_all(&fact["body"])),
                reply.json(),
            );
        }
        if let Some([head, claims]) = fact["jwt"].as_array().map(Vec::as_slice) {
            let answer = reply.json();
            let token = answer
                .get("access_token")
                .unwrap_or(&answer["Access_Token"]);
            let parts: Vec<&str> = text(token).split('.').collect();
            for (part, expected) in [(parts[0], head), (parts[1], claims)] {
                let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
                let found: Value = serde_json::from_slice(&bytes).expect("JSON");
                same(
                    "JWT",
                    json!(expected.to_string()),
                    json!(shape(&found, expected).to_string()),
                );
            }
        }
        faults
    }
}
