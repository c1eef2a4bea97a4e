//! Real servers of the shared store, each with a folder and a port of its own; a proxy before them that stops and
//! delays; and a server that says whatever a test wants.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::machine::{Machine, installed};

/// A key for tests.
pub const KEY: &str = "dGhlIGtleSBvZiBldmVyeSB0ZXN0LCAzMiBieXRlcy4=";
/// Nothing takes longer, or it never comes.
const NEVER: Duration = Duration::from_secs(60);

/// A server. It ends with the test, or with the test's process.
pub struct Redis {
    folder: tempfile::TempDir,
    options: Vec<String>,
    port: u16,
    process: Option<Child>,
    password: Option<String>,
}

impl Redis {
    /// An empty one, unless none is installed.
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// One with more options, `FOLDER` in them standing for its own.
    pub fn with(options: &[&str]) -> Option<Self> {
        installed("redis-server").then(|| {
            let folder = tempfile::tempdir().expect("a folder");
            let place = folder.path().to_str().expect("UTF-8").to_owned();
            let options: Vec<String> = options
                .iter()
                .map(|option| option.replace("FOLDER", &place))
                .collect();
            let after = |name: &str| {
                options
                    .iter()
                    .position(|option| option == name)
                    .map(|at| options[at + 1].clone())
            };
            let password = after("--requirepass");
            let port = free_port();
            let mut redis = Self {
                folder,
                options,
                port,
                process: None,
                password,
            };
            redis.up();
            redis
        })
    }

    /// Starts it again on its port; it knows what it has saved.
    pub fn up(&mut self) {
        let _ = std::fs::remove_file(self.folder.path().join("log"));
        let mut server = Command::new("sh");
        // The shell holds a pipe of ours: when that closes, whatever ended us, it ends the server.
        server.args([
            "-c",
            "\"$@\" >log 2>&1 </dev/null & read -r _; kill -9 $!",
            "sh",
            "redis-server",
        ]);
        server.args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--port",
            &self.port.to_string(),
        ]);
        server.args(&self.options).current_dir(self.folder.path());
        self.process = Some(server.stdin(Stdio::piped()).spawn().expect("a shell"));
        let started = Instant::now();
        // Whoever else listens there would take the connection too.
        while !self.log().contains("Ready to accept connections") {
            assert!(started.elapsed() < NEVER, "no server: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// Kills it.
    pub fn down(&mut self) {
        if let Some(mut shell) = self.process.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
            let started = Instant::now();
            while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                assert!(started.elapsed() < NEVER, "it does not end");
                std::thread::yield_now();
            }
        }
    }

    /// What it has written about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// A connection of the test's own.
    pub fn client(&self) -> redis::Connection {
        let user = self
            .password
            .as_ref()
            .map(|password| format!(":{password}@"))
            .unwrap_or_default();
        let client =
            redis::Client::open(format!("redis://{user}{}", self.address())).expect("a URL");
        client.get_connection().expect("a connection")
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = redis::cmd("KEYS")
            .arg("*")
            .query(&mut self.client())
            .expect("names");
        names.sort();
        names
    }

    /// Waits until its clock, by which rights end, has gone on by so much.
    pub fn goes_on(&self, time: Duration) {
        let mut client = self.client();
        let mut now = || {
            let (seconds, micros): (u64, u32) =
                redis::cmd("TIME").query(&mut client).expect("its time");
            Duration::new(seconds, micros * 1000)
        };
        let since = now();
        self.wait_until(|| now() > since + time);
    }

    /// Waits until it gives rights to log in, which a server that has just started does not.
    pub fn settled(self) -> Self {
        let mut client = self.client();
        self.wait_until(|| {
            let info: String = redis::cmd("INFO")
                .arg("server")
                .query(&mut client)
                .expect("its state");
            let up = info
                .lines()
                .find_map(|line| line.strip_prefix("uptime_in_seconds:"));
            up.and_then(|up| up.trim().parse::<u64>().ok())
                .is_some_and(|up| up >= 3)
        });
        self
    }

    /// Waits for something that is seen in it.
    #[track_caller]
    pub fn wait_until(&self, mut seen: impl FnMut() -> bool) {
        let started = Instant::now();
        while !seen() {
            assert!(
                started.elapsed() < NEVER,
                "{:?}: {}",
                self.names(),
                self.log()
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.down();
    }
}

/// Tells a machine of a store and its key.
pub fn shares(machine: &mut Machine, url: &str) {
    machine
        .set("CRMAUTH_STORE", url)
        .secret("CRMAUTH_STORE_KEY", KEY);
}

/// A port that is free, and below those that the system gives to whoever asks for any: it stays free while its server
/// is down.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 22_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id()
            .wrapping_mul(97)
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + next % PORTS).expect("a port");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Question,
    Answer,
}

