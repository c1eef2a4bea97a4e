//! Obtains a session: from the store, or under the lock by asking, renewing or logging in; and stores what came of it.

use std::time::Duration;

use jiff::Timestamp;

use super::account::Account;
use super::freshness::{Stale, Verdict};
use crate::declaration::Renewal;
use crate::error::{Cause, Error, Pending, Result};
use crate::i18n::{span, tr};
use crate::provider::{Life, Provider, Renewed};
use crate::session::Session;
use crate::store::{Entry, Lock, Written};

/// How long a session that a login must carry has to last.
const PREREQUISITE_TTL: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub enum Want {
    /// A new one; worth a warning if it does not last so long.
    New(Duration),
    /// One that lasts at least so long: stored, renewed or new.
    Usable(Duration),
    /// A stored one that lasts at least so long; the network is not touched.
    Cached(Duration),
    /// Another one in place of this, if the server says that this one is dead.
    InsteadOf {
        suspect: Box<Session>,
        /// Whether the server has said so already.
        dead: bool,
    },
}

pub struct Active<'a> {
    pub account: Account<'a>,
    pub session: Session,
    pub(super) part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It found the session, or renewed it.
    Found,
    /// It logged in, and nobody else knows the session yet.
    Opened,
    /// It stored the session, in a store that outlives the run.
    Kept,
}

pub(super) type Obtained = (Session, Part);

impl<'a> Account<'a> {
    pub async fn session(self, want: &Want) -> Result<Active<'a>> {
        let busy = self.busy(tr!("getting a session"));
        let obtained = self.obtain(want).await;
        let (session, part) = obtained.map_err(|error| self.explain(error))?;
        drop(busy);
        if let Want::New(min_ttl) | Want::Usable(min_ttl) = want {
            self.warn_if_short(&session, *min_ttl);
        }
        Ok(Active {
            account: self,
            session,
            part,
        })
    }

    /// Obtains a session once a run: targets with the same settings share it. Boxed: another role's may come first.
    fn obtain<'b>(&'b self, want: &'b Want) -> Pending<'b, Obtained> {
        Box::pin(async move {
            if let Want::Cached(min_ttl) = want {
                return self.obtain_cached(*min_ttl).await;
            }
            let mut turn = self.turn().await?;
            if let Some(outcome) = self.shared(&turn, want) {
                let text = tr!("another target has just logged in with the same settings");
                self.note(text);
                return outcome;
            }
            let outcome = self.obtain_once(want).await;
            let done = super::services::Done {
                settings: self.login_settings(),
                at: Timestamp::now(),
                outcome: outcome.clone(),
            };
            turn.insert(self.target().to_string(), done);
            outcome
        })
    }

    async fn obtain_cached(&self, min_ttl: Duration) -> Result<Obtained> {
        // Whether one is stored is what was asked: without the store nobody knows.
        let (entry, verdict) = self.stored(min_ttl).await?;
        let why = verdict.stale().map(Stale::text);
        if let (Verdict::Fresh | Verdict::Ask(_), Some(entry)) = (verdict, entry) {
            if let Some(why) = why {
                self.note(why);
            }
            return Ok((entry.session, Part::Found));
        }
        let target = self.target();
        let hint = match self.store().lasts() {
            true => tr!(
                "`crmauth login {target}` gets one, and so does `token` without --cached"; target),
            false => tr!("this run has no store; only `token` without --cached gets a session"),
        };
        Err(Error::new(Cause::NoSession, why.unwrap_or_default()).hint(hint))
    }

    /// Takes the session from the store if it will do; else attempts under the lock, again if that was lost before.
    async fn obtain_once(&self, want: &Want) -> Result<Obtained> {
        loop {
            let mut needs_login = matches!(want, Want::New(_));
            let mut seen = None;
            if let Want::Usable(min_ttl) = want {
                let (version, entry) = self.look_unless_away().await?;
                match (self.judge(entry.as_ref(), *min_ttl).await?, entry) {
                    (Verdict::Fresh, Some(entry)) => return Ok((entry.session, Part::Found)),
                    (verdict, _) => needs_login = matches!(verdict, Verdict::Login(_)),
                }
                seen = Some(version);
            }
            // Before anybody waits for anything: without credentials there will be no login.
            if let (true, Some(missing)) = (needs_login, &self.plan.missing) {
                return Err(missing.clone());
            }
            crate::signals::heed_signals().await;
            let Some(mut attempt) = self.wait(seen).await? else {
                continue;
            };
            let outcome = attempt.run(want).await;
            attempt.release().await;
            let overtaken = matches!(&outcome, Err(error) if error.cause == Cause::Overtaken);
            if !overtaken || tokio::time::Instant::now() >= self.deadline {
                return outcome;
            }
        }
    }

    fn warn_if_short(&self, session: &Session, min_ttl: Duration) {
        let Some(end) = session.expires_at else {
            return;
        };
        let left = end.duration_since(Timestamp::now()).as_secs();
        let min_ttl = min_ttl.as_secs();
        if u64::try_from(left).is_ok_and(|left| left < min_ttl) {
            self.warn(tr!(
                "the server's sessions last {left}, less than --min-ttl {min_ttl}"; left = span(left), min_ttl));
        }
    }

    /// Forgets a session that the server has refused, unless another one has taken its place.
    pub(super) async fn drop_session(&self, session: &Session) {
        let dropped = self.locked(self.deadline, async |lock: &Lock| {
            match self.store().read(&self.key, self.deadline).await?.entry {
                Some(entry) if entry.session.token == session.token => lock.forget().await,
                _ => Ok(()),
            }
        });
        if let Err(error) = dropped.await {
            self.warn_of(tr!("the dead session is still stored"), &error);
        }
    }

    pub(super) fn warn_not_stored(&self, error: &Error) {
        self.warn_of(tr!("the session is not stored"), error);
        if self.target().spec.single_seat() {
            let text = tr!("keep this session: another one takes a new login, which ends it");
            self.warn(text);
        }
    }
}

