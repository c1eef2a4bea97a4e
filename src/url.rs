//! Judges URLs and paths: a system's base URL, and what is joined to it.

use std::fmt;

use ::url::{ParseError, Url};

use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};

const QUOTES: [char; 2] = ['"', '\''];
/// The longest name of a host, and the longest part of one between dots, in bytes: RFC 1035, 2.3.4.
const NAME_MAX: usize = 253;
const PART_MAX: usize = 63;
/// A port has no more digits. Anything longer may be a secret and is not shown.
const PORT_DIGITS: usize = 5;

/// A server's base URL: http or https, a host, perhaps a port and a path prefix, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a URL; a bare host means https. The error's message begins with a verb (`holds …`, `is …`), because the
    /// caller puts the variable's name before it, and never shows the text.
    pub fn parse(text: &str) -> Result<Self> {
        read(text.trim()).map(Self).map_err(bad)
    }

    /// This URL without `endpoint`, where its path ends in that.
    pub fn without(&self, endpoint: &str) -> Option<Result<Self>> {
        let endpoint = ["/", endpoint.trim_matches('/')].concat();
        let path = self.0.path().strip_suffix(&endpoint)?.trim_end_matches('/');
        // Somebody added the login's path to a URL in quotes.
        if path.ends_with('\'') || path.ends_with("%22") {
            return Some(Err(bad(in_quotes())));
        }
        let mut url = self.0.clone();
        url.set_path(path);
        Some(Ok(Self(url)))
    }

    /// The URL of a path below this one; the path prefix is kept, the path's own query too.
    pub fn join(&self, path: &str) -> Url {
        let (mut url, mut parts) = (self.0.clone(), path.splitn(2, '?'));
        let path = parts.next().unwrap_or_default().trim_start_matches('/');
        url.set_path(&[self.0.path().trim_end_matches('/'), path].join("/"));
        url.set_query(parts.next());
        url
    }

    /// Scheme, host and port, the boundary that no secret crosses.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    pub fn is_origin_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    pub fn path(&self) -> &str {
        self.0.path()
    }
}

impl fmt::Display for BaseUrl {
    /// Without a slash at the end, so that scripts can append `/path`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Why a path cannot be joined to a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    Url,
    /// As a URL without a scheme has them.
    TwoSlashes,
    /// It contains white space, a control character, a backslash or a fragment.
    Character(char),
    Outside,
}

impl PathFault {
    pub fn of(path: &str) -> Option<Self> {
        let without_query = path.split('?').next().unwrap_or_default();
        if path.starts_with("//") {
            return Some(Self::TwoSlashes);
        }
        if without_query.contains("://") && !path.starts_with('/') {
            return Some(Self::Url);
        }
        let odd = |c: &char| c.is_control() || c.is_whitespace() || ['\\', '#'].contains(c);
        let outside = || (!stays_below(without_query)).then_some(Self::Outside);
        path.chars().find(odd).map(Self::Character).or_else(outside)
    }
}

/// Whether a path without a query stays below the URL that it is joined to. Servers differ in what they take for a
/// separator and for `..`, so every reading counts.
fn stays_below(path: &str) -> bool {
    // URL parsers drop tabs and line breaks.
    let path = path.replace(['\t', '\n', '\r'], "").to_ascii_lowercase();
    let path = path.replace("%2e", ".").replace("%2f", "/");
    let path = path.replace("%5c", "/").replace('\\', "/");
    let mut depth = 0_usize;
    for segment in path.trim_start_matches('/').split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

fn bad(why: Text) -> Error {
    Error::new(Cause::BadSetting, why)
}

fn in_quotes() -> Text {
    tr!("has a quote in its host, or begins or ends with one")
}

fn read(text: &str) -> Result<Url, Text> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    check_spelling(text, scheme, rest)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let parsed = Url::parse(&[scheme, "://", rest].concat());
    let mut url = parsed.map_err(|error| unparsable(error, authority))?;
    check_authority(&url, authority)?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// What is wrong with a URL as it is typed, with `rest` after its scheme. A parser would take it for another URL.
fn check_spelling(text: &str, scheme: &str, rest: &str) -> Result<(), Text> {
    let blank = |c: char| c.is_control() || c.is_whitespace();
    let lower = rest.to_ascii_lowercase();
    let begins = |marks: [&str; 2]| marks.iter().any(|mark| lower.starts_with(mark));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Err(if text.contains(blank) {
        tr!("contains white space or a control character, which is not allowed in a URL")
    } else if text.contains('\\') {
        tr!("contains a backslash, which is not allowed in a URL")
    } else if text.starts_with(QUOTES) || text.trim_end_matches('/').ends_with(QUOTES) {
        in_quotes()
    } else if !["https", "http"].contains(&&*scheme.to_ascii_lowercase()) {
        tr!("is neither an http:// nor an https:// URL")
    } else if begins(["http:", "https:"]) && text.contains("://") {
        tr!("contains its scheme twice")
    } else if begins(["http:", "https:"]) || begins(["http//", "https//"]) {
        tr!("has no :// after its scheme")
    } else if rest.is_empty() || rest.starts_with(['/', '?', '#', ':', '@']) {
        tr!("names no host")
    } else if authority.contains('@') {
        tr!("contains a user name or a password; they have their own settings")
    } else if rest.contains('#') {
        tr!("contains a fragment (#)")
    } else if rest.contains('?') {
        tr!("contains a query (?)")
    } else {
        return Ok(());
    })
}

/// Why the parser refused a URL, as far as people can tell by its host and port.
fn unparsable(error: ParseError, authority: &str) -> Text {
    match error {
        ParseError::InvalidPort => wrong_port(authority),
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address => {
            tr!("is not a valid URL: its host is not an IP address")
        }
        _ => wrong_character(authority).unwrap_or_else(|| tr!("is not a valid URL")),
    }
}

/// Why no server can have this host or port.
fn check_authority(url: &Url, authority: &str) -> Result<(), Text> {
    // Of an IP address there is nothing to check. The parser has decoded a name's escapes; it may end with a dot.
    let name = url.domain().unwrap_or_default();
    let bare = name.strip_suffix('.').unwrap_or(name);
    Err(if name.contains(QUOTES) {
        in_quotes()
    } else if url.port() == Some(0) {
        wrong_port(authority)
    } else if !name.is_empty() && bare.split('.').any(str::is_empty) {
        tr!("is not a valid URL: its host has nothing between two dots, or before one")
    } else if bare.len() > NAME_MAX || bare.split('.').any(|part| part.len() > PART_MAX) {
        tr!("is not a valid URL: its host's name is too long")
    } else {
        return wrong_character(name).map_or(Ok(()), Err);
    })
}

fn wrong_port(authority: &str) -> Text {
    let port = authority.rsplit(':').next().unwrap_or_default();
    if port.len() <= PORT_DIGITS && port.bytes().all(|byte| byte.is_ascii_digit()) {
        tr!("is not a valid URL: its port {port} is not between 1 and 65535"; port)
    } else {
        tr!("is not a valid URL: its port is not a number between 1 and 65535")
    }
}

/// A character that no host's name has. `_` is allowed, because networks of containers use it.
fn wrong_character(name: &str) -> Option<Text> {
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    let character = name.chars().find(|c| !allowed(*c))?;
    Some(tr!("is not a valid URL: a host's name cannot contain `{character}`"; character))
}
