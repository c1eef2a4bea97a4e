//! What a run works with, whichever targets it is about; accounts with equal settings share one login.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::account::Account;
use super::obtain::{Obtained, Part, Want};
use crate::declaration::Settings;
use crate::error::{Result, error};
use crate::http::{Channel, Http};
use crate::i18n::tr;
use crate::report::Report;
use crate::secret::{Secret, names_secret};
use crate::session::Session;
use crate::store::{Entry, Key, Lock, Store};

/// The most that is kept of what else a server said, as bytes of JSON.
const DETAILS_MAX: usize = 16 * 1024;

pub struct Services {
    pub report: Rc<Report>,
    pub http: Http,
    pub store: Store,
    /// How long one target may take until its session is in hand.
    pub timeout: Duration,
    pub(super) started: Timestamp,
    /// What has been obtained in this run, by whose session it is.
    done: RefCell<BTreeMap<Key, Arc<Mutex<ByTarget>>>>,
}

impl Services {
    pub fn new(report: Rc<Report>, http: Http, store: Store, timeout: Duration) -> Self {
        Self {
            report,
            http,
            store,
            timeout,
            started: Timestamp::now(),
            done: RefCell::default(),
        }
    }

    pub async fn stored(&self) -> Result<Vec<(Key, Entry)>> {
        self.store.list(self.deadline()).await
    }

    /// Every session that is stored, those included that others may have read: they are not used, but can be ended.
    pub async fn endable(&self) -> Result<Vec<(Key, Entry)>> {
        let mut stored = self.stored().await?;
        stored.extend(self.store.exposed()?);
        Ok(stored)
    }

    pub fn channel<'a>(&'a self, settings: &'a Settings) -> Channel<'a> {
        Channel {
            http: &self.http,
            report: &self.report,
            settings,
            deadline: self.deadline(),
            timeout: self.timeout,
        }
    }

    pub fn deadline(&self) -> tokio::time::Instant {
        crate::files::deadline(self.timeout)
    }

    /// Releases a lock. A store that fails at it is no reason to lose a session in hand.
    pub(super) async fn release(&self, lock: Lock) {
        if let Err(error) = lock.release().await {
            let text = tr!("the lock of the stored session could not be released");
            self.report.warn_of(None, text, &error);
        }
    }

    /// Blanks a session's secrets in everything that is shown from now on.
    pub(super) fn learn(&self, session: &Session) {
        let secrets = [&session.token].into_iter().chain(&session.refresh);
        secrets.for_each(|secret| self.report.learn(secret));
    }

    /// Learns a session's secrets, and takes what contains one out of its details: they are printed and stored.
    pub(super) fn take_in(&self, session: &mut Session) {
        self.learn(session);
        let mut details = Value::Object(std::mem::take(&mut session.details));
        if crate::json::text(&details).len() > DETAILS_MAX {
            return;
        }
        keep_public(&mut details, &|text| self.report.knows(text));
        if let Value::Object(fields) = details {
            session.details = fields;
        }
    }
}

/// What came of a target's last turn: an earlier one helps nobody any more, and a run may take turns all day.
pub(super) struct Done {
    pub(super) settings: Vec<(&'static str, crate::settings::Form, Secret)>,
    pub(super) at: Timestamp,
    pub(super) outcome: Result<Obtained>,
}

type ByTarget = BTreeMap<String, Done>;

impl Account<'_> {
    /// Waits until nobody else of this run is about to obtain the same session: who does comes to know what came of it.
    pub(super) async fn turn(&self) -> Result<OwnedMutexGuard<ByTarget>> {
        let all = &self.services.done;
        let turn = Arc::clone(all.borrow_mut().entry(self.key.clone()).or_default());
        let turn = tokio::time::timeout_at(self.deadline, turn.lock_owned()).await;
        turn.map_err(|_| {
            error!(Busy: "another login of this run is getting the same session" =>
                hint "--timeout SECONDS allows more time")
        })
    }

    /// What another target with the same settings got meanwhile: a session from the server, or its refusal. Of
    /// a batch of new sessions the first one counts, since on a single seat a second would end it.
    pub(super) fn shared(&self, turn: &ByTarget, want: &Want) -> Option<Result<Obtained>> {
        let settings = self.login_settings();
        let own = self.target().to_string();
        let counts = |(target, done): &(&String, &Done)| {
            let obtained = match &done.outcome {
                Ok((session, _)) => session.obtained_at >= self.services.started,
                // What speaks of a target by name is its own.
                Err(error) => error.target.is_none(),
            };
            let meanwhile = matches!(want, Want::New(_)) || done.at > self.started;
            obtained && meanwhile && **target != own && done.settings == settings
        };
        let done = turn.iter().filter(counts);
        let (_, done) = done.max_by_key(|(_, done)| done.at)?;
        let shared = done.outcome.clone();
        // Whether to end one that is not kept is the other target's business.
        Some(shared.map(|(session, part)| match part {
            Part::Opened => (session, Part::Found),
            _ => (session, part),
        }))
    }
}

/// Takes out of a value what contains a secret that somebody `knows`; whether something may be left of it.
fn keep_public(value: &mut Value, knows: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                !names_secret(name) && !knows(name) && keep_public(value, knows)
            });
        }
        Value::Array(items) => items.retain_mut(|item| keep_public(item, knows)),
        Value::String(text) => return !knows(text),
        other => return !knows(&other.to_string()),
    }
    true
}
