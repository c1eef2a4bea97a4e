//! HelloCloud, a SuiteCRM: its OAuth 2 server, with and without URL rewriting and below `/legacy`, and the
//! calls that tell whether a token lives.
//!
//! Statuses, hints and texts are those of a real SuiteCRM 7.14.6 unless a comment says otherwise.

mod records;
mod surroundings;
mod tokens;

use serde_json::{Value, json};

use super::message::HTML;
use super::{Account, Request, Response, Rules, System};
use records::{Record, invalid, modules};
pub use surroundings::{Broken, Paths, Surroundings, Workflow};
use tokens::{ADMIN, INACTIVE, Login, refuse};
pub use tokens::{Client, User};

/// The password grant is the default account: it shows a user and a refresh, which the other has not.
pub(super) const ACCOUNT: Account = &[
    "HELLOCLOUD_CLIENT_ID=22222222-2222-4222-8222-222222222222",
    "HELLOCLOUD_CLIENT_SECRET=sandbox-password-client",
    "HELLOCLOUD_USERNAME=ana",
    "HELLOCLOUD_PASSWORD=Sandbox-Ana-1",
    "HELLOCLOUD__MAQUINA__CLIENT_ID=11111111-1111-4111-8111-111111111111",
    "HELLOCLOUD__MAQUINA__CLIENT_SECRET=sandbox-machine-client",
];

const JSON: &str = "application/json";
const JSON_API: &str = "application/vnd.api+json";

pub struct HelloCloud {
    pub surroundings: Surroundings,
    rules: Rules,
    clients: Vec<Client>,
    users: Vec<User>,
    logins: Vec<Login>,
    records: Vec<Record>,
}

impl System for HelloCloud {
    fn new(rules: Rules) -> Self {
        Self {
            surroundings: Surroundings::default(),
            rules,
            clients: tokens::clients(),
            users: tokens::users(),
            logins: Vec::new(),
            records: vec![records::demo()],
        }
    }

    fn answer(&mut self, request: &Request) -> Response {
        let path = match self.surroundings.route(request) {
            Ok(path) => path,
            Err(page) => return page,
        };
        if let Some(death) = self.surroundings.death() {
            return death;
        }
        let mut response = self.api(request, path);
        self.surroundings.annotate(path, &mut response);
        response
    }
}

impl HelloCloud {
    /// A demo client, to be changed.
    pub fn client(&mut self, id: &str) -> &mut Client {
        let client = self.clients.iter_mut().find(|client| client.id == id);
        client.expect("a demo client")
    }

    /// A demo user, to be changed.
    pub fn user(&mut self, name: &str) -> &mut User {
        let user = self.users.iter_mut().find(|user| user.name == name);
        user.expect("a demo user")
    }

    /// Presses *Revoke* in the panel: the refresh token lives on.
    pub fn revoke(&mut self, access_token: &str) {
        if let Some(login) = self.login(access_token) {
            login.access_revoked = true;
        }
    }

    /// Deletes a session's row, which ends both tokens as its logout does.
    pub fn delete_session(&mut self, access_token: &str) {
        if let Some(login) = self.login(access_token) {
            login.end();
        }
    }

    /// No access token can be verified from here on.
    pub fn renew_keys(&mut self) {
        for login in &mut self.logins {
            login.access_end = 0;
        }
    }

    /// How many records of a module have this name.
    pub fn count(&self, module: &str, name: &str) -> usize {
        let found = |record: &&Record| record.module == module && record.attributes["name"] == name;
        self.records.iter().filter(found).count()
    }

    fn api(&mut self, request: &Request, path: &str) -> Response {
        let parts: Vec<&str> = path.split('/').collect();
        let allowed = match parts[..] {
            ["access_token"] | ["V8", "logout"] => "POST",
            ["V8", "module"] => "POST, PATCH",
            ["V8", "current-user"] | ["V8", "meta", "modules"] | ["V8", "module", _] => "GET",
            ["V8", "module", _, _] => "GET, DELETE",
            _ => return slim(request, 404, "Page Not Found", "Not found"),
        };
        // Slim serves HEAD from its GET routes.
        let method = request.method.replace("HEAD", "GET");
        if !allowed.split(", ").any(|allowed| allowed == method) {
            let text = format!("Method not allowed. Must be one of: {allowed}");
            return slim(request, 405, "Method not allowed", &text).header("Allow", allowed);
        }
        if path == "access_token" {
            return self.token(request).unwrap_or_else(|refusal| refusal);
        }
        let denied = "The resource owner or authorization server denied the request.";
        let login = match self.authorize(request) {
            Ok(login) => login,
            Err(hint) => return refuse(401, "access_denied", denied, hint),
        };
        let user = login.user;
        match path {
            "V8/logout" => {
                login.end();
                let meta = json!({"message": "You have been successfully logged out"});
                api(200, &json!({"meta": meta, "data": []}))
            }
            "V8/meta/modules" => api(200, &modules()),
            _ => match (self.acting(user), path) {
                (Ok(user), "V8/current-user") => api(200, &current(user)),
                (Err(detail), "V8/current-user") => invalid(JSON_API, &detail),
                (Err(detail), _) => invalid(JSON, &detail),
                (Ok(user), _) => {
                    let admin = user.id == ADMIN;
                    self.module(request, &parts[2..], admin)
                }
            },
        }
    }
}

/// Slim's own errors: JSON for whoever accepts JSON, else a page.
fn slim(request: &Request, status: u16, title: &str, text: &str) -> Response {
    let accepted = request.header("accept").unwrap_or_default();
    if accepted.contains("json") {
        let body = json!({"message": text});
        return Response::new(status, JSON, body.to_string());
    }
    let page = format!(
        "<html>\n    <head>\n        <title>{title}</title>\n    </head>\n    <body>\n        \
         <h1>{title}</h1>\n        <p>{text}</p>\n    </body>\n</html>"
    );
    Response::new(status, "text/html;charset=UTF-8", page)
}

fn api(status: u16, body: &Value) -> Response {
    Response::pretty(status, JSON_API, body).header("Accept", JSON_API)
}

/// The members of a real answer that tell who it is.
fn current(user: &User) -> Value {
    json!({"data": {
        "type": "User", "id": user.id,
        "attributes": {
            "id": user.id, "user_name": user.name, "first_name": "", "last_name": user.name,
            "full_name": user.name, "name": user.name, "date_entered": "11/28/2026 00:12",
            "is_admin": if user.id == ADMIN { "1" } else { "0" },
            "status": if user.id == INACTIVE { "Inactive" } else { "Active" },
            "deleted": "0",
        },
        "relationships": {},
    }})
}
