//! What a person sees at a terminal: what is under way, what went well, and tables that fit.

use std::sync::{Arc, Barrier};

use crate::support::machine::installed;
use crate::support::stored::{five, store};
use crate::support::terminal::Left;
use crate::support::{Demo, Machine, Reply, Server, Terminal, demo};
use crate::{gluo, zeev};

/// A server that answers the login of `demo` once the barrier lets it.
fn slow(demo: &Demo, barrier: &Arc<Barrier>) -> Server {
    Server::start(demo.script([Reply::json(200, demo.good()).together(barrier)]))
}

/// A program at a terminal of so many columns.
fn start(machine: &Machine, columns: u16, line: &str) -> Terminal {
    Terminal::start(
        machine.command(&line.split(' ').collect::<Vec<_>>()),
        columns,
    )
}

/// The same until its end.
fn run(machine: &Machine, columns: u16, line: &str) -> Left {
    start(machine, columns, line).ends()
}

#[test]
fn what_is_under_way_shows_until_it_is_done() {
    if !installed("setsid") {
        return;
    }
    for demo in demo::ALL {
        let barrier = Arc::new(Barrier::new(2));
        let server = slow(demo, &barrier);
        let machine = demo.machine(&server.url());
        let mut terminal = start(&machine, 80, &format!("login {}", demo.id));
        terminal.sees(&format!("{}: logging in", demo.id)).sees("…");
        barrier.wait();
        let left = terminal.ends();
        assert_eq!(
            (left.code, left.screen[0].as_str()),
            (0, demo.token),
            "{}",
            left.output
        );
        assert!(
            !left.screen.concat().contains("logging in"),
            "it is still there: {:?}",
            left.screen
        );
    }
}

#[test]
fn a_batch_has_a_line_a_target_below_its_count_and_errors_stand_above() {
    if !installed("setsid") {
        return;
    }
    let (gone, slow_one) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let refusing = Server::start(vec![Reply::json(401, "{}").together(&gone)]);
    let server = slow(&gluo::DEMO, &slow_one);
    let mut machine = gluo::DEMO.machine(&server.url());
    machine
        .set("ZEEV_URL", &refusing.url())
        .set("ZEEV_USERNAME", "ana")
        .secret("ZEEV_PASSWORD", "pW5Qm1Zz7");
    let mut terminal = start(&machine, 40, "login gluo zeev");
    terminal
        .sees("login: 0 of 2 done…\r\n")
        .sees("gluo: logging in…\r\n")
        .sees("zeev: logging in…");
    gone.wait();
    // One line less: all are taken away and drawn anew.
    terminal
        .sees("\x1b[2A\x1b[J")
        .sees("login: 1 of 2 done…\r\n")
        .sees("gluo: logging in…");
    slow_one.wait();
    let left = terminal.ends();
    assert_eq!(left.code, 4, "{}", left.output);
    let screen = left.screen.concat();
    assert!(
        !screen.contains("logging in") && !screen.contains(" done…"),
        "it is still there: {screen}"
    );
    left.line("error: zeev: ");
    left.line("gluo\t");
    left.line("done: gluo: logged in as api");
}

#[test]
fn a_batch_leaves_nothing_behind_on_a_terminal_of_few_rows() {
    if !installed("setsid") {
        return;
    }
    let barrier = Arc::new(Barrier::new(7));
    let server = Server::start(Vec::new());
    server.rest(Reply::json(200, zeev::DEMO.good()).together(&barrier));
    let mut machine = zeev::DEMO.machine(&server.url());
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        machine.set(&format!("ZEEV__{}__USERNAME", name.to_uppercase()), name);
        machine.secret(
            &format!("ZEEV__{}__PASSWORD", name.to_uppercase()),
            "pW5Qm1Zz7",
        );
    }
    let targets = names.map(|name| format!("zeev@{name}"));
    let arguments: Vec<&str> = ["login"]
        .into_iter()
        .chain(targets.iter().map(String::as_str))
        .collect();
    let mut terminal = Terminal::sized(machine.command(&arguments), (4, 80), None);
    // Drawn twice, so that the first picture has been taken away.
    terminal
        .sees("login: 0 of 6 done…")
        .sees("login: 0 of 6 done…");
    barrier.wait();
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    let screen = left.screen.concat();
    assert!(
        !screen.contains("logging in") && !screen.contains("done…"),
        "it is still there: {:?}",
        left.screen
    );
}

