//! `crmauth logout`, and `login --adopt`: how a session ends, and how it comes from another machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Barrier};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::machine::{feed, set_mode, signal};
use crate::support::sandbox::Servers;
use crate::support::stored::{edit, entry, five_at, from_now, stored, systems};
use crate::support::{Machine, Outcome, Reply, Server, canned, demo};

/// Requests that the servers of `servers` have had so far.
fn requests(servers: &Servers) -> usize {
    servers.events().len()
}

/// The names of what the store holds, but for its own key.
fn left(machine: &Machine) -> Vec<String> {
    let names = stored(machine, "").into_iter();
    let names = names.map(|path| {
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    });
    names.filter(|name| name != "key").collect()
}

/// Runs the program with a text on stdin.
fn fed(machine: &Machine, line: &str, text: &str) -> Outcome {
    let mut command = machine.line(line);
    command.stdin(Stdio::piped());
    let mut child = machine.start(command);
    feed(&mut child, text);
    machine.end(child)
}

#[test]
fn hellocloud_is_revoked_and_its_other_logins_live_on() {
    let servers = Servers::start();
    let (machine, other) = (five_at(&servers), five_at(&servers));
    machine.run("login hellocloud").answer();
    other.run("login hellocloud").answer();
    let token = |machine: &Machine| {
        machine
            .run("token hellocloud --cached")
            .answer()
            .trim_end()
            .to_owned()
    };
    let (ours, theirs) = (token(&machine), token(&other));
    let before = requests(&servers);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    let asked = servers.events().split_off(before);
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("POST", "/Api/V8/logout")
    );
    let status = |token: &str| {
        servers
            .call("hellocloud", "GET", "/Api/V8/current-user", Some(token))
            .status
    };
    assert_eq!((status(&ours), status(&theirs)), (401, 200));
    assert_eq!(
        left(&machine),
        Vec::<String>::new(),
        "neither the session nor its lock file is left"
    );
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
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[test]
fn gluo_may_keep_the_session_alive_and_that_is_said() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login gluo").answer();
    let token = machine
        .run("token gluo --cached")
        .answer()
        .trim_end()
        .to_owned();
    let outcome = machine.run("logout gluo");
    outcome.gives(0, "gluo\tstill-alive\n", "");
    outcome.says(&["warning: gluo: the server left the session alive"]);
    assert_eq!(left(&machine), Vec::<String>::new());
    let target = format!("/webservice.php?operation=listtypes&sessionName={token}");
    assert_eq!(
        servers.call("gluo", "GET", &target, None).json()["success"],
        true
    );
    // One that ends it is believed.
    let mut script = canned::gluo("Gs1token");
    script.push(Reply::json(
        200,
        r#"{"success":true,"result":{"message":"successfull"}}"#,
    ));
    let server = Server::start(script);
    let mut machine = Machine::new();
    machine
        .set("GLUO_URL", &server.url())
        .set("GLUO_USERNAME", "admin");
    machine.secret("GLUO_ACCESS_KEY", "Kx93gluoAccessKey0Rt");
    machine.run("login gluo").answer();
    assert_eq!(machine.run("logout gluo").answer(), "gluo\trevoked\n");
    let sent = server.received().pop().expect("a request");
    assert_eq!(
        (sent.method.as_str(), sent.body.as_str()),
        ("POST", "operation=logout&sessionName=Gs1token")
    );
}

#[test]
fn where_there_is_nothing_to_ask_no_server_is_asked() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine
        .run("login gluo hellocloud systemsway broker zeev")
        .answer();
    let before = requests(&servers);
    for system in ["systemsway", "broker", "zeev"] {
        let outcome = machine.run(&format!("logout {system}"));
        assert_eq!(outcome.answer(), format!("{system}\tforgotten\n"));
        machine.fails(
            &format!("token {system} --cached"),
            3,
            &["no session is stored"],
        );
    }
    let outcome = machine.run("logout gluo hellocloud zeev --local");
    assert_eq!(
        outcome.answer(),
        "gluo\tforgotten\nhellocloud\tforgotten\nzeev\tnone\n"
    );
    assert_eq!(requests(&servers), before);
    assert_eq!(
        left(&machine).len(),
        2,
        "the partner's session belongs to others too: {:?}",
        left(&machine)
    );
}

