//! `crmauth logout`, and `login --adopt`: how a session ends, and how it comes from another machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Barrier};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::machine::{feed, holds, set_mode, signal};
use crate::support::sandbox::Servers;
use crate::support::stored::{cached, ends, entry, five_at, from_now, logins, stored, systems};
use crate::support::{Machine, Outcome, Reply, Server, at, canned, demo};

/// Requests that the servers of `servers` have had so far.
fn requests(servers: &Servers) -> usize {
    servers.events().len()
}

/// The names of what the store holds, but for its own key.
fn left(machine: &Machine) -> Vec<String> {
    let name = |path: PathBuf| path.file_name()?.to_str().map(str::to_owned);
    let names = stored(machine, "").into_iter().filter_map(name);
    names.filter(|name| name != "key").collect()
}

/// Takes away every setting of the sandbox's.
fn forget(machine: &mut Machine, servers: &Servers) {
    for (name, _) in servers.demo() {
        machine.unset(name);
    }
}

/// A session as another machine writes it, for Zeev at `url`, with these fields changed.
fn session(url: &str, fields: &[(&str, Value)]) -> String {
    let mut session = json!({
        "schema": 1, "provider": "zeev", "token": "Zv1token", "token_type": "Bearer", "url": url,
    });
    for (name, value) in fields {
        session[name] = value.clone();
    }
    session.to_string()
}

const NOTHING: [&str; 0] = [];

/// Runs the program with a text on stdin.
fn fed(machine: &Machine, line: &str, text: &str) -> Outcome {
    let mut command = machine.line(line);
    command.stdin(Stdio::piped());
    let mut child = machine.start(command);
    feed(&mut child, text);
    machine.end(child)
}

/// What HelloCloud answers a request with a token.
fn status(servers: &Servers, token: &str) -> u16 {
    let who = "/Api/V8/current-user";
    servers.call("hellocloud", "GET", who, Some(token)).status
}

#[test]
fn hellocloud_is_revoked_and_its_other_logins_live_on() {
    let servers = Servers::start();
    let (machine, other) = (five_at(&servers), five_at(&servers));
    machine.run("login hellocloud").answer();
    other.run("login hellocloud").answer();
    let [ours, theirs] = [&machine, &other].map(|machine| cached(machine, "hellocloud"));
    let before = requests(&servers);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    let asked = servers.events().split_off(before);
    let asked = asked
        .iter()
        .map(|event| format!("{} {}", event.method, event.path));
    assert_eq!(asked.collect::<Vec<_>>(), ["POST /Api/V8/logout"]);
    assert_eq!(
        (status(&servers, &ours), status(&servers, &theirs)),
        (401, 200)
    );
    // Neither the session nor its lock file is left.
    assert_eq!(left(&machine), NOTHING);
    machine.fails("token hellocloud --cached", 3, &["no session is stored"]);
    machine.prints("logout hellocloud", "hellocloud\tnone\n");
}

#[test]
fn a_session_that_is_dead_already_is_forgotten() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login hellocloud").answer();
    servers.advance(2 * 3600);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    assert_eq!(left(&machine), NOTHING);
}

#[test]
fn gluo_may_keep_the_session_alive_and_that_is_said() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login gluo").answer();
    let token = cached(&machine, "gluo");
    let outcome = machine.run("logout gluo");
    outcome.gives(0, "gluo\tstill-alive\n", "");
    outcome.says(&["warning: gluo: the server left the session alive"]);
    assert_eq!(left(&machine), NOTHING);
    let target = format!("/webservice.php?operation=listtypes&sessionName={token}");
    let asked = servers.call("gluo", "GET", &target, None);
    assert_eq!(asked.json()["success"], true);
    // One that ends it is believed.
    let ended = r#"{"success":true,"result":{"message":"successfull"}}"#;
    let script = [canned::gluo("Gs1token"), vec![Reply::json(200, ended)]].concat();
    let server = Server::start(script);
    let machine = at("gluo", &server);
    machine.run("login gluo").answer();
    machine.prints("logout gluo", "gluo\trevoked\n");
    let sent = server.received().pop().expect("a request");
    let sent = (sent.method.as_str(), sent.body.as_str());
    assert_eq!(sent, ("POST", "operation=logout&sessionName=Gs1token"));
}

