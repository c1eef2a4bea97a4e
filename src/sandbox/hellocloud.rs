//! HelloCloud, a SuiteCRM: its OAuth 2 server, with and without URL rewriting and below `/legacy`, and the
//! calls that tell whether a token lives.
//!
//! Statuses, hints and texts are those of a real SuiteCRM 7.14.6 unless a comment says otherwise.

mod accounts;
mod refusal;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::message::{Pairs, last};
use super::{Entry, Request, Response, Rules, SECOND, System, jwt, random_hex, seconds};
use accounts::{CLIENTS, Client, Grant, USERS, User};
use refusal::Refusal;

/// The password grant is the default account: it shows a user and a refresh, which the other has not.
pub(super) const ENTRY: Entry = Entry {
    id: "hellocloud",
    account: &[
        ("CLIENT_ID", "22222222-2222-4222-8222-222222222222"),
        ("CLIENT_SECRET", "sandbox-password-client"),
        ("USERNAME", "ana"),
        ("PASSWORD", "Sandbox-Ana-1"),
    ],
    more_accounts: &[
        ("MAQUINA", "CLIENT_ID", "11111111-1111-4111-8111-111111111111"),
        ("MAQUINA", "CLIENT_SECRET", "sandbox-machine-client"),
    ],
};

/// An access token's lifetime, in seconds.
const ACCESS: i64 = 3600;
/// A refresh token's lifetime, in seconds: a month.
const REFRESH: i64 = 30 * 86_400;

const JSON: &str = "application/json";
const JSON_API: &str = "application/vnd.api+json";
const HTML: &str = "text/html; charset=UTF-8";

/// What one answer of the token endpoint gave: an access token and perhaps a refresh token, dead together.
struct Login {
    client: &'static Client,
    user: Option<&'static User>,
    access_end: i64,
    refresh_end: i64,
    revoked: bool,
}

pub(super) struct HelloCloud {
    rules: Rules,
    logins: Vec<Login>,
    /// Indices into `logins`, by token.
    access: HashMap<String, usize>,
    refresh: HashMap<String, usize>,
}

impl System for HelloCloud {
    fn answer(&mut self, request: &Request) -> Response {
        let path = request.path.strip_prefix("/legacy").unwrap_or(&request.path);
        let Some(path) = path.strip_prefix("/Api/") else {
            return match request.path.as_str() {
                "/" | "/index.php" | "/legacy" | "/legacy/" => Response::new(200, HTML, PAGE),
                _ => Response::apache_not_found(),
            };
        };
        let path = path.strip_prefix("index.php/").unwrap_or(path);
        let allowed = match path {
            "access_token" | "V8/logout" => "POST",
            "V8/current-user" | "V8/meta/modules" => "GET",
            _ => return slim(request, 404, "Page Not Found", "Not found"),
        };
        // Slim serves HEAD from its GET routes.
        if request.method != allowed && !(allowed == "GET" && request.method == "HEAD") {
            let text = format!("Method not allowed. Must be one of: {allowed}");
            return slim(request, 405, "Method not allowed", &text).header("Allow", allowed);
        }
        if path == "access_token" {
            return self.token(request);
        }
        let login = match self.authorize(request) {
            Ok(login) => login,
            Err(hint) => return Refusal::denied(hint).into_response(),
        };
        match path {
            "V8/logout" => {
                self.logins[login].revoked = true;
                api(json!({
                    "meta": {"message": "You have been successfully logged out"},
                    "data": [],
                }))
            }
            "V8/meta/modules" => api(modules()),
            _ => match self.logins[login].user {
                Some(user) => api(current(user)),
                None => Response::pretty(
                    400,
                    JSON_API,
                    &json!({"errors": {
                        "status": 400,
                        "title": null,
                        "detail": "Module id is empty when trying to get Users",
                    }}),
                )
                .header("Accept", JSON_API),
            },
        }
    }
}

impl HelloCloud {
    pub fn new(rules: Rules) -> Self {
        Self { rules, logins: Vec::new(), access: HashMap::new(), refresh: HashMap::new() }
    }

