//! What was typed for a request, checked before there is a session.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::super::Run;
use super::Args;
use crate::declaration::{FORM, Placement, Spec, Target};
use crate::error::{Error, Result, error};
use crate::files::random;
use crate::http::{ACCEPT, CONTENT_TYPE, Effect, HeaderName, Method, Part, Request, is_harmless};
use crate::i18n::{Text, tr};
use crate::lifecycle::Active;
use crate::secret::{Secret, hex, percent};
use crate::url::PathFault;

/// Headers that say where a request goes and where it ends: one that is typed could send the session elsewhere.
const OURS: [&str; 4] = ["Host", "Content-Length", "Transfer-Encoding", "Connection"];

/// Tables inside a body's object, each of which takes a part of the stack. JSON's own readers allow about as many.
const LEVELS_MAX: usize = 100;

/// In bytes. The HTTP library takes 65,534 for a whole URL.
const PATH_MAX: usize = 64_000;

/// What is read into memory, from a pipe or for a field. A regular file may be larger where it is sent as it is.
const READ_MAX: u64 = 32 * 1024 * 1024;

pub struct Typed {
    /// With its query.
    pub path: String,
    pub method: Method,
    headers: Vec<(HeaderName, Secret)>,
    body: Body,
    /// How often it may be sent again where the server is away.
    pub retries: u32,
    pub timeout: Duration,
}

impl Typed {
    pub fn read(args: &Args, target: &Target, run: &Run<'_>) -> Result<Self> {
        check_path(&args.path, target.spec)?;
        let mut path = args.path.clone();
        for typed in &args.query {
            let (name, value) = split("-Q", typed)?;
            let separator = match path.find('?') {
                None => "?",
                Some(_) if path.ends_with(['?', '&']) => "",
                Some(_) => "&",
            };
            path = [&path, separator, &pair(name, value)].concat();
        }
        if path.len() > PATH_MAX {
            return Err(
                error!(Usage: "PATH with its query is longer than {most} bytes"; most = PATH_MAX =>
                hint "-F and -d send long values in the body"),
            );
        }
        let body = Body::read(args, target.spec, run)?;
        let method = method(args, !body.parts.is_empty())?;
        let headers = args.headers.iter();
        let headers = headers.map(|header| read_header(header, target.spec));
        let typed = Self {
            path,
            method,
            headers: headers.collect::<Result<_>>()?,
            body,
            retries: args.retry.into(),
            timeout: run.global.timeout,
        };
        if !args.uploads.is_empty() && typed.has_header(&CONTENT_TYPE) {
            let error =
                error!(Usage: "-H names Content-Type, which --upload sets" => hint "leave it out");
            return Err(error);
        }
        if args.retry > 0 && !is_harmless(&typed.method) {
            let method = typed.method;
            let error = error!(Usage: "--retry repeats only GET, HEAD and OPTIONS, not {method}"; method =>
                hint "a request that may have changed something is not sent twice");
            return Err(error);
        }
        Ok(typed)
    }

    fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(other, _)| other == name)
    }

    /// Whether it is a POST whose body takes one more field.
    fn is_form(&self) -> bool {
        let is_form = |(name, value): &(HeaderName, Secret)| {
            let kind = value.expose().split(';').next().unwrap_or_default();
            *name != CONTENT_TYPE || kind.trim().eq_ignore_ascii_case(FORM)
        };
        self.method == Method::POST && self.headers.iter().all(is_form)
    }

    /// The request with the session where the system wants it: in a posted form's body, since servers log URLs.
    pub fn with(&self, login: &Active<'_>) -> Request {
        let (spec, token) = (login.target().spec, &login.session.token);
        let field = match spec.placement {
            Placement::Query(name) if self.is_form() => Some((name, token.expose())),
            _ => None,
        };
        let url = match field {
            Some(_) => login.url().join(&self.path),
            None => login.place(&self.path),
        };
        let safe = is_harmless(&self.method);
        let effect = if safe { Effect::None } else { Effect::Change };
        let request = Request::new(self.method.clone(), url);
        let mut request = request.effect(effect).secret(token);
        for (name, value) in &self.headers {
            request = request.header(name.clone(), value.clone());
        }
        if spec.placement == Placement::Bearer {
            request = request.bearer(token);
        }
        let content_type = self.body.content_type.as_deref();
        let content_type = content_type.or(field.map(|_| FORM));
        let accept = Some(spec.content_type).filter(|accept| accept.ends_with("json"));
        for (name, value) in [(CONTENT_TYPE, content_type), (ACCEPT, accept)] {
            if let Some(value) = value.filter(|_| !self.has_header(&name)) {
                request = request.header(name, Secret::new(value.to_owned()));
            }
        }
        request.parts(self.body.parts(field))
    }
}

