//! Whatever an env file holds: a setting of ours arrives as another reader sees it, or it is refused without its
//! value being shown.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crmauth::error::{Cause, Error};
use crmauth::settings::{self, Environment, Sources};

use super::{shown, silent};

/// What stands in the values of the seeds.
const CANARY: &str = "Zk7q9Xw2";

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
}

/// For what a `_FILE` names, which may be a pipe.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The bytes are an env file that somebody named.
pub fn holds(data: &[u8]) {
    let (folder, path) =
        FOLDER.with(|folder| (folder.path().to_owned(), folder.path().join("env")));
    std::fs::write(&path, data).expect("a file");
    let environment = Environment::new(std::iter::empty::<(OsString, OsString)>(), folder);
    let runtime = runtime();
    let files = [PathBuf::from("env")];
    let loaded = Sources::load(&environment, &files, Duration::from_millis(1));
    let sources = match runtime.block_on(loaded) {
        Ok(sources) => sources,
        Err(error) => return refused(&error, data),
    };
    let others = other_reader(data);
    for target in sources.configured() {
        let plan = match runtime.block_on(settings::find(&target, &sources)) {
            Ok(plan) => plan,
            Err(error) => {
                refused(&error, data);
                continue;
            }
        };
        for found in plan
            .found
            .iter()
            .filter(|found| matches!(found.origin, settings::Origin::File { .. }))
        {
            let Some(value) = found.known() else {
                continue;
            };
            let value = value.expose();
            assert!(
                !value.chars().any(char::is_control),
                "{} has a control character",
                found.written
            );
            assert!(!value.trim().is_empty(), "{} is empty", found.written);
            if !found.field.secret() || found.written.ends_with("_FILE") {
                continue;
            }
            if let Some(other) = others
                .as_ref()
                .and_then(|others| others.get(&found.written))
            {
                assert_eq!(other, value, "{}", found.written);
            }
        }
        if let Some(error) = plan.missing {
            refused(&error, data);
        }
    }
}

fn refused(error: &Error, data: &[u8]) {
    assert!(
        matches!(error.cause, Cause::BadSetting | Cause::MissingSetting),
        "{error:?}"
    );
    for text in shown(&silent(), error) {
        assert!(text.len() < 4000, "too long: {text}");
        assert!(
            in_names(data) || !text.contains(CANARY),
            "a value is shown: {text}"
        );
    }
}

/// Whether the canary stands anywhere but behind a `=`.
fn in_names(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    text.split(['\n', '\r']).any(|line| {
        line.split('=')
            .next()
            .is_some_and(|name| name.contains(CANARY))
    })
}

/// What dotenvy makes of the file, if it takes all of it.
fn other_reader(data: &[u8]) -> Option<BTreeMap<String, String>> {
    dotenvy::from_read_iter(data).collect::<Result<_, _>>().ok()
}
