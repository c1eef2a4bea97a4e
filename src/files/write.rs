//! Files that appear whole or not at all, and whom files belong to.

use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tempfile::{NamedTempFile, TempDir};

/// The beginning of every draft's name.
pub const DRAFT_PREFIX: &str = ".crmauth-";
/// How many random letters and digits follow it, unless the name is fixed.
const RANDOM_LENGTH: usize = 16;

/// A 0600 file beside the one that it will replace; removed when dropped.
pub struct Draft(NamedTempFile);

impl Draft {
    /// Makes one with a random name, after a sweep.
    pub fn create(folder: &Path) -> io::Result<Self> {
        sweep(folder, DRAFT_PREFIX, false);
        loop {
            let draft = Self::new(folder, DRAFT_PREFIX, RANDOM_LENGTH)?;
            if claim(draft.0.as_file(), draft.0.path()) {
                return Ok(draft);
            }
        }
    }

    /// Makes one with this name. The caller holds a lock that every writer of this name takes.
    pub fn named(folder: &Path, name: &str) -> io::Result<Self> {
        Self::new(folder, name, 0)
    }

    fn new(folder: &Path, prefix: &str, random: usize) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).rand_bytes(random);
        let temporary = builder.tempfile_in(folder)?;
        // A umask may have taken away more.
        set_mode(temporary.as_file(), 0o600)?;
        Ok(Self(temporary))
    }

    pub fn metadata(&self) -> io::Result<Metadata> {
        self.0.as_file().metadata()
    }

    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Writes and syncs it.
    pub fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.add(bytes)?;
        self.0.as_file().sync_all()
    }

    /// Replaces `path`, in the same folder, or leaves it as it was. `Ok` may tell why a power failure could undo that.
    pub fn replace(self, path: &Path) -> io::Result<Option<io::Error>> {
        let folder = self.0.path().parent().unwrap_or(path).to_owned();
        self.0.persist(path).map_err(|error| error.error)?;
        Ok(sync_folder(&folder).err())
    }
}

/// A 0700 temporary folder; removed when dropped, or, if its holders were killed, when the next one is made.
pub struct PrivateFolder {
    folder: TempDir,
    /// Tells a sweep that the folder is in use.
    _lock: File,
}

impl PrivateFolder {
    /// Makes one where temporary files go, after a sweep there.
    pub fn create(prefix: &str) -> io::Result<Self> {
        let place = tempfile::env::temp_dir();
        sweep(&place, prefix, true);
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).rand_bytes(RANDOM_LENGTH);
        #[cfg(unix)]
        builder.permissions(Permissions::from_mode(0o700));
        loop {
            let folder = builder.tempdir_in(&place)?;
            let _lock = match open_plainly(folder.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                lock => lock?,
            };
            if claim(&_lock, folder.path()) {
                set_folder_mode(folder.path())?;
                // Children that are started from now on keep the folder if this process is killed.
                #[cfg(unix)]
                rustix::io::fcntl_setfd(&_lock, rustix::io::FdFlags::empty())?;
                return Ok(Self { folder, _lock });
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Takes the lock that tells a sweep that somebody uses a file or folder, unless the sweep has been faster.
fn claim(lock: &File, path: &Path) -> bool {
    !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) && path.exists()
}

/// Removes files of ours, or folders, with this prefix that are not in use: their runs were killed.
fn sweep(folder: &Path, prefix: &str, folders: bool) {
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (file.path(), file.file_name());
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let random = random.unwrap_or_default();
        if random.len() == RANDOM_LENGTH
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && let Ok(file) = open_plainly(&path)
            && file.metadata().is_ok_and(|found| is_ours(&found))
            && file.try_lock().is_ok()
        {
            let _ = match folders {
                true => std::fs::remove_dir_all(path),
                false => std::fs::remove_file(path),
            };
        }
    }
}

/// Opens a file to read, but follows no link and waits for no pipe.
pub fn open_plainly(path: &Path) -> io::Result<File> {
    plainly(OpenOptions::new().read(true)).open(path)
}

/// As [`unlinked`]; a file that is made is 0600.
pub fn plainly(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    options.mode(0o600);
    unlinked(options)
}

/// Follows no link at the path's end and waits for no pipe.
pub fn unlinked(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    use rustix::fs::OFlags;
    #[cfg(unix)]
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Makes a folder and those above it, each 0700 under any umask.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    match builder.create(folder) {
        Ok(()) => set_folder_mode(folder),
        Err(_) if folder.is_dir() => Ok(()),
        failed => failed,
    }
}

fn set_folder_mode(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    Ok(())
}

/// Where there are no modes, nothing is set.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(Permissions::from_mode(mode))?;
    let _ = (file, mode);
    Ok(())
}

/// A file's mode; 0 where there are no modes.
#[cfg(unix)]
pub fn mode(of: &Metadata) -> u32 {
    of.permissions().mode()
}

#[cfg(not(unix))]
pub fn mode(_: &Metadata) -> u32 {
    0
}

/// Whether anybody but the owner may read, write or execute a file.
pub fn open_to_others(file: &Metadata) -> bool {
    mode(file) & 0o077 != 0
}

/// Whether others may replace the files in a folder, which they cannot in a sticky one.
pub fn writable_by_others(folder: &Metadata) -> bool {
    mode(folder) & 0o1002 == 0o0002
}

/// Whether a file is ours; true where files have no owners.
#[cfg(unix)]
pub fn is_ours(file: &Metadata) -> bool {
    file.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
pub fn is_ours(_: &Metadata) -> bool {
    true
}

/// Whether a file is ours or root's, who may read and write everything anyway.
pub fn is_ours_or_roots(file: &Metadata) -> bool {
    #[cfg(unix)]
    if file.uid() == 0 {
        return true;
    }
    is_ours(file)
}

/// Makes a rename last. Some file systems cannot sync a folder, and some folders may not be opened: neither is an error.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    use ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(why) if matches!(why.kind(), PermissionDenied | InvalidInput | Unsupported) => Ok(()),
        result => result,
    }
}
