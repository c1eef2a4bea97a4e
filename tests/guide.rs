//! The guided login, typed at a terminal: what is asked, what is checked, what is kept, and when nothing is asked.

mod git;
mod kinds;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};

use rustix::process::Signal;

use crate::support::machine::{installed, mode, set_mode, signal, wrapped};
use crate::support::{Machine, Reply, Server, Terminal, canned};

const KEY: &str = "Qk7guidedAccessKey4Zt";
/// What stands before the answer where there are two kinds of credentials.
const KINDS: &str = "A number from 1 to 2 [1]: ";
const TOKEN: &str = "s9guidedSessionName2x";

/// A machine without settings on which no secret may show.
fn bare() -> Machine {
    let mut machine = Machine::new();
    machine.canary(KEY).set("NO_COLOR", "1");
    machine
}

fn start(machine: &Machine, line: &str) -> Terminal {
    Terminal::start(machine.command(&line.split(' ').collect::<Vec<_>>()), 80)
}

/// What a server answers to the knock at its URL, and then to Gluocrm's login.
fn knocked_gluo() -> Vec<Reply> {
    [vec![canned::gluo_knocked()], canned::gluo(TOKEN)].concat()
}

/// The same for Zeev, with these answers to its logins.
fn knocked_zeev(logins: &[Reply]) -> Vec<Reply> {
    [&[canned::zeev_knocked()], logins].concat()
}

/// Answers all that a login to Gluocrm asks for.
fn answer(terminal: &mut Terminal, url: &str) {
    terminal.sees("GLUO_URL: ").types(&format!("{url}\r"));
    terminal.sees("GLUO_USERNAME: ").types("api\r");
    terminal
        .sees("GLUO_ACCESS_KEY (not shown): ")
        .hides()
        .types(&format!("{KEY}\r"));
}

#[test]
fn answers_lead_to_a_session_and_to_a_file_that_asks_no_more() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start([knocked_gluo(), canned::gluo(TOKEN)].concat());
    let machine = bare();
    fs::create_dir(machine.path(".git")).expect("a git folder");
    machine.write(".gitignore", "target");
    let mut terminal = start(&machine, "login gluo");
    terminal
        .sees("Gluocrm needs some settings")
        .sees("base URL; https is assumed")
        .sees("from Gluocrm's");
    terminal
        .sees("GLUO_URL: ")
        .types("\r")
        .sees("GLUO_URL is required");
    terminal
        .sees("GLUO_URL: ")
        .types("ftp://h\r")
        .sees("GLUO_URL is neither an http:// nor an https:// URL");
    terminal
        .sees("GLUO_URL: ")
        .types(&format!(" {}/webservice.php \r", server.url()));
    terminal.sees("GLUO_USERNAME: ").types("api\r");
    terminal
        .sees("it is sent by e-mail")
        .sees("GLUO_ACCESS_KEY (not shown): ");
    terminal
        .hides()
        .types("two words\r")
        .sees("GLUO_ACCESS_KEY contains white space");
    terminal
        .sees("(not shown): ")
        .hides()
        .types(&format!("{KEY} \r"));
    terminal.sees(TOKEN).sees("done: gluo: logged in as api");
    terminal
        .sees("Write GLUO_URL, GLUO_USERNAME and GLUO_ACCESS_KEY to ./.env? [Y/n] ")
        .types("\r");
    let left = terminal.ends();
    assert!(left.code == 0 && left.sane, "{} {}", left.code, left.output);
    assert!(
        !left.output.contains(KEY) && !left.output.contains("two words"),
        "{}",
        left.output
    );
    assert!(
        left.line(".gitignore keeps it out of git").starts_with('/'),
        "{}",
        left.output
    );
    assert_eq!(mode(&machine.path(".env")), 0o600);
    let url = server.url();
    let written =
        format!("GLUO_URL='{url}/webservice.php'\nGLUO_USERNAME='api'\nGLUO_ACCESS_KEY='{KEY}'\n");
    assert_eq!(
        fs::read_to_string(machine.path(".env")).expect("a file"),
        written
    );
    assert_eq!(
        fs::read_to_string(machine.path(".gitignore")).expect("a file"),
        "target\n.env\n"
    );

    let left = start(&machine, "login gluo").ends();
    assert_eq!(
        (left.code, left.screen[0].as_str()),
        (0, TOKEN),
        "{}",
        left.output
    );
}

#[test]
fn a_captured_token_is_the_token_alone() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start(knocked_gluo());
    let machine = bare();
    let stdout = fs::File::create(machine.path("token")).expect("a file");
    let mut terminal = Terminal::with(machine.command(&["login", "gluo"]), 40, Some(stdout.into()));
    answer(&mut terminal, &server.url());
    terminal.sees("[Y/n]").types("n\r");
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    assert_eq!(
        fs::read_to_string(machine.path("token")).expect("a file"),
        format!("{TOKEN}\n")
    );
    assert_eq!(machine.files(), ["token"]);
}

