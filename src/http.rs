//! The one file that names the HTTP client: what is sent how often, to whom, how long it may take and how
//! much may come back.

use std::cell::OnceCell;
use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper_util::client::proxy::matcher::Matcher;
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION,
    RETRY_AFTER,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError};
use tokio::time::Instant;
use url::{Host, Url};

use crate::answer::Answer;
use crate::error::{Cause, Error, Result};
use crate::report::Report;
use crate::secret::Secret;
use crate::spec::{BaseUrl, Target};

/// How long a connection may take to come about, name and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The largest answer to a login, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;
/// How often a request that carries no secret is repeated.
const CHALLENGE_REPEATS: u32 = 2;
/// The shortest pause before a repetition; jitter adds up to as much again, and each pause doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// What the environment says about proxies, each value as it stands there.
#[derive(Debug, Default, Clone)]
pub struct Proxies {
    /// For https.
    pub https: Option<String>,
    /// For http, where a target allows it.
    pub http: Option<String>,
    /// Hosts that are reached directly.
    pub no: Option<String>,
}

/// The HTTP clients of a run, made when the first request needs them.
pub struct Http {
    proxies: Proxies,
    connect_limit: Duration,
    extra_roots: Vec<CertificateDer<'static>>,
    plain: OnceCell<reqwest::Client>,
    plain_private: OnceCell<reqwest::Client>,
    plain_proxied: OnceCell<reqwest::Client>,
    tls: OnceCell<reqwest::Client>,
    tls_proxied: OnceCell<reqwest::Client>,
}

/// Which client a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    /// http:// to any address.
    Plain,
    /// http:// to loopback and private addresses.
    PlainPrivate,
    /// http:// through a proxy.
    PlainProxied(String),
    /// https://.
    Tls,
    /// https:// through a proxy.
    TlsProxied(String),
}

impl Http {
    /// Nothing is opened yet; a CA file is read at once, so that a wrong one is found before anything is sent.
    ///
    /// # Errors
    /// [`Cause::BadSetting`] for a CA file that cannot be read or holds no certificate.
    pub fn new(proxies: Proxies, ca_file: Option<&Path>, timeout: Duration) -> Result<Self> {
        let extra_roots = ca_file.map(read_certificates).transpose()?.unwrap_or_default();
        // Ends before a short --timeout does, so that it can be told that nothing was sent.
        let connect_limit = CONNECT_LIMIT.min(timeout.mul_f64(0.8));
        Ok(Self {
            proxies,
            connect_limit,
            extra_roots,
            plain: OnceCell::new(),
            plain_private: OnceCell::new(),
            plain_proxied: OnceCell::new(),
            tls: OnceCell::new(),
            tls_proxied: OnceCell::new(),
        })
    }

