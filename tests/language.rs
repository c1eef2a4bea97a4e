//! The language of what people read: who chooses it, and what it leaves as it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::support::machine::set_mode;
use crate::support::{Machine, Reply, Server, canned, cells};

/// What the program says of a target that has no settings, in both languages.
const ENGLISH: &str = "error: gluo: not set";
const PORTUGUESE: &str = "erro: gluo: ";

#[test]
fn the_flag_goes_before_the_variable_and_the_variable_before_the_locale() {
    let run = |line: &str, variables: &[(&str, &str)]| {
        let mut machine = Machine::new();
        variables.iter().for_each(|(name, value)| {
            machine.set(name, value);
        });
        machine.run(line)
    };
    let plain = "token gluo";
    for (line, variables) in [
        (plain, &[("LANG", "pt_BR.UTF-8")][..]),
        (plain, &[("LC_ALL", "pt_BR"), ("LANG", "en_US.UTF-8")]),
        (
            plain,
            &[("LC_MESSAGES", "pt_PT.UTF-8"), ("LANG", "C.UTF-8")],
        ),
        (plain, &[("CRMAUTH_LANG", "pt-BR"), ("LC_ALL", "C")]),
        (plain, &[("LC_ALL", "pt_PT"), ("LC_MESSAGES", "C")]),
        (plain, &[("LC_ALL", ""), ("LANG", "pt")]),
        (plain, &[("LC_MESSAGES", "pt_BR@euro"), ("LANG", "en_US")]),
        // The list of languages goes before the locale, where that is not `C`.
        (plain, &[("LANGUAGE", "pt_BR:en"), ("LANG", "en_US.UTF-8")]),
        (plain, &[("LANGUAGE", "de"), ("LANG", "PT_BR.UTF-8")]),
        (
            "token gluo --lang pt-BR",
            &[("CRMAUTH_LANG", "en"), ("LC_ALL", "en_US.UTF-8")],
        ),
        ("--lang pt_BR token gluo", &[]),
    ] {
        run(line, variables).fails(2, &[PORTUGUESE]);
    }
    for (line, variables) in [
        (plain, &[][..]),
        (plain, &[("LANG", "de_DE.UTF-8")]),
        (plain, &[("LANG", "português")]),
        (plain, &[("LANG", "ptx")]),
        (plain, &[("LANG", "pt_BR"), ("LC_MESSAGES", "en-GB")]),
        (plain, &[("LC_ALL", "POSIX"), ("LC_MESSAGES", "pt_BR")]),
        (plain, &[("LANGUAGE", "de:en:pt"), ("LANG", "pt_BR")]),
        (plain, &[("LANGUAGE", "pt_BR"), ("LANG", "C")]),
        (plain, &[("LANGUAGE", "pt_BR")]),
        (plain, &[("LC_ALL", "C.UTF-8"), ("LANG", "pt_BR.UTF-8")]),
        (plain, &[("CRMAUTH_LANG", "en"), ("LANG", "pt_BR.UTF-8")]),
        (
            "token gluo --lang EN",
            &[("CRMAUTH_LANG", "pt-BR"), ("LANG", "pt_BR.UTF-8")],
        ),
    ] {
        run(line, variables).fails(2, &[ENGLISH]);
    }
}

#[test]
fn a_language_that_nobody_here_speaks_is_refused() {
    let mut machine = Machine::new();
    machine.fails("token gluo --lang fr", 2, &["error: ", "'fr'", "hint: "]);
    machine.set("CRMAUTH_LANG", "fr");
    let run = machine.run("token gluo");
    run.fails(2, &["error: CRMAUTH_LANG ", "hint: use en or pt-BR"]);
    machine.set("LANG", "pt_BR.UTF-8");
    let run = machine.run("token gluo");
    run.fails(2, &["erro: CRMAUTH_LANG ", "dica: use en ou pt-BR"]);
    let refused = machine.run("token gluo -f sh");
    refused.gives(2, "false\n", "");
    assert_eq!(machine.run("exec gluo -- true").code, 125);
    machine.run("token gluo --lang en").fails(2, &[ENGLISH]);
    for (option, begin) in [("--lang=en", ENGLISH), ("-q", "erro: CRMAUTH_LANG ")] {
        let mut command = machine.command(&["token", "gluo", option]);
        command.env("CRMAUTH_LANG", OsStr::from_bytes(b"e\xffn"));
        machine.finish(command).fails(2, &[begin]);
    }
}

