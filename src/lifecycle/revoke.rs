//! Ends sessions: on the server where it can, then here.

use super::account::Account;
use super::obtain::{Active, Part};
use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};
use crate::provider::Revocation;

impl Account<'_> {
    /// Ends the stored session, if any: on the server unless `local`, then here. If the server is away, it stays.
    pub async fn end(&self, local: bool) -> Result<Option<Revocation>> {
        let store = self.store();
        let found = store.read(&self.key, self.deadline).await?;
        if found.entry.is_none() && found.unusable.is_none() {
            return Ok(None);
        }
        let _busy = self.busy(tr!("ending the session"));
        let end = async |lock: &crate::store::Lock| {
            let found = store.read(&self.key, self.deadline).await?;
            let Some(entry) = found.entry.or(found.exposed) else {
                // What cannot be read cannot be ended, but it need not stay.
                lock.forget().await?;
                return match found.unusable {
                    Some(why) if !local => Err(lost(tr!(
                        "the stored session {why}; it was removed here, but may still be active on the server"; why))),
                    Some(_) => Ok(Some(Revocation::Unsupported)),
                    None => Ok(None),
                };
            };
            self.services.learn(&entry.session);
            if let Some(why) = found.unusable {
                self.warn(tr!("the stored session {why}"; why));
            }
            let revoked = match local {
                true => Revocation::Unsupported,
                false if !lock.hold().await? => return Err(super::shared::overtaken()),
                false => {
                    let revoked = self.revoke(&entry.session).await;
                    revoked.map_err(|error| self.still_stored(error))?
                }
            };
            lock.forget().await?;
            Ok(Some(revoked))
        };
        self.locked(self.deadline, end).await
    }

    fn still_stored(&self, error: Error) -> Error {
        let target = self.target();
        match error.cause {
            _ if error.retryable() => error.hint(tr!(
                "try again, allow more time with --timeout SECONDS, or forget it here with `crmauth logout {target} \
                --local`";
                target)),
            Cause::Refused => error.hint(tr!(
                "forget it here with `crmauth logout {target} --local`"; target)),
            _ => error,
        }
    }
}

impl Active<'_> {
    /// Ends a session that this run logged in for and that nobody will have. Says so unless `silently`.
    pub async fn give_up(&self, silently: bool) {
        if self.part != Part::Opened {
            return;
        }
        let account = self.account.again();
        let lost = tr!("a session was opened and lost; it stays active until the server ends it");
        let ended = tr!("the session that was not delivered was ended on the server");
        match account.revoke(&self.session).await {
            _ if silently => {}
            Ok(Revocation::Revoked) => account.warn(ended),
            Ok(_) => account.warn(lost),
            Err(error) => account.warn_of(lost, &error),
        }
    }
}

/// Sessions that nobody can end from here any more.
pub fn lost(message: Text) -> Error {
    Error::new(Cause::Storage, message).hint(tr!(
        "it ends when idle; if somebody else may have it, ask the server's administrator to end it"
    ))
}
