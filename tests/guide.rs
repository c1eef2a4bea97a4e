//! The guided login, typed at a terminal: what is asked, what is checked, what is kept, and when nothing is asked.

mod git;
mod kinds;

use std::fs;
use std::process::Command;
use std::sync::{Arc, Barrier};

use rustix::process::Signal;
use serde_json::json;

use crate::support::machine::{holds, installed, lacks, mode, set_mode, signal, wrapped};
use crate::support::stored::systems;
use crate::support::{Machine, Reply, Server, Terminal, canned, cells, demo, rows};

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
    Terminal::start(machine.line(line), 80)
}

/// At a terminal wide enough for the longest question.
fn wide(machine: &Machine, line: &str) -> Terminal {
    Terminal::start(machine.line(line), 400)
}

/// What Zeev gets.
fn credentials(user: &str, password: &str) -> String {
    json!({"login": user, "password": password}).to_string()
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
    terminal.asks("GLUO_URL: ", url);
    terminal.asks("GLUO_USERNAME: ", "api");
    terminal.asks("GLUO_ACCESS_KEY (not shown): ", KEY);
}

#[test]
fn answers_lead_to_a_session_and_to_a_file_that_asks_no_more() {
    let server = Server::start([knocked_gluo(), canned::gluo(TOKEN)].concat());
    let machine = bare();
    fs::create_dir(machine.path(".git")).expect("a git folder");
    machine.write(".gitignore", "target");
    let mut terminal = start(&machine, "login gluo");
    terminal.sees("Gluocrm needs some settings");
    terminal.sees("base URL; https is assumed");
    terminal.sees("from Gluocrm's");
    terminal.asks("GLUO_URL: ", "").sees("GLUO_URL is required");
    let wrong = "GLUO_URL is neither an http:// nor an https:// URL";
    terminal.asks("GLUO_URL: ", "ftp://h").sees(wrong);
    let url = format!("{}/webservice.php", server.url());
    terminal.asks("GLUO_URL: ", format!(" {url} "));
    terminal.asks("GLUO_USERNAME: ", "api");
    terminal.sees("it is sent by e-mail");
    terminal.asks("GLUO_ACCESS_KEY (not shown): ", "two words");
    terminal.sees("GLUO_ACCESS_KEY contains white space");
    terminal.asks("(not shown): ", format!("{KEY} "));
    terminal.sees(TOKEN).sees("done: gluo: logged in as api");
    let offer = "Write GLUO_URL, GLUO_USERNAME and GLUO_ACCESS_KEY to ./.env? [Y/n] ";
    terminal.asks(offer, "");
    let left = terminal.exits(0);
    assert!(left.sane);
    left.lacks(&[KEY, "two words"]);
    let kept = left.line(".gitignore keeps it out of git");
    assert!(kept.starts_with('/'), "{}", left.output);
    assert_eq!(mode(&machine.path(".env")), 0o600);
    let written = format!("GLUO_URL='{url}'\nGLUO_USERNAME='api'\nGLUO_ACCESS_KEY='{KEY}'\n");
    assert_eq!(machine.text(".env"), written);
    assert_eq!(machine.text(".gitignore"), "target\n.env\n");

    let left = start(&machine, "login gluo").exits(0);
    assert_eq!(left.screen[0], TOKEN);
}

#[test]
fn a_captured_token_is_the_token_alone() {
    let server = Server::start(knocked_gluo());
    let machine = bare();
    let stdout = fs::File::create(machine.path("token")).expect("a file");
    let mut terminal = Terminal::with(machine.command(&["login", "gluo"]), 40, Some(stdout.into()));
    answer(&mut terminal, &server.url());
    terminal.asks("[Y/n]", "n");
    terminal.exits(0);
    assert_eq!(machine.text("token"), format!("{TOKEN}\n"));
    assert_eq!(machine.files(), ["token"]);
}

