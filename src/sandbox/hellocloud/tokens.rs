//! HelloCloud's OAuth 2 server: who gets tokens, and which of them live.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::message::{Pairs, last};
use super::super::{Request, Response, SECOND, jwt, random_hex, seconds};
use super::accounts::{Client, Grant};
use super::refusal::Refusal;
use super::{HTML, HelloCloud, JSON};

/// An access token's lifetime, in seconds.
const ACCESS: i64 = 3600;
/// A refresh token's lifetime, in seconds: a month.
const REFRESH: i64 = 30 * 86_400;

/// What one answer of the token endpoint gave: an access token and perhaps a refresh token.
pub(super) struct Login {
    client: &'static str,
    pub user: Option<&'static str>,
    pub access: String,
    access_end: i64,
    pub access_revoked: bool,
    refresh: Option<String>,
    refresh_end: i64,
    pub refresh_revoked: bool,
    /// Which of the server's keys the access token is signed with.
    keys: u32,
}

impl Login {
    pub fn end(&mut self) {
        self.access_revoked = true;
        self.refresh_revoked = true;
    }
}

impl HelloCloud {
    pub(super) fn token(&mut self, request: &Request) -> Response {
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
            Ok(answer) => Response::new(200, "application/json; charset=UTF-8", answer.to_string())
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
        response.asked = format!(
            " grant_type={}",
            last(&fields, "grant_type").unwrap_or_default()
        );
        response
    }

    fn grant(&mut self, grant: Grant, request: &Request, fields: &Pairs) -> Result<Value, Refusal> {
        let client = self.authenticate(grant, request, fields)?;
        let (id, own_user) = (client.id, client.user);
        // From the OAuth library's own texts; measured is only that any scope is refused.
        if last(fields, "scope").is_some_and(|scope| !scope.is_empty()) {
            return Err(Refusal::scope());
        }
        let user = match grant {
            Grant::ClientCredentials => own_user,
            Grant::Password => {
                let name = last(fields, "username").ok_or_else(|| Refusal::missing("username"))?;
                let password =
                    last(fields, "password").ok_or_else(|| Refusal::missing("password"))?;
                Some(self.check(name, password)?)
            }
            Grant::Refresh => {
                let token = last(fields, "refresh_token")
                    .ok_or_else(|| Refusal::missing("refresh_token"))?;
                let old = self.refreshable(token, id)?;
                old.end();
                old.user
            }
        };
        Ok(self.issue(grant, id, user))
    }

    fn issue(&mut self, grant: Grant, client: &'static str, user: Option<&'static str>) -> Value {
        let now = self.rules.now();
        let lifetime = self.rules.lifetime(ACCESS);
        let claim = |micros: i64| micros as f64 / SECOND as f64;
        let access = jwt(
            &json!({"typ": "JWT", "alg": "RS256"}),
            &json!({
                "aud": client,
                "jti": random_hex(80),
                "iat": claim(now),
                "nbf": claim(now),
                "exp": claim(now + lifetime),
                "sub": user.filter(|_| grant != Grant::ClientCredentials).unwrap_or_default(),
                "scopes": [],
            }),
            256,
        );
        let mut answer = json!({
            "token_type": "Bearer",
            "expires_in": seconds(lifetime),
            "access_token": access,
        });
        let refresh =
            (grant != Grant::ClientCredentials).then(|| format!("def50200{}", random_hex(842)));
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
            keys: self.keys,
        });
        answer
    }

    fn refreshable(&mut self, token: &str, client: &str) -> Result<&mut Login, Refusal> {
        let now = self.rules.now();
        let mut logins = self.logins.iter_mut();
        let found = logins.find(|login| login.refresh.as_deref() == Some(token));
        let login = found.ok_or_else(|| Refusal::refresh("Cannot decrypt the refresh token"))?;
        if login.client != client {
            Err(Refusal::refresh("Token is not linked to client"))
        } else if login.refresh_end <= now {
            // From the OAuth library, not measured.
            Err(Refusal::refresh("Token has expired"))
        } else if login.refresh_revoked {
            Err(Refusal::refresh("Token has been revoked"))
        } else {
            Ok(login)
        }
    }

    /// The login that a call's access token stands for, or why there is none.
    pub(super) fn authorize(&mut self, request: &Request) -> Result<&mut Login, &'static str> {
        const UNVERIFIED: &str = "Access token could not be verified";
        let header = request
            .header("authorization")
            .filter(|_| !self.surroundings.drops_authorization);
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
        let (now, keys) = (self.rules.now(), self.keys);
        let mut logins = self.logins.iter_mut();
        let login = logins
            .find(|login| login.access == token)
            .ok_or(UNVERIFIED)?;
        if login.access_end <= now || login.keys != keys {
            return Err(UNVERIFIED);
        }
        match login.access_revoked {
            true => Err("Access token has been revoked"),
            false => Ok(login),
        }
    }

    /// The client that a token request comes from: its body counts before HTTP Basic.
    fn authenticate(
        &self,
        grant: Grant,
        request: &Request,
        fields: &Pairs,
    ) -> Result<&Client, Refusal> {
        let (basic_id, basic_secret) = basic(request).unzip();
        let id = last(fields, "client_id").map(str::to_owned).or(basic_id);
        let id = id.ok_or_else(|| Refusal::missing("client_id"))?;
        if id.is_empty() {
            let text = "Module id is empty when trying to get OAuth2Clients";
            return Err(Refusal::unknown(text.to_owned()));
        }
        let mut clients = self.clients.iter();
        let Some(client) = clients.find(|client| client.id == id && !client.deleted) else {
            let text = format!("OAuth2Clients module with id {id} is not found");
            return Err(Refusal::unknown(text));
        };
        let secret = last(fields, "client_secret")
            .map(str::to_owned)
            .or(basic_secret);
        let own_grant =
            client.grant == grant || (client.grant, grant) == (Grant::Password, Grant::Refresh);
        let may = own_grant && (client.confidential || grant != Grant::ClientCredentials);
        match secret.as_ref() == Some(&client.secret) && may {
            true => Ok(client),
            false => Err(Refusal::client()),
        }
    }

    /// An inactive user passes, as in the real one; the wrong password comes back in the answer.
    fn check(&self, name: &str, password: &str) -> Result<&'static str, Refusal> {
        let mut users = self.users.iter().filter(|user| !user.deleted);
        let found = users.find(|user| user.name.eq_ignore_ascii_case(name));
        let Some(user) = found else {
            return Err(Refusal::unknown(format!(
                "No user found with this username: {name}"
            )));
        };
        match user.password == password {
            true => Ok(user.id),
            false => Err(Refusal::unknown(format!(
                "The password is invalid: {password}"
            ))),
        }
    }
}

/// The scheme must be spelt `Basic`.
fn basic(request: &Request) -> Option<(String, String)> {
    let text = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
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
    let tame = |name: &str| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.[]".contains(&b))
    };
    if pairs.iter().all(|(name, _)| tame(name)) {
        Ok(pairs
            .into_iter()
            .map(|(name, value)| (name, clean(&value)))
            .collect())
    } else {
        let text = format!(
            "Bad data passed in; <a href=\"http://{}\">Return to Home</a>",
            request.host()
        );
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
