//! `crmauth api`: where the session goes, what comes back, and what becomes of a dead session.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crmauth::declaration::Placement;
use crmauth::sandbox::Request;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::machine::{beside, full, installed, pause, signal};
use crate::support::sandbox::Servers;
use crate::support::server::Received;
use crate::support::stored::{edit, five_at, stored, systems};
use crate::support::{Machine, Outcome, Reply, Server, at, canned, demo, program, rows};

/// What the tests' sessions are, with what a URL must escape.
pub const TOKEN: &str = "Tk+7/a?b&c=d%e";

/// A machine that knows every system at `server`, below a path prefix.
pub fn machine_at(server: &Server) -> Machine {
    let mut machine = Machine::new();
    let url = format!("{}/base", server.url());
    demo::ALL
        .iter()
        .for_each(|demo| demo.settle(&mut machine, &url));
    machine
}

/// The answers to a login.
pub fn login(system: &str, token: &str) -> Vec<Reply> {
    let demo = demo::of(system);
    demo.script([Reply::json(
        200,
        demo.answer_with(&json!(token).to_string()),
    )])
}

/// A machine with a stored session of `system`; `replies` come after its login. Also how many requests that took.
pub fn logged_in(
    system: &str,
    replies: impl IntoIterator<Item = Reply>,
) -> (Server, Machine, usize) {
    let mut script = login(system, TOKEN);
    let before = script.len();
    script.extend(replies);
    let server = Server::start(script);
    let machine = machine_at(&server);
    machine.run(&format!("login {system}")).answer();
    (server, machine, before)
}

pub fn ok(body: impl AsRef<[u8]>) -> Reply {
    Reply::http(200, "text/plain", body)
}

/// A path that every system takes.
pub fn path(system: &str) -> &'static str {
    match demo::of(system).spec().placement {
        Placement::Path => "/api/Usuario/{session}?id=2",
        _ => "/x/y?id=2",
    }
}

/// What a dead session gets, and what the question whether it is one gets; there is none where the first is proof.
struct Shapes {
    dead: Reply,
    check_dead: Option<Reply>,
}

impl Shapes {
    /// The answers up to a new session.
    fn renewal(self, system: &str) -> Vec<Reply> {
        [self.dead]
            .into_iter()
            .chain(self.check_dead)
            .chain(login(system, "Nw2token"))
            .collect()
    }
}

fn shapes(system: &str) -> Shapes {
    let demo = demo::of(system);
    // Gluocrm and HelloCloud say so in words that nothing else has.
    let proof = ["gluo", "hellocloud"].contains(&system);
    Shapes {
        dead: demo.dead(),
        check_dead: (!proof).then(|| demo.dead()),
    }
}

#[test]
fn a_session_in_the_path_is_seen_nowhere_however_short() {
    let path = "/api/Usuario/{session}/api?x={session}";
    for token in ["z", "zq7", "api", "%7E", "Tk+7/a?b&c=d%e"] {
        let shown = "/Usuario/***";
        for status in [401, 404, 429, 500] {
            let server = Server::start(login("systemsway", token));
            server.rest(Reply::json(status, "{}"));
            let machine = machine_at(&server);
            for line in ["api systemsway -vv", "api systemsway --json"] {
                let arguments: Vec<&str> = line.split(' ').chain([path]).collect();
                let outcome = machine.run_args(&arguments);
                assert_ne!(outcome.code, 0);
                for said in outcome.stderr.lines() {
                    let rest = said.replace(shown, "");
                    assert!(!rest.contains("/Usuario"), "{token}: {said}");
                }
                let silent = status != 404 && !line.contains("-vv");
                let told = silent || outcome.stderr.contains(shown);
                assert!(told, "{token}: {}", outcome.stderr);
            }
        }
    }
}

