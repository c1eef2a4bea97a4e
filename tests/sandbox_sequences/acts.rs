//! What the sequences do to a server behind its API.

use crmauth::sandbox::{Broken, Errors, Mark, Paths, Surroundings, Workflow};

use super::*;

impl Run<'_> {
    pub fn act(&mut self, act: &str, step: &Value) -> Vec<String> {
        if act == "wait" {
            self.servers
                .advance(step["seconds"].as_i64().expect("seconds"));
        } else if act == "log in" {
            self.log_in(step);
        } else if act == "count" {
            return self.count(step);
        } else if self.system == "gluo" {
            self.act_on_gluo(act, step);
        } else {
            self.act_on_hellocloud(act, step);
        }
        Vec::new()
    }

    fn log_in(&mut self, step: &Value) {
        let name = text(&step["as"]);
        self.speak_of(&Value::Null);
        let answer = if self.system == "gluo" {
            let challenge = answers::json(&self.ask("challenge"));
            self.values
                .set("challenge", text(&challenge["result"]["token"]));
            answers::json(&self.ask("login"))["result"].take()
        } else {
            let login = if step["client"] == "machine" {
                "machine login"
            } else {
                "login"
            };
            answers::json(&self.ask(login))
        };
        let session = answer.get("sessionName").unwrap_or(&answer["access_token"]);
        self.values.set(name, text(session));
        if let Some(refresh) = answer["refresh_token"].as_str() {
            self.values.set(&format!("{name}.refresh"), refresh);
        }
    }

    fn count(&self, step: &Value) -> Vec<String> {
        let module = text(&step["module"]).to_owned();
        let fields = ["name", "lastname", "productname"];
        let field = fields
            .into_iter()
            .find(|field| step[*field].is_string())
            .expect("a field");
        let value = text(&step[field]).to_owned();
        let found = match self.system {
            "gluo" => self
                .servers
                .gluo(move |gluo| gluo.count(&module, field, &value)),
            _ => self
                .servers
                .hellocloud(move |cloud| cloud.count(&module, &value)),
        };
        if step["is"] == found {
            Vec::new()
        } else {
            vec![format!("found {found}")]
        }
    }

    fn act_on_gluo(&mut self, act: &str, step: &Value) {
        let session = step["session"]
            .as_str()
            .map(|name| self.values.value(name).to_owned());
        let session = move || session.expect("a session");
        let name = step["name"].as_str().map(str::to_owned);
        let name = move || name.expect("a name");
        let servers = &self.servers;
        match act {
            "forget" => servers.gluo(move |gluo| gluo.sessions.forget(&session())),
            "mark" => {
                let mark = if step["for"] == "expired" {
                    Mark::Expired
                } else {
                    Mark::LeftIdle
                };
                servers.gluo(move |gluo| gluo.sessions.mark(&session(), mark));
            }
            "messages" => {
                let errors = match text(&step["show"]) {
                    "hidden" => Errors::Hidden,
                    "warnings" => Errors::Warnings,
                    _ => Errors::Everything,
                };
                let buffer = step["buffer"].as_u64().unwrap_or(4096) as usize;
                servers.gluo(move |gluo| (gluo.errors, gluo.output_buffering) = (errors, buffer));
            }
            "slow challenges" => servers.gluo(|gluo| gluo.slow_challenges = true),
            "slow creates" => servers.gluo(|gluo| gluo.slow_creates = true),
            "full speed" => {
                servers.gluo(|gluo| (gluo.slow_challenges, gluo.slow_creates) = (false, false));
                servers.until_waiting(0);
            }
            "gateway" => {
                let impatient = step["patient"] == false;
                servers.gluo(move |gluo| gluo.impatient_gateway = impatient);
            }
            "collect late" => servers.gluo(|gluo| gluo.sessions.collected_late = true),
            "change key" => servers.gluo(move |gluo| gluo.user(&name()).change_key()),
            "deactivate" => servers.gluo(move |gluo| gluo.user(&name()).active = false),
            _ => panic!("no act {act}"),
        }
    }

    fn act_on_hellocloud(&mut self, act: &str, step: &Value) {
        let session = step["session"]
            .as_str()
            .map(|name| self.values.value(name).to_owned());
        let session = move || session.expect("a session");
        let client = step["client"]
            .as_str()
            .map(|name| self.values.value(&format!("{name}.id")).to_owned());
        let client = move || client.expect("a client");
        let name = step["name"].as_str().map(str::to_owned);
        let name = move || name.expect("a name");
        let servers = &self.servers;
        match act {
            "log out" => {
                self.values.set("session", session());
                assert_eq!(self.ask("logout").status, 200);
            }
            "revoke" => servers.hellocloud(move |cloud| cloud.revoke(&session())),
            "delete session" => servers.hellocloud(move |cloud| cloud.delete_session(&session())),
            "delete user" => servers.hellocloud(move |cloud| cloud.user(&name()).deleted = true),
            "delete client" => {
                servers.hellocloud(move |cloud| cloud.client(&client()).deleted = true)
            }
            "secret" => {
                let secret = self.values.fill(text(&step["is"]));
                servers.hellocloud(move |cloud| cloud.client(&client()).secret = secret);
            }
            "password" => {
                let password = self.values.fill(text(&step["is"]));
                servers.hellocloud(move |cloud| cloud.user(&name()).password = password);
            }
            "confidential" => {
                let confidential = step["is"] == true;
                servers
                    .hellocloud(move |cloud| cloud.client(&client()).confidential = confidential);
            }
            "surroundings" => {
                let surroundings = surroundings(step);
                servers.hellocloud(move |cloud| cloud.surroundings = surroundings);
            }
            _ => panic!("no act {act}"),
        }
    }
}

fn surroundings(step: &Value) -> Surroundings {
    let on = |name: &str| step[name] == true;
    let word = |name: &str| step[name].as_str();
    Surroundings {
        nginx: word("web_server") == Some("nginx"),
        paths: match word("paths") {
            Some("plain") => Paths::Plain,
            Some("try files") => Paths::TryFiles,
            Some("legacy") => Paths::SuiteCrm8,
            _ => Paths::Rewritten,
        },
        drops_authorization: on("drops_authorization"),
        asks_for_password: on("asks_for_password"),
        gateway: step["gateway"].as_u64().map(|status| status as u16),
        body_max: step["body_max"].as_u64().map(|bytes| bytes as usize),
        broken: match word("broken") {
            Some("keys") => Some(Broken::KeysMissing),
            Some("database") => Some(Broken::DatabaseDown),
            _ => None,
        },
        display_errors: on("display_errors"),
        workflow: match word("workflow") {
            Some("slow") => Some(Workflow::Slow),
            Some("throws") => Some(Workflow::Throws),
            _ => None,
        },
    }
}
