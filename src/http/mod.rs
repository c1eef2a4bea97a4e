//! The one place that names the HTTP client, this file and its folder: what is sent how often, to whom, how
//! long it may take and how much may come back.

mod clients;
mod failure;
pub mod header;
pub mod json;
mod passage;
pub mod response;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderValue, LOCATION,
    RETRY_AFTER,
};
use tokio::time::Instant;
use url::{Host, Url};

use crate::declaration::{BaseUrl, Target};
use crate::error::{Cause, Error, Result};
use crate::http::response::Response;
use crate::i18n::{Text, tr};
use crate::report::Report;
use crate::secret::Secret;
use clients::{Route, is_private, is_public, until};
use failure::{Again, Failure, explain};
use header::{asks_for_password, bearer_header, host_of, http_date, location, retry_after, text_header};

pub use clients::{Http, Proxies};
pub use passage::{Call, Stream};

/// The largest answer to a login, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;
/// How often a request that carries no secret is repeated.
const CHALLENGE_REPEATS: u32 = 2;
/// The shortest pause before a repetition; jitter adds up to as much again, and each pause doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// A request of a protocol step.
pub struct Request {
    post: Option<(&'static str, Secret)>,
    url: Url,
    accept: Option<&'static str>,
    bearer: Option<Secret>,
    secrets: Vec<Secret>,
    repeatable: bool,
    no_cache: bool,
    effect: Effect,
}

/// What may have happened on the server where its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Login,
    Logout,
    /// Nothing.
    None,
}

impl Request {
    pub fn get(url: Url) -> Self {
        Self {
            post: None,
            url,
            accept: None,
            bearer: None,
            secrets: Vec::new(),
            repeatable: false,
            no_cache: false,
            effect: Effect::Login,
        }
    }

    /// A POST of a body; `secrets` are the secret values in it.
    pub fn post(url: Url, content_type: &'static str, body: Secret, secrets: &[Secret]) -> Self {
        Self { post: Some((content_type, body)), secrets: secrets.to_vec(), ..Self::get(url) }
    }

    /// Asks every cache on the way for the server's own answer.
    #[must_use]
    pub fn no_cache(mut self) -> Self {
        self.no_cache = true;
        self
    }

    /// Asks for another type than `application/json`.
    #[must_use]
    pub fn accept(mut self, media_type: &'static str) -> Self {
        self.accept = Some(media_type);
        self
    }

    /// Sends `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(mut self, token: &Secret) -> Self {
        self.secrets.push(token.clone());
        self.bearer = Some(token.clone());
        self
    }

    /// Names a secret that the URL holds.
    #[must_use]
    pub fn secret(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Says what may have happened on the server where the answer is lost; unless told otherwise, a login.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Marks a request that carries no secret and changes nothing that matters, so that it may be repeated.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

/// A target's way to its server: its origin and no other, until its deadline.
pub struct Channel<'a> {
    /// The run's clients.
    pub http: &'a Http,
    /// Where requests are traced and secrets are learnt.
    pub report: &'a Report,
    pub target: &'a Target,
    /// The target's base URL.
    pub url: &'a BaseUrl,
    pub allow_http: bool,
    pub allow_proxy: bool,
    /// When the whole login must be done.
    pub deadline: Instant,
    /// The time-out in seconds, for messages.
    pub timeout: Duration,
}

