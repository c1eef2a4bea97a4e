//! `crmauth status`: what is configured, what is stored, how long it lasts.

mod row;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{AT_ONCE, Run, both, target_help, targets, with_stored};
use crate::declaration::Target;
use crate::error::{Cause, Result};
use crate::i18n::{Text, span, tr};
use crate::lifecycle::{Services, Want};
use crate::output::file::Replacement;
use crate::output::stdout::columns;
use crate::provider::{self, Role};
use crate::report::Report;
use crate::secret::foreign::printable;
use crate::settings::{Origin, Sources};
use crate::store::{Entry, Key};
use crate::terminal::{width, wrap};
use row::Row;

const COLUMNS: usize = 7;

/// The columns that a narrow terminal goes without, in this order.
const LEAVE: [usize; 5] = [5, 6, 4, 3, 2];

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
        Some(path) => Some(begin_report(path, &services, &sources).await?),
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
        end_report(file, &services, &rows, args, run).await?;
    }
    if rows.is_empty() {
        return Ok(Cause::NoSession.exit());
    }
    Ok(rows.iter().map(Row::exit).fold(0, both))
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
    let nothing = listed.is_empty().then_some(None);
    let persons = of_target.filter(|(key, _)| key.person().is_some());
    listed.extend(nothing.into_iter().chain(persons.map(Some)));
    listed
}

