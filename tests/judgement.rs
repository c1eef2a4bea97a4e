//! What an answer says of the session that its request carried: only the system's own frame is its word, and a request
//! that may have been carried out is sent once.

use serde_json::{Value, json};

use crate::api::{TOKEN, logged_in, login, machine_at, ok, path};
use crate::support::machine::lacks;
use crate::support::stored::{cached, edit, from_now, systems};
use crate::support::{Machine, Reply, Server, at_once, canned, demo};

const HTML: &str = "<html><head><title>401 Authorization Required</title></head></html>";

const FATAL: &str = "<br />\n<b>Fatal error</b>:  Uncaught Error in /a.php:1\n";

fn gluo_error(code: &str) -> Value {
    json!({"success": false, "error": {"code": code, "message": "x"}})
}

fn denied(hint: &str) -> Value {
    json!({"error": "access_denied", "error_description": "Denied.", "hint": hint, "message": "Denied."})
}

/// PHP's warnings, so many bytes of them.
fn warnings(bytes: usize) -> String {
    const ONE: &str =
        "<br />\n<b>Deprecated</b>:  INVALID_SESSIONID in <b>/a/b.php</b> on line <b>1</b><br />\n";
    ONE.repeat(bytes / ONE.len() + 1)
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
}

/// A POST with a session and what else it takes.
fn post(machine: &Machine, system: &str) -> crate::support::Outcome {
    machine.run_args(&["api", system, path(system), "-d", "b=1"])
}

#[test]
fn a_frame_that_says_so_is_a_death_and_the_request_is_sent_again() {
    let reversed = r#"{"success":false,"error":{"message":"x","code":"INVALID_SESSIONID"}}"#;
    let dead = gluo_error("INVALID_SESSIONID").to_string();
    let behind = |text: String| ("gluo", Reply::http(200, "text/html", text));
    let codes = "INVALID_SESSIONID AUTHENTICATION_REQUIRED SESSION_EXPIRED SESSION_LEFT_IDLE";
    let codes = codes
        .split(' ')
        .map(|code| ("gluo", json_reply(200, &gluo_error(code))));
    let mut rows: Vec<(&str, Reply)> = codes.collect();
    rows.extend([
        ("gluo", Reply::json(200, reversed)),
        ("gluo", Reply::json(200, format!("\u{feff}\r\n {dead}\n"))),
        behind(format!("{}{dead}", warnings(100))),
        behind(format!("{}{dead}", warnings(40 * 1024))),
        behind(format!("{dead}{}", warnings(100))),
        behind(format!("\nNotice: x in /a.php on line 1\n{dead}")),
        behind(format!("Warning: x in /a.php on line 1\n{dead}")),
    ]);
    let hints = [
        "Access token has been revoked",
        "Access token could not be verified",
        "The JWT string must have two dots",
    ];
    rows.extend(hints.map(|hint| ("hellocloud", json_reply(401, &denied(hint)))));
    let revoked = denied(hints[0]).to_string();
    let base64 = "Error while decoding from Base64Url, invalid base64 characters detected";
    let behind = |text: String| ("hellocloud", Reply::http(401, "text/html", text));
    rows.extend([
        behind(format!("\u{feff}\r\n {revoked}\n")),
        behind(format!("{}{revoked}", warnings(100))),
        behind(format!("{}{revoked}", warnings(40 * 1024))),
        behind(format!("{revoked}{}", warnings(100))),
        behind(denied("Access token is invalid").to_string()),
        behind(denied(base64).to_string()),
    ]);
    for (system, dead) in rows {
        let shown = format!("{system} {dead:?}");
        let replies = [vec![dead], login(system, "Nw2token"), vec![ok("done")]].concat();
        let (_server, machine, _) = logged_in(system, replies);
        let outcome = post(&machine, system);
        outcome.gives(0, "done", &shown);
        assert_eq!(cached(&machine, system), "Nw2token", "{shown}");
    }
}

