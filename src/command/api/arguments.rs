//! What was typed for a request, checked before there is a session.

use std::time::Duration;

use super::super::Run;
use super::Args;
use super::body::{Body, FORM, encoded, pair};
use crate::declaration::{Placement, Target};
use crate::error::{Cause, Error, Result, error};
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
        check_path(&args.path, target)?;
        let mut path = args.path.clone();
        for typed in &args.query {
            let separator = match path.find('?') {
                None => "?",
                Some(_) if path.ends_with(['?', '&']) => "",
                Some(_) => "&",
            };
            path = [&path, separator, &encoded("-Q", typed)?].concat();
        }
        let body = Body::read(args, target.spec, run)?;
        let method = method(args, body.is_some())?;
        let headers = args.headers.iter();
        let headers = headers.map(|header| read_header(header, target));
        let typed = Self {
            path,
            method,
            headers: headers.collect::<Result<_>>()?,
            body,
            retries: args.retry.into(),
            timeout: run.global.timeout,
        };
        if typed.body.as_ref().is_some_and(Body::is_multipart) && typed.has_header(&CONTENT_TYPE) {
            let why = error!(Usage, "-H names Content-Type, which --upload sets");
            return Err(why.hint(tr!("leave it out")));
        }
        if args.retry > 0 && !typed.is_harmless() {
            return Err(error!(
                Usage, "--retry repeats only GET, HEAD and OPTIONS, not {method}", method = typed.method;
                hint "a request that may have changed something is not sent twice"
            ));
        }
        Ok(typed)
    }

    pub fn is_harmless(&self) -> bool {
        is_harmless(&self.method)
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
        let effect = match self.is_harmless() {
            true => Effect::None,
            false => Effect::Change,
        };
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
            (None, Some((name, value))) => {
                request.parts(vec![Part::bytes(pair(name, value).into())])
            }
            (None, None) => request,
        }
    }
}

fn check_path(path: &str, target: &Target) -> Result<()> {
    if let Some((why, hint)) = fault(path) {
        return Err(error!(Usage, "PATH {why}", why).hint(hint));
    }
    let place = path.split('?').next().unwrap_or_default();
    if target.spec.placement == Placement::Path && !place.contains("{session}") {
        return Err(error!(
            Usage, "PATH has no {{session}} before its query";
            hint "{product} takes it as a segment of the path", product = target.spec.product
        ));
    }
    Ok(())
}

/// What is wrong with a path, and the next step.
fn fault(path: &str) -> Option<(Text, Text)> {
    let quote = path.chars().find(|c| matches!(c, '"' | '\''));
    let fault = PathFault::of(path).or(quote.map(PathFault::Character))?;
    let joined = tr!("PATH is joined to the target's URL, as in `crmauth api --help`");
    let (why, c) = match fault {
        PathFault::Url | PathFault::TwoSlashes => {
            let why = tr!("is a URL; it must be a path below the target's URL");
            return Some((why, joined));
        }
        PathFault::Outside => return Some((tr!("leads out of the target's URL (..)"), joined)),
        PathFault::Character(c @ ' ') => (tr!("contains a space"), c),
        PathFault::Character(c @ '#') => (tr!("contains a fragment (#)"), c),
        PathFault::Character(c @ '\\') => (tr!("contains a backslash"), c),
        PathFault::Character(c @ ('"' | '\'')) => (tr!("contains a quote ({c})", c), c),
        PathFault::Character(c) if c.is_whitespace() => (tr!("contains white space"), c),
        PathFault::Character(c) => (tr!("contains a control character"), c),
    };
    let hint = tr!(
        "-Q NAME=VALUE adds a parameter and encodes it; elsewhere in PATH write {escaped}",
        escaped = percent(&c.to_string())
    );
    Some((why, hint))
}

fn method(args: &Args, has_body: bool) -> Result<Method> {
    let default = if has_body { "POST" } else { "GET" };
    let method = args.method.as_deref().unwrap_or(default);
    match Method::from_bytes(method.to_ascii_uppercase().as_bytes()) {
        // CONNECT asks for a tunnel and not for a path.
        Ok(method) if method != Method::CONNECT => Ok(method),
        _ => Err(error!(
            Usage, "-X is not an HTTP method";
            hint "a method is one word, such as GET, POST, PUT or DELETE"
        )),
    }
}

fn read_header(header: &str, target: &Target) -> Result<(HeaderName, Secret)> {
    let (name, value) = header.split_once(':').unwrap_or((header, ""));
    let (name, value) = (name.trim(), value.trim());
    let bad = value.chars().any(|c| c.is_control() && c != '\t');
    let (why, hint) = match HeaderName::from_bytes(name.as_bytes()) {
        _ if !header.contains(':') => {
            let why = tr!("-H takes a name and a value with a colon between them");
            (why, tr!("for example -H 'Accept: text/plain'"))
        }
        Ok(parsed) if OURS.iter().any(|ours| parsed == *ours) => {
            let why = tr!(
                "-H names {name}, which is set from the URL and the body",
                name
            );
            (why, tr!("leave it out"))
        }
        Ok(parsed) if target.spec.placement == Placement::Bearer && parsed == "Authorization" => {
            let why = tr!("-H names Authorization, which carries the session");
            (why, tr!("leave it out; to send another token, use curl"))
        }
        Ok(parsed) if !bad => return Ok((parsed, Secret::new(value.to_owned()))),
        _ => {
            let why = tr!("-H is not a valid HTTP header");
            (why, tr!("for example -H 'Accept: text/plain'"))
        }
    };
    Err(Error::new(Cause::Usage, why).hint(hint))
}
