//! `plain`, `header` and `curl`: the token alone, or in what carries it to the server.

use super::buffer::Buffer;
use super::{Format, Outcome, Shape};
use crate::declaration::{Placement, Target};
use crate::error::{Result, error};
use crate::i18n::tr;

/// What the formats cannot carry. Whoever reads headers reads them all: lines for several servers would reach one.
pub(super) fn check(format: Format, targets: &[Target], shape: &Shape<'_>) -> Result<()> {
    if shape.batch || targets.len() > 1 {
        let error = error!(Usage: "the format {format} is for one target at a time"; format = format.name() =>
            hint "ask for one target, or use -f json for several");
        return Err(error);
    }
    for target in targets {
        let place = match (target.spec.placement, format) {
            (Placement::Bearer, _) | (Placement::Query(_), Format::Curl) => continue,
            (Placement::Path, Format::Curl) => {
                let error = error!(Format:
                    "{target} takes its session in the path, and curl has no option that puts it there"; target =>
                    hint "`crmauth api {target} PATH` puts it there"; target);
                return Err(error.target(&target.to_string()));
            }
            (Placement::Query(name), _) => tr!("the parameter {name}"; name),
            (Placement::Path, _) => tr!("the path, in place of {{session}}"),
        };
        let error = error!(Format: "{target} takes its session in {place}, not in a header"; target, place =>
            hint "use -f plain and put it there, or let `crmauth api {target} PATH` do so"; target);
        return Err(error.target(&target.to_string()));
    }
    Ok(())
}

pub(super) fn write(format: Format, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Buffer> {
    let mut out = Buffer::default();
    for entry in outcomes.iter().flatten() {
        let token = entry.token()?;
        match (format, entry.target.spec.placement) {
            // Lines for `curl -K`, so that no session is among a command's arguments.
            (Format::Curl, placement) => {
                match placement {
                    Placement::Query(name) => out.all(&["url-query = \"", name, "="]),
                    _ => out.push("header = \"Authorization: Bearer "),
                }
                out.escaped(token, &[('"', "\\\""), ('\\', r"\\")]);
                out.push("\"\n");
            }
            (Format::Header, _) => out.all(&["Authorization: Bearer ", token, "\n"]),
            _ if shape.batch => out.all(&[&entry.target.to_string(), "\t", token, "\n"]),
            _ => out.all(&[token, if shape.to_file { "" } else { "\n" }]),
        }
    }
    Ok(out)
}
