//! What a run may cost where somebody else has filled what it reads: the environment, the store, a file of
//! certificates, stdin. Answers are measured in `faults` and `redis`.

use std::fs;

use serde_json::json;

use crate::faults::promises::MEMORY;
use crate::support::Machine;
use crate::support::machine::{installed, measured, peak};

const MIB: usize = 1024 * 1024;

/// Runs a line, measured; it must end with that code.
fn costs_little(machine: &Machine, title: &str, line: &str, code: i32, stdin: Option<&str>) {
    let arguments: Vec<&str> = line.split(' ').collect();
    let report = machine.root().join("report");
    let mut command = measured(&machine.command(&arguments), &report);
    if let Some(text) = stdin {
        let file = machine.write("stdin", text);
        command.stdin(fs::File::open(file).expect("a file"));
    }
    let outcome = machine.finish(command);
    assert_eq!(outcome.code, code, "{title}, {line}: {outcome}");
    let peak = peak(&report);
    assert!(peak < MEMORY, "{title}, {line}: {peak} KiB");
}

#[test]
fn what_fills_the_surroundings_costs_little() {
    if !installed("time") {
        return;
    }
    let mut machine = Machine::new();
    let store = machine.path("store");
    fs::create_dir(&store).expect("a folder");
    machine.set("CRMAUTH_STORE", &format!("file:{}", store.display()));
    for number in 0..3000 {
        let entry = json!({ "version": 1, "target": "zeev", "x": "y".repeat(500) }).to_string();
        fs::write(store.join(format!("{number:064x}.json")), entry).expect("a file");
    }
    for number in 0..1500 {
        machine.set(&format!("ZEEV__A{number}__USERNAM"), "u");
    }
    let begin = "-----BEGIN CERTIFICATE-----\n";
    machine.write("begins.pem", begin.repeat(4 * MIB / begin.len()));
    let one = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
    machine.write(
        "many.pem",
        one.cert.pem().repeat(4 * MIB / one.cert.pem().len()),
    );
    machine
        .set("ZEEV_URL", "https://127.0.0.1:9")
        .set("ZEEV_USERNAME", "u")
        .secret("ZEEV_PASSWORD", "pW-Zv3Ed7Cr1Fv5");
    for (line, code) in [
        ("status", 3),
        ("logout --all", 0),
        ("login zeev --ca-file begins.pem", 2),
        ("login zeev --ca-file many.pem", 5),
        ("login zeev --env-file many.pem", 2),
    ] {
        costs_little(&machine, "the surroundings", line, code, None);
    }
    // More accounts than an env file may have, also inside a quote, and almost as many as it may have.
    let account = |number| format!("GLUO__{number}__URL=h\n");
    let usable = |number| {
        format!("GLUO__{number}__URL=h\nGLUO__{number}__USERNAME=u\nGLUO__{number}__ACCESS_KEY=k\n")
    };
    let too_many: String = (0..MIB / 25).map(account).collect();
    machine.write("quoted.env", format!("X='\n{too_many}'\n"));
    machine.write(
        "returns.env",
        ["x", &"\rGLUO_URL=h".repeat(MIB / 12)].concat(),
    );
    machine.write("misplaced.env", "set GLUO_URL=h\n".repeat(MIB / 16));
    machine.write("too-many.env", too_many);
    machine.write("usable.env", (0..3330).map(usable).collect::<String>());
    for (line, code) in [
        ("status --env-file too-many.env", 2),
        ("login gluo@7 --env-file too-many.env", 2),
        ("status --env-file quoted.env", 2),
        ("status --env-file returns.env", 2),
        ("status --env-file misplaced.env", 2),
        ("completions --targets --env-file too-many.env", 0),
        ("status --env-file usable.env", 3),
        ("status --json --env-file usable.env", 3),
    ] {
        costs_little(&machine, "accounts", line, code, None);
    }
    for text in [
        "[".repeat(MIB),
        "{\"a\":".repeat(MIB / 5),
        format!("{{\"a\":[{}0]}}", "0,".repeat(MIB / 2 - 8)),
    ] {
        costs_little(&machine, "stdin", "login zeev --adopt", 2, Some(&text));
    }
}
