//! Requests of the user's own, and answers that are passed on as they come.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use url::Url;

use super::clients::until;
use super::failure::{Again, explain};
use super::header::host_of;
use super::{Channel, PAUSE, begin, jittered};
use crate::error::{Cause, Error, Result};
use crate::http::response::Response;
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// A request of the user's own, for `crmauth api`.
pub struct Call {
    /// The method, upper case.
    pub method: String,
    /// Where it goes.
    pub url: Url,
    /// Headers in the order given.
    pub headers: Vec<(String, Secret)>,
    pub body: Option<Vec<u8>>,
    /// The session, wherever it is placed.
    pub session: Secret,
}

/// An answer that is passed on as it comes.
pub struct Stream {
    /// The answer with as much of its body as was held back.
    pub answer: Response,
    /// Status line and headers as text, with the empty line behind them.
    pub head: String,
    response: reqwest::Response,
    patience: Duration,
}

impl Stream {
    /// The next part of the body; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let host = &self.answer.host;
        match tokio::time::timeout(self.patience, self.response.chunk()).await {
            Ok(Ok(part)) => Ok(part.map(|part| part.to_vec())),
            Ok(Err(_)) => {
                let error = Error::new(Cause::Closed, tr!("{host}'s answer was cut short", host));
                Err(error.hint(tr!("try again later")))
            }
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                Err(Error::new(
                    Cause::Timeout,
                    tr!("nothing came from {host} for {seconds} s", host, seconds),
                )
                .hint(tr!("try again, or allow more time with --timeout SECONDS")))
            }
        }
    }
}

impl Channel<'_> {
    /// Sends a request of the user's own; sent again only where no byte had left.
    pub async fn open(&self, call: &Call) -> Result<Stream> {
        self.report.learn(&call.session);
        self.same_origin(&call.url)?;
        let route = self.route(&call.url)?;
        let client = self.http.client(&route)?;
        let host = host_of(&call.url);
        let method = reqwest::Method::from_bytes(call.method.as_bytes())
            .map_err(|_| Error::new(Cause::Usage, tr!("-X names no HTTP method")))?;
        let doubt =
            if call.method == "GET" { Text::default() } else { tr!("; the request may have taken effect") };
        let mut tried = false;
        loop {
            let mut headers = HeaderMap::new();
            for (name, value) in &call.headers {
                let name = reqwest::header::HeaderName::from_bytes(name.as_bytes());
                let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_bytes(value.expose().as_bytes()))
                else {
                    return Err(Error::new(Cause::Usage, tr!("-H names no header that HTTP can carry")));
                };
                value.set_sensitive(true);
                headers.append(name, value);
            }
            let mut request = client.request(method.clone(), call.url.clone()).headers(headers);
            if let Some(body) = &call.body {
                request = request.body(body.clone());
            }
            let started = Instant::now();
            let answer = until(self.deadline, request.send()).await;
            let what = match &answer {
                Ok(Ok(response)) => tr!("HTTP {status}", status = response.status().as_u16()),
                _ => tr!("no answer"),
            };
            self.trace(&call.method, &call.url, &what, started);
            let failure = match answer {
                Ok(Ok(response)) => {
                    self.warn_of_plain_text(&call.url, &response, &host, &route);
                    let (answer, head) = (begin(&call.url, &response), head(&response));
                    return Ok(Stream { answer, head, response, patience: self.timeout });
                }
                Ok(Err(error)) => explain(&error, &host, &doubt, &route, self),
                Err(_) => return Err(self.too_late(&host, &doubt)),
            };
            let again = failure.again == Again::NothingSent && !tried;
            if !again || !self.waits(jittered(PAUSE), Some(&failure.error)).await {
                return Err(failure.error);
            }
            tried = true;
        }
    }
}

/// The status line and the headers as they came, one a line.
fn head(response: &reqwest::Response) -> String {
    let mut text = format!("{:?} {}\r\n", response.version(), response.status());
    for (name, value) in response.headers() {
        text.push_str(name.as_str());
        text.push_str(": ");
        text.push_str(&String::from_utf8_lossy(value.as_bytes()));
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text
}
