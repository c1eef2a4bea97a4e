//! `crmauth status`: what is configured, what is stored, how long it lasts.

use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AT_ONCE, Exit, Run, TargetName, duration, target_help, targets, with_stored};
use crate::declaration::Target;
use crate::error::{Cause, Error, Result, printable};
use crate::i18n::{Text, tr};
use crate::json;
use crate::lifecycle::{Account, Services, Stale, Verdict};
use crate::output;
use crate::output::stdout::columns;
use crate::provider::{Life, Role};
use crate::secret::sha256_hex;
use crate::settings::{Found, Origin, Sources};
use crate::store::{Entry, Key};
use crate::terminal::{width, wrap};

/// A session that ends sooner counts as expiring.
const MIN_TTL: Duration = Duration::from_secs(60);
/// Hex digits of a token's fingerprint.
const FINGERPRINT: usize = 8;

/// Show what is configured, what is stored, and how long it lasts
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The exit code is 0 only if every target has a usable session. Stored sessions of --as are listed too,\n\
    and do not count.\n\n\
    Examples:\n  \
    crmauth status                           everything that is configured or stored; no network\n  \
    crmauth status zeev                      one system, with the place of each setting\n  \
    crmauth status zeev --check              asks the server whether the session is alive"
)]
pub struct Args {
    #[arg(value_name = "TARGET", value_parser = TargetName, help = target_help(), hide_possible_values = true)]
    targets: Vec<String>,
    /// Ask the servers
    #[arg(long)]
    check: bool,
}

/// What is known of a target.
struct Row<'a> {
    target: Target,
    /// Whom the session stands for, if it is one of `--as`.
    person: Option<String>,
    account: Option<Account<'a>>,
    entry: Option<Entry>,
    state: &'static str,
    checked: Option<Life>,
    error: Option<Error>,
    /// With `--check`: why there is no usable session, and the cure.
    diagnosis: Option<Error>,
}

/// Prints a table for people or an array for scripts.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let named = targets(&args.targets)?;
    let (services, sources, _servers) = run.services().await?;
    let stored = match services.stored().await {
        Err(error) if named.is_empty() => return Err(error),
        stored => stored.unwrap_or_default(),
    };
    let here = sources.configured();
    let wanted = match named.is_empty() {
        true => with_stored(here.clone(), &stored),
        false => named,
    };
    let asked = wanted.iter().flat_map(|target| {
        let (own, persons): (Vec<_>, Vec<_>) =
            of(target, &stored).partition(|(key, _)| key.person().is_none());
        let own: Vec<_> = match own[..] {
            [] => vec![None],
            // Settings say which of them is meant.
            [first, ..] if here.contains(target) => vec![Some(first)],
            _ => own.into_iter().map(Some).collect(),
        };
        own.into_iter().chain(persons.into_iter().map(Some)).map(move |listed| (target, listed))
    });
    let rows = asked.map(|asked| row(&services, &sources, asked, &here, args.check));
    let rows = futures_util::stream::iter(rows).buffered(AT_ONCE.into());
    let mut rows: Vec<Row<'_>> = rows.collect().await;
    // A person's session for a server that the target has left is not the target's any more.
    rows.retain(|row| row.person.is_none() || row.entry.is_some());
    let mut exit = Exit::default();
    for row in &rows {
        exit.add(match (&row.error, row.state) {
            (Some(error), _) => error.cause.exit(),
            (None, "usable") => 0,
            // They are short-lived, and nobody asked for them.
            (None, _) if row.person.is_some() => 0,
            (None, _) => Cause::NoSession.exit(),
        });
    }
    if rows.is_empty() {
        exit.add(Cause::NoSession.exit());
    }
    let text = if run.global.json {
        let rows = rows.iter().map(|row| to_json(row, run)).collect();
        json::text(&Value::Array(rows)) + "\n"
    } else if rows.is_empty() {
        run.report
            .chat(tr!("nothing is configured and nothing is stored; `crmauth providers` lists the systems"));
        String::new()
    } else {
        table(&rows, !args.targets.is_empty(), columns(), run)
    };
    run.print(&text).await?;
    // What is missing stands in the table already. So does a diagnosis, which a person sees there.
    let told = |row: &&Row| row.diagnosis.is_none() || columns().is_none();
    let missing = |error: &&Error| error.cause == Cause::MissingSetting;
    if !run.global.json {
        let errors = rows.iter().filter(told).filter_map(|row| row.error.as_ref());
        errors.filter(|error| !missing(error)).for_each(|error| run.report.error(error));
    }
    Ok(exit.code())
}

