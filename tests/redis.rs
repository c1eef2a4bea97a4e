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

/// Two machines that do.
fn two(servers: &Servers, redis: &Redis) -> [Machine; 2] {
    [(); 2].map(|()| sharing(servers, &redis.url()))
}

/// A server's word on a command, whose words blanks separate.
fn ask<T: redis::FromRedisValue>(redis: &Redis, line: &str) -> T {
    asked(redis, &line.split(' ').collect::<Vec<_>>())
}

/// The same, whose words may hold blanks.
fn asked<T: redis::FromRedisValue>(redis: &Redis, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    let answer = command.arg(&words[1..]).query(&mut redis.client());
    answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Whether somebody has a right to log in.
fn locked(redis: &Redis) -> bool {
    redis.names().iter().any(|name| name.ends_with(":lock"))
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
