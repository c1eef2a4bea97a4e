//! The guided login for every kind of account: right at once, after a wrong URL, after a wrong secret.

use crate::support::machine::installed;
use crate::support::{Machine, Reply, Server, Terminal, canned};

const KEY: &str = "Qk7kindsSecret4Zt";
const WRONG: &str = "Wr7kindsSecret4Zt";
const TOKEN: &str = "s9kindsSessionName2x";
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A kind of account.
struct Kind {
    system: &'static str,
    /// Which it is of how many.
    of: (usize, usize),
    /// What is asked for besides the URL, the last one a secret that the first answer is about.
    fields: &'static [&'static str],
    knocked: fn() -> Reply,
    login: fn() -> Vec<Reply>,
    refusal: fn() -> Vec<Reply>,
}

fn refused() -> Vec<Reply> {
    vec![Reply::json(401, r#"{"error":"invalid_client"}"#)]
}

const KINDS: [Kind; 9] = [
    Kind {
        system: "gluo",
        of: (1, 1),
        fields: &["USERNAME", "ACCESS_KEY"],
        knocked: canned::gluo_knocked,
        login: || canned::gluo(TOKEN),
        refusal: || {
            let refusal =
                r#"{"success":false,"error":{"code":"AUTHENTICATION_FAILURE","message":"no"}}"#;
            vec![canned::gluo(TOKEN).remove(0), Reply::json(200, refusal)]
        },
    },
    Kind {
        system: "hellocloud",
        of: (1, 2),
        fields: &["CLIENT_ID", "CLIENT_SECRET"],
        knocked: canned::hellocloud_knocked,
        login: || vec![canned::hellocloud(TOKEN)],
        refusal: refused,
    },
    Kind {
        system: "hellocloud",
        of: (2, 2),
        fields: &["CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD"],
        knocked: canned::hellocloud_knocked,
        login: || vec![canned::hellocloud(TOKEN)],
        refusal: refused,
    },
    Kind {
        system: "systemsway",
        of: (1, 1),
        fields: &["USERNAME", "PASSWORD"],
        knocked: || Reply::json(200, r#"{"codigo":"99","mensagem":"no"}"#),
        login: || vec![canned::systemsway(TOKEN)],
        refusal: || vec![Reply::json(200, r#"{"Status":"ERRO","IDSessao":"NA"}"#)],
    },
    Kind {
        system: "broker",
        of: (1, 3),
        fields: &["USERNAME", "PASSWORD"],
        knocked: canned::zeev_knocked,
        login: || vec![canned::broker(TOKEN)],
        refusal: refused,
    },
    Kind {
        system: "broker",
        of: (2, 3),
        fields: &[
            "USERNAME",
            "PASSWORD",
            "PARTNER_USERNAME",
            "PARTNER_PASSWORD",
        ],
        knocked: canned::zeev_knocked,
        login: || vec![canned::broker("p9kindsPartnerToken"), canned::broker(TOKEN)],
        refusal: refused,
    },
    Kind {
        system: "broker",
        of: (3, 3),
        fields: &["USERNAME", "PASSWORD", "PARTNER_TOKEN"],
        knocked: canned::zeev_knocked,
        login: || vec![canned::broker(TOKEN)],
        refusal: refused,
    },
    Kind {
        system: "zeev",
        of: (1, 2),
        fields: &["USERNAME", "PASSWORD"],
        knocked: canned::zeev_knocked,
        login: || vec![canned::zeev(TOKEN)],
        refusal: refused,
    },
    Kind {
        system: "zeev",
        of: (2, 2),
        fields: &["API_TOKEN"],
        knocked: canned::zeev_knocked,
        login: || vec![canned::zeev(TOKEN)],
        refusal: refused,
    },
];

/// What goes wrong at first.
#[derive(Debug, Clone, Copy, PartialEq)]
enum First {
    Right,
    WrongUrl,
    WrongSecret,
}

const FIRST: [First; 3] = [First::Right, First::WrongUrl, First::WrongSecret];

#[test]
fn every_kind_of_account_gets_in() {
    if !installed("setsid") {
        return;
    }
    std::thread::scope(|scope| {
        for kind in &KINDS {
            scope.spawn(move || {
                for first in FIRST {
                    for language in ["en", "pt-BR"] {
                        for columns in [80, 40] {
                            logs_in(kind, first, language, columns);
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn whoever_gives_up_is_told_why_there_is_no_session() {
    if !installed("setsid") {
        return;
    }
    for kind in &KINDS {
        let refused = [vec![(kind.knocked)()], (kind.refusal)()].concat();
        for (first, answers, last, code, words) in [
            (First::WrongUrl, Vec::new(), "\x04", 2, "not set: "),
            (First::WrongSecret, refused, "n\r", 4, " refused the "),
        ] {
            let (machine, mut terminal, _server) = begin(kind, first, answers, "en", 80);
            terminal.types(last);
            let left = terminal.ends();
            let what = format!("{} {:?}: {}", kind.system, kind.of, left.output);
            let end = left.output.rsplit("error: ").next().expect("an end");
            assert!(left.code == code && end.contains(words), "{what}");
            assert!(
                end.contains("hint: ") && !end.contains("asks for what is missing"),
                "{what}"
            );
            assert_eq!(machine.files(), [""; 0], "{what}");
        }
    }
}

/// A login up to the question after what goes wrong at first; a right one has come to its end.
fn begin(
    kind: &Kind,
    first: First,
    answers: Vec<Reply>,
    language: &str,
    columns: u16,
) -> (Machine, Terminal, Server) {
    let server = Server::start(answers);
    let mut machine = Machine::new();
    machine.canary(KEY).canary(WRONG).set("NO_COLOR", "1");
    let command = machine.command(&["login", kind.system, "--lang", language]);
    let mut terminal = Terminal::start(command, columns);
    if first == First::WrongUrl {
        terminal.sees("_URL: ").types(&format!("{NOWHERE}\r"));
        // The next step is told, nothing else is asked, and what was typed is kept.
        let variable = format!("{}_URL", kind.system.to_uppercase());
        terminal.sees(": ").sees(&variable);
        terminal.sees(&format!("{variable} [{NOWHERE}]: "));
        return (machine, terminal, server);
    }
    terminal.sees("_URL: ");
    terminal.types(&format!("{}\r", server.url()));
    answer(&mut terminal, kind, first == First::WrongSecret);
    if first == First::WrongSecret {
        terminal.sees("1; ").sees("/n] ");
    }
    (machine, terminal, server)
}

/// Answers what is asked once the URL is known; the last secret may be a wrong one.
fn answer(terminal: &mut Terminal, kind: &Kind, wrong: bool) {
    let (pick, kinds) = kind.of;
    if kinds > 1 {
        terminal
            .sees(&format!("{kinds} [1]: "))
            .types(&format!("{pick}\r"));
    }
    for (place, field) in (1..).zip(kind.fields) {
        terminal.sees(&format!("{}_{field}", kind.system.to_uppercase()));
        if is_secret(field) {
            let wrong = wrong && place == kind.fields.len();
            let typed = if wrong { WRONG } else { KEY };
            terminal.sees("): ").hides().types(&format!("{typed}\r"));
        } else {
            terminal.sees(": ").types("ana\r");
        }
    }
}

fn logs_in(kind: &Kind, first: First, language: &str, columns: u16) {
    let what = format!(
        "{} {:?} {first:?} {language} {columns}",
        kind.system, kind.of
    );
    let mut script = vec![(kind.knocked)()];
    if first == First::WrongSecret {
        script.extend((kind.refusal)());
    }
    script.extend((kind.login)());
    let (machine, mut terminal, server) = begin(kind, first, script, language, columns);
    if first == First::WrongUrl {
        terminal.types(&format!("{}\r", server.url()));
        answer(&mut terminal, kind, false);
    }
    if first == First::WrongSecret {
        let (pick, kinds) = kind.of;
        terminal.types("\r");
        if kinds > 1 {
            terminal.sees(&format!("{kinds} [{pick}]: ")).types("\r");
        }
        for (place, field) in (1..).zip(kind.fields) {
            let question = if is_secret(field) { "): " } else { "[ana]: " };
            let typed = if place == kind.fields.len() { KEY } else { "" };
            terminal.sees(question).types(&format!("{typed}\r"));
        }
    }
    terminal.sees("/n] ").types("\r");
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{what}: {}", left.output);
    for secret in [KEY, WRONG] {
        assert!(!left.output.contains(secret), "{what}: {}", left.output);
    }
    // What is typed breaks where it must.
    let told = |line: &String| !line.contains("]: http://");
    let erased = |line: &str| {
        line.rsplit("\x1b[J")
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    };
    let lines = left.output.lines().map(erased);
    for line in lines.filter(told) {
        let width = line.chars().count();
        assert!(width <= usize::from(columns), "{what}: {line}");
    }
    let token = machine.run(&format!("token {}", kind.system));
    assert_eq!(
        (token.code, token.stdout),
        (0, format!("{TOKEN}\n")),
        "{what}"
    );
}

fn is_secret(field: &str) -> bool {
    ["KEY", "SECRET", "PASSWORD", "TOKEN"]
        .iter()
        .any(|end| field.ends_with(end))
}

#[test]
fn a_bare_address_without_tls_and_an_installation_below_are_offered() {
    if !installed("setsid") {
        return;
    }
    let servers = crate::support::sandbox::Servers::start();
    let url = servers.setting("ZEEV_URL");
    let address = url.strip_prefix("http://").expect("plain");
    let mut machine = Machine::new();
    machine.set("NO_COLOR", "1");
    let mut terminal = Terminal::start(machine.command(&["login"]), 200);
    terminal.sees("5) zeev: Zeev").sees("[1]: ").types("9\r");
    terminal.sees("[1]: ").types("5\r");
    terminal
        .sees("ZEEV_URL: ")
        .types(&format!("{address}\r"))
        .sees(&format!("Use http://{address}? [Y/n] "))
        .types("\r");
    terminal.sees("2 [1]: ").types("\x03");
    assert_eq!(terminal.ends().code, 130);

    let not_found = || Reply::json(404, "{}");
    let server = Server::start(vec![not_found(), canned::gluo_knocked()]);
    let mut terminal = Terminal::start(machine.command(&["login", "gluo"]), 200);
    terminal
        .sees("GLUO_URL: ")
        .types(&format!("{}\r", server.url()))
        .sees("its URL must end with /crm")
        .sees(&format!("Use {}/crm? [Y/n] ", server.url()))
        .types("\r");
    terminal.sees("GLUO_USERNAME: ").types("\x03");
    assert_eq!(terminal.ends().code, 130);
}

#[test]
fn without_a_target_nobody_is_asked_where_nobody_is() {
    let machine = Machine::new();
    for line in ["login", "login --json", "login --no-input"] {
        let run = machine.run(line);
        assert_eq!((run.code, &*run.stdout), (2, ""), "{line}");
        assert!(run.stderr.contains("TARGET"), "{}", run.stderr);
    }
}