#[test]
fn a_text_that_speaks_of_a_death_is_none() {
    let record = json!({"success": true, "result": {"id": "17x1", "title": "ERP: INVALID_SESSIONID", "error": {"code": "INVALID_SESSIONID"}}});
    let asked = json!({"success": false, "error": {"code": "ACCESS_DENIED", "message": "denied for name : INVALID_SESSIONID"}});
    let dead = gluo_error("INVALID_SESSIONID").to_string();
    let gluo = [
        record.to_string(),
        asked.to_string(),
        gluo_error("invalid_sessionid").to_string(),
        gluo_error("AUTHENTICATION_FAILURE").to_string(),
        gluo_error("MANDATORY_FIELDS_MISSING").to_string(),
        json!({"success": true, "error": {"code": "INVALID_SESSIONID"}}).to_string(),
        json!({"success": "false", "error": {"code": "INVALID_SESSIONID"}}).to_string(),
        json!({"SUCCESS": false, "ERROR": {"code": "INVALID_SESSIONID"}}).to_string(),
        json!({"success": false, "result": {"id": "17x1"}, "error": {"code": "INVALID_SESSIONID"}})
            .to_string(),
        json!({"success": false, "error": {"message": {"code": "INVALID_SESSIONID"}}}).to_string(),
        json!({"success": false, "error": "INVALID_SESSIONID"}).to_string(),
        json!({"success": false, "error": null}).to_string(),
        json!({"result": gluo_error("INVALID_SESSIONID")}).to_string(),
        format!("[{dead}]"),
        format!("{dead}{dead}"),
        format!("{{\"success\":true,\"result\":{{}}}}\n{dead}"),
        format!("{}{dead}", warnings(70 * 1024)),
        format!("the log says {dead}"),
        HTML.replace("401", "INVALID_SESSIONID"),
    ]
    .map(|body| {
        // What refuses the request ends with 1, a longer answer than is held back with 0.
        let refuses = body.starts_with("{\"success\":false")
            && !body.contains("}\n{")
            && !body.contains("}}{");
        (
            "gluo",
            Reply::http(200, "text/html", body),
            i32::from(refuses),
        )
    });
    let systemsway = [
        json!({"Status": "OK", "Message": "\"status\":\"error\""}),
        json!({"Status": "OK", "Usuario": {"Status": "ERROR"}}),
        json!([{"UserName": "status", "Status": "error"}]),
        json!({"Id": "7", "Status": "Ativo"}),
        json!({"codigo": 17, "UserName": "ana"}),
        json!({"codigo": "0117"}),
        json!({"title": "x", "status": 500}),
    ]
    .map(|body| {
        let refuses = body["Status"] == "Ativo" || body["codigo"] == "0117";
        ("systemsway", json_reply(200, &body), i32::from(refuses))
    });
    const HINT: &str = "Access token has been revoked";
    let revoked = denied(HINT);
    let with_401 = [
        json!({"data": revoked}),
        json!({"error": "invalid_client", "hint": HINT}),
        denied("ACCESS TOKEN HAS BEEN REVOKED"),
        denied("The resource is not yours"),
        json!({"error": "access_denied"}),
        json!({"error": "access_denied", "message": HINT}),
        json!({"error": "access_denied", "hint": [HINT]}),
        json!({"error": "Access_Denied", "hint": HINT}),
        json!({"ERROR": "access_denied", "HINT": HINT}),
        json!({"error": "access_denied", "hint": HINT, "data": {"id": 1}}),
        json!({"errors": {"detail": format!("access_denied: {HINT}")}}),
    ];
    let basic = [("WWW-Authenticate", "Basic realm=x")];
    let hellocloud = [
        (json_reply(200, &revoked), 0),
        (json_reply(400, &revoked), 6),
        (json_reply(403, &revoked), 4),
        (Reply::http(401, "text/html", format!("<html>{revoked}")), 6),
        (Reply::json(401, format!("[{revoked}]")), 4),
        (Reply::json(401, format!("{revoked}{revoked}")), 4),
        (
            Reply::http(401, "text/plain", format!("the log says {revoked}")),
            4,
        ),
        (Reply::with_headers(401, &basic, revoked.to_string()), 6),
    ];
    let with_401 = with_401.into_iter().map(|body| (json_reply(401, &body), 4));
    let hellocloud = hellocloud.into_iter().chain(with_401);
    let hellocloud = hellocloud.map(|(reply, code)| ("hellocloud", reply, code));
    for (system, answer, code) in gluo.into_iter().chain(systemsway).chain(hellocloud) {
        let shown = format!("{system} {answer:?}");
        let text = String::from_utf8(answer.bytes().to_vec()).expect("UTF-8");
        let body = text.split_once("\r\n\r\n").expect("a head").1.to_owned();
        let (server, machine, before) = logged_in(system, [answer]);
        let outcome = post(&machine, system);
        outcome.gives(code, &body, &shown);
        // One request and no question.
        assert_eq!(server.received().len(), before + 1, "{shown}");
        assert_eq!(cached(&machine, system), TOKEN, "{shown}");
    }
}

