//! `crmauth completions`: a shell's completion script, and the targets that such a script offers.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap_complete::Shell;
use tokio::time::Instant;

use super::{Run, with_stored};
use crate::declaration::{Spec, Target};
use crate::error::Result;
use crate::provider;
use crate::settings::Sources;

/// Marks in clap's script where targets belong; to every shell it is a plain word.
const PLACEHOLDER: &str = "__crmauth_targets__";
/// How long the Tab key waits for an env file that is not a regular file, and for the store.
const PATIENCE: Duration = Duration::from_millis(200);

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth completions bash > ~/.local/share/bash-completion/completions/crmauth\n  \
    crmauth completions zsh > ~/.zfunc/_crmauth\n  \
    crmauth completions fish > ~/.config/fish/completions/crmauth.fish")]
pub struct Args {
    /// The shell
    #[arg(required_unless_present = "targets")]
    shell: Option<Shell>,
    /// Print what is configured or stored, a target a line: what the scripts of bash, zsh and fish ask for
    #[arg(long, conflicts_with = "shell")]
    targets: bool,
}

pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let text = match args.shell {
        Some(shell) => script(shell, (run.program)()),
        None => {
            let targets = targets(run).await.into_iter();
            targets.map(|target| format!("{target}\n")).collect()
        }
    };
    run.print(&text).await?;
    Ok(0)
}

/// A shell's script. Those of bash, zsh and fish call `crmauth completions --targets` at the Tab key; in bash's it says
/// `opts="… $(_crmauth_targets "${cur}")"`, in zsh's `… :_crmauth_targets'`.
pub fn script(shell: Shell, mut command: clap::Command) -> String {
    let addition = match shell {
        Shell::Bash => include_str!("completions/targets.bash"),
        Shell::Zsh => include_str!("completions/targets.zsh"),
        Shell::Fish => include_str!("completions/targets.fish"),
        _ => return generated(shell, &mut command),
    };
    let specs = provider::specs();
    let ids: Vec<&str> = specs.iter().map(|spec| spec.id).collect();
    let verbs = command.get_subcommands();
    let takers = verbs.filter(|verb| verb.get_arguments().any(takes_target));
    let takers: Vec<&str> = takers.map(clap::Command::get_name).collect();
    let addition = addition.replace("SYSTEMS", &ids.join(" "));
    let addition = addition.replace("VERBS", &takers.join(" "));
    let system = |spec: &&'static Spec| PossibleValue::new(spec.id).help(spec.product);
    let systems = PossibleValuesParser::new(specs.iter().map(system));
    command = command.mut_subcommands(|verb| {
        verb.mut_args(|arg| match arg.get_id().as_str() {
            _ if takes_target(&arg) => arg.value_parser(PossibleValuesParser::new([PLACEHOLDER])),
            "name" => arg.value_parser(systems.clone()).hide_possible_values(true),
            _ => arg,
        })
    });
    let script = generated(shell, &mut command);
    match shell {
        Shell::Bash => script.replace(PLACEHOLDER, "$(_crmauth_targets \"${cur}\")") + &addition,
        // zsh needs the first line first, and the last ones call what is defined before them.
        Shell::Zsh => {
            let script = script.replace(&format!("({PLACEHOLDER})"), "_crmauth_targets");
            // Two colons would hide the line's beginning, and with it the verb's options, from what follows a target.
            let script = script.replace("'*::targets -- ", "'*:targets -- ");
            let (first, rest) = script.split_once('\n').unwrap_or_default();
            format!("{first}\n{addition}{rest}")
        }
        _ => script + &addition,
    }
}

fn generated(shell: Shell, command: &mut clap::Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "crmauth", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn takes_target(arg: &clap::Arg) -> bool {
    arg.get_value_names()
        .is_some_and(|names| names.iter().any(|name| name == "TARGET"))
}

/// What is configured or stored here. What cannot be read is left out: an error would spoil the line being typed.
async fn targets(run: &Run<'_>) -> Vec<Target> {
    let sources = Sources::load(run.environment, &run.global.env_file, PATIENCE).await;
    let configured = sources.map_or(Vec::new(), |sources| sources.configured());
    // One on the network is not asked: here it is no known store.
    let Ok(store) = run.store() else {
        return configured;
    };
    let stored = store.list(Instant::now() + PATIENCE).await;
    with_stored(configured, &stored.unwrap_or_default())
}
