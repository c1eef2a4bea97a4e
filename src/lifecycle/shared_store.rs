//! What a login has to heed where other machines share the store: it may be out of reach, and another may have got the
//! right to log in while this one paused.

use tokio::time::Instant;

use super::App;
use super::account::Account;
use crate::error::{Cause, Error, Result};
use crate::i18n::tr;
use crate::provider::{Context, Life, Role};
use crate::session::Session;
use crate::store::{Entry, Key, Lock, Version, Waited};

impl App {
    /// Waits for the right to write an entry, or for news of it where `seen` is what was read. `None`: there is no
    /// right to be had, and the login goes on without.
    pub(super) async fn wait(
        &self,
        account: &Account<'_>,
        key: &Key,
        seen: Option<Version>,
    ) -> Result<Option<Waited>> {
        let waited = match seen {
            Some(seen) => self.store.wait(key, seen, account.deadline).await,
            None => self.store.lock(key, account.deadline).await.map(Waited::Lock),
        };
        match waited {
            Ok(waited) => Ok(Some(waited)),
            Err(error) if matches!(error.cause, Cause::Busy | Cause::BadSetting) => Err(error),
            Err(error) if error.cause.exit() == 5 => {
                self.continue_without_store(account, error).map(|()| None)
            }
            Err(error) => {
                self.not_stored(account.target, &error);
                Ok(None)
            }
        }
    }

    /// Right before what changes something on the server: the right must last until that is done.
    pub(super) async fn ensure_lock(&self, account: &Account<'_>, lock: Option<&Lock>) -> Result<()> {
        let Some(lock) = lock else { return Ok(()) };
        match self.store.hold(lock).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(overtaken()),
            Err(error) => self.continue_without_store(account, error),
        }
    }

    /// The store is out of reach. Sessions that live side by side do without it; on a single seat a login would end
    /// the session that everybody else shares.
    pub(super) fn continue_without_store(&self, account: &Account<'_>, error: Error) -> Result<()> {
        if error.cause.exit() != 5 {
            return Err(error);
        }
        if account.target.spec.single_seat() {
            let hint = tr!("--no-store logs in all the same, which ends the session that others may share");
            return Err(Error { hint: Some(hint), ..error });
        }
        self.report.warn_of(Some(account.target), tr!("this session is not shared"), &error);
        Ok(())
    }

    /// Whether to begin again: another got the right before anything was sent.
    pub(super) fn should_retry<T>(&self, account: &Account<'_>, outcome: &Result<T>) -> bool {
        outcome.as_ref().is_err_and(|error| error.cause == Cause::Overtaken)
            && Instant::now() < account.deadline
    }

    /// Another machine got the right while this one logged in. Where only one session lives, the server knows which:
    /// that one is stored and handed out. A pause may have eaten up the account's time, so that this gets time of its own.
    pub(super) async fn resolve_conflict(
        &self,
        account: &Account<'_>,
        role: &Role,
        key: &Key,
        own: Session,
    ) -> Result<Session> {
        self.report.note(Some(account.target), tr!("another machine has logged in meanwhile"));
        if !account.target.spec.single_seat() {
            return Ok(own);
        }
        match self.store.lock(key, self.deadline()).await {
            Ok(lock) => {
                let session = self.resolve_conflict_locked(account, role, &lock, own).await;
                self.release(lock).await;
                Ok(session)
            }
            Err(error) => {
                self.not_stored(account.target, &error);
                Ok(own)
            }
        }
    }

    async fn resolve_conflict_locked(
        &self,
        account: &Account<'_>,
        role: &Role,
        lock: &Lock,
        own: Session,
    ) -> Session {
        let theirs = self.look(account.target, &lock.key, self.deadline()).await.ok().flatten();
        if let Some(theirs) = theirs.filter(|theirs| theirs.session.token != own.token) {
            let settings = account.plan.known();
            let channel = self.channel_of(&settings);
            let context = Context::new(&settings, role.clone(), &channel);
            match account.provider.check(&context, &theirs.session).await {
                Ok(Life::Dead) => {}
                Ok(Life::Alive) => {
                    account.opened.set(false);
                    return theirs.session;
                }
                // Whoever uses it next asks before.
                _ => {
                    self.keep(account, Some(lock), &Entry { seen_at: None, ..theirs }).await;
                    account.kept.set(false);
                    return own;
                }
            }
        }
        let credentials = self.fingerprints(account, role).await.unwrap_or_default();
        self.keep(account, Some(lock), &account.entry(own.clone(), credentials)).await;
        own
    }
}

/// Another machine has the right by now.
pub(super) fn overtaken() -> Error {
    Error::new(Cause::Overtaken, tr!("another machine has begun to log in meanwhile"))
        .hint(tr!("try again: what it gets is shared"))
}
