//! Where sessions are kept between runs: entries under names that tell nothing, written under a lock.

mod entry;
pub mod file;
pub mod redis;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use ring::hmac;
use tokio::time::Instant;

use self::redis::{RedisStore, Turn};
use crate::error::{Cause, Result};
use crate::i18n::Text;
use crate::secret::{Secret, sha256_hex};
use entry::{ENTRY_MAX, NAME_LENGTH, decode, encode, is_name, newer};
pub use entry::{Entry, Key};
use file::{FileLock, FileStore};

const KEY_LENGTH: usize = 32;

pub enum Store {
    File(Rc<FileStore>),
    Memory(Rc<MemoryStore>),
    Redis(Rc<RedisStore>),
}

/// A store that lasts as long as the run: for `--sandbox`, and for `none`, where nothing may be kept.
pub struct MemoryStore {
    /// Where other runs lock their entries.
    others: Option<Rc<FileStore>>,
    entries: RefCell<std::collections::BTreeMap<Key, Entry>>,
}

/// The right to write one entry. It ends with [`Lock::release`], or when its holder dies.
pub struct Lock {
    key: Key,
    held: Held,
}

enum Held {
    File(FileLock),
    Memory(Rc<MemoryStore>, Option<FileLock>),
    Redis(Turn),
}

#[derive(Debug, Default)]
pub struct Found {
    pub entry: Option<Entry>,
    pub version: Version,
    /// Why an entry that is there cannot be used, for a warning.
    pub unusable: Option<Text>,
    /// An entry that others may have read or changed: never to be handed out, only to be ended.
    pub exposed: Option<Entry>,
}

impl From<Result<Entry, Text>> for Found {
    fn from(read: Result<Entry, Text>) -> Self {
        let mut found = Self::default();
        match read {
            Ok(entry) => found.entry = Some(entry),
            Err(why) => found.unusable = Some(why),
        }
        found
    }
}

/// Which writing of an entry was read; none where there was no entry, or where the store does not count them.
pub type Version = Option<u64>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Stored,
    /// The session has ended already, so nothing is stored now.
    NotKept,
    /// The lock was lost to somebody who has written, or will: nothing was changed.
    Overtaken,
}

impl Store {
    /// One that lasts as long as the run, and takes turns with those who keep sessions in `folder`.
    pub fn memory(folder: Option<PathBuf>) -> Self {
        let others = folder.map(FileStore::new).map(Rc::new);
        let entries = RefCell::default();
        Self::Memory(Rc::new(MemoryStore { others, entries }))
    }

    pub fn folder(folder: PathBuf) -> Self {
        Self::File(Rc::new(FileStore::new(folder)))
    }

    /// Where it is, for people: `file:/home/ana/.local/state/crmauth`.
    pub fn place(&self) -> String {
        match self {
            Self::File(store) => store.place(),
            Self::Memory(_) => "none".to_owned(),
            Self::Redis(store) => store.server.url.to_string(),
        }
    }

    pub fn lasts(&self) -> bool {
        !matches!(self, Self::Memory(_))
    }

    /// Reads an entry, which needs no lock. An entry that cannot be used is not an error.
    pub async fn read(&self, key: &Key, deadline: Instant) -> Result<Found> {
        match self {
            Self::File(store) => Ok(store.read(key)),
            Self::Memory(store) => {
                let entry = store.entries.borrow().get(key).cloned();
                Ok(entry.map(|entry| Ok(entry).into()).unwrap_or_default())
            }
            Self::Redis(store) => store.read(key, deadline).await,
        }
    }

    /// Waits for an entry's lock, whatever happens to the entry meanwhile.
    pub async fn lock(&self, key: &Key, deadline: Instant) -> Result<Lock> {
        loop {
            if let Some(lock) = self.wait(key, None, deadline).await? {
                return Ok(lock);
            }
        }
    }

