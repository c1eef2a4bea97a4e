//! `gitlab`: a dotenv report (`artifacts:reports:dotenv`), which hands variables to later jobs.

use super::buffer::Buffer;
use super::vars::{Variable, cannot_carry, lines};
use super::{Format, Outcome, Shape};
use crate::error;
use crate::i18n::{Text, tr};

/// GitLab refuses the upload of a report that is not smaller than this.
const LIMIT: usize = 5 * 1024;

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> error::Result<Buffer> {
    let report = lines(Format::GitLab, outcomes, shape, line)?;
    let size = report.as_bytes().len();
    if size >= LIMIT {
        return Err(cannot_carry(
            Format::GitLab,
            tr!(
                "these values: together they have {size} bytes, and its reader accepts fewer than {limit}",
                size,
                limit = LIMIT
            ),
        ));
    }
    Ok(report)
}

/// Without quotes, which would become part of the value. GitLab's server and its runner both expand `$NAME`, the server
/// `%NAME%` too, and they do not agree on an escape: the server takes `$$NAME` for a `$` and a variable.
fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    let value = &*variable.value;
    if value.contains('$') {
        return Err(tr!("has a $ that GitLab would expand"));
    }
    let is_name = |part: &str| {
        part.bytes().next().is_some_and(|b| !b.is_ascii_digit())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let closed = value.matches('%').count().saturating_sub(1);
    if value.split('%').skip(1).take(closed).any(is_name) {
        return Err(tr!("has a name between two %, which GitLab would expand"));
    }
    for part in [&*variable.name, "=", value, "\n"] {
        out.push(part);
    }
    Ok(())
}
