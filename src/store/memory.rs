//! A store that lasts as long as the run: for `--sandbox`, and for `none`, where nothing may be kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::file::FileStore;
use super::{Entry, Found, Held, Key, Lock, Written};
use crate::error::{Cause, Result, error};
use crate::secret::{Secret, sha256_hex};

/// The targets of a batch still take turns.
pub struct MemoryStore {
    /// Where other runs lock their entries.
    others: Option<FileStore>,
    entries: RefCell<BTreeMap<Key, Entry>>,
    locks: RefCell<BTreeMap<Key, Arc<Mutex<()>>>>,
}

impl MemoryStore {
    pub fn new(others: Option<FileStore>) -> Self {
        Self {
            others,
            entries: RefCell::default(),
            locks: RefCell::default(),
        }
    }

    pub fn place(&self) -> String {
        "none".to_owned()
    }

    pub async fn read(&self, key: &Key, _deadline: Instant) -> Result<Found> {
        let entry = self.entries.borrow().get(key).cloned();
        Ok(entry.map(Found::entry).unwrap_or_default())
    }

    pub async fn lock(&self, key: &Key, deadline: Instant) -> Result<Lock> {
        let mutex = Arc::clone(self.locks.borrow_mut().entry(key.clone()).or_default());
        let held = tokio::time::timeout_at(deadline, mutex.lock_owned())
            .await
            .map_err(|_| error!(Busy, "another login of this run has locked the session"))?;
        let others = match &self.others {
            Some(store) => store.lock(key, deadline).await.map(Box::new).map(Some),
            None => Ok(None),
        };
        let others = match others {
            Err(error) if error.cause == Cause::Busy => return Err(error),
            // Nothing need be writable for a run that keeps nothing.
            others => others.unwrap_or_default(),
        };
        Ok(Lock {
            key: key.clone(),
            held: Held::Memory(held, others),
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
        if let (Some(store), Held::Memory(_held, Some(lock))) = (&self.others, lock.held) {
            store.release(*lock).await?;
            store.vacate();
        }
        Ok(())
    }

    pub async fn list(&self, _deadline: Instant) -> Result<Vec<(Key, Entry)>> {
        Ok(self.entries.borrow().clone().into_iter().collect())
    }

    pub async fn fingerprint(&self, secret: &Secret, _deadline: Instant) -> Result<String> {
        Ok(sha256_hex(secret.expose()).expose().to_owned())
    }
}
