//! One session in many hands: requests that wait for each other, a death under all of them, and states in which no logout
//! ends it.

use crmauth::sandbox::{Errors, Gluo, Version};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::raw::{self, Request};
use crate::support::sandbox::{EPOCH, Servers};
use crate::support::stored::{cached, edit, five, five_at, from_now, logins};
use crate::support::{Machine, at_once};
use crate::token::Crowd;

const CREATE: &str =
    "operation=create&elementType=Leads&element={\"lastname\":\"L\",\"assigned_user_id\":\"19x1\"}";

/// One more machine that knows the servers, whose clock stays where it is.
fn another(servers: &Servers) -> Machine {
    let machine = five_at(servers);
    servers.advance(EPOCH - Timestamp::now().as_second());
    machine
}

/// PHP serves one request of a session at a time: whoever asks meanwhile is told so, and nothing is lost.
#[test]
fn behind_a_long_request_of_its_session_nobody_waits_for_ever() {
    let servers = Servers::start();
    let first = five_at(&servers);
    let session = first.run("login gluo -f json").answer().to_owned();
    let busy = "the server is busy with another request of the stored session";
    let rows = [
        ("token gluo -v", 0, busy),
        ("exec gluo -v -- true", 0, busy),
        ("login gluo --adopt", 0, busy),
        (
            "status gluo --check",
            3,
            "each job that logs in for itself has a session of its own",
        ),
        ("logout gluo", 5, "--local"),
    ];
    let rows = rows.map(|row| {
        let machine = another(&servers);
        machine.write("session.json", &session);
        let adopt = "crmauth login gluo --adopt < session.json";
        machine.shell("bash", adopt).answer();
        edit(&machine, "gluo", |entry| entry["seen_at"] = from_now(-1200));
        (machine, row)
    });
    servers.gluo(|gluo| gluo.slow_creates = true);
    let long = ["api", "gluo", "/webservice.php", "-d", CREATE];
    let long = first.start(first.command(&long));
    servers.until_waiting(1);
    at_once(rows, |(machine, (line, code, words))| {
        let script = format!("crmauth {line} --timeout 9 < session.json");
        let outcome = machine.shell(
            "bash",
            &script.replace(" -- true --timeout 9", " --timeout 9 -- true"),
        );
        assert_eq!(outcome.code, code, "{line}: {outcome}");
        let told = [&*outcome.stdout, &*outcome.stderr].concat();
        assert!(told.contains(words), "{line}: {told}");
        assert!(session.contains(&cached(&machine, "gluo")), "{line}");
    });
    servers.gluo(|gluo| gluo.slow_creates = false);
    first.end(long).answer();
    assert_eq!(servers.gluo(|gluo| gluo.count("Leads", "lastname", "L")), 1);
    assert_eq!(logins(&servers), 1);
}

/// Up to vtiger 7.1.1 a living session is refused where 8 renews it: nobody may ask that.
#[test]
fn a_living_session_is_one_to_every_vtiger() {
    for version in [Version::Eight, Version::Seven] {
        for errors in [Errors::Hidden, Errors::Warnings] {
            let shown = format!("{version:?}, {errors:?}");
            let servers = Servers::start();
            servers.gluo(move |gluo| (gluo.version, gluo.errors) = (version, errors));
            let machine = five_at(&servers);
            let session = machine.run("login gluo -f json").stdout;
            let other = another(&servers);
            other.write("session.json", &session);
            let script = "crmauth login gluo --adopt < session.json";
            assert_eq!(other.shell("bash", script).code, 0, "{shown}");
            for machine in [&machine, &other] {
                let checked = machine.run("status gluo --check");
                assert!(checked.stdout.contains(" alive "), "{shown}: {checked}");
                edit(machine, "gluo", |entry| entry["seen_at"] = from_now(-1200));
                let token = machine.run("token gluo").stdout;
                assert!(session.contains(token.trim_end()), "{shown}");
                let asked = machine.run("api gluo /webservice.php?operation=listtypes");
                assert_eq!(asked.code, 0, "{shown}: {asked}");
            }
            assert_eq!(logins(&servers), 1, "{shown}");
        }
    }
}

