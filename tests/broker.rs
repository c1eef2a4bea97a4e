//! Broker: the establishment's login behind the partner's token; two spellings of the answer; its clock.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::docs::scenes::{JWT, Scene, scene};
use crate::faults::steps::{Kind, Step};
use crate::support::server::Received;
use crate::support::{Demo, Machine, Outcome, Reply, Server, canned, raw};

pub static DEMO: Demo = Demo {
    id: "broker",
    path: "/api/broker/estabelecimento/login",
    token: "eyJhbGci.Br5Uy8Ik3Ol.s1gn",
    secret: ("BROKER_PASSWORD", "pW-Br7Qa1Zx5Sw9"),
    asked: false,
    recognised: false,
    settings: &[("BROKER_USERNAME", "loja")],
    first: &[],
    answer: r#"{"CodigoRetorno":1,"MensagemRetorno":"OK","Expires_In":3600,"Access_Token":TOKEN,"Token_Type":"Bearer"}"#,
    dead: (401, "{}"),
    purpose: |event| match event.path.as_str() {
        "/api/Autenticacao/login" => "partner",
        path if path.ends_with("/login") && event.method == "POST" => "login",
        _ => "ask",
    },
    first_login: &["partner", "login"],
    alive: |host, token| {
        // An establishment's live token opens no login: 403; a dead one is nobody's: 401.
        let login = "/api/broker/estabelecimento/login";
        raw::call(host, "POST", login, Some(token)).status == 403
    },
    steps: &[
        LOGIN,
        Step {
            name: "broker's login behind its partner's",
            settings: PARTNERS_SETTINGS,
            before: &[PARTNERS_ANSWER],
            ..LOGIN
        },
        Step {
            name: "broker's partner's login",
            settings: PARTNERS_SETTINGS,
            answer: PARTNERS_ANSWER,
            after: &[LOGIN.answer],
            ..LOGIN
        },
        Step {
            name: "a call to broker",
            kind: Kind::Call,
            ..LOGIN
        },
    ],
    scenes,
};

const LOGIN: Step = Step {
    name: "broker's login",
    system: "broker",
    settings: &[("USERNAME", "loja"), ("PASSWORD", "SECRET")],
    answer: r#"{"CodigoRetorno":1,"MensagemRetorno":"OK","Expires_In":3600,"Access_Token":TOKEN,"Token_Type":"Bearer"}"#,
    field: "Access_Token",
    ..Step::LOGIN
};
const PARTNERS_ANSWER: &str =
    r#"{"CodigoRetorno":1,"Expires_In":3600,"Access_Token":PRIOR,"Token_Type":"Bearer"}"#;
const PARTNERS_SETTINGS: &[(&str, &str)] = &[
    ("USERNAME", "loja"),
    ("PASSWORD", "SECRET"),
    ("PARTNER_USERNAME", "parceiro"),
    ("PARTNER_PASSWORD", "OTHER"),
];

/// What the page shows.
fn scenes() -> Vec<Scene> {
    let scene = |name| {
        let settings = [
            ("BROKER_USERNAME", "loja"),
            ("BROKER_PASSWORD", "aS3nhaD4Loja"),
        ];
        scene(name, "broker", "login broker", &settings)
    };
    let with_partner = |name| {
        scene(name)
            .with("BROKER_PARTNER_USERNAME", "parceiro")
            .with("BROKER_PARTNER_PASSWORD", "aS3nhaD0Parceiro")
    };
    let good = |user: &str| {
        json!({
            "Created": 1_795_288_800, "Expires_In": 3600, "Access_Token": JWT, "Token_Type": "Bearer",
            "UserId": user, "RoleLevel": 0, "IdEstabelecimento": 42, "CodigoRetorno": 1, "MensagemRetorno": "Sucesso",
        })
    };
    let partner = good("5f0f1e2d-0000-4000-8000-000000000001");
    // What names no time lasts, whenever this is played.
    let short = json!({ "Access_Token": JWT, "Expires_In": 3600, "CodigoRetorno": 1 });
    let shop = good("5f0f1e2d-0000-4000-8000-000000000002");
    let refused = json!({ "CodigoRetorno": 99, "MensagemRetorno": "Usuário ou senha inválidos" });
    vec![
        with_partner("login").json(&partner).json(&shop),
        with_partner("refused").json(&short).json(&refused),
        scene("no partner").status(401, &json!({ "message": "Unauthorized" })),
        with_partner("partner refused").json(&refused),
        scene("half a partner").with("BROKER_PARTNER_USERNAME", "parceiro"),
    ]
}

