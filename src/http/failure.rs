//! Why a try got no answer, in our words, and whether another may follow.

use std::error::Error as StdError;
use std::io;

use super::clients::{Client, PublicAddress};
use super::header::host_of;
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
}

/// Turns the client's error into ours. Its own text is never used, since it contains URLs with their queries.
pub(super) fn explain(
    error: &reqwest::Error,
    request: &Request,
    client: &Client,
    target: &Target,
) -> Failure {
    let host = &host_of(&request.url);
    let fail = |cause, message| Failure::from(Error::new(cause, message));
    if find::<PublicAddress>(error).is_some() {
        return public_http(host, target).into();
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
    if error.is_connect() {
        return explain_connect(error, host, client);
    }
    match find::<hyper::Error>(error) {
        Some(hyper) if hyper.is_parse_too_large() => fail(
            Cause::TooLarge,
            tr!("{host}'s answer has too many or too large headers", host),
        ),
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
                again: Again::Lost,
            }
        }
    }
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