fn check_path(path: &str, spec: &Spec) -> Result<()> {
    let quote = path.chars().find(|c| matches!(c, '"' | '\''));
    let place = path.split('?').next().unwrap_or_default();
    let why = match PathFault::of(path).or(quote.map(PathFault::Character)) {
        Some(PathFault::Character(c)) => {
            let (why, escaped) = (misplaced(c), percent(&c.to_string()));
            return Err(error!(Usage: "PATH {why}"; why =>
                hint "-Q NAME=VALUE adds a parameter and encodes it; elsewhere in PATH write {escaped}"; escaped));
        }
        Some(PathFault::Outside) => tr!("leads out of the target's URL (..)"),
        Some(_) => tr!("is a URL; it must be a path below the target's URL"),
        None if spec.placement == Placement::Path && !place.contains("{session}") => {
            return Err(error!(Usage: "PATH has no {{session}} before its query" =>
                hint "{product} takes it as a segment of the path"; product = spec.product));
        }
        None => return Ok(()),
    };
    Err(error!(Usage: "PATH {why}"; why =>
        hint "PATH is joined to the target's URL, as in `crmauth api --help`"))
}

fn misplaced(c: char) -> Text {
    match c {
        ' ' => tr!("contains a space"),
        '#' => tr!("contains a fragment (#)"),
        '\\' => tr!("contains a backslash"),
        '"' | '\'' => tr!("contains a quote ({c})"; c),
        _ if c.is_whitespace() => tr!("contains white space"),
        _ => tr!("contains a control character"),
    }
}

fn method(args: &Args, has_body: bool) -> Result<Method> {
    let default = if has_body { "POST" } else { "GET" };
    let method = args.method.as_deref().unwrap_or(default);
    match Method::from_bytes(method.to_ascii_uppercase().as_bytes()) {
        // CONNECT asks for a tunnel and not for a path.
        Ok(method) if method != Method::CONNECT => Ok(method),
        _ => Err(error!(Usage: "-X is not an HTTP method" =>
            hint "a method is one word, such as GET, POST, PUT or DELETE")),
    }
}

fn read_header(header: &str, spec: &Spec) -> Result<(HeaderName, Secret)> {
    let (name, value) = header.split_once(':').unwrap_or((header, ""));
    let (name, value) = (name.trim(), value.trim());
    let bad = !header.contains(':') || value.chars().any(|c| c.is_control() && c != '\t');
    let bearer = spec.placement == Placement::Bearer;
    Err(match HeaderName::from_bytes(name.as_bytes()) {
        Ok(parsed) if OURS.iter().any(|ours| parsed == *ours) => error!(Usage:
            "-H names {name}, which is set from the URL and the body"; name =>
            hint "leave it out"),
        Ok(parsed) if bearer && parsed == "Authorization" => error!(Usage:
            "-H names Authorization, which carries the session" =>
            hint "leave it out; to send another token, use curl"),
        Ok(parsed) if !bad => return Ok((parsed, Secret::new(value.to_owned()))),
        _ => {
            error!(Usage: "-H is not a valid HTTP header" =>
                hint "for example -H 'Accept: text/plain'")
        }
    })
}

/// A body: the bytes of `-d`, or a form, a JSON object or multipart made of fields and files. No parts, no body.
#[derive(Default)]
struct Body {
    content_type: Option<String>,
    parts: Vec<Part>,
    /// What stands between the parts, if it is multipart.
    boundary: Option<String>,
}

/// A field: its name, and its value as a text or as JSON.
struct Field {
    option: &'static str,
    name: String,
    text: String,
}

