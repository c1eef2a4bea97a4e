//! README's tables and `.env.example`, made from the declarations.

use std::process::Command;

use crmauth::declaration::Ageing;
use crmauth::error::EXIT_CODES;
use crmauth::i18n::{Lang, Text, translation};
use crmauth::output::Format;
use crmauth::provider;

use super::{at, check, code, fill, read, scenes, table};
use crate::support::program;

#[test]
fn the_readmes_tables_are_those_of_the_declarations() {
    fill("README.pt-BR.md", |name| match name {
        "systems" => Some(systems(Lang::PtBr)),
        "exit codes" => Some(exit_codes(Lang::PtBr)),
        _ => refused(name, "pt-BR"),
    });
    fill("README.md", |name| match name {
        "systems" => Some(systems(Lang::En)),
        "formats" => Some(formats()),
        "exit codes" => Some(exit_codes(Lang::En)),
        _ => refused(name, "en"),
    });
}

#[test]
fn the_example_env_file_is_the_one_that_providers_prints() {
    let output = Command::new(program())
        .args(["providers", "--env"])
        .env_clear()
        .output()
        .expect("the program");
    check(
        ".env.example",
        &String::from_utf8(output.stdout).expect("UTF-8"),
    );
}

#[test]
fn the_changelog_knows_this_version() {
    let heading = concat!("\n## [", env!("CARGO_PKG_VERSION"), "] - ");
    assert!(
        read("CHANGELOG.md").contains(heading),
        "no entry of {heading}"
    );
}

#[test]
fn every_exit_code_of_an_error_is_documented() {
    let source = std::fs::read_to_string(at("src/error.rs"));
    let source = source.expect("error.rs");
    let documented: Vec<&str> = EXIT_CODES
        .iter()
        .flat_map(|(codes, ..)| codes.split(", "))
        .collect();
    let causes = source.lines().filter_map(|line| {
        let (code, _) = line.split_once("\" ")?.1.split_once(", // ")?;
        Some(code.trim())
    });
    let mut seen = 0;
    for code in causes {
        assert!(documented.contains(&code), "exit code {code}");
        seen += 1;
    }
    assert!(seen > 20, "the causes were found");
}

/// The scene of Gluocrm's page that README shows.
fn refused(name: &str, lang: &str) -> Option<String> {
    let scenes = scenes::of("gluo");
    let scene = scenes
        .iter()
        .find(|scene| name.strip_prefix("run: ") == Some(scene.name))?;
    let played = scene.play(lang, "https://empresa.gluocrm.com.br");
    Some(format!("\n```console\n{}```\n\n", played.terminal))
}

fn systems(lang: Lang) -> String {
    let (head, parameter, segment, ages, folder) = match lang {
        Lang::En => (
            [
                "System",
                "Target",
                "Login",
                "The session goes into",
                "Kind of session",
            ],
            "the parameter",
            "a segment of the path",
            ["fixed", "idle", "single seat"],
            "docs",
        ),
        Lang::PtBr => (
            [
                "Sistema",
                "Alvo",
                "Login",
                "Onde vai a sessão",
                "Tipo de sessão",
            ],
            "no parâmetro",
            "em um segmento do caminho",
            ["fixa", "ociosa", "única"],
            "docs/pt-BR",
        ),
    };
    let rows = provider::specs().into_iter().map(|spec| {
        let names: Vec<String> = std::iter::once(&spec.id)
            .chain(spec.aliases)
            .map(|name| code(name))
            .collect();
        let carried = match spec.placement.place() {
            "header" => "`Authorization: Bearer …`".to_owned(),
            "query" => format!("{parameter} `{}`", spec.placement.name()),
            _ => segment.to_owned(),
        };
        let page = format!("[{}]({folder}/{}.md)", spec.product, spec.id);
        let ages = match spec.ageing {
            Ageing::Fixed => ages[0],
            Ageing::Idle { .. } => ages[1],
            Ageing::SingleSeat { .. } => ages[2],
        };
        vec![
            page,
            names.join(", "),
            Text::declared(spec.method).render(lang),
            carried,
            ages.to_owned(),
        ]
    });
    table(&head, rows)
}

fn formats() -> String {
    let rows = Format::ALL.iter().map(|format| {
        vec![
            code(&format!("-f {}", format.name())),
            format.about().to_owned(),
        ]
    });
    table(&["Format", "What it is for"], rows)
}

fn exit_codes(lang: Lang) -> String {
    let head = match lang {
        Lang::En => ["Code", "Meaning", "What a script does"],
        Lang::PtBr => ["Código", "Significado", "O que o script faz"],
    };
    let rows = EXIT_CODES.iter().map(|(codes, meaning, action)| {
        // The catalogue has the meaning as the help shows it, without backticks.
        let mut said = meaning.replace('`', "");
        if let Some(translated) = translation(&said, lang) {
            said = translated.to_owned();
            for word in meaning.split('`').skip(1).step_by(2) {
                assert!(said.contains(word), "no {word} in: {said}");
                said = said.replacen(word, &code(word), 1);
            }
        } else {
            said = (*meaning).to_owned();
        }
        let action = match (lang, *action) {
            (Lang::En, action) => action,
            (_, "go on") => "continua",
            (_, "look") => "investiga",
            (_, "fix it") => "corrige",
            (_, "log in") => "faz login",
            (_, "do not retry") => "não tenta de novo",
            (_, "retry later") => "tenta mais tarde",
            (_, "check the URL") => "confere a URL",
            (_, "stop") => "para",
            (_, other) => panic!("not translated: {other}"),
        };
        vec![(*codes).to_owned(), said, action.to_owned()]
    });
    table(&head, rows)
}
