//! What `main.rs` read once: the variables and the current folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::names::{self, Form};
use super::resolve::{both_set, instead, named};
use super::setting::{Origin, bad_value};
use super::suggest::meant;
use super::{command, value};
use crate::declaration::{FLAG, Spec, Target};
use crate::error::Result;
use crate::files;
use crate::i18n::tr;
use crate::secret::{Secret, names_secret};

/// A snapshot of the process's environment. It has no `Debug`: variables hold secrets.
pub struct Environment {
    vars: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
}

impl Environment {
    /// Of two variables of one name the first counts, as for `getenv`.
    pub fn new(vars: impl IntoIterator<Item = (OsString, OsString)>, cwd: PathBuf) -> Self {
        let mut map = BTreeMap::new();
        for (name, value) in vars {
            map.entry(name).or_insert(value);
        }
        Self { vars: map, cwd }
    }

    /// The variable's value; an empty one, or one of spaces only, is unset.
    pub fn get(&self, name: &str) -> Result<Option<&str>> {
        let Some(value) = self.vars.get(OsStr::new(name)) else {
            return Ok(None);
        };
        let bad = || bad_value(name, &Origin::Environment, tr!("is not valid UTF-8"));
        let value = value.to_str().ok_or_else(bad)?;
        Ok(Some(value).filter(|value| !value.trim().is_empty()))
    }

    /// A secret of crmauth's own, such as a store's key, in any of its forms; waited for no longer than `patience`.
    pub async fn secret(&self, name: &str, patience: Duration) -> Result<Option<Secret>> {
        let mut set = Vec::new();
        for form in Form::ALL {
            let variable = [name, form.suffix()].concat();
            if let Some(text) = self.get(&variable)? {
                set.push((form, variable, Secret::new(text.to_owned())));
            }
        }
        let (form, variable, secret) = match &set[..] {
            [] => return Ok(None),
            [one] => one,
            [(_, first, _), (_, second, _), ..] => return Err(both_set(first, second)),
        };
        let deadline = files::deadline(patience);
        let found = match form {
            Form::Plain => Ok(secret.clone()),
            Form::File => {
                let text = secret.expose();
                let read = files::read(&self.cwd.join(text), value::MAX, patience, deadline).await;
                let read = read.and_then(|(bytes, _)| value::from_bytes(&bytes));
                read.map_err(|why| named(text, &why))
            }
            Form::Command => command::secret(secret, patience, deadline).await,
        };
        let bad = |why| bad_value(variable, &Origin::Environment, why).hint(instead(variable));
        found.map(Some).map_err(bad)
    }

    /// A variable's path, in whatever bytes; an empty one is unset.
    pub fn path(&self, name: &str) -> Option<&Path> {
        let value = self.vars.get(OsStr::new(name))?;
        let blank = value.to_str().is_some_and(|text| text.trim().is_empty());
        (!blank).then(|| Path::new(value))
    }

    /// Whether a CI system runs this, where no person sits. `CI=false` says that none does.
    pub fn is_ci(&self) -> bool {
        let ci = self.path("CI").map(Path::as_os_str);
        ci.is_some_and(|value| !FLAG[1].iter().any(|word| value.eq_ignore_ascii_case(word)))
    }

    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    pub fn vars(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.vars.iter()
    }

    /// Every variable but those with a session, a secret of crmauth itself, or what may be a secret of a system. Those
    /// of `BROKER_` may be another program's unless that system is in use. A shared store's place stays, without its
    /// password: a crmauth without the place would log in beside those who share.
    pub fn public_vars(
        &self,
        in_use: impl Fn(&Spec) -> bool,
    ) -> impl Iterator<Item = (&OsString, Cow<'_, OsStr>)> {
        let is_secret = move |name: &str| {
            let ends = ["_TOKEN", "_TOKEN_EXPIRES_AT", "_TOKEN_FILE"];
            let session = ends.iter().any(|end| name.ends_with(end));
            let ours = |spec: &Spec| session || !spec.common_word || in_use(spec);
            names::system(name).is_some_and(|(spec, _)| ours(spec)) && may_be_secret(name)
        };
        self.vars
            .iter()
            .filter_map(move |(name, value)| match name.to_str() {
                Some("CRMAUTH_STORE") => Some((name, without_user(value))),
                Some(text) if is_secret(text) || text.starts_with("CRMAUTH_STORE_KEY") => None,
                _ => Some((name, Cow::Borrowed(value.as_os_str()))),
            })
    }

    /// The names of all variables that are valid UTF-8, as those of our settings are.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().filter_map(|name| name.to_str())
    }
}

/// Whether a variable holds a secret of one of these systems, or a session of one, or was perhaps meant to.
fn may_be_secret(name: &str) -> bool {
    let Some((spec, rest)) = names::system(name) else {
        return false;
    };
    let is_secret = |name: &str| Some(names::parse(name)?.field.secret());
    let (_, field) = name.rsplit_once("__").unwrap_or(("", rest));
    let whole = [spec.id, "_", field.trim_start_matches('_')].concat();
    let near = || meant(&whole.to_ascii_uppercase(), &Target::new(spec, None));
    let perhaps =
        || names_secret(field) || near().and_then(|meant| is_secret(&meant)) == Some(true);
    is_secret(name).unwrap_or_else(perhaps)
}

/// A store's place without user and password. Whatever may be one goes, where the place is no folder's.
fn without_user(place: &OsStr) -> Cow<'_, OsStr> {
    let text = place.to_string_lossy();
    match text.rsplit_once('@') {
        Some((before, behind)) if !text.starts_with("file:") => {
            let scheme = before.split(':').next().unwrap_or_default();
            Cow::Owned([scheme, "://", behind].concat().into())
        }
        _ => Cow::Borrowed(place),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_two_variables_of_one_name_the_first_counts() {
        let vars = [("A", "1"), ("A", "2")].map(|(name, value)| (name.into(), value.into()));
        let env = super::Environment::new(vars, "".into());
        assert_eq!(env.get("A").expect("UTF-8"), Some("1"));
    }
}
