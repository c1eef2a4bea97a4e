//! What the formats for shells, env files and CI runners share: the variables of a session, one a line.

use std::borrow::Cow;

use super::buffer::Buffer;
use super::{Entry, Format, Outcome, Rendered, Shape, sessions, time};
use crate::declaration::Target;
use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};

pub(super) struct Variable<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    /// Whether it is the token.
    pub(super) secret: bool,
}

/// A format that writes a line for each variable.
pub(super) struct Lines {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) on_failure: &'static str,
    /// Why a value cannot be carried: the end of a sentence, "the value of X, which …".
    pub(super) refuses: fn(&Variable<'_>) -> Option<Text>,
    pub(super) line: fn(&mut Buffer, &Variable<'_>),
    /// The output must stay below this many bytes.
    pub(super) limit: usize,
}

impl Format for Lines {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn names_variables(&self) -> bool {
        true
    }

    fn on_failure(&self) -> &'static str {
        self.on_failure
    }

    fn encode(&self, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
        let mut out = Buffer::default();
        for entry in sessions(outcomes) {
            for variable in variables(entry, shape)? {
                if let Some(why) = (self.refuses)(&variable) {
                    return Err(self
                        .cannot(tr!("the value of {name}, which {why}", name = variable.name, why))
                        .target(&entry.target.to_string()));
                }
                (self.line)(&mut out, &variable);
            }
        }
        if out.as_bytes().len() >= self.limit {
            return Err(self.cannot(tr!(
                "these values: together they have {size} bytes, and its reader takes fewer than {limit}",
                size = out.as_bytes().len(),
                limit = self.limit
            )));
        }
        Ok(out.into())
    }
}

impl Lines {
    fn cannot(&self, what: Text) -> Error {
        Error::new(Cause::Format, tr!("the format {name} cannot carry {what}", name = self.name, what))
            .hint(tr!("use -f json or -f plain"))
    }
}

/// `PREFIX_TOKEN`, `PREFIX_TOKEN_EXPIRES_AT` where that is known, and `PREFIX_URL`.
pub(super) fn variables<'a>(entry: &Entry<'a>, shape: &Shape<'a>) -> Result<Vec<Variable<'a>>> {
    let plain = |field, value: String| Variable {
        name: entry.target.variable(field).into(),
        value: value.into(),
        secret: false,
    };
    let mut variables = vec![Variable {
        name: shape.var.map_or_else(|| entry.target.variable("TOKEN").into(), Cow::Borrowed),
        value: entry.token()?.into(),
        secret: true,
    }];
    if let Some(at) = entry.session.expires_at {
        variables.push(plain("TOKEN_EXPIRES_AT", time(at)));
    }
    variables.push(plain("URL", entry.url.to_string()));
    Ok(variables)
}

/// Variables that shells and what they start live by: a token in one of them leaves no command to be found, or has
/// the token's text run, read as a file or loaded. In letters of any case: PowerShell tells none apart on Windows,
/// and zsh ties `path` to `PATH`.
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
/// What such names begin with: the dynamic linker's.
const VITAL_STARTS: [&str; 2] = ["LD_", "DYLD_"];

/// Refuses a `--var` that is no name in every reader, that shells live by, or that would be written twice.
pub(super) fn check_name(name: &str, targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
    let refuse = |why: Text| Err(Error::new(Cause::Usage, why));
    if shape.batch || targets.len() > 1 {
        return refuse(tr!("--var names one token, so it is for one target at a time"));
    }
    let bytes = name.as_bytes();
    if bytes.first().is_none_or(u8::is_ascii_digit)
        || !bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    {
        return refuse(tr!("--var is no variable's name"))
            .map_err(|error| error.hint(tr!("letters, digits and _, not beginning with a digit")));
    }
    let vital = VITAL.iter().any(|vital| name.eq_ignore_ascii_case(vital));
    if vital || VITAL_STARTS.iter().any(|start| name.to_ascii_uppercase().starts_with(start)) {
        let message = tr!("--var {name} would replace a variable that shells and programs live by", name);
        return Err(
            Error::new(Cause::Usage, message).hint(tr!("choose a name of your own, such as CRM_TOKEN"))
        );
    }
    if targets
        .iter()
        .any(|target| ["TOKEN_EXPIRES_AT", "URL"].iter().any(|field| target.variable(field) == name))
    {
        return refuse(tr!("--var takes the name of another variable that is written too"));
    }
    Ok(())
}

/// For formats whose readers take every value.
pub(super) fn nothing(_: &Variable<'_>) -> Option<Text> {
    None
}