#[test]
fn each_system_gets_the_session_where_it_wants_it() {
    const SESSION: &str = "Tk%2B7%2Fa%3Fb%26c%3Dd%25e";
    for [system, target, accept, content_type] in rows(
        "hellocloud | /x/y?id=2 | application/vnd.api+json | application/vnd.api+json
        broker | /x/y?id=2 | application/json | application/json
        zeev | /x/y?id=2 | application/json | application/json
        gluo | /x/y?id=2&sessionName=S | application/json | application/x-www-form-urlencoded
        systemsway | /api/Usuario/S?id=2 | application/json | application/json",
    ) {
        let (server, machine, before) = logged_in(system, [ok("one"), ok("two")]);
        machine.prints(&format!("api {system} {}", path(system)), "one");
        let outcome = machine.run_args(&["api", system, path(system), "-d", "a=1&b=2"]);
        assert_eq!(outcome.answer(), "two", "{system}");
        let sent = server.received().split_off(before);
        let bearer = format!("Bearer {TOKEN}");
        let expected = (!target.contains('S')).then_some(bearer.as_str());
        for (request, method, body) in [(&sent[0], "GET", ""), (&sent[1], "POST", "a=1&b=2")] {
            // A form that is posted carries it in its body.
            let in_body = system == "gluo" && method == "POST";
            let (bare, own) = (
                target.replace("&sessionName=S", ""),
                target.replace('S', SESSION),
            );
            let target = format!("/base{}", if in_body { bare } else { own });
            let there = (request.method.as_str(), request.target.as_str());
            assert_eq!(there, (method, target.as_str()), "{system}");
            assert_eq!(request.header("authorization"), expected, "{system}");
            assert_eq!(request.header("accept"), Some(accept), "{system}");
            let form = format!("{body}&sessionName={SESSION}");
            assert_eq!(request.body, if in_body { &form } else { body });
            let type_sent = (!body.is_empty()).then_some(content_type);
            assert_eq!(
                request.header("content-type"),
                type_sent,
                "{system} {method}"
            );
            for header in ["cookie", "referer", "accept-encoding"] {
                assert_eq!(request.header(header), None, "{system}");
            }
        }
    }
}

#[test]
fn a_path_may_be_spelt_in_several_ways() {
    let pairs = [
        ("webservice.php", "/base/webservice.php"),
        ("/webservice.php", "/base/webservice.php"),
        ("/", "/base/"),
        ("/a%20b/%C3%A7", "/base/a%20b/%C3%A7"),
        ("/ç", "/base/%C3%A7"),
        ("/to?u=http://h/", "/base/to?u=http://h/"),
    ];
    let (server, machine, before) = logged_in("zeev", pairs.map(|_| ok("")));
    for (path, _) in pairs {
        assert_eq!(machine.run_args(&["api", "zeev", path]).answer(), "");
    }
    let sent = server.received().split_off(before);
    let targets: Vec<&str> = sent.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, pairs.map(|(_, target)| target));
}

#[test]
fn a_path_that_leads_elsewhere_is_refused_before_anything_is_sent() {
    let (server, other) = (Server::start(Vec::new()), Server::start(Vec::new()));
    let mut machine = machine_at(&server);
    let elsewhere = other.url();
    let double = elsewhere.strip_prefix("http:").expect("http").to_owned();
    for path in [
        elsewhere.as_str(),
        &elsewhere.to_uppercase(),
        &double,
        &format!("/{double}"),
        &double.replace('/', "\\"),
        "/\\evil.example/",
        "/x\\y",
        "/x#y",
        "/x y",
        "/x\ny",
        "/x\ty",
        "/..",
        "../x",
        "/x/../../y",
        "/%2e%2E/x",
        "/x/.%2E/%2e./y",
    ] {
        for system in ["zeev", "gluo"] {
            machine
                .run_args(&["api", system, path])
                .fails(2, &["error: ", "PATH"]);
        }
        let path = format!("{path}/{{session}}");
        machine
            .run_args(&["api", "systemsway", &path])
            .fails(2, &["error: ", "PATH"]);
    }
    for path in ["/api/Usuario/", "/api/Usuario/?x={session}"] {
        let outcome = machine.run_args(&["api", "systemsway", path]);
        outcome.fails(2, &["error: systemsway: ", "{session}", "hint: "]);
    }
    // These stay on the target's own server, whatever they look like.
    machine.set("ZEEV_URL", "http://127.0.0.1:1/base");
    for path in [
        "@evil.example/",
        ":80/",
        "http:/evil.example/",
        "/%2F%2Fevil.example/",
    ] {
        machine
            .run_args(&["api", "zeev", path])
            .fails(5, &["127.0.0.1:1"]);
    }
    assert_eq!((server.connections(), other.connections()), (0, 0));
}