#[test]
fn where_there_is_nothing_to_ask_no_server_is_asked() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login --all").answer();
    let before = requests(&servers);
    for system in ["systemsway", "broker", "zeev"] {
        machine.prints(
            &format!("logout {system}"),
            format!("{system}\tforgotten\n"),
        );
        let line = format!("token {system} --cached");
        machine.fails(&line, 3, &["no session is stored"]);
    }
    let outcome = machine.run("logout gluo hellocloud zeev --local");
    let rows = "gluo\tforgotten\nhellocloud\tforgotten\nzeev\tnone\n";
    assert_eq!(outcome.answer(), rows);
    assert_eq!(requests(&servers), before);
    // The partner's session belongs to others too.
    assert_eq!(left(&machine).len(), 2, "{:?}", left(&machine));
}

#[test]
fn all_ends_everything_that_is_stored() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login --all").answer();
    machine.run("token zeev --as maria.souza").answer();
    for field in ["CLIENT_ID", "CLIENT_SECRET"] {
        let name = format!("HELLOCLOUD__MAQUINA__{field}");
        machine.set(&name, servers.setting(&name));
    }
    machine.run("login hellocloud@maquina").answer();
    // Its settings are not needed any more, its server is that of the login.
    forget(&mut machine, &servers);
    let outcome = machine.run("logout --all --json");
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let ended = outcome.json();
    let ended = ended.as_array().expect("an array").iter();
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
    let ended = ended.map(|row| [text(row, "target"), text(row, "outcome")].join(": "));
    let mut ended: Vec<String> = ended.collect();
    ended.sort();
    let expected = [
        "broker (partner): forgotten",
        "broker: forgotten",
        "gluo: still-alive",
        "hellocloud: revoked",
        "hellocloud@maquina: revoked",
        "systemsway: forgotten",
        "zeev (as:maria.souza): forgotten",
        "zeev: forgotten",
    ];
    assert_eq!(ended, expected);
    assert_eq!(left(&machine), NOTHING);
    let asked = servers.events();
    let revoked = asked.iter().filter(|event| event.path == "/Api/V8/logout");
    assert_eq!(revoked.count(), 2);
    assert_eq!(machine.run("logout --all").answer(), "");
    assert_eq!(machine.run("logout --all --json").answer(), "[]\n");
}

#[test]
fn all_goes_by_what_is_stored_when_the_settings_have_moved_on() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login hellocloud").answer();
    let elsewhere = Server::start(Vec::new());
    machine.set("HELLOCLOUD_URL", &elsewhere.url());
    machine.prints("logout hellocloud", "hellocloud\tnone\n");
    machine.prints("logout --all", "hellocloud\trevoked\n");
    // A session goes to no other server.
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_target_without_settings_here_is_logged_out_where_it_was_logged_in() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login hellocloud zeev").answer();
    machine.run("token zeev --as 2").answer();
    forget(&mut machine, &servers);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    let last = servers.events().pop().expect("a request");
    assert_eq!(last.path, "/Api/V8/logout");
    machine.fails("logout hellocloud", 2, &["HELLOCLOUD_URL"]);
    machine.run("logout zeev --as 3").fails(2, &["ZEEV_URL"]);
    machine.prints("logout zeev --as 2", "zeev\tforgotten\n");
    assert_eq!(stored(&machine, ".json").len(), 1, "the user's own is left");
    machine.prints("logout zeev --local", "zeev\tforgotten\n");
    machine.fails("logout gluo --as 2", 2, &["--as works with zeev"]);
}

#[test]
fn of_several_sessions_none_is_ended_by_guess() {
    let servers =
        ["Hc1token", "Hc2token"].map(|token| Server::start(vec![canned::hellocloud(token)]));
    let mut machine = at("hellocloud", &servers[0]);
    for server in &servers {
        machine.set("HELLOCLOUD_URL", &server.url());
        machine.run("login hellocloud").answer();
    }
    for name in ["URL", "CLIENT_ID", "CLIENT_SECRET"] {
        machine.unset(&format!("HELLOCLOUD_{name}"));
    }
    let [one, other] = servers.each_ref().map(Server::url);
    let says = ["error: hellocloud: ", &one, &other, "hint: ", "--all"];
    machine.fails("logout hellocloud", 2, &says);
    assert_eq!(stored(&machine, ".json").len(), 2);
}

