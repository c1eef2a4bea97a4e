//! The store as it lies on the disk, for tests that look into it and change it behind the program's back, and
//! the sandbox's record of who logged in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crmauth::declaration::Ageing;
use crmauth::provider;
use crmauth::sandbox::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::machine::{set_mode, wrapped};
use super::sandbox::{EPOCH, Servers};
use super::{Machine, demo};

/// Every system's name, in the order in which people see them.
pub fn systems() -> Vec<&'static str> {
    provider::specs().iter().map(|spec| spec.id).collect()
}

/// Those whose sessions end at a known time.
pub fn expiring() -> Vec<&'static str> {
    let fixed = provider::specs()
        .into_iter()
        .filter(|spec| matches!(spec.ageing, Ageing::Fixed));
    fixed.map(|spec| spec.id).collect()
}

/// A machine that knows every system of `servers`, whose clock is set to this machine's.
pub fn five_at(servers: &Servers) -> Machine {
    servers.advance(Timestamp::now().as_second() - EPOCH);
    let mut machine = Machine::new();
    for (name, value) in servers.demo() {
        machine.set(name, value);
    }
    machine
}

/// The sandbox and a machine that knows it.
pub fn five() -> (Servers, Machine) {
    let servers = Servers::start();
    let machine = five_at(&servers);
    (servers, machine)
}

/// Where a machine's store is unless a test says otherwise.
pub fn store(machine: &Machine) -> PathBuf {
    machine
        .work()
        .parent()
        .expect("a folder")
        .join("home/.local/state/crmauth")
}

/// The files of a folder whose names end so, sorted.
pub fn ending(folder: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    found.retain(|path| path.to_str().expect("UTF-8").ends_with(end));
    found.sort();
    found
}

/// The one entry of a machine's store.
#[track_caller]
pub fn entry(machine: &Machine) -> PathBuf {
    let mut found = ending(&store(machine), ".json");
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The entry of a role.
#[track_caller]
pub fn entry_of(machine: &Machine, role: &str) -> PathBuf {
    let found = ending(&store(machine), ".json");
    found
        .into_iter()
        .find(|path| read(path)["key"]["role"] == role)
        .expect("an entry")
}

/// An entry's content.
#[track_caller]
pub fn read(entry: &Path) -> Value {
    serde_json::from_slice(&fs::read(entry).expect("an entry")).expect("JSON")
}

/// Changes an entry.
#[track_caller]
pub fn change(entry: &Path, how: impl FnOnce(&mut Value)) {
    let mut content = read(entry);
    how(&mut content);
    fs::write(entry, content.to_string()).expect("an entry");
    set_mode(entry, 0o600);
}

/// The files of a machine's store whose names end so.
pub fn stored(machine: &Machine, end: &str) -> Vec<PathBuf> {
    ending(&store(machine), end)
}

/// Changes the stored sessions of a target.
#[track_caller]
pub fn edit(machine: &Machine, target: &str, how: impl Fn(&mut Value)) {
    let all = stored(machine, ".json");
    let its: Vec<_> = all
        .iter()
        .filter(|path| read(path)["target"] == target)
        .collect();
    assert!(!its.is_empty(), "no session of {target} is stored");
    its.into_iter().for_each(|path| change(path, &how));
}

/// The time so many seconds from now, as entries write it.
pub fn from_now(seconds: i64) -> Value {
    let time = Timestamp::now()
        .checked_add(SignedDuration::from_secs(seconds))
        .expect("a time");
    Value::String(time.to_string())
}

/// Makes an entry's session end so many seconds from now.
#[track_caller]
pub fn ends(entry: &Path, seconds: i64) {
    change(entry, |content| content["expires_at"] = from_now(seconds));
}

/// Makes an entry's session unseen for so many seconds.
#[track_caller]
pub fn unseen(entry: &Path, seconds: i64) {
    change(entry, |content| content["seen_at"] = from_now(-seconds));
}

/// What a request was for: `login`, `renew`, `ask`, `partner`, `as`, `challenge`.
pub fn purpose(event: &Request) -> &'static str {
    (demo::of(event.system).purpose)(event)
}

/// What the requests from the event `first` on were for, in order.
pub fn purposes(servers: &Servers, first: usize) -> Vec<&'static str> {
    servers.events()[first..].iter().map(purpose).collect()
}

/// What a system's first login asks for.
pub fn first_login(system: &str) -> &'static [&'static str] {
    demo::of(system).first_login
}

/// The program under another one: `strace …`, `sh -c … sh`.
pub fn under(machine: &Machine, program: &[&str], arguments: &[&str]) -> Command {
    wrapped(&machine.command(arguments), program)
}

/// A target's stored token.
#[track_caller]
pub fn cached(machine: &Machine, target: &str) -> String {
    let outcome = machine.run(&format!("token {target} --cached"));
    outcome.answer().trim_end().to_owned()
}

/// How many logins there were.
pub fn logins(servers: &Servers) -> usize {
    purposes(servers, 0)
        .into_iter()
        .filter(|purpose| *purpose == "login")
        .count()
}
