//! Why a try got no answer, in our words, and whether another may follow.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use super::connect::{Broken, PublicAddress, Unresolved};
use super::connections::{Route, Unanswered};
use super::header::host_of;
use super::heads::{self, Head, Heads};
use super::proxy_url::ProxyUrl;
use super::response::{Response, is_away};
use super::{Request, public_http};
use crate::declaration::Target;
use crate::error::{Cause, Error, error, find, innermost};
use crate::files;
use crate::i18n::{Text, tr};
use crate::tls;

/// A try that got no answer.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) again: Again,
}

pub(super) type Outcome = Result<Response, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            again: Again::Never,
        }
    }
}

/// Whether another try may follow a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Nothing: another try would fail too, or time is up.
    Never,
    /// One more try, since no byte had left.
    NothingSent,
    /// More tries, if the request may be repeated: it had been sent.
    Lost,
    /// As [`Again::Lost`], over a connection that had answered before: the server may have hung up without a word.
    HungUp,
}

fn fail(cause: Cause, message: Text, again: Again) -> Failure {
    Failure {
        error: Error::new(cause, message),
        again,
    }
}

/// Explains why there is no answer. `heads` knows how its head came, and `answered` whether another had come before.
pub(super) fn explain(
    failure: Unanswered,
    request: &Request,
    heads: &Heads,
    answered: bool,
) -> Failure {
    let host = &host_of(&request.url);
    let error = failure.error;
    let mut explained = if let Some(refusal) = tls::explain(&error, host) {
        // With TLS 1.3 a server that wants a certificate of ours says so after the handshake.
        refusal.into()
    } else if error.is_parse() && heads.how() == Head::Ambiguous {
        heads::ambiguous(host).into()
    } else if error.is_parse_too_large() {
        error!(
            TooLarge, "{host}'s answer has too many or too large headers", host;
            hint "the server itself has answered; its log, or its administrator, can say more"
        )
        .into()
    } else if error.is_parse() && heads.is_http() {
        heads::malformed(host).into()
    } else if error.is_user() {
        let doubt = request.doubt();
        error!(
            Other,
            "what is sent to {host} ended early or cannot be read: it may have changed meanwhile{doubt}",
            host, doubt
        )
        .into()
    } else if error.is_parse() || spoke_first(&error) {
        let message = tr!("{host} is not an HTTP server", host);
        fail(Cause::NotHttp, message, Again::Never)
    } else {
        let message = tr!(
            "{host} closed the connection before answering{doubt}",
            host,
            doubt = request.doubt()
        );
        let again = if answered { Again::HungUp } else { Again::Lost };
        fail(Cause::Closed, message, again)
    };
    explained.error = explained.error.caused_by(error);
    explained
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

/// Explains why there is no connection, which may have taken until `limit`; nothing was sent then.
pub(super) fn explain_connect(
    broken: Broken,
    host: &str,
    route: &Route,
    limit: Duration,
    target: &Target,
) -> Failure {
    let proxy = route.proxy.as_ref();
    let error = match broken {
        Broken::Ours(error) => return error.into(),
        Broken::TimedOut => {
            let limit = files::seconds(limit);
            let error = match proxy.map(|proxy| &proxy.shown) {
                None => error!(
                    ConnectTimeout,
                    "timed out connecting to {host} after {limit} s", host, limit
                ),
                Some(proxy) => error!(
                    ConnectTimeout,
                    "timed out connecting to {host} through the proxy {proxy} after {limit} s", host, proxy, limit;
                    hint "check https_proxy, or name the host in no_proxy"
                ),
            };
            let again = Again::NothingSent;
            return Failure { error, again };
        }
        Broken::Refused(status) => return connect_refused(status, host, proxy),
        Broken::Other(error) => error,
    };
    let mut explained = explain_break(&*error, host, proxy, target);
    explained.error = explained.error.caused_by(anyhow::Error::from_boxed(error));
    explained
}

/// Whether a proxy's status is a refusal, or may pass.
pub(super) fn cause_of_proxy(status: u16) -> Cause {
    match is_away(status) || matches!(status, 408 | 429) {
        true => Cause::Proxy,
        false => Cause::ProxyRefused,
    }
}

/// The refusal of CONNECT. The proxy's password went out with the question, which is not asked again.
fn connect_refused(status: u16, host: &str, proxy: Option<&ProxyUrl>) -> Failure {
    let proxy = proxy.map_or("", |proxy| &*proxy.shown);
    let message = match status {
        407 => tr!(
            "the proxy {proxy} requires a user name and a password that it knows (HTTP 407)",
            proxy
        ),
        _ => tr!(
            "the proxy {proxy} refused to connect to {host} (HTTP {status})",
            proxy,
            host,
            status
        ),
    };
    let mut refused = fail(cause_of_proxy(status), message, Again::Never);
    refused.error = refused.error.status(status);
    refused
}

fn explain_break(
    error: &(dyn StdError + 'static),
    host: &str,
    proxy: Option<&ProxyUrl>,
    target: &Target,
) -> Failure {
    if find::<PublicAddress>(error).is_some() {
        return public_http(host, proxy, target).into();
    }
    if let Some(error) = tls::explain(error, host) {
        return error.into();
    }
    if let Some(proxy) = proxy {
        return explain_proxy(error, host, &proxy.shown);
    }
    if let Some(Unresolved(why)) = find(error) {
        let unresolved = error!(Dns, "cannot resolve {host}", host);
        return match why.raw_os_error() {
            Some(_) => unresolved.since(why).into(),
            None => unresolved.into(),
        };
    }
    let why = innermost(error);
    let (cause, message) = match why.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            (Cause::Connect, tr!("connection refused by {host}", host))
        }
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe,
        ) => (
            Cause::Tls,
            tr!(
                "{host} closed the connection during the TLS handshake",
                host
            ),
        ),
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
            (Cause::Connect, tr!("no route to {host}", host))
        }
        _ => {
            let error = error!(Connect, "cannot connect to {host}", host);
            return Failure {
                error: why.into_iter().fold(error, Error::since),
                again: Again::NothingSent,
            };
        }
    };
    fail(cause, message, Again::NothingSent)
}

/// Why there is no connection through a proxy. The errors for SOCKS have texts and no types.
fn explain_proxy(error: &(dyn StdError + 'static), host: &str, proxy: &str) -> Failure {
    let text = error.to_string();
    let says = |part: &str| text.contains(part);
    if says("credentials not accepted") || says("not support user/pass auth") {
        let message = tr!(
            "the proxy {proxy} did not accept the user name and the password",
            proxy
        );
        return fail(Cause::ProxyRefused, message, Again::Never);
    }
    if says("connection not allowed") {
        let message = tr!(
            "the proxy {proxy} refused to connect to {host}",
            proxy,
            host
        );
        return fail(Cause::ProxyRefused, message, Again::Never);
    }
    if find::<Unresolved>(error).is_some() {
        let message = tr!("cannot resolve {host} or its proxy {proxy}", host, proxy);
        return fail(Cause::Proxy, message, Again::Never);
    }
    let message = tr!(
        "cannot connect to {host} through the proxy {proxy}",
        host,
        proxy
    );
    fail(Cause::Proxy, message, Again::NothingSent)
}
