//! A TCP server that answers each request with the next line of its script, byte for byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// No request takes longer to come, or it never will.
const NEVER: Duration = Duration::from_secs(60);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names as they were sent.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    /// A header's value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
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
        let mut bytes =
            format!("HTTP/1.1 {status} Scripted\r\nContent-Length: {}\r\n", body.len()).into_bytes();
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

    /// The same answer, held back until the barrier opens.
    pub fn together(self, barrier: &Arc<Barrier>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Together(Arc::clone(barrier), bytes),
            other => other,
        }
    }
}

#[derive(Default)]
struct State {
    script: Vec<Reply>,
    received: Vec<Received>,
    connections: usize,
    unscripted: usize,
    unanswered: usize,
    most_unanswered: usize,
    stop: bool,
}

/// The server. When it goes out of scope, every reply must have been asked for and nothing beyond.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    news: Arc<Condvar>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers with these replies, one a request.
    pub fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { script, ..State::default() }));
        let news = Arc::new(Condvar::new());
        let (shared, told) = (Arc::clone(&state), Arc::clone(&news));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().expect("state").stop {
                    return;
                }
                let Ok(stream) = stream else { return };
                shared.lock().expect("state").connections += 1;
                let (state, news) = (Arc::clone(&shared), Arc::clone(&told));
                std::thread::spawn(move || serve(stream, &state, &news));
            }
        });
        Self { address, state, news, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
        self.state.lock().expect("state").stop = true;
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let state = self.state.lock().expect("state");
        if !std::thread::panicking() {
            assert_eq!(state.script.len(), 0, "replies that nobody asked for: {:?}", state.script);
            assert_eq!(
                state.unscripted, 0,
                "more requests than the script has replies: {:?}",
                state.received
            );
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, news: &Condvar) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer) {
        let reply = {
            let mut state = state.lock().expect("state");
            state.received.push(request);
            state.unanswered += 1;
            state.most_unanswered = state.most_unanswered.max(state.unanswered);
            news.notify_all();
            if state.script.is_empty() {
                state.unscripted += 1;
                return;
            }
            state.script.remove(0)
        };
        let reply = match reply {
            Reply::Together(barrier, bytes) => {
                barrier.wait();
                Reply::Bytes(bytes)
            }
            reply => reply,
        };
        state.lock().expect("state").unanswered -= 1;
        match reply {
            Reply::Bytes(bytes) | Reply::Together(_, bytes) => {
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
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at;
        }
        more(stream, buffer)?;
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).expect("a head in UTF-8");
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
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
    let body =
        String::from_utf8(buffer[head_end + 4..head_end + 4 + length].to_vec()).expect("a body in UTF-8");
    buffer.drain(..head_end + 4 + length);
    Some(Received { method, target, headers, body })
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
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
