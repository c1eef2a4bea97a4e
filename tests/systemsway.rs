//! SystemsWay: the password's hash in either case, and two dialects of answers.

use serde_json::json;

use crate::docs::scenes::{Scene, scene};
use crate::faults::steps::{Kind, Step};
use crate::support::{Demo, Machine, Outcome, Reply, Server, cells, demo, raw};

pub static DEMO: Demo = Demo {
    id: "systemsway",
    path: "/api/main",
    token: "EB078EB1ABFC9722EBAB9BA3DD303AFD37DD1AE50A791CBA16ABEE0A727029DF",
    secret: ("SYSTEMSWAY_PASSWORD", "pW-Ss4Xc8Vb2Nm6"),
    asked: true,
    recognised: true,
    settings: &[("SYSTEMSWAY_USERNAME", "admin")],
    first: &[],
    answer: r#"{"Status":"OK","IDSessao":TOKEN,"Message":"Login Realizado com sucesso"}"#,
    dead: (
        200,
        r#"{"Status":"ERROR","IDSessao":"","Message":"O ID da sessão está inválido"}"#,
    ),
    purpose: demo::by_method,
    first_login: &["login"],
    alive: |host, token| {
        raw::get(host, &format!("/api/Usuario/{token}"), None)
            .text()
            .starts_with('[')
    },
    steps: &[
        LOGIN,
        Step {
            name: "systemsway's question for nobody",
            kind: Kind::Check,
            answer: "[]",
            ..LOGIN
        },
        Step {
            name: "a call to systemsway",
            kind: Kind::Call,
            ..LOGIN
        },
    ],
    scenes,
};

const LOGIN: Step = Step {
    name: "systemsway's login",
    system: "systemsway",
    settings: &[("USERNAME", "admin"), ("PASSWORD", "SECRET")],
    answer: r#"{"Status":"OK","IDSessao":TOKEN,"Message":"Login Realizado com sucesso"}"#,
    field: "IDSessao",
    ..Step::LOGIN
};

/// What the page shows.
fn scenes() -> Vec<Scene> {
    let scene = |name| {
        let settings = [
            ("SYSTEMSWAY_USERNAME", "admin"),
            ("SYSTEMSWAY_PASSWORD", "teste"),
        ];
        scene(name, "systemsway", "login systemsway", &settings)
    };
    let good =
        json!({ "Status": "OK", "IDSessao": SESSION, "Message": "Login Realizado com sucesso" });
    let refused =
        json!({ "Status": "ERROR", "IDSessao": "", "Message": "Usuário ou senha estão inválidos" });
    vec![
        scene("login").json(&good),
        scene("refused").json(&refused),
        scene("no hash")
            .with("SYSTEMSWAY_PASSWORD", "")
            .with("SYSTEMSWAY_PASSWORD_SHA256", "46070D4B"),
        scene("lost seat")
            .after(&["login systemsway"])
            .json(&good)
            .json(&good),
        scene("in clear").with("SYSTEMSWAY_URL", "http://203.0.113.7:5000"),
        scene("wrong URL").html(404, "<title>404</title>"),
    ]
}

/// SHA-256 of `teste`: the seed document's example.
const HASH: &str = "46070D4BF934FB0D4B06D9E2C46E346944E322444900A435D7D9A95E6D7435F5";
const SESSION: &str = "EB078EB1ABFC9722EBAB9BA3DD303AFD37DD1AE50A791CBA16ABEE0A727029DF";

fn machine(url: &str) -> Machine {
    let mut machine = Machine::of("SYSTEMSWAY", url, "USERNAME=admin PASSWORD=teste");
    machine.canary(HASH).canary(&HASH.to_lowercase());
    machine.canary(SESSION);
    machine
}

fn seed() -> String {
    json!({"Status": "OK", "IDSessao": SESSION, "Message": "Login Realizado com sucesso"})
        .to_string()
}

fn login(body: &str) -> (Outcome, Server) {
    let server = Server::start(vec![Reply::json(200, body)]);
    let outcome = machine(&server.url()).run("login systemsway --json");
    (outcome, server)
}

#[test]
fn the_request_byte_for_byte() {
    let (outcome, server) = login(&seed());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert_eq!(
        server.received()[0].text(),
        "POST /api/main HTTP/1.1\n\
         accept: application/json\n\
         content-length: 92\n\
         content-type: application/json\n\
         host: HOST\n\
         user-agent: crmauth/VERSION\n\n\
         {\"User\":\"admin\",\"Passwd\":\"46070D4BF934FB0D4B06D9E2C46E346944E322444900A435D7D9A95E6D7435F5\"}"
    );
}

