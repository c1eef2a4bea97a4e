//! SystemsWay: a login that ends the user's other session, and the user management below the session.
//!
//! Names, texts and rules are the seed's. It names no HTTP status, so refusals are 200 with `Status` ERROR,
//! and no idle limit, so twenty minutes are assumed.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::message::member;
use super::{Entry, Request, Response, Rules, System, random_hex};

pub(super) const ENTRY: Entry = Entry {
    id: "systemsway",
    account: &[("USERNAME", "admin"), ("PASSWORD", "teste")],
    more_accounts: &[],
    start: |rules| Rc::new(RefCell::new(SystemsWay::new(rules))),
};

/// How long a session lives unused, in seconds.
const IDLE: i64 = 20 * 60;
/// SHA-256 of `teste`, the seed's own example.
const TESTE: &str = "46070D4BF934FB0D4B06D9E2C46E346944E322444900A435D7D9A95E6D7435F5";

struct User {
    company: u32,
    name: String,
    hash: String,
    active: bool,
    /// The one session and its last use.
    session: Option<(String, i64)>,
}

impl User {
    fn new(company: u32, name: &str, hash: &str, active: bool) -> Self {
        Self {
            company,
            name: name.to_owned(),
            hash: hash.to_owned(),
            active,
            session: None,
        }
    }
}

/// A user's id is the place here, counted from one. Nothing is ever deleted.
fn users() -> Vec<User> {
    vec![
        User::new(1, "admin", TESTE, true),
        User::new(1, "user2", TESTE, true),
        User::new(1, "inativo", TESTE, false),
        User::new(CLOSED, "fechada", TESTE, true),
    ]
}

/// A company that is no longer active.
const CLOSED: u32 = 2;

pub(super) struct SystemsWay {
    rules: Rules,
    users: Vec<User>,
}

impl System for SystemsWay {
    fn answer(&mut self, request: &Request) -> Response {
        let path = request.path.to_ascii_lowercase();
        if path == "/api/main" {
            return match request.method.as_str() {
                "POST" => self.login(request),
                _ => Response::new(405, "", "").header("Allow", "POST"),
            };
        }
        let prefix = "/api/usuario/";
        let Some(session) = path
            .starts_with(prefix)
            .then(|| &request.path[prefix.len()..])
            .filter(|session| !session.is_empty() && !session.contains('/'))
        else {
            return Response::new(404, "", "");
        };
        let Some(at) = self.seat(session) else {
            return status("ERROR", "", "O ID da sessão está inválido");
        };
        let query = request.query_pairs();
        let mut pairs = query.iter();
        let id = pairs.rfind(|(name, _)| name.eq_ignore_ascii_case("id"));
        let id = id.map(|(_, value)| value.as_str());
        let done = match request.method.as_str() {
            "GET" => return self.list(at, id),
            "POST" => self.add(at, &request.json()),
            "PUT" => self.change(at, id, &request.json()),
            "DELETE" => self.deactivate(at, id),
            _ => return Response::new(405, "", "").header("Allow", "GET, POST, PUT, DELETE"),
        };
        match done {
            Ok(()) => status("OK", session, ""),
            Err(message) => status("ERROR", session, message),
        }
    }
}

