//! The settings of one login before its commands are run.

use std::time::Duration;

use super::command;
use super::names::Form;
use super::resolve::instead;
use super::setting::{Origin, Setting};
use super::value::{self, Wrapping};
use crate::declaration::{BaseUrl, Kind, Settings, Target};
use crate::error::{Error, Result};
use crate::files;
use crate::i18n::{Text, tr};

/// Everything that a login of one target needs; what it does not need is left out.
#[derive(Debug, Clone)]
pub struct Plan {
    pub target: Target,
    pub url: BaseUrl,
    /// Its settings in the order of their declaration, defaults included; the files are read, the commands not run.
    pub found: Vec<Setting>,
    /// Secrets that a login would need and nobody has set.
    pub missing: Option<Error>,
}

impl Plan {
    pub fn found(&self, field: &str) -> Option<&Setting> {
        self.found.iter().find(|found| found.field.name == field)
    }

    /// A setting's value that anybody may see.
    pub fn text(&self, field: &str) -> Option<&str> {
        let found = self.found(field).filter(|found| !found.field.secret())?;
        Some(found.text.expose())
    }

    /// What somebody has set.
    pub fn set(&self) -> impl Iterator<Item = &Setting> {
        let is_set = |found: &&Setting| found.origin != Origin::Default;
        self.found.iter().filter(is_set)
    }

    fn but_url(&self) -> impl Iterator<Item = &Setting> {
        let is_other = |found: &&Setting| found.field.kind != Kind::Url;
        self.found.iter().filter(is_other)
    }

    /// Tells of credentials with something around them that is hardly part of them. Who has typed one has been asked.
    pub fn warnings(&self) -> impl Iterator<Item = Text> {
        self.found.iter().filter_map(|found| {
            if found.origin == Origin::Answer || !found.field.credential() {
                return None;
            }
            let (wrapping, _) = value::wrapped(found.known()?.expose())?;
            let (variable, origin) = (&found.written, found.origin.text());
            let what = match wrapping {
                Wrapping::Quotes => {
                    tr!("begins and ends with quotes, which are part of its value")
                }
                Wrapping::Unseen => {
                    tr!("begins or ends with an invisible character, which is part of its value")
                }
            };
            Some(tr!("{variable} ({origin}) {what}"; variable, origin, what))
        })
    }

    /// The settings that are known without running a command: enough for what carries no credentials.
    pub fn known(&self) -> Settings {
        let known = self.but_url();
        let known = known.filter_map(|found| Some((found.field.name, found.known()?.clone())));
        Settings::new(self.target.clone(), self.url.clone(), known.collect())
    }

    /// Runs the commands, which have `patience` together, one after the other since they may ask a person.
    pub async fn reveal(self, patience: Duration) -> Result<Settings> {
        if let Some(missing) = self.missing {
            return Err(missing);
        }
        let deadline = files::deadline(patience);
        let mut values = Vec::with_capacity(self.found.len());
        for setting in self.but_url() {
            let mut value = setting.text.clone();
            if setting.form == Form::Command {
                let printed = command::secret(&value, patience, deadline).await;
                let checked = printed.and_then(|value| {
                    let text = value.expose();
                    value::refuse_quotes(text, &setting.written)
                        .map_err(|(why, _)| why)
                        .and_then(|()| value::check(text, setting.field, self.target.spec))
                        .map_err(|why| command::printed_what(&why))
                });
                value = checked.map_err(|why| setting.bad(why).hint(instead(&setting.written)))?;
            }
            values.push((setting.field.name, value));
        }
        Ok(Settings::new(self.target, self.url, values))
    }
}
