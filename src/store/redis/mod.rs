//! `redis://…`, `rediss://…`: one session for a fleet of machines. What the server keeps is sealed, and the right to log
//! in goes round by the protocol of [`lease`](super::redis::lock).
//!
//! One database holds one store: a check value, and for each session the entry, its lock and its last right. A
//! cluster is out of scope.

pub mod lock;
mod reply;
mod scripts;
mod seal;
mod server;
mod url;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redis::Value;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::redis::lock::{Action, Command, Event, Failure, Fence, Lease, Moment, Response, Terms};
use super::{
    ENTRY_MAX, Entry, Found, Key, Lock, NAME_LENGTH, Store, Version, Waited, Written, decode, encode, newer,
};
use crate::error::{Cause, Error, Pending, Result};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::tls::Trust;
use seal::{Broken, Keys};
use server::Server;

pub use seal::make_key;
pub use url::RedisUrl;

/// The value that tells whether a key is the store's.
const CHECK: &str = "crmauth:check";
/// What every name begins with.
const PREFIX: &str = "crmauth:";
/// How long a session is kept that has no known end and shows no sign of life.
const IDLE_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a session is kept beyond its end where it can be renewed then.
const RENEWABLE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many names are asked for at once.
const SCAN: usize = 500;

pub struct RedisStore(Rc<Shared>);

/// What the store and the renewals beside a login share.
struct Shared {
    server: Server,
    keys: Keys,
    terms: Terms,
    began: Instant,
    opened: OnceCell<Opened>,
    /// Why the server is out of reach for the rest of this run: it is not waited for twice.
    away: RefCell<Option<Error>>,
}

/// An entry, or why it cannot be used.
type Usable = std::result::Result<(Key, Entry), Text>;

/// What is known of the server since the first call.
struct Opened {
    /// How far its clock is ahead of ours. Entries are written by its clock, which all machines share.
    ahead: SignedDuration,
    /// Whether the check value is there.
    checked: Cell<bool>,
}

/// A right that is wanted or in hand: then it is prolonged until it is dropped.
struct Holding {
    name: String,
    lease: Rc<RefCell<Lease>>,
    shared: Rc<Shared>,
    beside: Option<JoinHandle<()>>,
    given_back: Cell<bool>,
}

impl Holding {
    /// Waits until the right is in hand for a whole login: `false` where there is news, or it was lost.
    async fn ensure(&self) -> Result<bool> {
        let Self { name, lease, shared, .. } = self;
        let mut away = None;
        let mut event = Event::Begin;
        loop {
            let action = lease.borrow_mut().next(shared.now(), event);
            match action {
                Action::Ask(call) => event = shared.event(name, &call, self.deadline(), &mut away).await?,
                Action::Sleep(pause) => {
                    tokio::time::sleep(pause).await;
                    event = Event::Woken;
                }
                Action::Granted => return Ok(true),
                Action::Reread | Action::Lost => return Ok(false),
                Action::GiveUp(why) => return Err(shared.no_right(why, away)),
            }
        }
    }

    fn deadline(&self) -> Instant {
        self.shared.began + self.lease.borrow().deadline()
    }

    /// Gives the right back, and tells what keeps it from that.
    async fn release(&self) -> Result<()> {
        self.beside.iter().for_each(JoinHandle::abort);
        self.given_back.set(true);
        let call = self.lease.borrow().give_back();
        match call {
            Some(call) => {
                let deadline = self.shared.beyond(self.deadline());
                self.shared.call(&self.name, &call, deadline).await.map(|_| ())
            }
            None => Ok(()),
        }
    }
}