    fn client(&self, route: &Route) -> Result<&reqwest::Client> {
        let cell = match route {
            Route::Plain => &self.plain,
            Route::PlainPrivate => &self.plain_private,
            Route::PlainProxied(_) => &self.plain_proxied,
            Route::Tls => &self.tls,
            Route::TlsProxied(_) => &self.tls_proxied,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = self.build(route)?;
        Ok(cell.get_or_init(|| client))
    }

    fn build(&self, route: &Route) -> Result<reqwest::Client> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let roots = match route {
            Route::Plain | Route::PlainPrivate | Route::PlainProxied(_) => rustls::RootCertStore::empty(),
            Route::Tls | Route::TlsProxied(_) => self.roots()?,
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("crmauth/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_limit)
            .no_proxy()
            .dns_resolver(Resolver { private_only: *route == Route::PlainPrivate })
            .tls_backend_preconfigured(tls_config(roots)?);
        if let Route::PlainProxied(proxy) | Route::TlsProxied(proxy) = route {
            let proxy = reqwest::Proxy::all(proxy).map_err(|_| bad_proxy())?;
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(|_| Error::new(Cause::Other, "the HTTP client could not be set up"))
    }

    fn roots(&self) -> Result<rustls::RootCertStore> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for root in &self.extra_roots {
            roots.add(root.clone()).map_err(|_| {
                Error::new(Cause::BadSetting, "a certificate in --ca-file cannot be used as a root")
            })?;
        }
        if roots.is_empty() {
            let message = "this system has no certificates to check servers against";
            return Err(Error::new(Cause::Certificate, message)
                .hint("install the package ca-certificates, or name a PEM file with --ca-file"));
        }
        Ok(roots)
    }

    /// The proxy for a URL, if the environment names one.
    fn proxy_for(&self, url: &Url) -> Result<Option<String>> {
        let https = url.scheme() == "https";
        let Some(proxy) = (if https { &self.proxies.https } else { &self.proxies.http }) else {
            return Ok(None);
        };
        let proxy = if proxy.contains("://") { proxy.clone() } else { ["http://", proxy].concat() };
        let known = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
        match Url::parse(&proxy) {
            Ok(url)
                if known.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty()) => {}
            _ => return Err(bad_proxy()),
        }
        let mut matcher = Matcher::builder().all(proxy.clone());
        if let Some(no) = &self.proxies.no {
            // The matcher takes a lone `*` for names only; to curl it is addresses too.
            if no.split(',').any(|entry| entry.trim() == "*") {
                return Ok(None);
            }
            matcher = matcher.no(no.clone());
        }
        let uri: hyper::Uri = url.as_str().parse().map_err(|_| bad_proxy())?;
        Ok(matcher.build().intercept(&uri).map(|_| proxy))
    }
}

fn bad_proxy() -> Error {
    Error::new(Cause::BadSetting, "the environment's proxy is no URL that can be used")
        .hint("check https_proxy, http_proxy and all_proxy, or name the host in no_proxy")
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let refuse = |why: &str| {
        let message = format!("--ca-file {} {why}", path.display());
        Err(Error::new(Cause::BadSetting, message).hint("it must be a file of PEM certificates"))
    };
    let Ok(pem) = std::fs::read(path) else {
        return refuse("cannot be read");
    };
    match CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => refuse("holds no certificate"),
    }
}

fn tls_config(roots: rustls::RootCertStore) -> Result<rustls::ClientConfig> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    let versions = versions.map_err(|_| Error::new(Cause::Other, "TLS could not be set up"))?;
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Resolves names; for http:// without `ALLOW_HTTP` only to addresses that plain text may go to.
struct Resolver {
    private_only: bool,
}

/// A name has addresses, but none that plain text may go to.
#[derive(Debug)]
struct PublicAddress;

impl std::fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("public address")
    }
}

