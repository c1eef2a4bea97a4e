//! A gateway on this machine: any HTTP client calls it, and the session is placed, renewed and replaced for it.
//!
//! A connection's bytes are judged before hyper reads them (`guard`), then who asks and for what (`admit`). What is
//! admitted goes out with the session in its place and is repeated where that was dead (`forward`, `headers`, `body`);
//! each target has one session for all clients (`keeper`).

mod admit;
mod body;
mod forward;
mod guard;
mod headers;
mod keeper;
mod listener;

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::http::Stream;
use crate::lifecycle::Account;
use crate::report::Report;
use crate::secret::Secret;
use guard::{Guard, Verdict};
use keeper::Door;

pub use listener::{Listener, Place};

/// How long requests under way may take once the gateway is to end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long a connection may be idle, or a head take to arrive.
const IDLE: Duration = Duration::from_secs(75);
/// Room for a whole head.
const BUFFER: usize = guard::HEAD_MAX + 4096;
/// How often the gateway wakes while a client is connected.
const BEAT: Duration = Duration::from_secs(1);
/// After a connection could not be accepted, for want of file descriptors most likely.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Options<'a> {
    pub report: &'a Report,
    /// What every URL of the gateway begins with, unless it has none.
    pub key: Option<Secret>,
    pub read_only: bool,
    pub min_ttl: Duration,
    pub timeout: Duration,
}

pub struct Gateway<'a> {
    options: Options<'a>,
    /// The port that a page of ours would come from.
    port: Option<u16>,
    doors: Vec<Door<'a>>,
}

impl<'a> Gateway<'a> {
    pub fn new(accounts: Vec<Account<'a>>, options: Options<'a>, listener: &Listener) -> Self {
        let door = |account| Door::new(account, options.min_ttl);
        Self {
            port: admit::port(&listener.host()),
            doors: accounts.into_iter().map(door).collect(),
            options,
        }
    }

    /// Serves until `stop`, then lets the requests under way end.
    pub async fn run<T>(&self, listener: &Listener, stop: impl Future<Output = T>) {
        let mut keepers = pin!(join_all(self.doors.iter().map(Door::keep)));
        let (close, closing) = watch::channel(false);
        let mut connections = FuturesUnordered::new();
        let mut stop = pin!(stop);
        // Tokio makes a system call for every timer that ends before all others, as a request's would without this one.
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                _ = beat.tick(), if !connections.is_empty() => {}
                Some(()) = connections.next(), if !connections.is_empty() => {}
                _ = &mut keepers => {}
                accepted = listener.accept() => match accepted {
                    Ok(stream) => connections.push(tokio::task::unconstrained(self.connection(stream, closing.clone()))),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }
        let _ = close.send(true);
        let ended = async { while connections.next().await.is_some() {} };
        tokio::select! {
            _ = tokio::time::timeout(LAST_REQUESTS, ended) => {}
            _ = &mut keepers => {}
        }
    }

    async fn connection(&self, stream: Box<dyn Stream>, mut closing: watch::Receiver<bool>) {
        let verdict = Rc::new(Verdict::default());
        let (read, write) = tokio::io::split(stream);
        let read = Guard::new(read, Rc::clone(&verdict));
        let stream = TokioIo::new(tokio::io::join(read, write));
        let service = service_fn(|request| {
            let verdict = Rc::clone(&verdict);
            async move { Ok::<_, Infallible>(self.serve(request, &verdict).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_buf_size(BUFFER)
            .auto_date_header(false);
        let mut connection = pin!(http.serve_connection(stream, service));
        tokio::select! {
            // A client that goes away is no concern of the gateway's.
            _ = connection.as_mut() => return,
            _ = closing.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
