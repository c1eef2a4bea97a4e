//! Where sessions are kept between runs: entries under names that tell nothing, written under a lock.

mod entry;
pub mod file;
pub mod memory;
pub mod redis;

use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ring::hmac;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use self::redis::{RedisStore, Turn};
use crate::error::Result;
use crate::i18n::Text;
use crate::secret::Secret;
use file::FileStore;
use memory::MemoryStore;

use entry::{ENTRY_MAX, NAME_LENGTH, decode, encode, is_name, newer};
pub use entry::{Entry, Key};

/// How long a store's own key is, in bytes.
const KEY_LENGTH: usize = 32;

pub enum Store {
    File(FileStore),
    Memory(MemoryStore),
    Redis(Rc<RedisStore>),
}

/// The right to write one entry. It ends with [`Store::release`], or when its holder dies.
pub struct Lock {
    pub key: Key,
    held: Held,
}

/// How each kind of store holds a lock.
enum Held {
    File(Arc<File>, Rc<()>),
    Memory(OwnedMutexGuard<()>, Option<Box<Lock>>),
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

impl Found {
    fn entry(entry: Entry) -> Self {
        Self {
            entry: Some(entry),
            ..Self::default()
        }
    }

    fn unusable(why: Text) -> Self {
        Self {
            unusable: Some(why),
            ..Self::default()
        }
    }
}

/// Which writing of an entry was read; none where there was no entry, or where the store does not count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version(pub Option<u64>);

#[expect(clippy::large_enum_variant, reason = "there is one a login")]
pub enum Waited {
    Lock(Lock),
    /// The entry is not the one that was read: read it again.
    News,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Stored,
    /// The session has ended already, so nothing is stored now.
    NotKept,
    /// The lock was lost to somebody who has written, or will: nothing was changed.
    Overtaken,
}

/// Runs the same code for whichever store it is.
macro_rules! each {
    ($store:expr, $each:ident => $code:expr) => {
        match $store {
            Self::File($each) => $code,
            Self::Memory($each) => $code,
            Self::Redis($each) => $code,
        }
    };
}

impl Store {
    /// One that lasts as long as the run, and takes turns with those who keep sessions in `folder`.
    pub fn memory(folder: Option<PathBuf>) -> Self {
        Self::Memory(MemoryStore::new(folder.map(FileStore::new)))
    }

    /// One in a folder of this machine, which is made when it is first needed.
    pub fn folder(folder: PathBuf) -> Self {
        Self::File(FileStore::new(folder))
    }

    /// Where it is, for people: `file:/home/ana/.local/state/crmauth`.
    pub fn place(&self) -> String {
        each!(self, store => store.place())
    }

    /// Whether what is written outlives the run.
    pub fn lasts(&self) -> bool {
        !matches!(self, Self::Memory(_))
    }

    /// Reads an entry, which needs no lock. An entry that cannot be used is not an error.
    pub async fn read(&self, key: &Key, deadline: Instant) -> Result<Found> {
        each!(self, store => store.read(key, deadline).await)
    }

    pub async fn lock(&self, key: &Key, deadline: Instant) -> Result<Lock> {
        each!(self, store => store.lock(key, deadline).await)
    }

    /// Waits for an entry's lock, or until the entry is another than the one that was `seen`.
    pub async fn wait(&self, key: &Key, seen: Version, deadline: Instant) -> Result<Waited> {
        match self {
            Self::Redis(store) => store.wait(key, seen, deadline).await,
            _ => self.lock(key, deadline).await.map(Waited::Lock),
        }
    }

    /// Asks, right before a login, whether the lock is still held and will last as long as the login may take.
    pub async fn hold(&self, lock: &Lock) -> Result<bool> {
        match &lock.held {
            Held::Redis(turn) => turn.ensure().await,
            Held::File(..) | Held::Memory(..) => Ok(true),
        }
    }

    /// Writes an entry, whole or not at all.
    pub async fn write(&self, lock: &Lock, entry: &Entry) -> Result<Written> {
        each!(self, store => store.write(lock, entry).await)
    }

    /// Removes an entry. It is not an error if there is none.
    pub async fn forget(&self, lock: &Lock) -> Result<()> {
        each!(self, store => store.forget(lock).await)
    }

    pub async fn release(&self, lock: Lock) -> Result<()> {
        each!(self, store => store.release(lock).await)
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
        each!(self, store => store.list(deadline).await)
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
        each!(self, store => store.fingerprint(secret, deadline).await)
    }
}

/// HMAC-SHA-256 under a store's own key, or one derived from it.
fn hmac(key: &[u8; KEY_LENGTH], text: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut tag = [0; 32];
    tag.copy_from_slice(hmac::sign(&key, text).as_ref());
    tag
}
