//! A store that lasts as long as the run: for `--sandbox`, and for `none`, where nothing may be kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Entry, Found, Held, Key, Lock, Written};
use crate::error::{Result, error};
use crate::secret::{Secret, sha256_hex};

/// The targets of a batch still take turns.
#[derive(Default)]
pub struct MemoryStore {
    entries: RefCell<BTreeMap<Key, Entry>>,
    locks: RefCell<BTreeMap<Key, Arc<Mutex<()>>>>,
}

impl MemoryStore {
    pub fn place(&self) -> String {
        "none".to_owned()
    }

    pub async fn read(&self, key: &Key, _deadline: Instant) -> Result<Found> {
        Ok(Found {
            entry: self.entries.borrow().get(key).cloned(),
            ..Found::default()
        })
    }

    pub async fn lock(&self, key: &Key, deadline: Instant) -> Result<Lock> {
        let mutex = Arc::clone(self.locks.borrow_mut().entry(key.clone()).or_default());
        let held = tokio::time::timeout_at(deadline, mutex.lock_owned())
            .await
            .map_err(|_| error!(Busy, "another login of this run holds the session"))?;
        Ok(Lock {
            key: key.clone(),
            held: Held::Memory(held),
        })
    }

    pub async fn write(&self, lock: &Lock, entry: &Entry) -> Result<Written> {
        self.entries
            .borrow_mut()
            .insert(lock.key.clone(), entry.clone());
        Ok(Written::Stored)
    }

    pub async fn forget(&self, lock: &Lock) -> Result<()> {
        self.entries.borrow_mut().remove(&lock.key);
        Ok(())
    }

    pub async fn release(&self, lock: Lock) -> Result<()> {
        drop(lock);
        Ok(())
    }

    pub async fn list(&self, _deadline: Instant) -> Result<Vec<(Key, Entry)>> {
        Ok(self.entries.borrow().clone().into_iter().collect())
    }

    pub async fn fingerprint(&self, secret: &Secret, _deadline: Instant) -> Result<String> {
        Ok(sha256_hex(secret.expose()).expose().to_owned())
    }
}
