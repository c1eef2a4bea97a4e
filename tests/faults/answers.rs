//! Answers that came whole and are not what they should be, or not quite.

use super::broken::read;
use super::*;
use crate::support::cells;

/// The steps whose answer gives the session: of logins, and of renewals.
fn sessions() -> Vec<&'static Step> {
    [steps::last(), renewals()].concat()
}

fn renewals() -> Vec<&'static Step> {
    steps::of_kind(Kind::Renewal)
}

/// What cannot be read ends a login; a renewal gives way to a login.
fn unreadable(number: u8) -> Row {
    Row::new(number).exit(6).suspect()
}

/// A text between HTML's own, with everything in it that nobody may see.
fn echo(scene: &Scene) -> String {
    let (secret, token) = (scene.secret(), &scene.given().token);
    let html = canary::in_html(secret);
    format!("value=\"{html}\" data='{secret}' class=\"{token}\"")
}

#[test]
fn a_page_that_echoes_the_password() {
    for start in ["<!DOCTYPE html>\n<html>", "<HTML>", "<form method=post>"] {
        unreadable(16)
            .at(read())
            .fault(move |scene| {
                let (echo, good) = (echo(scene), scene.good());
                let page =
                    format!("{start}<input type=password {echo}> <script>x = {good}</script>");
                Reply::http(200, "text/html", page)
            })
            .says(&["sent HTML instead of JSON", "base URL"])
            .brief_unless(start == "<HTML>")
            .check();
    }
}

#[test]
fn the_body_decides_and_not_its_type() {
    let html = "text/html; charset=UTF-8";
    for content_type in [html, "text/plain", "application/octet-stream", ""] {
        Row::of(17, steps::logins())
            .at(renewals())
            .brief_unless(content_type == html)
            .fault(|scene| Reply::http(200, content_type, scene.good()))
            .check();
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let row = Row::of(18, steps::logins()).at(renewals());
    row.answer(|scene| ["\u{feff}", &scene.good()].concat())
        .check();
}

/// What PHP prints around an answer.
fn notice(scene: &Scene) -> String {
    let file = "<b>/var/www/private.php</b> on line <b>3</b><br />\n";
    format!("<br />\n<b>Warning</b>: {{{}}} in {file}", echo(scene))
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
            .at(renewals())
            .answer(body)
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
            .answer(body)
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
        // The library's own words are for those who ask with -v.
        let unsaid = &["EOF", "trailing", "expected"][..if place == 0 { 0 } else { 3 }];
        let row = unreadable(20).at(steps::logins()).answer(body);
        let row = row.brief_unless(place == 0).unsaid(unsaid);
        row.says(&["sent invalid JSON at byte "]).check();
    }
    for [body, what] in cells([
        " | sent an empty answer",
        "[] | sent an array instead of a JSON object",
        "\"x\" | sent a string instead of",
        "null | sent null instead of",
        "Invalid request | sent invalid JSON at byte 1\n",
        "{\"a\":1,\n \"b\":} | sent invalid JSON at byte 14\n",
    ]) {
        let row = unreadable(20).at(steps::logins()).brief();
        row.answer(move |_| body).says(&[what]).check();
    }
}

