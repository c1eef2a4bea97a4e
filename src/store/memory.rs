//! A store that lasts as long as the run: for `--sandbox`, and for `none`, where nothing may be kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::{Entry, Found, Key, Lock, Store, Written};
use crate::error::{Cause, Error, Pending};
use crate::i18n::tr;
use crate::secret::{Secret, sha256_hex};

/// The store. What one run does at once still waits for its turn.
#[derive(Default)]
pub struct MemoryStore {
    entries: RefCell<BTreeMap<Key, Entry>>,
    locks: RefCell<BTreeMap<Key, std::sync::Arc<Mutex<()>>>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }
}

impl Store for MemoryStore {
    fn place(&self) -> String {
        "none".to_owned()
    }

    fn lasts(&self) -> bool {
        false
    }

    fn read<'a>(&'a self, key: &'a Key, _deadline: Instant) -> Pending<'a, Found> {
        Box::pin(async { Ok(Found { entry: self.entries.borrow().get(key).cloned(), ..Found::default() }) })
    }

    fn lock<'a>(&'a self, key: &'a Key, deadline: Instant) -> Pending<'a, Lock> {
        Box::pin(async move {
            let mutex = self.locks.borrow_mut().entry(key.clone()).or_default().clone();
            let held: OwnedMutexGuard<()> = tokio::time::timeout_at(deadline, mutex.lock_owned())
                .await
                .map_err(|_| Error::new(Cause::Busy, tr!("another login of this run holds the session")))?;
            Ok(Lock { key: key.clone(), held: Box::new(held) })
        })
    }

    fn write<'a>(&'a self, lock: &'a Lock, entry: &'a Entry) -> Pending<'a, Written> {
        Box::pin(async move {
            self.entries.borrow_mut().insert(lock.key.clone(), entry.clone());
            Ok(Written::Stored)
        })
    }

    fn forget<'a>(&'a self, lock: &'a Lock) -> Pending<'a, ()> {
        Box::pin(async move {
            self.entries.borrow_mut().remove(&lock.key);
            Ok(())
        })
    }

    fn list(&self, _deadline: Instant) -> Pending<'_, Vec<(Key, Entry)>> {
        Box::pin(async {
            Ok(self.entries.borrow().iter().map(|(key, entry)| (key.clone(), entry.clone())).collect())
        })
    }

    fn fingerprint<'a>(&'a self, secret: &'a Secret, _deadline: Instant) -> Pending<'a, String> {
        Box::pin(async { Ok(sha256_hex(secret.expose()).expose().to_owned()) })
    }
}
