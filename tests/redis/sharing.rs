//! One session for all machines, whatever they do with it.

use std::sync::{Arc, Barrier};

use serde_json::json;

use super::*;
use crate::hellocloud;
use crate::support::machine::{clock_can_be_set, signal};
use crate::support::redis::Way;
use crate::support::stored::{cached, first_login, purposes, systems, under};
use crate::support::{Reply, Server, canned, program};

#[test]
fn what_one_machine_gets_all_have() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    // The other one gets every answer in pieces.
    let proxy = Proxy::start(redis.address());
    proxy.drip();
    let machines = [redis.url(), proxy.url()].map(|url| sharing(&servers, &url));
    for system in systems() {
        let first = servers.events().len();
        let line = format!("token {system}");
        let got = token(&machines[0], &line);
        assert_eq!(purposes(&servers, first), first_login(system), "{system}");
        assert_eq!(token(&machines[1], &line), got, "{system}");
        assert_eq!(cached(&machines[1], system), got, "{system}");
        let asked = servers.events().len() - first;
        assert_eq!(asked, first_login(system).len(), "{system}");
    }
    let status = machines[1].run("status --json").json();
    let mut rows = status.as_array().expect("an array").iter();
    let usable = rows.all(|row| row["session"] == "usable");
    assert!(usable, "{status}");
    // A second login is one for all.
    let other = token(&machines[1], "login zeev");
    assert_eq!(token(&machines[0], "token zeev"), other);
    machines[0].run("logout --all").exits(0, "logout");
    assert_eq!(machines[1].run("token zeev --cached").code, 3);
    let mut names = redis.names();
    names.retain(|name| !name.ends_with(":last"));
    assert_eq!(names, ["crmauth:check"]);
}

#[test]
fn a_dead_session_is_replaced_for_all() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let machines = two(&servers, &redis);
    let dead = token(&machines[0], "token systemsway");
    // Somebody else takes the seat.
    let other = json!({ "User": "admin", "Passwd": "46070D4BF934FB0D4B06D9E2C46E346944E322444900A435D7D9A95E6D7435F5" });
    let reply = servers.json("systemsway", "POST", "/api/main", None, &other);
    assert_eq!(reply.status, 200);
    let outcome = machines[1].run("api systemsway /api/Usuario/{session}");
    outcome.exits(0, "a call");
    let new = token(&machines[0], "token systemsway");
    assert_ne!(new, dead);
    assert_eq!(token(&machines[1], "token systemsway"), new);
}

/// A machine that shares a store behind a password.
fn behind_a_password() -> Option<(Servers, Redis, Machine)> {
    let redis = Redis::with(&["--requirepass", "Pw7Qx2Store"])?.settled();
    let servers = Servers::start();
    let place = format!("redis://:Pw7Qx2Store@{}", redis.address());
    let mut machine = sharing(&servers, &place);
    machine.canary("Pw7Qx2Store");
    Some((servers, redis, machine))
}

#[test]
fn a_command_gets_the_session_and_nothing_of_the_store() {
    let Some((_servers, redis, machine)) = behind_a_password() else {
        return;
    };
    let script = "env | grep CRMAUTH_STORE; echo $ZEEV_TOKEN";
    let run = machine.run_args(&["exec", "zeev", "--", "sh", "-c", script]);
    let (place, got) = run.answer().split_once('\n').expect("two lines");
    assert_eq!(place, format!("CRMAUTH_STORE=redis://{}", redis.address()));
    assert_eq!(got.trim_end(), token(&machine, "token zeev"));
}

#[test]
fn a_crmauth_within_a_command_takes_no_other_store() {
    let Some((servers, _redis, mut machine)) = behind_a_password() else {
        return;
    };
    machine.set("CRMAUTH", program());
    let script = "\"$CRMAUTH\" token systemsway";
    let within = machine.run_args(&["exec", "systemsway", "--", "sh", "-c", script]);
    within.fails(2, &["CRMAUTH_STORE_KEY"]);
    assert_eq!(logins(&servers), 1);
}

#[test]
fn clocks_that_differ_share_all_the_same() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    if !clock_can_be_set() {
        return;
    }
    let machine = sharing(&servers, &redis.url());
    let got = token(&machine, "token zeev");
    for clock in ["+3h", "-3h"] {
        let run = under(&machine, &["faketime", "-f", clock], &["token", "zeev"]);
        let run = machine.finish(run);
        assert_eq!(run.answer().trim_end(), got, "{clock}");
    }
    assert_eq!(logins(&servers), 1);
}

