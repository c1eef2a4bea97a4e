//! `crmauth token`: a usable session, whichever way is the cheapest.

use std::time::Duration;

use super::delivery::Delivery;
use super::{Run, seconds_or_none, target_help};
use crate::error::Result;
use crate::lifecycle::{Account, Want};
use crate::settings;

/// Print a usable session: the stored one, a renewed one, or a new one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    TOKEN=$(crmauth token zeev)              the stored session while it lasts, else a new one\n  \
    crmauth token gluo --cached              the stored session or exit code 3; no network\n  \
    crmauth token hellocloud -f header       Authorization: Bearer …")]
pub struct Args {
    #[arg(value_name = "TARGET", help = target_help())]
    target: String,
    /// The session of another person (Zeev): an id or a user name
    #[arg(long = "as", value_name = "USER|ID")]
    person: Option<String>,
    /// How long the session must last, at least
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds_or_none)]
    min_ttl: Duration,
    /// Never touch the network: the stored session, or exit code 3
    #[arg(long)]
    cached: bool,
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Finds, renews or obtains the session and writes it. A failure to do so is reported and becomes the exit code.
pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let target = settings::target(&args.target)?;
    let (services, sources, _servers) = run.services_alone().await?;
    let wanted = std::slice::from_ref(&target);
    let prepared = args.delivery.prepare(run, &sources, wanted, false).await?;
    let want = match args.cached {
        true => Want::Cached(args.min_ttl),
        false => Want::Usable(args.min_ttl),
    };
    let account = Account::find(&services, &sources, &target, args.person.as_deref());
    let login = async { account.await?.session(&want).await };
    prepared.deliver(run, &[(&target, login.await)]).await
}
