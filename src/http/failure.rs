//! Why a try got no answer, in our words, and whether another may follow.

use std::error::Error as StdError;
use std::io;

use hyper::http::Extensions;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpInfo;

use super::clients::{Client, Http, PublicAddress};
use super::header::host_of;
use super::heads;
use super::response::Response;
use super::{Request, public_http};
use crate::declaration::Target;
use crate::error::{Cause, Error, error, find, innermost};
use crate::files;
use crate::i18n::tr;
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

/// Turns the client's error into ours. Its own text is never used, since it contains URLs with their queries.
pub(super) fn explain(
    error: &reqwest::Error,
    request: &Request,
    client: &Client,
    target: &Target,
    http: &Http,
) -> Failure {
    let host = &host_of(&request.url);
    let fail = |cause, message| Failure::from(Error::new(cause, message));
    if find::<PublicAddress>(error).is_some() {
        return public_http(host, client.route.proxy.as_ref(), target).into();
    }
    if error.is_dns() {
        return match client.proxy() {
            None => {
                let unresolved = error!(Dns, "cannot resolve {host}", host);
                match innermost(error) {
                    Some(why) if why.raw_os_error().is_some() => unresolved.since(why).into(),
                    _ => unresolved.into(),
                }
            }
            Some(proxy) => fail(
                Cause::Proxy,
                tr!("cannot resolve {host} or its proxy {proxy}", host, proxy),
            ),
        };
    }
    if let Some(error) = tls::explain(error, host) {
        return error.into();
    }
    if let Some(proxy) = client.proxy()
        && let Some(refusal) = refusal_of_proxy(error, host, proxy)
    {
        return refusal.into();
    }
    if error.is_connect() {
        return explain_connect(error, host, client);
    }
    match find::<hyper::Error>(error) {
        Some(hyper) if hyper.is_parse_too_large() => fail(
            Cause::TooLarge,
            tr!("{host}'s answer has too many or too large headers", host),
        ),
        Some(hyper) if hyper.is_parse() && heads::was_ambiguous() => heads::ambiguous(host).into(),
        Some(hyper) if hyper.is_parse() || spoke_first(hyper) => {
            fail(Cause::NotHttp, tr!("{host} is not an HTTP server", host))
        }
        _ => {
            let doubt = request.doubt();
            let message = tr!(
                "{host} closed the connection before answering{doubt}",
                host,
                doubt
            );
            Failure {
                error: Error::new(Cause::Closed, message),
                again: match had_answered(error, http) {
                    true => Again::HungUp,
                    false => Again::Lost,
                },
            }
        }
    }
}

/// Whether an answer had come over the connection that failed.
fn had_answered(error: &reqwest::Error, http: &Http) -> bool {
    let mut extras = Extensions::new();
    if let Some(connection) = find::<legacy::Error>(error).and_then(legacy::Error::connect_info) {
        connection.get_extras(&mut extras);
    }
    let ends = extras.get::<HttpInfo>();
    ends.is_some_and(|ends| http.answered.borrow_mut().remove(&ends.local_addr()))
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

/// What a proxy refused. Nothing is sent again: its password went out with the question. The client's errors for it have
/// texts and no types, and keep the status of 407 only.
fn refusal_of_proxy(error: &reqwest::Error, host: &str, proxy: &str) -> Option<Error> {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    let texts: Vec<String> = sources.map(ToString::to_string).collect();
    let says = |text: &str| texts.iter().any(|line| line.contains(text));
    let message = if says("tunnel error: proxy authorization required") {
        tr!(
            "the proxy {proxy} wants a user name and a password that it knows (HTTP 407)",
            proxy
        )
    } else if says("credentials not accepted") || says("not support user/pass auth") {
        tr!(
            "the proxy {proxy} did not accept the user name and the password",
            proxy
        )
    } else if says("tunnel error: unsuccessful") || says("connection not allowed") {
        tr!(
            "the proxy {proxy} refused to connect to {host}",
            proxy,
            host
        )
    } else {
        return None;
    };
    Some(Error::new(Cause::ProxyRefused, message))
}

/// Explains why there was no connection; nothing was sent then.
fn explain_connect(error: &reqwest::Error, host: &str, client: &Client) -> Failure {
    let (cause, message) = if error.is_timeout() {
        let limit = files::seconds(client.connect_limit);
        (
            Cause::ConnectTimeout,
            tr!(
                "timed out connecting to {host} after {limit} s",
                host,
                limit
            ),
        )
    } else if let Some(proxy) = client.proxy() {
        (
            Cause::Proxy,
            tr!(
                "cannot connect to {host} through the proxy {proxy}",
                host,
                proxy
            ),
        )
    } else {
        let why = innermost(error);
        match why.map(io::Error::kind) {
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
        }
    };
    Failure {
        error: Error::new(cause, message),
        again: Again::NothingSent,
    }
}
