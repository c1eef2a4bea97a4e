//! One request: placed, sent, judged, sent again where the session was dead, and passed on.

use ::url::form_urlencoded;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::Gateway;
use super::admit::{Admitted, Refusal};
use super::body::Sent;
use super::guard::{Fault, Verdict};
use super::headers::{inward, outward};
use super::keeper::Held;
use crate::declaration::Placement;
use crate::error::{Cause, Error, Result, error};
use crate::http::{Bytes, Effect, Method, Payload, Request, is_harmless};
use crate::i18n::tr;
use crate::json;
use crate::lifecycle::Answer;
use crate::provider::{Judgement, Provider};
use crate::report::Report;

/// A client's request, ready to be sent with any session.
struct Passing<'g, 'a> {
    to: Admitted<'g, 'a>,
    head: Parts,
    body: Sent,
    /// Whether it takes the session.
    takes: bool,
}

type Asked = hyper::Request<Incoming>;
type Passed = Response<Either<Full<Bytes>, Payload>>;

impl<'a> Gateway<'a> {
    pub(super) async fn serve(&self, request: Asked, verdict: &Verdict) -> Passed {
        let mut line = Line {
            report: self.options.report,
            started: Instant::now(),
            asked: String::new(),
            status: None,
            new: false,
        };
        let number = verdict.serve();
        let passed = match verdict.fault(number) {
            Some(fault) => Err(fault.refusal().into()),
            None => self.pass(request, &mut line).await,
        };
        let answer = passed.unwrap_or_else(|refusal| {
            // The body may have turned out to be at fault meanwhile.
            let fault = verdict.fault(number).map(Fault::refusal);
            let (status, error) = fault.unwrap_or(*refusal);
            self.refuse(status, &error)
        });
        line.status = Some(answer.status().as_u16());
        answer
    }

    async fn pass(&self, request: Asked, line: &mut Line<'_>) -> Result<Passed, Refusal> {
        let (mut head, body) = request.into_parts();
        line.asks(&head.method, "-", "");
        let to = self.admit(&head)?;
        line.asks(&head.method, &to.door.name, &to.path);
        let body = Sent::read(body, self.options.timeout).await;
        let body = body.ok_or_else(|| (408, error!(Usage: "the request's body did not arrive")))?;
        let placement = to.door.account.target().spec.placement;
        let bodiless = matches!(&body, Sent::Kept(body) if body.is_empty());
        let key = self.options.key.as_ref();
        outward(&mut head.headers, placement, key, bodiless);
        let mut passing = Passing {
            to,
            head,
            body,
            takes: true,
        };
        passing.aim();
        let passed = passing.exchange(self, line).await;
        passed.map_err(|error| (status(&error), error).into())
    }