/// Whoever lost the answer: a gateway has passed the request on, and a server that was silent has read it.
#[test]
fn what_may_have_been_done_is_not_retryable() {
    let gateways = [408, 429, 502, 503, 504, 520, 524, 530];
    let mut lost: Vec<Reply> = gateways
        .map(|status| Reply::http(status, "text/html", HTML))
        .into();
    lost.extend([Reply::Last(Vec::new()), Reply::Reset, Reply::Silence]);
    let cells = ["gluo", "hellocloud", "broker"].into_iter();
    let cells = cells.flat_map(|system| lost.iter().map(move |answer| (system, answer)));
    at_once(cells, |(system, answer)| {
        // Nothing else is waited for.
        let timeout = match answer {
            Reply::Silence => "3",
            _ => "30",
        };
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            let shown = format!("{system} {method} {answer:?}");
            let (server, machine, before) = logged_in(system, [answer.clone()]);
            let line = format!("api {system} {} -X {method} --json", path(system));
            let outcome = machine.run(&format!("{line} --timeout {timeout}"));
            assert_eq!(outcome.code, 5, "{shown}: {}", outcome.stderr);
            let error: Value = serde_json::from_str(&outcome.stderr).expect(&shown);
            let changes = method != "GET";
            assert_eq!(error["error"]["retryable"], !changes, "{shown}: {error}");
            let hint = error["error"]["hint"].as_str().expect(&shown);
            assert_eq!(hint.contains("look first"), changes, "{shown}: {hint}");
            assert_eq!(server.received().len(), before + 1, "{shown}");
        }
    });
}

#[test]
fn a_dead_session_that_cannot_be_replaced_ends_the_run_as_the_login_did() {
    let dead = [
        ("gluo", json_reply(200, &gluo_error("INVALID_SESSIONID"))),
        (
            "hellocloud",
            json_reply(401, &denied("Access token has been revoked")),
        ),
    ];
    let gluo = json_reply(200, &gluo_error("ACCESSKEY_UNDEFINED"));
    let unknown = json!({"error": "unknown_error", "message": "No user found"});
    let page = || Reply::http(200, "text/html", HTML);
    let away = || Reply::http(503, "text/html", "");
    let ends = [
        (gluo, json_reply(500, &unknown), 4),
        (page(), page(), 6),
        (away(), away(), 5),
    ];
    for (gluo, hellocloud, code) in ends {
        for ((system, dead), end) in dead.clone().into_iter().zip([gluo, hellocloud]) {
            for method in ["GET", "POST"] {
                let shown = format!("{system} {method} {end:?}");
                let mut replies = vec![dead.clone()];
                replies.extend(demo::of(system).script([end.clone()]));
                let (_server, machine, _) = logged_in(system, replies);
                let outcome = machine.run_args(&["api", system, path(system), "-X", method]);
                assert_eq!(outcome.code, code, "{shown}: {}", outcome.stderr);
                let body = String::from_utf8_lossy(dead.bytes());
                let passed = !outcome.stdout.is_empty() && body.ends_with(&outcome.stdout);
                assert!(passed, "{shown}");
                outcome.says(&["error: ", "the session could not be replaced: "]);
            }
        }
    }
}

#[test]
fn what_php_prints_beside_or_in_place_of_an_answer_is_told() {
    let good = r#"{"success":true,"result":{},"data":{}}"#;
    let around = "the server printed text around its JSON";
    let failed = "failed: its program ended without an answer";
    let notice = "Notice: x in /a.php on line 1";
    for (body, code, words) in [
        (warnings(100) + good, 0, around),
        (good.to_owned() + &warnings(100), 0, around),
        (format!("{good}\n{notice}\n"), 0, around),
        (FATAL.to_owned(), 6, failed),
        (warnings(100) + "<b>Parse error</b>:  x", 6, failed),
    ] {
        for system in systems() {
            let shown = format!("{system} {body}");
            let mut replies = vec![Reply::http(200, "text/html", &body)];
            // Gluocrm's session may be why.
            replies.extend((code == 6 && system == "gluo").then(|| Reply::json(200, good)));
            let (_server, machine, _) = logged_in(system, replies);
            let outcome = machine.run_args(&["api", system, path(system)]);
            outcome.gives(code, &body, &shown);
            outcome.says(&[words]);
            assert_eq!(cached(&machine, system), TOKEN, "{shown}");
        }
    }
}

