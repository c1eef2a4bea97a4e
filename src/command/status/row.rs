//! What is known of one target's session.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::declaration::Target;
use crate::error::{Cause, Error};
use crate::i18n::{Text, tr};
use crate::lifecycle::{Account, Services, Stale, Verdict};
use crate::output;
use crate::provider::Life;
use crate::report::Report;
use crate::settings::{Setting, Sources};
use crate::store::{Entry, Key};

/// A session that ends sooner counts as expiring.
const MIN_TTL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Usable,
    Unknown,
    Expiring,
    Expired,
    /// Stored under other credentials than those that are set.
    Changed,
    Dead,
    /// It lives, but its user does not.
    NoUser,
    None,
}

impl State {
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Fresh => Self::Usable,
            Verdict::Ask(_) => Self::Unknown,
            Verdict::Renew(stale) | Verdict::Login(stale) => match stale {
                Stale::Expiring(_) => Self::Expiring,
                Stale::Expired | Stale::NoEnd => Self::Expired,
                Stale::CredentialsChanged => Self::Changed,
                Stale::Absent => Self::None,
                _ => Self::Unknown,
            },
        }
    }

    /// The word for people; in JSON it has no spaces.
    fn text(self) -> Text {
        match self {
            Self::Usable => tr!("usable"),
            Self::Unknown => tr!("unknown"),
            Self::Expiring => tr!("expiring"),
            Self::Expired => tr!("expired"),
            Self::Changed => tr!("changed"),
            Self::Dead => tr!("dead"),
            Self::NoUser => tr!("no user"),
            Self::None => tr!("none"),
        }
    }
}

pub struct Row<'a> {
    pub target: Target,
    /// Whom the session stands for, if it is one of `--as`.
    pub person: Option<String>,
    pub account: Option<Account<'a>>,
    pub entry: Option<Entry>,
    pub state: State,
    checked: Option<Life>,
    pub error: Option<Error>,
    /// With `--check`: why there is no usable session, and the cure.
    pub diagnosis: Option<Error>,
}

impl<'a> Row<'a> {
    /// `listed` is what is stored in the target's name, whatever its settings are now; `here` says that it has settings.
    pub async fn find(
        services: &'a Services,
        sources: &Sources,
        target: &Target,
        listed: Option<&(Key, Entry)>,
        here: bool,
        check: bool,
    ) -> Self {
        // With thousands of accounts a signal is heard between two.
        tokio::task::yield_now().await;
        let mut row = Self {
            target: target.clone(),
            person: listed.and_then(|(key, _)| key.person()).map(str::to_owned),
            account: None,
            entry: None,
            state: State::None,
            checked: None,
            error: None,
            diagnosis: None,
        };
        let read = async {
            let found = Account::find(services, sources, target, row.person.as_deref()).await;
            let account = match (found, listed) {
                (Err(error), Some(stored)) if error.cause == Cause::MissingSetting && !here => {
                    Account::of_stored(services, sources, stored).await?
                }
                (found, _) => found?,
            };
            if let Some(transcript) = &mut *services.http.transcript.borrow_mut() {
                account.typed().for_each(|value| transcript.hide(value));
            }
            let (entry, verdict) = account.stored(MIN_TTL).await?;
            (row.account, row.entry, row.state) = (Some(account), entry, State::of(verdict));
            Ok::<_, Error>(())
        };
        if let Err(error) = read.await {
            // The row of the target itself says it.
            row.error = Some(error).filter(|_| row.person.is_none());
            row.entry = listed.map(|(_, entry)| entry.clone());
            if row.entry.is_some() {
                row.state = State::Unknown;
            }
        }
        if check {
            row.ask().await;
        }
        row
    }

    /// Asks the server whether the session is alive, and why there is none that can be used.
    async fn ask(&mut self) {
        // An expired session needs no question, and its refresh token may still be good.
        if let (Some(account), Some(entry)) = (&self.account, &self.entry)
            && self.state != State::Expired
        {
            let checked = account.again().check(&entry.session).await;
            self.state = match &checked {
                Ok(Life::Dead) => State::Dead,
                Ok(Life::Broken) => State::Unknown,
                Ok(Life::Alive) if self.state == State::Unknown => State::Usable,
                Err(error) if error.cause == Cause::NoUser => State::NoUser,
                _ => self.state,
            };
            self.checked = checked.as_ref().ok().copied();
            self.error = checked.err().or(self.error.take());
        }
        if self.person.is_none() && (self.error.is_some() || self.state != State::Usable) {
            let found = self.diagnose().await;
            // What keeps a server from being asked is a failure; that nobody is logged in is none.
            let is_failure = |found: &Error| matches!(found.cause.exit(), 5 | 6);
            let known = self.error.take();
            self.error = known.or_else(|| found.clone().filter(is_failure));
            self.diagnosis = found;
        }
    }

