//! Gluocrm, a vtiger CRM, installed at the root and in `/crm`: its `webservice.php` and its web interface.
//!
//! Spellings, codes, statuses and field orders are those of a real vtiger 8.2 or 7.0 unless a comment says
//! otherwise.

mod answer;
mod call;
mod challenges;
mod modules;
mod query;
mod records;
mod sessions;
mod users;
mod warnings;

use std::collections::HashSet;

use serde_json::json;

use crate::secret::md5_hex;

use super::message::{HTML, Pairs, last};
use super::{Account, Request, Response, Rules, SECOND, System, random_hex};
use answer::{Answer, Refusal, service_headers};
use call::Call;
use challenges::Challenges;
use records::Records;
pub use sessions::{Mark, Sessions, State};
pub use users::User;
use users::{escape, find, markup};
use warnings::Ran;

pub(super) const ACCOUNT: Account = &[
    ("GLUO_USERNAME", "admin"),
    ("GLUO_ACCESS_KEY", "SandboxAdminKey"),
];

/// Which vtiger, on which PHP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Eight,
    /// 7.0.1 on PHP 7.4.
    Seven,
}

/// PHP's display_errors: what of its messages stands in the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    Hidden,
    /// vtiger's own line for debugging.
    Warnings,
    /// vtiger's own line for strict development.
    Everything,
}

pub struct Gluo {
    pub version: Version,
    pub errors: Errors,
    /// PHP's output_buffering. What is written beyond it goes out before the headers are set.
    pub output_buffering: usize,
    /// Every getchallenge stops between its DELETE and its INSERT until this is false again.
    pub slow_challenges: bool,
    /// Every create stops, with its session's lock, until this is false again.
    pub slow_creates: bool,
    /// A gateway answers 504 where a request has to wait; the request itself goes on.
    pub impatient_gateway: bool,
    rules: Rules,
    users: Vec<User>,
    challenges: Challenges,
    pub sessions: Sessions,
    /// Names of the sessions over which a create runs: PHP serves one request of a session at a time.
    locked: HashSet<String>,
    records: Records,
}

impl System for Gluo {
    fn new(rules: Rules) -> Self {
        let mut gluo = Self {
            version: Version::Eight,
            errors: Errors::Hidden,
            output_buffering: 4096,
            slow_challenges: false,
            slow_creates: false,
            impatient_gateway: false,
            users: users::users(),
            challenges: Challenges::new(rules.clone()),
            sessions: Sessions::new(rules.clone()),
            locked: HashSet::new(),
            records: Records::new(),
            rules,
        };
        for name in ["P&D 1+1 João 50%", "Silva & Cia"] {
            let element = json!({"lastname": name, "assigned_user_id": "19x1"}).to_string();
            let input = [("elementType", "Contacts"), ("element", &element)];
            let input: Pairs = input
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
            let made = gluo.create("19x1", &input);
            debug_assert!(made.is_ok());
        }
        gluo
    }

    fn answer(&mut self, request: &Request) -> Response {
        match request.path.as_str() {
            "/webservice.php" | "/crm/webservice.php" => self.service(request),
            "/crm" => folder(request),
            "/" | "/crm/" => web(request),
            _ => Response::apache_not_found(),
        }
    }

    fn ready(&mut self, request: &Request) -> bool {
        let call = Call::read(request);
        // vtiger 7 looks at no session before it refuses an extendsession.
        let waits = call.operation != "extendsession" || self.version == Version::Eight;
        if waits && !request.begun.get() && self.locked.contains(&call.session) {
            return false;
        }
        match call.operation {
            "create" if self.slow_creates && self.sessions.state(&call.session) == State::Alive => {
                if !request.begun.replace(true) {
                    self.locked.insert(call.session);
                }
                false
            }
            "getchallenge" if self.slow_challenges => {
                if !request.begun.replace(true)
                    && let Some(user) = find(
                        &self.users,
                        last(&call.query, "username").unwrap_or_default(),
                    )
                {
                    self.challenges.delete(user.id);
                }
                false
            }
            _ => true,
        }
    }

