//! Answers that came whole and are not what they should be, or not quite.

use super::broken::read;
use super::*;

/// The steps whose answer gives the session: of logins, and of renewals.
fn sessions() -> Vec<&'static Step> {
    steps::last()
        .into_iter()
        .chain(steps::of_kind(steps::Kind::Renewal))
        .collect()
}

/// What cannot be read ends a login; a renewal gives way to a login.
fn unreadable(number: u8) -> Row {
    Row::new(number).exit(6).suspect()
}

/// A text between HTML's own, with everything in it that nobody may see.
fn echo(scene: &Scene) -> String {
    let secret = scene.secret();
    let html = secret
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "value=\"{html}\" data='{secret}' class=\"{}\"",
        scene.given().token
    )
}

#[test]
fn a_page_that_echoes_the_password() {
    for start in ["<!DOCTYPE html>\n<html>", "<HTML>", "<form method=post>"] {
        unreadable(16)
            .at(read())
            .fault(move |scene| {
                let page = format!(
                    "{start}<input type=password {}> <script>x = {}</script>",
                    echo(scene),
                    scene.good()
                );
                Reply::http(200, "text/html", page)
            })
            .says(&["sent HTML instead of JSON", "base URL"])
            .brief_unless(start == "<HTML>")
            .check();
    }
}

