//! Writes the man pages and the completion scripts, for those who make packages:
//! `cargo run --example pages -- DIR` fills `DIR/man` and `DIR/completions`.

use std::io::{Result, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use crmauth::cli::Cli;
use crmauth::command::completions;
use crmauth::error::EXIT_CODES;

/// What each shell calls the file of a program's completions.
const SCRIPTS: [(Shell, &str); 3] = [
    (Shell::Bash, "crmauth.bash"),
    (Shell::Zsh, "_crmauth"),
    (Shell::Fish, "crmauth.fish"),
];

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| "pages".into());
    let (man, scripts) = (
        Path::new(&folder).join("man"),
        Path::new(&folder).join("completions"),
    );
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&scripts)?;
    // Building gives each verb the options that all of them have, and its whole name: crmauth-login.
    let mut program = Cli::program();
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
        std::fs::write(man.join(format!("{name}.1")), page(name, command, others)?)?;
    }
    for (shell, name) in SCRIPTS {
        std::fs::write(
            scripts.join(name),
            completions::script(shell, Cli::program()),
        )?;
    }
    Ok(())
}

/// A command's page in roff, which ends with the names of the others.
fn page<'a>(
    name: &str,
    command: &Command,
    others: impl Iterator<Item = &'a str>,
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
        writeln!(page, ".SH \"EXIT STATUS\"")?;
        for (codes, meaning, _) in EXIT_CODES {
            writeln!(page, ".TP\n{}\n{}", literal(codes), literal(meaning))?;
        }
    }
    let more = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    for part in more.split("\n\n") {
        match part.split_once(":\n") {
            Some(("Exit codes", _)) => {}
            // Lines as the help shows them, neither wrapped nor filled.
            Some(("Examples", text)) => {
                writeln!(page, ".SH EXAMPLES\n.nf\n{}\n.fi", literal(text))?
            }
            _ => writeln!(page, ".SH NOTES\n{}", literal(part))?,
        }
    }
    let others: Vec<String> = others
        .map(|other| format!(".BR {} (1)", literal(other)))
        .collect();
    writeln!(page, ".SH \"SEE ALSO\"\n{}", others.join(",\n"))?;
    Ok(page)
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
