//! Gluocrm: a challenge, then the login; two dialects of answers; a race for the challenge.

use serde_json::{Value, json};

use crate::docs::scenes::{Scene, scene};
use crate::faults::steps::{Kind, Step};
use crate::support::sandbox::Servers;
use crate::support::stored::five_at;
use crate::support::{Demo, Machine, Outcome, Reply, Server, Terminal, at, at_once, raw, rows};

pub static DEMO: Demo = Demo {
    id: "gluo",
    path: "/webservice.php",
    token: "tok7fQm2Zx91LwKd",
    secret: ("GLUO_ACCESS_KEY", "kEy8Rt5Yp3Wn6Vb1"),
    asked: true,
    recognised: true,
    settings: &[("GLUO_USERNAME", "api")],
    first: &[
        r#"{"success":true,"result":{"token":"chA11eNge5Jd0s","serverTime":1795288795,"expireTime":1795289095}}"#,
    ],
    answer: r#"{"success":true,"result":{"sessionName":TOKEN,"userId":"19x1","version":"0.22"}}"#,
    dead: (
        200,
        r#"{"success":false,"error":{"code":"INVALID_SESSIONID","message":"x"}}"#,
    ),
    purpose: |event| match event.method.as_str() {
        "GET" if event.query.contains("operation=getchallenge") => "challenge",
        _ if String::from_utf8_lossy(&event.body).contains("operation=login") => "login",
        _ => "ask",
    },
    first_login: &["challenge", "login"],
    alive: |host, token| {
        let target = format!("/webservice.php?operation=listtypes&sessionName={token}");
        raw::get(host, &target, None).json()["success"] == true
    },
    steps: &[
        LOGIN,
        Step {
            name: "gluo's challenge",
            before: &[],
            answer: GIVEN_CHALLENGE,
            after: &[LOGIN.answer],
            secret: false,
            ..LOGIN
        },
        Step {
            name: "gluo's listtypes",
            kind: Kind::Check,
            answer: r#"{"success":true,"result":{"types":["Contacts"],"information":{}}}"#,
            ..LOGIN
        },
        Step {
            name: "gluo's logout",
            kind: Kind::Revocation,
            answer: r#"{"success":true,"result":{}}"#,
            ..LOGIN
        },
        Step {
            name: "a call to gluo",
            kind: Kind::Call,
            ..LOGIN
        },
    ],
    scenes,
};

const LOGIN: Step = Step {
    name: "gluo's login",
    system: "gluo",
    settings: &[("USERNAME", "api"), ("ACCESS_KEY", "HEADER")],
    before: &[GIVEN_CHALLENGE],
    answer: r#"{"success":true,"result":{"sessionName":TOKEN,"userId":"19x1","version":"0.22"}}"#,
    field: "sessionName",
    ..Step::LOGIN
};
const GIVEN_CHALLENGE: &str = r#"{"success":true,"result":{"token":CHALLENGE,"serverTime":1795288795,"expireTime":1795289095}}"#;

/// What the page shows.
fn scenes() -> Vec<Scene> {
    let scene = |name| {
        let settings = [
            ("GLUO_USERNAME", "integracao"),
            ("GLUO_ACCESS_KEY", "fZ3kT8wQ1xYb6LmN"),
        ];
        scene(name, "gluo", "login gluo", &settings)
    };
    let challenge = json!({ "success": true, "result": {
        "token": "6b01eedb68214", "serverTime": 1_795_288_795, "expireTime": 1_795_289_095,
    } });
    let good = json!({ "success": true, "result": {
        "sessionName": SESSION, "userId": "19x1", "version": "0.22", "vtigerVersion": "8.0.0",
    } });
    let error = |code: &str, message: &str| json!({ "success": false, "error": { "code": code, "message": message } });
    let wrong = error("INVALID_USER_CREDENTIALS", "Invalid username or password");
    vec![
        scene("login").json(&challenge).json(&good),
        (0..5).fold(scene("wrong key"), |scene, _| {
            scene.json(&challenge).json(&wrong)
        }),
        scene("unknown user").json(&error("ACCESS_DENIED", "username does not exists")),
        scene("web page").html(200, "<!DOCTYPE html><title>Gluocrm</title>"),
        scene("redirect")
            .html(301, "")
            .header("Location", "https://crm.empresa.com.br/gluo/"),
        scene("missing").with("GLUO_ACCESS_KEY", ""),
        scene("dollar").env_file(
            "GLUO_URL=empresa.gluocrm.com.br\nGLUO_USERNAME=integracao\nGLUO_ACCESS_KEY=fZ3k$T8w\n",
        ),
        scene("logout")
            .after(&["login gluo"])
            .command("logout gluo")
            .json(&challenge)
            .json(&good)
            .html(500, "")
            .json(&json!({ "success": true, "result": { "types": ["Contacts"] } })),
    ]
}

