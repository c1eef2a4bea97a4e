//! Ends sessions: on the server where it can, then here.

use super::hints::Hints;
use super::obtain::{Active, App, of, role};
use crate::declaration::{BaseUrl, Settings, Target};
use crate::error::{Cause, Error, Result};
use crate::http::Channel;
use crate::i18n::{Text, tr};
use crate::provider::{self, Context, Revocation, Role};
use crate::settings;
use crate::store::{Entry, Key};

impl App {
    /// Removes what is stored but cannot be used; how many entries that were.
    pub async fn discard(&self) -> Result<usize> {
        self.store.discard(self.deadline()).await
    }

    /// Ends a target's session: on the server unless `local`, then here. `None`: none was stored.
    ///
    /// Errors: where the server cannot be asked (the session is then still stored), and exit codes 2 and 7.
    pub async fn end(
        &self,
        target: &Target,
        person: Option<&str>,
        local: bool,
    ) -> Result<Option<Revocation>> {
        let work = async {
            let role = role(target, person)?;
            let account = self.account(target).await?;
            let hints = Hints::of(&account.plan);
            let key = account.key(&role);
            let found = self.store.read(&key, account.deadline).await?;
            if found.entry.is_none() && found.unusable.is_none() {
                return Ok(None);
            }
            self.end_with(&account.plan.known(), &key, local).await.map_err(|error| hints.add(error))
        };
        work.await.map_err(|error: Error| error.target(&target.to_string()))
    }

    /// What requests with a stored session need to know: its server is the one that it was stored for, whatever the
    /// settings are now.
    pub async fn settings_of(&self, key: &Key, entry: &Entry) -> Result<Settings> {
        let gone = || Error::new(Cause::Other, tr!("the stored session names no server"));
        let url = url_of(key).ok_or_else(gone)?;
        let spec = provider::specs().into_iter().find(|spec| spec.id == key.provider).ok_or_else(gone)?;
        let target = settings::target(&entry.target, &[spec]).unwrap_or(Target { spec, account: None });
        Ok(match settings::find(&target, &self.sources).await {
            Ok(plan) if plan.url == url => plan.known(),
            _ => Settings::new(target, url, Vec::new()),
        })
    }

    /// Ends a stored session whose target need not be configured any more; see [`App::end`].
    pub async fn end_stored(&self, key: &Key, entry: &Entry, local: bool) -> Result<Option<Revocation>> {
        self.end_with(&self.settings_of(key, entry).await?, key, local).await
    }

    async fn end_with(&self, settings: &Settings, key: &Key, local: bool) -> Result<Option<Revocation>> {
        let deadline = self.deadline();
        let _busy = self.report.busy(&settings.target.to_string(), tr!("ending the session"));
        let lock = self.store.lock(key, deadline).await?;
        let work = async {
            let found = self.store.read(key, deadline).await?;
            let Some(entry) = found.entry.or(found.exposed) else {
                // What cannot be read cannot be ended, but it need not stay.
                self.store.forget(&lock).await?;
                return match found.unusable {
                    Some(why) if !local => Err(lost(tr!(
                        "the stored session {why}; it is removed here, and may be alive on the server",
                        why
                    ))),
                    Some(_) => Ok(Some(Revocation::Unsupported)),
                    None => Ok(None),
                };
            };
            self.learn(&entry);
            if let Some(why) = found.unusable {
                self.report.warn(Some(&settings.target), tr!("the stored session {why}", why));
            }
            let revoked = if local {
                Revocation::Unsupported
            } else {
                let provider = of(&settings.target)?;
                let channel = Channel { deadline, ..self.channel_of(settings) };
                let context = Context::new(settings, Role::User, &channel);
                provider.revoke(&context, &entry.session).await?
            };
            self.store.forget(&lock).await?;
            Ok(Some(revoked))
        };
        let outcome = work.await;
        self.release(lock).await;
        outcome
    }

    /// Ends a session that this run logged in for and that nobody will have: it is neither stored nor handed over.
    /// Says so, unless nobody wants to hear of it.
    pub async fn give_up(&self, login: &Active, silently: bool) {
        if !login.opened || login.kept && self.store.lasts() {
            return;
        }
        let target = login.target();
        let channel = self.channel_of(&login.settings);
        let context = Context::new(&login.settings, Role::User, &channel);
        let ended = match of(target) {
            Ok(provider) => provider.revoke(&context, &login.session).await,
            Err(error) => Err(error),
        };
        let lost = || tr!("a session was opened that nobody has now; it lives until the server ends it");
        match ended {
            _ if silently => {}
            Ok(Revocation::Revoked) => {
                self.report.warn(Some(target), tr!("the session that nobody got was ended on the server"));
            }
            Ok(_) => self.report.warn(Some(target), lost()),
            Err(error) => self.report.warn_of(Some(target), lost(), &error),
        }
    }
}

/// Sessions that nobody can end from here any more.
pub fn lost(message: Text) -> Error {
    Error::new(Cause::Storage, message)
        .hint(tr!("it ends when it is not used; if somebody else may have it, have it ended on the server"))
}

/// The base URL that a session was stored for.
pub fn url_of(key: &Key) -> Option<BaseUrl> {
    BaseUrl::parse(&[key.origin.as_str(), &key.path].concat(), "").ok()
}