const PASSWORD: &str = "pW-Br6Hj9Kl3Zx";
const PARTNER_PASSWORD: &str = "pW-Pt4Cv7Bn1Mq";
const PARTNER: &str = "eyJhbGci.Pt8We2Rt5Yu.s1gn";
const SESSION: &str = "eyJhbGci.Br3Io6Pa9Sd.s1gn";

fn machine(url: &str) -> Machine {
    let mut machine = Machine::new();
    machine
        .set("BROKER_URL", url)
        .set("BROKER_USERNAME", "loja");
    machine.secret("BROKER_PASSWORD", PASSWORD);
    machine.canary(SESSION).canary(PARTNER);
    machine.canary(PARTNER_PASSWORD);
    machine
}

/// The same with the partner's user and password.
fn partners_machine(url: &str) -> Machine {
    let mut machine = machine(url);
    machine.set("BROKER_PARTNER_USERNAME", "parceiro");
    machine.secret("BROKER_PARTNER_PASSWORD", PARTNER_PASSWORD);
    machine
}

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// The seed document's answer.
fn seed(token: &str) -> Value {
    json!({"Created": unix_now(), "Expires_In": 3600, "Access_Token": token, "Token_Type": "Bearer",
        "UserId": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "RoleLevel": 3, "IdEstabelecimento": 12,
        "IdDispositivo": 0, "IdEstabelecimentoOperador": 5, "CodigoRetorno": 1, "MensagemRetorno": "Sucesso"})
}

fn good(token: &str) -> Reply {
    Reply::json(200, seed(token).to_string())
}

fn login(replies: Vec<Reply>) -> (Outcome, Server) {
    let server = Server::start(replies);
    (machine(&server.url()).run("login broker --json"), server)
}

/// A POST as it should come.
fn post(path: &str, bearer: Option<&str>, user: &str, password: &str) -> String {
    let body = json!({"UserName": user, "Password": password}).to_string();
    let bearer = bearer
        .map(|token| format!("authorization: Bearer {token}\n"))
        .unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\naccept: application/json\n{bearer}content-length: {}\n\
         content-type: application/json\nhost: HOST\nuser-agent: crmauth/VERSION\n\n{body}",
        body.len()
    )
}

const PATH: &str = "/api/broker/estabelecimento/login";

#[test]
fn without_a_partner_no_token_is_sent() {
    let (outcome, server) = login(vec![good(SESSION)]);
    outcome.answer();
    let sent = post(PATH, None, "loja", PASSWORD);
    assert_eq!(server.received()[0].text(), sent);
}

#[test]
fn a_partners_token_is_sent_as_it_is() {
    let server = Server::start(vec![good(SESSION)]);
    let mut machine = machine(&server.url());
    machine.secret("BROKER_PARTNER_TOKEN", PARTNER);
    machine.prints("login broker", format!("{SESSION}\n"));
    let sent = post(PATH, Some(PARTNER), "loja", PASSWORD);
    assert_eq!(server.received()[0].text(), sent);
}

