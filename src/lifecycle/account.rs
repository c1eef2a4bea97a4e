//! A target in one run: its settings, which are resolved once, and whose session is wanted.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Instant;

use super::services::Services;
use crate::declaration::{Ageing, BaseUrl, Group, Kind, Settings, Target};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::{self, Text, tr};
use crate::provider::{self, Context, Life, Provider, Revocation, Role, System};
use crate::session::Session;
use crate::settings::{self, Form, Plan, Setting, Sources};
use crate::store::{Entry, Key, Lock, Store};

#[derive(Clone)]
pub struct Account<'a> {
    pub(super) services: &'a Services,
    pub provider: System,
    /// The settings, before any `_CMD` is run.
    pub plan: Plan,
    pub(super) key: Key,
    /// The settings that no `_CMD` has to be run for: enough for requests without credentials.
    pub(super) known: Settings,
    revealed: OnceCell<Settings>,
    pub(super) started: Timestamp,
    pub(super) deadline: Instant,
}

impl<'a> Account<'a> {
    /// Resolves a target's settings; with `person` for the session of that person of `--as`. Without credentials the
    /// only session that is stored for the target is meant, at its URL if it has one.
    pub async fn find(
        services: &'a Services,
        sources: &Sources,
        target: &Target,
        person: Option<&str>,
    ) -> Result<Self> {
        let role = role(target, person).map_err(|error| error.target(&target.to_string()))?;
        let deadline = services.deadline();
        let plan = settings::find(target, sources).await;
        let error = match &plan {
            Ok(plan) => plan.missing.as_ref(),
            Err(error) => Some(error),
        };
        if error.is_some_and(|error| error.cause == Cause::MissingSetting)
            && let Some(url) = sources.without_credentials(target)
        {
            let mut stored = services.stored().await.unwrap_or_default();
            stored.retain(|(key, entry)| {
                // Without a URL only what was handed over to this machine is meant.
                let there = match &url {
                    Some(_) => key.url() == url,
                    None => entry.credentials.is_empty(),
                };
                there && key.role == role && entry.target == target.to_string()
            });
            match &stored[..] {
                [] => {}
                [one] => return Self::of_stored(services, sources, one).await,
                several => {
                    let variable = target.variable("URL");
                    let hint = tr!("set {variable} to the URL of the one that you mean"; variable);
                    return Err(unclear(target, several).hint(hint));
                }
            }
        }
        let plan = plan?;
        let mut account = Self::new(services, plan, role);
        account.deadline = deadline;
        let set = account.plan.set();
        set.for_each(|setting| account.note(setting.note()));
        // Where something is missing, the error speaks of what is near it.
        if account.plan.missing.is_none() {
            let near = sources.near_misses(target).into_iter();
            near.chain(account.plan.warnings())
                .for_each(|text| account.warn(text));
        }
        let secrets = account.known.secrets();
        secrets.for_each(|secret| services.report.learn(secret));
        Ok(account)
    }

    pub fn to_hand_over(
        services: &'a Services,
        target: &Target,
        url: BaseUrl,
        missing: Option<Error>,
    ) -> Self {
        Self::new(services, bare(target.clone(), url, missing), Role::User)
    }

    /// The account that a session was stored for, at the key's server: without settings if another one is configured.
    pub async fn of_stored(
        services: &'a Services,
        sources: &Sources,
        (key, entry): &(Key, Entry),
    ) -> Result<Self> {
        let gone = || error!(Other: "the stored session names no server");
        let url = key.url().ok_or_else(gone)?;
        let mut specs = provider::specs().into_iter();
        let spec = specs.find(|spec| spec.id == key.provider);
        let spec = spec.ok_or_else(gone)?;
        let target = settings::target(&entry.target).ok();
        let target = target.filter(|target| target.spec.id == spec.id);
        let target = target.unwrap_or(Target::new(spec, None));
        let plan = match settings::find(&target, sources).await {
            Ok(plan) if plan.url == url => plan,
            other => bare(target, url, other.err()),
        };
        let mut account = Self::new(services, plan, key.role.clone());
        account.key = key.clone();
        Ok(account)
    }