#[derive(Default)]
struct Gate {
    /// Which message is held back.
    at: Option<(Way, usize)>,
    reached: bool,
    open: bool,
    /// How many messages have come, questions and answers.
    seen: [usize; 2],
    delay: Duration,
    drips: bool,
}

/// What stands between the program and the server.
pub struct Proxy {
    address: SocketAddr,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

impl Proxy {
    /// Passes everything on.
    pub fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let gate = Arc::new((Mutex::new(Gate::default()), Condvar::new()));
        let shared = Arc::clone(&gate);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(to) else {
                    continue;
                };
                for (way, from, to) in [
                    (Way::Question, &client, &server),
                    (Way::Answer, &server, &client),
                ] {
                    let (from, to) = (
                        from.try_clone().expect("a socket"),
                        to.try_clone().expect("a socket"),
                    );
                    let gate = Arc::clone(&shared);
                    std::thread::spawn(move || pass(way, from, to, &gate));
                }
            }
        });
        Self { address, gate }
    }

    /// Holds back the message of this number, counted from 0 over all connections, and those behind it.
    pub fn hold(&self, way: Way, at: usize) {
        self.gate.0.lock().expect("a gate").at = Some((way, at));
    }

    /// Delays every message.
    pub fn delay(&self, delay: Duration) {
        self.gate.0.lock().expect("a gate").delay = delay;
    }

    /// Passes one byte after the other on.
    pub fn drip(&self) {
        self.gate.0.lock().expect("a gate").drips = true;
    }

    /// Whether the message that is held back has come; waits for it as long as `alive` says so.
    pub fn reached(&self, mut alive: impl FnMut() -> bool) -> bool {
        let (gate, news) = &*self.gate;
        let mut gate = gate.lock().expect("a gate");
        while !gate.reached {
            if !alive() {
                return false;
            }
            gate = news
                .wait_timeout(gate, Duration::from_millis(20))
                .expect("a gate")
                .0;
        }
        true
    }

    /// Lets everything pass from here on.
    pub fn open(&self) {
        let (gate, news) = &*self.gate;
        gate.lock().expect("a gate").open = true;
        news.notify_all();
    }

    /// How many questions have come.
    pub fn questions(&self) -> usize {
        self.gate.0.lock().expect("a gate").seen[0]
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}

fn pass(way: Way, mut from: TcpStream, mut to: TcpStream, shared: &(Mutex<Gate>, Condvar)) {
    let (gate, news) = shared;
    let mut chunk = [0; 65536];
    let _ = to.set_nodelay(true);
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        let (delay, piece) = {
            let mut gate = gate.lock().expect("a gate");
            let place = usize::from(way == Way::Answer);
            let number = gate.seen[place];
            gate.seen[place] += 1;
            if gate.at.is_some_and(|(its, at)| its == way && at <= number) && !gate.open {
                gate.reached = true;
                news.notify_all();
                gate = news.wait_while(gate, |gate| !gate.open).expect("a gate");
            }
            (gate.delay, if gate.drips { 1 } else { read })
        };
        if !delay.is_zero() {
            // No sooner than a clock says; that is all a delay is.
            let _ = Mutex::new(())
                .lock()
                .map(|held| Condvar::new().wait_timeout(held, delay).map(drop));
        }
        let mut pieces = chunk[..read].chunks(piece);
        if pieces.any(|piece| to.write_all(piece).is_err()) {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// A server that answers each message as a function of its text says; `None` hangs up.
pub struct Canned {
    address: SocketAddr,
}

impl Canned {
    pub fn start(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || {
                    let mut chunk = [0; 65536];
                    while let Ok(read @ 1..) = stream.read(&mut chunk) {
                        let text = String::from_utf8_lossy(&chunk[..read]);
                        let Some(bytes) = answer(&text) else { return };
                        if stream.write_all(&bytes).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address }
    }

    /// One that does as the protocol wants, but for what `instead` answers.
    pub fn but(instead: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self::start(move |text| match instead(text) {
            Some(answer) => Some(answer.as_bytes().to_vec()),
            None => Self::good(text),
        })
    }

    /// What the protocol wants.
    pub fn good(text: &str) -> Option<Vec<u8>> {
        let answer = match text {
            text if text.contains("TIME\r\n") && text.starts_with("*2") => {
                let now = jiff::Timestamp::now().as_second().to_string();
                format!("$-1\r\n*2\r\n${}\r\n{now}\r\n$1\r\n0\r\n", now.len())
            }
            text if text.contains("NX\r\n") && text.contains("crmauth:check") => {
                // What was set is what is there.
                "+OK\r\n$-1\r\n".to_owned()
            }
            text if text.contains("HMGET") => "*2\r\n$-1\r\n$-1\r\n".to_owned(),
            text if text.contains("INFO") => "*2\r\n$5\r\ngiven\r\n$1\r\n7\r\n".to_owned(),
            _ => "*1\r\n$4\r\ndone\r\n".to_owned(),
        };
        Some(answer.into_bytes())
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}
