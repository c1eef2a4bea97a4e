//! The order of the modules: data goes one way, so imports point one way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// From the ground up. A module may name those above it in this list, never one of its own line or below.
const LAYERS: &[&[&str]] = &[
    &["secret", "i18n", "terminal", "threads", "systems"],
    &["error"],
    &["json", "files", "url"],
    &["declaration", "session", "signals", "tls"],
    &["report"],
    &["http"],
    &["provider"],
    &["settings", "store", "output", "sandbox"],
    &["lifecycle"],
    &["proxy"],
    &["command"],
    &["cli"],
    &["lib"],
    &["main"],
];

/// A text that only these files may hold.
const OWNERS: &[(&str, &[&str])] = &[
    ("hyper::client", &["http/"]),
    ("hyper_util::client", &["http/"]),
    ("rustls", &["tls/"]),
    ("hyper::", &["http/", "proxy/", "sandbox/server.rs"]),
    (
        "hyper_util",
        &["http/", "proxy/mod.rs", "sandbox/server.rs"],
    ),
    (
        "stderr()",
        &["report/", "signals.rs", "settings/command.rs", "cli/"],
    ),
    ("stdout()", &["output/stdout.rs", "cli/mistakes.rs"]),
    ("env::vars_os", &["main.rs"]),
    (
        "redis::",
        &["store/redis/", "store/mod.rs", "command/shared.rs"],
    ),
    ("chacha20poly1305", &["store/redis/seal.rs"]),
    ("icu_properties", &["secret/foreign.rs"]),
    ("to_writer", &[]),
    ("clap", &["cli/", "command/"]),
];

#[test]
fn imports_point_one_way() {
    let ranks: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(rank, names)| names.iter().map(move |name| (*name, rank)))
        .collect();
    for (file, text) in sources() {
        let own = module(&file);
        let rank = ranks
            .get(own.as_str())
            .unwrap_or_else(|| panic!("{} stands in no layer", file.display()));
        for other in named(&text) {
            let Some(its) = ranks.get(other.as_str()) else {
                continue;
            };
            assert!(
                other == own || its < rank,
                "{} names crate::{other}",
                file.display()
            );
        }
    }
}

#[test]
fn what_has_one_owner_stands_nowhere_else() {
    for (file, text) in sources() {
        let name = file.to_str().expect("a name in UTF-8");
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for (word, owners) in OWNERS {
            assert!(
                owners.iter().any(|owner| name.starts_with(owner)) || !code.contains(word),
                "{name} holds {word}"
            );
        }
    }
}

#[test]
fn every_owner_and_layer_exists() {
    let files: Vec<PathBuf> = sources().into_iter().map(|(file, _)| file).collect();
    for (word, owners) in OWNERS {
        for owner in *owners {
            assert!(
                files.iter().any(|file| file.starts_with(owner)),
                "{owner} of {word}"
            );
        }
    }
    for name in LAYERS.iter().copied().flatten() {
        assert!(files.iter().any(|file| module(file) == *name), "{name}");
    }
}

/// Every source file with its text, its path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("a source file");
                found.push((
                    path.strip_prefix(&root).expect("below src").to_owned(),
                    text,
                ));
            }
        }
    }
    assert!(found.len() > 20, "the sources were found");
    found
}

/// `provider/gluo.rs` belongs to `provider`.
fn module(file: &Path) -> String {
    let first = file.components().next().expect("a component");
    Path::new(&first)
        .with_extension("")
        .to_str()
        .expect("a name in UTF-8")
        .to_owned()
}

/// Every module that follows `crate::` or, in `lib.rs`, stands in a list behind it.
fn named(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in text.split("crate::").skip(1) {
        let list = rest
            .strip_prefix('{')
            .and_then(|list| list.split_once('}'))
            .map_or(rest, |(list, _)| list);
        let several = rest.starts_with('{');
        for item in list.split(',').take(if several { usize::MAX } else { 1 }) {
            let word = item
                .trim()
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            names.extend(word.map(str::to_owned));
        }
    }
    names
}
