//! What fuzzing has found worth keeping: every property holds for it.

use std::path::Path;

use super::properties;

#[test]
fn every_property_holds_for_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    super::support::at_once(properties::ALL, |(name, _)| {
        let files = std::fs::read_dir(corpus.join(name))
            .expect("a folder")
            .map(|file| file.expect("a file").path());
        let mut held = 0;
        for file in files {
            let data = std::fs::read(&file).expect("a file");
            let outcome = std::panic::catch_unwind(|| properties::hold(name, &data));
            assert!(outcome.is_ok(), "{}", file.display());
            held += 1;
        }
        assert!(held > 0, "{name} has a corpus");
    });
}

#[test]
fn every_property_has_a_fuzz_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, _) in properties::ALL {
        let target = std::fs::read_to_string(fuzz.join("targets").join(name).with_extension("rs"));
        assert!(
            target
                .expect("a target")
                .contains(&format!("properties::hold(\"{name}\", data)"))
        );
        assert!(
            fuzz.join("dictionaries").join(name).exists(),
            "{name} has a dictionary"
        );
    }
}

/// `fuzz/run` builds with `--locked`, which fails if the list is out of date.
#[test]
fn the_lock_of_fuzzing_knows_what_the_program_is_made_of() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file| std::fs::read_to_string(root.join(file)).expect("a file");
    let (manifest, lock) = (read("Cargo.toml"), read("fuzz/Cargo.lock"));
    let package = lock
        .split("[[package]]\n")
        .find(|package| package.starts_with("name = \"crmauth\"\n"));
    let (_, locked) = package
        .and_then(|package| package.split_once("dependencies = [\n"))
        .expect("our dependencies");
    // A name of which there are several versions stands with its own.
    let locked: Vec<&str> = locked
        .lines()
        .map_while(|line| line.strip_prefix(" \"")?.split(['"', ' ']).next())
        .collect();
    let mut named: Vec<&str> = manifest
        .split("\n[")
        .filter(|table| {
            let name = table.split(']').next().unwrap_or_default();
            name.ends_with("dependencies") && !name.contains("dev-")
        })
        .flat_map(|table| table.lines().skip(1))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named, locked);
}
