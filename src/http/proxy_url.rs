//! The proxies that the environment names: the one place that reads their URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use url::Url;

use super::response::host_of;
use crate::error::{Result, error};
use crate::secret::Secret;

/// Proxies as they are written.
#[derive(Debug, Default, Clone)]
pub struct Proxies {
    pub https: Option<String>,
    /// For http, where a target allows it.
    pub http: Option<String>,
    /// Hosts that are reached directly.
    pub no: Option<String>,
}

/// A proxy, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProxyUrl {
    /// `http`, `https`, or one of SOCKS.
    pub(super) scheme: String,
    /// Its host and port, as an http URL has them.
    pub(super) url: Url,
    /// For a connection to it: `http://HOST:PORT`.
    pub(super) uri: String,
    /// Host and port, for people.
    pub(super) shown: String,
    /// What an HTTP proxy gets as `Proxy-Authorization`.
    pub(super) authorization: Option<Secret>,
    /// User and password for SOCKS.
    pub(super) user: Option<(Secret, Secret)>,
    pub(super) resolves: bool,
    /// What nobody may see.
    pub(super) secrets: Vec<Secret>,
}

impl Proxies {
    /// The proxy for a URL, if there is one. One that cannot be read is an error: it is never passed by.
    pub(super) fn proxy_for(&self, url: &Url) -> Result<Option<ProxyUrl>> {
        let written = match url.scheme() {
            "https" => &self.https,
            _ => &self.http,
        };
        let written = written.as_deref().unwrap_or_default().trim();
        if written.is_empty() || self.passes_by(url) {
            return Ok(None);
        }
        let unusable = || {
            error!(BadSetting: "the environment's proxy is not a usable URL" =>
                hint "check https_proxy, http_proxy and all_proxy, or name the host in no_proxy")
        };
        ProxyUrl::parse(written).ok_or_else(unusable).map(Some)
    }

    /// Whether `no_proxy` names the host, as curl reads it.
    fn passes_by(&self, url: &Url) -> bool {
        let Some(no) = &self.no else { return false };
        // To the matcher, `*` means all names; to curl, all addresses too.
        if no.split(',').any(|entry| entry.trim() == "*") {
            return true;
        }
        let matcher = Matcher::builder().all("http://proxy").no(no.clone());
        let matcher = matcher.build();
        let uri = url.as_str().parse::<hyper::Uri>();
        uri.is_ok_and(|uri| matcher.intercept(&uri).is_none())
    }
}

impl ProxyUrl {
    /// Reads a proxy as curl does: the scheme may be missing, and user and password are what stands before the last `@`,
    /// percent-encoded or raw.
    fn parse(written: &str) -> Option<Self> {
        let (scheme, rest) = written.split_once("://").unwrap_or(("http", written));
        let scheme = scheme.to_ascii_lowercase();
        let (usual, resolves) = match &*scheme {
            "http" => (80, true),
            "https" => (443, true),
            "socks4" | "socks5" => (1080, false),
            "socks4a" | "socks5h" => (1080, true),
            _ => return None,
        };
        let (userinfo, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        if place.starts_with(['/', '\\']) {
            return None;
        }
        // An http URL keeps every port but 80, an ftp URL every one but 21.
        let url = Url::parse(&["http://", place].concat()).ok()?;
        let other = Url::parse(&["ftp://", place].concat()).ok()?;
        let port = url.port().or(other.port()).unwrap_or(usual);
        let mut proxy = Self {
            uri: format!("http://{}:{port}", url.host_str()?),
            shown: host_of(&url),
            url,
            authorization: None,
            user: None,
            resolves,
            scheme,
            secrets: Vec::new(),
        };
        if userinfo.is_empty() {
            return Some(proxy);
        }
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let decode = |text| percent_decode_str(text).collect::<Vec<u8>>();
        let secret = |bytes| String::from_utf8(bytes).ok().map(Secret::new);
        let (name, word) = (decode(user), decode(password));
        proxy.secrets.push(Secret::new(password.to_owned()));
        proxy.secrets.extend(secret(word.clone()));
        if proxy.is_http() {
            // Byte for byte: a password may be in another charset than UTF-8.
            let basic = STANDARD.encode([&name[..], b":", &word].concat());
            proxy.authorization = Some(Secret::new(["Basic ", &basic].concat()));
            proxy.secrets.push(Secret::new(basic));
        } else {
            proxy.user = Some((secret(name)?, secret(word)?));
        }
        Some(proxy)
    }

    /// Whether it speaks HTTP, not SOCKS.
    pub(super) fn is_http(&self) -> bool {
        self.scheme.starts_with("http")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_without_a_port_has_that_of_its_scheme() {
        let table = "h h:80|http://h:3128/x h:3128|https://h h:443|https://h:80 h:80|https://h:080?x h:80|\
            http://h:21 h:21|socks5://[::80] [::80]:1080|socks5h://ana:80@[::1]:80/ [::1]:80";
        for row in table.split('|') {
            let (written, place) = row.split_once(' ').expect(row);
            let read = ProxyUrl::parse(written).expect(written);
            assert_eq!(read.uri, ["http://", place].concat(), "{written}");
        }
    }
}
