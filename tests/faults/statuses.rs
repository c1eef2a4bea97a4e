//! Statuses that are no success, and refusals under one that is.

use super::broken::each_try;
use super::*;

/// Two bodies that come with any status: a page that echoes the secret, and JSON that does.
const BODIES: [fn(&Scene) -> Vec<u8>; 2] = [
    |scene| {
        format!(
            "<html><p>{} {}</p></html>",
            scene.secret(),
            scene.given().token
        )
        .into()
    },
    |scene| {
        serde_json::json!({ "message": format!("<{}> no way", scene.secret()) })
            .to_string()
            .into()
    },
];

/// A row of which every login's step is answered with this status and each of the bodies.
fn status(number: u8, status: u16, adapt: impl Fn(Row) -> Row) {
    for (place, body) in BODIES.into_iter().enumerate() {
        let kind = ["text/html", "application/json"][place];
        let row = Row::of(number, steps::logins())
            .fault(move |scene| Reply::http(status, kind, body(scene)));
        let row = adapt(row.but(move |scene, promise| {
            if !impersonation(scene.step) {
                promise.says.push(format!("HTTP {status}"));
            }
            if matches!(status, 401 | 403) && place == 0 && refuses_in_json(scene) {
                promise.exit = 6;
            }
        }));
        row.brief_unless(place == 0 && !matches!(status, 409 | 422))
            .check();
    }
}

/// Zeev's impersonation has its own words for what happens to people.
fn impersonation(step: &Step) -> bool {
    step.name == "zeev's impersonation"
}

/// Whether a page cannot be the system's own refusal.
fn refuses_in_json(scene: &Scene) -> bool {
    scene.step.spec().refuses_in_json
}

/// What each system answers where a session is dead.
fn death(scene: &Scene) -> Reply {
    demo::of(scene.step.system).dead()
}

/// The steps that ask about a session.
fn questions() -> Vec<&'static Step> {
    [Kind::Check, Kind::Revocation]
        .into_iter()
        .flat_map(steps::of_kind)
        .collect()
}

#[test]
fn refusals() {
    for code in [401, 403] {
        status(31, code, |row| {
            row.exit(4)
                .unsaid(&["wrong password", "unknown user", "try again"])
                .but(|scene, promise| {
                    if !impersonation(scene.step) {
                        promise.says.push("refused the request".to_owned());
                    }
                })
        });
    }
    let named = Row::of(31, steps::usual_logins())
        .brief()
        .fault(|_| Reply::json(401, "{}"))
        .exit(4);
    named
        .but(|scene, promise| {
            let names = scene
                .step
                .settings
                .iter()
                .map(|(name, _)| format!("{}_{name}", scene.step.system.to_uppercase()));
            promise.says.extend(names);
        })
        .says(&["hint: check "])
        .check();
}

#[test]
fn a_refused_session_is_dropped() {
    Row::of(31, steps::of_kind(steps::Kind::Check))
        .fault(|scene| death(scene))
        .exit(3)
        .but(|_, promise| promise.entry = Kept::Dropped)
        .check();
    // It need not be ended any more.
    let refused = || {
        Reply::json(
            401,
            r#"{"error":"invalid_request","hint":"Token has been revoked"}"#,
        )
    };
    Row::of(31, steps::of_kind(steps::Kind::Revocation))
        .fault(move |scene| {
            let refresh = (scene.step.system == "hellocloud").then(refused);
            [death(scene)]
                .into_iter()
                .chain(refresh)
                .collect::<Vec<_>>()
        })
        .check();
    // Whatever stands before the server may answer 403.
    Row::of(31, questions())
        .fault(|_| Reply::http(403, "text/html", "<html>"))
        .exit(6)
        .but(|scene, promise| {
            let (exit, words) = if refuses_in_json(scene) {
                (6, "in front of")
            } else {
                (4, "firewall")
            };
            promise.exit = exit;
            promise.says.push(words.to_owned());
        })
        .check();
}

