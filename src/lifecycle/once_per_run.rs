//! What a run asks for under two names it gets once: accounts with equal settings share one login.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::account::Account;
use super::obtain::{Obtained, Want};
use crate::declaration::Target;
use crate::error::{Result, error};
use crate::secret::Secret;
use crate::settings::Form;
use crate::store::Key;

/// What has been obtained in this run, by whose session it is.
pub(super) struct OncePerRun {
    pub(super) started: Timestamp,
    done: RefCell<BTreeMap<Key, Arc<Mutex<Vec<Done>>>>>,
}

/// What came of one target's turn.
struct Done {
    target: Target,
    settings: Vec<(&'static str, Form, Secret)>,
    at: Timestamp,
    outcome: Result<Obtained>,
}

/// The right to obtain one session; the others of its key wait.
pub(super) struct Turn {
    started: Timestamp,
    done: OwnedMutexGuard<Vec<Done>>,
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
                    Busy, "another login of this run obtains the same session";
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
        let counts = |done: &&Done| {
            let obtained = match &done.outcome {
                Ok(obtained) => obtained.session.obtained_at >= self.started,
                // What speaks of a target by name is its own.
                Err(error) => error.target.is_none(),
            };
            let meanwhile = matches!(want, Want::New(_)) || done.at > account.started;
            obtained && meanwhile && done.target != *account.target() && done.settings == settings
        };
        let done = self.done.iter().rev().find(counts)?;
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
        let (target, settings) = (account.target().clone(), account.login_settings());
        note(
            &mut self.done,
            Done {
                target,
                settings,
                at: Timestamp::now(),
                outcome: outcome.clone(),
            },
        );
        outcome
    }
}

/// What came of a target's earlier turn helps nobody any more, and a run may take turns all day.
fn note(done: &mut Vec<Done>, new: Done) {
    done.retain(|old| old.target != new.target);
    done.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    #[test]
    fn of_each_target_the_last_turn_is_kept() {
        let spec = crate::provider::specs()
            .into_iter()
            .find(|spec| spec.id == "zeev")
            .expect("a provider");
        let mut done = Vec::new();
        for (account, token) in [
            (None, "t1"),
            (Some("filial"), "t2"),
            (None, "t3"),
            (None, "t4"),
        ] {
            let target = Target::new(spec, account.map(str::to_owned));
            let outcome = Session::new(token, "Bearer").map(Obtained::stored);
            note(
                &mut done,
                Done {
                    target,
                    settings: Vec::new(),
                    at: Timestamp::now(),
                    outcome,
                },
            );
        }
        let token = |done: Done| {
            done.outcome
                .expect("a session")
                .session
                .token
                .expose()
                .to_owned()
        };
        let kept: Vec<String> = done.into_iter().map(token).collect();
        assert_eq!(kept, ["t2", "t4"]);
    }
}
