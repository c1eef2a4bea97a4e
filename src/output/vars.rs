//! What the formats for shells, env files and CI runners share: the variables of a session, one a line.

use std::borrow::Cow;

use super::buffer::Buffer;
use super::{Entry, Format, Outcome, Shape, sessions, time};
use crate::declaration::Target;
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// Name and value are ASCII: tokens are checked, and URLs encode the rest.
pub(super) struct Variable<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    /// Whether it is the token.
    pub(super) secret: bool,
}

/// Writes one variable, or says why its value cannot be carried: the end of a sentence, "the value of X, which …".
type Line = fn(&mut Buffer, &Variable<'_>) -> std::result::Result<(), Text>;

/// Writes every variable of every session with `line`.
pub(super) fn lines(
    format: Format,
    outcomes: &[Outcome<'_>],
    shape: &Shape<'_>,
    line: Line,
) -> Result<Buffer> {
    let mut out = Buffer::default();
    for entry in sessions(outcomes) {
        for variable in variables(entry, shape)? {
            line(&mut out, &variable).map_err(|why| {
                let what = tr!(
                    "the value of {name}, which {why}",
                    name = variable.name,
                    why
                );
                cannot_carry(format, what).target(&entry.target.to_string())
            })?;
        }
    }
    Ok(out)
}

pub(super) fn cannot_carry(format: Format, what: Text) -> Error {
    error!(
        Format, "the format {name} cannot carry {what}", name = format.name(), what;
        hint "use -f json or -f plain"
    )
}

/// A session's variables for a child's environment, under the names that the formats give them.
pub fn environment(entry: &Entry<'_>) -> Result<Vec<(String, Secret)>> {
    let variables = variables(entry, &Shape::default())?.into_iter();
    let owned = |of: Variable<'_>| (of.name.into_owned(), Secret::new(of.value.into_owned()));
    Ok(variables.map(owned).collect())
}

/// `PREFIX_TOKEN`, `PREFIX_TOKEN_EXPIRES_AT` where that is known, and `PREFIX_URL`.
pub(super) fn variables<'a>(entry: &Entry<'a>, shape: &Shape<'a>) -> Result<Vec<Variable<'a>>> {
    let plain = |field, value: String| Variable {
        name: entry.target.variable(field).into(),
        value: value.into(),
        secret: false,
    };
    let own = || entry.target.variable("TOKEN").into();
    let mut variables = vec![Variable {
        name: shape.var.map_or_else(own, Cow::Borrowed),
        value: entry.token()?.into(),
        secret: true,
    }];
    if let Some(at) = entry.session.expires_at {
        variables.push(plain("TOKEN_EXPIRES_AT", time(at)));
    }
    variables.push(plain("URL", entry.url.to_string()));
    Ok(variables)
}

/// Variables that shells and programs depend on: a token in one of them leaves no command to be found, or has its text
/// run, loaded or read as a file. Case does not matter: PowerShell ignores it on Windows, and zsh ties `path` to `PATH`.
const VITAL: [&str; 12] = [
    "PATH",
    "HOME",
    "PWD",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "ZDOTDIR",
    "PROMPT_COMMAND",
    "PS4",
    "NODE_OPTIONS",
    "PSModulePath",
];
/// What the dynamic linker's variables begin with.
const VITAL_STARTS: [&str; 2] = ["LD_", "DYLD_"];

/// Refuses a `--var` that some reader does not take as a name, that shells depend on, or that would be written twice.
pub(super) fn check_name(name: &str, targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
    if shape.batch || targets.len() > 1 {
        return Err(error!(
            Usage,
            "--var names one token, so it is for one target at a time"
        ));
    }
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.bytes().all(in_name)
    {
        return Err(error!(
            Usage, "--var is not a variable's name";
            hint "letters, digits and _, not beginning with a digit"
        ));
    }
    let upper = name.to_ascii_uppercase();
    let vital = VITAL.iter().any(|vital| upper.eq_ignore_ascii_case(vital));
    if vital || VITAL_STARTS.iter().any(|start| upper.starts_with(start)) {
        return Err(error!(
            Usage, "--var {name} would replace a variable that shells and programs rely on", name;
            hint "choose a name of your own, such as CRM_TOKEN"
        ));
    }
    let written =
        |target: &&Target| ["TOKEN_EXPIRES_AT", "URL"].map(|field| target.variable(field));
    if targets.iter().flat_map(written).any(|other| other == name) {
        return Err(error!(
            Usage,
            "--var is the name of another variable that is written too"
        ));
    }
    Ok(())
}
