//! Documents that are made from the declarations. `UPDATE_DOCS=1 cargo test docs` writes them anew.

use std::path::Path;
use std::process::Command;

use crmauth::command::providers::needed;
use crmauth::error::EXIT_CODES;
use crmauth::output;
use crmauth::provider;
use crmauth::spec::{COMMON, Field, Target};

use crate::support::Machine;
use crate::support::machine::installed;

#[test]
fn the_readmes_tables_are_those_of_the_declarations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut text = std::fs::read_to_string(&path).expect("README.md");
    for (name, table) in [
        ("systems", systems()),
        ("settings", settings()),
        ("formats", formats()),
        ("exit codes", exit_codes()),
    ] {
        let start = format!("<!-- {name} -->\n");
        let from =
            text.find(&start).unwrap_or_else(|| panic!("README has no place for {name}")) + start.len();
        let to = from + text[from..].find("<!-- end -->").expect("an end");
        text.replace_range(from..to, &table);
    }
    check(&path, &text);
}

#[test]
fn the_example_env_file_is_the_one_that_providers_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_crmauth"))
        .args(["providers", "--env"])
        .env_clear()
        .output()
        .expect("the program");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    check(&path, &String::from_utf8(output.stdout).expect("UTF-8"));
}

#[test]
fn every_exit_code_of_an_error_is_documented() {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/error.rs"));
    let source = source.expect("error.rs");
    let documented: Vec<&str> = EXIT_CODES.iter().flat_map(|(codes, ..)| codes.split(", ")).collect();
    let facts = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once("\", ")?.1.strip_suffix("),"));
    let mut seen = 0;
    for code in facts {
        assert!(documented.contains(&code), "exit code {code}");
        seen += 1;
    }
    assert!(seen > 20, "the causes were found");
}

#[test]
fn the_readmes_commands_work_in_the_sandbox() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    if !installed("curl") {
        return;
    }
    let machine = Machine::new();
    let mut blocks = 0;
    for part in text.split("<!-- runs in the sandbox -->\n\n").skip(1) {
        let lines = part.lines().take_while(|line| line.starts_with("    "));
        let script: String = lines.map(|line| format!("{}\n", line.trim_start())).collect();
        machine.write("script.sh", format!("set -eu\n{script}"));
        let outcome = machine.shell("sh", "crmauth sandbox -q -- sh script.sh");
        assert_eq!(outcome.code, 0, "{script}{}", outcome.stderr);
        assert!(
            !outcome.stdout.is_empty() && !outcome.stdout.contains("ERROR"),
            "{script}{}",
            outcome.stdout
        );
        blocks += 1;
    }
    assert_eq!(blocks, 3);
}

/// The file holds this text, or is given it.
fn check(path: &Path, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "the one way to ask this test to write")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, text).expect("written");
    }
    let current = std::fs::read_to_string(path).unwrap_or_default();
    assert!(current == text, "{} is stale; `UPDATE_DOCS=1 cargo test docs` writes it anew", path.display());
}

/// A Markdown table.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    // Outside of code, Markdown takes <TAB> for a tag.
    let cell = |text: &String| if text.starts_with('`') { text.clone() } else { text.replace('<', "&lt;") };
    let line =
        |cells: Vec<String>| format!("| {} |\n", cells.iter().map(cell).collect::<Vec<_>>().join(" | "));
    let mut text = line(head.iter().map(|cell| (*cell).to_owned()).collect());
    text.push_str(&line(head.iter().map(|_| "---".to_owned()).collect()));
    rows.for_each(|row| text.push_str(&line(row)));
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn systems() -> String {
    let rows = provider::specs().into_iter().map(|spec| {
        let names: Vec<String> =
            std::iter::once(&spec.id).chain(spec.aliases).map(|name| code(name)).collect();
        let carried = match spec.placement.place() {
            "header" => "`Authorization: Bearer …`".to_owned(),
            "query" => format!("parameter `{}`", spec.placement.name()),
            _ => "a segment of the path".to_owned(),
        };
        vec![spec.product.to_owned(), names.join(", "), spec.method.to_owned(), carried]
    });
    table(&["System", "Target", "Login", "The session goes into"], rows)
}

fn settings() -> String {
    let row =
        |variable: String, field: &Field, rule: String| vec![code(&variable), field.help.to_owned(), rule];
    let rows = provider::specs().into_iter().flat_map(|spec| {
        let target = Target { spec, account: None };
        let own = spec.all_fields().filter(|field| field.name == "URL" || !common(field));
        own.map(move |field| row(target.variable(field.name), field, needed(field, &target)))
            .collect::<Vec<_>>()
    });
    let guards = COMMON.iter().filter(|field| field.name != "URL");
    let every = guards.map(|field| row(format!("PREFIX_{}", field.name), field, "optional".to_owned()));
    table(&["Setting", "What it is", "Needed"], rows.chain(every))
}

/// Whether every provider has it.
fn common(field: &Field) -> bool {
    COMMON.iter().any(|other| other.name == field.name)
}

fn formats() -> String {
    let rows = output::ALL
        .iter()
        .map(|format| vec![code(&format!("-f {}", format.name())), format.about().to_owned()]);
    table(&["Format", "What it is for"], rows)
}

fn exit_codes() -> String {
    let rows = EXIT_CODES
        .iter()
        .map(|(code, meaning, action)| vec![(*code).to_owned(), (*meaning).to_owned(), (*action).to_owned()]);
    table(&["Code", "Meaning", "What a script does"], rows)
}
