//! `file:DIR`: one 0600 file a session in a 0700 folder, replaced atomically under a lock file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::entry::{ENTRY_MAX, decode, encode, is_name, newer};
use super::{Entry, Found, KEY_LENGTH, Key, Written, hmac};
use crate::error::{Error, Result, error};
use crate::files::{self, DRAFT_PREFIX, Draft, open_plainly};
use crate::i18n::{Text, tr};
use crate::secret::{Secret, hex};
use crate::threads::apart;

const KEY_FILE: &str = "key";
/// The first pause between two tries to take a lock that another holds; jitter adds up to as much again.
const PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(80);

type OwnKey = zeroize::Zeroizing<[u8; KEY_LENGTH]>;

/// An entry, and whether others may have read or changed it; or why it is none.
type Content = Result<(Key, Entry, bool), Text>;

pub struct FileStore {
    folder: PathBuf,
    key: OnceCell<OwnKey>,
}

/// A lock that is held. Each has a reference to its store, which has one more.
pub(super) struct FileLock {
    store: Rc<FileStore>,
    file: Arc<File>,
}

impl FileLock {
    pub(super) async fn write(&self, key: &Key, entry: &Entry) -> Result<Written> {
        let (folder, name) = (self.store.folder.clone(), key.name());
        let (bytes, locked) = (encode(key, entry), Arc::clone(&self.file));
        let write = move || {
            // If the run ends meanwhile, nobody else gets the lock before this is done.
            let _locked = &locked;
            put(&folder, &name, &entry_file(&name), &bytes)
        };
        // Several entries are written at once, so that a slow disk costs a batch no more than one write.
        let alone = Rc::strong_count(&self.store) <= 2;
        let written = match alone {
            true => write(),
            false => apart(write.clone()).await.unwrap_or_else(|_| write()),
        };
        self.store.changed(written).map(|()| Written::Stored)
    }

    pub(super) fn forget(&self, key: &Key) -> Result<()> {
        let store = &self.store;
        store.changed(store.remove(&entry_file(&key.name())))
    }

    pub(super) fn release(&self, key: &Key) {
        self.store.tidy(&key.lock_name());
    }

    /// Removes the folder where there was nothing but a lock in it.
    pub(super) fn vacate(&self) {
        let _ = std::fs::remove_dir(&self.store.folder);
    }
}

impl FileStore {
    pub(super) fn new(folder: PathBuf) -> Self {
        let key = OnceCell::new();
        Self { folder, key }
    }

    pub(super) fn place(&self) -> String {
        format!("file:{}", self.folder.display())
    }

    pub(super) fn read(&self, key: &Key) -> Found {
        let name = key.name();
        let path = self.folder.join(entry_file(&name));
        let unusable = |why| Found::from(Err(tr!("{path} {why}"; path = path.display(), why)));
        match self.content(&name) {
            None => Found::default(),
            Some(Err(why)) => unusable(why),
            Some(Ok((its, ..))) if its != *key => unusable(tr!("belongs to another session")),
            Some(Ok((_, entry, false))) => Ok(entry).into(),
            Some(Ok((_, entry, true))) => Found {
                exposed: Some(entry),
                ..unusable(tr!("is open to others, who may have changed it"))
            },
        }
    }

    pub(super) async fn lock(self: &Rc<Self>, key: &Key, deadline: Instant) -> Result<FileLock> {
        let file = self.acquire(&key.lock_name(), deadline).await?;
        self.changed(self.remove(&draft(&key.name())))?;
        let (store, file) = (Rc::clone(self), Arc::new(file));
        Ok(FileLock { store, file })
    }

    pub(super) async fn discard(&self, deadline: Instant) -> Result<usize> {
        let mut discarded = 0;
        for name in self.names()? {
            if self.stays(&name) && !self.folder.join(draft(&name)).exists() {
                continue;
            }
            let _lock = self.acquire(&name, deadline).await?;
            if !self.stays(&name) {
                self.changed(self.remove(&entry_file(&name)))?;
                discarded += 1;
            }
            self.tidy(&name);
        }
        Ok(discarded)
    }

    pub(super) async fn fingerprint(&self, secret: &Secret, deadline: Instant) -> Result<String> {
        let key = self.key.get_or_try_init(|| self.own_key(deadline)).await?;
        Ok(hex(&hmac(key, secret.expose().as_bytes())))
    }

    /// The name of every entry that is there, or that somebody began to write.
    fn names(&self) -> Result<std::collections::BTreeSet<String>> {
        let name = |file: std::fs::DirEntry| {
            let file = file.file_name().into_string().ok()?;
            let entry = file.strip_suffix(".json");
            let name = entry.or_else(|| file.strip_prefix(DRAFT_PREFIX))?;
            is_name(name).then(|| name.to_owned())
        };
        match std::fs::read_dir(&self.folder) {
            Ok(files) => Ok(files.flatten().filter_map(name).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Default::default()),
            Err(error) => Err(self.failed(tr!("cannot be listed"), error)),
        }
    }

