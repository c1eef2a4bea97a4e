//! What the unit tests of this module share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Environment, Sources};
use crate::declaration::Target;
use crate::error::Result;

pub(super) fn target(text: &str) -> Target {
    super::target(text).expect(text)
}

/// Does work that may have to wait.
pub(super) fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

/// The sources of a run in that folder with these variables and `--env-file`s.
pub(super) fn load(dir: &Path, vars: &[(&str, &str)], files: &[&str]) -> Result<Sources> {
    let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    Sources::load(
        &Environment::new(vars, dir.to_owned()),
        &files,
        Duration::from_millis(50),
    )
}

/// A new folder with these files, readable by their owner only.
pub(super) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .expect("rights");
        }
    }
    dir
}
