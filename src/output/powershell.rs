//! `powershell`: `crmauth token gluo -f powershell | Out-String | Invoke-Expression`.

use super::buffer::Buffer;
use super::vars::{Lines, Variable, nothing};

pub(super) static FORMAT: Lines = Lines {
    name: "powershell",
    about: "$env: lines for Invoke-Expression in PowerShell",
    on_failure: "throw 'crmauth: no session'\n",
    refuses: nothing,
    line,
    limit: usize::MAX,
};

fn line(out: &mut Buffer, variable: &Variable<'_>) {
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
}
