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
struct Done {
    settings: Vec<(&'static str, Form, Secret)>,
    at: Timestamp,
    outcome: Result<Obtained>,
}

type ByTarget = BTreeMap<String, Done>;

/// The right to obtain one session; the others of its key wait.
pub(super) struct Turn {
    started: Timestamp,
    done: OwnedMutexGuard<ByTarget>,
}

impl OncePerRun {
    pub(super) fn new() -> Self {
        Self {
            started: Timestamp::now(),
            done: RefCell::default(),
        }
    }

    /// Waits until nobody else of this run is about to obtain the same session.
    pub(super) async fn wait(&self, account: &Account<'_>) -> Result<Turn> {
        let turn = Arc::clone(
            self.done
                .borrow_mut()
                .entry(account.key.clone())
                .or_default(),
        );
        let done = tokio::time::timeout_at(account.deadline, turn.lock_owned())
            .await
            .map_err(|_| {
                error!(
                    Busy, "another login of this run is getting the same session";
                    hint "--timeout SECONDS allows more time"
                )
            })?;
        Ok(Turn {
            started: self.started,
            done,
        })
    }
}

impl Turn {
    /// What another target with the same settings got meanwhile: a session from the server, or its refusal. Of
    /// a batch of new sessions the first one counts, since on a single seat a second would end it.
    pub(super) fn shared(&self, account: &Account<'_>, want: &Want) -> Option<Result<Obtained>> {
        let settings = account.login_settings();
        let own = account.target().to_string();
        let counts = |(target, done): &(&String, &Done)| {
            let obtained = match &done.outcome {
                Ok(obtained) => obtained.session.obtained_at >= self.started,
                // What speaks of a target by name is its own.
                Err(error) => error.target.is_none(),
            };
            let meanwhile = matches!(want, Want::New(_)) || done.at > account.started;
            obtained && meanwhile && **target != own && done.settings == settings
        };
        let done = self.done.iter().filter(counts);
        let (_, done) = done.max_by_key(|(_, done)| done.at)?;
        Some(done.outcome.clone().map(|obtained| Obtained {
            opened: false,
            ..obtained
        }))
    }

    /// Tells those who wait what came of it.
    pub(super) fn end(
        mut self,
        account: &Account<'_>,
        outcome: Result<Obtained>,
    ) -> Result<Obtained> {
        let done = Done {
            settings: account.login_settings(),
            at: Timestamp::now(),
            outcome: outcome.clone(),
        };
        self.done.insert(account.target().to_string(), done);
        outcome
    }
}
