//! The formats for shells, env files and CI runners: the variables of a session, one a line.

use std::borrow::Cow;

use super::buffer::Buffer;
use super::{Entry, Format, Outcome, Shape, time};
use crate::declaration::Target;
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// A single quote inside a shell's single quotes.
const QUOTE: &str = r"'\''";
/// GitLab refuses the upload of a report that is not smaller than this.
const REPORT_LIMIT: usize = 5 * 1024;
/// What the variables of Azure's agent begin with.
const AGENTS_OWN: [&str; 5] = ["endpoint", "input", "path", "secret", "securefile"];

/// A name, its value and whether that is the token. All ASCII: tokens are checked, and URLs encode the rest.
type Variable<'a> = (Cow<'a, str>, Cow<'a, str>, bool);

pub(super) fn write(format: Format, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Buffer> {
    let mut out = Buffer::default();
    for entry in outcomes.iter().flatten() {
        for variable in variables(entry, shape)? {
            line(format, &mut out, &variable).map_err(|why| {
                let name = variable.0;
                let what = tr!("the value of {name}, which {why}"; name, why);
                cannot_carry(format, what).target(&entry.target.to_string())
            })?;
        }
    }
    let (size, limit) = (out.0.len(), REPORT_LIMIT);
    if format == Format::GitLab && size >= limit {
        let what = tr!(
            "these values: together they have {size} bytes, and its reader accepts fewer than {limit}"; size, limit);
        return Err(cannot_carry(format, what));
    }
    Ok(out)
}

/// Writes one variable, or says why its value cannot be carried: the end of a sentence, "the value of X, which …".
fn line(format: Format, out: &mut Buffer, variable: &Variable<'_>) -> Result<(), Text> {
    let (name, value, secret) = (&*variable.0, &*variable.1, variable.2);
    let (before, between, escapes, end): (_, _, &[(char, &str)], _) = match format {
        Format::Env => {
            let quote = quote(value)?;
            out.all(&[name, "=", quote, value, quote, "\n"]);
            return Ok(());
        }
        Format::Fish => ("set -gx ", " '", &[('\\', r"\\"), ('\'', r"\'")], "'\n"),
        Format::PowerShell => ("$env:", " = '", &[('\'', "''")], "'\n"),
        Format::GitLab => {
            check_gitlab(value)?;
            ("", "=", &[], "\n")
        }
        Format::Azure => {
            check_azure(name, value)?;
            // The agent blanks secrets in every log, and a URL there helps.
            let kind = if secret { ";issecret=true]" } else { "]" };
            // It undoes %3B, %0D, %0A and %5D first, then %AZP25: a lone % would make such a sequence.
            let before = "##vso[task.setvariable variable=";
            (before, kind, &[('%', "%AZP25")], "\n")
        }
        _ => ("export ", "='", &[('\'', QUOTE)], "'\n"),
    };
    out.all(&[before, name, between]);
    out.escaped(value, escapes);
    out.push(end);
    Ok(())
}

fn check_azure(name: &str, value: &str) -> Result<(), Text> {
    let name = name.to_ascii_lowercase();
    if AGENTS_OWN.iter().any(|start| name.starts_with(start)) {
        return Err(tr!(
            "begins like the agent's own variables, so no step would see it"
        ));
    }
    let rest = value.split_once("$(").map_or("", |(_, rest)| rest);
    if rest.contains(')') {
        return Err(tr!("has a $(…) that the agent expands before each step"));
    }
    Ok(())
}

/// Nothing is quoted, since quotes would become part of the value. GitLab's server and its runner both expand `$NAME`,
/// the server `%NAME%` too, and they do not agree on an escape: the server takes `$$NAME` for a `$` and a variable.
fn check_gitlab(value: &str) -> Result<(), Text> {
    if value.contains('$') {
        return Err(tr!("has a $ that GitLab would expand"));
    }
    let closed = value.matches('%').count().saturating_sub(1);
    match value.split('%').skip(1).take(closed).any(is_name) {
        true => Err(tr!("has a name between two %, which GitLab would expand")),
        false => Ok(()),
    }
}

/// A value as it is written after the `=` of an env file's line, or why it cannot be: the end of a sentence.
pub fn quoted(value: &Secret) -> Result<Secret, Text> {
    let quote = quote(value.expose())?;
    Ok(Secret::new([quote, value.expose(), quote].concat()))
}

/// The quotes for a value in an env file, of which python-dotenv, dotenvy, Node's dotenv, Ruby's and a sourcing shell
/// have no common standard. In single quotes all of them take every byte as it is, except that python-dotenv undoes `\\`
/// and `\'` and expands `${NAME}` there too. A value with a single quote goes into double quotes, where readers agree on
/// nothing that has a meaning in a shell.
fn quote(value: &str) -> Result<&'static str, Text> {
    let single = value.contains('\'');
    Err(if value.contains("${") {
        tr!("has a ${{ that some readers of env files expand even inside quotes")
    } else if single && value.contains(['"', '\\', '$', '`']) {
        tr!("has a single quote beside a \" \\ $ or `, which readers of env files read differently")
    } else if value.contains(r"\\") || value.ends_with('\\') {
        tr!(
            "has two backslashes in a row or one at its end, which readers of env files read differently"
        )
    } else {
        return Ok(if single { "\"" } else { "'" });
    })
}

