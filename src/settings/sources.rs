//! Where settings come from: the environment, then env files, each read once.

mod env_files;

use std::cell::{LazyCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::envfile::{self, EnvFile};
use super::environment::Environment;
use super::names::{self, Form};
use super::setting::{Origin, Setting};
use super::suggest::{Unknown, meant_own, no_setting, seed_style};
use super::value;
use crate::declaration::{BaseUrl, COMMON, Field, Group, Spec, Target};
use crate::error::{Result, error};
use crate::files::{self, Bytes};
use crate::i18n::{Text, tr};
use crate::provider;
use crate::secret::Secret;

/// The variable that names the gateway's origin to a command that `proxy` runs.
pub const GATEWAY: &str = "CRMAUTH_GATEWAY";
/// The variable that names an env file where no `--env-file` does.
const ENV_FILE: &str = "CRMAUTH_ENV_FILE";
/// The env file that is read where none is named, as messages name it.
const IMPLICIT: &str = "./.env";
/// The rank of the env file that counts first.
const FIRST_FILE: usize = 1;

/// All settings of ours. It has no `Debug`: settings are secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// What is set of a field in whatever form, by the field's variable; the highest source first.
    settings: BTreeMap<String, Vec<Setting>>,
    /// The places that were looked at, in their order: `the environment`, `./.env (not there)`.
    pub(super) looked: Vec<Text>,
    /// What a person may want to know, for `-v`.
    pub notes: Vec<Text>,
    /// What a person should know, for stderr.
    pub warnings: Vec<Text>,
    /// Settings without a value, from the highest source down.
    empty: Vec<(String, Origin)>,
    /// Variables that look like settings of ours and are none.
    pub(super) unknown: Vec<Unknown>,
    /// The env files that were read: their names, and where they are.
    read: Vec<(String, PathBuf)>,
    /// The origin of the gateway that runs this command.
    pub(super) gateway: Option<String>,
    /// Whether `login` would ask a person for what is missing, and this is not `login`.
    pub login_asks: bool,
    cwd: PathBuf,
    patience: Duration,
    /// What the files of secrets hold.
    files: RefCell<BTreeMap<PathBuf, Rc<OnceCell<Secret>>>>,
}

impl Sources {
    /// Reads the environment, then `env_files` (the last one counts first), or what `CRMAUTH_ENV_FILE` names, or
    /// `./.env`. A pipe is waited for no longer than `patience`, here and where a `_FILE` is read.
    pub async fn load(
        env: &Environment,
        env_files: &[PathBuf],
        patience: Duration,
    ) -> Result<Self> {
        let mut sources = Self {
            looked: vec![Origin::Environment.text()],
            gateway: env.get(GATEWAY)?.map(str::to_owned),
            cwd: env.cwd().to_owned(),
            patience,
            ..Self::default()
        };
        for variable in env.names() {
            sources.read_variable(variable, env);
        }
        let (by, named) = match env.path(ENV_FILE) {
            Some(path) if env_files.is_empty() => (ENV_FILE, &[path.to_owned()][..]),
            _ => ("--env-file", env_files),
        };
        for path in named.iter().rev() {
            sources.named_file(path, by).await?;
        }
        if named.is_empty() {
            sources.implicit_file()?;
        }
        Ok(sources)
    }

    fn read_variable(&mut self, variable: &str, env: &Environment) {
        let Some(name) = names::parse(variable) else {
            return self.note_unknown(variable, Origin::Environment, None);
        };
        let (text, fault) = match env.get(variable) {
            Ok(None) => return self.empty.push((variable.to_owned(), Origin::Environment)),
            Ok(Some(text)) => (text, None),
            Err(fault) => ("", Some(fault)),
        };
        let text = Secret::new(text.to_owned());
        let setting = Setting::new(name, variable, text, Origin::Environment);
        self.insert(Setting { fault, ..setting });
    }

    /// Adds a setting; of two in one source the later one counts, unless the other is at fault.
    fn insert(&mut self, setting: Setting) {
        let variable = setting.owner.variable(setting.field.name);
        let all = self.settings.entry(variable).or_default();
        let place = |setting: &Setting| (setting.rank, setting.form);
        match all.binary_search_by_key(&place(&setting), place) {
            Ok(at) => {
                let fault = setting.fault.clone().or(all[at].fault.take());
                all[at] = Setting { fault, ..setting };
            }
            Err(at) => all.insert(at, setting),
        }
    }

