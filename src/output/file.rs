//! Where output goes: stdout, a file that appears whole or not at all, and GitHub's env file.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Rendered, stdout};
use crate::error::{Cause, Error, Result, printable, why};
use crate::files::{DRAFT_PREFIX, Draft, mode, open_to_others, sweep, writable_by_others};
use crate::i18n::{Text, tr};

/// Where the answer is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The process's stdout.
    Stdout,
    /// The file of `-o`.
    File(PathBuf),
}

/// A destination that was proved to take an answer.
pub struct Sink {
    main: Main,
    github_env: Option<File>,
}

enum Main {
    Stdout,
    File(Replacement),
}

impl Sink {
    /// Proves that the destination can be written, before anything else happens.
    ///
    /// A file gets its temporary neighbour here. Only a regular file is replaced, or a missing one made: what
    /// stands behind a link would be somebody else's file, and a FIFO or a device (`/dev/null` too) cannot be
    /// replaced without taking it from everybody.
    pub fn prepare(destination: Destination) -> Result<Self> {
        let main = match destination {
            Destination::Stdout => Main::Stdout,
            Destination::File(path) => Main::File(Replacement::open(path)?),
        };
        Ok(Self { main, github_env: None })
    }

    /// Opens GitHub's env file; `path` is the value of the environment variable `GITHUB_ENV`.
    pub fn github_env(mut self, path: Option<&Path>) -> Result<Self> {
        let path = path.filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| {
            Error::new(
                Cause::BadSetting,
                tr!("GITHUB_ENV is not set: the format github works inside GitHub Actions only"),
            )
            .hint(tr!("use -f sh or -f env outside of it"))
        })?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| failed(path, &tr!("cannot be opened; GITHUB_ENV names it"), &error))?;
        self.github_env = Some(file);
        Ok(self)
    }

    /// Writes all of an answer; returns warnings, each a sentence without a full stop.
    pub async fn deliver(self, rendered: Rendered) -> Result<Vec<Text>> {
        let Self { main, github_env } = self;
        let block = match (github_env, rendered.github_env) {
            (_, None) => None,
            (Some(file), Some(bytes)) => Some((file, bytes)),
            (None, Some(_)) => {
                return Err(Error::new(Cause::Other, tr!("GitHub's env file was not opened")));
            }
        };
        let warnings = match main {
            Main::Stdout => stdout::write(rendered.main).await.map(|()| Vec::new())?,
            Main::File(replacement) => replacement.write(&rendered.main)?,
        };
        if let Some((file, bytes)) = block {
            append(file, &bytes)
                .map_err(|error| storage(tr!("GitHub's env file cannot be written"), &error))?;
        }
        Ok(warnings)
    }
}

/// Puts these bytes into a file, as [`Sink::prepare`] and [`Sink::deliver`] do; returns warnings.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<Vec<Text>> {
    Replacement::open(path.to_owned())?.write(bytes)
}

/// A file that is to be replaced, and what will replace it.
struct Replacement {
    path: PathBuf,
    folder: PathBuf,
    draft: Draft,
}

impl Replacement {
    fn open(path: PathBuf) -> Result<Self> {
        let old = existing(&path)?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        sweep(&folder, DRAFT_PREFIX);
        let draft = Draft::create(&folder, DRAFT_PREFIX).map_err(|error| {
            failed(&path, &tr!("cannot be written"), &error).hint(match error.kind() {
                ErrorKind::NotFound => tr!("make its folder first"),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => tr!("make room there"),
                _ => tr!("choose a path in a folder that you may write"),
            })
        })?;
        #[cfg(unix)]
        if let (Some(old), Ok(folder), Ok(ours)) = (old, std::fs::metadata(&folder), draft.metadata())
            && let Some((what, hint)) = fixed(&path, &old, &folder, &ours)
        {
            return Err(
                Error::new(Cause::Storage, tr!("{path} {what}", path = shown(&path), what)).hint(hint)
            );
        }
        Ok(Self { path, folder, draft })
    }

