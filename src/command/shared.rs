//! The store that machines share, from its settings.

use std::rc::Rc;

use super::Run;
use crate::declaration::is_on;
use crate::error::{Error, Result, error};
use crate::i18n::tr;
use crate::store::Store;
use crate::store::redis::{RedisStore, RedisUrl, make_key};
use crate::tls::Trust;

/// The variable of its key, which may also end in `_FILE` or `_CMD`.
const KEY: &str = "CRMAUTH_STORE_KEY";
/// The variable that permits a password in plain text on the network.
const ALLOW_PLAIN: &str = "CRMAUTH_STORE_ALLOW_PLAIN";

pub(super) fn is_shared(place: &str) -> bool {
    place.starts_with("redis:") || place.starts_with("rediss:")
}

impl Run<'_> {
    /// The store at a place that comes from the option or the variable `name`.
    pub async fn shared_store(&self, name: &str, place: &str, trust: Rc<Trust>) -> Result<Store> {
        let place = RedisUrl::parse(place).map_err(|why| {
            error!(BadSetting: "{name} {why}"; name, why => hint "it looks like rediss://USER:PASSWORD@HOST:6379/0")
        })?;
        let password = place.password.iter();
        password.for_each(|password| self.report.learn(password));
        if name.starts_with('-') && (place.password.is_some() || place.user.is_some()) {
            let error = error!(Usage: "{name} contains a password, which other users of this machine could see"; name =>
                hint "set CRMAUTH_STORE instead");
            return Err(error);
        }
        let Some(key) = self.environment.secret(KEY, self.global.timeout).await? else {
            let missing = error!(MissingSetting:
                "{key} is not set, but sessions in {place} must be encrypted"; key = KEY, place);
            return Err(missing.hint(make_key()));
        };
        self.report.learn(&key);
        let allow_plain = self.environment.get(ALLOW_PLAIN)?.is_some_and(is_on);
        let store = RedisStore::new(place, &key, trust, allow_plain, self.global.timeout);
        Ok(Store::Redis(Rc::new(store.map_err(|error| Error {
            message: tr!("{name} {why}"; name = KEY, why = error.message),
            ..error
        })?)))
    }
}
