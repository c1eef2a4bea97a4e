//! A TCP server that answers each request with the next line of its script, byte for byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;

use super::tls::Stream;

/// No request takes longer to come, or it never will.
const NEVER: Duration = Duration::from_secs(60);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// Names as they were sent.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Whether the script had no reply for it.
    pub beyond: bool,
}

impl Received {
    /// A header's value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All of it as one text: header names in lower case and in order, our version and the host replaced by words.
    pub fn text(&self) -> String {
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_ascii_lowercase(),
                    value.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
                )
            })
            .map(|(name, value)| {
                if name == "host" {
                    "host: HOST".to_owned()
                } else {
                    format!("{name}: {value}")
                }
            })
            .collect();
        headers.sort();
        format!(
            "{} {} {}\n{}\n\n{}",
            self.method,
            self.target,
            self.version,
            headers.join("\n"),
            self.body
        )
    }
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These bytes, then the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, then the connection ends.
    Last(Vec<u8>),
    /// Nothing, and the connection stays open until the client goes.
    Silence,
    /// These bytes, once as many requests as the barrier counts are in.
    Together(Arc<Barrier>, Vec<u8>),
    /// The first bytes, then the second ones once the barrier opens.
    Halves(Vec<u8>, Arc<Barrier>, Vec<u8>),
    /// The first bytes, then the second ones again and again until the client goes.
    Endless(Vec<u8>, Vec<u8>),
    /// The bytes, then the last one every twentieth of a second until the client goes.
    Drip(Vec<u8>, u8),
    /// The connection is reset.
    Reset,
    /// What a proxy does with `CONNECT`: from here on, bytes pass to this address and back.
    Tunnel(SocketAddr),
}

impl Reply {
    /// A whole answer.
    pub fn http(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        Self::with_headers(status, &[("Content-Type", content_type)], body)
    }

    /// A JSON answer.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::http(status, "application/json", body)
    }

    /// A whole answer with these headers.
    pub fn with_headers(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!(
            "HTTP/1.1 {status} Scripted\r\nContent-Length: {}\r\n",
            body.len()
        )
        .into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }

    /// The answer's bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("{other:?} is no whole answer"),
        }
    }

    /// The same answer, held back until the barrier opens.
    pub fn together(self, barrier: &Arc<Barrier>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Together(Arc::clone(barrier), bytes),
            other => other,
        }
    }
}

/// What whoever connects meets.
#[derive(Clone)]
pub enum Door {
    /// Requests are read as they come.
    Plain,
    /// TLS first.
    Tls(Arc<ServerConfig>),
    /// These bytes at once, and no answer ever.
    Greeting(Vec<u8>),
    /// These bytes for the first that come, then the end.
    Parting(Vec<u8>),
}

/// Called while a request waits for its answer.
pub type Watcher = Arc<dyn Fn() + Send + Sync>;

struct State {
    door: Door,
    watcher: Option<Watcher>,
    script: Vec<Reply>,
    rest: Option<Reply>,
    received: Vec<Received>,
    connections: usize,
    unscripted: usize,
    unanswered: usize,
    most_unanswered: usize,
    stop: bool,
}

/// The server. When it goes out of scope, every reply must have been asked for and nothing beyond.
pub struct Server {
    scheme: &'static str,
    address: SocketAddr,
    listener: Option<TcpListener>,
    state: Arc<Mutex<State>>,
    news: Arc<Condvar>,
    thread: Option<JoinHandle<()>>,
    /// What keeps the port from others, and its queue full.
    held: Vec<OwnedFd>,
}

