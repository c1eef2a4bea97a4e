//! Whatever a server calls a lifetime: the session's end is where it can be, or unknown.

use crmauth::session::{Session, lifetime};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const TEN_YEARS: SignedDuration = SignedDuration::from_hours(24 * 3653);

/// The bytes are a JSON value, or else a text.
pub fn holds(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let value = serde_json::from_slice(data).unwrap_or(Value::String(text));
    let lasts = lifetime(&value);
    let mut session = Session::new("t", "Bearer").expect("a token");
    if let Some(lasts) = lasts {
        assert!(
            lasts >= SignedDuration::from_secs(1) && lasts <= TEN_YEARS,
            "{value}: {lasts}"
        );
        assert_eq!(lasts.subsec_nanos(), 0, "{value}: whole seconds");
        session.lasts(lasts);
        let end = session.expires_at.expect("an end that a clock can show");
        assert_eq!(end.duration_since(session.obtained_at), lasts);
    }
    let asked = session
        .obtained_at
        .checked_sub(SignedDuration::from_secs(3))
        .expect("a time");
    let end = session.expires_at;
    session.since(asked);
    assert_eq!(session.obtained_at, asked);
    assert_eq!(session.expires_at.is_some(), end.is_some());
    assert!(session.expires_at <= end, "asking earlier ends no later");
    assert!(session.expires_at.is_none_or(|end| end > Timestamp::MIN));
}
