//! Writes the man pages in English and Portuguese and the completion scripts, for those who make packages:
//! `cargo run --example pages -- DIR` fills `DIR/man`, `DIR/man/pt_BR` and `DIR/completions`.

use std::io::{Result, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use crmauth::cli::Cli;
use crmauth::cli::translate::translated;
use crmauth::command::completions;
use crmauth::error::EXIT_CODES;
use crmauth::i18n::{Lang, translation};

/// What each shell calls the file of a program's completions.
const SCRIPTS: [(Shell, &str); 3] = [
    (Shell::Bash, "crmauth.bash"),
    (Shell::Zsh, "_crmauth"),
    (Shell::Fish, "crmauth.fish"),
];

/// The headings of a page in Portuguese.
const HEADINGS: [(&str, &str); 9] = [
    ("NAME", "NOME"),
    ("SYNOPSIS", "SINOPSE"),
    ("DESCRIPTION", "DESCRIÇÃO"),
    ("OPTIONS", "OPÇÕES"),
    ("SUBCOMMANDS", "COMANDOS"),
    ("EXAMPLES", "EXEMPLOS"),
    ("NOTES", "NOTAS"),
    ("ENVIRONMENT", "AMBIENTE"),
    ("FILES", "ARQUIVOS"),
];

/// The sections on variables and files: a heading, then each entry's name, its text, and that in Portuguese.
const SECTIONS: [(&str, &[[&str; 3]]); 2] = [
    (
        "ENVIRONMENT",
        &[
            [
                "PREFIX_FIELD",
                "A setting of a system's default account, such as GLUO_URL; `crmauth providers` lists them. A secret also as PREFIX_FIELD_FILE (a path) or PREFIX_FIELD_CMD (a command that prints it).",
                "Uma configuração da conta padrão de um sistema, como GLUO_URL; `crmauth providers` lista todas. Um segredo também como PREFIX_FIELD_FILE (um caminho) ou PREFIX_FIELD_CMD (um comando que o imprime).",
            ],
            [
                "PREFIX__ACCOUNT__FIELD",
                "The same for a named account, such as GLUO__FILIAL__URL for gluo@filial.",
                "O mesmo para uma conta nomeada, como GLUO__FILIAL__URL para gluo@filial.",
            ],
            [
                "CRMAUTH_ENV_FILE",
                "The env file to read instead of ./.env, as with --env-file.",
                "O arquivo de configurações a ler em vez de ./.env, como --env-file.",
            ],
            [
                "CRMAUTH_STORE",
                "Where sessions are kept, as with --store.",
                "Onde as sessões são guardadas, como --store.",
            ],
            [
                "CRMAUTH_STORE_KEY",
                "32 bytes in base64 that seal the sessions kept in Redis; also with _FILE or _CMD.",
                "32 bytes em base64 que selam as sessões guardadas no Redis; também com _FILE ou _CMD.",
            ],
            [
                "CRMAUTH_STORE_ALLOW_PLAIN",
                "1 lets redis://, which is not encrypted, leave this machine.",
                "1 permite que redis://, que não é cifrado, saia desta máquina.",
            ],
            [
                "CRMAUTH_LANG",
                "The language of messages, as with --lang.",
                "O idioma das mensagens, como --lang.",
            ],
            [
                "SSL_CERT_FILE, SSL_CERT_DIR",
                "Certificates to trust in place of the system's.",
                "Certificados em que confiar no lugar dos do sistema.",
            ],
            [
                "https_proxy, all_proxy, no_proxy",
                "The proxy for https; read as curl reads them.",
                "O proxy para https, lidos como o curl os lê.",
            ],
            [
                "NO_COLOR, CI",
                "No colour; with CI, no questions either.",
                "Sem cores; com CI, também nenhuma pergunta.",
            ],
        ],
    ),
    (
        "FILES",
        &[
            [
                "./.env",
                "Settings; the environment takes precedence.",
                "Configurações; o ambiente tem precedência.",
            ],
            [
                "$XDG_STATE_HOME/crmauth, ~/.local/state/crmauth",
                "The stored sessions, mode 0600.",
                "As sessões guardadas, modo 0600.",
            ],
            [
                "session.txt",
                "What --save writes, mode 0600.",
                "O que --save grava, modo 0600.",
            ],
        ],
    ),
];

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| "pages".into());
    let (man, scripts) = (
        Path::new(&folder).join("man"),
        Path::new(&folder).join("completions"),
    );
    std::fs::create_dir_all(&scripts)?;
    for (lang, man) in [(Lang::En, &man), (Lang::PtBr, &man.join("pt_BR"))] {
        std::fs::create_dir_all(man)?;
        pages(lang, man)?;
    }
    for (shell, name) in SCRIPTS {
        std::fs::write(
            scripts.join(name),
            completions::script(shell, Cli::program()),
        )?;
    }
    Ok(())
}