    fn gateway(&self) -> Option<Response> {
        self.impatient_gateway
            .then(|| Response::nginx(504, "Gateway Time-out"))
    }
}

impl Gluo {
    /// A user, to be changed.
    ///
    /// # Panics
    /// If there is no such user.
    pub fn user(&mut self, name: &str) -> &mut User {
        let mut users = self.users.iter_mut();
        users.find(|user| user.name == name).expect("a demo user")
    }

    /// How many records of a module have this value in this field.
    pub fn count(&self, module: &str, field: &str, value: &str) -> usize {
        let found = |record: &&records::Record| {
            record.module.name == module
                && record.values.get(field).is_some_and(|found| found == value)
        };
        self.records.values().filter(found).count()
    }

    fn service(&mut self, request: &Request) -> Response {
        let call = Call::read(request);
        let begun = request.begun.get();
        if begun && call.operation == "create" {
            self.locked.remove(&call.session);
        }
        if !call.operation.is_empty() && !matches!(call.either("format"), "" | "json" | "JSON") {
            return service_headers(Response::new(500, "application/json", ""));
        }
        let (ran, answer) = match self.open(&call) {
            Err(answer) => (Ran::No, answer),
            Ok(user) => match self.run(user, &call, begun) {
                Ok(answer) => (Ran::Through, answer),
                Err(refusal) => (Ran::Refused, refusal.into()),
            },
        };
        self.write(call.operation, ran, answer)
    }

