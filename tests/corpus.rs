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
