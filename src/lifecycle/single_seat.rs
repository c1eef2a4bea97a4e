//! Systems with a single seat, where a login ends the session before it, whoever uses that.

use super::obtain::Attempt;
use crate::error::{Cause, Error};
use crate::i18n::{local, tr};
use crate::store::Entry;

impl Attempt<'_> {
    /// The stored session that a login ends.
    fn seat(&self) -> Option<&Entry> {
        self.entry
            .as_ref()
            .filter(|_| self.account.target().spec.single_seat())
    }

    /// Before a login: however this run ends, the server is asked about the old session before that is used again.
    pub(super) async fn mark_unverified(&self) {
        if let (Some(lock), Some(old)) = (&self.lock, self.seat()) {
            let _ = lock.write(&old.clone().unverified()).await;
        }
    }

    /// After a login that failed: if it cannot have ended the old session, that one is as good as before.
    pub(super) async fn restore(&self, error: &Error) {
        if let (Some(lock), Some(old)) = (&self.lock, self.seat())
            && !may_have_replaced(error)
        {
            let _ = lock.write(old).await;
        }
    }

    /// After a login that somebody asked for: it has ended the session that others share.
    pub(super) fn warn_replaced(&self) {
        let Some(old) = self.seat() else { return };
        self.account.warn(tr!(
            "this ended the session of {since} that was stored in {place}; `crmauth token {target}` would have \
             shared it",
            since = local(old.session.obtained_at),
            place = self.account.store().place(),
            target = self.account.target()
        ));
    }
}

/// Whether a login that failed may have ended the session before it: any answer but a refusal may mean that.
fn may_have_replaced(error: &Error) -> bool {
    use Cause::{BadSetting, MissingSetting, Usage};
    use Cause::{Certificate, Connect, ConnectTimeout, Dns, Proxy, ProxyRefused, Tls};
    use Cause::{InFront, Locked, NotFound, RateLimited, Redirect, Refused};
    let cause = error.cause;
    let unsent = matches!(cause, BadSetting | MissingSetting | Usage)
        || matches!(
            cause,
            Dns | Connect | ConnectTimeout | Certificate | Tls | Proxy | ProxyRefused
        );
    let refused = matches!(
        cause,
        Refused | InFront | Locked | RateLimited | NotFound | Redirect
    );
    !unsent && !refused
}
