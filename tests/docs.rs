//! Documents: what is made from the declarations is up to date, commands run, messages are the program's own, and
//! both languages tell the same. `UPDATE_DOCS=1 cargo test docs` writes the made parts anew.

mod ci;
mod commands;
mod likeness;
mod pages;
pub mod scenes;
mod tables;
mod templates;

use std::path::{Path, PathBuf};

/// The file at a path below the repository's root.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A document's text.
#[track_caller]
fn read(path: &str) -> String {
    std::fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents in English, sorted; each one's other half is [`portuguese`].
fn documents() -> Vec<String> {
    let entries = std::fs::read_dir(at("docs")).expect("docs");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let mut paths: Vec<String> = names
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    paths.push("README.md".to_owned());
    paths.sort();
    paths
}

/// The same document in Portuguese.
fn portuguese(path: &str) -> String {
    match path.strip_prefix("docs/") {
        Some(name) => format!("docs/pt-BR/{name}"),
        None => path.replace(".md", ".pt-BR.md"),
    }
}

/// The file holds this text, or is given it.
#[track_caller]
fn check(path: &str, text: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one way to ask this test to write"
    )]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(at(path), text).expect("written");
    }
    let current = std::fs::read_to_string(at(path)).unwrap_or_default();
    assert!(
        current == text,
        "{path} is stale; `UPDATE_DOCS=1 cargo test docs` writes it anew"
    );
}

/// Puts what is made into the places for it, which stand between `<!-- name -->` and `<!-- end -->`, and checks the
/// file. `made` says what a name stands for; it is asked for each of them.
#[track_caller]
fn fill(path: &str, made: impl Fn(&str) -> Option<String>) {
    let text = read(path);
    let mut filled = String::new();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("<!-- ") {
        let (name, behind) = behind.split_once(" -->").expect("a comment's end");
        filled.push_str(&format!("{before}<!-- {name} -->"));
        rest = behind;
        if let Some(new) = made(name) {
            let (_, behind) = rest
                .split_once("<!-- end -->")
                .unwrap_or_else(|| panic!("{path}: no end of {name}"));
            filled.push_str(&format!("\n{new}<!-- end -->"));
            rest = behind;
        }
    }
    filled.push_str(rest);
    check(path, &filled);
}

/// A Markdown table.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    // Outside of code, Markdown takes <TAB> for a tag.
    let cell = |text: &String| {
        if text.starts_with('`') {
            text.clone()
        } else {
            text.replace('<', "&lt;")
        }
    };
    let line = |cells: Vec<String>| {
        format!(
            "| {} |\n",
            cells.iter().map(cell).collect::<Vec<_>>().join(" | ")
        )
    };
    let mut text = line(head.iter().map(|cell| (*cell).to_owned()).collect());
    text.push_str(&line(head.iter().map(|_| "---".to_owned()).collect()));
    rows.into_iter().for_each(|row| text.push_str(&line(row)));
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}
