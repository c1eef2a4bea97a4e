//! `crmauth login`: a new session, now.

mod adopt;

use std::time::Duration;

use futures_util::StreamExt;

use super::ask::{self, Guide};
use super::delivery::{Delivery, Login, Prepared};
use super::{AT_ONCE, Refused, Run, seconds_or_none, target_help, targets};
use crate::declaration::Target;
use crate::error::{Result, error};
use crate::i18n::{Text, local, span, tr};
use crate::lifecycle::{Account, Active, Want, role};
use crate::settings::Sources;

/// How often a person may change what was typed after a failure: one login each, and some servers lock an account soon.
const CHANGES: u8 = 4;

/// Log in: a new session, now, stored and printed on stdout
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth login gluo                       the session on stdout\n  \
    crmauth login gluo --sandbox             try it without any configuration\n  \
    eval \"$(crmauth login zeev -f sh)\"       ZEEV_TOKEN and ZEEV_URL in this shell\n  \
    crmauth login gluo@filial --save         a named account, into session.txt\n  \
    crmauth login --all --json               every configured target")]
pub struct Args {
    #[arg(value_name = "TARGET", help = target_help())]
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
    /// Warn if the session ends sooner
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_none)]
    min_ttl: Option<Duration>,
    /// Store a session from stdin, as `token -f json` wrote it elsewhere, instead of logging in
    #[arg(long, conflicts_with_all = ["all", "person"])]
    adopt: bool,
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Logs in to every target and writes the sessions in that order. A failure is reported and becomes the exit code.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let named = targets(&args.targets)?;
    let batch = args.all || named.len() > 1;
    // Before signals are listened for: until then they end a read that blocks.
    let adopted = args.adopt.then(|| adopt::read(&named, run)).transpose()?;
    let (services, sources, _servers) = run.services().await?;
    let wanted = if args.all {
        configured(&sources, run)?
    } else if named.is_empty() {
        vec![ask::which(run, &sources).await?]
    } else {
        named
    };
    let prepared = args.delivery.prepare(run, &sources, &wanted, batch).await?;
    for target in &wanted {
        role(target, args.person.as_deref()).map_err(|error| error.target(&target.to_string()))?;
    }
    if let (Some(text), [target]) = (&adopted, &wanted[..]) {
        let session = adopt::adopt(&services, &sources, target, text).await;
        return deliver(prepared, run, &[(target, session)]).await;
    }
    let mut guide = Guide::ask(run, &services, sources, &wanted).await?;
    let mut results = guide.log_in_all(args, &wanted).await;
    let changes = if args.person.is_some() { 0 } else { CHANGES };
    for (target, result) in &mut results {
        for _ in 0..changes {
            let Err(error) = &*result else { break };
            if !guide.retry(target, error).await? {
                break;
            }
            *result = guide.log_in(args, target).await;
        }
    }
    let code = deliver(prepared, run, &results).await?;
    if let Err(error) = guide.offer_to_save(&results).await {
        // Whoever stops the run must see that, although the answer is out.
        if error.cause.is_signal() {
            return Err(error);
        }
        let text = tr!("the login worked, but what you typed is not saved");
        run.report.warn_of(None, text, &error);
    }
    Ok(code)
}

impl<'a> Guide<'a> {
    async fn log_in_all(&self, args: &Args, wanted: &'a [Target]) -> Vec<Login<'a>> {
        let report = &self.run.report;
        let count = |done: usize| tr!("{done} of {all} done"; done, all = wanted.len());
        let _busy = (wanted.len() > 1).then(|| report.busy("login", count(0)));
        let mut logins = futures_util::stream::iter(wanted.iter().enumerate())
            .map(async |(place, target)| match self.refused(target) {
                Some(error) => (place, (target, Err(error))),
                None => (place, (target, self.log_in(args, target).await)),
            })
            .buffer_unordered(usize::from(args.jobs));
        let mut done = Vec::with_capacity(wanted.len());
        while let Some(login) = logins.next().await {
            done.push(login);
            report.reword("login", &count(done.len()));
        }
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, login)| login).collect()
    }

    async fn log_in(&self, args: &Args, target: &Target) -> Result<Active<'a>> {
        let person = args.person.as_deref();
        let want = Want::New(args.min_ttl.unwrap_or_default());
        let account = Account::find(self.services, &self.sources, target, person);
        let login = async { account.await?.session(&want).await };
        login.await.map_err(|error| self.explain(error))
    }
}

/// Hands the sessions over, and tells a person at a terminal about each.
async fn deliver(prepared: Prepared<'_>, run: &Run<'_>, results: &[Login<'_>]) -> Result<u8> {
    let code = prepared.deliver(run, results).await?;
    for (target, result) in results {
        if let Ok(login) = result {
            run.report.done(target, || told(login));
        }
    }
    Ok(code)
}

/// Who is logged in, where, until when, and where the session is kept.
fn told(login: &Active<'_>) -> Text {
    let (session, url) = (&login.session, login.url());
    let who = match session.impersonating.as_ref().or(session.user.as_ref()) {
        Some(user) => tr!("logged in as {user} at {url}"; user, url),
        None => tr!("logged in at {url}"; url),
    };
    let until = match session.expires_at {
        Some(end) => {
            let left = span(end.duration_since(jiff::Timestamp::now()).as_secs().max(0));
            tr!("until {end} ({left})"; end = local(end), left)
        }
        None => tr!("until it is idle for some time"),
    };
    let kept = match login.stored_in() {
        Some(place) => tr!("stored in {place}"; place),
        None => tr!("not stored"),
    };
    Text::list(&[who, until, kept], ", ")
}

fn jobs(text: &str) -> std::result::Result<u16, Refused> {
    match text.parse() {
        Ok(number @ 1..=1000) => Ok(number),
        _ => Err(Refused(tr!("it must be between 1 and 1000"))),
    }
}

fn configured(sources: &Sources, run: &Run<'_>) -> Result<Vec<Target>> {
    let mut targets = sources.configured();
    // Other programs have a BROKER_PASSWORD too.
    if targets.iter().any(|target| sources.has_url(target)) {
        for target in targets.extract_if(.., |target| !sources.has_url(target)) {
            let variable = target.variable("URL");
            let text = tr!("ignored, because {variable} is not set"; variable);
            run.report.warn(Some(&target), text);
        }
    }
    if targets.is_empty() {
        return Err(error!(MissingSetting: "no target is configured" =>
            hint "`crmauth providers gluo --env` prints the settings to fill in"));
    }
    Ok(targets)
}
