//! Gluocrm, a vtiger CRM: `webservice.php` at the root and in every folder, `/` and `/crm/` the web interface.
//!
//! Spellings, codes, statuses and field orders are those of a real vtiger 8.0 unless a comment says otherwise.

mod users;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::secret::md5_hex;

use super::message::{Pairs, last};
use super::{Entry, Request, Response, Rules, SECOND, System, random_hex};
use users::{User, escape, find, markup};

pub(super) const ENTRY: Entry = Entry {
    id: "gluo",
    account: &[("USERNAME", "admin"), ("ACCESS_KEY", "SandboxAdminKey")],
    more_accounts: &[],
};

/// How long a challenge lives, in seconds.
const CHALLENGE: i64 = 300;
/// PHP's garbage collection: how long a session lives unused, in seconds.
const IDLE: i64 = 24 * 60;

pub(super) struct Gluo {
    rules: Rules,
    /// By user id: the challenge and its end. A new one replaces the old one.
    challenges: HashMap<&'static str, (String, i64)>,
    /// By session name: the user and the last use.
    sessions: HashMap<String, (&'static User, i64)>,
}

impl System for Gluo {
    fn answer(&mut self, request: &Request) -> Response {
        match request.path.as_str() {
            path if path.ends_with("/webservice.php") => self.service(request),
            "/crm" => folder(request),
            "/" | "/crm/" => web(request),
            _ => Response::apache_not_found(),
        }
    }
}

impl Gluo {
    pub fn new(rules: Rules) -> Self {
        Self { rules, challenges: HashMap::new(), sessions: HashMap::new() }
    }

    fn service(&mut self, request: &Request) -> Response {
        let query = request.query_pairs();
        let body = match request.method.as_str() {
            "POST" => request.form_pairs(),
            _ => Pairs::new(),
        };
        let either = |name: &str| last(&body, name).or_else(|| last(&query, name)).unwrap_or_default();
        let operation = either("operation").to_ascii_lowercase();
        let session = either("sessionName");
        let Some((_, call)) = OPERATIONS.iter().find(|(name, _)| *name == operation) else {
            return crash(false);
        };
        let asked = format!(" operation={operation}");
        let mut response = if !matches!(either("format").to_ascii_lowercase().as_str(), "" | "json") {
            service_headers(Response::new(500, "application/json", ""))
        } else {
            // Which half of the request counts is the operation's own affair, as in vtiger.
            match call {
                Call::Challenge | Call::Login if !session.is_empty() && !self.touch(session) => {
                    Answer::Error(DEAD_SESSION).into_response()
                }
                Call::Challenge => self.challenge(&query).into_response(),
                Call::Login => self.login(&body).into_response(),
                Call::Extend if last(&body, "operation").is_none() => {
                    Answer::Error(NO_SESSION).into_response()
                }
                Call::Extend => self.extend(session).into_response(),
                Call::Types | Call::Logout if session.is_empty() => Answer::Error(NO_SESSION).into_response(),
                Call::Types | Call::Logout if !self.touch(session) => {
                    Answer::Error(DEAD_SESSION).into_response()
                }
                Call::Types => Answer::Result(types()).into_response(),
                // vtiger 8.0 under PHP 8 falls over its own logout, and the session lives on.
                Call::Logout => crash(true),
            }
        };
        response.asked = asked;
        response
    }

    fn challenge(&mut self, query: &Pairs) -> Answer {
        let name = last(query, "username").unwrap_or_default();
        if name.is_empty() {
            return Answer::Error(("ACCESS_DENIED", "No username given"));
        }
        let Some(user) = find(name) else {
            return Answer::Error(("ACCESS_DENIED", "username does not exists"));
        };
        let token = random_hex(13);
        let now = self.rules.now();
        let end = now + CHALLENGE * SECOND;
        self.challenges.insert(user.id, (token.clone(), end));
        Answer::Result(json!({
            "token": token,
            "serverTime": now / SECOND,
            "expireTime": end / SECOND,
        }))
    }

    fn login(&mut self, body: &Pairs) -> Answer {
        let user = find(last(body, "username").unwrap_or_default());
        let now = self.rules.now();
        let live = user.and_then(|user| {
            let (token, end) = self.challenges.get(user.id)?;
            (*end > now).then_some((user, token))
        });
        let Some((user, token)) = live else {
            return Answer::Error(("INVALID_AUTH_TOKEN", "Specified token is invalid or expired"));
        };
        let Some(key) = user.key else {
            return Answer::Error(("ACCESSKEY_UNDEFINED", "Access key for the user is undefined"));
        };
        let hash = md5_hex(&[token, key]);
        if last(body, "accessKey") != Some(hash.expose()) || !user.active {
            return Answer::Error(("INVALID_USER_CREDENTIALS", "Invalid username or password"));
        }
        let session = random_hex(21);
        self.sessions.insert(session.clone(), (user, now));
        let on = if user.admin { "on" } else { "off" };
        Answer::Result(json!({
            "username": escape(user.name),
            "first_name": escape(user.names.0),
            "last_name": escape(user.names.1),
            "email": user.email,
            "time_zone": "UTC",
            "hour_format": "24",
            "date_format": "yyyy-mm-dd",
            "is_admin": on,
            "call_duration": "5",
            "other_event_duration": "5",
            "sessionName": session,
            "userId": user.id,
            "version": "0.22",
            "vtigerVersion": "8.0.0",
        }))
    }