#[test]
fn options_that_make_no_sense_are_found_before_anything_is_sent() {
    let server = Server::start(Vec::new());
    let machine = machine_at(&server);
    for [line, option, text] in rows(
        "api zeev / | -H no colon | -H
        api zeev / | -H Authorization: Bearer x | Authorization
        api zeev / | -H authorization:x | Authorization
        api zeev / | -H Host: other.example | -H names Host
        api gluo / | -H content-length:1 | -H names content-length
        api zeev / | -H Transfer-Encoding: chunked | -H names Transfer-Encoding
        api zeev / | -H Connection: close | -H names Connection
        api zeev / | -H a b: x | -H
        api zeev / | -H A: x^B: y | -H
        api zeev / | -X G T | -X is not an HTTP method
        api zeev / | -X  | -X is not an HTTP method
        api zeev / | -d @none | none, which -d names, cannot be read
        api gluo / | --as ana | --as",
    ) {
        // What follows the first blank is the option's value.
        let (name, value) = option.split_once(' ').unwrap_or((option, ""));
        let value = value.replace('^', "\r\n");
        let arguments: Vec<_> = line.split(' ').chain([name, &value]).collect();
        machine
            .run_args(&arguments)
            .fails(2, &["error: ", text, "hint: "]);
    }
    machine.fails("api nosuch /", 2, &["error: ", "nosuch", "hint: "]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn method_headers_and_body_are_as_typed() {
    const FILE: &str = "{\"ç\":1}\n";
    let headers = "-H X-One:_1 -H X-Two:a:b_ -H Content-Type:_text/x";
    let json = Some("application/json");
    let rows = [
        (
            &*format!("-X put {headers} -d one"),
            "PUT",
            Some("text/x"),
            json,
            "one",
        ),
        ("-d @body.json", "POST", json, json, FILE),
        ("-X DELETE", "DELETE", None, json, ""),
        ("-d ", "POST", json, json, ""),
        (
            "-X GET -H accept:_text/csv -d x",
            "GET",
            json,
            Some("text/csv"),
            "x",
        ),
    ];
    let (server, machine, before) = logged_in("zeev", rows.map(|_| ok("")));
    machine.write("body.json", FILE);
    for (options, method, kind, accept, body) in rows {
        let line = format!("api zeev /p {options}");
        // What stands for a blank within a word.
        let words: Vec<String> = line.split(' ').map(|word| word.replace('_', " ")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(machine.run_args(&words).answer(), "");
        let sent = server.received().pop().expect("a request");
        assert_eq!((&*sent.method, &*sent.body), (method, body), "{options}");
        let types = (sent.header("content-type"), sent.header("accept"));
        assert_eq!(types, (kind, accept), "{options}");
    }
    let first = &server.received()[before];
    let own = (first.header("x-one"), first.header("x-two"));
    assert_eq!(own, (Some("1"), Some("a:b")));
}

#[test]
fn bytes_pass_both_ways_as_they_are() {
    let every: Vec<u8> = (0..=255).chain([0, 10, 13, 10]).collect();
    let (_server, machine, _) = logged_in("zeev", [ok(&every), ok("no line end"), ok("")]);
    let answer = machine.line("api zeev /binary").output().expect("a run");
    let given = (answer.status.code(), &answer.stdout);
    assert_eq!(given, (Some(0), &every));
    assert_eq!(machine.run("api zeev /text").answer(), "no line end");
    assert_eq!(machine.run("api zeev /nothing").answer(), "");
    // The sandbox keeps what it was sent byte for byte.
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.write("body", &every);
    for from in ["@body", "@-"] {
        let mut command = machine.command(&["api", "zeev", "/api/2/other", "-d", from]);
        command.stdin(fs::File::open(machine.path("body")).expect("a file"));
        assert_eq!(machine.finish(command).code, 6);
        let asked = servers.events().pop().expect("a request");
        assert_eq!(asked.body, every, "{from}");
    }
}

#[test]
fn include_shows_the_head() {
    let reply = Reply::with_headers(201, &[("X-One", "1"), ("x-two", "2")], "body");
    let (_server, machine, _) = logged_in("zeev", [reply]);
    let outcome = machine.run("api zeev / -i");
    let (head, body) = outcome.answer().split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let lines: Vec<String> = head.split("\r\n").map(str::to_lowercase).collect();
    for line in ["x-one: 1", "x-two: 2", "content-length: 4"] {
        assert!(lines.iter().any(|seen| seen == line), "{head}");
    }
    assert_eq!(body, "body");
}

#[test]
fn a_status_becomes_the_exit_code_behind_the_body() {
    for (status, code, text) in [
        (200, 0, ""),
        (201, 0, ""),
        (400, 6, "HTTP 400"),
        (403, 4, "refused the request (HTTP 403)"),
        (404, 6, "no API at /base/p (HTTP 404)"),
        (408, 5, "HTTP 408"),
        (422, 6, "HTTP 422"),
        (429, 5, "rate limiting"),
        (500, 6, "HTTP 500"),
        (501, 6, "answered HTTP 501"),
        (503, 5, "unavailable"),
        (505, 6, "answered HTTP 505"),
        (519, 6, "answered HTTP 519"),
        (525, 6, "answered HTTP 525"),
        (531, 6, "answered HTTP 531"),
    ] {
        let reply = Reply::http(status, "text/plain", "the body");
        let (server, machine, before) = logged_in("zeev", [reply]);
        let outcome = machine.run("api zeev /p");
        outcome.gives(code, "the body", status);
        let silent = outcome.says(&[text]).stderr.is_empty();
        assert_eq!(silent, code == 0, "{status}: {}", outcome.stderr);
        assert_eq!(server.received().len(), before + 1, "{status} is sent once");
    }
    // What the system itself says is why.
    for (status, code, why) in [
        (400, 1, "refused the request"),
        (404, 6, "no API at"),
        (409, 1, "refused the request"),
        (422, 1, "refused the request"),
        (403, 4, "refused the request"),
        (405, 6, "no API at"),
        (423, 4, "locked"),
        (429, 5, "rate limiting"),
        (503, 5, "unavailable"),
        (500, 6, "answered HTTP 500"),
    ] {
        let body = r#"{"message":"A pessoa não foi encontrada"}"#;
        let (_server, machine, _) = logged_in("zeev", [Reply::json(status, body)]);
        let outcome = machine.run("api zeev /p");
        outcome.gives(code, body, status);
        outcome.says(&[why, ": A pessoa não foi encontrada\n"]);
        let (_server, machine, _) = logged_in("broker", [Reply::json(status, body)]);
        let outcome = machine.run("api broker /p -X POST");
        assert_ne!(outcome.code, 1, "no document says so of Broker");
        outcome.says(&[": A pessoa não foi encontrada\n"]);
    }
    let (_server, machine, _) = logged_in("zeev", [Reply::http(404, "text/plain", "x")]);
    let outcome = machine.run("api zeev /p --json");
    let error: Value = serde_json::from_str(&outcome.stderr).expect("one JSON object");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (6, "x"));
    let error = &error["error"];
    let facts = json!([error["code"], error["http_status"], error["target"]]);
    assert_eq!(facts, json!(["not_found", 404, "zeev"]));
}

#[test]
fn nobody_is_sent_to_a_body_that_is_not_there() {
    for (body, hint) in [
        ("x", "hint: the answer's body may say more"),
        ("", "hint: the answer has no body; -i"),
    ] {
        let (_server, machine, _) = logged_in("zeev", [Reply::http(501, "text/plain", body)]);
        machine.run("api zeev /p").says(&["HTTP 501", hint]);
    }
}

#[test]
fn a_redirect_is_told_and_never_followed() {
    let other = Server::start(Vec::new());
    let elsewhere = format!("{}/there?token=x", other.url());
    for status in [301, 302, 303, 307, 308] {
        for place in [&*elsewhere, "/base/here", &elsewhere["http:".len()..]] {
            let reply = Reply::with_headers(status, &[("Location", place)], "moved");
            for system in ["zeev", "gluo", "systemsway"] {
                let (server, machine, before) = logged_in(system, [reply.clone()]);
                let outcome = machine.run(&format!("api {system} {}", path(system)));
                outcome.gives(6, "moved", "");
                let shown = match place.contains("here?") {
                    true => other.url() + "/there",
                    false => server.url() + "/base/here",
                };
                let hint = "hint: redirects are not followed";
                outcome.says(&["error: ", "redirected", &shown, hint]);
                assert!(!outcome.stderr.contains("token="), "{}", outcome.stderr);
                assert_eq!(server.received().len(), before + 1, "{place}");
            }
        }
    }
    for [place, text] in rows(
        "none | redirected without saying where
         | redirected the request
        javascript:alert(1) | a javascript: address
        https:// | something that is not a URL
        http://u:pass@127.0.0.1:1/x#y | http://127.0.0.1:1/x^",
    ) {
        let text = &text.replace('^', "\n");
        let headers = &[("Location", place)][usize::from(place == "none")..];
        let (_server, machine, _) = logged_in("zeev", [Reply::with_headers(302, headers, "")]);
        machine.fails("api zeev /x", 6, &["error: zeev: ", text, "hint: "]);
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn a_dead_session_is_renewed_and_the_request_sent_once_more() {
    for system in ["gluo", "hellocloud", "systemsway", "zeev"] {
        let away = Reply::http(503, "text/plain", "alive");
        for (last, code) in [(ok("alive"), 0), (away, 5)] {
            let mut replies = shapes(system).renewal(system);
            replies.push(last);
            let (server, machine, before) = logged_in(system, replies);
            let outcome =
                machine.run_args(&["api", system, path(system), "-d", "b=1", "-X", "PUT", "-i"]);
            assert_eq!(outcome.code, code, "{system}: {}", outcome.stderr);
            let stdout = &outcome.stdout;
            assert!(stdout.ends_with("\r\n\r\nalive"), "{stdout}");
            assert_eq!(stdout.matches("HTTP/1.1").count(), 1, "{stdout}");
            let sent = server.received().split_off(before);
            let own = sent.iter().filter(|request| request.method == "PUT");
            let own: Vec<&Received> = own.collect();
            let bodies: Vec<&str> = own.iter().map(|request| &*request.body).collect();
            assert_eq!(bodies, ["b=1", "b=1"], "{system}");
            let carried = format!("{} {:?}", own[1].target, own[1].header("authorization"));
            assert!(carried.contains("Nw2token"), "{system}");
            assert!(!carried.contains("Tk"), "{system}");
            machine.prints(&format!("token {system} --cached"), "Nw2token\n");
        }
    }
}

#[test]
fn a_request_is_sent_once_more_and_no_more_than_that() {
    for system in ["gluo", "hellocloud", "systemsway", "zeev"] {
        let mut replies = shapes(system).renewal(system);
        replies.push(shapes(system).dead);
        let (_server, machine, _) = logged_in(system, replies);
        let outcome = machine.run(&format!("api {system} {}", path(system)));
        let code = if system == "systemsway" { 1 } else { 4 };
        assert_eq!(outcome.code, code, "{system}: {}", outcome.stderr);
        // The second answer is passed on.
        assert_ne!(outcome.stdout, "", "{system}");
    }
}

#[test]
fn a_refusal_is_not_repeated_where_nothing_can_be_stored() {
    let mut script = login("systemsway", TOKEN);
    script.extend([shapes("systemsway").dead, Reply::json(200, "[]")]);
    let server = Server::start(script);
    let mut machine = machine_at(&server);
    machine.write("a file", "");
    let store = format!("file:{}/store", machine.path("a file").display());
    machine.set("CRMAUTH_STORE", &store);
    let outcome = machine.run_args(&["api", "systemsway", path("systemsway"), "-d", "{}"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("ERROR"), "{}", outcome.stdout);
    outcome.says(&["warning: systemsway: the session is not stored"]);
}

#[test]
fn a_check_that_cannot_be_made_loses_no_answer() {
    let Shapes { dead, .. } = shapes("zeev");
    let (_server, machine, _) = logged_in("zeev", [dead, Reply::http(503, "text/plain", "")]);
    let outcome = machine.run("api zeev /x");
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with('{'), "{}", outcome.stdout);
    let unknown = "warning: zeev: the server does not say whether the session is alive: ";
    outcome.says(&[unknown, "unavailable", "error: zeev: "]);
    machine.prints("token zeev --cached", format!("{TOKEN}\n"));
}

#[test]
fn another_run_may_have_renewed_it_already() {
    // The dead answer is held back until another run has put a new session into the store.
    let Shapes { dead, .. } = shapes("hellocloud");
    let barrier = Arc::new(Barrier::new(2));
    let (server, machine, before) = logged_in("hellocloud", [dead.together(&barrier), ok("alive")]);
    let child = machine.begin("api hellocloud /x");
    server.wait_for(before + 1);
    let renewed = |entry: &mut Value| entry["token"] = json!("Nw2token");
    edit(&machine, "hellocloud", renewed);
    barrier.wait();
    assert_eq!(machine.end(child).answer(), "alive");
    let last = server.received().pop().expect("a request");
    assert_eq!(last.header("authorization"), Some("Bearer Nw2token"));
}

#[test]
fn the_first_request_gets_a_session_and_the_next_ones_share_it() {
    let mut script = login("zeev", TOKEN);
    script.extend([ok("one"), ok("two")]);
    let server = Server::start(script);
    let machine = machine_at(&server);
    assert_eq!(machine.run("api zeev /one").answer(), "one");
    assert_eq!(machine.run("api zeev /two").answer(), "two");
    let refused = Server::start(vec![canned::zeev_refuses()]);
    machine_at(&refused).fails("api zeev /one", 4, &["error: zeev: "]);
}

/// A server for one connection that answers a Zeev login, and then as a test says.
struct Slow {
    url: String,
    thread: Option<JoinHandle<()>>,
}

impl Slow {
    fn start(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            request(&mut stream);
            let login = canned::zeev(TOKEN);
            stream.write_all(login.bytes()).expect("a client");
            request(&mut stream);
            answer(&mut stream);
        });
        Self {
            url,
            thread: Some(thread),
        }
    }

    fn machine(&self) -> Machine {
        demo::of("zeev").machine(&self.url)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let ended = self.thread.take().expect("it ends once").join();
        assert!(
            ended.is_ok() || std::thread::panicking(),
            "the server panicked"
        );
    }
}

/// Reads one request.
fn request(stream: &mut TcpStream) {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).expect("UTF-8").to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut body).expect("a body");
}

