//! `plain`: the token.

use super::buffer::Buffer;
use super::{Outcome, Shape, sessions};
use crate::error::Result;

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Buffer> {
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
    Ok(out)
}
