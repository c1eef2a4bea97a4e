//! A server's answer, and the error that it stands for where it is not what was asked for.

use std::io;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, CONTENT_ENCODING, HeaderMap, LOCATION};
use hyper::{Method, StatusCode, Version};
use jiff::Timestamp;
use url::{Position, Url};

use super::Request;
use super::body::Body;
use super::header::{Place, compresses, http_date, location, readable, retry_after, text_header};
use super::heads;
use super::stream::Payload;
use crate::error::{Cause, Error, Result, error, innermost};
use crate::i18n::{Text, span, tr};

pub use super::json::Json;

/// The largest answer that is read whole, in bytes.
const BODY_MAX: usize = 1024 * 1024;

/// An answer, and as much of its body as has been read.
#[derive(Default)]
pub struct Response {
    /// Host, and port where it is not the scheme's own.
    pub host: String,
    pub https: bool,
    /// The path that was asked for, without its query.
    pub path: String,
    /// Whether the request was HEAD, which gets no body.
    pub head_only: bool,
    pub status: u16,
    pub location: Option<Place>,
    /// Seconds to wait before the next try, where the server names them.
    pub retry_after: Option<u64>,
    /// The server's clock.
    pub date: Option<Timestamp>,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The rest of the body, of which a part may take as long as `patience`.
    pub rest: Option<Incoming>,
    pub patience: Duration,
    /// Whether a JSON text that contains JSON stands for what it contains.
    pub unwraps: bool,
}

impl Response {
    /// An answer whose body has not been read.
    pub(super) fn new(
        request: &Request,
        response: hyper::Response<Incoming>,
        patience: Duration,
        unwraps: bool,
    ) -> Self {
        let url = &request.url;
        let (head, rest) = response.into_parts();
        let headers = head.headers;
        let date = text_header(&headers, header::DATE).and_then(http_date);
        let wait = text_header(&headers, header::RETRY_AFTER);
        Self {
            host: host_of(url),
            https: url.scheme() == "https",
            path: request.path(),
            head_only: request.method == Method::HEAD,
            status: head.status.as_u16(),
            location: readable(&headers, LOCATION).map(|place| location(url, &place)),
            retry_after: wait.and_then(|value| retry_after(value, date)),
            date,
            version: head.version,
            headers,
            body: Vec::new(),
            rest: Some(rest),
            patience,
            unwraps,
        }
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it asks for a password as web servers and proxies do, and APIs do not.
    pub fn asks_for_password(&self) -> bool {
        const SCHEMES: [&str; 4] = ["basic", "digest", "ntlm", "negotiate"];
        let challenges = self.headers.get_all(header::WWW_AUTHENTICATE).iter();
        let challenges = challenges.filter_map(|value| value.to_str().ok());
        // A header may contain several challenges with their parameters.
        let mut words = challenges.flat_map(|challenges| challenges.split([',', ' ', '\t']));
        words.any(|word| SCHEMES.contains(&&*word.to_ascii_lowercase()))
    }

    /// The status line and the headers as they came, one a line, and the empty line after them.
    pub fn head(&self) -> String {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let mut text = format!("{:?} {status}\r\n", self.version);
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            text.extend([name.as_str(), ": ", &value, "\r\n"]);
        }
        text + "\r\n"
    }

    /// Whether it is a redirect whose address contains a text, be it a URL or not.
    pub fn leads_to(&self, text: &str) -> bool {
        let place = readable(&self.headers, LOCATION);
        (300..400).contains(&self.status) && place.is_some_and(|place| place.contains(text))
    }

    pub fn into_parts(self) -> (HeaderMap, Payload) {
        let body = Payload::passed(self.body, self.rest, self.patience);
        (self.headers, body)
    }

    /// Reads all of the body. `doubt` is what its loss may mean.
    pub(super) async fn read(&mut self, doubt: &Text) -> Result<()> {
        let (host, status) = (&self.host, self.status);
        if compresses(&self.headers, CONTENT_ENCODING) == Some(true) {
            return Err(compressed(host, status));
        }
        loop {
            match part(&mut self.rest).await {
                Ok(None) => return Ok(()),
                Ok(Some(part)) if self.body.len() + part.len() > BODY_MAX => {
                    let error = error!(TooLarge: "{host}'s answer is larger than 1 MiB"; host);
                    return Err(error.status(status));
                }
                Ok(Some(part)) => self.body.extend_from_slice(&part),
                Err(error) => return Err(broken_off(host, &error, doubt).status(status)),
            }
        }
    }