/// What becomes of a session, and what its logout then says.
#[test]
fn no_state_of_a_session_keeps_a_logout_from_its_end() {
    let forget = |gluo: &mut Gluo, session: &str| gluo.sessions.forget(session);
    let living = |_: &mut Gluo, _: &str| ();
    type Happens = fn(&mut Gluo, &str);
    let states: [(&str, Happens, bool, &str); 3] = [
        ("living", living, false, "still-alive"),
        ("dead", forget, false, "forgotten"),
        // Revived without a user, as others do by `extendsession`: it answers with an empty 500 from then on.
        ("poisoned", forget, true, "forgotten"),
    ];
    for version in [Version::Eight, Version::Seven] {
        for errors in [Errors::Hidden, Errors::Warnings] {
            for (state, happens, extended, word) in states {
                let shown = format!("{state}, {version:?}, {errors:?}");
                let servers = Servers::start();
                servers.gluo(move |gluo| (gluo.version, gluo.errors) = (version, errors));
                let machine = five_at(&servers);
                assert_eq!(machine.run("login gluo").code, 0, "{shown}");
                let session = cached(&machine, "gluo");
                let named = session.clone();
                servers.gluo(move |gluo| happens(gluo, &named));
                if extended {
                    let body = format!("operation=extendsession&sessionName={session}");
                    let media = "application/x-www-form-urlencoded".to_owned();
                    let request = Request {
                        method: "POST",
                        target: "/webservice.php",
                        headers: vec![("Content-Type", media)],
                        body: Some(body.into_bytes()),
                    };
                    raw::send(servers.host("gluo"), &request);
                }
                let outcome = machine.run("logout gluo");
                assert_eq!(
                    (outcome.code, &*outcome.stdout),
                    (0, &*format!("gluo\t{word}\n")),
                    "{shown}: {outcome}"
                );
                assert_eq!(
                    outcome.stderr.contains("left the session alive"),
                    word == "still-alive",
                    "{shown}"
                );
                assert_eq!(
                    machine.run("logout gluo").answer(),
                    "gluo\tnone\n",
                    "{shown}"
                );
            }
        }
    }
}

/// Counted on the server's side: one login for each death, and each record made once.
#[test]
fn a_death_under_many_requests_is_one_login_and_nothing_is_lost_or_done_twice() {
    let record = json!({"data": {"type": "Leads", "attributes": {"last_name": "L", "name": "L"}}})
        .to_string();
    let rows: [(&str, &str, &str, &str); 2] = [
        (
            "gluo",
            "/webservice.php?operation=listtypes",
            "/webservice.php",
            CREATE,
        ),
        (
            "hellocloud",
            "/Api/V8/current-user",
            "/Api/V8/module",
            &record,
        ),
    ];
    for (system, asks, path, body) in rows {
        let (servers, machine) = five();
        machine.run(&format!("login {system}")).answer();
        let die = || {
            let session = cached(&machine, system);
            match system {
                "gluo" => servers.gluo(move |gluo| gluo.sessions.forget(&session)),
                _ => servers.hellocloud(move |cloud| cloud.delete_session(&session)),
            }
        };
        die();
        let answers = Crowd::gather(&machine, 20, &format!("api {system} {asks}")).go(&machine);
        assert!(
            answers.iter().all(|answer| answer.starts_with('{')),
            "{answers:?}"
        );
        assert_eq!(logins(&servers), 2, "{system}");
        die();
        let posts = Crowd::gather(&machine, 30, &format!("api {system} {path} -d {body}"));
        let mut made: Vec<String> = posts
            .go(&machine)
            .iter()
            .map(|answer| made(answer))
            .collect();
        made.sort();
        made.dedup();
        let kept = match system {
            "gluo" => servers.gluo(|gluo| gluo.count("Leads", "lastname", "L")),
            _ => servers.hellocloud(|cloud| cloud.count("Leads", "L")),
        };
        assert_eq!(
            (made.len(), kept, logins(&servers)),
            (30, 30, 3),
            "{system}"
        );
    }
}

/// The id of the record that an answer says was made.
fn made(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    let id = answer["result"]["id"]
        .as_str()
        .or(answer["data"]["id"].as_str());
    id.unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}
