//! The formats: what they are called, what they promise, and which function writes each.

use super::vars::{check_name, lines};
use super::{
    Outcome, Rendered, Shape, azure, curl, env, fish, github, gitlab, header, json, plain,
    powershell, sh,
};
use crate::declaration::Target;
use crate::error::{Result, error};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Plain,
    Json,
    Header,
    Env,
    Sh,
    Fish,
    PowerShell,
    Curl,
    GitHub,
    GitLab,
    Azure,
}

impl Format {
    /// Every format, in the order in which the help names them.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Json,
        Self::Header,
        Self::Env,
        Self::Sh,
        Self::Fish,
        Self::PowerShell,
        Self::Curl,
        Self::GitHub,
        Self::GitLab,
        Self::Azure,
    ];

    /// The name for `-f`, and one line without a full stop about what the format is for.
    fn facts(self) -> (&'static str, &'static str) {
        match self {
            Self::Plain => (
                "plain",
                "the token; for several targets a line each, TARGET<TAB>TOKEN",
            ),
            Self::Json => (
                "json",
                "an object with everything known about the session; for several targets an array",
            ),
            Self::Header => (
                "header",
                "the header that carries the session: Authorization: Bearer TOKEN",
            ),
            Self::Env => ("env", "quoted lines for a .env file"),
            Self::Sh => ("sh", "export lines for eval in sh, bash, dash and zsh"),
            Self::Fish => ("fish", "set -gx lines for source in fish"),
            Self::PowerShell => (
                "powershell",
                "$env: lines for Invoke-Expression in PowerShell",
            ),
            Self::Curl => (
                "curl",
                "an option that carries the session, for curl -K <(crmauth token TARGET -f curl)",
            ),
            Self::GitHub => (
                "github",
                "masks the token in GitHub Actions and sets variables for later steps",
            ),
            Self::GitLab => (
                "gitlab",
                "a dotenv report for GitLab CI; anybody who may see the pipeline can read it",
            ),
            Self::Azure => (
                "azure",
                "logging commands that set variables in Azure Pipelines, the token as a secret",
            ),
        }
    }

    pub fn name(self) -> &'static str {
        self.facts().0
    }

    pub fn about(self) -> &'static str {
        self.facts().1
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether it sets variables, so that `--var` can rename one.
    fn sets_variables(self) -> bool {
        !matches!(self, Self::Plain | Self::Json | Self::Header | Self::Curl)
    }

    /// Whether a failed target means that nothing is written for the others either.
    pub fn all_or_nothing(self) -> bool {
        !matches!(self, Self::Plain | Self::Json)
    }

    /// What stdout carries instead of an answer, so that `eval "$(…)"` fails.
    pub fn on_failure(self) -> &'static str {
        match self {
            Self::Sh | Self::Fish => "false\n",
            Self::PowerShell => "throw 'crmauth: no session'\n",
            _ => "",
        }
    }

    /// Refuses what cannot be written whatever the sessions are. To be asked before any login.
    pub fn check(self, targets: &[&Target], shape: &Shape<'_>) -> Result<()> {
        if let Some(var) = shape.var {
            if !self.sets_variables() {
                let able = Self::ALL.map(|format| format.sets_variables().then(|| format.name()));
                let able: Vec<_> = able.into_iter().flatten().collect();
                return Err(error!(
                    Usage, "--var has nothing to rename in the format {name}", name = self.name();
                    hint "leave --var out, or choose one of {names}", names = able.join(", ")
                ));
            }
            check_name(var, targets, shape)?;
        }
        match self {
            Self::Header => header::check(targets, shape),
            Self::Curl => curl::check(targets, shape),
            Self::GitHub => github::check(shape),
            _ => Ok(()),
        }
    }

    /// Writes the outcomes, none of them failed where the format is all or nothing. After an error nothing may be
    /// written but [`Self::on_failure`].
    pub fn write(self, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
        let targets: Vec<&Target> = outcomes.iter().map(Outcome::target).collect();
        self.check(&targets, shape)?;
        Ok(match self {
            Self::Plain => plain::write(outcomes, shape)?.into(),
            Self::Json => json::write(outcomes, shape)?.into(),
            Self::Header => header::write(outcomes)?.into(),
            Self::Curl => curl::write(outcomes)?.into(),
            Self::Env => lines(self, outcomes, shape, env::line)?.into(),
            Self::Sh => lines(self, outcomes, shape, sh::line)?.into(),
            Self::Fish => lines(self, outcomes, shape, fish::line)?.into(),
            Self::PowerShell => lines(self, outcomes, shape, powershell::line)?.into(),
            Self::GitHub => github::write(outcomes, shape)?,
            Self::GitLab => gitlab::write(outcomes, shape)?.into(),
            Self::Azure => lines(self, outcomes, shape, azure::line)?.into(),
        })
    }
}