#[test]
fn a_line_of_the_answer_stands_above_what_is_still_under_way() {
    if !installed("setsid") {
        return;
    }
    let barrier = Arc::new(Barrier::new(2));
    let left_alive = Reply::http(500, "text/html", "").together(&barrier);
    let script = |last| gluo::DEMO.script([Reply::json(200, gluo::DEMO.good()), last]);
    let types = Reply::json(200, r#"{"success":true,"result":{"types":[]}}"#);
    let (quick, hanging) = (
        Server::start([script(left_alive), vec![types]].concat()),
        Server::start(script(Reply::Silence)),
    );
    let mut machine = gluo::DEMO.machine(&quick.url());
    machine
        .set("GLUO__SLOW__URL", &hanging.url())
        .set("GLUO__SLOW__USERNAME", "api");
    machine.secret("GLUO__SLOW__ACCESS_KEY", "kEy8Rt5Yp3Wn6Vb1");
    assert_eq!(machine.run("login gluo gluo@slow").code, 0);
    let mut terminal = start(&machine, 100, "logout --all --timeout 60");
    terminal.sees("gluo: ending the session…").sees("…");
    barrier.wait();
    terminal
        .sees("gluo\tstill-alive")
        .sees("gluo@slow: ending the session…")
        .types("\x03");
    let left = terminal.ends();
    assert_eq!(left.code, 130, "{}", left.output);
    assert!(
        left.screen.contains(&"gluo\tstill-alive".to_owned()),
        "{:?}",
        left.screen
    );
    assert!(
        !left.screen.concat().contains("ending the session"),
        "it is still there: {:?}",
        left.screen
    );
}

#[test]
fn nothing_moves_where_nobody_looks() {
    if !installed("setsid") {
        return;
    }
    for (variable, option) in [("", "-q"), ("", "--json"), ("CI", "-v"), ("TERM", "-v")] {
        let server =
            Server::start(zeev::DEMO.script([Reply::Drip(b"HTTP/1.1 200 OK\r\n".to_vec(), b'x')]));
        let mut machine = zeev::DEMO.machine(&server.url());
        if !variable.is_empty() {
            machine.set(variable, "dumb");
        }
        let left = run(&machine, 80, &format!("login zeev --timeout 1 {option}"));
        assert_eq!(left.code, 5, "{}", left.output);
        assert!(
            !left.output.contains("\x1b[J"),
            "{variable} {option}: {:?}",
            left.output
        );
    }
    let barrier = Arc::new(Barrier::new(1));
    let server = slow(&zeev::DEMO, &barrier);
    let outcome = zeev::DEMO.machine(&server.url()).run("login zeev");
    assert_eq!(outcome.answer().trim_end(), zeev::DEMO.token);
}

#[test]
fn a_command_that_asks_a_person_and_a_child_have_the_terminal_to_themselves() {
    if !installed("setsid") {
        return;
    }
    let server = Server::start(zeev::DEMO.script([Reply::json(200, zeev::DEMO.good())]));
    let mut machine = zeev::DEMO.machine(&server.url());
    machine.unset("ZEEV_PASSWORD");
    // Each lasts longer than it takes until something is drawn.
    machine.set(
        "ZEEV_PASSWORD_CMD",
        "echo 'pin?' >&2; sleep 0.7; echo secret",
    );
    let child = [
        "exec",
        "zeev",
        "--token-file",
        "--",
        "sh",
        "-c",
        "echo child >&2; sleep 0.7",
    ];
    let terminal = Terminal::start(machine.command(&child), 80);
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    let spoken: Vec<&str> = left
        .screen
        .iter()
        .map(String::as_str)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(spoken, ["pin?", "child"], "{:?}", left.output);
}

#[test]
fn what_went_well_is_told_to_a_person_only() {
    if !installed("setsid") {
        return;
    }
    let (_servers, machine) = five();
    let place = format!("stored in file:{}", store(&machine).display());
    let told = |line: &str| {
        let left = run(&machine, 400, line);
        assert_eq!(left.code, 0, "{}", left.output);
        let line = left.screen.iter().find(|line| line.starts_with("done: "));
        line.cloned().unwrap_or_default()
    };
    let zeev = told("login zeev");
    assert!(
        zeev.starts_with("done: zeev: logged in as integracao at http://127.0.0.1:"),
        "{zeev}"
    );
    assert!(
        zeev.contains(" UTC (9min), ") && zeev.ends_with(&place),
        "{zeev}"
    );
    let narrow = run(&machine, 40, "login zeev").output;
    let narrow = narrow.split("zeev: ").nth(1).expect("a line");
    assert!(
        narrow
            .lines()
            .all(|line| line.chars().count() < 40 || !line.contains(' ')),
        "{narrow}"
    );
    let together = |text: &str| text.split_whitespace().collect::<String>();
    assert!(together(narrow).ends_with(&together(&place)), "{narrow}");
    assert!(told("login gluo").contains(", until it is idle for some time, stored in file:"));
    assert!(told("login gluo --no-store").ends_with(", not stored"));
    let session = machine.run("token zeev -f json").answer().to_owned();
    let mut terminal = start(&machine, 400, "login zeev --adopt");
    terminal
        .sees("waiting for a session on stdin")
        .types(&session)
        .types("\x04");
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{}", left.output);
    left.line("done: zeev: logged in as integracao at ");
    for line in ["login gluo -q", "login gluo --json", "token gluo"] {
        assert_eq!(told(line), "", "{line}");
    }
    let stdout = std::fs::File::create(machine.path("token")).expect("a file");
    let left = Terminal::with(machine.command(&["login", "zeev"]), 80, Some(stdout.into())).ends();
    left.line("done: zeev: ");
    let token = std::fs::read_to_string(machine.path("token")).expect("a token");
    assert!(
        !token.contains("done") && !left.output.contains(token.trim_end()),
        "{}",
        left.output
    );
}

#[test]
fn an_end_is_told_by_the_readers_clock_and_to_machines_in_utc() {
    if !installed("setsid") {
        return;
    }
    let (_servers, mut machine) = five();
    for (zone, minutes, name) in [
        ("", 0, "UTC"),
        ("<-03>3", -180, "-03"),
        ("IST-5:30", 330, "IST"),
        ("no/such/zone", 0, "UTC"),
    ] {
        machine.set("TZ", zone);
        let left = run(&machine, 400, "login zeev");
        let json = machine.run("token zeev -f json").answer().to_owned();
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let end = json["expires_at"].as_str().expect("a time");
        assert!(end.ends_with('Z'), "{zone}: {end}");
        let end: jiff::Timestamp = end.parse().expect("a time");
        let there = end + jiff::SignedDuration::from_mins(minutes);
        let there = there.strftime("%Y-%m-%d %H:%M");
        left.line(&format!(", until {there} {name} (9min), "));
    }
}

#[test]
fn the_words_of_a_logout_are_explained_to_a_person_once() {
    if !installed("setsid") {
        return;
    }
    let (_servers, machine) = five();
    for (line, words) in [
        ("logout --all", &["revoked", "forgotten"][..]),
        ("logout --all --local", &["forgotten"]),
        ("logout zeev", &["none"]),
        ("logout --all --json", &[]),
        ("logout zeev -q", &[]),
    ] {
        machine.run("logout --all --local -q").answer();
        if line.contains("--all") {
            machine.run("login --all").answer();
        }
        let left = run(&machine, 400, line);
        let explained = |word: &&str| left.output.contains(&format!("{word}: "));
        let all = ["revoked", "still-alive", "forgotten", "none"];
        let found: Vec<&str> = all.into_iter().filter(explained).collect();
        assert_eq!(found, words, "{line}: {}", left.output);
        for word in words {
            assert_eq!(left.output.matches(&format!("{word}: ")).count(), 1);
        }
        // Of the one that lives on, Gluocrm's, a warning tells.
        let asked = line.starts_with("logout --all") && !line.contains("--local");
        let warnings = left.output.matches("left the session alive").count();
        assert_eq!(warnings, usize::from(asked), "{line}: {}", left.output);
    }
    let output = machine.run("logout zeev");
    assert_eq!(output.stderr, "");
}

#[test]
fn a_table_fits_its_terminal() {
    if !installed("setsid") {
        return;
    }
    let (_servers, mut machine) = five();
    machine
        .set("GLUO_USERNAME", "joão.conceição")
        .unset("ZEEV_PASSWORD");
    let whole = machine.run("status").stdout;
    assert!(
        whole.lines().next().expect("a head").ends_with("SETTINGS"),
        "{whole}"
    );
    for (columns, head) in [
        (40, "TARGET SESSION LEFT"),
        (50, "TARGET SESSION LEFT USER"),
        (80, "TARGET SESSION LEFT USER URL"),
        (200, "TARGET SESSION LEFT USER URL FINGERPRINT SETTINGS"),
    ] {
        let left = run(&machine, columns, "status");
        assert_eq!(left.code, 3, "{}", left.output);
        let words: Vec<&str> = left.screen[0].split_whitespace().collect();
        assert_eq!(words.join(" "), head);
        let widest = left
            .output
            .lines()
            .map(|line| line.trim_end().chars().count())
            .max();
        assert!(widest <= Some(usize::from(columns)), "{}", left.output);
        let ends = |line: &str| line.find("http").map(|at| line[..at].chars().count());
        if columns > 50 {
            let places: Vec<_> = ["gluo", "zeev"]
                .iter()
                .map(|name| ends(left.line(name)))
                .collect();
            assert_eq!(places[0], places[1], "{}", left.output);
        }
        assert!(
            left.screen.concat().contains("ZEEV_PASSWORD"),
            "{}",
            left.output
        );
    }
}