impl StdError for PublicAddress {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private_only = self.private_only;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let usable: Vec<SocketAddr> =
                found.iter().filter(|address| !private_only || is_private(address.ip())).copied().collect();
            if usable.is_empty() && !found.is_empty() {
                return Err(PublicAddress.into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// Whether plain text may go to an address without further consent.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// A request of a protocol step.
pub struct Request {
    post: Option<(&'static str, Secret)>,
    url: Url,
    accept: Option<&'static str>,
    bearer: Option<Secret>,
    secrets: Vec<Secret>,
    challenge: bool,
}

impl Request {
    /// A GET.
    pub fn get(url: Url) -> Self {
        Self { post: None, url, accept: None, bearer: None, secrets: Vec::new(), challenge: false }
    }

    /// A POST of a body; `secrets` are the secret values in it.
    pub fn post(url: Url, content_type: &'static str, body: Secret, secrets: &[Secret]) -> Self {
        Self { post: Some((content_type, body)), secrets: secrets.to_vec(), ..Self::get(url) }
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

    /// Marks a request that carries no secret and changes nothing that matters, so that it may be repeated.
    #[must_use]
    pub fn challenge(mut self) -> Self {
        self.challenge = true;
        self
    }
}

/// A request of the user's own, for `crmauth api`.
pub struct Call {
    /// The method, upper case.
    pub method: String,
    /// Where it goes.
    pub url: Url,
    /// Headers in the order given.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The session, wherever it is placed.
    pub session: Secret,
}

/// An answer that is passed on as it comes.
pub struct Stream {
    /// Its HTTP status.
    pub status: u16,
    /// Status line and headers as text, with the empty line behind them.
    pub head: String,
    /// Where a redirect points, as far as it may be shown.
    pub location: Option<String>,
    /// Whether it comes over TLS.
    pub https: bool,
    /// The path that was asked for, without its query.
    pub path: String,
    host: String,
    response: reqwest::Response,
    patience: Duration,
}

impl Stream {
    /// The host that answers.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The next part of the body; `None` at its end.
    ///
    /// # Errors
    /// [`Cause::Timeout`] where nothing comes for the whole time-out, [`Cause::Closed`] where the body is cut.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let host = &self.host;
        match tokio::time::timeout(self.patience, self.response.chunk()).await {
            Ok(Ok(part)) => Ok(part.map(|part| part.to_vec())),
            Ok(Err(_)) => Err(Error::new(Cause::Closed, format!("{host}'s answer was cut short"))),
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                Err(Error::new(Cause::Timeout, format!("nothing came from {host} for {seconds} s")))
            }
        }
    }
}

/// A target's way to its server: its origin and no other, until its deadline.
pub struct Channel<'a> {
    /// The run's clients.
    pub http: &'a Http,
    /// Where requests are traced and secrets are learnt.
    pub report: &'a Report,
    /// The target.
    pub target: &'a Target,
    /// The target's base URL.
    pub url: &'a BaseUrl,
    /// `ALLOW_HTTP`.
    pub allow_http: bool,
    /// `ALLOW_PROXY`.
    pub allow_proxy: bool,
    /// When the whole login must be done.
    pub deadline: Instant,
    /// The time-out in seconds, for messages.
    pub timeout: Duration,
}

/// Why one try gave no answer, and whether another may follow.
struct Failure {
    error: Error,
    again: Again,
}

/// What may follow a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Nothing: another try would fail alike, or time is up.
    Never,
    /// One more try: no byte had left.
    NothingSent,
    /// More tries of a request that may be repeated: the connection broke after it was sent.
    Lost,
}

impl Channel<'_> {
    /// Sends a request as often as rule 3 of the contract allows, and reads the whole answer.
    ///
    /// # Errors
    /// Causes of exit codes 2 (plain http to a public address), 5 and 6.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
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
                    PAUSE + jitter(PAUSE)
                }
                Ok(Answer { status: 429, retry_after: Some(seconds), .. }) if !waited => {
                    waited = true;
                    Duration::from_secs(*seconds)
                }
                // Kept once; whoever named a wait is not asked more often than that.
                Ok(Answer { status: 429, retry_after: Some(_), .. }) => {
                    return outcome.map_err(|failure| failure.error);
                }
                Ok(Answer { status: 429 | 502..=504, .. }) | Err(Failure { again: Again::Lost, .. })
                    if request.challenge && repeats < CHALLENGE_REPEATS =>
                {
                    let pause = PAUSE * 2u32.pow(repeats);
                    repeats += 1;
                    pause + jitter(pause)
                }
                _ => return outcome.map_err(|failure| failure.error),
            };
            let needed = outcome.as_ref().err().map_or(Duration::ZERO, |failure| self.needed(&failure.error));
            match Instant::now().checked_add(pause) {
                Some(then) if then + needed < self.deadline => {
                    self.report.note(Some(self.target), &format!("asking again in {} ms", pause.as_millis()));
                    tokio::time::sleep_until(then).await;
                }
                _ => return outcome.map_err(|failure| failure.error),
            }
        }
    }

    /// Sends a request of the user's own; sent again only where no byte had left.
    ///
    /// # Errors
    /// What keeps an answer from coming; an answer of any status is none.
    pub async fn open(&self, call: &Call) -> Result<Stream> {
        self.report.learn(&call.session);
        self.same_origin(&call.url)?;
        let route = self.route(&call.url)?;
        let client = self.http.client(&route)?;
        let host = host_of(&call.url);
        let method = reqwest::Method::from_bytes(call.method.as_bytes())
            .map_err(|_| Error::new(Cause::Usage, "-X names no HTTP method"))?;
        let doubt = if call.method == "GET" { "" } else { "; the request may have taken effect" };
        let mut connects = 0;
        loop {
            let mut headers = HeaderMap::new();
            for (name, value) in &call.headers {
                let name = reqwest::header::HeaderName::from_bytes(name.as_bytes());
                let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_bytes(value.expose().as_bytes()))
                else {
                    return Err(Error::new(Cause::Usage, "-H names no header that HTTP can carry"));
                };
                value.set_sensitive(true);
                headers.append(name, value);
            }
            let mut request = client.request(method.clone(), call.url.clone()).headers(headers);
            if let Some(body) = &call.body {
                request = request.body(body.clone());
            }
            let failure = match tokio::time::timeout_at(self.deadline, request.send()).await {
                Ok(Ok(response)) => {
                    self.warn_of_plain_text(&call.url, &response, &host, &route);
                    let location =
                        text_header(response.headers(), LOCATION).map(|to| location(&call.url, to));
                    let (status, head) = (response.status().as_u16(), head(&response));
                    let (https, path) = (call.url.scheme() == "https", call.url.path().to_owned());
                    let patience = self.timeout;
                    return Ok(Stream { status, head, location, https, path, host, response, patience });
                }
                Ok(Err(error)) => explain(&error, &host, doubt, &route, self),
                Err(_) => return Err(self.too_late(&host, doubt)),
            };
            let pause = PAUSE + jitter(PAUSE);
            let until = Instant::now() + pause + self.needed(&failure.error);
            if failure.again != Again::NothingSent || connects > 0 || until > self.deadline {
                return Err(failure.error);
            }
            connects += 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// How much time another try needs: half a try to connect would end as if an answer were missing.
    fn needed(&self, error: &Error) -> Duration {
        if error.cause == Cause::ConnectTimeout { self.http.connect_limit } else { Duration::ZERO }
    }

    fn same_origin(&self, url: &Url) -> Result<()> {
        if url.origin().ascii_serialization() == self.url.origin() {
            return Ok(());
        }
        Err(Error::new(Cause::Usage, "the request would leave the target's origin")
            .hint("a session goes to the server that it is for and to no other"))
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
            let text = format!(
                "http://{host} is not encrypted: whoever shares the network can read the credentials"
            );
            self.report.warn(Some(self.target), &text);
        }
    }

    fn too_late(&self, host: &str, doubt: &str) -> Error {
        let seconds = self.timeout.as_secs_f64();
        Error::new(Cause::Timeout, format!("no answer from {host} within {seconds} s{doubt}"))
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
                    format!("http:// to {host} through a proxy cannot be checked for a private address");
                return Err(Error::new(Cause::BadSetting, message)
                    .hint(format!("use https://, or set {}=1 as well", self.target.variable("ALLOW_HTTP"))));
            }
            return Ok(Route::PlainProxied(proxy));
        }
        Ok(if self.allow_http { Route::Plain } else { Route::PlainPrivate })
    }

    /// One try.
    async fn once(&self, request: &Request, route: &Route) -> std::result::Result<Answer, Failure> {
        let started = Instant::now();
        let work = self.exchange(request, route);
        let outcome = match tokio::time::timeout_at(self.deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure {
                error: self.too_late(&host_of(&request.url), may_have_worked(request)),
                again: Again::Never,
            }),
        };
        let what = match &outcome {
            Ok(answer) => format!("HTTP {}, {} bytes", answer.status, answer.body.len()),
            Err(failure) => failure.error.cause.code().to_owned(),
        };
        let method = if request.post.is_some() { "POST" } else { "GET" };
        let line = format!(
            "{method} {}{}: {what}, {} ms",
            request.url.origin().ascii_serialization(),
            request.url.path(),
            started.elapsed().as_millis()
        );
        self.report.trace(Some(self.target), &line);
        outcome
    }

    async fn exchange(&self, request: &Request, route: &Route) -> std::result::Result<Answer, Failure> {
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
        if let Some(bearer) = &request.bearer {
            call = call.header(AUTHORIZATION, bearer_header(bearer).map_err(fatal)?);
        }
        let mut response = call
            .send()
            .await
            .map_err(|error| explain(&error, &host, may_have_worked(request), route, self))?;
        self.warn_of_plain_text(&request.url, &response, &host, route);
        let headers = response.headers();
        if headers.get(CONTENT_ENCODING).is_some_and(|value| value.as_bytes() != b"identity") {
            let message = format!("{host} sent a compressed answer, which was not asked for");
            return Err(fatal(Error::new(Cause::BadAnswer, message).status(response.status().as_u16())));
        }
        let date = text_header(headers, DATE).and_then(http_date);
        let mut answer = Answer {
            https: request.url.scheme() == "https",
            path: request.url.path().to_owned(),
            status: response.status().as_u16(),
            location: text_header(headers, LOCATION).map(|place| location(&request.url, place)),
            retry_after: text_header(headers, RETRY_AFTER).and_then(|value| retry_after(value, date)),
            date,
            body: Vec::new(),
            host,
        };
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(answer),
                Ok(Some(chunk)) if answer.body.len() + chunk.len() > ANSWER_MAX => {
                    let message = format!("{}'s answer is larger than 1 MiB", answer.host);
                    return Err(fatal(Error::new(Cause::TooLarge, message).status(answer.status)));
                }
                Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
                Err(_) => {
                    let message =
                        format!("{}'s answer was cut short{}", answer.host, may_have_worked(request));
                    return Err(fatal(Error::new(Cause::Closed, message).status(answer.status)));
                }
            }
        }
    }
}

