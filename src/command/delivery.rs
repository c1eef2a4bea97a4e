//! How `login` and `token` hand sessions over: the options, and from results to bytes.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{Run, both, gitignore};
use crate::declaration::Target;
use crate::error::{Cause, Result, error};
use crate::lifecycle::Active;
use crate::output::file::Replacement;
use crate::output::{Entry, Format, Shape, github, stdout};
use crate::settings::Sources;

/// The file that `--save` writes: the seed script's.
const SAVE_FILE: &str = "session.txt";

#[derive(Debug, clap::Args)]
pub struct Delivery {
    /// How the session is written
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    format: Option<Format>,
    /// Write to FILE, mode 0600, instead of stdout (-)
    #[arg(short, long, value_name = "FILE", conflicts_with = "save")]
    output: Option<PathBuf>,
    /// Write to session.txt
    #[arg(long)]
    save: bool,
    /// Call the token's variable NAME instead of PREFIX_TOKEN
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name))
        .map(|name| Format::named(&name).unwrap_or_default())
}

pub type Login<'a> = (&'a Target, Result<Active<'a>>);

/// A destination that was proved to take the answer.
pub struct Prepared<'a> {
    format: Format,
    shape: Shape<'a>,
    /// The file of `-o` or `--save`, else stdout.
    file: Option<Replacement>,
    saved: bool,
    github_env: Option<std::fs::File>,
}

impl Delivery {
    /// What stdout must carry if the run fails, so that a shell that evaluates it fails too.
    pub fn on_failure(&self) -> &'static str {
        let format = self.format.filter(|_| self.file().is_none());
        format.map_or("", Format::on_failure)
    }

    /// Proves before anything is sent that the answer can be handed over: no session is made that nobody gets.
    pub async fn prepare(
        &self,
        run: &Run<'_>,
        sources: &Sources,
        targets: &[Target],
        batch: bool,
    ) -> Result<Prepared<'_>> {
        let (format, path) = (self.format(run.global.json)?, self.file());
        let shape = Shape {
            batch,
            var: self.var.as_deref(),
            to_file: path.is_some(),
        };
        format.check(targets, &shape)?;
        let file = match path {
            Some(path) => Some(open("-o", path, sources).await?),
            None => None,
        };
        let github = (format == Format::GitHub).then(|| run.environment.path("GITHUB_ENV"));
        let github_env = github.map(github::open).transpose()?;
        Ok(Prepared {
            format,
            shape,
            file,
            saved: self.save,
            github_env,
        })
    }

    fn file(&self) -> Option<&Path> {
        let named = self.output.as_deref();
        let named = named.filter(|path| path.as_os_str() != "-");
        named.or(self.save.then_some(Path::new(SAVE_FILE)))
    }

    fn format(&self, json: bool) -> Result<Format> {
        match self.format {
            Some(format) if json && format != Format::Json => Err(error!(Usage:
                "--json and -f {name} cannot be used together"; name = format.name() =>
                hint "--json means -f json")),
            None if json => Ok(Format::Json),
            format => Ok(format.unwrap_or_default()),
        }
    }
}

/// Begins to replace a file, but none that settings come from.
pub async fn open(option: &str, path: &Path, sources: &Sources) -> Result<Replacement> {
    if let Some(read) = sources.read_from(path) {
        let error = error!(Usage: "{option} {path} would replace {read}, the file that settings come from";
            option, path = path.display(), read => hint "choose another path");
        return Err(error);
    }
    Replacement::open(path.to_owned()).await
}

pub fn entry<'a>(login: &'a Active<'_>) -> Entry<'a> {
    Entry {
        target: login.target(),
        url: login.url(),
        session: &login.session,
    }
}

impl Prepared<'_> {
    /// Writes the sessions in this order and reports the failures. New sessions that nobody gets or stores are ended.
    pub async fn deliver(self, run: &Run<'_>, results: &[Login<'_>]) -> Result<u8> {
        let outcome = self.write(run, results).await;
        if let Err(error) = &outcome {
            for login in results.iter().flat_map(|(_, result)| result) {
                login.give_up(error.cause == Cause::ClosedPipe).await;
            }
        }
        outcome
    }

    async fn write(self, run: &Run<'_>, results: &[Login<'_>]) -> Result<u8> {
        let mut exit = 0;
        let mut outcomes = Vec::with_capacity(results.len());
        for (target, result) in results {
            outcomes.push(match result {
                Ok(login) => Ok(entry(login)),
                Err(error) => {
                    exit = both(exit, error.cause.exit());
                    run.report.error(error);
                    Err((*target, run.report.error_json(error)))
                }
            });
        }
        if exit != 0 && (!self.shape.batch || self.format.sets_variables()) {
            return Ok(exit);
        }
        let rendered = self.format.write(&outcomes, &self.shape)?;
        run.answered.set(true);
        match self.file {
            Some(file) => run.report.warn_of_all(file.write(&rendered.main)?),
            None => stdout::write(rendered.main).await?,
        }
        if self.saved {
            gitignore::keep_out(&run.environment.cwd().join(SAVE_FILE), SAVE_FILE, run).await?;
        }
        // The masks are out: now the variables may be there.
        if let Some(file) = self.github_env {
            github::append(file, &rendered.github_env)?;
        }
        Ok(exit)
    }
}
