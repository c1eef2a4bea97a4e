//! Bodies and connections: both ways as they come, kept open, in bounded memory, with slow and vanishing clients.

use std::net::TcpListener;

use super::*;
use crate::support::Reply;

const CLOSE: &str = "Host: HOST\r\nConnection: close\r\n";

/// The most memory that a gateway has taken, in KiB.
fn peak(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.child().id()));
    let status = status.expect("a process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.expect("a figure").trim().trim_end_matches(" kB");
    peak.parse().expect("a number")
}

#[test]
fn answers_come_as_the_server_sends_them() {
    for system in systems() {
        let (gate, start) = (Arc::new(Barrier::new(2)), "x".repeat(70_000));
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{start}",
            start.len() + 3
        );
        let halves = Reply::Halves(head.into_bytes(), Arc::clone(&gate), b"end".to_vec());
        let (_server, machine, _) = logged_in(system, [halves]);
        let gateway = Gateway::start(&machine, system);
        let mut stream = gateway.connect();
        gateway.write(
            &mut stream,
            &format!("GET BASE{} HTTP/1.1\r\n{CLOSE}\r\n", path(system)),
        );
        let mut read = Vec::new();
        while !read.ends_with(start.as_bytes()) {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).expect("a part");
            assert_ne!(count, 0, "{system}");
            read.extend_from_slice(&part[..count]);
        }
        gate.wait();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).expect("the rest");
        assert_eq!(rest, "end", "{system}");
        gateway.end();
    }
}

#[test]
fn a_large_body_goes_out_before_all_of_it_is_in() {
    let (server, machine, _) = logged_in("zeev", []);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    drop(server);
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let mut other = Machine::new();
    other.set("ZEEV_URL", &url).set("ZEEV_API_TOKEN", TOKEN);
    drop(machine);
    let gateway = Gateway::start(&other, "zeev");
    let served = std::thread::spawn(move || {
        // The temporary token for the permanent one, then the upload.
        let mut seen = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().expect("a client");
            loop {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read(&mut byte).is_ok_and(|read| read == 1)
                {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).expect("a head");
                if head.is_empty() {
                    break;
                }
                if head.contains("/up ") {
                    // What has come is more than is ever kept, and less than all.
                    let mut part = vec![0; 2 * 1024 * 1024];
                    stream.read_exact(&mut part).expect("a part");
                    seen.push(head);
                    stream
                        .write_all(
                            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                        )
                        .expect("a client");
                    return seen.remove(0);
                }
                let token = r#"{"userId":1,"username":"x","temporaryToken":"Tk1"}"#;
                let reply = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{token}",
                    token.len()
                );
                stream.write_all(reply.as_bytes()).expect("a client");
            }
        }
    });
    let mut stream = gateway.connect();
    gateway.write(
        &mut stream,
        &format!("POST BASE/up HTTP/1.1\r\n{CLOSE}Content-Length: 4194304\r\n\r\n"),
    );
    stream
        .write_all(&vec![b'x'; 2 * 1024 * 1024])
        .expect("a reader");
    let (head, body) = answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, b"ok");
    let head = served.join().expect("a request").to_ascii_lowercase();
    assert!(head.contains("content-length: 4194304\r\n"), "{head}");
    gateway.end();
}

#[test]
fn connections_are_kept_open_on_both_sides() {
    for system in systems() {
        let (server, machine, _) = logged_in(system, (0..20).map(|_| ok("in")));
        let before = server.connections();
        let gateway = Gateway::start(&machine, system);
        let mut stream = gateway.connect();
        for number in 0..20 {
            let request = match number % 2 {
                0 => format!("GET BASE{} HTTP/1.1\r\nHost: HOST\r\n\r\n", path(system)),
                _ => format!(
                    "POST BASE{} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\n\r\na=1",
                    path(system)
                ),
            };
            gateway.write(&mut stream, &request);
            let (head, body) = answer(&mut stream);
            assert!(
                head.starts_with("HTTP/1.1 200 ") && body == b"in",
                "{system}: {head}"
            );
        }
        drop(stream);
        gateway.end();
        assert_eq!(server.connections() - before, 1, "{system}");
    }
}

