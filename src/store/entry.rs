//! A stored session, and the form in which every store writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::declaration::BaseUrl;
use crate::i18n::{Text, tr};
use crate::secret::{Secret, sha256_hex};
use crate::session::{Role, Session, check_token};

/// The form of entries that this program writes, and the newest that it reads.
const SCHEMA: u32 = 1;
/// No entry is larger, in bytes.
pub(super) const ENTRY_MAX: usize = 256 * 1024;
/// How many hex digits an entry's name has.
pub(super) const NAME_LENGTH: usize = 32;
/// An entry from further in the future was written by another clock.
const FUTURE: SignedDuration = SignedDuration::from_secs(60);

/// Whose session an entry is. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub provider: String,
    pub origin: String,
    pub path: String,
    /// User names and client ids, or the account's name where there are none.
    pub user: Vec<String>,
    /// `None` for a provider with a single grant.
    pub grant: Option<String>,
    pub role: Role,
}

impl Key {
    pub fn url(&self) -> Option<BaseUrl> {
        BaseUrl::parse(&[&*self.origin, &self.path].concat()).ok()
    }

    /// The person of `--as` who is impersonated.
    pub fn person(&self) -> Option<&str> {
        match &self.role {
            Role::As(person) => Some(person),
            _ => None,
        }
    }

    pub fn name(&self) -> String {
        let parts = serde_json::to_string(self).unwrap_or_default();
        sha256_hex(&parts).expose()[..NAME_LENGTH].to_owned()
    }

    /// The name of the entry's lock: the same for all spellings of a user, whose logins may disturb each other.
    pub fn lock_name(&self) -> String {
        let mut folded = self.clone();
        let users = folded.user.iter_mut();
        users.for_each(|user| *user = user.to_lowercase());
        folded.name()
    }
}

pub(super) fn is_name(text: &str) -> bool {
    text.len() == NAME_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[derive(Debug, Clone)]
pub struct Entry {
    /// The target that stored it last, to show to people.
    pub target: String,
    pub session: Session,
    /// When it was last known to be alive; `None` if it may have ended.
    pub seen_at: Option<Timestamp>,
    /// Fingerprints of the credentials that it was obtained with, by field; none for an adopted session.
    pub credentials: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    schema: u32,
    key: Key,
    target: String,
    token: Cow<'a, str>,
    token_type: String,
    refresh: Option<Cow<'a, str>>,
    user: Option<String>,
    impersonating: Option<String>,
    obtained_at: Timestamp,
    expires_at: Option<Timestamp>,
    seen_at: Option<Timestamp>,
    credentials: BTreeMap<String, String>,
    details: serde_json::Map<String, serde_json::Value>,
}

/// The one field that even a newer entry has.
#[derive(Deserialize)]
struct Form {
    schema: u32,
}

pub(super) fn newer() -> Text {
    tr!("was written by a newer crmauth")
}

pub(super) fn encode(key: &Key, entry: &Entry) -> Zeroizing<Vec<u8>> {
    let session = &entry.session;
    let record = Record {
        schema: SCHEMA,
        key: key.clone(),
        target: entry.target.clone(),
        token: session.token.expose().into(),
        token_type: session.token_type.clone(),
        refresh: session.refresh.as_ref().map(|token| token.expose().into()),
        user: session.user.clone(),
        impersonating: session.impersonating.clone(),
        obtained_at: session.obtained_at,
        expires_at: session.expires_at,
        seen_at: entry.seen_at,
        credentials: entry.credentials.clone(),
        details: session.details.clone(),
    };
    Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default())
}

fn broken<E>(_: E) -> Text {
    tr!("is incomplete, or is not a stored session")
}

/// Reads an entry, which must not be from after `now`. An error is half a sentence that quotes nothing of it.
pub(super) fn decode(bytes: &[u8], now: Timestamp) -> Result<(Key, Entry), Text> {
    if !crate::json::is_small(bytes) {
        return Err(broken(()));
    }
    let form: Form = serde_json::from_slice(bytes).map_err(broken)?;
    if form.schema > SCHEMA {
        return Err(newer());
    }
    let record: Record = serde_json::from_slice(bytes).map_err(broken)?;
    check_token(&record.token).map_err(broken)?;
    let future = |time: Timestamp| time.duration_since(now) > FUTURE;
    if future(record.obtained_at) || record.seen_at.is_some_and(future) {
        return Err(tr!("is from the future: was the clock set back?"));
    }
    let session = Session {
        token: Secret::new(record.token.into_owned()),
        token_type: record.token_type,
        refresh: record.refresh.map(Cow::into_owned).map(Secret::new),
        user: record.user,
        impersonating: record.impersonating,
        obtained_at: record.obtained_at,
        expires_at: record.expires_at,
        details: record.details,
    };
    let entry = Entry {
        target: record.target,
        session,
        seen_at: record.seen_at,
        credentials: record.credentials,
    };
    Ok((record.key, entry))
}
