//! What holds for every provider where all is well or a proxy stands between; the faults are in `faults`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crmauth::declaration::{BaseUrl, Settings, Target};
use crmauth::error::Cause;
use crmauth::http::{Channel, Http, Proxies, Request};
use crmauth::report::{Manner, Report};
use crmauth::secret::{Secret, hex};
use crmauth::tls::Trust;
use md5::Digest;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::machine::make_pipe;
use crate::support::server::Nobody;
use crate::support::stored::{entry, read};
use crate::support::tls::Authority;
use crate::support::{Demo, Machine, Outcome, Reply, Server, at, at_once, demo, digits, rows};
use crate::{broker, systemsway, zeev};

/// Logs in to every provider at once, each one's last step answered with `reply`.
fn every_login(
    reply: impl Fn(&Demo) -> Reply + Sync,
    check: impl Fn(&Demo, &Server, &Outcome) + Sync,
) {
    each(|demo| {
        let script = demo.script([reply(demo)]);
        let steps = script.len();
        let server = Server::start(script);
        let outcome = at(demo.id, &server).run(&format!("login {}", demo.id));
        check(demo, &server, &outcome);
        // Each step is sent once.
        assert_eq!(server.received().len(), steps, "{}", demo.id);
    });
}

/// Every provider at once.
fn each(work: impl Fn(&'static Demo) + Sync) {
    at_once(demo::ALL.iter().copied(), work);
}

/// Every login works; stderr holds these texts, or nothing.
fn every_login_works(reply: impl Fn(&Demo) -> Reply + Sync, warning: &str) {
    every_login(reply, |demo, _, outcome| {
        outcome.gives(0, &format!("{}\n", demo.token), demo.id);
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
fn what_is_no_json_is_called_what_it_is() {
    for [status, body, words] in rows(
        "200 | <?xml version=\"1.0\"?><error/> | sent XML instead of JSON
        200 | \u{feff}<?xml version=\"1.0\"?><error/> | sent XML instead of JSON
        200 | <html></html> | sent HTML instead of JSON
        200 | <?xml version=\"1.0\"?>^<!DOCTYPE html><html></html> | sent HTML instead of JSON
        400 | <html>The plain HTTP request was sent to HTTPS port</html> | if the server speaks TLS, ZEEV_URL must \
         begin with https://",
    ) {
        let body = body.replace('^', "\n");
        let server = Server::start(vec![Reply::http(digits(status), "text/plain", body)]);
        at("zeev", &server).fails("login zeev", 6, &[words]);
    }
}

/// 304 answers a conditional request, and a login makes none.
#[test]
fn what_leads_nowhere_is_no_redirect() {
    for (status, words) in [
        (300, "redirected without saying where"),
        (304, "answered HTTP 304"),
        (305, "redirected without saying where"),
    ] {
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        let server = Server::start(vec![Reply::Bytes(answer.into_bytes())]);
        at("zeev", &server).fails("login zeev", 6, &[words]);
    }
}

#[test]
fn what_a_server_says_becomes_one_short_harmless_line() {
    let message = format!(
        "caf\u{e9}\r\n::error::x ##vso[task.x]y\u{1b}[31m\u{202e}{}",
        "z".repeat(5000)
    );
    let body = json!({ "message": message }).to_string();
    every_login(
        |_| Reply::json(403, &body),
        |_, server, outcome| {
            let said = format!(
                "{} refused the request (HTTP 403): caf\u{e9} : :error: :x # #vso[task.x]y [31m zzz",
                server.host()
            );
            outcome.fails(4, &[&said]);
            let (line, _) = outcome.stderr.split_once('\n').expect("a line");
            let short = line.chars().count() < 400;
            assert!(short && line.ends_with('\u{2026}'), "{line}");
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
    let each = |form: fn(char) -> String| secret.chars().map(form).collect::<String>();
    let upper = hashes.clone().map(|hash| hash.to_uppercase());
    let forms = [
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD.encode(format!("user:{secret}")),
        each(|c| format!("&#{};", u32::from(c))),
        each(|c| format!("\\u{:04x}", u32::from(c))),
        secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
    ];
    forms.into_iter().chain(hashes).chain(upper).collect()
}

#[test]
fn a_secret_that_a_server_echoes_is_blanked_in_every_form() {
    every_login(
        |demo| {
            let echo = format!("<{}>", forms(demo.secret.1).join(" | "));
            Reply::json(403, json!({ "message": echo }).to_string())
        },
        |demo, _, outcome| {
            outcome.fails(4, &["refused the request (HTTP 403): <*** | "]);
            for form in forms(demo.secret.1) {
                outcome.lacks(&[&form[..form.len().min(12)]]);
            }
        },
    );
}

#[test]
fn an_answer_may_be_one_mebibyte_long() {
    every_login_works(
        |demo| {
            let good = demo.good();
            Reply::json(200, [" ".repeat(1024 * 1024 - good.len()), good].concat())
        },
        "",
    );
}

#[test]
fn plain_text_to_a_public_address_needs_consent() {
    each(|demo| {
        for host in ["192.0.2.1", "[2001:db8::1]", "0.0.0.0", "172.32.0.1"] {
            let machine = demo.machine(&format!("http://{host}"));
            let consent = format!("{}=1", demo.variable("ALLOW_HTTP"));
            let says = ["unencrypted over a public network", "https://", &consent];
            machine.fails(&format!("login {}", demo.id), 2, &says);
        }
        // Nobody is there, which only who may ask finds out.
        let machine = demo.machine("http://[fe80::1]");
        machine.fails(&format!("login {}", demo.id), 5, &["to [fe80::1]"]);
    });
}

#[test]
fn errors_as_json_are_one_line_with_the_contracts_fields() {
    each(|demo| {
        let server =
            Server::start(demo.script([Reply::json(401, r#"{"message":"no \u0022way\u0022"}"#)]));
        let outcome = at(demo.id, &server).fails(&format!("login {} --json", demo.id), 4, &[]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        let error: Value = serde_json::from_str(&outcome.stderr).expect("JSON");
        let hint = error["error"]["hint"].as_str().expect("a hint").to_owned();
        assert!(hint.contains(demo.secret.0), "{hint}");
        let message = format!(
            "{} refused the request (HTTP 401): no \"way\"",
            server.host()
        );
        let expected = json!({"code": "refused", "exit": 4, "target": demo.id, "message": message,
            "hint": hint, "http_status": 401, "retryable": false});
        assert_eq!(error, json!({ "error": expected }));
    });
}

#[test]
fn json_tells_what_may_be_tried_again() {
    let nobody = Nobody::new();
    let machine = zeev::DEMO.machine(&format!("http://{}", nobody.host()));
    let stderr = machine.run("login zeev --json").stderr;
    let error: Value = serde_json::from_str(&stderr).expect("JSON");
    let error = &error["error"];
    let told = [&error["code"], &error["retryable"], &error["http_status"]];
    assert_eq!(told, [&json!("connect"), &json!(true), &Value::Null]);
}

/// Logs in over TLS, with the authority's certificate trusted or not.
fn tls_login(demo: &Demo, server: &Server, url: &str, trusted: Option<&Authority>) -> Outcome {
    let machine = demo.machine(url);
    let mut line = format!("login {} --json", demo.id);
    if let Some(authority) = trusted {
        machine.write("ca.pem", authority.pem());
        line += " --ca-file ca.pem";
    }
    let outcome = machine.run(&line);
    // Nothing is sent to a server that is not trusted.
    assert_eq!(outcome.code == 0, !server.received().is_empty());
    outcome
}

#[test]
fn a_ca_file_makes_its_servers_trusted() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1");
    each(|demo| {
        let server =
            Server::start_tls(config.clone(), demo.script([Reply::json(200, demo.good())]));
        let outcome = tls_login(demo, &server, &server.url(), Some(&authority));
        assert_eq!(outcome.json()["token"], demo.token, "{}", outcome.stderr);
        assert_eq!(outcome.json()["url"], server.url());
    });
}

#[test]
fn a_certificate_is_no_reason_to_try_again() {
    let server = Server::start_tls(Authority::new().server("127.0.0.1"), Vec::new());
    let outcome = tls_login(&broker::DEMO, &server, &server.url(), None);
    let fields = [r#""code":"certificate""#, r#""retryable":false"#];
    outcome.fails(5, &["from an unknown issuer"]).says(&fields);
}

#[test]
fn roots_that_the_environment_names_stand_for_the_systems() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let demo = &broker::DEMO;
    let config = authority.server("127.0.0.1");
    let odd = [authority.pem(), "-----BEGIN CERTIFICATE-----\nMII"].concat();
    let files = [
        ("right.pem", authority.pem()),
        ("odd.pem", &odd),
        ("wrong.pem", stranger.pem()),
    ];
    let unknown = Some("from an unknown issuer");
    for (variable, name, refusal) in [
        ("SSL_CERT_FILE", "right.pem", None),
        ("SSL_CERT_FILE", "odd.pem", None),
        ("SSL_CERT_FILE", "wrong.pem", unknown),
        ("SSL_CERT_FILE", "missing.pem", Some("SSL_CERT_FILE names ")),
        ("SSL_CERT_DIR", "right", None),
        ("SSL_CERT_DIR", "wrong", unknown),
    ] {
        let good = refusal.is_none().then(|| Reply::json(200, demo.good()));
        let server = Server::start_tls(config.clone(), Vec::from_iter(good));
        let mut machine = demo.machine(&server.url());
        for (file, text) in &files {
            machine.write(file, text);
            let folder = machine.path(file.trim_end_matches(".pem"));
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::write(folder.join(Authority::FILE), text).expect("a file");
        }
        let path = machine.path(name);
        machine.set(variable, path.to_str().expect("UTF-8"));
        match refusal {
            None => machine.prints("login broker", format!("{}\n", demo.token)),
            Some(text) => drop(machine.fails("login broker", 5, &[text])),
        }
    }
}

#[test]
fn a_ca_file_that_is_none() {
    let server = bystander();
    let machine = zeev::DEMO.machine(&server.url());
    machine.write("empty.pem", "");
    let pipe = machine.path("pipe");
    make_pipe(&pipe);
    for (file, why) in [
        ("empty.pem", "contains no certificate"),
        ("missing.pem", "does not exist"),
        (".", "is a folder"),
        ("pipe", "produced nothing within 0.2 s"),
        ("/dev/zero", "is larger than 4096 KiB"),
    ] {
        let timeout = if file == "pipe" { "0.2" } else { "30" };
        let line = format!("login zeev --ca-file {file} --timeout {timeout}");
        let says = [
            &*format!("--ca-file {file} {why}"),
            "hint: it must be a file of PEM certificates",
        ];
        machine.fails(&line, 2, &says);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_ca_file_may_be_a_pipe() {
    let authority = Authority::new();
    let demo = &zeev::DEMO;
    let good = vec![Reply::json(200, demo.good())];
    let server = Server::start_tls(authority.server("127.0.0.1"), good);
    let machine = demo.machine(&server.url());
    machine.write("ca.pem", authority.pem());
    let outcome = machine.shell("bash", "crmauth login zeev --ca-file <(cat ca.pem)");
    assert_eq!(outcome.answer().trim_end(), demo.token);
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
fn a_proxys_password_that_is_echoed_is_blanked() {
    let words = [PROXY_PASSWORD, "px%40Pass9Ik4Ol", "px#Pass:9Ik4Ol"];
    at_once(words, |word| {
        let plain = word.replace("%40", "@");
        let basic = STANDARD.encode(format!("{PROXY_USER}:{plain}"));
        let echo = format!("<{word}> <{plain}> <{basic}>");
        let refusal = json!({ "message": echo }).to_string();
        let proxy = Server::start(vec![Reply::json(403, refusal)]);
        let mut machine = at("zeev", &bystander());
        machine.canary(word).canary(&plain).canary(&basic);
        let url = format!("http://{PROXY_USER}:{word}@{}", proxy.host());
        machine.set("ZEEV_ALLOW_PROXY", "1").set("http_proxy", &url);
        machine.fails("login zeev", 4, &["<***> <***> <***>"]);
    });
}

#[test]
fn a_request_to_another_origin_never_leaves() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    let limit = Duration::from_secs(5);
    let (own, other) = (bystander(), bystander());
    let home = BaseUrl::parse(&format!("{}/crm", own.url())).expect("a URL");
    let allowed = ["ALLOW_HTTP", "ALLOW_PROXY"].map(|name| (name, Secret::new("1".to_owned())));
    let target = Target::new(zeev::DEMO.spec(), None);
    let settings = Settings::new(target, home, allowed.into());
    let http = Http::new(Proxies::default(), Rc::new(Trust::default()), limit);
    let elsewhere = [
        other.url(),
        own.url().replace("http:", "https:"),
        own.url().replace("127.0.0.1", "localhost"),
        own.url().replace("127.0.0.1", "127.0.0.2"),
        format!("http://{}@{}", own.host(), other.host()),
    ];
    for url in &elsewhere {
        let channel = Channel {
            http: &http,
            report: &Report::new(Manner::default()),
            settings: &settings,
            deadline: Instant::now() + limit,
            timeout: limit,
        };
        let request = Request::get(url.parse().expect("a URL"));
        let sent = runtime.block_on(channel.send(&request)).err();
        let opened = runtime.block_on(channel.open(&request)).err();
        for error in [sent, opened] {
            assert_eq!(error.map(|error| error.cause), Some(Cause::Usage), "{url}");
        }
    }
    assert_eq!(own.connections() + other.connections(), 0);
}

#[test]
fn plain_text_passes_a_proxy_by() {
    each(|demo| {
        let proxy = bystander();
        let server = Server::start(demo.script([Reply::json(200, demo.good())]));
        let mut machine = demo.machine(&server.url());
        for name in [
            "http_proxy",
            "HTTP_PROXY",
            "all_proxy",
            "ALL_PROXY",
            "https_proxy",
        ] {
            machine.set(name, &proxy.url());
        }
        machine.prints(&format!("login {}", demo.id), format!("{}\n", demo.token));
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
        let demo = &zeev::DEMO;
        let (proxy, server) = (bystander(), bystander());
        let asked = if used { &proxy } else { &server };
        asked.push([Reply::json(200, demo.good())]);
        let mut machine = demo.machine(&server.url());
        let url = proxy_url(&mut machine, &proxy);
        machine.set(name, &url).set("ZEEV_ALLOW_PROXY", "1");
        if cgi {
            machine.set("REQUEST_METHOD", "GET");
        }
        assert_eq!(machine.run("login zeev -vv").stdout.trim_end(), demo.token);
        if used {
            let request = &proxy.received()[0];
            assert_eq!(request.target, format!("{}/api/2/tokens", server.url()));
            let basic = Some("Basic cHhVc2VyNlRnMlloOnB4UGFzczlJazRPbA==");
            assert_eq!(request.header("proxy-authorization"), basic);
        }
    }
}

#[test]
fn plain_text_through_a_proxy_to_who_knows_where_needs_consent_and_is_told() {
    let demo = &zeev::DEMO;
    let proxy = Server::start(vec![Reply::json(200, demo.good())]);
    let mut machine = demo.machine("http://zeev.example");
    machine
        .set("http_proxy", &proxy.url())
        .set("ZEEV_ALLOW_PROXY", "1");
    machine.fails("login zeev", 2, &["through a proxy", "ZEEV_ALLOW_HTTP=1"]);
    assert_eq!(proxy.connections(), 0);
    let outcome = machine.set("ZEEV_ALLOW_HTTP", "1").run("login zeev");
    outcome.gives(0, &format!("{}\n", demo.token), "");
    outcome.says(&["warning: zeev: http://zeev.example is not encrypted"]);
}

/// A command may use up most of the time.
#[test]
fn a_connection_that_never_came_about_was_no_login() {
    let demo = &systemsway::DEMO;
    let mut server = Server::start(vec![Reply::json(200, demo.good())]);
    let mut machine = demo.machine(&server.url());
    machine.run("login systemsway").answer();
    let before = read(&entry(&machine));
    server.fill();
    let command = format!("sleep 2; echo {}", demo.secret.1);
    machine
        .unset(demo.secret.0)
        .set("SYSTEMSWAY_PASSWORD_CMD", &command);
    let timed_out = format!(
        "error: systemsway: timed out connecting to {} after ",
        server.host()
    );
    machine.fails("login systemsway --timeout 4", 5, &[&timed_out]);
    // No login, so the session is as it was.
    assert_eq!(read(&entry(&machine)), before);
}

#[test]
fn a_tunnel_through_a_proxy_shows_it_nothing() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1");
    each(|demo| {
        let server =
            Server::start_tls(config.clone(), demo.script([Reply::json(200, demo.good())]));
        let proxy = Server::start(vec![Reply::Tunnel(server.address())]);
        let mut machine = demo.machine(&server.url());
        machine.write("ca.pem", authority.pem());
        let url = proxy_url(&mut machine, &proxy);
        machine.set("https_proxy", url.trim_start_matches("http://"));
        let line = format!("login {} --ca-file ca.pem", demo.id);
        machine.prints(&line, format!("{}\n", demo.token));
        let [connect] = &proxy.received()[..] else {
            panic!("one CONNECT")
        };
        let asked = (&*connect.method, &connect.target);
        assert_eq!(asked, ("CONNECT", &server.host()));
        for request in server.received() {
            assert_eq!(request.header("proxy-authorization"), None);
        }
    });
}

#[test]
fn no_proxy_is_honoured() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1");
    let demo = &zeev::DEMO;
    for no in ["127.0.0.1", "*", "other.example, 127.0.0.0/8"] {
        let server = Server::start_tls(config.clone(), vec![Reply::json(200, demo.good())]);
        let proxy = bystander();
        let mut machine = demo.machine(&server.url());
        machine.write("ca.pem", authority.pem());
        machine.set("https_proxy", &proxy.url()).set("no_proxy", no);
        machine.prints("login zeev --ca-file ca.pem", format!("{}\n", demo.token));
        assert_eq!(proxy.connections(), 0, "{no}");
    }
}

#[test]
fn a_proxy_that_is_away_is_named_without_its_user() {
    let nobody = Nobody::new();
    let address = nobody.host();
    let connect = format!("cannot connect to zeev.example through the proxy {address}");
    let unresolved = "cannot resolve zeev.example or its proxy proxy.invalid:3128";
    let proxies = [
        ("http", &*address, &*connect),
        ("socks5h", &address, &connect),
        ("http", "proxy.invalid:3128", unresolved),
        (
            "socks5h",
            "proxy.invalid:3128",
            "through the proxy proxy.invalid:3128",
        ),
    ];
    at_once(proxies, |(scheme, proxy, text)| {
        let mut machine = zeev::DEMO.machine("https://zeev.example");
        machine.canary(PROXY_USER).canary(PROXY_PASSWORD);
        let url = format!("{scheme}://{PROXY_USER}:{PROXY_PASSWORD}@{proxy}");
        machine.set("ALL_PROXY", &url);
        machine.fails("login zeev -vv", 5, &[text, "check https_proxy"]);
    });
}

#[test]
fn a_socks_proxy_is_told_the_servers_own_port() {
    let rows = [
        ("socks5h", "http://127.0.0.1", 80),
        ("socks5", "http://127.0.0.1", 80),
        ("socks4a", "http://127.0.0.1", 80),
        ("socks4", "http://127.0.0.1", 80),
        ("socks5h", "http://127.0.0.1:8080", 8080),
        ("socks5h", "http://[::1]:8080", 8080),
        ("socks5h", "https://zeev.example", 443),
        ("socks4a", "https://zeev.example/zeev", 443),
        ("socks5h", "https://zeev.example:8443", 8443),
    ];
    at_once(rows, |(scheme, url, port)| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = listener.local_addr().expect("an address");
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut message = [0; 512];
            let greeted = stream.read(&mut message).expect("a message");
            assert!(greeted > 1);
            if message[0] == 4 {
                return u16::from_be_bytes([message[2], message[3]]);
            }
            stream.write_all(&[5, 0]).expect("written");
            let length = stream.read(&mut message).expect("a request");
            u16::from_be_bytes([message[length - 2], message[length - 1]])
        });
        let mut machine = zeev::DEMO.machine(url);
        machine.set("ZEEV_ALLOW_PROXY", "1");
        machine.set("ALL_PROXY", &format!("{scheme}://{proxy}"));
        machine.run("login zeev").fails(5, &["through the proxy"]);
        assert_eq!(heard.join().expect("a port"), port, "{scheme} {url}");
    });
}

#[test]
fn a_proxy_that_is_no_url() {
    for proxy in [
        "http://",
        "ftp://127.0.0.1",
        "http://pxUser6Tg2Yh:pxPass9Ik4Ol@[",
        "::",
    ] {
        let mut machine = zeev::DEMO.machine("https://zeev.example");
        machine
            .set("https_proxy", proxy)
            .canary(PROXY_USER)
            .canary(PROXY_PASSWORD);
        machine.run("login zeev").fails(
            2,
            &["the environment's proxy is not a usable URL", "https_proxy"],
        );
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
        let url = server.url() + demo.path;
        outcome.says(&[&format!("trace: {}: POST {url}: HTTP 200", demo.id)]);
        outcome.lacks(&["operation="]);
    });
}
