//! Statuses that are no success, and refusals under one that is.

use serde_json::json;

use super::broken::each_try;
use super::*;
use crate::support::{cells, digits};

/// Two bodies that come with any status: a page that echoes the secret, and JSON that does.
const BODIES: [fn(&Scene) -> String; 2] = [
    |scene| {
        format!(
            "<html><p>{} {}</p></html>",
            scene.secret(),
            scene.given().token
        )
    },
    |scene| json!({ "message": format!("<{}> no way", scene.secret()) }).to_string(),
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
        let whole = place == 0 && !matches!(status, 409 | 422);
        row.brief_unless(whole).check();
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

/// What stands before many a server, and answers in its place.
fn page(status: u16) -> Reply {
    Reply::http(status, "text/html", "<html>")
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
    Row::of(31, steps::usual_logins())
        .brief()
        .fault(|_| Reply::json(401, "{}"))
        .but(|scene, promise| {
            let settings = scene.step.settings.iter();
            promise
                .says
                .extend(settings.map(|(name, _)| scene.variable(name)));
        })
        .fails(4, &["hint: check "])
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
    let revoked = r#"{"error":"invalid_request","hint":"Token has been revoked"}"#;
    Row::of(31, steps::of_kind(steps::Kind::Revocation))
        .fault(move |scene| {
            let mut answers = vec![death(scene)];
            let both = scene.step.system == "hellocloud";
            answers.extend(both.then(|| Reply::json(401, revoked)));
            answers
        })
        .check();
    // Whatever stands before the server may answer 403.
    Row::of(31, steps::questions())
        .fault(|_| page(403))
        .exit(6)
        .but(|scene, promise| {
            let told = [(4, "firewall"), (6, "in front of")];
            let (exit, words) = told[usize::from(refuses_in_json(scene))];
            promise.exit = exit;
            promise.says.push(words.to_owned());
        })
        .check();
}

#[test]
fn a_refused_renewal_gives_way_to_a_login() {
    for body in ["{}", r#"{"error":"invalid_request"}"#] {
        Row::of(31, steps::of_kind(steps::Kind::Renewal))
            .fault(move |scene| vec![Reply::json(401, body), Reply::json(200, scene.good())])
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
        let mut checks = steps::of_kind(Kind::Check).into_iter();
        let check = checks.find(|step| step.system == scene.step.system);
        check.filter(|_| !refuses_in_json(scene))
    };
    Row::of(31, steps::of_kind(steps::Kind::Call))
        .fault(move |scene| {
            let mut answers = vec![Reply::json(401, body(scene))];
            let alive = asked(scene).map(|check| scene.given().fill(check.answer));
            answers.extend(alive.map(|alive| Reply::json(200, alive)));
            let again = scene.step.system == "broker";
            answers.extend(again.then(|| Reply::json(401, body(scene))));
            answers
        })
        .fails(4, &["refused the request (HTTP 401)"])
        .but(move |scene, promise| {
            promise.stdout = Stdout::Is(body(scene).to_owned());
            if asked(scene).is_some() {
                promise.entry = Kept::Replaced;
            }
        })
        .check();
}

#[test]
fn refusals_under_a_good_status() {
    let race = r#"{"success":false,"error":{"code":"INVALID_USER_CREDENTIALS","message":"no"}}"#;
    for [names, body, text] in cells([
        "gluo's challenge|gluo's login | {'success':false,'error':{'code':'ACCESS_DENIED','message':'\\u001b[31m::error::no'}} | \
            ACCESS_DENIED: [31m: :error: :no",
        "hellocloud's login | {'error':'invalid_client','message':'Client authentication failed'} | invalid_client",
        "systemsway's login | {'Status':'ERROR','IDSessao':'','Message':'Usu\\u00e1rio ou senha'} | Usuário ou senha",
        "systemsway's login | {'codigo':'01','idSessao':'NA'} | 01",
        "broker's login|broker's partner's login|broker's login behind its partner's | \
            {'CodigoRetorno':7,'MensagemRetorno':'Acesso negado'} | 7: Acesso negado",
    ]) {
        let row = Row::of(32, names.split('|').map(steps::named));
        let row = row.answer(move |_| body.replace('\'', "\""));
        row.fails(4, &[format!("refused the login: {text}")])
            .check();
    }
    // A rival's challenge makes a right key look wrong: up to five logins, each with a challenge of its own.
    Row::of(32, [steps::named("gluo's login")])
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
            .says(&["the account is locked or its password has expired"])
            .fails(4, &[error, message, "ask its administrator"])
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
            .at(steps::questions())
            .fault(move |scene| {
                // HelloCloud's API may be below a second path.
                let step = scene.step;
                let two = code == 404 && step.system == "hellocloud" && step.kind != Kind::Call;
                vec![page(code); 1 + usize::from(two)]
            })
            .brief_unless(code == 404)
            .fails(6, &["has no API at /", &format!("(HTTP {code})")])
            .unsaid(&["operation="])
            .but(|scene, promise| {
                let text = format!("is {} the base URL", scene.variable("URL"));
                promise.says.push(text)
            })
            .check();
    }
    let impersonation = steps::last().into_iter().filter(|step| impersonation(step));
    let row = Row::of(34, impersonation).fault(|_| Reply::json(404, "{}"));
    row.fails(2, &["has no person `42`"]).check();
}