fn cannot_carry(format: Format, what: Text) -> Error {
    error!(Format: "the format {name} cannot carry {what}"; name = format.name(), what =>
        hint "use -f json or -f plain")
}

/// `PREFIX_TOKEN`, `PREFIX_TOKEN_EXPIRES_AT` where that is known, and `PREFIX_URL`.
pub fn variables<'a>(entry: &Entry<'a>, shape: &Shape<'a>) -> Result<Vec<Variable<'a>>> {
    let name = |field| Cow::from(entry.target.variable(field));
    let own = shape.var.map_or_else(|| name("TOKEN"), Cow::from);
    let mut variables = vec![(own, entry.token()?.into(), true)];
    let end = entry.session.expires_at;
    variables.extend(end.map(|end| (name("TOKEN_EXPIRES_AT"), time(end).into(), false)));
    variables.push((name("URL"), entry.url.to_string().into(), false));
    Ok(variables)
}

/// Variables that shells and programs depend on: a token in one of them leaves no command to be found, or has its text
/// run, loaded or read as a file. Case does not matter: PowerShell ignores it on Windows, and zsh ties `path` to `PATH`.
const VITAL: &str =
    "PATH HOME PWD SHELL IFS ENV BASH_ENV ZDOTDIR PROMPT_COMMAND PS4 NODE_OPTIONS PSMODULEPATH";

/// Refuses a `--var` that some reader does not take as a name, that shells depend on, or that would be written twice.
pub(super) fn check_name(name: &str, targets: &[Target], shape: &Shape<'_>) -> Result<()> {
    let upper = name.to_ascii_uppercase();
    // The dynamic linker's variables begin so.
    let loads = upper.starts_with("LD_") || upper.starts_with("DYLD_");
    let other = |target: &Target| ["TOKEN_EXPIRES_AT", "URL"].map(|field| target.variable(field));
    Err(if shape.batch || targets.len() > 1 {
        error!(Usage: "--var names one token, so it is for one target at a time")
    } else if !is_name(name) {
        error!(Usage: "--var is not a variable's name" => hint "letters, digits and _, not beginning with a digit")
    } else if loads || VITAL.split(' ').any(|vital| upper == vital) {
        error!(Usage: "--var {name} would replace a variable that shells and programs rely on"; name =>
            hint "choose a name of your own, such as CRM_TOKEN")
    } else if targets.iter().flat_map(other).any(|other| other == name) {
        error!(Usage: "--var is the name of another variable that is written too")
    } else {
        return Ok(());
    })
}

fn is_name(word: &str) -> bool {
    word.bytes().next().is_some_and(|b| !b.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A word of a command line as it is typed in a shell.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_^".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => ["'", &word.replace('\'', QUOTE), "'"].concat(),
    }
}
