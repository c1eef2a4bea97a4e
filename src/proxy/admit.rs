//! Who may use the gateway, and for which target: judged before anything is asked of a server.

use std::hint::black_box;
use std::net::IpAddr;

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::Gateway;
use super::headers::named_by_connection;
use super::keeper::Door;
use crate::error::{Error, error};
use crate::http::headers::{HOST, HeaderName, ORIGIN};
use crate::http::is_harmless;

/// A request that the gateway does not pass on: the status of its answer, and why.
pub(super) type Refusal = Box<(u16, Error)>;

pub(super) struct Admitted<'g, 'a> {
    pub(super) door: &'g Door<'a>,
    /// The path below the target's URL, with the query once that is judged.
    pub(super) path: String,
    /// Where the client believes us to be: the start of the URL that it calls.
    pub(super) ours: String,
}

impl<'a> Gateway<'a> {
    pub(super) fn admit(&self, head: &Parts) -> Result<Admitted<'_, 'a>, Refusal> {
        let (method, headers) = (&head.method, &head.headers);
        let host = (headers.get(HOST)).map(|host| host.to_str().unwrap_or_default());
        // A name that somebody else's DNS has made point here is how web pages get in.
        if !host.is_none_or(is_loopback) {
            let error = error!(Usage: "the gateway serves this machine alone, and the request is for another host" =>
                hint "call it at the address that it has printed");
            return Err((421, error).into());
        }
        let own = headers.get_all(ORIGIN).iter().all(|origin| {
            let origin = origin.to_str().unwrap_or_default().strip_prefix("http://");
            origin.is_some_and(|host| is_loopback(host) && port(host) == self.port)
        });
        let site = HeaderName::from_static("sec-fetch-site");
        let asked_by_us = |site: &[u8]| site == b"same-origin" || site == b"none";
        let mut sites = headers.get_all(site).iter().map(|site| site.as_bytes());
        if !own || !sites.all(asked_by_us) {
            let error = error!(Usage: "a web page of another origin may not use the gateway");
            return Err((403, error).into());
        }
        let (door, path, prefix) = self.find(head.uri.path()).ok_or_else(|| {
            let error = error!(Usage: "there is nothing at this address" =>
                hint "use a URL that the gateway has printed: it contains the key");
            (404, error)
        })?;
        if named_by_connection(headers).any(|name| name.eq_ignore_ascii_case("upgrade")) {
            let error =
                error!(Usage: "the gateway does not switch to a protocol other than HTTP/1.1");
            return Err((501, error).into());
        }
        if self.options.read_only && !is_harmless(method) {
            let error = error!(Usage:
                "the gateway was started with --read-only: {method} may change something"; method);
            return Err((405, error).into());
        }
        let ours = format!("http://{}{prefix}", host.unwrap_or("localhost"));
        Ok(Admitted { door, path, ours })
    }

    /// The door that a path leads to, the rest of the path, and what came before it.
    fn find<'p>(&self, path: &'p str) -> Option<(&Door<'a>, String, &'p str)> {
        let mut rest = path.strip_prefix('/')?;
        if let Some(key) = &self.options.key {
            let (tried, more) = rest.split_once('/')?;
            if !equal(tried.as_bytes(), key.expose().as_bytes()) {
                return None;
            }
            rest = more;
        }
        let (name, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let named = percent_decode_str(name).decode_utf8().ok()?;
        let door = self.doors.iter().find(|door| door.name == named)?;
        Some((door, below.to_owned(), &path[..path.len() - below.len()]))
    }
}

/// Compares in a time that tells nothing of where two texts differ.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    let differ = pairs.fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    one.len() == other.len() && differ == 0
}

/// Whether a host, its port aside, is this machine's own name or address.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
    let address = match bare {
        Some(v6) => v6.parse().map(IpAddr::V6),
        None => name.parse().map(IpAddr::V4),
    };
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The port that a host names, or plain HTTP's.
pub(super) fn port(host: &str) -> Option<u16> {
    let port = host.rsplit_once(':').map(|(_, port)| port);
    port.map_or(Some(80), |port| port.parse().ok())
}
