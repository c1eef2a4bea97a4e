//! The connections of a run: how they are made, by name or address, how long that may take, and which are kept.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use hyper::Uri;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service;
use url::{Origin, Position, Url};

use super::heads::{Heads, Watched};
use super::proxy_url::{Proxies, ProxyUrl};
use super::stream::Payload;
use super::transcript::Transcript;
use crate::error::Error;
use crate::secret::Secret;
use crate::threads;
use crate::tls::Trust;

/// How long it may take to connect, name resolution and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How much of the time that is left it may take: in the rest we can say that nothing was sent.
const CONNECT_SHARE: f64 = 0.8;
const IDLE_MAX: Duration = Duration::from_secs(90);
/// How long a connection is idle until the system asks whether its other end is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// More than any proxy's answer to CONNECT has before its end, in bytes.
const TUNNEL_HEAD_MAX: usize = 16 * 1024;

/// What a run's requests go over, made when the first one needs it.
pub struct Http {
    pub(super) proxies: Proxies,
    pub(super) connect_limit: Duration,
    trust: Rc<Trust>,
    idle: RefCell<Vec<(Route, Origin, Connection)>>,
    /// What has been asked, where somebody wants to know.
    pub transcript: RefCell<Option<Transcript>>,
}

/// Which way a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Whether it may connect to loopback and private addresses only.
    pub(super) private: bool,
    pub(super) proxy: Option<ProxyUrl>,
}

/// A connection for one request at a time.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Payload>,
    /// The server's end, or the proxy's.
    pub(super) peer: Option<SocketAddr>,
    pub(super) heads: Heads,
    /// When the last answer came over it.
    pub(super) answered: Option<Instant>,
}

impl Http {
    pub fn new(proxies: Proxies, trust: Rc<Trust>, timeout: Duration) -> Self {
        Self {
            proxies,
            connect_limit: CONNECT_LIMIT.min(timeout.mul_f64(CONNECT_SHARE)),
            trust,
            idle: RefCell::default(),
            transcript: RefCell::default(),
        }
    }

    /// A connection over which the same origin has answered.
    pub(super) fn kept(&self, route: &Route, url: &Url) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let recent = |answered: Instant| answered.elapsed() < IDLE_MAX;
        idle.retain(|(.., one)| !one.sender.is_closed() && one.answered.is_some_and(recent));
        let origin = url.origin();
        let mut all = idle.iter();
        let place =
            all.position(|(way, to, one)| *to == origin && way == route && one.sender.is_ready())?;
        Some(idle.swap_remove(place).2)
    }

    /// Keeps a connection for the next request to the same origin. The body of its answer may still be on its way.
    pub(super) fn keep(&self, mut connection: Connection, route: &Route, url: &Url) {
        connection.answered = Some(Instant::now());
        let idle = (route.clone(), url.origin(), connection);
        self.idle.borrow_mut().push(idle);
    }

    /// Connects for a request that is given up at `deadline`, or fails before, to say whether anything was sent.
    pub(super) async fn connect(
        &self,
        route: &Route,
        url: &Url,
        deadline: Instant,
    ) -> Result<Connection, Broken> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (whole, share) = (self.connect_limit, left.mul_f64(CONNECT_SHARE));
        let limit = if whole < left { whole } else { share };
        if url.scheme() == "https" {
            self.trust.config().await?;
        }
        let made = async {
            let (stream, peer) = connect(route, url, &self.trust).await?;
            let heads = Heads::default();
            let (read, write) = tokio::io::split(stream);
            let read = Watched(read, heads.clone());
            let (sender, connection) = http1::Builder::new()
                // Servers fold lines, pad names, and print PHP's warnings among them; `heads` draws the line.
                .allow_obsolete_multiline_headers_in_responses(true)
                .allow_spaces_after_header_name_in_responses(true)
                .ignore_invalid_headers_in_responses(true)
                .handshake(TokioIo::new(tokio::io::join(read, write)))
                .await?;
            tokio::spawn(connection);
            Ok(Connection {
                sender,
                peer,
                heads,
                answered: None,
            })
        };
        let made = tokio::time::timeout(limit, made).await;
        made.unwrap_or(Err(Broken::TimedOut(limit)))
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Boxed = Box<dyn Stream>;

/// Why there is no connection. Nothing of the request was sent.
pub(super) enum Broken {
    TimedOut(Duration),
    /// The proxy's answer to CONNECT.
    Refused(u16),
    /// A failure of the network, of TLS, or of SOCKS, or [`NoAddress`].
    Other(Box<dyn StdError + Send + Sync>),
    Ours(Error),
}

