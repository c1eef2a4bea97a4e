//! The one workflow that every verb shares: find the settings, look into the store, and where that does not
//! do, lock, look again, renew or log in, and keep what came of it.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::account::Account;
use super::freshness::{Stale, Verdict, judge};
use super::hints::Hints;
use super::once_per_run::OncePerRun;
use crate::declaration::{BaseUrl, Renewal, Settings, Target};
use crate::error::{Cause, Error, Pending, Result};
use crate::files;
use crate::http::{Call, Channel, Http, Stream};
use crate::i18n::{Text, tr};
use crate::provider::{self, Context, Life, Provider, Renewed, Role};
use crate::report::Report;
use crate::session::Session;
use crate::settings::{self, Plan, Sources, Value};
use crate::store::{Entry, Found, Key, Lock, Store, Version, Waited, Written};

/// How long a session that a login must carry has to last.
const PRIOR_TTL: Duration = Duration::from_secs(30);

/// What a run works with.
pub struct App {
    /// Where people read what goes on.
    pub report: Rc<Report>,
    /// The HTTP clients.
    pub http: Http,
    /// Where settings come from.
    pub sources: Sources,
    /// Where sessions are kept.
    pub store: Rc<dyn Store>,
    /// How long one target may take until its session is in hand.
    pub timeout: Duration,
    turns: OncePerRun,
}

/// A target with its session.
pub struct Active {
    pub session: Session,
    /// Whether this run stored it.
    pub kept: bool,
    /// Whether this run logged in for it.
    pub(super) opened: bool,
    /// What requests with the session need to know.
    pub(super) settings: Settings,
    pub(super) hints: Hints,
}

impl Active {
    pub fn target(&self) -> &Target {
        &self.settings.target
    }

    pub fn url(&self) -> &BaseUrl {
        &self.settings.url
    }
}

/// What kind of session is wanted.
#[derive(Debug, Clone)]
pub enum Want {
    /// A new one; worth a warning if it does not last so long.
    New(Duration),
    /// One that lasts at least so long: stored, renewed or new.
    Usable(Duration),
    /// The same, without touching the network.
    Cached(Duration),
    /// Another one in place of this, if the server says that this one is dead.
    InsteadOf {
        /// The session that may be dead.
        suspect: Box<Session>,
        /// Whether the server has said so already.
        dead: bool,
    },
}

impl App {
    /// A run's workflow, before anything has been asked for.
    pub fn new(
        report: Rc<Report>,
        http: Http,
        sources: Sources,
        store: Rc<dyn Store>,
        timeout: Duration,
    ) -> Self {
        Self { report, http, sources, store, timeout, turns: OncePerRun::new() }
    }

    /// A session for a target; somebody else's if `person` names one.
    pub async fn session(&self, target: &Target, person: Option<&str>, want: &Want) -> Result<Active> {
        let work = async {
            let role = role(target, person)?;
            let account = self.account(target).await?;
            let hints = Hints::of(&account.plan);
            let _busy = self.report.busy(&target.to_string(), tr!("getting a session"));
            let session = self.obtain(&account, role, want).await.map_err(|error| hints.add(error))?;
            if let Want::New(min_ttl) | Want::Usable(min_ttl) = want {
                self.warn_short(&account, &session, *min_ttl);
            }
            Ok(account.login(session, hints))
        };
        work.await.map_err(|error: Error| error.target(&target.to_string()))
    }

    /// What is stored for a target, or for a person of `--as` there, and what is to be thought of it; touches no
    /// network.
    pub async fn stored(
        &self,
        target: &Target,
        person: Option<&str>,
        min_ttl: Duration,
    ) -> Result<(Plan, Option<Entry>, Verdict)> {
        let work = async {
            let role = role(target, person)?;
            let account = self.account(target).await?;
            let entry = self.look(target, &account.key(&role), account.deadline).await?;
            let verdict = self.judge(&account, &role, entry.as_ref(), min_ttl).await?;
            Ok((account.plan, entry, verdict))
        };
        work.await.map_err(|error: Error| error.target(&target.to_string()))
    }

