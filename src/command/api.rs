//! `crmauth api`: one request with the session where the system wants it, the answer's body on stdout.

mod arguments;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use super::delivery;
use super::{Run, seconds_or_none, target_help};
use crate::declaration::{Pages, Target};
use crate::error::{Cause, Error, Result, error};
use crate::http::random_part;
use crate::http::response::{server_failed, status_error};
use crate::i18n::tr;
use crate::json;
use crate::lifecycle::{Account, Active, Answer, Want};
use crate::output::file::Replacement;
use crate::output::shell_word;
use crate::output::stdout;
use crate::provider::Provider;
use crate::settings::{self, Sources};
use arguments::{Typed, pair};

/// The largest page, in bytes.
const PAGE_MAX: usize = 8 * 1024 * 1024;
/// How much is held back to be indented, in bytes; more passes as it is.
const HELD_MAX: usize = 1024 * 1024;

/// The first pause before a repetition of `--retry`; each one doubles, and chance adds up to as much again.
const PAUSE: Duration = Duration::from_millis(500);

/// Send one authenticated request and print the answer's body
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth api zeev /api/2/tokens\n  \
    crmauth api gluo /webservice.php -Q operation=query -Q 'query=SELECT * FROM Contacts;' --paginate\n  \
    crmauth api hellocloud /Api/V8/module -F 'data[type]=Contacts' -F 'data[attributes][last_name]=Silva'\n  \
    crmauth api systemsway '/api/Usuario/{session}?id=2' -X PUT -F Ativo=true -F UserName=ana\n\n\
    The exit code follows what the answer means; the body is always printed.")]
pub struct Args {
    #[arg(value_name = "TARGET", help = target_help())]
    target: String,
    /// The path below the target's URL, with its query; {session} is replaced by the session, where it belongs in the path
    path: String,
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<String>,
    /// A header, K:V; can be repeated
    #[arg(short = 'H', long = "header", value_name = "K:V")]
    headers: Vec<String>,
    /// A parameter of the query, which is encoded; can be repeated
    #[arg(short = 'Q', long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// The body: the text itself, @FILE, or @- for stdin
    #[arg(short, long, value_name = "DATA|@FILE|@-", conflicts_with_all = ["fields", "json_fields", "uploads"])]
    data: Option<String>,
    /// A text of the body, a form or JSON as the system takes it; @FILE and @- are read; can be repeated
    #[arg(short = 'F', long = "field", value_name = "NAME=VALUE")]
    fields: Vec<String>,
    /// A JSON value of the body, digit by digit; can be repeated
    #[arg(short = 'J', long = "json-field", value_name = "NAME=JSON")]
    json_fields: Vec<String>,
    /// A file of the body, which becomes multipart; can be repeated
    #[arg(long = "upload", value_name = "NAME=@FILE")]
    uploads: Vec<String>,
    /// Write to FILE, mode 0600, instead of stdout (-)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print status line and headers too
    #[arg(short, long)]
    include: bool,
    /// All pages of a list as one JSON array
    #[arg(long, conflicts_with = "include")]
    paginate: bool,
    /// Retry that many times after 429, 502, 503 or 504, if the request changes nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry: u8,
    /// The session of another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID")]
    person: Option<String>,
    /// How long the session must last, at least
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds_or_none)]
    min_ttl: Duration,
}

pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    if is_method(&args.target) {
        return Err(method_first(&args.target, "TARGET", &args.path));
    }
    let target = &settings::target(&args.target)?;
    let named = |error: Error| error.target(&target.to_string());
    let typed = Typed::read(args, target, run).map_err(named)?;
    let pages = args.paginate.then(|| pages(&typed, target));
    let pages = pages.transpose().map_err(named)?;
    let (services, sources, _servers) = run.services().await?;
    let mut out = Out::open(args, run, &sources).await?;
    let account = Account::find(&services, &sources, target, args.person.as_deref()).await?;
    let login = account.session(&Want::Usable(args.min_ttl)).await?;
    if let Some(pages) = pages {
        let written = list(pages, typed, login, &mut out).await;
        out.end(written.is_ok(), run).await?;
        return written.map_err(named);
    }
    let (login, mut answer, lost) = send(login, &typed).await?;
    let passed = out.pass_on(args.include, &mut answer).await;
    out.end(passed.is_ok(), run).await?;
    let verdict = passed.and_then(|()| verdict(&answer, &login.account, &typed));
    let verdict = verdict.map_err(|error| answer.doubt(error));
    lost.map_or(verdict, Err).map_err(named)
}

/// Whether a word is a method, and so nothing that a target or a path is.
pub fn is_method(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&&*word)
}

/// The error for a method that was typed as curl's users write it.
pub fn method_first(method: &str, target: &str, path: &str) -> Error {
    let (path, option) = (shell_word(path), method.to_uppercase());
    let line = format!("crmauth api {target} {path} -X {option}");
    error!(Usage: "`{method}` is a method"; method => hint "write it as `{line}`"; line)
}