    /// Waits for an entry's lock. There is none if it was lost at once, or if the entry is not the one `seen` any more.
    pub async fn wait(
        &self,
        key: &Key,
        seen: Option<Version>,
        deadline: Instant,
    ) -> Result<Option<Lock>> {
        let held = match self {
            Self::File(store) => Some(Held::File(store.lock(key, deadline).await?)),
            Self::Memory(store) => {
                let others = store.lock(key, deadline).await?;
                Some(Held::Memory(Rc::clone(store), others))
            }
            Self::Redis(store) => {
                let turn = store.wait(&store.name(key), seen, deadline).await?;
                turn.map(Held::Redis)
            }
        };
        let key = key.clone();
        Ok(held.map(|held| Lock { key, held }))
    }

    /// Removes the entries that can be neither used nor ended, except those of a newer version, and counts them.
    pub async fn discard(&self, deadline: Instant) -> Result<usize> {
        match self {
            Self::File(store) => store.discard(deadline).await,
            Self::Memory(_) => Ok(0),
            Self::Redis(store) => store.discard(deadline).await,
        }
    }

    /// Every usable entry, in the order of their keys.
    pub async fn list(&self, deadline: Instant) -> Result<Vec<(Key, Entry)>> {
        match self {
            Self::File(store) => store.entries(false),
            Self::Memory(store) => Ok(store.entries.borrow().clone().into_iter().collect()),
            Self::Redis(store) => store.list(deadline).await,
        }
    }

    /// Every entry that others may have read or changed, in the order of their keys: see [`Found::exposed`].
    pub fn exposed(&self) -> Result<Vec<(Key, Entry)>> {
        match self {
            Self::File(store) => store.entries(true),
            Self::Memory(_) | Self::Redis(_) => Ok(Vec::new()),
        }
    }

    /// A secret's fingerprint under the store's own key: equal for equal secrets, and useless elsewhere.
    pub async fn fingerprint(&self, secret: &Secret, deadline: Instant) -> Result<String> {
        match self {
            Self::File(store) => store.fingerprint(secret, deadline).await,
            Self::Memory(_) => Ok(sha256_hex(secret.expose()).expose().to_owned()),
            Self::Redis(store) => Ok(store.keys.fingerprint(secret)),
        }
    }
}

impl MemoryStore {
    /// Targets of one run take turns without it.
    async fn lock(&self, key: &Key, deadline: Instant) -> Result<Option<FileLock>> {
        let Some(others) = &self.others else {
            return Ok(None);
        };
        match others.lock(key, deadline).await {
            Err(error) if error.cause == Cause::Busy => Err(error),
            // Nothing need be writable for a run that keeps nothing.
            lock => Ok(lock.ok()),
        }
    }
}

impl Lock {
    /// Asks, right before a login, whether the lock is still held and will last as long as the login may take.
    pub async fn hold(&self) -> Result<bool> {
        match &self.held {
            Held::Redis(turn) => turn.ensure().await,
            Held::File(..) | Held::Memory(..) => Ok(true),
        }
    }

    pub async fn write(&self, entry: &Entry) -> Result<Written> {
        match &self.held {
            Held::File(lock) => lock.write(&self.key, entry).await,
            Held::Memory(store, _) => {
                let mut entries = store.entries.borrow_mut();
                entries.insert(self.key.clone(), entry.clone());
                Ok(Written::Stored)
            }
            Held::Redis(turn) => turn.write(&self.key, entry).await,
        }
    }

    /// Removes the entry. It is no error if there is none, and none of ours if another machine holds the lock by now.
    pub async fn forget(&self) -> Result<()> {
        match &self.held {
            Held::File(lock) => lock.forget(&self.key),
            Held::Memory(store, _) => {
                store.entries.borrow_mut().remove(&self.key);
                Ok(())
            }
            Held::Redis(turn) => turn.forget().await.map(drop),
        }
    }

    pub async fn release(self) -> Result<()> {
        match self.held {
            Held::File(lock) => lock.release(&self.key),
            Held::Memory(_, None) => {}
            Held::Memory(_, Some(lock)) => {
                lock.release(&self.key);
                lock.vacate();
            }
            Held::Redis(turn) => return turn.release().await,
        }
        Ok(())
    }
}

fn hmac(key: &[u8; KEY_LENGTH], text: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut tag = [0; 32];
    tag.copy_from_slice(hmac::sign(&key, text).as_ref());
    tag
}
