//! The settings of one login before its commands are run.

use std::time::Duration;

use super::command;
use super::resolve::{bad_value, instead};
use super::sources::Origin;
use super::value::{self, Wrapping};
use crate::declaration::{BaseUrl, Field, Settings, Target};
use crate::error::{Error, Result};
use crate::files;
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// A setting's value, or how to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The value.
    Known(Secret),
    /// The text of a `_CMD` that has not been run.
    Command(Secret),
}

/// A setting that a login uses.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its declaration.
    pub field: &'static Field,
    /// The variable under the name that its source uses: `GLUO_URL`, `GLUO_ACCESS_KEY_CMD`, `acceskey`.
    pub variable: String,
    /// Where it came from.
    pub origin: Origin,
    pub value: Value,
}

/// Everything that a login of one target needs; what it does not need is left out.
#[derive(Debug, Clone)]
pub struct Plan {
    pub target: Target,
    pub url: BaseUrl,
    /// Its settings in the order of their declaration, defaults included.
    pub found: Vec<Found>,
    /// Secrets that a login would need and nobody has set.
    pub missing: Option<Error>,
}

impl Plan {
    pub(super) fn new(target: Target, url: BaseUrl, found: Vec<Found>) -> Self {
        Self {
            target,
            url,
            found,
            missing: None,
        }
    }

    /// The setting of a field.
    pub fn found(&self, field: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.field.name == field)
    }

    /// A setting's value that anybody may see.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.found(field)? {
            Found {
                field,
                value: Value::Known(value),
                ..
            } if !field.secret() => Some(value.expose()),
            _ => None,
        }
    }

    /// Where each setting came from, a line each, for `-v`: `GLUO_URL from ./.env line 3`.
    pub fn notes(&self) -> impl Iterator<Item = Text> {
        let set = self
            .found
            .iter()
            .filter(|found| found.origin != Origin::Default);
        set.map(|found| {
            tr!(
                "{variable} from {origin}",
                variable = found.variable,
                origin = found.origin.text()
            )
        })
    }

    /// What a person should know of the settings: credentials with something around them that is hardly part of them. Whoever
    /// has typed one has been asked.
    pub fn warnings(&self) -> impl Iterator<Item = Text> {
        let asked = |found: &&Found| found.origin == Origin::Answer || !found.field.credential();
        self.found.iter().filter(move |found| !asked(found)).filter_map(|found| {
            let Value::Known(value) = &found.value else { return None };
            let (variable, origin) = (&found.variable, found.origin.text());
            Some(match value::wrapped(value.expose())?.0 {
                Wrapping::Quotes => tr!(
                    "{variable} ({origin}) begins and ends with quotes, which are part of its value",
                    variable,
                    origin
                ),
                Wrapping::Unseen => tr!(
                    "{variable} ({origin}) begins or ends with an invisible character, which is part of its value",
                    variable,
                    origin
                ),
            })
        })
    }

    /// The settings that are known without running a command: enough for what carries no credentials.
    pub fn known(&self) -> Settings {
        let known = self.found.iter().filter_map(|found| match &found.value {
            Value::Known(value) if found.field.name != "URL" => {
                Some((found.field.name, value.clone()))
            }
            _ => None,
        });
        Settings::new(self.target.clone(), self.url.clone(), known.collect())
    }

    /// Runs the commands, one after the other since they may ask a person, and gives the provider's settings.
    /// All of them together have `patience`.
    pub async fn reveal(self, patience: Duration) -> Result<Settings> {
        if let Some(missing) = self.missing {
            return Err(missing);
        }
        let deadline = files::deadline(patience);
        let spec = self.target.spec;
        let mut values = Vec::with_capacity(self.found.len());
        for Found {
            field,
            variable,
            origin,
            value,
        } in self.found
        {
            let value = match value {
                Value::Known(value) => value,
                Value::Command(text) => {
                    let bad =
                        |why: Text| bad_value(&variable, &origin, why).hint(instead(&variable));
                    let printed = command::run(&text, patience, deadline).await.map_err(bad)?;
                    value::from_bytes(&printed)
                        .and_then(|value| value::check(value.expose(), field, spec))
                        .and_then(|value| value::refuse_quotes(value.expose()).map(|()| value))
                        .map_err(|why| bad(printed_what(&why)))?
                }
            };
            if field.name != "URL" {
                values.push((field.name, value));
            }
        }
        Ok(Settings::new(self.target, self.url, values))
    }
}

/// What is wrong with a command's output.
pub(super) fn printed_what(why: &Text) -> Text {
    if *why == value::blank() {
        tr!("printed nothing")
    } else {
        tr!("printed what {why}", why)
    }
}
