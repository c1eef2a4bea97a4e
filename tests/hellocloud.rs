//! HelloCloud: both grants, both bodies, the path without URL rewriting, and what a real server says.

use serde_json::{Value, json};

use crate::api::logged_in;
use crate::docs::scenes::{JWT, Scene, scene};
use crate::faults::steps::{Kind, Step};
use crate::support::machine::lacks;
use crate::support::sandbox::Servers;
use crate::support::stored::{edit, ends, entry, five_at};
use crate::support::{Demo, Machine, Outcome, Reply, Server, raw, rows};
use crmauth::sandbox::Paths;

pub static DEMO: Demo = Demo {
    id: "hellocloud",
    path: "/Api/access_token",
    token: "eyJ0eXAi.Hc4Nn7Qk2Tz.s1gn",
    secret: ("HELLOCLOUD_CLIENT_SECRET", "s3cR3t-Lk9Jh2Gf5Ds"),
    asked: true,
    recognised: true,
    settings: &[("HELLOCLOUD_CLIENT_ID", "3d7f3fda-97d8")],
    first: &[],
    answer: r#"{"token_type":"Bearer","expires_in":3600,"access_token":TOKEN}"#,
    dead: (
        401,
        r#"{"error":"access_denied","hint":"Access token has been revoked"}"#,
    ),
    purpose: |event| match String::from_utf8_lossy(&event.body) {
        _ if !event.path.ends_with("access_token") => "ask",
        body if body.contains("refresh_token") => "renew",
        _ => "login",
    },
    first_login: &["login"],
    alive: |host, token| raw::get(host, "/Api/V8/current-user", Some(token)).status == 200,
    steps: &[
        LOGIN,
        Step {
            name: "hellocloud's login with a password",
            settings: &[
                ("CLIENT_ID", "3d7f3fda-97d8"),
                ("CLIENT_SECRET", "OTHER"),
                ("USERNAME", "admin"),
                ("PASSWORD", "SECRET"),
                ("BODY", "form"),
            ],
            ..LOGIN
        },
        Step {
            name: "hellocloud's refresh",
            kind: Kind::Renewal,
            ..LOGIN
        },
        Step {
            name: "hellocloud's modules",
            kind: Kind::Check,
            answer: r#"{"data":[]}"#,
            ..LOGIN
        },
        Step {
            name: "hellocloud's logout",
            kind: Kind::Revocation,
            answer: r#"{"meta":{}}"#,
            ..LOGIN
        },
        Step {
            name: "a call to hellocloud",
            kind: Kind::Call,
            ..LOGIN
        },
    ],
    scenes,
};

const LOGIN: Step = Step {
    name: "hellocloud's login",
    system: "hellocloud",
    settings: &[("CLIENT_ID", "3d7f3fda-97d8"), ("CLIENT_SECRET", "SECRET")],
    answer: r#"{"token_type":"Bearer","expires_in":3600,"access_token":TOKEN,"refresh_token":REFRESH}"#,
    field: "access_token",
    ..Step::LOGIN
};

