//! HelloCloud's OAuth 2 server: who gets tokens, and which of them live.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::message::{Pairs, last, pair, quoted};
use super::super::{Request, Response, SECOND, jwt, random_hex, seconds};
use super::{HTML, HelloCloud, JSON};

/// An access token's lifetime, in seconds.
const ACCESS: i64 = 3600;
/// A refresh token's lifetime, in seconds: a month.
const REFRESH: i64 = 30 * 86_400;

/// The grants that begin a session.
const MACHINE: &str = "client_credentials";
const PASSWORD: &str = "password";

/// What one answer of the token endpoint gave: an access token and perhaps a refresh token.
pub(super) struct Login {
    client: &'static str,
    pub user: Option<&'static str>,
    access: String,
    pub access_end: i64,
    pub access_revoked: bool,
    refresh: Option<String>,
    refresh_end: i64,
    refresh_revoked: bool,
}

impl Login {
    pub fn end(&mut self) {
        self.access_revoked = true;
        self.refresh_revoked = true;
    }
}

impl HelloCloud {
    pub(super) fn token(&mut self, request: &Request) -> Answer<Response> {
        let fields = fields(request)?;
        let asked = last(&fields, "grant_type").unwrap_or_default();
        if ![MACHINE, PASSWORD, "refresh_token"].contains(&asked) {
            let text = "The authorization grant type is not supported by the authorization server.";
            let hint = "Check that all required parameters have been provided";
            return Err(refuse(400, "unsupported_grant_type", text, hint));
        }
        let mut response = match self.grant(asked, request, &fields) {
            Ok(answer) => {
                let media = "application/json; charset=UTF-8";
                let response = Response::new(200, media, answer.to_string());
                response.header("Cache-Control", "no-store").outcome("ok")
            }
            Err(refusal) => refusal,
        };
        response.asked = format!(" grant_type={asked}");
        Ok(response)
    }

    fn grant(&mut self, grant: &str, request: &Request, fields: &Pairs) -> Answer<Value> {
        let client = self.authenticate(grant, request, fields)?;
        let (id, own_user) = (client.id, client.user);
        // From the OAuth library's own texts; measured is only that any scope is refused.
        if last(fields, "scope").is_some_and(|scope| !scope.is_empty()) {
            let text = "The requested scope is invalid, unknown, or malformed";
            return Err(refuse(400, "invalid_scope", text, ""));
        }
        let user = match grant {
            MACHINE => own_user,
            PASSWORD => {
                let (name, password) = (must(fields, "username")?, must(fields, "password")?);
                Some(self.check(name, password)?)
            }
            _ => {
                let old = self.refreshable(must(fields, "refresh_token")?, id)?;
                old.end();
                old.user
            }
        };
        Ok(self.issue(grant != MACHINE, id, user))
    }

    /// Tokens for a person, or for a client by itself.
    fn issue(&mut self, person: bool, client: &'static str, user: Option<&'static str>) -> Value {
        let now = self.rules.now();
        let lifetime = self.rules.lifetime(ACCESS);
        let claim = |micros: i64| micros as f64 / SECOND as f64;
        let claims = json!({
            "aud": client, "jti": random_hex(80),
            "iat": claim(now), "nbf": claim(now), "exp": claim(now + lifetime),
            "sub": user.filter(|_| person).unwrap_or_default(), "scopes": [],
        });
        let access = jwt(&json!({"typ": "JWT", "alg": "RS256"}), &claims, 256);
        let mut answer = json!({
            "token_type": "Bearer", "expires_in": seconds(lifetime), "access_token": access,
        });
        let refresh = person.then(|| format!("def50200{}", random_hex(842)));
        if let Some(refresh) = &refresh {
            answer["refresh_token"] = json!(refresh);
        }
        self.logins.push(Login {
            client,
            user,
            access,
            access_end: now + lifetime,
            access_revoked: false,
            refresh,
            refresh_end: now + REFRESH * SECOND,
            refresh_revoked: false,
        });
        answer
    }

