//! The command line: what is printed and said, commands that are run under the gateway, signals, and real clients.

use crmauth::provider;

use super::*;
use crate::support::machine::{holds, installed};
use crate::support::{Reply, program};

/// Whether a variable is named as a secret of some system is.
fn is_secret(variable: &str) -> bool {
    let fields = provider::specs().into_iter().flat_map(|spec| spec.fields);
    let mut secrets = fields.filter(|field| field.secret());
    secrets.any(|field| variable.ends_with(field.name))
}

#[test]
fn a_line_a_request_and_a_hint() {
    let (_server, machine, _) = logged_in("gluo", [ok("{}"), ok("{}")]);
    let gateway = Gateway::start(&machine, "gluo");
    gateway.get("/webservice.php?operation=query&query=secret");
    gateway.post("/a%0Ab/%1B[31m::error::x", "text/x", "");
    let key = gateway.key().to_owned();
    let mut gateway = gateway;
    signal(gateway.child(), Signal::INT);
    let outcome = machine.end(gateway.child.take().expect("it runs"));
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    holds(lines[0], &["Postman", "`curl URL/`"]);
    assert_eq!(lines[1], "the gateway is running; Ctrl-C ends it");
    assert!(
        lines[2].starts_with("GET gluo /webservice.php 200 "),
        "{lines:?}"
    );
    assert!(lines[2].ends_with(" ms"), "{lines:?}");
    assert!(lines[3].starts_with("POST gluo /a%0Ab/"), "{lines:?}");
    outcome.lacks(&[&key]);
    outcome.lacks(&["query"]);
    let (_server, machine, _) = logged_in("gluo", [ok("{}")]);
    let gateway = Gateway::start(&machine, "gluo -q");
    gateway.get("/x");
    assert_eq!(gateway.end().stderr, "");
}

#[test]
fn a_command_gets_the_urls_and_no_secret() {
    for system in systems() {
        let (server, mut machine, before) = logged_in(system, [ok("in")]);
        machine.canary(TOKEN);
        machine.set("ZEEV_TOKEN", "of an outer run");
        machine.set("OTHER", "x");
        let prefix = system.to_uppercase();
        let place = path(system).replace(['{', '}'], "");
        let place = place.replace("session", "%7Bsession%7D");
        let script = format!("env; echo; printf %s \"${prefix}_URL{place}\" > url; exit 7");
        let outcome = machine.run_args(&["proxy", system, "--", "sh", "-c", &script]);
        outcome.exits(7, system).shows(&["OTHER=x"]);
        let url = machine.text("url");
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        outcome.says(&[&format!("the command has its URL in {prefix}_URL")]);
        assert!(!outcome.stderr.contains(&url[..40]), "{system}: {outcome}");
        assert!(!outcome.stdout.contains(TOKEN), "{system}");
        for line in outcome.stdout.lines() {
            let name = line.split('=').next().expect("a name");
            let token = name.starts_with(&prefix) && name.contains("_TOKEN");
            assert!(!is_secret(name) && !token, "{line}");
        }
        assert_eq!(server.received().len(), before);
        server.left_over();
    }
}

#[test]
fn clients_under_the_gateway() {
    for system in systems() {
        let python = "import os, urllib.request; print(urllib.request.urlopen(os.environ['URL']).read().decode())";
        let place = path(system).replace("{session}", "%7Bsession%7D");
        let prefix = system.to_uppercase();
        for (client, count, command) in [
            (
                "curl",
                3,
                "curl -sS \"$URL\" && curl -sSg -d a=1 \"$URL\" && curl -sS -T body \"$URL\""
                    .to_owned(),
            ),
            ("python3", 1, format!("python3 -c \"{python}\"")),
        ] {
            if !installed(client) {
                continue;
            }
            let (server, machine, before) = logged_in(system, (0..count).map(|_| ok("in")));
            machine.write("body", "x".repeat(2_000_000));
            let script = format!("URL=\"${prefix}_URL{place}\"; export URL; {command}");
            let outcome = machine.run_args(&["proxy", system, "-q", "--", "sh", "-c", &script]);
            assert!(outcome.answer().starts_with("in"), "{system} {client}");
            let sent = server.received().split_off(before);
            assert_eq!(sent.len(), count, "{system} {client}");
            if count == 3 {
                assert_eq!(sent[2].body.len(), 2_000_000, "{system}");
            }
        }
    }
}

