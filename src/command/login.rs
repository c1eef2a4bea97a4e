//! `crmauth login`: a new session, now.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::Value;

use super::ask::Guide;
use super::delivery::{Delivery, Prepared};
use super::{AT_ONCE, Refused, Run, TargetName, duration, seconds, target_help, targets};
use crate::declaration::{BaseUrl, Target};
use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};
use crate::lifecycle::{Account, Active, Services, Want, role};
use crate::output;
use crate::secret::Secret;
use crate::session::Session;
use crate::settings::{Plan, Sources};

/// The largest session that `--adopt` reads, in bytes.
const ADOPT_MAX: u64 = 1024 * 1024;

/// How often a person may type refused credentials anew: one login each, and some servers lock an account soon.
const TRIES: u8 = 2;

/// Log in: a new session, now, stored and printed on stdout
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth login gluo                       the session on stdout\n  \
    crmauth login gluo --sandbox             try it without any configuration\n  \
    eval \"$(crmauth login zeev -f sh)\"       ZEEV_TOKEN and ZEEV_URL in this shell\n  \
    crmauth login gluo@filial --save         a named account, into session.txt\n  \
    crmauth login --all --json               every configured target")]
pub struct Args {
    #[arg(value_name = "TARGET", value_parser = TargetName, required_unless_present = "all")]
    #[arg(help = target_help(), hide_possible_values = true)]
    targets: Vec<String>,
    /// Every target that has a setting of its own
    #[arg(long, conflicts_with = "targets")]
    all: bool,
    /// How many logins run at once
    #[arg(short, long, value_name = "N", default_value_t = AT_ONCE, value_parser = jobs)]
    jobs: u16,
    /// Log in as another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID")]
    person: Option<String>,
    /// Warn of a session that ends sooner
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    min_ttl: Option<Duration>,
    /// Store a session from stdin, as `token -f json` wrote it elsewhere, instead of logging in
    #[arg(long, conflicts_with_all = ["all", "person"])]
    adopt: bool,
    /// How it is handed over.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Logs in to every target asked for and writes the sessions in the order asked for.
///
/// Errors: what stopped the run as a whole; a single target's failure is reported and becomes the exit code.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let named = targets(&args.targets)?;
    let batch = args.all || named.len() > 1;
    // Read before a signal is waited for: until then it ends a read that blocks.
    let handed = if args.adopt { Some(handed(&named, run)?) } else { None };
    let (services, mut sources, _servers) = run.services().await?;
    let wanted = if args.all { configured(&sources)? } else { named };
    let prepared = args.delivery.prepare(run, &sources, &wanted, batch)?;
    for target in &wanted {
        role(target, args.person.as_deref()).map_err(|error| error.target(&target.to_string()))?;
    }
    if let (Some(text), [target]) = (&handed, &wanted[..]) {
        let adopted = adopt(&services, &sources, target, text).await;
        return deliver(prepared, run, &[(target, adopted)]).await;
    }
    let mut guide = Guide::ask(run, &services, &mut sources, &wanted).await?;
    let person = args.person.as_deref();
    let want = Want::New(args.min_ttl.unwrap_or_default());
    let log_in = async |sources: &Sources, target: &Target| {
        Account::find(&services, sources, target, person).await?.session(&want).await
    };
    let count = |done: usize| tr!("{done} of {all} done", done, all = wanted.len());
    let busy = (wanted.len() > 1).then(|| run.report.busy("login", count(0)));
    let mut logins = futures_util::stream::iter(wanted.iter().enumerate())
        .map(async |(place, target)| match guide.refused(target) {
            Some(error) => (place, Err(error)),
            None => (place, log_in(&sources, target).await),
        })
        .buffer_unordered(usize::from(args.jobs));
    let mut done: Vec<(usize, Result<Active<'_>>)> = Vec::with_capacity(wanted.len());
    while let Some(login) = logins.next().await {
        done.push(login);
        busy.iter().for_each(|busy| busy.says(count(done.len())));
    }
    drop((busy, logins));
    done.sort_by_key(|(place, _)| *place);
    let results = done.into_iter().map(|(_, result)| result.map_err(|error| guide.explain(error)));
    let mut results: Vec<_> = wanted.iter().zip(results).collect();
    for (target, result) in &mut results {
        for _ in 0..TRIES {
            let Err(error) = &*result else { break };
            if person.is_some() || !guide.retry(run, &mut sources, target, error).await? {
                break;
            }
            *result = log_in(&sources, target).await;
        }
    }
    let code = deliver(prepared, run, &results).await?;
    match guide.offer_to_save(run, &sources, &results).await {
        // Whoever stops the run is to see that; the answer is out all the same.
        Err(error) if error.cause.is_signal() => Err(error),
        Err(error) => {
            let text = tr!("the login is done, but what was typed for it is not kept");
            run.report.warn_of(None, text, &error);
            Ok(code)
        }
        Ok(()) => Ok(code),
    }
}

/// Hands the sessions over, and tells a person at a terminal of those that there are.
async fn deliver(
    prepared: Prepared<'_>,
    run: &Run<'_>,
    results: &[(&Target, Result<Active<'_>>)],
) -> Result<u8> {
    let code = prepared.deliver(run, results).await?;
    for (target, login) in results.iter().filter_map(|(target, result)| Some((target, result.as_ref().ok()?)))
    {
        run.report.done(target, told(login));
    }
    Ok(code)
}

/// Who is logged in, where, until when, and where the session is kept.
fn told(login: &Active<'_>) -> Text {
    let (session, url) = (&login.session, login.url());
    let who = match session.impersonating.as_ref().or(session.user.as_ref()) {
        Some(user) => tr!("logged in as {user} at {url}", user, url),
        None => tr!("logged in at {url}", url),
    };
    let until = match session.expires_at {
        Some(end) => {
            let left = duration(end.duration_since(Timestamp::now()).as_secs().max(0));
            tr!("until {end} ({left})", end = output::time(end), left)
        }
        None => tr!("until it is not used for some time"),
    };
    let kept = match login.stored_in() {
        Some(place) => tr!("stored in {place}", place),
        None => tr!("not stored"),
    };
    Text::list(&[who, until, kept], ", ")
}

fn jobs(text: &str) -> std::result::Result<u16, Refused> {
    let number = text.parse().ok().filter(|number| (1..=1000).contains(number));
    number.ok_or_else(|| Refused(tr!("it must be between 1 and 1000")))
}

fn configured(sources: &Sources) -> Result<Vec<Target>> {
    let targets = sources.configured();
    if targets.is_empty() {
        return Err(Error::new(Cause::MissingSetting, tr!("no target is configured"))
            .hint(tr!("`crmauth providers gluo --env` prints the settings to fill in")));
    }
    Ok(targets)
}

/// What stands on stdin for `--adopt`.
fn handed(targets: &[Target], run: &Run<'_>) -> Result<Secret> {
    let [target] = targets else {
        return Err(Error::new(Cause::Usage, tr!("--adopt takes one TARGET")));
    };
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        run.report.chat(tr!("waiting for a session on stdin, as `crmauth token TARGET -f json` writes it"));
    }
    let mut text = String::new();
    let read = stdin.lock().take(ADOPT_MAX).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(|_| no_session(tr!("stdin holds no text")).target(&target.to_string()))?;
    Ok(text)
}

async fn adopt<'a>(
    services: &'a Services,
    sources: &Sources,
    target: &Target,
    text: &Secret,
) -> Result<Active<'a>> {
    let adopted = async {
        let handed = parse(text.expose())?;
        let account = Account::find(services, sources, target, None).await?;
        belongs(&handed, target, &account.plan)?;
        if handed.session.expires_at.is_some_and(|end| end <= Timestamp::now()) {
            return Err(Error::new(Cause::Refused, tr!("the session has expired"))
                .hint(tr!("adopt a newer one, or log in")));
        }
        account.adopt(handed.session).await
    };
    adopted.await.map_err(|error: Error| error.target(&target.to_string()))
}

