//! `redis://…`, `rediss://…`: one session for a fleet of machines. What the server keeps is sealed, and the right to log
//! in goes round by the protocol of [`lease`](super::redis::lock).
//!
//! One database holds one store: a check value, and for each session the entry, its lock and its last right. A
//! cluster is out of scope.

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

use super::{ENTRY_MAX, Entry, Found, Key, Lock, Store, Version, Waited, Written, encode, newer};
use crate::error::{Cause, Error, Pending, Result};
use crate::i18n::tr;
use crate::secret::Secret;
use crate::tls::Trust;
use database::Opened;
use entries::{kept, purpose, shift};
use lock::{Command, Moment, Response, Terms};
use seal::Keys;
use server::Server;
use turn::{Holding, holding, written};

pub use seal::make_key;
pub use url::RedisUrl;

/// What every name begins with.
const PREFIX: &str = "crmauth:";

pub struct RedisStore(Rc<Shared>);

/// What the store and the renewals beside a login share.
struct Shared {
    server: Server,
    keys: Keys,
    terms: Terms,
    began: Instant,
    opened: OnceCell<Opened>,
    /// Why the server is out of reach for the rest of this run: it is not waited for twice.
    away: RefCell<Option<Error>>,
}

impl RedisStore {
    /// Nothing is opened before it is needed. `key` is 32 bytes in base64, `allow_plain` permits `redis://` beyond
    /// loopback, and `login` is how long one may take.
    ///
    /// Errors: [`Cause::BadSetting`] for what is no key; the message begins with a verb.
    pub fn new(
        place: RedisUrl,
        key: &Secret,
        trust: Rc<Trust>,
        allow_plain: bool,
        login: Duration,
    ) -> Result<Self> {
        Ok(Self(Rc::new(Shared {
            server: Server::new(place, trust, allow_plain),
            keys: Keys::new(key)?,
            terms: Terms::new(login),
            began: Instant::now(),
            opened: OnceCell::new(),
            away: RefCell::default(),
        })))
    }

    /// Asks the server to do a call of the protocol for the entry of this name, as [`lease`](super::redis::lock) has it.
    pub async fn call(&self, name: &str, call: &Command, deadline: Instant) -> Result<Response> {
        self.0.call(name, call, deadline).await
    }
}

impl Shared {
    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    fn name(&self, key: &Key) -> Result<String> {
        self.keys.name(&serde_json::to_string(key).unwrap_or_default())
    }
}

impl Store for RedisStore {
    fn place(&self) -> String {
        self.0.server.place().to_string()
    }

    fn read<'a>(&'a self, key: &'a Key, deadline: Instant) -> Pending<'a, Found> {
        Box::pin(async move {
            let name = self.0.name(key)?;
            let (version, entry) = self.0.entries(&[name], deadline).await?.pop().unwrap_or_default();
            Ok(match entry {
                None => Found { version, ..Found::default() },
                Some(Ok((its, entry))) if its == *key => {
                    Found { entry: Some(entry), version, ..Found::default() }
                }
                Some(Ok(_)) => Found { version, ..Found::unusable(self.0.in_place(tr!("is another's"))) },
                Some(Err(why)) => Found { version, ..Found::unusable(why) },
            })
        })
    }

    fn lock<'a>(&'a self, key: &'a Key, deadline: Instant) -> Pending<'a, Lock> {
        Box::pin(async move {
            let held = self.acquire(self.0.name(key)?, deadline).await?;
            Ok(Lock { key: key.clone(), held: Box::new(held) })
        })
    }

    fn wait<'a>(&'a self, key: &'a Key, seen: Version, deadline: Instant) -> Pending<'a, Waited> {
        Box::pin(async move {
            let held = self.turn(self.0.name(key)?, Some(seen), deadline).await?;
            Ok(match held {
                Some(held) => Waited::Lock(Lock { key: key.clone(), held: Box::new(held) }),
                None => Waited::News,
            })
        })
    }

    /// Asks the server whether the right will last a whole login.
    fn hold<'a>(&'a self, lock: &'a Lock) -> Pending<'a, bool> {
        Box::pin(async move { holding(lock)?.ensure().await })
    }

    fn write<'a>(&'a self, lock: &'a Lock, entry: &'a Entry) -> Pending<'a, Written> {
        Box::pin(async move {
            let holding = holding(lock)?;
            let Holding { name, lease, shared, .. } = holding;
            let opened = shared.open(holding.deadline()).await?;
            let ttl = kept(entry, Timestamp::now());
            let mut shared_time = entry.clone();
            shift(&mut shared_time, opened.ahead);
            let text = encode(&lock.key, &shared_time);
            if text.len() as u64 > ENTRY_MAX {
                return Err(Error::new(Cause::Storage, tr!("the session is too large to be stored")));
            }
            let fence = lease.borrow().fence().unwrap_or_default();
            let sealed = shared.keys.seal(&text, &purpose(name, fence))?;
            let call = lease.borrow().write(sealed, ttl);
            Ok(match written(holding, call).await? {
                Written::Stored if ttl.is_zero() => Written::NotKept,
                written => written,
            })
        })
    }

    fn forget<'a>(&'a self, lock: &'a Lock) -> Pending<'a, ()> {
        Box::pin(async move {
            let holding = holding(lock)?;
            let call = holding.lease.borrow().forget();
            // Where another has the right by now, the entry is his affair.
            written(holding, call).await.map(|_| ())
        })
    }

    fn release(&self, lock: Lock) -> Pending<'_, ()> {
        Box::pin(async move { holding(&lock)?.release().await })
    }

    fn discard(&self, deadline: Instant) -> Pending<'_, usize> {
        Box::pin(async move {
            let mut discarded = 0;
            for name in self.names(deadline).await? {
                let unusable = async || {
                    let found = self.0.entries(std::slice::from_ref(&name), deadline).await?.pop();
                    let entry = found.and_then(|(_, entry)| entry);
                    Ok(entry.is_some_and(|entry| entry.is_err_and(|why| why != self.0.in_place(newer()))))
                };
                if !unusable().await? {
                    continue;
                }
                let held = self.acquire(name.clone(), deadline).await?;
                if unusable().await? {
                    let call = held.lease.borrow().forget();
                    written(&held, call).await?;
                    discarded += 1;
                }
                held.release().await?;
            }
            Ok(discarded)
        })
    }

    fn list(&self, deadline: Instant) -> Pending<'_, Vec<(Key, Entry)>> {
        Box::pin(async move {
            let names = self.names(deadline).await?;
            let entries = self.0.entries(&names, deadline).await?;
            let mut found: Vec<_> = entries.into_iter().filter_map(|(_, entry)| entry?.ok()).collect();
            found.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok(found)
        })
    }

    fn fingerprint<'a>(&'a self, secret: &'a Secret, _deadline: Instant) -> Pending<'a, String> {
        Box::pin(async { self.0.keys.print(secret) })
    }
}
