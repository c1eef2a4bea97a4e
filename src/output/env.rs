//! `env`: lines for a `.env` file, which python-dotenv, dotenvy, Node's dotenv, Ruby's and a sourcing shell
//! read alike.

use super::buffer::Buffer;
use super::vars::{Lines, Variable};

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
fn refuses(variable: &Variable<'_>) -> Option<&'static str> {
    let value = &*variable.value;
    if value.contains("${") {
        return Some("has a ${ that some readers of env files expand even inside quotes");
    }
    if value.contains('\'') {
        return value.contains(['"', '\\', '$', '`']).then_some(
            "has a single quote beside a \" \\ $ or `, which readers of env files read differently",
        );
    }
    (value.contains(r"\\") || value.ends_with('\\')).then_some(
        "has two backslashes in a row or one at its end, which readers of env files read differently",
    )
}

fn line(out: &mut Buffer, variable: &Variable<'_>) {
    let quote = if variable.value.contains('\'') { "\"" } else { "'" };
    out.push(&variable.name);
    out.push("=");
    out.push(quote);
    out.push(&variable.value);
    out.push(quote);
    out.push("\n");
}
