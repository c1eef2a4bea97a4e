//! `crmauth status --check` finds out why a target has no session: each cause with its cure, no secret sent and
//! nobody logged in.

use crmauth::sandbox::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::canned;
use crate::support::machine::{holds, signal};
use crate::support::redis::{Redis, shares};
use crate::support::sandbox::Servers;
use crate::support::server::Nobody;
use crate::support::stored::{edit, five_at, systems};
use crate::support::tls::Authority;
use crate::support::{Machine, Reply, Server, Terminal, demo};
use crate::zeev;

/// What is found for a target: the code, and the exit code of the run.
#[track_caller]
fn found(machine: &Machine, target: &str) -> (String, i32, Value) {
    let outcome = machine.run(&format!("status {target} --check --json"));
    let diagnosis = outcome.json()[0]["diagnosis"].clone();
    assert!(diagnosis["hint"].is_string(), "no cure: {}", outcome.stdout);
    let table = machine.run(&format!("status {target} --check"));
    for name in ["message", "hint"] {
        let words = diagnosis[name].as_str().expect("words");
        let told = [&*table.stdout, &*table.stderr].concat();
        assert_eq!(told.matches(words).count(), 1, "{words:?} in: {told}");
    }
    assert_eq!(table.code, outcome.code, "{}", table.stdout);
    (
        diagnosis["code"].as_str().expect("a code").to_owned(),
        outcome.code,
        diagnosis,
    )
}

/// A machine with good settings for a provider at a URL.
fn at(url: &str, id: &str) -> Machine {
    demo::of(id).machine(url)
}

/// The answer in a frame of Gluocrm's.
fn framed(answer: &Value) -> Reply {
    Reply::json(200, answer.to_string())
}

fn no_session() -> Reply {
    framed(
        &json!({ "success": false, "error": { "code": "AUTHENTICATION_REQUIRED", "message": "x" } }),
    )
}

fn page(status: u16) -> Reply {
    Reply::http(status, "text/html", "<!DOCTYPE html><title>Welcome</title>")
}

/// What a run shows twice, since it is asked for as JSON and as a table.
fn twice(replies: Vec<Reply>) -> Vec<Reply> {
    [replies.clone(), replies].concat()
}

#[test]
fn a_server_that_cannot_be_reached() {
    let (code, exit, _) = found(&at("https://crm.invalid", "zeev"), "zeev");
    assert_eq!((code.as_str(), exit), ("dns", 5));
    let nobody = Nobody::new();
    let url = format!("http://{}", nobody.host());
    let (code, exit, diagnosis) = found(&at(&url, "gluo"), "gluo");
    assert_eq!((code.as_str(), exit), ("connect", 5));
    holds(diagnosis["hint"].as_str().expect("a hint"), &["GLUO_URL"]);
    let authority = Authority::new();
    let server = Server::start_tls(authority.expired("127.0.0.1"), Vec::new());
    let machine = at(&server.url(), "broker");
    machine.write("ca.pem", authority.pem());
    let outcome = machine.run("status broker --check --json --ca-file ca.pem");
    let code = &outcome.exits(5, "").json()[0]["diagnosis"]["code"];
    assert_eq!(code, "certificate", "{}", outcome.stdout);
}

#[test]
fn another_system_at_the_url() {
    let servers = Servers::start();
    for system in systems() {
        for other in demo::ALL
            .iter()
            .filter(|other| other.recognised && other.id != system)
        {
            let url = servers.setting(&other.variable("URL"));
            let (code, exit, diagnosis) = found(&at(url, system), system);
            assert_eq!(
                (code.as_str(), exit),
                ("wrong_product", 6),
                "{system} at {}: {diagnosis}",
                other.id
            );
            let message = diagnosis["message"].as_str().expect("a message");
            let text = format!("looks like {}, not like ", other.spec().product);
            assert!(message.contains(&text), "{system}: {message}");
        }
    }
    let secret = |event: &Request| {
        let sent = [
            &event.path,
            &event.query,
            &String::from_utf8_lossy(&event.body).into_owned(),
        ]
        .map(String::as_str)
        .concat();
        demo::ALL.iter().any(|demo| sent.contains(demo.secret.1))
            || event
                .headers
                .iter()
                .any(|(name, _)| name == "authorization")
    };
    assert!(
        servers
            .events()
            .iter()
            .all(|event| event.method == "GET" && !secret(event))
    );
}