    /// Adds what a person has answered about a target, below what is set; a later answer counts.
    pub fn answer(&mut self, target: &Target, answers: &[(&'static Field, Secret)]) {
        for (field, value) in answers {
            let value = value.clone();
            self.insert(Setting::unwritten(target, field, value, Origin::Answer));
        }
    }

    pub fn unanswer(&mut self, target: &Target, field: &str) {
        if let Some(all) = self.settings.get_mut(&target.variable(field)) {
            all.retain(|setting| setting.origin != Origin::Answer);
        }
    }

    /// The sources of a later run that finds the answers in the env file that is read first.
    pub fn with_answers_kept(&self) -> Self {
        let mut kept = self.clone();
        let (path, _) = self.first_file();
        let file = EnvFile::new(&path, path == IMPLICIT);
        let all = kept.settings.values_mut().flatten();
        for answer in all.filter(|setting| setting.origin == Origin::Answer) {
            answer.origin = file.origin(0);
            answer.rank = FIRST_FILE;
        }
        kept
    }

    /// The env file that settings are read from first, whether it is there or not: its name, and where it is.
    pub fn first_file(&self) -> (String, PathBuf) {
        let implicit = || (IMPLICIT.to_owned(), self.cwd.join(IMPLICIT));
        self.read.first().cloned().unwrap_or_else(implicit)
    }

    /// Variables in place of all other settings: `--sandbox`.
    pub fn only(vars: Vec<(String, String)>) -> Self {
        let mut sources = Self {
            looked: vec![Origin::Sandbox.text()],
            ..Self::default()
        };
        for (variable, value) in vars {
            if let Some(name) = names::parse(&variable) {
                let value = Secret::new(value);
                sources.insert(Setting::new(name, &variable, value, Origin::Sandbox));
            }
        }
        sources
    }

    /// Every target with a setting of its own: in the order of the systems, default accounts first, then by name.
    /// What only serves named accounts as a base makes no target: a partner, and a client where an account takes it.
    pub fn configured(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for spec in provider::specs() {
            let all = self.settings.values().flatten();
            let own = all.filter(|setting| setting.owner.spec.id == spec.id);
            let is_default = |own: &&Setting| own.owner.account.is_none();
            let (default, named): (Vec<_>, Vec<_>) = own.partition(is_default);
            let names: BTreeSet<_> = named.iter().map(|own| &own.owner.account).collect();
            let account = |name: &Option<String>| Target::new(spec, name.clone());
            let accounts: Vec<Target> = names.into_iter().map(account).collect();
            let takes = |account: &Target| self.takes(account, Group::Client);
            let taken = LazyCell::new(|| accounts.iter().any(takes));
            let base = |field: &Field| match field.shared {
                Some(Group::Client) => *taken,
                Some(Group::Partner) => true,
                None => field.inherited(),
            };
            let target = Target::new(spec, None);
            let alone = |own: &&Setting| accounts.is_empty() || !base(own.field);
            if !self.is_elsewhere(&target) && default.iter().any(alone) {
                targets.push(target);
            }
            targets.extend(accounts);
        }
        targets
    }

    /// Whether a target has a URL, and one that may be its server's.
    pub fn has_url(&self, target: &Target) -> bool {
        self.url(target, |_| true).is_some() && !self.is_elsewhere(target)
    }

    /// Whether a target's URL is of another protocol, and its settings so another program's: Celery has a BROKER_URL too.
    fn is_elsewhere(&self, target: &Target) -> bool {
        let url = self.url(target, |_| true);
        let scheme = url.and_then(|url| url.text.expose().trim().split_once("://"));
        scheme.is_some_and(|(scheme, _)| {
            let far = |known| strsim::osa_distance(&scheme.to_ascii_lowercase(), known) > 1;
            far("http") && far("https")
        })
    }

    /// Counts these files among those that settings come from, though nothing was read from them.
    pub fn also_protect(&mut self, env: &Environment, env_files: &[PathBuf]) {
        self.cwd = env.cwd().to_owned();
        let named = env_files.iter().map(PathBuf::as_path);
        for path in named.chain([Path::new(IMPLICIT)]) {
            let name = path.display().to_string();
            self.read.push((name, self.cwd.join(path)));
        }
    }

    /// The name of the file that settings come from which `path` is too. Only a regular file can be replaced.
    pub fn read_from(&self, path: &Path) -> Option<String> {
        let path = std::fs::canonicalize(self.cwd.join(path)).ok();
        let path = path.filter(|path| path.is_file())?;
        let same = |read: &Path| std::fs::canonicalize(read).is_ok_and(|read| read == path);
        let settings = self.settings.values().flatten();
        let secrets = settings.filter(|setting| setting.form == Form::File);
        let secrets = secrets.map(|file| (file.written.clone(), self.cwd.join(file.text.expose())));
        let mut read = self.read.iter().cloned().chain(secrets);
        Some(read.find(|(_, read)| same(read))?.0)
    }

    /// What the file of a `_FILE` holds. A pipe can be read once, so it is read once a run.
    pub(super) async fn secret_file(
        &self,
        setting: &Setting,
        deadline: Instant,
    ) -> Result<Secret, Text> {
        let path = self.cwd.join(setting.text.expose());
        let known = Rc::clone(self.files.borrow_mut().entry(path.clone()).or_default());
        let read = async {
            let (bytes, _) = files::read(&path, value::MAX, self.patience, deadline).await?;
            value::from_bytes(&bytes)
        };
        known.get_or_try_init(|| read).await.cloned()
    }

    /// When a wait for a target's settings that begins now ends.
    pub(super) fn deadline(&self) -> Instant {
        files::deadline(self.patience)
    }

    /// The URL that an account's settings name, its own or the default account's, in the sources that count.
    pub(super) fn url(
        &self,
        target: &Target,
        counts: impl Fn(&&Setting) -> bool,
    ) -> Option<&Setting> {
        let of = |target: &Target| self.hits(target, &COMMON[0]).find(&counts);
        of(target).or_else(|| of(&target.default_account()))
    }

    /// Whether a named account takes a group from the default one: it has settings, none of the group, and its URL.
    pub(super) fn takes(&self, account: &Target, group: Group) -> bool {
        let url = |target| {
            let url = self.url(target, |_| true)?.text.expose();
            account.spec.base_url(url).ok()
        };
        account.account.is_some()
            && !self.sets(account, |field| field.shared == Some(group))
            && self.sets(account, |_| true)
            && url(account) == url(&account.default_account())
    }

    /// Whether anything is set of some of an account's own fields.
    pub(super) fn sets(&self, account: &Target, which: impl Fn(&Field) -> bool) -> bool {
        let mut fields = account.spec.all_fields().filter(|field| which(field));
        fields.any(|field| self.hits(account, field).next().is_some())
    }

    /// Where a variable stands without a value.
    pub(super) fn empty(&self, variable: &str) -> Option<&Origin> {
        Some(&self.empty.iter().find(|(name, _)| name == variable)?.1)
    }

    /// The URL, if there is one, of a target without any credentials: enough for a session that was handed over.
    pub fn without_credentials(&self, target: &Target) -> Option<Option<BaseUrl>> {
        if self.sets(target, Field::credential) {
            return None;
        }
        let url = self.url(target, |_| true);
        Some(url.and_then(|url| target.spec.base_url(url.text.expose()).ok()))
    }

    /// A field of a target's own, from the highest source that has it.
    pub(super) fn lookup(&self, target: &Target, field: &Field) -> Result<Option<&Setting>> {
        let mut hits = self.hits(target, field);
        let Some(hit) = hits.next() else {
            return Ok(None);
        };
        if let Some(other) = hits.next().filter(|other| other.rank == hit.rank) {
            let (first, second) = (&hit.written, &other.written);
            return Err(error!(BadSetting:
                "both {first} (from {origin}) and {second} (from {other_origin}) are set";
                first, origin = hit.origin.text(), second, other_origin = other.origin.text() =>
                hint "keep only one of {first} and {second}"; first, second));
        }
        hit.fault.clone().map_or(Ok(Some(hit)), Err)
    }

    /// All that is set of a target's own field, from the highest source down.
    pub(super) fn hits(&self, target: &Target, field: &Field) -> impl Iterator<Item = &Setting> {
        let all = self.settings.get(&target.variable(field.name));
        all.into_iter().flatten()
    }

    fn unknown_in(&mut self, file: EnvFile<'_>, bytes: &Bytes) {
        let names = envfile::names(bytes);
        let style = LazyCell::new(|| seed_style(names.iter().map(|(name, _)| &**name)));
        for (name, line) in &names {
            if names::parse(name).is_none() {
                self.note_unknown(name, file.origin(*line), *style);
            }
        }
    }

    /// Remembers what may have been meant to be a setting, unless it is no name: a `=` may have been forgotten.
    fn note_unknown(&mut self, name: &str, origin: Origin, style: Option<&'static Spec>) {
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !name.bytes().all(in_name) {
            return;
        }
        match meant_own(name) {
            Some(own) if own != name => self.warnings.push(no_setting(name, &origin, &own)),
            Some(_) if origin != Origin::Environment => self.warnings.push(tr!(
                "{name} ({place}) has no effect: it is read from the environment only"; name, place = origin.text())),
            _ => {}
        }
        self.unknown.extend(Unknown::new(name, origin, style));
    }
}
