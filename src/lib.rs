//! `crmauth` logs in to CRM and BPM systems and hands the session to a person, a script or a CI job.
//!
//! The way of the data: arguments → targets → settings → session → bytes. [`run`] is the whole program.
//!
//! The modules from the ground up; each may use those before it, siblings do not use each other, and
//! `tests/layers.rs` holds this: [`secret`], [`i18n`], [`terminal`] · [`error`] · [`json`], [`files`] · [`declaration`],
//! [`session`], [`signals`], [`tls`] · [`report`] · [`http`] · [`provider`], [`settings`], [`store`],
//! [`output`], [`sandbox`] · [`lifecycle`] · [`command`] · [`cli`].

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
pub mod report;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod settings;
pub mod signals;
pub mod store;
pub mod terminal;
pub mod tls;

use std::cell::Cell;
use std::ffi::OsString;
use std::future::Future;
use std::io::IsTerminal;
use std::rc::Rc;
use std::time::Duration;

use cli::mistakes::{Words, colored, explain, is_capable_terminal, language, locale, report_usage_error};
use cli::{Cli, Verb};
use command::Run;
use error::{Cause, Error, Result, why};
use i18n::tr;
use report::{Manner, Report};
use settings::Environment;

/// The program: arguments (the program's name first) and environment in, exit code out.
pub fn run(arguments: Vec<OsString>, environment: &Environment) -> u8 {
    secret::undumpable();
    let cli = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return explain(&error, &arguments, environment),
    };
    let global = &cli.global;
    let lang = language(global.lang, environment);
    let terminal = std::io::stderr().is_terminal();
    let manner = Manner {
        json: global.json,
        quiet: global.quiet,
        verbosity: global.verbose,
        color: colored(global.color, environment, terminal),
        lang: *lang.as_ref().unwrap_or(&locale(environment)),
        person: terminal,
        live: terminal && !global.json && !global.quiet && is_capable_terminal(environment),
    };
    let report = Rc::new(Report::new(manner));
    if let Err(error) = lang {
        return report_usage_error(&report, &error, &Words::of(&arguments));
    }
    let run = Run { global, environment, report: Rc::clone(&report), answered: Cell::default() };
    let (outcome, on_failure) = match &cli.verb {
        Verb::Login(args) => (
            block_on(&report, signals::interruptible(Some(tr!("a login")), command::login::run(args, &run))),
            args.delivery.on_failure(),
        ),
        Verb::Token(args) => (
            block_on(&report, signals::interruptible(Some(tr!("a login")), command::token::run(args, &run))),
            args.delivery.on_failure(),
        ),
        Verb::Exec(args) => (block_on(&report, command::exec::run(args, &run)), ""),
        Verb::Api(args) => (
            block_on(&report, signals::interruptible(Some(tr!("a request")), command::api::run(args, &run))),
            "",
        ),
        Verb::Status(args) => {
            (block_on(&report, signals::interruptible(None, command::status::run(args, &run))), "")
        }
        Verb::Logout(args) => (block_on(&report, command::logout::run(args, &run)), ""),
        Verb::Sandbox(args) => (block_on(&report, command::sandbox::run(args, &run)), ""),
        Verb::Providers(args) => (command::providers::run(args, &run), ""),
        Verb::Completions(args) => {
            (block_on(&report, command::completions::run(args, &run, Cli::program())), "")
        }
    };
    let stopped = outcome.as_ref().is_err_and(|error| error.cause.is_signal());
    let code = outcome.unwrap_or_else(|error| {
        // Whoever closed our stdout does not want to hear about it.
        if error.cause != Cause::ClosedPipe {
            report.error(&error);
        }
        error.cause.exit()
    });
    // Behind an answer it would be obeyed with it.
    if code != 0 && !on_failure.is_empty() && !run.answered.get() {
        // Whoever has stopped the run waits for no reader.
        let patience = if stopped { LAST_WORDS } else { Duration::MAX };
        let last = async {
            let printed = tokio::time::timeout(patience, run.print(on_failure)).await;
            printed.unwrap_or(Ok(())).map(|()| code)
        };
        let _ = block_on(&report, signals::interruptible(None, last));
    }
    code
}

/// How long a run that is over may take to tidy up beyond this machine.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs on one thread; what still resolves a name when the work is done is left behind, not waited for.
fn block_on(report: &Report, work: impl Future<Output = Result<u8>>) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::new(Cause::Other, tr!("the run cannot start: {why}", why = why(error.kind())))
    })?;
    let work = async {
        tokio::select! {
            biased;
            outcome = work => outcome,
            never = report.animate() => match never {},
        }
    };
    let tasks = tokio::task::LocalSet::new();
    let outcome = tasks.block_on(&runtime, work);
    // What others wait for is given back however the run ends, if that is quickly done.
    let _ = runtime.block_on(async { tokio::time::timeout(LAST_WORDS, tasks).await });
    runtime.shutdown_background();
    outcome
}
