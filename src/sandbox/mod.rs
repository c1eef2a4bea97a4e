//! Every system, played on loopback inside the binary: what `crmauth sandbox`, `--sandbox` and the tests talk to. Each
//! keeps to what its documents and real servers say; `tests/facts/` holds those facts, and tests replay them here.

mod message;
mod server;

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;

pub use gluo::{Errors, Gluo, Mark, Sessions, State, Version};
pub use hellocloud::{Broken, HelloCloud, Paths, Surroundings, Workflow};
pub use message::Request;
use message::{Response, jwt, pair, random_hex};
use server::Server;

/// Who hears of each request, once it is answered.
pub type Log = Rc<dyn Fn(&Request)>;

/// The running systems. They end with the `LocalSet` that they were started in.
pub struct Sandbox {
    servers: Vec<Rc<Server>>,
    /// The demo account of each system as variables, `GLUO_URL` and so on.
    pub settings: Vec<(String, String)>,
    /// Named accounts that show the other ways in: `ZEEV__ROBO__…`. They take their URLs from the default accounts.
    pub more_settings: Vec<(String, String)>,
}

impl Sandbox {
    /// Acts on a system as its administrator, its web server or time would.
    pub fn act<S: Any, T>(&self, act: impl FnOnce(&mut S) -> T) -> T {
        for server in &self.servers {
            let system: &mut dyn Any = &mut *server.system.borrow_mut();
            if let Some(system) = system.downcast_mut() {
                let result = act(system);
                server.changed.notify_waiters();
                return result;
            }
        }
        unreachable!("every system has a server")
    }

    /// How many requests wait for a lock or are held by a switch such as [`Gluo::slow_creates`].
    pub fn waiting(&self) -> usize {
        self.servers.iter().map(|server| server.waiting.get()).sum()
    }
}

/// Starts every system on a port of its own. Call it inside a `LocalSet`.
pub async fn start(rules: Rules, log: Log) -> std::io::Result<Sandbox> {
    let (mut servers, mut settings) = (Vec::new(), Vec::new());
    for (id, account, system) in systems(&rules) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        settings.push((format!("{}_URL", id.to_ascii_uppercase()), url));
        let account = account.iter().filter_map(|line| line.split_once('='));
        settings.extend(account.map(|(name, value)| pair(name, value)));
        let server = Rc::new(Server::new(id, system, log.clone()));
        tokio::task::spawn_local(Rc::clone(&server).run(listener));
        servers.push(server);
    }
    let named = |(name, _): &(String, String)| name.contains("__");
    let (more_settings, settings) = settings.into_iter().partition(named);
    Ok(Sandbox {
        servers,
        settings,
        more_settings,
    })
}

/// Variables of a system's demo accounts, `URL` apart, each with its value: `GLUO_USERNAME=admin`.
type Account = &'static [&'static str];

macro_rules! sandboxes {
    ($($module:ident $System:ident,)*) => {
        $(mod $module;)*

        fn systems(rules: &Rules) -> Vec<(&'static str, Account, Rc<RefCell<dyn System>>)> {
            vec![$((
                stringify!($module),
                $module::ACCOUNT,
                Rc::new(RefCell::new($module::$System::new(rules.clone()))),
            )),*]
        }
    };
}

systems!(sandboxes);

/// A system at work: plain requests in, plain answers out.
trait System: Any {
    fn new(rules: Rules) -> Self
    where
        Self: Sized;

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
pub struct Rules {
    /// Replaces every lifetime and idle limit of a session.
    pub ttl: Option<Duration>,
    /// Where a system reads the time; a test hands in one that it can move.
    pub clock: Rc<dyn Fn() -> Timestamp>,
}

impl Rules {
    fn now(&self) -> i64 {
        (self.clock)().as_microsecond()
    }

    /// The lifetime in force where `usual` seconds are usual.
    fn lifetime(&self, usual: i64) -> i64 {
        let ttl = self.ttl.map(|ttl| ttl.as_micros() as i64);
        ttl.unwrap_or(usual * SECOND)
    }
}

const SECOND: i64 = 1_000_000;

/// Whole seconds of a lifetime as answers tell it: never 0, which would be no lifetime.
fn seconds(lifetime: i64) -> i64 {
    (lifetime / SECOND).max(1)
}