#[test]
fn what_is_asked_breaks_between_words() {
    for language in ["en", "pt-BR"] {
        let [narrow, wide] = [40, 400].map(|columns| {
            let machine = bare();
            let command = machine.line(&format!("login gluo --lang {language}"));
            let mut terminal = Terminal::start(command, columns);
            terminal.sees("GLUO_URL: ").types("\x03");
            let output = terminal.ends().output;
            let asked = output.split("GLUO_URL: ").next();
            asked.expect("questions").to_owned()
        });
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&narrow), words(&wide));
        let mut lines = narrow.lines().map(|line| line.trim_end().chars().count());
        assert!(lines.all(|columns| columns < 40), "{narrow}");
        assert!(narrow.lines().count() > wide.lines().count(), "{narrow}");
    }
}

#[test]
fn what_stands_in_the_file_stays_byte_for_byte() {
    for [before, after] in cells([
        "# mine\r\nOTHER=\"a b\"\r\n | # mine\r\nOTHER=\"a b\"\r\nU\r\nN\r\nK\r\n",
        "OTHER=1 | OTHER=1\nU\nN\nK\n",
        "\u{feff}A=1\n\n | \u{feff}A=1\n\nU\nN\nK\n",
        "export GLUO_USERNAME=  # from the page\nB=2\nGLUO_ACCESS_KEY=''\n | export N  # from the page\nB=2\nK\nU\n",
    ]) {
        let server = Server::start(knocked_gluo());
        let machine = bare();
        let path = machine.write(".env", before);
        set_mode(&path, 0o644);
        let mut terminal = start(&machine, "login gluo");
        answer(&mut terminal, &server.url());
        terminal.asks("[Y/n]", "y");
        terminal.exits(0);
        let after = after.replace('U', &format!("GLUO_URL='{}'", server.url()));
        let after = after.replace('N', "GLUO_USERNAME='api'");
        let after = after.replacen('K', &format!("GLUO_ACCESS_KEY='{KEY}'"), 1);
        assert_eq!(machine.text(".env"), after);
        assert_eq!(mode(&path), 0o600);
    }
}

#[test]
fn odd_values_are_read_back_by_everybody() {
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
        terminal.asks("ZEEV_URL: ", server.url());
        terminal.asks(KINDS, "");
        terminal.asks("ZEEV_USERNAME: ", "ana");
        terminal.asks("(not shown): ", password);
        if spaced {
            terminal.asks("a space. Is that part of it? [y/N] ", "y");
        }
        if kept.is_none() {
            terminal.sees("warning: zeev: ZEEV_PASSWORD cannot be written to ./.env");
        }
        terminal.asks("[Y/n]", "");
        terminal.exits(0);
        let sent = server.received();
        assert_eq!(sent[1].body, credentials("ana", password));
        let dotenvy = dotenvy::from_path_iter(machine.path(".env")).expect("a file");
        let read: Vec<(String, String)> = dotenvy.map(|item| item.expect("an entry")).collect();
        let its = read.iter().find(|(name, _)| name == "ZEEV_PASSWORD");
        assert_eq!(its.map(|(_, value)| &**value), kept);
        if installed("python3") && kept.is_some() {
            let script = "import dotenv; print(dotenv.dotenv_values('.env')['ZEEV_PASSWORD'])";
            let mut python = Command::new("python3");
            let read = python.args(["-c", script]).current_dir(machine.work());
            let read = read.output().expect("python3 starts").stdout;
            assert_eq!(String::from_utf8_lossy(&read), format!("{password}\n"));
        }
    }
}

#[test]
fn of_pasted_lines_one_is_taken_and_none_of_the_others_shows() {
    let server = Server::start(knocked_gluo());
    let machine = bare();
    let mut terminal = start(&machine, "login gluo");
    // A block of an env file that is pasted whole shows its first line alone.
    let url = server.url();
    terminal.asks("GLUO_URL: ", format!("{url}x\u{7f}\rapi\r{KEY}"));
    let user = format!("ã\x15opi\u{7f}\u{7f}\u{7f}api\r{KEY}");
    terminal.asks("GLUO_USERNAME: ", user);
    let key = format!("{KEY}\r\n{KEY}\n");
    terminal.sees("(not shown): ").hides().types(&key);
    terminal.sees(TOKEN).asks("[Y/n] ", "n");
    let left = terminal.exits(0);
    assert!(!left.output.contains(KEY), "{}", left.output);
    assert_eq!(machine.files(), [""; 0], "nobody said yes");
}