#[test]
fn a_partners_token_is_fetched_first() {
    for (setting, path) in [
        (None, "/api/Autenticacao/login"),
        (Some("/api/parceiro/login"), "/api/parceiro/login"),
        (Some("entrar"), "/entrar"),
    ] {
        let server = Server::start(vec![good(PARTNER), good(SESSION)]);
        let mut machine = partners_machine(&server.url());
        if let Some(setting) = setting {
            machine.set("BROKER_PARTNER_LOGIN_PATH", setting);
        }
        let outcome = machine.run("login broker --json");
        assert_eq!(outcome.json()["token"], SESSION, "{}", outcome.stderr);
        assert!(!outcome.stdout.contains(PARTNER));
        let sent: Vec<String> = server.received().iter().map(Received::text).collect();
        let partner = post(path, None, "parceiro", PARTNER_PASSWORD);
        let login = post(PATH, Some(PARTNER), "loja", PASSWORD);
        assert_eq!(sent, [partner, login]);
    }
}

#[test]
fn a_folder_in_the_url_is_kept_for_both_steps() {
    let server = Server::start(vec![good(PARTNER), good(SESSION)]);
    let outcome = partners_machine(&format!("{}/v1{PATH}", server.url())).run("login broker");
    assert_eq!(outcome.answer(), format!("{SESSION}\n"));
    let sent = server.received();
    let paths: Vec<_> = sent.iter().map(|request| &*request.target).collect();
    assert_eq!(paths, ["/v1/api/Autenticacao/login", &format!("/v1{PATH}")]);
}

#[test]
fn everything_the_server_said_is_passed_on() {
    let (outcome, server) = login(vec![good(SESSION)]);
    let answer = outcome.json();
    let mut details = seed(SESSION);
    let fields = details.as_object_mut().expect("an object");
    for name in ["Access_Token", "Token_Type", "Created"] {
        fields.remove(name);
    }
    let mut told = answer["details"].clone();
    let created = told.as_object_mut().expect("an object").remove("Created");
    assert!(created.is_some());
    for (name, value) in [
        ("token", json!(SESSION)),
        ("token_type", json!("Bearer")),
        ("url", json!(server.url())),
        ("user", json!("loja")),
        (
            "placement",
            json!({"in": "header", "name": "Authorization"}),
        ),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    assert_eq!(told, details);
}

#[test]
fn the_later_spelling_is_read() {
    let body = json!({"created": unix_now(), "expires_In": 3600, "access_Token": SESSION, "token_Type": "Bearer",
        "userId": "6f9619ff"});
    let (outcome, _server) = login(vec![Reply::json(200, body.to_string())]);
    let answer = outcome.json();
    assert_eq!(answer["token"], SESSION);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["details"]["userId"], "6f9619ff");
    assert!(answer["expires_at"].is_string());
}

/// How long the session lasts after an answer with these times, in seconds; `date` is its header's.
fn lasts(created: Option<u64>, expires_in: &Value, date: Option<u64>) -> (Option<i64>, String) {
    let mut body = seed(SESSION);
    body["Created"] = created.into();
    body["Expires_In"] = expires_in.clone();
    let date = date
        .map(|date| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(date)));
    let headers: Vec<_> = date.iter().map(|date| ("Date", date.as_str())).collect();
    let (outcome, _server) = login(vec![Reply::with_headers(200, &headers, body.to_string())]);
    let answer = outcome.json();
    // The session is delivered whatever its times are.
    assert_eq!(answer["token"], SESSION);
    let time = |name: &str| {
        let text = answer[name].as_str()?;
        Some(text.parse::<jiff::Timestamp>().expect(name))
    };
    let obtained = time("obtained_at").expect("a time");
    let rest = time("expires_at").map(|end| end.duration_since(obtained).as_secs());
    (rest, outcome.stderr)
}