/// The status line and the headers as they came, one a line.
fn head(response: &reqwest::Response) -> String {
    let mut text = format!("{:?} {}\r\n", response.version(), response.status());
    for (name, value) in response.headers() {
        text.push_str(name.as_str());
        text.push_str(": ");
        text.push_str(&String::from_utf8_lossy(value.as_bytes()));
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text
}

fn public_http(host: &str, target: &Target) -> Error {
    let message = format!("http:// to {host} would send the credentials readable over a public network");
    Error::new(Cause::BadSetting, message)
        .hint(format!("use https://, or consent with {}=1", target.variable("ALLOW_HTTP")))
}

fn may_have_worked(request: &Request) -> &'static str {
    if request.secrets.is_empty() { "" } else { "; the login may have taken effect" }
}

/// Between nothing and `most`, so that many clients do not come back at once.
fn jitter(most: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Host and port as a person would write them.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn bearer_header(token: &Secret) -> Result<HeaderValue> {
    let mut bytes = zeroize::Zeroizing::new(b"Bearer ".to_vec());
    bytes.extend_from_slice(token.expose().as_bytes());
    let mut value = HeaderValue::from_bytes(&bytes)
        .map_err(|_| Error::new(Cause::BadToken, "the token has a character that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn text_header(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

/// Seconds from now, from a number or a date; a date in the past is now.
fn retry_after(text: &str, server_now: Option<Timestamp>) -> Option<u64> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(seconds);
    }
    let then = http_date(text)?;
    let now = server_now.or_else(|| Timestamp::try_from(SystemTime::now()).ok())?;
    Some(u64::try_from(then.duration_since(now).as_secs()).unwrap_or(0))
}

/// Where a redirect points, as far as it may be shown: without user, query and fragment.
fn location(from: &Url, place: &str) -> String {
    match from.join(place) {
        Ok(mut url) if url.has_host() => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        Ok(url) => format!("a {}: address", url.scheme()),
        Err(_) => "something that is no URL".to_owned(),
    }
}

/// Walks an error's sources for one of a type.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The TLS error hides inside an I/O error, which does not name it as its source.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Turns the client's error into ours. Its own text is never used: it prints URLs with their queries.
fn explain(error: &reqwest::Error, host: &str, doubt: &str, route: &Route, way: &Channel<'_>) -> Failure {
    let fail = |cause, message: String, again| Failure { error: Error::new(cause, message), again };
    if find::<PublicAddress>(error).is_some() {
        return Failure { error: public_http(host, way.target), again: Again::Never };
    }
    if error.is_dns() {
        return match proxy_of(route) {
            None => fail(Cause::Dns, format!("cannot resolve {host}"), Again::Never),
            Some(proxy) => {
                fail(Cause::Proxy, format!("cannot resolve {host} or its proxy {proxy}"), Again::Never)
            }
        };
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return Failure { error: explain_tls(tls, host), again: Again::Never };
    }
    if error.is_connect() {
        return explain_connect(error, host, route, way.http.connect_limit);
    }
    match find::<hyper::Error>(error) {
        Some(hyper) if hyper.is_parse_too_large() => {
            let message = format!("{host}'s answer has too many or too large headers");
            fail(Cause::TooLarge, message, Again::Never)
        }
        Some(hyper) if hyper.is_parse() || spoke_first(hyper) => {
            fail(Cause::NotHttp, format!("{host} is not an HTTP server"), Again::Never)
        }
        _ => {
            let message = format!("{host} closed the connection before answering{doubt}");
            fail(Cause::Closed, message, Again::Lost)
        }
    }
}

/// Whether the server spoke before it was asked, as SSH and mail servers do. hyper has no question of its own for
/// this one: it is the kind without a source that is none of the others, alone or as why a request was not sent.
fn spoke_first(error: &hyper::Error) -> bool {
    match error.source().and_then(|source| source.downcast_ref()) {
        Some(why) => error.is_canceled() && spoke_first(why),
        None => {
            let broke = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
            !broke && error.source().is_none()
        }
    }
}

/// A route's proxy, without its user and password.
fn proxy_of(route: &Route) -> Option<String> {
    match route {
        Route::PlainProxied(proxy) | Route::TlsProxied(proxy) => {
            Some(Url::parse(proxy).map(|url| host_of(&url)).unwrap_or_default())
        }
        _ => None,
    }
}

/// No connection came about, so nothing was sent.
fn explain_connect(error: &reqwest::Error, host: &str, route: &Route, limit: Duration) -> Failure {
    let (cause, message) = if error.is_timeout() {
        let limit = limit.as_secs_f64();
        (Cause::ConnectTimeout, format!("timed out connecting to {host} after {limit} s"))
    } else if let Some(proxy) = proxy_of(route) {
        (Cause::Proxy, format!("cannot connect to {host} through the proxy {proxy}"))
    } else {
        match find::<io::Error>(error).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                (Cause::Connect, format!("connection refused by {host}"))
            }
            Some(
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe,
            ) => (Cause::Tls, format!("{host} closed the connection during the TLS handshake")),
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                (Cause::Connect, format!("no route to {host}"))
            }
            _ => (Cause::Connect, format!("cannot connect to {host}")),
        }
    };
    Failure { error: Error::new(cause, message), again: Again::NothingSent }
}

