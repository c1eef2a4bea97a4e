//! Files that appear whole or not at all, and whose they are.

use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

/// What the name of every file under construction begins with.
pub const DRAFT_PREFIX: &str = ".crmauth-";
/// What it ends with: so many letters and digits.
const RANDOM_LENGTH: usize = 16;

/// A file under construction, mode 0600, beside the one that it will replace; removed when dropped.
pub struct Draft {
    folder: PathBuf,
    temporary: NamedTempFile,
}

impl Draft {
    /// Makes one in `folder` whose name nobody knows beforehand; `prefix` begins it.
    pub fn create(folder: &Path, prefix: &str) -> io::Result<Self> {
        loop {
            let draft = Self::new(folder, prefix, RANDOM_LENGTH)?;
            // The lock tells those who sweep that its writer is alive; one of them may just have been faster.
            let ours = !matches!(draft.temporary.as_file().try_lock(), Err(TryLockError::WouldBlock));
            if ours && draft.temporary.path().exists() {
                return Ok(draft);
            }
        }
    }

    /// Makes one of this name, for a writer who holds a lock that all writers of that name respect.
    pub fn named(folder: &Path, name: &str) -> io::Result<Self> {
        Self::new(folder, name, 0)
    }

    fn new(folder: &Path, prefix: &str, random: usize) -> io::Result<Self> {
        let temporary = tempfile::Builder::new().prefix(prefix).rand_bytes(random).tempfile_in(folder)?;
        // Whatever the umask is.
        set_mode(temporary.as_file(), 0o600)?;
        Ok(Self { folder: folder.to_owned(), temporary })
    }

    /// What the operating system knows of it.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.temporary.as_file().metadata()
    }

    /// Writes all of it to the disk.
    ///
    /// Errors: what the operating system says; the draft may be half written then.
    pub fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.temporary.write_all(bytes)?;
        self.temporary.as_file().sync_all()
    }

    /// Puts it in the place of `path`, in the same folder. `Ok` holds the reason why the change may not outlast
    /// a power failure, if there is one.
    ///
    /// Errors: what the operating system says; the old file is as it was then.
    pub fn replace(self, path: &Path) -> io::Result<Option<io::Error>> {
        self.temporary.persist(path).map_err(|error| error.error)?;
        Ok(sync_folder(&self.folder).err())
    }
}

/// A temporary folder of our own, 0700; removed when dropped, or by the next one of its prefix where its holders
/// were killed.
pub struct PrivateFolder {
    folder: TempDir,
    /// Tells those who sweep that somebody still uses the folder.
    lock: File,
}

impl PrivateFolder {
    /// Makes one where temporary files go, and sweeps those that were left behind there.
    pub fn create(prefix: &str) -> io::Result<Self> {
        let place = tempfile::env::temp_dir();
        sweep_folders(&place, prefix);
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).rand_bytes(RANDOM_LENGTH);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        loop {
            let folder = builder.tempdir_in(&place)?;
            let lock = match open_plainly(folder.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                lock => lock?,
            };
            // One of those who sweep may just have been faster.
            let ours = !matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
            if ours && folder.path().exists() {
                set_folder_mode(folder.path())?;
                return Ok(Self { folder, lock });
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lets the children that are started from now on hold the folder too, should this process be killed.
    pub fn share(&self) -> io::Result<()> {
        #[cfg(unix)]
        rustix::io::fcntl_setfd(&self.lock, rustix::io::FdFlags::empty())?;
        Ok(())
    }
}

/// Removes folders whose names begin so and that nobody holds.
fn sweep_folders(place: &Path, prefix: &str) {
    for path in of_prefix(place, prefix) {
        if let Ok(folder) = open_plainly(&path)
            && folder.metadata().is_ok_and(|folder| folder.is_dir() && is_ours(&folder))
            && folder.try_lock().is_ok()
        {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

/// Whatever has a name that begins so and ends as ours do.
fn of_prefix(folder: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = move |file: &std::fs::DirEntry| {
        let name = file.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix));
        random.is_some_and(|random| {
            random.len() == RANDOM_LENGTH && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    files.filter(named).map(|file| file.path())
}

/// Removes drafts whose names begin so and whose writers died: a living one holds a lock.
pub fn sweep(folder: &Path, prefix: &str) {
    for path in of_prefix(folder, prefix) {
        if let Ok(draft) = open_plainly(&path)
            && draft.metadata().is_ok_and(|draft| draft.is_file() && is_ours(&draft))
            && draft.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Opens a file to read, but follows no link and waits for no pipe.
pub fn open_plainly(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.cast_signed());
    }
    options.open(path)
}

/// Makes a folder and those above it, each 0700 whatever the umask is.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Ok(()) => set_folder_mode(folder),
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives a folder the mode that a umask kept from it.
fn set_folder_mode(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::set_permissions(folder, <Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700))?;
    Ok(())
}

/// Sets an open file's mode.
#[cfg(unix)]
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode))
}

/// There are no modes.
#[cfg(not(unix))]
pub fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// A file's mode; 0 where there are no modes.
#[cfg(unix)]
pub fn mode(of: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&of.permissions())
}

/// A file's mode; 0 where there are no modes.
#[cfg(not(unix))]
pub fn mode(_: &Metadata) -> u32 {
    0
}

/// Whether anybody but the owner may do anything with a file.
pub fn open_to_others(file: &Metadata) -> bool {
    mode(file) & 0o077 != 0
}

/// Whether anybody but the owner may read a file.
pub fn readable_by_others(file: &Metadata) -> bool {
    mode(file) & 0o044 != 0
}

/// Whether others may replace the files in a folder; in a sticky one they cannot.
pub fn writable_by_others(folder: &Metadata) -> bool {
    mode(folder) & 0o1002 == 0o0002
}

/// Whether a file is ours; true where files have no owners.
#[cfg(unix)]
pub fn is_ours(file: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(file) == rustix::process::geteuid().as_raw()
}

/// Whether a file is ours; true where files have no owners.
#[cfg(not(unix))]
pub fn is_ours(_: &Metadata) -> bool {
    true
}

/// Makes a rename last. Not every file system can, and not every folder may be opened: then it is not ours to
/// judge.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}