    /// Asks the server whether a target's session is alive, or that of a person of `--as` there.
    pub async fn check(&self, target: &Target, person: Option<&str>, session: &Session) -> Result<Life> {
        let work = async {
            let role = role(target, person)?;
            let account = self.account(target).await?;
            let hints = Hints::of(&account.plan);
            let _busy = self.report.busy(&target.to_string(), tr!("asking whether the session is alive"));
            let life = self.ask(&account, &role, session).await.map_err(|error| hints.add(error))?;
            if life == Life::Dead {
                self.drop_session(target, &account.key(&role), session, account.deadline).await;
            }
            Ok(life)
        };
        work.await.map_err(|error: Error| error.target(&target.to_string()))
    }

    /// The same of a session whose target has no settings here.
    pub async fn check_stored(&self, key: &Key, entry: &Entry) -> Result<Life> {
        let settings = self.settings_of(key, entry).await?;
        let target = &settings.target;
        let _busy = self.report.busy(&target.to_string(), tr!("asking whether the session is alive"));
        let channel = self.channel_of(&settings);
        let life = of(target)?.check(&Context::new(&settings, Role::User, &channel), &entry.session).await?;
        if life == Life::Dead {
            self.drop_session(target, key, &entry.session, channel.deadline).await;
        }
        Ok(life)
    }

    /// Sends a request of the user's own with a target's session, to the target's origin only.
    pub async fn call(&self, login: &Active, call: &Call) -> Result<Stream> {
        let busy = self.report.busy(&login.target().to_string(), tr!("waiting for the answer"));
        let answer = self.channel_of(&login.settings).open(call).await;
        drop(busy);
        answer.map_err(|error| login.hints.add(error).target(&login.target().to_string()))
    }

    /// Every session that is stored.
    pub async fn everything(&self) -> Result<Vec<(Key, Entry)>> {
        self.store.list(self.deadline()).await
    }

    /// The same, and what others may have read, which is not used but can be ended.
    pub async fn endable(&self) -> Result<Vec<(Key, Entry)>> {
        let mut stored = self.everything().await?;
        stored.extend(self.store.exposed()?);
        Ok(stored)
    }

    pub(super) fn deadline(&self) -> Instant {
        files::deadline(self.timeout)
    }