    /// Reads the next part of the body, which is not kept; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let host = &self.host;
        match tokio::time::timeout(self.patience, part(&mut self.rest)).await {
            Ok(Ok(part)) => Ok(part.map(|part| part.to_vec())),
            Ok(Err(error)) => {
                let error = broken_off(host, &error, &Text::default());
                Err(error.hint(tr!("try again later")))
            }
            Err(_) => Err(error!(Timeout:
                "{host} sent nothing for {seconds} s"; host, seconds = self.patience.as_secs_f64() =>
                hint "try again, or allow more time with --timeout SECONDS")),
        }
    }

    /// Whether the server's program died over the request: the answer is an empty error, or PHP's page in place of JSON.
    pub fn crashed(&self) -> bool {
        let page = || self.page_says("Fatal error") || self.page_says("Parse error");
        match self.status {
            500 => self.body.trim_ascii().is_empty() || page(),
            200 => page(),
            _ => false,
        }
    }

    /// Whether the body contains a text and is not the system's object.
    pub fn page_says(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text) && self.any_object().is_none()
    }

    /// The error for a redirect, if it is one: 304 answers a question that is seldom asked.
    pub fn redirected(&self) -> Option<Error> {
        let (to, status) = (self.location.as_ref(), self.status);
        let is_one = (300..400).contains(&status) && status != 304;
        is_one.then(|| redirect(&self.host, status, to, self.https))
    }

    /// The error for a system's refusal in an object of its own, whatever the status.
    pub fn rejection(&self, cause: Cause, object: &Json) -> Error {
        let message = tr!("{host} refused the request"; host = self.host);
        let error = Error::new(cause, message).status(self.status);
        error.said(&object.said().unwrap_or_default())
    }

    /// The answer's JSON object, if its status is a success.
    pub fn object(&self) -> Result<Json> {
        if self.crashed() {
            return Err(server_failed(&self.host, self.status));
        }
        if let Some(error) = self.redirected() {
            return Err(error);
        }
        let found = self.find();
        if !self.is_success() {
            return Err(self.failure(found.ok().as_ref()));
        }
        found.map_err(|error| error.status(self.status))
    }

    /// The answer's JSON object, whatever its status says.
    pub fn any_object(&self) -> Option<Json> {
        self.find().ok()
    }

    fn find(&self) -> Result<Json> {
        let mut object = self.text().object(&self.host)?;
        if compresses(&self.headers, CONTENT_ENCODING) == Some(false) {
            let oddity = tr!("the server names a Content-Encoding, but the answer is not encoded");
            object.oddities.push(oddity);
        }
        Ok(object)
    }

    fn text(&self) -> Body<'_> {
        let content_type = text_header(&self.headers, header::CONTENT_TYPE);
        Body::new(&self.body, content_type, self.unwraps)
    }

    /// [`Response::any_object`] of an answer that may not be `whole` yet; `None` while the object may be on its way.
    pub fn arriving_object(&self, whole: bool) -> Option<Option<Json>> {
        (whole || !self.text().may_grow()).then(|| self.any_object())
    }

    /// Whether the body is HTML or begins with it, as PHP's warnings do.
    pub fn is_markup(&self) -> bool {
        self.text().trimmed().starts_with(b"<")
    }

    /// The error where a web server or a proxy refused the request before the system saw it. `always_json` says that the
    /// system's own refusals are always JSON.
    pub fn refused_in_front(&self, always_json: bool) -> Option<Error> {
        let page = || always_json && self.is_markup() && self.any_object().is_none();
        if !matches!(self.status, 401 | 403) || !(self.asks_for_password() || page()) {
            return None;
        }
        let (host, status) = (&self.host, self.status);
        let error = error!(InFront: "a web server or proxy in front of {host} refused the request (HTTP {status})";
            host, status =>
            hint "the system itself was not asked: ask the administrator of that server or proxy to let this machine \
            through");
        Some(error.status(status))
    }

    /// The error for a status that is not a success, with what the server says about it.
    fn failure(&self, object: Option<&Json>) -> Error {
        let said = object.and_then(Json::said).unwrap_or_default();
        let error = status_error(&self.host, &self.path, self.status).said(&said);
        let hint = match (self.status, error.cause, self.retry_after) {
            (403, ..) if object.is_none() => tr!(
                "the answer contains no JSON: a firewall in front of the server may have sent it"
            ),
            (413, ..) => tr!(
                "a web server or proxy does not accept a body of that size; its administrator can raise the limit"
            ),
            (_, Cause::RateLimited | Cause::Unavailable, Some(seconds)) => tr!(
                "the server asks you to wait {pause} before the next try";
                pause = span(i64::try_from(seconds).unwrap_or(i64::MAX))),
            _ => return error,
        };
        error.hint(hint)
    }
}

