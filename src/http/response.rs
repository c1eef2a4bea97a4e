//! A server's answer, and the error that it stands for where it is not what was asked for.

use jiff::Timestamp;

use super::json;
use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};

pub use super::json::Json;

/// Where a redirect points, as far as it may be shown.
#[derive(Debug, Clone)]
pub enum Redirect {
    /// An absolute URL, without user, query and fragment.
    Url(String),
    /// What is none: `a javascript: address`.
    Other(Text),
}

/// An answer as it came, within the size limit.
#[derive(Debug, Clone)]
pub struct Response {
    /// Host, and port where it is not the scheme's own.
    pub host: String,
    /// Whether it came over TLS.
    pub https: bool,
    /// The path that was asked for, without its query.
    pub path: String,
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect points.
    pub location: Option<Redirect>,
    /// Seconds to wait before the next try, where the server names them.
    pub retry_after: Option<u64>,
    /// The server's clock.
    pub date: Option<Timestamp>,
    /// Whether it asks for a password as web servers and proxies do: Basic, Digest, NTLM or Negotiate.
    pub asks_for_password: bool,
    pub body: Vec<u8>,
}

impl Response {
    /// The answer's JSON object, if it is a success. What the body says decides: `refusal` looks at the object
    /// before the status is looked at, since real servers refuse with 200, 401 and 500 alike.
    pub fn object(&self, refusal: impl Fn(&Json) -> Option<Error>) -> Result<Json> {
        if (300..400).contains(&self.status) {
            return Err(self.redirect());
        }
        let found = json::find(&self.host, &self.body);
        if let Ok(object) = &found
            && let Some(refused) = refusal(object)
        {
            return Err(refused.status(self.status));
        }
        if !(200..300).contains(&self.status) {
            return Err(self.failure(found.ok().as_ref()));
        }
        found.map_err(|error| error.status(self.status))
    }

    /// The answer's JSON object, whatever its status says.
    pub fn any_object(&self) -> Option<Json> {
        json::find(&self.host, &self.body).ok()
    }

    /// The same of an answer of which more may come unless it is `whole`; `None` while the object may be on its way.
    pub fn arriving_object(&self, whole: bool) -> Option<Option<Json>> {
        (whole || !json::may_follow(&self.body)).then(|| self.any_object())
    }

    /// Whether the body is HTML or begins with it, as PHP's warnings do.
    pub fn is_markup(&self) -> bool {
        json::text(&self.body).starts_with(b"<")
    }

    /// Whether a web server or a proxy refused the request, not the system; `always_json` says that the system's own
    /// refusals are always JSON.
    pub fn refused_in_front(&self, always_json: bool) -> bool {
        matches!(self.status, 401 | 403)
            && (self.asks_for_password || always_json && self.is_markup() && self.any_object().is_none())
    }

    /// A cause by the status alone, with what the server says about it.
    fn failure(&self, object: Option<&Json>) -> Error {
        let said = object.and_then(Json::said).unwrap_or_default();
        let error = status_error(&self.host, &self.path, self.status).said(&said);
        if self.status == 403 && object.is_none() {
            return error.hint(tr!("no JSON came with it: a firewall before the server may have answered"));
        }
        match (error.cause, self.retry_after) {
            (Cause::RateLimited | Cause::Unavailable, Some(seconds)) => {
                error.hint(tr!("the server asks to wait {seconds} s before the next try", seconds))
            }
            _ => error,
        }
    }

    fn redirect(&self) -> Error {
        redirect(&self.host, self.status, self.location.as_ref(), self.https)
    }
}

/// What a status that is no success means, whatever the protocol.
pub fn status_error(host: &str, path: &str, status: u16) -> Error {
    let (cause, message) = match status {
        401 | 403 => (Cause::Refused, tr!("{host} refused the request (HTTP {status})", host, status)),
        404 | 405 | 410 => {
            (Cause::NotFound, tr!("{host} has no such API at {path} (HTTP {status})", host, path, status))
        }
        407 => (Cause::Proxy, tr!("the proxy wants a user name and a password (HTTP 407)")),
        408 => (Cause::ServerTimeout, tr!("{host} timed out waiting for the request (HTTP 408)", host)),
        423 => (Cause::Locked, tr!("{host} says that the account is locked (HTTP 423)", host)),
        429 => (Cause::RateLimited, tr!("{host} is rate limited: too many requests (HTTP 429)", host)),
        502..=504 => (Cause::Unavailable, tr!("{host} is unavailable for now (HTTP {status})", host, status)),
        _ => (Cause::Status, tr!("{host} answered HTTP {status}", host, status)),
    };
    Error::new(cause, message).status(status)
}

/// The failure of a request that [`Response::refused_in_front`] is true of.
pub fn in_front(host: &str, status: u16) -> Error {
    let message =
        tr!("a web server or proxy in front of {host} refused the request (HTTP {status})", host, status);
    Error::new(Cause::InFront, message).status(status).hint(tr!(
        "the system itself was not asked: have whoever runs that server or proxy let this machine through"
    ))
}

/// A redirect, which is never followed.
pub fn redirect(host: &str, status: u16, to: Option<&Redirect>, https: bool) -> Error {
    match to {
        None => Error::new(
            Cause::Redirect,
            tr!("{host} redirected without saying where (HTTP {status})", host, status),
        ),
        Some(Redirect::Url(to)) if https && to.starts_with("http://") => {
            let message =
                tr!("{host} redirected from https to http, a downgrade (HTTP {status})", host, status);
            Error::new(Cause::Redirect, message)
                .said(to)
                .hint(tr!("no redirect is followed; ask who runs that server"))
        }
        Some(Redirect::Other(what)) => Error::new(
            Cause::Redirect,
            tr!("{host} redirected the request to {what} (HTTP {status})", host, what, status),
        ),
        Some(Redirect::Url(to)) => {
            Error::new(Cause::Redirect, tr!("{host} redirected the request (HTTP {status})", host, status))
                .said(to)
        }
    }
    .status(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &[u8]) -> Response {
        Response {
            host: "h".into(),
            https: true,
            path: "/p".into(),
            status,
            location: None,
            retry_after: None,
            date: None,
            asks_for_password: false,
            body: body.to_vec(),
        }
    }

    #[test]
    fn a_status_becomes_a_cause() {
        for (status, exit) in [
            (401, 4),
            (403, 4),
            (423, 4),
            (404, 6),
            (405, 6),
            (410, 6),
            (408, 5),
            (429, 5),
            (500, 6),
            (502, 5),
            (503, 5),
            (504, 5),
            (301, 6),
            (308, 6),
            (400, 6),
            (422, 6),
            (418, 6),
        ] {
            let error = answer(status, b"<html>").object(|_| None).expect_err("an error");
            assert_eq!(error.cause.exit(), exit, "{status}");
        }
    }
}
