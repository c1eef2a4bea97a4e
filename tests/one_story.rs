//! `login` and `status --check` name the same cause for what is wrong, and doubt the URL only where it may be wrong.

use crmauth::sandbox::{Broken, Errors, Gluo, HelloCloud, Paths, Version};
use serde_json::Value;

use crate::support::sandbox::Servers;
use crate::support::stored::{five_at, systems};
use crate::support::{Machine, Reply, Server, cells, demo};

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

/// What is wrong with HelloCloud in a situation of this name.
fn befall_hellocloud(cloud: &mut HelloCloud, name: &str) {
    let around = &mut cloud.surroundings;
    around.display_errors = name.ends_with("errors shown");
    around.nginx = name.ends_with("nginx");
    match name.split(", ").next().expect("a name") {
        "in order" | "errors shown" => {}
        "no rewriting" => around.paths = Paths::Plain,
        "try_files" => around.paths = Paths::TryFiles,
        "SuiteCRM 8 without its folder" => around.paths = Paths::SuiteCrm8,
        "Basic" => around.asks_for_password = true,
        "keys missing" => around.broken = Some(Broken::KeysMissing),
        "database down" => around.broken = Some(Broken::DatabaseDown),
        "413" => around.body_max = Some(20),
        "header dropped" => around.drops_authorization = true,
        "user deleted" => cloud.user("ana").deleted = true,
        "password changed" => cloud.user("ana").password.clear(),
        "client deleted" => cloud.client("22222222-2222-4222-8222-222222222222").deleted = true,
        "keys made anew" => cloud.renew_keys(),
        status => around.gateway = Some(status.parse().expect("a status")),
    }
}

/// The same with Gluocrm.
fn befall_gluo(gluo: &mut Gluo, name: &str) {
    match name {
        "in order" => {}
        "vtiger 7" => gluo.version = Version::Seven,
        "warnings" => gluo.errors = Errors::Warnings,
        "inactive" => gluo.user("admin").active = false,
        "another key" => gluo.user("admin").change_key(),
        other => panic!("{other}"),
    }
}

/// What is found by a login, by the doctor without a session, and with one from before it; the sequences that were
/// recorded from real servers are about the first ones.
#[test]
fn hellocloud() {
    for [name, found] in cells([
        "in order | ok no_session usable",
        "no rewriting, Apache | ok no_session usable",
        "no rewriting, nginx | ok no_session usable",
        "try_files | ok no_session usable",
        "errors shown | ok no_session usable",
        "SuiteCRM 8 without its folder | redirect redirect redirect",
        "Basic, Apache | in_front in_front in_front",
        "Basic, nginx | in_front in_front in_front",
        "502 | unavailable unavailable unavailable",
        "503 | unavailable unavailable unavailable",
        "504 | unavailable unavailable unavailable",
        "keys missing | status status status",
        "keys missing, errors shown | status status status",
        "database down | status status status",
        "database down, errors shown | status status status",
        // Questions have no body, and a login has no token.
        "413 | status no_session usable",
        "header dropped | ok no_session header_dropped",
        // What only a login can tell.
        "user deleted | refused no_session no_user",
        "password changed | refused no_session usable",
        "client deleted | refused no_session usable",
        "keys made anew | ok no_session no_session",
    ]) {
        tell("hellocloud", name, found, |servers| {
            servers.hellocloud(move |cloud| befall_hellocloud(cloud, name))
        });
    }
}

#[test]
fn gluo() {
    for [name, found] in cells([
        "in order | ok no_session usable",
        "vtiger 7 | ok no_session usable",
        "warnings | ok no_session usable",
        "inactive | refused no_session usable",
        "another key | refused no_session usable",
    ]) {
        tell("gluo", name, found, |servers| {
            servers.gluo(move |gluo| befall_gluo(gluo, name))
        });
    }
}

fn tell(system: &str, name: &str, expected: &str, befall: impl FnOnce(&Servers)) {
    let servers = Servers::start();
    let [before, after] = [five_at(&servers), five_at(&servers)];
    before.run(&format!("login {system}")).answer();
    befall(&servers);
    let without = status(&after, system);
    let told = [login(&after, system), without, status(&before, system)];
    let found = [0, 1, 2].map(|at| told[at].0.as_str()).join(" ");
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
