//! `crmauth status`: what is configured, what is stored, how long it lasts, and what the servers say.

use std::sync::{Arc, Barrier};

use crmauth::secret::sha256_hex;
use serde_json::{Value, json};

use crate::support::machine::mode;
use crate::support::stored::{edit, expiring, five, from_now, stored, systems};
use crate::support::{Machine, Outcome, Reply, Server, canned, demo, zeev_at};

/// The rows of a run with `--json`.
#[track_caller]
fn rows(outcome: &Outcome) -> Vec<Value> {
    let rows = outcome.json();
    rows.as_array().expect("an array").clone()
}

/// A field of each row.
fn each(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

fn print_of(token: &str) -> String {
    sha256_hex(token.trim_end()).expose()[..8].to_lowercase()
}

#[test]
fn a_table_for_people_and_an_array_for_scripts() {
    let (servers, mut machine) = five();
    let names = "GLUO_ACCESS_KEY HELLOCLOUD_CLIENT_SECRET HELLOCLOUD_PASSWORD ZEEV_PASSWORD";
    for name in names.split(' ') {
        machine.secret(name, servers.setting(name));
    }
    let none = machine.run("status");
    assert_eq!((none.code, none.stderr.as_str()), (3, ""), "{none}");
    let mut lines = none.stdout.lines();
    let head = lines.next().expect("a head");
    let words: Vec<&str> = head.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "TARGET",
            "SESSION",
            "LEFT",
            "USER",
            "URL",
            "FINGERPRINT",
            "SETTINGS"
        ]
    );
    let targets: Vec<&str> = lines
        .map(|line| line.split(' ').next().expect("a target"))
        .collect();
    assert_eq!(targets, systems());
    let requests = servers.events().len();
    assert_eq!((requests, stored(&machine, ".json").len()), (0, 0));

    machine.run("login --all").answer();
    let requests = servers.events().len();
    let outcome = machine.run("status");
    let table = outcome.answer().to_owned();
    let json = machine.run("status --json");
    json.answer();
    let rows = rows(&json);
    assert_eq!(
        servers.events().len(),
        requests,
        "no network without --check"
    );
    assert_eq!(each(&rows, "target"), systems());
    for (row, line) in rows.iter().zip(table.lines().skip(1)) {
        let system = row["target"].as_str().expect("a name");
        let token = machine.run(&format!("token {system} --cached"));
        let token = token.answer().trim_end();
        assert!(
            !table.contains(token) && !json.stdout.contains(token),
            "{system}'s token is shown"
        );
        let prefix = system.to_uppercase();
        for (field, expected) in [
            ("provider", json!(system)),
            ("account", Value::Null),
            (
                "user",
                json!(servers.setting(&format!("{prefix}_USERNAME"))),
            ),
            ("session", json!("usable")),
            ("fingerprint", json!(print_of(token))),
            ("checked", Value::Null),
            ("missing", Value::Null),
            ("error", Value::Null),
        ] {
            assert_eq!(row[field], expected, "{system} {field}");
        }
        let url = row["url"]
            .as_str()
            .expect("a URL")
            .trim_end_matches('/')
            .to_owned();
        assert_eq!(url, servers.setting(&format!("{prefix}_URL")));
        let ends = expiring().contains(&system);
        assert_eq!(
            (row["expires_at"].is_string(), row["seconds_left"].is_i64()),
            (ends, ends),
            "{system}"
        );
        let settings = row["settings"].as_array().expect("settings");
        let from = json!({"variable": format!("{prefix}_URL"), "from": "the environment"});
        assert!(settings.contains(&from), "{row}");
        let minutes = row["seconds_left"]
            .as_i64()
            .map(|left| format!("{}min", left / 60));
        let left = minutes.as_deref().unwrap_or("-");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..3], [system, "usable", left], "{line}");
        assert_eq!(
            words[5..],
            [&print_of(token), "the", "environment"],
            "{line}"
        );
    }
    for (name, value) in servers.demo() {
        let secret = ["PASSWORD", "ACCESS_KEY", "SECRET"]
            .iter()
            .any(|end| name.ends_with(end));
        if secret && value.len() > 6 {
            assert!(
                !table.contains(value) && !json.stdout.contains(value),
                "{name} is shown"
            );
        }
    }
}

