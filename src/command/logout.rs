//! `crmauth logout`: end sessions on the server where it can, and forget them here.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{AT_ONCE, Run, both, target_help, targets};
use crate::declaration::Target;
use crate::error::{Error, Pending, Result};
use crate::i18n::{Text, tr};
use crate::lifecycle::{Account, Services, lost, role, unclear};
use crate::provider::{Revocation, Role};
use crate::secret::foreign::printable;
use crate::settings::Sources;
use crate::signals::interruptible;
use crate::store::{Entry, Key};

/// End sessions: on the server if it can, then here
#[derive(Debug, clap::Args)]
#[command(after_help = "Prints TARGET and what happened, a line each:\n  \
    revoked       the server ended the session\n  \
    still-alive   the server was asked and left it alive; it is forgotten here\n  \
    forgotten     it was no longer usable, the system cannot end sessions, or --local was given; it is forgotten here\n  \
    none          no session was stored\n\n\
    An entry that cannot be read is removed, and the exit code is 7: its session may be alive.")]
pub struct Args {
    #[arg(value_name = "TARGET", required_unless_present = "all", help = target_help())]
    targets: Vec<String>,
    /// Everything that is stored
    #[arg(long, conflicts_with = "targets")]
    all: bool,
    /// Do not ask the servers
    #[arg(long)]
    local: bool,
    /// The session of another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID", conflicts_with = "all")]
    person: Option<String>,
}

/// Ends what was asked for and says what happened. A session's failure is reported and becomes the exit code.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let named = targets(&args.targets)?;
    // Signals are handled here, since what has been ended must be told after one.
    let (services, sources, _servers) = interruptible(None, run.services()).await?;
    let stored = match args.all {
        true => interruptible(None, services.endable()).await?,
        false => Vec::new(),
    };
    let mut ends: Vec<(String, Pending<'_, Ended>)> = Vec::new();
    for stored in &stored {
        let end = end_stored(&services, &sources, stored, args);
        ends.push((label(stored), Box::pin(end)));
    }
    for target in &named {
        let end = end(&services, &sources, target, args);
        ends.push((target.to_string(), Box::pin(end)));
    }
    let mut outcomes = futures_util::stream::iter(ends.into_iter().enumerate())
        .map(|(place, (label, end))| async move { (place, label, end.await) })
        .buffer_unordered(AT_ONCE.into());
    let mut record = Record::default();
    let work = async {
        while let Some((place, label, outcome)) = outcomes.next().await {
            record.add(run, place, label, outcome).await;
        }
        if args.all {
            record.discard(&services, run, args.local).await?;
        }
        Ok(())
    };
    let done = interruptible(Some(tr!("a logout")), work).await;
    let code = interruptible(None, record.close(run)).await;
    done.and(code)
}

/// What came of one session; `None` if none was stored.
type Ended = Option<Revocation>;

/// What has happened so far. Each outcome is a line at once, or they are one JSON array at the end.
#[derive(Default)]
struct Record {
    exit: u8,
    objects: Vec<(usize, Value)>,
    /// What the words that were printed mean.
    words: BTreeMap<&'static str, Text>,
    /// Why no more lines are written. The other sessions are ended nevertheless.
    unwritten: Option<Error>,
}

impl Record {
    async fn add(&mut self, run: &Run<'_>, place: usize, label: String, outcome: Result<Ended>) {
        match outcome {
            Ok(ended) => {
                let (word, meaning) = told(ended);
                self.words.extend(meaning.map(|meaning| (word, meaning)));
                let object = json!({ "target": label, "outcome": word });
                self.objects.push((place, object));
                if ended == Some(Revocation::StillAlive) {
                    run.report.warn_of_all([tr!(
                        "{label}: the server left the session alive; it ends when idle"; label)]);
                }
                if !run.global.json && self.unwritten.is_none() {
                    let line = format!("{}\t{word}\n", printable(&label));
                    self.unwritten = run.print(&line).await.err();
                }
            }
            Err(error) => {
                let error = error.target(&label);
                let object = json!({ "target": label, "error": run.report.error_json(&error) });
                self.objects.push((place, object));
                self.fail(run, &error);
            }
        }
    }

    /// Removes entries that cannot be read: a failure, unless the servers were not to be asked (`local`).
    async fn discard(&mut self, services: &Services, run: &Run<'_>, local: bool) -> Result<()> {
        match services.store.discard(services.deadline()).await? {
            0 => {}
            count if local => run.report.warn_of_all([tr!(
                "{count} stored entries could not be read and were removed"; count)]),
            count => {
                let error = lost(tr!(
                    "{count} stored entries could not be read; they were removed here, but may still be active on the \
                    server";
                    count));
                self.fail(run, &error);
            }
        }
        Ok(())
    }

    fn fail(&mut self, run: &Run<'_>, error: &Error) {
        self.exit = both(self.exit, error.cause.exit());
        run.report.error(error);
    }

    async fn close(mut self, run: &Run<'_>) -> Result<u8> {
        if let Some(error) = self.unwritten {
            return Err(error);
        }
        if run.global.json {
            self.objects.sort_by_key(|(place, _)| *place);
            let objects = self.objects.into_iter().map(|(_, object)| object);
            run.print_json(objects.collect()).await?;
        } else if run.report.is_at_terminal() {
            for (word, meaning) in self.words {
                run.report.aside(tr!("{word}: {meaning}"; word, meaning));
            }
        }
        Ok(self.exit)
    }
}

/// The word for what came of a session, and what it means; of one that lives on a warning tells.
fn told(ended: Ended) -> (&'static str, Option<Text>) {
    match ended {
        None => ("none", Some(tr!("no session was stored"))),
        Some(Revocation::Revoked) => ("revoked", Some(tr!("the server ended the session"))),
        Some(Revocation::StillAlive) => ("still-alive", None),
        Some(Revocation::Ended | Revocation::Unsupported) => {
            let meaning = tr!(
                "it was no longer usable, the system cannot end sessions, or --local was given; it is forgotten here"
            );
            ("forgotten", Some(meaning))
        }
    }
}

fn label((key, entry): &(Key, Entry)) -> String {
    match &key.role {
        Role::User => entry.target.clone(),
        role => format!("{} ({})", entry.target, String::from(role.clone())),
    }
}

/// Ends a target's session; without settings the only one stored in its name, since a logout cannot be taken back.
async fn end(
    services: &Services,
    sources: &Sources,
    target: &Target,
    args: &Args,
) -> Result<Ended> {
    let person = args.person.as_deref();
    if !sources.configured().contains(target) {
        role(target, person)?;
        let mut stored = services.endable().await?;
        stored.retain(|(key, entry)| {
            let wanted = match person {
                Some(_) => key.person() == person,
                None => key.role == Role::User,
            };
            wanted && entry.target == target.to_string()
        });
        let hint = tr!("log out where that user's settings are, or log out everything with --all");
        match &stored[..] {
            [] => {}
            [one] => return end_stored(services, sources, one, args).await,
            several => return Err(unclear(target, several).hint(hint)),
        }
    }
    let account = Account::find(services, sources, target, person).await?;
    let ended = account.end(args.local).await;
    ended.map_err(|error| account.explain(error))
}

async fn end_stored(
    services: &Services,
    sources: &Sources,
    stored: &(Key, Entry),
    args: &Args,
) -> Result<Ended> {
    let account = Account::of_stored(services, sources, stored).await?;
    account.end(args.local).await
}
