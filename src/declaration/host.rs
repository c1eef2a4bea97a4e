//! What is wrong with a URL's host or port, where the URL as a whole cannot be used.

use url::{Host, ParseError, Url};

use crate::i18n::{Text, tr};

/// The longest name of a host, and the longest part of one between dots, in bytes: RFC 1035, 2.3.4.
const NAME_MAX: usize = 253;
const PART_MAX: usize = 63;
/// No port has more digits; anything longer, or no number, may be a secret.
const PORT_DIGITS: usize = 5;

/// Why no server can have this host or port; `authority` is where both stand in what was typed.
pub(super) fn wrong(url: &Result<Url, ParseError>, authority: &str) -> Option<Text> {
    match url {
        Ok(url) if url.port() == Some(0) => Some(wrong_port(authority)),
        Ok(url) => match url.host() {
            Some(Host::Domain(name)) => wrong_name(name),
            _ => None,
        },
        Err(ParseError::InvalidPort) => Some(wrong_port(authority)),
        Err(ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address) => {
            Some(tr!("is no valid URL: its host is no IP address"))
        }
        Err(_) => Some(wrong_character(authority).unwrap_or_else(|| tr!("is no valid URL"))),
    }
}

fn wrong_port(authority: &str) -> Text {
    let port = authority.rsplit(':').next().unwrap_or_default();
    if port.len() <= PORT_DIGITS && port.bytes().all(|byte| byte.is_ascii_digit()) {
        tr!("is no valid URL: its port {port} is not between 1 and 65535", port)
    } else {
        tr!("is no valid URL: its port is no number between 1 and 65535")
    }
}

/// A name as the URL parser leaves it: in ASCII, its escapes undone.
fn wrong_name(name: &str) -> Option<Text> {
    // A dot at the end says that the name is whole.
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.split('.').any(str::is_empty) {
        return Some(tr!("is no valid URL: its host has nothing between two dots, or before one"));
    }
    if bare.len() > NAME_MAX || bare.split('.').any(|part| part.len() > PART_MAX) {
        return Some(tr!("is no valid URL: its host's name is too long"));
    }
    wrong_character(name)
}

/// The first character that no host's name has. Names with `_` are none to the internet and usual in networks of
/// containers.
fn wrong_character(name: &str) -> Option<Text> {
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    let character = name.chars().find(|c| !allowed(*c))?;
    Some(tr!("is no valid URL: no host has `{character}` in its name", character))
}
