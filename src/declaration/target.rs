//! Whom a command is about, and the settings that were found for it.

use std::fmt;

use super::{Field, Spec, is_on};
use crate::secret::Secret;
use crate::url::BaseUrl;

/// Whom a command is about: a provider's default account or a named one.
#[derive(Debug, Clone)]
pub struct Target {
    pub spec: &'static Spec,
    /// The account's name, lower case; none for the default account.
    pub account: Option<String>,
}

impl Target {
    pub fn new(spec: &'static Spec, account: Option<String>) -> Self {
        Self { spec, account }
    }

    /// The variables' prefix for this account: `GLUO` or `GLUO__FILIAL_` — what stands before `_FIELD`.
    pub fn prefix(&self) -> String {
        match &self.account {
            None => self.spec.prefix(),
            Some(account) => format!("{}__{}_", self.spec.prefix(), account.to_ascii_uppercase()),
        }
    }

    pub fn default_account(&self) -> Self {
        Self::new(self.spec, None)
    }

    /// A field's variable for this account: `GLUO_URL`, `GLUO__FILIAL__URL`.
    pub fn variable(&self, field: &str) -> String {
        format!("{}_{field}", self.prefix())
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.spec.id == other.spec.id && self.account == other.account
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            None => f.write_str(self.spec.id),
            Some(account) => write!(f, "{}@{account}", self.spec.id),
        }
    }
}

/// The settings that were found for a target, checked against its declaration; what its provider works with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub target: Target,
    pub url: BaseUrl,
    values: Vec<(&'static str, Secret)>,
}

impl Settings {
    /// Values by field name; fields that are not set and have no default are left out, `URL` too.
    pub fn new(target: Target, url: BaseUrl, values: Vec<(&'static str, Secret)>) -> Self {
        Self {
            target,
            url,
            values,
        }
    }

    pub fn secret(&self, field: &str) -> Option<&Secret> {
        Some(&self.values.iter().find(|(name, _)| *name == field)?.1)
    }

    /// A field's value that anybody may see.
    pub fn text(&self, field: &str) -> Option<&str> {
        debug_assert!(!self.is_secret(field), "{field} is a secret");
        self.secret(field).map(Secret::expose)
    }

    pub fn flag(&self, field: &str) -> bool {
        self.text(field).is_some_and(is_on)
    }

    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let secrets = self.values.iter().filter(|(name, _)| self.is_secret(name));
        secrets.map(|(_, value)| value)
    }

    fn is_secret(&self, field: &str) -> bool {
        self.target.spec.field(field).is_some_and(Field::secret)
    }
}
