//! The guards against a planted file, and against an environment that names another server than a file.

use super::Resolution;
use crate::declaration::{Field, Kind, is_on};
use crate::error::{Cause, Error, Result};
use crate::i18n::{self, tr};
use crate::settings::sources::{Origin, Setting};

impl Resolution<'_> {
    /// Refuses what decides where secrets travel from a file that nobody named, where it meets a secret from
    /// elsewhere: whoever plants a file in a folder would get the secret.
    pub(super) fn guard(&self) -> Result<()> {
        let elsewhere = self.used().find(|(field, hit)| {
            // Whoever was asked for this target has been shown where the answer goes; another target's account may
            // share the answer, and nobody has been shown where that goes.
            let asked = hit.origin == Origin::Answer && hit.owner == *self.target;
            field.secret() && !hit.origin.implicit() && !asked
        });
        let (Some((_, secret)), Some(route)) = (elsewhere, self.planted().next()) else {
            return Ok(());
        };
        let (written, origin) = (&route.written, route.origin.text());
        let message = tr!(
            "{written} comes from {origin} and {secret} from {secret_origin}: a planted file could send the secret \
             elsewhere",
            written,
            origin,
            secret = secret.written,
            secret_origin = secret.origin.text()
        );
        Err(Error::new(Cause::BadSetting, message).hint(tr!(
            "set {variable} in the environment too, or consent with `--env-file .env`",
            variable = route.variable
        )))
    }

    /// Refuses a secret from an env file for a server that the environment names, where the env files name another: a
    /// secret is for the server that its own file names, or else for the one that the files together do.
    pub(super) fn keep_pairs(&self) -> Result<()> {
        let origin = |url: &Setting| {
            self.target
                .spec
                .base_url(url.text.expose())
                .ok()
                .map(|url| url.origin())
        };
        let strays = self.used().filter_map(|(field, secret)| {
            let url = |counts: &dyn Fn(&Setting) -> bool| self.sources.url(&secret.owner, counts);
            let of_files = |hit: &Setting| hit.origin.is_file();
            let there = url(&|_| true).filter(|there| there.origin == Origin::Environment)?;
            let home = url(&|hit| hit.rank == secret.rank).or_else(|| url(&of_files))?;
            let strays = field.secret() && of_files(secret) && origin(&home) != origin(&there);
            strays.then_some((secret, there, home))
        });
        let strays: Vec<(&Setting, Setting, Setting)> = strays.collect();
        let Some((secret, there, home)) = strays.first() else {
            return Ok(());
        };
        let message = tr!(
            "{url} in the environment names another server than {place}, which {secret} from {secret_place} is for",
            url = there.written,
            place = home.origin.text(),
            secret = secret.written,
            secret_place = secret.origin.text()
        );
        let secrets: Vec<&str> = strays
            .iter()
            .map(|(secret, ..)| secret.variable.as_str())
            .collect();
        Err(Error::new(Cause::BadSetting, message).hint(tr!(
            "`unset {url}`, which an earlier login may have left; or set {secrets} in the environment too, or give the \
             other server an account of its own, as in `{id}@filial`",
            url = there.written,
            secrets = i18n::and(&secrets),
            id = self.target.spec.id
        )))
    }

    /// What decides where secrets travel and comes from a file that nobody named.
    pub(super) fn planted(&self) -> impl Iterator<Item = &Setting> {
        let decides = |field: &Field, hit: &Setting| match field.kind {
            Kind::Flag => is_on(hit.text.expose()),
            kind => matches!(kind, Kind::Url | Kind::Path),
        };
        self.used()
            .filter(move |(field, hit)| hit.origin.implicit() && decides(field, hit))
            .map(|(_, hit)| hit)
    }
}

#[cfg(test)]
mod tests;
