//! `azure`: logging commands that set variables for the job's later steps.

use super::buffer::Buffer;
use super::vars::Variable;
use crate::i18n::{Text, tr};

/// What the agent's own variables begin with.
const RESERVED: [&str; 5] = ["endpoint", "input", "path", "secret", "securefile"];

/// Only the token is a secret: the agent blanks secrets in every log, and a URL there helps.
pub(super) fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    let name = variable.name.to_ascii_lowercase();
    if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
        return Err(tr!(
            "begins like the agent's own variables, so that no step would see it"
        ));
    }
    if variable
        .value
        .split_once("$(")
        .is_some_and(|(_, rest)| rest.contains(')'))
    {
        return Err(tr!("has a $(…) that the agent expands before each step"));
    }
    out.push("##vso[task.setvariable variable=");
    out.push(&variable.name);
    out.push(if variable.secret {
        ";issecret=true]"
    } else {
        "]"
    });
    // The agent undoes %3B, %0D, %0A and %5D first, then %AZP25: a lone % would make such a sequence.
    out.escaped(&variable.value, |c| match c {
        '%' => Some("%AZP25"),
        '\r' => Some("%0D"),
        '\n' => Some("%0A"),
        _ => None,
    });
    out.push("\n");
    Ok(())
}