#[test]
fn what_is_asked_breaks_between_words() {
    if !installed("setsid") {
        return;
    }
    for language in ["en", "pt-BR"] {
        let [narrow, wide] = [40, 400].map(|columns| {
            let machine = bare();
            let mut terminal = Terminal::start(
                machine.command(&["login", "gluo", "--lang", language]),
                columns,
            );
            terminal.sees("GLUO_URL: ").types("\x03");
            let output = terminal.ends().output;
            output
                .split("GLUO_URL: ")
                .next()
                .expect("questions")
                .to_owned()
        });
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&narrow), words(&wide));
        let lines = narrow.lines().map(|line| line.trim_end().chars().count());
        assert!(
            lines.clone().all(|columns| columns < 40) && lines.count() > wide.lines().count(),
            "{narrow}"
        );
    }
}

#[test]
fn what_stands_in_the_file_stays_byte_for_byte() {
    if !installed("setsid") {
        return;
    }
    for (before, after) in [
        (
            "# mine\r\nOTHER=\"a b\"\r\n",
            "# mine\r\nOTHER=\"a b\"\r\nU\r\nN\r\nK\r\n",
        ),
        ("OTHER=1", "OTHER=1\nU\nN\nK\n"),
        ("\u{feff}A=1\n\n", "\u{feff}A=1\n\nU\nN\nK\n"),
        (
            "export GLUO_USERNAME=  # from the page\nB=2\nGLUO_ACCESS_KEY=''\n",
            "export N  # from the page\nB=2\nK\nU\n",
        ),
    ] {
        let server = Server::start(knocked_gluo());
        let machine = bare();
        let path = machine.write(".env", before);
        set_mode(&path, 0o644);
        let mut terminal = start(&machine, "login gluo");
        answer(&mut terminal, &server.url());
        terminal.sees("[Y/n]").types("y\r");
        let left = terminal.ends();
        assert_eq!(left.code, 0, "{}", left.output);
        let after = after
            .replace('U', &format!("GLUO_URL='{}'", server.url()))
            .replace('N', "GLUO_USERNAME='api'");
        let after = after.replacen('K', &format!("GLUO_ACCESS_KEY='{KEY}'"), 1);
        assert_eq!(fs::read_to_string(&path).expect("a file"), after);
        assert_eq!(mode(&path), 0o600);
    }
}

#[test]
fn odd_values_are_read_back_by_everybody() {
    if !installed("setsid") {
        return;
    }
    for (password, kept, spaced) in [
        ("a b#c$d\"e`f\\g", Some("a b#c$d\"e`f\\g"), false),
        ("don't", Some("don't"), false),
        ("ção 株", Some("ção 株"), false),
        (" pw ", Some(" pw "), true),
        ("${HOME}x", None, false),
    ] {
        let server = Server::start(knocked_zeev(&[canned::zeev(TOKEN)]));
        let mut machine = bare();
        machine.canary(password);
        let mut terminal = start(&machine, "login zeev");
        terminal
            .sees("ZEEV_URL: ")
            .types(&format!("{}\r", server.url()));
        terminal.sees(KINDS).types("\r");
        terminal.sees("ZEEV_USERNAME: ").types("ana\r");
        terminal
            .sees("(not shown): ")
            .hides()
            .types(&format!("{password}\r"));
        if spaced {
            terminal
                .sees("a space. Is that part of it? [y/N] ")
                .types("y\r");
        }
        if kept.is_none() {
            terminal.sees("warning: zeev: ZEEV_PASSWORD cannot be written to ./.env");
        }
        terminal.sees("[Y/n]").types("\r");
        let left = terminal.ends();
        assert_eq!(left.code, 0, "{}", left.output);
        let sent = server.received();
        assert_eq!(
            sent[1].body,
            serde_json::json!({"login": "ana", "password": password}).to_string()
        );
        let dotenvy = dotenvy::from_path_iter(machine.path(".env")).expect("a file");
        let read: Vec<(String, String)> = dotenvy.map(|item| item.expect("an entry")).collect();
        assert_eq!(
            read.iter()
                .find(|(name, _)| name == "ZEEV_PASSWORD")
                .map(|(_, value)| &**value),
            kept
        );
        if installed("python3") && kept.is_some() {
            let script = "import dotenv; print(dotenv.dotenv_values('.env')['ZEEV_PASSWORD'])";
            let read = Command::new("python3")
                .args(["-c", script])
                .current_dir(machine.work())
                .output();
            let read = read.expect("python3 starts").stdout;
            assert_eq!(String::from_utf8_lossy(&read), format!("{password}\n"));
        }
    }
}

#[test]
fn of_pasted_lines_one_is_taken_and_none_of_the_others_shows() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start(knocked_gluo());
    let machine = bare();
    let mut terminal = start(&machine, "login gluo");
    // A block of an env file that is pasted whole shows its first line alone.
    terminal
        .sees("GLUO_URL: ")
        .types(&format!("{}x\u{7f}\rapi\r{KEY}\r", server.url()));
    terminal
        .sees("GLUO_USERNAME: ")
        .types(&format!("ã\x15opi\u{7f}\u{7f}\u{7f}api\r{KEY}\r"));
    terminal
        .sees("(not shown): ")
        .hides()
        .types(&format!("{KEY}\r\n{KEY}\n"));
    terminal.sees(TOKEN).sees("[Y/n] ").types("n\r");
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    assert!(!left.output.contains(KEY), "{}", left.output);
    assert_eq!(machine.files(), [""; 0], "nobody said yes");
}

