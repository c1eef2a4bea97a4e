//! The fault matrix's rows that can strike a request which passes through the gateway, for every system: what comes back,
//! and that no session is lost, sent again or shown over it.

use super::{Gateway, error};
use crate::api::{TOKEN, logged_in, login, ok, path};
use crate::support::stored::{cached, systems};
use crate::support::{Reply, demo};

const PAGE: &str = "<html><head><title>Sign in</title></head></html>";

/// A fault, and the status that the client sees.
struct Row {
    name: &'static str,
    reply: Reply,
    status: u16,
}

fn rows() -> Vec<Row> {
    let row = |name, reply, status| Row {
        name,
        reply,
        status,
    };
    let head = |head: &str| Reply::Last(format!("HTTP/1.1 {head}\r\n\r\n").into_bytes());
    let page = |status, headers: &[(&str, &str)]| {
        let html = [&[("Content-Type", "text/html")][..], headers].concat();
        Reply::with_headers(status, &html, PAGE)
    };
    vec![
        row("reset", Reply::Reset, 502),
        row("no answer", Reply::Silence, 504),
        row(
            "end in the head",
            Reply::Last(b"HTTP/1.1 200 OK\r\nConte".to_vec()),
            502,
        ),
        row("not HTTP", Reply::Last(b"220 smtp ready\r\n".to_vec()), 502),
        row(
            "an upgrade nobody asked for",
            head("101 Switching\r\nUpgrade: x\r\nConnection: upgrade"),
            502,
        ),
        row("a page", page(200, &[]), 200),
        row(
            "compressed, unasked",
            Reply::with_headers(200, &[("Content-Encoding", "gzip")], b"\x1f\x8b\x08\0"),
            200,
        ),
        row("a byte order mark", ok("\u{feff}{\"a\":1}"), 200),
        row(
            "PHP's warning",
            ok("<br />\n<b>Warning</b>: x in <b>/a.php</b> on line <b>1</b><br />\n{\"a\":1}"),
            200,
        ),
        row("cut JSON", ok("{\"a\":"), 200),
        row("deep JSON", ok("[".repeat(10_000)), 200),
        row("nothing", ok(""), 200),
        row(
            "a redirect",
            Reply::with_headers(302, &[("Location", "https://evil.example/")], ""),
            302,
        ),
        row(
            "401 of a proxy",
            page(401, &[("WWW-Authenticate", "Basic realm=\"x\"")]),
            401,
        ),
        row("401 as a page", page(401, &[]), 401),
        row("403", page(403, &[]), 403),
        row("404", Reply::json(404, "{}"), 404),
        row("408", page(408, &[]), 408),
        row("423", Reply::json(423, "{}"), 423),
        row(
            "429",
            Reply::with_headers(429, &[("Retry-After", "1")], ""),
            429,
        ),
        row("500", page(500, &[]), 500),
        row("502", page(502, &[]), 502),
        row("503", page(503, &[("Retry-After", "9")]), 503),
        row("504", page(504, &[]), 504),
    ]
}

#[test]
fn whatever_stands_between_passes_and_costs_no_session() {
    for system in systems() {
        for method in ["GET", "POST"] {
            let (server, mut machine, before) = logged_in(system, []);
            machine.canary(TOKEN);
            let gateway = Gateway::start(&machine, &format!("{system} --timeout 1"));
            let mut sent = 0;
            for row in rows() {
                let what = format!("{system} {method} {}", row.name);
                server.push([row.reply.clone()]);
                sent += 1;
                let body = (method == "POST").then(|| b"a=1".to_vec());
                let reply = gateway.send(method, path(system), &[], body);
                assert_eq!(reply.status, row.status, "{what}: {:?}", reply.body);
                match &row.reply {
                    Reply::Bytes(bytes) => {
                        let end = bytes.windows(4).position(|at| at == b"\r\n\r\n");
                        assert_eq!(reply.body, bytes[end.expect("a head") + 4..], "{what}");
                    }
                    _ => {
                        error(&reply);
                    }
                }
            }
            server.push([ok("still")]);
            assert_eq!(gateway.get(path(system)).text(), "still", "{system}");
            gateway.end();
            assert_eq!(server.received().len() - before, sent + 1);
            assert_eq!(cached(&machine, system), TOKEN);
        }
    }
}

#[test]
fn an_answer_that_is_cut_is_cut_for_the_client_too() {
    for system in systems() {
        let cut = |body: String| {
            Reply::Last(
                format!("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n{body}").into_bytes(),
            )
        };
        let (_server, machine, _) =
            logged_in(system, [cut("{\"a\"".to_owned()), cut("x".repeat(100_000))]);
        let gateway = Gateway::start(&machine, system);
        let reads = demo::of(system).spec().placement.place() != "header";
        let request = format!(
            "GET BASE{} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
            path(system)
        );
        let answer = gateway.raw(&request);
        let expected = if reads {
            "HTTP/1.1 502 "
        } else {
            "HTTP/1.1 200 "
        };
        assert!(answer.starts_with(expected), "{system}: {answer}");
        let answer = gateway.raw(&request);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.len() < 150_000,
            "{system}"
        );
        gateway.end();
    }
}

#[test]
fn a_login_that_fails_is_an_error_of_ours() {
    for system in systems() {
        for (reply, status) in [
            (Reply::Reset, 502),
            (Reply::Silence, 504),
            (Reply::http(200, "text/html", PAGE), 502),
            (Reply::http(503, "text/html", PAGE), 502),
            (
                Reply::with_headers(302, &[("Location", "https://evil.example/")], ""),
                502,
            ),
        ] {
            let server = crate::support::Server::start(Vec::new());
            server.rest(reply.clone());
            let mut machine = crate::api::machine_at(&server);
            machine.canary(TOKEN);
            let gateway = Gateway::start(&machine, &format!("{system} --timeout 1"));
            let reply_to_client = gateway.get(path(system));
            assert_eq!(error(&reply_to_client).0, status, "{system} {reply:?}");
            gateway.end();
            // It may work the next time.
            server.door(crate::support::server::Door::Plain);
            server.push(login(system, TOKEN));
            server.push([ok("in")]);
            let gateway = Gateway::start(&machine, system);
            assert_eq!(gateway.get(path(system)).text(), "in", "{system}");
            gateway.end();
        }
    }
}
