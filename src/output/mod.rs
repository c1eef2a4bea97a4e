//! How a session is handed on: one file a format, each a pure function from data to bytes. Where the bytes go
//! is [`sink`]'s business alone.

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::declaration::{BaseUrl, Target};
use crate::error::{Cause, Error, Result};
use crate::i18n::tr;
use crate::secret::Secret;
use crate::session::{Session, check_token};

mod azure;
mod buffer;
pub mod env;
mod fish;
mod github;
mod gitlab;
mod header;
mod json;
mod plain;
mod powershell;
mod sh;
pub mod sink;
mod vars;

use buffer::Buffer;

/// Every format, in the order in which help names them.
pub static ALL: &[&dyn Format] = &[
    &plain::Plain,
    &json::Json,
    &header::Header,
    &env::FORMAT,
    &sh::FORMAT,
    &fish::FORMAT,
    &powershell::FORMAT,
    &github::Github,
    &gitlab::FORMAT,
    &azure::FORMAT,
];

pub fn find(name: &str) -> Option<&'static dyn Format> {
    ALL.iter().copied().find(|format| format.name() == name)
}

/// A target and the session that it got.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Whom the session is for.
    pub target: &'a Target,
    /// Where it is to be used.
    pub url: &'a BaseUrl,
    pub session: &'a Session,
}

impl<'a> Entry<'a> {
    /// The token, the one place where a format reads it. Its bytes are checked here once more: a line break
    /// would be a second header, or a second line for a shell.
    fn token(&self) -> Result<&'a str> {
        let token = self.session.token.expose();
        check_token(token).map_err(|error| error.target(&self.target.to_string()))?;
        Ok(token)
    }
}

/// What became of one target.
pub enum Outcome<'a> {
    Session(Entry<'a>),
    /// It has none.
    Failed {
        /// Whom it happened to.
        target: &'a Target,
        /// The object that stands under `error` in JSON output.
        error_json: serde_json::Value,
    },
}

/// What the command line asked for besides the format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape<'a> {
    /// Several targets or `--all`: the output has a form for many, even if only one comes of it.
    pub batch: bool,
    /// `--var`: the name that stands in place of `PREFIX_TOKEN`.
    pub var: Option<&'a str>,
    /// `-o`: one plain token is its bytes and nothing else.
    pub to_file: bool,
}

/// What is to be written; wiped when dropped.
pub struct Rendered {
    /// For stdout, or the file that takes its place.
    pub main: Zeroizing<Vec<u8>>,
    /// To be appended to the file that `GITHUB_ENV` names, after `main` is out.
    pub github_env: Option<Zeroizing<Vec<u8>>>,
}

impl From<Buffer> for Rendered {
    fn from(main: Buffer) -> Self {
        Self { main: main.finish(), github_env: None }
    }
}

/// A way to write sessions. [`check`] and [`render`] are how callers use it.
pub trait Format: Sync {
    /// Its name behind `-f`.
    fn name(&self) -> &'static str;

    /// What it is for: one line without a full stop.
    fn about(&self) -> &'static str;

    /// Whether it sets variables, so that `--var` can rename one.
    fn names_variables(&self) -> bool {
        false
    }

    /// Whether one failed target means that nothing is written for the others either.
    fn all_or_nothing(&self) -> bool {
        self.names_variables()
    }

    /// What stdout carries in place of an answer, so that `eval "$(…)"` fails.
    fn on_failure(&self) -> &'static str {
        ""
    }

    /// Whether it appends to the file that `GITHUB_ENV` names; see [`sink::Sink::github_env`].
    fn appends_to_github_env(&self) -> bool {
        false
    }

    /// Refuses what it cannot write for these targets whatever their sessions are.
    fn accepts(&self, _targets: &[&Target], _shape: &Shape<'_>) -> Result<()> {
        Ok(())
    }

    /// Writes the outcomes. A format that is all or nothing is never handed a failed one.
    fn encode(&self, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered>;
}

/// Whether `format` can serve these targets, to be asked before any login.
pub fn check(format: &dyn Format, targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
    if let Some(var) = shape.var {
        if !format.names_variables() {
            return Err(Error::new(
                Cause::Usage,
                tr!("--var has nothing to rename in the format {name}", name = format.name()),
            )
            .hint(tr!("leave --var out, or choose one of {names}", names = naming().join(", "))));
        }
        vars::check_name(var, targets, shape)?;
    }
    format.accepts(targets, shape)
}

/// A session's variables as the format `env` names them, for a child's environment.
pub fn environment(entry: &Entry<'_>) -> Result<Vec<(String, Secret)>> {
    let variables = vars::variables(entry, &Shape::default())?;
    let owned =
        |variable: vars::Variable<'_>| (variable.name.into_owned(), Secret::new(variable.value.into_owned()));
    Ok(variables.into_iter().map(owned).collect())
}

/// The output for these outcomes, none of them failed where the format is all or nothing.
///
/// Errors: as [`check`], and [`Cause::Format`] where a value cannot be carried; nothing may be written then but
/// [`Format::on_failure`].
pub fn render(format: &dyn Format, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
    let targets: Vec<&Target> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Session(entry) => entry.target,
            Outcome::Failed { target, .. } => target,
        })
        .collect();
    check(format, &targets, shape)?;
    debug_assert!(
        !format.all_or_nothing() || outcomes.iter().all(|outcome| matches!(outcome, Outcome::Session(_))),
        "{} is all or nothing",
        format.name()
    );
    format.encode(outcomes, shape)
}

/// The sessions among the outcomes, in order.
fn sessions<'o, 'a>(outcomes: &'o [Outcome<'a>]) -> impl Iterator<Item = &'o Entry<'a>> {
    outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Session(entry) => Some(entry),
        Outcome::Failed { .. } => None,
    })
}

/// The names of the formats that set variables.
fn naming() -> Vec<&'static str> {
    ALL.iter().filter(|format| format.names_variables()).map(|format| format.name()).collect()
}

/// RFC 3339 in UTC, whole seconds. They are cut off, not rounded: an expiry must not move into the future.
pub fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests;
