//! Why a try got no answer, in our words, and whether another may follow.

use std::error::Error as StdError;
use std::io::{self, ErrorKind as Kind};

use url::Url;

use super::connect::{Broken, Connection, NoAddress};
use super::heads::{self, Head};
use super::proxy_url::ProxyUrl;
use super::response::{Response, host_of, is_away};
use super::{Channel, Request};
use crate::error::{Cause, Error, error, find, innermost};
use crate::i18n::{Text, tr};
use crate::{files, tls};

type Source = dyn StdError + 'static;

/// A try that got no answer.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) again: Again,
}

pub(super) type Outcome = Result<Response, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let again = Again::Never;
        Self { error, again }
    }
}

/// Whether another try may follow a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// No other try: it would fail too, or time is up.
    Never,
    /// One more try, since no byte had left.
    NothingSent,
    /// More tries, if the request may be repeated: it had been sent.
    Lost,
    /// As [`Again::Lost`], over a connection that had answered before: the server may have hung up without a word.
    HungUp,
}

pub(super) fn explain(error: hyper::Error, request: &Request, connection: &Connection) -> Failure {
    let (host, doubt) = (&host_of(&request.url), request.doubt());
    let (how, is_http) = connection.heads.seen();
    let mut again = Again::Never;
    let explained = if let Some(refusal) = tls::explain(&error, host) {
        // With TLS 1.3 a server that wants a certificate of ours says so after the handshake.
        refusal
    } else if error.is_parse() && how == Head::Ambiguous {
        heads::ambiguous(host)
    } else if error.is_parse_too_large() {
        error!(TooLarge: "{host}'s answer has too many or too large headers"; host =>
            hint "the server itself has answered; its log, or its administrator, can say more")
    } else if error.is_parse() && is_http {
        heads::malformed(host)
    } else if error.is_user() {
        error!(Other:
            "what is sent to {host} ended early or cannot be read: it may have changed meanwhile{doubt}"; host, doubt)
    } else if error.is_parse() || spoke_first(&error) {
        error!(NotHttp: "{host} is not an HTTP server"; host)
    } else {
        again = (connection.answered).map_or(Again::Lost, |_| Again::HungUp);
        error!(Closed: "{host} closed the connection before answering{doubt}"; host, doubt)
    };
    let error = explained.caused_by(error);
    Failure { error, again }
}

/// Whether the server spoke before it was asked, as SSH and mail servers do. hyper has no method for this kind of error:
/// it is the one without a source that is none of the others, or the cause of a request that was not sent.
fn spoke_first(error: &hyper::Error) -> bool {
    match error.source().and_then(|source| source.downcast_ref()) {
        Some(why) => error.is_canceled() && spoke_first(why),
        None => {
            let broke = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
            !broke && error.source().is_none()
        }
    }
}

impl Channel<'_> {
    /// Explains why there is no connection; nothing was sent then.
    pub(super) fn explain(&self, broken: Broken, url: &Url, proxy: Option<&ProxyUrl>) -> Failure {
        let host = &host_of(url);
        match broken {
            Broken::Ours(error) => error.into(),
            Broken::TimedOut(limit) => {
                let (host, limit) = (by_way_of(proxy, host), files::seconds(limit));
                let error = error!(ConnectTimeout: "timed out connecting to {host} after {limit} s"; host, limit);
                let hint = tr!("check https_proxy, or name the host in no_proxy");
                let error = if proxy.is_some() {
                    error.hint(hint)
                } else {
                    error
                };
                let again = Again::NothingSent;
                Failure { error, again }
            }
            Broken::Refused(status) => connect_refused(status, host, proxy).into(),
            Broken::Other(source) => {
                let (again, error) = match (find(&*source), proxy) {
                    (Some(NoAddress::Public), _) => (Again::Never, self.public_http(url, proxy)),
                    _ => explain_break(&*source, host, proxy),
                };
                let error = error.caused_by(anyhow::Error::from_boxed(source));
                Failure { error, again }
            }
        }
    }
}

/// A server with the proxy on the way to it, for a sentence.
pub(super) fn by_way_of(proxy: Option<&ProxyUrl>, host: &str) -> Text {
    match proxy.map(|proxy| &proxy.shown) {
        Some(proxy) => tr!("{host} through the proxy {proxy}"; host, proxy),
        None => tr!("{host}"; host),
    }
}

/// A proxy's refusal, whose status says whether it may pass.
pub(super) fn by_proxy(error: Error, status: u16) -> Error {
    let cause = match is_away(status) || matches!(status, 408 | 429) {
        true => Cause::Proxy,
        false => Cause::ProxyRefused,
    };
    Error { cause, ..error }.status(status)
}

/// The refusal of CONNECT. The proxy's password went out with the question, which is not asked again.
fn connect_refused(status: u16, host: &str, proxy: Option<&ProxyUrl>) -> Error {
    let proxy = proxy.map_or("", |proxy| &*proxy.shown);
    let error = match status {
        407 => error!(ProxyRefused:
            "the proxy {proxy} requires a user name and a password that it knows (HTTP 407)"; proxy),
        _ => error!(ProxyRefused:
            "the proxy {proxy} refused to connect to {host} (HTTP {status})"; proxy, host, status),
    };
    by_proxy(error, status)
}

fn explain_break(error: &Source, host: &str, proxy: Option<&ProxyUrl>) -> (Again, Error) {
    if let Some(error) = tls::explain(error, host) {
        return (Again::Never, error);
    }
    if let Some(proxy) = proxy {
        return explain_proxy(error, host, proxy);
    }
    if let Some(NoAddress::Unresolved(why)) = find(error) {
        let unresolved = error!(Dns: "cannot resolve {host}"; host);
        let error = match why.raw_os_error() {
            Some(_) => unresolved.since(why),
            None => unresolved,
        };
        return (Again::Never, error);
    }
    let why = innermost(error);
    let error = match why.map(io::Error::kind) {
        Some(Kind::ConnectionRefused) => error!(Connect: "connection refused by {host}"; host),
        Some(Kind::ConnectionReset | Kind::UnexpectedEof | Kind::BrokenPipe) => error!(Tls:
            "{host} closed the connection during the TLS handshake"; host),
        Some(Kind::NetworkUnreachable | Kind::HostUnreachable) => error!(Connect:
            "no route to {host}"; host),
        _ => {
            let error = error!(Connect: "cannot connect to {host}"; host);
            why.into_iter().fold(error, Error::since)
        }
    };
    (Again::NothingSent, error)
}

/// Why there is no connection to a server that is reached directly.
pub fn unconnected(error: &Source, host: &str) -> Error {
    explain_break(error, host, None).1
}

/// Why there is no connection through a proxy. The errors for SOCKS have texts and no types.
fn explain_proxy(error: &Source, host: &str, way: &ProxyUrl) -> (Again, Error) {
    let (text, proxy) = (error.to_string(), &way.shown);
    let says = |part: &str| text.contains(part);
    let refused = if says("credentials not accepted") || says("not support user/pass auth") {
        error!(ProxyRefused: "the proxy {proxy} did not accept the user name and the password"; proxy)
    } else if says("connection not allowed") {
        error!(ProxyRefused: "the proxy {proxy} refused to connect to {host}"; proxy, host)
    } else if find::<NoAddress>(error).is_some() {
        error!(Proxy: "cannot resolve {host} or its proxy {proxy}"; host, proxy)
    } else {
        let error = error!(Proxy: "cannot connect to {host}"; host = by_way_of(Some(way), host));
        return (Again::NothingSent, error);
    };
    (Again::Never, refused)
}
