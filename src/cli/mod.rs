//! The whole command line, as types. Parsing touches nothing on the machine.

pub mod manner;
pub mod mistakes;
pub mod translate;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::{
    Global, Run, api, completions, exec, login, logout, providers, proxy, sandbox, status, token,
};
use crate::error::{EXIT_CODES, Result};
use crate::i18n::{Text, tr};

/// A command that works everywhere.
const TRY: &str = "Try it: crmauth login gluo --sandbox";
/// What `--version` says and `-V` does not: what exactly runs here, for a report of an error.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("CRMAUTH_COMMIT"),
    "\ntarget: ",
    env!("CRMAUTH_BUILD_TARGET"),
);

/// Log in to CRM and BPM systems and hand the session to a person, a script or a CI job.
#[derive(Debug, Parser)]
// The help's name for it; else whoever starts the program chose that too.
#[command(name = "crmauth", bin_name = "crmauth", version, long_version = LONG_VERSION, about)]
#[command(max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = after_help())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every verb that count on both sides of it. Of clap's own global options one side is lost.
const BOTH_SIDES: [&str; 2] = ["env_file", "verbose"];

impl Cli {
    /// The program's command line.
    pub fn program() -> clap::Command {
        let program = Self::command();
        let both_sides = |arg: &&Arg| BOTH_SIDES.iter().any(|id| arg.get_id() == id);
        let again: Vec<Arg> = program
            .get_arguments()
            .filter(both_sides)
            .cloned()
            .collect();
        program.mut_subcommands(|verb| verb.args(&again))
    }

    /// What the help shows to whom typed the program's name alone.
    pub fn verbs() -> clap::Command {
        Self::program()
            .mut_args(|arg| arg.hide(true))
            .after_help(format!("{TRY}\nAll options: crmauth --help"))
    }

    /// These arguments with `help VERB` as `VERB --help`, which takes the options of every verb too.
    pub fn with_help_as_option(mut arguments: Vec<OsString>) -> Vec<OsString> {
        if arguments.get(1).is_some_and(|word| word == "help") {
            arguments.remove(1);
            arguments.push("--help".into());
        }
        arguments
    }

    /// Reads these arguments, the program's name first.
    pub fn read(arguments: &[OsString]) -> std::result::Result<Self, clap::Error> {
        let matches = Self::program().try_get_matches_from(arguments)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if let Some((_, behind)) = matches.subcommand() {
            let [env_file, verbose] = BOTH_SIDES;
            cli.global.env_file.extend(
                behind
                    .get_many::<PathBuf>(env_file)
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
            cli.global.verbose = cli.global.verbose.saturating_add(behind.get_count(verbose));
        }
        Ok(cli)
    }
}

fn after_help() -> String {
    let mut text = format!("{TRY}\n\nExit codes:");
    for (codes, meaning, _) in EXIT_CODES {
        text.push_str(&format!("\n  {codes:<8}  {}", meaning.replace('`', "")));
    }
    text
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "a comment here would stand for the help that each verb's own file has"
)]
pub enum Verb {
    Login(login::Args),
    Token(token::Args),
    Exec(exec::Args),
    Api(api::Args),
    Proxy(proxy::Args),
    Status(status::Args),
    Logout(logout::Args),
    Providers(providers::Args),
    Sandbox(sandbox::Args),
    Completions(completions::Args),
}

impl Verb {
    /// Does what was asked for; returns the exit code.
    pub async fn run(&self, run: &Run<'_>) -> Result<u8> {
        match self {
            Self::Login(args) => login::run(args, run).await,
            Self::Token(args) => token::run(args, run).await,
            Self::Exec(args) => exec::run(args, run).await,
            Self::Api(args) => api::run(args, run).await,
            Self::Proxy(args) => proxy::run(args, run).await,
            Self::Status(args) => status::run(args, run).await,
            Self::Logout(args) => logout::run(args, run).await,
            Self::Providers(args) => providers::run(args, run),
            Self::Sandbox(args) => sandbox::run(args, run).await,
            Self::Completions(args) => completions::run(args, run, Cli::program()).await,
        }
    }

    /// Whether the verb listens for signals itself: it passes them on, or has work left after one.
    pub fn handles_signals(&self) -> bool {
        matches!(
            self,
            Self::Exec(_) | Self::Logout(_) | Self::Proxy(_) | Self::Sandbox(_)
        )
    }

    /// What a signal may leave half done on a server.
    pub fn under_way(&self) -> Option<Text> {
        match self {
            Self::Login(_) | Self::Token(_) => Some(tr!("a login")),
            Self::Api(_) => Some(tr!("a request")),
            _ => None,
        }
    }

    /// What stdout must carry if the run fails, so that a shell that evaluates it fails too.
    pub fn on_failure(&self) -> &'static str {
        match self {
            Self::Login(login::Args { delivery, .. })
            | Self::Token(token::Args { delivery, .. }) => delivery.on_failure(),
            _ => "",
        }
    }
}
