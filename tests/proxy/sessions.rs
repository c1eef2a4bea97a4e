//! One session for all clients: obtained once, replaced where it is dead, and not again where that does harm.

use serde_json::json;

use super::*;
use crate::api::{login, machine_at};
use crate::support::machine::holds;
use crate::support::stored::{cached, edit, five, from_now, logins};
use crate::support::{Reply, Server, at_once};

/// What a dead session gets, and what the question whether it is one gets, where that is asked.
fn death(system: &str) -> Vec<Reply> {
    let demo = demo::of(system);
    let asked = !["gluo", "hellocloud"].contains(&system);
    [demo.dead()]
        .into_iter()
        .chain(asked.then(|| demo.dead()))
        .collect()
}

#[test]
fn fifty_clients_over_an_empty_store_are_one_login() {
    for system in systems() {
        let (servers, machine) = five();
        let gateway = Gateway::start(&machine, system);
        let path = match system {
            "gluo" => "/webservice.php?operation=listtypes",
            "systemsway" => "/api/Usuario/{session}",
            "hellocloud" => "/Api/V8/current-user",
            _ => "/nothing",
        };
        let together = Barrier::new(50);
        at_once(0..50, |_| {
            together.wait();
            let status = gateway.get(path).status;
            assert!([200, 404].contains(&status), "{system}: {status}");
        });
        assert_eq!(logins(&servers), 1, "{system}");
        let said = gateway.end().stderr;
        let logins = said.matches(", new session\n").count();
        assert_eq!(logins, 1, "{system}: {said}");
    }
}

#[test]
fn a_dead_session_is_replaced_and_the_request_repeated() {
    for system in systems().into_iter().filter(|system| *system != "broker") {
        for method in ["GET", "POST"] {
            let (server, machine, before) = logged_in(system, death(system));
            server.push(login(system, "Nw2token"));
            server.push([ok("done"), ok("again")]);
            let gateway = Gateway::start(&machine, system);
            let body = (method == "POST").then(|| b"a=1".to_vec());
            let reply = gateway.send(method, path(system), &[("Content-Type", "text/x")], body);
            let told = (reply.status, reply.text());
            assert_eq!(told, (200, "done"), "{system} {method}");
            assert_eq!(gateway.get(path(system)).text(), "again", "{system}");
            gateway.end().says(&[", new session\n"]);
            assert_eq!(cached(&machine, system), "Nw2token");
            let sent = server.received().split_off(before);
            let again = &sent[sent.len() - 2];
            let body = if method == "POST" { "a=1" } else { "" };
            assert_eq!((&*again.method, &*again.body), (method, body));
        }
    }
}

#[test]
fn what_may_have_been_done_is_not_repeated() {
    // PHP died over the request: perhaps the session is dead, and perhaps a part was done.
    let crash = || Reply::with_headers(500, &[], "");
    let (server, machine, before) = logged_in("gluo", [crash()]);
    server.push([demo::of("gluo").dead()]);
    server.push(login("gluo", "Nw2token"));
    let gateway = Gateway::start(&machine, "gluo");
    let reply = gateway.post("/x", "text/x", "a=1");
    assert_eq!((reply.status, reply.body.len()), (500, 0));
    let texts = ["warning: gluo: ", "not repeated", ", new session\n"];
    gateway.end().says(&texts);
    let sent = server.received().split_off(before);
    let posts = sent.iter().filter(|request| request.body == "a=1");
    assert_eq!(posts.count(), 1);
}

