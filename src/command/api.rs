//! `crmauth api`: one request with the session where the system wants it, the answer's body on stdout.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::{Run, TargetName, seconds_or_none, target_help, targets};
use crate::declaration::{Placement, Target};
use crate::error::{Cause, Error, Result, error};
use crate::http::response;
use crate::http::{ACCEPT, CONTENT_TYPE, Effect, HeaderName, Method, Request, is_harmless};
use crate::i18n::{Text, tr};
use crate::lifecycle::{Account, Active, Answer};
use crate::output::stdout::StdoutStream;
use crate::provider::Provider;
use crate::secret::Secret;
use crate::url::PathFault;

/// Headers that say where a request goes and where it ends: one that is typed could send the session elsewhere.
const OURS: [&str; 4] = ["Host", "Content-Length", "Transfer-Encoding", "Connection"];

/// Send one authenticated request and print the answer's body
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth api zeev /api/2/tokens\n  \
    crmauth api gluo '/webservice.php?operation=listtypes'\n  \
    crmauth api systemsway '/api/Usuario/{session}'\n  \
    crmauth api systemsway '/api/Usuario/{session}?id=2' -X PUT -d '{\"Ativo\":\"true\",\"UserName\":\"ana\"}'\n\n\
    Exit codes follow what the answer means; its body is printed whatever it is.")]
pub struct Args {
    #[arg(value_name = "TARGET", value_parser = TargetName, help = target_help(), hide_possible_values = true)]
    target: String,
    /// The path below the target's URL, with its query; {session} stands for the session where it belongs there
    path: String,
    /// The method [default: GET, or POST with -d]
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<String>,
    /// A header, K:V; repeatable
    #[arg(short = 'H', long = "header", value_name = "K:V")]
    headers: Vec<String>,
    /// The body: the text itself, @FILE, or @- for stdin
    #[arg(short, long, value_name = "DATA|@FILE|@-")]
    data: Option<String>,
    /// Print status line and headers too
    #[arg(short, long)]
    include: bool,
    /// The session of another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID")]
    person: Option<String>,
    /// How long the session must last at least
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds_or_none)]
    min_ttl: Duration,
}

/// Sends the request and passes the answer on.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let wanted = targets(std::slice::from_ref(&args.target))?;
    let [target] = &wanted[..] else {
        return Err(error!(Usage, "api takes one TARGET"));
    };
    let named = |error: Error| error.target(&target.to_string());
    check_path(&args.path, target).map_err(named)?;
    let method = method(args).map_err(named)?;
    let headers = headers(args, target).map_err(named)?;
    let body = args
        .data
        .as_deref()
        .map(|data| read_data(data, run))
        .transpose()?;
    let typed = Typed {
        path: &args.path,
        method,
        headers,
        body,
    };
    let (services, sources, _servers) = run.services().await?;
    let account = Account::find(&services, &sources, target, args.person.as_deref()).await?;
    let make = |login: &Active<'_>| typed.with(login);
    let (login, mut answer, lost) = account.exchange(make, args.min_ttl).await?;
    let mut out = StdoutStream::default();
    let passed = pass_on(args.include, &mut answer, &mut out).await;
    out.end_line().await;
    let verdict = passed.and_then(|()| verdict(&answer, &login.account));
    match lost {
        Some(lost) => Err(lost),
        None => verdict.map_err(|error| answer.doubt(error)),
    }
    .map_err(named)
}

/// Checks a path before there is a session.
fn check_path(path: &str, target: &Target) -> Result<()> {
    let refuse = |why: Text| {
        let error = error!(Usage, "PATH {why}", why);
        Err(error.hint(tr!(
            "PATH is joined to the target's URL, as in `crmauth api --help`"
        )))
    };
    match PathFault::of(path) {
        None => {}
        Some(PathFault::Url | PathFault::TwoSlashes) => {
            return refuse(tr!("is a URL; it must be a path below the target's URL"));
        }
        Some(PathFault::Character(_)) => {
            return refuse(tr!(
                "holds white space, a control character, a backslash or a fragment"
            ));
        }
        Some(PathFault::Outside) => return refuse(tr!("leads out of the target's URL (..)")),
    }
    let place = path.split('?').next().unwrap_or_default();
    if target.spec.placement == Placement::Path && !place.contains("{session}") {
        let error = error!(Usage, "PATH names no {{session}} before its query");
        return Err(error.hint(tr!(
            "{product} wants it as a segment of the path",
            product = target.spec.product
        )));
    }
    Ok(())
}

fn method(args: &Args) -> Result<Method> {
    let default = if args.data.is_some() { "POST" } else { "GET" };
    let method = args
        .method
        .as_deref()
        .unwrap_or(default)
        .to_ascii_uppercase();
    let method = Method::from_bytes(method.as_bytes()).ok();
    // CONNECT asks for a tunnel and not for a path.
    method
        .filter(|method| *method != Method::CONNECT)
        .ok_or_else(|| {
            error!(
                Usage, "-X names no HTTP method";
                hint "a method is one word, such as GET, POST, PUT or DELETE"
            )
        })
}

fn headers(args: &Args, target: &Target) -> Result<Vec<(HeaderName, Secret)>> {
    args.headers
        .iter()
        .map(|header| read_header(header, target))
        .collect()
}

