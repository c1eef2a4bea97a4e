//! `plain`: the token.

use super::buffer::Buffer;
use super::{Format, Outcome, Rendered, Shape, sessions};
use crate::error::Result;

pub(super) struct Plain;

impl Format for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn about(&self) -> &'static str {
        "the token; for several targets a line each, TARGET<TAB>TOKEN"
    }

    fn encode(&self, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
        let mut out = Buffer::default();
        for entry in sessions(outcomes) {
            if shape.batch {
                out.push(&entry.target.to_string());
                out.push("\t");
            }
            out.push(entry.token()?);
            if shape.batch || !shape.to_file {
                out.push("\n");
            }
        }
        Ok(out.into())
    }
}