/// What answers at a URL that leads nowhere, and the next step: nothing else is asked before it leads somewhere.
#[test]
fn what_is_wrong_with_a_url_is_told_before_the_next_question() {
    let page = "<html>The plain HTTP request was sent to HTTPS port</html>";
    let page = Reply::http(400, "text/html", page);
    let moved = Reply::with_headers(302, &[("Location", "https://crm.example/x")], "");
    for system in systems() {
        for (reply, step) in [
            (&moved, "redirects are not followed"),
            (&page, "must begin with https://"),
            (&Reply::Last(Vec::new()), "try again later"),
        ] {
            let server = Server::start(Vec::new());
            server.rest(reply.clone());
            let (url, variable) = (server.url(), demo::of(system).variable("URL"));
            let mut terminal = wide(&bare(), &format!("login {system}"));
            terminal.asks(&format!("{variable}: "), &url);
            terminal.sees("hint: ").sees(step);
            let again = format!("{variable} [{url}]: ");
            terminal.sees(&again).types("\x03");
            terminal.exits(130);
        }
    }
}

#[test]
fn ctrl_c_at_any_question_leaves_nothing() {
    for answers in 0..4 {
        let script = match answers {
            0 => Vec::new(),
            3 => knocked_gluo(),
            _ => vec![canned::gluo_knocked()],
        };
        let server = Server::start(script);
        let machine = bare();
        let mut terminal = start(&machine, "login gluo");
        let url = server.url();
        let questions = ["GLUO_URL: ", "GLUO_USERNAME: ", "(not shown): ", "[Y/n]"];
        for (question, typed) in questions.iter().zip([&url, "api", KEY]).take(answers) {
            terminal.asks(question, typed);
        }
        let next = questions[answers];
        terminal.sees(next);
        if next.starts_with("(not") {
            terminal.hides();
        }
        terminal.types("\x03");
        let left = terminal.exits(130);
        assert!(left.sane, "{answers}");
        left.line("error: interrupted");
        left.lacks(&["may have taken effect"]);
        assert_eq!(machine.files(), [""; 0], "{answers}");
    }
    let machine = bare();
    let mut terminal = start(&machine, "login gluo");
    terminal.asks("GLUO_URL: ", "127.0.0.1:1");
    terminal.asks("GLUO_URL [127.0.0.1:1]: ", "");
    terminal.asks("GLUO_USERNAME: ", "api");
    terminal.sees("(not shown): ").hides();
    signal(terminal.child(), Signal::TERM);
    assert!(terminal.exits(143).sane);
}

