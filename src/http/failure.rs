//! Why a try gave no answer, in our words, and whether another may follow.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError};
use url::Url;

use super::clients::{PublicAddress, Route};
use super::header::host_of;
use super::{Channel, public_http};
use crate::error::{Cause, Error};

/// Why one try gave no answer, and whether another may follow.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) again: Again,
}

/// What may follow a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Nothing: another try would fail alike, or time is up.
    Never,
    /// One more try: no byte had left.
    NothingSent,
    /// More tries of a request that may be repeated: the connection broke after it was sent.
    Lost,
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
pub(super) fn explain(
    error: &reqwest::Error,
    host: &str,
    doubt: &str,
    route: &Route,
    way: &Channel<'_>,
) -> Failure {
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
            CertificateError::Other(_) => certificate(format!(
                "{host}'s certificate is none that a server may use as its own"
            ))
            .hint(
                "a CA's own certificate cannot be the server's: make one for the server, signed by that CA",
            ),
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
