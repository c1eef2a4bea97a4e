//! `powershell`: `crmauth token gluo -f powershell | Out-String | Invoke-Expression`.

use super::buffer::Buffer;
use super::vars::Variable;
use crate::i18n::Text;

pub(super) fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    out.push("$env:");
    out.push(&variable.name);
    out.push(" = '");
    // PowerShell takes the typographic quotes for the plain one, and a doubled one for itself.
    out.escaped(&variable.value, |c| match c {
        '\'' => Some("''"),
        '\u{2018}' => Some("\u{2018}\u{2018}"),
        '\u{2019}' => Some("\u{2019}\u{2019}"),
        '\u{201a}' => Some("\u{201a}\u{201a}"),
        '\u{201b}' => Some("\u{201b}\u{201b}"),
        _ => None,
    });
    out.push("'\n");
    Ok(())
}
