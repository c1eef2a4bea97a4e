//! What a run asks for under two names it gets once: accounts with equal settings share one login.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::account::Account;
use super::obtain::{Obtained, Want};
use crate::error::{Result, error};
use crate::secret::Secret;
use crate::settings::Form;
use crate::store::Key;

/// What has been obtained in this run, by whose session it is.
pub(super) struct OncePerRun {
    pub(super) started: Timestamp,
    done: RefCell<BTreeMap<Key, Arc<Mutex<ByTarget>>>>,
}

/// What came of a target's last turn: an earlier one helps nobody any more, and a run may take turns all day.
pub(super) struct Done {
    settings: Vec<(&'static str, Form, Secret)>,
    at: Timestamp,
    outcome: Result<Obtained>,
}

type ByTarget = BTreeMap<String, Done>;

impl OncePerRun {
    pub(super) fn new() -> Self {
        Self {
            started: Timestamp::now(),
            done: RefCell::default(),
        }
    }
}

impl Done {
    pub(super) fn new(account: &Account<'_>, outcome: &Result<Obtained>) -> Self {
        Self {
            settings: account.login_settings(),
            at: Timestamp::now(),
            outcome: outcome.clone(),
        }
    }
}

impl Account<'_> {
    /// Waits until nobody else of this run is about to obtain the same session: who does comes to know what came of it.
    pub(super) async fn turn(&self) -> Result<OwnedMutexGuard<ByTarget>> {
        let all = &self.services.once_per_run.done;
        let turn = Arc::clone(all.borrow_mut().entry(self.key.clone()).or_default());
        let turn = tokio::time::timeout_at(self.deadline, turn.lock_owned()).await;
        turn.map_err(|_| {
            error!(
                Busy, "another login of this run is getting the same session";
                hint "--timeout SECONDS allows more time"
            )
        })
    }

    /// What another target with the same settings got meanwhile: a session from the server, or its refusal. Of
    /// a batch of new sessions the first one counts, since on a single seat a second would end it.
    pub(super) fn shared(&self, turn: &ByTarget, want: &Want) -> Option<Result<Obtained>> {
        let settings = self.login_settings();
        let own = self.target().to_string();
        let counts = |(target, done): &(&String, &Done)| {
            let obtained = match &done.outcome {
                Ok(obtained) => obtained.session.obtained_at >= self.services.once_per_run.started,
                // What speaks of a target by name is its own.
                Err(error) => error.target.is_none(),
            };
            let meanwhile = matches!(want, Want::New(_)) || done.at > self.started;
            obtained && meanwhile && **target != own && done.settings == settings
        };
        let done = turn.iter().filter(counts);
        let (_, done) = done.max_by_key(|(_, done)| done.at)?;
        let opened = false;
        let shared = done.outcome.clone();
        Some(shared.map(|obtained| Obtained { opened, ..obtained }))
    }
}
