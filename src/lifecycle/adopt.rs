//! Stores a session that was obtained elsewhere.

use std::collections::BTreeMap;

use super::hints::Hints;
use super::obtain::{Active, App};
use super::shared_store::overtaken;
use crate::declaration::Target;
use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};
use crate::provider::{Life, Role};
use crate::session::Session;
use crate::store::Written;

impl App {
    /// Stores a session that was obtained elsewhere, once the server has said that it is alive.
    pub async fn adopt(&self, target: &Target, session: Session) -> Result<Active> {
        let work = async {
            let account = self.account(target).await?;
            let hints = Hints::of(&account.plan);
            self.report.learn(&session.token);
            if let Some(why) = account.unstorable(&session) {
                return Err(
                    Error::new(Cause::Usage, why).hint(tr!("adopt one whose expires_at is known, or log in"))
                );
            }
            match self.ask(&account, &Role::User, &session).await.map_err(|error| hints.add(error))? {
                Life::Alive => {}
                Life::Broken => {
                    let origin = account.plan.url.origin();
                    let message = tr!("{origin} fails when it is asked with the session", origin);
                    return Err(Error::new(Cause::Status, message).hint(tr!("adopt another one, or log in")));
                }
                Life::Dead => {
                    let origin = account.plan.url.origin();
                    return Err(dead(tr!("{origin} says that the session is dead", origin)));
                }
                Life::Unknown => {
                    let text = tr!("the server has no way to say whether the session is alive");
                    self.report.warn(Some(target), text);
                }
            }
            let lock = self.store.lock(&account.key(&Role::User), account.deadline).await?;
            let entry = account.entry(session.clone(), BTreeMap::new());
            let written = self.store.write(&lock, &entry).await;
            self.release(lock).await;
            match written? {
                Written::Stored => {}
                Written::NotKept => {
                    return Err(dead(tr!("the session has ended already and is not stored")));
                }
                Written::Overtaken => return Err(overtaken()),
            }
            account.kept.set(true);
            Ok(account.login(session, hints))
        };
        work.await.map_err(|error: Error| error.target(&target.to_string()))
    }
}

/// A session that is not worth adopting.
fn dead(message: Text) -> Error {
    Error::new(Cause::Refused, message).hint(tr!("adopt one that is alive, or log in"))
}