async fn print(rows: &[Row<'_>], args: &Args, run: &Run<'_>) -> Result<()> {
    if run.global.json {
        let rows = rows.iter().map(|row| row.to_json(&run.report)).collect();
        return run.print_json(rows).await;
    }
    if rows.is_empty() {
        let none = tr!(
            "nothing is configured and nothing is stored; `crmauth login` asks for a system's settings, \
            `crmauth providers` lists them"
        );
        run.report.chat(none);
        return Ok(());
    }
    let table = table(rows, !args.targets.is_empty(), columns(), &run.report);
    run.print(&table).await?;
    // The table has said already what is missing, and the diagnosis too.
    let untold = rows.iter().filter(|row| row.diagnosis.is_none());
    let errors = untold.filter_map(|row| row.error.as_ref());
    let errors = errors.filter(|error| error.cause != Cause::MissingSetting);
    errors.for_each(|error| run.report.error(error));
    Ok(())
}

/// A line for each target; `each` adds one for each of its settings. No line is longer than the terminal's `columns`.
fn table(rows: &[Row<'_>], each: bool, columns: Option<usize>, report: &Report) -> String {
    let heads = [
        tr!("TARGET"),
        tr!("SESSION"),
        tr!("LEFT"),
        tr!("USER"),
        tr!("URL"),
        tr!("FINGERPRINT"),
        tr!("SETTINGS"),
    ];
    let heads = heads.map(|head| report.words(&head));
    let known: Vec<Value> = rows.iter().map(|row| row.to_json(report)).collect();
    let rows = rows.iter().zip(&known);
    let cells = rows.clone().map(|(row, known)| cells(row, known, report));
    let cells: Vec<_> = cells.collect();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let cells = cells.iter().chain([&heads]);
        let widths = cells.map(|cells| width(&cells[column]));
        widths.max().unwrap_or_default()
    });
    let mut shown: Vec<usize> = (0..COLUMNS).collect();
    for next in LEAVE {
        let widths = shown.iter().map(|column| widths[*column] + 2);
        if columns.is_some_and(|columns| widths.sum::<usize>() > columns + 2) {
            shown.retain(|column| *column != next);
        }
    }
    let line = |cells: &[String; COLUMNS]| {
        let padded = shown.iter().map(|column| {
            let cell = &cells[*column];
            [cell, &*" ".repeat(widths[*column] - width(cell))].concat()
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    // An indented remark takes as many lines as it needs.
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(2));
    let mut text = line(&heads);
    for ((row, known), cells) in rows.zip(&cells) {
        text += &line(cells);
        let remarks = remarks(row, known, each, report).into_iter();
        let lines = remarks.flat_map(|remark| wrap(&printable(&remark), room));
        text.extend(lines.map(|line| format!("  {line}\n")));
    }
    text
}

/// A row as it is shown, of what JSON `known` of it.
fn cells(row: &Row<'_>, known: &Value, report: &Report) -> [String; COLUMNS] {
    let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
    let cells = [
        row.person
            .iter()
            .fold(text("target"), |target, person| target + " --as " + person),
        report.words(&row.state_text()),
        report.words(&row.seconds_left().map(span).unwrap_or_default()),
        text("user"),
        text("url"),
        text("fingerprint"),
        report.words(&places(row)),
    ];
    // A user name comes from a setting or a server.
    cells.map(|cell| match printable(&cell) {
        cell if cell.is_empty() => "-".to_owned(),
        cell => cell,
    })
}

/// Where a target's settings come from, each place once: `the environment, ./.env`.
fn places(row: &Row<'_>) -> Text {
    let mut places: Vec<Text> = Vec::new();
    for found in row.settings() {
        let place = match &found.origin {
            Origin::File { path, .. } => tr!("{path}"; path),
            origin => origin.text(),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Text::list(&places, ", ")
}

fn remarks(row: &Row<'_>, known: &Value, each: bool, report: &Report) -> Vec<String> {
    if row.person.is_some() {
        return Vec::new();
    }
    let settings = row.settings().filter(|_| each);
    let settings = settings.map(|found| report.words(&found.note()));
    let said = match &known["diagnosis"] {
        Value::Null => [&known["missing"], &Value::Null],
        found => [&found["message"], &found["hint"]],
    };
    let said = said.into_iter().filter_map(|words| words.as_str());
    let unchecked = row.unchecked().map(|why| report.words(&why));
    let mut remarks: Vec<_> = settings.chain(said.map(str::to_owned)).collect();
    remarks.extend(unchecked);
    remarks
}

/// Begins to write down what is asked, once the file is known to be writable.
async fn begin_report(path: &Path, services: &Services, sources: &Sources) -> Result<Replacement> {
    let mut transcript = crate::http::Transcript::default();
    let words = &mut transcript.words;
    for system in provider::ALL {
        let (spec, probe) = (system.spec(), system.probe());
        words.extend(spec.words.iter().flat_map(|words| words.split('|')));
        words.extend(spec.endpoints());
        words.extend(probe.requests.iter().chain(probe.install_paths));
    }
    *services.http.transcript.borrow_mut() = Some(transcript);
    super::delivery::open("--report", path, sources).await
}

/// Logs in too, where that is wanted, and writes the file.
async fn end_report(
    file: Replacement,
    services: &Services,
    rows: &[Row<'_>],
    args: &Args,
    run: &Run<'_>,
) -> Result<()> {
    let mut targets = Vec::new();
    for row in rows.iter().filter(|row| row.person.is_none()) {
        let login = log_in(row, args, run).await?;
        let transcript = services.http.transcript.borrow();
        let known = row.to_json(&run.report);
        let name = row.target.to_string();
        let exchanges = transcript.iter().flat_map(|all| all.of(&name));
        targets.push(json!({
            "system": known["provider"],
            "settings": row.settings().map(|found| found.field.name).collect::<Vec<_>>(),
            "session": known["session"],
            "checked": known["checked"],
            "error": known["error"]["code"],
            "diagnosis": known["diagnosis"]["code"],
            "login": login,
            "exchanges": exchanges.collect::<Vec<_>>(),
        }));
    }
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let report = json!({ "report": 1, "crmauth": version, "system": system, "targets": targets });
    let warnings = file.write(format!("{report:#}\n").as_bytes())?;
    run.report.warn_of_all(warnings);
    let written = tr!("the report is written; read it before you pass it on");
    run.report.chat(written);
    Ok(())
}

/// What came of a login, and of the question whether its session is alive.
async fn log_in(row: &Row<'_>, args: &Args, run: &Run<'_>) -> Result<Option<Value>> {
    let Some(account) = row.account.as_ref().filter(|_| row.missing().is_none()) else {
        return Ok(None);
    };
    let target = &row.target;
    let question = tr!("log in to {target} too, for the report? A new session replaces the stored one"; target);
    let asks = !run.global.json && super::ask::why_not_asking(run).is_none();
    let consent = args.login || asks && run.report.confirm(question, false).await?;
    if !consent {
        return Ok(None);
    }
    let login = async {
        let active = account.again().session(&Want::New(Duration::ZERO)).await?;
        active.account.again().check(&active.session).await
    };
    let code = match login.await {
        Ok(_) => "done",
        Err(error) => {
            let text = tr!("the report shows a login that failed");
            run.report.warn_of(Some(target), text, &error);
            error.cause.code()
        }
    };
    Ok(Some(code.into()))
}