/// What answers at a URL that leads nowhere, and the next step: nothing else is asked before it leads somewhere.
#[test]
fn what_is_wrong_with_a_url_is_told_before_the_next_question() {
    if !installed("setsid") {
        return;
    }
    let page = "<html>The plain HTTP request was sent to HTTPS port</html>";
    let elsewhere = [("Location", "https://crm.example/x")];
    for system in ["gluo", "hellocloud", "systemsway", "broker", "zeev"] {
        for (reply, step) in [
            (
                Reply::with_headers(302, &elsewhere, ""),
                "redirects are not followed",
            ),
            (
                Reply::http(400, "text/html", page),
                "must begin with https://",
            ),
            (Reply::Last(Vec::new()), "try again later"),
        ] {
            let server = Server::start(Vec::new());
            server.rest(reply);
            let variable = format!("{}_URL", system.to_uppercase());
            let machine = bare();
            let mut terminal = Terminal::start(machine.command(&["login", system]), 400);
            terminal.sees(&format!("{variable}: "));
            terminal.types(&format!("{}\r", server.url()));
            terminal.sees("hint: ").sees(step);
            terminal.sees(&format!("{variable} [{}]: ", server.url()));
            terminal.types("\x03");
            let left = terminal.ends();
            assert_eq!(left.code, 130, "{}", left.output);
        }
    }
}

#[test]
fn ctrl_c_at_any_question_leaves_nothing() {
    if !installed("setsid") {
        return;
    }
    for answers in 0..4 {
        let script = match answers {
            0 => Vec::new(),
            3 => knocked_gluo(),
            _ => vec![canned::gluo_knocked()],
        };
        let server = Server::start(script);
        let machine = bare();
        let mut terminal = start(&machine, "login gluo");
        let typed = [server.url(), "api".to_owned(), KEY.to_owned()];
        for (question, typed) in ["GLUO_URL: ", "GLUO_USERNAME: ", "(not shown): ", "[Y/n]"]
            .iter()
            .zip(typed.iter().take(answers).map(Some).chain([None]))
        {
            terminal.sees(question);
            if question.starts_with("(not") {
                terminal.hides();
            }
            match typed {
                Some(text) => terminal.types(&format!("{text}\r")),
                None => terminal.types("\x03"),
            };
        }
        let left = terminal.ends();
        assert!(
            left.code == 130 && left.sane,
            "{answers}: {} {}",
            left.code,
            left.output
        );
        left.line("error: interrupted");
        assert!(
            !left.output.contains("may have taken effect"),
            "{}",
            left.output
        );
        assert_eq!(machine.files(), [""; 0], "{answers}");
    }
    let machine = bare();
    let mut terminal = start(&machine, "login gluo");
    terminal
        .sees("GLUO_URL: ")
        .types("127.0.0.1:1\r")
        .sees("GLUO_URL [127.0.0.1:1]: ")
        .types("\r")
        .sees("GLUO_USERNAME: ")
        .types("api\r");
    terminal.sees("(not shown): ").hides();
    signal(terminal.child(), Signal::TERM);
    let left = terminal.ends();
    assert!(
        left.code == 143 && left.sane,
        "{} {}",
        left.code,
        left.output
    );
}

#[test]
fn what_becomes_of_the_offer_does_not_undo_the_login() {
    if !installed("setsid") {
        return;
    }
    for (typed, code, said) in [
        ("\x03", 130, "error: interrupted"),
        (
            "\r",
            0,
            "warning: the login worked, but what you typed is not saved: ./.env cannot be read",
        ),
    ] {
        let server = Server::start(knocked_gluo());
        let machine = bare();
        let stdout = fs::File::create(machine.path("out")).expect("a file");
        let command = machine.command(&["login", "gluo", "-f", "sh"]);
        let mut terminal = Terminal::with(command, 400, Some(stdout.into()));
        answer(&mut terminal, &server.url());
        terminal.sees("[Y/n]");
        fs::create_dir(machine.path(".env")).expect("a folder in the file's place");
        terminal.types(typed);
        let left = terminal.ends();
        assert_eq!(left.code, code, "{}", left.output);
        left.line(said);
        let out = fs::read_to_string(machine.path("out")).expect("a file");
        assert!(
            out.contains(&format!("GLUO_TOKEN='{TOKEN}'")) && !out.contains("false"),
            "{out}"
        );
        assert!(
            machine
                .run("status --json")
                .stdout
                .contains(r#""user":"api""#),
            "it is stored"
        );
    }
}

#[test]
fn the_end_of_the_input_is_an_answer_that_is_missing() {
    if !installed("setsid") {
        return;
    }
    let machine = bare();
    // Before the question stands there it counts too.
    let mut terminal = start(&machine, "login gluo");
    terminal.types("\x04");
    assert_eq!(terminal.ends().code, 2);
    let mut terminal = start(&machine, "login gluo");
    terminal.sees("GLUO_URL: ").types("\x04");
    let left = terminal.ends();
    assert!(left.code == 2 && left.sane, "{} {}", left.code, left.output);
    assert!(
        left.line("error: gluo: not set: ").starts_with("error: "),
        "{}",
        left.output
    );

    let server = Server::start([vec![canned::gluo_knocked()], knocked_gluo()].concat());
    let mut terminal = start(&machine, "login gluo");
    let url = format!("{}\r", server.url());
    terminal.sees("GLUO_URL: ").types(&url);
    terminal.sees("GLUO_USERNAME: ").types("api\r");
    terminal.sees("(not shown): ").hides().types("\x04");
    let left = terminal.ends();
    assert!(left.code == 2 && left.sane, "{} {}", left.code, left.output);
    left.line("error: gluo: GLUO_ACCESS_KEY is not set");
    let mut terminal = start(&machine, "login gluo");
    answer(&mut terminal, &server.url());
    terminal.sees("[Y/n]").types("\x04");
    assert_eq!(terminal.ends().code, 0);
    assert_eq!(machine.files(), [""; 0], "nobody said yes");
}

#[test]
fn a_refused_login_writes_nothing() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start(knocked_zeev(&[Reply::json(401, "{}")]));
    let machine = bare();
    let mut terminal = start(&machine, "login zeev");
    terminal
        .sees("ZEEV_URL: ")
        .types(&format!("{}\r", server.url()));
    terminal.sees(KINDS).types("\r");
    terminal.sees("ZEEV_USERNAME: ").types("ana\r");
    terminal
        .sees("(not shown): ")
        .hides()
        .types(&format!("{KEY}\r"));
    terminal.sees("Refusal 1;").sees("[Y/n] ").types("n\r");
    let left = terminal.ends();
    assert_eq!(left.code, 4, "{}", left.output);
    left.line("error: zeev: ");
    left.line("hint: check ZEEV_USERNAME and ZEEV_PASSWORD");
    left.line("zeev: nothing was written to ./.env");
    assert_eq!(machine.files(), [""; 0]);
}

