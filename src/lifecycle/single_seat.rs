//! The bookkeeping for systems with a single seat, where a login ends the session before it, in whosever hands it is.

use super::App;
use super::account::Account;
use crate::declaration::Target;
use crate::error::{Cause, Error};
use crate::i18n::tr;
use crate::output;
use crate::store::{Entry, Lock};

impl App {
    /// Before a login: whatever ends this run now, the old session is asked for before it is used again.
    pub(super) async fn mark_unverified(
        &self,
        account: &Account<'_>,
        lock: Option<&Lock>,
        old: Option<&Entry>,
    ) {
        if let (true, Some(lock), Some(old)) = (account.target.spec.single_seat(), lock, old) {
            let _ = self.store.write(lock, &Entry { seen_at: None, ..old.clone() }).await;
        }
    }

    /// After a login that failed: where it cannot have ended the old session, that one is as good as before.
    pub(super) async fn restore(
        &self,
        account: &Account<'_>,
        lock: Option<&Lock>,
        old: Option<&Entry>,
        error: &Error,
    ) {
        if let (true, Some(lock), Some(old)) = (account.target.spec.single_seat(), lock, old)
            && !may_have_replaced(error)
        {
            let _ = self.store.write(lock, old).await;
        }
    }

    /// A new login took the session out of everybody's hands.
    pub(super) fn warn_replaced(&self, account: &Account<'_>, entry: Option<&Entry>) {
        if let (true, Some(entry)) = (account.target.spec.single_seat(), entry) {
            let since = output::time(entry.session.obtained_at);
            self.report.warn(
                Some(account.target),
                tr!(
                    "this ended the session of {since} that was stored in {place}; `crmauth token {target}` would have \
                     shared it",
                    since,
                    place = self.store.place(),
                    target = account.target
                ),
            );
        }
    }

    /// A session that is not stored cannot be shared.
    pub(super) fn warn_of_seat(&self, target: &Target) {
        if target.spec.single_seat() {
            self.report
                .warn(Some(target), tr!("it cannot be had again but by a login that ends it: keep it"));
        }
    }
}

/// Whether a login that failed may have ended the session before it: any answer but a refusal may mean that.
fn may_have_replaced(error: &Error) -> bool {
    !matches!(
        error.cause,
        Cause::Refused
            | Cause::Locked
            | Cause::RateLimited
            | Cause::NotFound
            | Cause::Redirect
            | Cause::Dns
            | Cause::Connect
            | Cause::ConnectTimeout
            | Cause::Certificate
            | Cause::Tls
            | Cause::Proxy
            | Cause::BadSetting
            | Cause::MissingSetting
            | Cause::Usage
    )
}