/// The seed document's example.
const CHALLENGE: &str =
    r#"{"success":true,"result":{"token":"123","serverTime":1795288795,"expireTime":1795289095}}"#;
const HASH: &str = "e10adc3949ba59abbe56e057f20f883e";
/// The session of the good answers.
const SESSION: &str = "5e430dfb6b01eedbb2fc0";
const GOOD: &str = r#"{"success":true,"result":{"sessionName":"5e430dfb6b01eedbb2fc0","userId":"19x1","version":"0.22",
    "vtigerVersion":"8.0.0","first_name":"Jos&eacute;","email":"api@empresa.example"}}"#;

fn machine(url: &str, user: &str) -> Machine {
    let mut machine = Machine::new();
    machine
        .set("GLUO_URL", url)
        .set("GLUO_USERNAME", user)
        .set("GLUO_ACCESS_KEY", "456");
    machine.canary(HASH).canary(SESSION);
    machine
}

/// Logs in against a server that answers with these bodies.
fn login(bodies: &[&str]) -> (Outcome, Server) {
    let server = Server::start(bodies.iter().map(|body| Reply::json(200, body)).collect());
    let outcome = machine(&server.url(), "api").run("login gluo --json");
    (outcome, server)
}

fn posts(server: &Server) -> usize {
    server
        .received()
        .iter()
        .filter(|request| request.method == "POST")
        .count()
}

fn refusal(code: &str) -> String {
    json!({"success": false, "error": {"message": "Invalid username or password", "code": code}})
        .to_string()
}

