//! `crmauth proxy`: any client on this machine, and the session placed for it.

mod command;
mod doors;
mod exchanges;
mod faults;
mod sessions;
mod smuggling;
mod streams;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rustix::process::Signal;

use crate::api::{TOKEN, logged_in, ok, path};
use crate::support::machine::signal;
use crate::support::raw::{self, Reply, Request};
use crate::support::stored::systems;
use crate::support::{Machine, Outcome, demo};

/// A gateway that runs until it is ended.
pub struct Gateway<'m> {
    machine: &'m Machine,
    child: Option<Child>,
    /// The URLs that it has printed, in order.
    pub urls: Vec<String>,
}

impl<'m> Gateway<'m> {
    /// Starts it for these targets and options, and waits for its URLs.
    pub fn start(machine: &'m Machine, line: &str) -> Self {
        let arguments: Vec<&str> = ["proxy"].into_iter().chain(line.split(' ')).collect();
        let targets = arguments[1..]
            .iter()
            .take_while(|word| !word.starts_with('-'))
            .count();
        let mut child = machine.start(machine.command(&arguments));
        let mut stdout = BufReader::new(child.stdout.take().expect("a stdout"));
        let urls = (0..targets).map(|place| {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("a line");
            let Some((target, url)) = line.trim_end().split_once('\t') else {
                let mut said = String::new();
                let mut stderr = child.stderr.take().expect("a stderr");
                stderr.read_to_string(&mut said).expect("a text");
                panic!("no URL but {line:?}: {said}");
            };
            assert_eq!(target, arguments[1 + place]);
            url.to_owned()
        });
        Self {
            urls: urls.collect(),
            machine,
            child: Some(child),
        }
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        self.parts().0
    }

    /// The path of the first target's URL.
    pub fn base(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        let rest = self.urls[0].strip_prefix("http://").expect("http");
        rest.split_at(rest.find('/').expect("a path"))
    }

    pub fn key(&self) -> &str {
        self.base().split('/').nth(1).expect("a key")
    }

    pub fn child(&self) -> &Child {
        self.child.as_ref().expect("it runs")
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.send(
            "POST",
            path,
            &[("Content-Type", content_type)],
            Some(body.into()),
        )
    }

    /// Asks the first target for a path.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Reply {
        let target = [self.base(), path].concat();
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let request = Request {
            method,
            target: &target,
            headers: headers.collect(),
            body,
        };
        raw::send(self.host(), &request)
    }

    /// Sends these bytes, `HOST` and `BASE` replaced, and reads until the gateway closes.
    pub fn raw(&self, text: &str) -> String {
        let mut stream = self.connect();
        self.write(&mut stream, text);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host()).expect("a connection");
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).expect("a time-out");
        stream
    }

    pub fn write(&self, stream: &mut TcpStream, text: &str) {
        let text = text
            .replace("HOST", self.host())
            .replace("BASE", self.base());
        stream
            .write_all(text.as_bytes())
            .expect("a gateway that reads");
    }

    /// Ends it as Ctrl-C does; what it said.
    pub fn end(mut self) -> Outcome {
        let key = self.base().to_owned();
        signal(self.child(), Signal::INT);
        let outcome = self.machine.end(self.child.take().expect("it runs"));
        // The key is in the hint, and in no request's line.
        let lines = outcome
            .stderr
            .lines()
            .filter(|line| !line.contains("`curl "));
        assert!(
            !lines.into_iter().any(|line| line.contains(&key)),
            "{outcome}"
        );
        assert_eq!(outcome.code, 0, "{outcome}");
        outcome
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One answer of a connection that stays open: its head, and as much of a body as its length says.
pub fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a head of ASCII");
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut body).expect("a body");
    (head, body)
}

/// What an error of the gateway's own says.
#[track_caller]
pub fn error(reply: &Reply) -> (u16, String) {
    let error = &reply.json()["error"];
    for field in "code exit target message hint http_status retryable".split(' ') {
        assert!(error.get(field).is_some(), "{field} in {error}");
    }
    (
        reply.status,
        error["message"].as_str().expect("a text").to_owned(),
    )
}
