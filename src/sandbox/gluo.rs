//! Gluocrm, a vtiger CRM, installed at the root and in `/crm`: its `webservice.php` and its web interface.
//!
//! Spellings, codes, statuses and orders are those of a real vtiger 8.2 or 7.0 unless a comment says otherwise.

mod answer;
mod login;
mod modules;
mod records;
mod sessions;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use super::message::{HTML, Pairs, last, pair, quoted};
use super::{Account, Request, Response, Rules, System, random_hex};
use answer::{Failure, Result, dead_session, refused, service_headers};
pub use login::User;
use records::Record;
pub use sessions::{Mark, Sessions, State};

pub(super) const ACCOUNT: Account = &["GLUO_USERNAME=admin", "GLUO_ACCESS_KEY=SandboxAdminKey"];

/// Which vtiger: 8.2, or 7.0.1 on PHP 7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Eight,
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
    /// By the user's id, one a user: the challenge and when it ends.
    challenges: HashMap<&'static str, (String, i64)>,
    pub sessions: Sessions,
    /// Names of the sessions over which a create runs: PHP serves one request of a session at a time.
    locked: HashSet<String>,
    /// By the number behind the `x`, which is one count for all modules.
    records: BTreeMap<u32, Record>,
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
            users: login::users(),
            challenges: HashMap::new(),
            sessions: Sessions::new(rules.clone()),
            locked: HashSet::new(),
            records: BTreeMap::new(),
            rules,
        };
        for name in ["P&D 1+1 João 50%", "Silva & Cia"] {
            let element = json!({"lastname": name, "assigned_user_id": "19x1"}).to_string();
            let input = vec![pair("elementType", "Contacts"), pair("element", &element)];
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
                request.begun.set(true);
                self.locked.insert(call.session);
                false
            }
            "getchallenge" if self.slow_challenges => {
                let user = self.named(&call.query).map(|user| user.id);
                if let Some(id) = user.filter(|_| !request.begun.replace(true)) {
                    self.challenges.remove(id);
                }
                false
            }
            _ => true,
        }
    }

    fn gateway(&self) -> Option<Response> {
        let impatient = self.impatient_gateway;
        impatient.then(|| Response::nginx(504, "Gateway Time-out"))
    }
}

impl Gluo {
    /// A demo user, to be changed.
    pub fn user(&mut self, name: &str) -> &mut User {
        let mut users = self.users.iter_mut();
        users.find(|user| user.name == name).expect("a demo user")
    }

    /// How many records of a module have this value in this field.
    pub fn count(&self, module: &str, field: &str, value: &str) -> usize {
        let records = self.records.values();
        let records = records.filter(|record| record.module.name == module);
        let found = records.filter(|record| record.values[field] == value);
        found.count()
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
        let opened = self.open(&call);
        let ran = opened.is_ok();
        let result = opened.and_then(|user| self.run(user, &call, begun));
        self.write(call.operation, ran, result)
    }