#[test]
fn all_ends_everything_that_is_stored() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine
        .run("login gluo hellocloud systemsway broker zeev")
        .answer();
    machine.run("token zeev --as maria.souza").answer();
    machine.set(
        "HELLOCLOUD__MAQUINA__CLIENT_ID",
        servers.setting("HELLOCLOUD__MAQUINA__CLIENT_ID"),
    );
    machine.set(
        "HELLOCLOUD__MAQUINA__CLIENT_SECRET",
        servers.setting("HELLOCLOUD__MAQUINA__CLIENT_SECRET"),
    );
    machine.run("login hellocloud@maquina").answer();
    // Its settings are not needed any more, its server is that of the login.
    for (name, _) in servers.demo() {
        machine.unset(name);
    }
    let outcome = machine.run("logout --all --json");
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let mut ended: Vec<(String, String)> = outcome
        .json()
        .as_array()
        .expect("an array")
        .iter()
        .map(|row| {
            [&row["target"], &row["outcome"]]
                .map(|text| text.as_str().expect("a text").to_owned())
                .into()
        })
        .collect();
    ended.sort();
    let expected = [
        ("broker", "forgotten"),
        ("broker (partner)", "forgotten"),
        ("gluo", "still-alive"),
        ("hellocloud", "revoked"),
        ("hellocloud@maquina", "revoked"),
        ("systemsway", "forgotten"),
        ("zeev", "forgotten"),
        ("zeev (as:maria.souza)", "forgotten"),
    ];
    assert_eq!(
        ended,
        expected.map(|(target, outcome)| (target.to_owned(), outcome.to_owned()))
    );
    assert_eq!(left(&machine), Vec::<String>::new());
    let revoked = servers
        .events()
        .iter()
        .filter(|event| event.path == "/Api/V8/logout")
        .count();
    assert_eq!(revoked, 2);
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
    assert_eq!(
        elsewhere.connections(),
        0,
        "a session goes to no other server"
    );
}

#[test]
fn a_target_without_settings_here_is_logged_out_where_it_was_logged_in() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login hellocloud zeev").answer();
    machine.run("token zeev --as 2").answer();
    for (name, _) in servers.demo() {
        machine.unset(name);
    }
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    assert_eq!(
        servers
            .events()
            .last()
            .map(|event| event.path.clone())
            .as_deref(),
        Some("/Api/V8/logout")
    );
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
    let mut machine = Machine::new();
    machine
        .set("HELLOCLOUD_CLIENT_ID", "c1")
        .secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
    for server in &servers {
        machine
            .set("HELLOCLOUD_URL", &server.url())
            .run("login hellocloud")
            .answer();
    }
    ["URL", "CLIENT_ID", "CLIENT_SECRET"]
        .iter()
        .for_each(|name| {
            machine.unset(&format!("HELLOCLOUD_{name}"));
        });
    machine.fails(
        "logout hellocloud",
        2,
        &[
            "error: hellocloud: ",
            &servers[0].url(),
            &servers[1].url(),
            "hint: ",
            "--all",
        ],
    );
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
        let mut machine = Machine::new();
        machine
            .set("HELLOCLOUD_URL", &server.url())
            .set("HELLOCLOUD_CLIENT_ID", "c1");
        machine.secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
        machine.run("login hellocloud").answer();
        machine.fails(
            "logout hellocloud",
            code,
            &["error: hellocloud: ", text, "hint: "],
        );
        machine.prints("token hellocloud --cached", "Hc1token\n");
        machine.prints("logout hellocloud --local", "hellocloud\tforgotten\n");
    }
}