impl Drop for Holding {
    /// Whoever is interrupted gives the right back too, if there is still time for it; and so does whoever was given
    /// it too late. The server has answered before, so it is asked once more even where it was found to be away.
    fn drop(&mut self) {
        self.beside.iter().for_each(JoinHandle::abort);
        if self.given_back.get() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        if let Some(call) = self.lease.borrow().give_back() {
            let (shared, name) = (Rc::clone(&self.shared), self.name.clone());
            tokio::task::spawn_local(async move {
                let deadline = shared.beyond(Instant::now());
                shared.server.ask(&[scripts::command(&name, &call)], deadline).await.map(|_| ())
            });
        }
    }
}

impl RedisStore {
    /// Nothing is opened before it is needed. `key` is 32 bytes in base64, `allow_plain` permits `redis://` beyond
    /// loopback, and `login` is how long one may take.
    ///
    /// Errors: [`Cause::BadSetting`] for what is no key; the message begins with a verb.
    pub fn new(
        place: RedisUrl,
        key: &Secret,
        trust: Rc<Trust>,
        allow_plain: bool,
        login: Duration,
    ) -> Result<Self> {
        Ok(Self(Rc::new(Shared {
            server: Server::new(place, trust, allow_plain),
            keys: Keys::new(key)?,
            terms: Terms::new(login),
            began: Instant::now(),
            opened: OnceCell::new(),
            away: RefCell::default(),
        })))
    }

    /// Asks the server to do a call of the protocol for the entry of this name, as [`lease`](super::redis::lock) has it.
    pub async fn call(&self, name: &str, call: &Command, deadline: Instant) -> Result<Response> {
        self.0.call(name, call, deadline).await
    }

    /// Waits for the right to write an entry, or for news of it.
    async fn turn(&self, name: String, seen: Option<Version>, deadline: Instant) -> Result<Option<Holding>> {
        let shared = &self.0;
        shared.claim(deadline).await?;
        let mut owner = [0; 16];
        getrandom::fill(&mut owner)
            .map_err(|_| Error::new(Cause::Other, tr!("there are no random numbers")))?;
        let deadline = deadline.saturating_duration_since(shared.began);
        let seen = seen.map(|version| version.0);
        let lease = Lease::new(shared.terms, u128::from_be_bytes(owner), seen, deadline);
        let lease = Rc::new(RefCell::new(lease));
        let (shared, given_back) = (Rc::clone(shared), Cell::new(false));
        let mut holding = Holding { name, lease, shared, beside: None, given_back };
        // Where it is lost, a long pause of ours came right after it was given.
        if !holding.ensure().await? {
            return Ok(None);
        }
        let beside = self.0.beside(holding.name.clone(), Rc::clone(&holding.lease));
        holding.beside = Some(beside);
        Ok(Some(holding))
    }

    /// The same where nothing but the right will do.
    async fn acquire(&self, name: String, deadline: Instant) -> Result<Holding> {
        loop {
            if let Some(holding) = self.turn(name.clone(), None, deadline).await? {
                return Ok(holding);
            }
            if Instant::now() > deadline {
                return Err(self.0.no_right(Failure::Busy(Duration::ZERO), None));
            }
        }
    }

