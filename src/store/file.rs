//! `file:DIR`: one 0600 file a session in a 0700 folder, replaced atomically under a lock file.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    ENTRY_MAX, Entry, Found, Held, KEY_LENGTH, Key, Lock, Written, decode, encode, hmac, is_name,
    newer,
};
use crate::error::{Error, Result, error, why};
use crate::files::{self, DRAFT_PREFIX, Draft, open_plainly};
use crate::i18n::{Text, tr};
use crate::secret::{Secret, hex};
use crate::threads::apart;

/// The file of the store's own key.
const KEY_FILE: &str = "key";
/// The first pause between two tries to take a lock that another holds; jitter adds up to as much again.
const PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(80);

type OwnKey = Zeroizing<[u8; KEY_LENGTH]>;

enum Content {
    Sound(Key, Entry),
    /// An entry that others may have read or changed.
    Exposed(Key, Entry),
    /// Why it is not an entry.
    Broken(Text),
}

pub struct FileStore {
    folder: PathBuf,
    key: OnceCell<OwnKey>,
    /// Counts the locks that are held: each has a reference besides this one.
    locks: Rc<()>,
}

impl FileStore {
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            key: OnceCell::new(),
            locks: Rc::new(()),
        }
    }

    pub fn place(&self) -> String {
        format!("file:{}", self.folder.display())
    }

    pub async fn read(&self, key: &Key, _deadline: Instant) -> Result<Found> {
        let file = entry_file(&key.name());
        let path = self.folder.join(&file);
        let unusable = |why| Found::unusable(tr!("{path} {why}", path = path.display(), why));
        Ok(match self.read_now(&file)? {
            None => Found::default(),
            Some(Content::Broken(why)) => unusable(why),
            Some(Content::Sound(its, _) | Content::Exposed(its, _)) if its != *key => {
                Found::unusable(tr!(
                    "{path} belongs to another session",
                    path = path.display()
                ))
            }
            Some(Content::Exposed(_, entry)) => Found {
                exposed: Some(entry),
                ..unusable(tr!("is open to others, who may have changed it"))
            },
            Some(Content::Sound(_, entry)) => Found::entry(entry),
        })
    }

    pub async fn lock(&self, key: &Key, deadline: Instant) -> Result<Lock> {
        let file = self.acquire(&key.lock_name(), deadline).await?;
        self.changed(self.remove(&draft(&key.name())))?;
        Ok(Lock {
            key: key.clone(),
            held: Held::File(Arc::new(file), Rc::clone(&self.locks)),
        })
    }

    pub async fn write(&self, lock: &Lock, entry: &Entry) -> Result<Written> {
        let Held::File(file, locks) = &lock.held else {
            return Ok(Written::Overtaken);
        };
        let (folder, name) = (self.folder.clone(), lock.key.name());
        let bytes = encode(&lock.key, entry);
        let locked = Arc::clone(file);
        let write = move || {
            // If the run ends meanwhile, nobody else gets the lock before this is done.
            let _locked = &locked;
            put(&folder, &name, &entry_file(&name), &bytes)
        };
        // Several entries are written at once, so that a slow disk costs a batch no more than one write.
        let alone = Rc::strong_count(locks) <= 2;
        let written = if alone {
            write()
        } else {
            apart(write.clone()).await.unwrap_or_else(|_| write())
        };
        self.changed(written).map(|()| Written::Stored)
    }

    pub async fn forget(&self, lock: &Lock) -> Result<()> {
        self.changed(self.remove(&entry_file(&lock.key.name())))
    }

    pub async fn release(&self, lock: Lock) -> Result<()> {
        self.tidy(&lock.key.lock_name());
        drop(lock);
        Ok(())
    }

    /// Removes the folder where there was nothing but a lock in it.
    pub fn vacate(&self) {
        let _ = std::fs::remove_dir(&self.folder);
    }

    pub async fn discard(&self, deadline: Instant) -> Result<usize> {
        let mut discarded = 0;
        for name in self.names() {
            if self.stays(&name)? && !self.folder.join(draft(&name)).exists() {
                continue;
            }
            let lock = self.acquire(&name, deadline).await?;
            if !self.stays(&name)? {
                self.changed(self.remove(&entry_file(&name)))?;
                discarded += 1;
            }
            self.tidy(&name);
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

    /// The name of every entry that is there, or that somebody began to write.
    fn names(&self) -> BTreeSet<String> {
        let files = std::fs::read_dir(&self.folder).into_iter();
        let files = files.flatten().flatten();
        let name = |file: std::fs::DirEntry| {
            let file = file.file_name().into_string().ok()?;
            let name = file
                .strip_suffix(".json")
                .or_else(|| file.strip_prefix(DRAFT_PREFIX))?;
            is_name(name).then(|| name.to_owned())
        };
        files.filter_map(name).collect()
    }

    /// Every sound entry, or every exposed one, in the order of their keys. An entry under another's name is neither.
    pub(super) fn entries(&self, exposed: bool) -> Result<Vec<(Key, Entry)>> {
        let mut found = Vec::new();
        for name in self.names() {
            let (key, entry) = match self.read_now(&entry_file(&name))? {
                Some(Content::Sound(key, entry)) if !exposed => (key, entry),
                Some(Content::Exposed(key, entry)) if exposed => (key, entry),
                _ => continue,
            };
            if key.name() == name {
                found.push((key, entry));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    /// Whether a name's entry is to stay: one that can be neither used nor ended is not.
    fn stays(&self, name: &str) -> Result<bool> {
        Ok(match self.read_now(&entry_file(name))? {
            None => true,
            Some(Content::Sound(key, _) | Content::Exposed(key, _)) => key.name() == name,
            // This version cannot judge a newer one's.
            Some(Content::Broken(why)) => why == newer(),
        })
    }

    fn remove(&self, file: &str) -> io::Result<()> {
        match std::fs::remove_file(self.folder.join(file)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes the lock file if there is no entry. It is still locked, and those who wait for it notice.
    fn tidy(&self, name: &str) {
        if !self.folder.join(entry_file(name)).exists() {
            let _ = self.remove(&lock_file(name));
        }
    }

    /// Waits for the lock of this name, and then removes the draft of a writer who died.
    async fn acquire(&self, name: &str, deadline: Instant) -> Result<File> {
        let path = self.folder.join(lock_file(name));
        let mut pause = PAUSE;
        loop {
            let file = match open_lock(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    files::make_folder(&self.folder).and_then(|()| open_lock(&path))
                }
                outcome => outcome,
            };
            let file = file.map_err(|error| self.failed(tr!("cannot be locked"), error))?;
            match file.try_lock() {
                // Its last holder has removed it.
                Ok(()) if !is_at(&file, &path) => continue,
                Ok(()) => {
                    self.changed(self.remove(&draft(name)))?;
                    return Ok(file);
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(self.failed(tr!("cannot be locked"), error));
                }
            }
            let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
            let next = Instant::now() + pause + pause.mul_f64(random);
            if next > deadline {
                return Err(error!(
                    Busy, "another crmauth has locked {path}", path = path.display();
                    hint "wait for it or end it; --timeout SECONDS allows more time"
                ));
            }
            tokio::time::sleep_until(next).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn read_now(&self, file: &str) -> Result<Option<Content>> {
        let refuse = |why: Text| Ok(Some(Content::Broken(why)));
        let file = match open_plainly(&self.folder.join(file)) {
            Ok(file) => file,
            // Without a folder there is no entry either; a write will say what is wrong with the folder.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(error) => return refuse(tr!("cannot be read ({why})", why = why(&error))),
        };
        let Ok(metadata) = file.metadata() else {
            return refuse(tr!("cannot be examined"));
        };
        if !metadata.is_file() {
            return refuse(tr!("is not a regular file"));
        }
        if !files::is_ours(&metadata) {
            return refuse(tr!("belongs to somebody else"));
        }
        if metadata.len() > ENTRY_MAX {
            return refuse(tr!("is too large"));
        }
        // Room for all of it from the start: growing would leave copies of secrets behind.
        let room = usize::try_from(metadata.len()).unwrap_or_default() + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        if file.take(ENTRY_MAX).read_to_end(&mut bytes).is_err() {
            return refuse(tr!("cannot be read"));
        }
        Ok(Some(match decode(&bytes, Timestamp::now()) {
            Ok((key, entry)) if files::open_to_others(&metadata) => Content::Exposed(key, entry),
            Ok((key, entry)) => Content::Sound(key, entry),
            Err(why) => Content::Broken(why),
        }))
    }

    /// The store's own key. It is made when it is first needed, and anew when it cannot be trusted any more.
    async fn key(&self, deadline: Instant) -> Result<OwnKey> {
        let failed = |error: io::Error| self.failed(tr!("has no key of its own"), error);
        if let Some(key) = self.known_key().map_err(failed)? {
            return Ok(key);
        }
        // If two processes made one at once, each would compare with a key that the other does not know.
        let lock = self.acquire(KEY_FILE, deadline).await?;
        let key = match self.known_key().map_err(failed)? {
            Some(key) => key,
            None => self.make_key().map_err(failed)?,
        };
        self.tidy(KEY_FILE);
        drop(lock);
        Ok(key)
    }

    /// The key that is there, unless it is cut or others may know it.
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
        put(&self.folder, KEY_FILE, KEY_FILE, &*key)?;
        Ok(key)
    }

    fn changed(&self, outcome: io::Result<()>) -> Result<()> {
        outcome.map_err(|error| self.failed(tr!("cannot be written"), error))
    }

    fn failed(&self, what: Text, error: io::Error) -> Error {
        let place = self.place();
        let failed = error!(
            Storage, "the store {place} {what}", place, what;
            hint "free space or grant access there, or choose another place with CRMAUTH_STORE"
        );
        failed.because(error)
    }
}

fn entry_file(name: &str) -> String {
    [name, ".json"].concat()
}

fn lock_file(name: &str) -> String {
    [name, ".lock"].concat()
}

/// The file that becomes the entry, or the store's key. It is written under the lock of this name.
fn draft(name: &str) -> String {
    [DRAFT_PREFIX, name].concat()
}

/// Writes a file of the store, whole or not at all, under the lock of this name.
fn put(folder: &Path, name: &str, file: &str, bytes: &[u8]) -> io::Result<()> {
    let mut draft = Draft::named(folder, &draft(name))?;
    draft.fill(bytes)?;
    // A change that may not outlast a power failure is still made.
    draft.replace(&folder.join(file)).map(drop)
}

/// Judges a folder that is there: another user's is refused, and one that others may write is worth a warning.
pub fn judge(folder: &Path) -> Result<Option<Text>> {
    let Ok(found) = std::fs::metadata(folder) else {
        return Ok(None);
    };
    let path = folder.display();
    if !files::is_ours(&found) && !files::is_roots(&found) {
        return Err(error!(
            Storage, "the store file:{path} belongs to another user", path;
            hint "`chown` it to yourself, or choose another place with CRMAUTH_STORE"
        ));
    }
    // What is no folder cannot be written into: a write will say so.
    let open = found.is_dir() && files::writable_by_others(&found);
    Ok(open.then(|| {
        tr!(
            "others may put sessions into the store file:{path}: `chmod go-w {path}`, or another place with CRMAUTH_STORE",
            path
        )
    }))
}

/// Opens a lock file, 0600 whatever the umask is.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let file = files::plainly(&mut options).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && files::mode(&metadata) & 0o600 != 0o600 {
        files::set_mode(&file, 0o600)?;
    }
    Ok(file)
}

/// Whether an open file is still the one at that path.
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
