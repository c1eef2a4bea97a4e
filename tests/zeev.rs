//! Zeev: a password or a permanent token for a temporary one, and another person's.

use serde_json::{Value, json};

use crate::docs::scenes::{Scene, scene};
use crate::faults::steps::{Kind, Step};
use crate::support::{Demo, Machine, Outcome, Reply, Server, cells, digits, raw};

pub static DEMO: Demo = Demo {
    id: "zeev",
    path: "/api/2/tokens",
    token: "tmp-Zv6Bn4Mq0Lp8",
    secret: ("ZEEV_PASSWORD", "pW-Zv3Ed7Cr1Fv5"),
    asked: true,
    recognised: false,
    settings: &[("ZEEV_USERNAME", "maria")],
    first: &[],
    answer: r#"{"userId":7,"name":"Maria","username":"maria","temporaryToken":TOKEN}"#,
    dead: (401, r#"{"message":"Pessoa não autenticada"}"#),
    purpose: |event| match event.method.as_str() {
        _ if event.path.contains("impersonate") => "as",
        "GET" => "renew",
        _ => "login",
    },
    first_login: &["login"],
    alive: |host, token| raw::get(host, "/api/2/tokens", Some(token)).status == 200,
    steps: &[
        LOGIN,
        Step {
            name: "zeev's login with a permanent token",
            settings: &[("API_TOKEN", "HEADER")],
            ..LOGIN
        },
        Step {
            name: "zeev's impersonation",
            arguments: " --as 42",
            before: &[IMPERSONATOR],
            answer: IMPERSONATED,
            ..LOGIN
        },
        Step {
            name: "zeev's login before an impersonation",
            arguments: " --as 42",
            answer: IMPERSONATOR,
            after: &[IMPERSONATED],
            ..LOGIN
        },
        Step {
            name: "zeev's renewal",
            kind: Kind::Renewal,
            ..LOGIN
        },
        Step {
            name: "zeev's whoami",
            kind: Kind::Check,
            ..LOGIN
        },
        Step {
            name: "a call to zeev",
            kind: Kind::Call,
            ..LOGIN
        },
    ],
    scenes,
};

const LOGIN: Step = Step {
    name: "zeev's login",
    system: "zeev",
    settings: &[("USERNAME", "maria"), ("PASSWORD", "SECRET")],
    answer: r#"{"userId":7,"name":"Maria","username":"maria","temporaryToken":TOKEN}"#,
    field: "temporaryToken",
    ..Step::LOGIN
};
const IMPERSONATOR: &str =
    r#"{"userId":7,"name":"Maria","username":"maria","temporaryToken":PRIOR}"#;
const IMPERSONATED: &str = r#"{"current":{"userId":7,"username":"maria"},"impersonate":{"id":42,"username":"joao","temporaryToken":TOKEN}}"#;

/// What the page shows.
fn scenes() -> Vec<Scene> {
    let scene = |name| {
        let settings = [
            ("ZEEV_USERNAME", "maria"),
            ("ZEEV_PASSWORD", "aS3nhaD4M4ria"),
        ];
        scene(name, "zeev", "login zeev", &settings)
    };
    let person = |id: u32, name: &str, username: &str, token: &str| json!({ "id": id, "userId": id, "name": name, "username": username, "temporaryToken": token });
    let maria = json!({
        "userId": 7, "name": "Maria Souza", "username": "maria", "temporaryToken": "tmp7Qk2Xw9Lm4RtZ",
    });
    let both = json!({
        "current": person(7, "Maria Souza", "maria", "tmp8Rt5Yp3Wn6Vb1"),
        "impersonate": person(9, "João Lima", "joao.lima", "tmp3Ed7Cr1Fv5Gb2"),
    });
    let none = json!({ "message": "Not found" });
    vec![
        scene("login").json(&maria),
        scene("impersonate")
            .command("login zeev --as joao.lima")
            .json(&maria)
            .json(&both),
        scene("refused").status(401, &json!({ "message": "Unauthorized" })),
        scene("may not")
            .command("login zeev --as joao.lima")
            .json(&maria)
            .status(403, &none),
        scene("nobody")
            .command("login zeev --as joao.lyma")
            .json(&maria)
            .status(404, &none),
        scene("too many").html(429, ""),
        scene("two ways").with("ZEEV_API_TOKEN", "zV7Kq2Xw9Lm4Rt"),
    ]
}

const PASSWORD: &str = "pW-Zv5Gh8Jk2Lq";
const API_TOKEN: &str = "perm-Zv1Xc4Vb7Nm";
const OWN: &str = "tmp-Own9Rt3Ye6Uw";
const OTHERS: &str = "tmp-Oth2Sd5Fg8Hj";

/// A machine with the user's password, or with the permanent token alone.
fn machine(url: &str, api_token: bool) -> Machine {
    let mut machine = Machine::new();
    machine.set("ZEEV_URL", url).canary(OWN).canary(OTHERS);
    if api_token {
        machine.secret("ZEEV_API_TOKEN", API_TOKEN);
    } else {
        machine
            .set("ZEEV_USERNAME", "maria")
            .secret("ZEEV_PASSWORD", PASSWORD);
    }
    machine
}

fn own() -> Reply {
    let answer =
        json!({"userId": 7, "name": "Maria", "username": "maria.s", "temporaryToken": OWN});
    Reply::json(200, answer.to_string())
}

fn others() -> Reply {
    let answer = json!({
        "current": {"id": 7, "name": "Maria", "username": "maria.s", "temporaryToken": OWN},
        "impersonate": {"id": 9, "name": "José", "username": "jose", "temporaryToken": OTHERS},
    });
    Reply::json(200, answer.to_string())
}

fn login(api_token: bool, arguments: &[&str], replies: Vec<Reply>) -> (Outcome, Server) {
    let server = Server::start(replies);
    let arguments = [&["login", "zeev", "--json"], arguments].concat();
    let outcome = machine(&server.url(), api_token).run_args(&arguments);
    (outcome, server)
}

/// How long the session lasts, in seconds.
fn lifetime(answer: &Value) -> i64 {
    let time =
        |name: &str| -> jiff::Timestamp { answer[name].as_str().expect(name).parse().expect(name) };
    let lifetime = time("expires_at").duration_since(time("obtained_at"));
    lifetime.as_secs()
}

const GET_HEADERS: &str = "HTTP/1.1\naccept: application/json\nauthorization: Bearer TOKEN\nhost: HOST\n\
    user-agent: crmauth/VERSION\n\n";

fn get(path: &str, token: &str) -> String {
    format!("GET {path} {}", GET_HEADERS.replace("TOKEN", token))
}

#[test]
fn a_password_is_posted() {
    let (outcome, server) = login(false, &[], vec![own()]);
    assert_eq!(
        server.received()[0].text(),
        "POST /api/2/tokens HTTP/1.1\n\
         accept: application/json\n\
         content-length: 45\n\
         content-type: application/json\n\
         host: HOST\n\
         user-agent: crmauth/VERSION\n\n\
         {\"login\":\"maria\",\"password\":\"pW-Zv5Gh8Jk2Lq\"}"
    );
    let answer = outcome.json();
    let expected = json!({
        "token": OWN, "token_type": "Bearer", "url": server.url(), "user": "maria", "impersonating": null,
        "placement": {"in": "header", "name": "Authorization"},
        "details": {"userId": 7, "name": "Maria", "username": "maria.s"},
    });
    for (name, value) in expected.as_object().expect("fields") {
        assert_eq!(&answer[name], value, "{name}");
    }
    assert_eq!((lifetime(&answer), outcome.stderr.as_str()), (600, ""));
}

#[test]
fn a_permanent_token_fetches_a_temporary_one() {
    let (outcome, server) = login(true, &[], vec![own()]);
    assert_eq!(server.received()[0].text(), get("/api/2/tokens", API_TOKEN));
    let answer = outcome.json();
    assert_eq!(
        json!([answer["token"], answer["user"]]),
        json!([OWN, "maria.s"])
    );
    assert_eq!(lifetime(&answer), 600);
}

#[test]
fn another_person_is_named_by_id_or_user_name() {
    for (person, segment) in [
        ("9", "9"),
        ("jose", "jose"),
        ("josé da silva", "jos%C3%A9%20da%20silva"),
        ("jose@empresa.example", "jose%40empresa.example"),
        ("a/b?c#d%2e..", "a%2Fb%3Fc%23d%252e.."),
    ] {
        let (outcome, server) = login(false, &["--as", person], vec![own(), others()]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let path = format!("/api/2/tokens/impersonate/{segment}");
        assert_eq!(server.received()[1].text(), get(&path, OWN));
    }
}

#[test]
fn a_permanent_token_impersonates_at_once() {
    let (outcome, server) = login(true, &["--as", "9"], vec![others()]);
    let expected = get("/api/2/tokens/impersonate/9", API_TOKEN);
    assert_eq!(server.received()[0].text(), expected);
    assert_eq!(outcome.json()["token"], OTHERS);
}

#[test]
fn both_people_are_told_and_only_one_token() {
    for (api_token, replies) in [(false, vec![own(), others()]), (true, vec![others()])] {
        let (outcome, _server) = login(api_token, &["--as", "9"], replies);
        let answer = outcome.json();
        let expected = json!({
            "token": OTHERS, "user": "maria.s", "impersonating": "jose",
            "details": {"current": {"id": 7, "name": "Maria", "username": "maria.s"},
                "impersonate": {"id": 9, "name": "José", "username": "jose"}},
        });
        for (name, value) in expected.as_object().expect("fields") {
            assert_eq!(&answer[name], value, "{name}");
        }
        assert_eq!(lifetime(&answer), 600);
        assert!(!outcome.stdout.contains(OWN));
    }
}

#[test]
fn people_who_cannot_be() {
    for person in ["", " ", ".", "..", "../../admin", "a/..", "a\\..\\b", "./x"] {
        let (outcome, _server) = login(true, &["--as", person], Vec::new());
        outcome.fails(2, &["--as needs a person's id or user name"]);
    }
}

#[test]
fn refusals_of_the_login() {
    for [status, code, text] in cells([
        "401 | 4 | refused the request (HTTP 401): Usuário não autenticado",
        "403 | 4 | refused the request (HTTP 403): Usuário não autenticado",
        "404 | 6 | has no API at /api/2/tokens (HTTP 404)",
        "429 | 5 | too many requests (HTTP 429)",
        "500 | 6 | answered HTTP 500",
    ]) {
        let (status, code) = (digits(status), digits(code));
        let body = json!({"message": "Usuário não autenticado"}).to_string();
        for (api_token, settings) in [
            (false, "ZEEV_USERNAME and ZEEV_PASSWORD"),
            (true, "ZEEV_API_TOKEN"),
        ] {
            let (outcome, server) = login(api_token, &[], vec![Reply::json(status, &body)]);
            outcome.fails(code, &[text, &server.host()]);
            if code == 4 {
                outcome.says(&[settings]);
            }
        }
    }
}

#[test]
fn refusals_of_the_impersonation_speak_of_people() {
    for row in [
        "404 2 Zeev has no person `jose` to impersonate | --as takes a person's id or user name",
        "403 4 this account may not impersonate `jose` | permission to impersonate",
        "401 4 refused the request (HTTP 401) | ZEEV_",
        "429 5 too many requests (HTTP 429)",
    ] {
        let (status, texts) = row.split_once(' ').expect("a code");
        let (code, texts) = texts.split_once(' ').expect("a text");
        for (api_token, first) in [(false, vec![own()]), (true, Vec::new())] {
            let replies = [first, vec![Reply::json(digits(status), "{}")]].concat();
            let (outcome, server) = login(api_token, &["--as", "jose"], replies);
            let field = format!("\"http_status\":{status}");
            outcome
                .fails(digits(code), &[&server.host(), &field])
                .tells(texts);
        }
    }
}

#[test]
fn an_impersonation_without_the_persons_token_is_none() {
    for [body, text] in cells([
        r#"{"current":{"temporaryToken":"OWN"}} | has no field `impersonate`"#,
        r#"{"temporaryToken":"OWN"} | has no field `impersonate`"#,
        r#"{"impersonate":[],"current":{"temporaryToken":"OWN"}} | has an array in `impersonate`"#,
        r#"{"impersonate":{"id":9},"current":{"temporaryToken":"OWN"}} | there is no session in the"#,
    ]) {
        let reply = Reply::json(200, body.replace("OWN", OWN));
        let (outcome, _server) = login(true, &["--as", "9"], vec![reply]);
        outcome.fails(6, &[text]);
    }
}

#[test]
fn others_cannot_impersonate() {
    let server = Server::start(Vec::new());
    let mut machine = Machine::of("SYSTEMSWAY", &server.url(), "USERNAME=u");
    machine.secret("SYSTEMSWAY_PASSWORD", PASSWORD);
    let run = machine.run("login systemsway --as 9");
    run.fails(2, &["SystemsWay cannot log in as somebody else", "zeev"]);
    assert_eq!(server.connections(), 0);
}