/// Answers what a login to Zeev asks for first when its URL is known.
fn who(terminal: &mut Terminal, user: &str, password: &str) {
    terminal.sees(KINDS).types("\r");
    terminal
        .sees("\nZEEV_USERNAME: ")
        .types(&format!("{user}\r"));
    terminal
        .sees("ZEEV_PASSWORD (not shown): ")
        .hides()
        .types(&format!("{password}\r"));
}

/// A terminal wide enough for the longest question.
/// A machine of which only Zeev's password is asked.
fn lacking_the_password(server: &Server) -> Machine {
    let mut machine = bare();
    machine
        .set("ZEEV_URL", &server.url())
        .set("ZEEV_USERNAME", "ana");
    machine
}

fn ask_of_zeev(machine: &Machine) -> Terminal {
    Terminal::start(machine.command(&["login", "zeev"]), 400)
}

#[test]
fn refused_credentials_can_be_typed_again() {
    if !installed("setsid") {
        return;
    }
    let question = "Refusal 1; a server may lock the account after a few. Change ZEEV_USERNAME and ZEEV_PASSWORD?";
    let server = Server::start(vec![Reply::json(401, "{}"), canned::zeev(TOKEN)]);
    let mut machine = bare();
    machine.set("ZEEV_URL", &server.url()).canary("wr0ngW0rd");
    let mut terminal = ask_of_zeev(&machine);
    who(&mut terminal, "aan", "wr0ngW0rd");
    terminal
        .sees("\nzeev: ")
        .sees("(HTTP 401)\r\n")
        .sees("hint: check ZEEV_USERNAME and ZEEV_PASSWORD\r\n")
        .sees(question)
        .sees("[Y/n] ")
        .types("\r");
    terminal.sees("\nZEEV_USERNAME [aan]: ").types("ana\r");
    terminal
        .sees("ZEEV_PASSWORD (not shown; Enter keeps it): ")
        .hides()
        .types(&format!("{KEY}\r"));
    terminal.sees(TOKEN).sees("[Y/n] ").types("\r");
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    assert!(!left.output.contains("error:"), "{}", left.output);
    let bodies: Vec<String> = server
        .received()
        .into_iter()
        .map(|sent| sent.body)
        .collect();
    let body =
        |user: &str, word: &str| serde_json::json!({"login": user, "password": word}).to_string();
    assert_eq!(bodies, [body("aan", "wr0ngW0rd"), body("ana", KEY)]);
    let written = format!("ZEEV_USERNAME='ana'\nZEEV_PASSWORD='{KEY}'\n");
    assert_eq!(
        fs::read_to_string(machine.path(".env")).expect("a file"),
        written
    );
}

