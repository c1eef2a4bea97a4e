//! Gluocrm's challenges: one row a user, deleted and inserted anew by each getchallenge.

use std::collections::HashMap;

use super::super::{Rules, SECOND, random_hex};

/// How long a challenge lives, in seconds.
const LIFETIME: i64 = 300;

pub(super) struct Challenge {
    pub token: String,
    /// Microseconds.
    pub end: i64,
}

pub(super) struct Challenges {
    rules: Rules,
    by_user: HashMap<&'static str, Challenge>,
}

impl Challenges {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            by_user: HashMap::new(),
        }
    }

    pub fn delete(&mut self, user: &'static str) {
        self.by_user.remove(user);
    }

    /// Returns the challenge that the client is told. It is lost where a rival has inserted one since the
    /// DELETE: the table has one row a user, and nobody looks whether the INSERT went well.
    pub fn insert(&mut self, user: &'static str) -> Challenge {
        let end = self.rules.now() + LIFETIME * SECOND;
        let token = random_hex(13);
        self.by_user.entry(user).or_insert_with(|| Challenge {
            token: token.clone(),
            end,
        });
        Challenge { token, end }
    }

    /// The challenge that a login of the user is measured by.
    pub fn live(&self, user: &str) -> Option<&str> {
        let row = self.by_user.get(user)?;
        (row.end > self.rules.now()).then_some(row.token.as_str())
    }
}
