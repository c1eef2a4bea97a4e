//! `redis://…`, `rediss://…`: a store that machines share. What leaves this machine is sealed, and machines take
//! turns at logging in by the protocol of [`lock`].
//!
//! A database is one store: a check value and, for each session, the entry, its lock and the number of its last turn.
//! Clusters are not supported.

pub mod lock;
mod reply;
mod scripts;
mod seal;
mod server;
mod turn;
mod url;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redis::{Cmd, FromRedisValue, Value, from_redis_value};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{Entry, Found, Key, Version, decode, is_name, newer};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use lock::{Command, Fence, Moment, Response, Terms};
use seal::{Keys, is_newer};
use server::Server;

pub use seal::make_key;
pub(super) use turn::Turn;
pub use url::RedisUrl;

const PREFIX: &str = "crmauth:";
/// A sealed value that only the right key opens.
const CHECK: &str = "crmauth:check";
const SCAN: usize = 500;
const NAMES_MAX: usize = 100_000;
/// How many entries are read in one exchange, which bounds what they may cost together.
const AT_ONCE: usize = 32;
/// How long a session is kept that has no known end and shows no sign of life.
const IDLE_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a session is kept after its end if it can be renewed then.
const RENEWABLE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is there under a name: a version, and an entry or why it cannot be used.
type Read = (Version, Option<Result<(Key, Entry), Text>>);

pub struct RedisStore {
    pub(super) server: Server,
    pub(super) keys: Keys,
    terms: Terms,
    began: Instant,
    /// How far the server's clock is ahead of ours. Entries are written by its clock, which all machines share.
    ahead: OnceCell<SignedDuration>,
    /// Whether the database has a check value of our key.
    checked: Cell<bool>,
    /// Why the server is out of reach for the rest of this run, so that it is waited for once.
    away: RefCell<Option<Error>>,
}

