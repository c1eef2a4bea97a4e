//! Requests and answers as the systems see them, and what their answers are made of.

use std::cell::Cell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::secret::hex;

/// A request, as it was sent, and what came of it.
#[derive(Clone)]
pub struct Request {
    pub system: &'static str,
    pub method: String,
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether it has begun to act and waits in the middle of it.
    pub(super) begun: Cell<bool>,
    /// 0 until it is answered.
    pub status: u16,
    /// Then, for a person, what was asked and what came of it: no secret, no token and no hash of one is in it.
    pub line: String,
}

/// Parameters in the order sent.
pub(super) type Pairs = Vec<(String, String)>;

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// The host and port that the client believes in; real servers build their links from it.
    pub fn host(&self) -> &str {
        self.header("host").unwrap_or("127.0.0.1")
    }

    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        let media_type = value.split(';').next().unwrap_or_default();
        media_type.trim().to_ascii_lowercase()
    }

    pub fn query_pairs(&self) -> Pairs {
        form_pairs(self.query.as_bytes())
    }

    /// The parameters of a form-encoded or multipart body, as PHP's `$_POST`; of anything else, none.
    pub fn form_pairs(&self) -> Pairs {
        match self.media_type().as_str() {
            _ if self.method != "POST" => Pairs::new(),
            "application/x-www-form-urlencoded" => form_pairs(&self.body),
            "multipart/form-data" => self.multipart_pairs().unwrap_or_default(),
            _ => Pairs::new(),
        }
    }

    /// The body as JSON; an unreadable one is null.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What stands behind `Bearer ` in the Authorization header.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
    }

    fn multipart_pairs(&self) -> Option<Pairs> {
        let up_to = |text: &str, end: char| text.split(end).next().unwrap_or_default().to_owned();
        let (_, boundary) = self.header("content-type")?.split_once("boundary=")?;
        let boundary = format!("--{}", up_to(boundary, ';').replace('"', ""));
        let read = |part: &str| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let (_, name) = head.split_once("name=\"")?;
            let name = up_to(name, '"');
            let value = value.strip_suffix("\r\n").unwrap_or(value);
            let Some((_, file)) = head.split_once("filename=\"") else {
                return Some(vec![(name, value.to_owned())]);
            };
            // A file stands in PHP's `$_FILES`.
            let (file, size) = (up_to(file, '"'), value.len().to_string());
            let pairs = [("name", file), ("size", size)];
            let pairs = pairs.map(|(what, text)| (format!("{name}[{what}]"), text));
            Some(pairs.into())
        };
        let body = String::from_utf8_lossy(&self.body);
        let parts = body.split(&boundary).skip(1).filter_map(read);
        Some(parts.flatten().collect())
    }
}

fn form_pairs(text: &[u8]) -> Pairs {
    url::form_urlencoded::parse(text).into_owned().collect()
}

pub(super) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A parameter's value; of several, the last one, as PHP takes it.
pub(super) fn last<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().rfind(|(known, _)| known == name)?;
    Some(value)
}

/// A member of a JSON object whatever the case of its name, as .NET reads it.
pub(super) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let mut members = object.as_object()?.iter();
    let (_, value) = members.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value)
}

/// The member of that name, in any case, where it is a text.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    member(object, name)?.as_str()
}

/// What HTML escapes in PHP, `&` apart.
pub(super) fn quoted(text: &str) -> String {
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#039;")
}

pub(super) const HTML: &str = "text/html; charset=UTF-8";

/// An answer without anything of an HTTP crate.
#[derive(Default)]
pub(super) struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Whether the status line says HTTP/1.0, as PHP's crashes do.
    pub http10: bool,
    /// For the log: what was asked, ` operation=login`. Only words that the system itself knows.
    pub asked: String,
    /// For the log: what came of it besides the status, ` ok`. Only words of the system itself.
    pub outcome: String,
}

impl Response {
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut response = Self::empty(status).header("Content-Type", content_type);
        response.body = body.into();
        response
    }

    /// As .NET writes it.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// JSON with an indent of four, as PHP's `JSON_PRETTY_PRINT` writes it.
    pub fn pretty(status: u16, content_type: &str, body: &Value) -> Self {
        let text = format!("{body:#}");
        let lines = text.lines().map(|line| {
            let indent = line.len() - line.trim_start_matches(' ').len();
            format!("{}{line}", " ".repeat(indent))
        });
        Self::new(status, content_type, lines.collect::<Vec<_>>().join("\n"))
    }

    /// The error page of an Apache, as the recorded 301 looks.
    pub fn apache(status: u16, words: &str, text: &str) -> Self {
        let page = format!(
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \
             \"http://www.w3.org/TR/html4/strict.dtd\">\n<html><head>\n\
             <title>{status} {words}</title>\n</head><body>\n<h1>{words}</h1>\n<p>{text}</p>\n\
             </body></html>\n"
        );
        Self::new(status, "text/html; charset=iso-8859-1", page)
    }

    /// The error page of an nginx, its gateway's included.
    pub fn nginx(status: u16, words: &str) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status} {words}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {words}</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n\
             </body>\r\n</html>\r\n"
        );
        Self::new(status, "text/html", page)
    }

    pub fn apache_not_found() -> Self {
        let text = "The requested URL was not found on this server.";
        Self::apache(404, "Not Found", text)
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn outcome(mut self, outcome: &str) -> Self {
        self.outcome = format!(" {outcome}");
        self
    }
}

/// A message of PHP's that it goes on after, given as `Warning: text in file:5`; in HTML, as display_errors writes it.
pub(super) fn notice(message: &str) -> String {
    let (kind, rest) = message.split_once(": ").unwrap_or_default();
    let (text, place) = rest.rsplit_once(" in ").unwrap_or_default();
    let (file, line) = place.split_once(':').unwrap_or_default();
    format!(
        "<br />\n<b>{kind}</b>:  {text} in <b>/var/www/crm/{file}</b> on line <b>{line}</b><br />\n"
    )
}

/// The message that PHP dies with, given as `Error: text in file:5`; the status stays 200.
pub(super) fn fatal(error: &str) -> String {
    let (text, place) = error.rsplit_once(" in ").unwrap_or_default();
    notice(&format!(
        "Fatal error: Uncaught {text} in /var/www/crm/{place}\n\
         Stack trace:\n#0 {{main}}\n  thrown in {place}"
    ))
}

/// A path for the log: whatever could be a session or a person's name is left out.
pub(super) fn shown_path(path: &str) -> String {
    let tame = |segment: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let digits = segment.bytes().any(|b| b.is_ascii_digit());
        segment.bytes().all(plain) && segment.len() <= if digits { 3 } else { 32 }
    };
    let segments = path.split('/');
    let shown = segments.map(|segment| if tame(segment) { segment } else { "…" });
    shown.collect::<Vec<_>>().join("/")
}

/// So many hex digits nobody can guess, in lower case.
pub(super) fn random_hex(digits: usize) -> String {
    let mut bytes = vec![0; digits.div_ceil(2)];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    let mut text = hex(&bytes);
    text.truncate(digits);
    text
}

/// What looks like a JWT; its signature is noise, since these servers know their tokens by heart.
pub(super) fn jwt(header: &Value, payload: &Value, signature_bytes: usize) -> String {
    let signature = random_hex(signature_bytes);
    let parts = [header.to_string(), payload.to_string(), signature];
    parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}