#[test]
fn the_hash_is_sent_in_the_case_asked_for_however_it_is_given() {
    let (upper, lower) = (HASH.to_owned(), HASH.to_lowercase());
    let mixed = lower.replace('d', "D");
    for (field, value, case, sent) in [
        ("PASSWORD", "teste", None, &upper),
        ("PASSWORD", "teste", Some("upper"), &upper),
        ("PASSWORD", "teste", Some("lower"), &lower),
        ("PASSWORD_SHA256", &*upper, None, &upper),
        ("PASSWORD_SHA256", &*upper, Some("lower"), &lower),
        ("PASSWORD_SHA256", &*lower, None, &upper),
        ("PASSWORD_SHA256", &*mixed, Some("lower"), &lower),
    ] {
        let server = Server::start(vec![Reply::json(200, seed())]);
        let mut machine = machine(&server.url());
        machine
            .unset("SYSTEMSWAY_PASSWORD")
            .set(&format!("SYSTEMSWAY_{field}"), value);
        if let Some(case) = case {
            machine.set("SYSTEMSWAY_HASH_CASE", case);
        }
        machine.prints("login systemsway", format!("{SESSION}\n"));
        let body = json!({"User": "admin", "Passwd": sent}).to_string();
        assert_eq!(server.received()[0].body, body);
    }
}

#[test]
fn what_cannot_be_the_hash_is_not_sent() {
    for (name, value) in [
        ("SYSTEMSWAY_PASSWORD_SHA256", "teste"),
        ("SYSTEMSWAY_PASSWORD_SHA256", &HASH[1..]),
        ("SYSTEMSWAY_HASH_CASE", "title"),
    ] {
        let server = Server::start(Vec::new());
        let mut machine = machine(&server.url());
        if name.ends_with("SHA256") {
            machine.unset("SYSTEMSWAY_PASSWORD");
        }
        machine.set(name, value);
        machine.fails("login systemsway", 2, &[name]);
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn both_dialects_are_read_whatever_the_letters() {
    let seed_details = json!({"Status": "OK", "Message": "Login Realizado com sucesso"});
    for (body, details) in [
        (seed(), seed_details),
        (
            json!({"codigo": "00", "idSessao": SESSION}).to_string(),
            json!({"codigo": "00"}),
        ),
        (
            json!({"codigo": 0, "idSessao": SESSION}).to_string(),
            json!({"codigo": 0}),
        ),
        (
            json!({"status": "ok", "idsessao": SESSION}).to_string(),
            json!({"status": "ok"}),
        ),
        (
            // A field of the server's, not the protocol's word for its session.
            json!({"Status": "OK", "IDSessao": SESSION, "token_type": "x"}).to_string(),
            json!({"Status": "OK", "token_type": "x"}),
        ),
    ] {
        let (outcome, server) = login(&body);
        let answer = outcome.json();
        for (name, value) in [
            ("token", json!(SESSION)),
            ("token_type", json!("session")),
            ("url", json!(server.url())),
            ("user", json!("admin")),
            ("expires_at", json!(null)),
            ("placement", json!({"in": "path", "name": "session"})),
            ("details", details),
        ] {
            assert_eq!(answer[name], value, "{body}: {name}");
        }
    }
}

#[test]
fn refusals() {
    for [body, text] in cells([
        r#"{"Status":"ERROR","IDSessao":"","Message":"Usuário ou senha estão inválidos"} | Usuário ou senha estão inválidos"#,
        r#"{"Status":"ERROR"} | ERROR"#,
        r#"{"codigo":"01","idSessao":"NA"} | 01"#,
        r#"{"codigo":1,"idSessao":"NA"} | 1"#,
    ]) {
        let (outcome, server) = login(body);
        let settings = "SYSTEMSWAY_USERNAME and SYSTEMSWAY_PASSWORD";
        outcome.fails(
            4,
            &[
                &format!("refused the login: {text}"),
                settings,
                &server.host(),
            ],
        );
    }
}

#[test]
fn a_refusal_that_echoes_the_hash_is_blanked() {
    for echo in [HASH.to_owned(), HASH.to_lowercase(), "teste".to_owned()] {
        let (outcome, _server) =
            login(&json!({"Status": "ERROR", "Message": format!("hash {echo}!")}).to_string());
        outcome.fails(4, &["refused the login: hash ***!"]);
    }
}

#[test]
fn success_without_a_session_is_none() {
    for [body, text] in cells([
        r#"{"Status":"OK","IDSessao":"NA"} | there is no session in the"#,
        r#"{"codigo":"00","idSessao":"NA"} | there is no session in the"#,
        r#"{"Status":"OK","IDSessao":""} | there is no session in the"#,
        r#"{"Status":"OK"} | there is no session in the"#,
        r#"{"IDSessao":"EB078EB1ABFC9722"} | has no field `Status`"#,
        r#"{"Status":true,"IDSessao":"EB078EB1ABFC9722"} | has true or false in `Status`"#,
    ]) {
        let (outcome, _server) = login(body);
        outcome.fails(6, &[text, "SYSTEMSWAY_URL"]);
    }
}

#[test]
fn base_urls_with_a_folder_or_the_endpoint() {
    for (base, path) in [
        ("/way/", "/way/api/main"),
        ("/api/main", "/api/main"),
        ("/way/api/main/", "/way/api/main"),
    ] {
        let server = Server::start(vec![Reply::json(200, seed())]);
        let outcome = machine(&format!("{}{base}", server.url())).run("login systemsway");
        assert_eq!(outcome.answer(), format!("{SESSION}\n"));
        assert_eq!(server.received()[0].target, path);
    }
}
