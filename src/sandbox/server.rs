//! HTTP/1.1 for the systems: the only file of the sandbox that names hyper.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::message::shown_path;
use super::{Event, Log, Request, Response, System};

/// The largest body that is read.
const BODY_MAX: usize = 1024 * 1024;

type Shared = Rc<RefCell<Box<dyn System>>>;

/// Serves one system until the task is aborted; its connections end with it.
pub(super) async fn run(listener: TcpListener, id: &'static str, system: Shared, log: Log) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, most likely: the next one may be had in a moment.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                };
                let (system, log) = (system.clone(), log.clone());
                let service = service_fn(move |request| exchange(request, id, system.clone(), log.clone()));
                let mut http = http1::Builder::new();
                let connection = http
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service);
                connections.spawn_local(async move {
                    // A client that goes away is no concern of the server's.
                    let _ = connection.await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn exchange(
    request: hyper::Request<Incoming>,
    id: &'static str,
    system: Shared,
    log: Log,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: Vec::new(),
    };
    let response = match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => {
            request.body = body.to_bytes().to_vec();
            system.borrow_mut().answer(&request)
        }
        Err(error) if error.is::<LengthLimitError>() => {
            Response::new(413, "text/plain", "").header("Connection", "close")
        }
        Err(_) => Response::new(400, "text/plain", "").header("Connection", "close"),
    };
    log(&event(id, request, &response));
    Ok(write(response))
}

fn event(system: &'static str, request: Request, response: &Response) -> Event {
    let path = shown_path(&request.path);
    let Request { method, .. } = &request;
    let Response { asked, status, .. } = response;
    let mut line = format!("{system} {method} {path}{asked} → {status}");
    if !response.outcome.is_empty() {
        line.push(' ');
        line.push_str(&response.outcome);
    }
    Event {
        system,
        line,
        method: request.method,
        path: request.path,
        query: request.query,
        headers: request.headers,
        body: request.body,
        status: response.status,
    }
}

fn write(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut out = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        out = out.header(name, value);
    }
    if response.http10 {
        out = out.version(Version::HTTP_10).header("Connection", "close");
    }
    // A header with a control character in it can only come from the client's own Host.
    out.body(Full::from(response.body)).unwrap_or_else(|_| {
        let mut refusal = hyper::Response::new(Full::default());
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        refusal
    })
}