/// Sends a request, and again after a while where the server is away and `--retry` allows it.
async fn send<'a>(
    mut login: Active<'a>,
    typed: &Typed,
) -> Result<(Active<'a>, Answer, Option<Error>)> {
    let mut tried = 0;
    loop {
        let (active, answer, lost) = login.exchange(|login| typed.with(login)).await?;
        let doubled = || (PAUSE * 2u32.pow(tried.min(6)) + random_part(PAUSE)).min(typed.timeout);
        let wait = answer.response.retry_after.map(Duration::from_secs);
        let pause = wait.unwrap_or_else(doubled);
        let away = matches!(answer.response.status, 429 | 502..=504);
        if !away || tried >= typed.retries || pause > typed.timeout {
            return Ok((active, answer, lost));
        }
        let wait = pause.as_millis();
        active.account.note(tr!("retrying in {wait} ms"; wait));
        tokio::time::sleep(pause).await;
        login = active.again();
        tried += 1;
    }
}

/// Turns what the answer means into an exit code: its status, and what the system says under any.
fn verdict(answer: &Answer, account: &Account<'_>, typed: &Typed) -> Result<u8> {
    let (target, response) = (account.target(), &answer.response);
    let (host, status) = (&response.host, response.status);
    if let Some(error) = response.refused_in_front(target.spec.refuses_in_json) {
        return Err(error);
    }
    warn_of_oddities(answer, account);
    // Where a long answer is JSON, any words may be in it.
    let readable = answer.whole || text_before(&response.body) == Some(false);
    let explained = answer.whole.then(|| account.provider.explain(response));
    match explained.flatten() {
        Some(error) if matches!(status, 401 | 403) && error.cause == Cause::Rejected => {}
        Some(error) => return Err(error),
        None if readable && response.crashed() => return Err(server_failed(host, status)),
        None => {}
    }
    // 304 answers a condition of the request's own; it leads nowhere.
    if response.is_success() || status == 304 {
        return Ok(0);
    }
    if let Some(error) = response.redirected() {
        let hint = tr!("redirects are not followed; ask for that path if it is the right one");
        return Err(error.hint(hint));
    }
    let object = answer.whole.then(|| response.any_object()).flatten();
    let said = object.and_then(|object| object.said()).unwrap_or_default();
    let error = status_error(host, &response.path, status).said(&said);
    let hint = match error.cause {
        Cause::Refused => tr!(
            "`crmauth status {target} --check` tells whether the session is alive"; target),
        Cause::NotFound if status == 405 => tr!(
            "that path does not take {method}; -X METHOD chooses another method"; method = typed.method),
        Cause::NotFound => tr!("is PATH right? It is joined to the target's URL"),
        Cause::Unavailable | Cause::RateLimited | Cause::ServerTimeout => tr!("try again later"),
        _ if response.body.is_empty() => tr!("the answer has no body; -i prints its headers"),
        _ => tr!("the answer's body may say more"),
    };
    Err(error.hint(hint))
}

/// Warns of what a program that reads JSON would stumble over; whether there was any.
fn warn_of_oddities(answer: &Answer, account: &Account<'_>) -> bool {
    let body = answer.response.body.trim_ascii();
    let text_after = body.starts_with(b"{") && body.ends_with(b">");
    let text = tr!("the server printed text around its JSON (PHP display_errors?)");
    let oddities = match answer.response.any_object().filter(|_| answer.whole) {
        Some(object) => object.oddities,
        None if !answer.whole && (text_after || text_before(body) == Some(true)) => vec![text],
        None => Vec::new(),
    };
    let each = oddities.iter().cloned();
    each.for_each(|oddity| account.warn(oddity));
    !oddities.is_empty()
}

/// Whether JSON may come after text such as PHP's notices, if an answer begins with that.
fn text_before(body: &[u8]) -> Option<bool> {
    let body = body.trim_ascii();
    matches!(body.first(), Some(b'<' | b'A'..=b'Z')).then(|| body.ends_with(b"}"))
}

/// Where an answer goes: stdout, indented at a terminal, or a file that appears whole.
struct Out {
    file: Option<Replacement>,
    /// Whether to use colour, where a person reads along.
    color: Option<bool>,
    /// Whether the last line on stdout has no end yet.
    open: bool,
}

impl Out {
    /// Proves before anything is sent that a file can be written.
    async fn open(args: &Args, run: &Run<'_>, sources: &Sources) -> Result<Self> {
        let (mut file, mut color) = (None, stdout::is_terminal().then_some(run.color));
        if let Some(path) = args.output.as_ref().filter(|path| path.as_os_str() != "-") {
            (file, color) = (Some(delivery::open("-o", path, sources).await?), None);
        }
        let open = false;
        Ok(Self { file, color, open })
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        match (&mut self.file, bytes.last()) {
            (Some(file), _) => file.add(&bytes),
            (None, None) => Ok(()),
            (None, Some(last)) => {
                self.open = *last != b'\n';
                stdout::write(bytes.into()).await
            }
        }
    }