#[test]
fn a_crmauth_under_the_gateway_is_told_so() {
    let (server, machine, before) = logged_in("zeev", []);
    let program = program();
    for verb in [
        "token zeev",
        "api zeev /x",
        "login zeev",
        "exec zeev -- true",
        "proxy zeev",
    ] {
        let code = if verb.starts_with("exec") { 125 } else { 2 };
        let script = format!("{program} {verb}");
        let outcome = machine.run_args(&["proxy", "zeev", "-q", "--", "sh", "-c", &script]);
        outcome.fails(code, &["error: zeev: ZEEV_URL is the gateway", "hint: "]);
    }
    // Another server's session is not the gateway's affair.
    let url = server.url();
    let script = format!("ZEEV_URL={url}/base {program} token zeev --cached");
    let outcome = machine.run_args(&["proxy", "zeev", "-q", "--", "sh", "-c", &script]);
    assert_eq!(outcome.answer().trim_end(), TOKEN);
    assert_eq!(server.received().len(), before);
}

#[test]
fn a_command_that_cannot_be_started() {
    let (server, machine, before) = logged_in("zeev", []);
    machine.fails("proxy zeev -- nosuch", 127, &["nosuch"]);
    machine.write("plain", "");
    machine.fails("proxy zeev -- ./plain", 126, &["plain"]);
    assert_eq!(server.received().len(), before);
}

#[test]
fn a_signal_lets_requests_under_way_end_and_no_other_begin() {
    for number in [Signal::INT, Signal::TERM] {
        let gate = Arc::new(Barrier::new(2));
        let (server, machine, before) = logged_in("zeev", [ok("one"), ok("end").together(&gate)]);
        let mut gateway = Gateway::start(&machine, "zeev");
        let mut idle = gateway.connect();
        gateway.write(&mut idle, "GET BASE/1 HTTP/1.1\r\nHost: HOST\r\n\r\n");
        assert_eq!(answer(&mut idle).1, b"one");
        let mut busy = gateway.connect();
        gateway.write(&mut busy, "GET BASE/2 HTTP/1.1\r\nHost: HOST\r\n\r\n");
        server.wait_for(before + 2);
        signal(gateway.child(), number);
        assert_eq!(idle.read(&mut [0]).expect("an end"), 0);
        gate.wait();
        let (head, body) = answer(&mut busy);
        assert_eq!(body, b"end");
        assert!(head.contains("connection: close"), "{head}");
        let outcome = machine.end(gateway.child.take().expect("it runs"));
        assert_eq!(outcome.code, 0, "{outcome}");
    }
}

#[test]
fn requests_that_do_not_end_are_given_five_seconds() {
    let (server, machine, before) = logged_in("zeev", [Reply::Silence]);
    let gateway = Gateway::start(&machine, "zeev");
    let mut busy = gateway.connect();
    gateway.write(&mut busy, "GET BASE/2 HTTP/1.1\r\nHost: HOST\r\n\r\n");
    server.wait_for(before + 1);
    let started = std::time::Instant::now();
    gateway.end().says(&["the client went away"]);
    let seconds = started.elapsed().as_secs_f64();
    assert!((4.9..20.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_command_hears_signals_and_its_code_counts() {
    let (_server, machine, _) = logged_in("zeev", []);
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let command = machine.command(&["proxy", "zeev", "-q", "--", "sh", "-c", script]);
    let mut child = machine.start(command);
    let stdout = child.stdout.as_mut().expect("a stdout");
    stdout.read_exact(&mut [0; 6]).expect("a word");
    signal(&child, Signal::TERM);
    assert_eq!(machine.end(child).code, 9);
}

#[test]
fn the_sandbox_works_under_it() {
    if !installed("curl") {
        return;
    }
    let mut machine = Machine::new();
    machine.set("GLUO_URL", "http://127.0.0.1:1");
    let script = "curl -sS \"$GLUO_URL/webservice.php?operation=listtypes\"; curl -sSg \"$SYSTEMSWAY_URL/api/Usuario/{session}\"";
    let mut command = machine.line("--sandbox proxy gluo systemsway -q -- sh -c");
    command.arg(script);
    let outcome = machine.finish(command);
    let good = outcome.answer().starts_with("{\"success\":true");
    assert!(good, "{outcome}");
    outcome.shows(&["\"UserName\":\"admin\""]);
}
