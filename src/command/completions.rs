//! `crmauth completions`: a shell's completion script.

use clap_complete::Shell;

use super::Run;
use crate::error::Result;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth completions bash > ~/.local/share/bash-completion/completions/crmauth\n  \
    crmauth completions fish > ~/.config/fish/completions/crmauth.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script for `command`, the whole program's declaration.
///
/// # Errors
/// Exit code 7.
pub fn run(args: &Args, run: &Run<'_>, mut command: clap::Command) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "crmauth", &mut script);
    run.print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
