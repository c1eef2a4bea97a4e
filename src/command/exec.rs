//! `crmauth exec`: a command with sessions in its environment, or in files that are kept fresh while it runs.

mod token_file;

use std::ffi::OsString;
#[cfg(unix)]
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use futures_util::future::join_all;

use super::delivery::entry;
use super::{Run, child, seconds_or_none, target_help, targets};
use crate::error::Result;
use crate::i18n::tr;
use crate::lifecycle::{Account, Want};
use crate::output::{Shape, stdout, variables};
use crate::signals::interruptible;

/// The exit code if crmauth itself failed.
pub const FAILED: u8 = 125;

/// Run CMD with usable sessions in its environment
#[derive(Debug, clap::Args)]
#[command(
    after_help = "CMD gets PREFIX_TOKEN, PREFIX_TOKEN_EXPIRES_AT where it is known, and PREFIX_URL for each TARGET, and none\n\
    of the secret settings. With --token-file it gets PREFIX_TOKEN_FILE instead: a file that always\n\
    contains a live token, for as long as CMD runs.\n\n\
    Examples:\n  \
    crmauth exec hellocloud -- ./import.sh\n  \
    crmauth exec gluo zeev -- sh -c 'echo $GLUO_TOKEN $ZEEV_TOKEN'\n  \
    crmauth exec zeev --token-file -- ./all-day.sh\n  \
    crmauth exec zeev --mask -- ./verbose.sh     *** in place of the token in what it prints\n\n\
    Exit codes: CMD's own; 125 crmauth failed, 126 CMD cannot be executed, 127 there is no CMD"
)]
pub struct Args {
    #[arg(value_name = "TARGET", required = true, help = target_help())]
    targets: Vec<String>,
    /// The session of another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID")]
    person: Option<String>,
    /// How long each session must last, at least
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds_or_none)]
    min_ttl: Duration,
    /// Give CMD files with the tokens and keep them fresh while it runs
    #[arg(long)]
    token_file: bool,
    /// Blank the tokens in what CMD prints
    #[arg(long)]
    mask: bool,
    /// The command and its arguments
    #[arg(value_name = "CMD", last = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes CMD, or waits for it. Errors have the exit codes 126 and 127; any other failure is reported and becomes 125.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    match start(args, run).await {
        Err(error) if matches!(error.cause.exit(), 126..) => Err(error),
        Err(error) => {
            run.report.error(&error);
            Ok(FAILED)
        }
        outcome => outcome,
    }
}

async fn start(args: &Args, run: &Run<'_>) -> Result<u8> {
    let (name, rest) = (&args.command[0], &args.command[1..]);
    // Before any login: a session for a command that does not exist helps nobody.
    let program = child::find(name, run)?;
    let wanted = targets(&args.targets)?;
    let (services, sources, servers) = run.services().await?;
    let want = Want::Usable(args.min_ttl);
    let work = join_all(wanted.iter().map(async |target| {
        let account = Account::find(&services, &sources, target, args.person.as_deref());
        account.await?.session(&want).await
    }));
    let mut logins = Vec::new();
    for result in interruptible(Some(tr!("a login")), async { Ok(work.await) }).await? {
        match result {
            Ok(login) => logins.push(login),
            Err(error) => run.report.error(&error),
        }
    }
    if logins.len() < wanted.len() {
        return Ok(FAILED);
    }
    if args.mask && (stdout::is_terminal() || run.report.is_at_terminal()) {
        let text = tr!("with --mask CMD writes to pipes, and does not see the terminal");
        run.report.warn(None, text);
    }
    // From here on the terminal is CMD's.
    let _hold = run.report.hold();
    let mut command = std::process::Command::new(program);
    command.args(rest).env_clear();
    command.envs(child::public_environment(run, &sources, &wanted));
    if servers.is_some() {
        command.envs(child::direct_loopback(run));
    }
    #[cfg(unix)]
    command.arg0(name);
    if args.token_file {
        return token_file::run(args, run, &logins, name, command).await;
    }
    for login in &logins {
        for (name, value, _) in variables(&entry(login), &Shape::default())? {
            command.env(&*name, &*value);
        }
    }
    // The sandbox's servers end with this process, so it must stay. Without them it becomes the command, which
    // then has the terminal, the signals and the exit code to itself; this returns only if that failed.
    #[cfg(unix)]
    if servers.is_none() && !args.mask {
        return Err(child::cannot_start(name, command.exec()));
    }
    child::wait(name, command.into(), args.mask.then_some(&run.report)).await
}