    fn new(services: &'a Services, plan: Plan, role: Role) -> Self {
        Self {
            services,
            provider: System::of(plan.target.spec),
            key: key_of(&plan, role),
            known: plan.known(),
            plan,
            revealed: OnceCell::new(),
            started: Timestamp::now(),
            deadline: services.deadline(),
        }
    }

    /// The same account for another role, in the time that is left.
    pub(super) fn in_role(&self, role: Role) -> Self {
        let key = key_of(&self.plan, role);
        Self {
            key,
            ..self.clone()
        }
    }

    /// The same account for another question, which has `--timeout` of its own and runs the commands anew.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            revealed: OnceCell::new(),
            started: Timestamp::now(),
            deadline: self.services.deadline(),
            ..self.clone()
        }
    }

    pub fn target(&self) -> &Target {
        &self.plan.target
    }

    /// Names, URLs and paths that somebody has set.
    pub fn typed(&self) -> impl Iterator<Item = &str> {
        let shown = [Kind::Text, Kind::Url, Kind::Path];
        let set = self.plan.set();
        let set = set.filter(move |set| shown.contains(&set.field.kind));
        set.filter_map(|set| self.plan.text(set.field.name))
    }

    pub(super) fn store(&self) -> &Store {
        &self.services.store
    }

    /// All settings, the commands run. They are run once, however often the login is tried.
    pub(super) async fn settings(&self) -> Result<&Settings> {
        if let Some(settings) = self.revealed.get() {
            return Ok(settings);
        }
        // A password manager may ask the person at the terminal.
        let _hold = self.services.report.hold();
        let patience = self.deadline.saturating_duration_since(Instant::now());
        let settings = self.plan.clone().reveal(patience).await?;
        let secrets = settings.secrets();
        secrets.for_each(|secret| self.services.report.learn(secret));
        Ok(self.revealed.get_or_init(|| settings))
    }

    /// What the role's login is made with: for the user's also the partner's settings, whose session opens it.
    fn used(&self) -> impl Iterator<Item = &Setting> {
        let found = self.plan.found.iter();
        found.filter(|found| self.key.role != Role::Partner || of_partner(found))
    }

    /// All that the role's login is made with but the URL, which is a part of the key.
    pub(super) fn login_settings(&self) -> Vec<(&'static str, Form, crate::secret::Secret)> {
        let used = self.used().filter(|found| found.field.kind != Kind::Url);
        let login = used.map(|found| (found.field.name, found.form, found.text.clone()));
        login.collect()
    }

    /// The secrets of the role's login as fingerprints, by field. Where the store cannot make any, nothing is equal.
    pub(super) async fn fingerprints(&self) -> Result<BTreeMap<String, String>> {
        let mut prints = BTreeMap::new();
        for found in self.used().filter(|found| found.field.secret()) {
            let print = match self.store().fingerprint(&found.text, self.deadline).await {
                Ok(print) if found.form == Form::Command => format!("command:{print}"),
                Ok(print) => format!("value:{print}"),
                Err(error) if error.cause == Cause::Busy => return Err(error),
                Err(_) => format!("unknown:{}", getrandom::u64().unwrap_or_default()),
            };
            prints.insert(found.field.name.to_owned(), print);
        }
        Ok(prints)
    }

    /// Why a session is not stored, if it is none to store: nobody could tell by the clock whether it is alive.
    pub(super) fn unstorable(&self, session: &Session) -> Option<Text> {
        let fixed = matches!(self.target().spec.ageing, Ageing::Fixed);
        let endless = fixed && session.expires_at.is_none();
        endless.then(|| tr!("a session whose end is unknown is not stored"))
    }

    /// What is stored of a session that was alive a moment ago.
    pub(super) fn entry(&self, session: Session, credentials: BTreeMap<String, String>) -> Entry {
        let seen_at = Some(session.obtained_at.max(Timestamp::now()));
        Entry {
            target: self.target().to_string(),
            session,
            seen_at,
            credentials,
        }
    }

    pub(super) fn context<'s>(&'s self, settings: &'s Settings) -> Context<'s> {
        let mut channel = self.services.channel(&self.known);
        channel.deadline = self.deadline;
        Context {
            settings,
            role: self.key.role.clone(),
            prerequisite: None,
            channel,
        }
    }

    pub(super) async fn ask(&self, session: &Session) -> Result<Life> {
        let context = self.context(&self.known);
        let life = self.provider.check(&context, session).await;
        let target = self.target();
        life.map_err(|error| match error.cause {
            // No credentials were sent.
            Cause::Refused => error.hint(tr!("`crmauth login {target}` gets a new one"; target)),
            _ => error,
        })
    }

    pub(super) async fn revoke(&self, session: &Session) -> Result<Revocation> {
        let context = self.context(&self.known);
        self.provider.revoke(&context, session).await
    }

    /// Does some work under the entry's lock, and releases the lock however the work ends.
    pub(super) async fn locked<T>(
        &self,
        deadline: Instant,
        work: impl AsyncFnOnce(&Lock) -> Result<T>,
    ) -> Result<T> {
        let lock = self.store().lock(&self.key, deadline).await?;
        let outcome = work(&lock).await;
        self.services.release(lock).await;
        outcome
    }

    pub(super) fn busy(&self, text: Text) -> Option<crate::report::Busy<'_>> {
        self.services.report.busy(self.target(), text)
    }

    pub fn note(&self, text: Text) {
        self.services.report.note(Some(self.target()), text);
    }

    pub fn warn(&self, text: Text) {
        self.services.report.warn(Some(self.target()), text);
    }

    pub(super) fn warn_of(&self, text: Text, error: &Error) {
        let report = &self.services.report;
        report.warn_of(Some(self.target()), text, error);
    }
}

