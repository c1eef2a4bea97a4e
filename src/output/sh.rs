//! `sh`: `eval "$(crmauth token gluo -f sh)"` in sh, bash, dash, zsh and ksh.

use super::buffer::Buffer;
use super::vars::Variable;
use crate::i18n::Text;

pub(super) fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    out.push("export ");
    out.push(&variable.name);
    out.push("='");
    out.escaped(&variable.value, |c| (c == '\'').then_some(r"'\''"));
    out.push("'\n");
    Ok(())
}
