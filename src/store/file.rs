//! `file:DIR`: one 0600 file a session in a 0700 folder, replaced atomically under a lock file beside it.

use std::cell::{Cell, OnceCell};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    ENTRY_MAX, Entry, Found, Held, KEY_LENGTH, Key, Lock, Written, decode, encode, hmac, is_name, newer,
};
use crate::error::{Cause, Error, Result, why};
use crate::files::{self, DRAFT_PREFIX, Draft, open_plainly};
use crate::i18n::{Text, tr};
use crate::secret::{Secret, hex};

/// The file of the store's own key, and its lock.
const KEY_FILE: &str = "key";
const KEY_LOCK: &str = "key.lock";
/// Between two looks at a lock that another holds; jitter adds up to as much again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The longest pause between two looks.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(80);

type OwnKey = Zeroizing<[u8; KEY_LENGTH]>;

/// What a file that is named as an entry holds.
enum Content {
    Sound(Key, Entry),
    /// An entry that others may have read or changed.
    Exposed(Key, Entry),
    /// No entry, and why not.
    Broken(Text),
}

pub struct FileStore {
    folder: PathBuf,
    key: OnceCell<OwnKey>,
    swept: Cell<bool>,
    /// One reference is ours, and each lock that is held has one.
    locks: Rc<()>,
}