    /// Every entry's name.
    async fn names(&self, deadline: Instant) -> Result<Vec<String>> {
        let shared = &self.0;
        shared.open(deadline).await?;
        let mut names = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(&cursor).arg("MATCH").arg([PREFIX, "*"].concat()).arg("COUNT").arg(SCAN);
            let answer = shared.ask(&[command], deadline).await?;
            let Some(Value::Array(parts)) = answer.first() else { return Err(shared.strange()) };
            let [next, Value::Array(keys)] = &parts[..] else { return Err(shared.strange()) };
            cursor = text(next).ok_or_else(|| shared.strange())?.to_owned();
            let entries = keys.iter().filter_map(text).filter_map(|key| key.strip_prefix(PREFIX));
            let is_name =
                |name: &&str| name.len() == NAME_LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            names.extend(entries.filter(is_name).map(str::to_owned));
            if cursor == "0" {
                break;
            }
        }
        // A name may come twice.
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl Shared {
    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    /// Asks the server, unless it was found to be away before.
    async fn ask(&self, commands: &[redis::Cmd], deadline: Instant) -> Result<Vec<Value>> {
        if let Some(error) = &*self.away.borrow() {
            return Err(error.clone());
        }
        self.server.ask(commands, deadline).await
    }

    /// The same for what is not asked again in this run if there is no answer.
    async fn ask_once(&self, commands: &[redis::Cmd], deadline: Instant) -> Result<Vec<Value>> {
        self.ask(commands, deadline).await.inspect_err(|error| self.remember(error))
    }

    fn remember(&self, error: &Error) {
        if is_no_answer(error) {
            self.away.borrow_mut().get_or_insert_with(|| error.clone());
        }
    }

    /// The first call: whether the key is the store's, and what time it is there.
    async fn open(&self, deadline: Instant) -> Result<&Opened> {
        let open = || async {
            let mut check = redis::cmd("GET");
            check.arg(CHECK);
            let before = Timestamp::now();
            let answers = self.ask_once(&[check, redis::cmd("TIME")], deadline).await?;
            let between = Timestamp::now().duration_since(before) / 2;
            let [check, time] = &answers[..] else { return Err(self.strange()) };
            let ahead = clock(time).ok_or_else(|| self.strange())?.duration_since(before) - between;
            let checked = self.check(check)?;
            Ok(Opened { ahead, checked: Cell::new(checked) })
        };
        self.opened.get_or_try_init(open).await
    }

    /// Whether a check value is there; another key's is the end of the run.
    fn check(&self, value: &Value) -> Result<bool> {
        let Value::BulkString(sealed) = value else { return Ok(false) };
        match self.keys.open(sealed, CHECK) {
            Ok(_) => Ok(true),
            Err(broken) => {
                let place = self.server.place();
                let message = match broken {
                    Broken::NotOurs => tr!("this store was sealed with another key: {place}", place),
                    Broken::Newer => tr!("the store {place} is a newer crmauth's", place),
                };
                Err(Error::new(Cause::BadSetting, message).hint(tr!(
                    "give every machine the same CRMAUTH_STORE_KEY, or use another database (redis://…/1)"
                )))
            }
        }
    }

    /// Before anything is written: the store is under our key.
    async fn claim(&self, deadline: Instant) -> Result<()> {
        let opened = self.open(deadline).await?;
        if !opened.checked.get() {
            let sealed = self.keys.seal(b"crmauth", CHECK)?;
            let (mut set, mut get) = (redis::cmd("SET"), redis::cmd("GET"));
            set.arg(CHECK).arg(sealed).arg("NX");
            get.arg(CHECK);
            let answers = self.ask_once(&[set, get], deadline).await?;
            // Another machine may have been first, with another key.
            opened.checked.set(self.check(answers.last().unwrap_or(&Value::Nil))?);
        }
        Ok(())
    }

    async fn call(&self, name: &str, call: &Command, deadline: Instant) -> Result<Response> {
        let answers = self.ask(&[scripts::command(name, call)], deadline).await?;
        answers.first().and_then(scripts::reply).ok_or_else(|| self.strange())
    }

    /// A call's outcome for the machine; a refusal ends the wait.
    async fn event(
        &self,
        name: &str,
        call: &Command,
        deadline: Instant,
        away: &mut Option<Error>,
    ) -> Result<Event> {
        match self.call(name, call, deadline).await {
            Ok(reply) => Ok(Event::Response(reply)),
            Err(error) if is_no_answer(&error) => {
                *away = Some(error);
                Ok(Event::NoAnswer)
            }
            Err(error) => Err(error),
        }
    }

    /// A call that is sent again while the server does not answer, as one that is just being restarted; and once
    /// more where it was this process that slept.
    async fn insist(&self, holding: &Holding, call: &Command) -> Result<Response> {
        let until = self.now() + self.terms.no_answer;
        let mut slept = false;
        loop {
            match self.call(&holding.name, call, self.beyond(holding.deadline())).await {
                Err(error) if is_no_answer(&error) && self.now() < until => {
                    tokio::time::sleep(self.terms.pause_max).await;
                }
                Err(error)
                    if is_no_answer(&error) && !slept && holding.lease.borrow().has_ended(self.now()) =>
                {
                    slept = true;
                }
                outcome => return outcome.inspect_err(|error| self.remember(error)),
            }
        }
    }

    /// The deadline of what comes after a login: the session in hand is to be kept and the right given back even where
    /// the login has used up the time, if that is quickly done.
    fn beyond(&self, deadline: Instant) -> Instant {
        deadline.max(Instant::now() + self.terms.no_answer)
    }

    /// Prolongs a right until it is lost, beside whatever its holder does.
    fn beside(self: &Rc<Self>, name: String, lease: Rc<RefCell<Lease>>) -> JoinHandle<()> {
        let shared = Rc::clone(self);
        tokio::task::spawn_local(async move {
            loop {
                let action = lease.borrow().beside(shared.now());
                match action {
                    Action::Sleep(pause) => tokio::time::sleep(pause).await,
                    Action::Ask(call) => {
                        let asked = shared.now();
                        // Whoever works has his own deadline; this one bounds a single call.
                        let deadline = Instant::now() + shared.terms.lease;
                        let reply = shared.call(&name, &call, deadline).await.ok();
                        lease.borrow_mut().beside_done(asked, shared.now(), reply);
                    }
                    _ => return,
                }
            }
        })
    }

    fn no_right(&self, why: Failure, away: Option<Error>) -> Error {
        let place = self.server.place();
        let wait = tr!("wait for it; --timeout SECONDS allows more time");
        let (message, hint) = match (why, away) {
            (Failure::NoAnswer, Some(error)) => {
                self.remember(&error);
                return error;
            }
            (Failure::NoAnswer, None) => {
                let message = tr!("the store {place} does not answer", place);
                return Error::new(Cause::Timeout, message).hint(wait);
            }
            (Failure::JustStarted, _) => {
                (tr!("the store {place} has just started and gives no right to log in yet", place), wait)
            }
            (Failure::Busy(left), _) => (
                tr!("another machine is logging in, says the store {place}", place),
                match left.as_secs_f64().ceil() {
                    0.0 => wait,
                    left => tr!("wait for it; if that machine is gone, its turn ends in {left} s", left),
                },
            ),
        };
        Error::new(Cause::Busy, message).hint(hint)
    }

    fn strange(&self) -> Error {
        let message = tr!("{place} gave an answer that Redis does not give", place = self.server.place());
        Error::new(Cause::Unavailable, message)
    }

    /// The entries of these names, each with its version: one that is there and cannot be used, with why not.
    async fn entries(&self, names: &[String], deadline: Instant) -> Result<Vec<(Version, Option<Usable>)>> {
        let opened = self.open(deadline).await?;
        let commands: Vec<_> = names
            .iter()
            .map(|name| {
                let mut command = redis::cmd("HMGET");
                command.arg([PREFIX, name].concat()).arg("fence").arg("sealed");
                command
            })
            .collect();
        let answers =
            if commands.is_empty() { Vec::new() } else { self.ask_once(&commands, deadline).await? };
        let now = Timestamp::now().saturating_add(opened.ahead).unwrap_or(Timestamp::MAX);
        let mut entries = Vec::with_capacity(names.len());
        for (name, answer) in names.iter().zip(answers) {
            let Value::Array(parts) = answer else { return Err(self.strange()) };
            let [fence, sealed] = &parts[..] else { return Err(self.strange()) };
            let number = text(fence).and_then(scripts::fence);
            let entry = match (number, sealed) {
                (Some(number), Value::BulkString(sealed)) => {
                    Some(self.unseal(name, number, sealed, now, opened.ahead))
                }
                _ if [fence, sealed] == [&Value::Nil; 2] => None,
                _ => Some(Err(self.in_place(changed()))),
            };
            entries.push((Version(number), entry));
        }
        Ok(entries)
    }

    /// What is wrong with an entry, and where that is.
    fn in_place(&self, why: Text) -> Text {
        tr!("in {place} {why}", place = self.server.place(), why)
    }

    fn unseal(
        &self,
        name: &str,
        fence: Fence,
        sealed: &[u8],
        now: Timestamp,
        ahead: SignedDuration,
    ) -> Usable {
        let bytes = self.keys.open(sealed, &purpose(name, fence)).map_err(|broken| {
            self.in_place(match broken {
                Broken::Newer => newer(),
                Broken::NotOurs => changed(),
            })
        })?;
        let (key, mut entry) = decode(&bytes, now).map_err(|why| self.in_place(why))?;
        shift(&mut entry, -ahead);
        Ok((key, entry))
    }

    fn name(&self, key: &Key) -> Result<String> {
        self.keys.name(&serde_json::to_string(key).unwrap_or_default())
    }
}

/// Whether there was no answer, or one that soon becomes another.
fn is_no_answer(error: &Error) -> bool {
    error.cause.exit() == 5 && !matches!(error.cause, Cause::Certificate | Cause::Unavailable)
}

/// Why an entry cannot be used that nobody with the key has written so.
fn changed() -> Text {
    tr!("was changed or put there by somebody else")
}

/// What an entry is sealed for: its place and its right.
fn purpose(name: &str, fence: Fence) -> String {
    format!("{PREFIX}{name}/{fence}")
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// The server's clock: seconds and microseconds.
fn clock(time: &Value) -> Option<Timestamp> {
    let Value::Array(parts) = time else { return None };
    let mut numbers = parts.iter().map(|part| text(part)?.parse::<i64>().ok());
    let (seconds, micros) = (numbers.next()??, numbers.next()??);
    Timestamp::from_microsecond(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()
}

/// Moves an entry's times to a clock that is so far ahead.
fn shift(entry: &mut Entry, ahead: SignedDuration) {
    let moved = |time: Timestamp| time.saturating_add(ahead).unwrap_or(time);
    entry.seen_at = entry.seen_at.map(moved);
    entry.session.obtained_at = moved(entry.session.obtained_at);
    entry.session.expires_at = entry.session.expires_at.map(moved);
}

/// How long an entry is kept: as long as its session can be of use.
fn kept(entry: &Entry, now: Timestamp) -> Duration {
    let session = &entry.session;
    let left = match session.expires_at {
        Some(end) if session.refresh.is_some() => end.duration_since(now) + RENEWABLE_KEPT,
        Some(end) => end.duration_since(now),
        None => IDLE_KEPT,
    };
    Duration::try_from(left).unwrap_or_default()
}

/// What the store holds for a lock of its own.
fn holding(lock: &Lock) -> Result<&Holding> {
    lock.held.downcast_ref().ok_or_else(|| Error::new(Cause::Other, tr!("the lock is another store's")))
}

impl Store for RedisStore {
    fn place(&self) -> String {
        self.0.server.place().to_string()
    }

    fn read<'a>(&'a self, key: &'a Key, deadline: Instant) -> Pending<'a, Found> {
        Box::pin(async move {
            let name = self.0.name(key)?;
            let (version, entry) = self.0.entries(&[name], deadline).await?.pop().unwrap_or_default();
            Ok(match entry {
                None => Found { version, ..Found::default() },
                Some(Ok((its, entry))) if its == *key => {
                    Found { entry: Some(entry), version, ..Found::default() }
                }
                Some(Ok(_)) => Found { version, ..Found::unusable(self.0.in_place(tr!("is another's"))) },
                Some(Err(why)) => Found { version, ..Found::unusable(why) },
            })
        })
    }

    fn lock<'a>(&'a self, key: &'a Key, deadline: Instant) -> Pending<'a, Lock> {
        Box::pin(async move {
            let held = self.acquire(self.0.name(key)?, deadline).await?;
            Ok(Lock { key: key.clone(), held: Box::new(held) })
        })
    }

    fn wait<'a>(&'a self, key: &'a Key, seen: Version, deadline: Instant) -> Pending<'a, Waited> {
        Box::pin(async move {
            let held = self.turn(self.0.name(key)?, Some(seen), deadline).await?;
            Ok(match held {
                Some(held) => Waited::Lock(Lock { key: key.clone(), held: Box::new(held) }),
                None => Waited::News,
            })
        })
    }

    /// Asks the server whether the right will last a whole login.
    fn hold<'a>(&'a self, lock: &'a Lock) -> Pending<'a, bool> {
        Box::pin(async move { holding(lock)?.ensure().await })
    }

    fn write<'a>(&'a self, lock: &'a Lock, entry: &'a Entry) -> Pending<'a, Written> {
        Box::pin(async move {
            let holding = holding(lock)?;
            let Holding { name, lease, shared, .. } = holding;
            let opened = shared.open(holding.deadline()).await?;
            let ttl = kept(entry, Timestamp::now());
            let mut shared_time = entry.clone();
            shift(&mut shared_time, opened.ahead);
            let text = encode(&lock.key, &shared_time);
            if text.len() as u64 > ENTRY_MAX {
                return Err(Error::new(Cause::Storage, tr!("the session is too large to be stored")));
            }
            let fence = lease.borrow().fence().unwrap_or_default();
            let sealed = shared.keys.seal(&text, &purpose(name, fence))?;
            let call = lease.borrow().write(sealed, ttl);
            Ok(match written(holding, call).await? {
                Written::Stored if ttl.is_zero() => Written::NotKept,
                written => written,
            })
        })
    }

    fn forget<'a>(&'a self, lock: &'a Lock) -> Pending<'a, ()> {
        Box::pin(async move {
            let holding = holding(lock)?;
            let call = holding.lease.borrow().forget();
            // Where another has the right by now, the entry is his affair.
            written(holding, call).await.map(|_| ())
        })
    }

    fn release(&self, lock: Lock) -> Pending<'_, ()> {
        Box::pin(async move { holding(&lock)?.release().await })
    }

