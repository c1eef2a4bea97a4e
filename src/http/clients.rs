//! The HTTP clients of a run: routes, proxies, trust, and the addresses that plain text may go to.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use tokio::time::Instant;
use tower::util::MapFutureLayer;
use url::Url;

use crate::error::{Cause, Error, Result};
use crate::i18n::tr;
use crate::tls::Trust;

/// How long a connection may take to come about, name and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How much of a time it may take at most to connect: what then remains is for saying that nothing was sent.
const CONNECT_SHARE: f64 = 0.8;

tokio::task_local! {
    /// When the request under way is given up.
    static GIVEN_UP_AT: Instant;
}

/// What is spoken over TLS.
const ALPN: &[&[u8]] = &[b"http/1.1"];

/// What the environment says about proxies, each value as it stands there.
#[derive(Debug, Default, Clone)]
pub struct Proxies {
    pub https: Option<String>,
    /// For http, where a target allows it.
    pub http: Option<String>,
    /// Hosts that are reached directly.
    pub no: Option<String>,
}

/// The HTTP clients of a run, made when the first request needs them.
pub struct Http {
    proxies: Proxies,
    pub(super) connect_limit: Duration,
    trust: Rc<Trust>,
    clients: RefCell<Vec<(Route, reqwest::Client)>>,
}

/// Which client a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
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
    /// Nothing is opened yet.
    pub fn new(proxies: Proxies, trust: Rc<Trust>, timeout: Duration) -> Self {
        let connect_limit = CONNECT_LIMIT.min(timeout.mul_f64(CONNECT_SHARE));
        Self { proxies, connect_limit, trust, clients: RefCell::default() }
    }

    pub(super) fn client(&self, route: &Route) -> Result<reqwest::Client> {
        if let Some((_, client)) = self.clients.borrow().iter().find(|(its, _)| its == route) {
            return Ok(client.clone());
        }
        let client = self.build(route)?;
        self.clients.borrow_mut().push((route.clone(), client.clone()));
        Ok(client)
    }

    /// From here on requests have connections of their own. After a refusal a server may hang up without a word, and
    /// what carries a secret and was lost on the way may not be sent again.
    pub fn reconnect(&self) {
        self.clients.borrow_mut().clear();
    }

    fn build(&self, route: &Route) -> Result<reqwest::Client> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let tls = match route {
            Route::Plain | Route::PlainPrivate | Route::PlainProxied(_) => Trust::nobody(ALPN)?,
            Route::Tls | Route::TlsProxied(_) => self.trust.config(ALPN)?,
        };
        let limit = self.connect_limit;
        let mut builder = reqwest::Client::builder()
            .connector_layer(MapFutureLayer::new(move |connecting| in_time(connecting, limit)))
            .user_agent(concat!("crmauth/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_limit)
            .no_proxy()
            .dns_resolver(Resolver { private_only: *route == Route::PlainPrivate })
            .tls_backend_preconfigured(tls);
        if let Route::PlainProxied(proxy) | Route::TlsProxied(proxy) = route {
            let proxy = reqwest::Proxy::all(proxy).map_err(|_| bad_proxy())?;
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(|_| Error::new(Cause::Other, tr!("the HTTP client could not be set up")))
    }

    /// The proxy for a URL, if the environment names one.
    pub(super) fn proxy_for(&self, url: &Url) -> Result<Option<String>> {
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

/// A connection was not made in the time that was left for it.
#[derive(Debug)]
pub(super) struct CutShort(pub(super) Duration);

impl std::fmt::Display for CutShort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no connection in time")
    }
}

impl StdError for CutShort {}

/// Makes a request, which is given up at `deadline`; a connection that it needs is given up before.
pub(super) async fn until<T>(
    deadline: Instant,
    request: impl Future<Output = T>,
) -> std::result::Result<T, tokio::time::error::Elapsed> {
    tokio::time::timeout_at(deadline, GIVEN_UP_AT.scope(deadline, request)).await
}

/// A connection, if it comes about while the request that needs it is waited for; `limit` is the client's own.
async fn in_time<C, E: From<io::Error>>(
    connecting: impl Future<Output = std::result::Result<C, E>>,
    limit: Duration,
) -> std::result::Result<C, E> {
    let left =
        GIVEN_UP_AT.try_with(|at| at.saturating_duration_since(Instant::now())).unwrap_or(Duration::MAX);
    if limit < left {
        return connecting.await;
    }
    let limit = left.mul_f64(CONNECT_SHARE);
    let connected = tokio::time::timeout(limit, connecting).await;
    connected.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, CutShort(limit)).into()))
}

pub(super) fn bad_proxy() -> Error {
    Error::new(Cause::BadSetting, tr!("the environment's proxy is no URL that can be used"))
        .hint(tr!("check https_proxy, http_proxy and all_proxy, or name the host in no_proxy"))
}

/// Resolves names; for http:// without `ALLOW_HTTP` only to addresses that plain text may go to.
pub(super) struct Resolver {
    private_only: bool,
}

/// A name has addresses, but none that plain text may go to.
#[derive(Debug)]
pub(super) struct PublicAddress;

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

/// Whether a name has addresses and none that plain text may go to; a name that has none now is judged when it is
/// connected to.
pub(super) async fn is_public(name: &str) -> bool {
    let Ok(name) = name.parse() else { return false };
    let found = Resolver { private_only: true }.resolve(name).await;
    found.is_err_and(|error| error.is::<PublicAddress>())
}

/// Whether plain text may go to an address without further consent.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
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
}
