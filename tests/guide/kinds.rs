//! The guided login for every kind of account: right at once, after a wrong URL, after a wrong secret.

use crate::support::machine::{holds, lacks};
use crate::support::{Machine, Reply, Server, Terminal, canned, rows};

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
    fields: &'static str,
    knocked: fn() -> Reply,
    login: fn() -> Vec<Reply>,
    refusal: fn() -> Vec<Reply>,
    /// What the refusal's hint names, and is asked for again.
    hinted: &'static str,
    /// Whether the hint is also about the kind of account.
    of_kind: bool,
}

impl Kind {
    fn is_last(&self, field: &str) -> bool {
        self.fields.split(' ').next_back() == Some(field)
    }
}

fn refused() -> Vec<Reply> {
    vec![Reply::json(401, r#"{"error":"invalid_client"}"#)]
}

/// So SuiteCRM refuses what is wrong.
fn says(sentence: &str) -> Vec<Reply> {
    let body = serde_json::json!({"error": "invalid_grant", "message": sentence});
    vec![Reply::json(500, body.to_string())]
}

const HELLOCLOUD: Kind = Kind {
    system: "hellocloud",
    of: (1, 2),
    fields: "CLIENT_ID CLIENT_SECRET",
    knocked: canned::hellocloud_knocked,
    login: || vec![canned::hellocloud(TOKEN)],
    refusal: refused,
    hinted: "CLIENT_SECRET",
    of_kind: true,
};

const ZEEV: Kind = Kind {
    system: "zeev",
    of: (1, 2),
    fields: "USERNAME PASSWORD",
    knocked: canned::zeev_knocked,
    login: || vec![canned::zeev(TOKEN)],
    refusal: refused,
    hinted: "USERNAME PASSWORD",
    of_kind: false,
};

const BROKER: Kind = Kind {
    system: "broker",
    of: (1, 3),
    login: || vec![canned::broker(TOKEN)],
    of_kind: true,
    ..ZEEV
};

const PARTNER: Kind = Kind {
    of: (2, 3),
    fields: "USERNAME PASSWORD PARTNER_USERNAME PARTNER_PASSWORD",
    login: || vec![canned::broker("p9kindsPartnerToken"), canned::broker(TOKEN)],
    hinted: "PARTNER_USERNAME PARTNER_PASSWORD",
    of_kind: false,
    ..BROKER
};

const GLUO: Kind = Kind {
    system: "gluo",
    of: (1, 1),
    fields: "USERNAME ACCESS_KEY",
    knocked: canned::gluo_knocked,
    login: || canned::gluo(TOKEN),
    refusal: || {
        let refusal =
            r#"{"success":false,"error":{"code":"AUTHENTICATION_FAILURE","message":"no"}}"#;
        vec![canned::gluo(TOKEN).remove(0), Reply::json(200, refusal)]
    },
    hinted: "USERNAME ACCESS_KEY",
    of_kind: false,
};

const KINDS: [Kind; 9] = [
    GLUO,
    HELLOCLOUD,
    Kind {
        of: (2, 2),
        fields: "CLIENT_ID CLIENT_SECRET USERNAME PASSWORD",
        refusal: || says("The password is invalid: x"),
        hinted: "PASSWORD",
        of_kind: false,
        ..HELLOCLOUD
    },
    Kind {
        system: "systemsway",
        of: (1, 1),
        knocked: || Reply::json(200, r#"{"codigo":"99","mensagem":"no"}"#),
        login: || vec![canned::systemsway(TOKEN)],
        refusal: || vec![Reply::json(200, r#"{"Status":"ERRO","IDSessao":"NA"}"#)],
        ..ZEEV
    },
    BROKER,
    PARTNER,
    Kind {
        of: (3, 3),
        fields: "USERNAME PASSWORD PARTNER_TOKEN",
        hinted: "USERNAME PASSWORD PARTNER_TOKEN",
        of_kind: false,
        ..BROKER
    },
    ZEEV,
    Kind {
        of: (2, 2),
        fields: "API_TOKEN",
        hinted: "API_TOKEN",
        ..ZEEV
    },
];

/// What goes wrong at first.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    None,
    Url,
    Secret,
}

const TROUBLES: [Trouble; 3] = [Trouble::None, Trouble::Url, Trouble::Secret];

#[test]
fn every_kind_of_account_gets_in() {
    std::thread::scope(|scope| {
        for kind in &KINDS {
            scope.spawn(move || {
                for trouble in TROUBLES {
                    for language in ["en", "pt-BR"] {
                        for columns in [80, 40] {
                            logs_in(kind, trouble, language, columns);
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn whoever_gives_up_is_told_why_there_is_no_session() {
    for kind in &KINDS {
        let refused = [vec![(kind.knocked)()], (kind.refusal)()].concat();
        for (trouble, answers, last, code, words) in [
            (Trouble::Url, Vec::new(), "\x04", 2, "not set: "),
            (Trouble::Secret, refused, "n\r", 4, " refused the "),
        ] {
            let (machine, mut terminal, _server) = begin(kind, trouble, answers, "en", 80);
            terminal.types(last);
            let left = terminal.ends();
            let what = format!("{} {:?}: {}", kind.system, kind.of, left.output);
            let end = left.output.rsplit("error: ").next().expect("an end");
            assert!(left.code == code && end.contains(words), "{what}");
            holds(end, &["hint: "]);
            lacks(end, &["asks for what is missing"]);
            assert_eq!(machine.files(), [""; 0], "{what}");
        }
    }
}

/// Starts a login and answers up to the question that follows the trouble; without one, all questions but the last.
fn begin(
    kind: &Kind,
    trouble: Trouble,
    answers: Vec<Reply>,
    language: &str,
    columns: u16,
) -> (Machine, Terminal, Server) {
    let server = Server::start(answers);
    let mut machine = Machine::new();
    machine.canary(KEY).canary(WRONG).set("NO_COLOR", "1");
    let command = machine.command(&["login", kind.system, "--lang", language]);
    let mut terminal = Terminal::start(command, columns);
    if trouble == Trouble::Url {
        terminal.asks("_URL: ", NOWHERE);
        // The next step is told, nothing else is asked, and what was typed is kept.
        let variable = format!("{}_URL", kind.system.to_uppercase());
        terminal.sees(": ").sees(&variable);
        terminal.sees(&format!("{variable} [{NOWHERE}]: "));
        return (machine, terminal, server);
    }
    terminal.sees("_URL: ");
    terminal.types(&format!("{}\r", server.url()));
    answer(&mut terminal, kind, trouble == Trouble::Secret);
    if trouble == Trouble::Secret {
        terminal.sees("1; ").sees("/n] ");
    }
    (machine, terminal, server)
}

/// Answers what is asked once the URL is known; the last secret may be a wrong one.
fn answer(terminal: &mut Terminal, kind: &Kind, wrong: bool) {
    let (pick, kinds) = kind.of;
    if kinds > 1 {
        terminal.asks(&format!("{kinds} [1]: "), pick);
    }
    for field in kind.fields.split(' ') {
        terminal.sees(&format!("{}_{field}", kind.system.to_uppercase()));
        match is_secret(field) {
            true if wrong && kind.is_last(field) => terminal.asks("): ", WRONG),
            true => terminal.asks("): ", KEY),
            false => terminal.asks(": ", "ana"),
        };
    }
}

/// Changes what the hint names: the last secret, where that is one of them.
fn change(terminal: &mut Terminal, kind: &Kind) {
    terminal.types("\r");
    let (pick, kinds) = kind.of;
    if kind.of_kind {
        terminal.asks(&format!("{kinds} [{pick}]: "), pick);
    }
    for field in kind.hinted.split(' ') {
        let question = if is_secret(field) { "): " } else { " [ana]: " };
        let variable = format!("\n{}_{field}", kind.system.to_uppercase());
        let typed = if kind.is_last(field) { KEY } else { "" };
        terminal.sees(&variable).asks(question, typed);
    }
}

/// What is wrong decides what is asked again, and nothing else is.
#[test]
fn what_the_hint_names_is_asked_again() {
    let unknown = r#"{"success":false,"error":{"code":"ACCESS_DENIED","message":"username does not exists"}}"#;
    let broker = || Reply::json(200, r#"{"CodigoRetorno":99,"Mensagem":"no"}"#);
    let (client, nobody) = (
        "OAuth2Clients module with id x is not found",
        "No user found: x",
    );
    let behind_partner = Kind {
        login: || vec![canned::broker(TOKEN)],
        ..PARTNER
    };
    let partners = vec![canned::broker("p9kindsPartnerToken"), broker()];
    let refusals = [
        (&GLUO, vec![Reply::json(200, unknown)], "USERNAME"),
        (&HELLOCLOUD, says(client), "CLIENT_ID"),
        (&KINDS[2], says(nobody), "USERNAME"),
        (&behind_partner, partners, "USERNAME PASSWORD"),
    ];
    let kinds = KINDS.iter();
    let kinds = kinds.map(|kind| (kind, (kind.refusal)(), kind.hinted, kind.of_kind));
    let refusals = refusals.into_iter();
    let refusals = refusals.map(|(kind, refusal, hinted)| (kind, refusal, hinted, false));
    for (kind, refusal, hinted, of_kind) in kinds.chain(refusals) {
        let again = Kind {
            hinted,
            of_kind,
            ..*kind
        };
        let script = [vec![(kind.knocked)()], refusal, (kind.login)()].concat();
        let (_machine, mut terminal, _server) = begin(kind, Trouble::Secret, script, "en", 400);
        change(&mut terminal, &again);
        terminal.asks("[Y/n] ", "n");
        let left = terminal.ends();
        let what = format!("{} {:?}: {}", kind.system, kind.of, left.output);
        assert_eq!(left.code, 0, "{what}");
        let of_kind = of_kind.then_some("the kind of login".to_owned());
        let names = hinted.split(' ');
        let names = names.map(|field| format!("{}_{field}", kind.system.to_uppercase()));
        let names: Vec<String> = names.chain(of_kind).collect();
        let (last, most) = names.split_last().expect("a name");
        let names = match most {
            [] => last.clone(),
            _ => format!("{} and {last}", most.join(", ")),
        };
        holds(&left.output, &[&format!(" Change {names}? [Y/n] ")]);
        let menus = left.output.matches("What do you log in with?").count();
        let first = usize::from(kind.of.1 > 1);
        assert_eq!(menus, first + usize::from(again.of_kind), "{what}");
    }
}

fn logs_in(kind: &Kind, trouble: Trouble, language: &str, columns: u16) {
    let (system, of) = (kind.system, kind.of);
    let what = format!("{system} {of:?} {trouble:?} {language} {columns}");
    let mut script = vec![(kind.knocked)()];
    if trouble == Trouble::Secret {
        script.extend((kind.refusal)());
    }
    script.extend((kind.login)());
    let (machine, mut terminal, server) = begin(kind, trouble, script, language, columns);
    if trouble == Trouble::Url {
        terminal.types(&format!("{}\r", server.url()));
        answer(&mut terminal, kind, false);
    }
    if trouble == Trouble::Secret {
        change(&mut terminal, kind);
    }
    terminal.asks("/n] ", "");
    let left = terminal.ends();
    assert_eq!(left.code, 0, "{what}: {}", left.output);
    left.lacks(&[KEY, WRONG]);
    // What is typed breaks where it must.
    let lines = left.output.lines();
    let shown = lines.map(|line| line.rsplit("\x1b[J").next().unwrap_or_default());
    for line in shown.filter(|line| !line.contains("]: http://")) {
        let width = line.trim_end().chars().count();
        assert!(width <= usize::from(columns), "{what}: {line}");
    }
    let token = machine.run(&format!("token {}", kind.system));
    token.gives(0, &format!("{TOKEN}\n"), what);
}

fn is_secret(field: &str) -> bool {
    let ends = ["KEY", "SECRET", "PASSWORD", "TOKEN"];
    ends.iter().any(|end| field.ends_with(end))
}

#[test]
fn a_bare_address_without_tls_and_an_installation_below_are_offered() {
    let servers = crate::support::sandbox::Servers::start();
    let url = servers.setting("ZEEV_URL");
    let address = url.strip_prefix("http://").expect("plain");
    let mut machine = Machine::new();
    machine.set("NO_COLOR", "1");
    let mut terminal = Terminal::start(machine.command(&["login"]), 200);
    terminal.sees("5) zeev: Zeev").asks("[1]: ", "9");
    terminal.asks("[1]: ", "5");
    terminal
        .asks("ZEEV_URL: ", address)
        .asks(&format!("Use http://{address}? [Y/n] "), "");
    terminal.sees("2 [1]: ").types("\x03");
    terminal.exits(130);

    let not_found = || Reply::json(404, "{}");
    let server = Server::start(vec![not_found(), canned::gluo_knocked()]);
    let mut terminal = Terminal::start(machine.command(&["login", "gluo"]), 200);
    terminal
        .asks("GLUO_URL: ", server.url())
        .sees(&format!("Gluocrm answers at {}/crm, not at", server.url()))
        .sees(&format!("Use {}/crm? [Y/n] ", server.url()))
        .types("\r");
    terminal.sees("GLUO_USERNAME: ").types("\x03");
    terminal.exits(130);
}

/// An answer that is none is told what it can be; the name in a list is one, and so is its number as it stands there.
#[test]
fn a_wrong_answer_is_told_what_a_right_one_is() {
    let planted = "GLUO_URL=https://crm.example\nGLUO_USERNAME=ana\n";
    for [language, number, word, unsent] in rows(
        "en | type a number from 1 to 5 | answer y or n | gluo: nothing was sent
        pt-BR | digite um número de 1 a 5 | responda s ou n | gluo: nada foi enviado",
    ) {
        let listed = ["zeev", "Zeev", "ZEEV: zeev", "5)"];
        for (flag, listed) in ["-v", "-q", "-v", "-q"].into_iter().zip(listed) {
            let mut machine = Machine::new();
            machine.canary(KEY).set("NO_COLOR", "1");
            let line = ["login", "--lang", language, flag];
            let mut terminal = Terminal::start(machine.command(&line), 200);
            for wrong in ["talvez", "0", "6", "gluo zeev"] {
                terminal.asks("[1]: ", wrong);
                terminal.sees(&format!("\n{number}\r\n"));
            }
            terminal.asks("[1]: ", listed);
            terminal.sees("ZEEV_URL: ").types("\x03");
            terminal.exits(130);

            machine.write(".env", planted);
            let line = ["login", "gluo", "--lang", language, flag];
            let mut terminal = Terminal::start(machine.command(&line), 200);
            for wrong in ["talvez", "yn", "1"] {
                terminal.asks("/N] ", wrong);
                terminal.sees(&format!("\n{word}\r\n"));
            }
            terminal.asks("/N] ", "n");
            let left = terminal.exits(2);
            let told = left.output.contains(unsent);
            assert_eq!(told, flag == "-v", "{}", left.output);
        }
    }
}

#[test]
fn a_pasted_address_leads_to_the_url() {
    let servers = crate::support::sandbox::Servers::start();
    let mut machine = Machine::new();
    machine.set("NO_COLOR", "1");
    // What is pasted, U being the URL without its scheme, and what is offered in its place, if it is not taken.
    for [system, pasted, offered] in rows(
        "gluo | http://U/webservice.php?operation=getchallenge | -
        gluo | 'http://U/crm/' | -
        gluo | <http://U/#/login>, | -
        gluo | export GLUO_URL=\u{201c}http://U\u{201d} | -
        gluo | http://U/index.php?module=Home&view=List | http://U
        gluo | U/crm/modules/Users/ | http://U/crm
        gluo | https://U/?x=1 | http://U
        gluo | HTTPS://U/crm | http://U/crm
        hellocloud | http://U/#/Login | -
        hellocloud | http://U/index.php?action=Login | http://U
        systemsway | http://U/swagger/index.html | http://U
        broker | http://U/swagger | http://U
        zeev | http://U/2.0/Login.aspx?ReturnUrl=%2f | http://U",
    ) {
        let variable = format!("{}_URL", system.to_uppercase());
        let url = servers.setting(&variable);
        let host = url.strip_prefix("http://").expect("plain");
        let mut terminal = Terminal::start(machine.command(&["login", system]), 200);
        let pasted = pasted.replace("/U", &format!("/{host}"));
        let pasted = pasted.replace("U/", &format!("{host}/"));
        terminal.asks(&format!("{variable}: "), &pasted);
        if offered != "-" {
            let offered = offered.replace('U', host);
            terminal.asks(&format!("Use {offered}? [Y/n] "), "");
        }
        let next = match system {
            "hellocloud" | "zeev" | "broker" => " [1]: ",
            _ => "_USERNAME: ",
        };
        terminal.sees(next).types("\x03");
        assert_eq!(terminal.ends().code, 130, "{pasted}");
    }
}

#[test]
fn without_a_target_nobody_is_asked_where_nobody_is() {
    let machine = Machine::new();
    for line in ["login", "login --json", "login --no-input"] {
        machine.fails(line, 2, &["TARGET"]);
    }
}
