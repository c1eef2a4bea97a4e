//! The whole command line, as types. Parsing touches nothing on the machine.

pub mod mistakes;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::{Global, api, completions, exec, login, logout, providers, sandbox, status, token};
use crate::error::EXIT_CODES;

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
        let again: Vec<Arg> = program.get_arguments().filter(both_sides).cloned().collect();
        program.mut_subcommands(|verb| verb.args(&again))
    }

    /// Reads these arguments, the program's name first.
    pub fn read(arguments: &[OsString]) -> std::result::Result<Self, clap::Error> {
        let matches = Self::program().try_get_matches_from(arguments)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if let Some((_, behind)) = matches.subcommand() {
            let [env_file, verbose] = BOTH_SIDES;
            cli.global.env_file.extend(behind.get_many::<PathBuf>(env_file).into_iter().flatten().cloned());
            cli.global.verbose = cli.global.verbose.saturating_add(behind.get_count(verbose));
        }
        Ok(cli)
    }
}

fn after_help() -> String {
    let mut text = "Try it: crmauth login gluo --sandbox\n\nExit codes:".to_owned();
    for (codes, meaning, _) in EXIT_CODES {
        text.push_str(&format!("\n  {codes:<8}  {}", meaning.replace('`', "")));
    }
    text
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a comment here would stand for the help that each verb's own file has")]
pub enum Verb {
    Login(login::Args),
    Token(token::Args),
    Exec(exec::Args),
    Api(api::Args),
    Status(status::Args),
    Logout(logout::Args),
    Providers(providers::Args),
    Sandbox(sandbox::Args),
    Completions(completions::Args),
}