#[test]
fn a_refused_renewal_gives_way_to_a_login() {
    for (status, body) in [(401, "{}"), (401, r#"{"error":"invalid_request"}"#)] {
        Row::of(31, steps::of_kind(steps::Kind::Renewal))
            .fault(move |scene| vec![Reply::json(status, body), Reply::json(200, scene.good())])
            .check();
    }
}

#[test]
fn a_refused_call_shows_the_body_and_asks_for_the_session() {
    let body = |scene: &Scene| match scene.step.system {
        "gluo" => r#"{"success":false,"error":{"code":"ACCESS_DENIED"}}"#,
        _ => r#"{"Status":"ERROR"}"#,
    };
    // Alive after all, or a login that tells no more, or it is no refusal of the system's: that is the answer.
    let asked = |scene: &Scene| {
        let check = steps::of_kind(Kind::Check)
            .into_iter()
            .find(|step| step.system == scene.step.system);
        check.filter(|_| !refuses_in_json(scene))
    };
    Row::of(31, steps::of_kind(steps::Kind::Call))
        .fault(move |scene| {
            let check = asked(scene);
            let alive = check.map(|check| Reply::json(200, scene.given().fill(check.answer)));
            let login = (scene.step.system == "broker").then(|| Reply::json(401, body(scene)));
            [Reply::json(401, body(scene))]
                .into_iter()
                .chain(alive)
                .chain(login)
                .collect::<Vec<_>>()
        })
        .fails(4, &["refused the request (HTTP 401)"])
        .but(move |scene, promise| {
            promise.stdout = Stdout::Is(body(scene).to_owned());
            promise.entry = if asked(scene).is_some() {
                Kept::Replaced
            } else {
                Kept::Same
            };
        })
        .check();
}

#[test]
fn refusals_under_a_good_status() {
    let gluo =
        r#"{"success":false,"error":{"code":"ACCESS_DENIED","message":"\u001b[31m::error::no"}}"#;
    let race = r#"{"success":false,"error":{"code":"INVALID_USER_CREDENTIALS","message":"no"}}"#;
    let steps = |names: &[&str]| -> Vec<&'static Step> {
        steps::logins()
            .into_iter()
            .filter(|step| names.contains(&step.name))
            .collect()
    };
    for (names, body, text) in [
        (
            &["gluo's challenge", "gluo's login"][..],
            gluo,
            "refused the login: ACCESS_DENIED: [31m: :error: :no",
        ),
        (
            &["hellocloud's login"],
            r#"{"error":"invalid_client","message":"Client authentication failed"}"#,
            "refused the login: invalid_client",
        ),
        (
            &["systemsway's login"],
            r#"{"Status":"ERROR","IDSessao":"","Message":"Usu\u00e1rio ou senha"}"#,
            "refused the login: Usuário ou senha",
        ),
        (
            &["systemsway's login"],
            r#"{"codigo":"01","idSessao":"NA"}"#,
            "refused the login: 01",
        ),
        (
            &[
                "broker's login",
                "broker's partner's login",
                "broker's login behind its partner's",
            ],
            r#"{"CodigoRetorno":7,"MensagemRetorno":"Acesso negado"}"#,
            "refused the login: 7: Acesso negado",
        ),
    ] {
        Row::of(32, steps(names))
            .fault(move |_| Reply::json(200, body))
            .fails(4, &[text])
            .check();
    }
    // A rival's challenge makes a right key look wrong: up to five logins, each with a challenge of its own.
    Row::of(32, steps(&["gluo's login"]))
        .fault(move |scene| {
            let mut answers = vec![Reply::json(200, race)];
            for _ in 0..4 {
                answers.extend(scene.before());
                answers.push(Reply::json(200, race));
            }
            answers
        })
        .fails(4, &["refused the login: INVALID_USER_CREDENTIALS: no"])
        .sent(5)
        .check();
}