impl Body {
    fn read(args: &Args, spec: &Spec, run: &Run<'_>) -> Result<Self> {
        let options = [&args.fields, &args.json_fields, &args.uploads];
        let values = options.into_iter().flatten();
        let values = values.filter_map(|pair| Some(pair.split_once('=')?.1));
        let all = values.chain(args.data.as_deref());
        if all.filter(|value| *value == "@-").count() > 1 {
            return Err(error!(Usage: "stdin can be read only once, and @- is given twice"));
        }
        let field = |option| move |typed: &String| Field::read(option, typed, run);
        let texts = args.fields.iter().map(field("-F"));
        let fields = texts.chain(args.json_fields.iter().map(field("-J")));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        if !args.uploads.is_empty() {
            return multipart(&fields, &args.uploads, run);
        }
        let pairs = fields.iter().map(|field| pair(&field.name, &field.text));
        let part = match (&args.data, spec.content_type) {
            (Some(data), _) => read_data("-d", data, run)?,
            _ if fields.is_empty() => return Ok(Self::default()),
            (None, FORM) => Part::bytes(pairs.collect::<Vec<_>>().join("&")),
            (None, _) => Part::bytes(object(&fields)?),
        };
        Ok(Self {
            content_type: Some(spec.content_type.to_owned()),
            parts: vec![part],
            boundary: None,
        })
    }

    /// The parts, with one more field where there is one.
    fn parts(&self, field: Option<(&str, &str)>) -> Vec<Part> {
        let field = field.map(|(name, value)| match &self.boundary {
            Some(boundary) => [&head(boundary, name, ""), value, "\r\n"].concat(),
            None if self.parts.is_empty() => pair(name, value),
            None => ["&", &pair(name, value)].concat(),
        });
        let boundary = self.boundary.as_ref();
        let last = boundary.map(|boundary| format!("--{boundary}--\r\n"));
        let end = [field, last].into_iter().flatten().map(Part::bytes);
        self.parts.iter().cloned().chain(end).collect()
    }
}

impl Field {
    fn read(option: &'static str, typed: &str, run: &Run<'_>) -> Result<Self> {
        let (name, value) = split(option, typed)?;
        let mut bytes = Vec::new();
        let part = match value {
            "@" => Part::bytes(value),
            _ => read_data(option, value, run)?,
        };
        let read = part.read(&mut bytes, READ_MAX);
        read.map_err(|error| unreadable(option, value.strip_prefix('@').unwrap_or(value), error))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            error!(Usage: "{option} {name} is not UTF-8 text"; option, name => hint "--upload sends any file")
        })?;
        let json = option == "-J";
        if json && serde_json::from_str::<IgnoredAny>(&text).is_err() {
            return Err(error!(Usage: "-J {name} is not JSON"; name =>
                hint "a text needs two pairs of quotes, as in -J '{name}=\"…\"'; or send it with -F"; name));
        }
        let text = if json { text.trim().to_owned() } else { text };
        let name = name.to_owned();
        Ok(Self { option, name, text })
    }
}

/// A pair as a query or a form has it.
pub fn pair(name: &str, value: &str) -> String {
    [&percent(name), "=", &percent(value)].concat()
}

fn split<'a>(option: &str, typed: &'a str) -> Result<(&'a str, &'a str)> {
    let pair = typed.split_once('=').filter(|(name, _)| !name.is_empty());
    let name = if typed.contains('=') { "NAME" } else { typed };
    pair.ok_or_else(|| {
        error!(Usage: "{option} takes NAME=VALUE"; option =>
            hint "for example {option} {name}=VALUE"; option, name)
    })
}

/// The text itself, the content of @FILE, or stdin.
fn read_data(option: &str, data: &str, run: &Run<'_>) -> Result<Part> {
    let Some(name) = data.strip_prefix('@') else {
        return Ok(Part::bytes(data));
    };
    if name.is_empty() {
        return Err(error!(Usage: "{option} names no file after @"; option).hint(sources()));
    }
    let read = || {
        if name == "-" {
            return piped(io::stdin().lock());
        }
        let file = File::open(run.environment.cwd().join(name))?;
        match file.metadata()? {
            // A file below /proc has no length.
            meta if meta.is_file() && meta.len() > 0 => Ok(Part::File(Arc::new(file), meta.len())),
            _ => piped(file),
        }
    };
    read().map_err(|error| unreadable(option, name, error))
}