#[test]
fn a_frame_that_is_cut_is_no_death() {
    let dead = gluo_error("INVALID_SESSIONID").to_string();
    let length = dead.len() + 9;
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{dead}");
    let (server, machine, before) = logged_in("gluo", [Reply::Last(cut.into_bytes())]);
    assert_eq!(post(&machine, "gluo").code, 5);
    assert_eq!(server.received().len(), before + 1);
    assert_eq!(cached(&machine, "gluo"), TOKEN);
}

/// A refusal that may speak of the session or of the request: the system is asked.
#[test]
fn a_refusal_is_looked_into_before_anything_is_sent_again() {
    let error =
        json!({"Status": "ERROR", "IDSessao": "", "Message": "O ID da sessão está inválido"});
    let business = json!({"Status": "ERROR", "Message": "Ja Existe"});
    let unauthenticated = Reply::json(401, r#"{"message":"Pessoa não autenticada"}"#);
    let whoami = json_reply(200, &json!({"userId": 1, "temporaryToken": "another"}));
    let alive = Reply::json(200, "[]");
    let (error, business) = (json_reply(200, &error), json_reply(200, &business));
    let page = Reply::http(401, "text/html", HTML);
    for (system, refusal, question, dead) in [
        ("systemsway", &error, &error, true),
        ("systemsway", &business, &alive, false),
        ("systemsway", &Reply::json(401, "{}"), &alive, false),
        ("systemsway", &error, &page, false),
        ("zeev", &unauthenticated, &unauthenticated, true),
        ("zeev", &unauthenticated, &whoami, false),
        ("zeev", &unauthenticated, &page, false),
    ] {
        let shown = format!("{system} {refusal:?} {question:?}");
        let mut replies = vec![refusal.clone(), question.clone()];
        if dead {
            replies.extend(login(system, "Nw2token"));
            replies.push(ok("done"));
        }
        let (server, machine, before) = logged_in(system, replies);
        let outcome = post(&machine, system);
        let done = outcome.stdout == "done";
        assert_eq!(done, dead, "{shown}: {}", outcome.stderr);
        let sent = server.received().split_off(before);
        let own = sent.iter().filter(|request| request.body == "b=1");
        let (count, token) = if dead { (2, "Nw2token") } else { (1, TOKEN) };
        assert_eq!(own.count(), count, "{shown}");
        assert_eq!(cached(&machine, system), token, "{shown}");
    }
}

/// Of Broker no question is documented that tells a dead session: one new login is made in a run.
#[test]
fn where_nobody_can_be_asked_a_login_is_made_and_only_what_changes_nothing_repeated() {
    let challenge = [("WWW-Authenticate", "Bearer error=\"invalid_token\"")];
    for refusal in [
        Reply::json(401, r#"{"message":"Unauthorized"}"#),
        Reply::http(401, "text/plain", "no"),
        Reply::with_headers(401, &challenge, ""),
        Reply::json(401, r#"{"CodigoRetorno":2}"#),
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] {
            let shown = format!("{method} {refusal:?}");
            let again = ["GET", "HEAD", "OPTIONS"].contains(&method);
            let mut replies = vec![refusal.clone()];
            replies.extend(login("broker", "Nw2token"));
            replies.extend(again.then(|| refusal.clone()));
            let (server, machine, before) = logged_in("broker", replies);
            let outcome = machine.run_args(&["api", "broker", "/own", "-X", method]);
            assert_eq!(outcome.code, 4, "{shown}: {}", outcome.stderr);
            let told = outcome.stderr.contains("is not repeated");
            assert_eq!(told, !again, "{shown}");
            let sent = server.received().split_off(before);
            let own = sent.iter().filter(|request| request.target == "/base/own");
            assert_eq!(sent.len(), if again { 3 } else { 2 }, "{shown}");
            assert_eq!(own.count(), sent.len() - 1, "{shown}");
            assert_eq!(cached(&machine, "broker"), "Nw2token", "{shown}");
        }
    }
    // A login that is refused proves nothing of the session, and one that this run has made is not doubted.
    let refused = || Reply::json(401, "{}");
    let (_server, machine, _) = logged_in("broker", [refused(), refused()]);
    let outcome = post(&machine, "broker");
    outcome
        .gives(4, "{}", "")
        .says(&["the session could not be replaced"]);
    assert_eq!(cached(&machine, "broker"), TOKEN);
    let server = Server::start([login("broker", TOKEN), vec![refused()]].concat());
    let machine = machine_at(&server);
    assert_eq!(machine.run("api broker /own").code, 4);
    assert_eq!(cached(&machine, "broker"), TOKEN);
}

/// What stands between, and what speaks of the request: nobody is asked, and nothing replaced.
#[test]
fn no_other_answer_of_the_three_without_recordings_is_about_the_session() {
    let basic = [("WWW-Authenticate", "Basic realm=\"x\"")];
    let answers = [
        (Reply::http(401, "text/html", HTML), 4),
        (
            Reply::http(401, "text/html", ["\u{feff}\r\n ", HTML].concat()),
            4,
        ),
        (Reply::with_headers(401, &basic, r#"{"message":"x"}"#), 6),
        (Reply::json(403, r#"{"message":"Sem permissão"}"#), 4),
        (Reply::json(407, r#"{"message":"x"}"#), 5),
        (Reply::json(500, r#"{"message":"401 não autenticada"}"#), 6),
        (Reply::json(200, r#"{"CodigoRetorno":2,"status":401}"#), 0),
        (Reply::json(200, r#"[{"Status":"ERROR","codigo":"01"}]"#), 0),
    ];
    for system in ["systemsway", "broker", "zeev"] {
        for (answer, code) in &answers {
            let shown = format!("{system} {answer:?}");
            let (server, machine, before) = logged_in(system, [answer.clone()]);
            let outcome = post(&machine, system);
            let refused_with_200 = system == "broker" && outcome.stdout.contains("Retorno\":2");
            let ended = outcome.code == *code || refused_with_200;
            assert!(ended, "{shown}: {}", outcome.stderr);
            assert_eq!(server.received().len(), before + 1, "{shown}");
            assert_eq!(cached(&machine, system), TOKEN, "{shown}");
        }
    }
}

/// SystemsWay's documents name no status: a 401 may be anybody's word, so that only the question counts.
#[test]
fn after_a_401_of_systemsway_only_what_changes_nothing_is_sent_again() {
    let error = json!({"Status": "ERROR", "Message": "O ID da sessão está inválido"});
    for (method, again) in [("GET", true), ("POST", false), ("PUT", false)] {
        let mut replies = vec![Reply::json(401, "{}"), json_reply(200, &error)];
        replies.extend(login("systemsway", "Nw2token"));
        replies.extend(again.then(|| ok("done")));
        let (_server, machine, _) = logged_in("systemsway", replies);
        let outcome = machine.run_args(&["api", "systemsway", path("systemsway"), "-X", method]);
        let done = outcome.stdout == "done";
        assert_eq!(done, again, "{method}: {}", outcome.stderr);
        assert_eq!(cached(&machine, "systemsway"), "Nw2token", "{method}");
    }
}

/// vtiger answers so where the session has no user, and where it crashes over a request that it may have carried out.
#[test]
fn after_a_crash_only_what_changes_nothing_is_sent_again() {
    let sorry = "Sorry! Attempt to access restricted file.";
    let crashes = [
        Reply::http(200, "text/html", sorry),
        Reply::http(200, "text/html", format!("{}{sorry}", warnings(10 * 1024))),
        Reply::http(500, "text/html", ""),
        Reply::http(500, "text/html", FATAL),
        Reply::http(200, "text/html", FATAL),
    ];
    let alive = json_reply(200, &json!({"success": true, "result": {"types": []}}));
    let dead = json_reply(200, &gluo_error("INVALID_SESSIONID"));
    let questions = |crash: &Reply| {
        [
            (alive.clone(), false),
            (dead.clone(), true),
            (crash.clone(), true),
        ]
    };
    let cells = crashes
        .iter()
        .flat_map(|crash| questions(crash).map(|question| (crash, question)));
    for (crash, (question, replaced)) in cells {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let shown = format!("{method} {crash:?} {question:?}");
            let mut replies = vec![crash.clone(), question.clone()];
            let again = replaced && method == "GET";
            if replaced {
                replies.extend(login("gluo", "Nw2token"));
            }
            if again {
                replies.push(ok("done"));
            }
            let (server, machine, before) = logged_in("gluo", replies);
            let outcome = machine.run_args(&["api", "gluo", "/own", "-X", method]);
            let done = outcome.stdout == "done";
            assert_eq!(done, again, "{shown}: {}", outcome.stderr);
            let told = outcome.stderr.contains("is not repeated");
            assert_eq!(told, replaced && !again, "{shown}");
            let sent = server.received().split_off(before);
            let own = sent
                .iter()
                .filter(|request| request.target.starts_with("/base/own"));
            assert_eq!(own.count(), if again { 2 } else { 1 }, "{shown}");
            let token = if replaced { "Nw2token" } else { TOKEN };
            assert_eq!(cached(&machine, "gluo"), token, "{shown}");
        }
    }
}

/// A session without a user, as `extendsession` leaves it behind on vtiger 8.
#[test]
fn a_session_that_the_server_fails_at_is_kept_until_there_is_another() {
    let crash = || Reply::http(500, "text/html", "");
    let replies = [crash()].into_iter().chain(login("gluo", "Nw2token"));
    let (_server, machine, _) = logged_in("gluo", replies);
    edit(&machine, "gluo", |entry| entry["seen_at"] = from_now(-1200));
    assert_eq!(machine.run("token gluo").answer(), "Nw2token\n");
    // The database may be away as well.
    let (_server, machine, _) = logged_in("gluo", [crash(), crash(), crash()]);
    edit(&machine, "gluo", |entry| entry["seen_at"] = from_now(-1200));
    machine.run("token gluo").fails(6, &["HTTP 500"]);
    assert_eq!(cached(&machine, "gluo"), TOKEN);
    let outcome = machine.run("status gluo --check");
    assert_eq!(outcome.code, 3, "{}", outcome.stderr);
    outcome.shows(&["the server fails whenever it is asked with the session"]);
    machine.run("logout gluo --local").answer();
}

/// What a web server, a proxy or a server in trouble answers in the system's place.
fn between() -> Vec<(&'static str, Reply)> {
    let asks = |scheme: &str, kind: &str, body: &str| {
        let headers = [("WWW-Authenticate", scheme), ("Content-Type", kind)];
        Reply::with_headers(401, &headers, body)
    };
    let page = |status, before: &str| Reply::http(status, "text/html", [before, HTML].concat());
    let denied = denied("Access token has been revoked").to_string();
    vec![
        ("Basic", asks("Basic realm=\"Staging\"", "text/html", HTML)),
        (
            "Basic without a page",
            asks("basic realm=x", "text/plain", ""),
        ),
        (
            "Basic before JSON",
            asks("Basic realm=\"x\"", "application/json", "{}"),
        ),
        (
            "Digest",
            asks("Digest realm=\"x\", nonce=\"y\"", "text/html", HTML),
        ),
        ("NTLM", asks("NTLM", "text/html", HTML)),
        ("two schemes", asks("Bearer, Negotiate", "text/html", HTML)),
        ("a page", page(401, "")),
        ("a page behind white space", page(401, "\n ")),
        ("a firewall", page(403, "")),
        ("a firewall in JSON", Reply::json(403, denied)),
        ("a gateway", page(502, "")),
        ("another page", page(200, "")),
        ("no such path", page(404, "")),
    ]
}

#[test]
fn what_stands_between_ends_no_session() {
    for (name, answer) in between() {
        for system in ["gluo", "hellocloud", "systemsway", "zeev"] {
            let shown = format!("{system}, {name}");
            // `status --check` looks what answers at the URL, and may ask more than once.
            let (server, machine, logged_in) = logged_in(system, [answer.clone()]);
            server.rest(answer.clone());
            let outcome = machine.run(&format!("status {system} --check"));
            assert_ne!(outcome.code, 0, "{shown}");
            lacks(&outcome.stdout, &["dead"]);
            assert_eq!(cached(&machine, system), TOKEN, "{shown}");
            if ["gluo", "hellocloud"].contains(&system) {
                let outcome = machine.run(&format!("logout {system}"));
                assert_ne!(outcome.code, 0, "{shown}");
                assert_eq!(outcome.stdout, "", "{shown}: {}", outcome.stderr);
                assert_eq!(cached(&machine, system), TOKEN, "{shown}");
            }
            let outcome = post(&machine, system);
            let (good, stderr) = (outcome.code == 0, outcome.stderr);
            assert_eq!(good, name == "another page", "{shown}: {stderr}");
            let asked = server.received().split_off(logged_in);
            let login = asked.iter().any(|request| logs_in(&request.body));
            assert!(!login, "{shown}");
        }
    }
}

/// Whether a request's body is that of a login.
fn logs_in(body: &str) -> bool {
    let words = ["operation=login", "grant_type", "Passwd", "password"];
    words.iter().any(|word| body.contains(word))
}

#[test]
fn whoever_refuses_in_front_is_not_the_system() {
    for (name, answer) in between() {
        for system in systems() {
            let own = !["gluo", "hellocloud"].contains(&system);
            let expected = match name {
                "a page" | "a page behind white space" | "a firewall" if own => "refused",
                "a firewall in JSON" => "refused",
                "a gateway" => "unavailable",
                "another page" => "html",
                "no such path" => "not_found",
                _ => "in_front",
            };
            let server = Server::start(Vec::new());
            server.rest(answer.clone());
            let outcome = machine_at(&server).run(&format!("login {system} --json"));
            let error = outcome.stderr.lines().last().expect("an error");
            let error: Value = serde_json::from_str(error).expect("JSON");
            assert_eq!(
                error["error"]["code"], expected,
                "{system}, {name}: {error}"
            );
        }
    }
}

/// An object is no word of the system's unless it is in the system's frame; and a question is not a login.
#[test]
fn only_the_systems_own_word_says_that_a_session_lives_or_has_ended() {
    let dead = gluo_error("INVALID_SESSIONID");
    let gluo = [
        json!({}),
        json!({"success": "false", "error": {"code": "INVALID_SESSIONID"}}),
        json!({"success": "true", "result": {}}),
        json!({"success": 0, "error": {"code": "INVALID_SESSIONID"}}),
        json!({"success": 1, "result": {}}),
        json!({"success": null, "result": {}}),
        json!({"success": true, "error": {"code": "INVALID_SESSIONID"}, "result": {}}),
        json!({"Success": true, "result": {}}),
        json!({"result": dead}),
        json!({"data": {}, "meta": {}}),
    ];
    let hellocloud = [
        json!({}),
        json!({"error": "unknown_error", "message": "No user found"}),
        json!({"errors": {"status": 200, "detail": "x"}}),
        json!({"message": "You have been successfully logged out"}),
        json!({"data": null, "meta": null}),
        json!({"Data": {}, "Meta": {}}),
        json!({"success": true, "result": {}}),
    ];
    let lost = gluo
        .map(|body| ("gluo", json_reply(200, &body), 6))
        .into_iter();
    let lost = lost.chain(hellocloud.map(|body| ("hellocloud", json_reply(200, &body), 6)));
    // Refusals of the question, which say nothing of the credentials.
    let codes = [
        "ACCESS_DENIED",
        "AUTHENTICATION_FAILURE",
        "INTERNAL_SERVER_ERROR",
    ];
    let codes = codes.map(|code| ("gluo", json_reply(200, &gluo_error(code)), 1));
    let (revoked, not_yours) = ("Access token has been revoked", "The resource is not yours");
    let refused = [
        ("gluo", Reply::json(401, "{}"), 4),
        ("hellocloud", json_reply(401, &denied(not_yours)), 4),
        ("hellocloud", json_reply(403, &denied(revoked)), 4),
        ("hellocloud", Reply::json(401, ""), 4),
    ];
    let refused = codes.into_iter().chain(refused);
    for (system, answer, code) in lost.chain(refused) {
        let shown = format!("{system} {answer:?}");
        let (server, machine, _) = logged_in(system, []);
        server.rest(answer);
        let line = format!("token {system} --cached -f json");
        let session = machine.run(&line).stdout;
        let checked = machine.run(&format!("status {system} --check"));
        checked.exits(code, &shown).shows(&[" usable "]);
        let adopting = machine_at(&server);
        adopting.write("session.json", session);
        let script = format!("crmauth login {system} --adopt < session.json");
        let adopted = adopting.shell("bash", &script);
        adopted.fails(code, &["error: "]);
        let mut told = [checked.stdout, checked.stderr, adopted.stderr].concat();
        // vtiger's logout fails at living sessions as well.
        if system != "gluo" || code != 1 {
            let ended = machine.run(&format!("logout {system}"));
            ended.fails(code, &["error: "]);
            told += &ended.stderr;
            assert_eq!(cached(&machine, system), TOKEN, "{shown}");
        }
        lacks(&told, &["the login", "check GLUO_", "check HELLOCLOUD_"]);
    }
}

#[test]
fn a_header_that_never_arrived_says_nothing_of_the_session() {
    let dropped = json_reply(401, &denied("Missing \"Authorization\" header"));
    let (server, machine, before) = logged_in("hellocloud", [dropped.clone()]);
    server.rest(dropped);
    let words = ["never saw the Authorization header", "CGIPassAuth"];
    let outcome = machine.run("status hellocloud --check");
    outcome.exits(6, "");
    for words in words {
        let told = outcome.stdout.matches(words).count();
        assert_eq!(told, 1, "{}", outcome.stdout);
    }
    machine.fails("logout hellocloud", 6, &words);
    post(&machine, "hellocloud").exits(6, "").says(&words);
    assert_eq!(cached(&machine, "hellocloud"), TOKEN);
    let asked = server.received().split_off(before);
    assert!(!asked.iter().any(|request| logs_in(&request.body)));
}

#[test]
fn a_session_that_had_ended_is_not_called_revoked() {
    let unverified = json_reply(401, &denied("Access token could not be verified"));
    for (system, dead) in [
        ("gluo", json_reply(200, &gluo_error("INVALID_SESSIONID"))),
        ("hellocloud", unverified),
    ] {
        let (_server, machine, _) = logged_in(system, [dead]);
        machine.prints(
            &format!("logout {system}"),
            format!("{system}\tforgotten\n"),
        );
        machine.fails(
            &format!("token {system} --cached"),
            3,
            &["no session is stored"],
        );
    }
}

/// An administrator's *Revoke* kills the access token; the refresh token lives on (real server).
#[test]
fn a_refresh_token_that_lives_on_is_ended_too() {
    let dead = || json_reply(401, &denied("Access token has been revoked"));
    let pair = |token: &str| {
        let pair = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": token, "refresh_token": "def502r1"});
        json_reply(200, &pair)
    };
    let spent = json!({"error": "invalid_request", "hint": "Token has been revoked"});
    let ended = json!({"meta": {"message": "You have been successfully logged out"}});
    let gateway = || Reply::http(502, "text/html", HTML);
    let client = json_reply(401, &json!({"error": "invalid_client"}));
    for (rest, word) in [
        (vec![pair("Hc2"), json_reply(200, &ended)], Some("revoked")),
        (vec![pair("Hc2"), dead()], Some("still-alive")),
        (vec![json_reply(401, &spent)], Some("forgotten")),
        (vec![pair("Hc2"), gateway()], Some("still-alive")),
        (vec![client], Some("still-alive")),
        (vec![gateway()], None),
    ] {
        let script = [pair("Hc1"), dead()].into_iter().chain(rest).collect();
        let server = Server::start(script);
        let machine = machine_at(&server);
        machine.run("login hellocloud").answer();
        let outcome = machine.run("logout hellocloud");
        let line = word
            .map(|word| format!("hellocloud\t{word}\n"))
            .unwrap_or_default();
        assert_eq!(outcome.stdout, line, "{}", outcome.stderr);
        assert_eq!(outcome.code == 0, word.is_some(), "{}", outcome.stderr);
        let left = machine.run("token hellocloud --cached").code;
        assert_eq!(left, if word.is_some() { 3 } else { 0 });
    }
}

#[test]
fn gluocrm_is_asked_with_a_question_that_harms_no_session() {
    let alive = json!({"success": true, "result": {"types": ["Contacts"]}});
    let alive = vec![json_reply(200, &alive); 4];
    let server = Server::start([canned::gluo(TOKEN), alive].concat());
    let machine = machine_at(&server);
    let session = machine.run("login gluo -f json").answer().to_owned();
    machine.run("status gluo --check").answer();
    edit(&machine, "gluo", |entry| entry["seen_at"] = from_now(-1200));
    machine.run("token gluo").answer();
    edit(&machine, "gluo", |entry| entry["seen_at"] = from_now(-1200));
    machine.run_args(&["exec", "gluo", "--", "true"]).answer();
    machine.write("session.json", session);
    let mut adopt = machine.command(&["login", "gluo", "--adopt"]);
    adopt.stdin(std::fs::File::open(machine.path("session.json")).expect("a file"));
    assert_eq!(machine.finish(adopt).code, 0);
    let questions = server.received().split_off(2);
    for question in &questions {
        assert_eq!((&*question.method, &*question.body), ("GET", ""));
        let target =
            "/base/webservice.php?operation=listtypes&sessionName=Tk%2B7%2Fa%3Fb%26c%3Dd%25e";
        assert_eq!(question.target, target);
        assert_eq!(question.header("cache-control"), Some("no-cache"));
    }
    assert_eq!(questions.len(), 4);
}
