//! `header`: a line for `curl -H @-`.

use super::buffer::Buffer;
use super::{Format, Outcome, Rendered, Shape, sessions};
use crate::declaration::{Placement, Target};
use crate::error::{Cause, Error, Result};
use crate::i18n::tr;

pub(super) struct Header;

impl Format for Header {
    fn name(&self) -> &'static str {
        "header"
    }

    fn about(&self) -> &'static str {
        "the header that carries the session: Authorization: Bearer TOKEN"
    }

    fn all_or_nothing(&self) -> bool {
        true
    }

    fn accepts(&self, targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
        // Lines for several servers would all reach one of them, since whoever reads headers reads them all.
        if shape.batch || targets.len() > 1 {
            return Err(Error::new(Cause::Usage, tr!("the format header is for one target at a time"))
                .hint(tr!("ask for one target, or use -f json for several")));
        }
        targets.iter().try_for_each(|target| bearer(target))
    }

    fn encode(&self, outcomes: &[Outcome<'_>], _shape: &Shape<'_>) -> Result<Rendered> {
        let mut out = Buffer::default();
        for entry in sessions(outcomes) {
            out.push("Authorization: Bearer ");
            out.push(entry.token()?);
            out.push("\n");
        }
        Ok(out.into())
    }
}

fn bearer(target: &Target) -> Result<()> {
    let place = match target.spec.placement {
        Placement::Bearer => return Ok(()),
        Placement::Query(name) => tr!("the parameter {name}", name),
        Placement::Path => tr!("the path, where {{session}} stands"),
    };
    Err(Error::new(
        Cause::Format,
        tr!("{target} takes its session in {place}, not in a header", target, place),
    )
    .hint(tr!("use -f plain and put it there, or let `crmauth api {target} PATH` do so", target))
    .target(&target.to_string()))
}
