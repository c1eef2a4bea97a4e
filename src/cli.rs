//! The whole command line, as types. Parsing touches nothing on the machine.

use clap::{Parser, Subcommand};

use crate::command::{Global, completions, login, providers, sandbox};

/// Log in to CRM and BPM systems and hand the session to a person, a script or a CI job.
#[derive(Debug, Parser)]
#[command(name = "crmauth", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Try it: crmauth login gluo --sandbox\n\n\
    Exit codes: 0 done, 1 anything else, 2 usage or configuration, 4 refused, 5 unreachable for now,\n\
    6 not the protocol's answer, 7 local storage, 130 interrupted")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a comment here would stand for the help that each verb's own file has")]
pub enum Verb {
    Login(login::Args),
    Providers(providers::Args),
    Sandbox(sandbox::Args),
    Completions(completions::Args),
}
