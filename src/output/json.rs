//! `json`: all that is known about a session, one line.

use jiff::Timestamp;
use serde_json::Value;

use super::buffer::Buffer;
use super::{Entry, Outcome, Shape, sessions, time};
use crate::error::{Error, Result, error};
use crate::json;

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Buffer> {
    let mut out = Buffer::default();
    if !shape.batch {
        for entry in sessions(outcomes) {
            object(&mut out, entry)?;
            out.push("\n");
        }
        return Ok(out);
    }
    out.push("[");
    for (index, outcome) in outcomes.iter().enumerate() {
        out.push(if index == 0 { "" } else { "," });
        match outcome {
            Outcome::Session(entry) => object(&mut out, entry)?,
            Outcome::Failed { target, error_json } => {
                out.push("{");
                member(&mut out, "target", &target.to_string().into())?;
                out.push(",");
                member(&mut out, "error", error_json)?;
                out.push("}");
            }
        }
    }
    out.push("]\n");
    Ok(out)
}

fn object(out: &mut Buffer, entry: &Entry<'_>) -> Result<()> {
    let Entry {
        target,
        url,
        session,
    } = entry;
    let known = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
    let when = |at: Option<Timestamp>| at.map_or(Value::Null, |at| Value::String(time(at)));
    let placement = target.spec.placement;
    out.push("{");
    for (name, value) in [
        ("schema", Value::from(1)),
        ("target", target.to_string().into()),
        ("provider", target.spec.id.into()),
        ("account", known(&target.account)),
    ] {
        member(out, name, &value)?;
        out.push(",");
    }
    out.push("\"token\":");
    json::write(&mut *out, entry.token()?).map_err(|_| broken())?;
    for (name, value) in [
        ("token_type", Value::from(session.token_type.as_str())),
        ("url", url.to_string().into()),
        ("user", known(&session.user)),
        ("impersonating", known(&session.impersonating)),
        ("obtained_at", when(Some(session.obtained_at))),
        ("expires_at", when(session.expires_at)),
        (
            "placement",
            serde_json::json!({"in": placement.place(), "name": placement.name()}),
        ),
    ] {
        out.push(",");
        member(out, name, &value)?;
    }
    out.push(",\"details\":");
    json::write(&mut *out, &session.details).map_err(|_| broken())?;
    out.push("}");
    Ok(())
}

fn member(out: &mut Buffer, name: &str, value: &Value) -> Result<()> {
    json::write(&mut *out, name).map_err(|_| broken())?;
    out.push(":");
    json::write(&mut *out, value).map_err(|_| broken())
}

fn broken() -> Error {
    error!(Other, "the session could not be written as JSON")
}
