//! Zeev: tokens by user name and password, renewed by themselves, and the impersonation of others.
//!
//! Paths, names and the list of refusals are the seed's; which status stands for which refusal and the ten
//! minutes are from the later document. Its refusals' bodies are nowhere described: `message` is assumed.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::message::text;
use super::{Account, Request, Response, Rules, System, random_hex};

/// `robo` is the same person with a permanent token instead of a password.
pub(super) const ACCOUNT: Account = &[
    "ZEEV_USERNAME=integracao",
    "ZEEV_PASSWORD=Sandbox-Zeev-1",
    "ZEEV__ROBO__API_TOKEN=sandbox-zeev-permanent-token",
];

const LIFETIME: i64 = 600;

/// Id, name and user name. The password ends with the id.
type Person = (u32, &'static str, &'static str);

/// The first one may impersonate the others.
static PEOPLE: [Person; 3] = [
    (1, "Integração", "integracao"),
    (2, "Maria Souza", "maria.souza"),
    (3, "José Araújo", "josé araújo/filial@sul"),
];

pub(super) struct Zeev {
    rules: Rules,
    /// By token: whose it is and when it ends.
    tokens: HashMap<String, (Person, i64)>,
}

impl System for Zeev {
    fn new(rules: Rules) -> Self {
        let tokens = HashMap::new();
        Self { rules, tokens }
    }

    fn answer(&mut self, request: &Request) -> Response {
        let Some(path) = request.path.strip_prefix("/api/2/tokens") else {
            return refuse(404, "O recurso não foi encontrado");
        };
        let parts: Vec<&str> = path.split('/').collect();
        match (request.method.as_str(), &parts[..], self.person(request)) {
            ("POST", [""] | ["", ""], _) => self.login(&request.json()),
            ("GET" | "HEAD", _, None) => refuse(401, "Pessoa não autenticada"),
            ("GET" | "HEAD", [""] | ["", ""], Some(person)) => self.renew(person),
            ("GET" | "HEAD", ["", "impersonate", whom], Some(person)) if !whom.is_empty() => {
                self.impersonate(person, whom)
            }
            ("GET" | "HEAD", ..) => refuse(404, "O recurso não foi encontrado"),
            _ => refuse(405, "Método não permitido").header("Allow", "GET, POST"),
        }
    }
}

impl Zeev {
    fn login(&mut self, body: &Value) -> Response {
        let text = |name: &str| text(body, name).filter(|value| !value.is_empty());
        let (Some(login), Some(password)) = (text("login"), text("password")) else {
            return refuse(400, "Informe login e password");
        };
        match find(login) {
            Some(person) if password == format!("Sandbox-Zeev-{}", person.0) => {
                Response::json(200, &self.member("userId", person))
            }
            _ => refuse(401, "Login ou senha inválidos"),
        }
    }

    fn renew(&mut self, person: Person) -> Response {
        let (token, (id, _, username)) = (self.issue(person), person);
        let body = json!({"userId": id, "username": username, "temporaryToken": token});
        Response::json(200, &body)
    }

    fn impersonate(&mut self, person: Person, segment: &str) -> Response {
        if person != PEOPLE[0] {
            return refuse(403, "Pessoa sem permissão para executar essa operação");
        }
        let Ok(whom) = percent_decode_str(segment).decode_utf8() else {
            return refuse(400, "O código ou login informado é inválido");
        };
        let by_id = PEOPLE.into_iter().find(|(id, ..)| id.to_string() == whom);
        let Some(whom) = by_id.or_else(|| find(&whom)) else {
            return refuse(404, "A pessoa não foi encontrada");
        };
        let (current, impersonate) = (self.member("id", person), self.member("id", whom));
        let body = json!({"current": current, "impersonate": impersonate});
        Response::json(200, &body)
    }

    fn member(&mut self, id: &str, person: Person) -> Value {
        let (token, (number, name, username)) = (self.issue(person), person);
        json!({id: number, "name": name, "username": username, "temporaryToken": token})
    }

    fn issue(&mut self, person: Person) -> String {
        let now = self.rules.now();
        self.tokens.retain(|_, (_, end)| *end > now);
        let token = random_hex(64);
        let end = now + self.rules.lifetime(LIFETIME);
        self.tokens.insert(token.clone(), (person, end));
        token
    }

    /// Whose live token the request carries.
    fn person(&self, request: &Request) -> Option<Person> {
        let token = request.bearer()?;
        if token == "sandbox-zeev-permanent-token" {
            return Some(PEOPLE[0]);
        }
        let (person, end) = self.tokens.get(token)?;
        (*end > self.rules.now()).then_some(*person)
    }
}

fn find(login: &str) -> Option<Person> {
    let login = login.to_lowercase();
    PEOPLE.into_iter().find(|(_, _, known)| *known == login)
}

fn refuse(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"message": message}))
}