fn head(stream: &mut TcpStream, length: usize) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("a client");
}

/// A hundred million bytes of which no two neighbouring blocks are alike.
const LARGE: usize = 100_000_000;

fn block(number: usize) -> Vec<u8> {
    (0..100_000)
        .map(|at| ((at + number * 7) % 251) as u8)
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_answer_passes_in_constant_memory() {
    let (tell, told) = mpsc::channel();
    let server = Slow::start(move |stream| {
        head(stream, LARGE + 1);
        for number in 0..LARGE / 100_000 {
            stream.write_all(&block(number)).expect("a client");
        }
        // The last byte waits until the program's memory has been looked at.
        told.recv().expect("a test");
        stream.write_all(b"!").expect("a client");
    });
    let machine = server.machine();
    let mut child = machine.begin("api zeev /large");
    let mut stdout = child.stdout.take().expect("a stdout");
    let mut part = vec![0; 100_000];
    for number in 0..LARGE / 100_000 {
        stdout.read_exact(&mut part).expect("a block");
        assert!(part == block(number), "block {number} differs");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a status");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.and_then(|kib| kib.split_whitespace().next()?.parse::<u64>().ok());
    assert!(most.expect("KiB") < 64 * 1024, "{most:?} KiB");
    tell.send(()).expect("a server");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, b"!");
    assert_eq!(machine.end(child).answer(), "");
}

#[test]
fn what_has_come_is_passed_on_at_once() {
    for system in systems() {
        for (first, status) in [
            ("one\n", 200),
            ("[1,\n", 200),
            ("{\"n\":1}\n", 200),
            ("\u{feff} {\"status\": \"ok\"}\n", 200),
            ("no\n", 404),
        ] {
            let barrier = Arc::new(Barrier::new(2));
            let whole = Reply::http(status, "text/plain", [first, "two"].concat());
            let (begun, rest) = whole.bytes().split_at(whole.bytes().len() - 3);
            let reply = Reply::Halves(begun.to_vec(), Arc::clone(&barrier), rest.to_vec());
            let (_server, machine, _) = logged_in(system, [reply]);
            let mut child = machine.begin(&format!("api {system} {} --timeout 20", path(system)));
            let mut stdout = child.stdout.take().expect("a stdout");
            let mut passed = vec![0; first.len()];
            let read = stdout.read_exact(&mut passed);
            read.unwrap_or_else(|error| panic!("{system} {first}: {error}"));
            assert_eq!(passed, first.as_bytes(), "{system}");
            barrier.wait();
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).expect("the rest");
            assert_eq!(rest, "two", "{system}");
            let code = if status == 200 { 0 } else { 6 };
            assert_eq!(machine.end(child).code, code, "{system} {first}");
        }
    }
}

