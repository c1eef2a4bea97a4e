//! `fish`: `crmauth token gluo -f fish | source`.

use super::buffer::Buffer;
use super::vars::{Lines, Variable, nothing};

pub(super) static FORMAT: Lines = Lines {
    name: "fish",
    about: "set -gx lines for source in fish",
    on_failure: "false\n",
    refuses: nothing,
    line,
    limit: usize::MAX,
};

fn line(out: &mut Buffer, variable: &Variable<'_>) {
    out.push("set -gx ");
    out.push(&variable.name);
    out.push(" '");
    out.escaped(&variable.value, |c| match c {
        '\\' => Some(r"\\"),
        '\'' => Some(r"\'"),
        _ => None,
    });
    out.push("'\n");
}
