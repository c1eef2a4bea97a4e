//! SystemsWay: a login that ends the user's other session, and the user management below the session.
//!
//! Names, texts and rules are the seed's. It names no HTTP status, so refusals are 200 with `Status` ERROR,
//! and no idle limit, so twenty minutes are assumed.

use serde_json::{Value, json};

use super::message::{member, text};
use super::{Account, Request, Response, Rules, System, random_hex};

pub(super) const ACCOUNT: Account = &["SYSTEMSWAY_USERNAME=admin", "SYSTEMSWAY_PASSWORD=teste"];

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

pub(super) struct SystemsWay {
    rules: Rules,
    /// A user's id is the place here, counted from one. Nothing is ever deleted.
    users: Vec<User>,
}

impl System for SystemsWay {
    fn new(rules: Rules) -> Self {
        let users = vec![
            User::new(1, "admin", TESTE, true),
            User::new(1, "user2", TESTE, true),
            User::new(1, "inativo", TESTE, false),
            // The only one of a company that is closed.
            User::new(2, "fechada", TESTE, false),
        ];
        Self { rules, users }
    }

    fn answer(&mut self, request: &Request) -> Response {
        let (folder, name) = request.path.rsplit_once('/').unwrap_or_default();
        let session = match folder.to_ascii_lowercase().as_str() {
            "/api" if name.eq_ignore_ascii_case("main") => {
                return match request.method.as_str() {
                    "POST" => self.login(&request.json()),
                    _ => Response::empty(405).header("Allow", "POST"),
                };
            }
            "/api/usuario" if !name.is_empty() => name,
            _ => return Response::empty(404),
        };
        let Some(at) = self.seat(session) else {
            return status("ERROR", "", "O ID da sessão está inválido");
        };
        let mut pairs = request.query_pairs().into_iter();
        let id = pairs.rfind(|(name, _)| name.eq_ignore_ascii_case("id"));
        let id = id.as_ref().map(|(_, value)| value.as_str());
        let whom = id.and_then(|id| self.colleagues(at, Some(id)).next());
        let whom = whom.ok_or("Usuário não encontrado");
        let done = match request.method.as_str() {
            "GET" => return self.list(at, id),
            "POST" => self.save(at, None, &request.json()),
            "PUT" => whom.and_then(|whom| self.save(at, Some(whom), &request.json())),
            "DELETE" => whom.map(|whom| {
                let user = &mut self.users[whom];
                (user.active, user.session) = (false, None);
            }),
            _ => return Response::empty(405).header("Allow", "GET, POST, PUT, DELETE"),
        };
        match done {
            Ok(()) => status("OK", session, ""),
            Err(message) => status("ERROR", session, message),
        }
    }
}

impl SystemsWay {
    fn login(&mut self, body: &Value) -> Response {
        let now = self.rules.now();
        let text = |name: &str| text(body, name).unwrap_or_default();
        let mut users = self.users.iter_mut();
        let user = users.find(|user| {
            let right = user.hash.eq_ignore_ascii_case(text("Passwd"));
            user.active && user.name == text("User") && right
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
        Response::json(200, &body).outcome(word)
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

    /// The places of the users in the same company, or of the one with that id.
    fn colleagues(&self, at: usize, id: Option<&str>) -> impl Iterator<Item = usize> {
        (0..self.users.len()).filter(move |whom| {
            let wanted = id.is_none_or(|id| id == (whom + 1).to_string());
            wanted && self.users[*whom].company == self.users[at].company
        })
    }

    fn list(&self, at: usize, id: Option<&str>) -> Response {
        let users = self.colleagues(at, id).map(|whom| {
            let User { name, active, .. } = &self.users[whom];
            json!({"Id": (whom + 1).to_string(), "UserName": name, "Ativo": active.to_string()})
        });
        Response::json(200, &users.collect())
    }

    /// Makes a user, or changes the one at `whom`. Without `Ativo` it is inactive: the seed warns of that in capitals.
    fn save(&mut self, at: usize, whom: Option<usize>, body: &Value) -> Result<(), &'static str> {
        let old = whom.map(|whom| &self.users[whom]);
        let name = text(body, "UserName").or(old.map(|user| user.name.as_str()));
        let name = name.unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err("O nome do usuário não pode conter espaços");
        }
        let named = self.users.iter().position(|user| user.name == name);
        if named.is_some_and(|named| Some(named) != whom) {
            return Err("Já Existe um usuário cadastrado com este nome.");
        }
        let hash = text(body, "PassWord").or(old.map(|user| user.hash.as_str()));
        let hash = hash.unwrap_or_default();
        if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(
                "O formato de senha está incorreto, a senha deve estar sob o Hash SHA/256, \
                        com 64 caracteres.",
            );
        }
        let active = match member(body, "Ativo") {
            Some(Value::Bool(active)) => *active,
            Some(Value::String(word)) => word.eq_ignore_ascii_case("true"),
            _ => false,
        };
        let user = User::new(self.users[at].company, name, hash, active);
        match whom {
            Some(whom) => self.users[whom] = user,
            None => self.users.push(user),
        }
        Ok(())
    }
}

fn status(word: &str, session: &str, message: &str) -> Response {
    let body = json!({"Status": word, "IDSessao": session, "Message": message, "StackTrace": ""});
    Response::json(200, &body).outcome(word)
}