impl RedisStore {
    /// Connects to nothing yet. `allow_plain` permits `redis://` beyond loopback; `login` is how long one may take.
    pub fn new(
        url: RedisUrl,
        key: &Secret,
        trust: Rc<crate::tls::Trust>,
        allow_plain: bool,
        login: Duration,
    ) -> Result<Self> {
        Ok(Self {
            server: Server {
                url,
                trust,
                allow_plain,
                idle: RefCell::default(),
            },
            keys: Keys::new(key)?,
            terms: Terms { login },
            began: Instant::now(),
            ahead: OnceCell::new(),
            checked: Cell::default(),
            away: RefCell::default(),
        })
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    pub(super) fn name(&self, key: &Key) -> String {
        let key = serde_json::to_string(key).unwrap_or_default();
        self.keys.name(&key)
    }

    pub(super) async fn read(&self, key: &Key, deadline: Instant) -> Result<Found> {
        let (version, entry) = self.entry(&self.name(key), deadline).await?;
        let read = entry.map(|read| match read {
            Ok((its, entry)) if its == *key => Ok(entry),
            Ok(_) => Err(tr!("belongs to another session")),
            Err(why) => Err(why),
        });
        let place = &self.server.url;
        let read = read.map(|read| read.map_err(|why| tr!("in {place} {why}"; place, why)));
        let found = read.map(Found::from).unwrap_or_default();
        Ok(Found { version, ..found })
    }

    pub(super) async fn discard(self: &Rc<Self>, deadline: Instant) -> Result<usize> {
        let mut discarded = 0;
        for name in self.names(deadline).await? {
            let unusable = async || {
                let (_, entry) = self.entry(&name, deadline).await?;
                Ok(matches!(entry, Some(Err(why)) if why != newer()))
            };
            if !unusable().await? {
                continue;
            }
            let Some(turn) = self.wait(&name, None, deadline).await? else {
                continue;
            };
            if unusable().await? {
                turn.forget().await?;
                discarded += 1;
            }
            turn.release().await?;
        }
        Ok(discarded)
    }

    pub(super) async fn list(&self, deadline: Instant) -> Result<Vec<(Key, Entry)>> {
        let names = Vec::from_iter(self.names(deadline).await?);
        let mut found = Vec::new();
        for names in names.chunks(AT_ONCE) {
            let entries = self.entries(names, deadline).await?;
            found.extend(entries.into_iter().filter_map(|(_, entry)| entry?.ok()));
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    async fn entry(&self, name: &String, deadline: Instant) -> Result<Read> {
        let mut entries = self.entries(std::slice::from_ref(name), deadline).await?;
        Ok(entries.pop().unwrap_or_default())
    }

    async fn entries(&self, names: &[String], deadline: Instant) -> Result<Vec<Read>> {
        let ahead = self.open(deadline).await?;
        let read = |name: &String| {
            let fields = (PREFIX.to_owned() + name, "fence", "sealed");
            redis::cmd("HMGET").arg(fields).take()
        };
        let commands: Vec<_> = names.iter().map(read).collect();
        let answers = self.ask_once(&commands, deadline).await?;
        let now = moved(Timestamp::now(), ahead);
        // No holder of the key has written it so.
        let changed = || Err(tr!("was changed or put there by somebody else"));
        let mut entries = Vec::with_capacity(names.len());
        for (name, answer) in names.iter().zip(answers) {
            let (fence, sealed): (Option<Vec<u8>>, Option<Vec<u8>>) = self.parsed(Some(answer))?;
            let number = fence.as_deref().and_then(scripts::fence);
            let entry = match (number, &sealed) {
                (Some(number), Some(sealed)) => {
                    let read = match self.keys.open(sealed, &purpose(name, number)) {
                        Some(text) => decode(&text, now),
                        None if is_newer(sealed) => Err(newer()),
                        None => changed(),
                    };
                    Some(read.map(|(key, entry)| (key, shifted(entry, -ahead))))
                }
                _ if fence.is_none() && sealed.is_none() => None,
                _ => Some(changed()),
            };
            entries.push((number, entry));
        }
        Ok(entries)
    }

    async fn ask(&self, commands: &[Cmd], deadline: Instant) -> Result<Vec<Value>> {
        if let Some(error) = &*self.away.borrow() {
            return Err(error.clone());
        }
        self.server.ask(commands, deadline).await
    }

    /// Sends commands. If there is no answer, the server is away for the rest of the run.
    async fn ask_once(&self, commands: &[Cmd], deadline: Instant) -> Result<Vec<Value>> {
        let answers = self.ask(commands, deadline).await;
        answers.inspect_err(|error| self.remember(error))
    }

    fn remember(&self, error: &Error) {
        if is_no_answer(error) {
            self.away.borrow_mut().get_or_insert_with(|| error.clone());
        }
    }

    pub async fn call(&self, name: &str, command: &Command, deadline: Instant) -> Result<Response> {
        let command = scripts::eval(name, command);
        let answer = self.ask(&[command], deadline).await?.pop();
        scripts::response(&self.parsed::<Vec<String>>(answer)?).ok_or_else(|| self.strange())
    }

    /// The first exchange: whether the database is sealed with our key, and how far its clock is ahead.
    async fn open(&self, deadline: Instant) -> Result<SignedDuration> {
        let open = || async {
            let commands = [redis::cmd("GET").arg(CHECK).take(), redis::cmd("TIME")];
            let before = Timestamp::now();
            let mut answers = self.ask_once(&commands, deadline).await?;
            let between = Timestamp::now().duration_since(before) / 2;
            let (seconds, micros): (i64, i32) = self.parsed(answers.pop())?;
            let nanos = micros.checked_mul(1000);
            let time = nanos.and_then(|nanos| Timestamp::new(seconds, nanos).ok());
            self.check(answers.pop())?;
            Ok(time.ok_or_else(|| self.strange())?.duration_since(before) - between)
        };
        self.ahead.get_or_try_init(open).await.copied()
    }

    /// Looks at the check value, if there is one. One of another key ends the run.
    fn check(&self, value: Option<Value>) -> Result<()> {
        let Some(sealed) = self.parsed::<Option<Vec<u8>>>(value)? else {
            return Ok(());
        };
        let place = &self.server.url;
        if self.keys.open(&sealed, CHECK).is_some() {
            self.checked.set(true);
            return Ok(());
        }
        let why = match is_newer(&sealed) {
            true => tr!("the store {place} belongs to a newer crmauth"; place),
            false => tr!("this store was encrypted with another key: {place}"; place),
        };
        Err(Error::new(Cause::BadSetting, why).hint(tr!(
            "give every machine the same CRMAUTH_STORE_KEY, or use another database (redis://…/1)"
        )))
    }

    /// Makes sure, before anything is written, that the database has a check value of our key.
    async fn claim(&self, deadline: Instant) -> Result<()> {
        self.open(deadline).await?;
        if !self.checked.get() {
            let sealed = self.keys.seal(b"crmauth", CHECK)?;
            let set = redis::cmd("SET").arg((CHECK, sealed, "NX")).take();
            let get = redis::cmd("GET").arg(CHECK).take();
            let mut answers = self.ask_once(&[set, get], deadline).await?;
            // Another machine may have been first, with another key.
            self.check(answers.pop())?;
        }
        Ok(())
    }

    async fn names(&self, deadline: Instant) -> Result<BTreeSet<String>> {
        self.open(deadline).await?;
        let pattern = [PREFIX, "*"].concat();
        let mut names = BTreeSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg(("MATCH", &pattern, "COUNT", SCAN));
            let keys: Vec<Vec<u8>>;
            (cursor, keys) = self.parsed(self.ask(&[scan], deadline).await?.pop())?;
            let keys = keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
            let texts = keys.filter_map(|key| key.strip_prefix(PREFIX));
            names.extend(texts.filter(|name| is_name(name)).map(str::to_owned));
            // Its deadline bounds how long a scan may take.
            if names.len() > NAMES_MAX {
                return Err(self.strange());
            }
            if cursor == "0" {
                return Ok(names);
            }
        }
    }

    fn parsed<T: FromRedisValue>(&self, answer: Option<Value>) -> Result<T> {
        from_redis_value(answer.unwrap_or(Value::Nil)).map_err(|_| self.strange())
    }

    fn strange(&self) -> Error {
        let place = &self.server.url;
        error!(Unavailable: "{place} sent an answer that is not Redis's"; place)
    }
}

/// The purpose that an entry is sealed for: its place, and the lock under which it was written.
fn purpose(name: &str, fence: Fence) -> String {
    format!("{PREFIX}{name}/{fence}")
}

fn moved(time: Timestamp, ahead: SignedDuration) -> Timestamp {
    time.saturating_add(ahead).unwrap_or(time)
}

fn shifted(mut entry: Entry, ahead: SignedDuration) -> Entry {
    let session = &mut entry.session;
    session.obtained_at = moved(session.obtained_at, ahead);
    session.expires_at = session.expires_at.map(|time| moved(time, ahead));
    entry.seen_at = entry.seen_at.map(|time| moved(time, ahead));
    entry
}

fn kept(entry: &Entry, now: Timestamp) -> Duration {
    let session = &entry.session;
    let left = match session.expires_at {
        Some(end) if session.refresh.is_some() => end.duration_since(now) + RENEWABLE_KEPT,
        Some(end) => end.duration_since(now),
        None => IDLE_KEPT,
    };
    Duration::try_from(left).unwrap_or_default()
}

/// Whether the server gave no answer, or one that will soon be another.
fn is_no_answer(error: &Error) -> bool {
    error.cause.exit() == 5 && !matches!(error.cause, Cause::Certificate | Cause::Unavailable)
}