/// Of the systems that say in the body that a session is dead.
#[test]
fn a_refusal_may_come_in_pieces() {
    for system in ["gluo", "systemsway"] {
        let Shapes { dead, check_dead } = shapes(system);
        let dead = dead.bytes();
        let frame = dead.iter().position(|byte| *byte == b'{').expect("a frame");
        for cut in [frame, frame + 1, frame + 12, dead.len() - 1] {
            let barrier = Arc::new(Barrier::new(2));
            let (first, second) = dead.split_at(cut);
            let reply = Reply::Halves(first.to_vec(), Arc::clone(&barrier), second.to_vec());
            let check_dead = check_dead.clone();
            let renewal = Shapes {
                dead: reply,
                check_dead,
            }
            .renewal(system);
            let replies = renewal.into_iter().chain([ok("alive")]);
            let (server, machine, before) = logged_in(system, replies);
            let child = machine.begin(&format!("api {system} {}", path(system)));
            server.wait_for(before + 1);
            barrier.wait();
            assert_eq!(machine.end(child).answer(), "alive", "{system}");
        }
    }
}

#[test]
fn the_time_out_of_a_body_is_idle_time() {
    let server = Slow::start(|stream| {
        head(stream, 5);
        for byte in b"slow!" {
            pause(Duration::from_millis(900));
            stream.write_all(&[*byte]).expect("a client");
        }
    });
    let outcome = server.machine().run("api zeev /slow --timeout 4");
    assert_eq!(outcome.answer(), "slow!");
    let (tell, told) = mpsc::channel::<()>();
    let server = Slow::start(move |stream| {
        head(stream, 5);
        stream.write_all(b"sl").expect("a client");
        let _ = told.recv();
    });
    let outcome = server.machine().run("api zeev /slow --timeout 0.5");
    assert_eq!(outcome.code, 5);
    outcome.says(&["error: zeev: 127.0.0.1:", "0.5 s"]);
    drop(tell);
}