#[test]
fn what_becomes_of_the_offer_does_not_undo_the_login() {
    let unsaved =
        "warning: the login worked, but what you typed is not saved: ./.env cannot be read";
    for (typed, code, said) in [("\x03", 130, "error: interrupted"), ("\r", 0, unsaved)] {
        let server = Server::start(knocked_gluo());
        let machine = bare();
        let stdout = fs::File::create(machine.path("out")).expect("a file");
        let command = machine.line("login gluo -f sh");
        let mut terminal = Terminal::with(command, 400, Some(stdout.into()));
        answer(&mut terminal, &server.url());
        terminal.sees("[Y/n]");
        fs::create_dir(machine.path(".env")).expect("a folder in the file's place");
        terminal.types(typed);
        terminal.exits(code).line(said);
        let out = machine.text("out");
        holds(&out, &[&format!("GLUO_TOKEN='{TOKEN}'")]);
        lacks(&out, &["false"]);
        // It is stored.
        machine.run("status --json").shows(&[r#""user":"api""#]);
    }
}

#[test]
fn the_end_of_the_input_is_an_answer_that_is_missing() {
    let machine = bare();
    // Before the question stands there it counts too.
    let mut terminal = start(&machine, "login gluo");
    terminal.types("\x04");
    terminal.exits(2);
    let mut terminal = start(&machine, "login gluo");
    terminal.sees("GLUO_URL: ").types("\x04");
    let left = terminal.exits(2);
    assert!(left.sane);
    let told = left.line("error: gluo: not set: ");
    assert!(told.starts_with("error: "), "{}", left.output);

    let server = Server::start([vec![canned::gluo_knocked()], knocked_gluo()].concat());
    let mut terminal = start(&machine, "login gluo");
    terminal.asks("GLUO_URL: ", server.url());
    terminal.asks("GLUO_USERNAME: ", "api");
    terminal.sees("(not shown): ").hides().types("\x04");
    let left = terminal.exits(2);
    assert!(left.sane);
    left.line("error: gluo: GLUO_ACCESS_KEY is not set");
    let mut terminal = start(&machine, "login gluo");
    answer(&mut terminal, &server.url());
    terminal.sees("[Y/n]").types("\x04");
    terminal.exits(0);
    assert_eq!(machine.files(), [""; 0], "nobody said yes");
}

#[test]
fn a_refused_login_writes_nothing() {
    let server = Server::start(knocked_zeev(&[Reply::json(401, "{}")]));
    let machine = bare();
    let mut terminal = start(&machine, "login zeev");
    terminal.asks("ZEEV_URL: ", server.url());
    who(&mut terminal, "ana", KEY);
    terminal.sees("Refusal 1;").asks("[Y/n] ", "n");
    let left = terminal.exits(4);
    left.line("error: zeev: ");
    left.line("hint: check ZEEV_USERNAME and ZEEV_PASSWORD");
    left.line("zeev: nothing was written to ./.env");
    assert_eq!(machine.files(), [""; 0]);
}

/// Answers what a login to Zeev asks for first when its URL is known.
fn who(terminal: &mut Terminal, user: &str, password: &str) {
    terminal.asks(KINDS, "");
    terminal.asks("\nZEEV_USERNAME: ", user);
    terminal.asks("ZEEV_PASSWORD (not shown): ", password);
}

/// A machine of which only Zeev's password is asked.
fn lacking_the_password(server: &Server) -> Machine {
    let mut machine = bare();
    machine.set("ZEEV_URL", &server.url());
    machine.set("ZEEV_USERNAME", "ana");
    machine
}

#[test]
fn refused_credentials_can_be_typed_again() {
    let question = "Refusal 1; a server may lock the account after a few. Change ZEEV_USERNAME and ZEEV_PASSWORD?";
    let server = Server::start(vec![Reply::json(401, "{}"), canned::zeev(TOKEN)]);
    let mut machine = bare();
    machine.set("ZEEV_URL", &server.url()).canary("wr0ngW0rd");
    let mut terminal = wide(&machine, "login zeev");
    who(&mut terminal, "aan", "wr0ngW0rd");
    terminal.sees("\nzeev: ").sees("(HTTP 401)\r\n");
    terminal.sees("hint: check ZEEV_USERNAME and ZEEV_PASSWORD\r\n");
    terminal.sees(question).asks("[Y/n] ", "");
    terminal.asks("\nZEEV_USERNAME [aan]: ", "ana");
    terminal.asks("ZEEV_PASSWORD (not shown; Enter keeps it): ", KEY);
    terminal.sees(TOKEN).asks("[Y/n] ", "");
    terminal.exits(0).lacks(&["error:"]);
    let bodies = server.received().into_iter().map(|sent| sent.body);
    let bodies: Vec<String> = bodies.collect();
    let typed = [("aan", "wr0ngW0rd"), ("ana", KEY)];
    assert_eq!(
        bodies,
        typed.map(|(user, password)| credentials(user, password))
    );
    let written = format!("ZEEV_USERNAME='ana'\nZEEV_PASSWORD='{KEY}'\n");
    assert_eq!(machine.text(".env"), written);
}

#[test]
fn the_servers_reason_comes_before_the_question_and_enter_keeps_every_answer() {
    let refusal = || Reply::json(401, r#"{"message":"wrong w0rd"}"#);
    for quiet in ["-v", "-q"] {
        let server = Server::start(vec![refusal(), canned::zeev(TOKEN)]);
        let mut machine = bare();
        machine.set("ZEEV_URL", &server.url());
        let mut terminal = wide(&machine, &format!("login zeev {quiet}"));
        who(&mut terminal, "ana", KEY);
        terminal.sees("\nzeev: ").sees("wrong w0rd");
        terminal.sees("\nhint: check ZEEV_USERNAME and ZEEV_PASSWORD");
        terminal.sees("\nRefusal 1;").asks("[Y/n] ", "");
        terminal.asks("\nZEEV_USERNAME [ana]: ", "");
        terminal.asks("(not shown; Enter keeps it): ", "");
        terminal.sees(TOKEN).asks("[Y/n] ", "n");
        terminal.exits(0);
        let body = credentials("ana", KEY);
        assert!(server.received().iter().all(|sent| sent.body == body));
    }
}

#[test]
fn no_login_follows_that_nobody_typed_credentials_for() {
    // Refused five times: the fifth is the last.
    let server = Server::start(vec![Reply::json(401, "{}"); 5]);
    let mut machine = bare();
    machine.set("ZEEV_URL", &server.url());
    let mut terminal = wide(&machine, "login zeev");
    who(&mut terminal, "ana", KEY);
    for refusal in 1..5 {
        terminal.sees(&format!("Refusal {refusal};"));
        terminal.asks("[Y/n] ", "y");
        terminal.asks("\nZEEV_USERNAME [ana]: ", "ana");
        terminal.asks("(not shown; Enter keeps it): ", "");
    }
    let left = terminal.exits(4);
    left.lacks(&["Refusal 5"]).line("error: zeev: ");
    assert_eq!(server.received().len(), 5);
    // A locked account stays locked.
    let server = Server::start(vec![Reply::json(423, "{}")]);
    let machine = lacking_the_password(&server);
    let mut terminal = wide(&machine, "login zeev");
    terminal.asks("(not shown): ", KEY);
    terminal.exits(4).lacks(&["Change"]);
    // What the person did not type is not theirs to correct.
    let server = Server::start(knocked_zeev(&[Reply::json(401, "{}")]));
    let mut machine = bare();
    machine.set("ZEEV_USERNAME", "ana");
    machine.secret("ZEEV_PASSWORD", KEY);
    let mut terminal = wide(&machine, "login zeev");
    terminal.asks("\nZEEV_URL: ", server.url());
    terminal.exits(4).lacks(&["Change"]);
}

#[test]
fn no_secret_is_asked_for_that_could_not_be_sent() {
    const PUBLIC: &str = "http://203.0.113.5";
    let mut machine = bare();
    let mut terminal = start(&machine, "login zeev");
    terminal.asks("\nZEEV_URL: ", PUBLIC);
    terminal.sees("would send the credentials unencrypted");
    terminal.sees("allow it with ZEEV_ALLOW_HTTP=1");
    // Who cannot be found now may be found when it counts.
    terminal.asks("\nZEEV_URL: ", "http://crm.invalid");
    terminal.asks("\nZEEV_URL [http://crm.invalid]: ", "");
    terminal.asks(KINDS, "");
    terminal.sees("\nZEEV_USERNAME: ").types("\x03");
    terminal.exits(130);
    machine.set("ZEEV_URL", PUBLIC);
    let left = start(&machine, "login zeev").exits(2);
    left.line("error: zeev: http:// to 203.0.113.5 would send");
    left.lacks(&["ZEEV_USERNAME"]);
    machine.set("ZEEV_ALLOW_HTTP", "1");
    let mut terminal = start(&machine, "login zeev");
    terminal.sees(KINDS).types("\x03");
    terminal.exits(130);
}

#[test]
fn quotes_and_invisible_characters_are_not_taken_for_part_of_a_credential_unasked() {
    let (quotes, unseen) = ("with quotes", "an invisible character");
    // What is typed, `K` being the secret, what is asked, the answer, and what is sent.
    for (typed, questions, answer, sent) in [
        ("“K”", &[quotes][..], "", "K"),
        ("“K”", &[quotes], "y", "“K”"),
        ("'K'", &[quotes], "", "K"),
        ("\"K\"", &[quotes], "y", "\"K\""),
        ("\u{200b}K", &[unseen], "", "K"),
        ("\"K\"\u{feff}", &[unseen, quotes], "", "K"),
        ("\u{feff}''K''", &[unseen, quotes, quotes], "", "K"),
        ("\u{202a}\u{200e}K\u{202c}", &[unseen], "", "K"),
        ("'K", &[], "", "'K"),
        ("“K\"", &[], "", "“K\""),
        ("x'K'", &[], "", "x'K'"),
        ("x\u{200b}K", &[], "", "x\u{200b}K"),
    ] {
        let server = Server::start(vec![canned::zeev(TOKEN)]);
        let machine = lacking_the_password(&server);
        let mut terminal = wide(&machine, "login zeev");
        terminal.asks("(not shown): ", typed.replace('K', KEY));
        for question in questions {
            terminal.sees(question).asks("[y/N] ", answer);
        }
        // Where they are, an env file would have quotes within quotes.
        match answer {
            "y" => terminal.sees("nothing is written to ./.env"),
            _ => terminal.asks("[Y/n] ", "n"),
        };
        let output = terminal.exits(0).output;
        let asked = output.matches("[y/N]").count();
        assert_eq!(asked, questions.len(), "{output}");
        let body = credentials("ana", &sent.replace('K', KEY));
        assert_eq!(server.received()[0].body, body);
    }
}

#[test]
fn a_secret_that_is_not_shown_can_be_corrected_and_may_be_long() {
    let long = KEY.repeat(5000 / KEY.len());
    // Ctrl-U takes all that was typed, Backspace one character.
    for (typed, sent) in [
        (format!("x\x15{KEY}z\x7f"), KEY),
        (format!("ã\x7f{KEY}é\x7f"), KEY),
        (long.clone(), &long),
    ] {
        let server = Server::start(vec![canned::zeev(TOKEN)]);
        let machine = lacking_the_password(&server);
        let mut terminal = wide(&machine, "login zeev");
        terminal.asks("(not shown): ", &typed);
        terminal.asks("[Y/n] ", "n");
        terminal.exits(0).lacks(&[KEY]);
        let body = credentials("ana", sent);
        assert_eq!(server.received()[0].body, body);
    }
}

#[test]
fn a_run_that_stops_shows_what_is_typed_elsewhere_and_hides_the_secret_again() {
    let go_on = |terminal: &Terminal| signal(terminal.child(), Signal::CONT);
    let gate = Arc::new(Barrier::new(2));
    let mut script = canned::gluo(TOKEN);
    script[0] = script[0].clone().together(&gate);
    let server = Server::start(script);
    let mut machine = bare();
    machine.set("GLUO_URL", &server.url());
    machine.set("GLUO_USERNAME", "api");
    let mut terminal = start(&machine, "login gluo --no-store");
    terminal.sees("GLUO_ACCESS_KEY (not shown): ").hides();
    // A shell shows what is typed to it, and puts back the modes that it knows.
    for stop in [Signal::TSTP, Signal::STOP, Signal::TSTP] {
        terminal.stops(stop);
        assert_eq!(terminal.echoes(), stop == Signal::TSTP, "{stop:?}");
        terminal.show();
        go_on(&terminal);
        terminal.hides();
    }
    terminal.types(&format!("{KEY}\r"));
    terminal.sees("asking for a challenge");
    // Ctrl-Z works afterwards too.
    terminal.stops(Signal::TSTP);
    go_on(&terminal);
    gate.wait();
    terminal.sees(TOKEN).asks("[Y/n] ", "n");
    let left = terminal.exits(0);
    assert!(left.lacks(&[KEY]).sane);
}

#[test]
fn what_is_set_with_invisible_characters_is_sent_with_a_warning_and_with_quotes_not_at_all() {
    let with = |server: &Server, user: &str, password: &str| {
        let mut machine = lacking_the_password(server);
        machine.set("ZEEV_USERNAME", user);
        machine.set("ZEEV_PASSWORD", password);
        machine
    };
    for (user, password, quotes) in [
        ("ana", "“K”", "typographic quotes"),
        ("ana", "\"K\"", "quotes"),
        ("'ana'", "K", "quotes"),
    ] {
        let nobody = Server::start(Vec::new());
        let machine = with(&nobody, user, &password.replace('K', KEY));
        machine.fails("login zeev", 2, &["begins and ends with ", quotes]);
    }
    for (user, password) in [("ana\u{200b}", "K\u{a0}"), ("\u{feff}ana", "\u{200b}K")] {
        let server = Server::start(vec![canned::zeev(TOKEN)]);
        let password = password.replace('K', KEY);
        let run = with(&server, user, &password).run("login zeev");
        run.gives(0, &format!("{TOKEN}\n"), user);
        let unseen = "begins or ends with an invisible character, which is part of its value";
        let warned = ["USERNAME", "PASSWORD"]
            .map(|name| format!("warning: zeev: ZEEV_{name} (the environment) {unseen}\n"));
        assert_eq!(run.stderr, warned.concat());
        assert_eq!(server.received()[0].body, credentials(user, &password));
    }
    // The quotes of an env file are its own.
    let server = Server::start(vec![canned::zeev(TOKEN)]);
    let (machine, url) = (bare(), server.url());
    let file = format!("ZEEV_URL={url}\nZEEV_USERNAME=\"ana\"\nZEEV_PASSWORD='{KEY}'\n");
    machine.write(".env", file);
    machine.run("login zeev").exits(0, "").lacks(&["quotes"]);
    assert_eq!(server.received()[0].body, credentials("ana", KEY));
}

#[test]
fn what_is_set_is_not_asked_for() {
    let server = Server::start(vec![canned::zeev(TOKEN)]);
    let mut machine = bare();
    machine.set("ZEEV_URL", &server.url());
    machine.set("ZEEV__LOJA__USERNAME", "ana");
    let mut terminal = start(&machine, "login zeev@loja");
    terminal.asks("ZEEV__LOJA__PASSWORD (not shown): ", KEY);
    terminal.asks("Write ZEEV__LOJA__PASSWORD to ./.env?", "");
    terminal.exits(0).lacks(&["ZEEV_URL:", "API_TOKEN"]);
    let written = format!("ZEEV__LOJA__PASSWORD='{KEY}'\n");
    assert_eq!(machine.text(".env"), written);
}

#[test]
fn a_file_that_somebody_planted_gets_no_answer_unseen() {
    let server = Server::start(canned::gluo(TOKEN));
    let machine = bare();
    let url = server.url();
    machine.write(".env", format!("GLUO_URL={url}\nGLUO_USERNAME=api\n"));
    let mut terminal = wide(&machine, "login gluo");
    terminal.asks(&whether_to_send(&url), "");
    terminal.exits(2).lacks(&["not shown"]);
    let mut terminal = wide(&machine, "login gluo");
    terminal.asks(&whether_to_send(&url), "y");
    terminal.asks("(not shown): ", KEY).asks("[Y/n]", "");
    terminal.exits(0);
}

/// What is asked where a file has Gluocrm's URL.
fn whether_to_send(url: &str) -> String {
    format!("GLUO_URL is {url} (./.env line 1). Send what you type to that server? [y/N] ")
}

#[test]
fn the_question_shows_the_server_that_is_connected_to() {
    let machine = bare();
    for [spelt, shown] in rows(
        "https://empresa.gluo\u{441}rm.com.br | https://empresa.xn--gluorm-lrf.com.br
        empresa.gluocrm.com.br\u{2044}login.evil.example | https://empresa.gluocrm.com.xn--brlogin-2d7c.evil.example
        empresa.gluocrm.com.br%2eevil.example | https://empresa.gluocrm.com.br.evil.example
        EMPRESA\u{3002}gluocrm.com.br:443/x/ | https://empresa.gluocrm.com.br/x
        \u{ff45}mpresa.example | https://empresa.example",
    ) {
        machine.write(".env", format!("GLUO_URL='{spelt}'\nGLUO_USERNAME=api\n"));
        let mut terminal = wide(&machine, "login gluo");
        terminal.asks(&whether_to_send(shown), "");
        terminal.exits(2);
    }
    let server = Server::start(Vec::new());
    let planted = format!(
        "HELLOCLOUD_URL={}\nHELLOCLOUD_CLIENT_ID=c\nHELLOCLOUD_TOKEN_PATH=~mallory/log.php\n",
        server.url()
    );
    machine.write(".env", planted);
    let mut terminal = wide(&machine, "login hellocloud");
    terminal.asks(KINDS, "");
    terminal.asks("Send what you type to that server? [y/N] ", "y");
    let question = "HELLOCLOUD_TOKEN_PATH is ~mallory/log.php (./.env line 3). Send what you type anyway? [y/N] ";
    terminal.sees(question).types("\r");
    terminal.exits(2);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_file_that_would_be_refused_is_not_written() {
    let server = Server::start(knocked_gluo());
    let mut machine = bare();
    machine.set("GLUO_USERNAME", "api");
    machine.secret("GLUO_ACCESS_KEY", KEY);
    let mut terminal = start(&machine, "login gluo");
    terminal.asks("GLUO_URL: ", server.url());
    let unwritten = "gluo: nothing is written to ./.env";
    terminal.exits(0).line(unwritten);
    assert_eq!(machine.files(), [""; 0]);
    // Beside another server than the one that the secret was typed for.
    let server = Server::start(canned::gluo(TOKEN));
    machine.unset("GLUO_ACCESS_KEY");
    machine.set("GLUO_URL", &server.url());
    let other = "GLUO_URL=https://nowhere.invalid\n";
    machine.write(".env", other);
    let mut terminal = start(&machine, "login gluo");
    terminal.asks("(not shown): ", KEY);
    terminal.exits(0).line(unwritten);
    assert_eq!(machine.text(".env"), other);
}

#[test]
fn nobody_is_asked_for_what_would_be_refused() {
    let mut machine = bare();
    machine.set("GLUO_URL", "http://127.0.0.1:1");
    let file = format!("GLUO_URL=https://nowhere.invalid\nGLUO_ACCESS_KEY={KEY}\n");
    machine.write(".env", file);
    let left = start(&machine, "login gluo").exits(2);
    left.line("error: gluo: GLUO_URL in the environment names a server other than ./.env line 1");
    left.lacks(&["GLUO_USERNAME"]);
}

#[test]
fn nobody_is_asked_where_nobody_is() {
    let names = "not set: GLUO_URL, GLUO_USERNAME, GLUO_ACCESS_KEY";
    let mut machine = bare();
    let why = " – nothing is asked because there is no terminal";
    machine.fails("login gluo", 2, &[names, why]);
    let alone = wrapped(&machine.line("login gluo"), &["setsid", "--wait"]);
    machine.finish(alone).fails(2, &[names, "no terminal"]);
    for (line, code, why) in [
        ("login gluo --no-input", 2, "because of --no-input"),
        ("login gluo --json", 2, "missing_setting"),
        ("token gluo", 2, names),
        ("exec gluo -- true", 125, names),
        ("status gluo", 2, "not set"),
    ] {
        let left = start(&machine, line).ends();
        assert_eq!(left.code, code, "{line}: {}", left.output);
        holds(&left.screen.concat(), &[why]);
        left.lacks(&["Ctrl-C"]);
    }
    machine.set("CI", "1");
    let left = start(&machine, "login gluo").exits(2);
    holds(&left.screen.concat(), &["because CI is set"]);
    machine.unset("CI");
    let left = Terminal::start(machine.shell_command("sh", "crmauth login gluo 2>err"), 80);
    assert_eq!(left.exits(2).output, "");
    assert!(machine.text("err").contains("no terminal"));
}

#[test]
fn a_person_is_sent_to_login_wherever_settings_are_missing() {
    let mut machine = bare();
    let advice = |target: &str| format!("`crmauth login {target}` asks for what is missing");
    let shown = |machine: &Machine, line: &str| wide(machine, line).ends().screen.join("\n");
    for (env, target) in [
        ("", "gluo"),
        ("GLUO_URL=http://127.0.0.1:1\nGLUO_USERNAME=api\n", "gluo"),
        ("ZEEV__RH__USERNAME=api\n", "zeev@rh"),
    ] {
        machine.write(".env", env);
        for verb in ["token T", "api T /x", "exec T -- true", "proxy T -- true"] {
            let line = verb.replace('T', target);
            holds(&shown(&machine, &line), &[&advice(target)]);
            machine.run(&line).lacks(&["crmauth login"]);
        }
    }
    let screen = shown(&machine, "status gluo --check");
    holds(&screen, &[&advice("gluo")]);
    for line in [
        "token gluo --no-input",
        "login gluo --no-input",
        "login gluo --json",
    ] {
        lacks(&shown(&machine, line), &["asks for"]);
    }
    machine.write(".env", "GLUO_URL=h\nGLUO_USERNAME=api\nGLUO_KEY=x\n");
    let screen = shown(&machine, "token gluo");
    holds(&screen, &["GLUO_KEY"]);
    lacks(&screen, &["asks for"]);
    machine.set("CI", "1");
    lacks(&shown(&machine, "api zeev /x"), &["asks for"]);
}
