//! Who may use the gateway, and for what: everything else is refused before anything is asked of a server.

use std::os::unix::fs::FileTypeExt;

use super::*;
use crate::support::machine::{installed, mode};

#[test]
fn hosts_and_origins_of_others_are_refused() {
    let (server, machine, before) = logged_in("zeev", (0..12).map(|_| ok("in")));
    let gateway = Gateway::start(&machine, "zeev");
    let port = gateway.host().split(':').nth(1).expect("a port").to_owned();
    for (host, status) in [
        ("127.0.0.1", 200),
        ("127.8.9.10:1", 200),
        ("localhost", 200),
        ("LocalHost:PORT", 200),
        ("[::1]:PORT", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:PORT", 421),
        ("localhost.", 421),
        ("192.168.0.1", 421),
        ("0.0.0.0:PORT", 421),
        ("127.1", 421),
        ("2130706433", 421),
        ("", 421),
        ("::1", 421),
        ("[::1", 421),
        ("localhost@evil.example", 421),
        ("evil.example/localhost", 421),
    ] {
        let host = host.replace("PORT", &port);
        let head = format!("Host: {host}\r\nConnection: close\r\n\r\n");
        let answer = gateway.raw(&["GET BASE/x HTTP/1.1\r\n", &head].concat());
        let begin = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begin), "{host}: {answer}");
    }
    for (name, value, status) in [
        ("Origin", "http://127.0.0.1:PORT", 200),
        ("origin", "http://localhost:PORT", 200),
        ("Origin", "http://[::1]:PORT", 200),
        ("Origin", "http://127.0.0.1:1", 403),
        ("Origin", "http://127.0.0.1", 403),
        ("Origin", "https://127.0.0.1:PORT", 403),
        ("Origin", "http://evil.example:PORT", 403),
        ("Origin", "http://localhost.evil.example:PORT", 403),
        ("Origin", "null", 403),
        ("Origin", "", 403),
        ("Origin", "file://", 403),
        ("Sec-Fetch-Site", "same-origin", 200),
        ("Sec-Fetch-Site", "none", 200),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "", 403),
    ] {
        let value = value.replace("PORT", &port);
        let reply = gateway.send("GET", "/x", &[(name, &value)], None);
        assert_eq!(reply.status, status, "{name}: {value}");
        if status == 403 {
            assert_eq!(error(&reply).0, status);
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
    }
    let own = format!("http://localhost:{port}");
    let twice = [("Origin", own.as_str()), ("Origin", "http://evil.example")];
    assert_eq!(gateway.send("GET", "/x", &twice, None).status, 403);
    gateway.end();
    assert_eq!(server.received().len() - before, 10);
    server.left_over();
}

#[test]
fn only_the_printed_urls_lead_somewhere() {
    let (server, machine, before) = logged_in("zeev", (0..4).map(|_| ok("in")));
    let gateway = Gateway::start(&machine, "zeev broker");
    assert_eq!(gateway.key().len(), 32);
    assert!(gateway.urls[1].ends_with(&format!("/{}/broker", gateway.key())));
    let key = gateway.key().to_owned();
    let flipped = key.chars().rev().collect::<String>();
    for (target, status) in [
        (format!("/{key}/zeev/x"), 200),
        (format!("/{key}/zeev"), 200),
        (format!("/{key}/%7Aeev/x"), 200),
        (format!("/{flipped}/zeev/x"), 404),
        (format!("/{}/zeev/x", &key[..31]), 404),
        (format!("/{key}0/zeev/x"), 404),
        (format!("/{}/zeev/x", key.to_uppercase()), 404),
        (format!("//{key}/zeev/x"), 404),
        (format!("/{key}/gluo/x"), 404),
        (format!("/{key}/zeev@x/x"), 404),
        (format!("/{key}/zeevx"), 404),
        (format!("/{key}/"), 404),
        (format!("/{key}"), 404),
        ("/".to_owned(), 404),
        ("/zeev/x".to_owned(), 404),
        ("/?zeev".to_owned(), 404),
    ] {
        let request = raw::Request {
            method: "GET",
            target: &target,
            ..raw::Request::default()
        };
        let reply = raw::send(gateway.host(), &request);
        assert_eq!(reply.status, status, "{target}");
        if status == 404 {
            assert!(!reply.text().contains("zeev"), "{}", reply.text());
        }
    }
    gateway.end();
    let sent = server.received().split_off(before);
    let targets: Vec<&str> = sent.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/base/x", "/base/", "/base/x"]);
    server.left_over();
}