    /// Why the target has no usable session. What is known already is not asked for again.
    async fn diagnose(&self) -> Option<Error> {
        use Cause::{BadAnswer, Html, NotFound, Status};
        let account = match (&self.account, self.error.as_ref().map(|error| error.cause)) {
            // Something answered, but what?
            (Some(account), None | Some(NotFound | Html | BadAnswer | Status)) => account.again(),
            _ => return self.error.clone(),
        };
        let found = account.diagnose(self.entry.is_some(), self.checked).await;
        let known = self.error.clone();
        let known = known.filter(|_| found.cause != Cause::WrongProduct);
        known.or(Some(found))
    }

    pub fn exit(&self) -> u8 {
        match (&self.error, self.state) {
            (Some(error), _) => error.cause.exit(),
            // Sessions of `--as` live short, and nobody asked for them.
            (None, state) if state == State::Usable || self.person.is_some() => 0,
            (None, _) => Cause::NoSession.exit(),
        }
    }

    /// The state's word for people, who see whether the server was asked.
    pub fn state_text(&self) -> Text {
        match (self.state, self.checked) {
            (State::Usable, Some(Life::Alive)) => tr!("alive"),
            (state, _) => state.text(),
        }
    }

    /// Why nobody knows whether the session is alive, though that was to be checked.
    pub fn unchecked(&self) -> Option<Text> {
        let name = self.target.spec.product;
        Some(match self.checked? {
            Life::Unknown => tr!(
                "{name} cannot tell whether a session is alive; only its expiry was checked"; name),
            Life::Busy => tr!("the server is busy with another request of the session"),
            Life::Alive | Life::Dead | Life::Broken => return None,
        })
    }

    pub fn seconds_left(&self) -> Option<i64> {
        let end = self.entry.as_ref()?.session.expires_at?;
        Some(end.duration_since(Timestamp::now()).as_secs().max(0))
    }

    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.account.iter().flat_map(|account| account.plan.set())
    }

    /// The error about settings that a login would need.
    pub fn missing(&self) -> Option<&Error> {
        let found = || self.account.as_ref()?.plan.missing.as_ref();
        let missing = |error: &&Error| error.cause == Cause::MissingSetting;
        found().or_else(|| self.error.as_ref().filter(missing))
    }

    pub fn to_json(&self, report: &Report) -> Value {
        let session = self.entry.as_ref().map(|entry| &entry.session);
        let plan = self.account.as_ref().map(|account| &account.plan);
        let settings = self.settings().map(|found| {
            let from = found.origin.text().english();
            json!({ "variable": found.written, "from": from })
        });
        // The configured user, else the stored session's.
        let user = plan.and_then(|plan| plan.text("USERNAME"));
        let user = user.or_else(|| session?.user.as_deref());
        let hash = session.map(|session| crate::secret::sha256_hex(session.token.expose()));
        json!({
            "target": self.target.to_string(),
            "provider": self.target.spec.id,
            "account": self.target.account,
            "impersonating": self.person,
            "user": user.filter(|user| !user.is_empty()),
            "url": plan.map(|plan| plan.url.to_string()),
            "session": self.state.text().english().replace(' ', "_"),
            "obtained_at": session.map(|session| output::time(session.obtained_at)),
            "expires_at": session.and_then(|session| session.expires_at).map(output::time),
            "seconds_left": self.seconds_left(),
            "fingerprint": hash.as_ref().map(|hash| &hash.expose()[..8]),
            "checked": self.checked.map(|life| match life {
                Life::Alive => "alive",
                Life::Dead => "dead",
                Life::Broken | Life::Busy | Life::Unknown => "unknown",
            }),
            "settings": settings.collect::<Vec<_>>(),
            "missing": self.missing().map(|error| report.error_json(error)["message"].clone()),
            "error": self.error.as_ref().map(|error| report.error_json(error)),
            "diagnosis": self.diagnosis.as_ref().map(|found| {
                let found = report.error_json(found);
                json!({ "code": found["code"], "message": found["message"], "hint": found["hint"] })
            }),
        })
    }
}
