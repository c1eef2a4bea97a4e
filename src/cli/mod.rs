//! The whole command line, as types. Parsing touches nothing on the machine.

pub mod manner;
pub mod mistakes;
pub mod translate;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args as _, Command, FromArgMatches as _};

use crate::command::{
    Global, Run, api, completions, exec, login, logout, providers, proxy, sandbox, status, token,
};
use crate::error::{self, EXIT_CODES};
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

pub struct Cli {
    pub verb: Verb,
    pub global: Global,
}

/// Options of every verb that count on both sides of it. Of clap's own global options one side is lost.
const BOTH_SIDES: [&str; 2] = ["env_file", "verbose"];

impl Cli {
    pub fn program() -> Command {
        Self::with(Verb::ALL)
    }

    fn with(verbs: &[(&'static str, Declare)]) -> Command {
        let codes = EXIT_CODES.iter().map(|(codes, meaning, _)| {
            let meaning = meaning.replace('`', "");
            format!("\n  {codes:<8}  {meaning}")
        });
        let codes: String = codes.collect();
        // The name that the help shows; else whoever starts the program chose that too.
        let program = Command::new("crmauth").bin_name("crmauth");
        let program = Global::augment_args(program)
            .about(env!("CARGO_PKG_DESCRIPTION"))
            .version(env!("CARGO_PKG_VERSION"))
            .long_version(LONG_VERSION)
            .after_help(format!("{TRY}\n\nExit codes:{codes}"))
            .max_term_width(100)
            .disable_help_subcommand(true)
            .subcommand_required(true)
            .arg_required_else_help(true);
        let both_sides = |arg: &&Arg| BOTH_SIDES.iter().any(|id| arg.get_id() == id);
        let again: Vec<Arg> = program
            .get_arguments()
            .filter(both_sides)
            .cloned()
            .collect();
        let verb = |(name, declare): &(_, Declare)| declare(Command::new(*name)).args(&again);
        program.subcommands(verbs.iter().map(verb))
    }

    /// What the help shows to whom typed the program's name alone.
    pub fn verbs() -> Command {
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
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        // To declare all verbs takes a fifth of a short run. Only a program with all of them can say what is wrong.
        let verb = arguments.iter().skip(1).find_map(|word| Verb::named(word));
        let read = |verbs| {
            // To take the declarations apart again takes a tenth of a short run.
            let mut program = std::mem::ManuallyDrop::new(Self::with(verbs));
            Self::of_matches(&program.try_get_matches_from_mut(arguments)?)
        };
        let alone = verb.map(|verb| read(std::slice::from_ref(verb)));
        alone
            .and_then(Result::ok)
            .map_or_else(|| read(Verb::ALL), Ok)
    }

    fn of_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (name, behind) = matches.subcommand().unwrap_or(("", matches));
        let mut global = Global::from_arg_matches(matches)?;
        let [env_file, verbose] = BOTH_SIDES;
        let more = behind.get_many::<PathBuf>(env_file).into_iter().flatten();
        global.env_file.extend(more.cloned());
        global.verbose = global.verbose.saturating_add(behind.get_count(verbose));
        Ok(Self {
            verb: Verb::read(name, behind)?,
            global,
        })
    }
}

/// Adds a verb's arguments, and its help, to a command.
type Declare = fn(Command) -> Command;

/// The verbs, each with the module that is named as people type it.
macro_rules! verbs {
    ($($Verb:ident: $module:ident,)*) => {
        pub enum Verb {
            $($Verb($module::Args),)*
        }

        impl Verb {
            const ALL: &[(&'static str, Declare)] =
                &[$((stringify!($module), $module::Args::augment_args)),*];

            fn read(name: &str, matches: &ArgMatches) -> Result<Self, clap::Error> {
                match name {
                    $(stringify!($module) => $module::Args::from_arg_matches(matches).map(Self::$Verb),)*
                    _ => Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
                }
            }

            /// Does what was asked for; returns the exit code.
            pub async fn run(&self, run: &Run<'_>) -> error::Result<u8> {
                match self {
                    $(Self::$Verb(args) => $module::run(args, run).await,)*
                }
            }
        }
    };
}

verbs! {
    Login: login,
    Token: token,
    Exec: exec,
    Api: api,
    Proxy: proxy,
    Status: status,
    Logout: logout,
    Providers: providers,
    Sandbox: sandbox,
    Completions: completions,
}

impl Verb {
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }

    /// The verb that a word names, and what declares it.
    fn named(word: &OsStr) -> Option<&'static (&'static str, Declare)> {
        Self::ALL.iter().find(|(name, _)| word == *name)
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
