//! `curl`: lines for `curl -K`, so that no session is among a command's arguments.

use super::buffer::Buffer;
use super::{Outcome, Shape, header, sessions};
use crate::declaration::{Placement, Target};
use crate::error::{Result, error};

pub(super) fn check(targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
    header::check_single("curl", targets, shape)?;
    let in_path = |target: &&&Target| target.spec.placement == Placement::Path;
    let Some(target) = targets.iter().find(in_path) else {
        return Ok(());
    };
    let error = error!(
        Format, "{target} takes its session in the path, and curl has no option that puts it there", target;
        hint "`crmauth api {target} PATH` puts it there", target
    );
    Err(error.target(&target.to_string()))
}

pub(super) fn write(outcomes: &[Outcome<'_>]) -> Result<Buffer> {
    let mut out = Buffer::default();
    for entry in sessions(outcomes) {
        match entry.target.spec.placement {
            Placement::Query(name) => ["url-query = \"", name, "="].map(|part| out.push(part)),
            _ => ["header = \"", "Authorization: ", "Bearer "].map(|part| out.push(part)),
        };
        for c in entry.token()?.chars() {
            if matches!(c, '"' | '\\') {
                out.push("\\");
            }
            out.push(c.encode_utf8(&mut [0; 4]));
        }
        out.push("\"\n");
    }
    Ok(out)
}
