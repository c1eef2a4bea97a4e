//! Every system, played on loopback inside the binary: what `crmauth sandbox` and `--sandbox` serve, and
//! what the tests talk to.
//!
//! Each system keeps to what its documents and real servers say; `tests/facts/` holds those facts and a test
//! replays them here.

mod message;
mod php;
mod server;

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;

pub use gluo::{Errors, Gluo, Mark, Sessions, State, Version};
pub use hellocloud::{Broken, HelloCloud, Paths, Surroundings, WebServer, Workflow};
use message::{Request, Response, jwt, random_hex};
use server::Server;

/// Where a system reads the time; a test hands in one that it can move.
pub type Clock = Rc<dyn Fn() -> Timestamp>;

/// Who hears of each request.
pub type Log = Rc<dyn Fn(&Event)>;

pub struct Options {
    /// Replaces every lifetime and idle limit of a session.
    pub ttl: Option<Duration>,
    pub clock: Clock,
}

/// One request, as it was sent, and what came of it.
#[derive(Clone)]
pub struct Event {
    /// The system's id: `gluo`.
    pub system: &'static str,
    /// For a person: no secret, no token and no hash of one is in it.
    pub line: String,
    pub method: String,
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub status: u16,
}

/// The running systems. They end with the `LocalSet` that they were started in.
pub struct Sandbox {
    systems: Vec<Rc<RefCell<dyn System>>>,
    servers: Vec<Rc<Server>>,
    settings: Vec<(String, String)>,
    more_settings: Vec<(String, String)>,
}

impl Sandbox {
    /// The demo account of each system as variables, `GLUO_URL` and so on.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Named accounts that show the other ways in: `HELLOCLOUD__MAQUINA__…` with client credentials and
    /// `ZEEV__ROBO__…` with a permanent token. They take their URLs from the default accounts.
    pub fn more_settings(&self) -> &[(String, String)] {
        &self.more_settings
    }

    /// Acts on Gluocrm as its administrator, its web server or time would.
    pub fn gluo<T>(&self, act: impl FnOnce(&mut Gluo) -> T) -> T {
        let result = self.act(act);
        self.servers.iter().for_each(|server| server.call_again());
        result
    }

    /// Acts on HelloCloud as its administrator, its web server or time would.
    pub fn hellocloud<T>(&self, act: impl FnOnce(&mut HelloCloud) -> T) -> T {
        self.act(act)
    }

    fn act<S: System, T>(&self, act: impl FnOnce(&mut S) -> T) -> T {
        for system in &self.systems {
            let system: &mut dyn Any = &mut *system.borrow_mut();
            if let Some(system) = system.downcast_mut() {
                return act(system);
            }
        }
        unreachable!("every system is in the list")
    }

    /// How many requests wait for a lock or are held by a switch such as [`Gluo::slow_creates`].
    pub fn waiting(&self) -> usize {
        self.servers.iter().map(|server| server.waiting()).sum()
    }
}

/// Starts every system on a port of its own. Call it inside a `LocalSet`.
pub async fn start(options: Options, log: Log) -> std::io::Result<Sandbox> {
    let rules = Rules {
        ttl: options.ttl.map(micros),
        clock: options.clock,
    };
    let mut sandbox = Sandbox {
        systems: Vec::new(),
        servers: Vec::new(),
        settings: Vec::new(),
        more_settings: Vec::new(),
    };
    for entry in ALL {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let prefix = entry.id.to_ascii_uppercase();
        let url = format!("http://{}", listener.local_addr()?);
        sandbox.settings.push((format!("{prefix}_URL"), url));
        for (field, value) in entry.account {
            let variable = format!("{prefix}_{field}");
            sandbox.settings.push((variable, (*value).to_owned()));
        }
        for (account, field, value) in entry.more_accounts {
            let variable = format!("{prefix}__{account}__{field}");
            sandbox.more_settings.push((variable, (*value).to_owned()));
        }
        let system = (entry.start)(rules.clone());
        let server = Rc::new(Server::new(entry.id, system.clone(), log.clone()));
        tokio::task::spawn_local(Rc::clone(&server).run(listener));
        sandbox.systems.push(system);
        sandbox.servers.push(server);
    }
    Ok(sandbox)
}

macro_rules! sandboxes {
    ($($module:ident $System:ident,)*) => {
        $(mod $module;)*

        static ALL: &[Entry] = &[$($module::ENTRY),*];
    };
}

systems!(sandboxes);

/// A system as the list knows it.
struct Entry {
    id: &'static str,
    /// The default account's fields besides `URL`.
    account: &'static [(&'static str, &'static str)],
    /// Account, field, value.
    more_accounts: &'static [(&'static str, &'static str, &'static str)],
    start: fn(Rules) -> Rc<RefCell<dyn System>>,
}

/// A system at work: plain requests in, plain answers out.
trait System: Any {
    fn answer(&mut self, request: &Request) -> Response;

    /// Whether the request's turn has come. If not, it is asked again after every change.
    fn ready(&mut self, _: &Request) -> bool {
        true
    }

    /// What a gateway says in the system's place when a request has to wait.
    fn gateway(&self) -> Option<Response> {
        None
    }
}

/// The time and the lifetimes, in microseconds: HelloCloud's tokens tell them that finely.
#[derive(Clone)]
struct Rules {
    ttl: Option<i64>,
    clock: Clock,
}

impl Rules {
    fn now(&self) -> i64 {
        (self.clock)().as_microsecond()
    }

    /// The lifetime in force where `usual` seconds are usual.
    fn lifetime(&self, usual: i64) -> i64 {
        self.ttl.unwrap_or(usual * SECOND)
    }
}

const SECOND: i64 = 1_000_000;

fn micros(duration: Duration) -> i64 {
    // More than a year is no shortening, and sums of times stay far from overflow.
    i64::try_from(duration.as_micros()).map_or(YEAR, |micros| micros.min(YEAR))
}

const YEAR: i64 = 365 * 86_400 * SECOND;

/// Whole seconds of a lifetime as answers tell it: never 0, which would be no lifetime.
fn seconds(lifetime: i64) -> i64 {
    (lifetime / SECOND).max(1)
}