#[test]
fn a_session_for_another_person_is_its_own() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    let own = machine.run("login zeev").answer().to_owned();
    machine.run("token zeev --as 2").answer();
    assert_eq!(machine.run("logout zeev --as 3").answer(), "zeev\tnone\n");
    machine.prints("logout zeev --as 2", "zeev\tforgotten\n");
    machine.fails("token zeev --as 2 --cached", 3, &["no session is stored"]);
    assert_eq!(machine.run("token zeev --cached").answer(), own);
    machine.fails("logout gluo --as 2", 2, &["--as works with zeev"]);
    machine.run("logout --all --as 2").fails(2, &["--as"]);
}

#[test]
fn what_cannot_be_asked_stays() {
    for (reply, code, text) in [
        (Reply::http(503, "text/plain", ""), 5, "unavailable"),
        (Reply::Last(Vec::new()), 5, "closed the connection"),
        (Reply::http(404, "text/html", "<html>"), 6, "has no API at"),
    ] {
        let server = Server::start(vec![canned::hellocloud("Hc1token"), reply.clone()]);
        if code == 6 {
            // The API may be below another path.
            server.push([reply]);
        }
        let machine = at("hellocloud", &server);
        machine.run("login hellocloud").answer();
        let says = ["error: hellocloud: ", text, "hint: "];
        machine.fails("logout hellocloud", code, &says);
        machine.prints("token hellocloud --cached", "Hc1token\n");
        machine.prints("logout hellocloud --local", "hellocloud\tforgotten\n");
    }
}

/// HelloCloud's answer to a login, after which it is away.
fn away_after_login() -> Vec<Reply> {
    vec![
        canned::hellocloud("Hc1token"),
        Reply::http(503, "text/plain", ""),
    ]
}

#[test]
fn one_failure_keeps_no_other_session_from_ending() {
    let away = Server::start(away_after_login());
    let zeev = Server::start(vec![canned::zeev("Zv1token")]);
    let mut machine = at("hellocloud", &away);
    demo::of("zeev").settle(&mut machine, &zeev.url());
    machine.run("login --all").answer();
    let outcome = machine.run("logout hellocloud zeev --json");
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    let rows = outcome.json();
    assert_eq!(rows[0]["target"], "hellocloud");
    assert_eq!(rows[0]["error"]["code"], "unavailable");
    assert_eq!(rows[1], json!({"target": "zeev", "outcome": "forgotten"}));
    assert_eq!(stored(&machine, ".json").len(), 1);
    machine.run("logout").fails(2, &["error: "]);
    machine.run("logout --all zeev").fails(2, &["error: "]);
    machine.fails("logout gluo", 2, &["error: gluo: ", "GLUO_URL"]);
}

#[test]
fn a_server_that_hangs_keeps_neither_the_others_nor_the_record() {
    for option in ["", " --json"] {
        let answers = [canned::gluo("Gs1token"), canned::gluo("Gs2token")].concat();
        let server = Server::start(answers);
        server.rest(Reply::http(500, "text/html", ""));
        let silent = [canned::gluo("Gs3token"), vec![Reply::Silence]].concat();
        let hanging = Server::start(silent);
        let mut machine = Machine::new();
        for (account, server) in [("A", &server), ("B", &server), ("SLOW", &hanging)] {
            let name = |field: &str| format!("GLUO__{account}__{field}");
            machine.set(&name("URL"), &server.url());
            machine.set(&name("USERNAME"), account);
            machine.secret(&name("ACCESS_KEY"), "Kx93gluoAccessKey0Rt");
        }
        assert_eq!(machine.run("login gluo@a gluo@b gluo@slow -j 1").code, 0);
        let line = format!("logout --all --timeout 60{option}");
        let mut child = machine.begin(&line);
        let mut stdout = BufReader::new(child.stdout.take().expect("a stdout"));
        let mut stderr = BufReader::new(child.stderr.take().expect("a stderr"));
        let mut lines: [String; 2] = Default::default();
        for line in &mut lines {
            let told: &mut dyn BufRead = if option.is_empty() {
                &mut stdout
            } else {
                &mut stderr
            };
            told.read_line(line).expect("a line");
        }
        hanging.wait_for(3);
        signal(&child, Signal::INT);
        let (mut rest, mut said) = (String::new(), String::new());
        stdout.read_to_string(&mut rest).expect("text");
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!(machine.end(child).code, 130);
        holds(
            &said,
            &["interrupted; a logout under way may have taken effect"],
        );
        lines.sort();
        if option.is_empty() {
            assert_eq!(lines, ["gluo@a\tstill-alive\n", "gluo@b\tstill-alive\n"]);
            assert_eq!(rest, "");
        } else {
            let rows: Value = serde_json::from_str(&rest).expect("JSON");
            let rows = rows.as_array().expect("an array").iter();
            let mut told: Vec<_> = rows.map(Value::to_string).collect();
            told.sort();
            let expected = ["gluo@a", "gluo@b"]
                .map(|target| json!({"target": target, "outcome": "still-alive"}));
            assert_eq!(told, expected.map(|row| row.to_string()));
        }
        assert_eq!(stored(&machine, ".json").len(), 1, "the hanging one stays");
    }
}

