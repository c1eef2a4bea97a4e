//! Gluocrm's sessions: PHP's files, one a session, each alive, poisoned or not there.

use std::collections::HashMap;

use super::super::Rules;
use super::answer::{Result, dead_session, refused};

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
    /// PHP collects the idle sessions once a request has read its own, instead of a job that collects them on time.
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

    /// Makes or uses a session's file.
    pub(super) fn put(&mut self, name: &str, user: Option<&'static str>) {
        let (used, mark) = (self.rules.now(), None);
        let session = Session { user, used, mark };
        self.by_name.insert(name.to_owned(), session);
    }

    /// Uses a session: its user, or none where it is poisoned. What strikes it ends it with this answer.
    pub(super) fn open(&mut self, name: &str) -> Result<Option<&'static str>> {
        let dead = self.state(name) == State::Dead;
        let session = self.by_name.remove(name).filter(|_| !dead);
        let session = session.ok_or_else(dead_session)?;
        match session.mark {
            Some(Mark::Expired) => {
                let text = "Session has life span over please login again";
                return Err(refused("SESSION_EXPIRED", text));
            }
            Some(Mark::LeftIdle) => {
                let text = "Session has been invalidated to due lack activity";
                return Err(refused("SESSION_LEFT_IDLE", text));
            }
            None if self.is_idle(&session) => {}
            None => self.put(name, session.user),
        }
        Ok(session.user)
    }

    pub fn state(&self, name: &str) -> State {
        match self.by_name.get(name) {
            None => State::Dead,
            Some(session) if self.is_idle(session) && !self.collected_late => State::Dead,
            Some(Session { user: None, .. }) => State::Poisoned,
            Some(_) => State::Alive,
        }
    }

    fn is_idle(&self, session: &Session) -> bool {
        self.rules.now() - session.used >= self.rules.lifetime(IDLE)
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