    /// Writes what stands between the brackets of an array.
    async fn write_rows(&mut self, array: &str) -> Result<()> {
        let readable = self.indented(array.as_bytes());
        let rows = readable.as_deref().unwrap_or(array).trim();
        let rows = rows.strip_prefix('[').unwrap_or(rows);
        let rows = rows.strip_suffix(']').unwrap_or(rows);
        let rows = rows.trim_matches(['\r', '\n']);
        self.write(rows.as_bytes().to_vec()).await
    }

    fn indented(&self, text: &[u8]) -> Option<String> {
        json::indented(text, self.color?)
    }

    /// Ends the answer; a file takes its place only if the answer is `whole`.
    async fn end(self, whole: bool, run: &Run<'_>) -> Result<()> {
        match self.file {
            // Stderr or the shell's prompt would continue the line. Nobody misses an end that cannot be written.
            None if self.open && self.color.is_some() => drop(stdout::print("\n").await),
            Some(file) if whole => run.report.warn_of_all(file.write(&[])?),
            _ => {}
        }
        Ok(())
    }

    /// Passes an answer on as it comes, byte for byte unless a person reads along.
    async fn pass_on(&mut self, include: bool, answer: &mut Answer) -> Result<()> {
        if include {
            self.write(answer.response.head().into_bytes()).await?;
        }
        let mut held = answer.response.body.clone();
        let mut holds = self.color.is_some();
        loop {
            holds &= held.len() <= HELD_MAX;
            if !holds {
                self.write(mem::take(&mut held)).await?;
            }
            match answer.next().await {
                Ok(Some(part)) => {
                    answer.keep(&part);
                    held.extend(part);
                }
                Ok(None) => {
                    let readable = self.indented(&held).map(String::into_bytes);
                    return self.write(readable.unwrap_or(held)).await;
                }
                Err(error) => {
                    self.write(held).await?;
                    return Err(error);
                }
            }
        }
    }
}

fn pages(typed: &Typed, target: &Target) -> Result<&'static Pages> {
    let (product, method) = (target.spec.product, &typed.method);
    let Some(pages) = target.spec.pages else {
        let error = error!(Usage: "--paginate does not work with {product}"; product => hint "leave --paginate out");
        return Err(error);
    };
    if method != "GET" {
        return Err(error!(Usage: "--paginate asks with GET, not with {method}"; method));
    }
    page(pages, &typed.path, 0).map(|_| pages)
}

fn page(pages: &Pages, path: &str, page: usize) -> Result<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
    let pairs = (pages.ask)(pairs.collect(), page)?;
    let pairs = pairs.iter().map(|(name, value)| pair(name, value));
    Ok([path, "?", &pairs.collect::<Vec<_>>().join("&")].concat())
}

/// Writes the rows of all pages. What has been written when a page fails is not a whole array.
async fn list(pages: &Pages, mut typed: Typed, mut login: Active<'_>, out: &mut Out) -> Result<u8> {
    let (hashes, path) = (RandomState::new(), typed.path.clone());
    let (mut before, mut seen, mut warned) = ("[\n", HashSet::new(), false);
    for number in 0.. {
        typed.path = page(pages, &path, number)?;
        let (active, mut answer, lost) = send(login, &typed).await?;
        while let Some(part) = answer.next().await? {
            answer.response.body.extend(part);
            if answer.response.body.len() > PAGE_MAX {
                let why = tr!("a page is larger than 8 MiB");
                return Err(Error::new(Cause::TooLarge, why).hint(tr!("ask for smaller pages")));
            }
        }
        // As it came, digits and all, unless it must be looked for among other text.
        let body = std::str::from_utf8(&answer.response.body).ok();
        let body = body.filter(|body| (pages.read)(body).is_some());
        let found = || Some(json::text(&answer.response.any_object()?.fields.into()).into());
        let text: Option<Cow<'_, str>> = body.map(Cow::from).or_else(found);
        let found = text.as_deref().and_then(pages.read);
        let (Some((rows, count, more)), true) = (found, answer.response.is_success()) else {
            let host = &answer.response.host;
            let none = || error!(BadAnswer: "{host}'s answer contains no list"; host);
            let object = answer.response.any_object();
            let said = object.and_then(|object| object.said()).unwrap_or_default();
            let other = verdict(&answer, &active.account, &typed).err();
            return Err(lost.unwrap_or(other.unwrap_or_else(none).said(&said)));
        };
        warned = warned || warn_of_oddities(&answer, &active.account);
        if count > 0 && !seen.insert(hashes.hash_one(rows)) {
            return Err(error!(BadAnswer: "the server sent the same page twice"));
        }
        if count > 0 {
            out.write(before.into()).await?;
            out.write_rows(rows).await?;
            before = ",\n";
        }
        if count == 0 || !more {
            break;
        }
        login = active.again();
    }
    let end = if before == "[\n" { "[]\n" } else { "\n]\n" };
    out.write(end.into()).await.map(|()| 0)
}