/// What is stored in a target's name, its user's sessions and those of `--as`.
fn of<'a>(target: &Target, stored: &'a [(Key, Entry)]) -> impl Iterator<Item = &'a (Key, Entry)> {
    let name = target.to_string();
    stored.iter().filter(move |(key, entry)| {
        entry.target == name && (key.role == Role::User || key.person().is_some())
    })
}

/// `listed` is what is stored in the target's name, whatever its settings are now; `here` are the targets that have any.
async fn row<'a>(
    services: &'a Services,
    sources: &Sources,
    (target, listed): (&Target, Option<&(Key, Entry)>),
    here: &[Target],
    check: bool,
) -> Row<'a> {
    let mut row = Row {
        target: target.clone(),
        person: listed.and_then(|(key, _)| key.person()).map(str::to_owned),
        account: None,
        entry: None,
        state: "none",
        checked: None,
        error: None,
        diagnosis: None,
    };
    let work = async {
        let account = match (Account::find(services, sources, target, row.person.as_deref()).await, listed) {
            (Err(error), Some(stored)) if error.cause == Cause::MissingSetting && !here.contains(target) => {
                Account::of_stored(services, sources, stored).await?
            }
            (found, _) => found?,
        };
        let (entry, verdict) = account.stored(MIN_TTL).await?;
        Ok((account, entry, verdict))
    };
    match work.await {
        Ok((account, entry, verdict)) => {
            row.state = state(verdict, entry.as_ref());
            (row.account, row.entry) = (Some(account), entry);
        }
        Err(error) => {
            // It is told once, of the target.
            row.error = Some(error).filter(|_| row.person.is_none());
            row.entry = listed.map(|(_, entry)| entry.clone());
            if row.entry.is_some() {
                row.state = "unknown";
            }
        }
    }
    if check {
        ask(&mut row).await;
    }
    row
}

/// Asks the server whether the session is alive, and finds out why there is none that can be used.
async fn ask(row: &mut Row<'_>) {
    // That it has ended is known; a refresh token may outlive it.
    if let (Some(account), Some(entry)) = (&row.account, &row.entry)
        && row.state != "expired"
    {
        match account.again().check(&entry.session).await {
            Ok(life) => {
                row.checked = Some(life);
                match life {
                    Life::Dead => row.state = "dead",
                    Life::Broken => row.state = "unknown",
                    Life::Alive if row.state == "unknown" => row.state = "usable",
                    _ => {}
                }
            }
            Err(error) => row.error = Some(error),
        }
    }
    if row.person.is_none() && (row.error.is_some() || row.state != "usable") {
        let found = diagnosis(row).await;
        // What keeps a server from being asked is a failure; that nobody is logged in is none.
        let failure = found.as_ref().filter(|found| matches!(found.cause.exit(), 5 | 6));
        row.error = row.error.take().or_else(|| failure.cloned());
        row.diagnosis = found;
    }
}

/// Why a target has no usable session. What has been found out is not asked for again.
async fn diagnosis(row: &Row<'_>) -> Option<Error> {
    let account = match (&row.account, &row.error) {
        (Some(account), None) => account.again(),
        // Something answered, but what?
        (Some(account), Some(error)) if error.cause.exit() == 6 => account.again(),
        _ => return row.error.clone(),
    };
    let found = account.diagnose(row.entry.is_some(), row.checked).await;
    match &row.error {
        Some(error) if found.cause != Cause::WrongProduct => Some(error.clone()),
        _ => Some(found),
    }
}