    pub(super) async fn account<'a>(&self, target: &'a Target) -> Result<Account<'a>> {
        let deadline = self.deadline();
        let plan = settings::find(target, &self.sources).await?;
        for note in plan.notes() {
            self.report.note(Some(target), note);
        }
        // Where something is missing, the error speaks of what is near it.
        if plan.missing.is_none() {
            let near = self.sources.near_misses(target).into_iter();
            near.chain(plan.warnings()).for_each(|warning| self.report.warn(Some(target), warning));
        }
        plan.known().secrets().for_each(|secret| self.report.learn(secret));
        let provider = of(target)?;
        Ok(Account {
            target,
            plan,
            provider,
            deadline,
            started: Timestamp::now(),
            settings: OnceCell::new(),
            kept: Cell::new(false),
            opened: Cell::new(false),
        })
    }

    /// The session of a role: stored, renewed or new, as wished; or what this run has got under another name.
    pub(super) fn obtain<'a>(
        &'a self,
        account: &'a Account<'a>,
        role: Role,
        want: &'a Want,
    ) -> Pending<'a, Session> {
        Box::pin(async move {
            if matches!(want, Want::Cached(_)) {
                return self.obtain_in_turn(account, role, want).await;
            }
            let turn = self.turns.wait(account, &role).await?;
            if let Some(outcome) = turn.shared(account, want) {
                self.report.note(
                    Some(account.target),
                    tr!("another target has just logged in with the same settings"),
                );
                return outcome;
            }
            let outcome = self.obtain_in_turn(account, role, want).await;
            turn.end(account, outcome)
        })
    }

    fn obtain_in_turn<'a>(
        &'a self,
        account: &'a Account<'a>,
        role: Role,
        want: &'a Want,
    ) -> Pending<'a, Session> {
        Box::pin(async move {
            let key = account.key(&role);
            loop {
                let mut login = matches!(want, Want::New(_));
                let mut seen = None;
                if let Want::Usable(min_ttl) | Want::Cached(min_ttl) = want {
                    let cached = matches!(want, Want::Cached(_));
                    let entry = if cached {
                        // Whether one is stored is what was asked: without the store nobody knows.
                        self.look(account.target, &key, account.deadline).await?
                    } else {
                        let (entry, version) = self.look_unless_away(account, &key).await?;
                        seen = Some(version);
                        entry
                    };
                    let min_ttl = account.wanted(entry.as_ref(), *min_ttl);
                    match (self.judge(account, &role, entry.as_ref(), min_ttl).await?, entry) {
                        (Verdict::Fresh, Some(entry)) => return Ok(entry.session),
                        (Verdict::Ask(stale), Some(entry)) if cached => {
                            self.report.note(Some(account.target), stale.text());
                            return Ok(entry.session);
                        }
                        (verdict, _) if cached => return Err(self.no_session(account.target, verdict)),
                        (verdict, _) => login = matches!(verdict, Verdict::Login(_)),
                    }
                }
                // Before anybody waits for anything: without credentials there will be no login.
                if let (true, Some(missing)) = (login, &account.plan.missing) {
                    return Err(missing.clone());
                }
                let lock = match self.wait(account, &key, seen).await? {
                    Some(Waited::News) => continue,
                    Some(Waited::Lock(lock)) => Some(lock),
                    None => None,
                };
                let outcome = self.obtain_locked(account, &role, want, &key, lock.as_ref()).await;
                if let Some(lock) = lock {
                    self.release(lock).await;
                }
                if !self.should_retry(account, &outcome) {
                    return outcome;
                }
            }
        })
    }

    /// The same, with the right to write: whoever waited for it looks again first.
    async fn obtain_locked(
        &self,
        account: &Account<'_>,
        role: &Role,
        want: &Want,
        key: &Key,
        lock: Option<&Lock>,
    ) -> Result<Session> {
        let mut entry = self.look_unless_away(account, key).await?.0;
        let mut known_dead = false;
        let verdict = match (want, &entry) {
            (Want::New(_), _) => Verdict::Login(Stale::Absent),
            (Want::InsteadOf { suspect, dead }, stored)
                if stored.as_ref().is_none_or(|entry| entry.session.token == suspect.token) =>
            {
                known_dead = *dead;
                Verdict::Ask(Stale::Suspect)
            }
            (Want::InsteadOf { .. }, entry) => {
                self.judge(account, role, entry.as_ref(), Duration::ZERO).await?
            }
            (Want::Usable(min_ttl) | Want::Cached(min_ttl), entry) => {
                let min_ttl = account.wanted(entry.as_ref(), *min_ttl);
                self.judge(account, role, entry.as_ref(), min_ttl).await?
            }
        };
        let known = match (&entry, want) {
            // It could not be stored, or was forgotten meanwhile; it may be alive all the same.
            (None, Want::InsteadOf { suspect, .. }) => Some((**suspect).clone()),
            (entry, _) => entry.as_ref().map(|entry| entry.session.clone()),
        };
        if let (Verdict::Ask(stale) | Verdict::Renew(stale) | Verdict::Login(stale), false) =
            (verdict, matches!(want, Want::New(_)))
        {
            self.report.note(Some(account.target), stale.text());
        }
        let session = match (verdict, known) {
            (Verdict::Fresh, Some(session)) => return Ok(session),
            (Verdict::Ask(_), Some(session)) => {
                let life =
                    if known_dead { Life::Dead } else { self.ask_or_doubt(account, role, &session).await? };
                match life {
                    Life::Dead => {
                        self.report.note(Some(account.target), Stale::Dead.text());
                        match self.log_in(account, role, lock, entry.as_ref()).await {
                            Ok(session) => session,
                            Err(error) => {
                                self.forget(account, lock).await;
                                return Err(error);
                            }
                        }
                    }
                    Life::Broken => {
                        self.report.note(Some(account.target), Stale::Broken.text());
                        self.log_in(account, role, lock, entry.as_ref()).await?
                    }
                    Life::Unknown => return Ok(session),
                    Life::Alive => {
                        if let Some(entry) = &entry {
                            let seen = Entry { seen_at: Some(Timestamp::now()), ..entry.clone() };
                            self.keep(account, lock, &seen).await;
                        }
                        return Ok(session);
                    }
                }
            }
            (Verdict::Renew(_), Some(session)) => match self.renew(account, role, lock, &session).await? {
                Renewed::Session(session) => *session,
                Renewed::Impossible => self.log_in(account, role, lock, entry.as_ref()).await?,
                Renewed::Refused => {
                    // What the server refused once is not used again, whatever becomes of the login.
                    match (account.target.spec.renewal, &mut entry) {
                        (Renewal::OnceExpired, Some(entry)) => {
                            entry.session.refresh = None;
                            self.keep(account, lock, entry).await;
                        }
                        _ => self.forget(account, lock).await,
                    }
                    self.log_in(account, role, lock, entry.as_ref()).await?
                }
            },
            _ => self.log_in(account, role, lock, entry.as_ref()).await?,
        };
        if let Some(why) = account.unstorable(&session) {
            self.report.note(Some(account.target), why);
            return Ok(session);
        }
        if matches!(want, Want::New(_)) {
            self.warn_replaced(account, entry.as_ref());
        }
        let kept = match self.fingerprints(account, role).await {
            Ok(credentials) => self.keep(account, lock, &account.entry(session.clone(), credentials)).await,
            // Whatever the store is waiting for, the session is in hand.
            Err(error) => {
                self.not_stored(account.target, &error);
                None
            }
        };
        match kept {
            Some(Written::Stored) => {}
            Some(Written::NotKept) => {
                self.report
                    .warn(Some(account.target), tr!("the session has ended already and is not stored"));
            }
            Some(Written::Overtaken) => return self.resolve_conflict(account, role, key, session).await,
            // The login has ended it.
            None if entry.is_some() && account.target.spec.single_seat() => {
                self.forget(account, lock).await;
            }
            None => {}
        }
        Ok(session)
    }

    /// Renews a session.
    async fn renew(
        &self,
        account: &Account<'_>,
        role: &Role,
        lock: Option<&Lock>,
        session: &Session,
    ) -> Result<Renewed> {
        let known = account.plan.known();
        let settings = match account.target.spec.renewal {
            // It needs nothing but the session itself.
            Renewal::WhileAlive => &known,
            _ => self.settings(account).await?,
        };
        let channel = self.channel(account, settings);
        let context = Context::new(settings, role.clone(), &channel);
        self.ensure_lock(account, lock).await?;
        let renewed = match account.provider.renew(&context, session).await {
            Err(error) if matches!(error.cause, Cause::Refused | Cause::Status | Cause::BadAnswer) => {
                Renewed::Impossible
            }
            outcome => outcome?,
        };
        if !matches!(renewed, Renewed::Session(_)) {
            self.report.note(Some(account.target), tr!("the session could not be renewed"));
        }
        Ok(renewed)
    }

    /// A new session, and before it the one that its login must carry.
    async fn log_in(
        &self,
        account: &Account<'_>,
        role: &Role,
        lock: Option<&Lock>,
        old: Option<&Entry>,
    ) -> Result<Session> {
        let settings = self.settings(account).await?;
        let first = account.provider.prerequisite(role, settings);
        let mut tries = 0;
        loop {
            tries += 1;
            let prior = match &first {
                Some(first) => Some(self.obtain(account, first.clone(), &Want::Usable(PRIOR_TTL)).await?),
                None => None,
            };
            let channel = self.channel(account, settings);
            let context = Context { prior: prior.as_ref(), ..Context::new(settings, role.clone(), &channel) };
            self.mark_unverified(account, lock, old).await;
            self.ensure_lock(account, lock).await?;
            let before = Timestamp::now();
            let login = account.provider.login(&context).await;
            let error = match login {
                Ok(mut session) => {
                    self.report.learn(&session.token);
                    session.refresh.iter().for_each(|token| self.report.learn(token));
                    session.since(before);
                    account.kept.set(false);
                    account.opened.set(true);
                    return Ok(session);
                }
                Err(error) => error,
            };
            self.http.reconnect();
            if let (Some(first), Some(prior)) = (&first, &prior)
                && context.prior_refused.get()
                && prior.obtained_at < account.started
            {
                // It was the stored session that the server did not take; a fresh one may do.
                self.drop_session(account.target, &account.key(first), prior, account.deadline).await;
                if matches!(role, Role::As(_)) && tries == 1 {
                    continue;
                }
            }
            self.restore(account, lock, old, &error).await;
            return Err(error);
        }
    }

    /// Forgets a session that the server has refused, unless another has taken its place.
    async fn drop_session(&self, target: &Target, key: &Key, session: &Session, deadline: Instant) {
        let forget = async {
            let lock = self.store.lock(key, deadline).await?;
            let stored = self.store.read(&lock.key, deadline).await?;
            let outcome = match stored.entry {
                Some(entry) if entry.session.token == session.token => self.store.forget(&lock).await,
                _ => Ok(()),
            };
            self.release(lock).await;
            outcome
        };
        if let Err(error) = forget.await {
            self.still_stored(target, &error);
        }
    }

    /// Settings with the commands run, once.
    pub(super) async fn settings<'a>(&self, account: &'a Account<'_>) -> Result<&'a Settings> {
        if let Some(settings) = account.settings.get() {
            return Ok(settings);
        }
        // A password manager may ask the person at the terminal.
        let _hold = self.report.hold();
        let settings =
            account.plan.clone().reveal(account.deadline.saturating_duration_since(Instant::now())).await?;
        settings.secrets().for_each(|secret| self.report.learn(secret));
        Ok(account.settings.get_or_init(|| settings))
    }

    /// Asks before a session is handed out. An answer that says neither is no reason to keep it back.
    async fn ask_or_doubt(&self, account: &Account<'_>, role: &Role, session: &Session) -> Result<Life> {
        match self.ask(account, role, session).await {
            Err(error) if matches!(error.cause.exit(), 4 | 6) => {
                let text = tr!("the server does not say whether the session is alive");
                self.report.warn_of(Some(account.target), text, &error);
                Ok(Life::Unknown)
            }
            outcome => outcome,
        }
    }

    /// Asks the server whether a session is alive; needs no credentials.
    pub(super) async fn ask(&self, account: &Account<'_>, role: &Role, session: &Session) -> Result<Life> {
        let settings = account.plan.known();
        let channel = self.channel(account, &settings);
        let context = Context::new(&settings, role.clone(), &channel);
        account.provider.check(&context, session).await
    }

    pub(super) fn channel<'a>(&'a self, account: &Account<'_>, settings: &'a Settings) -> Channel<'a> {
        Channel { deadline: account.deadline, ..self.channel_of(settings) }
    }

    /// Judges whether a login with these settings may be sent at all: a person is asked for no secret that cannot go
    /// there.
    pub async fn admits(&self, settings: &Settings) -> Result<()> {
        self.channel_of(settings).admits().await
    }

    pub(super) fn channel_of<'a>(&'a self, settings: &'a Settings) -> Channel<'a> {
        Channel {
            http: &self.http,
            report: &self.report,
            target: &settings.target,
            url: &settings.url,
            allow_http: settings.flag("ALLOW_HTTP"),
            allow_proxy: settings.flag("ALLOW_PROXY"),
            deadline: self.deadline(),
            timeout: self.timeout,
        }
    }

    /// Reads the store; what cannot be used there is told and counts as nothing.
    pub(super) async fn look(&self, target: &Target, key: &Key, deadline: Instant) -> Result<Option<Entry>> {
        let found = self.store.read(key, deadline).await?;
        Ok(self.found(target, found))
    }

    /// The same for a login that may do without the store; also which writing of the entry it was.
    async fn look_unless_away(&self, account: &Account<'_>, key: &Key) -> Result<(Option<Entry>, Version)> {
        let found = match self.store.read(key, account.deadline).await {
            Ok(found) => found,
            Err(error) => {
                self.continue_without_store(account, error)?;
                Found::default()
            }
        };
        let version = found.version;
        Ok((self.found(account.target, found), version))
    }

    fn found(&self, target: &Target, found: Found) -> Option<Entry> {
        if let Some(why) = found.unusable {
            self.report.warn(Some(target), tr!("the stored session {why}; it is not used", why));
        }
        found.entry.inspect(|entry| self.learn(entry))
    }

    /// What an entry holds is never shown.
    pub(super) fn learn(&self, entry: &Entry) {
        self.report.learn(&entry.session.token);
        entry.session.refresh.iter().for_each(|token| self.report.learn(token));
    }

    /// Writes the store; what became of it, if anything. A session that could not be kept is still one.
    pub(super) async fn keep(
        &self,
        account: &Account<'_>,
        lock: Option<&Lock>,
        entry: &Entry,
    ) -> Option<Written> {
        let written = self.store.write(lock?, entry).await;
        let written = written.inspect_err(|error| self.not_stored(account.target, error)).ok();
        account.kept.set(written == Some(Written::Stored));
        written
    }

    /// Gives a lock back. A store that cannot take it is no reason to lose a session in hand.
    pub(super) async fn release(&self, lock: Lock) {
        if let Err(error) = self.store.release(lock).await {
            self.report.warn_of(None, tr!("the lock of the stored session could not be given back"), &error);
        }
    }

    /// Drops a session that the server has refused and that no other replaces.
    async fn forget(&self, account: &Account<'_>, lock: Option<&Lock>) {
        let Some(lock) = lock else { return };
        if let Err(error) = self.store.forget(lock).await {
            self.still_stored(account.target, &error);
        }
    }

    fn still_stored(&self, target: &Target, error: &Error) {
        self.report.warn_of(Some(target), tr!("the dead session is still stored"), error);
    }

    /// Why there is no session in the store.
    fn no_session(&self, target: &Target, verdict: Verdict) -> Error {
        let why = match verdict {
            Verdict::Ask(stale) | Verdict::Renew(stale) | Verdict::Login(stale) => stale.text(),
            Verdict::Fresh => Text::default(),
        };
        Error::new(Cause::NoSession, why).hint(match self.store.lasts() {
            true => tr!("`crmauth login {target}` gets one, and so does `token` without --cached", target),
            false => tr!("this run has no store, so that only `token` without --cached gets one"),
        })
    }

    pub(super) fn not_stored(&self, target: &Target, error: &Error) {
        self.report.warn_of(Some(target), tr!("the session is not stored"), error);
        self.warn_of_seat(target);
    }

    fn warn_short(&self, account: &Account<'_>, session: &Session, min_ttl: Duration) {
        let Some(end) = session.expires_at else { return };
        let left = end.duration_since(Timestamp::now()).as_secs();
        if u64::try_from(left).is_ok_and(|left| left < min_ttl.as_secs()) {
            let text = tr!(
                "the server's sessions last {left} s, less than --min-ttl {min_ttl}",
                left,
                min_ttl = min_ttl.as_secs()
            );
            self.report.warn(Some(account.target), text);
        }
    }

    /// Judges a stored session; the credentials are looked at only where there is one.
    async fn judge(
        &self,
        account: &Account<'_>,
        role: &Role,
        entry: Option<&Entry>,
        min_ttl: Duration,
    ) -> Result<Verdict> {
        let changed = match entry {
            Some(entry) if !entry.credentials.is_empty() => {
                let now = self.fingerprints(account, role).await?;
                now.iter().any(|(field, print)| entry.credentials.get(field) != Some(print))
            }
            // An adopted session knows no credentials.
            _ => false,
        };
        Ok(judge(entry, changed, account.target.spec, min_ttl, Timestamp::now()))
    }

    /// The credentials of a role as fingerprints, by field. Where the store cannot make any, nothing is equal.
    pub(super) async fn fingerprints(
        &self,
        account: &Account<'_>,
        role: &Role,
    ) -> Result<BTreeMap<String, String>> {
        let mut prints = BTreeMap::new();
        for found in account.owners(role).filter(|found| found.field.secret()) {
            let (form, text) = match &found.value {
                Value::Known(text) => ("value", text),
                Value::Command(text) => ("command", text),
            };
            let (form, print) = match self.store.fingerprint(text, account.deadline).await {
                Ok(print) => (form, print),
                Err(error) if error.cause == Cause::Busy => return Err(error),
                Err(_) => ("unknown", getrandom::u64().unwrap_or_default().to_string()),
            };
            prints.insert(found.field.name.to_owned(), [form, ":", &print].concat());
        }
        Ok(prints)
    }
}

pub fn of(target: &Target) -> Result<&'static dyn Provider> {
    provider::of(target.spec).ok_or_else(|| Error::new(Cause::Other, tr!("no provider declares this target")))
}

/// Whose session is wanted of a target.
pub fn role(target: &Target, person: Option<&str>) -> Result<Role> {
    match person {
        None => Ok(Role::User),
        Some(_) if !target.spec.impersonation => {
            let able: Vec<_> =
                provider::specs().iter().filter(|spec| spec.impersonation).map(|spec| spec.id).collect();
            let message = tr!("{product} cannot log in as somebody else", product = target.spec.product);
            Err(Error::new(Cause::Usage, message)
                .hint(tr!("--as works with {able}", able = Text::list(&able, ", "))))
        }
        Some(person) => Ok(Role::As(person.to_owned())),
    }
}