#[test]
fn the_system_in_a_folder_or_nothing_of_it() {
    let denied = Reply::json(
        401,
        json!({ "error": "access_denied", "hint": "Missing header" }).to_string(),
    );
    let server = Server::start(twice(vec![page(404), page(404), page(404), denied]));
    let (code, exit, diagnosis) = found(&at(&server.url(), "hellocloud"), "hellocloud");
    assert_eq!((code.as_str(), exit), ("wrong_product", 6));
    assert_eq!(
        diagnosis["message"],
        format!("HelloCloud answers at {0}/legacy, not at {0}", server.url())
    );
    assert_eq!(
        diagnosis["hint"],
        format!("set HELLOCLOUD_URL to {}/legacy", server.url())
    );

    let server = Server::start(Vec::new());
    server.rest(page(200));
    let (code, exit, diagnosis) = found(&at(&server.url(), "gluo"), "gluo");
    assert_eq!((code.as_str(), exit), ("wrong_product", 6));
    assert_eq!(
        diagnosis["message"],
        format!("nothing at {} answers like Gluocrm", server.url())
    );

    let away = Reply::with_headers(301, &[("Location", "https://crm.example/")], "");
    let server = Server::start(twice(vec![away]));
    let (code, _, diagnosis) = found(&at(&server.url(), "zeev"), "zeev");
    assert_eq!(code, "redirect");
    let message = diagnosis["message"].as_str().expect("a message");
    holds(message, &["https://crm.example/"]);
}

#[test]
fn what_may_be_any_system_is_not_taken_for_the_right_one() {
    let denied = || {
        twice(vec![Reply::json(
            401,
            r#"{"message":"no API key found in request"}"#,
        )])
    };
    let server = Server::start(denied());
    let machine = at(&server.url(), "zeev");
    let message = format!(
        "something answers at {}, but only a login can tell whether it is Zeev",
        server.url()
    );
    for (stored, hint) in [
        (false, "`crmauth login zeev` tries the credentials"),
        (true, "`crmauth token zeev` gets another one"),
    ] {
        if stored {
            server.push([Reply::json(200, zeev::DEMO.good())]);
            machine.run("login zeev").answer();
            edit(&machine, "zeev", |entry| {
                entry["expires_at"] = json!("2020-01-01T00:00:00Z")
            });
            server.push(denied());
        }
        let (code, exit, diagnosis) = found(&machine, "zeev");
        assert_eq!((code.as_str(), exit), ("no_session", 3), "{diagnosis}");
        assert_eq!(
            (&diagnosis["message"], &diagnosis["hint"]),
            (&json!(message), &json!(hint))
        );
    }
}

#[test]
fn credentials_as_far_as_they_can_be_tried() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    for system in systems() {
        let (code, exit, diagnosis) = found(&machine, system);
        assert_eq!(
            (code.as_str(), exit),
            ("no_session", 3),
            "{system}: {diagnosis}"
        );
        let message = diagnosis["message"].as_str().expect("a message");
        let known = message == "the server is the right one; there is no session yet";
        let unclear = message.contains(", but only a login can tell");
        // The others show nothing of themselves before.
        let shown = demo::of(system).recognised;
        assert_eq!((known, unclear), (shown, !shown), "{system}: {message}");
        assert_eq!(
            diagnosis["hint"],
            format!("`crmauth login {system}` tries the credentials")
        );
    }
    machine.set("GLUO_USERNAME", "nobody.here");
    let (code, _, diagnosis) = found(&machine, "gluo");
    assert_eq!(
        (code.as_str(), &diagnosis["hint"]),
        ("refused", &json!("check GLUO_USERNAME")),
        "{diagnosis}"
    );
    machine.unset("ZEEV_PASSWORD");
    let (code, exit, _) = found(&machine, "zeev");
    assert_eq!((code.as_str(), exit), ("missing_setting", 3));
    assert!(
        servers.events().iter().all(|event| event.method == "GET"),
        "a login is a POST"
    );
}

