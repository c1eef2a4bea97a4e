//! Entries as the server keeps them: sealed, and written by its clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redis::Value;
use tokio::time::Instant;

use super::database::text;
use super::lock::Fence;
use super::seal::Broken;
use super::{PREFIX, RedisStore, scripts};
use crate::error::Result;
use crate::i18n::{Text, tr};
use crate::store::{Entry, Key, Version, decode, newer};

/// How long a session is kept that has no known end and shows no sign of life.
const IDLE_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a session is kept beyond its end where it can be renewed then.
const RENEWABLE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An entry, or why it cannot be used.
pub(super) type Usable = std::result::Result<(Key, Entry), Text>;

impl RedisStore {
    /// The entries of these names, each with its version: one that is there and cannot be used, with why not.
    pub(super) async fn entries(
        &self,
        names: &[String],
        deadline: Instant,
    ) -> Result<Vec<(Version, Option<Usable>)>> {
        let opened = self.open(deadline).await?;
        let commands: Vec<_> = names
            .iter()
            .map(|name| {
                let mut command = redis::cmd("HMGET");
                command.arg([PREFIX, name].concat()).arg("fence").arg("sealed");
                command
            })
            .collect();
        let answers = self.ask_once(&commands, deadline).await?;
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
    pub(super) fn in_place(&self, why: Text) -> Text {
        tr!("in {place} {why}", place = self.server.url(), why)
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
}

/// Why an entry cannot be used that nobody with the key has written so.
fn changed() -> Text {
    tr!("was changed or put there by somebody else")
}

/// What an entry is sealed for: its place and its right.
pub(super) fn purpose(name: &str, fence: Fence) -> String {
    format!("{PREFIX}{name}/{fence}")
}

/// Moves an entry's times to a clock that is so far ahead.
pub(super) fn shift(entry: &mut Entry, ahead: SignedDuration) {
    let moved = |time: Timestamp| time.saturating_add(ahead).unwrap_or(time);
    entry.seen_at = entry.seen_at.map(moved);
    entry.session.obtained_at = moved(entry.session.obtained_at);
    entry.session.expires_at = entry.session.expires_at.map(moved);
}

/// How long an entry is kept: as long as its session can be of use.
pub(super) fn kept(entry: &Entry, now: Timestamp) -> Duration {
    let session = &entry.session;
    let left = match session.expires_at {
        Some(end) if session.refresh.is_some() => end.duration_since(now) + RENEWABLE_KEPT,
        Some(end) => end.duration_since(now),
        None => IDLE_KEPT,
    };
    Duration::try_from(left).unwrap_or_default()
}
