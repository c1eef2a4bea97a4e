//! `env`: lines for a `.env` file, which python-dotenv, dotenvy, Node's dotenv, Ruby's and a sourcing shell read alike.

use super::buffer::Buffer;
use super::vars::Variable;
use crate::i18n::{Text, tr};
use crate::secret::Secret;

pub(super) fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    let value = &*variable.value;
    let quote = quote(value)?;
    for part in [&*variable.name, "=", quote, value, quote, "\n"] {
        out.push(part);
    }
    Ok(())
}

/// A value as it is written after the `=` of a line, or why it cannot be: the end of a sentence.
pub fn quoted(value: &Secret) -> Result<Secret, Text> {
    let quote = quote(value.expose())?;
    Ok(Secret::new([quote, value.expose(), quote].concat()))
}

/// The quotes for a value. There is no standard for these files. In single quotes every reader takes every byte as it
/// is, except that python-dotenv undoes `\\` and `\'` and expands `${NAME}` there too. A value with a single quote goes
/// into double quotes, where readers agree on nothing that has a meaning in a shell.
fn quote(value: &str) -> Result<&'static str, Text> {
    if value.contains("${") {
        return Err(tr!(
            "has a ${{ that some readers of env files expand even inside quotes"
        ));
    }
    if value.contains('\'') {
        if value.contains(['"', '\\', '$', '`']) {
            return Err(tr!(
                "has a single quote beside a \" \\ $ or `, which readers of env files read differently"
            ));
        }
        return Ok("\"");
    }
    if value.contains(r"\\") || value.ends_with('\\') {
        return Err(tr!(
            "has two backslashes in a row or one at its end, which readers of env files read differently"
        ));
    }
    Ok("'")
}
