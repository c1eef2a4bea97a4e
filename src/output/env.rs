//! `env`: lines for a `.env` file, which python-dotenv, dotenvy, Node's dotenv, Ruby's and a sourcing shell
//! read alike.

use super::buffer::Buffer;
use super::vars::{Lines, Variable};
use crate::i18n::{Text, tr};
use crate::secret::Secret;

pub(super) static FORMAT: Lines = Lines {
    name: "env",
    about: "quoted lines for a .env file",
    on_failure: "",
    refuses,
    line,
    limit: usize::MAX,
};

/// There is no standard for these files. In single quotes every reader takes every byte as it is, except that
/// python-dotenv undoes `\\` and `\'` and expands `${NAME}` there too. A value with a single quote goes into
/// double quotes, where readers agree on nothing that has a meaning in a shell.
fn refuses(variable: &Variable<'_>) -> Option<Text> {
    refused(&variable.value)
}

fn refused(value: &str) -> Option<Text> {
    if value.contains("${") {
        return Some(tr!("has a ${{ that some readers of env files expand even inside quotes"));
    }
    if value.contains('\'') {
        return value.contains(['"', '\\', '$', '`']).then(|| {
            tr!("has a single quote beside a \" \\ $ or `, which readers of env files read differently")
        });
    }
    (value.contains(r"\\") || value.ends_with('\\')).then(|| {
        tr!("has two backslashes in a row or one at its end, which readers of env files read differently")
    })
}

/// A value as it stands behind the `=` of a line.
///
/// Errors: why it cannot stand there, beginning with a verb.
pub fn quoted(value: &Secret) -> Result<Secret, Text> {
    match refused(value.expose()) {
        Some(why) => Err(why),
        None => Ok(Secret::new([quote(value.expose()), value.expose(), quote(value.expose())].concat())),
    }
}

fn quote(value: &str) -> &'static str {
    if value.contains('\'') { "\"" } else { "'" }
}

fn line(out: &mut Buffer, variable: &Variable<'_>) {
    let value = &*variable.value;
    for part in [&*variable.name, "=", quote(value), value, quote(value), "\n"] {
        out.push(part);
    }
}