#[test]
fn requests_that_the_server_does_not_take() {
    for code in [400, 409, 422] {
        status(35, code, |row| row.exit(6).suspect());
    }
    for [name, body, exit] in cells([
        r#"gluo's login | {"success":false,"error":{"code":"ACCESS_DENIED","message":"no"}} | 4"#,
        r#"hellocloud's login | {"error":"invalid_grant","message":"no"} | 4"#,
        r#"hellocloud's login | {"error":"unsupported_grant_type","message":"no"} | 6"#,
        r#"systemsway's login | {"Status":"ERROR","Message":"no"} | 4"#,
        r#"broker's login | {"CodigoRetorno":3,"MensagemRetorno":"no"} | 4"#,
    ]) {
        let row = Row::of(35, [steps::named(name)]);
        let row = row.fault(move |_| Reply::json(400, body));
        row.fails(digits(exit), &["no"]).check();
    }
}

#[test]
fn a_server_that_gave_up_waiting() {
    let text = "timed out waiting for the request";
    status(36, 408, |row| row.fails(5, &[text]).suspect());
}

#[test]
fn too_many_requests() {
    Row::of(37, steps::logins())
        .fault(|scene| each_try(scene, &Reply::http(429, "text/html", "<p>slow down</p>")))
        .fails(5, &["is rate limiting: too many requests (HTTP 429)"])
        .check();
    Row::of(37, steps::questions())
        .fault(|_| Reply::json(429, ""))
        .fails(5, &["is rate limiting"])
        .check();
}

/// The time so many seconds from now.
fn date(ahead: u64) -> String {
    httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(ahead))
}

/// A 429 that asks to wait so long.
fn busy(wait: &str) -> Reply {
    Reply::with_headers(429, &[("Retry-After", wait)], "")
}

#[test]
fn a_wait_that_the_server_names_is_kept_once() {
    for wait in "0|Sat, 21 Nov 2020 20:00:00 GMT|Saturday, 21-Nov-20 20:00:00 GMT".split('|') {
        let row = Row::of(38, steps::logins())
            .sent(2)
            .brief_unless(wait == "0");
        row.fault(move |scene| vec![busy(wait), Reply::json(200, scene.good())])
            .check();
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
    let waits = "31|1000000000|18446744073709551615|99999999999999999999|1000000000000000000000000000000|-1|1e9|soon||\
        Fri, 31 Dec 9999 23:59:59 GMT";
    for wait in waits.split('|').chain([&*date(86_400)]) {
        // What is no wait is none, and a challenge may then be asked for again.
        let known = !wait.is_empty() && wait.bytes().all(|byte| byte.is_ascii_digit())
            || wait.ends_with("GMT");
        let reply = busy(wait);
        Row::of(38, steps::logins())
            .brief()
            .fault(move |scene| match known {
                true => vec![reply.clone()],
                false => each_try(scene, &reply),
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
        json!({ "error": "unknown_error", "error_description": text, "message": text }).to_string()
    };
    let names = ["hellocloud's login", "hellocloud's login with a password"];
    Row::of(39, names.map(steps::named))
        .fault(move |scene| Reply::json(500, echo(scene)))
        .fails(4, &["The password is invalid: ***"])
        .check();
    let row = Row::of(39, steps::questions());
    row.fault(|_| page(500)).exit(6).check();
}

#[test]
fn a_server_that_is_away() {
    for code in [502, 503, 504] {
        Row::of(40, steps::logins())
            .at(steps::questions())
            .suspect()
            .fault(move |scene| each_try(scene, &page(code)))
            .fails(5, &[format!("is unavailable for now (HTTP {code})")])
            .brief_unless(code == 503)
            .check();
    }
    Row::of(40, steps::last())
        .brief()
        .fault(|_| Reply::with_headers(503, &[("Retry-After", "3600")], ""))
        .fails(
            5,
            &["the server asks you to wait 60min before the next try"],
        )
        .suspect()
        .check();
}

#[test]
fn the_help_of_every_verb_shows_nothing() {
    let scene = Scene::new(steps::named("gluo's login"));
    for verb in
        "|login |token |exec |api |status |logout |providers |sandbox |completions ".split('|')
    {
        let run = scene.run(scene.machine.line(&format!("{verb}--help")));
        let promise = Promise::exit(0).prints(Stdout::Anything);
        assert_eq!(promise.broken(&scene, &run), [""; 0], "{verb}");
    }
}