#[test]
fn an_answer_cut_at_any_byte() {
    let zeev = steps::named("zeev's login");
    let length = Scene::new(zeev).good().len();
    for end in 1..length {
        let row = unreadable(20).at([zeev]).brief();
        row.answer(move |scene| scene.good()[..end].to_owned())
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
        let row = unreadable(21).at(steps::last()).answer(body).measured();
        row.says(&["sent invalid JSON at byte "]).brief().check();
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
                .answer(move |_| {
                    let mut body = before.to_owned();
                    for number in 0.. {
                        let unit = unit(number);
                        if body.len() + unit.len() + 4 > 1024 * 1024 {
                            break;
                        }
                        body.extend([if number == 0 { "" } else { "," }, unit.as_str()]);
                    }
                    body + behind
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
            .answer(move |scene| scene.answer_with(value))
            .but(move |scene, promise| {
                let field = scene.step.field;
                let text = format!("has {kind} in `{field}` where a string was expected");
                promise.says.push(text);
            })
            .unsaid(&["8125663091"])
            .brief_unless(kind == "a number")
            .check();
    }
    // Before and around the session too.
    let gluo = [steps::named("gluo's challenge")];
    for [body, text] in cells([
        r#"{"token":8125663091} | has a number in `token` where a string was expected"#,
        r#""8125663091" | has a string in `result` where an object was expected"#,
        "{} | has no field `token`",
    ]) {
        let row = unreadable(22).at(gluo).unsaid(&["8125663091"]);
        let row = row.answer(move |_| format!(r#"{{"success":true,"result":{body}}}"#));
        row.says(&[text]).check();
    }
}

#[test]
fn a_lifetime_that_is_none() {
    let names = [
        "hellocloud's login",
        "broker's login",
        "hellocloud's refresh",
    ];
    let steps = names.map(steps::named);
    let untold = "the server does not say how long its token lasts";
    for value in "-1 0 null 1e20 18446744073709551615 \"soon\" [] 0.5".split(' ') {
        let long = matches!(value, "-1" | "18446744073709551615");
        Row::of(23, steps)
            .answer(move |scene| scene.good().replace("3600", value))
            .says(&[untold])
            // What nobody knows the end of is not stored; what was there stays.
            .but(|_, promise| promise.entry = Kept::Same)
            .brief_unless(long)
            .check();
    }
    let row = unreadable(23).at(steps.into_iter().take(2));
    let row = row.answer(|scene| scene.good().replace("3600", "1e400"));
    row.says(&["sent invalid JSON at byte "]).brief().check();
    for created in ["0", "-9223372036854775808", "9223372036854775807", "1e300"] {
        let member = format!("{{\"Created\":{created},");
        Row::of(23, [steps::named("broker's login")])
            .brief()
            .answer(move |scene| scene.good().replacen('{', &member, 1))
            .but(move |_, promise| {
                if created != "1e300" {
                    promise.says.push(untold.to_owned());
                    promise.entry = Kept::Same;
                }
            })
            .check();
    }
}

#[test]
fn a_session_that_is_none() {
    let none = r#"null|""|" "|"null"|"NULL"|"NA"|"none"|"undefined""#;
    for value in none.split('|') {
        let row = unreadable(24).at(sessions()).brief_unless(value == "\"\"");
        let row = row.answer(move |scene| scene.answer_with(value));
        row.says(&["there is no session in the"]).check();
    }
    let systemsway = [steps::named("systemsway's login")];
    for (code, exit, text) in [
        ("01", 4, "refused the login"),
        ("00", 6, "there is no session in the"),
    ] {
        let body = format!(r#"{{"codigo":"{code}","idSessao":"NA"}}"#);
        let row = Row::of(24, systemsway).answer(move |_| body.clone());
        let row = row.fails(exit, &[text]);
        let row = if exit == 4 { row } else { row.suspect() };
        row.check();
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
        let row = unreadable(25).at(sessions()).brief_unless(place == 0);
        let row = row.answer(move |scene| scene.answer_with(value));
        row.says(&[text]).unsaid(&["Q9w8e7r6"]).check();
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
    let mut shells = vec!["sh", "bash", "dash", "zsh"];
    shells.retain(|shell| installed(shell));
    for shell in shells {
        for step in steps::usual_logins() {
            let mut scene = Scene::new(step);
            scene.replace_token(OBEYED);
            welcome(&scene);
            let (system, variable) = (step.system, scene.variable("TOKEN"));
            let login = format!("eval \"$(crmauth login {system} -f sh)\"");
            let script = format!("{login}; printf '%s\\n' \"${variable}\"");
            let run = scene.run(scene.machine.shell_command(shell, &script));
            let broken = delivered(&scene).broken(&scene, &run);
            assert_eq!(broken, [""; 0], "{shell}, {system}");
        }
    }
}

#[test]
fn a_session_that_is_too_long() {
    for length in [8193, 1_000_000] {
        unreadable(27)
            .at(sessions())
            .answer(move |scene| {
                let long = "Lq7".repeat(length / 3) + "xx";
                scene.canary(Canary::of(Class::Token, &long[..16]));
                scene.answer_with(&format!("\"{}\"", &long[..length]))
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
        let row = Row::of(20, renewals());
        row.fault(move |scene| {
            [body, &scene.good()]
                .map(|body| Reply::json(200, body))
                .to_vec()
        })
        .check();
    }
}

#[test]
fn an_answer_of_any_kind_may_end_a_check() {
    // What says neither that a session is alive nor that it is dead changes nothing.
    for body in ["", "{\"x\":", "null"] {
        let row = Row::of(20, steps::questions()).answer(move |_| body);
        row.exit(6).check();
    }
}

#[test]
fn bytes_that_mean_nothing() {
    for length in [1, 7, 60, 400, 3000] {
        Row::of(79, steps::last())
            .brief()
            .answer(move |_| {
                let mut bytes = vec![0; length];
                getrandom::fill(&mut bytes).expect("random bytes");
                bytes
            })
            .exit(6)
            .suspect()
            .check();
    }
}