#[test]
fn the_servers_reason_comes_before_the_question_and_enter_keeps_every_answer() {
    if !installed("setsid") {
        return;
    }
    let refusal = || Reply::json(401, r#"{"message":"wrong w0rd"}"#);
    for quiet in ["-v", "-q"] {
        let server = Server::start(vec![refusal(), canned::zeev(TOKEN)]);
        let mut machine = bare();
        machine.set("ZEEV_URL", &server.url());
        let mut terminal = Terminal::start(machine.command(&["login", "zeev", quiet]), 400);
        who(&mut terminal, "ana", KEY);
        terminal
            .sees("\nzeev: ")
            .sees("wrong w0rd")
            .sees("\nhint: check ZEEV_USERNAME and ZEEV_PASSWORD")
            .sees("\nRefusal 1;")
            .sees("[Y/n] ")
            .types("\r");
        terminal.sees("\nZEEV_USERNAME [ana]: ").types("\r");
        terminal.sees("(not shown; Enter keeps it): ").types("\r");
        terminal.sees(TOKEN).sees("[Y/n] ").types("n\r");
        let left = terminal.ends();
        assert_eq!(left.code, 0, "{}", left.output);
        let body = serde_json::json!({"login": "ana", "password": KEY}).to_string();
        assert!(server.received().iter().all(|sent| sent.body == body));
    }
}

#[test]
fn no_login_follows_that_nobody_typed_credentials_for() {
    if !installed("setsid") {
        return;
    }
    // Refused five times: the fifth is the last.
    let server = Server::start(vec![Reply::json(401, "{}"); 5]);
    let mut machine = bare();
    machine.set("ZEEV_URL", &server.url());
    let mut terminal = ask_of_zeev(&machine);
    who(&mut terminal, "ana", KEY);
    for refusal in 1..5 {
        terminal
            .sees(&format!("Refusal {refusal};"))
            .sees("[Y/n] ")
            .types("y\r")
            .sees("\nZEEV_USERNAME [ana]: ")
            .types("ana\r");
        terminal.sees("(not shown; Enter keeps it): ").types("\r");
    }
    let left = terminal.ends();
    assert_eq!(left.code, 4, "{}", left.output);
    assert!(!left.output.contains("Refusal 5"), "{}", left.output);
    left.line("error: zeev: ");
    assert_eq!(server.received().len(), 5);
    // A locked account stays locked, and what the person did not type is not theirs to correct.
    for (status, set) in [(423, false), (401, true)] {
        let refusal = Reply::json(status, "{}");
        let server = Server::start(match set {
            true => knocked_zeev(&[refusal]),
            false => vec![refusal],
        });
        let mut machine = bare();
        machine.set("ZEEV_USERNAME", "ana");
        if set {
            machine.secret("ZEEV_PASSWORD", KEY);
        } else {
            machine.set("ZEEV_URL", &server.url());
        }
        let mut terminal = ask_of_zeev(&machine);
        if set {
            terminal
                .sees("\nZEEV_URL: ")
                .types(&format!("{}\r", server.url()));
        } else {
            terminal
                .sees("(not shown): ")
                .hides()
                .types(&format!("{KEY}\r"));
        }
        let left = terminal.ends();
        assert_eq!(left.code, 4, "{}", left.output);
        assert!(!left.output.contains("Change"), "{}", left.output);
    }
}

#[test]
fn no_secret_is_asked_for_that_could_not_be_sent() {
    if !installed("setsid") {
        return;
    }
    const PUBLIC: &str = "http://203.0.113.5";
    let mut machine = bare();
    let mut terminal = start(&machine, "login zeev");
    terminal.sees("\nZEEV_URL: ").types(&format!("{PUBLIC}\r"));
    terminal
        .sees("would send the credentials unencrypted")
        .sees("allow it with ZEEV_ALLOW_HTTP=1");
    // Who cannot be found now may be found when it counts.
    terminal
        .sees("\nZEEV_URL: ")
        .types("http://crm.invalid\r")
        .sees("\nZEEV_URL [http://crm.invalid]: ")
        .types("\r")
        .sees(KINDS)
        .types("\r")
        .sees("\nZEEV_USERNAME: ")
        .types("\x03");
    assert_eq!(terminal.ends().code, 130);
    machine.set("ZEEV_URL", PUBLIC);
    let left = start(&machine, "login zeev").ends();
    assert_eq!(left.code, 2, "{}", left.output);
    left.line("error: zeev: http:// to 203.0.113.5 would send");
    assert!(!left.output.contains("ZEEV_USERNAME"), "{}", left.output);
    machine.set("ZEEV_ALLOW_HTTP", "1");
    let mut terminal = start(&machine, "login zeev");
    terminal.sees(KINDS).types("\x03");
    assert_eq!(terminal.ends().code, 130);
}

#[test]
fn quotes_and_invisible_characters_are_not_taken_for_part_of_a_credential_unasked() {
    if !installed("setsid") {
        return;
    }
    let (quotes, unseen) = ("with quotes", "an invisible character");
    for (typed, questions, answer, sent) in [
        (format!("“{KEY}”"), &[quotes][..], "\r", KEY.to_owned()),
        (format!("“{KEY}”"), &[quotes], "y\r", format!("“{KEY}”")),
        (format!("'{KEY}'"), &[quotes], "\r", KEY.to_owned()),
        (format!("\"{KEY}\""), &[quotes], "y\r", format!("\"{KEY}\"")),
        (format!("\u{200b}{KEY}"), &[unseen], "\r", KEY.to_owned()),
        (
            format!("\"{KEY}\"\u{feff}"),
            &[unseen, quotes],
            "\r",
            KEY.to_owned(),
        ),
        (format!("'{KEY}"), &[], "", format!("'{KEY}")),
    ] {
        let server = Server::start(vec![canned::zeev(TOKEN)]);
        let machine = lacking_the_password(&server);
        let mut terminal = ask_of_zeev(&machine);
        terminal
            .sees("(not shown): ")
            .hides()
            .types(&format!("{typed}\r"));
        for question in questions {
            terminal.sees(question).sees("[y/N] ").types(answer);
        }
        // Where they are, an env file would have quotes within quotes.
        match answer {
            "y\r" => terminal.sees("nothing is written to ./.env"),
            _ => terminal.sees("[Y/n] ").types("n\r"),
        };
        let left = terminal.ends();
        assert_eq!(left.code, 0, "{}", left.output);
        assert_eq!(
            left.output.matches("[y/N]").count(),
            questions.len(),
            "{}",
            left.output
        );
        let body = serde_json::json!({"login": "ana", "password": sent}).to_string();
        assert_eq!(server.received()[0].body, body);
    }
}

#[test]
fn a_secret_that_is_not_shown_can_be_corrected_and_may_be_long() {
    if !installed("setsid") {
        return;
    }
    let long = KEY.repeat(5000 / KEY.len());
    // Ctrl-U takes all that was typed, Backspace one character.
    for (typed, sent) in [
        (format!("x\x15{KEY}z\x7f"), KEY),
        (format!("ã\x7f{KEY}é\x7f"), KEY),
        (long.clone(), &long),
    ] {
        let server = Server::start(vec![canned::zeev(TOKEN)]);
        let machine = lacking_the_password(&server);
        let mut terminal = ask_of_zeev(&machine);
        terminal.sees("(not shown): ").hides();
        terminal.types(&format!("{typed}\r"));
        terminal.sees("[Y/n] ").types("n\r");
        let left = terminal.ends();
        assert_eq!(left.code, 0, "{}", left.output);
        assert!(!left.output.contains(KEY), "{}", left.output);
        let body = serde_json::json!({"login": "ana", "password": sent}).to_string();
        assert_eq!(server.received()[0].body, body);
    }
}

#[test]
fn a_run_that_stops_shows_what_is_typed_elsewhere_and_hides_the_secret_again() {
    if !installed("setsid") {
        return;
    }
    let go_on = |terminal: &Terminal| signal(terminal.child(), Signal::CONT);
    let gate = Arc::new(Barrier::new(2));
    let mut script = canned::gluo(TOKEN).into_iter();
    let challenge = script.next().expect("a challenge").together(&gate);
    let script = [challenge].into_iter().chain(script).collect();
    let server = Server::start(script);
    let mut machine = bare();
    machine
        .set("GLUO_URL", &server.url())
        .set("GLUO_USERNAME", "api");
    let mut terminal = start(&machine, "login gluo --no-store");
    terminal.sees("GLUO_ACCESS_KEY (not shown): ").hides();
    // A shell shows what is typed to it, and puts back the modes that it knows.
    for (stop, shown) in [
        (Signal::TSTP, true),
        (Signal::STOP, false),
        (Signal::TSTP, true),
    ] {
        terminal.stops(stop);
        assert_eq!(terminal.echoes(), shown, "{stop:?}");
        terminal.show();
        go_on(&terminal);
        terminal.hides();
    }
    terminal
        .types(&format!("{KEY}\r"))
        .sees("asking for a challenge");
    // Ctrl-Z works afterwards too.
    terminal.stops(Signal::TSTP);
    go_on(&terminal);
    gate.wait();
    terminal.sees(TOKEN);
    terminal.sees("[Y/n] ").types("n\r");
    let left = terminal.ends();
    assert_eq!((left.code, left.sane), (0, true), "{}", left.output);
    assert!(!left.output.contains(KEY), "{}", left.output);
}

#[test]
fn what_is_set_with_invisible_characters_is_sent_with_a_warning_and_with_quotes_not_at_all() {
    let unseen = "begins or ends with an invisible character, which is part of its value";
    for (user, password, quotes) in [
        ("ana", format!("“{KEY}”"), "typographic quotes"),
        ("ana", format!("\"{KEY}\""), "quotes"),
        ("'ana'", KEY.to_owned(), "quotes"),
    ] {
        let server = Server::start(Vec::new());
        let mut machine = bare();
        machine
            .set("ZEEV_URL", &server.url())
            .set("ZEEV_USERNAME", user)
            .set("ZEEV_PASSWORD", &password);
        let run = machine.run("login zeev");
        run.fails(2, &["begins and ends with ", quotes]);
    }
    for (user, password, why) in [
        ("ana\u{200b}", format!("{KEY}\u{a0}"), unseen),
        ("\u{feff}ana", format!("\u{200b}{KEY}"), unseen),
    ] {
        let server = Server::start(vec![canned::zeev(TOKEN)]);
        let mut machine = bare();
        machine
            .set("ZEEV_URL", &server.url())
            .set("ZEEV_USERNAME", user)
            .set("ZEEV_PASSWORD", &password);
        let run = machine.run("login zeev");
        assert_eq!((run.code, run.stdout), (0, format!("{TOKEN}\n")));
        let warning = |name: &str| format!("warning: zeev: {name} (the environment) {why}\n");
        assert_eq!(
            run.stderr,
            warning("ZEEV_USERNAME") + &warning("ZEEV_PASSWORD")
        );
        let body = serde_json::json!({"login": user, "password": password}).to_string();
        assert_eq!(server.received()[0].body, body);
    }
    // The quotes of an env file are its own.
    let server = Server::start(vec![canned::zeev(TOKEN)]);
    let machine = bare();
    let url = server.url();
    machine.write(
        ".env",
        format!("ZEEV_URL={url}\nZEEV_USERNAME=\"ana\"\nZEEV_PASSWORD='{KEY}'\n"),
    );
    let run = machine.run("login zeev");
    assert_eq!(
        (run.code, run.stderr.matches("quotes").count()),
        (0, 0),
        "{}",
        run.stderr
    );
    let body = serde_json::json!({"login": "ana", "password": KEY}).to_string();
    assert_eq!(server.received()[0].body, body);
}

#[test]
fn what_is_set_is_not_asked_for() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start(vec![canned::zeev(TOKEN)]);
    let mut machine = bare();
    machine
        .set("ZEEV_URL", &server.url())
        .set("ZEEV__LOJA__USERNAME", "ana");
    let mut terminal = start(&machine, "login zeev@loja");
    terminal
        .sees("ZEEV__LOJA__PASSWORD (not shown): ")
        .hides()
        .types(&format!("{KEY}\r"));
    terminal
        .sees("Write ZEEV__LOJA__PASSWORD to ./.env?")
        .types("\r");
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    assert!(
        !left.output.contains("ZEEV_URL:") && !left.output.contains("API_TOKEN"),
        "{}",
        left.output
    );
    assert_eq!(
        fs::read_to_string(machine.path(".env")).expect("a file"),
        format!("ZEEV__LOJA__PASSWORD='{KEY}'\n")
    );
}

