//! The formats: what they are called, what they promise, and which function writes each.

use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::{Outcome, Rendered, Shape, github, json, lines, token};
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

/// Each format's name, and what it is for.
const WORDS: [&str; 11] = [
    "plain the token; for several targets a line each, TARGET<TAB>TOKEN",
    "json an object with everything known about the session; for several targets an array",
    "header the header that carries the session: Authorization: Bearer TOKEN",
    "env quoted lines for a .env file",
    "sh export lines for eval in sh, bash, dash and zsh",
    "fish set -gx lines for source in fish",
    "powershell $env: lines for Invoke-Expression in PowerShell",
    "curl an option that carries the session, for curl -K <(crmauth token TARGET -f curl)",
    "github masks the token in GitHub Actions and sets variables for later steps",
    "gitlab a dotenv report for GitLab CI; anybody who may see the pipeline can read it",
    "azure logging commands that set variables in Azure Pipelines, the token as a secret",
];

use Format::{Azure, Curl, Env, Fish, GitHub, GitLab, Header, Json, Plain, PowerShell, Sh};

impl Format {
    /// Every format, in the order in which the help names them.
    pub const ALL: [Self; 11] = [
        Plain, Json, Header, Env, Sh, Fish, PowerShell, Curl, GitHub, GitLab, Azure,
    ];

    pub fn name(self) -> &'static str {
        WORDS[self as usize].split_once(' ').unwrap_or_default().0
    }

    /// One line without a full stop about what the format is for.
    pub fn about(self) -> &'static str {
        WORDS[self as usize].split_once(' ').unwrap_or_default().1
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether it sets variables. `--var` can rename one, and where a target fails none are set for the others either.
    pub fn sets_variables(self) -> bool {
        !matches!(self, Plain | Json | Header | Curl)
    }

    /// What stdout carries instead of an answer, so that `eval "$(…)"` fails.
    pub fn on_failure(self) -> &'static str {
        match self {
            Sh | Fish => "false\n",
            PowerShell => "throw 'crmauth: no session'\n",
            _ => "",
        }
    }

    /// Refuses what cannot be written whatever the sessions are. Asked before any login.
    pub fn check(self, targets: &[Target], shape: &Shape<'_>) -> Result<()> {
        if let Some(var) = shape.var {
            if !self.sets_variables() {
                let able = Self::ALL.map(|format| format.sets_variables().then(|| format.name()));
                let able: Vec<_> = able.into_iter().flatten().collect();
                let error = error!(Usage: "--var has nothing to rename in the format {name}"; name = self.name() =>
                    hint "leave --var out, or choose one of {names}"; names = able.join(", "));
                return Err(error);
            }
            lines::check_name(var, targets, shape)?;
        }
        match self {
            Header | Curl => token::check(self, targets, shape),
            // The runner reads masks from stdout only: in a file the variables would be there, and unmasked.
            GitHub if shape.to_file => Err(error!(Usage:
                "the format github masks the token on stdout, so it cannot go to a file" =>
                hint "leave -o and --save out, or choose another format")),
            _ => Ok(()),
        }
    }

    /// Writes the outcomes. After an error nothing may be written but [`Self::on_failure`].
    pub fn write(self, outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
        let Buffer(main) = match self {
            Plain | Header | Curl => token::write(self, outcomes, shape)?,
            Json => json::write(outcomes, shape)?,
            GitHub => return github::write(outcomes, shape),
            _ => lines::write(self, outcomes, shape)?,
        };
        let github_env = Zeroizing::default();
        Ok(Rendered { main, github_env })
    }
}
