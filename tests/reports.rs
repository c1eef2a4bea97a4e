//! `status --check --report`: what a server did, in a file that may be shown to anybody and be played again.
//!
//! Each file of `facts/reports/` is a row: the program meets the answers that it shows, and must come to the same.

use std::fs;
use std::path::Path;

use crmauth::declaration::Kind;
use serde_json::{Value, json};

use crate::faults::canary::{Canary, Class, found};
use crate::support::machine::mode;
use crate::support::replay::{comparable, replies};
use crate::support::sandbox::Servers;
use crate::support::stored::{five, five_at, read, store, systems};
use crate::support::{Machine, Reply, Server, demo};

/// The report of one system, written by a run whose outcome is not looked at.
fn report(machine: &Machine, system: &str, options: &str) -> Value {
    let line = format!("status {system} --check --report report.json{options}");
    let outcome = machine.run(line.trim());
    assert!(outcome.code < 7, "{outcome}");
    let report = read(&machine.path("report.json"));
    assert_eq!(
        (
            &report["report"],
            report["targets"].as_array().map(Vec::len)
        ),
        (&json!(1), Some(1))
    );
    report["targets"][0].clone()
}

/// Plays a target of a report: the same settings, the same answers, and what the program makes of them now.
fn play(target: &Value) -> Value {
    let system = target["system"].as_str().expect("a system");
    let sandbox = Servers::start();
    let mut machine = five_at(&sandbox);
    let user = sandbox.setting(&format!("{}_USERNAME", system.to_uppercase()));
    let demo = demo::of(system);
    let stored = target["session"] != "none";
    let logins = demo.first_login.len() - demo.first.len();
    let mut script = match stored {
        true => demo.script(vec![Reply::json(200, demo.good()); logins]),
        false => Vec::new(),
    };
    script.extend(replies(target, user));
    let server = Server::start(script);
    machine.set(&demo.variable("URL"), &server.url());
    if stored {
        machine.run(&format!("login {system}")).answer();
    }
    let login = if target["login"].is_null() {
        ""
    } else {
        " --login"
    };
    report(&machine, system, login)
}

#[test]
fn a_report_is_a_test_row() {
    for system in systems() {
        let (_servers, mut machine) = five();
        let whole = report(&machine, system, " --login");
        assert_eq!(whole["login"], "done", "{whole:#}");
        assert_eq!(comparable(&play(&whole)), comparable(&whole), "{system}");
        let variable = demo::of(system).secret.0;
        machine.set(variable, "f".repeat(64).as_str());
        fs::remove_dir_all(store(&machine)).expect("a store");
        let refused = report(&machine, system, " --login");
        assert_ne!(refused["login"], "done", "{refused:#}");
        assert_eq!(
            comparable(&play(&refused)),
            comparable(&refused),
            "{system}"
        );
    }
}

#[test]
fn the_reports_that_were_handed_in_come_to_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts/reports");
    let mut rows = 0;
    for file in fs::read_dir(folder).expect("a folder") {
        let file = file.expect("a file").path();
        let report = read(&file);
        for target in report["targets"].as_array().expect("targets") {
            let played = play(target);
            assert_eq!(
                comparable(&played),
                comparable(target),
                "{}",
                file.display()
            );
            rows += 1;
        }
    }
    assert!(rows > 0);
}

/// A body with canaries wherever it may have any.
fn bodies(value: &Canary, good: &str) -> Vec<Reply> {
    let text = &value.value;
    let mut answer: Value = serde_json::from_str(good).expect("JSON");
    fill(&mut answer, text);
    answer[text.as_str()] = json!({text.as_str(): [text, [text], {"Name": text, "code": text}]});
    answer["echo"] = json!(format!("The password is invalid: {text}"));
    let json = answer.to_string();
    let header = format!("x {}", text.replace(|c: char| !c.is_ascii_graphic(), ""));
    let headers = [
        "Content-Type",
        "WWW-Authenticate",
        "Server",
        "Location",
        "X-Own",
        "Retry-After",
        "Set-Cookie",
    ]
    .map(|name| (name, header.as_str()));
    let with = |status, body: &str| Reply::with_headers(status, &headers, body);
    vec![
        with(200, &json),
        with(401, &json),
        with(500, &format!("<br />\n<b>Fatal error</b>: {text}\n{json}")),
        with(200, &format!("<html><title>{text}</title>")),
        with(302, text),
    ]
}

/// Puts the canary into every text.
fn fill(value: &mut Value, canary: &str) {
    match value {
        Value::String(text) => *text = canary.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, canary)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, canary)),
        _ => {}
    }
}

#[test]
fn nothing_that_is_typed_or_secret_or_answered_is_in_a_report() {
    for system in systems() {
        let demo = demo::of(system);
        let token = Canary::secret();
        for (at, answer) in bodies(&token, &demo.good()).into_iter().enumerate() {
            let server = Server::start(Vec::new());
            server.rest(answer);
            let mut machine = Machine::new();
            let mut canaries = vec![token.clone()];
            let account = format!("a{:08x}", getrandom::u32().expect("random bytes"));
            let mut new = |canary: &Canary| {
                canaries.push(canary.clone());
                canary.value.clone()
            };
            for field in demo.spec().all_fields() {
                let value = match (field.kind, field.name) {
                    (Kind::Url, _) => {
                        format!("{}/{}", server.url(), new(&word()))
                    }
                    (Kind::Path, _) => format!("api/{}", new(&word())),
                    (Kind::Choice(_), _) | (_, "ALLOW_HTTP" | "ALLOW_PROXY") => continue,
                    (_, "PARTNER_TOKEN" | "API_TOKEN" | "PASSWORD_SHA256") => continue,
                    (Kind::Key, _) => new(&Canary::token()),
                    _ => new(&Canary::secret()),
                };
                let variable = format!(
                    "{}__{}__{}",
                    system.to_uppercase(),
                    account.to_uppercase(),
                    field.name
                );
                machine.set(&variable, &value);
            }
            let line = format!("status {system}@{account} --check --login --report report.json");
            let outcome = machine.run(&line);
            let report = fs::read(machine.path("report.json")).expect("a report");
            let shown = String::from_utf8_lossy(&report);
            assert!(shown.contains("\"exchanges\": [\n"), "{shown}{outcome}");
            canaries.push(Canary::of(Class::Setting, &account));
            canaries.push(Canary::of(Class::Setting, &server.host()));
            let found = found(&canaries, &report);
            assert!(found.is_empty(), "{system} {at}: {found:?}\n{shown}");
            assert_eq!(mode(&machine.path("report.json")), 0o600);
        }
    }
}

/// A canary that a path can hold as it is.
fn word() -> Canary {
    let random = getrandom::u64().expect("random bytes");
    Canary::of(Class::Setting, &format!("p{random:016x}"))
}

#[test]
fn a_report_needs_a_check_and_a_place_of_its_own() {
    let machine = Machine::new();
    machine.run("status --report x").fails(2, &["--check"]);
    machine.fails("status --check --login", 2, &["--report"]);
    machine.fails("status --check --report no/x", 7, &["no/x"]);
    machine.write(".env", "ZEEV_URL=https://zeev.example\n");
    machine.fails("status zeev --check --report .env", 2, &["would replace"]);
}