#[test]
fn one_failure_keeps_no_other_session_from_ending() {
    let away = Server::start(vec![
        canned::hellocloud("Hc1token"),
        Reply::http(503, "text/plain", ""),
    ]);
    let zeev = Server::start(vec![canned::zeev("Zv1token")]);
    let mut machine = Machine::new();
    machine
        .set("HELLOCLOUD_URL", &away.url())
        .set("HELLOCLOUD_CLIENT_ID", "c1");
    machine.secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
    machine
        .set("ZEEV_URL", &zeev.url())
        .set("ZEEV_USERNAME", "ana");
    machine.secret("ZEEV_PASSWORD", "Vq7zeevPassword2Lw");
    machine.run("login --all").answer();
    let outcome = machine.run("logout hellocloud zeev --json");
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    let rows = outcome.json();
    assert_eq!(
        (&rows[0]["target"], &rows[0]["error"]["code"]),
        (&json!("hellocloud"), &json!("unavailable"))
    );
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
        let hanging = Server::start(
            canned::gluo("Gs3token")
                .into_iter()
                .chain([Reply::Silence])
                .collect(),
        );
        let mut machine = Machine::new();
        for (account, server) in [("A", &server), ("B", &server), ("SLOW", &hanging)] {
            machine.set(&format!("GLUO__{account}__URL"), &server.url());
            machine.set(&format!("GLUO__{account}__USERNAME"), account);
            machine.secret(
                &format!("GLUO__{account}__ACCESS_KEY"),
                "Kx93gluoAccessKey0Rt",
            );
        }
        assert_eq!(machine.run("login gluo@a gluo@b gluo@slow -j 1").code, 0);
        let line = format!("logout --all --timeout 60{option}");
        let mut child = machine.begin(&line);
        let mut stdout = BufReader::new(child.stdout.take().expect("a stdout"));
        let mut stderr = BufReader::new(child.stderr.take().expect("a stderr"));
        let mut lines: [String; 2] = Default::default();
        for line in &mut lines {
            match option {
                "" => stdout.read_line(line),
                _ => stderr.read_line(line),
            }
            .expect("a line");
        }
        hanging.wait_for(3);
        signal(&child, Signal::INT);
        let (mut rest, mut said) = (String::new(), String::new());
        stdout.read_to_string(&mut rest).expect("text");
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!(machine.end(child).code, 130);
        assert!(
            said.contains("interrupted; a logout under way may have taken effect"),
            "{said}"
        );
        lines.sort();
        if option.is_empty() {
            assert_eq!(lines, ["gluo@a\tstill-alive\n", "gluo@b\tstill-alive\n"]);
            assert_eq!(rest, "");
        } else {
            let rows: Value = serde_json::from_str(&rest).expect("JSON");
            let mut told: Vec<_> = rows
                .as_array()
                .expect("an array")
                .iter()
                .map(Value::to_string)
                .collect();
            told.sort();
            let row =
                |target: &str| json!({"target": target, "outcome": "still-alive"}).to_string();
            assert_eq!(told, [row("gluo@a"), row("gluo@b")]);
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
        machine.set(
            &format!("HELLOCLOUD__N{number:02}__CLIENT_ID"),
            &format!("c{number}"),
        );
        machine.secret(
            &format!("HELLOCLOUD__N{number:02}__CLIENT_SECRET"),
            "Sx8clientSecret4Tn",
        );
    }
    server.rest(canned::hellocloud("Hc1token"));
    assert_eq!(machine.run("login --all").code, 0);
    // Nobody is answered before ten ask.
    server.rest(Reply::json(200, r#"{"meta":{}}"#).together(&Arc::new(Barrier::new(10))));
    let outcome = machine.run("logout --all");
    assert_eq!(
        outcome
            .answer()
            .lines()
            .filter(|line| line.ends_with("\trevoked"))
            .count(),
        20
    );
    assert_eq!(server.most_at_once(), 10);
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[test]
fn a_reader_that_goes_away_keeps_no_session_alive() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login --all").answer();
    let mut child = machine.begin("logout --all");
    drop(child.stdout.take());
    assert_eq!(machine.end(child).code, 7);
    assert_eq!(left(&machine), Vec::<String>::new());
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
        if ["_URL", "_USERNAME", "_CLIENT_ID"]
            .iter()
            .any(|end| name.ends_with(end))
        {
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
        let token = elsewhere
            .run(&format!("token {system} --cached"))
            .answer()
            .to_owned();
        here.run(&format!("token {system}")).fails(2, &["error: "]);
        let before = requests(&servers);
        let adopted = fed(&here, &format!("login {system} --adopt"), session);
        adopted.gives(0, token.as_str(), "");
        if !demo::of(system).asked {
            let unknown = "the server has no way to say whether the session is alive";
            adopted.says(&[&format!("warning: {system}: {unknown}")]);
        } else {
            assert_eq!(
                (adopted.stderr.as_str(), requests(&servers)),
                ("", before + 1),
                "{system} is checked"
            );
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
    let outcome = elsewhere.run("status hellocloud --check");
    assert!(outcome.stdout.contains(" dead "), "{}", outcome.stdout);
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
            here.run(&format!("login {system}"))
                .fails(2, &["error: ", &format!("{}_", system.to_uppercase())]);
            here.unset(&variable);
            let second = adopt(&here, &beyond);
            assert_ne!(second, adopted, "{system}");
            here.run(&format!("token {system}"))
                .fails(2, &["sessions of ", &format!("set {variable}")]);
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
    let tokens = systems()
        .into_iter()
        .map(|system| step.run(&format!("token {system}")).answer().to_owned());
    let tokens: Vec<String> = tokens.collect();
    for (name, _) in servers.demo() {
        if !name.ends_with("_URL") {
            step.unset(name);
        }
    }
    for (system, token) in systems().into_iter().zip(tokens) {
        step.prints(&format!("token {system}"), token);
        step.set(&demo::of(system).variable("URL"), "https://other.example");
        step.run(&format!("token {system}"))
            .fails(2, &["not set: "]);
    }
}

#[test]
fn an_adopted_session_stays_where_credentials_are_set() {
    let servers = Servers::start();
    let (elsewhere, here) = (five_at(&servers), five_at(&servers));
    let session = elsewhere.run("login systemsway -f json");
    let token = elsewhere
        .run("token systemsway --cached")
        .answer()
        .to_owned();
    let adopted = fed(&here, "login systemsway --adopt", session.answer());
    assert_eq!(adopted.answer(), token);
    assert_eq!(here.run("token systemsway").answer(), token);
    let logins = servers
        .events()
        .iter()
        .filter(|event| event.path == "/api/main")
        .count();
    assert_eq!(logins, 1, "one seat, one login");
}

#[test]
fn a_dead_session_is_not_stored() {
    let servers = Servers::start();
    let (elsewhere, here) = (five_at(&servers), without_credentials(&servers));
    elsewhere.run("login --all").answer();
    servers.advance(2 * 3600);
    for system in systems() {
        let session = if demo::of(system).asked {
            elsewhere
                .run(&format!("token {system} --cached -f json"))
                .answer()
                .to_owned()
        } else {
            // By its end nobody hands it out any more, so it is written by hand.
            let url = servers.setting(&demo::of(system).variable("URL"));
            let session = json!({
                "schema": 1, "provider": system, "token": "Br1token", "token_type": "Bearer",
                "url": url, "expires_at": from_now(-10),
            });
            session.to_string()
        };
        let outcome = fed(&here, &format!("login {system} --adopt"), &session);
        outcome.fails(4, &[&format!("error: {system}: "), "hint: "]);
    }
    assert_eq!(stored(&here, ".json"), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_session_for_something_else_is_refused_unseen() {
    let servers = Servers::start();
    let other = Servers::start();
    let elsewhere = five_at(&servers);
    let session = elsewhere.run("login zeev -f json").answer().to_owned();
    let person = elsewhere
        .run("token zeev --as maria.souza -f json")
        .answer()
        .to_owned();
    let mut here = without_credentials(&other);
    fed(&here, "login zeev --adopt", &session).fails(2, &["error: zeev: ", "hint: "]);
    fed(&here, "login broker --adopt", &session).fails(2, &["error: broker: ", "hint: "]);
    // The same server under another provider's name.
    here.set("BROKER_URL", servers.setting("ZEEV_URL"));
    fed(&here, "login broker --adopt", &session).fails(2, &["error: broker: ", "hint: "]);
    here.unset("ZEEV_URL");
    fed(&here, "login zeev --adopt", &session).fails(2, &["ZEEV_URL"]);
    // Another person's session is not the configured user's.
    here.set("ZEEV_URL", servers.setting("ZEEV_URL"));
    let before = requests(&servers);
    fed(&here, "login zeev --adopt", &person).fails(2, &["error: zeev: ", "maria.souza", "hint: "]);
    assert_eq!((requests(&servers), requests(&other)), (before, 0));
    assert_eq!(stored(&here, ".json"), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_is_no_session_is_refused() {
    let server = Server::start(Vec::new());
    let mut machine = Machine::new();
    machine
        .set("ZEEV_URL", &server.url())
        .set("ZEEV_USERNAME", "ana");
    let with = |field: &str, value: Value| {
        let mut session = json!({
            "schema": 1, "provider": "zeev", "token": "Zv1token", "token_type": "Bearer", "url": server.url(),
        });
        session[field] = value;
        session.to_string()
    };
    let (version, object, token) = ("another version", "no session object", "an invalid token");
    for (text, why) in [
        (String::new(), "empty"),
        ("garbage".to_owned(), object),
        ("[]".to_owned(), "an array"),
        ("null".to_owned(), object),
        ("{}".to_owned(), object),
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
        (
            with("url", json!(format!("{}/other", server.url()))),
            "and not for zeev at",
        ),
        (
            with("user", json!("bia")),
            "the session is bia's, and ZEEV_USERNAME is ana",
        ),
        (format!("[{}]", with("x", json!(1))), "an array"),
        (with("padding", json!("x".repeat(2 * 1024 * 1024))), object),
    ] {
        let mut command = machine.command(&["login", "zeev", "--adopt"]);
        // From a file: who refuses it need not have read all of it.
        let path = machine.write("session.json", &text);
        command.stdin(std::fs::File::open(path).expect("a file"));
        machine
            .finish(command)
            .fails(2, &["error: zeev: ", why, "hint: "]);
    }
    // The server would be asked about it, and might say that it is alive.
    let ended = with("expires_at", json!("2020-01-01T00:00:00Z"));
    fed(&machine, "login zeev --adopt", &ended)
        .fails(4, &["error: zeev: the session has expired", "hint: "]);
    for end in [Value::Null, json!("some day")] {
        fed(&machine, "login zeev --adopt", &with("expires_at", end)).fails(
            2,
            &[
                "error: zeev: a session whose end is unknown is not stored",
                "hint: ",
            ],
        );
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
    let mut machine = Machine::new();
    machine
        .set("ZEEV_URL", &server.url())
        .set("ZEEV_USERNAME", "ana");
    let session = json!({
        "schema": 1, "provider": "zeev", "token": "Zv1token", "token_type": "Bearer", "url": server.url(),
        "expires_at": "2100-01-01T00:00:00Z",
    });
    fed(&machine, "login zeev --adopt", &session.to_string())
        .fails(5, &["error: zeev: ", "unavailable"]);
    assert!(stored(&machine, ".json").is_empty());
}

#[test]
fn a_signal_ends_the_wait_for_a_session() {
    let machine = machine_of_nobody();
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut command = machine.command(&["login", "zeev", "--adopt"]);
        command.stdin(std::process::Stdio::piped());
        let mut child = machine.start(command);
        let mut stdin = child.stdin.take();
        // Once it has taken what is there it waits for the rest.
        stdin
            .as_mut()
            .expect("a pipe")
            .write_all(b"{")
            .expect("a reader");
        while rustix::io::ioctl_fionread(stdin.as_ref().expect("a pipe")).expect("a pipe") > 0 {
            std::thread::yield_now();
        }
        signal(&child, sent);
        machine.end(child).fails(code, &[]);
        drop(stdin);
    }
}

fn machine_of_nobody() -> Machine {
    let mut machine = Machine::new();
    machine
        .set("ZEEV_URL", "http://127.0.0.1:1")
        .set("ZEEV_USERNAME", "ana");
    machine
}

#[test]
fn what_is_no_entry_of_ours_stays_where_it_is() {
    let machine = machine_of_nobody();
    machine.write("package.json", "{}");
    machine.write("0123456789abcdef0123456789abcdef.json", "broken");
    let newer = machine.write("fedcba9876543210fedcba9876543210.json", r#"{"schema":2}"#);
    machine.fails(
        "logout --all --store file:.",
        7,
        &[
            "error: 1 stored entries could not be read",
            "still be active on the server",
            "hint: ",
        ],
    );
    assert!(machine.path("package.json").exists() && newer.exists());
    assert!(
        !machine
            .path("0123456789abcdef0123456789abcdef.json")
            .exists()
    );
}

#[test]
fn a_session_that_others_may_have_read_is_revoked() {
    for (line, demo) in [("hellocloud", true), ("--all", true), ("hellocloud", false)] {
        let servers = Servers::start();
        let mut machine = five_at(&servers);
        let token = machine
            .run("login hellocloud")
            .answer()
            .trim_end()
            .to_owned();
        set_mode(&entry(&machine), 0o644);
        if !demo {
            servers.demo().for_each(|(name, _)| {
                machine.unset(name);
            });
        }
        let outcome = machine.run(&format!("logout {line}"));
        outcome.gives(0, "hellocloud\trevoked\n", "");
        outcome.says(&[
            "warning: hellocloud: the stored session ",
            "is open to others",
        ]);
        assert!(!outcome.stderr.contains("not used"), "{}", outcome.stderr);
        assert_eq!(
            servers
                .call("hellocloud", "GET", "/Api/V8/current-user", Some(&token))
                .status,
            401
        );
        assert_eq!(left(&machine), Vec::<String>::new());
    }
}

#[test]
fn a_session_that_others_may_have_read_stays_while_its_server_is_away() {
    for line in ["hellocloud", "--all"] {
        let server = Server::start(vec![
            canned::hellocloud("Hc1token"),
            Reply::http(503, "text/plain", ""),
        ]);
        let mut machine = Machine::new();
        machine
            .set("HELLOCLOUD_URL", &server.url())
            .set("HELLOCLOUD_CLIENT_ID", "c1");
        machine.secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
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
        machine.fails(
            &format!("logout {line}"),
            7,
            &[
                &format!("error: {target}"),
                "removed here",
                "still be active on the server",
                "hint: ",
            ],
        );
        assert_eq!(left(&machine), Vec::<String>::new());
    }
    machine.run("login hellocloud").answer();
    std::fs::write(entry(&machine), "{\"schema\":1,").expect("an entry");
    machine.prints("logout hellocloud --local", "hellocloud\tforgotten\n");
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[test]
fn an_expired_session_is_renewed_so_that_it_can_be_ended() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login hellocloud").answer();
    edit(&machine, "hellocloud", |entry| {
        entry["expires_at"] = from_now(-1)
    });
    servers.advance(2 * 3600);
    let before = requests(&servers);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    let asked: Vec<String> = servers
        .events()
        .split_off(before)
        .into_iter()
        .map(|event| event.path)
        .collect();
    assert_eq!(
        asked,
        ["/Api/V8/logout", "/Api/access_token", "/Api/V8/logout"]
    );
}