#[test]
fn a_fleet_is_logged_out_a_few_at_a_time() {
    let server = Server::start(Vec::new());
    let mut machine = Machine::new();
    machine.set("HELLOCLOUD_URL", &server.url());
    for number in 0..20 {
        let name = |field: &str| format!("HELLOCLOUD__N{number:02}__{field}");
        machine.set(&name("CLIENT_ID"), &format!("c{number}"));
        machine.secret(&name("CLIENT_SECRET"), "Sx8clientSecret4Tn");
    }
    server.rest(canned::hellocloud("Hc1token"));
    assert_eq!(machine.run("login --all").code, 0);
    // Nobody is answered before ten ask.
    server.rest(Reply::json(200, r#"{"meta":{}}"#).together(&Arc::new(Barrier::new(10))));
    let outcome = machine.run("logout --all");
    let lines = outcome.answer().lines();
    let revoked = lines.filter(|line| line.ends_with("\trevoked"));
    assert_eq!(revoked.count(), 20);
    assert_eq!(server.most_at_once(), 10);
    assert_eq!(left(&machine), NOTHING);
}

#[test]
fn a_reader_that_goes_away_keeps_no_session_alive() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login --all").answer();
    let mut child = machine.begin("logout --all");
    drop(child.stdout.take());
    assert_eq!(machine.end(child).code, 7);
    assert_eq!(left(&machine), NOTHING);
}

#[test]
fn the_sandbox_has_nothing_to_end() {
    let machine = Machine::new();
    machine.prints("logout gluo --sandbox", "gluo\tnone\n");
    assert_eq!(machine.run("logout --all --sandbox").answer(), "");
}

/// A machine that knows only where the systems are and who logs in.
fn without_credentials(servers: &Servers) -> Machine {
    let mut machine = Machine::new();
    for (name, value) in servers.demo() {
        let kept = ["_URL", "_USERNAME", "_CLIENT_ID"];
        if kept.iter().any(|end| name.ends_with(end)) {
            machine.set(name, value);
        }
    }
    machine
}

#[test]
fn a_session_of_another_machine_is_checked_stored_and_shared() {
    let servers = Servers::start();
    let (elsewhere, here) = (five_at(&servers), without_credentials(&servers));
    elsewhere.run("login --all").answer();
    for system in systems() {
        let session = elsewhere.run(&format!("token {system} -f json"));
        let session = session.answer();
        assert!(!session.contains("refresh"), "{session}");
        let token = cached(&elsewhere, system) + "\n";
        here.fails(&format!("token {system}"), 2, &["error: "]);
        let before = requests(&servers);
        let adopted = fed(&here, &format!("login {system} --adopt"), session);
        adopted.gives(0, &token, system);
        if !demo::of(system).asked {
            let unknown = "the server has no way to say whether the session is alive";
            adopted.says(&[&format!("warning: {system}: {unknown}")]);
        } else {
            let checked = (adopted.stderr.as_str(), requests(&servers));
            assert_eq!(checked, ("", before + 1), "{system}");
        }
        let before = requests(&servers);
        here.prints(&format!("token {system} --cached"), &token);
        here.prints(&format!("token {system}"), token);
        let mut again = here.run(&format!("token {system} -f json")).json();
        let mut session: Value = serde_json::from_str(session).expect("JSON");
        for json in [&mut again, &mut session] {
            json["obtained_at"] = Value::Null;
            json["expires_at"] = Value::Null;
        }
        assert_eq!(again, session, "{system}");
        assert_eq!(requests(&servers), before);
        for path in stored(&here, ".json") {
            let text = std::fs::read_to_string(path).expect("an entry");
            assert!(text.contains("\"refresh\":null"), "{text}");
        }
    }
    assert_eq!(here.run("status").code, 0);
    // It can be ended here too.
    here.prints("logout hellocloud", "hellocloud\trevoked\n");
    elsewhere
        .run("status hellocloud --check")
        .shows(&[" dead "]);
}

#[test]
fn a_session_is_adopted_without_any_setting() {
    let (servers, others) = (Servers::start(), Servers::start());
    let (elsewhere, beyond) = (five_at(&servers), five_at(&others));
    for machine in [&elsewhere, &beyond] {
        machine.run("login --all").answer();
    }
    for system in systems() {
        let variable = demo::of(system).variable("URL");
        let adopt = |here: &Machine, from: &Machine| {
            let session = from.run(&format!("token {system} -f json"));
            let adopted = fed(here, &format!("login {system} --adopt"), session.answer());
            assert_eq!(adopted.code, 0, "{}", adopted.stderr);
            adopted.stdout
        };
        let token = |here: &Machine| here.run(&format!("token {system}")).answer().to_owned();
        for url_is_set in [false, true] {
            let mut here = Machine::new();
            if url_is_set {
                here.set(&variable, servers.setting(&variable));
            }
            let adopted = adopt(&here, &elsewhere);
            assert_eq!(token(&here), adopted, "{system}");
            let names = ["error: ", &demo::of(system).variable("")];
            here.fails(&format!("login {system}"), 2, &names);
            here.unset(&variable);
            let second = adopt(&here, &beyond);
            assert_ne!(second, adopted, "{system}");
            let which = ["sessions of ", &format!("set {variable}")];
            here.fails(&format!("token {system}"), 2, &which);
            here.set(&variable, others.setting(&variable));
            assert_eq!(token(&here), second, "{system}");
        }
    }
}

#[test]
fn a_later_step_that_has_only_the_url_uses_the_session_of_an_earlier_one() {
    let servers = Servers::start();
    let mut step = five_at(&servers);
    step.run("login --all").answer();
    let tokens: Vec<String> = systems()
        .into_iter()
        .map(|system| cached(&step, system))
        .collect();
    for (name, _) in servers.demo() {
        if !name.ends_with("_URL") {
            step.unset(name);
        }
    }
    for (system, token) in systems().into_iter().zip(tokens) {
        let line = format!("token {system}");
        step.prints(&line, token + "\n");
        step.set(&demo::of(system).variable("URL"), "https://other.example");
        step.fails(&line, 2, &["not set: "]);
    }
}

#[test]
fn an_adopted_session_stays_where_credentials_are_set() {
    let servers = Servers::start();
    let (elsewhere, here) = (five_at(&servers), five_at(&servers));
    let session = elsewhere.run("login systemsway -f json");
    let token = cached(&elsewhere, "systemsway") + "\n";
    let adopted = fed(&here, "login systemsway --adopt", session.answer());
    assert_eq!(adopted.answer(), token);
    here.prints("token systemsway", token);
    assert_eq!(logins(&servers), 1, "one seat, one login");
}

#[test]
fn a_dead_session_is_not_stored() {
    let servers = Servers::start();
    let (elsewhere, here) = (five_at(&servers), without_credentials(&servers));
    elsewhere.run("login --all").answer();
    servers.advance(2 * 3600);
    for system in systems() {
        let session = if demo::of(system).asked {
            let session = elsewhere.run(&format!("token {system} --cached -f json"));
            session.answer().to_owned()
        } else {
            // By its end nobody hands it out any more, so it is written by hand.
            let url = servers.setting(&demo::of(system).variable("URL"));
            session(
                url,
                &[("provider", json!(system)), ("expires_at", from_now(-10))],
            )
        };
        let outcome = fed(&here, &format!("login {system} --adopt"), &session);
        outcome.fails(4, &[&format!("error: {system}: "), "hint: "]);
    }
    assert!(stored(&here, ".json").is_empty());
}

#[test]
fn a_session_for_something_else_is_refused_unseen() {
    let servers = Servers::start();
    let other = Servers::start();
    let elsewhere = five_at(&servers);
    let session = elsewhere.run("login zeev -f json").answer().to_owned();
    let person = elsewhere.run("token zeev --as maria.souza -f json");
    let mut here = without_credentials(&other);
    let refused = |here: &Machine, system: &str, texts: &[&str]| {
        fed(here, &format!("login {system} --adopt"), &session).fails(2, texts);
    };
    refused(&here, "zeev", &["error: zeev: ", "hint: "]);
    refused(&here, "broker", &["error: broker: ", "hint: "]);
    // The same server under another provider's name.
    here.set("BROKER_URL", servers.setting("ZEEV_URL"));
    refused(&here, "broker", &["error: broker: ", "hint: "]);
    here.unset("ZEEV_URL");
    refused(&here, "zeev", &["ZEEV_URL"]);
    // Another person's session is not the configured user's.
    here.set("ZEEV_URL", servers.setting("ZEEV_URL"));
    let before = requests(&servers);
    let outcome = fed(&here, "login zeev --adopt", person.answer());
    outcome.fails(2, &["error: zeev: ", "maria.souza", "hint: "]);
    assert_eq!((requests(&servers), requests(&other)), (before, 0));
    assert!(stored(&here, ".json").is_empty());
}

#[test]
fn what_is_no_session_is_refused() {
    let server = Server::start(Vec::new());
    let machine = zeev_of_ana(&server.url());
    let with = |field: &str, value: Value| session(&server.url(), &[(field, value)]);
    let (version, object, token) = ("another version", "no session object", "an invalid token");
    let below = json!(format!("{}/other", server.url()));
    let anas = "the session is bia's, and ZEEV_USERNAME is ana";
    for (text, why) in [
        (String::new(), "empty"),
        ("garbage".to_owned(), object),
        ("[]".to_owned(), "an array"),
        ("null".to_owned(), object),
        ("{}".to_owned(), "it has no schema"),
        ("{\"schema\":1".to_owned(), object),
        (with("schema", json!(2)), version),
        (with("schema", json!("1")), version),
        (with("token", Value::Null), token),
        (with("token", json!("")), token),
        (with("token", json!("a b")), token),
        (with("token", json!("a\nb")), token),
        (with("token", json!("x".repeat(8193))), token),
        (with("url", Value::Null), "which server"),
        (with("url", json!("not a url")), "which server"),
        (with("url", below), "is for Zeev at http://"),
        (with("provider", json!("gluo")), "is for Gluocrm at http://"),
        (with("provider", json!("x")), "is for another system at"),
        (with("user", json!("bia")), anas),
        (format!("[{}]", with("x", json!(1))), "an array"),
        (with("padding", json!("x".repeat(2 * 1024 * 1024))), object),
    ] {
        let mut command = machine.line("login zeev --adopt");
        // From a file: who refuses it need not have read all of it.
        let path = machine.write("session.json", &text);
        command.stdin(std::fs::File::open(path).expect("a file"));
        let outcome = machine.finish(command);
        outcome.fails(2, &["error: zeev: ", why, "hint: "]);
    }
    // The server would be asked about it, and might say that it is alive.
    let (expired, unknown) = (
        "the session has expired",
        "a session whose end is unknown is not stored",
    );
    for (end, code, why) in [
        (json!("2020-01-01T00:00:00Z"), 4, expired),
        (Value::Null, 2, unknown),
        (json!("some day"), 2, unknown),
    ] {
        let outcome = fed(&machine, "login zeev --adopt", &with("expires_at", end));
        outcome.fails(code, &[&format!("error: zeev: {why}"), "hint: "]);
    }
    machine.fails("login zeev gluo --adopt", 2, &["--adopt"]);
    machine.run("login --all --adopt").fails(2, &["--adopt"]);
    machine.fails("login zeev --adopt --as 2", 2, &["--adopt"]);
    assert_eq!(server.connections(), 0);
    assert!(stored(&machine, ".json").is_empty());
}

#[test]
fn a_server_that_is_away_adopts_nothing() {
    let server = Server::start(vec![Reply::http(503, "text/plain", "")]);
    let machine = zeev_of_ana(&server.url());
    let end = ("expires_at", json!("2100-01-01T00:00:00Z"));
    let session = session(&server.url(), &[end]);
    let outcome = fed(&machine, "login zeev --adopt", &session);
    outcome.fails(5, &["error: zeev: ", "unavailable"]);
    assert!(stored(&machine, ".json").is_empty());
}

#[test]
fn a_signal_ends_the_wait_for_a_session() {
    let machine = zeev_of_ana("http://127.0.0.1:1");
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut command = machine.line("login zeev --adopt");
        command.stdin(Stdio::piped());
        let mut child = machine.start(command);
        let mut stdin = child.stdin.take().expect("a pipe");
        // Once it has taken what is there it waits for the rest.
        stdin.write_all(b"{").expect("a reader");
        while rustix::io::ioctl_fionread(&stdin).expect("a pipe") > 0 {
            std::thread::yield_now();
        }
        signal(&child, sent);
        machine.end(child).fails(code, &[]);
        drop(stdin);
    }
}

