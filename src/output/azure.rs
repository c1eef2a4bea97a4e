//! `azure`: logging commands that set variables for the job's later steps.

use super::buffer::Buffer;
use super::vars::{Lines, Variable};
use crate::i18n::{Text, tr};

pub(super) static FORMAT: Lines = Lines {
    name: "azure",
    about: "logging commands that set variables in Azure Pipelines, the token as a secret",
    on_failure: "",
    refuses,
    line,
    limit: usize::MAX,
};

fn refuses(variable: &Variable<'_>) -> Option<Text> {
    let name = variable.name.to_ascii_lowercase();
    if ["endpoint", "input", "path", "secret", "securefile"].iter().any(|reserved| name.starts_with(reserved))
    {
        return Some(tr!("begins like the agent's own variables, so that no step would see it"));
    }
    variable
        .value
        .split_once("$(")
        .is_some_and(|(_, rest)| rest.contains(')'))
        .then(|| tr!("has a $(…) that the agent expands before each step"))
}

/// Only the token is a secret: the agent blanks secrets in every log, and a URL there helps.
fn line(out: &mut Buffer, variable: &Variable<'_>) {
    out.push("##vso[task.setvariable variable=");
    out.push(&variable.name);
    out.push(if variable.secret { ";issecret=true]" } else { "]" });
    // The agent undoes %3B, %0D, %0A and %5D first, then %AZP25: a lone % would make such a sequence.
    out.escaped(&variable.value, |c| match c {
        '%' => Some("%AZP25"),
        '\r' => Some("%0D"),
        '\n' => Some("%0A"),
        _ => None,
    });
    out.push("\n");
}
