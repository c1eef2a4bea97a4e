//! What a run works with, whichever targets it is about.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::once_per_run::OncePerRun;
use crate::declaration::Settings;
use crate::error::Result;
use crate::files;
use crate::http::{Channel, Http};
use crate::i18n::tr;
use crate::json;
use crate::report::Report;
use crate::secret::names_secret;
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
    pub(super) once_per_run: OncePerRun,
}

impl Services {
    pub fn new(report: Rc<Report>, http: Http, store: Store, timeout: Duration) -> Self {
        Self {
            report,
            http,
            store,
            timeout,
            once_per_run: OncePerRun::new(),
        }
    }

    /// Every session that is stored and can be used.
    pub async fn stored(&self) -> Result<Vec<(Key, Entry)>> {
        self.store.list(self.deadline()).await
    }

    /// Every session that is stored, those included that others may have read: they are not used, but can be ended.
    pub async fn endable(&self) -> Result<Vec<(Key, Entry)>> {
        let mut stored = self.stored().await?;
        stored.extend(self.store.exposed());
        Ok(stored)
    }

    /// Removes the entries that cannot be read, and counts them.
    pub async fn discard(&self) -> Result<usize> {
        self.store.discard(self.deadline()).await
    }

    /// Checks whether credentials may be sent to a URL at all, before a person is asked for them.
    pub async fn admits(&self, settings: &Settings) -> Result<()> {
        self.channel(settings).admits().await
    }

    /// The way to a target's server, with `--timeout` from now on.
    pub(super) fn channel<'a>(&'a self, settings: &'a Settings) -> Channel<'a> {
        Channel {
            http: &self.http,
            report: &self.report,
            target: &settings.target,
            url: &settings.url,
            allow_http: settings.flag("ALLOW_HTTP"),
            allow_proxy: settings.flag("ALLOW_PROXY"),
            deadline: self.deadline(),
            timeout: self.timeout,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        files::deadline(self.timeout)
    }

    /// Releases a lock. A store that fails at it is no reason to lose a session in hand.
    pub(super) async fn release(&self, lock: Lock) {
        if let Err(error) = lock.release().await {
            self.report.warn_of(
                None,
                tr!("the lock of the stored session could not be released"),
                &error,
            );
        }
    }

    /// Blanks a session's secrets in everything that is shown from now on.
    pub(super) fn learn(&self, session: &Session) {
        self.report.learn(&session.token);
        let refresh = session.refresh.iter();
        refresh.for_each(|token| self.report.learn(token));
    }

    /// Takes in a session that somebody else made: learns its secrets, and takes whatever contains one out of its details,
    /// which are printed and stored as they are.
    pub(super) fn take_in(&self, session: &mut Session) {
        self.learn(session);
        let mut details = Value::Object(std::mem::take(&mut session.details));
        if json::text(&details).len() > DETAILS_MAX {
            return;
        }
        keep_public(&mut details, &|text| self.report.knows(text));
        if let Value::Object(fields) = details {
            session.details = fields;
        }
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