#[test]
fn accounts_that_are_locked() {
    status(33, 423, |row| {
        row.exit(4)
            .says(&["the account is locked"])
            .unsaid(&["try again later"])
    });
    for (status, error, message) in [
        (500, "lockout_reached", "The user is locked out"),
        (401, "lockout_reached", "locked"),
        (200, "password_expired", "expired"),
        (500, "unknown_error", "password_expired"),
    ] {
        let body = format!(r#"{{"error":"{error}","message":"{message}"}}"#);
        Row::of(33, [steps::named("hellocloud's login")])
            .brief_unless(status == 401)
            .fault(move |_| Reply::json(status, &body))
            .exit(4)
            .says(&[
                "the account is locked or its password has expired",
                error,
                message,
                "ask its administrator",
            ])
            .unsaid(&["try again"])
            .check();
    }
}

#[test]
fn no_such_place() {
    for code in [404, 405, 410] {
        let mut steps = steps::logins();
        steps.retain(|step| !impersonation(step) || code != 404);
        Row::of(34, steps)
            .at(questions())
            .fault(move |scene| {
                // HelloCloud's API may be below a second path.
                let two = code == 404
                    && scene.step.system == "hellocloud"
                    && scene.step.kind != Kind::Call;
                vec![
                    Reply::http(code, "text/html", "<html>Not Found</html>");
                    if two { 2 } else { 1 }
                ]
            })
            .exit(6)
            .brief_unless(code == 404)
            .says(&["has no API at /", &format!("(HTTP {code})")])
            .unsaid(&["operation="])
            .but(|scene, promise| {
                promise.says.push(format!(
                    "is {}_URL the base URL",
                    scene.step.system.to_uppercase()
                ))
            })
            .check();
    }
    let impersonation = steps::last().into_iter().filter(|step| impersonation(step));
    let row = Row::of(34, impersonation)
        .fault(|_| Reply::json(404, "{}"))
        .exit(2);
    row.says(&["has no person `42`"]).check();
}

#[test]
fn requests_that_the_server_does_not_take() {
    for code in [400, 409, 422] {
        status(35, code, |row| row.exit(6).suspect());
    }
    let coded = [
        (
            "gluo's login",
            r#"{"success":false,"error":{"code":"ACCESS_DENIED","message":"no"}}"#,
            4,
        ),
        (
            "hellocloud's login",
            r#"{"error":"invalid_grant","message":"no"}"#,
            4,
        ),
        (
            "hellocloud's login",
            r#"{"error":"unsupported_grant_type","message":"no"}"#,
            6,
        ),
        (
            "systemsway's login",
            r#"{"Status":"ERROR","Message":"no"}"#,
            4,
        ),
        (
            "broker's login",
            r#"{"CodigoRetorno":3,"MensagemRetorno":"no"}"#,
            4,
        ),
    ];
    for (name, body, exit) in coded {
        let step = steps::logins()
            .into_iter()
            .filter(move |step| step.name == name);
        Row::of(35, step)
            .fault(move |_| Reply::json(400, body))
            .fails(exit, &["no"])
            .check();
    }
}

#[test]
fn a_server_that_gave_up_waiting() {
    status(36, 408, |row| {
        row.exit(5)
            .says(&["timed out waiting for the request"])
            .suspect()
    });
}

#[test]
fn too_many_requests() {
    Row::of(37, steps::logins())
        .fault(|scene| each_try(scene, &Reply::http(429, "text/html", "<p>slow down</p>")))
        .fails(5, &["is rate limiting: too many requests (HTTP 429)"])
        .check();
    Row::of(37, questions())
        .fault(|_| Reply::json(429, ""))
        .fails(5, &["is rate limiting"])
        .check();
}

/// A 429 that asks to wait so long.
fn busy(wait: &str) -> Reply {
    Reply::with_headers(429, &[("Retry-After", wait)], "")
}

#[test]
fn a_wait_that_the_server_names_is_kept_once() {
    for wait in "0|Sat, 21 Nov 2020 20:00:00 GMT|Saturday, 21-Nov-20 20:00:00 GMT".split('|') {
        let row = Row::of(38, steps::logins()).sent(2);
        let row = row.fault(move |scene| vec![busy(wait), Reply::json(200, scene.good())]);
        if wait == "0" {
            row.check()
        } else {
            row.brief().check()
        }
    }
    Row::of(38, steps::logins())
        .fault(|_| vec![busy("0"), busy("0")])
        .fails(5, &["is rate limiting"])
        .sent(2)
        .check();
}

#[test]
fn a_wait_of_a_second_is_kept() {
    for wait in [None, Some(3)] {
        Row::of(38, steps::last())
            .brief()
            .fault(move |scene| {
                let date = |ahead: u64| {
                    let time = std::time::SystemTime::now() + std::time::Duration::from_secs(ahead);
                    httpdate::fmt_http_date(time)
                };
                let wait = wait.map_or_else(|| "1".to_owned(), date);
                vec![busy(&wait), Reply::json(200, scene.good())]
            })
            .sent(2)
            .timeout(20.0)
            .but(|_, promise| promise.at_least = std::time::Duration::from_secs(1))
            .check();
    }
}

#[test]
fn a_wait_that_does_not_fit_ends_the_run_at_once() {
    let date = httpdate::fmt_http_date(
        std::time::SystemTime::now() + std::time::Duration::from_secs(86_400),
    );
    for wait in [
        "31",
        "1000000000",
        "18446744073709551615",
        "99999999999999999999",
        "1000000000000000000000000000000",
        "-1",
        "1e9",
        "soon",
        "",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        &date,
    ] {
        // What is no wait is none, and a challenge may then be asked for again.
        let known = !wait.is_empty() && wait.bytes().all(|byte| byte.is_ascii_digit())
            || wait.ends_with("GMT");
        let reply = busy(wait);
        Row::of(38, steps::logins())
            .brief()
            .fault(move |scene| {
                if known {
                    vec![reply.clone()]
                } else {
                    each_try(scene, &reply)
                }
            })
            .fails(5, &["is rate limiting"])
            .but(move |_, promise| {
                if known {
                    promise.says.push("the server asks you to wait ".to_owned());
                }
            })
            .check();
    }
}

#[test]
fn a_server_that_failed() {
    status(39, 500, |row| row.exit(6).suspect());
    let echo = |scene: &Scene| {
        let text = format!("The password is invalid: {}", scene.secret());
        serde_json::json!({ "error": "unknown_error", "error_description": text, "message": text })
            .to_string()
    };
    Row::of(
        39,
        ["hellocloud's login", "hellocloud's login with a password"].map(steps::named),
    )
    .fault(move |scene| Reply::json(500, echo(scene)))
    .fails(4, &["The password is invalid: ***"])
    .check();
    Row::of(39, questions())
        .fault(|_| Reply::http(500, "text/html", "<html>"))
        .exit(6)
        .check();
}

#[test]
fn a_server_that_is_away() {
    for code in [502, 503, 504] {
        let row = Row::of(40, steps::logins())
            .at(questions())
            .exit(5)
            .suspect();
        row.fault(move |scene| {
            each_try(
                scene,
                &Reply::http(code, "text/html", "<html>Bad Gateway</html>"),
            )
        })
        .says(&[format!("is unavailable for now (HTTP {code})")])
        .brief_unless(code == 503)
        .check();
    }
    Row::of(40, steps::last())
        .brief()
        .fault(|_| Reply::with_headers(503, &[("Retry-After", "3600")], ""))
        .exit(5)
        .says(&["the server asks you to wait 60min before the next try"])
        .suspect()
        .check();
}

#[test]
fn the_help_of_every_verb_shows_nothing() {
    let scene = Scene::new(steps::named("gluo's login"));
    for verb in [
        "",
        "login ",
        "token ",
        "exec ",
        "api ",
        "status ",
        "logout ",
        "providers ",
        "sandbox ",
        "completions ",
    ] {
        let run = scene.run(
            scene
                .machine
                .command(&format!("{verb}--help").split(' ').collect::<Vec<_>>()),
        );
        let promise = Promise::exit(0).prints(Stdout::Anything);
        assert_eq!(promise.broken(&scene, &run), [""; 0], "{verb}");
    }
}
