//! The only folder that names the HTTP client: what is sent how often, to whom, how long it may take.

mod body;
mod connect;
mod failure;
pub mod header;
mod heads;
mod json;
mod proxy_url;
mod request;
pub mod response;
mod retry;
mod stream;
mod transcript;

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use crate::declaration::{Settings, Target};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::tr;
use crate::report::Report;
use crate::secret::{BLANK, names_secret};
use connect::{Connection, NoAddress, Route, is_private, lookup};
use failure::{Failure, Outcome, by_proxy, by_way_of, explain};
use header::{compresses, readable};
use heads::Head;
use proxy_url::ProxyUrl;
use response::{Response, compressed, host_of};
use retry::Retries;

pub use connect::{Http, Stream};
pub use failure::unconnected;
pub use heads::is_token;
pub use hyper::header as headers;
pub use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, body::Bytes};
pub use proxy_url::Proxies;
pub use request::{Effect, Request, authorization, is_harmless};
pub use retry::random_part;
pub use stream::{Part, Payload};
pub use transcript::Transcript;

/// A target's way to its server: its origin and no other, until its deadline.
pub struct Channel<'a> {
    pub http: &'a Http,
    pub report: &'a Report,
    pub settings: &'a Settings,
    pub deadline: Instant,
    /// The run's time-out, which also limits the wait for a part of a body.
    pub timeout: Duration,
}

