//! Gluocrm's sessions: PHP's files, one a session, each alive, poisoned or not there.

use std::collections::HashMap;

use super::super::{Rules, random_hex};
use super::answer::Refusal;

/// PHP's garbage collection: how long a session lives unused, in seconds.
const IDLE: i64 = 24 * 60;

/// What the server has of a session's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A file with a user.
    Alive,
    /// No file: there never was one, or PHP has collected it.
    Dead,
    /// A file without a user, made by `extendsession`: every operation crashes over it.
    Poisoned,
}

/// A limit of vtiger's own that strikes when the session is used next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Expired,
    LeftIdle,
}

struct Session {
    /// The user's id; none in a poisoned session.
    user: Option<&'static str>,
    used: i64,
    mark: Option<Mark>,
}

pub struct Sessions {
    rules: Rules,
    by_name: HashMap<String, Session>,
    /// Each request reads its session first and PHP collects the idle ones then, instead of a job that
    /// collects them on time.
    pub collected_late: bool,
}

impl Sessions {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            by_name: HashMap::new(),
            collected_late: false,
        }
    }

    pub(super) fn create(&mut self, user: &'static str) -> String {
        let name = random_hex(21);
        self.put(&name, Some(user));
        name
    }

    pub(super) fn poison(&mut self, name: &str) {
        self.put(name, None);
    }

    fn put(&mut self, name: &str, user: Option<&'static str>) {
        let (now, idle) = (self.rules.now(), self.rules.lifetime(IDLE));
        self.by_name
            .retain(|_, session| now - session.used < idle || self.collected_late);
        self.by_name.insert(
            name.to_owned(),
            Session {
                user,
                used: now,
                mark: None,
            },
        );
    }

    /// Uses a session: its user, or none where it is poisoned. What strikes it ends it with this answer.
    pub(super) fn open(&mut self, name: &str) -> Result<Option<&'static str>, Refusal> {
        let (now, idle) = (self.rules.now(), self.rules.lifetime(IDLE));
        let session = self.by_name.get_mut(name);
        let session = session.ok_or_else(Refusal::dead_session)?;
        let stale = now - session.used >= idle;
        session.used = now;
        let (user, mark) = (session.user, session.mark);
        if stale || mark.is_some() {
            self.by_name.remove(name);
        }
        match mark {
            Some(Mark::Expired) => Err(Refusal::new(
                "SESSION_EXPIRED",
                "Session has life span over please login again",
            )),
            Some(Mark::LeftIdle) => {
                let text = "Session has been invalidated to due lack activity";
                Err(Refusal::new("SESSION_LEFT_IDLE", text))
            }
            None if stale && !self.collected_late => Err(Refusal::dead_session()),
            None => Ok(user),
        }
    }

    pub fn state(&self, name: &str) -> State {
        let (now, idle) = (self.rules.now(), self.rules.lifetime(IDLE));
        match self.by_name.get(name) {
            Some(session) if now - session.used >= idle && !self.collected_late => State::Dead,
            Some(Session { user: None, .. }) => State::Poisoned,
            Some(_) => State::Alive,
            None => State::Dead,
        }
    }

    pub fn mark(&mut self, name: &str, mark: Mark) {
        if let Some(session) = self.by_name.get_mut(name) {
            session.mark = Some(mark);
        }
    }

    pub fn forget(&mut self, name: &str) {
        self.by_name.remove(name);
    }
}
