//! The five systems as targets of a machine, and what its store holds of them.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;

use super::Machine;
use super::machine::set_mode;
use super::sandbox::{EPOCH, Servers};

pub const SYSTEMS: [&str; 5] = ["gluo", "hellocloud", "systemsway", "broker", "zeev"];

/// A machine that knows the five systems of `servers`, whose clock is put to ours.
pub fn five_at(servers: &Servers) -> Machine {
    servers.advance(Timestamp::now().as_second() - EPOCH);
    let mut machine = Machine::new();
    for (name, value) in servers.demo() {
        machine.set(name, value);
    }
    machine
}

/// The folder of a machine's store.
pub fn store(machine: &Machine) -> PathBuf {
    machine.path("../home/.local/state/crmauth")
}

/// The files of a machine's store whose names end so.
pub fn stored(machine: &Machine, end: &str) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(store(machine)) else { return Vec::new() };
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.to_str().expect("UTF-8").ends_with(end)).collect()
}

/// Changes the stored sessions of a target.
pub fn edit(machine: &Machine, target: &str, change: impl Fn(&mut Value)) {
    let mut changed = 0;
    for path in stored(machine, ".json") {
        let mut entry: Value = serde_json::from_slice(&fs::read(&path).expect("an entry")).expect("JSON");
        if entry["target"] == target {
            change(&mut entry);
            fs::write(&path, entry.to_string()).expect("an entry");
            set_mode(&path, 0o600);
            changed += 1;
        }
    }
    assert!(changed > 0, "no session of {target} is stored");
}

/// A time as entries write it, so many seconds from now.
pub fn from_now(seconds: i64) -> Value {
    let time = Timestamp::from_second(Timestamp::now().as_second() + seconds).expect("a time");
    Value::String(time.to_string())
}
