//! `crmauth` logs in to CRM and BPM systems and hands the session to a person, a script or a CI job.
//!
//! Data goes from arguments to targets, settings, a session and bytes; [`run`] is the whole program.
//!
//! The modules from the ground up, as `tests/layers.rs` enforces: `secret`, `i18n`, `terminal`, `threads`, `systems` · `error` · `json`, `url`,
//! `files` · `declaration`, `session`, `signals`, `tls` · `report` · `http` · `provider` · `settings`, `store`, `output`,
//! `sandbox` · `lifecycle` · `proxy` · `command` · `cli`. Each may use those before it; siblings do not use each other.

#[macro_use]
mod systems;

pub mod cli;
pub mod command;
pub mod declaration;
pub mod error;
pub mod files;
pub mod http;
pub mod i18n;
pub mod json;
pub mod lifecycle;
pub mod output;
pub mod provider;
pub mod proxy;
pub mod report;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod settings;
pub mod signals;
pub mod store;
pub mod terminal;
pub mod threads;
pub mod tls;
pub mod url;

use std::cell::Cell;
use std::ffi::OsString;
use std::rc::Rc;
use std::time::Duration;

use cli::manner::{colored, manner};
use cli::mistakes::{Words, explain, report_usage_error};
use cli::{Cli, Verb};
use command::Run;
use error::{Cause, Result};
use report::Report;
use settings::Environment;
use signals::interruptible;

/// How long a run that was stopped may still take: for its last word on stdout, and for the locks that others wait for.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The program: arguments (the program's name first) and environment in, exit code out.
pub fn run(arguments: Vec<OsString>, environment: &Environment) -> u8 {
    secret::undumpable();
    let arguments = Cli::with_help_as_option(arguments);
    let cli = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return explain(&error, &arguments, environment),
    };
    let (manner, language) = manner(&cli.global, environment);
    let report = Rc::new(Report::new(manner));
    if let Err(error) = language {
        return report_usage_error(&report, &error, &Words::of(&arguments));
    }
    let run = Run {
        program: Cli::program,
        global: &cli.global,
        environment,
        report: Rc::clone(&report),
        answered: Cell::default(),
        color: colored(cli.global.color, environment, output::stdout::is_terminal()),
    };
    // It is large, and would be copied each time that it is handed on.
    let work = Box::pin(async {
        match cli.verb.handles_signals() {
            true => cli.verb.run(&run).await,
            false => interruptible(cli.verb.under_way(), cli.verb.run(&run)).await,
        }
    });
    let (code, stopped) = match block_on(&report, work) {
        Ok(code) => (code, false),
        Err(error) => {
            // Whoever closed our stdout does not want to hear about it.
            if error.cause != Cause::ClosedPipe {
                report.error(&error);
            }
            (error.cause.exit(), error.cause.is_signal())
        }
    };
    let patience = if stopped { LAST_WORDS } else { Duration::MAX };
    if code != 0 {
        print_on_failure(&cli.verb, &run, patience);
    }
    code
}

/// Makes a shell that evaluates stdout fail, unless an answer is there already: it would run both.
fn print_on_failure(verb: &Verb, run: &Run<'_>, patience: Duration) {
    let line = verb.on_failure();
    if line.is_empty() || run.answered.get() {
        return;
    }
    let printed = async {
        let printed = tokio::time::timeout(patience, run.print(line)).await;
        printed.unwrap_or(Ok(())).map(|()| 0)
    };
    let _ = block_on(&run.report, interruptible(None, printed));
}

/// Runs on one thread. A thread that still resolves a name or writes to stdout is left behind, not waited for.
fn block_on(report: &Report, work: impl Future<Output = Result<u8>>) -> Result<u8> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = files::room().and_then(|()| builder.enable_all().build());
    let runtime =
        runtime.map_err(|error| error::error!(Other: "crmauth cannot start").because(error))?;
    let work = async {
        tokio::select! {
            biased;
            outcome = work => outcome,
            never = report.animate() => match never {},
        }
    };
    let tasks = tokio::task::LocalSet::new();
    let outcome = tasks.block_on(&runtime, work);
    // Tasks that are left give back the locks that others wait for.
    let _ = runtime.block_on(async { tokio::time::timeout(LAST_WORDS, tasks).await });
    runtime.shutdown_background();
    outcome
}