fn state(verdict: Verdict, entry: Option<&Entry>) -> &'static str {
    match verdict {
        Verdict::Fresh => "usable",
        Verdict::Ask(_) => "unknown",
        Verdict::Renew(Stale::Expiring(_)) | Verdict::Login(Stale::Expiring(_)) => "expiring",
        Verdict::Renew(_) | Verdict::Login(Stale::Expired | Stale::NoEnd) => "expired",
        Verdict::Login(Stale::CredentialsChanged) => "changed",
        Verdict::Login(_) => {
            if entry.is_some() {
                "unknown"
            } else {
                "none"
            }
        }
    }
}

/// A state's word for people; JSON has the state itself.
fn in_words(state: &'static str) -> Text {
    match state {
        "usable" => tr!("usable"),
        "unknown" => tr!("unknown"),
        "expiring" => tr!("expiring"),
        "expired" => tr!("expired"),
        "changed" => tr!("changed"),
        "dead" => tr!("dead"),
        _ => tr!("none"),
    }
}

fn host(row: &Row<'_>) -> String {
    row.account.as_ref().map(|account| account.plan.url.to_string()).unwrap_or_default()
}

fn user(row: &Row<'_>) -> String {
    let configured =
        row.account.as_ref().and_then(|account| account.plan.text("USERNAME")).map(str::to_owned);
    let stored = row.entry.as_ref().and_then(|entry| entry.session.user.clone());
    configured.or(stored).unwrap_or_default()
}

/// Seconds that a session has left.
fn left(row: &Row<'_>) -> Option<i64> {
    let end = row.entry.as_ref()?.session.expires_at?;
    Some(end.duration_since(Timestamp::now()).as_secs().max(0))
}

fn fingerprint(row: &Row<'_>) -> Option<String> {
    let token = &row.entry.as_ref()?.session.token;
    Some(sha256_hex(token.expose()).expose()[..FINGERPRINT].to_owned())
}

/// The settings that somebody has set.
fn set<'a>(row: &'a Row<'_>) -> impl Iterator<Item = &'a Found> {
    let found = row.account.iter().flat_map(|account| &account.plan.found);
    found.filter(|found| found.origin != Origin::Default)
}

/// Where each setting comes from, without its value.
fn settings<'a>(row: &'a Row<'_>) -> Vec<(&'a str, Text)> {
    set(row).map(|found| (found.variable.as_str(), found.origin.text())).collect()
}

fn missing<'a>(row: &'a Row<'_>) -> Option<&'a Error> {
    let found = row.account.as_ref().and_then(|account| account.plan.missing.as_ref());
    found.or(row.error.as_ref().filter(|error| error.cause == Cause::MissingSetting))
}

fn to_json(row: &Row<'_>, run: &Run<'_>) -> Value {
    let session = row.entry.as_ref().map(|entry| &entry.session);
    json!({
        "target": row.target.to_string(),
        "provider": row.target.spec.id,
        "account": row.target.account,
        "impersonating": row.person,
        "user": Some(user(row)).filter(|user| !user.is_empty()),
        "url": Some(host(row)).filter(|url| !url.is_empty()),
        "session": row.state,
        "obtained_at": session.map(|session| output::time(session.obtained_at)),
        "expires_at": session.and_then(|session| session.expires_at).map(output::time),
        "seconds_left": left(row),
        "fingerprint": fingerprint(row),
        "checked": row.checked.map(|life| match life {
            Life::Alive => "alive",
            Life::Dead => "dead",
            Life::Broken | Life::Unknown => "unknown",
        }),
        "settings": settings(row).into_iter()
            .map(|(variable, from)| json!({ "variable": variable, "from": from.english() })).collect::<Vec<_>>(),
        "missing": missing(row).map(|error| run.report.error_json(error)["message"].clone()),
        "error": row.error.as_ref().map(|error| run.report.error_json(error)),
        "diagnosis": row.diagnosis.as_ref().map(|found| {
            let found = run.report.error_json(found);
            json!({ "code": found["code"], "message": found["message"], "hint": found["hint"] })
        }),
    })
}

