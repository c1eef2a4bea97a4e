//! `login` and `status --check` name the same cause for what is wrong, and doubt the URL only where it may be wrong.

use crmauth::sandbox::{Broken, Errors, Gluo, HelloCloud, Paths, Surroundings, Version, WebServer};
use serde_json::Value;

use crate::support::sandbox::Servers;
use crate::support::stored::{five_at, systems};
use crate::support::{Machine, Reply, Server, demo};

/// The code that `login` fails with, or `ok`; with what it wrote.
fn login(machine: &Machine, system: &str) -> (String, String) {
    let outcome = machine.run(&format!("login {system} --json --timeout 10"));
    if outcome.code == 0 {
        return ("ok".to_owned(), String::new());
    }
    let error = outcome.stderr.lines().last().expect("an error");
    let error: Value = serde_json::from_str(error).expect("JSON");
    let code = error["error"]["code"].as_str().expect("a code");
    (code.to_owned(), outcome.stderr)
}

/// The code of what `status --check` finds, or the state where it finds nothing; with what it wrote.
fn status(machine: &Machine, system: &str) -> (String, String) {
    let outcome = machine.run(&format!("status {system} --check --json --timeout 10"));
    let row = &outcome.json()[0];
    let found = [&row["diagnosis"]["code"], &row["session"]];
    let found = found
        .into_iter()
        .find_map(Value::as_str)
        .expect("a finding");
    (found.to_owned(), outcome.stdout.clone())
}

fn doubts_the_url(text: &str) -> bool {
    text.contains("base URL") || text.contains("_URL right")
}

/// What is found in a situation: by a login, by the doctor without a session, and with one from before it.
type Story<S> = (&'static str, fn(&mut S), [&'static str; 3]);

const FINE: [&str; 3] = ["ok", "no_session", "usable"];

fn around(cloud: &mut HelloCloud, change: fn(&mut Surroundings)) {
    change(&mut cloud.surroundings);
}

/// What the sequences that were recorded from real servers are about.
#[test]
fn hellocloud() {
    let stories: [Story<HelloCloud>; 21] = [
        ("in order", |_| (), FINE),
        (
            "no rewriting, Apache",
            |cloud| around(cloud, |it| it.paths = Paths::Plain),
            FINE,
        ),
        (
            "no rewriting, nginx",
            |cloud| {
                around(cloud, |it| {
                    (it.paths, it.web_server) = (Paths::Plain, WebServer::Nginx)
                })
            },
            FINE,
        ),
        (
            "try_files",
            |cloud| around(cloud, |it| it.paths = Paths::TryFiles),
            FINE,
        ),
        (
            "errors shown",
            |cloud| around(cloud, |it| it.display_errors = true),
            FINE,
        ),
        (
            "SuiteCRM 8 without its folder",
            |cloud| around(cloud, |it| it.paths = Paths::SuiteCrm8),
            ["redirect"; 3],
        ),
        (
            "Basic, Apache",
            |cloud| around(cloud, |it| it.asks_for_password = true),
            ["in_front"; 3],
        ),
        (
            "Basic, nginx",
            |cloud| {
                around(cloud, |it| {
                    (it.asks_for_password, it.web_server) = (true, WebServer::Nginx)
                })
            },
            ["in_front"; 3],
        ),
        (
            "502",
            |cloud| around(cloud, |it| it.gateway = Some(502)),
            ["unavailable"; 3],
        ),
        (
            "503",
            |cloud| around(cloud, |it| it.gateway = Some(503)),
            ["unavailable"; 3],
        ),
        (
            "504",
            |cloud| around(cloud, |it| it.gateway = Some(504)),
            ["unavailable"; 3],
        ),
        (
            "keys missing",
            |cloud| around(cloud, |it| it.broken = Some(Broken::KeysMissing)),
            ["status"; 3],
        ),
        (
            "keys missing, errors shown",
            |cloud| {
                around(cloud, |it| {
                    (it.broken, it.display_errors) = (Some(Broken::KeysMissing), true);
                })
            },
            ["status"; 3],
        ),
        (
            "database down",
            |cloud| around(cloud, |it| it.broken = Some(Broken::DatabaseDown)),
            ["status"; 3],
        ),
        (
            "database down, errors shown",
            |cloud| {
                around(cloud, |it| {
                    (it.broken, it.display_errors) = (Some(Broken::DatabaseDown), true);
                })
            },
            ["status"; 3],
        ),
        // Questions have no body, and a login has no token.
        (
            "413",
            |cloud| around(cloud, |it| it.body_max = Some(20)),
            ["status", "no_session", "usable"],
        ),
        (
            "header dropped",
            |cloud| around(cloud, |it| it.drops_authorization = true),
            ["ok", "no_session", "header_dropped"],
        ),
        // What only a login can tell.
        (
            "user deleted",
            |cloud| cloud.user("ana").deleted = true,
            ["refused", "no_session", "no_user"],
        ),
        (
            "password changed",
            |cloud| cloud.user("ana").password.clear(),
            ["refused", "no_session", "usable"],
        ),
        (
            "client deleted",
            |cloud| cloud.client("22222222-2222-4222-8222-222222222222").deleted = true,
            ["refused", "no_session", "usable"],
        ),
        (
            "keys made anew",
            HelloCloud::renew_keys,
            ["ok", "no_session", "no_session"],
        ),
    ];
    for story in stories {
        tell("hellocloud", story, |servers, happens| {
            servers.hellocloud(happens)
        });
    }
}