#[test]
fn read_only_passes_on_what_changes_nothing() {
    let (server, machine, before) = logged_in("zeev", (0..3).map(|_| ok("")));
    let gateway = Gateway::start(&machine, "zeev --read-only");
    for method in ["GET", "HEAD", "OPTIONS"] {
        let reply = gateway.send(method, "/x", &[], None);
        assert_eq!(reply.status, 200, "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "MKCOL", "get"] {
        let reply = gateway.send(method, "/x", &[], None);
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(reply.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    gateway.end();
    assert_eq!(server.received().len() - before, 3);
}

#[test]
fn an_upgrade_is_refused_and_its_mention_alone_is_dropped() {
    let (server, machine, before) = logged_in("zeev", [ok(""), ok("")]);
    let gateway = Gateway::start(&machine, "zeev");
    for connection in ["Upgrade", "keep-alive, upgrade", "UPGRADE,close"] {
        let answer = gateway.raw(&format!(
            "GET BASE/x HTTP/1.1\r\nHost: HOST\r\nConnection: {connection}\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n"
        ));
        assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
    }
    for more in "Upgrade: h2c|Upgrade: websocket\r\nHTTP2-Settings: AAMAAABkAAQAAP__".split('|') {
        let answer = gateway.raw(&format!(
            "GET BASE/x HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n{more}\r\n\r\n"
        ));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    gateway.end();
    for request in server.received().split_off(before) {
        assert_eq!(request.header("upgrade"), None);
    }
}

#[test]
fn it_listens_on_this_machine_alone() {
    let (_server, machine, _) = logged_in("zeev", []);
    for place in "0.0.0.0:0 [::]:0 192.0.2.1:80 10.0.0.1:0 localhost:0 8080 unix: :0 x".split(' ') {
        let run = machine.run(&format!("proxy zeev --listen {place}"));
        run.fails(2, &["error: ", "--listen", "hint: "]);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = taken.local_addr().expect("an address");
    let run = machine.run(&format!("proxy zeev --listen {place}"));
    run.fails(2, &["cannot listen", "the port is taken", "hint: "]);
}

#[test]
fn without_a_key_it_warns() {
    let (server, machine, before) = logged_in("zeev", [ok("in")]);
    let gateway = Gateway::start(&machine, "zeev --no-key");
    assert_eq!(gateway.base(), "/zeev");
    assert_eq!(gateway.get("/x").text(), "in");
    let outcome = gateway.end();
    outcome.says(&["warning: ", "every program on this machine"]);
    assert_eq!(server.received()[before].target, "/base/x");
}

#[test]
fn a_socket_is_its_owners_and_gone_at_the_end() {
    if !installed("curl") {
        return;
    }
    let (server, machine, _) = logged_in("zeev", [ok("one"), ok("two")]);
    let path = machine.path("gate.sock");
    // What a gateway that was killed has left.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    for (text, url) in [("one", "http://localhost/"), ("two", "http://localhost/")] {
        let gateway = Gateway::start(&machine, "zeev --listen unix:gate.sock");
        assert!(gateway.urls[0].starts_with(url), "{}", gateway.urls[0]);
        assert_eq!(mode(&path), 0o600);
        assert!(path.metadata().expect("a file").file_type().is_socket());
        let run = machine.run("proxy zeev --listen unix:gate.sock");
        run.fails(2, &["cannot listen at gate.sock"]);
        let script = format!("curl -sS --unix-socket gate.sock {}/x", gateway.urls[0]);
        assert_eq!(machine.shell("sh", &script).answer(), text);
        let outcome = gateway.end();
        assert!(!outcome.stderr.contains("warning"), "{outcome}");
        assert!(!path.exists());
    }
    machine.write("gate.sock", "not a socket");
    let run = machine.run("proxy zeev --listen unix:gate.sock");
    run.fails(2, &["cannot listen at gate.sock"]);
    assert_eq!(machine.text("gate.sock"), "not a socket");
    drop(server);
}
