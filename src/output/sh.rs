//! `sh`: `eval "$(crmauth token gluo -f sh)"` in sh, bash, dash, zsh and ksh.

use super::buffer::Buffer;
use super::vars::Variable;
use crate::i18n::Text;

/// A single quote inside single quotes.
const QUOTE: &str = r"'\''";

pub(super) fn line(out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    out.push("export ");
    out.push(&variable.name);
    out.push("='");
    out.escaped(&variable.value, |c| (c == '\'').then_some(QUOTE));
    out.push("'\n");
    Ok(())
}

/// A word of a command line as it is typed in a shell.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_^".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => ["'", &word.replace('\'', QUOTE), "'"].concat(),
    }
}