impl Channel<'_> {
    fn target(&self) -> &Target {
        &self.settings.target
    }

    /// Sends a request and reads all of the answer. It is sent again if no byte had left or if a 429 names a wait that
    /// fits; one that may be repeated also if the server is away or no answer came.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        self.exchange(request, true).await
    }

    /// Sends a request and reads the head of the answer, whatever it is. It is sent again if no byte had left; one that
    /// may be repeated also if no answer came.
    pub async fn open(&self, request: &Request) -> Result<Response> {
        self.exchange(request, false).await
    }

    async fn exchange(&self, request: &Request, whole: bool) -> Result<Response> {
        let secrets = request.secrets.iter();
        secrets.for_each(|secret| self.report.learn(secret));
        if !self.settings.url.is_origin_of(&request.url) {
            return Err(error!(Usage:
                "the request would leave the target's origin" =>
                hint "a session goes to the server that it is for and to no other"));
        }
        let route = self.route(&request.url)?;
        let harmless = request.harmless(self.target().spec.login_is_repeatable);
        let mut retries = Retries::default();
        loop {
            let fresh = retries.fresh || !harmless && request.passed.is_none();
            let outcome = self.attempt(request, &route, whole, fresh).await;
            let may_follow = whole || outcome.is_err();
            let pause = may_follow.then(|| retries.pause(request, harmless, &outcome));
            if !self.waits(pause.flatten(), &outcome).await {
                return outcome.map_err(|failure| failure.error);
            }
        }
    }

    /// Waits before another try, if there is one and time for both; half the time to connect would tell nothing new.
    async fn waits(&self, pause: Option<Duration>, outcome: &Outcome) -> bool {
        let Some(pause) = pause else { return false };
        let needed = match outcome {
            Err(failure) if failure.error.cause == Cause::ConnectTimeout => self.http.connect_limit,
            _ => Duration::ZERO,
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if pause.saturating_add(needed) >= left {
            return false;
        }
        let text = tr!("retrying in {wait} ms"; wait = pause.as_millis());
        self.report.note(Some(self.target()), text);
        tokio::time::sleep(pause).await;
        true
    }

    /// One try, which is traced without the URL's query (`-vv`).
    async fn attempt(&self, request: &Request, route: &Route, whole: bool, fresh: bool) -> Outcome {
        let started = Instant::now();
        let outcome = self.in_time(request, route, whole, fresh).await;
        if !self.report.traces() && self.http.transcript.borrow().is_none() {
            return outcome;
        }
        let what = match &outcome {
            Ok(answer) if whole => tr!(
                "HTTP {status}, {length} bytes"; status = answer.status, length = answer.body.len()),
            Ok(answer) => tr!("HTTP {status}"; status = answer.status),
            Err(failure) => tr!("{code}"; code = failure.error.cause.code()),
        };
        let elapsed = started.elapsed().as_millis() as u64;
        let line = tr!("{method} {origin}{path}: {what}, {elapsed} ms"; method = request.method,
            origin = self.settings.url.origin(), path = request.path(), what, elapsed);
        self.report.trace(Some(self.target()), line);
        if !whole {
            self.trace_heads(request, &outcome);
        }
        if let Some(transcript) = &mut *self.http.transcript.borrow_mut() {
            transcript.add(self, request, &outcome, elapsed);
        }
        outcome
    }

    /// One try that ends at the deadline, or later while a body is on its way.
    async fn in_time(&self, request: &Request, route: &Route, whole: bool, fresh: bool) -> Outcome {
        let mut once = std::pin::pin!(self.once(request, route, whole, fresh));
        let mut end = self.deadline;
        loop {
            if let Ok(outcome) = tokio::time::timeout_at(end, &mut once).await {
                return outcome;
            }
            match request.extension(self.timeout) {
                Some(later) if later > end => end = later,
                _ => break,
            }
        }
        let error = error!(Timeout: "no answer from {host} within {seconds} s{doubt}"; host = host_of(&request.url),
            seconds = self.timeout.as_secs_f64(), doubt = request.doubt());
        Err(error.into())
    }

    /// Shows the heads of a request of the user's own and of its answer (`-vv`); what may be a secret is blanked.
    fn trace_heads(&self, request: &Request, outcome: &Outcome) {
        const SHOWN: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, headers::CACHE_CONTROL];
        let trace = |parts: [&str; 4]| self.report.trace_foreign(self.target(), &parts.concat());
        for (name, value) in &request.headers {
            let shown = SHOWN.contains(name).then(|| value.expose());
            trace(["> ", name.as_str(), ": ", shown.unwrap_or(BLANK)]);
        }
        let head = outcome.as_ref().map(Response::head).unwrap_or_default();
        for line in head.lines().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            let hidden = ["location", "link", "refresh"].contains(&name) || names_secret(name);
            let colon = if name.len() < line.len() { ": " } else { "" };
            trace(["< ", name, colon, if hidden { BLANK } else { value }]);
        }
    }

    async fn once(&self, request: &Request, route: &Route, whole: bool, fresh: bool) -> Outcome {
        let url = &request.url;
        let (connection, response) = self.ask(request, route, fresh).await?;
        self.warn_of_plain_text(url, &connection, route);
        let (status, headers) = (response.status().as_u16(), response.headers());
        if compresses(headers, headers::TRANSFER_ENCODING) == Some(true) {
            return Err(compressed(&host_of(url), status).into());
        }
        match connection.heads.seen().0 {
            Head::Regular => self.http.keep(connection, route, url),
            // Its connection ends: what comes next on it may be a part of this answer.
            Head::Odd => {
                let text = tr!("the server sent header lines that are not well-formed");
                self.report.warn(Some(self.target()), text);
            }
            Head::Ambiguous => return Err(heads::ambiguous(&host_of(url)).status(status).into()),
        }
        if let Some(proxy) = &route.proxy {
            refused_by_proxy(url, status, headers, &proxy.shown)?;
        }
        let unwraps = request.effect == Effect::Login && self.target().spec.json_in_text;
        let mut response = Response::new(request, response, self.timeout, unwraps);
        if whole {
            response.read(&request.doubt()).await?;
        }
        Ok(response)
    }

    /// Sends a request over a connection that was kept or, if it needs a `fresh` one or there is none, over a new one.
    async fn ask(
        &self,
        request: &Request,
        route: &Route,
        fresh: bool,
    ) -> Result<(Connection, hyper::Response<hyper::body::Incoming>), Failure> {
        let url = &request.url;
        let mut prepared = request.prepare(route)?;
        loop {
            let kept = (!fresh).then(|| self.http.kept(route, url)).flatten();
            let mut connection = match kept {
                Some(connection) => connection,
                None => {
                    let made = self.http.connect(route, url, self.deadline).await;
                    made.map_err(|broken| self.explain(broken, url, route.proxy.as_ref()))?
                }
            };
            connection.heads.expect_another();
            let mut failure = match connection.sender.try_send_request(prepared).await {
                Ok(response) => return Ok((connection, response)),
                Err(failure) => failure,
            };
            match failure.take_message() {
                // The server had left a connection that was kept.
                Some(unsent) if connection.answered.is_some() => prepared = unsent,
                _ => return Err(explain(failure.into_error(), request, &connection)),
            }
        }
    }

    /// Judges whether credentials may go to the target's URL. A request judges it again, by the address it connects to.
    pub async fn admits(&self) -> Result<()> {
        let url = self.settings.url.join("");
        let route = self.route(&url)?;
        let first = route.proxy.as_ref().map_or(&url, |proxy| &proxy.url);
        if let (true, Some(name)) = (route.private, first.domain())
            && let found = tokio::time::timeout(self.http.connect_limit, lookup(name, true))
            && let Ok(Err(NoAddress::Public)) = found.await
        {
            return Err(self.public_http(&url, route.proxy.as_ref()));
        }
        Ok(())
    }

    fn warn_of_plain_text(&self, url: &Url, connection: &Connection, route: &Route) {
        let peer = connection.peer;
        let local = peer.is_none_or(|peer| peer.ip().to_canonical().is_loopback())
            // A proxy tells nothing about the way from there.
            && (route.proxy.is_none() || ip_of(url).is_some_and(|ip| ip.is_loopback()));
        if url.scheme() == "http" && !local {
            let text = tr!(
                "http://{host} is not encrypted: anybody on the network can read the credentials"; host = host_of(url));
            self.report.warn(Some(self.target()), text);
        }
    }

    fn route(&self, url: &Url) -> Result<Route> {
        let encrypted = url.scheme() == "https";
        let private = !encrypted && !self.settings.flag("ALLOW_HTTP");
        let proxy = match encrypted || self.settings.flag("ALLOW_PROXY") {
            true => self.http.proxies.proxy_for(url)?,
            false => None,
        };
        let secrets = proxy.iter().flat_map(|proxy| &proxy.secrets);
        secrets.for_each(|secret| self.report.learn(secret));
        let public = |url: &Url| private && ip_of(url).is_some_and(|ip| !is_private(ip));
        if public(url) {
            return Err(self.public_http(url, None));
        }
        if let Some(proxy) = proxy.as_ref().filter(|proxy| public(&proxy.url)) {
            return Err(self.public_http(url, Some(proxy)));
        }
        if private && proxy.is_some() && ip_of(url).is_none() {
            let (host, variable) = (host_of(url), self.target().variable("ALLOW_HTTP"));
            return Err(error!(BadSetting:
                "http:// to {host} through a proxy cannot be checked: the address may not be private"; host =>
                hint "use https://, or set {variable}=1 as well"; variable));
        }
        Ok(Route { private, proxy })
    }

    fn public_http(&self, url: &Url, proxy: Option<&ProxyUrl>) -> Error {
        let host = by_way_of(proxy, &host_of(url));
        error!(BadSetting: "http:// to {host} would send the credentials unencrypted over a public network"; host =>
            hint "use https://, or allow it with {variable}=1"; variable = self.target().variable("ALLOW_HTTP"))
    }
}

/// Tells the refusal of a proxy from the server's, where the proxy says that it is its own: Squid's header, and RFC 9209's.
fn refused_by_proxy(url: &Url, status: u16, headers: &HeaderMap, proxy: &str) -> Result<()> {
    let told = readable(headers, "proxy-status").unwrap_or_default();
    let own = headers.contains_key("x-squid-error") || told.contains("error=");
    if status < 400 || status != 407 && !own {
        return Ok(());
    }
    let error = error!(ProxyRefused:
        "the proxy {proxy} refused the request to {host} (HTTP {status})"; proxy, host = host_of(url), status);
    Err(by_proxy(error, status))
}

fn ip_of(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}
