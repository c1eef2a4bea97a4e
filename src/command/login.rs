//! `crmauth login`: a new session, now.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use futures_util::StreamExt;

use super::{Run, TargetName, target_help, targets};
use crate::app::Login;
use crate::error::{Cause, Error, Result};
use crate::output::sink::{Destination, Sink};
use crate::output::{self, Entry, Format, Outcome, Shape};
use crate::provider;
use crate::spec::Target;

/// The file that `--save` writes: the seed script's.
const SAVE_FILE: &str = "session.txt";

/// Log in: a new session, now, printed on stdout
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
    /// How the session is written
    #[arg(short, long, value_name = "FORMAT", value_parser = format_names())]
    format: Option<String>,
    /// Write to FILE, mode 0600, instead of stdout (-)
    #[arg(short, long, value_name = "FILE", conflicts_with = "save")]
    output: Option<PathBuf>,
    /// Write to session.txt
    #[arg(long)]
    save: bool,
    /// Call the token's variable NAME instead of PREFIX_TOKEN
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
}

/// Every format's name.
fn format_names() -> PossibleValuesParser {
    PossibleValuesParser::new(output::ALL.iter().map(|format| format.name()))
}

impl Args {
    /// What stdout must carry if the run fails, so that a shell that evaluates it fails too.
    pub fn on_failure(&self) -> &'static str {
        match self.destination() {
            Destination::File(_) => "",
            Destination::Stdout => {
                self.format.as_deref().and_then(output::find).map_or("", |format| format.on_failure())
            }
        }
    }

    fn destination(&self) -> Destination {
        match &self.output {
            Some(path) if path.as_os_str() == "-" => Destination::Stdout,
            Some(path) => Destination::File(path.clone()),
            None if self.save => Destination::File(SAVE_FILE.into()),
            None => Destination::Stdout,
        }
    }

    fn format(&self, json: bool) -> Result<&'static dyn Format> {
        let name = match (self.format.as_deref(), json) {
            (Some(name), true) if name != "json" => {
                return Err(Error::new(Cause::Usage, format!("--json and -f {name} exclude each other"))
                    .hint("--json means -f json"));
            }
            (Some(name), _) => name,
            (None, true) => "json",
            (None, false) => "plain",
        };
        output::find(name).ok_or_else(|| Error::new(Cause::Usage, format!("there is no format {name}")))
    }
}

/// Logs in to every target asked for and writes the sessions in the order asked for.
///
/// # Errors
/// What stopped the run as a whole; a single target's failure is reported here and becomes the exit code.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let format = args.format(run.global.json)?;
    let named = targets(&args.targets)?;
    let destination = args.destination();
    let shape = Shape {
        batch: args.all || named.len() > 1,
        var: args.var.as_deref(),
        to_file: destination != Destination::Stdout,
    };
    let (app, _servers) = run.app().await?;
    let wanted = if args.all { configured(app.sources.configured(&provider::specs()))? } else { named };
    output::check(format, &wanted.iter().collect::<Vec<_>>(), &shape)?;
    // Proved writable before anything is sent: a session that cannot be handed over should not be made.
    let mut sink = Sink::prepare(destination)?;
    if format.appends_to_github_env() {
        sink = sink.github_env(run.environment.get("GITHUB_ENV")?.map(std::path::Path::new))?;
    }

    let person = args.person.as_deref();
    let app = &app;
    let mut done: Vec<(usize, Result<Login>)> = futures_util::stream::iter(wanted.iter().enumerate())
        .map(|(place, target)| async move { (place, app.login(target, person).await) })
        .buffer_unordered(usize::from(args.jobs))
        .collect()
        .await;
    done.sort_by_key(|(place, _)| *place);

    let mut exit = Exit::default();
    let mut outcomes = Vec::new();
    for ((_, result), target) in done.iter().zip(&wanted) {
        match result {
            Ok(login) => {
                exit.add(0);
                let (url, session) = (&login.url, &login.session);
                outcomes.push(Outcome::Session(Entry { target, url, session }));
            }
            Err(error) => {
                exit.add(error.cause.exit());
                run.report.error(error);
                outcomes.push(Outcome::Failed { target, error_json: run.report.error_json(error) });
            }
        }
    }
    let failed = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed { .. }));
    if failed && (!shape.batch || format.all_or_nothing()) {
        return Ok(exit.code());
    }
    let rendered = output::render(format, &outcomes, &shape)?;
    for warning in sink.deliver(&rendered)? {
        run.report.warn(None, &warning);
    }
    Ok(exit.code())
}

fn configured(targets: Vec<Target>) -> Result<Vec<Target>> {
    if targets.is_empty() {
        return Err(Error::new(Cause::MissingSetting, "no target is configured")
            .hint("`crmauth providers gluo --env` prints the settings to fill in"));
    }
    Ok(targets)
}

/// A batch's exit code: 0 if all went well, the failures' own code if they agree, else 1.
#[derive(Default)]
struct Exit(Option<u8>);

impl Exit {
    fn add(&mut self, code: u8) {
        self.0 = match (self.0, code) {
            (before, 0) => before,
            (None, code) => Some(code),
            (Some(before), code) if before == code => Some(code),
            _ => Some(1),
        };
    }

    fn code(&self) -> u8 {
        self.0.unwrap_or(0)
    }
}
