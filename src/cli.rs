//! The whole command line, as types. Parsing touches nothing on the machine.

use clap::{Parser, Subcommand};

use crate::command::{Global, api, completions, exec, login, logout, providers, sandbox, status, token};

/// Log in to CRM and BPM systems and hand the session to a person, a script or a CI job.
#[derive(Debug, Parser)]
#[command(name = "crmauth", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Try it: crmauth login gluo --sandbox\n\n\
    Exit codes: 0 done, 1 anything else, 2 usage or configuration, 3 no usable session, 4 refused,\n\
    5 unreachable for now, 6 not the protocol's answer, 7 local storage, 130 interrupted")]
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
    Token(token::Args),
    Exec(exec::Args),
    Api(api::Args),
    Status(status::Args),
    Logout(logout::Args),
    Providers(providers::Args),
    Sandbox(sandbox::Args),
    Completions(completions::Args),
}
