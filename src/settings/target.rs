//! Reads TARGET: a provider, an alias of it, or one of its accounts.

use super::names::is_account;
use super::suggest::nearest;
use crate::declaration::{Spec, Target};
use crate::error::{Error, Result, error};
use crate::i18n::tr;
use crate::provider;
use crate::secret::foreign::printable;

/// How much of a mistyped name is shown.
const SHOWN: usize = 40;

/// Reads `gluo`, an alias, or `gluo@filial`, in letters of any case.
pub fn target(text: &str) -> Result<Target> {
    let lower = text.to_ascii_lowercase();
    let mut parts = lower.splitn(2, '@');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next());
    let is_called = |spec: &&'static Spec| names(spec).any(|known| known == name);
    let spec = provider::specs().into_iter().find(is_called);
    let spec = spec.ok_or_else(|| unknown(name))?;
    if let Some(account) = account.filter(|account| !is_account(account)) {
        let error = if account.is_empty() {
            error!(Usage, "the account's name is missing after @")
        } else {
            let account = shown(account);
            error!(Usage, "`{account}` is not a valid account name", account)
        };
        return Err(error.hint(tr!(
            "an account's name consists of a-z, 0-9 and single _, as in `{id}@filial`",
            id = spec.id
        )));
    }
    Ok(Target::new(spec, account.map(str::to_owned)))
}

fn names(spec: &'static Spec) -> impl Iterator<Item = &'static str> {
    std::iter::once(spec.id).chain(spec.aliases.iter().copied())
}

/// The system or the account that an unknown name was meant to be.
pub fn target_meant(name: &str) -> Option<String> {
    let known = |spec: &'static Spec| {
        let names = names(spec).chain(spec.known_as.iter().copied());
        names.map(|name| (name, spec.id))
    };
    let known: Vec<_> = provider::specs().into_iter().flat_map(known).collect();
    let of = |name: &str| known.iter().find(|(known, _)| *known == name);
    let id = |(_, id): &(&str, &str)| (*id).to_owned();
    // `gluo-crm` is an alias with a mark in it.
    let whole = name.replace(|c: char| !c.is_alphanumeric(), "");
    let split = |mark| {
        let (system, account) = name.split_once(mark)?;
        Some(target(&[system, "@", account].concat()).ok()?.to_string())
    };
    let account = || ["__", "_", "/", ":", ".", "-"].into_iter().find_map(split);
    let near = || of(nearest(name, known.iter().map(|(name, _)| *name))?).map(id);
    of(&whole).map(id).or_else(account).or_else(near)
}

fn unknown(name: &str) -> Error {
    let before = name.split_once('=').map(|(before, _)| before);
    let url = name.contains("://").then_some(name);
    if let Some(setting) = url.or(before) {
        return error!(
            Usage, "`{setting}` is not a target", setting = shown(setting);
            hint "the URL and the other settings come from the environment or .env: `crmauth providers` lists them"
        );
    }
    let error = error!(Usage, "no system is called `{name}`", name = shown(name));
    let parts = name.split([',', ';', '+', ' ']);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let several = parts.len() > 1 && parts.iter().all(|part| target(part).is_ok());
    let several = Some(parts.join(" ")).filter(|_| several);
    let all = || nearest(name, ["--all"]).map(str::to_owned);
    match several.or_else(|| target_meant(name)).or_else(all) {
        Some(known) => error.hint(tr!("did you mean `{known}`?", known)),
        None => {
            let ids: Vec<&str> = provider::specs().iter().map(|spec| spec.id).collect();
            error.hint(tr!("the systems are {ids}", ids = ids.join(", ")))
        }
    }
}

fn shown(text: &str) -> String {
    printable(text).chars().take(SHOWN).collect()
}