    fn extend(&mut self, session: &str) -> Answer {
        if !self.touch(session) {
            return Answer::Error(("AUTHENTICATION_FAILURE", "Authencation Failed"));
        }
        let user = self.sessions[session].0;
        Answer::Result(json!({
            "sessionName": session,
            "userId": user.id,
            "version": "0.22",
            "vtigerVersion": "8.0.0",
        }))
    }

    /// Whether the session lives; a live one has been used from here on.
    fn touch(&mut self, session: &str) -> bool {
        let (now, idle) = (self.rules.now(), self.rules.lifetime(IDLE));
        self.sessions.retain(|_, (_, used)| now - *used < idle);
        match self.sessions.get_mut(session) {
            Some((_, used)) => *used = now,
            None => return false,
        }
        true
    }
}

enum Call {
    Challenge,
    Login,
    Types,
    Extend,
    Logout,
}

static OPERATIONS: [(&str, Call); 5] = [
    ("getchallenge", Call::Challenge),
    ("login", Call::Login),
    ("listtypes", Call::Types),
    ("extendsession", Call::Extend),
    ("logout", Call::Logout),
];

type ServiceError = (&'static str, &'static str);
const NO_SESSION: ServiceError = ("AUTHENTICATION_REQUIRED", "Authencation required");
const DEAD_SESSION: ServiceError = ("INVALID_SESSIONID", "Session Identifier provided is Invalid");

enum Answer {
    Result(Value),
    /// Code and message.
    Error(ServiceError),
}

impl Answer {
    /// Its own errors are HTTP 200 too.
    fn into_response(self) -> Response {
        let (body, outcome) = match self {
            Self::Result(result) => (json!({"success": true, "result": result}), "ok"),
            Self::Error((code, message)) => {
                (json!({"success": false, "error": {"message": message, "code": code}}), code)
            }
        };
        service_headers(Response::json(200, "application/json", &body)).outcome(outcome)
    }
}

fn service_headers(response: Response) -> Response {
    response.header("Cache-Control", "no-store, no-cache, must-revalidate")
}

/// PHP stopped in mid-air; `late` when the service had already begun its answer.
fn crash(late: bool) -> Response {
    let mut response = Response::new(500, "text/html; charset=UTF-8", "");
    if late {
        response = service_headers(response);
    }
    response.http10 = true;
    response
}

/// Apache adds the slash that a folder wants.
fn folder(request: &Request) -> Response {
    let query = match request.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let link = format!("http://{}/crm/{query}", request.host());
    let text = format!("The document has moved <a href=\"{}\">here</a>.", markup(&link));
    Response::apache(301, "301 Moved Permanently", &text).header("Location", link)
}

fn web(request: &Request) -> Response {
    let html = "text/html; charset=UTF-8";
    let response = match (request.method.as_str(), request.path.as_str()) {
        ("POST", _) => Response::new(200, html, "Invalid request"),
        (_, "/crm/") => {
            Response::new(301, html, "").header("Location", format!("http://{}/", request.host()))
        }
        _ => Response::new(
            200,
            html,
            "<!DOCTYPE html>\n<html><head><title>Login</title></head><body>Sandbox</body></html>\n",
        ),
    };
    let cookie = format!("PHPSESSID={}; path=/", random_hex(21));
    service_headers(response).header("Set-Cookie", cookie)
}

/// A few of the modules that every vtiger has.
fn types() -> Value {
    const MODULES: [(&str, &str, &str); 5] = [
        ("Leads", "Leads", "Lead"),
        ("Accounts", "Organizations", "Organization"),
        ("Contacts", "Contacts", "Contact"),
        ("Potentials", "Opportunities", "Opportunity"),
        ("HelpDesk", "Tickets", "Ticket"),
    ];
    let names: Vec<&str> = MODULES.iter().map(|(name, _, _)| *name).collect();
    let information: serde_json::Map<String, Value> = MODULES
        .iter()
        .map(|(name, label, singular)| {
            let about = json!({"isEntity": true, "label": label, "singular": singular});
            ((*name).to_owned(), about)
        })
        .collect();
    json!({"types": names, "information": information})
}