fn piped(reader: impl Read) -> io::Result<Part> {
    let mut bytes = Vec::new();
    reader.take(READ_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > READ_MAX {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(Part::bytes(bytes)),
    }
}

fn unreadable(option: &str, name: &str, error: io::Error) -> Error {
    let what = match name {
        "-" => tr!("stdin"),
        name => tr!("{name}"; name),
    };
    if error.kind() == io::ErrorKind::FileTooLarge {
        return error!(Usage: "{what}, which {option} names, is larger than 32 MiB"; what, option =>
            hint "-d @FILE and --upload send a regular file of any size");
    }
    let unreadable = error!(Usage: "{what}, which {option} names, cannot be read"; what, option);
    unreadable.because(error).hint(sources())
}

fn sources() -> Text {
    tr!("use the text itself, @FILE, or @- for stdin; send a text that begins with @ through stdin")
}

/// Fields as one JSON object: `a[b]` is the member `b` of the table `a`. A text in the tree is the JSON of a value.
fn object(fields: &[Field]) -> Result<String> {
    let mut tree = json!({});
    for field in fields {
        let mut keys = keys(field)?.into_iter();
        let place = keys.try_fold(&mut tree, |table, key| {
            (!table.is_string()).then(move || &mut table[key])
        });
        let what = match place {
            Some(place @ Value::Null) => {
                let text = json!(field.text).to_string();
                let json = field.option == "-J";
                *place = Value::String(if json { field.text.clone() } else { text });
                continue;
            }
            Some(Value::String(_)) => tr!("is given twice"),
            _ => tr!("is both a value and a table"),
        };
        let (option, name) = (field.option, &field.name);
        let error = error!(Usage: "{option} {name} {what}"; option, name, what =>
            hint "-J sends a list or a table at once, as in -J 'ids=[1,2]'");
        return Err(error);
    }
    Ok(written(&tree))
}

fn written(tree: &Value) -> String {
    match tree {
        Value::Object(table) => {
            let member = |(key, value)| [&json!(key).to_string(), ":", &written(value)].concat();
            let members: Vec<_> = table.iter().map(member).collect();
            ["{", &members.join(","), "}"].concat()
        }
        value => value.as_str().unwrap_or_default().to_owned(),
    }
}

fn keys(field: &Field) -> Result<Vec<&str>> {
    let (option, name) = (field.option, &field.name);
    let nested = name.strip_suffix(']').and_then(|name| name.split_once('['));
    let keys = match nested {
        Some((first, inner)) => [first].into_iter().chain(inner.split("][")).collect(),
        None => vec![&**name],
    };
    let bad = |key: &&str| key.is_empty() || key.contains(['[', ']']);
    if keys.iter().any(bad) {
        let error = error!(Usage: "{option} {name} has brackets that name no member"; option, name =>
            hint "name a member as in a[b]=c; for a list use -J, as in -J 'ids=[1,2]'");
        return Err(error);
    }
    if keys[1..].len() > LEVELS_MAX {
        return Err(
            error!(Usage: "{option} NAME has more than {most} levels of brackets"; option, most = LEVELS_MAX =>
            hint "-d sends JSON of any depth"),
        );
    }
    Ok(keys)
}

fn multipart(fields: &[Field], uploads: &[String], run: &Run<'_>) -> Result<Body> {
    // Sixteen random bytes are in no file.
    let boundary = ["crmauth-", &hex(&random()?)].concat();
    let mut parts = Vec::new();
    let mut add = |name: &str, about: &str, content: Part| {
        let head = Part::bytes(head(&boundary, name, about));
        parts.extend([head, content, Part::bytes("\r\n")]);
    };
    for field in fields {
        add(&field.name, "", Part::bytes(&*field.text));
    }
    for typed in uploads {
        let (name, file) = split("--upload", typed)?;
        let Some(path) = file.strip_prefix('@').filter(|path| !path.is_empty()) else {
            return Err(error!(Usage: "--upload takes NAME=@FILE, or NAME=@- for stdin"));
        };
        let file_name = Path::new(path).file_name().unwrap_or_default();
        let file_name = quoted(&file_name.to_string_lossy());
        let about = format!("; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream");
        add(name, &about, read_data("--upload", file, run)?);
    }
    Ok(Body {
        content_type: Some(["multipart/form-data; boundary=", &boundary].concat()),
        parts,
        boundary: Some(boundary),
    })
}

/// The head of a part, with what else there is about it.
fn head(boundary: &str, name: &str, about: &str) -> String {
    let name = quoted(name);
    format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{about}\r\n\r\n")
}

/// As browsers write names there.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
