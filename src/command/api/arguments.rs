//! What was typed for a request, checked before there is a session.

use std::time::Duration;

use super::super::Run;
use super::Args;
use super::body::{Body, FORM, pair, split};
use crate::declaration::{Placement, Spec, Target};
use crate::error::{Result, error};
use crate::http::{ACCEPT, CONTENT_TYPE, Effect, HeaderName, Method, Part, Request, is_harmless};
use crate::i18n::{Text, tr};
use crate::lifecycle::Active;
use crate::secret::{Secret, percent};
use crate::url::PathFault;

/// Headers that say where a request goes and where it ends: one that is typed could send the session elsewhere.
const OURS: [&str; 4] = ["Host", "Content-Length", "Transfer-Encoding", "Connection"];

/// A request as it was typed.
pub struct Typed {
    /// With its query.
    pub path: String,
    pub method: Method,
    headers: Vec<(HeaderName, Secret)>,
    body: Option<Body>,
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
        let body = Body::read(args, target.spec, run)?;
        let method = method(args, body.is_some())?;
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
        if typed.body.as_ref().is_some_and(Body::is_multipart) && typed.has_header(&CONTENT_TYPE) {
            return Err(
                error!(Usage, "-H names Content-Type, which --upload sets"; hint "leave it out"),
            );
        }
        if args.retry > 0 && !is_harmless(&typed.method) {
            return Err(
                error!(Usage, "--retry repeats only GET, HEAD and OPTIONS, not {method}", method = typed.method;
                hint "a request that may have changed something is not sent twice"),
            );
        }
        Ok(typed)
    }

    fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(other, _)| other == name)
    }

    /// Whether it is a POST whose body takes one more field.
    fn is_form(&self) -> bool {
        let headers = self.headers.iter();
        let mut types = headers.filter(|(name, _)| *name == CONTENT_TYPE);
        let is_form = |(_, value): &(HeaderName, Secret)| {
            let kind = value.expose().split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case(FORM)
        };
        self.method == Method::POST && types.all(is_form)
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
        let content_type = self.body.as_ref().map(|body| &*body.content_type);
        let content_type = content_type.or(field.map(|_| FORM));
        if let Some(content_type) = content_type.filter(|_| !self.has_header(&CONTENT_TYPE)) {
            request = request.header(CONTENT_TYPE, Secret::new(content_type.to_owned()));
        }
        if spec.content_type.ends_with("json") && !self.has_header(&ACCEPT) {
            request = request.header(ACCEPT, Secret::new(spec.content_type.to_owned()));
        }
        match (&self.body, field) {
            (Some(body), _) => request.parts(body.parts(field)),
            (None, Some((name, value))) => request.parts(vec![Part::bytes(pair(name, value))]),
            (None, None) => request,
        }
    }
}

fn check_path(path: &str, spec: &Spec) -> Result<()> {
    let quote = path.chars().find(|c| matches!(c, '"' | '\''));
    let place = path.split('?').next().unwrap_or_default();
    let why = match PathFault::of(path).or(quote.map(PathFault::Character)) {
        Some(PathFault::Character(c)) => {
            let (why, escaped) = (misplaced(c), percent(&c.to_string()));
            return Err(error!(Usage, "PATH {why}", why;
                hint "-Q NAME=VALUE adds a parameter and encodes it; elsewhere in PATH write {escaped}", escaped));
        }
        Some(PathFault::Outside) => tr!("leads out of the target's URL (..)"),
        Some(_) => tr!("is a URL; it must be a path below the target's URL"),
        None if spec.placement == Placement::Path && !place.contains("{session}") => {
            return Err(error!(Usage, "PATH has no {{session}} before its query";
                hint "{product} takes it as a segment of the path", product = spec.product));
        }
        None => return Ok(()),
    };
    Err(
        error!(Usage, "PATH {why}", why; hint "PATH is joined to the target's URL, as in `crmauth api --help`"),
    )
}

/// What is wrong with a character in a path.
fn misplaced(c: char) -> Text {
    match c {
        ' ' => tr!("contains a space"),
        '#' => tr!("contains a fragment (#)"),
        '\\' => tr!("contains a backslash"),
        '"' | '\'' => tr!("contains a quote ({c})", c),
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
        _ => Err(error!(Usage, "-X is not an HTTP method";
            hint "a method is one word, such as GET, POST, PUT or DELETE")),
    }
}

fn read_header(header: &str, spec: &Spec) -> Result<(HeaderName, Secret)> {
    let (name, value) = header.split_once(':').unwrap_or((header, ""));
    let (name, value) = (name.trim(), value.trim());
    let bad = value.chars().any(|c| c.is_control() && c != '\t');
    let bearer = spec.placement == Placement::Bearer;
    Err(match HeaderName::from_bytes(name.as_bytes()) {
        _ if !header.contains(':') => {
            error!(Usage, "-H takes a name and a value with a colon between them";
            hint "for example -H 'Accept: text/plain'")
        }
        Ok(parsed) if OURS.iter().any(|ours| parsed == *ours) => error!(
            Usage, "-H names {name}, which is set from the URL and the body", name; hint "leave it out"),
        Ok(parsed) if bearer && parsed == "Authorization" => error!(
            Usage, "-H names Authorization, which carries the session";
            hint "leave it out; to send another token, use curl"),
        Ok(parsed) if !bad => return Ok((parsed, Secret::new(value.to_owned()))),
        _ => {
            error!(Usage, "-H is not a valid HTTP header"; hint "for example -H 'Accept: text/plain'")
        }
    })
}
