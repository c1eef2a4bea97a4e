//! `json`: all that is known about a session, one line.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::buffer::Buffer;
use super::{Entry, Outcome, Shape, time};
use crate::error::{Result, error};
use crate::json;

/// A session as it is written; no copy is made of its token.
#[derive(Serialize)]
struct Object<'a> {
    schema: u8,
    target: String,
    provider: &'a str,
    account: &'a Option<String>,
    token: &'a str,
    token_type: &'a str,
    url: String,
    user: &'a Option<String>,
    impersonating: &'a Option<String>,
    obtained_at: String,
    expires_at: Option<String>,
    placement: Value,
    details: &'a Map<String, Value>,
}

fn object<'a>(entry: &Entry<'a>) -> Result<Object<'a>> {
    let (target, session) = (entry.target, entry.session);
    let placement = target.spec.placement;
    Ok(Object {
        schema: 1,
        target: target.to_string(),
        provider: target.spec.id,
        account: &target.account,
        token: entry.token()?,
        token_type: &session.token_type,
        url: entry.url.to_string(),
        user: &session.user,
        impersonating: &session.impersonating,
        obtained_at: time(session.obtained_at),
        expires_at: session.expires_at.map(time),
        placement: json!({ "in": placement.place(), "name": placement.name() }),
        details: &session.details,
    })
}

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Buffer> {
    let mut out = Buffer::default();
    out.push(if shape.batch { "[" } else { "" });
    for (place, outcome) in outcomes.iter().enumerate() {
        out.push(if place > 0 { "," } else { "" });
        let written = match outcome {
            Ok(entry) => json::write(&mut out, &object(entry)?),
            Err((target, error)) => {
                let target = target.to_string();
                json::write(&mut out, &json!({ "target": target, "error": error }))
            }
        };
        written.map_err(|_| error!(Other: "the session could not be written as JSON"))?;
    }
    out.push(if shape.batch { "]\n" } else { "\n" });
    Ok(out)
}
