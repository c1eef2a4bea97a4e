//! `gitlab`: a dotenv report (`artifacts:reports:dotenv`), which hands variables to later jobs.

use super::buffer::Buffer;
use super::vars::{Lines, Variable};
use crate::i18n::{Text, tr};

pub(super) static FORMAT: Lines = Lines {
    name: "gitlab",
    about: "a dotenv report for GitLab CI; whoever may see the pipeline can read it",
    on_failure: "",
    refuses,
    line,
    // GitLab refuses the upload of a report that is not smaller than 5 KiB.
    limit: 5 * 1024,
};

/// GitLab's server and its runner both expand `$NAME` in such a value, its server `%NAME%` too, and they do
/// not agree on an escape: the server takes `$$NAME` for a `$` and a variable.
fn refuses(variable: &Variable<'_>) -> Option<Text> {
    let value = &*variable.value;
    if value.contains('$') {
        return Some(tr!("has a $ that GitLab would expand"));
    }
    let name = |part: &str| {
        part.bytes().next().is_some_and(|b| !b.is_ascii_digit())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let between_percents = value.split('%').skip(1);
    let closed = value.matches('%').count().saturating_sub(1);
    between_percents
        .take(closed)
        .any(name)
        .then(|| tr!("has a name between two %, which GitLab would expand"))
}

/// No quotes: they would become part of the value.
fn line(out: &mut Buffer, variable: &Variable<'_>) {
    out.push(&variable.name);
    out.push("=");
    out.push(&variable.value);
    out.push("\n");
}
