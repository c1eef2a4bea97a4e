//! What holds for every provider: which answers are none, what is sent how often and to whom, what is said.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crmauth::secret::hex;
use md5::Digest;
use serde_json::Value;

use crate::support::server::{FullListener, Nobody};
use crate::support::tls::Authority;
use crate::support::{Demo, Machine, Outcome, Reply, Server, at_once, demo};

/// Logs in to every provider at once, each one's last step answered with `reply`.
fn every_login(reply: impl Fn(&Demo) -> Reply + Sync, check: impl Fn(&Demo, &Server, &Outcome) + Sync) {
    each(|demo| {
        let script = demo.script([reply(demo)]);
        let steps = script.len();
        let server = Server::start(script);
        let outcome = demo.machine(&server.url()).run(&format!("login {}", demo.id));
        check(demo, &server, &outcome);
        assert_eq!(server.received().len(), steps, "{}: each step is sent once", demo.id);
    });
}

/// Every provider at once.
fn each(work: impl Fn(&'static Demo) + Sync) {
    at_once(demo::ALL, work);
}

/// Every login fails with this exit code; stderr holds these texts, the target, the host and a next step.
fn every_login_fails(reply: impl Fn(&Demo) -> Reply + Sync, code: i32, texts: &[&str]) {
    every_login(reply, |demo, server, outcome| {
        outcome
            .fails(code, texts)
            .fails(code, &[&format!("error: {}: ", demo.id), &server.host(), "\nhint: "]);
    });
}

/// Every login works; stderr holds these texts, or nothing.
fn every_login_works(reply: impl Fn(&Demo) -> Reply + Sync, warning: &str) {
    every_login(reply, |demo, _, outcome| {
        assert_eq!((outcome.code, outcome.stdout.trim_end()), (0, demo.token), "{}", outcome.stderr);
        assert_eq!(outcome.stderr, warning.replace("ID", demo.id));
    });
}

/// A server that counts who connects, and answers nothing.
fn bystander() -> Server {
    Server::start(Vec::new())
}

#[test]
fn a_good_answer_is_a_session() {
    every_login_works(|demo| Reply::json(200, demo.good()), "");
}

#[test]
fn the_body_decides_and_not_its_type() {
    for content_type in ["text/plain", "text/html; charset=UTF-8", "application/octet-stream", ""] {
        every_login_works(|demo| Reply::http(200, content_type, demo.good()), "");
    }
}

#[test]
fn other_good_statuses_and_interim_answers_are_no_fault() {
    every_login_works(|demo| Reply::json(201, demo.good()), "");
    every_login_works(
        |demo| {
            let good = demo.good();
            let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: ";
            Reply::Bytes(format!("{head}{}\r\n\r\n{good}", good.len()).into())
        },
        "",
    );
}

#[test]
fn a_cookie_is_no_session() {
    every_login_fails(
        |demo| {
            Reply::with_headers(200, &[("Set-Cookie", &format!("PHPSESSID={}; path=/", demo.token))], "{}")
        },
        6,
        &["base URL"],
    );
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    every_login_works(|demo| Reply::json(200, ["\u{feff}", &demo.good()].concat()), "");
}

#[test]
fn text_of_php_around_the_answer_is_a_warning_that_does_not_show_it() {
    let warning = "warning: ID: the server printed text around its JSON (PHP display_errors?)\n";
    let notice = |demo: &Demo| {
        let secret = demo.secret.1;
        format!("<br />\n<b>Warning</b>: {secret} in <b>/var/www/private.php</b> on line <b>3</b><br />\n")
    };
    every_login_works(|demo| Reply::json(200, [notice(demo), demo.good()].concat()), warning);
    every_login_works(|demo| Reply::json(200, [demo.good(), notice(demo)].concat()), warning);
    let demo = &demo::GLUO;
    let server = Server::start(demo.script([Reply::json(200, [notice(demo), demo.good()].concat())]));
    assert_eq!(demo.machine(&server.url()).run("login gluo -q").answer().trim_end(), demo.token);
}

#[test]
fn statuses() {
    for (status, code, text) in [
        (401, 4, "refused the request (HTTP 401)"),
        (403, 4, "refused the request (HTTP 403)"),
        (423, 4, "the account is locked (HTTP 423)"),
        (405, 6, "has no such API at "),
        (410, 6, "has no such API at "),
        (400, 6, "answered HTTP 400"),
        (409, 6, "answered HTTP 409"),
        (422, 6, "answered HTTP 422"),
        (500, 6, "answered HTTP 500"),
        (408, 5, "timed out waiting for the request (HTTP 408)"),
        (429, 5, "is rate limited: too many requests (HTTP 429)"),
        (502, 5, "is unavailable for now (HTTP 502)"),
        (503, 5, "is unavailable for now (HTTP 503)"),
        (504, 5, "is unavailable for now (HTTP 504)"),
    ] {
        let page = |demo: &Demo| format!("<html><p>{}</p></html>", demo.secret.1);
        every_login_fails(|demo| Reply::http(status, "text/html", page(demo)), code, &[text]);
    }
}

#[test]
fn a_refusal_names_the_variables_to_check() {
    every_login(
        |_| Reply::json(401, "{}"),
        |demo, _, outcome| {
            outcome.fails(4, &["hint: check ", demo.secret.0]);
        },
    );
}

#[test]
fn what_a_server_says_becomes_one_short_harmless_line() {
    let message = format!("caf\u{e9}\r\n::error::x ##vso[task.x]y\u{1b}[31m\u{202e}{}", "z".repeat(5000));
    let body = serde_json::json!({ "message": message }).to_string();
    every_login(
        |_| Reply::json(403, &body),
        |_, server, outcome| {
            let said = format!(
                "{} refused the request (HTTP 403): caf\u{e9} : :error: :x # #vso[task.x]y [31m zzz",
                server.host()
            );
            outcome.fails(4, &[&said]);
            let (line, _) = outcome.stderr.split_once('\n').expect("a line");
            assert!(line.chars().count() < 400 && line.ends_with('\u{2026}'), "{line}");
        },
    );
}

/// A secret as servers and proxies write it.
fn forms(secret: &str) -> Vec<String> {
    let hashes = [
        hex(&md5::Md5::digest(secret)),
        hex(&sha1::Sha1::digest(secret)),
        hex(&sha2::Sha256::digest(secret)),
    ];
    let html: String = secret.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let json: String = secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let basic = STANDARD.encode(format!("user:{secret}"));
    let upper = hashes.clone().map(|hash| hash.to_uppercase());
    [secret.to_owned(), STANDARD.encode(secret), basic, html, json, percent]
        .into_iter()
        .chain(hashes)
        .chain(upper)
        .collect()
}

#[test]
fn a_secret_that_a_server_echoes_is_blanked_in_every_form() {
    every_login(
        |demo| {
            let echo = forms(demo.secret.1).join(" | ");
            Reply::json(403, serde_json::json!({ "message": format!("<{echo}>") }).to_string())
        },
        |demo, _, outcome| {
            outcome.fails(4, &["refused the request (HTTP 403): <*** | "]);
            for form in forms(demo.secret.1) {
                assert!(!outcome.stderr.contains(&form[..form.len().min(12)]), "{form}: {}", outcome.stderr);
            }
        },
    );
}

#[test]
fn a_wrong_url_is_named() {
    each(|demo| {
        let missing = Reply::http(404, "text/html", "<html>Not Found</html>");
        // HelloCloud has a second path to try.
        let tries = if demo.id == "hellocloud" { 2 } else { 1 };
        let server = Server::start(demo.script(vec![missing; tries]));
        let outcome = demo.machine(&server.url()).run(&format!("login {}", demo.id));
        outcome.fails(6, &["has no such API at /", "(HTTP 404)", &demo.variable("URL"), &server.host()]);
        assert!(
            !outcome.stderr.contains('?') || !outcome.stderr.contains("operation="),
            "{}",
            outcome.stderr
        );
    });
}

#[test]
fn a_page_is_no_answer_even_if_it_echoes_the_password() {
    for start in ["<!DOCTYPE html>\n<html>", "<HTML>", "<form method=post>"] {
        let page = |demo: &Demo| {
            let json = demo.good();
            format!("{start}<input type=password value=\"{}\"> <script>x = {json}</script>", demo.secret.1)
        };
        every_login_fails(
            |demo| Reply::http(200, "text/html", page(demo)),
            6,
            &["sent HTML instead of JSON", "base URL"],
        );
    }
}

#[test]
fn no_redirect_is_followed() {
    let other = bystander();
    let elsewhere = format!("{}/crm/?token=x#y", other.url());
    for status in [301, 302, 303, 307, 308] {
        let headers = [("Location", &*elsewhere)];
        let shown = [format!("redirected the request (HTTP {status}): {}/crm/", other.url())];
        every_login_fails(
            |demo| Reply::with_headers(status, &headers, demo.good()),
            6,
            &[&format!("{}\nhint: no redirect is followed", shown[0])],
        );
    }
    let local = elsewhere.replace("127.0.0.1", "localhost");
    for (place, shown) in [
        ("/elsewhere/?password=x", "/elsewhere/\n"),
        (&local, "http://localhost:"),
        ("//evil.example/x", "http://evil.example/x"),
        ("javascript:alert(1)", "a javascript: address"),
        ("https://user:pw@evil.example/", "https://evil.example/"),
        ("http://[", "something that is no URL"),
        ("/\u{e9}", "redirected without saying where (HTTP 307)"),
    ] {
        let headers = [("Location", place), ("Content-Type", "text/html")];
        every_login_fails(|demo| Reply::with_headers(307, &headers, demo.good()), 6, &[shown]);
    }
    every_login_fails(
        |demo| Reply::json(303, demo.good()),
        6,
        &["redirected without saying where (HTTP 303)"],
    );
    assert_eq!(other.connections(), 0);
}

#[test]
fn broken_json_is_refused_and_not_shown() {
    let cut = |demo: &Demo| demo.good()[..demo.good().len() - 1].to_owned();
    let second = |demo: &Demo| demo.good() + "{}";
    let comma = |demo: &Demo| demo.good().replace(',', ",,");
    let deep = |demo: &Demo| demo.answer_with(&"[".repeat(10_000));
    let deeper = |_: &Demo| "{\"a\":".repeat(100_000);
    let closed = |demo: &Demo| demo.answer_with(&["[".repeat(5000), "]".repeat(5000)].concat());
    let broken: [&(dyn Fn(&Demo) -> String + Sync); 6] = [&cut, &second, &comma, &deep, &deeper, &closed];
    for body in broken {
        every_login_fails(|demo| Reply::json(200, body(demo)), 6, &["sent invalid JSON at byte "]);
    }
    for (body, what) in [
        ("", "sent an empty answer"),
        ("[]", "sent an array where a JSON object was expected"),
        ("\"x\"", "sent a text where"),
        ("null", "sent null where"),
        ("Invalid request", "sent invalid JSON at byte "),
    ] {
        every_login_fails(|_| Reply::json(200, body), 6, &[what]);
    }
}

#[test]
fn a_session_of_another_type_is_named_and_not_shown() {
    for (value, kind) in [
        ("8125663091", "a number"),
        ("[\"x\"]", "an array"),
        ("{\"x\":1}", "an object"),
        ("true", "true or false"),
    ] {
        every_login(
            |demo| Reply::json(200, demo.answer_with(value)),
            |demo, _, outcome| {
                let text = format!("has {kind} in `{}` where a text was expected", demo.field);
                outcome.fails(6, &[&text]);
                assert!(!outcome.stderr.contains("8125663091"), "{}", outcome.stderr);
            },
        );
    }
}

#[test]
fn a_session_that_is_none_is_refused() {
    for value in ["null", "\"\"", "\" \"", "\"null\"", "\"NULL\"", "\"NA\"", "\"undefined\""] {
        every_login_fails(
            |demo| Reply::json(200, demo.answer_with(value)),
            6,
            &["there is no session in the"],
        );
    }
}

#[test]
fn a_session_that_no_header_could_carry_is_refused() {
    let long = format!("\"{}\"", "x".repeat(8193));
    for (value, text) in [
        (r#""abc\ndef""#, "a control character at index 3"),
        (r#""abc\r""#, "a control character at index 3"),
        (r#""\u001b[31m""#, "a control character at index 0"),
        (r#""a\u0000b""#, "a control character at index 1"),
        (r#""a b""#, "a space at index 1"),
        ("\"ab\u{e9}\"", "a character that is not ASCII at index 2"),
        (&long, "is too long (8193 bytes, 8192 at most)"),
    ] {
        every_login_fails(|demo| Reply::json(200, demo.answer_with(value)), 6, &[text]);
    }
}

#[test]
fn a_compressed_answer_is_refused() {
    for encoding in ["gzip", "br", "deflate"] {
        let headers = [("Content-Encoding", encoding), ("Content-Type", "application/json")];
        every_login_fails(
            |demo| Reply::with_headers(200, &headers, demo.good()),
            6,
            &["sent a compressed answer, which was not asked for"],
        );
    }
}

#[test]
fn an_answer_ends_at_one_mebibyte() {
    every_login_fails(|_| Reply::json(200, vec![b' '; 1024 * 1024 + 1]), 6, &["is larger than 1 MiB"]);
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"8000\r\n".to_vec(), vec![b' '; 0x8000], b"\r\n".to_vec()].concat();
    every_login_fails(|_| Reply::Endless(head.clone(), chunk.clone()), 6, &["is larger than 1 MiB"]);
    // Padding up to the limit is no fault.
    every_login_works(
        |demo| {
            let good = demo.good();
            Reply::json(200, [" ".repeat(1024 * 1024 - good.len()), good].concat())
        },
        "",
    );
}

#[test]
fn endless_headers_end() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let line = [b"X: ".to_vec(), vec![b'x'; 1000], b"\r\n".to_vec()].concat();
    every_login_fails(|_| Reply::Endless(head.clone(), line.clone()), 6, &["too large headers"]);
}

#[test]
fn another_protocol_is_not_http() {
    for bytes in
        [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], b"220 mail.example ESMTP\r\n", b"\x15\x03\x03\x00\x02\x02\x28"]
    {
        every_login_fails(|_| Reply::Last(bytes.to_vec()), 6, &["is not an HTTP server"]);
    }
}

#[test]
fn a_server_that_speaks_first_is_not_http() {
    each(|demo| {
        let server = Server::greeting(b"SSH-2.0-OpenSSH_9.6\r\n");
        let outcome = demo.machine(&server.url()).run(&format!("login {}", demo.id));
        outcome.fails(6, &["is not an HTTP server", &server.host(), "\nhint: "]);
    });
}

#[test]
fn a_connection_that_breaks_may_have_worked() {
    for reply in
        [Reply::Last(Vec::new()), Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), Reply::Reset]
    {
        every_login_fails(
            |_| reply.clone(),
            5,
            &["closed the connection before answering; the login may have taken effect"],
        );
    }
    let cut = |demo: &Demo| {
        let body = demo.good();
        Reply::Last(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len() + 1).into())
    };
    every_login_fails(cut, 5, &["answer was cut short; the login may have taken effect"]);
    let chunked = |demo: &Demo| {
        let body = demo.good();
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked";
        Reply::Last(format!("{head}\r\n\r\n{:x}\r\n{body}\r\n", body.len()).into())
    };
    every_login_fails(chunked, 5, &["answer was cut short; the login may have taken effect"]);
}

#[test]
fn a_silent_server_is_waited_for_as_long_as_asked() {
    each(|demo| {
        let server = Server::start(vec![Reply::Silence]);
        let started = std::time::Instant::now();
        let outcome = demo.machine(&server.url()).run(&format!("login {} --timeout 0.5", demo.id));
        let text = format!("no answer from {} within 0.5 s", server.host());
        outcome.fails(5, &[&text, "hint: try again, or allow more time with --timeout SECONDS"]);
        assert!(started.elapsed().as_millis() >= 500);
        let told = outcome.stderr.contains("the login may have taken effect");
        assert_eq!(told, demo.id != "gluo", "a challenge changes nothing");
    });
}

#[test]
fn the_time_limit_is_for_the_whole_answer() {
    each(|demo| {
        let server = Server::start(vec![Reply::Drip(b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec(), b'x')]);
        let outcome = demo.machine(&server.url()).run(&format!("login {} --timeout 0.5", demo.id));
        outcome.fails(5, &[&format!("no answer from {} within 0.5 s", server.host())]);
    });
}

#[test]
fn nobody_listens() {
    each(|demo| {
        let nobody = Nobody::new();
        let address = nobody.host();
        let outcome = demo.machine(&format!("http://{address}")).run(&format!("login {}", demo.id));
        outcome.fails(5, &[&format!("connection refused by {address}"), &demo.variable("URL")]);
        assert!(!outcome.stderr.contains("may have taken effect"), "{}", outcome.stderr);
    });
}

#[test]
fn a_connection_that_never_comes_about_has_sent_nothing() {
    let full = FullListener::new();
    let outcome = demo::SYSTEMSWAY.machine(&full.url()).run("login systemsway --timeout 1.5");
    outcome.fails(5, &["timed out connecting to 127.0.0.1:", " after 1.2 s", "SYSTEMSWAY_URL"]);
    assert!(!outcome.stderr.contains("may have taken effect"), "{}", outcome.stderr);
}

#[test]
fn a_name_without_an_address() {
    each(|demo| {
        let outcome = demo.machine("https://x.invalid/crm").run(&format!("login {}", demo.id));
        outcome.fails(5, &["cannot resolve x.invalid", &demo.variable("URL")]);
    });
}

#[test]
fn a_wait_that_the_server_names_is_kept_once() {
    for wait in ["0", "Sat, 21 Nov 2020 20:00:00 GMT"] {
        each(|demo| {
            let busy = Reply::with_headers(429, &[("Retry-After", wait)], "");
            let server = Server::start(demo.script([busy, Reply::json(200, demo.good())]));
            let outcome = demo.machine(&server.url()).run(&format!("login {}", demo.id));
            assert_eq!(outcome.answer().trim_end(), demo.token);
        });
    }
    each(|demo| {
        let busy = Reply::with_headers(429, &[("Retry-After", "0")], "");
        let server = Server::start(demo.script([busy.clone(), busy]));
        demo.machine(&server.url()).run(&format!("login {}", demo.id)).fails(5, &["is rate limited"]);
    });
}

#[test]
fn a_wait_of_a_second_is_kept() {
    each(|demo| {
        let busy = Reply::with_headers(429, &[("Retry-After", "1")], "");
        let server = Server::start(demo.script([busy, Reply::json(200, demo.good())]));
        let started = std::time::Instant::now();
        let outcome = demo.machine(&server.url()).run(&format!("login {}", demo.id));
        assert_eq!(outcome.answer().trim_end(), demo.token);
        assert!(started.elapsed().as_secs() >= 1);
    });
}

#[test]
fn a_wait_that_does_not_fit_ends_the_run_at_once() {
    for wait in ["1000000000", "1e9", "soon", "-1", "1000000000000000000000000000000", "18446744073709551615"]
    {
        let headers = [("Retry-After", wait)];
        every_login_fails(|_| Reply::with_headers(429, &headers, ""), 5, &["is rate limited"]);
    }
    let headers = [("Retry-After", "3600")];
    every_login_fails(
        |_| Reply::with_headers(503, &headers, ""),
        5,
        &["asks to wait 3600 s before the next"],
    );
}

#[test]
fn plain_text_to_a_public_address_needs_consent() {
    each(|demo| {
        for host in ["192.0.2.1", "[2001:db8::1]", "0.0.0.0"] {
            let outcome = demo.machine(&format!("http://{host}")).run(&format!("login {}", demo.id));
            let consent = format!("{}=1", demo.variable("ALLOW_HTTP"));
            outcome.fails(2, &["readable over a public network", "https://", &consent]);
        }
    });
}

#[test]
fn errors_as_json_are_one_line_with_the_contracts_fields() {
    each(|demo| {
        let server = Server::start(demo.script([Reply::json(401, r#"{"message":"no \u0022way\u0022"}"#)]));
        let outcome = demo.machine(&server.url()).run(&format!("login {} --json", demo.id));
        outcome.fails(4, &[]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        let error: Value = serde_json::from_str(&outcome.stderr).expect("JSON");
        let hint = error["error"]["hint"].as_str().expect("a hint").to_owned();
        assert!(hint.contains(demo.secret.0), "{hint}");
        let message = format!("{} refused the request (HTTP 401): no \"way\"", server.host());
        assert_eq!(
            error,
            serde_json::json!({"error": {"code": "refused", "exit": 4, "target": demo.id, "message": message,
                "hint": hint, "http_status": 401, "retryable": false}})
        );
    });
}

#[test]
fn json_tells_what_may_be_tried_again() {
    let nobody = Nobody::new();
    let address = nobody.host();
    let machine = demo::ZEEV.machine(&format!("http://{address}"));
    let error: Value = serde_json::from_str(&machine.run("login zeev --json").stderr).expect("JSON");
    let error = &error["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&"connect".into(), &true.into()));
    assert_eq!(error["http_status"], Value::Null);
}

/// Logs in over TLS, with the authority's certificate trusted or not.
fn tls_login(demo: &Demo, server: &Server, url: &str, trusted: Option<&Authority>) -> Outcome {
    let machine = demo.machine(url);
    let outcome = match trusted {
        None => machine.run(&format!("login {} --json", demo.id)),
        Some(authority) => {
            machine.write("ca.pem", authority.pem());
            machine.run(&format!("login {} --json --ca-file ca.pem", demo.id))
        }
    };
    assert_eq!(
        outcome.code == 0,
        !server.received().is_empty(),
        "nothing is sent to a server that is not trusted"
    );
    outcome
}

#[test]
fn a_ca_file_makes_its_servers_trusted() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1");
    each(|demo| {
        let server = Server::start_tls(config.clone(), demo.script([Reply::json(200, demo.good())]));
        let outcome = tls_login(demo, &server, &server.url(), Some(&authority));
        assert_eq!(outcome.json()["token"], demo.token, "{}", outcome.stderr);
        assert_eq!(outcome.json()["url"], server.url());
    });
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_ends_it() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let demo = &demo::BROKER;
    for (config, trusted, texts) in [
        (authority.server("127.0.0.1"), None, &["from an unknown issuer", "--ca-file"][..]),
        (stranger.server("127.0.0.1"), Some(&authority), &["from an unknown issuer", "--ca-file"]),
        (authority.expired("127.0.0.1"), Some(&authority), &["expired on 2020-01-01", "clock"]),
        (authority.server("other.example"), Some(&authority), &["for another name", "other.example"]),
    ] {
        let server = Server::start_tls(config, Vec::new());
        let outcome = tls_login(demo, &server, &server.url(), trusted);
        outcome.fails(5, texts).says(&[&server.host(), r#""code":"certificate""#, r#""retryable":false"#]);
        assert_eq!(server.connections(), 1, "a certificate does not change by asking again");
    }
}

#[test]
fn roots_that_the_environment_names_stand_for_the_systems() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let demo = &demo::BROKER;
    let config = authority.server("127.0.0.1");
    let files: [(&str, String); 3] = [
        ("right.pem", authority.pem().to_owned()),
        ("odd.pem", [authority.pem(), "-----BEGIN CERTIFICATE-----\nMII"].concat()),
        ("wrong.pem", stranger.pem().to_owned()),
    ];
    let unknown = Some("from an unknown issuer");
    for (variable, name, refusal) in [
        ("SSL_CERT_FILE", "right.pem", None),
        ("SSL_CERT_FILE", "odd.pem", None),
        ("SSL_CERT_FILE", "wrong.pem", unknown),
        ("SSL_CERT_FILE", "missing.pem", Some("no certificates to check servers against")),
        ("SSL_CERT_DIR", "right", None),
        ("SSL_CERT_DIR", "wrong", unknown),
    ] {
        let good = || demo.script([Reply::json(200, demo.good())]);
        let script = if refusal.is_none() { good() } else { Vec::new() };
        let server = Server::start_tls(config.clone(), script);
        let mut machine = demo.machine(&server.url());
        for (file, text) in &files {
            machine.write(file, text);
            let folder = machine.path(file.trim_end_matches(".pem"));
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::write(folder.join(file), text).expect("a file");
        }
        let path = machine.path(name);
        machine.set(variable, path.to_str().expect("UTF-8"));
        let outcome = machine.run(&format!("login {}", demo.id));
        match refusal {
            None => assert_eq!(outcome.answer().trim_end(), demo.token, "{variable} {name}"),
            Some(text) => {
                outcome.fails(5, &[text]);
            }
        }
    }
}

#[test]
fn a_downgrade_is_named() {
    let authority = Authority::new();
    let other = bystander();
    let redirect = Reply::with_headers(308, &[("Location", &other.url())], "");
    let server = Server::start_tls(authority.server("127.0.0.1"), vec![redirect]);
    let machine = demo::BROKER.machine(&server.url());
    machine.write("ca.pem", authority.pem());
    let outcome = machine.run("login broker --ca-file ca.pem");
    outcome.fails(6, &["redirected from https to http, a downgrade (HTTP 308)", &other.url()]);
    assert_eq!(other.connections(), 0);
}

#[test]
fn servers_without_tls_behind_https() {
    let greetings = [
        (&b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..], "does not speak TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak TLS"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "the alert HandshakeFailure"),
        (b"\x15\x03\x03\x00\x02\x02\x2a", "the alert BadCertificate"),
    ];
    at_once(greetings, |(greeting, text)| {
        let server = Server::greeting(greeting);
        let url = server.url().replace("http:", "https:");
        demo::ZEEV.machine(&url).run("login zeev").fails(5, &[text, &server.host(), "\nhint: "]);
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn a_ca_file_that_is_none() {
    let server = bystander();
    let machine = demo::ZEEV.machine(&server.url());
    machine.write("empty.pem", "");
    for file in ["empty.pem", "missing.pem"] {
        machine.run(&format!("login zeev --ca-file {file}")).fails(2, &["--ca-file", file]);
    }
    assert_eq!(server.connections(), 0);
}

/// The proxy's user and password, which nobody may see.
const PROXY_USER: &str = "pxUser6Tg2Yh";
const PROXY_PASSWORD: &str = "pxPass9Ik4Ol";

/// A proxy's URL with its user and password.
fn proxy_url(machine: &mut Machine, proxy: &Server) -> String {
    machine.canary(PROXY_USER).canary(PROXY_PASSWORD);
    format!("http://{PROXY_USER}:{PROXY_PASSWORD}@{}", proxy.host())
}

#[test]
fn plain_text_passes_a_proxy_by() {
    each(|demo| {
        let proxy = bystander();
        let server = Server::start(demo.script([Reply::json(200, demo.good())]));
        let mut machine = demo.machine(&server.url());
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"] {
            machine.set(name, &proxy.url());
        }
        assert_eq!(machine.run(&format!("login {}", demo.id)).answer().trim_end(), demo.token);
        assert_eq!(proxy.connections(), 0);
    });
}

#[test]
fn plain_text_goes_through_a_proxy_with_consent() {
    for (name, cgi, used) in [
        ("http_proxy", false, true),
        ("HTTP_PROXY", false, true),
        ("ALL_PROXY", false, true),
        // Under CGI it is a header of the client.
        ("HTTP_PROXY", true, false),
        ("http_proxy", true, true),
    ] {
        let demo = &demo::ZEEV;
        let good = vec![Reply::json(200, demo.good())];
        let (via_proxy, direct) = if used { (good, Vec::new()) } else { (Vec::new(), good) };
        let (proxy, server) = (Server::start(via_proxy), Server::start(direct));
        let mut machine = demo.machine(&server.url());
        let url = proxy_url(&mut machine, &proxy);
        machine.set(name, &url).set("ZEEV_ALLOW_PROXY", "1");
        if cgi {
            machine.set("REQUEST_METHOD", "GET");
        }
        assert_eq!(machine.run("login zeev -vv").says(&[]).stdout.trim_end(), demo.token);
        if used {
            let request = &proxy.received()[0];
            assert_eq!(request.target, format!("{}/api/2/tokens", server.url()));
            assert_eq!(
                request.header("proxy-authorization"),
                Some("Basic cHhVc2VyNlRnMlloOnB4UGFzczlJazRPbA==")
            );
        }
    }
}

#[test]
fn plain_text_through_a_proxy_to_who_knows_where_needs_consent_and_is_told() {
    let demo = &demo::ZEEV;
    let proxy = Server::start(vec![Reply::json(200, demo.good())]);
    let mut machine = demo.machine("http://zeev.example");
    machine.set("http_proxy", &proxy.url()).set("ZEEV_ALLOW_PROXY", "1");
    machine.run("login zeev").fails(2, &["through a proxy", "ZEEV_ALLOW_HTTP=1"]);
    assert_eq!(proxy.connections(), 0);
    let outcome = machine.set("ZEEV_ALLOW_HTTP", "1").run("login zeev");
    assert_eq!((outcome.code, outcome.stdout.trim_end()), (0, demo.token));
    outcome.says(&["warning: zeev: http://zeev.example is not encrypted"]);
}

#[test]
fn a_tunnel_through_a_proxy_shows_it_nothing() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1");
    each(|demo| {
        let server = Server::start_tls(config.clone(), demo.script([Reply::json(200, demo.good())]));
        let proxy = Server::start(vec![Reply::Tunnel(server.address())]);
        let mut machine = demo.machine(&server.url());
        machine.write("ca.pem", authority.pem());
        let url = proxy_url(&mut machine, &proxy);
        machine.set("https_proxy", url.trim_start_matches("http://"));
        let outcome = machine.run(&format!("login {} --ca-file ca.pem", demo.id));
        assert_eq!(outcome.answer().trim_end(), demo.token);
        let [connect] = &proxy.received()[..] else { panic!("one CONNECT") };
        assert_eq!((&*connect.method, &connect.target), ("CONNECT", &server.host()));
        assert!(server.received().iter().all(|request| request.header("proxy-authorization").is_none()));
    });
}

#[test]
fn no_proxy_is_honoured() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1");
    let demo = &demo::ZEEV;
    for no in ["127.0.0.1", "*", "other.example, 127.0.0.0/8"] {
        let server = Server::start_tls(config.clone(), vec![Reply::json(200, demo.good())]);
        let proxy = bystander();
        let mut machine = demo.machine(&server.url());
        machine.write("ca.pem", authority.pem());
        machine.set("https_proxy", &proxy.url()).set("no_proxy", no);
        assert_eq!(machine.run("login zeev --ca-file ca.pem").answer().trim_end(), demo.token, "{no}");
        assert_eq!(proxy.connections(), 0);
    }
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_user() {
    at_once([403, 407, 502], |status| {
        let refusal = Reply::http(status, "text/html", format!("<p>{PROXY_PASSWORD}</p>"));
        let proxy = Server::start(vec![refusal.clone(), refusal]);
        let mut machine = demo::ZEEV.machine("https://zeev.example");
        let url = proxy_url(&mut machine, &proxy);
        machine.set("https_proxy", &url);
        let outcome = machine.run("login zeev -vv");
        let text = format!("cannot connect to zeev.example through the proxy {}", proxy.host());
        outcome.fails(5, &[&text, "https_proxy", "no_proxy"]);
        assert!(proxy.received().iter().all(|request| request.method == "CONNECT"));
    });
}

#[test]
fn a_proxy_that_is_away_is_named_without_its_user() {
    let nobody = Nobody::new();
    let address = nobody.host();
    let connect = format!("cannot connect to zeev.example through the proxy {address}");
    let proxies = [
        ("http", &*address, &*connect),
        ("socks5h", &address, &connect),
        ("http", "proxy.invalid:3128", "cannot resolve zeev.example or its proxy proxy.invalid:3128"),
        ("socks5h", "proxy.invalid:3128", "through the proxy proxy.invalid:3128"),
    ];
    at_once(proxies, |(scheme, proxy, text)| {
        let mut machine = demo::ZEEV.machine("https://zeev.example");
        machine.canary(PROXY_USER).canary(PROXY_PASSWORD);
        machine.set("ALL_PROXY", &format!("{scheme}://{PROXY_USER}:{PROXY_PASSWORD}@{proxy}"));
        machine.run("login zeev -vv").fails(5, &[text, "check https_proxy"]);
    });
}

#[test]
fn a_proxy_that_is_no_url() {
    for proxy in ["http://", "ftp://127.0.0.1", "http://pxUser6Tg2Yh:pxPass9Ik4Ol@[", "::"] {
        let mut machine = demo::ZEEV.machine("https://zeev.example");
        machine.set("https_proxy", proxy).canary(PROXY_USER).canary(PROXY_PASSWORD);
        machine.run("login zeev").fails(2, &["the environment's proxy is no URL", "https_proxy"]);
    }
}

#[test]
fn requests_are_seen_at_vv_without_query_or_secret() {
    each(|demo| {
        let server = Server::start(demo.script([Reply::json(200, demo.good())]));
        let mut machine = demo.machine(&server.url());
        machine.set("RUST_LOG", "trace");
        let outcome = machine.run(&format!("login {} -vv", demo.id));
        assert_eq!(outcome.stdout.trim_end(), demo.token);
        outcome.says(&[&format!("trace: {}: POST {}{}: HTTP 200", demo.id, server.url(), demo.path)]);
        assert!(!outcome.stderr.contains("operation="), "{}", outcome.stderr);
    });
}