impl FileStore {
    /// Nothing is opened or made before it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, key: OnceCell::new(), swept: Cell::new(false), locks: Rc::new(()) }
    }

    pub fn place(&self) -> String {
        format!("file:{}", self.folder.display())
    }

    pub async fn read(&self, key: &Key, _deadline: Instant) -> Result<Found> {
        let path = self.entry_path(key);
        let unusable = |why| Found::unusable(tr!("{path} {why}", path = path.display(), why));
        Ok(match self.read_now(&path)? {
            None => Found::default(),
            Some(Content::Broken(why)) => unusable(why),
            Some(Content::Sound(its, _) | Content::Exposed(its, _)) if its != *key => {
                Found::unusable(tr!("{path} is of another session", path = path.display()))
            }
            Some(Content::Exposed(_, entry)) => Found {
                exposed: Some(entry),
                ..unusable(tr!("is open to others; somebody may have changed it"))
            },
            Some(Content::Sound(_, entry)) => Found { entry: Some(entry), ..Found::default() },
        })
    }

    pub async fn lock(&self, key: &Key, deadline: Instant) -> Result<Lock> {
        let file = self.acquire(&self.lock_path(key), deadline).await?;
        Ok(Lock { key: key.clone(), held: Held::File(file, Rc::clone(&self.locks)) })
    }

    pub async fn write(&self, lock: &Lock, entry: &Entry) -> Result<Written> {
        let bytes = encode(&lock.key, entry);
        let (folder, path) = (self.folder.clone(), self.entry_path(&lock.key));
        let write = move || put(&folder, &path, &bytes);
        // A disk takes its time, and no more of it for several files than for one.
        let alone = Rc::strong_count(&self.locks) <= 2;
        let written = if alone {
            write()
        } else {
            tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
        };
        written.map(|()| Written::Stored).map_err(|error| self.failed(tr!("cannot be written"), &error))
    }

    pub async fn forget(&self, lock: &Lock) -> Result<()> {
        self.remove(&self.entry_path(&lock.key))
            .map_err(|error| self.failed(tr!("cannot be written"), &error))
    }

    /// A lock file without an entry is of no more use; whoever waits for it notices that it is gone.
    pub async fn release(&self, lock: Lock) -> Result<()> {
        if !self.entry_path(&lock.key).exists() {
            let _ = self.remove(&self.lock_path(&lock.key));
        }
        drop(lock.held);
        Ok(())
    }

    pub async fn discard(&self, deadline: Instant) -> Result<usize> {
        let stays = |path: &Path| -> Result<bool> {
            Ok(match self.read_now(path)? {
                None => true,
                Some(Content::Sound(key, _) | Content::Exposed(key, _)) => self.entry_path(&key) == path,
                // Another version's is not ours to judge.
                Some(Content::Broken(why)) => why == newer(),
            })
        };
        let mut discarded = 0;
        for path in self.entry_files() {
            if stays(&path)? {
                continue;
            }
            let lock_path = path.with_extension("lock");
            let lock = self.acquire(&lock_path, deadline).await?;
            if !stays(&path)? {
                let removed = self.remove(&path).and_then(|()| self.remove(&lock_path));
                removed.map_err(|error| self.failed(tr!("cannot be written"), &error))?;
                discarded += 1;
            }
            drop(lock);
        }
        Ok(discarded)
    }

    pub async fn list(&self, _deadline: Instant) -> Result<Vec<(Key, Entry)>> {
        self.entries(false)
    }

    pub async fn fingerprint(&self, secret: &Secret, deadline: Instant) -> Result<String> {
        let key = match self.key.get() {
            Some(key) => key,
            None => {
                let key = self.key(deadline).await?;
                self.key.get_or_init(|| key)
            }
        };
        Ok(hex(&hmac(key, secret.expose().as_bytes())))
    }

    fn entry_path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.json", key.name()))
    }

    fn lock_path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.lock", key.name()))
    }

    /// Every file that is named as an entry is.
    fn entry_files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let named = |path: &PathBuf| {
            path.file_stem().and_then(|name| name.to_str()).is_some_and(is_name)
                && path.extension().is_some_and(|end| end == "json")
        };
        files.map(|file| file.path()).filter(named).collect()
    }

    /// Every entry that is where it belongs, in the order of their keys: the sound ones, or the exposed ones.
    pub(super) fn entries(&self, exposed: bool) -> Result<Vec<(Key, Entry)>> {
        let mut found = Vec::new();
        for path in self.entry_files() {
            let (key, entry) = match self.read_now(&path)? {
                Some(Content::Sound(key, entry)) if !exposed => (key, entry),
                Some(Content::Exposed(key, entry)) if exposed => (key, entry),
                _ => continue,
            };
            if self.entry_path(&key) == path {
                found.push((key, entry));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    /// Removes a file; none is there afterwards.
    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits for a lock file of this name, which then is this process's alone. What writers who died left behind
    /// is removed first, once a run: with many entries a look at all of them takes longer than a login.
    async fn acquire(&self, path: &Path, deadline: Instant) -> Result<File> {
        if !self.swept.replace(true) {
            files::sweep(&self.folder, DRAFT_PREFIX);
        }
        let mut pause = LOOK_AGAIN;
        loop {
            let file = match open_lock(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    files::make_folder(&self.folder).and_then(|()| open_lock(path))
                }
                outcome => outcome,
            };
            let file = file.map_err(|error| self.failed(tr!("cannot be locked"), &error))?;
            match file.try_lock() {
                // Whoever forgets a session removes its lock file too: then this one is nobody's.
                Ok(()) if !is_at(&file, path) => continue,
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(self.failed(tr!("cannot be locked"), &error)),
            }
            let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
            let next = Instant::now() + pause + pause.mul_f64(random);
            if next > deadline {
                let message = tr!("another crmauth holds {path}", path = path.display());
                return Err(Error::new(Cause::Busy, message)
                    .hint(tr!("wait for it or end it; --timeout SECONDS allows more time")));
            }
            tokio::time::sleep_until(next).await;
            pause = (pause * 2).min(LOOK_AGAIN_MAX);
        }
    }

    fn read_now(&self, path: &Path) -> Result<Option<Content>> {
        let refuse = |why: Text| Ok(Some(Content::Broken(why)));
        let file = match open_plainly(path) {
            Ok(file) => file,
            // Where no folder is, there is no entry either; whoever writes one hears of it.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return refuse(tr!("cannot be read ({why})", why = why(error.kind()))),
        };
        let Ok(metadata) = file.metadata() else { return refuse(tr!("cannot be looked at")) };
        if !metadata.is_file() {
            return refuse(tr!("is no regular file"));
        }
        if !files::is_ours(&metadata) {
            return refuse(tr!("belongs to somebody else"));
        }
        if metadata.len() > ENTRY_MAX {
            return refuse(tr!("is too large"));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        if file.take(ENTRY_MAX).read_to_end(&mut bytes).is_err() {
            return refuse(tr!("cannot be read"));
        }
        Ok(Some(match decode(&bytes, Timestamp::now()) {
            Ok((key, entry)) if files::open_to_others(&metadata) => Content::Exposed(key, entry),
            Ok((key, entry)) => Content::Sound(key, entry),
            Err(why) => Content::Broken(why),
        }))
    }

    /// The store's own key, made when it is first needed and when it can be trusted no more.
    async fn key(&self, deadline: Instant) -> Result<OwnKey> {
        let failed = |error: io::Error| self.failed(tr!("has no key of its own"), &error);
        if let Some(key) = self.known_key().map_err(failed)? {
            return Ok(key);
        }
        let lock_path = self.folder.join(KEY_LOCK);
        // Two processes that made one at once would each compare with a key that the other does not know.
        let lock = self.acquire(&lock_path, deadline).await?;
        let key = match self.known_key().map_err(failed)? {
            Some(key) => key,
            None => self.make_key().map_err(failed)?,
        };
        let _ = self.remove(&lock_path);
        drop(lock);
        Ok(key)
    }

    /// The key that is there. Nothing can be compared with one that is cut or that others know.
    fn known_key(&self) -> io::Result<Option<OwnKey>> {
        let path = self.folder.join(KEY_FILE);
        let mut file = match open_plainly(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(_) if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let private = files::is_ours(&metadata) && !files::open_to_others(&metadata);
        if !metadata.is_file() || !private || metadata.len() != KEY_LENGTH as u64 {
            return Ok(None);
        }
        let mut key = OwnKey::default();
        file.read_exact(&mut *key)?;
        Ok(Some(key))
    }

    fn make_key(&self) -> io::Result<OwnKey> {
        let mut key = OwnKey::default();
        getrandom::fill(&mut *key).map_err(|_| io::Error::from(ErrorKind::Other))?;
        put(&self.folder, &self.folder.join(KEY_FILE), &*key)?;
        Ok(key)
    }

    fn failed(&self, what: Text, error: &io::Error) -> Error {
        Error::new(Cause::Storage, tr!("the store {place} {what}", place = self.place(), what))
            .because(error)
            .hint(tr!("make room or give access there, or choose another place with CRMAUTH_STORE"))
    }
}

/// Writes a file of the store, whole or not at all.
fn put(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = Draft::create(folder, DRAFT_PREFIX)?;
    draft.fill(bytes)?;
    // Where the change may not outlast a power failure, it is made all the same.
    draft.replace(path).map(drop)
}

/// Opens a lock file, 0600 whatever the umask is.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if files::mode(&file.metadata()?) & 0o600 != 0o600 {
        files::set_mode(&file, 0o600)?;
    }
    Ok(file)
}

/// Whether an open file is still the one at a path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
