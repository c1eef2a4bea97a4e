//! `crmauth login`: a new session, now.

use std::io::Read;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::Value;

use super::delivery::Delivery;
use super::{Run, TargetName, target_help, targets};
use crate::app::{App, Login, Wish, role};
use crate::error::{Cause, Error, Result};
use crate::provider;
use crate::session::Session;
use crate::spec::{BaseUrl, Target};

/// The largest session that `--adopt` reads, in bytes.
const ADOPT_MAX: u64 = 1024 * 1024;

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
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=1000))]
    jobs: u16,
    /// Log in as another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID")]
    person: Option<String>,
    /// Store a session from stdin, as `token -f json` wrote it elsewhere, instead of logging in
    #[arg(long, conflicts_with_all = ["all", "person"])]
    adopt: bool,
    /// How it is handed over.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Logs in to every target asked for and writes the sessions in the order asked for.
///
/// # Errors
/// What stopped the run as a whole; a single target's failure is reported and becomes the exit code.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let named = targets(&args.targets)?;
    let batch = args.all || named.len() > 1;
    let (app, _servers) = run.app().await?;
    let wanted = if args.all { configured(&app)? } else { named };
    let prepared = args.delivery.prepare(run, &wanted, batch)?;
    for target in &wanted {
        role(target, args.person.as_deref()).map_err(|error| error.target(&target.to_string()))?;
    }
    if args.adopt {
        let [target] = &wanted[..] else {
            return Err(Error::new(Cause::Usage, "--adopt takes one TARGET"));
        };
        return prepared.deliver(run, &[(target, adopt(&app, target).await)]);
    }
    let (app, person) = (&app, args.person.as_deref());
    let mut done: Vec<(usize, Result<Login>)> = futures_util::stream::iter(wanted.iter().enumerate())
        .map(|(place, target)| async move {
            (place, app.session(target, person, &Wish::New(Duration::ZERO)).await)
        })
        .buffer_unordered(usize::from(args.jobs))
        .collect()
        .await;
    done.sort_by_key(|(place, _)| *place);
    let results: Vec<_> = wanted.iter().zip(done.into_iter().map(|(_, result)| result)).collect();
    prepared.deliver(run, &results)
}

fn configured(app: &App) -> Result<Vec<Target>> {
    let targets = app.sources.configured(&provider::specs());
    if targets.is_empty() {
        return Err(Error::new(Cause::MissingSetting, "no target is configured")
            .hint("`crmauth providers gluo --env` prints the settings to fill in"));
    }
    Ok(targets)
}

async fn adopt(app: &App, target: &Target) -> Result<Login> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(ADOPT_MAX).read_to_string(&mut text);
    let session = read.ok().and_then(|_| serde_json::from_str(&text).ok()).ok_or_else(no_session);
    let adopted = async {
        let object: Value = session?;
        let (url, session) = parse(&object)?;
        let (plan, ..) = app.stored(target, Duration::ZERO).await?;
        if object["provider"] != target.spec.id || url.origin() != plan.url.origin() {
            let message =
                format!("the session is for {} and not for {target} at {}", url.origin(), plan.url.origin());
            return Err(
                Error::new(Cause::BadSetting, message).hint("a session goes to the server that it is for")
            );
        }
        if let Some(person) = object["impersonating"].as_str() {
            let message = format!("the session stands for {person} and not for the user of {target}");
            return Err(Error::new(Cause::BadSetting, message)
                .hint("adopt the session without --as; `--as` then works here too"));
        }
        app.adopt(target, session).await
    };
    adopted.await.map_err(|error: Error| error.target(&target.to_string()))
}

fn no_session() -> Error {
    Error::new(Cause::Usage, "stdin holds no session")
        .hint("`crmauth token TARGET -f json` on another machine writes what --adopt reads")
}

/// Reads what the format json writes.
fn parse(object: &Value) -> Result<(BaseUrl, Session)> {
    let text = |name: &str| object[name].as_str();
    let time = |name: &str| text(name).and_then(|time| time.parse::<Timestamp>().ok());
    if object["schema"] != 1 {
        return Err(no_session());
    }
    let url = text("url").and_then(|url| BaseUrl::parse(url, "").ok()).ok_or_else(no_session)?;
    let mut session =
        Session::new(text("token").unwrap_or_default(), text("token_type").unwrap_or("session"))
            .map_err(|_| no_session())?;
    session.user = text("user").map(str::to_owned);
    session.obtained_at = time("obtained_at").unwrap_or(session.obtained_at).min(session.obtained_at);
    session.expires_at = time("expires_at");
    if let Some(details) = object["details"].as_object() {
        session.details.clone_from(details);
    }
    Ok((url, session))
}
