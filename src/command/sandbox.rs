//! `crmauth sandbox`: every system on loopback, for trying things out and for people's own tests.

use std::ffi::{OsStr, OsString};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Run, child, seconds};
use crate::error::{Result, error};
use crate::i18n::{Lang, tr};
use crate::sandbox::{self, Log, Request, Rules, Sandbox};
use crate::{settings, signals};

/// The only setting of ours that a command keeps: which language its crmauth speaks.
const LANG: &str = "CRMAUTH_LANG";

/// Play every system on loopback, with demo accounts
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth sandbox                          print the settings, serve until Ctrl-C\n  \
    crmauth sandbox --ttl 5 -- ./test.sh     run a script against servers whose sessions last 5 seconds")]
pub struct Args {
    /// How long sessions last
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    ttl: Option<Duration>,
    /// Run CMD with the demo accounts in its environment, and end with its exit code
    #[arg(value_name = "CMD", last = true)]
    command: Vec<OsString>,
}

pub async fn start(ttl: Option<Duration>, log: Log) -> Result<Sandbox> {
    let clock = Rc::new(Timestamp::now);
    let rules = Rules { ttl, clock };
    let deaf = |error| error!(Other: "the sandbox cannot listen on loopback").because(error);
    sandbox::start(rules, log).await.map_err(deaf)
}

/// Serves until a signal comes, or until CMD ends, whose exit code is returned.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let report = Rc::clone(&run.report);
    let log = Rc::new(move |request: &Request| report.chat(tr!("{line}"; line = request.line)));
    let servers = start(args.ttl, log).await?;
    if let Some((name, rest)) = args.command.split_first() {
        return command(name, rest, run, &servers).await;
    }
    // Listen first: whoever has read the block may send a signal at once.
    let mut stop = pin!(signals::either());
    let block = block(&servers, run.report.lang());
    tokio::select! {
        biased;
        printed = run.print(&block) => printed?,
        _ = &mut stop => return Ok(0),
    }
    run.report
        .chat(tr!("the sandbox is running; Ctrl-C ends it"));
    stop.await;
    Ok(0)
}

/// The settings as lines for an env file; accounts that show other ways in are comments.
fn block(servers: &Sandbox, lang: Lang) -> String {
    let about = tr!("crmauth's sandbox: demo accounts, on this machine, until it is stopped");
    let mut block = format!("# {}\n", about.render(lang));
    for (off, settings) in [("", &servers.settings), ("#", &servers.more_settings)] {
        for (name, value) in settings {
            block.extend([off, name, "='", value, "'\n"]);
        }
    }
    block
}

/// CMD sees the demo accounts, none of the user's own settings, no env file, and a store of its own.
async fn command(name: &OsStr, rest: &[OsString], run: &Run<'_>, servers: &Sandbox) -> Result<u8> {
    let store = child::private_folder("crmauth-sandbox-")?;
    let mut location = OsString::from("file:");
    location.push(store.path());
    let own = run.environment.vars().filter(|(name, _)| {
        name.to_str().is_none_or(|name| {
            name == LANG || !name.starts_with("CRMAUTH_") && !settings::is_setting(name)
        })
    });
    let lang = run.global.lang;
    let lang = lang.map(|lang| (LANG, Lang::NAMES[lang as usize]));
    let mut command = tokio::process::Command::new(child::find(name, run)?);
    command
        .args(rest)
        .env_clear()
        .envs(own)
        .envs(lang)
        .envs(servers.settings.iter().map(|(name, value)| (name, value)))
        .envs(child::direct_loopback(run))
        .env("CRMAUTH_STORE", location)
        .env("CRMAUTH_ENV_FILE", "/dev/null");
    child::wait(name, command, None).await
}
