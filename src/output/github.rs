//! `github`: masks on stdout, then variables in the file that hands them to the job's later steps.

use super::buffer::Buffer;
use super::vars::{Variable, variables};
use super::{Outcome, Rendered, Shape, sessions};
use crate::error::{Cause, Error, Result};
use crate::i18n::tr;
use crate::secret::hex;

/// The runner reads masks from stdout only: in a file the variables would be there, and unmasked.
pub(super) fn check(shape: &Shape<'_>) -> Result<()> {
    if !shape.to_file {
        return Ok(());
    }
    let message = tr!("the format github masks the token on stdout, so it cannot go to a file");
    Err(Error::new(Cause::Usage, message).hint(tr!("leave -o and --save out, or choose another format")))
}

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
    let mut all = Vec::new();
    for entry in sessions(outcomes) {
        all.extend(variables(entry, shape)?);
    }
    let mut masks = Buffer::default();
    for variable in all.iter().filter(|variable| variable.secret) {
        masks.push("::add-mask::");
        masks.escaped(&variable.value, |c| match c {
            '%' => Some("%25"),
            '\r' => Some("%0D"),
            '\n' => Some("%0A"),
            _ => None,
        });
        masks.push("\n");
    }
    let delimiter = delimiter(&all)?;
    let mut env = Buffer::default();
    for variable in &all {
        for part in [&*variable.name, "<<", &delimiter, "\n", &variable.value, "\n", &delimiter, "\n"] {
            env.push(part);
        }
    }
    Ok(Rendered { main: masks.finish(), github_env: Some(env.finish()) })
}

/// A word that nobody can guess and no value contains: a server that knew it could end its value early and set
/// variables of its own.
fn delimiter(variables: &[Variable<'_>]) -> Result<String> {
    loop {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Error::new(Cause::Other, tr!("no random bytes")).said(&error.to_string()))?;
        let word = format!("crmauth_{}", hex(&random));
        if !variables.iter().any(|variable| variable.value.contains(&word)) {
            return Ok(word);
        }
    }
}
