//! `fish`: `crmauth token gluo -f fish | source`.

use super::buffer::Buffer;
use super::vars::Variable;
use crate::i18n::Text;

pub(super) fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    out.push("set -gx ");
    out.push(&variable.name);
    out.push(" '");
    out.escaped(&variable.value, |c| match c {
        '\\' => Some(r"\\"),
        '\'' => Some(r"\'"),
        _ => None,
    });
    out.push("'\n");
    Ok(())
}
