//! `header`: a line for `curl -H @-`.

use super::buffer::Buffer;
use super::{Outcome, Shape, sessions};
use crate::declaration::{Placement, Target};
use crate::error::{Result, error};
use crate::i18n::tr;

/// Whoever reads headers reads them all, so that lines for several servers would all reach one of them.
pub(super) fn check_single(format: &str, targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
    if shape.batch || targets.len() > 1 {
        return Err(error!(
            Usage, "the format {format} is for one target at a time", format;
            hint "ask for one target, or use -f json for several"
        ));
    }
    Ok(())
}

pub(super) fn check(targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
    check_single("header", targets, shape)?;
    for target in targets {
        let place = match target.spec.placement {
            Placement::Bearer => continue,
            Placement::Query(name) => tr!("the parameter {name}", name),
            Placement::Path => tr!("the path, in place of {{session}}"),
        };
        let error = error!(
            Format, "{target} takes its session in {place}, not in a header", target, place;
            hint "use -f plain and put it there, or let `crmauth api {target} PATH` do so", target
        );
        return Err(error.target(&target.to_string()));
    }
    Ok(())
}

pub(super) fn write(outcomes: &[Outcome<'_>]) -> Result<Buffer> {
    let mut out = Buffer::default();
    for entry in sessions(outcomes) {
        out.push("Authorization: Bearer ");
        out.push(entry.token()?);
        out.push("\n");
    }
    Ok(out)
}