    fn token(&mut self, request: &Request) -> Response {
        let fields = match fields(request) {
            Ok(fields) => fields,
            Err(response) => return response,
        };
        let grant = match last(&fields, "grant_type") {
            Some("client_credentials") => Grant::ClientCredentials,
            Some("password") => Grant::Password,
            Some("refresh_token") => Grant::Refresh,
            _ => return Refusal::grant_type().into_response(),
        };
        let mut response = match self.grant(grant, request, &fields) {
            Ok(answer) => Response::json(200, "application/json; charset=UTF-8", &answer)
                .header("Cache-Control", "no-store")
                .outcome("ok"),
            Err(refusal) => {
                let basic = refusal.status == 401
                    && refusal.error == "invalid_client"
                    && request.header("authorization").is_some();
                let response = refusal.into_response();
                match basic {
                    true => response.header("WWW-Authenticate", "Basic realm=\"OAuth\""),
                    false => response,
                }
            }
        };
        response.asked = format!(" grant_type={}", last(&fields, "grant_type").unwrap_or_default());
        response
    }

    fn grant(&mut self, grant: Grant, request: &Request, fields: &Pairs) -> Result<Value, Refusal> {
        let client = authenticate(grant, request, fields)?;
        // From the OAuth library's own texts; measured is only that any scope is refused.
        if last(fields, "scope").is_some_and(|scope| !scope.is_empty()) {
            return Err(Refusal::scope());
        }
        let user = match grant {
            Grant::ClientCredentials => client.user,
            Grant::Password => {
                let name = last(fields, "username").ok_or_else(|| Refusal::missing("username"))?;
                let password = last(fields, "password").ok_or_else(|| Refusal::missing("password"))?;
                Some(check(name, password)?)
            }
            Grant::Refresh => {
                let token = last(fields, "refresh_token").ok_or_else(|| Refusal::missing("refresh_token"))?;
                let old = self.refreshable(token, client)?;
                self.logins[old].revoked = true;
                self.logins[old].user
            }
        };
        Ok(self.issue(grant, client, user))
    }

    fn issue(&mut self, grant: Grant, client: &'static Client, user: Option<&'static User>) -> Value {
        let now = self.rules.now();
        let lifetime = self.rules.lifetime(ACCESS);
        let login = Login {
            client,
            user,
            access_end: now + lifetime,
            refresh_end: now + REFRESH * SECOND,
            revoked: false,
        };
        let id = random_hex(80);
        let claim = |micros: i64| micros as f64 / SECOND as f64;
        let subject = match grant {
            Grant::ClientCredentials => "",
            _ => user.map_or("", |user| user.id),
        };
        let access = jwt(
            &json!({"typ": "JWT", "alg": "RS256"}),
            &json!({
                "aud": client.id,
                "jti": id,
                "iat": claim(now),
                "nbf": claim(now),
                "exp": claim(login.access_end),
                "sub": subject,
                "scopes": [],
            }),
            256,
        );
        let mut answer = json!({
            "token_type": "Bearer",
            "expires_in": seconds(lifetime),
            "access_token": access,
        });
        let at = self.logins.len();
        self.access.insert(access, at);
        if grant != Grant::ClientCredentials {
            let refresh = format!("def50200{}", random_hex(842));
            answer["refresh_token"] = json!(refresh);
            self.refresh.insert(refresh, at);
        }
        self.logins.push(login);
        answer
    }

    fn refreshable(&self, token: &str, client: &Client) -> Result<usize, Refusal> {
        let Some(&at) = self.refresh.get(token) else {
            return Err(Refusal::refresh("Cannot decrypt the refresh token"));
        };
        let login = &self.logins[at];
        if login.client.id != client.id {
            Err(Refusal::refresh("Token is not linked to client"))
        } else if login.refresh_end <= self.rules.now() {
            // From the OAuth library, not measured.
            Err(Refusal::refresh("Token has expired"))
        } else if login.revoked {
            Err(Refusal::refresh("Token has been revoked"))
        } else {
            Ok(at)
        }
    }

    /// The login that a call's access token stands for, or why there is none.
    fn authorize(&self, request: &Request) -> Result<usize, &'static str> {
        const UNVERIFIED: &str = "Access token could not be verified";
        let header = request.header("authorization").ok_or("Missing \"Authorization\" header")?;
        // `Bearer` in this spelling is cut off; any other word stays and spoils the token.
        let token = header.strip_prefix("Bearer ").unwrap_or(header);
        let [head, _, _] = token.split('.').collect::<Vec<_>>()[..] else {
            return Err("The JWT string must have two dots");
        };
        let head = URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
        if serde_json::from_slice::<Value>(&head).is_err() {
            return Err("Error while decoding from JSON");
        }
        let &at = self.access.get(token).ok_or(UNVERIFIED)?;
        if self.logins[at].access_end <= self.rules.now() {
            return Err(UNVERIFIED);
        }
        match self.logins[at].revoked {
            true => Err("Access token has been revoked"),
            false => Ok(at),
        }
    }
}