    fn refreshable(&mut self, token: &str, client: &str) -> Answer<&mut Login> {
        let now = self.rules.now();
        let mut logins = self.logins.iter_mut();
        let hint = match logins.find(|login| login.refresh.as_deref() == Some(token)) {
            None => "Cannot decrypt the refresh token",
            Some(login) if login.client != client => "Token is not linked to client",
            // From the OAuth library, not measured.
            Some(login) if login.refresh_end <= now => "Token has expired",
            Some(login) if login.refresh_revoked => "Token has been revoked",
            Some(login) => return Ok(login),
        };
        let text = "The refresh token is invalid.";
        Err(refuse(401, "invalid_request", text, hint))
    }

    pub(super) fn login(&mut self, access: &str) -> Option<&mut Login> {
        self.logins.iter_mut().find(|login| login.access == access)
    }

    /// The login that a call's access token stands for, or a hint at why there is none.
    pub(super) fn authorize(&mut self, request: &Request) -> Result<&mut Login, &'static str> {
        let header = request.header("authorization");
        let header = header.filter(|_| !self.surroundings.drops_authorization);
        let header = header.ok_or("Missing \"Authorization\" header")?;
        // `Bearer` in this spelling is cut off; any other word stays and spoils the token.
        let token = header.strip_prefix("Bearer ").unwrap_or(header);
        let [head, _, _] = token.split('.').collect::<Vec<_>>()[..] else {
            return Err("The JWT string must have two dots");
        };
        let Ok(head) = URL_SAFE_NO_PAD.decode(head) else {
            return Err("Error while decoding from Base64Url, invalid base64 characters detected");
        };
        if serde_json::from_slice::<Value>(&head).is_err() {
            return Err("Error while decoding from JSON");
        }
        let now = self.rules.now();
        match self.login(token).filter(|login| login.access_end > now) {
            Some(login) if login.access_revoked => Err("Access token has been revoked"),
            Some(login) => Ok(login),
            None => Err("Access token could not be verified"),
        }
    }

    fn authenticate(&self, grant: &str, request: &Request, fields: &Pairs) -> Answer<&Client> {
        let id = must(fields, "client_id")?;
        if id.is_empty() {
            let text = "Module id is empty when trying to get OAuth2Clients";
            return Err(unknown(text));
        }
        let mut clients = self.clients.iter();
        let Some(client) = clients.find(|client| client.id == id && !client.deleted) else {
            let text = format!("OAuth2Clients module with id {id} is not found");
            return Err(unknown(&text));
        };
        let may = match grant {
            MACHINE => client.machine && client.confidential,
            _ => !client.machine,
        };
        if may && last(fields, "client_secret") == Some(&client.secret) {
            return Ok(client);
        }
        let refusal = refuse(401, "invalid_client", "Client authentication failed", "");
        Err(match request.header("authorization") {
            Some(_) => refusal.header("WWW-Authenticate", "Basic realm=\"OAuth\""),
            None => refusal,
        })
    }

    /// An inactive user passes, as in the real one; the wrong password comes back in the answer.
    fn check(&self, name: &str, password: &str) -> Answer<&'static str> {
        let mut users = self.users.iter().filter(|user| !user.deleted);
        let text = match users.find(|user| user.name.eq_ignore_ascii_case(name)) {
            None => format!("No user found with this username: {name}"),
            Some(user) if user.password == password => return Ok(user.id),
            Some(_) => format!("The password is invalid: {password}"),
        };
        Err(unknown(&text))
    }
}

type Answer<T> = Result<T, Response>;

fn must<'a>(fields: &'a Pairs, name: &str) -> Answer<&'a str> {
    last(fields, name).ok_or_else(|| {
        let text = "The request is missing a required parameter, includes an invalid parameter \
                    value, includes a parameter more than once, or is otherwise malformed.";
        let hint = format!("Check the `{name}` parameter");
        refuse(400, "invalid_request", text, &hint)
    })
}

/// What SuiteCRM throws itself, wrong credentials among it, comes as a 500.
fn unknown(text: &str) -> Response {
    refuse(500, "unknown_error", text, "")
}

