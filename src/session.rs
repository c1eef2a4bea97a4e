//! A session: the token, whose it is, how long it lasts, and what else the server said.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Cause, Error, Result};
use crate::i18n::tr;
use crate::secret::Secret;

pub const TOKEN_MAX: usize = 8192;
/// A lifetime above this many seconds is no lifetime but a mistake: ten years.
const LIFETIME_MAX: f64 = 10.0 * 365.25 * 86_400.0;

#[derive(Debug, Clone)]
pub struct Session {
    pub token: Secret,
    /// The server's or the protocol's name for the kind of token: `Bearer`, `session`.
    pub token_type: String,
    /// Renews the session without a login, where the server gave such a token.
    pub refresh: Option<Secret>,
    /// Who logged in, as configured or as the server said.
    pub user: Option<String>,
    /// Whom the session stands for, where that is somebody else.
    pub impersonating: Option<String>,
    /// When it was obtained, by the local clock.
    pub obtained_at: Timestamp,
    /// When it ends, by the local clock; unknown for sessions that die idle.
    pub expires_at: Option<Timestamp>,
    /// What else the server said, under the server's own names, without any other token.
    pub details: Map<String, Value>,
}

impl Session {
    pub fn new(token: &str, token_type: &str) -> Result<Self> {
        check_token(token)?;
        Ok(Self {
            token: Secret::new(token.to_owned()),
            token_type: token_type.to_owned(),
            refresh: None,
            user: None,
            impersonating: None,
            obtained_at: Timestamp::now(),
            expires_at: None,
            details: Map::new(),
        })
    }

    /// How long before its end a session in use is renewed: `min_ttl`, or half its life where that is shorter.
    pub fn margin(&self, end: Timestamp, min_ttl: std::time::Duration) -> SignedDuration {
        let half = end.duration_since(self.obtained_at) / 2;
        SignedDuration::try_from(min_ttl).map_or(half, |wanted| wanted.min(half))
    }

    /// Counts from `before` instead: a lifetime begins when the server says it, not when we have read it.
    pub fn since(&mut self, before: Timestamp) {
        let late = self.obtained_at.duration_since(before);
        let late = late.max(SignedDuration::ZERO);
        self.obtained_at = before.min(self.obtained_at);
        self.expires_at = self.expires_at.and_then(|end| end.checked_sub(late).ok());
    }

    pub fn lasts(&mut self, lifetime: SignedDuration) {
        self.expires_at = self.obtained_at.checked_add(lifetime).ok();
    }
}

/// Whose session it is; in the store's keys a text, such as `user`, and sorted as its text is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Role {
    /// Somebody else's, whom the configured user stands in for: an id or a user name.
    As(String),
    Other(String),
    /// The partner's, which some logins must carry.
    Partner,
    User,
}

impl From<String> for Role {
    fn from(text: String) -> Self {
        match (text.as_str(), text.strip_prefix("as:")) {
            ("user", _) => Self::User,
            ("partner", _) => Self::Partner,
            (_, Some(person)) => Self::As(person.to_owned()),
            _ => Self::Other(text),
        }
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        match role {
            Role::As(person) => format!("as:{person}"),
            Role::Other(text) => text,
            Role::Partner => "partner".to_owned(),
            Role::User => "user".to_owned(),
        }
    }
}

/// Whether a text can be a token: 1 to 8192 bytes of 0x21–0x7E, no word for "none", nothing that a CI system obeys.
pub fn check_token(token: &str) -> Result<()> {
    let (length, most) = (token.len(), TOKEN_MAX);
    let mut none = ["", "na", "null", "none", "undefined"].iter();
    let is_odd = |byte| !(0x21..=0x7e).contains(&byte);
    let letter = |c: char| c.is_ascii_alphabetic();
    // A third `#` may stand before the two that count.
    let mut parts = token
        .split("##")
        .skip(1)
        .map(|part| part.trim_start_matches('#'));
    let mut commands = || parts.any(|part| part.trim_start_matches(letter).starts_with('['));
    let first = token.strip_prefix("::").unwrap_or_default();
    let why = if none.any(|none| token.trim().eq_ignore_ascii_case(none)) {
        tr!("there is no session in the server's answer")
    } else if length > most {
        tr!("the server's session is too long ({length} bytes, {most} at most)"; length, most)
    } else if first.starts_with(letter) || commands() {
        tr!("the server's session contains a command for a CI system")
    } else if let Some(at) = token.bytes().position(is_odd) {
        let what = match token.as_bytes()[at] {
            b' ' => tr!("a space"),
            0x80.. => tr!("a character that is not ASCII"),
            _ => tr!("a control character"),
        };
        tr!("the server's session has {what} at index {at}"; what, at)
    } else {
        return Ok(());
    };
    Err(Error::new(Cause::BadToken, why))
}

/// A lifetime in seconds as servers write it, a number or a text; `None` below a second and above ten years.
pub fn lifetime(value: &Value) -> Option<SignedDuration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let is_one = (1.0..=LIFETIME_MAX).contains(&seconds);
    is_one.then(|| SignedDuration::from_secs_f64(seconds.floor()))
}
