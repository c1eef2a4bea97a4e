//! Keeps a file with secrets out of git.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::{Run, child};
use crate::error::{Result, why};
use crate::files;
use crate::i18n::{Text, tr};
use crate::signals::interruptible;

/// How long git may take to answer: somebody else's `.gitignore` may keep it busy for ever.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of a `.gitignore` is read to see how its lines end.
const RULES_MAX: u64 = 1024 * 1024;

/// Keeps a file that was written out of git; without a person at the terminal only says that git would take it in.
pub(super) async fn keep_out(file: &Path, shown: &str, run: &Run<'_>) -> Result<()> {
    if !is_exposed(file, run).await? {
        return Ok(());
    }
    let warning = match run.report.is_at_terminal().then(|| add(file)) {
        None => tr!("git does not ignore {shown}: add it to .gitignore"; shown),
        Some(Err(why)) => tr!(
            "git does not ignore {shown}, and .gitignore cannot be written ({why})"; shown, why),
        Some(Ok(added)) => {
            let added = added.map(|file| tr!("{file} keeps it out of git"; file = file.display()));
            added.into_iter().for_each(|text| run.report.tell(text));
            return Ok(());
        }
    };
    run.report.warn(None, warning);
    Ok(())
}

/// Whether git would take a file in: it is in a repository and not ignored. Also where git cannot tell.
async fn is_exposed(file: &Path, run: &Run<'_>) -> Result<bool> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Ok(false);
    };
    let mut above = folder.ancestors();
    if !above.any(|folder| folder.join(".git").exists()) {
        return Ok(false);
    }
    let Ok(git) = child::find(OsStr::new("git"), run) else {
        return Ok(true);
    };
    let asked = tokio::process::Command::new(git)
        // With the index git would run whatever the repository's own configuration names as its file monitor.
        .args(["check-ignore", "--quiet", "--no-index", "--"])
        // The folder keeps git from reading the name as a pattern or an option.
        .arg(Path::new(".").join(name))
        .current_dir(folder)
        .env_clear()
        .envs(run.environment.public_vars(|_| true))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    let asked = tokio::time::timeout(PATIENCE, asked);
    let ignored = async { Ok(matches!(asked.await, Ok(Ok(status)) if status.success())) };
    Ok(!interruptible(None, ignored).await?)
}

/// Adds a file to the `.gitignore` beside it, which is returned unless it names the file already.
fn add(file: &Path) -> std::result::Result<Option<PathBuf>, Text> {
    let Some(name) = file.file_name().and_then(OsStr::to_str) else {
        return Ok(None);
    };
    let rules = file.with_file_name(".gitignore");
    match std::fs::symlink_metadata(&rules) {
        // The line would go into somebody else's file, and git reads no such link.
        Ok(found) if found.is_symlink() => return Err(tr!("it is a symbolic link")),
        Ok(found) if !found.is_file() => return Err(tr!("it is not a regular file")),
        _ => {}
    }
    let added = append(&rules, name).map_err(|error| why(&error))?;
    Ok(added.then_some(rules))
}

/// Adds a line to a file unless it is there; whether it was added.
fn append(path: &Path, line: &str) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true);
    // Whatever has become of it since it was looked at.
    let mut file = files::unlinked(options).open(path)?;
    let mut old = Vec::new();
    (&file).take(RULES_MAX).read_to_end(&mut old)?;
    let mut lines = old.split_inclusive(|byte| *byte == b'\n');
    let is_line = |old: &[u8]| old.trim_ascii_end() == line.as_bytes();
    if lines.clone().any(is_line) {
        return Ok(false);
    }
    let end = match lines.next() {
        Some(first) if first.ends_with(b"\r\n") => "\r\n",
        _ => "\n",
    };
    let whole = u64::try_from(old.len()).is_ok_and(|length| length < RULES_MAX);
    let fresh = whole && (old.is_empty() || old.ends_with(b"\n"));
    let before = if fresh { "" } else { end };
    file.write_all([before, line, end].concat().as_bytes())?;
    Ok(true)
}