/// An OAuth 2 error as a real SuiteCRM words it; an empty hint is none.
pub(super) fn refuse(status: u16, error: &str, text: &str, hint: &str) -> Response {
    let mut body = json!({"error": error, "error_description": text});
    if !hint.is_empty() {
        body["hint"] = json!(hint);
    }
    body["message"] = json!(text);
    Response::new(status, JSON, body.to_string()).outcome(error)
}

/// The token request's parameters: HTTP Basic, and the body, which counts before it. Forms pass SuiteCRM's input
/// cleaning, JSON does not.
fn fields(request: &Request) -> Answer<Pairs> {
    let mut fields = basic(request).unwrap_or_default();
    let media = request.media_type();
    if media == JSON || media.ends_with("+json") {
        let body = request.json();
        for (name, value) in body.as_object().into_iter().flatten() {
            fields.extend(value.as_str().map(|value| (name.clone(), value.to_owned())));
        }
        return Ok(fields);
    }
    let tame = |b: u8| b.is_ascii_alphanumeric() || b"_-.[]".contains(&b);
    for (name, value) in request.form_pairs() {
        if !name.bytes().all(tame) {
            let host = request.host();
            let text = format!("Bad data passed in; <a href=\"http://{host}\">Return to Home</a>");
            return Err(Response::new(200, HTML, text));
        }
        fields.push((name, quoted(&value).replace('`', "&#096;")));
    }
    Ok(fields)
}

/// The scheme must be spelt `Basic`.
fn basic(request: &Request) -> Option<Pairs> {
    let text = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(vec![pair("client_id", id), pair("client_secret", secret)])
}

pub struct Client {
    pub(super) id: &'static str,
    /// As stored: what was typed into the admin pages is HTML-escaped.
    pub secret: String,
    /// Whether it logs in by itself instead of for a person.
    machine: bool,
    /// Id of the user whose rights it has then.
    user: Option<&'static str>,
    pub confidential: bool,
    pub deleted: bool,
}

pub struct User {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// As stored: what was typed into the admin pages is HTML-escaped.
    pub password: String,
    pub deleted: bool,
}

/// One of each kind that a real server treats differently: its kind, id and secret. The last one is the third as it is
/// stored where its secret was typed into the admin pages.
static CLIENTS: [&str; 7] = [
    "machine 11111111-1111-4111-8111-111111111111 sandbox-machine-client",
    "password 22222222-2222-4222-8222-222222222222 sandbox-password-client",
    "machine 33333333-3333-4333-8333-333333333333 s&e\"c<r>e't`%+ é:x",
    "userless 44444444-4444-4444-8444-444444444444 sandbox-userless-client",
    "public 55555555-5555-4555-8555-555555555555 sandbox-public-client",
    "password 66666666-6666-4666-8666-666666666666 sandbox-other-client",
    "machine 77777777-7777-4777-8777-777777777777 s&e&quot;c&lt;r&gt;e&#039;t&#096;%+ é:x",
];

pub(super) fn clients() -> Vec<Client> {
    let client = |row: &'static str| {
        let (kind, rest) = row.split_once(' ').unwrap_or_default();
        let (id, secret) = rest.split_once(' ').unwrap_or_default();
        Client {
            id,
            secret: secret.to_owned(),
            machine: kind != "password",
            user: (kind != "userless").then_some(ADMIN),
            confidential: kind != "public",
            deleted: false,
        }
    };
    CLIENTS.map(client).into()
}

/// Ids of the one administrator and the one inactive user.
pub(super) const ADMIN: &str = "1";
pub(super) const INACTIVE: &str = "aaaaaaaa-0000-4000-8000-000000000002";

pub(super) fn users() -> Vec<User> {
    let user = |id, name, password: &str| User {
        id,
        name,
        password: password.to_owned(),
        deleted: false,
    };
    let ana = "aaaaaaaa-0000-4000-8000-000000000001";
    vec![
        user(ADMIN, "admin", "Sandbox-Admin-1"),
        user(ana, "ana", "Sandbox-Ana-1"),
        user(INACTIVE, "gone", "Sandbox-Gone-1"),
    ]
}