impl Server {
    /// Answers with these replies, one a request.
    pub fn start(script: Vec<Reply>) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), script)
    }

    /// The same at another address.
    pub fn start_at(address: IpAddr, script: Vec<Reply>) -> Self {
        Self::listen("http", Door::Plain, address, script)
    }

    /// The same over TLS.
    pub fn start_tls(config: Arc<ServerConfig>, script: Vec<Reply>) -> Self {
        Self::listen(
            "https",
            Door::Tls(config),
            Ipv4Addr::LOCALHOST.into(),
            script,
        )
    }

    fn listen(scheme: &'static str, door: Door, address: IpAddr, script: Vec<Reply>) -> Self {
        let (keeper, address) = bound(SocketAddr::new(address, 0));
        let (listener, _) = bound(address);
        rustix::net::listen(&listener, 128).expect("a queue");
        let listener = TcpListener::from(listener);
        let state = State {
            door,
            watcher: None,
            script,
            rest: None,
            received: Vec::new(),
            connections: 0,
            unscripted: 0,
            unanswered: 0,
            most_unanswered: 0,
            stop: false,
        };
        let (state, news) = (Arc::new(Mutex::new(state)), Arc::new(Condvar::new()));
        let (shared, told) = (Arc::clone(&state), Arc::clone(&news));
        let incoming = listener.try_clone().expect("the same listener");
        let thread = std::thread::spawn(move || {
            for stream in incoming.incoming() {
                let door = {
                    let mut state = shared.lock().expect("state");
                    if state.stop {
                        return;
                    }
                    state.connections += 1;
                    state.door.clone()
                };
                let Ok(stream) = stream else { return };
                let (state, news) = (Arc::clone(&shared), Arc::clone(&told));
                std::thread::spawn(move || {
                    open(stream, door).map(|stream| serve(stream, &state, &news))
                });
            }
        });
        let (listener, thread) = (Some(listener), Some(thread));
        Self {
            scheme,
            address,
            listener,
            state,
            news,
            thread,
            held: vec![keeper],
        }
    }

    /// Adds replies to the script.
    pub fn push(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().expect("state").script.extend(replies);
    }

    /// What whatever goes beyond the script gets.
    pub fn rest(&self, reply: Reply) {
        self.state.lock().expect("state").rest = Some(reply);
    }

    /// What is left of the script, which is then empty, and how many requests it had no reply for.
    pub fn left_over(&self) -> (usize, usize) {
        let mut state = self.state.lock().expect("state");
        let left = (state.script.len(), state.unscripted);
        (state.script, state.unscripted) = (Vec::new(), 0);
        left
    }

    /// Changes what whoever connects from now on meets.
    pub fn door(&self, door: Door) {
        self.state.lock().expect("state").door = door;
    }

    /// Has `watcher` called at each request, before its answer.
    pub fn watch(&self, watcher: Watcher) {
        self.state.lock().expect("state").watcher = Some(watcher);
    }

    /// Stops listening; nobody else gets the port.
    pub fn leave(&mut self) {
        self.stop();
        let listener = self.listener.take();
        // A child that another test has just forked may still have it, so that closing it would not be enough.
        listener.map(|listener| rustix::net::shutdown(&listener, rustix::net::Shutdown::Both));
    }

    /// Accepts nobody any more, and fills its queue.
    pub fn fill(&mut self) {
        if self.thread.is_none() {
            return;
        }
        self.stop();
        let listener = self.listener.as_ref().expect("it listens");
        rustix::net::listen(listener, 0).expect("a short queue");
        self.held.extend(fill(self.address).map(OwnedFd::from));
    }

    fn stop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.state.lock().expect("state").stop = true;
        let _ = TcpStream::connect(self.address);
        let _ = thread.join();
    }

    /// `http://127.0.0.1:PORT`, or the same with https.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What was received so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().expect("state").received.clone()
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, requests: usize) {
        let state = self.state.lock().expect("state");
        let (state, _) = self
            .news
            .wait_timeout_while(state, NEVER, |state| state.received.len() < requests)
            .expect("state");
        assert!(state.received.len() >= requests, "no request came");
    }

    /// How many requests waited for their answers at once, at most.
    pub fn most_at_once(&self) -> usize {
        self.state.lock().expect("state").most_unanswered
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.state.lock().expect("state").connections
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let state = self.state.lock().expect("state");
        if !std::thread::panicking() {
            assert_eq!(
                state.script.len(),
                0,
                "replies that nobody asked for: {:?}",
                state.script
            );
            assert_eq!(
                state.unscripted, 0,
                "more requests than the script has replies: {:?}",
                state.received
            );
        }
    }
}

/// A port that nobody listens at and nobody else can take.
pub struct Nobody {
    _socket: OwnedFd,
    address: SocketAddr,
}