fn bare(target: Target, url: BaseUrl, missing: Option<Error>) -> Plan {
    let found = Vec::new();
    Plan {
        target,
        url,
        found,
        missing,
    }
}

/// Says that sessions of several users or servers are stored for a target without settings.
pub fn unclear(target: &Target, several: &[(Key, Entry)]) -> Error {
    let place = |(key, entry): &(Key, Entry)| {
        let url = [key.origin.as_str(), key.path.trim_end_matches('/')].concat();
        match &entry.session.user {
            Some(user) => tr!("{user} at {url}"; user, url),
            None => tr!("{url}"; url),
        }
    };
    let places: Vec<_> = several.iter().map(place).collect();
    let error = error!(MissingSetting:
        "{target} has no settings here, but sessions of {places} are stored"; target, places = i18n::and(&places));
    error.target(&target.to_string())
}

pub fn role(target: &Target, person: Option<&str>) -> Result<Role> {
    let Some(person) = person else {
        return Ok(Role::User);
    };
    if target.spec.impersonation {
        return Ok(Role::As(person.to_owned()));
    }
    let able = provider::specs().into_iter();
    let able = able.filter(|spec| spec.impersonation);
    let able: Vec<_> = able.map(|spec| spec.id).collect();
    let error = error!(Usage: "{product} cannot log in as somebody else"; product = target.spec.product =>
        hint "--as works with {able}"; able = Text::list(&able, ", "));
    Err(error)
}

fn of_partner(found: &Setting) -> bool {
    found.field.shared == Some(Group::Partner)
}

fn key_of(plan: &Plan, role: Role) -> Key {
    let text = |found: &Setting| plan.text(found.field.name).map(str::to_owned);
    let partner = role == Role::Partner;
    let own = |found: &&Setting| of_partner(found) == partner && found.field.credential();
    // Secrets have no text that anybody may see.
    let mut user: Vec<String> = plan.found.iter().filter(own).filter_map(text).collect();
    if user.is_empty() {
        let account = plan.target.account.as_deref().unwrap_or_default();
        user.push(format!("@{account}"));
    }
    let mut grants = plan.found.iter();
    Key {
        provider: plan.target.spec.id.to_owned(),
        origin: plan.url.origin(),
        path: plan.url.path().to_owned(),
        user,
        // The grant, or whatever else a provider declares to tell sessions apart.
        grant: grants.find(|found| found.field.identity).and_then(text),
        role,
    }
}