pub(super) struct Attempt<'a> {
    pub(super) account: &'a Account<'a>,
    /// None if there is none to be had, and the login goes on without it.
    pub(super) lock: Option<Lock>,
    /// What is stored, as it was read under the lock.
    pub(super) entry: Option<Entry>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(account: &'a Account<'a>, lock: Option<Lock>) -> Self {
        Self {
            account,
            lock,
            entry: None,
        }
    }

    /// Looks again, since another process may have stored a session before it released the lock, and decides.
    async fn run(&mut self, want: &Want) -> Result<Obtained> {
        self.entry = self.account.look_unless_away().await?.1;
        let min_ttl = match want {
            Want::New(_) => {
                let session = self.log_in().await?;
                self.warn_replaced();
                return Ok(self.keep(session, Part::Opened).await);
            }
            Want::InsteadOf { suspect, dead } if self.has_no_other_than(suspect) => {
                self.account.note(Stale::Suspect.text());
                if *dead {
                    return self.replace_dead().await;
                }
                // It could not be stored, or was forgotten meanwhile; it may be alive all the same.
                let session = self.session().unwrap_or_else(|| (**suspect).clone());
                let life = self.ask_or_doubt(&session, true).await?;
                // Nobody can tell, so a login may: but not a second one in a run.
                let before = session.obtained_at < self.account.services.started;
                if before && life == Some(Life::Unknown) {
                    return self.log_in_and_keep().await;
                }
                return self.unless_dead(session, life).await;
            }
            Want::InsteadOf { .. } => Duration::ZERO,
            Want::Usable(min_ttl) | Want::Cached(min_ttl) => *min_ttl,
        };
        let verdict = self.account.judge(self.entry.as_ref(), min_ttl).await?;
        if let Some(stale) = verdict.stale() {
            self.account.note(stale.text());
        }
        match (verdict, self.session()) {
            (Verdict::Fresh, Some(session)) => Ok((session, Part::Found)),
            (Verdict::Ask(_), Some(session)) => {
                let life = self.ask_or_doubt(&session, false).await?;
                self.unless_dead(session, life).await
            }
            (Verdict::Renew(_), Some(session)) => self.renew(&session).await,
            _ => self.log_in_and_keep().await,
        }
    }

    fn session(&self) -> Option<Session> {
        self.entry.as_ref().map(|entry| entry.session.clone())
    }

    fn has_no_other_than(&self, suspect: &Session) -> bool {
        let entry = self.entry.as_ref();
        entry.is_none_or(|entry| entry.session.token == suspect.token)
    }

    /// Hands the session out unless the server says that it is dead or broken.
    async fn unless_dead(&mut self, session: Session, life: Option<Life>) -> Result<Obtained> {
        match life {
            Some(Life::Dead) => return self.replace_dead().await,
            // The server has failed twice with this session: nobody can use it any more, so a login harms nobody.
            Some(Life::Broken) => {
                self.account.note(Stale::Broken.text());
                return self.log_in_and_keep().await;
            }
            Some(Life::Busy) => self.account.note(Stale::Busy.text()),
            Some(Life::Unknown) | None => {}
            Some(Life::Alive) => {
                if let Some(mut entry) = self.entry.take() {
                    entry.seen_at = Some(Timestamp::now());
                    self.write(&entry).await;
                }
            }
        }
        Ok((session, Part::Found))
    }

    /// Asks whether a session is alive. `None`: the answer says neither, which is no reason to keep it back; nor is a
    /// server that is away where it is `in_use` already.
    async fn ask_or_doubt(&self, session: &Session, in_use: bool) -> Result<Option<Life>> {
        match self.account.ask(session).await {
            Err(error) if in_use || matches!(error.cause.exit(), 1 | 4 | 6) => {
                let text = tr!("the server does not say whether the session is alive");
                self.account.warn_of(text, &error);
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    /// Logs in for a session that the server calls dead, which is forgotten even if the login fails.
    async fn replace_dead(&mut self) -> Result<Obtained> {
        self.account.note(Stale::Dead.text());
        let outcome = self.log_in_and_keep().await;
        if outcome.is_err() {
            self.forget().await;
        }
        outcome
    }

    async fn renew(&mut self, session: &Session) -> Result<Obtained> {
        let renewed = self.ask_for_renewal(session).await?;
        if let Renewed::Session(session) = renewed {
            return Ok(self.keep(*session, Part::Found).await);
        }
        self.account.note(tr!("the session could not be renewed"));
        // What the server has refused once is not used again, whatever becomes of the login.
        if matches!(renewed, Renewed::Refused) {
            match (self.account.target().spec.renewal, self.entry.take()) {
                (Renewal::OnceExpired, Some(mut entry)) => {
                    entry.session.refresh = None;
                    self.write(&entry).await;
                    self.entry = Some(entry);
                }
                _ => self.forget().await,
            }
        }
        self.log_in_and_keep().await
    }

    async fn ask_for_renewal(&self, session: &Session) -> Result<Renewed> {
        let account = self.account;
        let settings = match account.target().spec.renewal {
            // It needs nothing but the session itself.
            Renewal::WhileAlive => &account.known,
            _ => account.settings().await?,
        };
        let context = account.context(settings);
        self.ensure_lock().await?;
        match account.provider.renew(&context, session).await {
            Err(error) => match error.cause {
                Cause::Refused | Cause::Status | Cause::BadAnswer => Ok(Renewed::Impossible),
                _ => Err(error),
            },
            renewed => renewed,
        }
    }

    async fn log_in_and_keep(&mut self) -> Result<Obtained> {
        let session = self.log_in().await?;
        Ok(self.keep(session, Part::Opened).await)
    }

    /// Logs in, and obtains before it the session that the login must carry.
    async fn log_in(&self) -> Result<Session> {
        let account = self.account;
        let settings = account.settings().await?;
        let first = account.provider.prerequisite(&account.key.role, settings);
        let first = first.map(|role| account.in_role(role));
        let mut refused = false;
        loop {
            let prior = match &first {
                Some(first) => Some(first.obtain(&Want::Usable(PREREQUISITE_TTL)).await?.0),
                None => None,
            };
            let mut context = account.context(settings);
            context.prerequisite = prior.as_ref();
            // However this run ends, the server is asked about the old session before that is used again.
            self.set_seat(None).await;
            self.ensure_lock().await?;
            let before = Timestamp::now();
            let error = match account.provider.login(&context).await {
                Ok(mut session) => {
                    session.since(before);
                    return Ok(session);
                }
                Err(error) => error,
            };
            // The server refused the stored session; a fresh one may do.
            if let (true, Some(first), Some(prior)) = (error.of_prerequisite, &first, &prior)
                && prior.obtained_at < account.started
            {
                first.drop_session(prior).await;
                if !std::mem::replace(&mut refused, true) {
                    continue;
                }
            }
            // If the login cannot have ended the old session, that one is as good as before.
            if let (Some(old), false) = (self.seat(), super::shared::may_have_replaced(&error)) {
                self.set_seat(old.seen_at).await;
            }
            return Err(error);
        }
    }

    /// Stores a session before anybody gets it. One that cannot be stored is handed out all the same.
    async fn keep(&mut self, mut session: Session, part: Part) -> Obtained {
        let account = self.account;
        account.services.take_in(&mut session);
        if let Some(why) = account.unstorable(&session) {
            account.note(why);
            return (session, part);
        }
        match self.write_new(&session).await {
            Some(Written::Stored) if account.store().lasts() => return (session, Part::Kept),
            Some(Written::Stored) => {}
            Some(Written::NotKept) => {
                account.warn(tr!("the session has already ended and is not stored"));
            }
            Some(Written::Overtaken) => return self.resolve_conflict((session, part)).await,
            // The login has ended it.
            None if self.seat().is_some() => self.forget().await,
            None => {}
        }
        (session, part)
    }

    pub(super) async fn write_new(&self, session: &Session) -> Option<Written> {
        let prints = self.account.fingerprints().await;
        let prints = prints.inspect_err(|error| self.account.warn_not_stored(error));
        let entry = self.account.entry(session.clone(), prints.ok()?);
        self.write(&entry).await
    }

    pub(super) async fn write(&self, entry: &Entry) -> Option<Written> {
        let written = self.lock.as_ref()?.write(entry).await;
        let not = |error| self.account.warn_not_stored(&error);
        written.map_err(not).ok()
    }

    async fn forget(&self) {
        let Some(lock) = &self.lock else { return };
        if let Err(error) = lock.forget().await {
            let text = tr!("the dead session is still stored");
            self.account.warn_of(text, &error);
        }
    }

    pub(super) async fn release(self) {
        if let Some(lock) = self.lock {
            self.account.services.release(lock).await;
        }
    }
}