#[test]
fn a_file_that_somebody_planted_gets_no_answer_unseen() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start(canned::gluo(TOKEN));
    let machine = bare();
    machine.write(
        ".env",
        format!("GLUO_URL={}\nGLUO_USERNAME=api\n", server.url()),
    );
    let question = format!(
        "GLUO_URL is {} (./.env line 1). Send what you type to that server? [y/N] ",
        server.url()
    );
    let mut terminal = Terminal::start(machine.command(&["login", "gluo"]), 200);
    terminal.sees(&question).types("\r");
    let left = terminal.ends();
    assert_eq!(left.code, 2, "{}", left.output);
    assert!(!left.output.contains("not shown"), "{}", left.output);
    let mut terminal = Terminal::start(machine.command(&["login", "gluo"]), 200);
    terminal
        .sees(&question)
        .types("y\r")
        .sees("(not shown): ")
        .hides()
        .types(&format!("{KEY}\r"));
    terminal.sees("[Y/n]").types("\r");
    assert_eq!(terminal.ends().code, 0);
}

#[test]
fn the_question_shows_the_server_that_is_connected_to() {
    if !installed("setsid") {
        return;
    }
    let machine = bare();
    for (spelt, shown) in [
        (
            "https://empresa.gluo\u{441}rm.com.br",
            "https://empresa.xn--gluorm-lrf.com.br",
        ),
        (
            "empresa.gluocrm.com.br\u{2044}login.evil.example",
            "https://empresa.gluocrm.com.xn--brlogin-2d7c.evil.example",
        ),
        (
            "empresa.gluocrm.com.br%2eevil.example",
            "https://empresa.gluocrm.com.br.evil.example",
        ),
        (
            "EMPRESA\u{3002}gluocrm.com.br:443/x/",
            "https://empresa.gluocrm.com.br/x",
        ),
        ("\u{ff45}mpresa.example", "https://empresa.example"),
    ] {
        machine.write(".env", format!("GLUO_URL='{spelt}'\nGLUO_USERNAME=api\n"));
        let mut terminal = Terminal::start(machine.command(&["login", "gluo"]), 300);
        let question = format!(
            "GLUO_URL is {shown} (./.env line 1). Send what you type to that server? [y/N] "
        );
        terminal.sees(&question).types("\r");
        assert_eq!(terminal.ends().code, 2, "{spelt}");
    }
    let server = Server::start(Vec::new());
    let planted = format!(
        "HELLOCLOUD_URL={}\nHELLOCLOUD_CLIENT_ID=c\nHELLOCLOUD_TOKEN_PATH=~mallory/log.php\n",
        server.url()
    );
    machine.write(".env", planted);
    let mut terminal = Terminal::start(machine.command(&["login", "hellocloud"]), 300);
    terminal.sees(KINDS).types("\r");
    terminal
        .sees("Send what you type to that server? [y/N] ")
        .types("y\r");
    let question = "HELLOCLOUD_TOKEN_PATH is ~mallory/log.php (./.env line 3). Send what you type anyway? [y/N] ";
    terminal.sees(question).types("\r");
    assert_eq!(terminal.ends().code, 2);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_file_that_would_be_refused_is_not_written() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start(knocked_gluo());
    let mut machine = bare();
    machine
        .set("GLUO_USERNAME", "api")
        .secret("GLUO_ACCESS_KEY", KEY);
    let mut terminal = start(&machine, "login gluo");
    terminal
        .sees("GLUO_URL: ")
        .types(&format!("{}\r", server.url()));
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    left.line("gluo: nothing is written to ./.env");
    assert_eq!(machine.files(), [""; 0]);
    // Beside another server than the one that the secret was typed for.
    let server = Server::start(canned::gluo(TOKEN));
    machine
        .unset("GLUO_ACCESS_KEY")
        .set("GLUO_URL", &server.url());
    machine.write(".env", "GLUO_URL=https://nowhere.invalid\n");
    let mut terminal = start(&machine, "login gluo");
    terminal
        .sees("(not shown): ")
        .hides()
        .types(&format!("{KEY}\r"));
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    left.line("gluo: nothing is written to ./.env");
    let kept = fs::read_to_string(machine.path(".env")).expect("a file");
    assert_eq!(kept, "GLUO_URL=https://nowhere.invalid\n");
}