/// The client that a token request comes from: its body counts before HTTP Basic.
fn authenticate(grant: Grant, request: &Request, fields: &Pairs) -> Result<&'static Client, Refusal> {
    let (basic_id, basic_secret) = basic(request).unzip();
    let id = last(fields, "client_id").map(str::to_owned).or(basic_id);
    let id = id.ok_or_else(|| Refusal::missing("client_id"))?;
    if id.is_empty() {
        let text = "Module id is empty when trying to get OAuth2Clients";
        return Err(Refusal::unknown(text.to_owned()));
    }
    let Some(client) = CLIENTS.iter().find(|client| client.id == id) else {
        let text = format!("OAuth2Clients module with id {id} is not found");
        return Err(Refusal::unknown(text));
    };
    let secret = last(fields, "client_secret").map(str::to_owned).or(basic_secret);
    let own_grant = client.grant == grant || (client.grant, grant) == (Grant::Password, Grant::Refresh);
    if secret.as_deref() == Some(client.secret) && own_grant && client.confidential {
        Ok(client)
    } else {
        Err(Refusal::client())
    }
}

/// The scheme must be spelt `Basic`.
fn basic(request: &Request) -> Option<(String, String)> {
    let text = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// An inactive user passes, as in the real one; the wrong password comes back in the answer.
fn check(name: &str, password: &str) -> Result<&'static User, Refusal> {
    let user = USERS.iter().find(|user| user.name.eq_ignore_ascii_case(name));
    let Some(user) = user else {
        return Err(Refusal::unknown(format!("No user found with this username: {name}")));
    };
    match user.password == password {
        true => Ok(user),
        false => Err(Refusal::unknown(format!("The password is invalid: {password}"))),
    }
}

/// The token request's parameters; forms pass SuiteCRM's input cleaning, JSON does not.
fn fields(request: &Request) -> Result<Pairs, Response> {
    let media = request.media_type();
    if media == JSON || media.ends_with("+json") {
        let body = request.json();
        let members = body.as_object().into_iter().flatten();
        return Ok(members
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect());
    }
    let pairs = request.form_pairs();
    let tame = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.[]".contains(&b));
    if pairs.iter().all(|(name, _)| tame(name)) {
        Ok(pairs.into_iter().map(|(name, value)| (name, clean(&value))).collect())
    } else {
        let text = format!("Bad data passed in; <a href=\"http://{}\">Return to Home</a>", request.host());
        Err(Response::new(200, HTML, text))
    }
}

fn clean(text: &str) -> String {
    text.replace('"', "&quot;")
        .replace('\'', "&#039;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('`', "&#096;")
}

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Login</title></head><body>Sandbox</body></html>\n";

/// Slim's own errors: JSON for whoever accepts JSON, else a page.
fn slim(request: &Request, status: u16, title: &str, text: &str) -> Response {
    if request.header("accept").unwrap_or_default().contains("json") {
        return Response::json(status, JSON, &json!({"message": text}));
    }
    let page = format!(
        "<html>\n    <head>\n        <title>{title}</title>\n    </head>\n    <body>\n        \
         <h1>{title}</h1>\n        <p>{text}</p>\n    </body>\n</html>"
    );
    Response::new(status, "text/html;charset=UTF-8", page)
}

fn api(body: Value) -> Response {
    Response::pretty(200, JSON_API, &body).header("Accept", JSON_API)
}

/// The members of a real answer that tell who it is.
fn current(user: &User) -> Value {
    let flag = |yes: bool| if yes { "1" } else { "0" };
    json!({"data": {
        "type": "User",
        "id": user.id,
        "attributes": {
            "id": user.id,
            "user_name": user.name,
            "first_name": "",
            "last_name": user.name,
            "full_name": user.name,
            "name": user.name,
            "is_admin": flag(user.admin),
            "status": if user.active { "Active" } else { "Inactive" },
            "deleted": "0",
        },
    }})
}

/// A few of the modules that every SuiteCRM has.
fn modules() -> Value {
    let access = ["access", "delete", "edit", "export", "import", "list", "massupdate", "view"];
    let attributes: Map<String, Value> = ["Accounts", "Calls", "Contacts", "Leads", "Opportunities"]
        .iter()
        .map(|name| ((*name).to_owned(), json!({"label": name, "access": access})))
        .collect();
    json!({"data": {"type": "modules", "attributes": attributes}})
}
