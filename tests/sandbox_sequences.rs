//! Sequences recorded from real servers, played step by step against the sandbox.
//!
//! A file of `facts/` holds `values`, `requests` and `answers` by name, and `sequences`. A step is an `act` on the
//! server itself, or a request: `ask` sends it and compares the answer; `begin` sends it and leaves it waiting until
//! `finish`, or `hang up`. A step may name the `session`, `record`, … that its request speaks of, and what to `keep` of
//! the answer. `state` is what the server has of the session afterwards. Texts are recipes of `support/recipe.rs`.
//!
//! Every recorded exchange is here. What is not compared: the wording and the paths of PHP's messages (only what kind
//! they are and roughly how long), how many modules and fields there are, dates, and headers other than Content-Type,
//! Location, Allow and WWW-Authenticate. Bodies that were recorded in part are compared as far as they go.

mod acts;
mod answers;

use std::collections::HashMap;
use std::net::TcpStream;

use serde_json::Value;

use crate::support::raw::{self, Reply, Request};
use crate::support::recipe::{Values, text};
use crate::support::sandbox::Servers;

#[test]
fn gluo() {
    play("gluo", include_str!("facts/gluo-sequences.json"), (86, 499));
}

#[test]
fn hellocloud() {
    play(
        "hellocloud",
        include_str!("facts/hellocloud-sequences.json"),
        (48, 406),
    );
}

/// Plays each sequence against servers that have seen nothing else. `count`: of sequences, and of exchanges.
fn play(system: &'static str, facts: &str, count: (usize, usize)) {
    let facts: Value = serde_json::from_str(facts).expect("JSON");
    let sequences = facts["sequences"].as_array().expect("sequences");
    let mut exchanges = 0;
    let mut wrong = Vec::new();
    for sequence in sequences {
        let mut run = Run::new(system, &facts, sequence);
        for (at, step) in sequence["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .enumerate()
        {
            let faults = run.step(step);
            let place = format!(
                "{} {}, step {at}, {step}",
                sequence["name"], sequence["vtiger"]
            );
            wrong.extend(faults.iter().map(|fault| format!("{place}: {fault}")));
        }
        exchanges += run.exchanges;
    }
    assert!(
        wrong.is_empty(),
        "{} faults\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!((sequences.len(), exchanges), count);
}

struct Run<'a> {
    servers: Servers,
    system: &'static str,
    facts: &'a Value,
    /// Gluocrm's generation: 7 or 8.
    vtiger: u64,
    values: Values,
    begun: HashMap<String, TcpStream>,
    exchanges: usize,
}

impl<'a> Run<'a> {
    fn new(system: &'static str, facts: &'a Value, sequence: &Value) -> Self {
        let servers = Servers::start();
        let vtiger = sequence["vtiger"].as_u64().unwrap_or_default();
        if vtiger == 7 {
            servers.gluo(|gluo| gluo.version = crmauth::sandbox::Version::Seven);
        }
        let values = Values::new(&facts["values"]);
        Self {
            servers,
            system,
            facts,
            vtiger,
            values,
            begun: HashMap::new(),
            exchanges: 0,
        }
    }

    fn step(&mut self, step: &Value) -> Vec<String> {
        if let Some(act) = step["act"].as_str() {
            return self.act(act, step);
        }
        if let Some(name) = step["hang up"].as_str() {
            self.begun.remove(name).expect("begun");
            return Vec::new();
        }
        self.speak_of(step);
        let reply = if !step["begin"].is_null() {
            let waiting = self.servers.waiting();
            let stream = self.send(&step["begin"]);
            self.servers.until_waiting(waiting + 1);
            self.begun.insert(text(&step["as"]).to_owned(), stream);
            return Vec::new();
        } else if let Some(name) = step["finish"].as_str() {
            raw::receive(self.begun.remove(name).expect("begun"))
        } else {
            raw::receive(self.send(&step["ask"]))
        };
        self.exchanges += 1;
        let mut faults = self.compare(step, &reply);
        if faults.is_empty() && step["keep"].is_object() {
            self.values.keep("", &step["keep"], &answers::json(&reply));
        }
        faults.extend(self.compare_state(step));
        faults
    }

    /// Sets `session`, `record`, … to what the step's request speaks of.
    fn speak_of(&mut self, step: &Value) {
        for name in ["session", "record", "name", "challenge", "key", "api"] {
            let usual = self.facts["usual"][name].as_str();
            if let Some(word) = step[name].as_str().or(usual) {
                let value = self.values.value(word).to_owned();
                self.values.set(name, value);
                let refresh = format!("{word}.refresh");
                if name == "session" && self.values.has(&refresh) {
                    let refresh = self.values.value(&refresh).to_owned();
                    self.values.set("refresh", refresh);
                }
            }
        }
    }

    /// Sends a request, or one of the `requests` by its name.
    fn send(&self, request: &Value) -> TcpStream {
        let request = match request.as_str() {
            Some(name) => &self.facts["requests"][name],
            None => request,
        };
        let (method, what) = request
            .as_object()
            .and_then(|request| request.iter().next())
            .expect("a request");
        let mut headers = Vec::new();
        for (member, name) in [("authorization", "Authorization"), ("cookie", "Cookie")] {
            if let Some(value) = request[member].as_str() {
                headers.push((name, self.values.fill(value)));
            }
        }
        headers.push((
            "Accept",
            request["accept"]
                .as_str()
                .unwrap_or("application/vnd.api+json")
                .to_owned(),
        ));
        let (target, body) = match what {
            Value::String(path) => (self.values.fill(path), &request["form"]),
            fields => {
                let query = if method == "POST" {
                    &request["query"]
                } else {
                    fields
                };
                let mark = if query.is_null() { "" } else { "?" };
                let target = format!("/webservice.php{mark}{}", self.form(query));
                (
                    target,
                    if method == "POST" {
                        fields
                    } else {
                        &Value::Null
                    },
                )
            }
        };
        let (media, body) = match (&request["json"], body) {
            (Value::Null, Value::Null) => ("", None),
            (Value::Null, form) => ("application/x-www-form-urlencoded", Some(self.form(form))),
            (json, _) => (
                "application/vnd.api+json",
                Some(self.values.fill_all(json).to_string()),
            ),
        };
        if body.is_some() {
            headers.push(("Content-Type", media.to_owned()));
        }
        let body = body.map(String::into_bytes);
        let request = Request {
            method,
            target: &target,
            headers,
            body,
        };
        raw::begin(self.servers.host(self.system), &request)
    }

    /// Form-encoded; what is no text goes as JSON.
    fn form(&self, fields: &Value) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.as_object().into_iter().flatten() {
            match self.values.fill_all(value) {
                Value::String(text) => form.append_pair(name, &text),
                json => form.append_pair(name, &json.to_string()),
            };
        }
        form.finish()
    }

    fn ask(&self, request: &str) -> Reply {
        raw::receive(self.send(&Value::from(request)))
    }
}
