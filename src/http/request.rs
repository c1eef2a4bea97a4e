//! A request: what is sent, and what its loss may mean.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::header::{self, ACCEPT, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use url::{Position, Url};

use super::connect::Route;
use super::proxy_url::ProxyUrl;
use super::response::host_of;
use super::stream::{Part, Payload};
use crate::error::{Result, error};
use crate::i18n::{Text, tr};
use crate::secret::{BLANK, Secret};

/// Whether a method changes nothing, so that a request may be sent again whatever became of it.
pub fn is_harmless(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A request to a target's server.
#[must_use]
pub struct Request {
    pub(super) method: Method,
    pub url: Url,
    pub(super) headers: Vec<(HeaderName, Secret)>,
    body: Vec<Part>,
    /// What comes after that while it is sent, and can be sent once.
    pub(super) stream: Option<Cell<Option<Incoming>>>,
    /// When the last part of a body that comes while it is sent was sent.
    moved: Arc<Mutex<Instant>>,
    /// Somebody else's headers, to which nothing is added but `headers`.
    pub(super) passed: Option<HeaderMap>,
    pub(super) secrets: Vec<Secret>,
    pub(super) effect: Effect,
}

/// The effect that a request may have had if its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Login,
    Logout,
    /// Whatever the user's own request asked for.
    Change,
    None,
    /// None, and it carries no secret, so that it may be repeated.
    Question,
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Vec::new(),
            stream: None,
            moved: Arc::new(Mutex::new(Instant::now())),
            passed: None,
            secrets: Vec::new(),
            effect: Effect::Login,
        }
    }

    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST of a body; `secrets` are the secret values in it.
    pub fn post(url: Url, content_type: &str, body: Secret, secrets: &[Secret]) -> Self {
        let mut request = Self::new(Method::POST, url)
            .header(header::CONTENT_TYPE, Secret::new(content_type.to_owned()))
            .parts(vec![Part::bytes(body.expose())]);
        request.secrets = secrets.to_vec();
        request
    }

    pub fn header(mut self, name: HeaderName, value: Secret) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A body in parts, of which files are read as they are sent.
    pub fn parts(mut self, parts: Vec<Part>) -> Self {
        self.body = parts;
        self
    }

    /// The body's bytes, where they are at hand.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.body[..] {
            [Part::Bytes(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Passes somebody else's headers and body on as they are.
    pub fn pass(mut self, headers: HeaderMap, body: Bytes) -> Self {
        self.body = vec![Part::Bytes(body)];
        self.passed = Some(headers);
        self
    }

    /// Passes headers on and a body as it comes, of which a part was read before.
    pub fn stream(mut self, headers: HeaderMap, read: Bytes, rest: Incoming) -> Self {
        self.stream = Some(Cell::new(Some(rest)));
        self.pass(headers, read)
    }

    /// Its path, as people may see it: a secret that is a part of it may be too short to be looked for in a sentence.
    pub(super) fn path(&self) -> String {
        let is_secret = |part: &str| {
            let is = |secret: &Secret| percent_decode_str(part).eq(secret.expose().bytes());
            !part.is_empty() && self.secrets.iter().any(is)
        };
        let shown = |part| if is_secret(part) { BLANK } else { part };
        let parts: Vec<&str> = self.url.path().split('/').map(shown).collect();
        parts.join("/")
    }

    /// The time until which an answer is waited for while a body is on its way: `patience` after its last part.
    pub(super) fn extension(&self, patience: Duration) -> Option<Instant> {
        let moves = self.stream.is_some() || self.bytes().is_none() && !self.body.is_empty();
        moves.then_some(*self.moved.lock().ok()? + patience)
    }

    /// Asks every cache on the way for the server's own answer.
    pub fn no_cache(self) -> Self {
        self.header(header::CACHE_CONTROL, Secret::new("no-cache".to_owned()))
    }

    pub fn accept(mut self, media_type: &str) -> Self {
        // Before all but the body's type, so that the order of calls changes no byte on the wire.
        let place = usize::from(!self.body.is_empty());
        self.headers
            .insert(place, (ACCEPT, Secret::new(media_type.to_owned())));
        self
    }

    pub fn bearer(self, token: &Secret) -> Self {
        self.secret(token)
            .header(header::AUTHORIZATION, bearer(token))
    }

    /// Names a secret that is in the URL.
    pub fn secret(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Whether it may change something of the user's.
    pub fn changes(&self) -> bool {
        self.effect == Effect::Change
    }

    /// Says what effect the request may have had if its answer is lost; the default is a login.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Whether it does no harm if it is sent twice, so that it may go over a connection that the server may have left.
    pub(super) fn harmless(&self, login_is_repeatable: bool) -> bool {
        match self.effect {
            Effect::Login => login_is_repeatable || self.secrets.is_empty(),
            Effect::Change => is_harmless(&self.method),
            Effect::Logout => false,
            Effect::None | Effect::Question => true,
        }
    }

    /// The end of a sentence about a lost answer.
    pub(super) fn doubt(&self) -> Text {
        match self.effect {
            Effect::Login if !self.secrets.is_empty() => tr!("; the login may have taken effect"),
            Effect::Logout => tr!("; the logout may have taken effect"),
            Effect::Change => tr!("; the request may have taken effect"),
            _ => Text::default(),
        }
    }

    /// The request as it is sent by a route. What comes while it is sent is taken.
    pub(super) fn prepare(&self, route: &Route) -> Result<hyper::Request<Payload>> {
        let mut headers = self.passed.clone().unwrap_or_default();
        for (name, value) in &self.headers {
            headers.append(name, sensitive(value)?);
        }
        if self.passed.is_none() {
            let agent = concat!("crmauth/", env!("CARGO_PKG_VERSION"));
            for (name, ours) in [(ACCEPT, "application/json"), (header::USER_AGENT, agent)] {
                let ours = HeaderValue::from_static(ours);
                headers.entry(name).or_insert(ours);
            }
        }
        let plain = |proxy: &&ProxyUrl| proxy.is_http() && self.url.scheme() == "http";
        let proxy = route.proxy.as_ref().filter(plain);
        let target = match proxy {
            Some(_) => &self.url[..Position::AfterQuery],
            None => &self.url[Position::BeforePath..Position::AfterQuery],
        };
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.as_ref()) {
            headers.append(header::PROXY_AUTHORIZATION, sensitive(authorization)?);
        }
        let host = HeaderValue::try_from(host_of(&self.url));
        let (Ok(uri), Ok(host)) = (target.parse::<Uri>(), host) else {
            return Err(
                error!(BadSetting: "the URL is too long, or has a character that no request can carry"),
            );
        };
        headers.entry(header::HOST).or_insert(host);
        let rest = self.stream.as_ref().and_then(Cell::take);
        let body = Payload::new(&self.body, rest, &self.moved);
        let mut request = hyper::Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(["Bearer ", token.expose()].concat())
}

/// A header that many requests carry.
pub fn authorization(token: &Secret) -> Result<HeaderValue> {
    sensitive(&bearer(token))
}

fn sensitive(value: &Secret) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose()).map_err(
        |_| error!(BadToken: "the token has a character that is not allowed in a header"),
    )?;
    value.set_sensitive(true);
    Ok(value)
}