#[test]
fn nobody_is_asked_for_what_would_be_refused() {
    if !installed("setsid") {
        return;
    }
    let mut machine = bare();
    machine.set("GLUO_URL", "http://127.0.0.1:1");
    machine.write(
        ".env",
        format!("GLUO_URL=https://nowhere.invalid\nGLUO_ACCESS_KEY={KEY}\n"),
    );
    let left = start(&machine, "login gluo").ends();
    assert_eq!(left.code, 2, "{}", left.output);
    left.line("error: gluo: GLUO_URL in the environment names a server other than ./.env line 1");
    assert!(!left.output.contains("GLUO_USERNAME"), "{}", left.output);
}

#[test]
fn nobody_is_asked_where_nobody_is() {
    if !installed("setsid") {
        return;
    }
    let names = "not set: GLUO_URL, GLUO_USERNAME, GLUO_ACCESS_KEY";
    let mut machine = bare();
    machine.run("login gluo").fails(
        2,
        &[names, " – nothing is asked because there is no terminal"],
    );
    let mut alone = wrapped(&machine.command(&["login", "gluo"]), &["setsid", "--wait"]);
    alone.stdin(Stdio::null());
    machine.finish(alone).fails(2, &[names, "no terminal"]);
    for (line, why) in [
        ("login gluo --no-input", "because of --no-input"),
        ("login gluo --json", "missing_setting"),
        ("token gluo", names),
        ("exec gluo -- true", names),
        ("status gluo", "not set"),
    ] {
        let left = start(&machine, line).ends();
        let code = if line.starts_with("exec") { 125 } else { 2 };
        assert!(
            left.code == code || line.starts_with("status"),
            "{line}: {}",
            left.output
        );
        assert!(
            left.screen.concat().contains(why),
            "{line}: {}",
            left.output
        );
        assert!(!left.output.contains("Ctrl-C"), "{line}: {}", left.output);
    }
    machine.set("CI", "1");
    let left = start(&machine, "login gluo").ends();
    assert_eq!(left.code, 2, "{}", left.output);
    assert!(
        left.screen.concat().contains("because CI is set"),
        "{}",
        left.output
    );
    machine.unset("CI");
    let left = Terminal::start(machine.shell_command("sh", "crmauth login gluo 2>err"), 80).ends();
    assert_eq!((left.code, left.output.as_str()), (2, ""));
    assert!(
        fs::read_to_string(machine.path("err"))
            .expect("a file")
            .contains("no terminal")
    );
}

