//! `crmauth logout`: end sessions on the server where it can, and forget them here.

use serde_json::json;

use super::{Exit, Run, TargetName, target_help, targets};
use crate::app::{App, role};
use crate::error::{Cause, Error, Result};
use crate::provider::{self, Revocation};
use crate::say::{self, say};
use crate::spec::Target;
use crate::store::{Entry, Key};

/// End sessions: on the server where it can, then here
#[derive(Debug, clap::Args)]
#[command(after_help = "Prints TARGET and what happened, a line each:\n  \
    revoked       the server ended the session\n  \
    still-alive   the server was asked and left it alive; it is forgotten here\n  \
    forgotten     the system has no way to end a session, or --local; it is forgotten here\n  \
    none          no session was stored")]
pub struct Args {
    #[arg(value_name = "TARGET", value_parser = TargetName, required_unless_present = "all")]
    #[arg(help = target_help(), hide_possible_values = true)]
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

/// Ends what was asked for and says what happened.
///
/// # Errors
/// What stopped the run as a whole; a single session's failure is reported and becomes the exit code.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let named = targets(&args.targets)?;
    let (app, _servers) = run.app().await?;
    let mut outcomes = Vec::new();
    if args.all {
        for (key, entry) in app.everything().await? {
            let outcome = app.end_stored(&key, &entry, args.local).await;
            outcomes.push((label(&key, &entry), outcome));
        }
        let discarded = app.discard().await?;
        if discarded > 0 {
            run.report.warn(
                None,
                say!("{count} stored entries could not be read and are removed", count = discarded),
            );
        }
    } else {
        for target in &named {
            outcomes.push((target.to_string(), end(&app, target, args).await));
        }
    }
    let mut exit = Exit::default();
    let mut lines = String::new();
    let mut objects = Vec::new();
    for (label, outcome) in outcomes {
        match outcome {
            Ok(ended) => {
                let word = word(ended);
                if ended == Some(Revocation::StillAlive) {
                    let text = say!(
                        "{label}: the server left the session alive; it ends when it is not used",
                        label
                    );
                    run.report.warn(None, text);
                }
                lines.push_str(&format!("{label}\t{word}\n"));
                objects.push(json!({ "target": label, "outcome": word }));
            }
            Err(error) => {
                let error = error.target(&label);
                exit.add(error.cause.exit());
                run.report.error(&error);
                objects.push(json!({ "target": label, "error": run.report.error_json(&error) }));
            }
        }
    }
    let text = if run.global.json { format!("{}\n", serde_json::Value::Array(objects)) } else { lines };
    run.print(&text).await?;
    Ok(exit.code())
}

fn word(ended: Option<Revocation>) -> &'static str {
    match ended {
        None => "none",
        Some(Revocation::Revoked) => "revoked",
        Some(Revocation::StillAlive) => "still-alive",
        Some(Revocation::Unsupported) => "forgotten",
    }
}

/// Whose session an entry is, for people.
fn label(key: &Key, entry: &Entry) -> String {
    match key.role.as_str() {
        "user" => entry.target.clone(),
        "partner" => format!("{} (partner)", entry.target),
        role => format!("{} ({role})", entry.target),
    }
}

/// Ends a target's session. Where it has no settings, what is stored in its name is meant, if that is one session: a
/// logout cannot be taken back, and those of other folders may be in use there.
async fn end(app: &App, target: &Target, args: &Args) -> Result<Option<Revocation>> {
    let person = args.person.as_deref();
    if !app.sources.configured(&provider::specs()).contains(target) {
        role(target, person)?;
        let mut stored = app.everything().await?;
        stored.retain(|(key, entry)| {
            let wanted = if person.is_some() { key.person() == person } else { key.role == "user" };
            wanted && entry.target == target.to_string()
        });
        match &stored[..] {
            [] => {}
            [(key, entry)] => return app.end_stored(key, entry, args.local).await,
            several => return Err(unclear(target, several)),
        }
    }
    app.end(target, person, args.local).await
}

fn unclear(target: &Target, several: &[(Key, Entry)]) -> Error {
    let place = |(key, entry): &(Key, Entry)| {
        let url = [key.origin.as_str(), key.path.trim_end_matches('/')].concat();
        match &entry.session.user {
            Some(user) => say!("{user} at {url}", user, url),
            None => say!("{url}", url),
        }
    };
    let places = say::and(&several.iter().map(place).collect::<Vec<_>>());
    let message = say!("{target} has no settings here, and sessions of {places} are stored", target, places);
    Error::new(Cause::MissingSetting, message)
        .hint(say!("log out where the settings of the one that is meant are, or of everything with --all"))
}