    /// Every sound entry, or every exposed one, in the order of their keys. An entry under another's name is neither.
    pub(super) fn entries(&self, exposed: bool) -> Result<Vec<(Key, Entry)>> {
        let wanted = |name: String| {
            let (key, entry, open) = self.content(&name)?.ok()?;
            (open == exposed && key.name() == name).then_some((key, entry))
        };
        let mut found: Vec<_> = self.names()?.into_iter().filter_map(wanted).collect();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    /// Whether a name's entry is to stay: one that can be neither used nor ended is not.
    fn stays(&self, name: &str) -> bool {
        match self.content(name) {
            None => true,
            Some(Ok((key, ..))) => key.name() == name,
            // This version cannot judge a newer one's.
            Some(Err(why)) => why == newer(),
        }
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
        let failed = |error| self.failed(tr!("cannot be locked"), error);
        let mut pause = PAUSE;
        loop {
            let mut file = open_lock(&path);
            if matches!(&file, Err(error) if error.kind() == ErrorKind::NotFound) {
                file = files::make_folder(&self.folder).and_then(|()| open_lock(&path));
            }
            let file = file.map_err(failed)?;
            match file.try_lock() {
                // Its last holder has removed it.
                Ok(()) if !is_at(&file, &path) => continue,
                Ok(()) => {
                    self.changed(self.remove(&draft(name)))?;
                    return Ok(file);
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            let next = Instant::now() + pause + crate::http::random_part(pause);
            if next > deadline {
                let busy = error!(Busy: "another crmauth has locked {path}"; path = path.display() =>
                    hint "wait for it or end it; --timeout SECONDS allows more time");
                return Err(busy);
            }
            tokio::time::sleep_until(next).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn content(&self, name: &str) -> Option<Content> {
        match open_plainly(&self.folder.join(entry_file(name))) {
            Ok(file) => Some(read(file)),
            // Without a folder there is no entry either; a write will say what is wrong with the folder.
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => None,
                _ => Some(Err(files::why(&error))),
            },
        }
    }

    /// The store's own key. It is made when it is first needed, and anew when it cannot be trusted any more.
    async fn own_key(&self, deadline: Instant) -> Result<OwnKey> {
        let failed = |error: io::Error| self.failed(tr!("has no key of its own"), error);
        if let Some(key) = self.known_key().map_err(failed)? {
            return Ok(key);
        }
        // If two processes made one at once, each would compare with a key that the other does not know.
        let _lock = self.acquire(KEY_FILE, deadline).await?;
        let known = self.known_key();
        let key = known.and_then(|key| key.map_or_else(|| self.make_key(), Ok));
        self.tidy(KEY_FILE);
        key.map_err(failed)
    }

    /// The key that is there, unless it is cut or others may know it.
    fn known_key(&self) -> io::Result<Option<OwnKey>> {
        let path = self.folder.join(KEY_FILE);
        let mut file = match open_plainly(&path) {
            Ok(file) => file,
            Err(why) if why.kind() == ErrorKind::NotFound || path.is_symlink() => return Ok(None),
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
        getrandom::fill(&mut *key).map_err(|_| ErrorKind::Other)?;
        put(&self.folder, KEY_FILE, KEY_FILE, &*key)?;
        Ok(key)
    }

    fn changed(&self, outcome: io::Result<()>) -> Result<()> {
        outcome.map_err(|error| self.failed(tr!("cannot be written"), error))
    }

    fn failed(&self, what: Text, error: io::Error) -> Error {
        let place = self.place();
        let failed = error!(Storage: "the store {place} {what}"; place, what =>
            hint "free space or grant access there, or choose another place with CRMAUTH_STORE");
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

fn read(file: File) -> Content {
    let metadata = file.metadata().map_err(|error| files::why(&error))?;
    if !metadata.is_file() {
        return Err(tr!("is not a regular file"));
    }
    if !files::is_ours(&metadata) {
        return Err(tr!("belongs to somebody else"));
    }
    if metadata.len() > ENTRY_MAX as u64 {
        return Err(tr!("is too large"));
    }
    let bytes = files::slurp(file, &metadata, ENTRY_MAX)?;
    let (key, entry) = decode(&bytes, jiff::Timestamp::now())?;
    Ok((key, entry, files::open_to_others(&metadata)))
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
    if !files::is_ours_or_roots(&found) {
        let error = error!(Storage: "the store file:{path} belongs to another user"; path =>
            hint "`chown` it to yourself, or choose another place with CRMAUTH_STORE");
        return Err(error);
    }
    // What is no folder cannot be written into: a write will say so.
    if !found.is_dir() || !files::writable_by_others(&found) {
        return Ok(None);
    }
    Ok(Some(tr!(
        "others may put sessions into the store file:{path}: `chmod go-w {path}`, or another place with \
        CRMAUTH_STORE"; path)))
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
