//! What is shared: a store that may be out of reach, a lock that another machine may get while this one is paused, and
//! a single seat, where a login ends the session before it, whoever uses that.

use super::account::Account;
use super::obtain::{Attempt, Obtained, Part};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::{local, tr};
use crate::provider::Life;
use crate::store::{Entry, Found, Version, Written};

impl Account<'_> {
    /// Like `look`, but a missing store is not an error; also returns the entry's version.
    pub(super) async fn look_unless_away(&self) -> Result<(Version, Option<Entry>)> {
        let found = self.store().read(&self.key, self.deadline).await;
        let without = |error| self.do_without_store(error).map(|()| Found::default());
        let found = found.or_else(without)?;
        Ok((found.version, self.usable(found)))
    }

    /// Waits for the entry's lock, or for news of the entry if it was `seen`: then there is nothing to attempt yet.
    pub(super) async fn wait(&self, seen: Option<Version>) -> Result<Option<Attempt<'_>>> {
        let lock = match self.store().wait(&self.key, seen, self.deadline).await {
            Ok(None) => return Ok(None),
            Ok(lock) => lock,
            Err(error) => {
                match error.cause {
                    Cause::Busy | Cause::BadSetting => return Err(error),
                    cause if cause.exit() == 5 => self.do_without_store(error)?,
                    _ => self.warn_not_stored(&error),
                }
                None
            }
        };
        Ok(Some(Attempt::new(self, lock)))
    }

    /// Sessions that live side by side do without the store; on a single seat a login would end the one that is shared.
    fn do_without_store(&self, error: Error) -> Result<()> {
        if error.cause.exit() != 5 {
            return Err(error);
        }
        if self.target().spec.single_seat() {
            let hint =
                tr!("--no-store logs in anyway, which ends the session that others may share");
            let hint = Some(hint);
            return Err(Error { hint, ..error });
        }
        self.warn_of(tr!("this session is not shared"), &error);
        Ok(())
    }
}

impl Attempt<'_> {
    /// Makes sure, right before a request that changes something on the server, that the lock lasts until that is done.
    pub(super) async fn ensure_lock(&self) -> Result<()> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        match lock.hold().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(overtaken()),
            Err(error) => self.account.do_without_store(error),
        }
    }

    /// Decides which session counts if another machine got the lock meanwhile: on a single seat, the one that lives.
    pub(super) async fn resolve_conflict(&self, own: Obtained) -> Obtained {
        // A pause may have used up the time.
        let account = &self.account.again();
        account.note(tr!("another machine has logged in meanwhile"));
        if !account.target().spec.single_seat() {
            return own;
        }
        let lock = account.store().lock(&account.key, account.deadline).await;
        let lock = lock.inspect_err(|error| account.warn_not_stored(error));
        let Ok(lock) = lock else { return own };
        let attempt = Attempt::new(account, Some(lock));
        let session = attempt.choose(own).await;
        attempt.release().await;
        session
    }

    async fn choose(&self, own: Obtained) -> Obtained {
        let account = self.account;
        let theirs = account.look().await.ok().flatten();
        let (session, part) = own;
        if let Some(mut theirs) = theirs.filter(|theirs| theirs.session.token != session.token) {
            match account.ask(&theirs.session).await {
                Ok(Life::Dead) => {}
                Ok(Life::Alive) => return (theirs.session, Part::Found),
                _ => {
                    // Whoever uses it next asks first.
                    theirs.seen_at = None;
                    self.write(&theirs).await;
                    return (session, part);
                }
            }
        }
        match self.write_new(&session).await {
            Some(Written::Stored) => (session, Part::Kept),
            _ => (session, part),
        }
    }

    /// The stored session that a login ends.
    pub(super) fn seat(&self) -> Option<&Entry> {
        let entry = self.entry.as_ref();
        entry.filter(|_| self.account.target().spec.single_seat())
    }

    /// Notes in the store when the session that a login would end was last seen alive; `None`: ask before it is used.
    pub(super) async fn set_seat(&self, seen_at: Option<jiff::Timestamp>) {
        if let (Some(lock), Some(old)) = (&self.lock, self.seat()) {
            let old = old.clone();
            let _ = lock.write(&Entry { seen_at, ..old }).await;
        }
    }

    /// After a login that somebody asked for: it has ended the session that others share.
    pub(super) fn warn_replaced(&self) {
        let Some(old) = self.seat() else { return };
        let (since, target) = (local(old.session.obtained_at), self.account.target());
        self.account.warn(tr!(
            "this ended the session of {since} that was stored in {place}; `crmauth token {target}` would have shared \
            it";
            since, place = self.account.store().place(), target));
    }
}

/// Whether a login that failed may have ended the session before it: any answer but a refusal may mean that.
pub(super) fn may_have_replaced(error: &Error) -> bool {
    use Cause::{Certificate, Connect, ConnectTimeout, Dns, Proxy, ProxyRefused, Tls};
    use Cause::{InFront, Locked, NotFound, RateLimited, Redirect, Refused};
    let cause = error.cause;
    let refused = matches!(cause, Refused | Locked | RateLimited | NotFound);
    let between = matches!(cause, InFront | Redirect | Proxy | ProxyRefused);
    let unreached = matches!(cause, Dns | Connect | ConnectTimeout | Certificate | Tls);
    !(refused || between || unreached || cause.exit() == 2)
}

pub(super) fn overtaken() -> Error {
    error!(Overtaken: "another machine has started a login meanwhile" =>
        hint "try again: its session is shared")
}