#[test]
fn gluo() {
    let stories: [Story<Gluo>; 5] = [
        ("in order", |_| (), FINE),
        ("vtiger 7", |gluo| gluo.version = Version::Seven, FINE),
        ("warnings", |gluo| gluo.errors = Errors::Warnings, FINE),
        (
            "inactive",
            |gluo| gluo.user("admin").active = false,
            ["refused", "no_session", "usable"],
        ),
        (
            "another key",
            |gluo| gluo.user("admin").change_key(),
            ["refused", "no_session", "usable"],
        ),
    ];
    for story in stories {
        tell("gluo", story, |servers, happens| servers.gluo(happens));
    }
}

fn tell<S: 'static>(
    system: &str,
    (name, happens, expected): Story<S>,
    on: fn(&Servers, fn(&mut S)),
) {
    let servers = Servers::start();
    let [before, after] = [five_at(&servers), five_at(&servers)];
    before.run(&format!("login {system}")).answer();
    on(&servers, happens);
    let without = status(&after, system);
    let told = [login(&after, system), without, status(&before, system)];
    let found = [0, 1, 2].map(|at| told[at].0.as_str());
    assert_eq!(found, expected, "{system}, {name}: {told:?}");
    for (_, text) in &told {
        assert!(!doubts_the_url(text), "{system}, {name}: {text}");
    }
}

#[test]
fn what_an_answer_says_itself_is_told_by_both_and_once() {
    let fatal = "<br />\n<b>Fatal error</b>:  Uncaught Error in /a.php:1\n";
    let basic = [("WWW-Authenticate", "Basic realm=\"x\"")];
    for (answer, doubt) in [
        (Reply::http(500, "text/html", ""), false),
        (Reply::http(500, "text/html", fatal), false),
        (Reply::http(200, "text/html", fatal), false),
        (Reply::json(500, r#"{"message":"Internal error"}"#), false),
        (Reply::http(413, "text/html", "<html>"), false),
        (Reply::http(502, "text/html", "<html>"), false),
        (Reply::http(403, "text/html", "<html>"), false),
        (Reply::http(403, "text/plain", ""), false),
        (Reply::with_headers(401, &basic, "<html>"), false),
        (Reply::http(200, "text/html", ""), true),
    ] {
        for system in systems() {
            let server = Server::start(Vec::new());
            server.rest(answer.clone());
            let machine = demo::of(system).machine(&server.url());
            let shown = format!("{system}, {answer:?}");
            let (code, text) = login(&machine, system);
            let asked = server.received().len();
            assert_eq!(status(&machine, system).0, code, "{shown}: {text}");
            assert_eq!(
                server.received().len(),
                asked + 1,
                "the first proof will do: {shown}"
            );
            assert_eq!(doubts_the_url(&text), doubt, "{shown}: {text}");
            let table = machine.run(&format!("status {system} --check"));
            let told = [&*table.stdout, &*table.stderr].concat();
            let error: Value =
                serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
            for name in ["message", "hint"] {
                let words = error["error"][name].as_str().expect("words");
                assert_eq!(told.matches(words).count(), 1, "{shown}: {words}: {told}");
            }
            // To have no session is no refusal.
            let exit = match error["error"]["exit"].as_i64() {
                Some(4) => 3,
                exit => exit.expect("an exit code"),
            };
            assert_eq!(i64::from(table.code), exit, "{shown}");
        }
    }
}