/// What the page shows.
fn scenes() -> Vec<Scene> {
    const ID: &str = "3d7f3fda-97d8-e2b9-ad89-5a2fe9b07650";
    let scene = |name| {
        let secret = ("HELLOCLOUD_CLIENT_SECRET", "oS3gr3doD0Cl1ente");
        let settings = [("HELLOCLOUD_CLIENT_ID", ID), secret];
        scene(name, "hellocloud", "login hellocloud", &settings)
    };
    let with_user = |name| {
        scene(name)
            .with("HELLOCLOUD_USERNAME", "maria")
            .with("HELLOCLOUD_PASSWORD", "aS3nhaD4M4ria")
    };
    let good = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": JWT });
    let renewable = json!({
        "token_type": "Bearer", "expires_in": 3600, "access_token": JWT, "refresh_token": "def50200d2fb757e4c01",
    });
    let unknown = |message: &str| json!({ "error": "unknown_error", "error_description": message, "message": message });
    let client = json!({ "error": "invalid_client", "message": "Client authentication failed" });
    let nobody = unknown(&format!("OAuth2Clients module with id {ID} is not found"));
    let locked = json!({ "error": "lockout_reached", "message": "lockout_reached" });
    let missing = "<title>404 Not Found</title>";
    vec![
        scene("client credentials").json(&good),
        with_user("password").json(&renewable),
        scene("wrong secret").status(401, &client),
        scene("escaped")
            .with("HELLOCLOUD_CLIENT_SECRET", "o<segredo>")
            .status(401, &client),
        scene("unknown client").status(500, &nobody),
        with_user("wrong password").status(500, &unknown("The password is invalid: aS3nhaD4M4ria")),
        with_user("locked").status(401, &locked),
        scene("rewriting").html(404, missing).json(&good),
        scene("legacy").html(404, missing).html(404, missing),
        scene("keys").html(500, ""),
    ]
}

const SECRET: &str = "s3cR3t-Hc7Df4Gh1Jk";
const PASSWORD: &str = "pW-Hc2Lz5Xc8Vb";
const ACCESS: &str = "eyJ0eXAi.Ac9Nm3Qw6Er.s1gn";
const REFRESH: &str = "def50200-Rf1Ty4Ui7Op";

/// A machine for the grant `client_credentials`.
fn machine(url: &str) -> Machine {
    let mut machine = Machine::new();
    machine
        .set("HELLOCLOUD_URL", url)
        .canary(ACCESS)
        .canary(REFRESH);
    machine.set("HELLOCLOUD_CLIENT_ID", "3d7f3fda-97d8");
    machine.secret("HELLOCLOUD_CLIENT_SECRET", SECRET);
    machine
}

/// The same for the grant `password`.
fn users_machine(url: &str) -> Machine {
    let mut machine = machine(url);
    machine.set("HELLOCLOUD_USERNAME", "ana maria");
    machine.secret("HELLOCLOUD_PASSWORD", PASSWORD);
    machine
}

fn good() -> Reply {
    let answer = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": ACCESS, "refresh_token": REFRESH});
    Reply::json(200, answer.to_string())
}

fn missing() -> Reply {
    let page = "<!DOCTYPE html><title>404 Not Found</title>";
    Reply::http(404, "text/html", page)
}

/// A real server's way to report what it did not expect.
fn unknown_error(text: &str) -> Reply {
    let error = json!({"error": "unknown_error", "error_description": text, "message": text});
    Reply::json(500, error.to_string())
}

fn login(reply: Reply) -> (Outcome, Server) {
    let server = Server::start(vec![reply]);
    let outcome = users_machine(&server.url()).run("login hellocloud --json");
    (outcome, server)
}

/// A POST as it should come.
fn post(path: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\naccept: application/vnd.api+json\ncontent-length: {}\n\
         content-type: {content_type}\nhost: HOST\nuser-agent: crmauth/VERSION\n\n{body}",
        body.len()
    )
}

const JSON: &str = "application/vnd.api+json";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn both_grants_in_both_bodies() {
    let json = r#"{"grant_type":"client_credentials","client_id":"3d7f3fda-97d8","client_secret":"s3cR3t-Hc7Df4Gh1Jk"}"#;
    let form =
        "grant_type=client_credentials&client_id=3d7f3fda-97d8&client_secret=s3cR3t-Hc7Df4Gh1Jk";
    let as_user = |body: &str| body.replace("client_credentials", "password");
    let user = r#","username":"ana maria","password":"pW-Hc2Lz5Xc8Vb"}"#;
    let user_json = as_user(json).replace('}', user);
    let user_form = as_user(form) + "&username=ana+maria&password=pW-Hc2Lz5Xc8Vb";
    for (machine, body, kind, sent) in [
        (machine as fn(&str) -> Machine, None, JSON, json),
        (machine, Some("json"), JSON, json),
        (machine, Some("form"), FORM, form),
        (users_machine, None, JSON, &user_json),
        (users_machine, Some("form"), FORM, &user_form),
    ] {
        let server = Server::start(vec![good()]);
        let mut machine = machine(&server.url());
        if let Some(body) = body {
            machine.set("HELLOCLOUD_BODY", body);
        }
        machine.prints("login hellocloud", format!("{ACCESS}\n"));
        let sent = post("/Api/access_token", kind, sent);
        assert_eq!(server.received()[0].text(), sent);
    }
}