#[test]
fn a_language_changes_sentences_and_nothing_else() {
    for [line, message, hint] in cells([
        "login glou | nenhum sistema se chama `glou` | você quis dizer `gluo`?",
        "tken | comando desconhecido: 'tken' | você quis dizer `token`?",
        "-v | falta o comando: login, token, exec,  | `crmauth --help` mostra os comandos e as opções",
        "token | falta um argumento obrigatório: <TARGET> | `crmauth token --help` mostra mais",
        "token gluo --bogus | argumento desconhecido: '--bogus' | `crmauth token --help` mostra as opções",
        "token gluo --timeout soon | \
            valor inválido 'soon' para '--timeout <SECONDS>': deve ser um número de segundos entre 0,001 e 86400 (com ponto: 0.5) | \
            `crmauth token --help` mostra as opções",
        "token gluo -f jsn | valor inválido 'jsn' para '--format <FORMAT>' [valores possíveis:  | `json`?",
        "token gluo --output | falta o valor de '--output <FILE>' | `crmauth token --help` mostra as opções",
        "login gluo --all | o argumento '[TARGET]...' não pode ser usado com '--all' | \
            `crmauth login --help` mostra as opções",
        "token gluo zeev | token aceita só um alvo | `login` e `exec` aceitam vários",
        "api gluo /x --no-store | \
            falta definir: GLUO_URL, GLUO_USERNAME, GLUO_ACCESS_KEY; procurei em: ambiente, ./.env (não existe) | \
            `crmauth providers gluo --env` imprime o bloco para preencher",
        "login gluo --as ana --sandbox | Gluocrm não permite entrar como outra pessoa | --as funciona com zeev",
        "login gluo --sandbox -o no/session.txt | \
            no/session.txt não pode ser gravado: arquivo ou pasta não existe | crie a pasta dele antes",
    ]) {
        let machine = Machine::new();
        let told = |lang: &str| {
            let run = machine.run(&format!("{line} --json --lang {lang}"));
            let object: Value = serde_json::from_str(&run.stderr).expect("one JSON object");
            (run.code, run.stdout, object["error"].clone())
        };
        let (english, mut portuguese) = (told("en"), told("pt-BR"));
        for (field, text) in [("message", message), ("hint", hint)] {
            let word = portuguese.2[field].as_str().expect("a text");
            assert!(word.contains(text), "{line}: {word}");
            assert_ne!(word, english.2[field], "{line}");
            portuguese.2[field] = english.2[field].clone();
        }
        assert_eq!(portuguese, english, "{line}");
    }
}

#[test]
fn what_a_server_does_is_told_in_the_language_too() {
    let server = Server::start(vec![Reply::json(401, "{}"), Reply::json(401, "{}")]);
    let mut machine = Machine::of("ZEEV", &server.url(), "API_TOKEN=Perm4nentLanguage1");
    let host = server.host();
    machine.run("login zeev").fails(
        4,
        &[&format!(
            "error: zeev: {host} refused the request (HTTP 401)\nhint: check ZEEV_API_TOKEN\n"
        )],
    );
    machine.set("LANG", "pt_BR.UTF-8");
    machine.run("login zeev").fails(
        4,
        &[&format!(
            "erro: zeev: {host} recusou a requisição (HTTP 401)\ndica: confira ZEEV_API_TOKEN\n"
        )],
    );
}

#[test]
fn warnings_notes_and_requests_are_told_in_portuguese() {
    let server = Server::start(vec![canned::zeev("tok-Language2")]);
    let mut machine = Machine::new();
    let path = machine.write(
        ".env",
        format!(
            "ZEEV_URL={}\nZEEV_API_TOKEN=Perm4nentLanguage2\n",
            server.url()
        ),
    );
    set_mode(&path, 0o644);
    machine
        .canary("Perm4nentLanguage2")
        .canary("tok-Language2")
        .set("CRMAUTH_LANG", "pt-BR");
    let run = machine.run("login zeev -vv");
    run.gives(0, "tok-Language2\n", "");
    run.tells("aviso: ./.env tem um segredo e outros podem lê-lo: `chmod 600 ./.env`\n");
    run.tells("nota: zeev: ZEEV_URL: ./.env linha 1\n");
    run.tells("nota: zeev: buscando um token temporário com o permanente\n");
    run.tells("rastro: zeev: GET http://");
    for word in ["warning:", "note:", "trace:"] {
        assert!(!run.stderr.contains(word), "{run}");
    }
}

#[test]
fn answers_for_people_follow_the_language_and_answers_for_scripts_do_not() {
    let mut machine = Machine::of("ZEEV", "https://h.example", "USERNAME=ana");
    machine.set("LANG", "pt_BR.UTF-8");
    let status = machine.run("status zeev");
    assert_eq!(status.code, 3, "{status}");
    let texts = "ALVO|SESSÃO|nenhuma|ambiente|ZEEV_URL: ambiente|  falta definir: ZEEV_PASSWORD ou ZEEV_API_TOKEN; procurei em: ambiente, ";
    for text in texts.split('|') {
        assert!(status.stdout.contains(text), "{text}: {status}");
    }
    let page = machine.run("providers zeev");
    assert!(
        page.answer()
            .contains("uma das opções: ZEEV_USERNAME e ZEEV_PASSWORD, ou ZEEV_API_TOKEN")
    );
    let block = machine.run("providers zeev --env");
    assert!(
        block.answer().contains("# o login da pessoa: ")
            && block.answer().contains("\nZEEV_USERNAME=\n")
    );
    let portuguese = machine.run("status zeev --json").json();
    let english = machine.run("status zeev --json --lang en").json();
    for field in ["target", "session", "settings", "user", "url"] {
        assert_eq!(portuguese[0][field], english[0][field], "{field}");
    }
    assert_ne!(portuguese[0]["missing"], english[0]["missing"]);
}
