//! The store that machines share: its protocol in simulation, and the program against real servers.

mod faults;
mod holder;
mod model;
mod page;
mod scripts;
mod secrecy;
mod settings;
mod sharing;
mod simulation;

use std::time::{Duration, Instant};

use crmauth::store::redis::lock::{Command, Owner, Response, Right};

use crate::support::at_once;
use crate::support::machine::Machine;
use crate::support::redis::{KEY, Proxy, Redis, shares};
use crate::support::sandbox::Servers;
use crate::support::stored::{five_at, logins};

/// A machine that knows every system and shares a store.
fn sharing(servers: &Servers, url: &str) -> Machine {
    let mut machine = five_at(servers);
    shares(&mut machine, url);
    machine
}

/// The sandbox with this machine's clock, and a real server that gives rights.
fn fleet() -> Option<(Servers, Redis)> {
    Some((Servers::start(), Redis::start()?.settled()))
}

/// The token of a run that went well and had nothing to say about it.
#[track_caller]
fn token(machine: &Machine, line: &str) -> String {
    machine.run(line).answer().trim_end().to_owned()
}
