//! `crmauth token`: a usable session, whichever way is the cheapest.

use std::time::Duration;

use super::delivery::Delivery;
use super::{Run, TargetName, seconds_or_none, target_help, targets};
use crate::error::Result;
use crate::lifecycle::{Account, Want};

/// Print a usable session: the stored one, a renewed one, or a new one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    TOKEN=$(crmauth token zeev)              the stored session while it lasts, else a new one\n  \
    crmauth token gluo --cached              the stored session or exit code 3; no network\n  \
    crmauth token hellocloud -f header       Authorization: Bearer …")]
pub struct Args {
    #[arg(value_name = "TARGET", value_parser = TargetName, help = target_help(), hide_possible_values = true)]
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
    let wanted = targets(std::slice::from_ref(&args.target))?;
    let (services, sources, _servers) = run.services_alone().await?;
    let prepared = args.delivery.prepare(run, &sources, &wanted, false).await?;
    let want = if args.cached {
        Want::Cached(args.min_ttl)
    } else {
        Want::Usable(args.min_ttl)
    };
    let mut results = Vec::new();
    for target in &wanted {
        let account = Account::find(&services, &sources, target, args.person.as_deref());
        let login = async { account.await?.session(&want).await };
        results.push((target, login.await));
    }
    prepared.deliver(run, &results).await
}