/// Where each of the table's columns stands among those that a narrow terminal goes without: the last one goes
/// first, and what stands at 0 stays.
const RANKS: [u8; 7] = [0, 0, 1, 2, 3, 5, 4];

/// The columns' heads.
fn heads() -> [Text; RANKS.len()] {
    [tr!("TARGET"), tr!("SESSION"), tr!("LEFT"), tr!("USER"), tr!("URL"), tr!("FINGERPRINT"), tr!("SETTINGS")]
}

/// A line a target; with `each`, below it a line a setting. On a terminal of so many columns no line is longer.
fn table(rows: &[Row<'_>], each: bool, columns: Option<usize>, run: &Run<'_>) -> String {
    let words = |text: Text| run.report.words(&text);
    let mut cells = vec![heads().map(words)];
    for row in rows {
        let left = left(row).map_or_else(String::new, duration);
        let print = fingerprint(row).unwrap_or_default();
        let mut target = row.target.to_string();
        if let Some(person) = &row.person {
            target.extend([" --as ", person]);
        }
        let (state, places) = (words(in_words(row.state)), words(places(row)));
        let known = [target, state, left, user(row), host(row), print, places];
        // A user name comes from a setting or a server.
        let known = known.map(|cell| printable(&cell));
        cells.push(known.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }));
    }
    let widest = |column: usize| cells.iter().map(|row| width(&row[column])).max().unwrap_or_default();
    let widths: [usize; RANKS.len()] = std::array::from_fn(widest);
    let shown = shown(&widths, columns);
    let mut text = String::new();
    for (place, line) in cells.iter().enumerate() {
        let padded = shown.iter().map(|column| {
            let cell = &line[*column];
            [cell, &*" ".repeat(widths[*column] - width(cell))].concat()
        });
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
        let Some(row) = place.checked_sub(1).and_then(|place| rows.get(place)) else { continue };
        if row.person.is_some() {
            continue;
        }
        for (variable, from) in settings(row).into_iter().filter(|_| each) {
            text.push_str(&below(&words(tr!("{variable} from {from}", variable, from)), columns));
        }
        match (&row.diagnosis, missing(row)) {
            (Some(found), _) => {
                let found = run.report.error_json(found);
                let words =
                    ["message", "hint"].map(|name| found[name].as_str().unwrap_or_default().to_owned());
                words
                    .iter()
                    .filter(|line| !line.is_empty())
                    .for_each(|line| text.push_str(&below(line, columns)));
            }
            (None, Some(error)) => text.push_str(&below(&run.report.words(&error.message), columns)),
            (None, None) => {}
        }
    }
    text
}

/// The columns that a terminal has room for.
fn shown(widths: &[usize; RANKS.len()], columns: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..RANKS.len()).collect();
    let total = |shown: &[usize]| shown.iter().map(|column| widths[*column] + 2).sum::<usize>() - 2;
    while columns.is_some_and(|columns| total(&shown) > columns) {
        let last = shown.iter().copied().max_by_key(|column| RANKS[*column]);
        let Some(last) = last.filter(|column| RANKS[*column] > 0) else { break };
        shown.retain(|column| *column != last);
    }
    shown
}

/// A remark below a target's line.
fn below(text: &str, columns: Option<usize>) -> String {
    const INDENT: usize = 2;
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(INDENT));
    let lines = wrap(&printable(text), room).into_iter();
    lines.map(|line| format!("{:INDENT$}{line}\n", "")).collect()
}

/// Where a target's settings come from, each place once: `the environment, ./.env`.
fn places(row: &Row<'_>) -> Text {
    let mut places: Vec<Text> = Vec::new();
    for found in set(row) {
        let place = match &found.origin {
            Origin::File { path, .. } => tr!("{path}", path),
            origin => origin.text(),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Text::list(&places, ", ")
}