#[test]
fn a_grant_can_be_chosen() {
    let server = Server::start(vec![good()]);
    let mut machine = users_machine(&server.url());
    machine.set("HELLOCLOUD_GRANT", "client_credentials");
    let outcome = machine.run("login hellocloud --json");
    assert_eq!(outcome.json()["user"], Value::Null);
    lacks(&server.received()[0].body, &["password"]);

    let nowhere = Server::start(Vec::new());
    let mut machine = self::machine(&nowhere.url());
    let missing = ["HELLOCLOUD_USERNAME", "HELLOCLOUD_PASSWORD"];
    machine.set("HELLOCLOUD_GRANT", "password");
    machine.fails("login hellocloud", 2, &missing);
}

#[test]
fn everything_the_server_said_but_the_refresh_token_is_passed_on() {
    let (outcome, server) = login(good());
    let answer = outcome.json();
    for (name, value) in [
        ("token", json!(ACCESS)),
        ("token_type", json!("Bearer")),
        ("url", json!(server.url())),
        ("user", json!("ana maria")),
        (
            "placement",
            json!({"in": "header", "name": "Authorization"}),
        ),
        ("details", json!({"expires_in": 3600})),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    let time =
        |name: &str| -> jiff::Timestamp { answer[name].as_str().expect(name).parse().expect(name) };
    let lasts = time("expires_at").duration_since(time("obtained_at"));
    assert_eq!(lasts.as_secs(), 3600);
    assert!(!outcome.stdout.contains(REFRESH));
}

#[test]
fn paths_below_the_url() {
    for [base, token_path, path] in rows(
        " | - | /Api/access_token
        /legacy | - | /legacy/Api/access_token
        /legacy/Api/access_token | - | /legacy/Api/access_token
        /legacy/Api | - | /legacy/Api/access_token
        /Api/ | - | /Api/access_token
        /Api/V8 | - | /Api/access_token
        /Api/index.php | - | /Api/access_token
        /Api/index.php/V8/ | - | /Api/access_token
        /Api/index.php/access_token | - | /Api/access_token
        /api | - | /api/Api/access_token
        /crm | Api/index.php/access_token | /crm/Api/index.php/access_token
        /crm/ | /oauth/token | /crm/oauth/token",
    ) {
        let server = Server::start(vec![good()]);
        let mut machine = machine(&format!("{}{base}", server.url()));
        if token_path != "-" {
            machine.set("HELLOCLOUD_TOKEN_PATH", token_path);
        }
        machine.prints("login hellocloud", format!("{ACCESS}\n"));
        assert_eq!(server.received()[0].target, path);
    }
}

#[test]
fn without_url_rewriting_the_other_path_is_tried_once() {
    let server = Server::start(vec![missing(), good()]);
    let outcome = users_machine(&format!("{}/crm", server.url())).run("login hellocloud");
    outcome.gives(0, &format!("{ACCESS}\n"), "");
    outcome.says(&[
        "warning: hellocloud: ",
        "HELLOCLOUD_TOKEN_PATH=Api/index.php/access_token",
    ]);
    let sent = server.received();
    assert_eq!(sent.len(), 2);
    let [first, second] = [0, 1].map(|at| sent[at].text());
    assert_eq!(second, first.replace("/crm/Api/", "/crm/Api/index.php/"));
}

#[test]
fn the_other_path_is_only_said_to_work_if_it_does() {
    for (reply, code) in [
        (missing(), 6),
        (Reply::http(502, "text/html", "<html>"), 5),
        (Reply::json(200, "[]"), 6),
    ] {
        let server = Server::start(vec![missing(), reply]);
        let outcome = users_machine(&server.url()).run("login hellocloud");
        outcome.fails(code, &[&server.host()]);
        assert!(!outcome.stderr.contains("works"), "{}", outcome.stderr);
    }
}

/// The paths that a sandbox is asked for while a command runs, without their base.
fn asked(servers: &Servers, machine: &Machine, line: &str, code: i32) -> Vec<String> {
    let before = servers.events().len();
    let outcome = machine.run(line);
    outcome.exits(code, line);
    let paths = servers.events().split_off(before).into_iter();
    paths.map(|event| event.path).collect()
}

/// Without URL rewriting the folder that served the token serves everything, and later runs know it.
#[test]
fn one_folder_serves_everything() {
    for paths in [Paths::Plain, Paths::TryFiles] {
        let servers = Servers::start();
        servers.hellocloud(move |cloud| cloud.surroundings.paths = paths);
        let mut machine = five_at(&servers);
        let ask = |machine: &Machine, line: &str| asked(&servers, machine, line, 0);
        let expire = |machine: &Machine| ends(&entry(machine), -1);
        let [token, who, end] = ["access_token", "V8/current-user", "V8/logout"];
        let plain = |path: &str| format!("/Api/index.php/{path}");
        let both = |path: &str| vec![format!("/Api/{path}"), plain(path)];
        assert_eq!(ask(&machine, "login hellocloud"), both(token));
        assert_eq!(ask(&machine, "status hellocloud --check"), [plain(who)]);
        expire(&machine);
        assert_eq!(ask(&machine, "token hellocloud"), [plain(token)]);
        assert_eq!(ask(&machine, "status hellocloud --check"), [plain(who)]);
        // A session of an older version does not say where it is from.
        edit(&machine, "hellocloud", |entry| {
            let details = entry["details"].as_object_mut();
            details.expect("details").remove("api");
        });
        assert_eq!(ask(&machine, "status hellocloud --check"), both(who));
        assert_eq!(ask(&machine, "logout hellocloud"), both(end));
        machine.set("HELLOCLOUD_TOKEN_PATH", "Api/index.php/access_token");
        assert_eq!(ask(&machine, "login hellocloud"), [plain(token)]);
        assert_eq!(ask(&machine, "status hellocloud --check"), [plain(who)]);
        assert_eq!(ask(&machine, "logout hellocloud"), [plain(end)]);
    }
}

/// SuiteCRM's web server lets nothing through to its API, but for the folder itself.
#[test]
fn a_web_server_without_rules_is_named() {
    let slim = || Reply::json(404, r#"{"message":"Not found"}"#);
    let server = Server::start(vec![missing(), missing(), slim()]);
    let outcome = users_machine(&server.url()).run("status hellocloud --check");
    assert_eq!(outcome.code, 6, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("PATH_INFO"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("base URL"), "{}", outcome.stdout);
    let place = "index.php?action=Login&module=Users";
    let away = || Reply::with_headers(301, &[("Location", place)], "");
    // The login and the doctor tell the same, whichever of the paths leads to a web page.
    for second in [away(), missing()] {
        let server = Server::start(vec![away(), second.clone()]);
        let machine = users_machine(&server.url());
        let words = "does not pass requests on to SuiteCRM's API";
        machine.fails("login hellocloud", 6, &[words, "PATH_INFO"]);
        server.push([away(), second, away()]);
        machine.run("status hellocloud --check").shows(&[words]);
    }
}

#[test]
fn a_redirect_is_judged_by_where_it_leads() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    servers.hellocloud(|cloud| cloud.surroundings.paths = Paths::SuiteCrm8);
    machine.fails(
        "login hellocloud",
        6,
        &["SuiteCRM 8", "add /legacy to the end of the URL"],
    );
    // Anything else is a redirect like any other.
    let moved = Reply::with_headers(301, &[("Location", "https://crm.example/")], "");
    let server = Server::start(vec![moved]);
    users_machine(&server.url()).fails(
        "login hellocloud",
        6,
        &["redirected", "https://crm.example/"],
    );
}

#[test]
fn a_session_without_a_user_is_a_state_of_its_own() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login hellocloud").answer();
    // A record of the module Users that is not there says the same.
    let id = "0a0a0a0a-0000-4000-8000-000000000009";
    let gone = json!({"errors": {"status": 400, "title": null, "detail": format!("Users module with id {id} is not found")}});
    let server = Server::start(vec![good(), Reply::json(400, gone.to_string())]);
    let other = users_machine(&server.url());
    other.run("login hellocloud").answer();
    let outcome = other.run_args(&["api", "hellocloud", &format!("Api/V8/module/Users/{id}")]);
    outcome.lacks(&["it has no user"]);

    servers.hellocloud(|cloud| cloud.user("ana").deleted = true);
    let no_user = |machine: &Machine| {
        let row = machine.run("status hellocloud --check --json");
        assert_eq!(row.code, 4, "{}", row.stdout);
        assert_eq!(row.json()[0]["session"], "no_user");
        assert_eq!(row.json()[0]["diagnosis"]["code"], "no_user");
        let outcome = machine.run("api hellocloud Api/V8/module/Accounts");
        outcome
            .exits(4, "")
            .says(&["it has no user"])
            .lacks(&["_URL"]);
    };
    no_user(&machine);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    for (field, value) in [
        ("CLIENT_ID", "44444444-4444-4444-8444-444444444444"),
        ("CLIENT_SECRET", "sandbox-userless-client"),
        ("GRANT", "client_credentials"),
    ] {
        machine.set(&format!("HELLOCLOUD_{field}"), value);
    }
    machine.run("login hellocloud").answer();
    no_user(&machine);
}

#[test]
fn a_path_of_ones_own_is_the_only_one() {
    let server = Server::start(vec![missing()]);
    let mut machine = users_machine(&server.url());
    machine.set("HELLOCLOUD_TOKEN_PATH", "oauth/token");
    machine.fails("login hellocloud", 6, &["/oauth/token (HTTP 404)"]);
}

#[test]
fn refusals_that_a_real_server_sends_with_500() {
    for [text, setting] in rows(
        "OAuth2Clients module with id 3d7f3fda-97d8 is not found | CLIENT_ID
        Error trying to get OAuth2Clients | CLIENT_ID
        No user found with this username: ana maria | USERNAME
        No user found with this username: OAuth2Clients | USERNAME
        No user found | USERNAME
        The password is invalid: x | PASSWORD
        The password is invalid: No user found with this username: x | PASSWORD",
    ) {
        let server = Server::start(vec![unknown_error(text)]);
        let outcome = users_machine(&server.url()).run("login hellocloud");
        let said = ["refused the login: unknown_error: ", &server.host()];
        outcome.fails(4, &said);
        // The setting that the server means, and no other.
        let hint = outcome.stderr.lines().last().expect("a hint");
        assert_eq!(hint, format!("hint: check HELLOCLOUD_{setting}"), "{text}");
    }
}

/// Refusals are made one after the other, so that a sentence says of what comes before that it is right.
#[test]
fn another_body_is_advised_only_for_the_secret_that_was_refused() {
    let client = json!({"error": "invalid_client", "message": "Client authentication failed"});
    let client = || Reply::json(401, client.to_string());
    let [unknown, nobody, password] = [
        "OAuth2Clients module with id x is not found",
        "No user found with this username: x",
        "The password is invalid: x",
    ];
    for (secret, refusal, advised) in [
        ("CLIENT_SECRET", client(), true),
        ("CLIENT_SECRET", unknown_error(unknown), false),
        ("CLIENT_SECRET", unknown_error(nobody), false),
        ("CLIENT_SECRET", unknown_error(password), false),
        ("PASSWORD", client(), false),
        ("PASSWORD", unknown_error(unknown), false),
        ("PASSWORD", unknown_error(nobody), false),
        ("PASSWORD", unknown_error(password), true),
        ("CLIENT_ID", unknown_error(unknown), false),
        ("USERNAME", unknown_error(nobody), false),
    ] {
        for (value, special) in [("q\"Wz5Er", true), ("q`Wz5Er", true), ("q&Wz5Er", false)] {
            let server = Server::start(vec![refusal.clone()]);
            let mut machine = users_machine(&server.url());
            machine.set(&format!("HELLOCLOUD_{secret}"), value);
            let outcome = machine.run("login hellocloud");
            outcome.fails(4, &["refused the login", "hint: check HELLOCLOUD_"]);
            let shown = format!("{secret} {value}: {}", outcome.stderr);
            let found = outcome.stderr.contains("HELLOCLOUD_BODY=form");
            assert_eq!(found, advised && special, "{shown}");
            if secret == "CLIENT_SECRET" && advised {
                // That box is about the other grant.
                assert!(outcome.stderr.contains("the grant `password`"), "{shown}");
                assert!(!outcome.stderr.contains("Is Confidential"), "{shown}");
            }
        }
    }
}

#[test]
fn the_servers_own_hint_is_shown() {
    let error = json!({"error": "invalid_request", "error_description": "It is malformed.",
        "hint": "Check the `grant_type` parameter\u{1b}[31m", "message": "It is malformed."});
    let (outcome, _server) = login(Reply::json(400, error.to_string()));
    let said = "invalid_request: It is malformed: Check the `grant_type` parameter";
    // An answer of the API's is no reason to doubt the URL.
    outcome.fails(6, &[said]).lacks(&["\u{1b}", "URL"]);
}

#[test]
fn the_apis_own_no_is_told_in_its_words() {
    let no = |detail: &str| {
        json!({"errors": {"status": 400, "title": null, "detail": detail}}).to_string()
    };
    let deprecated = "<br />\n<b>Deprecated</b>:  Return type";
    let (nope, nix) = (
        "Module Nope does not exist",
        "The option \"id\" with value \"nix\" is invalid.",
    );
    let userless = "Module id is empty when trying to get Users";
    let refused = format!("refused the request: {nope}");
    let without_words = json!({"errors": {"status": 400}}).to_string();
    for (status, body, code, text) in [
        (400, no(nope), 1, &*refused),
        (400, no(nix) + deprecated, 1, "with value \"nix\""),
        (404, no("Record not found"), 1, "Record not found"),
        (422, no("lastname is missing"), 1, "lastname is missing"),
        (400, no(userless), 4, "has no user"),
        (400, without_words, 6, "HTTP 400"),
        (400, "Bad Request".to_owned(), 6, "HTTP 400"),
        (429, no("slow down"), 5, "rate limiting"),
        (500, no(nope), 6, "HTTP 500"),
    ] {
        let replies = [Reply::http(status, "application/vnd.api+json", &body)];
        let (_server, machine, _) = logged_in("hellocloud", replies);
        let outcome = machine.run("api hellocloud /Api/V8/module/Nope");
        outcome.gives(code, &body, status).says(&[text]);
    }
}

#[test]
fn a_password_in_a_refusal_is_blanked_however_it_is_written() {
    let odd = r#"a"b'c<Kq3Wt8>d&e"#;
    for (password, echo) in [
        (PASSWORD, PASSWORD),
        (odd, odd),
        (odd, "a&quot;b&#039;c&lt;Kq3Wt8&gt;d&amp;e"),
        ("senha José Pq4Rs7", "senha José Pq4Rs7"),
        ("senha José Pq4Rs7", "senha%20Jos%C3%A9%20Pq4Rs7"),
        ("x", "x"),
    ] {
        let refusal = unknown_error(&format!("The password is invalid: {echo}"));
        let server = Server::start(vec![refusal]);
        let mut machine = users_machine(&server.url());
        // What is one letter long stands in every sentence: here only the echo counts.
        if password.len() > 1 {
            machine.canary(password);
        }
        let outcome = machine
            .set("HELLOCLOUD_PASSWORD", password)
            .run("login hellocloud");
        outcome.fails(4, &["refused the login"]);
        outcome.lacks(&[&format!("invalid: {echo}")]);
    }
}

#[test]
fn a_secret_with_quotes_is_sent_as_it_is_and_the_hint_names_the_body() {
    for (body, other) in [
        (None, "form"),
        (Some("json"), "form"),
        (Some("form"), "json"),
    ] {
        for secret in [r#"q"Wz5Er"#, "q'Wz5Er", "q<Wz5Er", "q>Wz5Er", "q`Wz5Er"] {
            let server = Server::start(vec![unknown_error("The password is invalid: x")]);
            let mut machine = users_machine(&server.url());
            machine.secret("HELLOCLOUD_PASSWORD", secret);
            if let Some(body) = body {
                machine.set("HELLOCLOUD_BODY", body);
            }
            machine.fails(
                "login hellocloud",
                4,
                &["hint: ", &format!("HELLOCLOUD_BODY={other}")],
            );
        }
    }
}

#[test]
fn refusals_with_a_code() {
    let invalid_client = json!({"error": "invalid_client", "error_description": "Client authentication failed",
        "message": "Client authentication failed"});
    let (outcome, _server) = login(Reply::json(401, invalid_client.to_string()));
    outcome.fails(4, &["invalid_client: Client authentication failed"]);
    outcome.says(&["HELLOCLOUD_GRANT", "HELLOCLOUD_CLIENT_SECRET"]);
    for (status, code) in [
        (401, "invalid_grant"),
        (400, "invalid_grant"),
        (401, "access_denied"),
        (400, "unauthorized_client"),
    ] {
        let (outcome, _server) = login(Reply::json(status, json!({"error": code}).to_string()));
        outcome.fails(4, &[code, "HELLOCLOUD_CLIENT_ID"]);
    }
}

#[test]
fn errors_that_are_no_refusal() {
    let unsupported = json!({"error": "unsupported_grant_type",
        "error_description": "The authorization grant type is not supported by the authorization server.",
        "message": "The authorization grant type is not supported by the authorization server."});
    let (outcome, _server) = login(Reply::json(400, unsupported.to_string()));
    outcome.fails(6, &["answered HTTP 400", "unsupported_grant_type"]);
    outcome.says(&["check HELLOCLOUD_GRANT; if it is right, try HELLOCLOUD_BODY=form"]);

    for text in ["Something else", "The table of OAuth2Clients is missing"] {
        let (outcome, _server) = login(unknown_error(text));
        outcome.fails(6, &["answered HTTP 500", &format!("unknown_error: {text}")]);
    }

    const FATAL: &str = "<br />\n<b>Fatal error</b>:  Uncaught Error in /var/www/crm/x.php:67\n";
    for (status, body) in [
        (500, ""),
        (500, " \r\n"),
        (500, FATAL),
        (200, FATAL),
        (
            200,
            "\nFatal error: Uncaught Error in /var/www/crm/x.php:67\n",
        ),
        (
            200,
            "PHP Parse error:  syntax error in /var/www/crm/x.php on line 1\n",
        ),
    ] {
        let (outcome, server) = login(Reply::http(status, "text/html; charset=UTF-8", body));
        let host = server.host();
        let failed = format!("{host} failed: its program ended without an answer (HTTP {status})");
        outcome.fails(6, &[&failed, "OAuth2 keys", "database", "PHP's log"]);
        outcome.lacks(&["_URL"]);
    }
}
