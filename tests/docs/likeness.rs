//! The two languages tell the same: headings, tables, code and links one by one.

use super::{at, documents, portuguese, read};

#[test]
fn both_languages_have_the_same_shape() {
    for path in documents() {
        let (one, other) = (shape(&read(&path)), shape(&read(&portuguese(&path))));
        for (place, (one, other)) in one.iter().zip(&other).enumerate() {
            assert_eq!(one, other, "{path} and {}, part {place}", portuguese(&path));
        }
        assert_eq!(
            one.len(),
            other.len(),
            "{path} and {} end differently",
            portuguese(&path)
        );
    }
}

#[test]
fn no_document_is_in_one_language_only() {
    let entries = std::fs::read_dir(at("docs/pt-BR")).expect("docs/pt-BR");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let mut found: Vec<String> = names.map(|name| format!("docs/pt-BR/{name}")).collect();
    found.push("README.pt-BR.md".to_owned());
    found.sort();
    let mut expected: Vec<String> = documents().iter().map(|path| portuguese(path)).collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// Whoever looks for a decision opens the file that is named; the made-up system has none.
#[test]
fn the_files_that_contributing_names_are_there() {
    let text = read("CONTRIBUTING.md");
    let quoted = text.split('`').skip(1).step_by(2);
    let made_up = |name: &str| name.contains("NAME") || name.contains("acme");
    let named: Vec<&str> = quoted
        .filter(|name| name.ends_with(".rs") && name.contains('/') && !made_up(name))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        let found = at(name).exists() || at(&format!("src/{name}")).exists();
        assert!(found, "{name}");
    }
}

/// What of a document does not depend on its language, a line a part.
fn shape(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            block = match block {
                None => Some(kind.to_owned()),
                Some(_) => None,
            };
            parts.push(format!("a border of code {kind}"));
        } else if let Some(kind) = &block {
            parts.extend(typed(kind, line));
        } else if line.starts_with('#') {
            parts.push(format!(
                "a heading of level {}",
                line.chars().take_while(|c| *c == '#').count()
            ));
        } else if line.starts_with('|') {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            parts.push(format!("a row of {}", cells.len()));
            parts.extend(
                cells
                    .iter()
                    .flat_map(|cell| cell.split('`').skip(1).step_by(2))
                    .map(str::to_owned),
            );
        } else if line.starts_with("<!-- run") || line.starts_with("<!-- exchange") {
            parts.push(line.to_owned());
        }
        if block.is_none() {
            let links = line
                .split("](")
                .skip(1)
                .filter_map(|link| link.split_once(')'));
            // A link's heading is in the page's language.
            parts.extend(links.map(|(link, _)| format!("a link to {}", target(link))));
        }
    }
    parts
}

/// What is typed or sent: of a terminal the commands, of a script or a configuration all but the comments.
fn typed(kind: &str, line: &str) -> Option<String> {
    if kind == "console" {
        return line.starts_with("$ ").then(|| line.to_owned());
    }
    let code = match line.split_once("# ") {
        Some((code, _)) if kind != "http" && (code.is_empty() || code.ends_with(' ')) => code,
        _ => line,
    };
    Some(code.trim_end().to_owned()).filter(|code| !code.is_empty())
}

/// A link without what differs between the folders of the two languages.
fn target(link: &str) -> String {
    let file = link.split('#').next().unwrap_or_default();
    let name = file.rsplit('/').next().unwrap_or_default();
    name.replace(".pt-BR", "")
        .replace("-pt-BR", "")
        .replace("-en.", ".")
}
