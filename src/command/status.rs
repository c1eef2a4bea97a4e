//! `crmauth status`: what is configured, what is stored, how long it lasts.

mod report;
mod row;
mod table;

use std::collections::HashSet;
use std::path::PathBuf;

use futures_util::StreamExt;

use super::{AT_ONCE, Exit, Run, target_help, targets, with_stored};
use crate::declaration::Target;
use crate::error::{Cause, Result};
use crate::i18n::tr;
use crate::output::stdout::columns;
use crate::provider::Role;
use crate::store::{Entry, Key};
use row::Row;

/// Show what is configured, what is stored, and how long it lasts
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The exit code is 0 only if every target has a usable session. Stored sessions of --as are listed too,\n\
    and do not count.\n\n\
    Examples:\n  \
    crmauth status                           everything that is configured or stored; no network\n  \
    crmauth status zeev                      one system, and where each setting comes from\n  \
    crmauth status zeev --check              asks the server whether the session is alive\n  \
    crmauth status zeev --check --report zeev.json --login   what the server answers, ready for an issue"
)]
pub struct Args {
    #[arg(value_name = "TARGET", help = target_help())]
    targets: Vec<String>,
    /// Ask the servers
    #[arg(long)]
    check: bool,
    /// Write what was asked and answered into FILE: names, types and timings, no value that is typed or secret
    #[arg(long, value_name = "FILE", requires = "check")]
    report: Option<PathBuf>,
    /// Log in too, so that the report shows a login; a stored session is replaced
    #[arg(long, requires = "report")]
    login: bool,
}

/// Prints a table for people or an array for scripts.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let named = targets(&args.targets)?;
    let (services, sources, _servers) = run.services().await?;
    let file = match &args.report {
        Some(path) => Some(report::begin(path, &services, &sources).await?),
        None => None,
    };
    let stored = match services.stored().await {
        Err(error) if named.is_empty() => return Err(error),
        stored => stored.unwrap_or_default(),
    };
    let configured = sources.configured();
    let known: HashSet<String> = configured.iter().map(Target::to_string).collect();
    let wanted = match named.is_empty() {
        true => with_stored(configured, &stored),
        false => named,
    };
    let rows = wanted.iter().flat_map(|target| {
        let here = known.contains(&target.to_string());
        let (services, sources) = (&services, &sources);
        let rows = listed(target, &stored, here).into_iter();
        rows.map(move |listed| Row::find(services, sources, target, listed, here, args.check))
    });
    let rows = futures_util::stream::iter(rows).buffered(AT_ONCE.into());
    let mut rows: Vec<Row<'_>> = rows.collect().await;
    // A person's session for a server that the target has left is not the target's any more.
    rows.retain(|row| row.person.is_none() || row.entry.is_some());
    print(&rows, args, run).await?;
    if let Some(file) = file {
        report::end(file, &services, &rows, args, run).await?;
    }
    Ok(exit_code(&rows))
}

/// What is stored in a target's name, for a row each. Its settings, if it is configured `here`, tell which is its own.
fn listed<'a>(
    target: &Target,
    stored: &'a [(Key, Entry)],
    here: bool,
) -> Vec<Option<&'a (Key, Entry)>> {
    let name = target.to_string();
    let of_target = stored.iter().filter(|(_, entry)| entry.target == name);
    let own = of_target.clone().filter(|(key, _)| key.role == Role::User);
    let most = if here { 1 } else { usize::MAX };
    let mut listed: Vec<_> = own.take(most).map(Some).collect();
    if listed.is_empty() {
        listed.push(None);
    }
    let persons = of_target.filter(|(key, _)| key.person().is_some());
    listed.extend(persons.map(Some));
    listed
}

fn exit_code(rows: &[Row<'_>]) -> u8 {
    if rows.is_empty() {
        return Cause::NoSession.exit();
    }
    let mut exit = Exit::default();
    rows.iter().for_each(|row| exit.add(row.exit()));
    exit.code()
}

async fn print(rows: &[Row<'_>], args: &Args, run: &Run<'_>) -> Result<()> {
    if run.global.json {
        let rows = rows.iter().map(|row| row.to_json(&run.report)).collect();
        return run.print_json(rows).await;
    }
    if rows.is_empty() {
        run.report.chat(tr!(
            "nothing is configured and nothing is stored; `crmauth login` asks for a system's settings, `crmauth providers` lists them"
        ));
        return Ok(());
    }
    let each = !args.targets.is_empty();
    let table = table::table(rows, each, columns(), &run.report);
    run.print(&table).await?;
    // The table has said already what is missing, and the diagnosis too.
    let untold = rows.iter().filter(|row| row.diagnosis.is_none());
    let errors = untold.filter_map(|row| row.error.as_ref());
    let errors = errors.filter(|error| error.cause != Cause::MissingSetting);
    errors.for_each(|error| run.report.error(error));
    Ok(())
}
