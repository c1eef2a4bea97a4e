//! The sandbox in a thread of its own, with a clock that a test can move.

use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crmauth::sandbox::{self, Gluo, HelloCloud, Rules, Sandbox};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::raw::{self, Reply, Request};

/// Where the clock stands at first.
pub const EPOCH: i64 = 1_795_000_000;

/// The systems until it is dropped.
pub struct Servers {
    settings: Vec<(String, String)>,
    events: Arc<Mutex<Vec<sandbox::Request>>>,
    seconds: Arc<AtomicI64>,
    acts: Option<UnboundedSender<Act>>,
    thread: Option<JoinHandle<()>>,
}

type Act = Box<dyn FnOnce(&Sandbox) + Send>;

impl Servers {
    /// Starts them with the usual lifetimes.
    pub fn start() -> Self {
        Self::with_ttl(None)
    }

    /// Starts them with lifetimes of `ttl`.
    pub fn with_ttl(ttl: Option<Duration>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seconds = Arc::new(AtomicI64::new(EPOCH));
        let (acts, mut to_do) = unbounded_channel::<Act>();
        let (tell, told) = mpsc::channel();
        let (heard, time) = (events.clone(), seconds.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async move {
                let rules = Rules {
                    ttl,
                    clock: Rc::new(move || {
                        Timestamp::from_second(time.load(Ordering::SeqCst)).expect("a time")
                    }),
                };
                let log: sandbox::Log =
                    Rc::new(move |event| heard.lock().expect("no panic").push(event.clone()));
                let sandbox = sandbox::start(rules, log).await.expect("ports");
                let (settings, more) = (&sandbox.settings, &sandbox.more_settings);
                tell.send([&settings[..], more].concat())
                    .expect("a listener");
                while let Some(act) = to_do.recv().await {
                    act(&sandbox);
                }
            });
        });
        Self {
            settings: told.recv().expect("a start"),
            events,
            seconds,
            acts: Some(acts),
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
        let settings = self
            .settings
            .iter()
            .filter(|(name, _)| !name.contains("__"));
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

    /// Acts on Gluocrm behind its web service.
    pub fn gluo<T: Send + 'static>(&self, act: impl FnOnce(&mut Gluo) -> T + Send + 'static) -> T {
        self.act(|sandbox| sandbox.act(act))
    }

    /// Acts on HelloCloud behind its API.
    pub fn hellocloud<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut HelloCloud) -> T + Send + 'static,
    ) -> T {
        self.act(|sandbox| sandbox.act(act))
    }

    /// How many requests wait in the servers.
    pub fn waiting(&self) -> usize {
        self.act(Sandbox::waiting)
    }

    /// Returns once so many requests wait in the servers.
    pub fn until_waiting(&self, requests: usize) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.waiting() != requests {
            assert!(Instant::now() < end, "no {requests} requests wait");
            std::thread::yield_now();
        }
    }

    fn act<T: Send + 'static>(&self, act: impl FnOnce(&Sandbox) -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        let act: Act = Box::new(move |sandbox| tell.send(act(sandbox)).expect("a listener"));
        assert!(
            self.acts.as_ref().expect("servers").send(act).is_ok(),
            "the sandbox has ended"
        );
        told.recv().expect("an answer")
    }

    /// What the servers have told so far.
    pub fn events(&self) -> Vec<sandbox::Request> {
        self.events.lock().expect("no panic").clone()
    }

    /// A request without a body.
    pub fn call(&self, system: &str, method: &str, target: &str, bearer: Option<&str>) -> Reply {
        raw::call(self.host(system), method, target, bearer)
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
        let request = Request {
            method,
            target,
            headers,
            body,
        };
        raw::send(self.host(system), &request)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.acts.take());
        let ended = self.thread.take().expect("it ends once").join();
        assert!(
            ended.is_ok() || std::thread::panicking(),
            "the sandbox panicked"
        );
    }
}