#[test]
fn no_head_within_the_time_out_is_an_error() {
    for method in ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "get2"] {
        let harmless = ["GET", "HEAD", "OPTIONS"].contains(&method);
        let (_server, machine, _) = logged_in("zeev", [Reply::Silence]);
        let line = format!("api zeev /x --timeout 0.5 -vv -X {method}");
        let says = [
            "error: zeev: no answer from",
            "within 0.5 s",
            "/base/x: timeout, ",
        ];
        let stderr = machine.fails(&line, 5, &says).stderr;
        let doubted = stderr.contains("; the request may have taken effect");
        assert_eq!(doubted, !harmless, "{method}: {stderr}");
    }
}

#[test]
fn a_cut_body_is_an_error() {
    for length in [10, 200_000] {
        let whole = ok("x".repeat(length + 1));
        let (_, cut) = whole.bytes().split_last().expect("an answer");
        let (_server, machine, _) = logged_in("zeev", [Reply::Last(cut.to_vec())]);
        let outcome = machine.run("api zeev /x");
        assert_eq!(outcome.code, 5, "{}", outcome.stderr);
        outcome.says(&["error: zeev: 127.0.0.1:", "answer was cut short"]);
        assert!(outcome.stdout.len() <= length);
    }
}

/// Sends a large body for as long as somebody reads it.
fn large() -> Slow {
    Slow::start(|stream| {
        head(stream, LARGE);
        for number in 0..LARGE / 100_000 {
            if stream.write_all(&block(number)).is_err() {
                return;
            }
        }
    })
}