#[test]
fn a_person_is_sent_to_login_wherever_settings_are_missing() {
    if !installed("setsid") {
        return;
    }
    let mut machine = bare();
    let advice = |target: &str| format!("`crmauth login {target}` asks for what is missing");
    let shown = |machine: &Machine, line: &str| {
        let left = Terminal::start(machine.command(&line.split(' ').collect::<Vec<_>>()), 400);
        left.ends().screen.join("\n")
    };
    for (env, target) in [
        ("", "gluo"),
        ("GLUO_URL=http://127.0.0.1:1\nGLUO_USERNAME=api\n", "gluo"),
        ("ZEEV__RH__USERNAME=api\n", "zeev@rh"),
    ] {
        machine.write(".env", env);
        for verb in ["token T", "api T /x", "exec T -- true", "proxy T -- true"] {
            let line = verb.replace('T', target);
            let screen = shown(&machine, &line);
            assert!(screen.contains(&advice(target)), "{line}: {screen}");
            let alone = machine.run(&line).stderr;
            assert!(!alone.contains("crmauth login"), "{line}: {alone}");
        }
    }
    let screen = shown(&machine, "status gluo --check");
    assert!(screen.contains(&advice("gluo")), "{screen}");
    for line in [
        "token gluo --no-input",
        "login gluo --no-input",
        "login gluo --json",
    ] {
        let screen = shown(&machine, line);
        assert!(!screen.contains("asks for"), "{line}: {screen}");
    }
    machine.write(".env", "GLUO_URL=h\nGLUO_USERNAME=api\nGLUO_KEY=x\n");
    let screen = shown(&machine, "token gluo");
    assert!(
        screen.contains("GLUO_KEY") && !screen.contains("asks for"),
        "{screen}"
    );
    machine.set("CI", "1");
    let screen = shown(&machine, "api zeev /x");
    assert!(!screen.contains("asks for"), "{screen}");
}
