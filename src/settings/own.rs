//! Secrets of crmauth's own, such as a store's key: from the environment alone, as the value itself, as a file that
//! holds it, or as a command that prints it.

use std::time::Duration;

use super::environment::Environment;
use super::names::Form;
use super::plan::printed_what;
use super::resolve::{both_set, instead, named};
use super::setting::{Origin, bad_value};
use super::{command, value};
use crate::error::Result;
use crate::files;
use crate::i18n::tr;
use crate::secret::Secret;

/// The forms that such a secret may have.
const FORMS: [Form; 3] = [Form::Plain, Form::File, Form::Command];

/// The secret that a variable gives; a file or a command is waited for no longer than `patience`.
pub async fn own_secret(
    environment: &Environment,
    name: &str,
    patience: Duration,
) -> Result<Option<Secret>> {
    let mut set = Vec::new();
    for form in FORMS {
        let variable = [name, form.suffix()].concat();
        if let Some(text) = environment.get(&variable)? {
            set.push((form, variable, text));
        }
    }
    let (form, variable, text) = match &set[..] {
        [] => return Ok(None),
        [one] => one,
        [(_, first, _), (_, second, _), ..] => return Err(both_set(first, second)),
    };
    let deadline = files::deadline(patience);
    let bad = |why| bad_value(variable, &Origin::Environment, why).hint(instead(variable));
    let secret = match form {
        Form::Plain => Secret::new((*text).to_owned()),
        Form::File => {
            let path = environment.cwd().join(text);
            let read = files::wait_for(&path, value::MAX, patience, deadline).await;
            let secret = read.and_then(|bytes| value::from_bytes(&bytes));
            secret.map_err(|why| bad(tr!("names {file} {why}", file = named(text), why)))?
        }
        Form::Command => {
            let text = Secret::new((*text).to_owned());
            let printed = command::run(&text, patience, deadline).await.map_err(bad)?;
            value::from_bytes(&printed).map_err(|why| bad(printed_what(&why)))?
        }
    };
    Ok(Some(secret))
}