#[test]
fn requests_byte_for_byte() {
    let (outcome, server) = login(&[CHALLENGE, GOOD]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let [challenge, login] = &server.received()[..] else {
        panic!("two requests")
    };
    assert_eq!(
        challenge.text(),
        "GET /webservice.php?operation=getchallenge&username=api HTTP/1.1\n\
         accept: application/json\n\
         host: HOST\n\
         user-agent: crmauth/VERSION\n\n"
    );
    assert_eq!(
        login.text(),
        "POST /webservice.php HTTP/1.1\n\
         accept: application/json\n\
         content-length: 71\n\
         content-type: application/x-www-form-urlencoded\n\
         host: HOST\n\
         user-agent: crmauth/VERSION\n\n\
         operation=login&username=api&accessKey=e10adc3949ba59abbe56e057f20f883e"
    );
    assert_eq!(login.header("host"), Some(&*server.host()));
}

#[test]
fn user_names_are_encoded() {
    for [user, query, form] in rows(
        "ana maria | ana%20maria | ana+maria
        josé | jos%C3%A9 | jos%C3%A9
        d'arc | d%27arc | d%27arc
        a+b@empresa.example | a%2Bb%40empresa.example | a%2Bb%40empresa.example
        a&operation=logout#% | a%26operation%3Dlogout%23%25 | a%26operation%3Dlogout%23%25",
    ) {
        let server = Server::start(vec![Reply::json(200, CHALLENGE), Reply::json(200, GOOD)]);
        machine(&server.url(), user).prints("login gluo", format!("{SESSION}\n"));
        let sent = server.received();
        assert_eq!(sent.len(), 2);
        let target = format!("/webservice.php?operation=getchallenge&username={query}");
        assert_eq!(sent[0].target, target);
        let body = format!("operation=login&username={form}&accessKey={HASH}");
        assert_eq!(sent[1].body, body);
    }
}

#[test]
fn base_urls_with_a_folder_or_the_endpoint() {
    for (base, path, shown) in [
        ("", "/webservice.php", ""),
        ("/", "/webservice.php", ""),
        ("/webservice.php", "/webservice.php", ""),
        ("/crm", "/crm/webservice.php", "/crm"),
        ("/crm/", "/crm/webservice.php", "/crm"),
        (
            "/a/b%20c/webservice.php",
            "/a/b%20c/webservice.php",
            "/a/b%20c",
        ),
    ] {
        let server = Server::start(vec![Reply::json(200, CHALLENGE), Reply::json(200, GOOD)]);
        let outcome = machine(&format!("{}{base}", server.url()), "api").run("login gluo --json");
        let url = server.url() + shown;
        assert_eq!(outcome.json()["url"], url, "{}", outcome.stderr);
        let sent = server.received();
        let targets: Vec<&str> = sent.iter().map(|request| &*request.target).collect();
        let challenge = format!("{path}?operation=getchallenge&username=api");
        assert_eq!(targets, [&*challenge, path]);
    }
}

#[test]
fn everything_the_server_said_but_the_challenges_token_is_passed_on() {
    let (outcome, server) = login(&[CHALLENGE, GOOD]);
    let answer = outcome.json();
    for (name, value) in [
        ("schema", json!(1)),
        ("target", json!("gluo")),
        ("provider", json!("gluo")),
        ("account", json!(null)),
        ("token", json!(SESSION)),
        ("token_type", json!("session")),
        ("url", json!(server.url())),
        ("user", json!("api")),
        ("impersonating", json!(null)),
        ("expires_at", json!(null)),
        ("placement", json!({"in": "query", "name": "sessionName"})),
        (
            "details",
            json!({"userId": "19x1", "version": "0.22", "vtigerVersion": "8.0.0", "first_name": "Jos&eacute;",
                "email": "api@empresa.example",
                "challenge": {"serverTime": 1_795_288_795, "expireTime": 1_795_289_095}}),
        ),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    assert_eq!(answer.as_object().expect("an object").len(), 13);
}

#[test]
fn other_dialects_are_read() {
    let seed = r#"{"application/json":{"sessionName":"5e430dfb6b01eedbb2fc0","userId":"19x1","version":"0.22"}}"#;
    let bare = r#"{"sessionName":"5e430dfb6b01eedbb2fc0","userId":"19x1","version":"0.22"}"#;
    for challenge in [
        CHALLENGE,
        r#"{"application/json":{"token":"123"}}"#,
        r#"{"token":"123"}"#,
    ] {
        for good in [seed, bare] {
            let (outcome, server) = login(&[challenge, good]);
            let answer = outcome.json();
            assert_eq!(answer["token"], SESSION);
            assert_eq!(answer["details"]["userId"], "19x1");
            assert!(server.received()[1].body.ends_with(HASH));
        }
    }
}

#[test]
fn a_refusal_names_its_code_and_the_settings() {
    let codes = "ACCESSKEY_UNDEFINED AUTHENTICATION_REQUIRED AUTHENTICATION_FAILURE INVALID_SESSIONID ACCESS_DENIED";
    for code in codes.split(' ') {
        let (outcome, server) = login(&[CHALLENGE, &refusal(code)]);
        let settings = "GLUO_USERNAME and GLUO_ACCESS_KEY";
        outcome.fails(4, &["refused the login", code, settings, &server.host()]);
        assert_eq!(posts(&server), 1);
    }
}

#[test]
fn an_unknown_user_is_refused_at_the_challenge_and_not_asked_again() {
    let denied = r#"{"success":false,"error":{"message":"username does not exists","code":"ACCESS_DENIED"}}"#;
    let (outcome, server) = login(&[denied]);
    let said = "ACCESS_DENIED: username does not exists";
    outcome.fails(4, &[said, "GLUO_USERNAME"]);
    assert_eq!(posts(&server), 0);
}

/// Why it takes so long is told on one line, however narrow.
#[test]
fn a_refusal_that_is_tried_again_is_told_as_one() {
    let refused = refusal("INVALID_USER_CREDENTIALS");
    for (language, told) in [
        ("en", " gluo: refused; trying again…"),
        ("pt-BR", " gluo: recusado; tentando de novo…"),
    ] {
        let bodies = [CHALLENGE, &refused].repeat(5);
        let server = Server::start(bodies.iter().map(|body| Reply::json(200, *body)).collect());
        let line = format!("login gluo --lang {language}");
        let mut terminal = Terminal::start(at("gluo", &server).line(&line), 40);
        terminal.sees(told);
        terminal.exits(4);
    }
}

/// A rival's challenge ends ours, and the right key looks wrong; where ours is not there at all, it was not looked at.
#[test]
fn rivals_are_given_way_to_and_never_taken_for_a_wrong_key() {
    const KEY: &str = "INVALID_USER_CREDENTIALS";
    const GONE: &str = "INVALID_AUTH_TOKEN";
    let rows: [(&[&str], u8, &str); 9] = [
        (&[KEY], 0, ""),
        (&[GONE], 0, ""),
        (&[KEY, KEY, KEY, KEY], 0, ""),
        (&[GONE, GONE, KEY, GONE], 0, ""),
        (&[KEY; 5], 4, "refused"),
        (&[GONE; 5], 5, "outrun"),
        (&[KEY, KEY, GONE, KEY, KEY], 5, "outrun"),
        (&[GONE, KEY, KEY, KEY, KEY], 5, "outrun"),
        (&[KEY, KEY, KEY, KEY, GONE], 5, "outrun"),
    ];
    at_once(rows, |(codes, exit, cause)| {
        let challenge = |number: usize| CHALLENGE.replace("\"123\"", &format!("\"{number}\""));
        let tries = codes.iter().enumerate();
        let tries = tries.flat_map(|(number, code)| [challenge(number), refusal(code)]);
        let mut bodies: Vec<String> = tries.collect();
        if exit == 0 {
            bodies.extend([challenge(9), GOOD.to_owned()]);
        }
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let (outcome, server) = login(&bodies);
        outcome.exits(exit.into(), format_args!("{codes:?}"));
        let mut sent: Vec<_> = server.received();
        assert_eq!(sent.len(), bodies.len(), "{codes:?}");
        sent.retain(|request| request.method == "POST");
        let mut keys: Vec<_> = sent.iter().map(|request| &request.body).collect();
        keys.dedup();
        // Each challenge is a fresh one.
        assert_eq!(keys.len(), bodies.len() / 2);
        if exit != 0 {
            let error: Value = serde_json::from_str(&outcome.stderr).expect("JSON");
            let error = &error["error"];
            assert_eq!(error["code"], cause);
            assert_eq!(error["retryable"], exit == 5);
            let told = outcome.stderr.contains("other logins");
            assert_eq!(told, exit == 5, "{}", outcome.stderr);
        }
    });
}

#[test]
fn what_comes_between_two_tries_is_an_error_of_its_own() {
    let (stuck, server) = login(&[CHALLENGE, &refusal("INVALID_AUTH_TOKEN"), "[]"]);
    stuck.fails(6, &["instead of a JSON object"]);
    assert_eq!(posts(&server), 1);
}

/// Logins of one user from machines that share nothing, against vtiger's own challenges.
#[test]
fn twenty_logins_of_one_user_at_once() {
    let servers = Servers::start();
    at_once(0..20, |_| {
        let mut machine = Machine::new();
        servers.demo().for_each(|(name, value)| {
            machine.set(name, value);
        });
        let outcome = machine.run("login gluo --json");
        let outrun = outcome.code == 5 && outcome.stderr.contains("other logins");
        assert!(outcome.code == 0 || outrun, "{}", outcome.stderr);
    });
}

/// Nobody of one machine disturbs another one's login, not even under another spelling or without a store.
#[test]
fn logins_of_one_machine_take_turns() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine
        .set("GLUO__UPPER__USERNAME", "ADMIN")
        .set("GLUO__UPPER__ACCESS_KEY", "SandboxAdminKey");
    let lines = [
        "login gluo",
        "login gluo@upper",
        "login gluo --no-store",
        "login gluo@upper --store none",
    ];
    let lines: Vec<&str> = lines.into_iter().cycle().take(12).collect();
    at_once(lines, |line| {
        machine.run(line).answer();
    });
    let events = servers.events();
    assert_eq!(events.len(), 24, "a challenge and a login each");
    let purposes: Vec<&str> = events.iter().map(DEMO.purpose).collect();
    assert_eq!(purposes, ["challenge", "login"].repeat(12));
}

#[test]
fn an_inactive_user_is_called_so() {
    let inactive = r#"{"success":false,"error":{"code":"AUTHENTICATION_REQUIRED","message":"Given user is inactive"}}"#;
    let (outcome, _server) = login(&[CHALLENGE, inactive]);
    outcome.fails(4, &["Given user is inactive", "have it activated"]);
}

/// With PHP's messages on and its usual buffer, vtiger's sessions cannot start.
#[test]
fn a_server_that_fails_is_said_to_fail_and_its_url_is_not_doubted() {
    const FATAL: &str = "<br />\n<b>Fatal error</b>:  Uncaught Error in /a.php:1<br />\n";
    for (status, body) in [
        (200, r#"{"success":false,"error":null}"#),
        (500, ""),
        (500, "\n"),
        (500, FATAL),
        (200, FATAL),
    ] {
        for before in [0, 1] {
            let mut script = vec![Reply::json(200, CHALLENGE); before];
            script.push(Reply::http(status, "text/html", body));
            let server = Server::start(script);
            let outcome = machine(&server.url(), "api").run("login gluo");
            outcome.fails(6, &["failed", "hint: "]);
            assert!(!outcome.stderr.contains("GLUO_URL"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn an_unknown_code_is_no_refusal() {
    let (outcome, _server) = login(&[CHALLENGE, &refusal("UNKNOWN_OPERATION")]);
    outcome.fails(6, &["reported an error", "UNKNOWN_OPERATION", "a Gluocrm"]);
}

#[test]
fn a_refusal_is_read_however_it_is_spelled() {
    let denied = r#""error":{"code":"ACCESS_DENIED","message":"x"}"#;
    for (refusal, exit, says) in [
        (
            format!(r#"{{"success":false,"result":null,{denied}}}"#),
            4,
            "refused the login",
        ),
        (
            format!(
                r#"{{"Success":false,{}}}"#,
                denied.replace("error", "Error")
            ),
            4,
            "refused the login",
        ),
        (
            r#"{"success":false,"error":{"Code":"ACCESS_DENIED"}}"#.to_owned(),
            4,
            "refused the login",
        ),
        (
            r#"{"success":false,"error":{"code":1146,"message":"x"}}"#.to_owned(),
            6,
            "reported an error",
        ),
        (
            r#"{"success":false,"error":"x"}"#.to_owned(),
            6,
            "without saying why",
        ),
    ] {
        let (outcome, _server) = login(&[CHALLENGE, &refusal]);
        outcome.fails(exit, &[says]);
    }
}

#[test]
fn crashes_of_the_server() {
    for (status, text) in [(500, "failed: "), (200, "sent an empty answer")] {
        let crash = Reply::Last(format!("HTTP/1.0 {status} x\r\nContent-Length: 0\r\n\r\n").into());
        let server = Server::start(vec![Reply::json(200, CHALLENGE), crash]);
        machine(&server.url(), "api")
            .run("login gluo")
            .fails(6, &[text]);
    }
}

#[test]
fn answers_without_what_they_should_hold() {
    let number = r#"{"success":true,"result":{"token":123}}"#;
    let array = r#"{"success":true,"result":[]}"#;
    let user = r#"{"success":true,"result":{"userId":"19x1"}}"#;
    let bare = r#"{"success":true,"result":"5e430dfb6b01eedbb2fc0"}"#;
    for (bodies, text) in [
        (&[r#"{"success":true}"#][..], "has no field `token`"),
        (&[number], "has a number in `token` where a string"),
        (&[array], "has an array in `result` where an object"),
        (&[CHALLENGE, user], "there is no session in the"),
        (&[CHALLENGE, bare], "has a string in `result`"),
    ] {
        let (outcome, _server) = login(bodies);
        outcome.fails(6, &[text, "GLUO_URL"]);
    }
}

#[test]
fn a_challenge_is_asked_for_again_where_the_server_stumbles() {
    let stumbles = [
        Reply::http(502, "text/html", "<html>"),
        Reply::http(503, "text/html", "<html>"),
        Reply::http(429, "text/html", ""),
        Reply::Reset,
        Reply::Last(Vec::new()),
    ];
    at_once(stumbles, |stumble| {
        let [challenge, good] = [CHALLENGE, GOOD].map(|body| Reply::json(200, body));
        let server = Server::start(vec![stumble, challenge, good]);
        machine(&server.url(), "api").prints("login gluo", format!("{SESSION}\n"));
        assert_eq!(posts(&server), 1);
    });
}

#[test]
fn a_challenge_that_is_refused_otherwise_is_not_repeated() {
    for (status, code) in [(401, 6), (404, 6), (408, 5), (500, 6)] {
        let server = Server::start(vec![Reply::http(status, "text/html", "<html>")]);
        machine(&server.url(), "api")
            .run("login gluo")
            .fails(code, &[&format!("HTTP {status}")]);
    }
}

#[test]
fn a_cookie_is_not_sent_back() {
    let headers = [
        ("Set-Cookie", "PHPSESSID=x; path=/"),
        ("Content-Type", "application/json"),
    ];
    let server = Server::start(vec![
        Reply::with_headers(200, &headers, CHALLENGE),
        Reply::with_headers(200, &headers, refusal("INVALID_AUTH_TOKEN")),
        Reply::with_headers(200, &headers, CHALLENGE),
        Reply::with_headers(200, &headers, GOOD),
    ]);
    machine(&server.url(), "api").prints("login gluo", format!("{SESSION}\n"));
    for request in server.received() {
        assert_eq!(request.header("cookie"), None);
    }
}
