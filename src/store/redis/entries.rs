//! Entries as the server keeps them: sealed, and written by its clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::lock::Fence;
use super::seal::Broken;
use super::{PREFIX, RedisStore, scripts};
use crate::error::Result;
use crate::i18n::{Text, tr};
use crate::store::{Entry, Key, Version, decode, newer};

/// How long a session is kept that has no known end and shows no sign of life.
const IDLE_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a session is kept after its end if it can be renewed then.
const RENEWABLE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An entry, or why it cannot be used.
pub(super) type Usable = std::result::Result<(Key, Entry), Text>;

impl RedisStore {
    /// The entries of these names, each with its version.
    pub(super) async fn entries(
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
        let now = Timestamp::now()
            .saturating_add(opened.ahead)
            .unwrap_or(Timestamp::MAX);
        let mut entries = Vec::with_capacity(names.len());
        for (name, answer) in names.iter().zip(answers) {
            let (fence, sealed): (Option<Vec<u8>>, Option<Vec<u8>>) = self.parsed(Some(answer))?;
            let number = fence.as_deref().and_then(scripts::fence);
            let entry = match (number, &sealed) {
                (Some(number), Some(sealed)) => {
                    let unsealed = self.unseal(name, number, sealed, now);
                    Some(unsealed.map(|(key, entry)| (key, shifted(entry, -opened.ahead))))
                }
                _ if fence.is_none() && sealed.is_none() => None,
                _ => Some(Err(changed())),
            };
            let entry = entry.map(|entry| entry.map_err(|why| self.in_place(why)));
            entries.push((Version(number), entry));
        }
        Ok(entries)
    }

    /// Says in which store an entry is unusable.
    pub(super) fn in_place(&self, why: Text) -> Text {
        tr!("in {place} {why}", place = self.server.url(), why)
    }

    fn unseal(&self, name: &str, fence: Fence, sealed: &[u8], now: Timestamp) -> Usable {
        let bytes =
            self.keys
                .open(sealed, &purpose(name, fence))
                .map_err(|broken| match broken {
                    Broken::Newer => newer(),
                    Broken::NotOurs => changed(),
                })?;
        decode(&bytes, now)
    }
}

/// Why an entry cannot be used that no holder of the key has written so.
fn changed() -> Text {
    tr!("was changed or put there by somebody else")
}

/// The purpose that an entry is sealed for: its place, and the lock under which it was written.
pub(super) fn purpose(name: &str, fence: Fence) -> String {
    format!("{PREFIX}{name}/{fence}")
}

/// An entry by a clock that is so far ahead.
pub(super) fn shifted(entry: Entry, ahead: SignedDuration) -> Entry {
    let moved = |time: Timestamp| time.saturating_add(ahead).unwrap_or(time);
    let mut entry = entry;
    entry.seen_at = entry.seen_at.map(moved);
    entry.session.obtained_at = moved(entry.session.obtained_at);
    entry.session.expires_at = entry.session.expires_at.map(moved);
    entry
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
