//! Files of `-o`, `--save` and the guided login: each appears whole, or not at all.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, error, why};
use crate::files::{Draft, mode, open_to_others, writable_by_others};
use crate::i18n::{Text, tr};
use crate::secret::foreign::printable;
use crate::signals::heed_signals;

pub struct Replacement {
    path: PathBuf,
    folder: PathBuf,
    draft: Draft,
}

impl Replacement {
    /// Proves that the file can be written, before anything else happens: the draft is made here. Only a regular file is
    /// replaced, or a missing one made: what a link names would be somebody else's file, and a FIFO or a device
    /// (`/dev/null` too) cannot be replaced without taking it from everybody.
    pub async fn open(path: PathBuf) -> Result<Self> {
        heed_signals().await;
        let old = existing(&path)?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let draft = Draft::create(&folder).map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::NotFound => tr!("create its folder first"),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => tr!("free some space there"),
                _ => tr!("choose a path in a folder that you can write to"),
            };
            failed(&path, tr!("cannot be written"), error).hint(hint)
        })?;
        #[cfg(unix)]
        if let Some(old) = old {
            check_replaceable(&path, &old, &folder, &draft)?;
        }
        Ok(Self {
            path,
            folder,
            draft,
        })
    }

    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let added = self.draft.add(bytes);
        added.map_err(|error| failed(&self.path, tr!("cannot be written"), error))
    }

    /// Returns warnings, each a sentence without a full stop.
    pub fn write(mut self, bytes: &[u8]) -> Result<Vec<Text>> {
        let path = self.path;
        let filled = self.draft.fill(bytes);
        filled.map_err(|error| failed(&path, tr!("cannot be written"), error))?;
        // Somebody may have put something else there since.
        let old = existing(&path)?;
        let unsure = self.draft.replace(&path);
        let unsure = unsure.map_err(|error| failed(&path, tr!("cannot be replaced"), error))?;
        let (path, folder) = (shown(&path), shown(&self.folder));
        let mut warnings = Vec::new();
        if old.is_some_and(|old| open_to_others(&old)) {
            warnings.push(tr!("{path} was readable by others; it is 0600 now"; path));
        }
        if std::fs::metadata(&self.folder).is_ok_and(|folder| writable_by_others(&folder)) {
            warnings.push(tr!("{path}: the directory is writable by others, who can replace the file"; path = folder));
        }
        if let Some(error) = unsure {
            warnings.push(tr!(
                "{path} is written, but may be lost in a power failure ({why})"; path, why = why(&error)));
        }
        Ok(warnings)
    }
}

/// The regular file at this path, if there is one; anything else is refused.
fn existing(path: &Path) -> Result<Option<Metadata>> {
    if path.as_os_str().is_empty() {
        return Err(error!(Usage: "the path of the output file is empty"));
    }
    let folder = || refused(path, tr!("is a directory")).hint(tr!("name a file in it"));
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(folder());
    }
    Err(match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => return Ok(Some(found)),
        Ok(found) if found.is_symlink() => refused(path, tr!("is a symbolic link")).hint(tr!(
            "name the file itself, or remove the link; for stdout leave -o out"
        )),
        Ok(found) if found.is_dir() => folder(),
        Ok(_) => {
            let what = tr!("is not a regular file but a pipe, a device or a socket");
            let hint = tr!("leave -o out and redirect stdout there with >");
            refused(path, what).hint(hint)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            failed(path, tr!("cannot be examined"), error).hint(tr!("check the path given to -o"))
        }
    })
}

/// Refuses a file whose place none of ours can take. The rename would fail too, but after the login.
#[cfg(unix)]
fn check_replaceable(path: &Path, old: &Metadata, folder: &Path, draft: &Draft) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    #[cfg(target_os = "linux")]
    if is_mount(path) {
        let hint = tr!("mount its folder instead, or redirect stdout there with >");
        return Err(refused(path, tr!("is a mount point, which cannot be replaced")).hint(hint));
    }
    if let (Ok(folder), Ok(ours)) = (std::fs::metadata(folder), draft.metadata())
        && held_by_others(mode(&folder), old.uid(), folder.uid(), ours.uid())
    {
        let why = tr!("belongs to somebody else, in a directory where only they may replace it");
        return Err(refused(path, why).hint(tr!("choose another path")));
    }
    Ok(())
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

fn failed(path: &Path, what: Text, error: io::Error) -> Error {
    refused(path, what).because(error)
}

fn refused(path: &Path, what: Text) -> Error {
    error!(Storage: "{path} {what}"; path = shown(path), what)
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

#[cfg(all(test, unix))]
mod tests {
    use super::held_by_others;

    #[test]
    fn in_a_sticky_folder_the_owners_decide() {
        assert!(held_by_others(0o1777, 7, 0, 8));
        assert!(!held_by_others(0o777, 7, 0, 8));
        for [old, folder, ours] in [[8, 0, 8], [7, 8, 8], [7, 7, 0]] {
            assert!(!held_by_others(0o1777, old, folder, ours));
        }
    }
}