/// A session is another's unless system, server and user are those of the target.
fn belongs(handed: &Handed, target: &Target, plan: &Plan) -> Result<()> {
    let refuse = |message: Text, hint: Text| Err(Error::new(Cause::BadSetting, message).hint(hint));
    if handed.provider != target.spec.id || handed.url != plan.url {
        let message = tr!(
            "the session is for {url} and not for {target} at {own_url}",
            url = handed.url,
            target,
            own_url = plan.url
        );
        return refuse(message, tr!("a session goes to the server that it is for"));
    }
    if let Some(person) = &handed.person {
        let message = tr!("the session stands for {person} and not for the user of {target}", person, target);
        return refuse(message, tr!("adopt the session without --as; `--as` then works here too"));
    }
    if let (Some(user), Some(own)) = (&handed.session.user, plan.text("USERNAME"))
        && user.to_lowercase() != own.to_lowercase()
    {
        let message = tr!(
            "the session is {user}'s, and {variable} is {own}",
            user,
            variable = target.variable("USERNAME"),
            own
        );
        return refuse(message, tr!("adopt a session of that user, or make an account for the other one"));
    }
    Ok(())
}

/// A session from elsewhere.
struct Handed {
    provider: String,
    url: BaseUrl,
    person: Option<String>,
    session: Session,
}

fn no_session(why: Text) -> Error {
    Error::new(Cause::Usage, why)
        .hint(tr!("`crmauth token TARGET -f json` on another machine writes what --adopt reads"))
}

/// Reads what the format json writes.
fn parse(text: &str) -> Result<Handed> {
    let object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Value::Object(object),
        Ok(Value::Array(_)) => {
            return Err(no_session(tr!("stdin holds an array, and --adopt takes one session")));
        }
        _ if text.trim().is_empty() => return Err(no_session(tr!("stdin holds no session, it is empty"))),
        _ => return Err(no_session(tr!("stdin holds no session object"))),
    };
    let text = |name: &str| object[name].as_str();
    let time = |name: &str| text(name).and_then(|time| time.parse::<Timestamp>().ok());
    match &object["schema"] {
        Value::Null => return Err(no_session(tr!("stdin holds no session object: it has no schema"))),
        schema if *schema == 1 => {}
        _ => return Err(no_session(tr!("the session on stdin was written by another version of crmauth"))),
    }
    let url = text("url").and_then(|url| BaseUrl::parse(url).ok());
    let url =
        url.ok_or_else(|| no_session(tr!("the session on stdin does not say which server it is for")))?;
    let token = text("token").unwrap_or_default();
    let mut session = Session::new(token, text("token_type").unwrap_or("session"))
        .map_err(|_| no_session(tr!("the session on stdin has a token that cannot be one")))?;
    session.user = text("user").map(str::to_owned);
    session.obtained_at = time("obtained_at").unwrap_or(session.obtained_at).min(session.obtained_at);
    session.expires_at = time("expires_at");
    if let Some(details) = object["details"].as_object() {
        session.details.clone_from(details);
    }
    let [provider, person] = ["provider", "impersonating"].map(|name| text(name).map(str::to_owned));
    Ok(Handed { provider: provider.unwrap_or_default(), url, person, session })
}