#[test]
fn the_body_decides_and_not_its_type() {
    let steps = || {
        steps::logins()
            .into_iter()
            .chain(steps::of_kind(steps::Kind::Renewal))
    };
    Row::of(17, steps())
        .fault(|scene| Reply::http(200, "text/html; charset=UTF-8", scene.good()))
        .check();
    for content_type in ["text/plain", "application/octet-stream", ""] {
        Row::of(17, steps())
            .brief()
            .fault(|scene| Reply::http(200, content_type, scene.good()))
            .check();
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let steps = steps::logins()
        .into_iter()
        .chain(steps::of_kind(steps::Kind::Renewal));
    Row::of(18, steps)
        .fault(|scene| Reply::json(200, ["\u{feff}", &scene.good()].concat()))
        .check();
}

/// What PHP prints around an answer.
fn notice(scene: &Scene) -> String {
    format!(
        "<br />\n<b>Warning</b>: {{{}}} in <b>/var/www/private.php</b> on line <b>3</b><br />\n",
        echo(scene)
    )
}

#[test]
fn text_of_php_around_the_answer() {
    let around: [fn(&Scene) -> String; 3] = [
        |scene| [notice(scene), scene.good()].concat(),
        |scene| [scene.good(), notice(scene)].concat(),
        |scene| [notice(scene), scene.good(), notice(scene)].concat(),
    ];
    for (place, body) in around.into_iter().enumerate() {
        Row::of(19, steps::logins())
            .at(steps::of_kind(steps::Kind::Renewal))
            .fault(move |scene| Reply::json(200, body(scene)))
            .says(&[
                "warning: ",
                "the server printed text around its JSON (PHP display_errors?)",
            ])
            .unsaid(&["private.php"])
            .brief_unless(place == 0)
            .check();
    }
    let broken: [fn(&Scene) -> String; 2] = [
        |scene| [notice(scene), scene.good(), "\n".to_owned(), scene.good()].concat(),
        |scene| [&notice(scene), &scene.good()[..20]].concat(),
    ];
    for body in broken {
        unreadable(19)
            .brief()
            .at(steps::logins())
            .fault(move |scene| Reply::json(200, body(scene)))
            .says(&["sent HTML instead of JSON"])
            .unsaid(&["private.php"])
            .check();
    }
}

#[test]
fn json_that_is_cut_or_goes_on() {
    let broken: [fn(&Scene) -> String; 4] = [
        |scene| scene.good()[..scene.good().len() - 1].to_owned(),
        |scene| scene.good() + "{}",
        |scene| scene.good()[..scene.good().len() / 2].to_owned(),
        |scene| scene.good().replace(':', "::"),
    ];
    for (place, body) in broken.into_iter().enumerate() {
        let row = unreadable(20)
            .at(steps::logins())
            .fault(move |scene| Reply::json(200, body(scene)));
        let row = row.says(&["sent invalid JSON at byte "]);
        if place == 0 {
            row.check()
        } else {
            // The library's own words are for those who ask with -v.
            let unsaid = ["EOF", "trailing", "expected"];
            row.brief().unsaid(&unsaid).check()
        }
    }
    for (body, what) in [
        ("", "sent an empty answer"),
        ("[]", "sent an array instead of a JSON object"),
        ("\"x\"", "sent a string instead of"),
        ("null", "sent null instead of"),
        ("Invalid request", "sent invalid JSON at byte 1\n"),
        ("{\"a\":1,\n \"b\":}", "sent invalid JSON at byte 14\n"),
    ] {
        unreadable(20)
            .at(steps::logins())
            .brief()
            .fault(move |_| Reply::json(200, body))
            .says(&[what])
            .check();
    }
}

#[test]
fn an_answer_cut_at_any_byte() {
    let zeev = steps::named("zeev's login");
    let length = Scene::new(zeev).good().len();
    for end in 1..length {
        unreadable(20)
            .at([zeev])
            .brief()
            .fault(move |scene| Reply::json(200, &scene.good()[..end]))
            .check();
    }
}

#[test]
fn json_of_ten_thousand_levels() {
    let deep: [fn(&Scene) -> String; 3] = [
        |scene| scene.answer_with(&"[".repeat(10_000)),
        |scene| scene.answer_with(&["[".repeat(10_000), "]".repeat(10_000)].concat()),
        |_| "{\"a\":".repeat(100_000),
    ];
    for body in deep {
        let row = unreadable(21)
            .at(steps::last())
            .fault(move |scene| Reply::json(200, body(scene)));
        row.measured()
            .says(&["sent invalid JSON at byte "])
            .brief()
            .check();
    }
}

#[test]
fn a_megabyte_of_values() {
    let units: [fn(usize) -> String; 7] = [
        |_| "0".to_owned(),
        |_| "[0]".to_owned(),
        |_| "{\"\":0}".to_owned(),
        |_| "{\"\":{\"\":[]}}".to_owned(),
        |_| "\"\"".to_owned(),
        |number| format!("{{\"token\":\"{:x}\"}}", 0x1000 + number),
        |number| format!("{{\"{number:x}\":\"{number:x}\"}}"),
    ];
    for unit in units {
        for (before, behind) in [("{\"x\":[", "]}"), ("[", "]"), ("<br />\n{\"x\":[", "]}")] {
            unreadable(20)
                .at(steps::last())
                .fault(move |_| {
                    let mut body = before.to_owned();
                    for number in 0.. {
                        let unit = unit(number);
                        if body.len() + unit.len() + 4 > 1024 * 1024 {
                            break;
                        }
                        body.extend([if number == 0 { "" } else { "," }, unit.as_str()]);
                    }
                    Reply::json(200, body + behind)
                })
                .measured()
                .brief()
                .check();
        }
    }
}

#[test]
fn a_field_of_another_type() {
    for (value, kind) in [
        ("8125663091", "a number"),
        ("[\"x\"]", "an array"),
        ("{\"x\":1}", "an object"),
        ("true", "true or false"),
    ] {
        unreadable(22)
            .at(steps::last())
            .fault(move |scene| Reply::json(200, scene.answer_with(value)))
            .but(move |scene, promise| {
                promise.says.push(format!(
                    "has {kind} in `{}` where a string was expected",
                    scene.step.field
                ));
            })
            .unsaid(&["8125663091"])
            .brief_unless(kind == "a number")
            .check();
    }
    // Before and around the session too.
    let gluo = [steps::named("gluo's challenge")];
    for (body, text) in [
        (
            r#"{"success":true,"result":{"token":8125663091}}"#,
            "has a number in `token` where a string was expected",
        ),
        (
            r#"{"success":true,"result":"8125663091"}"#,
            "has a string in `result` where an object was expected",
        ),
        (r#"{"success":true,"result":{}}"#, "has no field `token`"),
    ] {
        unreadable(22)
            .at(gluo)
            .fault(move |_| Reply::json(200, body))
            .says(&[text])
            .unsaid(&["8125663091"])
            .check();
    }
}

#[test]
fn a_lifetime_that_is_none() {
    let steps = || {
        [
            "hellocloud's login",
            "broker's login",
            "hellocloud's refresh",
        ]
        .map(steps::named)
    };
    for value in "-1 0 null 1e20 18446744073709551615 \"soon\" [] 0.5 1e400".split(' ') {
        let row = Row::of(23, steps())
            .fault(move |scene| Reply::json(200, scene.good().replace("3600", value)))
            .says(&["the server does not say how long its token lasts"])
            // What nobody knows the end of is not stored; what was there stays.
            .but(|_, promise| promise.entry = Kept::Same);
        match value {
            "1e400" => {
                let row = unreadable(23)
                    .at(steps().into_iter().take(2))
                    .fault(|scene| Reply::json(200, scene.good().replace("3600", "1e400")));
                row.says(&["sent invalid JSON at byte "]).brief().check();
            }
            "-1" | "18446744073709551615" => row.check(),
            _ => row.brief().check(),
        }
    }
    for created in ["0", "-9223372036854775808", "9223372036854775807", "1e300"] {
        let body = move |scene: &Scene| {
            scene
                .good()
                .replacen('{', &format!("{{\"Created\":{created},"), 1)
        };
        Row::of(23, [steps::named("broker's login")])
            .brief()
            .fault(move |scene| Reply::json(200, body(scene)))
            .but(move |_, promise| {
                if created == "1e300" {
                    return;
                }
                promise
                    .says
                    .push("the server does not say how long its token lasts".to_owned());
                promise.entry = Kept::Same;
            })
            .check();
    }
}

#[test]
fn a_session_that_is_none() {
    for (place, value) in [
        "null",
        "\"\"",
        "\" \"",
        "\"null\"",
        "\"NULL\"",
        "\"NA\"",
        "\"none\"",
        "\"undefined\"",
    ]
    .into_iter()
    .enumerate()
    {
        let row = unreadable(24)
            .at(sessions())
            .fault(move |scene| Reply::json(200, scene.answer_with(value)));
        let row = row.says(&["there is no session in the"]);
        if place == 1 {
            row.check()
        } else {
            row.brief().check()
        }
    }
    let systemsway = [steps::named("systemsway's login")];
    for (code, exit, text) in [
        ("01", 4, "refused the login"),
        ("00", 6, "there is no session in the"),
    ] {
        let body = format!(r#"{{"codigo":"{code}","idSessao":"NA"}}"#);
        let row = Row::of(24, systemsway)
            .fault(move |_| Reply::json(200, &body))
            .fails(exit, &[text]);
        if exit == 4 {
            row.check()
        } else {
            row.suspect().check()
        }
    }
}

#[test]
fn a_session_with_characters_that_no_header_could_carry() {
    for (place, (value, text)) in [
        (r#""abcQ9w8e7r6\ndef""#, "a control character at index 11"),
        (r#""abc\r""#, "a control character at index 3"),
        (r#""\u001b[31m""#, "a control character at index 0"),
        (r#""a\u0000b""#, "a control character at index 1"),
        (r#""a\tb""#, "a control character at index 1"),
        (r#""a b""#, "a space at index 1"),
        ("\"ab\u{e9}\"", "a character that is not ASCII at index 2"),
    ]
    .into_iter()
    .enumerate()
    {
        let row = unreadable(25)
            .at(sessions())
            .fault(move |scene| Reply::json(200, scene.answer_with(value)));
        let row = row.says(&[text]).unsaid(&["Q9w8e7r6"]);
        if place == 0 {
            row.check()
        } else {
            row.brief().check()
        }
    }
}

/// What shells would obey, in a session.
const OBEYED: &str = r#"'"`touch+ran`$(touch+ran)$HOME\n!!%s%;touch${IFS}ran;#&|<>*?[a]{b,c}~"#;

#[test]
fn a_session_full_of_what_shells_obey() {
    Row::of(26, sessions())
        .fault(|scene| {
            scene.replace_token(OBEYED);
            Reply::json(200, scene.good())
        })
        .check();
    for shell in ["sh", "bash", "dash", "zsh"]
        .into_iter()
        .filter(|shell| installed(shell))
    {
        for step in steps::usual_logins() {
            let mut scene = Scene::new(step);
            scene.replace_token(OBEYED);
            scene.server.push(scene.before());
            scene.server.push([Reply::json(200, scene.good())]);
            let (system, prefix) = (step.system, step.system.to_uppercase());
            let script = format!(
                "eval \"$(crmauth login {system} -f sh)\"; printf '%s\\n' \"${prefix}_TOKEN\""
            );
            let run = scene.run(scene.machine.shell_command(shell, &script));
            let stdout = Stdout::Session(format!("{}\n", scene.given().token));
            let promise = Promise::exit(0).prints(stdout).replaced();
            assert_eq!(promise.broken(&scene, &run), [""; 0], "{shell}, {system}");
        }
    }
}

#[test]
fn a_session_that_is_too_long() {
    for length in [8193, 1_000_000] {
        unreadable(27)
            .at(sessions())
            .fault(move |scene| {
                let long = "Lq7".repeat(length / 3);
                scene.canary(Canary::of(Class::Token, &long[..16]));
                Reply::json(
                    200,
                    scene.answer_with(&format!("\"{}\"", &[&long, "xx"].concat()[..length])),
                )
            })
            .measured()
            .says(&[format!("is too long ({length} bytes, 8192 at most)")])
            .brief()
            .check();
    }
}

#[test]
fn renewals_that_cannot_be_read_give_way_to_a_login() {
    for body in ["", "[]", "{\"x\":", "Invalid request"] {
        Row::of(20, steps::of_kind(steps::Kind::Renewal))
            .fault(move |scene| vec![Reply::json(200, body), Reply::json(200, scene.good())])
            .check();
    }
}

#[test]
fn an_answer_of_any_kind_may_end_a_check() {
    // What says neither that a session is alive nor that it is dead changes nothing.
    for body in ["", "{\"x\":", "null"] {
        let answered = steps::all()
            .into_iter()
            .filter(|step| matches!(step.kind, Kind::Check | Kind::Revocation));
        Row::of(20, answered)
            .fault(move |_| Reply::json(200, body))
            .exit(6)
            .check();
    }
}

#[test]
fn bytes_that_mean_nothing() {
    for length in [1, 7, 60, 400, 3000] {
        Row::of(79, steps::last())
            .brief()
            .fault(move |_| {
                let mut bytes = vec![0; length];
                getrandom::fill(&mut bytes).expect("random bytes");
                Reply::json(200, bytes)
            })
            .exit(6)
            .suspect()
            .check();
    }
}
