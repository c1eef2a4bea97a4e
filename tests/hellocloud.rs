//! HelloCloud: both grants, both bodies, the path without URL rewriting, and what a real server says.

use serde_json::{Value, json};

use crate::api::logged_in;
use crate::docs::scenes::{JWT, Scene, scene};
use crate::faults::steps::{Kind, Step};
use crate::support::sandbox::Servers;
use crate::support::stored::{edit, five_at, from_now};
use crate::support::{Demo, Machine, Outcome, Reply, Server, raw};
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
    let scene = |name| {
        let settings = [
            (
                "HELLOCLOUD_CLIENT_ID",
                "3d7f3fda-97d8-e2b9-ad89-5a2fe9b07650",
            ),
            ("HELLOCLOUD_CLIENT_SECRET", "oS3gr3doD0Cl1ente"),
        ];
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
    vec![
        scene("client credentials").json(&good),
        with_user("password").json(&renewable),
        scene("wrong secret").status(401, &client),
        scene("escaped")
            .with("HELLOCLOUD_CLIENT_SECRET", "o<segredo>")
            .status(401, &client),
        scene("unknown client").status(
            500,
            &unknown(
                "OAuth2Clients module with id 3d7f3fda-97d8-e2b9-ad89-5a2fe9b07650 is not found",
            ),
        ),
        with_user("wrong password").status(500, &unknown("The password is invalid: aS3nhaD4M4ria")),
        with_user("locked").status(
            401,
            &json!({ "error": "lockout_reached", "message": "lockout_reached" }),
        ),
        scene("rewriting")
            .html(404, "<title>404 Not Found</title>")
            .json(&good),
        scene("legacy")
            .html(404, "<title>404 Not Found</title>")
            .html(404, "<title>404 Not Found</title>"),
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
        .set("HELLOCLOUD_CLIENT_ID", "3d7f3fda-97d8");
    machine
        .secret("HELLOCLOUD_CLIENT_SECRET", SECRET)
        .canary(ACCESS)
        .canary(REFRESH);
    machine
}

/// The same for the grant `password`.
fn users_machine(url: &str) -> Machine {
    let mut machine = machine(url);
    machine
        .set("HELLOCLOUD_USERNAME", "ana maria")
        .secret("HELLOCLOUD_PASSWORD", PASSWORD);
    machine
}

fn good() -> Reply {
    let answer = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": ACCESS, "refresh_token": REFRESH});
    Reply::json(200, answer.to_string())
}

fn missing() -> Reply {
    Reply::http(
        404,
        "text/html",
        "<!DOCTYPE html><title>404 Not Found</title>",
    )
}

/// A real server's way to report what it did not expect.
fn unknown_error(text: &str) -> Reply {
    let error = json!({"error": "unknown_error", "error_description": text, "message": text});
    Reply::json(500, error.to_string())
}

fn login(reply: Reply) -> (Outcome, Server) {
    let server = Server::start(vec![reply]);
    (
        users_machine(&server.url()).run("login hellocloud --json"),
        server,
    )
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
    let user_json = as_user(json).replace(
        '}',
        r#","username":"ana maria","password":"pW-Hc2Lz5Xc8Vb"}"#,
    );
    let user_form = as_user(form) + "&username=ana+maria&password=pW-Hc2Lz5Xc8Vb";
    for (user, body, sent) in [
        (false, None, post("/Api/access_token", JSON, json)),
        (false, Some("json"), post("/Api/access_token", JSON, json)),
        (false, Some("form"), post("/Api/access_token", FORM, form)),
        (true, None, post("/Api/access_token", JSON, &user_json)),
        (
            true,
            Some("form"),
            post("/Api/access_token", FORM, &user_form),
        ),
    ] {
        let server = Server::start(vec![good()]);
        let mut machine = if user {
            users_machine(&server.url())
        } else {
            machine(&server.url())
        };
        if let Some(body) = body {
            machine.set("HELLOCLOUD_BODY", body);
        }
        machine.prints("login hellocloud", format!("{ACCESS}\n"));
        assert_eq!(server.received()[0].text(), sent);
    }
}

#[test]
fn a_grant_can_be_chosen() {
    let server = Server::start(vec![good()]);
    let mut machine = users_machine(&server.url());
    let outcome = machine
        .set("HELLOCLOUD_GRANT", "client_credentials")
        .run("login hellocloud --json");
    assert_eq!(outcome.json()["user"], Value::Null);
    assert!(
        !server.received()[0].body.contains("password"),
        "{}",
        server.received()[0].body
    );

    let nowhere = Server::start(Vec::new());
    let mut machine = self::machine(&nowhere.url());
    machine
        .set("HELLOCLOUD_GRANT", "password")
        .run("login hellocloud")
        .fails(2, &["HELLOCLOUD_USERNAME", "HELLOCLOUD_PASSWORD"]);
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
    assert_eq!(
        time("expires_at")
            .duration_since(time("obtained_at"))
            .as_secs(),
        3600
    );
    assert!(!outcome.stdout.contains(REFRESH));
}

#[test]
fn paths_below_the_url() {
    for (base, token_path, path) in [
        ("", None, "/Api/access_token"),
        ("/legacy", None, "/legacy/Api/access_token"),
        ("/legacy/Api/access_token", None, "/legacy/Api/access_token"),
        ("/legacy/Api", None, "/legacy/Api/access_token"),
        ("/Api/", None, "/Api/access_token"),
        ("/Api/V8", None, "/Api/access_token"),
        ("/Api/index.php", None, "/Api/access_token"),
        ("/Api/index.php/V8/", None, "/Api/access_token"),
        ("/Api/index.php/access_token", None, "/Api/access_token"),
        ("/api", None, "/api/Api/access_token"),
        (
            "/crm",
            Some("Api/index.php/access_token"),
            "/crm/Api/index.php/access_token",
        ),
        ("/crm/", Some("/oauth/token"), "/crm/oauth/token"),
    ] {
        let server = Server::start(vec![good()]);
        let mut machine = machine(&format!("{}{base}", server.url()));
        if let Some(token_path) = token_path {
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
    let [first, second] = &server.received()[..] else {
        panic!("two requests")
    };
    assert_eq!(
        second.text(),
        first.text().replace("/crm/Api/", "/crm/Api/index.php/")
    );
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
        let expire = |machine: &Machine| {
            edit(machine, "hellocloud", |entry| {
                entry["expires_at"] = from_now(-1)
            });
        };
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
            entry["details"]
                .as_object_mut()
                .expect("details")
                .remove("api");
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
    let away = || {
        Reply::with_headers(
            301,
            &[("Location", "index.php?action=Login&module=Users")],
            "",
        )
    };
    // The login and the doctor tell the same, whichever of the paths leads to a web page.
    for second in [away(), missing()] {
        let server = Server::start(vec![away(), second.clone()]);
        let machine = users_machine(&server.url());
        let words = "does not pass requests on to SuiteCRM's API";
        machine.fails("login hellocloud", 6, &[words, "PATH_INFO"]);
        server.push([away(), second, away()]);
        let outcome = machine.run("status hellocloud --check");
        assert!(outcome.stdout.contains(words), "{}", outcome.stdout);
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
        assert_eq!(outcome.code, 4, "{}", outcome.stderr);
        outcome.says(&["it has no user"]);
        assert!(!outcome.stderr.contains("_URL"), "{}", outcome.stderr);
    };
    no_user(&machine);
    machine.prints("logout hellocloud", "hellocloud\trevoked\n");
    machine
        .set(
            "HELLOCLOUD_CLIENT_ID",
            "44444444-4444-4444-8444-444444444444",
        )
        .set("HELLOCLOUD_CLIENT_SECRET", "sandbox-userless-client")
        .set("HELLOCLOUD_GRANT", "client_credentials");
    machine.run("login hellocloud").answer();
    no_user(&machine);
}

#[test]
fn a_path_of_ones_own_is_the_only_one() {
    let server = Server::start(vec![missing()]);
    let mut machine = users_machine(&server.url());
    machine
        .set("HELLOCLOUD_TOKEN_PATH", "oauth/token")
        .run("login hellocloud")
        .fails(6, &["/oauth/token (HTTP 404)"]);
}

#[test]
fn refusals_that_a_real_server_sends_with_500() {
    for (text, setting) in [
        (
            "OAuth2Clients module with id 3d7f3fda-97d8 is not found",
            "CLIENT_ID",
        ),
        ("Error trying to get OAuth2Clients", "CLIENT_ID"),
        ("No user found with this username: ana maria", "USERNAME"),
        (
            "No user found with this username: OAuth2Clients",
            "USERNAME",
        ),
        ("No user found", "USERNAME"),
        ("The password is invalid: x", "PASSWORD"),
        (
            "The password is invalid: No user found with this username: x",
            "PASSWORD",
        ),
    ] {
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
    outcome.fails(
        6,
        &["invalid_request: It is malformed: Check the `grant_type` parameter"],
    );
    assert!(!outcome.stderr.contains('\u{1b}'));
    // An answer of the API's is no reason to doubt the URL.
    assert!(!outcome.stderr.contains("URL"), "{}", outcome.stderr);
}

#[test]
fn the_apis_own_no_is_told_in_its_words() {
    let no = |detail: &str| {
        json!({"errors": {"status": 400, "title": null, "detail": detail}}).to_string()
    };
    let deprecated = "<br />\n<b>Deprecated</b>:  Return type";
    for (status, body, code, text) in [
        (
            400,
            no("Module Nope does not exist"),
            1,
            "refused the request: Module Nope does not exist",
        ),
        (
            400,
            no("The option \"id\" with value \"nix\" is invalid.") + deprecated,
            1,
            "with value \"nix\"",
        ),
        (404, no("Record not found"), 1, "Record not found"),
        (422, no("lastname is missing"), 1, "lastname is missing"),
        (
            400,
            no("Module id is empty when trying to get Users"),
            4,
            "has no user",
        ),
        (
            400,
            json!({"errors": {"status": 400}}).to_string(),
            6,
            "HTTP 400",
        ),
        (400, "Bad Request".to_owned(), 6, "HTTP 400"),
        (429, no("slow down"), 5, "rate limiting"),
        (500, no("Module Nope does not exist"), 6, "HTTP 500"),
    ] {
        let replies = [Reply::http(status, "application/vnd.api+json", &body)];
        let (_server, machine, _) = logged_in("hellocloud", replies);
        let outcome = machine.run("api hellocloud /Api/V8/module/Nope");
        outcome.gives(code, &body, "");
        outcome.says(&[text]);
    }
}

#[test]
fn a_password_in_a_refusal_is_blanked_however_it_is_written() {
    for (password, echo) in [
        (PASSWORD, PASSWORD),
        (r#"a"b'c<Kq3Wt8>d&e"#, r#"a"b'c<Kq3Wt8>d&e"#),
        (
            r#"a"b'c<Kq3Wt8>d&e"#,
            "a&quot;b&#039;c&lt;Kq3Wt8&gt;d&amp;e",
        ),
        ("senha José Pq4Rs7", "senha José Pq4Rs7"),
        ("senha José Pq4Rs7", "senha%20Jos%C3%A9%20Pq4Rs7"),
        ("x", "x"),
    ] {
        let server = Server::start(vec![unknown_error(&format!(
            "The password is invalid: {echo}"
        ))]);
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
    outcome.fails(
        4,
        &[
            "invalid_client: Client authentication failed",
            "HELLOCLOUD_GRANT",
            "HELLOCLOUD_CLIENT_SECRET",
        ],
    );
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

    let (outcome, _server) = login(unknown_error("Something else"));
    outcome.fails(6, &["answered HTTP 500", "unknown_error: Something else"]);

    for (status, body) in [
        (500, ""),
        (500, " \r\n"),
        (
            500,
            "<br />\n<b>Fatal error</b>:  Uncaught Error in /var/www/crm/x.php:67\n",
        ),
        (
            200,
            "<br />\n<b>Fatal error</b>:  Uncaught Error in /var/www/crm/x.php:67\n",
        ),
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
        let failed = format!(
            "{} failed: its program ended without an answer (HTTP {status})",
            server.host()
        );
        outcome.fails(6, &[&failed, "OAuth2 keys", "database", "PHP's log"]);
        assert!(!outcome.stderr.contains("_URL"), "{}", outcome.stderr);
    }
}