#[test]
fn whoever_closes_stdout_hears_nothing() {
    let server = large();
    let machine = server.machine();
    let mut child = machine.begin("api zeev /large");
    let mut stdout = child.stdout.take().expect("a stdout");
    stdout.read_exact(&mut [0; 10]).expect("some bytes");
    drop(stdout);
    machine.end(child).fails(7, &[]);
    let (_server, machine, _) = logged_in("zeev", [ok("x")]);
    let outcome = machine.end(machine.start_onto(machine.line("api zeev /x"), full()));
    assert_eq!(outcome.code, 7);
    outcome.says(&["error: "]);
}

#[test]
fn a_reader_that_stalls_stops_no_signal() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = large();
        let machine = server.machine();
        let mut child = machine.begin("api zeev /large");
        let mut stdout = child.stdout.take().expect("a stdout");
        stdout.read_exact(&mut [0; 10]).expect("some bytes");
        // The pipe fills up meanwhile.
        pause(Duration::from_millis(300));
        signal(&child, sent);
        machine.end(child).fails(
            code,
            &["interrupted; a request under way may have taken effect"],
        );
        drop(stdout);
    }
}

#[test]
fn at_a_terminal_what_follows_begins_on_a_line_of_its_own() {
    if !cfg!(target_os = "linux") || !installed("script") {
        return;
    }
    let bodies = ["no line end", "a line end\n"].into_iter();
    for (status, body) in bodies.flat_map(|body| [(404, body), (200, body)]) {
        let (_server, machine, _) = logged_in("zeev", [Reply::http(status, "text/plain", body)]);
        let run = format!("{} api zeev /x", program());
        let script = ["script", "-qec", &run, "/dev/null"];
        let mut terminal = beside(&machine.command(&[]), &script);
        terminal.env("NO_COLOR", "1");
        let shown = terminal.output().expect("script").stdout;
        let shown = String::from_utf8(shown).expect("UTF-8").replace('\r', "");
        let next = if status == 404 { "error: " } else { "" };
        let begun = [body.trim_end(), "\n", next].concat();
        let whole = status == 404 || shown == begun;
        assert!(shown.starts_with(&begun) && whole, "{shown:?}");
    }
}