#[test]
fn a_body_too_large_to_be_kept_is_not_repeated() {
    for (length, repeated) in [(1024 * 1024, true), (1024 * 1024 + 1, false)] {
        for chunked in [false, true] {
            let (server, machine, before) = logged_in("hellocloud", death("hellocloud"));
            server.push(login("hellocloud", "Nw2token"));
            server.push([ok("done")]);
            if !repeated && chunked {
                // The scripted server reads no chunks.
                server.left_over();
                continue;
            }
            let gateway = Gateway::start(&machine, "hellocloud");
            let body = "x".repeat(length);
            let status = if chunked {
                let answer = gateway.raw(&format!(
                    "POST BASE/x HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                     {length:x}\r\n{body}\r\n0\r\n\r\n"
                ));
                answer[9..12].parse().expect("a status")
            } else {
                let reply = gateway.post("/x", "text/x", body);
                if !repeated {
                    assert!(error(&reply).1.contains("too large"));
                    assert!(reply.json()["error"]["hint"].to_string().contains("again"));
                    assert_eq!(gateway.get("/x").text(), "done");
                }
                reply.status
            };
            assert_eq!(status, if repeated { 200 } else { 401 }, "{length}");
            gateway.end();
            let sent = server.received().split_off(before);
            let posts = sent.iter().filter(|request| request.body.len() == length);
            assert_eq!(posts.count(), if repeated { 2 } else { 1 });
        }
    }
}

#[test]
fn posts_over_dying_sessions_are_executed_once_each() {
    let (servers, machine) = five();
    let gateway = Gateway::start(&machine, "gluo");
    for number in 0..12 {
        if number % 3 == 2 {
            servers.advance(86_400);
        }
        let element = json!({"lastname": format!("Nr{number}"), "assigned_user_id": "19x1"});
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("operation", "create")
            .append_pair("elementType", "Contacts")
            .append_pair("element", &element.to_string())
            .finish();
        let reply = gateway.post("/webservice.php", "application/x-www-form-urlencoded", form);
        assert_eq!(reply.json()["success"], true, "{}", reply.text());
    }
    for number in 0..12 {
        let name = format!("Nr{number}");
        let found = servers.gluo(move |gluo| gluo.count("Contacts", "lastname", &name));
        assert_eq!(found, 1, "{number}");
    }
    let said = gateway.end().stderr;
    assert_eq!(said.matches("new session").count(), 5, "{said}");
}

#[test]
fn a_refused_login_is_not_tried_again() {
    for system in systems() {
        let server = Server::start(Vec::new());
        let refusal = match system {
            "gluo" => r#"{"success":false,"error":{"code":"ACCESS_DENIED","message":"no"}}"#,
            "systemsway" => r#"{"Status":"ERROR","codigo":"01","idSessao":"NA"}"#,
            "broker" => r#"{"CodigoRetorno":0,"Mensagem":"no"}"#,
            "hellocloud" => r#"{"error":"invalid_client","message":"no"}"#,
            _ => r#"{"message":"no"}"#,
        };
        let good = ["gluo", "systemsway", "broker"].contains(&system);
        server.rest(Reply::json(if good { 200 } else { 401 }, refusal));
        let machine = machine_at(&server);
        let gateway = Gateway::start(&machine, system);
        let first = gateway.get(path(system));
        assert_eq!(error(&first).0, 401, "{system}: {}", first.text());
        let sent = server.received().len();
        at_once(0..8, |_| {
            let reply = gateway.post(path(system), "text/x", "a=1");
            let told = (reply.status, reply.text());
            assert_eq!(told, (401, first.text()), "{system}");
        });
        assert_eq!(server.received().len(), sent, "{system}");
        gateway.end();
    }
}