#[test]
fn old_clients_chunks_heads_and_expectations() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\none\r\n0\r\nX-T: 1\r\n\r\n";
    let until_end = Reply::Last(b"HTTP/1.0 200 OK\r\n\r\nuntil the end".to_vec());
    let head = Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n".to_vec());
    let (server, machine, before) = logged_in("zeev", [
        Reply::Bytes(chunked.into()),
        Reply::Bytes(chunked.into()),
        until_end,
        head,
        Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        Reply::Bytes(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n".to_vec()),
        Reply::Bytes(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1".to_vec()),
        ok("old"),
        ok("kept"),
        ok("expected"),
        ok("chunks"),
        ok("empty"),
    ]);
    let gateway = Gateway::start(&machine, "zeev");
    let send = |text: &str| gateway.raw(text);
    let get = |method: &str| send(&format!("{method} BASE/x HTTP/1.1\r\n{CLOSE}\r\n"));
    let answer = get("GET");
    assert!(
        answer.contains("transfer-encoding: chunked\r\n")
            && answer.ends_with("3\r\none\r\n0\r\n\r\n"),
        "{answer}"
    );
    let answer = send("GET BASE/x HTTP/1.0\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("\r\n\r\none"),
        "{answer}"
    );
    assert!(get("GET").contains("until the end"));
    let answer = get("HEAD");
    assert!(
        answer.contains("content-length: 12345\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    let answer = get("GET");
    assert!(
        answer.starts_with("HTTP/1.1 204 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    let answer = get("GET");
    assert!(
        answer.starts_with("HTTP/1.1 304 ") && answer.contains("etag: x"),
        "{answer}"
    );
    assert!(get("GET").ends_with("\r\n\r\n1"));
    assert!(send("GET BASE/x HTTP/1.0\r\nHost: HOST\r\n\r\n").ends_with("\r\n\r\nold"));
    let mut stream = gateway.connect();
    gateway.write(
        &mut stream,
        "GET BASE/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    );
    assert!(
        super::answer(&mut stream)
            .0
            .contains("connection: keep-alive\r\n")
    );
    drop(stream);
    let mut stream = gateway.connect();
    gateway.write(
        &mut stream,
        &format!(
            "POST BASE/x HTTP/1.1\r\n{CLOSE}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        ),
    );
    assert!(super::answer(&mut stream).0.starts_with("HTTP/1.1 100 "));
    gateway.write(&mut stream, "a=1");
    assert_eq!(super::answer(&mut stream).1, b"expected");
    let body = "1;x=y\r\na\r\n2\r\n=1\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let answer = send(&format!(
        "POST BASE/x HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n{body}"
    ));
    assert!(answer.ends_with("chunks"), "{answer}");
    assert!(
        send(&format!(
            "POST BASE/x HTTP/1.1\r\n{CLOSE}Content-Length: 0\r\n\r\n"
        ))
        .ends_with("empty")
    );
    gateway.end();
    let sent = server.received().split_off(before);
    assert_eq!(
        (sent[9].body.as_str(), sent[9].header("expect")),
        ("a=1", None)
    );
    assert_eq!(
        (sent[10].body.as_str(), sent[10].header("x-trailer")),
        ("a=1", None)
    );
    assert_eq!(sent[11].header("content-length"), Some("0"));
}

#[test]
fn a_client_that_does_not_read_holds_the_server_back() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
    for system in systems() {
        let endless = Reply::Endless(head.clone(), chunk.clone());
        let (_server, machine, _) = logged_in(system, (0..8).map(|_| endless.clone()));
        let gateway = Gateway::start(&machine, system);
        let request = format!("GET BASE{} HTTP/1.1\r\nHost: HOST\r\n\r\n", path(system));
        let streams: Vec<_> = (0..8)
            .map(|_| {
                let mut stream = gateway.connect();
                gateway.write(&mut stream, &request);
                let mut some = vec![0; 300_000];
                stream.read_exact(&mut some).expect("a part");
                stream
            })
            .collect();
        // One of them reads on: 64 MiB.
        let mut reader = &streams[0];
        let mut part = vec![0; 1024 * 1024];
        for _ in 0..64 {
            reader.read_exact(&mut part).expect("a part");
        }
        let peak = peak(&gateway);
        assert!(peak < 40 * 1024, "{system}: {peak} KiB");
        drop(streams);
        gateway.end();
    }
}

#[test]
fn a_client_that_goes_away_ends_its_request() {
    let (server, machine, before) = logged_in("zeev", [Reply::Silence, ok("in")]);
    let gateway = Gateway::start(&machine, "zeev");
    let mut stream = gateway.connect();
    gateway.write(&mut stream, "GET BASE/x HTTP/1.1\r\nHost: HOST\r\n\r\n");
    server.wait_for(before + 1);
    drop(stream);
    assert_eq!(gateway.get("/y").text(), "in");
    gateway
        .end()
        .says(&["GET zeev /x: the client went away after "]);
}

#[test]
fn a_login_survives_the_client_that_it_was_for() {
    let gate = Arc::new(Barrier::new(2));
    let server = crate::support::Server::start(Vec::new());
    let mut replies = crate::api::login("zeev", "Nw2token");
    let last = replies.pop().expect("a reply").together(&gate);
    server.push(replies.into_iter().chain([last]));
    let machine = crate::api::machine_at(&server);
    let gateway = Gateway::start(&machine, "zeev");
    let mut stream = gateway.connect();
    gateway.write(&mut stream, "GET BASE/x HTTP/1.1\r\nHost: HOST\r\n\r\n");
    server.wait_for(1);
    drop(stream);
    gate.wait();
    server.push([ok("in")]);
    assert_eq!(gateway.get("/y").text(), "in");
    gateway.end();
    assert_eq!(server.received().len(), 2, "one login, one request");
}

#[test]
fn a_body_that_does_not_come_is_waited_for_so_long() {
    let (_server, machine, _) = logged_in("zeev", []);
    let gateway = Gateway::start(&machine, "zeev --timeout 0.5");
    let answer = gateway.raw("POST BASE/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 9\r\n\r\nabc");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    gateway.end();
}

#[test]
fn an_answer_that_stops_is_ended_and_a_slow_one_is_not() {
    let slow = Reply::Drip(
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n".to_vec(),
        b'x',
    );
    let stops = Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nxx".to_vec());
    let (_server, machine, _) = logged_in("zeev", [slow, stops]);
    let gateway = Gateway::start(&machine, "zeev --timeout 0.5");
    let request = format!("GET BASE/x HTTP/1.1\r\n{CLOSE}\r\n");
    assert!(
        gateway.raw(&request).ends_with(&"x".repeat(20)),
        "twenty parts in a second"
    );
    let cut = gateway.raw(&request);
    assert!(cut.ends_with("\r\n\r\nxx"), "{cut}");
    gateway.end();
}

#[test]
fn a_header_that_waits_costs_no_other_client() {
    let (_server, machine, _) = logged_in("zeev", [ok("in")]);
    let gateway = Gateway::start(&machine, "zeev");
    let mut slow: Vec<_> = (0..100).map(|_| gateway.connect()).collect();
    for stream in &mut slow {
        gateway.write(stream, "GET BASE/x HTTP/1.1\r\nHos");
    }
    assert_eq!(gateway.get("/x").text(), "in");
    drop(slow);
    gateway.end();
}