impl Nobody {
    pub fn new() -> Self {
        let (socket, address) = bound((Ipv4Addr::LOCALHOST, 0).into());
        Self {
            _socket: socket,
            address,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

/// A socket at this port, or for 0 at a free one, which another of these may share and nobody else.
fn bound(address: SocketAddr) -> (OwnedFd, SocketAddr) {
    use rustix::net::{
        AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt,
    };
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    // No program that a test starts meanwhile may hold it open.
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = socket.expect("a socket");
    sockopt::set_socket_reuseport(&socket, true).expect("an option");
    bind(&socket, &address).expect("a port");
    let address = getsockname(&socket)
        .expect("an address")
        .try_into()
        .expect("an IP address");
    (socket, address)
}

/// Connections that nobody accepts, until no further one comes about.
fn fill(address: SocketAddr) -> impl Iterator<Item = TcpStream> {
    let connect = move || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    std::iter::from_fn(connect).take(100)
}

fn open(mut socket: TcpStream, door: Door) -> Option<Stream> {
    match door {
        Door::Plain => Some(Stream::Plain(socket)),
        Door::Tls(config) => Stream::tls(socket, &config),
        Door::Greeting(bytes) => {
            let _ = socket.write_all(&bytes);
            let _ = socket.read_to_end(&mut Vec::new());
            None
        }
        Door::Parting(bytes) => {
            let _ = socket.read(&mut [0; 4096]);
            let _ = socket.write_all(&bytes);
            None
        }
    }
}

fn serve(mut stream: Stream, state: &Mutex<State>, news: &Condvar) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer) {
        let watcher = state.lock().expect("state").watcher.clone();
        if let Some(watcher) = watcher {
            watcher();
        }
        let reply = {
            let mut state = state.lock().expect("state");
            let beyond = state.script.is_empty();
            state.received.push(Received { beyond, ..request });
            state.unanswered += 1;
            state.most_unanswered = state.most_unanswered.max(state.unanswered);
            news.notify_all();
            match (beyond, state.rest.clone()) {
                (false, _) => state.script.remove(0),
                (true, Some(reply)) => reply,
                (true, None) => {
                    state.unscripted += 1;
                    return;
                }
            }
        };
        let reply = match reply {
            Reply::Together(barrier, bytes) => {
                barrier.wait();
                Reply::Bytes(bytes)
            }
            Reply::Halves(first, barrier, second) => {
                if stream.write_all(&first).is_err() {
                    return;
                }
                barrier.wait();
                Reply::Bytes(second)
            }
            reply => reply,
        };
        state.lock().expect("state").unanswered -= 1;
        match reply {
            Reply::Bytes(bytes) | Reply::Together(_, bytes) | Reply::Halves(_, _, bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Reply::Last(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Reply::Silence => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                return;
            }
            Reply::Endless(first, again) => {
                let mut sent = stream.write_all(&first);
                while sent.is_ok() {
                    sent = stream.write_all(&again);
                }
                return;
            }
            Reply::Drip(first, again) => {
                let _ = stream
                    .socket()
                    .set_read_timeout(Some(Duration::from_millis(50)));
                let mut sent = stream.write_all(&first);
                while sent.is_ok() && client_waits(&mut stream) {
                    sent = stream.write_all(&[again]);
                }
                return;
            }
            Reply::Reset => {
                let _ =
                    rustix::net::sockopt::set_socket_linger(stream.socket(), Some(Duration::ZERO));
                return;
            }
            Reply::Tunnel(to) => return tunnel(stream.socket(), to),
        }
    }
}

/// Whether the client is still there when its time-out for reading is over.
fn client_waits(stream: &mut Stream) -> bool {
    let read = stream.read(&mut [0]);
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

fn tunnel(client: &TcpStream, to: SocketAddr) {
    let copy = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from, to);
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    };
    let server = TcpStream::connect(to).expect("the tunnel's end");
    let mut answer = client;
    answer
        .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
        .expect("a client");
    std::thread::scope(|scope| {
        scope.spawn(|| copy(&server, client));
        copy(client, &server);
    });
}

fn read_request(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Option<Received> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at;
        }
        more(stream, buffer)?;
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).expect("a head in UTF-8");
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let mut word = || first.next().map(str::to_owned);
    let (method, target, version) = (word()?, word()?, word()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < head_end + 4 + length {
        more(stream, buffer)?;
    }
    let body = String::from_utf8(buffer[head_end + 4..head_end + 4 + length].to_vec())
        .expect("a body in UTF-8");
    buffer.drain(..head_end + 4 + length);
    Some(Received {
        method,
        target,
        version,
        headers,
        body,
        beyond: false,
    })
}

fn more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return None,
            Ok(read) => {
                buffer.extend_from_slice(&chunk[..read]);
                return Some(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
