//! The sandbox in a thread of its own, with a clock that a test can move.

use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crmauth::sandbox::{self, Event, Options};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use super::raw::{self, Reply, Request};

/// Where the clock stands at first.
pub const EPOCH: i64 = 1_795_000_000;

/// The systems until it is dropped.
pub struct Servers {
    settings: Vec<(String, String)>,
    events: Arc<Mutex<Vec<Event>>>,
    seconds: Arc<AtomicI64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    /// Starts them with the usual lifetimes.
    pub fn start() -> Self {
        Self::with_ttl(None)
    }

    /// Starts them with lifetimes of `ttl`.
    pub fn with_ttl(ttl: Option<Duration>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seconds = Arc::new(AtomicI64::new(EPOCH));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let (heard, time) = (events.clone(), seconds.clone());
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async move {
                let options = Options {
                    ttl,
                    clock: Rc::new(move || {
                        Timestamp::from_second(time.load(Ordering::SeqCst)).expect("a time")
                    }),
                };
                let log: sandbox::Log =
                    Rc::new(move |event| heard.lock().expect("no panic").push(event.clone()));
                let sandbox = sandbox::start(options, log).await.expect("ports");
                let settings = [sandbox.settings(), sandbox.more_settings()].concat();
                tell.send(settings).expect("a listener");
                let _ = stopped.await;
            });
        });
        Self {
            settings: told.recv().expect("a start"),
            events,
            seconds,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// A demo setting.
    pub fn setting(&self, variable: &str) -> &str {
        self.settings
            .iter()
            .find(|(name, _)| name == variable)
            .map(|(_, value)| value.as_str())
            .unwrap_or_else(|| panic!("{variable} is not set"))
    }

    /// The settings of the default accounts.
    pub fn demo(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.settings.iter().filter(|(name, _)| !name.contains("__"));
        settings.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A system's host and port.
    pub fn host(&self, system: &str) -> &str {
        let url = self.setting(&format!("{}_URL", system.to_ascii_uppercase()));
        url.strip_prefix("http://").expect("http")
    }

    /// Moves the servers' clock.
    pub fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// What the servers have told so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("no panic").clone()
    }

    /// A request without a body.
    pub fn call(&self, system: &str, method: &str, target: &str, bearer: Option<&str>) -> Reply {
        let headers = bearer.map(|token| ("Authorization", format!("Bearer {token}"))).into_iter().collect();
        let request = Request { method, target, headers, body: None };
        raw::send(self.host(system), &request)
    }

    /// A request with a JSON body.
    pub fn json(
        &self,
        system: &str,
        method: &str,
        target: &str,
        bearer: Option<&str>,
        body: &Value,
    ) -> Reply {
        let mut headers = vec![("Content-Type", "application/json".to_owned())];
        headers.extend(bearer.map(|token| ("Authorization", format!("Bearer {token}"))));
        let body = Some(body.to_string().into_bytes());
        let request = Request { method, target, headers, body };
        raw::send(self.host(system), &request)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().expect("it ends once").join();
        assert!(ended.is_ok() || std::thread::panicking(), "the sandbox panicked");
    }
}
