//! `powershell`: `crmauth token gluo -f powershell | Out-String | Invoke-Expression`.

use super::buffer::Buffer;
use super::vars::Variable;
use crate::i18n::Text;

pub(super) fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    out.push("$env:");
    out.push(&variable.name);
    out.push(" = '");
    out.escaped(&variable.value, |c| (c == '\'').then_some("''"));
    out.push("'\n");
    Ok(())
}