    fn discard(&self, deadline: Instant) -> Pending<'_, usize> {
        Box::pin(async move {
            let mut discarded = 0;
            for name in self.names(deadline).await? {
                let unusable = async || {
                    let found = self.0.entries(std::slice::from_ref(&name), deadline).await?.pop();
                    let entry = found.and_then(|(_, entry)| entry);
                    Ok(entry.is_some_and(|entry| entry.is_err_and(|why| why != self.0.in_place(newer()))))
                };
                if !unusable().await? {
                    continue;
                }
                let held = self.acquire(name.clone(), deadline).await?;
                if unusable().await? {
                    let call = held.lease.borrow().forget();
                    written(&held, call).await?;
                    discarded += 1;
                }
                held.release().await?;
            }
            Ok(discarded)
        })
    }

    fn list(&self, deadline: Instant) -> Pending<'_, Vec<(Key, Entry)>> {
        Box::pin(async move {
            let names = self.names(deadline).await?;
            let entries = self.0.entries(&names, deadline).await?;
            let mut found: Vec<_> = entries.into_iter().filter_map(|(_, entry)| entry?.ok()).collect();
            found.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok(found)
        })
    }

    fn fingerprint<'a>(&'a self, secret: &'a Secret, _deadline: Instant) -> Pending<'a, String> {
        Box::pin(async { self.0.keys.print(secret) })
    }
}

/// Sends a change, and tells whether it came in time.
async fn written(holding: &Holding, call: Option<Command>) -> Result<Written> {
    let Some(call) = call else { return Ok(Written::Overtaken) };
    Ok(match holding.shared.insist(holding, &call).await? {
        Response::Done => Written::Stored,
        _ => Written::Overtaken,
    })
}