fn read_header(header: &str, target: &Target) -> Result<(HeaderName, Secret)> {
    let refuse = |why: Text, hint: Text| Err(Error::new(Cause::Usage, why).hint(hint));
    let example = || tr!("for example -H 'Accept: text/plain'");
    let Some((name, value)) = header.split_once(':') else {
        return refuse(
            tr!("-H takes a name and a value with a colon between them"),
            example(),
        );
    };
    let (name, value) = (name.trim(), value.trim());
    let parsed = HeaderName::from_bytes(name.as_bytes());
    let Some(parsed) = parsed
        .ok()
        .filter(|_| !value.chars().any(|c| c.is_control() && c != '\t'))
    else {
        return refuse(tr!("-H names no header that HTTP can carry"), example());
    };
    if OURS.iter().any(|ours| parsed == *ours) {
        let why = tr!(
            "-H names {name}, which follows from the URL and the body",
            name
        );
        return refuse(why, tr!("leave it out"));
    }
    if target.spec.placement == Placement::Bearer && parsed == "Authorization" {
        let hint = tr!("leave it out; to send another token, use curl");
        return refuse(
            tr!("-H names Authorization, which carries the session"),
            hint,
        );
    }
    Ok((parsed, Secret::new(value.to_owned())))
}

fn read_data(data: &str, run: &Run<'_>) -> Result<Vec<u8>> {
    let Some(name) = data.strip_prefix('@') else {
        return Ok(data.as_bytes().to_vec());
    };
    let mut bytes = Vec::new();
    let read = match name {
        "-" => std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map(|_| bytes),
        name => std::fs::read(run.environment.cwd().join(Path::new(name))),
    };
    read.map_err(|error| {
        let message = match name {
            "-" => tr!("stdin, the body of -d @-, cannot be read"),
            name => tr!("{name}, the body of -d, cannot be read", name),
        };
        let error = Error::new(Cause::Usage, message).because(error);
        error.hint(tr!("-d takes the text itself, @FILE, or @- for stdin"))
    })
}

/// A request as it was typed.
struct Typed<'a> {
    path: &'a str,
    method: Method,
    headers: Vec<(HeaderName, Secret)>,
    body: Option<Vec<u8>>,
}

impl Typed<'_> {
    fn is_harmless(&self) -> bool {
        is_harmless(&self.method)
    }

    /// The request with the session where the system wants it.
    fn with(&self, login: &Active<'_>) -> Request {
        let (spec, token) = (login.target().spec, &login.session.token);
        let url = login.place(self.path);
        let effect = if self.is_harmless() {
            Effect::None
        } else {
            Effect::Change
        };
        let mut request = Request::new(self.method.clone(), url)
            .effect(effect)
            .secret(token);
        for (name, value) in &self.headers {
            request = request.header(name.clone(), value.clone());
        }
        if spec.placement == Placement::Bearer {
            request = request.bearer(token);
        }
        let given = |name: HeaderName| self.headers.iter().any(|(other, _)| *other == name);
        let content_type = || Secret::new(spec.content_type.to_owned());
        if self.body.is_some() && !given(CONTENT_TYPE) {
            request = request.header(CONTENT_TYPE, content_type());
        }
        if spec.content_type.ends_with("json") && !given(ACCEPT) {
            request = request.header(ACCEPT, content_type());
        }
        match &self.body {
            Some(body) => request.body(body),
            None => request,
        }
    }
}

/// Writes the answer as it comes, byte for byte.
async fn pass_on(include: bool, answer: &mut Answer, out: &mut StdoutStream) -> Result<()> {
    if include {
        out.write(answer.response.head().into_bytes()).await?;
    }
    out.write(answer.response.body.clone()).await?;
    if let Some(error) = answer.broken.take() {
        return Err(error);
    }
    while let Some(part) = answer.response.next().await? {
        answer.keep(&part);
        out.write(part).await?;
    }
    Ok(())
}

/// Turns what the answer means into an exit code: its status, and what the system says under any.
fn verdict(answer: &Answer, account: &Account<'_>) -> Result<u8> {
    let (target, response) = (account.target(), &answer.response);
    let (host, status) = (&response.host, response.status);
    if response.refused_in_front(target.spec.refuses_in_json) {
        return Err(response::in_front(host, status));
    }
    if answer.is_whole() {
        if let Some(object) = response.any_object() {
            object
                .oddities()
                .iter()
                .for_each(|oddity| account.warn(oddity.clone()));
        }
        match account.provider.explain(response) {
            Some(error) if matches!(status, 401 | 403) && error.cause == Cause::Rejected => {}
            Some(error) => return Err(error),
            None if response.crashed() => return Err(response::server_failed(host, status)),
            None => {}
        }
    }
    // 304 answers a condition of the request's own; it leads nowhere.
    if response.is_success() || status == 304 {
        return Ok(0);
    }
    if (300..400).contains(&status) {
        return Err(
            response::redirect(host, status, response.location.as_ref(), response.https).hint(tr!(
                "no redirect is followed; ask for that path if it is the right one"
            )),
        );
    }
    let error = response::status_error(host, &response.path, status);
    Err(match error.cause {
        Cause::Refused => error.hint(tr!(
            "`crmauth status {target} --check` tells whether the session is alive",
            target
        )),
        Cause::NotFound => error.hint(tr!("is PATH right? It is joined to the target's URL")),
        Cause::Unavailable | Cause::RateLimited | Cause::ServerTimeout => {
            error.hint(tr!("try again later"))
        }
        _ if response.body.is_empty() => {
            error.hint(tr!("the answer has no body; -i prints its headers"))
        }
        _ => error.hint(tr!("the answer's body may say more")),
    })
}