    fn write(mut self, bytes: &[u8]) -> Result<Vec<Text>> {
        let path = self.path;
        self.draft.fill(bytes).map_err(|error| failed(&path, &tr!("cannot be written"), &error))?;
        // Asked again: since then somebody may have put something else there.
        let old = existing(&path)?;
        let unsure =
            self.draft.replace(&path).map_err(|error| failed(&path, &tr!("cannot be replaced"), &error))?;
        let mut warnings = Vec::new();
        if old.is_some_and(|old| open_to_others(&old)) {
            warnings.push(tr!("{path} was readable by others; it is 0600 now", path = shown(&path)));
        }
        if std::fs::metadata(&self.folder).is_ok_and(|folder| writable_by_others(&folder)) {
            warnings.push(tr!(
                "{path}: the directory is writable by others, who can replace the file",
                path = shown(&self.folder)
            ));
        }
        if let Some(error) = unsure {
            warnings.push(tr!(
                "{path} is written, but may be lost in a power failure ({why})",
                path = shown(&path),
                why = why(error.kind())
            ));
        }
        Ok(warnings)
    }
}

/// The regular file that is there, if one is; anything else there is refused.
fn existing(path: &Path) -> Result<Option<Metadata>> {
    let refuse = |what: Text, hint: Text| {
        Err(Error::new(Cause::Storage, tr!("{path} {what}", path = shown(path), what)).hint(hint))
    };
    if path.as_os_str().is_empty() {
        return Err(Error::new(Cause::Usage, tr!("the path of the output file is empty")));
    }
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return refuse(tr!("is a directory"), tr!("name a file in it"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(found) if found.is_symlink() => refuse(
            tr!("is a symbolic link"),
            tr!("name the file itself, or remove the link; for stdout leave -o out"),
        ),
        Ok(found) if found.is_dir() => refuse(tr!("is a directory"), tr!("name a file in it")),
        Ok(_) => refuse(
            tr!("is no regular file, but a pipe, a device or a socket"),
            tr!("leave -o out and redirect stdout there with >"),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(failed(path, &tr!("cannot be looked at"), &error).hint(tr!("check the path given to -o")))
        }
    }
}

/// Why no file of ours can take the old one's place, and the next step: found out here, since the rename would
/// find it out after the login.
#[cfg(unix)]
fn fixed(path: &Path, old: &Metadata, folder: &Metadata, ours: &Metadata) -> Option<(Text, Text)> {
    use std::os::unix::fs::MetadataExt;
    if is_mount(path) {
        return Some((
            tr!("is a mount of its own, which cannot be replaced"),
            tr!("mount its folder instead, or redirect stdout there with >"),
        ));
    }
    held_by_others(mode(folder), old.uid(), folder.uid(), ours.uid()).then(|| {
        (
            tr!("belongs to somebody else, in a directory where only they may replace it"),
            tr!("choose another path"),
        )
    })
}

/// In a sticky folder a file is replaced by its owner, the folder's owner or root.
#[cfg(unix)]
fn held_by_others(folder_mode: u32, old: u32, folder: u32, ours: u32) -> bool {
    folder_mode & 0o1000 != 0 && ![old, folder, 0].contains(&ours)
}

/// A file that `docker run -v FILE:FILE` put there, for example.
#[cfg(target_os = "linux")]
fn is_mount(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_mount(_: &Path) -> bool {
    false
}

/// One write, beginning on a fresh line. Half a block would make the runner misread all of the file, so what
/// was written of it is taken back.
fn append(mut file: File, bytes: &[u8]) -> io::Result<()> {
    let before = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if before > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let mut block = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
    if last != *b"\n" {
        block.push(b'\n');
    }
    block.extend_from_slice(bytes);
    let written = file.write(&block);
    if let Ok(count) = written
        && count == block.len()
    {
        return Ok(());
    }
    file.set_len(before)?;
    written.and(Err(ErrorKind::WriteZero.into()))
}

fn failed(path: &Path, what: &Text, error: &io::Error) -> Error {
    storage(tr!("{path} {what}", path = shown(path), what), error)
}

fn storage(message: Text, error: &io::Error) -> Error {
    Error::new(Cause::Storage, message).because(error)
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn in_a_sticky_folder_the_owners_decide() {
        assert!(held_by_others(0o1777, 7, 0, 8));
        for (mode, old, folder, ours) in
            [(0o777, 7, 0, 8), (0o1777, 8, 0, 8), (0o1777, 7, 8, 8), (0o1777, 7, 7, 0)]
        {
            assert!(!held_by_others(mode, old, folder, ours), "{mode:o} {old} {folder} {ours}");
        }
    }
}