fn explain_tls(error: &rustls::Error, host: &str) -> Error {
    let certificate = |why: String| Error::new(Cause::Certificate, why);
    match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::Expired => certificate(format!("{host}'s certificate expired"))
                .hint("whoever runs the server must renew it; if it is new, check this machine's clock"),
            CertificateError::ExpiredContext { not_after, .. } => {
                let day = Timestamp::from_second(i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX));
                let day = day.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
                certificate(format!("{host}'s certificate expired on {day}"))
                    .hint("whoever runs the server must renew it; if it is new, check this machine's clock")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                certificate(format!("{host}'s certificate is not valid yet"))
                    .hint("check this machine's clock")
            }
            CertificateError::NotValidForName => {
                certificate(format!("{host}'s certificate is for another name"))
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                certificate(format!("{host}'s certificate is for another name")).said(&presented.join(", "))
            }
            CertificateError::Revoked => certificate(format!("{host}'s certificate is revoked")),
            _ => certificate(format!("{host}'s certificate comes from an unknown issuer"))
                .hint("if you trust the issuer, name its certificate with --ca-file FILE.pem"),
        },
        rustls::Error::AlertReceived(alert) => {
            let cause = match alert {
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired => Cause::Certificate,
                _ => Cause::Tls,
            };
            let message = format!("{host} ended the TLS handshake with the alert {alert:?}");
            Error::new(cause, message).hint("ask who runs the server; it may want a client certificate")
        }
        rustls::Error::InvalidMessage(_) => {
            Error::new(Cause::Tls, format!("{host} does not speak TLS")).hint("is it an http:// server?")
        }
        _ => Error::new(Cause::Tls, format!("the TLS handshake with {host} failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_goes_to_private_addresses_only() {
        for (address, private) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("192.168.0.1", true),
            ("172.16.0.1", true),
            ("169.254.1.1", true),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::ffff:10.0.0.1", true),
            ("8.8.8.8", false),
            ("0.0.0.0", false),
            ("172.32.0.1", false),
            ("2001:db8::1", false),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(is_private(address.parse().expect(address)), private, "{address}");
        }
    }

    #[test]
    fn waits_as_servers_write_them() {
        let now = http_date("Sat, 21 Nov 2026 20:00:00 GMT");
        for (text, seconds) in [
            ("1", Some(1)),
            (" 30 ", Some(30)),
            ("Sat, 21 Nov 2026 20:00:05 GMT", Some(5)),
            ("Sat, 21 Nov 2020 20:00:05 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("1e9", None),
            ("1000000000000000000000000000000", None),
        ] {
            assert_eq!(retry_after(text, now), seconds, "{text}");
        }
    }

    #[test]
    fn a_redirect_is_shown_without_secrets() {
        let from = Url::parse("https://h/crm?x=1").expect("a URL");
        for (place, shown) in [
            ("/crm/?token=1", "https://h/crm/"),
            ("//evil.example/x#y", "https://evil.example/x"),
            ("http://u:p@h2:81/", "http://h2:81/"),
            ("javascript:alert(1)", "a javascript: address"),
            ("https://", "something that is no URL"),
        ] {
            assert_eq!(location(&from, place), shown, "{place}");
        }
    }
}
