//! Zeev: tokens by user name and password, renewed by themselves, and the impersonation of others.
//!
//! Paths, names and the list of refusals are the seed's; which status stands for which refusal and the ten
//! minutes are from the later document. Its refusals' bodies are nowhere described: `message` is assumed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::message::member;
use super::{Entry, Request, Response, Rules, System, random_hex};

/// `robo` is the same person with a permanent token instead of a password.
pub(super) const ENTRY: Entry = Entry {
    id: "zeev",
    account: &[("USERNAME", "integracao"), ("PASSWORD", "Sandbox-Zeev-1")],
    more_accounts: &[("ROBO", "API_TOKEN", PERMANENT)],
    start: |rules| Rc::new(RefCell::new(Zeev::new(rules))),
};

const LIFETIME: i64 = 600;
const PERMANENT: &str = "sandbox-zeev-permanent-token";

const JSON: &str = "application/json; charset=utf-8";

/// The first one may impersonate the others; the passwords are `Sandbox-Zeev-1` and so on.
struct Person {
    id: u32,
    name: &'static str,
    username: &'static str,
}

static PEOPLE: [Person; 3] = [
    person(1, "Integração", "integracao"),
    person(2, "Maria Souza", "maria.souza"),
    person(3, "José Araújo", "josé araújo/filial@sul"),
];

const fn person(id: u32, name: &'static str, username: &'static str) -> Person {
    Person { id, name, username }
}

pub(super) struct Zeev {
    rules: Rules,
    /// By token: whose it is and when it ends.
    tokens: HashMap<String, (&'static Person, i64)>,
}

impl System for Zeev {
    fn answer(&mut self, request: &Request) -> Response {
        let Some(path) = request.path.strip_prefix("/api/2/tokens") else {
            return refuse(404, "O recurso não foi encontrado");
        };
        match (request.method.as_str(), path) {
            ("POST", "" | "/") => self.login(&request.json()),
            ("GET" | "HEAD", _) => match self.person(request) {
                None => refuse(401, "Pessoa não autenticada"),
                Some(person) => match path.strip_prefix("/impersonate/") {
                    Some(whom) if !whom.is_empty() && !whom.contains('/') => {
                        self.impersonate(person, whom)
                    }
                    None if path.trim_end_matches('/').is_empty() => self.renew(person),
                    _ => refuse(404, "O recurso não foi encontrado"),
                },
            },
            _ => refuse(405, "Método não permitido").header("Allow", "GET, POST"),
        }
    }
}

impl Zeev {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            tokens: HashMap::new(),
        }
    }

    fn login(&mut self, body: &Value) -> Response {
        let text = |name: &str| {
            let value = member(body, name).and_then(Value::as_str);
            value.filter(|value| !value.is_empty())
        };
        let (Some(login), Some(password)) = (text("login"), text("password")) else {
            return refuse(400, "Informe login e password");
        };
        let right = |person: &&Person| password == format!("Sandbox-Zeev-{}", person.id);
        let person = PEOPLE.iter().find(|person| same_name(person, login));
        let Some(person) = person.filter(right) else {
            return refuse(401, "Login ou senha inválidos");
        };
        let body = json!({
            "userId": person.id,
            "name": person.name,
            "username": person.username,
            "temporaryToken": self.issue(person),
        });
        Response::json(200, JSON, &body)
    }

    fn renew(&mut self, person: &'static Person) -> Response {
        let body = json!({
            "userId": person.id,
            "username": person.username,
            "temporaryToken": self.issue(person),
        });
        Response::json(200, JSON, &body)
    }

    fn impersonate(&mut self, person: &'static Person, segment: &str) -> Response {
        if person.id != 1 {
            return refuse(403, "Pessoa sem permissão para executar essa operação");
        }
        let Ok(whom) = percent_decode_str(segment).decode_utf8() else {
            return refuse(400, "O código ou login informado é inválido");
        };
        let whom = match whom.parse::<u32>() {
            Ok(id) => PEOPLE.iter().find(|person| person.id == id),
            Err(_) => PEOPLE.iter().find(|person| same_name(person, &whom)),
        };
        let Some(whom) = whom else {
            return refuse(404, "A pessoa não foi encontrada");
        };
        let body = json!({"current": self.member(person), "impersonate": self.member(whom)});
        Response::json(200, JSON, &body)
    }

    fn member(&mut self, person: &'static Person) -> Value {
        json!({
            "id": person.id,
            "name": person.name,
            "username": person.username,
            "temporaryToken": self.issue(person),
        })
    }

    fn issue(&mut self, person: &'static Person) -> String {
        let now = self.rules.now();
        self.tokens.retain(|_, (_, end)| *end > now);
        let token = random_hex(64);
        let end = now + self.rules.lifetime(LIFETIME);
        self.tokens.insert(token.clone(), (person, end));
        token
    }

    /// Whose live token the request carries.
    fn person(&self, request: &Request) -> Option<&'static Person> {
        let token = request.bearer()?;
        if token == PERMANENT {
            return Some(&PEOPLE[0]);
        }
        let (person, end) = self.tokens.get(token)?;
        (*end > self.rules.now()).then_some(*person)
    }
}

fn same_name(person: &Person, name: &str) -> bool {
    person.username.to_lowercase() == name.to_lowercase()
}

fn refuse(status: u16, message: &str) -> Response {
    Response::json(status, JSON, &json!({"message": message}))
}