/// A machine that knows where Zeev is and who logs in.
fn zeev_of_ana(url: &str) -> Machine {
    let mut machine = Machine::new();
    machine.set("ZEEV_URL", url).set("ZEEV_USERNAME", "ana");
    machine
}

#[test]
fn what_is_no_entry_of_ours_stays_where_it_is() {
    let machine = zeev_of_ana("http://127.0.0.1:1");
    machine.write("package.json", "{}");
    let broken = machine.write("0123456789abcdef0123456789abcdef.json", "broken");
    let newer = machine.write("fedcba9876543210fedcba9876543210.json", r#"{"schema":2}"#);
    let unread = "error: 1 stored entries could not be read";
    let says = [unread, "still be active on the server", "hint: "];
    machine.fails("logout --all --store file:.", 7, &says);
    assert!(machine.path("package.json").exists() && newer.exists());
    assert!(!broken.exists());
}

#[test]
fn a_session_that_others_may_have_read_is_revoked() {
    for (line, demo) in [("hellocloud", true), ("--all", true), ("hellocloud", false)] {
        let servers = Servers::start();
        let mut machine = five_at(&servers);
        machine.run("login hellocloud").answer();
        let token = cached(&machine, "hellocloud");
        set_mode(&entry(&machine), 0o644);
        if !demo {
            forget(&mut machine, &servers);
        }
        let outcome = machine.run(&format!("logout {line}"));
        outcome.gives(0, "hellocloud\trevoked\n", line);
        outcome.says(&[
            "warning: hellocloud: the stored session ",
            "is open to others",
        ]);
        outcome.lacks(&["not used"]);
        assert_eq!(status(&servers, &token), 401);
        assert_eq!(left(&machine), NOTHING);
    }
}

#[test]
fn a_session_that_others_may_have_read_stays_while_its_server_is_away() {
    for line in ["hellocloud", "--all"] {
        let server = Server::start(away_after_login());
        let machine = at("hellocloud", &server);
        machine.run("login hellocloud").answer();
        set_mode(&entry(&machine), 0o644);
        machine.fails(&format!("logout {line}"), 5, &["unavailable"]);
        assert_eq!(stored(&machine, ".json").len(), 1, "{line}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_removed_and_nobody_is_told_that_all_is_well() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    for (line, target) in [("hellocloud", "hellocloud: "), ("--all", "")] {
        machine.run("login hellocloud").answer();
        std::fs::write(entry(&machine), "{\"schema\":1,").expect("an entry");
        let error = format!("error: {target}");
        let says = [
            &*error,
            "removed here",
            "still be active on the server",
            "hint: ",
        ];
        machine.fails(&format!("logout {line}"), 7, &says);
        assert_eq!(left(&machine), NOTHING);
    }
    machine.run("login hellocloud").answer();
    std::fs::write(entry(&machine), "{\"schema\":1,").expect("an entry");
    machine.prints("logout hellocloud --local", "hellocloud\tforgotten\n");
    assert_eq!(left(&machine), NOTHING);
}

#[test]
fn an_expired_session_is_renewed_so_that_it_can_be_ended() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login hellocloud").answer();
    ends(&entry(&machine), -1);
    servers.advance(2 * 3600);
    let before = requests(&servers);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    let asked = servers.events().split_off(before).into_iter();
    let asked: Vec<String> = asked.map(|event| event.path).collect();
    assert_eq!(
        asked,
        ["/Api/V8/logout", "/Api/access_token", "/Api/V8/logout"]
    );
}