#[test]
fn a_refused_login_after_a_death_is_not_tried_again_either() {
    let (server, machine, _) = logged_in("zeev", death("zeev"));
    server.push([Reply::json(401, r#"{"message":"no"}"#)]);
    let gateway = Gateway::start(&machine, "zeev");
    let first = gateway.get("/x");
    assert_eq!(first.status, 401);
    error(&first);
    let sent = server.received().len();
    assert_eq!(gateway.get("/x").text(), first.text());
    // Nor is the dead session sent again.
    assert_eq!(server.received().len(), sent);
    gateway.end();
}

#[test]
fn clients_who_wait_share_a_failed_login() {
    let gate = Arc::new(Barrier::new(2));
    let failed = Reply::http(503, "text/html", "<html>").together(&gate);
    let server = Server::start(vec![failed]);
    let machine = machine_at(&server);
    let gateway = Gateway::start(&machine, "zeev");
    let mut streams: Vec<_> = (0..6).map(|_| gateway.connect()).collect();
    for stream in &mut streams {
        gateway.write(stream, "GET BASE/x HTTP/1.1\r\nHost: HOST\r\n\r\n");
    }
    server.wait_for(1);
    while unread(&gateway) > 0 {
        std::thread::yield_now();
    }
    gate.wait();
    for stream in &mut streams {
        assert!(answer(stream).0.starts_with("HTTP/1.1 502 "));
    }
    gateway.end();
}

/// How many connections to a gateway it has not accepted, or not read all of.
fn unread(gateway: &Gateway) -> usize {
    let port = gateway.host().rsplit(':').next().expect("a port");
    let local = format!(":{:04X}", port.parse::<u16>().expect("a port"));
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
    let lines = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = lines.filter(|fields| fields[1].ends_with(&local));
    ours.filter(|fields| !fields[4].ends_with(":00000000"))
        .count()
}

#[test]
fn a_single_seat_that_others_take_is_not_fought_for() {
    let (server, machine, _) = logged_in("systemsway", [ok("[]")]);
    let gateway = Gateway::start(&machine, "systemsway");
    let path = path("systemsway");
    assert_eq!(gateway.get(path).status, 200);
    server.push(death("systemsway"));
    server.push(login("systemsway", "Nw2token"));
    server.push([ok("[2]")]);
    assert_eq!(gateway.get(path).text(), "[2]", "the first one is replaced");
    server.push(death("systemsway"));
    let reply = gateway.get(path);
    let (status, message) = error(&reply);
    assert_eq!(status, 401);
    holds(&message, &["somebody else logs in as this user"]);
    let sent = server.received().len();
    assert_eq!(gateway.get(path).text(), reply.text());
    assert_eq!(server.received().len(), sent);
    gateway.end();
}

#[test]
fn a_session_is_renewed_in_time_and_a_short_one_used_up() {
    let (server, machine, before) = logged_in("hellocloud", []);
    edit(&machine, "hellocloud", |entry| {
        entry["expires_at"] = from_now(30)
    });
    server.push(login("hellocloud", "Nw2token"));
    server.push([ok("one"), ok("two")]);
    let gateway = Gateway::start(&machine, "hellocloud");
    assert_eq!(gateway.get("/x").text(), "one");
    assert_eq!(gateway.get("/x").text(), "two");
    gateway.end();
    assert_eq!(server.received().len() - before, 3);
    // The server's sessions last 40 s, less than asked for.
    let short = r#"{"token_type":"Bearer","expires_in":40,"access_token":"Sh3token"}"#;
    let server = Server::start(vec![Reply::json(200, short), ok("one"), ok("two")]);
    let machine = machine_at(&server);
    let gateway = Gateway::start(&machine, "hellocloud");
    assert_eq!(gateway.get("/x").text(), "one");
    assert_eq!(gateway.get("/x").text(), "two");
    gateway.end();
}

#[test]
fn a_session_that_another_run_stored_is_taken() {
    let (server, machine, _) = logged_in("zeev", [ok("one")]);
    let gateway = Gateway::start(&machine, "zeev");
    assert_eq!(gateway.get("/x").text(), "one");
    server.push(login("zeev", "Nw2token"));
    machine.run("login zeev").answer();
    server.push([demo::of("zeev").dead(), ok("two")]);
    assert_eq!(gateway.get("/x").text(), "two");
    gateway.end();
    let last = server.received().pop().expect("a request");
    assert_eq!(last.header("authorization"), Some("Bearer Nw2token"));
}

#[test]
fn what_is_missing_is_said_before_it_listens() {
    let machine = Machine::new();
    machine.fails("proxy zeev", 2, &["error: zeev: ", "ZEEV_URL", "hint: "]);
    machine.fails("proxy nosuch", 2, &["nosuch"]);
    machine.fails("proxy gluo --as ana", 2, &["--as"]);
    let (_server, mut machine, _) = logged_in("zeev", [ok("in")]);
    machine.unset("ZEEV_PASSWORD");
    let gateway = Gateway::start(&machine, "zeev");
    // A stored session does without.
    assert_eq!(gateway.get("/x").text(), "in");
    gateway.end();
    machine.run("logout zeev --local");
    machine.run("proxy zeev").fails(2, &["ZEEV_PASSWORD"]);
}
