//! HTTP/1.1 for the systems: the only file of the sandbox that names hyper.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::message::shown_path;
use super::{Log, Request, Response, System};

const BODY_MAX: usize = 1024 * 1024;

pub(super) struct Server {
    id: &'static str,
    pub system: Rc<RefCell<dyn System>>,
    log: Log,
    /// Something has changed: whoever waits may ask for a turn again.
    pub changed: Notify,
    pub waiting: Cell<usize>,
}

impl Server {
    pub fn new(id: &'static str, system: Rc<RefCell<dyn System>>, log: Log) -> Self {
        Self {
            id,
            system,
            log,
            changed: Notify::new(),
            waiting: Cell::new(0),
        }
    }

    /// Serves until the `LocalSet` ends that it runs in, and the connections with it.
    pub async fn run(self: Rc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: the next one may be had in a moment.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let server = self.clone();
            let service = service_fn(move |request| server.clone().exchange(request));
            let mut http = http1::Builder::new();
            let http = http.timer(TokioTimer::new());
            // A client that goes away is no concern of the server's.
            spawn_local(http.serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn exchange(
        self: Rc<Self>,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
        let mut request = Request {
            system: self.id,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: Vec::new(),
            begun: Cell::new(false),
            status: 0,
            line: String::new(),
        };
        let response = match Limited::new(body, BODY_MAX).collect().await {
            Ok(body) => {
                request.body = body.to_bytes().to_vec();
                self.answer(request).await
            }
            Err(error) => {
                let too_long = error.is::<LengthLimitError>();
                let status = if too_long { 413 } else { 400 };
                let response = Response::empty(status).header("Connection", "close");
                self.tell(request, &response);
                response
            }
        };
        Ok(write(response))
    }

    /// What has been sent is executed, even if the client hangs up meanwhile or a gateway loses patience.
    async fn answer(self: Rc<Self>, request: Request) -> Response {
        let ready = self.system.borrow_mut().ready(&request);
        let gateway = self.system.borrow().gateway().filter(|_| !ready);
        let work = spawn_local(self.execute(request, ready));
        match gateway {
            Some(page) => page,
            None => work.await.unwrap_or_else(|_| Response::empty(500)),
        }
    }

    async fn execute(self: Rc<Self>, request: Request, mut ready: bool) -> Response {
        self.waiting.set(self.waiting.get() + 1);
        while !ready {
            self.changed.notified().await;
            ready = self.system.borrow_mut().ready(&request);
        }
        self.waiting.set(self.waiting.get() - 1);
        let response = self.system.borrow_mut().answer(&request);
        self.changed.notify_waiters();
        self.tell(request, &response);
        response
    }

    fn tell(&self, mut request: Request, response: &Response) {
        let (system, method, path) = (self.id, &request.method, shown_path(&request.path));
        let (status, asked, outcome) = (response.status, &response.asked, &response.outcome);
        request.line = format!("{system} {method} {path}{asked} → {status}{outcome}");
        request.status = status;
        (self.log)(&request);
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
