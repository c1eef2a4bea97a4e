//! `sh`: `eval "$(crmauth token gluo -f sh)"` in sh, bash, dash, zsh and ksh.

use super::buffer::Buffer;
use super::vars::{Lines, Variable, nothing};

pub(super) static FORMAT: Lines = Lines {
    name: "sh",
    about: "export lines for eval in sh, bash, dash and zsh",
    on_failure: "false\n",
    refuses: nothing,
    line,
    limit: usize::MAX,
};

fn line(out: &mut Buffer, variable: &Variable<'_>) {
    out.push("export ");
    out.push(&variable.name);
    out.push("='");
    out.escaped(&variable.value, |c| (c == '\'').then_some(r"'\''"));
    out.push("'\n");
}