    /// The user of the request's session; none in a poisoned one, and where no session is wanted.
    fn open(&mut self, call: &Call) -> Result<Option<&'static str>> {
        let named = !call.session.is_empty();
        let extends = call.operation == "extendsession";
        let enough = match call.operation {
            "" => return Err(Failure::Broken),
            "getchallenge" | "login" => true,
            "extendsession" => last(&call.body, "operation").is_some(),
            _ => named,
        };
        if !enough {
            return Err(refused("AUTHENTICATION_REQUIRED", "Authencation required"));
        }
        // PHP's messages are on their way when it should start the session.
        if self.errors == Errors::Everything && self.output_buffering < 8192 {
            let asked = named && !extends;
            return Err(if asked { dead_session() } else { Failure::Null });
        }
        let session = call.session.as_str();
        match self.sessions.state(session) {
            _ if !named && !extends => return Ok(None),
            _ if !extends => return self.sessions.open(session),
            _ if !named || self.version == Version::Seven => {}
            State::Alive => return self.sessions.open(session),
            // vtiger 8 makes a file for it, without a user.
            State::Dead => self.sessions.put(session, None),
            State::Poisoned => {}
        }
        Err(refused("AUTHENTICATION_FAILURE", "Authencation Failed"))
    }

    fn run(&mut self, user: Option<&'static str>, call: &Call, begun: bool) -> Result {
        // Which half of the request counts is the operation's own affair, as in vtiger.
        let (query, body) = (&call.query, &call.body);
        let asked = |name: &str| last(query, name).unwrap_or_default();
        match (call.operation, user) {
            ("getchallenge", _) => self.challenge(query, begun),
            ("login", _) => self.login(body),
            (_, None) | ("sync", _) => Err(Failure::Broken),
            ("listtypes", _) => Ok(modules::types()),
            ("describe", _) => modules::describe(asked("elementType"), self.version),
            ("query", _) => self.query(asked("query")),
            ("retrieve", _) => self.retrieve(query),
            ("create", Some(user)) => self.create(user, body),
            ("update" | "revise", Some(user)) => self.revise(user, body),
            ("delete", _) => self.delete(body),
            // The wording is assumed.
            ("logout", _) if self.version == Version::Seven && !call.posted => {
                let text = "Operation not supported";
                Err(refused("OPERATION_NOT_SUPPORTED", text))
            }
            // vtiger falls over its own logout, and the session lives on.
            ("logout", _) => Err(Failure::Broken),
            // What is left is `extendsession`.
            (_, Some(user)) => Ok(self.with_session(json!({}), &call.session, user)),
        }
    }
}

/// What `webservice.php` knows; of the rest it dies.
const OPERATIONS: &str = "getchallenge login listtypes describe query retrieve sync create update \
                          revise delete logout extendsession";

/// A request to the web service: which operation, over which session.
struct Call {
    /// Empty if it is none that is known.
    operation: &'static str,
    /// Empty where none is named. An `extendsession` may name it in its cookie.
    session: String,
    posted: bool,
    query: Pairs,
    body: Pairs,
}

impl Call {
    fn read(request: &Request) -> Self {
        let mut call = Self {
            operation: "",
            session: String::new(),
            posted: request.method == "POST",
            query: request.query_pairs(),
            body: request.form_pairs(),
        };
        let mut known = OPERATIONS.split(' ');
        let asked = call.either("operation").to_ascii_lowercase();
        call.operation = known.find(|known| *known == asked).unwrap_or_default();
        let session = call.either("sessionName");
        if !session.eq_ignore_ascii_case("null") {
            call.session = session.to_owned();
        }
        if call.operation == "extendsession" && call.session.is_empty() {
            let mut cookies = request.header("cookie").unwrap_or_default().split("; ");
            let cookie = cookies.find_map(|cookie| cookie.strip_prefix("PHPSESSID="));
            call.session = cookie.unwrap_or_default().to_owned();
        }
        call
    }

    /// A parameter wherever it stands.
    fn either(&self, name: &str) -> &str {
        let found = last(&self.body, name).or_else(|| last(&self.query, name));
        found.unwrap_or_default()
    }
}

/// Apache adds the slash that a folder wants.
fn folder(request: &Request) -> Response {
    let mark = if request.query.is_empty() { "" } else { "?" };
    let link = format!("http://{}/crm/{mark}{}", request.host(), request.query);
    let here = quoted(&link.replace('&', "&amp;"));
    let text = format!("The document has moved <a href=\"{here}\">here</a>.");
    Response::apache(301, "Moved Permanently", &text).header("Location", link)
}

fn web(request: &Request) -> Response {
    let page =
        "<!DOCTYPE html>\n<html><head><title>Login</title></head><body>Sandbox</body></html>\n";
    let response = match (request.method.as_str(), request.path.as_str()) {
        ("POST", _) => Response::new(200, HTML, "Invalid request"),
        (_, "/crm/") => {
            let link = format!("http://{}/", request.host());
            Response::new(301, HTML, "").header("Location", link)
        }
        _ => Response::new(200, HTML, page),
    };
    let cookie = format!("PHPSESSID={}; path=/", random_hex(21));
    service_headers(response).header("Set-Cookie", cookie)
}
