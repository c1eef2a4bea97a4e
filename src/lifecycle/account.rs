//! One target's work: its settings, whose session it is, and until when it must be done.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Active;
use super::hints::Hints;
use crate::declaration::{Ageing, Group, Kind, Settings, Target};
use crate::i18n::{Text, tr};
use crate::provider::{Provider, Role};
use crate::session::Session;
use crate::settings::{Found, Plan, Value};
use crate::store::{Entry, Key};

/// One login's data: settings that are found, and revealed only when a request needs them.
pub(super) struct Account<'a> {
    pub(super) target: &'a Target,
    pub(super) plan: Plan,
    pub(super) provider: &'static dyn Provider,
    pub(super) deadline: Instant,
    pub(super) started: Timestamp,
    pub(super) settings: OnceCell<Settings>,
    /// Whether its session was written to the store.
    pub(super) kept: Cell<bool>,
    /// Whether its session comes from a login of its own.
    pub(super) opened: Cell<bool>,
}

impl Account<'_> {
    /// The settings that say whose session it is.
    pub(super) fn owners(&self, role: &Role) -> impl Iterator<Item = &Found> {
        let partner = *role == Role::Partner;
        self.plan.found.iter().filter(move |found| of_partner(found) == partner && found.field.credential())
    }

    /// All that a role's login is made with, but for its URL, which is a part of the key.
    pub(super) fn settings_of(&self, role: &Role) -> Vec<(&'static str, Value)> {
        let found = self.plan.found.iter().filter(|found| found.field.kind != Kind::Url);
        let of_role = found.filter(|found| *role != Role::Partner || of_partner(found));
        of_role.map(|found| (found.field.name, found.value.clone())).collect()
    }

    pub(super) fn key(&self, role: &Role) -> Key {
        let mut user: Vec<String> = self
            .owners(role)
            .filter(|found| !found.field.secret())
            .filter_map(|found| self.plan.text(found.field.name).map(str::to_owned))
            .collect();
        if user.is_empty() {
            user.push(format!("@{}", self.target.account.as_deref().unwrap_or_default()));
        }
        Key {
            provider: self.target.spec.id.to_owned(),
            origin: self.plan.url.origin(),
            path: self.plan.url.path().to_owned(),
            user,
            grant: self.identity(),
            role: role.clone(),
        }
    }

    /// The grant, or whatever else a provider declares to tell sessions apart.
    fn identity(&self) -> Option<String> {
        let found = self.plan.found.iter().find(|found| found.field.identity)?;
        self.plan.text(found.field.name).map(str::to_owned)
    }

    /// How long a stored session must last. One that was seen alive since this account began was got by somebody who has
    /// just asked for the same: the server gives no more than that.
    pub(super) fn wanted(&self, entry: Option<&Entry>, min_ttl: Duration) -> Duration {
        let since_then = entry.and_then(|entry| entry.seen_at).is_some_and(|seen| seen >= self.started);
        if since_then { Duration::ZERO } else { min_ttl }
    }

    pub(super) fn login(self, session: Session, hints: Hints) -> Active {
        Active {
            session,
            kept: self.kept.get(),
            opened: self.opened.get(),
            settings: self.plan.known(),
            hints,
        }
    }

    /// Why a session is not stored, if it is none to store: nobody could tell by the clock whether it is alive.
    pub(super) fn unstorable(&self, session: &Session) -> Option<Text> {
        let endless = matches!(self.target.spec.ageing, Ageing::Fixed) && session.expires_at.is_none();
        endless.then(|| tr!("a session without a known end is not stored"))
    }

    pub(super) fn entry(&self, session: Session, credentials: BTreeMap<String, String>) -> Entry {
        let seen_at = Some(session.obtained_at.max(Timestamp::now()));
        Entry { target: self.target.to_string(), session, seen_at, credentials }
    }
}

fn of_partner(found: &Found) -> bool {
    found.field.shared == Some(Group::Partner)
}