#[test]
fn other_credentials_are_another_session_on_every_machine() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let mut machines = two(&servers, &redis);
    token(&machines[0], "token systemsway");
    machines[1].secret("SYSTEMSWAY_PASSWORD", "Wr0ngPassword");
    machines[1].fails("token systemsway", 4, &["systemsway"]);
    assert_eq!(logins(&servers), 2, "the one that was refused too");
}

#[test]
fn whoever_is_interrupted_gives_the_right_back() {
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let server = Server::start(vec![Reply::Silence, canned::systemsway("T2")]);
    let machine = seat(&server.url(), &redis.url());
    let first = machine.begin("token systemsway");
    server.wait_for(1);
    assert!(locked(&redis));
    signal(&first, rustix::process::Signal::INT);
    assert_eq!(machine.end(first).code, 130);
    assert!(!locked(&redis), "{:?}", redis.names());
    assert_eq!(token(&machine, "token systemsway"), "T2");
}

#[test]
fn a_command_that_ends_during_a_renewal_gives_the_right_back() {
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let short = json!({ "token_type": "Bearer", "expires_in": 2, "access_token": "T1" });
    let server = Server::start(vec![Reply::json(200, short.to_string()), Reply::Silence]);
    let mut machine = hellocloud::DEMO.machine(&server.url());
    shares(&mut machine, &redis.url());
    let mut command = machine.line("exec hellocloud --token-file --min-ttl 1 -- sh -c");
    command
        .arg("read x; true")
        .stdin(std::process::Stdio::piped());
    let mut run = machine.start(command);
    server.wait_for(2);
    assert!(locked(&redis));
    drop(run.stdin.take());
    assert_eq!(machine.end(run).code, 0);
    assert!(!locked(&redis), "{:?}", redis.names());
}

#[test]
fn a_session_that_is_over_is_not_called_stored() {
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let barrier = Arc::new(Barrier::new(2));
    let short = json!({ "token_type": "Bearer", "expires_in": 1, "access_token": "T1" });
    let server = Server::start(vec![Reply::json(200, short.to_string()).together(&barrier)]);
    let mut machine = hellocloud::DEMO.machine(&server.url());
    shares(&mut machine, &redis.url());
    let run = machine.begin("token hellocloud");
    server.wait_for(1);
    // It lasts a second from the question on.
    redis.goes_on(Duration::from_millis(1100));
    barrier.wait();
    let told = "warning: hellocloud: the session has already ended and is not stored";
    machine.end(run).gives(0, "T1\n", "too late").says(&[told]);
    assert_eq!(machine.run("token hellocloud --cached").code, 3);
}

#[test]
fn a_right_that_is_given_too_late_is_given_back() {
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let server = Server::start(vec![]);
    let proxy = Proxy::start(redis.address());
    // Look, claim the store, and take: the server does that at once, and its answer is late.
    proxy.hold(Way::Answer, 3);
    let machine = seat(&server.url(), &proxy.url());
    let mut run = machine.begin("token systemsway --timeout 60");
    assert!(proxy.reached(|| run.try_wait().expect("a child").is_none()));
    assert!(locked(&redis));
    // Longer than a silent server is asked again, and shorter than a call may take.
    redis.goes_on(Duration::from_millis(2500));
    proxy.open();
    let outcome = machine.end(run);
    outcome.fails(5, &["does not answer"]);
    assert!(!locked(&redis), "{:?}", redis.names());
    assert_eq!(server.connections(), 0);
}

/// A machine with a single seat at a server.
fn seat(server: &str, store: &str) -> Machine {
    let given = "USERNAME=maria PASSWORD=S3creta-Maria";
    let mut machine = Machine::of("SYSTEMSWAY", server, given);
    shares(&mut machine, store);
    machine
}

#[test]
fn two_hundred_at_once_make_one_login() {
    const MACHINES: usize = 200;
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let shared = Server::start(vec![canned::systemsway("T1")]);
    let seats = |server: &Server| -> Vec<_> {
        let seat = |_| seat(&server.url(), &redis.url());
        (0..MACHINES).map(seat).collect()
    };
    let machines = seats(&shared);
    let started = Instant::now();
    at_once(&machines, |machine| {
        assert_eq!(token(machine, "token systemsway --timeout 300"), "T1");
    });
    let together = started.elapsed();
    assert_eq!(shared.received().len(), 1);

    let tokens: Vec<String> = (0..MACHINES).map(|number| format!("T{number}")).collect();
    let answers = tokens.iter().map(|token| canned::systemsway(token));
    let alone = Server::start(answers.collect());
    let machines = seats(&alone);
    let started = Instant::now();
    at_once(&machines, |machine| {
        token(machine, "token systemsway --no-store --timeout 300");
    });
    println!(
        "{MACHINES} processes: {:.1} s with one login shared, {:.1} s with a login each",
        together.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );
}