#[test]
fn each_state_has_its_word_and_only_usable_is_success() {
    let (_servers, mut machine) = five();
    let state = |machine: &Machine, system: &str| {
        let outcome = machine.run(&format!("status {system} --json"));
        assert_eq!(outcome.stderr, "");
        let rows = rows(&outcome);
        assert_eq!(outcome.code == 0, rows[0]["session"] == "usable");
        (
            rows[0]["session"].as_str().expect("a word").to_owned(),
            outcome.code,
            rows[0]["seconds_left"].as_i64(),
        )
    };
    assert_eq!(state(&machine, "zeev"), ("none".into(), 3, None));
    machine.run("login --all").answer();
    for (system, seconds, word, code) in [
        ("zeev", 300, "usable", 0),
        ("zeev", 40, "expiring", 3),
        ("zeev", 1, "expiring", 3),
        ("zeev", -1, "expired", 3),
        ("hellocloud", 40, "expiring", 3),
        ("hellocloud", -40, "expired", 3),
        ("broker", 40, "expiring", 3),
        ("broker", -40, "expired", 3),
    ] {
        edit(&machine, system, |entry| {
            entry["expires_at"] = from_now(seconds)
        });
        let (found, exit, left) = state(&machine, system);
        if (word, found.as_str()) != ("expiring", "expired") || seconds > 1 {
            assert_eq!((found.as_str(), exit), (word, code), "{system} {seconds}");
        }
        let left = left.expect("a number");
        assert!(
            (0..=seconds.max(0)).contains(&left) && left >= seconds - 30,
            "{left} of {seconds}"
        );
    }
    for (system, seconds, word) in [
        ("gluo", -1200, "unknown"),
        ("systemsway", -1200, "unknown"),
        ("gluo", -1, "usable"),
    ] {
        edit(&machine, system, |entry| {
            entry["seen_at"] = from_now(seconds)
        });
        assert_eq!(state(&machine, system).0, word, "{system} {seconds}");
    }
    edit(&machine, "gluo", |entry| entry["seen_at"] = Value::Null);
    assert_eq!(state(&machine, "gluo").0, "unknown");
    machine.set("SYSTEMSWAY_PASSWORD", "another");
    assert_eq!(state(&machine, "systemsway"), ("changed".into(), 3, None));
    // A credential that is not set is no change.
    machine.unset("SYSTEMSWAY_PASSWORD");
    edit(&machine, "systemsway", |entry| {
        entry["seen_at"] = from_now(0)
    });
    let outcome = machine.run("status systemsway");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert!(
        outcome.stdout.contains("SYSTEMSWAY_PASSWORD"),
        "what is missing is named: {outcome}"
    );
    let missing = machine.run("status systemsway --json").json();
    assert!(
        missing[0]["missing"]
            .as_str()
            .expect("a text")
            .contains("SYSTEMSWAY_PASSWORD"),
        "{missing}"
    );
}

#[test]
fn the_exit_code_is_of_all_targets() {
    let (_servers, mut machine) = five();
    machine.run("login gluo zeev").answer();
    assert_eq!(machine.run("status gluo zeev").code, 0);
    assert_eq!(machine.run("status gluo broker zeev").code, 3);
    assert_eq!(machine.run("status").code, 3);
    // A target that cannot be used at all is another failure.
    machine.unset("BROKER_URL").set("HELLOCLOUD_URL", "ftp://x");
    assert_eq!(machine.run("status broker").code, 2);
    let outcome = machine.run("status hellocloud");
    assert_eq!(outcome.code, 2);
    outcome.says(&["error: hellocloud: ", "HELLOCLOUD_URL"]);
    assert_eq!(machine.run("status gluo broker").code, 2);
    assert_eq!(machine.run("status systemsway broker").code, 1);
    machine.run("status nosuch").fails(2, &["nosuch"]);
    let empty = Machine::new().run("status");
    empty.gives(3, "", "");
    empty.says(&["nothing is configured", "crmauth providers"]);
    let empty = Machine::new().run("status --json");
    assert_eq!(empty.stdout, "[]\n");
    assert_eq!(empty.code, 3, "no target has a usable session");
}

