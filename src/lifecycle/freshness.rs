//! Whether a stored session can be handed out as it is; if not, why not and what comes next.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::Account;
use super::obtain::Active;
use crate::declaration::{Ageing, Renewal};
use crate::error::{Error, Result};
use crate::i18n::{Text, span, tr};
use crate::provider::Life;
use crate::session::Session;
use crate::store::{Entry, Found};

/// A renewal that needs the session alive is not tried in its last moment.
const RENEWAL_MARGIN: SignedDuration = SignedDuration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fresh,
    Ask(Stale),
    Renew(Stale),
    Login(Stale),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    Absent,
    CredentialsChanged,
    NoEnd,
    Expired,
    /// It ends within the time asked for; seconds left.
    Expiring(i64),
    /// It has shown no sign of life for these seconds.
    Unseen(i64),
    /// It may have ended: a login that was cut off may have replaced it.
    Suspect,
    Dead,
    Broken,
    Busy,
}

/// What the store has in the place of a session that came from it.
pub enum Compared {
    Same,
    Gone,
    /// Another one, which can be handed out.
    Newer(Box<Session>),
}

impl Verdict {
    pub(super) fn stale(self) -> Option<Stale> {
        match self {
            Self::Fresh => None,
            Self::Ask(stale) | Self::Renew(stale) | Self::Login(stale) => Some(stale),
        }
    }
}

impl Stale {
    pub fn text(self) -> Text {
        match self {
            Self::Absent => tr!("no session is stored"),
            Self::CredentialsChanged => {
                tr!("the stored session was obtained with other credentials")
            }
            Self::NoEnd => tr!("the stored session's end is unknown"),
            Self::Expired => tr!("the stored session has expired"),
            Self::Expiring(left) => tr!("the stored session expires in {left}"; left = span(left)),
            Self::Unseen(since) => tr!(
                "the stored session was last seen alive {since} ago"; since = span(since)),
            Self::Suspect => tr!("the stored session may have ended"),
            Self::Dead => tr!("the server says that the stored session is dead"),
            Self::Broken => tr!("the server fails whenever it is asked with the stored session"),
            Self::Busy => tr!("the server is busy with another request of the stored session"),
        }
    }
}

impl Active<'_> {
    /// Whether the session, last seen at `seen`, need not be renewed yet. Without an end it is used until refused.
    pub fn is_fresh(&self, seen: Timestamp, min_ttl: Duration) -> bool {
        let (session, now) = (&self.session, Timestamp::now());
        match (self.target().spec.ageing, session.expires_at) {
            (Ageing::Fixed, None) => true,
            (Ageing::Fixed, Some(end)) => end.duration_since(now) > session.margin(end, min_ttl),
            (Ageing::Idle { ask_after } | Ageing::SingleSeat { ask_after }, _) => {
                now.duration_since(seen) < SignedDuration::from_secs(i64::from(ask_after))
            }
        }
    }
}

impl Account<'_> {
    /// What is stored and what to do about it; touches no network.
    pub async fn stored(&self, min_ttl: Duration) -> Result<(Option<Entry>, Verdict)> {
        let named = |error: Error| error.target(&self.target().to_string());
        let entry = self.look().await.map_err(named)?;
        let verdict = self.judge(entry.as_ref(), min_ttl).await.map_err(named)?;
        Ok((entry, verdict))
    }

    /// Asks the server whether the stored session is alive, and forgets it if it is dead.
    pub async fn check(&self, session: &Session) -> Result<Life> {
        let _busy = self.busy(tr!("asking whether the session is alive"));
        let life = self.ask(session).await;
        let life = life.map_err(|error| self.explain(error))?;
        if life == Life::Dead {
            self.drop_session(session).await;
        }
        Ok(life)
    }

    /// Compares the store with a session from it. An entry that cannot be read or used
    /// counts as the same: whoever needs it complains.
    pub async fn compare(&self, session: &Session) -> Compared {
        let found = self.store().read(&self.key, self.deadline).await;
        let entry = match found.map(|found| (found.unusable, found.entry)) {
            Ok((None, None)) => return Compared::Gone,
            Ok((None, Some(entry))) if entry.session.token != session.token => entry,
            _ => return Compared::Same,
        };
        let verdict = self.judge(Some(&entry), Duration::ZERO).await;
        if !matches!(verdict, Ok(Verdict::Fresh | Verdict::Ask(_))) {
            return Compared::Same;
        }
        self.services.learn(&entry.session);
        Compared::Newer(Box::new(entry.session))
    }

    /// Reads the store; an entry that cannot be used is warned of and counts as none.
    pub(super) async fn look(&self) -> Result<Option<Entry>> {
        Ok(self.usable(self.store().read(&self.key, self.deadline).await?))
    }

    pub(super) fn usable(&self, found: Found) -> Option<Entry> {
        if let Some(why) = found.unusable {
            self.warn(tr!("the stored session {why}; it is not used"; why));
        }
        let entry = found.entry;
        entry.inspect(|entry| self.services.learn(&entry.session))
    }

    /// Judges the stored session, which must last for `min_ttl`. If somebody else got it after this account
    /// began, the server has just been asked for the same and gives no more than that.
    pub(super) async fn judge(&self, entry: Option<&Entry>, min_ttl: Duration) -> Result<Verdict> {
        let Some(entry) = entry else {
            return Ok(Verdict::Login(Stale::Absent));
        };
        // An adopted session knows no credentials.
        if !entry.credentials.is_empty() {
            let mut now = self.fingerprints().await?.into_iter();
            if now.any(|(field, print)| entry.credentials.get(&field) != Some(&print)) {
                return Ok(Verdict::Login(Stale::CredentialsChanged));
            }
        }
        let (now, spec) = (Timestamp::now(), self.target().spec);
        Ok(match (spec.ageing, entry.seen_at) {
            (Ageing::Fixed, seen) => {
                let just_seen = seen.is_some_and(|seen| seen >= self.started);
                let min_ttl = if just_seen { Duration::ZERO } else { min_ttl };
                fixed(entry, spec.renewal, min_ttl, now)
            }
            (_, None) => Verdict::Ask(Stale::Suspect),
            (Ageing::Idle { ask_after } | Ageing::SingleSeat { ask_after }, Some(seen)) => {
                let since = now.duration_since(seen).as_secs();
                match since < i64::from(ask_after) {
                    true => Verdict::Fresh,
                    false => Verdict::Ask(Stale::Unseen(since)),
                }
            }
        })
    }
}

fn fixed(entry: &Entry, renewal: Renewal, min_ttl: Duration, now: Timestamp) -> Verdict {
    let Some(end) = entry.session.expires_at else {
        return Verdict::Login(Stale::NoEnd);
    };
    let left = end.duration_since(now);
    let wanted = SignedDuration::try_from(min_ttl).unwrap_or(SignedDuration::MAX);
    if left > wanted {
        return Verdict::Fresh;
    }
    let stale = match left.is_positive() {
        true => Stale::Expiring(left.as_secs()),
        false => Stale::Expired,
    };
    let renewable = match renewal {
        Renewal::Never => false,
        Renewal::WhileAlive => left > RENEWAL_MARGIN,
        Renewal::OnceExpired => stale == Stale::Expired && entry.session.refresh.is_some(),
    };
    match renewable {
        true => Verdict::Renew(stale),
        false => Verdict::Login(stale),
    }
}
