//! One setting: whose it is, where it came from, and its value or how to get it.

use super::names::{Form, Name};
use crate::declaration::{Field, Target};
use crate::error::{Error, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Environment,
    /// A file as it was named, printable; a line, counted from 1; whether nobody named the file.
    File {
        path: String,
        line: usize,
        implicit: bool,
    },
    /// A person at the terminal.
    Answer,
    /// The sandbox's demo accounts.
    Sandbox,
    /// The declaration.
    Default,
}

impl Origin {
    /// Whether it is an env file that nobody named, and somebody may have planted.
    pub(super) fn implicit(&self) -> bool {
        matches!(self, Self::File { implicit: true, .. })
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// What follows "from": `the environment`, `./.env line 3`.
    pub fn text(&self) -> Text {
        match self {
            Self::Environment => tr!("the environment"),
            Self::File { path, line, .. } => tr!("{path} line {line}"; path, line),
            Self::Answer => tr!("your answer"),
            Self::Sandbox => tr!("the sandbox"),
            Self::Default => tr!("its default"),
        }
    }
}

/// A setting as its source has it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The account that its variable is of.
    pub owner: Target,
    pub field: &'static Field,
    pub form: Form,
    /// The name that its source uses: `GLUO_URL`, `GLUO_ACCESS_KEY_CMD`, `acceskey`.
    pub written: String,
    /// The value, a path or a command, as its form says.
    pub text: Secret,
    pub origin: Origin,
    /// The source's place in the order, 0 for the highest.
    pub(super) rank: usize,
    /// Why it cannot be used; its text is empty then. Only a target that needs it fails.
    pub(super) fault: Option<Error>,
}

impl Setting {
    pub(super) fn new(name: Name, written: &str, text: Secret, origin: Origin) -> Self {
        Self {
            owner: name.target,
            field: name.field,
            form: name.form,
            written: written.to_owned(),
            text,
            origin,
            rank: 0,
            fault: None,
        }
    }

    /// A value that no source has written.
    pub(super) fn unwritten(
        owner: &Target,
        field: &'static Field,
        text: Secret,
        origin: Origin,
    ) -> Self {
        let name = Name::plain(owner, field);
        Self {
            rank: usize::MAX,
            ..Self::new(name, &owner.variable(field.name), text, origin)
        }
    }

    /// Its variable with the suffix, whatever its source calls it.
    pub(super) fn variable(&self) -> String {
        self.owner.variable(self.field.name) + self.form.suffix()
    }

    /// The value, unless a command is to print it.
    pub fn known(&self) -> Option<&Secret> {
        (self.form != Form::Command).then_some(&self.text)
    }

    /// Where it came from, for `-v`: `GLUO_URL from ./.env line 3`.
    pub fn note(&self) -> Text {
        let (variable, origin) = (&self.written, self.origin.text());
        tr!("{variable} from {origin}"; variable, origin)
    }

    /// A refusal that names it and where it was found.
    pub(super) fn bad(&self, why: Text) -> Error {
        bad_value(&self.written, &self.origin, why)
    }
}

pub(super) fn bad_value(variable: &str, origin: &Origin, why: Text) -> Error {
    let origin = origin.text();
    error!(BadSetting: "{variable} from {origin} {why}"; variable, origin, why)
}
