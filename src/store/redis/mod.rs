//! `redis://…`, `rediss://…`: a store that machines share. What leaves this machine is sealed, and machines take
//! turns at logging in by the protocol of [`lock`].
//!
//! A database is one store: a check value and, for each session, the entry, its lock and the number of its last turn.
//! Clusters are not supported.

mod database;
mod entries;
pub mod lock;
mod refusals;
mod reply;
mod scripts;
mod seal;
mod server;
mod turn;
mod url;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{ENTRY_MAX, Entry, Found, Held, Key, Lock, Version, Waited, Written, encode, newer};
use crate::error::{Error, Result, error};
use crate::i18n::tr;
use crate::secret::Secret;
use crate::tls::Trust;
use database::Opened;
use entries::{kept, purpose, shifted};
use lock::{Moment, Terms};
use seal::Keys;
use server::Server;

pub use seal::make_key;
pub(super) use turn::Turn;
pub use url::RedisUrl;

/// The beginning of every name in the database.
const PREFIX: &str = "crmauth:";

/// How many entries are read in one exchange, which bounds what they may cost together.
const AT_ONCE: usize = 32;

pub struct RedisStore {
    server: Server,
    keys: Keys,
    terms: Terms,
    began: Instant,
    opened: OnceCell<Opened>,
    /// Why the server is out of reach for the rest of this run, so that it is waited for once.
    away: RefCell<Option<Error>>,
}

impl RedisStore {
    /// Connects to nothing yet. `key` is 32 bytes in base64, `allow_plain` permits `redis://` beyond loopback, and
    /// `login` is how long a login may take.
    pub fn new(
        url: RedisUrl,
        key: &Secret,
        trust: Rc<Trust>,
        allow_plain: bool,
        login: Duration,
    ) -> Result<Self> {
        Ok(Self {
            server: Server::new(url, trust, allow_plain),
            keys: Keys::new(key)?,
            terms: Terms::new(login),
            began: Instant::now(),
            opened: OnceCell::new(),
            away: RefCell::default(),
        })
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    fn name(&self, key: &Key) -> String {
        self.keys
            .name(&serde_json::to_string(key).unwrap_or_default())
    }

    pub fn place(&self) -> String {
        self.server.url().to_string()
    }

    pub async fn read(&self, key: &Key, deadline: Instant) -> Result<Found> {
        let name = self.name(key);
        let mut entries = self.entries(&[name], deadline).await?;
        let (version, entry) = entries.pop().unwrap_or_default();
        let found = match entry {
            None => Found::default(),
            Some(Ok((its, entry))) if its == *key => Found::entry(entry),
            Some(Ok(_)) => Found::unusable(self.in_place(tr!("belongs to another session"))),
            Some(Err(why)) => Found::unusable(why),
        };
        Ok(Found { version, ..found })
    }

    pub async fn lock(self: &Rc<Self>, key: &Key, deadline: Instant) -> Result<Lock> {
        let turn = self.take_turn(&self.name(key), deadline).await?;
        Ok(Lock {
            key: key.clone(),
            held: Held::Redis(turn),
        })
    }

    pub async fn wait(
        self: &Rc<Self>,
        key: &Key,
        seen: Version,
        deadline: Instant,
    ) -> Result<Waited> {
        let turn = self
            .wait_for_turn(&self.name(key), Some(seen), deadline)
            .await?;
        Ok(match turn {
            Some(turn) => Waited::Lock(Lock {
                key: key.clone(),
                held: Held::Redis(turn),
            }),
            None => Waited::News,
        })
    }

    pub async fn write(&self, lock: &Lock, entry: &Entry) -> Result<Written> {
        let Held::Redis(turn) = &lock.held else {
            return Ok(Written::Overtaken);
        };
        let opened = self.open(turn.deadline()).await?;
        let ttl = kept(entry, Timestamp::now());
        let text = encode(&lock.key, &shifted(entry.clone(), opened.ahead));
        if text.len() as u64 > ENTRY_MAX {
            return Err(error!(Storage, "the session is too large to be stored"));
        }
        let sealed = self.keys.seal(&text, &purpose(&turn.name, turn.fence()))?;
        Ok(match turn.write(sealed, ttl).await? {
            Written::Stored if ttl.is_zero() => Written::NotKept,
            written => written,
        })
    }

    pub async fn forget(&self, lock: &Lock) -> Result<()> {
        match &lock.held {
            // If another machine holds the lock by now, the entry is its business.
            Held::Redis(turn) => turn.forget().await.map(|_| ()),
            Held::File(..) | Held::Memory(..) => Ok(()),
        }
    }

    pub async fn release(&self, lock: Lock) -> Result<()> {
        match lock.held {
            Held::Redis(turn) => turn.release().await,
            Held::File(..) | Held::Memory(..) => Ok(()),
        }
    }

    pub async fn discard(self: &Rc<Self>, deadline: Instant) -> Result<usize> {
        let mut discarded = 0;
        for name in self.names(deadline).await? {
            let names = std::slice::from_ref(&name);
            let newer = self.in_place(newer());
            let unusable = async || {
                let mut entries = self.entries(names, deadline).await?;
                let (_, entry) = entries.pop().unwrap_or_default();
                Ok(matches!(entry, Some(Err(why)) if why != newer))
            };
            if !unusable().await? {
                continue;
            }
            let turn = self.take_turn(&name, deadline).await?;
            if unusable().await? {
                turn.forget().await?;
                discarded += 1;
            }
            turn.release().await?;
        }
        Ok(discarded)
    }

    pub async fn list(&self, deadline: Instant) -> Result<Vec<(Key, Entry)>> {
        let names = Vec::from_iter(self.names(deadline).await?);
        let mut found = Vec::new();
        for names in names.chunks(AT_ONCE) {
            let entries = self.entries(names, deadline).await?;
            found.extend(entries.into_iter().filter_map(|(_, entry)| entry?.ok()));
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    pub async fn fingerprint(&self, secret: &Secret, _deadline: Instant) -> Result<String> {
        Ok(self.keys.fingerprint(secret))
    }
}
