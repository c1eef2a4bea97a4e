//! Judges URLs and paths: the base URL of a system, and what is joined to it.

use std::fmt;

use ::url::{Host, ParseError, Url};

use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};

/// A server's base URL: http or https, a host, perhaps a port and a path prefix, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a URL. A bare host means https; an ending `endpoint` is taken off.
    ///
    /// Errors: [`Cause::BadSetting`] for user information, a query, a fragment, a backslash, a quote, white space,
    /// control characters, another scheme, and what is no URL at all. The message begins with a verb (`holds …`,
    /// `is …`) and never shows the text: the caller puts the variable's name before it.
    pub fn parse(text: &str, endpoint: &str) -> Result<Self> {
        let bad = |why: Text| Error::new(Cause::BadSetting, why);
        let refuse = |why: Text| Err(bad(why));
        let text = text.trim();
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse(tr!("holds white space or a control character, which no URL may"));
        }
        if text.contains('\\') {
            return refuse(tr!("holds a backslash, which no URL may"));
        }
        const QUOTES: [char; 2] = ['"', '\''];
        let quoted = || Err(bad(tr!("has a quote in its host, or begins or ends with one")));
        if text.starts_with(QUOTES) || text.trim_end_matches('/').ends_with(QUOTES) {
            return quoted();
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return refuse(tr!("is neither an http:// nor an https:// URL"));
        }
        let begins = |marks: [&str; 2]| marks.iter().any(|mark| rest.to_ascii_lowercase().starts_with(mark));
        if begins(["http:", "https:"]) && text.contains("://") {
            return refuse(tr!("names its scheme twice"));
        }
        if begins(["http:", "https:"]) || begins(["http//", "https//"]) {
            return refuse(tr!("has no :// behind its scheme"));
        }
        if rest.is_empty() || rest.starts_with(['/', '?', '#', ':', '@']) {
            return refuse(tr!("names no host"));
        }
        if rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@') {
            return refuse(tr!("holds a user name or a password; they have settings of their own"));
        }
        if rest.contains('#') {
            return refuse(tr!("holds a fragment (#)"));
        }
        if rest.contains('?') {
            return refuse(tr!("holds a query (?)"));
        }
        let url = Url::parse(&format!("{scheme}://{rest}"));
        // A host's escapes are undone.
        if url.as_ref().is_ok_and(|url| url.host_str().is_some_and(|host| host.contains(QUOTES))) {
            return quoted();
        }
        let wrong = wrong(&url, rest.split('/').next().unwrap_or_default());
        let mut url = match (url, wrong) {
            (Ok(url), None) => url,
            (_, wrong) => return refuse(wrong.unwrap_or_default()),
        };
        let path = url.path().trim_end_matches('/');
        let endpoint = ["/", endpoint.trim_matches('/')].concat();
        let path = path.strip_suffix(&endpoint).unwrap_or(path).trim_end_matches('/').to_owned();
        // The quote stood around what was there before a login path was added to it.
        if path.ends_with('\'') || path.ends_with("%22") {
            return quoted();
        }
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of a path below this one; the path prefix is kept, the path's own query too.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let prefix = self.0.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}/{}", path.trim_start_matches('/')));
        url.set_query(query);
        url
    }

    /// Whether a path stays below the URL that it is joined to, its `..` taken as every URL parser takes them.
    pub fn stays_below(path: &str) -> bool {
        // A URL parser sees neither tabs nor line breaks.
        let path = path.split('?').next().unwrap_or_default().replace(['\t', '\n', '\r'], "");
        let mut depth = 0_usize;
        // Servers differ in what they take for a separator: whichever it is, it must not lead out.
        let path = path
            .to_ascii_lowercase()
            .replace("%2e", ".")
            .replace("%2f", "/")
            .replace("%5c", "/")
            .replace('\\', "/");
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

    /// Scheme, host and port, the boundary that no secret crosses.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The path prefix.
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
/// The longest name of a host, and the longest part of one between dots, in bytes: RFC 1035, 2.3.4.
const NAME_MAX: usize = 253;
const PART_MAX: usize = 63;
/// No port has more digits; anything longer, or no number, may be a secret.
const PORT_DIGITS: usize = 5;

/// Why no server can have this host or port; `authority` is where both stand in what was typed.
fn wrong(url: &std::result::Result<Url, ParseError>, authority: &str) -> Option<Text> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> std::result::Result<String, String> {
        BaseUrl::parse(text, "webservice.php").map(|url| url.to_string()).map_err(|e| e.message.english())
    }

    #[test]
    fn base_urls() {
        for (text, url) in [
            ("empresa.gluocrm.com.br", "https://empresa.gluocrm.com.br"),
            ("http://10.0.0.7:5000/", "http://10.0.0.7:5000"),
            ("localhost:5000", "https://localhost:5000"),
            ("https://h/crm/", "https://h/crm"),
            ("HTTPS://H/crm/webservice.php", "https://h/crm"),
            ("https://h/webservice.php/", "https://h"),
            ("https://h/xwebservice.php", "https://h/xwebservice.php"),
            ("https://h/a%20b", "https://h/a%20b"),
            ("https://[::1]:8443/x", "https://[::1]:8443/x"),
            ("https://a_b.example.:1/x", "https://a_b.example.:1/x"),
            ("https://b\u{fc}ro.example", "https://xn--bro-hoa.example"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(url), "{text}");
        }
        for text in [
            "https://user:pw@h",
            "https://user@h",
            "user@h",
            "https://h/#x",
            "https://h?x=1",
            "https:\\\\h",
            "h\\x",
            "https://h/\u{7}",
            "https://h/ x",
            "ftp://h",
            "javascript:alert(1)",
            "https://",
            "",
            "https:///x",
            "file:///etc/passwd",
            "https://h:99999",
        ] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
        let long = [&"a".repeat(64), ".example"].concat();
        assert_eq!(parse(&long), Err("is no valid URL: its host's name is too long".to_owned()));
        for (text, why) in [
            ("https://https://h", "names its scheme twice"),
            ("https://HTTP:/h", "names its scheme twice"),
            ("http:/h", "has no :// behind its scheme"),
            ("http//h", "has no :// behind its scheme"),
            ("https:h", "has no :// behind its scheme"),
            ("\"https://h\"", "has a quote in its host, or begins or ends with one"),
            ("https://h'//", "has a quote in its host, or begins or ends with one"),
            ("https://h'/webservice.php", "has a quote in its host, or begins or ends with one"),
            ("https://h/a\"/webservice.php", "has a quote in its host, or begins or ends with one"),
            ("https://h%27/webservice.php", "has a quote in its host, or begins or ends with one"),
            ("https://h:99999", "is no valid URL: its port 99999 is not between 1 and 65535"),
            ("h:0/x", "is no valid URL: its port 0 is not between 1 and 65535"),
            ("https://ana:pa55word/x", "is no valid URL: its port is no number between 1 and 65535"),
            ("https://h:99999999", "is no valid URL: its port is no number between 1 and 65535"),
            ("https://256.1.1.1", "is no valid URL: its host is no IP address"),
            ("https://[h]", "is no valid URL: its host is no IP address"),
            ("https://a..b", "is no valid URL: its host has nothing between two dots, or before one"),
            ("https://.b:80/x", "is no valid URL: its host has nothing between two dots, or before one"),
            ("https://.", "is no valid URL: its host has nothing between two dots, or before one"),
            ("https://a,b", "is no valid URL: no host has `,` in its name"),
            ("a%2cb.example", "is no valid URL: no host has `,` in its name"),
            ("https://a^b", "is no valid URL: no host has `^` in its name"),
            ("https://{gluo}", "is no valid URL: no host has `{` in its name"),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn joined_paths_keep_the_prefix() {
        let url = BaseUrl::parse("https://h/legacy/", "Api/access_token").expect("a URL");
        assert_eq!(url.join("/Api/access_token").as_str(), "https://h/legacy/Api/access_token");
        assert_eq!(url.join("x?a=b").as_str(), "https://h/legacy/x?a=b");
        assert_eq!(url.origin(), "https://h");
    }

    #[test]
    fn a_path_must_not_climb_out_of_the_prefix() {
        let url = BaseUrl::parse("https://h/a/b", "").expect("a URL");
        for (path, below) in [
            ("/x", true),
            ("x/../y", true),
            ("/x/%2E./y/./..", true),
            ("/x?a=/../..", true),
            ("/..x/...", true),
            ("/%252e%252e/x", true),
            ("..", false),
            ("/../x", false),
            ("/x/../../y", false),
            ("//../x", false),
            ("%2e%2E/x", false),
            ("/.%2e/x", false),
            ("./x/./%2e./..", false),
            ("..\\x", false),
            (".\n./x", false),
            (".%2\te/x", false),
            ("%2e%2e\\\\x", false),
            ("x\\..\\y", true),
        ] {
            assert_eq!(BaseUrl::stays_below(path), below, "{path}");
            let joined = url.join(path);
            assert!(!below || joined.path().starts_with("/a/b/"), "{path}: {joined}");
        }
    }
}