#[test]
fn settings_are_named_with_their_places_and_what_is_missing() {
    let mut machine = Machine::new();
    machine.write(".env", "GLUO_URL=https://h.example\nGLUO_USERNAME=ana\n");
    machine.write(
        "more.env",
        "ZEEV_URL=https://z.example\nZEEV_USERNAME=bia\n",
    );
    machine
        .set("HELLOCLOUD_URL", "https://c.example")
        .set("HELLOCLOUD_CLIENT_ID", "c1");
    machine.secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
    let outcome = machine.run("status");
    assert_eq!(outcome.code, 3, "{outcome}");
    let table = &outcome.stdout;
    assert!(
        table.contains("./.env\n") && table.contains("the environment\n"),
        "{table}"
    );
    assert!(table.contains("GLUO_ACCESS_KEY"), "{table}");
    let outcome = machine.run("status gluo");
    for line in "  GLUO_URL from ./.env line 1|  GLUO_USERNAME from ./.env line 2".split('|') {
        assert!(
            outcome.stdout.lines().any(|seen| seen == line),
            "no {line:?} in {outcome}"
        );
    }
    let outcome = machine.run("status zeev hellocloud --env-file more.env --json");
    let rows = rows(&outcome);
    assert_eq!(
        rows[0]["settings"][0],
        json!({"variable": "ZEEV_URL", "from": "more.env line 1"})
    );
    assert!(
        rows[0]["missing"]
            .as_str()
            .expect("a text")
            .contains("ZEEV_PASSWORD"),
        "{}",
        rows[0]
    );
    let variables: Vec<_> = each(
        rows[1]["settings"].as_array().expect("settings"),
        "variable",
    );
    assert_eq!(
        variables,
        [
            "HELLOCLOUD_URL",
            "HELLOCLOUD_CLIENT_ID",
            "HELLOCLOUD_CLIENT_SECRET"
        ]
    );
    assert_eq!(
        (&rows[1]["missing"], &rows[1]["user"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_command_that_gives_a_secret_is_not_run() {
    let (_servers, mut machine) = five();
    machine
        .unset("GLUO_ACCESS_KEY")
        .set("GLUO_ACCESS_KEY_CMD", "touch ran; echo SandboxAdminKey");
    machine.run("login gluo").answer();
    std::fs::remove_file(machine.path("ran")).expect("it ran");
    assert_eq!(machine.run("status gluo").code, 0);
    assert_eq!(machine.run("status gluo --check").code, 0);
    assert_eq!(machine.files(), Vec::<String>::new());
}

#[test]
fn stored_targets_are_listed_without_their_settings() {
    let (servers, mut machine) = five();
    machine.run("login gluo broker").answer();
    machine.run("token zeev --as 2").answer();
    machine.run("logout zeev --local").answer();
    let broker = machine.run("token broker --cached").answer().to_owned();
    for (name, _) in servers.demo() {
        machine.unset(name);
    }
    let outcome = machine.run("status --json");
    let rows = rows(&outcome);
    assert_eq!(each(&rows, "target"), ["broker", "gluo", "zeev", "zeev"]);
    assert_eq!(outcome.code, 2, "one has nothing at all: {outcome}");
    assert_eq!(
        rows[0]["fingerprint"],
        json!(print_of(&broker)),
        "the partner's session is not the user's"
    );
    assert_eq!(
        each(&rows, "session"),
        ["usable", "usable", "none", "usable"]
    );
    assert_eq!(rows[1]["url"], servers.setting("GLUO_URL"));
    assert!(
        rows[1]["missing"]
            .as_str()
            .expect("a text")
            .contains("GLUO_URL"),
        "{}",
        rows[1]
    );
    assert_eq!(rows[1]["user"], "admin");
    let prints = each(&rows, "fingerprint")
        .iter()
        .map(Value::is_string)
        .collect::<Vec<_>>();
    assert_eq!(
        prints,
        [true, true, false, true],
        "a session for --as is not the user's"
    );
    assert_eq!(rows[3]["impersonating"], "2");
    let table = machine.run("status");
    assert_eq!(
        table
            .stdout
            .lines()
            .filter(|line| line.contains("_URL"))
            .count(),
        3,
        "{table}"
    );
}

/// A machine with a session of Zeev at each of these servers, got in folders of their own, and no settings here.
fn elsewhere(servers: &[&Server]) -> Machine {
    let mut machine = Machine::new();
    machine
        .secret("ZEEV_PASSWORD", "Vq7zeevPassword2Lw")
        .set("ZEEV_USERNAME", "ana");
    for server in servers {
        machine
            .set("ZEEV_URL", &server.url())
            .run("login zeev")
            .answer();
    }
    machine.unset("ZEEV_URL ZEEV_USERNAME ZEEV_PASSWORD");
    machine
}

#[test]
fn sessions_of_other_folders_are_listed_with_their_servers() {
    let servers = ["tok-one", "tok-two"].map(|token| Server::start(vec![canned::zeev(token)]));
    let machine = elsewhere(&[&servers[0], &servers[1]]);
    for line in ["status --json", "status zeev --json"] {
        let outcome = machine.run(line);
        assert_eq!(outcome.code, 0, "{outcome}");
        let rows = rows(&outcome);
        let mut urls = each(&rows, "url");
        urls.sort_by_key(Value::to_string);
        let mut expected = [servers[0].url(), servers[1].url()]
            .map(Value::from)
            .to_vec();
        expected.sort_by_key(Value::to_string);
        assert_eq!(urls, expected);
        assert_eq!(each(&rows, "session"), ["usable", "usable"]);
    }
    let table = machine.run("status").answer().to_owned();
    assert!(
        servers.iter().all(|server| table.contains(&server.url())),
        "{table}"
    );
    edit(&machine, "zeev", |entry| entry["expires_at"] = from_now(-5));
    assert_eq!(machine.run("status").code, 3);
}

#[test]
fn check_asks_the_servers_of_other_folders_too() {
    let server = Server::start(vec![
        canned::zeev("tok-one"),
        Reply::json(200, "{}"),
        Reply::json(401, "{}"),
    ]);
    let machine = elsewhere(&[&server]);
    let alive = machine.run("status --check --json");
    assert_eq!(
        (alive.code, &rows(&alive)[0]["checked"]),
        (0, &json!("alive")),
        "{alive}"
    );
    let dead = machine.run("status --check --json");
    assert_eq!(
        (dead.code, &rows(&dead)[0]["session"]),
        (3, &json!("dead")),
        "{dead}"
    );
    assert_eq!(
        server.received()[2].header("authorization"),
        Some("Bearer tok-one")
    );
    assert!(
        stored(&machine, ".json").is_empty(),
        "what the server has refused is forgotten"
    );
}

#[test]
fn sessions_of_other_people_are_listed_and_do_not_count() {
    let (servers, mut machine) = five();
    for person in ["maria.souza", "3"] {
        machine.run(&format!("token zeev --as {person}")).answer();
    }
    let lines = |outcome: &Outcome| -> Vec<String> {
        let lines = outcome
            .stdout
            .lines()
            .filter(|line| line.starts_with("zeev"));
        lines
            .map(|line| {
                line.split_whitespace()
                    .take(4)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    };
    let all = [
        "zeev usable 9min integracao",
        "zeev --as 3 usable",
        "zeev --as maria.souza usable",
    ];
    let table = machine.run("status zeev");
    assert_eq!(
        (table.code, lines(&table)),
        (0, all.map(str::to_owned).to_vec()),
        "{table}"
    );
    assert_eq!(
        table.stdout.matches("ZEEV_URL from").count(),
        1,
        "settings are told once: {table}"
    );
    assert_eq!(lines(&machine.run("status")), all);

    let found = rows(&machine.run("status zeev --json"));
    assert_eq!(
        each(&found, "target"),
        [json!("zeev"), json!("zeev"), json!("zeev")]
    );
    assert_eq!(
        each(&found, "impersonating"),
        [Value::Null, json!("3"), json!("maria.souza")]
    );
    let marias = machine.run("token zeev --as maria.souza --cached");
    assert_eq!(found[2]["fingerprint"], print_of(marias.answer()));
    assert_eq!(found[2]["user"], "integracao");

    // A person's session that has ended, or died, is told and no failure.
    edit(&machine, "zeev", |entry| {
        if entry["key"]["role"] == "as:3" {
            entry["expires_at"] = from_now(-5);
        }
    });
    let before = servers.events().len();
    let checked = machine.run("status zeev --check --json");
    assert_eq!(checked.code, 0, "{checked}");
    assert_eq!(
        each(&rows(&checked), "session"),
        ["usable", "expired", "usable"]
    );
    assert_eq!(
        each(&rows(&checked), "checked"),
        [json!("alive"), Value::Null, json!("alive")]
    );
    assert_eq!(servers.events().len() - before, 2);

    // Without the settings they are listed all the same, and what is missing is told once.
    machine.unset("ZEEV_URL");
    let gone = machine.run("status zeev");
    assert_eq!(gone.stdout.matches("ZEEV_URL").count(), 1, "{gone}");
    assert_eq!(
        lines(&gone)[1..],
        ["zeev --as 3 unknown", "zeev --as maria.souza unknown"]
    );
    let asked = rows(&machine.run("status zeev --check --json"));
    assert_eq!(asked[0]["error"]["code"], "missing_setting");
    assert_eq!(
        each(&asked, "error")[1..],
        [Value::Null, Value::Null],
        "it is told of the target alone"
    );
    machine.set("ZEEV_URL", "https://other.example");
    assert_eq!(
        lines(&machine.run("status zeev")).len(),
        1,
        "they are for another server"
    );
}

#[test]
fn check_asks_each_server() {
    let (servers, machine) = five();
    machine.run("login --all").answer();
    let before = servers.events().len();
    let outcome = machine.run("status --check --json");
    outcome.answer();
    let rows = rows(&outcome);
    let words = |asked, unasked| -> Vec<&str> {
        systems()
            .into_iter()
            .map(|system| {
                if demo::of(system).asked {
                    asked
                } else {
                    unasked
                }
            })
            .collect()
    };
    assert_eq!(each(&rows, "checked"), words("alive", "unknown"));
    let mut asked: Vec<String> = servers.events()[before..]
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event.system,
                event.path.split('/').take(4).collect::<Vec<_>>().join("/")
            )
        })
        .collect();
    asked.sort();
    let session = machine.run("token systemsway --cached");
    assert_eq!(
        asked,
        [
            "gluo /webservice.php".to_owned(),
            "hellocloud /Api/V8/current-user".to_owned(),
            format!("systemsway /api/Usuario/{}", session.answer().trim_end()),
            "zeev /api/2/tokens".to_owned(),
        ]
    );
    // People see what was asked, too.
    let outcome = machine.run("status --check");
    let people = outcome.answer();
    for system in systems() {
        let mut lines = people
            .lines()
            .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
        let seen = lines.any(|words| words == [system, "alive"]);
        assert_eq!(seen, demo::of(system).asked, "{people}");
    }
    assert!(
        people.contains("cannot tell whether a session is alive"),
        "{people}"
    );
    // By our clock they are as good as new, the servers know better.
    servers.advance(2 * 3600);
    assert_eq!(machine.run("status").code, 0);
    let outcome = machine.run("status --check --json");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (3, ""));
    let rows = self::rows(&outcome);
    assert_eq!(each(&rows, "checked"), words("dead", "unknown"));
    assert_eq!(each(&rows, "session"), words("dead", "usable"));
    // What a server has refused is not handed out again.
    let table = machine.run("status");
    let asked = demo::ALL.iter().filter(|demo| demo.asked).count();
    assert_eq!(table.stdout.matches(" none ").count(), asked, "{table}");
    // Broker's partner has an entry of its own.
    let left = systems().len() - asked + 1;
    assert_eq!(
        stored(&machine, ".json").len(),
        left,
        "what cannot be asked for is kept"
    );
}

#[test]
fn an_idle_session_of_unknown_state_is_usable_once_the_server_says_so() {
    let (_servers, machine) = five();
    machine.run("login gluo").answer();
    edit(&machine, "gluo", |entry| entry["seen_at"] = from_now(-1200));
    assert_eq!(machine.run("status gluo").code, 3);
    let outcome = machine.run("status gluo --check");
    assert!(outcome.answer().contains(" alive "), "{outcome}");
}

#[test]
fn all_servers_are_asked_at_once() {
    let together = Arc::new(Barrier::new(4));
    let held = |reply: Reply| reply.together(&together);
    let gluo = json!({"success": true, "result": {"sessionName": "Gs1token"}}).to_string();
    let mut script = canned::gluo("Gs1token");
    script.push(held(Reply::json(200, gluo)));
    let script = [
        ("GLUO", script),
        (
            "HELLOCLOUD",
            vec![
                canned::hellocloud("Hc1token"),
                held(Reply::json(200, r#"{"data":{}}"#)),
            ],
        ),
        (
            "SYSTEMSWAY",
            vec![canned::systemsway("Sw1token"), held(Reply::json(200, "[]"))],
        ),
        (
            "ZEEV",
            vec![
                canned::zeev("Zv1token"),
                held(Reply::json(200, r#"{"userId":1}"#)),
            ],
        ),
    ];
    let mut machine = Machine::new();
    let _servers: Vec<Server> = script
        .into_iter()
        .map(|(prefix, script)| {
            let server = Server::start(script);
            machine.set(&format!("{prefix}_URL"), &server.url());
            server
        })
        .collect();
    machine
        .set("GLUO_USERNAME", "ana")
        .set("GLUO_ACCESS_KEY", "Kx93gluoAccessKey0Rt");
    machine
        .set("HELLOCLOUD_CLIENT_ID", "c1")
        .set("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
    machine
        .set("SYSTEMSWAY_USERNAME", "ana")
        .set("SYSTEMSWAY_PASSWORD", "Vq7Password2Lw");
    machine
        .set("ZEEV_USERNAME", "ana")
        .set("ZEEV_PASSWORD", "Vq7zeevPassword2Lw");
    machine.run("login --all").answer();
    // Each answer is held back until all four questions are in.
    machine.run("status --check").answer();
}

#[test]
fn a_fleet_is_asked_a_few_at_a_time() {
    let server = Server::start(Vec::new());
    let mut machine = Machine::new();
    let names: Vec<String> = (0..30).map(|number| format!("zeev@n{number:02}")).collect();
    machine.set("ZEEV_URL", &server.url());
    for number in 0..30 {
        machine.set(
            &format!("ZEEV__N{number:02}__USERNAME"),
            &format!("ana{number}"),
        );
        machine.secret(
            &format!("ZEEV__N{number:02}__PASSWORD"),
            "Vq7zeevPassword2Lw",
        );
    }
    server.rest(canned::zeev("Zv1token"));
    machine.run_args(
        &[
            &["login"],
            &names.iter().map(String::as_str).collect::<Vec<_>>()[..],
        ]
        .concat(),
    );
    // Nobody is answered before ten ask.
    server.rest(Reply::json(200, r#"{"userId":1}"#).together(&Arc::new(Barrier::new(10))));
    let outcome = machine.run("status --check --json");
    let rows = rows(&outcome);
    assert_eq!(
        each(&rows, "target"),
        names.iter().map(|name| json!(name)).collect::<Vec<_>>()
    );
    assert!(
        each(&rows, "checked")
            .iter()
            .all(|checked| checked == "alive"),
        "{outcome}"
    );
    assert_eq!(server.most_at_once(), 10);
}

#[test]
fn a_server_that_is_away_leaves_the_others_their_answers() {
    let (_servers, mut machine) = five();
    let away = Server::start(vec![
        canned::zeev("Zv1token"),
        Reply::http(503, "text/plain", ""),
    ]);
    machine.set("ZEEV_URL", &away.url());
    machine.run("login gluo zeev").answer();
    let outcome = machine.run("status gluo zeev --check --json");
    assert_eq!(outcome.code, 5);
    let rows = rows(&outcome);
    assert_eq!(each(&rows, "checked"), [json!("alive"), Value::Null]);
    assert_eq!(
        (&rows[1]["error"]["code"], &rows[1]["error"]["exit"]),
        (&json!("unavailable"), &json!(5))
    );
    assert_eq!(rows[1]["fingerprint"], json!(print_of("Zv1token")));
    assert!(rows[0]["error"].is_null());
    // Silence ends with the time-out.
    let silent = Server::start(vec![canned::zeev("Zv1token"), Reply::Silence]);
    let machine = zeev_at(&silent);
    machine.run("login zeev").answer();
    let outcome = machine.run("status --check --timeout 0.5");
    assert_eq!(outcome.code, 5);
    assert!(
        outcome.stdout.contains("zeev"),
        "the table stands all the same: {outcome}"
    );
    assert!(
        outcome.stdout.contains("  no answer from"),
        "and so does the cause: {outcome}"
    );
    assert_eq!(outcome.stderr, "", "it is said once");
}

/// Where each column of a table begins, as a terminal counts.
fn columns(line: &str, words: &[&str]) -> Vec<usize> {
    let width = |c: char| match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{ff00}'..='\u{ff60}' => 2,
        _ => 1,
    };
    let place = |word: &&str| {
        line[..line.find(word).expect(word)]
            .chars()
            .map(width)
            .sum()
    };
    words.iter().map(place).collect()
}

#[test]
fn names_of_any_script_are_aligned() {
    let mut machine = Machine::new();
    let names = [
        "ana",
        "josé araújo",
        "jose\u{301} arau\u{301}jo",
        "山田太郎",
        "김철수",
        "Ωмега",
    ];
    for (place, name) in names.iter().enumerate() {
        machine.set(&format!("ZEEV__A{place}__USERNAME"), name);
        machine.set(&format!("ZEEV__A{place}__URL"), "https://z.example");
    }
    let outcome = machine.run("status");
    let lines: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(|line| line.contains("https://"))
        .collect();
    assert_eq!(lines.len(), names.len(), "{outcome}");
    for (line, name) in lines.iter().zip(names) {
        let expected = columns(lines[0], &["ana", "https://", "the environment"]);
        assert_eq!(
            columns(line, &[name, "https://", "the environment"]),
            expected,
            "{outcome}"
        );
    }
}

#[test]
fn a_name_from_a_server_forges_nothing() {
    let name = "ana\nzeev@forged  usable  9min\u{1b}[31m\u{202e}\u{7}\r::error::x";
    let answer = json!({"userId": 1, "username": name, "temporaryToken": "Zv1token"}).to_string();
    let server = Server::start(vec![Reply::json(200, answer)]);
    let machine = Machine::of("ZEEV", &server.url(), "API_TOKEN=Pq5permanentToken8Ys");
    machine.run("login zeev").answer();
    let table = machine.run("status");
    assert_eq!(table.code, 0, "{table}");
    assert_eq!(table.stdout.lines().count(), 2, "{table}");
    let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!table.stdout.contains(harmful), "{:?}", table.stdout);
    let rows = rows(&machine.run("status --json"));
    assert_eq!(rows[0]["user"], name, "JSON escapes it");
}

#[test]
fn a_broken_entry_counts_as_none() {
    let (_servers, machine) = five();
    machine.run("login gluo").answer();
    let path = stored(&machine, ".json").pop().expect("an entry");
    assert_eq!(mode(&path), 0o600);
    std::fs::write(&path, "{\"schema\":1,").expect("a file");
    let outcome = machine.run("status gluo");
    assert_eq!(outcome.code, 3);
    assert!(outcome.stdout.contains(" none "), "{outcome}");
    assert_eq!(outcome.stderr.matches("warning: ").count(), 1, "{outcome}");
}

#[test]
fn a_dead_session_that_cannot_be_dropped_is_said_to_be_stored_still() {
    let (servers, machine) = five();
    machine.run("login systemsway").answer();
    servers.advance(24 * 3600);
    let lock = stored(&machine, ".lock").pop().expect("a lock file");
    std::fs::remove_file(&lock).expect("a lock file");
    std::fs::create_dir(&lock).expect("a folder in its place");
    let outcome = machine.run("status systemsway --check");
    outcome.says(&["warning: systemsway: the dead session is still stored: "]);
    assert!(
        !outcome.stderr.contains("keep it"),
        "no session was made: {outcome}"
    );
    assert!(outcome.stdout.contains(" dead "), "{outcome}");
}

#[test]
fn the_sandbox_has_no_sessions_yet() {
    let outcome = Machine::new().run("status --sandbox --check --json");
    assert_eq!(outcome.code, 3, "{outcome}");
    assert_eq!(
        each(&rows(&outcome), "session"),
        vec!["none"; systems().len()]
    );
}

#[test]
fn an_expired_session_keeps_its_refresh_token() {
    let (servers, machine) = five();
    machine.run("login hellocloud").answer();
    edit(&machine, "hellocloud", |entry| {
        entry["expires_at"] = from_now(-1)
    });
    let asked = servers.events().len();
    assert!(
        machine
            .run("status hellocloud --check")
            .stdout
            .contains(" expired ")
    );
    let bare = |(name, _): &(String, String)| name != "authorization";
    assert!(
        servers.events()[asked..]
            .iter()
            .all(|event| event.headers.iter().all(bare)),
        "it is not sent"
    );
    machine.run("token hellocloud").answer();
    let last = servers.events().pop().expect("a request");
    assert!(String::from_utf8_lossy(&last.body).contains("refresh_token"));
}
