//! `crmauth proxy`: systems on loopback, for any HTTP client, with the session placed for it.

use std::ffi::OsString;
use std::time::Duration;

use super::{Refused, Run, child, seconds_or_none, target_help, targets};
use crate::declaration::Target;
use crate::error::{Error, Result, error, why};
use crate::i18n::tr;
use crate::lifecycle::{Account, Services};
use crate::proxy::{Gateway, Listener, Options, Place};
use crate::secret::{Secret, hex};
use crate::settings::{GATEWAY, Sources};

/// Serve systems on loopback, with the session placed for any client
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Any HTTP client on this machine can call the URL that is printed; the session is placed, renewed and replaced for it.\n\
    In a path where a system wants the session itself, write {session}.\n\n\
    Examples:\n  \
    crmauth proxy gluo                           print the URL, serve until Ctrl-C\n  \
    crmauth proxy gluo zeev -- ./all-day.sh      CMD finds the URLs in GLUO_URL and ZEEV_URL, and no secret\n  \
    crmauth proxy broker --read-only --listen unix:broker.sock\n\n\
    Exit codes: with CMD its own"
)]
pub struct Args {
    #[arg(value_name = "TARGET", required = true, help = target_help())]
    targets: Vec<String>,
    /// Where to listen: a loopback address, or a socket that only you can open
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", default_value = "127.0.0.1:0", value_parser = place)]
    listen: Place,
    /// Pass on what changes nothing: GET, HEAD and OPTIONS
    #[arg(long)]
    read_only: bool,
    /// Print URLs without a key: every program on this machine may then use the sessions
    #[arg(long)]
    no_key: bool,
    /// The session of another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID")]
    person: Option<String>,
    /// How long a session must last, at least
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds_or_none)]
    min_ttl: Duration,
    /// Run CMD with the URLs in its environment, and end with its exit code
    #[arg(value_name = "CMD", last = true)]
    command: Vec<OsString>,
}

fn place(text: &str) -> std::result::Result<Place, Refused> {
    Place::parse(text).map_err(Refused)
}

/// Serves until a signal comes, or until CMD ends, whose exit code is returned.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let program = args.command.first().map(|name| child::find(name, run));
    let program = program.transpose()?;
    let wanted = targets(&args.targets)?;
    let (services, sources, _servers) = run.services().await?;
    let accounts = accounts(args, &services, &sources, &wanted).await?;
    // From here on nothing but a signal or CMD ends the gateway.
    let stop = crate::signals::either();
    let bound = Listener::bind(&args.listen).await;
    let listener = bound.map_err(|error| cannot_listen(args, &error))?;
    let key = (!args.no_key).then(crate::files::random).transpose()?;
    let key = key.map(|bytes| Secret::new(hex(&bytes)));
    let origin = format!("http://{}", listener.host());
    let prefix = key.iter().flat_map(|key| ["/", key.expose()]);
    let prefix = prefix.collect::<String>();
    let url = |target: &Target| format!("{origin}{prefix}/{target}");
    if args.no_key && matches!(args.listen, Place::Loopback(_)) {
        let text = tr!("without a key every program on this machine may use the sessions");
        run.report.warn(None, text);
    }
    let options = Options {
        report: &run.report,
        key,
        read_only: args.read_only,
        min_ttl: args.min_ttl,
        timeout: run.global.timeout,
    };
    let gateway = Gateway::new(accounts, options, &listener);
    let (Some(program), Some((name, rest))) = (program, args.command.split_first()) else {
        let line = |target| format!("{target}\t{}\n", url(target));
        run.print(&wanted.iter().map(line).collect::<String>())
            .await?;
        hint(run, args);
        gateway.run(&listener, stop).await;
        return Ok(0);
    };
    for target in &wanted {
        // Here and in the hint without the URL: it has the key, which a CI job's log would keep.
        let variable = target.variable("URL");
        let text = tr!("{target}: the gateway runs; the command has its URL in {variable}"; target, variable);
        run.report.chat(text);
    }
    let urls = wanted.iter();
    let urls = urls.map(|target| (target.variable("URL"), url(target)));
    let mut child = tokio::process::Command::new(program);
    child
        .args(rest)
        .env_clear()
        .envs(child::public_environment(run, &sources, &wanted))
        .envs(child::direct_loopback(run))
        .envs(urls)
        .env(GATEWAY, &origin);
    // The terminal is CMD's.
    let _hold = run.report.hold();
    tokio::select! {
        code = child::wait(name, child, None) => code,
        () = gateway.run(&listener, std::future::pending::<()>()) => Ok(0),
    }
}

/// The accounts whose sessions can be had.
async fn accounts<'a>(
    args: &Args,
    services: &'a Services,
    sources: &Sources,
    wanted: &[Target],
) -> Result<Vec<Account<'a>>> {
    let mut accounts = Vec::new();
    for target in wanted {
        let account = Account::find(services, sources, target, args.person.as_deref()).await?;
        let (stored, _) = account.stored(args.min_ttl).await?;
        // Without credentials a stored session may do, and nothing else.
        if let (Some(missing), None) = (&account.plan.missing, stored) {
            return Err(missing.clone());
        }
        accounts.push(account);
    }
    Ok(accounts)
}

fn cannot_listen(args: &Args, error: &std::io::Error) -> Error {
    let place = match &args.listen {
        Place::Loopback(address) => address.to_string(),
        Place::Socket(path) => path.display().to_string(),
    };
    error!(Usage: "the gateway cannot listen at {place}: {why}"; place, why = why(error) =>
        hint "--listen takes another address, or a port of 0 for any that is free")
}

fn hint(run: &Run<'_>, args: &Args) {
    run.report.chat(match &args.listen {
        Place::Loopback(_) => tr!(
            "paste the URL into Postman, Bruno or n8n as the base URL, without authentication; or try `curl URL/`"
        ),
        Place::Socket(path) => tr!("try `curl --unix-socket {path} URL/`"; path = path.display()),
    });
    run.report
        .chat(tr!("the gateway is running; Ctrl-C ends it"));
}