impl SystemsWay {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            users: users(),
        }
    }

    fn login(&mut self, request: &Request) -> Response {
        let body = request.json();
        let text = |name: &str| {
            member(&body, name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let now = self.rules.now();
        let user = self.users.iter_mut().find(|user| {
            user.name == text("User")
                && user.hash.eq_ignore_ascii_case(text("Passwd"))
                && user.active
                && user.company != CLOSED
        });
        let (word, session, message) = match user {
            Some(user) => {
                let session = random_hex(64).to_ascii_uppercase();
                user.session = Some((session.clone(), now));
                ("OK", session, "Login Realizado com sucesso")
            }
            None => ("ERROR", String::new(), "Usuário ou senha estão inválidos"),
        };
        let body = json!({"Status": word, "IDSessao": session, "Message": message});
        Response::json(200, JSON, &body).outcome(word)
    }

    /// Whose live session this is; it has been used from here on.
    fn seat(&mut self, session: &str) -> Option<usize> {
        let (now, idle) = (self.rules.now(), self.rules.lifetime(IDLE));
        for (at, user) in self.users.iter_mut().enumerate() {
            if let Some((known, used)) = &mut user.session
                && known.eq_ignore_ascii_case(session)
                && now - *used < idle
            {
                *used = now;
                return Some(at);
            }
        }
        None
    }

    fn list(&self, at: usize, id: Option<&str>) -> Response {
        let users: Vec<Value> = (1..)
            .zip(&self.users)
            .map(|(number, user)| (number.to_string(), user))
            .filter(|(_, user)| user.company == self.users[at].company)
            .filter(|(number, _)| id.is_none_or(|id| id == number))
            .map(|(number, user)| {
                json!({
                    "Id": number,
                    "UserName": user.name,
                    "Ativo": user.active.to_string(),
                })
            })
            .collect();
        Response::json(200, JSON, &Value::Array(users))
    }

    fn add(&mut self, at: usize, body: &Value) -> Result<(), &'static str> {
        let name = self.name(body, None)?.unwrap_or_default();
        let hash = hash(body)?.unwrap_or_default();
        if name.is_empty() {
            return Err(SPACES);
        }
        if hash.is_empty() {
            return Err(FORMAT);
        }
        let user = User::new(self.users[at].company, &name, &hash, active(body));
        self.users.push(user);
        Ok(())
    }

    /// Without `Ativo` the user is deactivated: the seed warns of it in capitals.
    fn change(&mut self, at: usize, id: Option<&str>, body: &Value) -> Result<(), &'static str> {
        let whom = self.colleague(at, id)?;
        let name = self.name(body, Some(whom))?;
        let hash = hash(body)?;
        let user = &mut self.users[whom];
        if let Some(name) = name {
            user.name = name;
        }
        if let Some(hash) = hash {
            user.hash = hash;
        }
        user.active = active(body);
        user.session = None;
        Ok(())
    }

    fn deactivate(&mut self, at: usize, id: Option<&str>) -> Result<(), &'static str> {
        let whom = self.colleague(at, id)?;
        self.users[whom].active = false;
        self.users[whom].session = None;
        Ok(())
    }

    /// The user of that id in the same company.
    fn colleague(&self, at: usize, id: Option<&str>) -> Result<usize, &'static str> {
        id.and_then(|id| id.parse::<usize>().ok()?.checked_sub(1))
            .filter(|whom| {
                self.users
                    .get(*whom)
                    .is_some_and(|user| user.company == self.users[at].company)
            })
            .ok_or("Usuário não encontrado")
    }

    /// The new name, where one is sent, for a new user or for the one at `whom`.
    fn name(&self, body: &Value, whom: Option<usize>) -> Result<Option<String>, &'static str> {
        let Some(name) = member(body, "UserName").and_then(Value::as_str) else {
            return Ok(None);
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(SPACES);
        }
        match self.users.iter().position(|user| user.name == name) {
            Some(other) if Some(other) != whom => {
                Err("Já Existe um usuário cadastrado com este nome.")
            }
            _ => Ok(Some(name.to_owned())),
        }
    }
}

const JSON: &str = "application/json; charset=utf-8";
const SPACES: &str = "O nome do usuário não pode conter espaços";
const FORMAT: &str =
    "O formato de senha está incorreto, a senha deve estar sob o Hash SHA/256, com 64 caracteres.";

/// The new password's hash, where one is sent.
fn hash(body: &Value) -> Result<Option<String>, &'static str> {
    match member(body, "PassWord").and_then(Value::as_str) {
        None => Ok(None),
        Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(Some(hash.to_owned()))
        }
        Some(_) => Err(FORMAT),
    }
}

fn active(body: &Value) -> bool {
    match member(body, "Ativo") {
        Some(Value::Bool(active)) => *active,
        Some(Value::String(word)) => word.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn status(word: &str, session: &str, message: &str) -> Response {
    let body = json!({"Status": word, "IDSessao": session, "Message": message, "StackTrace": ""});
    Response::json(200, JSON, &body).outcome(word)
}
