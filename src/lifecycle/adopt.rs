//! Stores a session that was obtained elsewhere.

use super::account::Account;
use super::obtain::{Active, Part};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::{Text, tr};
use crate::provider::Life;
use crate::session::Session;
use crate::store::{Lock, Written};

impl<'a> Account<'a> {
    /// Stores a session of the account's user, once the server has said that it is alive.
    pub async fn adopt(self, mut session: Session) -> Result<Active<'a>> {
        self.services.take_in(&mut session);
        let stored = self.store_if_alive(&session).await;
        stored.map_err(|error| error.target(&self.target().to_string()))?;
        let part = match self.store().lasts() {
            true => Part::Kept,
            false => Part::Found,
        };
        Ok(Active {
            account: self,
            session,
            part,
        })
    }

    async fn store_if_alive(&self, session: &Session) -> Result<()> {
        if let Some(why) = self.unstorable(session) {
            let hint = tr!("adopt one whose expires_at is known, or log in");
            return Err(Error::new(Cause::Usage, why).hint(hint));
        }
        let origin = self.plan.url.origin();
        let life = self.ask(session).await;
        match life.map_err(|error| self.explain(error))? {
            Life::Alive => {}
            Life::Broken => {
                let error = error!(Status: "{origin} fails when it is asked with the session"; origin =>
                    hint "adopt another one, or log in");
                return Err(error);
            }
            Life::Dead => return Err(dead(tr!("{origin} says that the session is dead"; origin))),
            Life::Busy => self.warn(super::freshness::Stale::Busy.text()),
            Life::Unknown => {
                let text = tr!("the server has no way to say whether the session is alive");
                self.warn(text);
            }
        }
        let entry = self.entry(session.clone(), std::collections::BTreeMap::new());
        let write = async |lock: &Lock| lock.write(&entry).await;
        match self.locked(self.deadline, write).await? {
            Written::Stored => Ok(()),
            Written::NotKept => Err(dead(tr!("the session has already ended and is not stored"))),
            Written::Overtaken => Err(super::shared::overtaken()),
        }
    }
}

fn dead(message: Text) -> Error {
    Error::new(Cause::Refused, message).hint(tr!("adopt one that is alive, or log in"))
}