impl Channel<'_> {
    /// Sends a request and reads the whole answer. What carries a secret is sent once; again only where no byte
    /// had left, or where a 429 names a wait that fits. A challenge is repeated where the answer was lost.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        request.secrets.iter().for_each(|secret| self.report.learn(secret));
        self.same_origin(&request.url)?;
        let route = self.route(&request.url)?;
        let mut connects = 0;
        let mut repeats = 0;
        let mut waited = false;
        loop {
            let outcome = self.once(request, &route).await;
            let pause = match &outcome {
                Err(Failure { again: Again::NothingSent, .. }) if connects == 0 => {
                    connects += 1;
                    jittered(PAUSE)
                }
                Ok(Response { status: 429, retry_after: Some(seconds), .. }) if !waited => {
                    waited = true;
                    Duration::from_secs(*seconds)
                }
                // Kept once; whoever named a wait is not asked more often than that.
                Ok(Response { status: 429, retry_after: Some(_), .. }) => {
                    return outcome.map_err(|failure| failure.error);
                }
                Ok(Response { status: 429 | 502..=504, .. }) | Err(Failure { again: Again::Lost, .. })
                    if request.repeatable && repeats < CHALLENGE_REPEATS =>
                {
                    let pause = PAUSE * 2u32.pow(repeats);
                    repeats += 1;
                    jittered(pause)
                }
                _ => return outcome.map_err(|failure| failure.error),
            };
            let error = outcome.as_ref().err().map(|failure| &failure.error);
            if !self.waits(pause, error).await {
                return outcome.map_err(|failure| failure.error);
            }
        }
    }

    /// Waits before another try, where the time that is left allows for both. Half a try to connect would be none.
    async fn waits(&self, pause: Duration, error: Option<&Error>) -> bool {
        let connects = error.is_some_and(|error| error.cause == Cause::ConnectTimeout);
        let needed = if connects { self.http.connect_limit } else { Duration::ZERO };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if pause.saturating_add(needed) >= left {
            return false;
        }
        self.report.note(Some(self.target), tr!("asking again in {wait} ms", wait = pause.as_millis()));
        tokio::time::sleep(pause).await;
        true
    }

    /// Judges before anything is sent whether credentials may go to the target's URL; a request judges it again, by the
    /// address that it connects to.
    pub async fn admits(&self) -> Result<()> {
        let url = self.url.join("");
        if let (Route::PlainPrivate, Some(Host::Domain(name))) = (self.route(&url)?, url.host())
            && let Ok(true) = tokio::time::timeout(self.http.connect_limit, is_public(name)).await
        {
            return Err(public_http(&host_of(&url), self.target));
        }
        Ok(())
    }

    fn same_origin(&self, url: &Url) -> Result<()> {
        if url.origin().ascii_serialization() == self.url.origin() {
            return Ok(());
        }
        Err(Error::new(Cause::Usage, tr!("the request would leave the target's origin"))
            .hint(tr!("a session goes to the server that it is for and to no other")))
    }

    fn warn_of_plain_text(&self, url: &Url, response: &reqwest::Response, host: &str, route: &Route) {
        // Behind a proxy the peer tells nothing about the way from there.
        let local = match (route, url.host()) {
            (Route::PlainProxied(_), Some(Host::Ipv4(ip))) => ip.is_loopback(),
            (Route::PlainProxied(_), Some(Host::Ipv6(ip))) => ip.is_loopback(),
            (Route::PlainProxied(_), _) => false,
            _ => response.remote_addr().is_none_or(|peer| peer.ip().to_canonical().is_loopback()),
        };
        if url.scheme() == "http" && !local {
            let text = tr!(
                "http://{host} is not encrypted: whoever shares the network can read the credentials",
                host
            );
            self.report.warn(Some(self.target), text);
        }
    }

    fn too_late(&self, host: &str, doubt: &Text) -> Error {
        let seconds = self.timeout.as_secs_f64();
        Error::new(
            Cause::Timeout,
            tr!("no answer from {host} within {seconds} s{doubt}", host, seconds, doubt),
        )
    }

    fn route(&self, url: &Url) -> Result<Route> {
        let host = host_of(url);
        if url.scheme() == "https" {
            return Ok(self.http.proxy_for(url)?.map_or(Route::Tls, Route::TlsProxied));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        if !self.allow_http && literal.is_some_and(|ip| !is_private(ip)) {
            return Err(public_http(&host, self.target));
        }
        if self.allow_proxy
            && let Some(proxy) = self.http.proxy_for(url)?
        {
            if !self.allow_http && literal.is_none() {
                let message =
                    tr!("http:// to {host} through a proxy cannot be checked for a private address", host);
                return Err(Error::new(Cause::BadSetting, message).hint(tr!(
                    "use https://, or set {variable}=1 as well",
                    variable = self.target.variable("ALLOW_HTTP")
                )));
            }
            return Ok(Route::PlainProxied(proxy));
        }
        Ok(if self.allow_http { Route::Plain } else { Route::PlainPrivate })
    }

    /// One try.
    async fn once(&self, request: &Request, route: &Route) -> std::result::Result<Response, Failure> {
        let started = Instant::now();
        let work = self.exchange(request, route);
        let outcome = match until(self.deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure {
                error: self.too_late(&host_of(&request.url), &may_have_worked(request)),
                again: Again::Never,
            }),
        };
        let what = match &outcome {
            Ok(answer) => {
                tr!("HTTP {status}, {length} bytes", status = answer.status, length = answer.body.len())
            }
            Err(failure) => tr!("{code}", code = failure.error.cause.code()),
        };
        let method = if request.post.is_some() { "POST" } else { "GET" };
        self.trace(method, &request.url, &what, started);
        outcome
    }

    /// Tells of a request and its outcome, without its query (`-vv`).
    fn trace(&self, method: &str, url: &Url, what: &Text, started: Instant) {
        let (origin, path) = (url.origin().ascii_serialization(), url.path());
        let line = tr!(
            "{method} {origin}{path}: {what}, {elapsed} ms",
            method,
            origin,
            path,
            what,
            elapsed = started.elapsed().as_millis()
        );
        self.report.trace(Some(self.target), line);
    }

    async fn exchange(&self, request: &Request, route: &Route) -> std::result::Result<Response, Failure> {
        let host = host_of(&request.url);
        let fatal = |error: Error| Failure { error, again: Again::Never };
        let client = self.http.client(route).map_err(fatal)?;
        let mut call = match &request.post {
            None => client.get(request.url.clone()),
            Some((content_type, body)) => client
                .post(request.url.clone())
                .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
                .body(body.expose().to_owned()),
        };
        if let Some(accept) = request.accept {
            call = call.header(ACCEPT, HeaderValue::from_static(accept));
        }
        if request.no_cache {
            call = call.header(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        if let Some(bearer) = &request.bearer {
            call = call.header(AUTHORIZATION, bearer_header(bearer).map_err(fatal)?);
        }
        let mut response = call
            .send()
            .await
            .map_err(|error| explain(&error, &host, &may_have_worked(request), route, self))?;
        self.warn_of_plain_text(&request.url, &response, &host, route);
        if !response.status().is_success() {
            self.http.reconnect();
        }
        let headers = response.headers();
        if headers.get(CONTENT_ENCODING).is_some_and(|value| value.as_bytes() != b"identity") {
            let message = tr!("{host} sent a compressed answer, which was not asked for", host);
            return Err(fatal(Error::new(Cause::BadAnswer, message).status(response.status().as_u16())));
        }
        let mut answer = begin(&request.url, &response);
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(answer),
                Ok(Some(chunk)) if answer.body.len() + chunk.len() > ANSWER_MAX => {
                    let message = tr!("{host}'s answer is larger than 1 MiB", host = answer.host);
                    return Err(fatal(Error::new(Cause::TooLarge, message).status(answer.status)));
                }
                Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
                Err(_) => {
                    let message = tr!(
                        "{host}'s answer was cut short{doubt}",
                        host = answer.host,
                        doubt = may_have_worked(request)
                    );
                    return Err(fatal(Error::new(Cause::Closed, message).status(answer.status)));
                }
            }
        }
    }
}

/// An answer whose body has not been read.
fn begin(url: &Url, response: &reqwest::Response) -> Response {
    let headers = response.headers();
    let date = text_header(headers, DATE).and_then(http_date);
    Response {
        host: host_of(url),
        https: url.scheme() == "https",
        path: url.path().to_owned(),
        status: response.status().as_u16(),
        location: text_header(headers, LOCATION).map(|place| location(url, place)),
        retry_after: text_header(headers, RETRY_AFTER).and_then(|value| retry_after(value, date)),
        date,
        asks_for_password: asks_for_password(headers),
        body: Vec::new(),
    }
}

fn public_http(host: &str, target: &Target) -> Error {
    let message = tr!("http:// to {host} would send the credentials readable over a public network", host);
    Error::new(Cause::BadSetting, message)
        .hint(tr!("use https://, or consent with {variable}=1", variable = target.variable("ALLOW_HTTP")))
}

fn may_have_worked(request: &Request) -> Text {
    match request.effect {
        Effect::Login if !request.secrets.is_empty() => tr!("; the login may have taken effect"),
        Effect::Logout => tr!("; the logout may have taken effect"),
        _ => Text::default(),
    }
}

/// One to two times as long, so that many clients do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    pause + pause.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
