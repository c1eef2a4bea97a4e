//! `redis://…`, `rediss://…`: a store that machines share. What leaves this machine is sealed, and machines take
//! turns at logging in by the protocol of [`lock`].
//!
//! A database is one store: a check value and, for each session, the entry, its lock and the number of its last turn.
//! Clusters are not supported.

mod database;
pub mod lock;
mod refusals;
mod reply;
mod scripts;
mod seal;
mod server;
mod turn;
mod url;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{Entry, Found, Key, Version, decode, newer};
use crate::error::{Error, Result};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::tls::Trust;
use database::Opened;
use lock::{Fence, Moment, Terms};
use seal::{Broken, Keys};
use server::Server;

pub use seal::make_key;
pub(super) use turn::Turn;
pub use url::RedisUrl;

/// The beginning of every name in the database.
const PREFIX: &str = "crmauth:";

/// How many entries are read in one exchange, which bounds what they may cost together.
const AT_ONCE: usize = 32;

/// How long a session is kept that has no known end and shows no sign of life.
const IDLE_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a session is kept after its end if it can be renewed then.
const RENEWABLE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An entry, or why it cannot be used.
type Usable = Result<(Key, Entry), Text>;

pub struct RedisStore {
    server: Server,
    keys: Keys,
    terms: Terms,
    began: Instant,
    opened: OnceCell<Opened>,
    /// Why the server is out of reach for the rest of this run, so that it is waited for once.
    away: RefCell<Option<Error>>,
}

impl RedisStore {
    /// Connects to nothing yet. `key` is 32 bytes in base64, `allow_plain` permits `redis://` beyond loopback, and
    /// `login` is how long a login may take.
    pub fn new(
        url: RedisUrl,
        key: &Secret,
        trust: Rc<Trust>,
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
            terms: Terms::new(login),
            began: Instant::now(),
            opened: OnceCell::new(),
            away: RefCell::default(),
        })
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    pub(super) fn name(&self, key: &Key) -> String {
        self.keys
            .name(&serde_json::to_string(key).unwrap_or_default())
    }

    pub(super) fn place(&self) -> String {
        self.server.url.to_string()
    }

    pub(super) async fn read(&self, key: &Key, deadline: Instant) -> Result<Found> {
        let (version, entry) = self.entry(&self.name(key), deadline).await?;
        let place = &self.server.url;
        let unusable = |why| Found::unusable(tr!("in {place} {why}", place, why));
        let found = match entry {
            None => Found::default(),
            Some(Ok((its, entry))) if its == *key => Found::entry(entry),
            Some(Ok(_)) => unusable(tr!("belongs to another session")),
            Some(Err(why)) => unusable(why),
        };
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
            let turn = self.lock(&name, deadline).await?;
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

    pub(super) fn fingerprint(&self, secret: &Secret) -> String {
        self.keys.fingerprint(secret)
    }

    async fn entry(&self, name: &String, deadline: Instant) -> Result<(Version, Option<Usable>)> {
        let mut entries = self.entries(std::slice::from_ref(name), deadline).await?;
        Ok(entries.pop().unwrap_or_default())
    }

    /// The entries of these names, each with its version.
    async fn entries(
        &self,
        names: &[String],
        deadline: Instant,
    ) -> Result<Vec<(Version, Option<Usable>)>> {
        let opened = self.open(deadline).await?;
        let read = |name: &String| {
            let fields = (PREFIX.to_owned() + name, "fence", "sealed");
            redis::cmd("HMGET").arg(fields).take()
        };
        let commands: Vec<_> = names.iter().map(read).collect();
        let answers = self.ask_once(&commands, deadline).await?;
        let now = moved(Timestamp::now(), opened.ahead);
        let mut entries = Vec::with_capacity(names.len());
        for (name, answer) in names.iter().zip(answers) {
            let (fence, sealed): (Option<Vec<u8>>, Option<Vec<u8>>) = self.parsed(Some(answer))?;
            let number = fence.as_deref().and_then(scripts::fence);
            let entry = match (number, &sealed) {
                (Some(number), Some(sealed)) => {
                    let text = self.keys.open(sealed, &purpose(name, number));
                    let read = text
                        .map_err(Broken::text)
                        .and_then(|text| decode(&text, now));
                    Some(read.map(|(key, entry)| (key, shifted(entry, -opened.ahead))))
                }
                _ if fence.is_none() && sealed.is_none() => None,
                _ => Some(Err(Broken::NotOurs.text())),
            };
            entries.push((Version(number), entry));
        }
        Ok(entries)
    }
}

impl Broken {
    /// Why an entry cannot be used; nobody who holds the key has written it so, unless it is newer.
    fn text(self) -> Text {
        match self {
            Self::Newer => newer(),
            Self::NotOurs => tr!("was changed or put there by somebody else"),
        }
    }
}

/// The purpose that an entry is sealed for: its place, and the lock under which it was written.
fn purpose(name: &str, fence: Fence) -> String {
    format!("{PREFIX}{name}/{fence}")
}

fn moved(time: Timestamp, ahead: SignedDuration) -> Timestamp {
    time.saturating_add(ahead).unwrap_or(time)
}

/// An entry by a clock that is so far ahead.
fn shifted(mut entry: Entry, ahead: SignedDuration) -> Entry {
    let session = &mut entry.session;
    session.obtained_at = moved(session.obtained_at, ahead);
    session.expires_at = session.expires_at.map(|time| moved(time, ahead));
    entry.seen_at = entry.seen_at.map(|time| moved(time, ahead));
    entry
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