/// A challenge voids the one before it, which a login of another process or machine may be about to use.
#[test]
fn nobody_asks_for_a_challenge_while_another_logs_in() {
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    for store in [None, Some(redis.url())] {
        let challenge = canned::gluo("S1").remove(0);
        let server = Server::start(vec![challenge, Reply::Silence, no_session()]);
        let mut machine = at(&server.url(), "gluo");
        store.iter().for_each(|url| shares(&mut machine, url));
        let login = machine.begin("login gluo");
        server.wait_for(2);
        let outcome = machine.run("status gluo --check --json --timeout 4");
        assert_eq!(outcome.code, 3, "{}", outcome.stdout);
        let code = &outcome.json()[0]["diagnosis"]["code"];
        assert_eq!(code, "busy", "{}", outcome.stdout);
        // What answers there was looked at, and no more.
        assert_eq!(server.received().len(), 3);
        signal(&login, rustix::process::Signal::INT);
        assert_eq!(machine.end(login).code, 130);
    }
}

#[test]
fn an_account_that_is_locked() {
    let locked = Reply::json(423, "{}");
    let server = Server::start(
        [
            zeev::DEMO.script([Reply::json(200, zeev::DEMO.good())]),
            twice(vec![locked]),
        ]
        .concat(),
    );
    let machine = at(&server.url(), "zeev");
    machine.run("login zeev").answer();
    let (code, exit, diagnosis) = found(&machine, "zeev");
    assert_eq!((code.as_str(), exit), ("locked", 4), "{diagnosis}");
}

#[test]
fn a_session_that_is_dead_and_one_that_is_alive() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login gluo").answer();
    let outcome = machine.run("status gluo --check --json");
    assert_eq!(
        (outcome.code, &outcome.json()[0]["diagnosis"]),
        (0, &Value::Null)
    );
    servers.advance(100_000);
    let outcome = machine.run("status gluo --check --json");
    assert_eq!(
        outcome.json()[0]["diagnosis"]["message"],
        "the server has ended the session",
        "{}",
        outcome.stdout
    );
    assert_eq!(outcome.code, 3);
}

#[test]
fn a_clock_that_is_wrong() {
    let challenge =
        json!({ "token": "c0ffee", "serverTime": 1_795_000_000, "expireTime": 1_795_000_300 });
    for (minutes, words) in [
        (11, "is 10min behind the server's"),
        (-11, "is 11min ahead of the server's"),
        (6 * 60 + 1, "is 6h behind the server's"),
        (2 * 1440 + 1, "is 2 days behind the server's"),
        (-400 * 1440, "is 400 days ahead of the server's"),
    ] {
        let then = Timestamp::now() + SignedDuration::from_mins(minutes);
        let date = then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let Reply::Bytes(bytes) = no_session() else {
            panic!("an answer in whole")
        };
        let text = String::from_utf8(bytes).expect("UTF-8");
        let text = text.replacen("\r\n", &format!("\r\nDate: {date}\r\n"), 1);
        let greeting = framed(&json!({ "success": true, "result": challenge }));
        let server = Server::start(twice(vec![Reply::Bytes(text.into_bytes()), greeting]));
        let (code, exit, diagnosis) = found(&at(&server.url(), "gluo"), "gluo");
        assert_eq!((code.as_str(), exit), ("clock", 3), "{diagnosis}");
        let message = diagnosis["message"].as_str().expect("a message");
        assert!(message.ends_with(words), "{diagnosis}");
    }
}

#[test]
fn at_a_terminal_a_cause_is_told_once() {
    let machine = at("https://crm.invalid", "zeev");
    let left = Terminal::start(machine.command(&["status", "zeev", "--check"]), 80).ends();
    assert_eq!(
        (left.code, left.output.matches("crm.invalid\r\n").count()),
        (5, 1),
        "{}",
        left.output
    );
    left.line("  cannot resolve crm.invalid");
    assert!(!left.output.contains("error:"), "{}", left.output);
}