#[test]
fn the_end_is_created_and_expires_in_by_the_servers_clock() {
    let now = unix_now();
    for (created, date, seconds) in [
        (Some(now), None, 3600),
        (Some(now), Some(now), 3600),
        // An older token that is handed out again.
        (Some(now - 600), Some(now), 3000),
        // A server whose clock is a day ahead, or an hour behind.
        (Some(now + 86_400), Some(now + 86_400), 3600),
        (Some(now - 3600), Some(now - 3600), 3600),
        (Some(now - 4200), Some(now - 3600), 3000),
        (None, None, 3600),
        // Times of two clocks, or of two time zones: no token lasts longer than it is said to.
        (Some(now + 86_400), Some(now), 3600),
        (Some(now + 86_400), None, 3600),
        (Some(now - 3 * 3600), Some(now), 3600),
        (Some(now - 12 * 3600), None, 3600),
        (Some(now + 19_800), Some(now), 3600),
        // Milliseconds.
        (Some(now * 1000), None, 3600),
        (Some((now - 600) * 1000), Some(now), 3000),
        (Some((now - 3 * 3600) * 1000), Some(now), 3600),
    ] {
        let (rest, stderr) = lasts(created, &json!(3600), date);
        let rest = rest.expect("an end");
        // A minute for a machine that is busy.
        assert!(
            (seconds - 60..=seconds + 1).contains(&rest),
            "{created:?} {date:?}: {rest}"
        );
        assert_eq!(stderr, "");
    }
}

#[test]
fn refusals_under_200() {
    for (code, said) in [
        (json!(0), "0"),
        (json!(2), "2"),
        (json!("0"), "0"),
        (json!(-1), "-1"),
        (json!(false), ""),
    ] {
        let body = json!({"CodigoRetorno": code, "MensagemRetorno": "Usuário inválido", "Access_Token": SESSION});
        let (outcome, server) = login(vec![Reply::json(200, body.to_string())]);
        let says = [
            "refused the login: ",
            said,
            "Usuário inválido",
            &server.host(),
        ];
        outcome.fails(4, &says);
        outcome.says(&[
            "BROKER_USERNAME and BROKER_PASSWORD",
            "BROKER_PARTNER_TOKEN",
        ]);
    }
}

#[test]
fn the_hint_names_whoever_was_refused() {
    let refused = || Reply::json(401, "{}");
    let server = Server::start(vec![refused()]);
    let hint = "check BROKER_PARTNER_USERNAME and BROKER_PARTNER_PASSWORD";
    let machine = partners_machine(&server.url());
    machine.fails("login broker", 4, &["partner's login", hint]);

    let server = Server::start(vec![good(PARTNER), refused()]);
    partners_machine(&server.url()).fails(
        "login broker",
        4,
        &["BROKER_USERNAME", "BROKER_PASSWORD"],
    );
    assert_eq!(server.received().len(), 2);

    let server = Server::start(vec![refused()]);
    let mut machine = self::machine(&server.url());
    machine.secret("BROKER_PARTNER_TOKEN", PARTNER);
    let names = ["BROKER_USERNAME", "BROKER_PASSWORD", "BROKER_PARTNER_TOKEN"];
    machine.fails("login broker", 4, &names);
}

#[test]
fn a_partners_token_that_no_header_can_carry_is_not_sent() {
    let answer = r#"{"Access_Token":"a b","CodigoRetorno":1}"#;
    let server = Server::start(vec![Reply::json(200, answer)]);
    partners_machine(&server.url()).fails("login broker", 6, &["a space at index 1"]);
}

#[test]
fn a_url_that_ends_in_either_logins_path_is_taken_without_it() {
    for path in [
        "",
        "/x",
        PATH,
        "/api/Autenticacao/login",
        "/x/api/Autenticacao/login/",
    ] {
        let server = Server::start(vec![canned::broker("Tk7")]);
        let mut machine = Machine::new();
        DEMO.settle(&mut machine, &format!("{}{path}", server.url()));
        assert_eq!(machine.run("login broker").code, 0, "{path}");
        let prefix = if path.starts_with("/x") { "/x" } else { "" };
        let target = format!("{prefix}{PATH}");
        assert_eq!(server.received()[0].target, target, "{path}");
    }
}
