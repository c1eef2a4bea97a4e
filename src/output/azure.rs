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
            "begins like the agent's own variables, so no step would see it"
        ));
    }
    let opened = variable.value.split_once("$(");
    if opened.is_some_and(|(_, rest)| rest.contains(')')) {
        return Err(tr!("has a $(…) that the agent expands before each step"));
    }
    let end = match variable.secret {
        true => ";issecret=true]",
        false => "]",
    };
    for part in ["##vso[task.setvariable variable=", &variable.name, end] {
        out.push(part);
    }
    // The agent undoes %3B, %0D, %0A and %5D first, then %AZP25: a lone % would make such a sequence.
    out.escaped(&variable.value, |c| (c == '%').then_some("%AZP25"));
    out.push("\n");
    Ok(())
}
