//! How a session is handed on: formats, each a pure function from data to bytes; and where bytes go, stdout and files.

mod buffer;
pub mod file;
mod format;
pub mod github;
mod json;
mod lines;
pub mod stdout;
mod token;

use jiff::Timestamp;
use zeroize::Zeroizing;

pub use format::Format;
pub use lines::{quoted, shell_word, variables};

use crate::declaration::{BaseUrl, Target};
use crate::error::Result;
use crate::session::{Session, check_token};

#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub target: &'a Target,
    /// Where the session is to be used.
    pub url: &'a BaseUrl,
    pub session: &'a Session,
}

impl<'a> Entry<'a> {
    /// The token, checked once more: a line break would be a second header, or a second line for a shell.
    fn token(&self) -> Result<&'a str> {
        let token = self.session.token.expose();
        check_token(token).map_err(|error| error.target(&self.target.to_string()))?;
        Ok(token)
    }
}

/// What became of one target: a session, or the object under `error` in JSON output.
pub type Outcome<'a> = Result<Entry<'a>, (&'a Target, serde_json::Value)>;

/// What the command line asked for besides the format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape<'a> {
    /// Several targets or `--all`: the output has a form for many, even if only one comes of it.
    pub batch: bool,
    /// `--var`: the name instead of `PREFIX_TOKEN`.
    pub var: Option<&'a str>,
    /// `-o`: one plain token is its bytes and nothing else.
    pub to_file: bool,
}

/// What is to be written; wiped when dropped.
pub struct Rendered {
    /// For stdout, or the file of `-o`.
    pub main: Zeroizing<Vec<u8>>,
    /// To be appended to the file that `GITHUB_ENV` names, after `main` is out.
    pub github_env: Zeroizing<Vec<u8>>,
}

/// RFC 3339 in UTC, whole seconds. They are cut off, not rounded: an expiry must not move into the future.
pub fn time(at: Timestamp) -> String {
    let whole = Timestamp::from_second(at.as_second());
    whole.unwrap_or(at).to_string()
}
