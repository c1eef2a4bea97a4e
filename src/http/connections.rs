//! The connections of a run: which way they take, which are kept, and how long making one may take.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use url::{Origin, Url};

use super::connect::{Broken, connect};
use super::heads::{Heads, Watched};
use super::proxy_url::{Proxies, ProxyUrl};
use super::stream::Payload;
use super::transcript::Transcript;
use crate::tls::Trust;

/// How long it may take to connect, name resolution and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How much of the time that is left it may take: in the rest we can say that nothing was sent.
const CONNECT_SHARE: f64 = 0.8;

/// How long an idle connection is kept.
const IDLE_MAX: Duration = Duration::from_secs(90);

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
    pub(super) encrypted: bool,
    /// Whether it may connect to loopback and private addresses only.
    pub(super) private_only: bool,
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

    /// Connects for a request that is given up at `deadline`: a connection must fail before it, so that a failure says
    /// whether anything was sent.
    pub(super) async fn connect(
        &self,
        route: &Route,
        url: &Url,
        deadline: Instant,
    ) -> Result<Connection, Broken> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (whole, share) = (self.connect_limit, left.mul_f64(CONNECT_SHARE));
        let limit = if whole < left { whole } else { share };
        if route.encrypted {
            self.trust.config().await?;
        }
        let made = async {
            let (stream, peer) = connect(route, url, &self.trust).await?;
            let heads = Heads::default();
            let (read, write) = tokio::io::split(stream);
            let read = Watched(read, heads.clone());
            let (sender, connection) = http1::Builder::new()
                // Servers fold lines, pad names, and print PHP's warnings among them; `heads` says which, and draws the
                // line.
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
