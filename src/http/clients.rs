//! The HTTP clients of a run: routes, proxies, trust, and the addresses that plain http may go to.

use std::cell::RefCell;
use std::collections::HashSet;
use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::Instant;
use url::Url;

use super::heads;
use super::proxy_url::{Proxies, ProxyUrl};
use super::transcript::Transcript;
use crate::error::{Result, error};
use crate::threads;
use crate::tls::Trust;

/// How long it may take to connect, name resolution and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How much of the time that is left it may take: in the rest we can say that nothing was sent.
const CONNECT_SHARE: f64 = 0.8;

/// The HTTP clients of a run, made when the first request needs them.
pub struct Http {
    pub(super) proxies: Proxies,
    pub(super) connect_limit: Duration,
    trust: Rc<Trust>,
    clients: RefCell<Vec<Client>>,
    /// What has been asked, where somebody wants to know.
    pub transcript: RefCell<Option<Transcript>>,
    /// Our ends of the connections over which an answer has come.
    pub(super) answered: RefCell<HashSet<SocketAddr>>,
}

#[derive(Clone)]
pub(super) struct Client {
    pub(super) inner: reqwest::Client,
    pub(super) route: Route,
    pub(super) connect_limit: Duration,
    /// The origins that it may have connections to.
    origins: Rc<RefCell<HashSet<String>>>,
}

/// Which client a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) encrypted: bool,
    /// Whether it may connect to loopback and private addresses only.
    pub(super) private_only: bool,
    pub(super) proxy: Option<ProxyUrl>,
}

impl Client {
    /// Its proxy, without user and password.
    pub(super) fn proxy(&self) -> Option<&str> {
        self.route.proxy.as_ref().map(|proxy| &*proxy.shown)
    }
}

impl Http {
    pub fn new(proxies: Proxies, trust: Rc<Trust>, timeout: Duration) -> Self {
        let connect_limit = CONNECT_LIMIT.min(timeout.mul_f64(CONNECT_SHARE));
        heads::watch();
        Self {
            proxies,
            connect_limit,
            trust,
            clients: RefCell::default(),
            transcript: RefCell::default(),
            answered: RefCell::default(),
        }
    }

    /// A client for a request to `url` that is given up at `deadline`: one without a connection to there if it needs a
    /// `fresh` one. A connection must fail before the deadline, so that a failure says whether anything was sent. If the
    /// usual limit is too long for that, the client is for this request alone.
    pub(super) async fn client(
        &self,
        route: &Route,
        url: &Url,
        deadline: Instant,
        fresh: bool,
    ) -> Result<Client> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = connect_limit(self.connect_limit, left);
        if limit < self.connect_limit {
            return self.build(route, limit).await;
        }
        let known = |client: &&Client| client.route == *route;
        let known = self.clients.borrow().iter().find(known).cloned();
        let client = match known {
            Some(client) => client,
            None => {
                let client = self.build(route, limit).await?;
                self.clients.borrow_mut().push(client.clone());
                client
            }
        };
        let origin = url.origin().ascii_serialization();
        let new = client.origins.borrow_mut().insert(origin);
        match new || !fresh {
            true => Ok(client),
            false => self.build(route, limit).await,
        }
    }

    /// Makes later requests use new connections.
    pub(super) fn reconnect(&self) {
        self.clients.borrow_mut().clear();
    }

    async fn build(&self, route: &Route, connect_limit: Duration) -> Result<Client> {
        let mut tls = match route.encrypted {
            true => self.trust.config().await?,
            false => Trust::nobody()?,
        };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(connect_limit)
            // Servers fold lines, pad names, and print PHP's warnings among them; `heads` says which, and draws the line.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .connection_verbose(true)
            .no_proxy()
            .dns_resolver(Resolver {
                private_only: route.private_only,
            })
            .tls_backend_preconfigured(tls);
        if let Some(proxy) = &route.proxy {
            builder = builder.proxy(proxy.client()?);
        }
        match builder.build() {
            Ok(inner) => Ok(Client {
                inner,
                route: route.clone(),
                connect_limit,
                origins: Rc::default(),
            }),
            Err(_) => Err(error!(Other, "the HTTP client could not be set up")),
        }
    }
}

/// How long a request with so much time left may take to connect.
fn connect_limit(usual: Duration, left: Duration) -> Duration {
    if usual < left {
        usual
    } else {
        left.mul_f64(CONNECT_SHARE)
    }
}

/// Resolves names; for http:// without `ALLOW_HTTP` only to private addresses.
pub(super) struct Resolver {
    private_only: bool,
}

/// The error for a name that has public addresses only.
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
            let mut found = threads::resolve(name.as_str(), 0).await?;
            let any = !found.is_empty();
            found.retain(|address| !private_only || is_private(address.ip()));
            if any && found.is_empty() {
                return Err(PublicAddress.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether a name has public addresses only. A name without any address is judged again when a request connects to it.
pub(super) async fn is_public(name: &str) -> bool {
    let Ok(name) = name.parse() else { return false };
    let found = Resolver { private_only: true }.resolve(name).await;
    found.is_err_and(|error| error.is::<PublicAddress>())
}

/// Whether plain http may go to an address without further consent.
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
    fn connections_fail_before_the_request_that_needs_them() {
        let seconds = Duration::from_secs_f64;
        for (usual, left, limit) in [
            (5.0, 30.0, 5.0),
            (5.0, 5.1, 5.0),
            (5.0, 5.0, 4.0),
            (3.2, 2.0, 1.6),
            (5.0, 0.0, 0.0),
        ] {
            assert_eq!(
                connect_limit(seconds(usual), seconds(left)),
                seconds(limit),
                "{usual} {left}"
            );
        }
    }

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
            assert_eq!(
                is_private(address.parse().expect(address)),
                private,
                "{address}"
            );
        }
    }
}