#[test]
fn systemsways_user_management_works() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    let api = |arguments: &[&str]| -> Value {
        let outcome = machine.run_args(&[&["api", "systemsway"], arguments].concat());
        outcome.answer();
        outcome.json()
    };
    let users = || {
        let list = api(&["/api/Usuario/{session}"]);
        let list = list.as_array().expect("a list").clone();
        let text = |user: &Value, name: &str| user[name].as_str().expect("a text").to_owned();
        let told = |user| text(user, "UserName") + " " + &text(user, "Ativo");
        list.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(users(), ["admin true", "user2 true", "inativo false"]);
    let one = api(&["/api/Usuario/{session}?id=2"]);
    let user2 = json!([{"Id": "2", "UserName": "user2", "Ativo": "true"}]);
    assert_eq!(one, user2);
    let hash = "46070D4BF934FB0D4B06D9E2C46E346944E322444900A435D7D9A95E6D7435F5";
    let new = json!({"UserName": "ana", "PassWord": hash, "Ativo": "true"}).to_string();
    assert_eq!(api(&["/api/Usuario/{session}", "-d", &new])["Status"], "OK");
    assert_eq!(users()[3..], ["ana true"]);
    let list = api(&["/api/Usuario/{session}"]);
    let id = list[3]["Id"].as_str().expect("an id");
    let path = format!("/api/Usuario/{{session}}?id={id}");
    // The seed warns in capitals of what the second does.
    for (body, user) in [
        (r#"{"UserName":"bia","Ativo":"true"}"#, "bia true"),
        (r#"{"UserName":"bia"}"#, "bia false"),
    ] {
        let changed = api(&[&path, "-X", "PUT", "-d", body]);
        assert_eq!(changed["Status"], "OK", "{body}");
        assert_eq!(users()[3..], [user]);
    }
    let deleted = api(&["/api/Usuario/{session}?id=2", "-X", "DELETE"]);
    assert_eq!(deleted["Status"], "OK");
    assert_eq!(users()[1], "user2 false");
    // A refusal for its content is passed on and not repeated; the session lives on.
    let before = servers.events().len();
    let new = new.replace("\"ana\"", "\"a na\"");
    let refused = machine.run_args(&["api", "systemsway", "/api/Usuario/{session}", "-d", &new]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let (refused, spaces) = (refused.json(), "O nome do usuário não pode conter espaços");
    let told = (&refused["Status"], &refused["Message"]);
    assert_eq!(told, (&json!("ERROR"), &json!(spaces)));
    let count = |from: usize, wanted: fn(&Request) -> bool| {
        servers.events()[from..]
            .iter()
            .filter(|event| wanted(event))
            .count()
    };
    assert_eq!(count(before, |event| event.method == "POST"), 1);
    let logins = count(0, |event| event.path == "/api/main");
    assert_eq!(logins, 1, "one seat, one login");
}

#[test]
fn a_session_that_died_unused_is_replaced_on_the_way() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    let everybody = |system: &str| -> Outcome {
        let path = match system {
            "gluo" => "/webservice.php?operation=listtypes",
            "systemsway" => "/api/Usuario/{session}",
            "hellocloud" => "/Api/V8/current-user",
            _ => "/api/2/tokens",
        };
        machine.run_args(&["api", system, path])
    };
    for system in ["gluo", "systemsway", "hellocloud", "zeev"] {
        let first = everybody(system).answer().to_owned();
        // By our clock the session is as good as new.
        servers.advance(2 * 3600);
        let before = servers.events().len();
        let second = everybody(system);
        second.answer();
        match system {
            "zeev" => assert_eq!(second.json()["username"], "integracao"),
            _ => assert_eq!(second.stdout, first, "{system}"),
        }
        // Gluocrm's login takes two requests; what it and HelloCloud answer needs no further question.
        let count = if system == "hellocloud" { 3 } else { 4 };
        assert_eq!(servers.events().len(), before + count, "{system}");
    }
}

#[test]
fn zeevs_whoami_works_and_for_others_too() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    for (line, user, id) in [
        ("api zeev /api/2/tokens", "integracao", 1),
        ("api zeev api/2/tokens --as 2", "maria.souza", 2),
    ] {
        let outcome = machine.run(line);
        outcome.answer();
        let who = (&outcome.json()["username"], &outcome.json()["userId"]);
        assert_eq!(who, (&json!(user), &json!(id)), "{line}");
    }
}

#[test]
fn the_sandbox_answers_without_any_settings() {
    let machine = Machine::new();
    for [system, path, text] in rows(
        "gluo | /webservice.php?operation=listtypes | \"success\":true
        hellocloud | /Api/V8/current-user | \"ana\"
        systemsway | /api/Usuario/{session} | \"UserName\":\"admin\"
        zeev | /api/2/tokens | \"integracao\"",
    ) {
        let outcome = machine.run(&format!("api {system} {path} --sandbox"));
        let answer = outcome.answer().replace(": ", ":");
        assert!(answer.contains(text), "{answer}");
    }
    let line = "api broker /api/broker/estabelecimento/login --sandbox -X POST";
    machine.fails(line, 4, &[]);
    assert!(stored(&machine, "").is_empty());
}

#[test]
fn a_secret_from_a_pipe_is_read_once() {
    let business = Reply::json(200, r#"{"Status":"ERROR","Message":"Ja Existe"}"#);
    let login = canned::systemsway("W1session");
    let server = Server::start(vec![login, business, Reply::json(200, "[]")]);
    let mut machine = at("systemsway", &server);
    machine
        .canary("Oo3PipePassword")
        .unset("SYSTEMSWAY_PASSWORD");
    machine.set("SYSTEMSWAY_PASSWORD_FILE", "/dev/fd/9");
    let script = "exec 9< <(printf Oo3PipePassword); crmauth api systemsway '/api/Usuario/{session}' -d '{}'";
    let outcome = machine.shell("bash", script);
    outcome.exits(1, "").shows(&["Ja Existe"]);
}