/// The next part of a body; `None` at its end.
async fn part(rest: &mut Option<Incoming>) -> hyper::Result<Option<Bytes>> {
    let Some(rest) = rest else { return Ok(None) };
    while let Some(frame) = rest.frame().await {
        // A trailer says nothing to us.
        if let Ok(part) = frame?.into_data() {
            return Ok(Some(part));
        }
    }
    Ok(None)
}

/// Why a body ended before its end. What hyper cannot read in its chunks is bad input or bad data.
fn broken_off(host: &str, error: &hyper::Error, doubt: &Text) -> Error {
    match innermost(error).map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => heads::malformed(host),
        _ => error!(Closed: "{host}'s answer was cut short{doubt}"; host, doubt),
    }
}

/// The error for an answer that is compressed, be it for all or for the next hop alone.
pub(super) fn compressed(host: &str, status: u16) -> Error {
    let error = error!(BadAnswer: "{host} sent a compressed answer, which crmauth did not ask for"; host =>
        hint "the server itself has answered; its log, or its administrator, can say more");
    error.status(status)
}

/// Whether a status says that the server is away for now. Those from 520 on are a gateway's own.
pub fn is_away(status: u16) -> bool {
    matches!(status, 502..=504 | 520..=524 | 530)
}

/// The error for a status that is not a success, whatever the protocol.
pub fn status_error(host: &str, path: &str, status: u16) -> Error {
    let error = match status {
        401 | 403 => error!(Refused: "{host} refused the request (HTTP {status})"; host, status),
        404 | 405 | 410 => error!(NotFound:
            "{host} has no API at {path} (HTTP {status})"; host, path, status),
        407 => error!(ProxyRefused: "the proxy requires a user name and a password (HTTP 407)"),
        408 => error!(ServerTimeout: "{host} timed out waiting for the request (HTTP 408)"; host),
        423 => error!(Locked: "{host} says that the account is locked (HTTP 423)"; host),
        429 => error!(RateLimited: "{host} is rate limiting: too many requests (HTTP 429)"; host),
        status if is_away(status) => error!(Unavailable:
            "{host} is unavailable for now (HTTP {status})"; host, status),
        _ => error!(Status: "{host} answered HTTP {status}"; host, status),
    };
    error.status(status)
}

/// The error for [`Response::crashed`].
pub fn server_failed(host: &str, status: u16) -> Error {
    let error = error!(Status: "{host} failed: its program ended without an answer (HTTP {status})"; host, status =>
        hint "the URL is not the problem; the server's own log says why (PHP: error_log)");
    error.status(status)
}

/// The error for a redirect. None is followed.
pub fn redirect(host: &str, status: u16, to: Option<&Place>, https: bool) -> Error {
    let nowhere = match to {
        None => error!(Redirect:
            "{host} redirected without saying where (HTTP {status})"; host, status),
        Some(Err(what)) => error!(Redirect:
            "{host} redirected the request to {what} (HTTP {status})"; host, what, status),
        Some(Ok(to)) if https && to.starts_with("http://") => error!(Redirect:
            "{host} redirected from https to http, a downgrade (HTTP {status})"; host, status)
        .said(to),
        Some(Ok(to)) => {
            let error =
                error!(Redirect: "{host} redirected the request (HTTP {status})"; host, status);
            return error.said(to).status(status);
        }
    };
    let hint = tr!("redirects are not followed; ask that server's administrator");
    nowhere.hint(hint).status(status)
}

/// Host and port as a person would write them.
pub(super) fn host_of(url: &Url) -> String {
    url[Position::BeforeHost..Position::AfterPort].to_owned()
}