impl<E: StdError + Send + Sync + 'static> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Connects to the server of `url`, and says where its end or its proxy's is.
async fn connect(
    route: &Route,
    url: &Url,
    trust: &Trust,
) -> Result<(Boxed, Option<SocketAddr>), Broken> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver(route.private));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEP_ALIVE));
    let server = &url[..Position::AfterPort];
    let socket = match &route.proxy {
        None => open(tcp, server).await?,
        Some(proxy) if proxy.is_http() => open(tcp, &proxy.uri).await?,
        Some(proxy) => {
            // SOCKS hides why its proxy cannot be reached.
            if let (true, Some(name)) = (route.private, proxy.url.domain()) {
                lookup(name, true).await?;
            }
            // Without a port it would be 443, whatever the scheme.
            let place = match proxy.resolves {
                true => place(url),
                false => resolved(url).await?.to_string(),
            };
            let server = format!("http://{place}");
            let there = proxy.uri.parse()?;
            if proxy.scheme.starts_with("socks4") {
                open(SocksV4::new(there, tcp), &server).await?
            } else {
                let mut socks = SocksV5::new(there, tcp);
                if let Some((user, password)) = &proxy.user {
                    socks = socks.with_auth(user.expose().into(), password.expose().into());
                }
                open(socks, &server).await?
            }
        }
    };
    let peer = socket.peer_addr().ok();
    let mut stream: Boxed = Box::new(socket);
    let encrypted = url.scheme() == "https";
    if let Some(proxy) = route.proxy.as_ref().filter(|proxy| proxy.is_http()) {
        if proxy.scheme == "https" {
            stream = encrypt(trust, &proxy.url, stream).await?;
        }
        if encrypted {
            tunnel(&mut stream, url, proxy).await?;
        }
    }
    if encrypted {
        stream = encrypt(trust, url, stream).await?;
    }
    Ok((stream, peer))
}

async fn open<C>(mut connector: C, to: &str) -> Result<TcpStream, Broken>
where
    C: Service<Uri, Response = TokioIo<TcpStream>, Error: StdError + Send + Sync + 'static>,
{
    Ok(connector.call(to.parse()?).await?.into_inner())
}

async fn encrypt(trust: &Trust, server: &Url, stream: Boxed) -> Result<Boxed, Broken> {
    let host = server.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let stream = trust.connect(host, stream, &["http/1.1"]).await??;
    Ok(Box::new(stream))
}

/// Asks a proxy to connect to the server of `url`.
async fn tunnel(stream: &mut Boxed, url: &Url, proxy: &ProxyUrl) -> Result<(), Broken> {
    let place = place(url);
    let mut lines = vec!["CONNECT ", &place, " HTTP/1.1\r\nHost: ", &place];
    if let Some(authorization) = &proxy.authorization {
        lines.extend(["\r\nProxy-Authorization: ", authorization.expose()]);
    }
    lines.push("\r\n\r\n");
    let request = Secret::new(lines.concat());
    stream.write_all(request.expose().as_bytes()).await?;
    let mut head = Vec::new();
    // What follows the head is the server's.
    while !head.ends_with(b"\n\r\n") && !head.ends_with(b"\n\n") && head.len() < TUNNEL_HEAD_MAX {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let rest = head.strip_prefix("HTTP/1.");
    match rest.and_then(|rest| rest.get(2..5)?.parse().ok()) {
        Some(200..300) => Ok(()),
        Some(status) => Err(Broken::Refused(status)),
        None => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
}

/// Host and port of a server, as a proxy is told them.
fn place(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

/// The server's address for a proxy that resolves no names.
async fn resolved(url: &Url) -> Result<SocketAddr, NoAddress> {
    let found = lookup(url.host_str().unwrap_or_default(), false).await?;
    let none = || NoAddress::Unresolved(io::ErrorKind::NotFound.into());
    let first = found.first().ok_or_else(none)?;
    let port = url.port_or_known_default().unwrap_or_default();
    Ok((first.ip(), port).into())
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub(super) enum NoAddress {
    /// It has public addresses only, and no request may go there.
    Public,
    Unresolved(io::Error),
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public address"),
            Self::Unresolved(why) => why.fmt(f),
        }
    }
}

impl StdError for NoAddress {}

/// The addresses of a host, private ones if it must have some.
pub(super) async fn lookup(host: &str, private: bool) -> Result<Vec<SocketAddr>, NoAddress> {
    let found = threads::resolve(host, 0).await;
    let mut found = found.map_err(NoAddress::Unresolved)?;
    let any = !found.is_empty();
    found.retain(|address| !private || is_private(address.ip()));
    match any && found.is_empty() {
        true => Err(NoAddress::Public),
        false => Ok(found),
    }
}

/// Whether plain http may go to an address without further consent.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Resolves names for the connector; with `true` to private addresses only.
#[derive(Clone)]
struct Resolver(bool);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NoAddress;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAddress>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAddress>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.0;
        Box::pin(async move { Ok(lookup(name.as_str(), private).await?.into_iter()) })
    }
}
