//! HTTP/1.1 by hand: one request a connection, nothing followed, nothing decoded.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A request as it goes out; `Host`, `Connection` and `Content-Length` are added.
#[derive(Default)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: Option<Vec<u8>>,
}

/// An answer as it came in.
pub struct Reply {
    /// `HTTP/1.1` or another.
    pub version: String,
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.headers.iter();
        let own = headers.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

/// Asks for a path, with a bearer's token if there is one.
pub fn get(host: &str, target: &str, bearer: Option<&str>) -> Reply {
    call(host, "GET", target, bearer)
}

/// The same with another method.
pub fn call(host: &str, method: &str, target: &str, bearer: Option<&str>) -> Reply {
    let bearer = bearer.map(|token| ("Authorization", format!("Bearer {token}")));
    let request = Request {
        method,
        target,
        headers: Vec::from_iter(bearer),
        body: None,
    };
    send(host, &request)
}

/// Sends to `host:port` and reads until the server closes.
pub fn send(host: &str, request: &Request) -> Reply {
    receive(begin(host, request))
}

/// Sends to `host:port`, and leaves the answer to [`receive`]. Dropping the stream hangs up.
pub fn begin(host: &str, request: &Request) -> TcpStream {
    let mut stream = TcpStream::connect(host).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    let mut out = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    out += &format!("Host: {host}\r\nConnection: close\r\n");
    for (name, value) in &request.headers {
        out += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = &request.body {
        out += &format!("Content-Length: {}\r\n", body.len());
    }
    let mut out = (out + "\r\n").into_bytes();
    out.extend(request.body.as_deref().unwrap_or_default());
    // A server may answer and close before it has read a large body.
    let _ = stream.write_all(&out);
    stream
}

/// Reads an answer until the server closes.
pub fn receive(mut stream: TcpStream) -> Reply {
    let mut reply = Vec::new();
    let read = stream.read_to_end(&mut reply);
    assert!(!reply.is_empty(), "no answer: {read:?}");
    parse(&reply)
}

fn parse(reply: &[u8]) -> Reply {
    let end = reply
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("the end of the head");
    let head = std::str::from_utf8(&reply[..end]).expect("a head of ASCII");
    let mut lines = head.split("\r\n");
    let mut status_line = lines.next().expect("a status line").splitn(3, ' ');
    let version = status_line.next().expect("a version").to_owned();
    let status = status_line.next().and_then(|text| text.parse().ok());
    let headers = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Reply {
        version,
        status: status.expect("a status"),
        headers,
        body: reply[end + 4..].to_vec(),
    }
}
