//! The guards against a planted file, and against an environment that names a server other than a file.

use super::Resolution;
use crate::declaration::{Kind, is_on};
use crate::error::{Result, error};
use crate::i18n;
use crate::settings::setting::{Origin, Setting};

impl Resolution<'_> {
    /// Refuses a planted file's say in where a secret from elsewhere travels: whoever planted it would get the secret.
    pub(super) fn refuse_planted_route(&self) -> Result<()> {
        let elsewhere = self.used().find(|hit| {
            // Whoever was asked for this target has been shown where the answer goes; another target's account may
            // share the answer, and nobody has been shown where that goes.
            let asked = hit.origin == Origin::Answer && hit.owner == *self.target;
            hit.field.secret() && !hit.origin.implicit() && !asked
        });
        let (Some(secret), Some(route)) = (elsewhere, self.planted().next()) else {
            return Ok(());
        };
        Err(error!(BadSetting:
            "{written} comes from {origin} and {secret} from {secret_origin}: a planted file could send the secret to \
            another server";
            written = route.written, origin = route.origin.text(), secret = secret.written,
            secret_origin = secret.origin.text() =>
            hint "set {variable} in the environment too, or allow it with `--env-file .env`";
            variable = route.variable()))
    }

    /// Refuses a secret from an env file for a server that the environment names, where the env files name another: a
    /// secret is for the server that its own file names, or else for the one that the files together do.
    pub(super) fn refuse_stray_secrets(&self) -> Result<()> {
        let spec = self.target.spec;
        let server = |url: &Setting| Some(spec.base_url(url.text.expose()).ok()?.origin());
        let of_files = |hit: &&Setting| hit.origin.is_file();
        let strays = self.used().filter_map(|secret| {
            if !secret.field.secret() || !secret.origin.is_file() {
                return None;
            }
            let sources = self.sources;
            let there = sources.url(&secret.owner, |_| true)?;
            let beside = sources.url(&secret.owner, |hit| hit.rank == secret.rank);
            let home = beside.or_else(|| sources.url(&secret.owner, of_files))?;
            let differ = there.origin == Origin::Environment && server(home) != server(there);
            differ.then_some((secret, there, home))
        });
        let strays: Vec<(&Setting, &Setting, &Setting)> = strays.collect();
        let Some((secret, there, home)) = strays.first() else {
            return Ok(());
        };
        let secrets = strays.iter().map(|(secret, ..)| secret.variable());
        let secrets: Vec<_> = secrets.collect();
        Err(error!(BadSetting:
            "{url} in the environment names a server other than {place}, which {secret} from {secret_place} is for";
            url = there.written, place = home.origin.text(), secret = secret.written,
            secret_place = secret.origin.text() =>
            hint "`unset {url}`, which an earlier login may have left; or set {secrets} in the environment too, or \
            give the other server an account of its own, as in `{id}@filial`";
            url = there.written, secrets = i18n::and(&secrets), id = spec.id))
    }

    /// What decides where secrets travel and comes from a file that nobody named.
    pub(super) fn planted(&self) -> impl Iterator<Item = &Setting> {
        let decides = |hit: &Setting| match hit.field.kind {
            Kind::Flag => is_on(hit.text.expose()),
            kind => matches!(kind, Kind::Url | Kind::Path),
        };
        self.used()
            .filter(move |hit| hit.origin.implicit() && decides(hit))
    }
}
