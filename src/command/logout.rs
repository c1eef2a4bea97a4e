//! `crmauth logout`: end sessions on the server where it can, and forget them here.

use serde_json::json;

use super::{Exit, Run, TargetName, target_help, targets};
use crate::app::App;
use crate::config;
use crate::error::{Cause, Error, Result};
use crate::provider::{self, Revocation};
use crate::say::say;
use crate::spec::{BaseUrl, Settings, Target};
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
            let outcome = end_stored(&app, &key, &entry, args.local).await;
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
            outcomes.push((target.to_string(), app.end(target, args.person.as_deref(), args.local).await));
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
    run.print(&text)?;
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

/// Ends a session whose target need not be configured any more: its server is the one that it was stored for.
async fn end_stored(app: &App, key: &Key, entry: &Entry, local: bool) -> Result<Option<Revocation>> {
    let gone = || Error::new(Cause::Other, say!("the stored session names no server"));
    let url = BaseUrl::parse(&[key.origin.as_str(), &key.path].concat(), "").map_err(|_| gone())?;
    let spec = provider::specs().into_iter().find(|spec| spec.id == key.provider).ok_or_else(gone)?;
    let target = config::target(&entry.target, &[spec]).unwrap_or(Target { spec, account: None });
    let settings = match config::find(&target, &app.sources).await {
        Ok(plan) if plan.url == url => plan.known(),
        _ => Settings::new(target, url, Vec::new()),
    };
    app.end_stored(&settings, key, local).await
}