    fn refuse(&self, status: u16, error: &Error) -> Passed {
        let error = self.options.report.error_json(error);
        let text = json::text(&serde_json::json!({ "error": error }));
        let mut answer = with_status(status, Either::Left(Full::from(text + "\n")));
        let more = match status {
            405 => Some((ALLOW, "GET, HEAD, OPTIONS")),
            400 | 408 | 431 => Some((CONNECTION, "close")),
            _ => None,
        };
        for (name, value) in [(CONTENT_TYPE, "application/json")].into_iter().chain(more) {
            let value = HeaderValue::from_static(value);
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

fn with_status(status: u16, body: Either<Full<Bytes>, Payload>) -> Passed {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    answer
}

/// The status that says of an error of ours what it is.
fn status(error: &Error) -> u16 {
    match error.cause {
        Cause::Timeout | Cause::ConnectTimeout | Cause::ServerTimeout => 504,
        cause if cause.exit() == 4 => 401,
        _ => 502,
    }
}

impl<'a> Passing<'_, 'a> {
    /// Completes the path with the query, and finds out whether it takes the session, in place of the client's own.
    fn aim(&mut self) {
        let account = &self.to.door.account;
        let mut query = self.head.uri.query().map(str::to_owned);
        match account.target().spec.placement {
            Placement::Bearer => {}
            Placement::Path => {
                for encoded in ["{session%7D", "%7Bsession}", "%7Bsession%7D"] {
                    let lower = encoded.to_ascii_lowercase();
                    self.to.path = self.to.path.replace(encoded, "{session}");
                    self.to.path = self.to.path.replace(&lower, "{session}");
                }
                self.takes = self.to.path.contains("{session}");
            }
            Placement::Query(name) => {
                let asked = query.as_deref().unwrap_or_default();
                self.takes = account.provider.takes_session(asked, self.body.kept());
                if self.takes {
                    query = query.map(|query| without(&query, name));
                    let kind = self.head.headers.get(CONTENT_TYPE);
                    let kind = kind.map(HeaderValue::as_bytes);
                    self.body.drop_field(kind.unwrap_or_default(), name);
                }
            }
        }
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            self.to.path.extend(["?", &query]);
        }
    }

    fn request(&mut self, held: Option<&Held<'a>>) -> Request {
        let url = match held {
            Some(held) => held.login.place(&self.to.path),
            None => self.to.door.account.plan.url.join(&self.to.path),
        };
        let method = &self.head.method;
        let safe = is_harmless(method);
        let effect = if safe { Effect::None } else { Effect::Change };
        let mut request = Request::new(method.clone(), url).effect(effect);
        let mut headers = self.head.headers.clone();
        if let Some(held) = held
            && let Some(value) = &held.authorization
        {
            headers.insert(AUTHORIZATION, value.clone());
            request = request.secret(&held.login.session.token);
        }
        match &mut self.body {
            Sent::Kept(bytes) => request.pass(headers, bytes.clone()),
            Sent::Streamed(body) => match body.take() {
                Some((read, rest)) => request.stream(headers, read, rest),
                None => request.pass(headers, Bytes::new()),
            },
        }
    }

    async fn exchange(&mut self, gateway: &Gateway<'a>, line: &mut Line<'_>) -> Result<Passed> {
        let account = &self.to.door.account;
        if !self.takes {
            let request = self.request(None);
            let answer = Answer::sessionless(account.open(&request).await?);
            return self.passed(&request, answer, None);
        }
        let (mut held, new) = self.to.door.session().await?;
        line.new |= new;
        let mut request = self.request(Some(&held));
        let mut answer = account.try_once(&request).await?;
        if answer.judgement != Judgement::Alive {
            let dead = answer.judgement == Judgement::Dead;
            match self.to.door.instead_of(&held, dead).await {
                Ok((other, _)) if other.login.session.token == held.login.session.token => {}
                Ok((other, new)) => {
                    line.new |= new;
                    held = other;
                    if !answer.may_be_repeated() {
                        account.warn_not_repeated();
                    } else if matches!(self.body, Sent::Streamed(_)) {
                        let error = error!(Refused:
                            "the session was dead, and the request's body was too large to be kept for the new one" =>
                            hint "send the request again: there is a new session now, and nothing has been done");
                        return Err(error.target(&self.to.door.name));
                    } else {
                        request = self.request(Some(&held));
                        answer = account.try_once(&request).await?;
                    }
                }
                // The server has done something with the request, and the client should know what.
                Err(error) if answer.judgement == Judgement::Unclear => {
                    let text = tr!("the session could not be replaced");
                    gateway
                        .options
                        .report
                        .warn_of(Some(account.target()), text, &error);
                }
                Err(error) => return Err(error),
            }
        }
        if answer.judgement == Judgement::Alive && answer.response.is_success() {
            held.saw();
        }
        self.passed(&request, answer, Some(&held))
    }

    fn passed(&self, request: &Request, answer: Answer, held: Option<&Held<'a>>) -> Result<Passed> {
        if let Some(error) = answer.broken.clone() {
            return Err(answer.doubt(error));
        }
        let status = answer.response.status;
        if status < 200 {
            let host = &answer.response.host;
            let error = error!(BadAnswer: "{host} switched to another protocol, which crmauth did not ask for"; host);
            return Err(error.target(&self.to.door.name));
        }
        let (mut headers, rest) = answer.response.into_parts();
        let base = &self.to.door.account.plan.url;
        let session = held.map(|held| &held.login.session.token);
        inward(&mut headers, session, &request.url, base, &self.to.ours);
        let mut passed = with_status(status, Either::Right(rest));
        *passed.headers_mut() = headers;
        Ok(passed)
    }
}

pub(super) fn without(query: &str, name: &str) -> String {
    let is_other = |pair: &&str| {
        let decoded = form_urlencoded::parse(pair.as_bytes()).next();
        decoded.is_none_or(|(found, _)| found.trim_start() != name)
    };
    let pairs: Vec<&str> = query.split('&').filter(is_other).collect();
    pairs.join("&")
}

/// A request's line, which is written when its answer begins, or when its client has gone.
struct Line<'a> {
    report: &'a Report,
    started: Instant,
    /// Method, target and path, without the query.
    asked: String,
    status: Option<u16>,
    /// Whether a session was made for it.
    new: bool,
}

impl Line<'_> {
    fn asks(&mut self, method: &Method, target: &str, path: &str) {
        if self.report.chats() {
            self.asked = [method.as_str(), " ", target, " ", path].concat();
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.report.chats() {
            return;
        }
        let (asked, elapsed) = (self.asked.trim_end(), self.started.elapsed().as_millis());
        self.report.chat(match (self.status, self.new) {
            (None, _) => tr!("{asked}: the client went away after {elapsed} ms"; asked, elapsed),
            (Some(status), false) => tr!("{asked} {status} {elapsed} ms"; asked, status, elapsed),
            (Some(status), true) => tr!(
                "{asked} {status} {elapsed} ms, new session"; asked, status, elapsed),
        });
    }
}