fn pages(lang: Lang, folder: &Path) -> Result<()> {
    let mut program = translated(Cli::program(), lang);
    // Building gives each verb the options that all of them have, and its whole name: crmauth-login.
    program.build();
    let commands = std::iter::once(&program).chain(program.get_subcommands());
    let named: Vec<(&str, &Command)> = commands
        .map(|command| {
            (
                command.get_display_name().unwrap_or(command.get_name()),
                command,
            )
        })
        .collect();
    for (name, command) in &named {
        let others = named
            .iter()
            .map(|(other, _)| *other)
            .filter(|other| other != name);
        let page = page(name, command, others, lang)?;
        std::fs::write(folder.join(format!("{name}.1")), page)?;
    }
    Ok(())
}

/// A command's page in roff, which ends with the names of the others.
fn page<'a>(
    name: &str,
    command: &Command,
    others: impl Iterator<Item = &'a str>,
    lang: Lang,
) -> Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .source(concat!("crmauth ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
        writeln!(
            page,
            ".SH \"{}\"",
            if lang == Lang::En {
                "EXIT STATUS"
            } else {
                "CÓDIGOS DE SAÍDA"
            }
        )?;
        for (codes, meaning, _) in EXIT_CODES {
            let english = meaning.replace('`', "");
            let meaning = translation(&english, lang).unwrap_or(&english);
            writeln!(page, ".TP\n{}\n{}", literal(codes), literal(meaning))?;
        }
        for (heading, entries) in SECTIONS {
            writeln!(page, ".SH {heading}")?;
            for [name, english, portuguese] in entries {
                let text = if lang == Lang::En {
                    english
                } else {
                    portuguese
                };
                writeln!(page, ".TP\n{}\n{}", literal(name), literal(text))?;
            }
        }
    }
    let more = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    for part in more.split("\n\n") {
        match part.split_once(":\n") {
            Some(("Exit codes" | "Códigos de saída", _)) => {}
            // Lines as the help shows them, neither wrapped nor filled.
            Some(("Examples" | "Exemplos", text)) => {
                writeln!(page, ".SH EXAMPLES\n.nf\n{}\n.fi", literal(text))?
            }
            _ => writeln!(page, ".SH NOTES\n{}", literal(part))?,
        }
    }
    let others: Vec<String> = others
        .map(|other| format!(".BR {} (1)", literal(other)))
        .collect();
    writeln!(page, ".SH \"SEE ALSO\"\n{}", others.join(",\n"))?;
    if lang == Lang::En {
        return Ok(page);
    }
    let mut page =
        String::from_utf8_lossy(&page).replace(".SH \"SEE ALSO\"", ".SH \"VEJA TAMBÉM\"");
    for (english, portuguese) in HEADINGS {
        page = page.replace(
            &format!("\n.SH {english}\n"),
            &format!("\n.SH {portuguese}\n"),
        );
    }
    Ok(page.into_bytes())
}

/// A text without anything that roff takes for its own.
fn literal(text: &str) -> String {
    let line = |line: &str| {
        let line = line
            .replace('\\', "\\e")
            .replace('-', "\\-")
            .replace('\'', "\\(aq");
        if line.starts_with('.') {
            format!("\\&{line}")
        } else {
            line
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