    /// The user of the request's session; none in a poisoned one, and where no session is wanted.
    fn open(&mut self, call: &Call) -> Result<Option<&'static str>, Answer> {
        let extends = call.operation == "extendsession";
        let needed = match call.operation {
            "" => return Err(Answer::Broken),
            "getchallenge" | "login" => false,
            "extendsession" => last(&call.body, "operation").is_none(),
            _ => call.session.is_empty(),
        };
        if needed {
            return Err(Refusal::new("AUTHENTICATION_REQUIRED", "Authencation required").into());
        }
        // PHP's messages are on their way when it should start the session.
        if self.errors == Errors::Everything && self.output_buffering < 8192 {
            let named = !call.session.is_empty() && !extends;
            return Err(if named {
                Refusal::dead_session().into()
            } else {
                Answer::Null
            });
        }
        match call.session.as_str() {
            _ if extends => Ok(Some(self.adopt(call)?)),
            "" => Ok(None),
            session => Ok(self.sessions.open(session)?),
        }
    }

    /// What `extendsession` does to its session: vtiger 8 makes a file for a dead one, without a user.
    fn adopt(&mut self, call: &Call) -> Result<&'static str, Refusal> {
        let failure = Refusal::new("AUTHENTICATION_FAILURE", "Authencation Failed");
        let session = if call.session.is_empty() {
            &call.cookie
        } else {
            &call.session
        };
        if self.version == Version::Seven || session.is_empty() {
            return Err(failure);
        }
        match self.sessions.state(session) {
            State::Alive => self.sessions.open(session)?.ok_or(failure),
            State::Poisoned => Err(failure),
            State::Dead => {
                self.sessions.poison(session);
                Err(failure)
            }
        }
    }

    fn run(
        &mut self,
        user: Option<&'static str>,
        call: &Call,
        begun: bool,
    ) -> Result<Answer, Refusal> {
        // Which half of the request counts is the operation's own affair, as in vtiger.
        let (query, body) = (&call.query, &call.body);
        match (call.operation, user) {
            ("getchallenge", _) => self.challenge(query, begun),
            ("login", _) => self.login(body),
            (_, None) | ("sync", _) => Ok(Answer::Broken),
            ("listtypes", _) => Ok(Answer::Result(modules::types())),
            ("describe", _) => {
                let name = last(query, "elementType").unwrap_or_default();
                modules::describe(name, self.version).map(Answer::Result)
            }
            ("query", _) => {
                let text = last(query, "query").unwrap_or_default();
                query::run(text, &self.records, self.version).map(Answer::Result)
            }
            ("retrieve", _) => self.retrieve(query),
            ("create", Some(user)) => self.create(user, body),
            ("update" | "revise", Some(user)) => self.revise(user, body),
            ("delete", _) => self.delete(body),
            // The wording is assumed.
            ("logout", _) if self.version == Version::Seven && !call.posted => Err(Refusal::new(
                "OPERATION_NOT_SUPPORTED",
                "Operation not supported",
            )),
            // vtiger falls over its own logout, and the session lives on.
            ("logout", _) => Ok(Answer::Broken),
            // What is left is `extendsession`.
            (_, Some(user)) => Ok(Answer::Result(json!({
                "sessionName": if call.session.is_empty() { &call.cookie } else { &call.session },
                "userId": user,
                "version": "0.22",
                "vtigerVersion": "8.2.0",
            }))),
        }
    }

    fn challenge(&mut self, query: &Pairs, deleted: bool) -> Result<Answer, Refusal> {
        let name = last(query, "username").unwrap_or_default();
        if name.is_empty() {
            return Err(Refusal::new("ACCESS_DENIED", "No username given"));
        }
        let Some(user) = find(&self.users, name) else {
            return Err(Refusal::new("ACCESS_DENIED", "username does not exists"));
        };
        if !deleted {
            self.challenges.delete(user.id);
        }
        let challenge = self.challenges.insert(user.id);
        Ok(Answer::Result(json!({
            "token": challenge.token,
            "serverTime": self.rules.now() / SECOND,
            "expireTime": challenge.end / SECOND,
        })))
    }

    fn login(&mut self, body: &Pairs) -> Result<Answer, Refusal> {
        let user = find(&self.users, last(body, "username").unwrap_or_default());
        let live = user.and_then(|user| Some((user, self.challenges.live(user.id)?)));
        let Some((user, token)) = live else {
            return Err(Refusal::new(
                "INVALID_AUTH_TOKEN",
                "Specified token is invalid or expired",
            ));
        };
        let Some(key) = &user.key else {
            return Err(Refusal::new(
                "ACCESSKEY_UNDEFINED",
                "Access key for the user is undefined",
            ));
        };
        let right = last(body, "accessKey") == Some(md5_hex(&[token, key]).expose());
        if right && !user.active && self.version == Version::Seven {
            return Err(Refusal::new(
                "AUTHENTICATION_REQUIRED",
                "Given user is inactive",
            ));
        }
        if !right || !user.active {
            return Err(Refusal::new(
                "INVALID_USER_CREDENTIALS",
                "Invalid username or password",
            ));
        }
        let session = self.sessions.create(user.id);
        if self.version == Version::Seven {
            return Ok(Answer::Result(json!({
                "sessionName": session,
                "userId": user.id,
                "version": "0.22",
                "vtigerVersion": "7.0.1",
            })));
        }
        Ok(Answer::Result(json!({
            "username": escape(user.name),
            "first_name": escape(user.names.0),
            "last_name": escape(user.names.1),
            "email": user.email,
            "time_zone": "UTC",
            "hour_format": "24",
            "date_format": "yyyy-mm-dd",
            "is_admin": if user.admin { "on" } else { "off" },
            "call_duration": "5",
            "other_event_duration": "5",
            "sessionName": session,
            "userId": user.id,
            "version": "0.22",
            "vtigerVersion": "8.2.0",
        })))
    }
}

/// Apache adds the slash that a folder wants.
fn folder(request: &Request) -> Response {
    let query = match request.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let link = format!("http://{}/crm/{query}", request.host());
    let text = format!(
        "The document has moved <a href=\"{}\">here</a>.",
        markup(&link)
    );
    Response::apache(301, "Moved Permanently", &text).header("Location", link)
}

fn web(request: &Request) -> Response {
    let response = match (request.method.as_str(), request.path.as_str()) {
        ("POST", _) => Response::new(200, HTML, "Invalid request"),
        (_, "/crm/") => {
            Response::new(301, HTML, "").header("Location", format!("http://{}/", request.host()))
        }
        _ => Response::new(
            200,
            HTML,
            "<!DOCTYPE html>\n<html><head><title>Login</title></head><body>Sandbox</body></html>\n",
        ),
    };
    let cookie = format!("PHPSESSID={}; path=/", random_hex(21));
    service_headers(response).header("Set-Cookie", cookie)
}
