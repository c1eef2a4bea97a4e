//! What two servers may read in two ways is refused by its raw head, and nothing of it is sent.

use super::*;

#[test]
fn a_head_with_two_readings_is_refused() {
    let (server, machine, before) = logged_in("zeev", []);
    let gateway = Gateway::start(&machine, "zeev");
    let head = "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n";
    let body = "\r\nx=1";
    for more in [
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: a\r\n\tb\r\nContent-Length: 3\r\n",
        "X: a\r\n Content-Length: 3\r\n",
        "X: a\nContent-Length: 3\r\n",
        "X: a\rContent-Length: 3\r\n",
        "X: a\0b\r\n",
        "no colon\r\n",
        "Host: localhost\r\n",
    ] {
        let answer = gateway.raw(&[head, more, body].concat());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{more:?}: {answer}");
        assert!(
            answer.contains("{\"error\":{\"code\":\"usage\""),
            "{answer}"
        );
    }
    for line in [
        "GET http://127.0.0.1BASE/x HTTP/1.1",
        "GET http://evil.example/ HTTP/1.1",
        "CONNECT evil.example:443 HTTP/1.1",
        "GET evil.example:443 HTTP/1.1",
        // Its answer would show the session.
        "TRACE BASE/x HTTP/1.1",
        "GET  BASE/x HTTP/1.1",
        "GET BASE/x  HTTP/1.1",
        "GET BASE/x y HTTP/1.1",
        "GET BASE/x HTTP/1.2",
        "GET BASE/x HTTP/2.0",
        "GET BASE/x",
        "GET BASE/x#y HTTP/1.1",
        "GET BASE/\u{e9} HTTP/1.1",
    ] {
        let answer = gateway.raw(&format!("{line}\r\nHost: HOST\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{line:?}: {answer}");
    }
    for chunks in [
        "3\nx=1\r\n0\r\n\r\n",
        "3\r\nx=10\r\n\r\n0\r\n\r\n",
        "0x3\r\nx=1\r\n0\r\n\r\n",
        "3 \r\nx=1\r\n0\r\n\r\n",
        "-3\r\nx=1\r\n0\r\n\r\n",
        "ffffffffffffffff3\r\nx=1\r\n0\r\n\r\n",
        "3\r\nx=1\r\n0\r\nX: y\n\r\n",
    ] {
        let chunked = [head, "Transfer-Encoding: chunked\r\n\r\n", chunks].concat();
        let answer = gateway.raw(&chunked);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answer}");
    }
    gateway.end();
    assert_eq!(server.received().len(), before);
}

#[test]
fn no_spelling_of_a_path_leads_upwards() {
    let (server, machine, before) = logged_in("zeev", (0..4).map(|_| ok("")));
    let gateway = Gateway::start(&machine, "zeev");
    let paths = "/.. /../x /a/../../x /a/.. /%2e%2e/x /%2E./x /.%2e/x /%252e%252e/x /%25252e%25252e/x \
            /..;/x /..;a=b/x /..%3b/x /..\\x /a\\..\\x /..%5cx /%2e%2e%5cx /..%2fx /%2e%2e%2fx \
            /a%2f..%2fx /..%00/x /..%20/x /.../x /%c0%ae%c0%ae/x /..%c0%afx /a/%2e%2e?x=1 \
            /%u002e%u002e/x /%U002E./x /%25u002e%25u002e/x /%uff0e%uff0e/x /..%u2215x";
    for path in paths.split(' ') {
        let answer = gateway.raw(&format!("GET BASE{path} HTTP/1.1\r\nHost: HOST\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    for path in ["/x?to=../..", "/a..b", "/a/.well-known", "/%C3%A7%20."] {
        let close = "Host: HOST\r\nConnection: close";
        let answer = gateway.raw(&format!("GET BASE{path} HTTP/1.1\r\n{close}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    gateway.end();
    let sent = server.received().split_off(before);
    let targets: Vec<&str> = sent.iter().map(|request| request.target.as_str()).collect();
    let bases = [
        "/base/x?to=../..",
        "/base/a..b",
        "/base/a/.well-known",
        "/base/%C3%A7%20.",
    ];
    assert_eq!(targets, bases);
}

#[test]
fn a_head_of_too_many_lines_is_refused_in_words() {
    let (server, machine, before) = logged_in("zeev", [ok("")]);
    let gateway = Gateway::start(&machine, "zeev");
    for (lines, status) in [(98, "200"), (99, "431"), (1000, "431")] {
        let head = "GET BASE/x HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n";
        let answer = gateway.raw(&[head, &"X: y\r\n".repeat(lines), "\r\n"].concat());
        assert_eq!(&answer[9..12], status, "{lines}: {answer}");
        let said = answer.contains("or has more than 100 lines");
        assert_eq!(said, status == "431", "{lines}: {answer}");
    }
    gateway.end();
    assert_eq!(server.received().len() - before, 1);
}

#[test]
fn a_refused_head_ends_the_connection_and_no_request_before_it() {
    let (server, machine, before) = logged_in("zeev", [ok("one"), ok("two")]);
    let gateway = Gateway::start(&machine, "zeev");
    let good = |path: &str| format!("GET BASE/{path} HTTP/1.1\r\nHost: HOST\r\n\r\n");
    let answers = gateway.raw(&["1", "2", "..", "3"].map(good).concat());
    let statuses: Vec<&str> = answers
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answers}");
    let smuggled = "POST BASE/4 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let answers = gateway.raw(&[smuggled, &good("5")].concat());
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    gateway.end();
    assert_eq!(server.received().len() - before, 2);
}

#[test]
fn a_head_has_an_end() {
    let (_server, machine, _) = logged_in("zeev", []);
    let gateway = Gateway::start(&machine, "zeev");
    let large = "a".repeat(70_000);
    let answer = gateway.raw(&format!(
        "GET BASE/x HTTP/1.1\r\nHost: HOST\r\nX: {large}\r\n\r\n"
    ));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    gateway.end();
}
