//! Where settings come from: the environment, then env files, each read once.

mod env_files;

use std::cell::{LazyCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::envfile;
use super::environment::Environment;
use super::names::{self, Form};
use super::suggest::{Unknown, meant_own, no_setting};
use super::value;
use crate::declaration::{COMMON, Field, Group, Target};
use crate::error::{Error, Result, error};
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

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The process's environment.
    Environment,
    /// A line of an env file.
    File {
        /// The file as it was named, printable.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// Whether nobody named the file.
        implicit: bool,
    },
    /// A person at the terminal.
    Answer,
    /// The sandbox's demo accounts.
    Sandbox,
    /// The declaration.
    Default,
}

impl Origin {
    /// Whether it is an env file that nobody named, and somebody may have planted.
    pub(super) fn implicit(&self) -> bool {
        matches!(self, Self::File { implicit: true, .. })
    }

    /// Whether it is an env file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// What stands behind "from": `the environment`, `./.env line 3`.
    pub fn text(&self) -> Text {
        match self {
            Self::Environment => tr!("the environment"),
            Self::File { path, line, .. } => tr!("{path} line {line}", path, line),
            Self::Answer => tr!("your answer"),
            Self::Sandbox => tr!("the sandbox"),
            Self::Default => tr!("its default"),
        }
    }
}

/// A setting as it was found, before its file is read or its command run.
#[derive(Clone)]
pub(super) struct Setting {
    /// The account that the variable is of.
    pub owner: Target,
    /// The source's place in the order, 0 for the highest.
    pub rank: usize,
    /// The variable with its suffix.
    pub variable: String,
    /// The name that the source uses for it.
    pub written: String,
    pub form: Form,
    pub text: Secret,
    pub origin: Origin,
}

/// One source: its settings by variable; empty ones are not among them.
type Layer = BTreeMap<String, (String, Secret, Origin)>;

/// All settings of ours, by source. It has no `Debug`: settings are secrets.
#[derive(Clone)]
pub struct Sources {
    layers: Vec<Layer>,
    /// Why a source's variable cannot be used; only a target that needs it fails.
    faults: BTreeMap<(usize, String), Error>,
    looked: Vec<Text>,
    notes: Vec<Text>,
    warnings: Vec<Text>,
    /// Variables that look like settings of ours and are none.
    pub(super) unknown: Vec<Unknown>,
    /// The env files that were read: their names, and where they are.
    read: Vec<(String, PathBuf)>,
    /// The env file that counts first, whether it is there or not: its name, and where it is.
    first_file: Option<(String, PathBuf)>,
    /// The origin of the gateway that runs this command.
    pub(super) gateway: Option<String>,
    cwd: PathBuf,
    patience: Duration,
    secret_files: RefCell<BTreeMap<PathBuf, Rc<OnceCell<Secret>>>>,
}

impl Sources {
    /// Reads the environment, then `env_files` (the last one counts first), or the one that
    /// `CRMAUTH_ENV_FILE` names, or `./.env`. What is no regular file, such as a pipe without a writer, is
    /// waited for no longer than `patience`, here and where a `_FILE` is read.
    pub fn load(env: &Environment, env_files: &[PathBuf], patience: Duration) -> Result<Self> {
        let mut environment = Layer::new();
        let mut faults = BTreeMap::new();
        let mut others = Vec::new();
        for name in env.names() {
            if names::parse(name).is_none() {
                others.push(name);
                continue;
            }
            let value = env.get(name).unwrap_or_else(|error| {
                faults.insert((0, name.to_owned()), error);
                Some("")
            });
            if let Some(value) = value {
                let value = Secret::new(value.to_owned());
                environment.insert(
                    name.to_owned(),
                    (name.to_owned(), value, Origin::Environment),
                );
            }
        }
        let mut sources = Self {
            layers: vec![environment],
            faults,
            looked: vec![Origin::Environment.text()],
            notes: Vec::new(),
            warnings: Vec::new(),
            unknown: Vec::new(),
            read: Vec::new(),
            first_file: None,
            gateway: env.get(GATEWAY)?.map(str::to_owned),
            cwd: env.cwd().to_owned(),
            patience,
            secret_files: RefCell::default(),
        };
        for name in others {
            sources.note_unknown(name, Origin::Environment);
        }
        let (by, named) = match env.path(ENV_FILE) {
            Some(path) if env_files.is_empty() => (ENV_FILE, &[path.to_owned()][..]),
            _ => ("--env-file", env_files),
        };
        for path in named.iter().rev() {
            sources.named_file(path, by)?;
        }
        if named.is_empty() {
            sources.implicit_file()?;
        }
        let implicit = || (IMPLICIT.to_owned(), sources.cwd.join(".env"));
        sources.first_file = Some(sources.read.first().cloned().unwrap_or_else(implicit));
        Ok(sources)
    }

    /// Adds what a person has answered, by variable, below what is set; a later answer counts.
    pub fn answer(&mut self, answers: &[(String, Secret)]) {
        let layer = answers.iter().map(|(variable, value)| {
            (
                variable.clone(),
                (variable.clone(), value.clone(), Origin::Answer),
            )
        });
        match self.layers.last_mut() {
            Some(last) if last.values().any(|(.., origin)| *origin == Origin::Answer) => {
                last.extend(layer)
            }
            _ => self.layers.push(layer.collect()),
        }
    }

    /// Takes back an answer.
    pub fn unanswer(&mut self, variable: &str) {
        for layer in &mut self.layers {
            if layer
                .get(variable)
                .is_some_and(|(.., origin)| *origin == Origin::Answer)
            {
                layer.remove(variable);
            }
        }
    }

    /// The sources of a later run that finds the answers in the env file that is read first.
    pub fn with_answers_kept(&self) -> Self {
        let mut kept = self.clone();
        let given =
            |layer: &mut Layer| layer.values().any(|(.., origin)| *origin == Origin::Answer);
        if let (Some(mut answers), Some((path, _))) = (kept.layers.pop_if(given), &kept.first_file)
        {
            let origin = Origin::File {
                path: path.clone(),
                line: 0,
                implicit: path == IMPLICIT,
            };
            answers
                .values_mut()
                .for_each(|(.., from)| *from = origin.clone());
            match kept.layers.get_mut(1) {
                Some(first) => first.extend(answers),
                None => kept.layers.push(answers),
            }
        }
        kept
    }

    /// The env file that settings are read from first, whether it is there or not: its name, and where it is.
    pub fn first_file(&self) -> Option<&(String, PathBuf)> {
        self.first_file.as_ref()
    }

    /// Variables in place of all other settings: `--sandbox`.
    pub fn only(vars: Vec<(String, String)>) -> Self {
        let layer = vars.into_iter().map(|(name, value)| {
            let value = Secret::new(value);
            (name.clone(), (name, value, Origin::Sandbox))
        });
        Self {
            layers: vec![layer.collect()],
            faults: BTreeMap::new(),
            looked: vec![Origin::Sandbox.text()],
            notes: Vec::new(),
            warnings: Vec::new(),
            unknown: Vec::new(),
            read: Vec::new(),
            first_file: None,
            gateway: None,
            cwd: PathBuf::new(),
            patience: Duration::ZERO,
            secret_files: RefCell::default(),
        }
    }

    /// Every target with a setting of its own: in the order of the systems, default accounts first, then named ones
    /// by name. Settings of a default account that serve as a base for named ones, and nothing else, make no
    /// target: a partner logs nobody in, and a client is a base where an account takes it.
    pub fn configured(&self) -> Vec<Target> {
        let set: Vec<names::Name> = self
            .layers
            .iter()
            .flat_map(BTreeMap::keys)
            .filter_map(|name| names::parse(name))
            .collect();
        let mut targets = Vec::new();
        for spec in provider::specs() {
            let own = || set.iter().filter(|name| name.target.spec.id == spec.id);
            let mut accounts: Vec<&String> = own()
                .filter_map(|name| name.target.account.as_ref())
                .collect();
            accounts.sort();
            accounts.dedup();
            let accounts = accounts.into_iter().map(|account| Target {
                spec,
                account: Some(account.clone()),
            });
            let accounts: Vec<Target> = accounts.collect();
            let taken = LazyCell::new(|| {
                accounts
                    .iter()
                    .any(|account| self.takes(account, Group::Client))
            });
            let base = |field: &Field| match field.shared {
                Some(Group::Client) => *taken,
                Some(Group::Partner) => true,
                None => field.inherited(),
            };
            let target = Target {
                spec,
                account: None,
            };
            let mut default = own().filter(|name| name.target.account.is_none());
            if !self.is_elsewhere(&target)
                && default.any(|name| accounts.is_empty() || !base(name.field))
            {
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
        let mistyped = |scheme: &str| {
            let near = |known| strsim::osa_distance(&scheme.to_ascii_lowercase(), known) <= 1;
            near("http") || near("https")
        };
        let url = self.url(target, |_| true);
        url.is_some_and(|url| {
            let scheme = url.text.expose().trim().split_once("://");
            scheme.is_some_and(|(scheme, _)| !mistyped(scheme))
        })
    }

    /// What a person should know, for stderr.
    pub fn warnings(&self) -> &[Text] {
        &self.warnings
    }

    /// Counts these files among those that settings come from, though nothing was read from them.
    pub fn also_protect(&mut self, env: &Environment, env_files: &[PathBuf]) {
        self.cwd = env.cwd().to_owned();
        let named = env_files
            .iter()
            .map(|path| (path.display().to_string(), self.cwd.join(path)));
        self.read
            .extend(named.chain([(IMPLICIT.to_owned(), env.cwd().join(".env"))]));
    }

    /// The name of the file that settings come from which `path` is too, by whatever way.
    pub fn read_from(&self, path: &Path) -> Option<String> {
        let path = std::fs::canonicalize(self.cwd.join(path)).ok()?;
        let same = |read: &Path| std::fs::canonicalize(read).is_ok_and(|read| read == path);
        let env_files = self
            .read
            .iter()
            .map(|(name, read)| (name.clone(), read.clone()));
        let secrets = self
            .layers
            .iter()
            .flatten()
            .filter(|(name, _)| name.ends_with(Form::File.suffix()));
        let secret_files =
            secrets.map(|(name, (_, text, _))| (name.clone(), self.path(text.expose())));
        env_files
            .chain(secret_files)
            .find(|(_, read)| same(read))
            .map(|(name, _)| name)
    }

    /// What a secret's own file holds. A pipe can be read once, so it is read once a run.
    pub(super) async fn secret_file(
        &self,
        path: &Path,
        deadline: Instant,
    ) -> std::result::Result<Secret, Text> {
        let known = Rc::clone(
            self.secret_files
                .borrow_mut()
                .entry(path.to_owned())
                .or_default(),
        );
        let read = async {
            let bytes = files::wait_for(path, value::MAX, self.patience, deadline).await?;
            value::from_bytes(&bytes)
        };
        known.get_or_try_init(|| read).await.cloned()
    }

    /// When a wait for a target's settings that begins now ends.
    pub(super) fn deadline(&self) -> Instant {
        files::deadline(self.patience)
    }

    /// What a person may want to know, for `-v`.
    pub fn notes(&self) -> &[Text] {
        &self.notes
    }

    /// The places that were looked at, in their order: `the environment`, `./.env (not there)`.
    pub fn looked(&self) -> &[Text] {
        &self.looked
    }

    /// The URL that an account's settings name, its own or the default account's, in the sources that count.
    pub(super) fn url(
        &self,
        target: &Target,
        counts: impl Fn(&Setting) -> bool,
    ) -> Option<Setting> {
        let accounts = [target.clone(), target.default_account()];
        accounts
            .iter()
            .find_map(|account| self.hits(account, &COMMON[0]).find(&counts))
    }

    /// Whether a named account takes a group from the default one: it has settings, none of the group, and the default
    /// account's URL.
    pub(super) fn takes(&self, account: &Target, group: Group) -> bool {
        let url = |target| {
            account
                .spec
                .base_url(self.url(target, |_| true)?.text.expose())
                .ok()
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

    /// A field of a target's own, from the highest source that has it.
    pub(super) fn lookup(&self, target: &Target, field: &Field) -> Result<Option<Setting>> {
        let mut hits = self.hits(target, field);
        let Some(hit) = hits.next() else {
            return Ok(None);
        };
        if let Some(other) = hits.next().filter(|other| other.rank == hit.rank) {
            let (first, second) = (&hit.written, &other.written);
            return Err(error!(
                BadSetting, "both {first} (from {origin}) and {second} (from {other_origin}) are set", first, origin = hit.origin.text(), second, other_origin = other.origin.text();
                hint "keep one of {first} and {second}", first, second
            ));
        }
        match self.faults.get(&(hit.rank, hit.variable.clone())) {
            Some(fault) => Err(fault.clone()),
            None => Ok(Some(hit)),
        }
    }

    /// All that is set of a target's own field, from the highest source down.
    pub(super) fn hits(&self, target: &Target, field: &Field) -> impl Iterator<Item = Setting> {
        let name = target.variable(field.name);
        let places = self.layers.iter().enumerate();
        let forms = places
            .flat_map(|(rank, layer)| Form::of(field).iter().map(move |form| (rank, layer, *form)));
        forms.filter_map(move |(rank, layer, form)| {
            let variable = [&name, form.suffix()].concat();
            let (written, text, origin) = layer.get(&variable)?;
            let (written, text, origin) = (written.clone(), text.clone(), origin.clone());
            Some(Setting {
                owner: target.clone(),
                rank,
                variable,
                written,
                form,
                text,
                origin,
            })
        })
    }

    /// The path of a `_FILE`, from the current folder.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.cwd.join(path)
    }

    fn unknown_in(&mut self, path: &str, bytes: &Bytes, implicit: bool) {
        for (name, line) in envfile::names(bytes) {
            if names::parse(&name).is_none() {
                self.note_unknown(
                    &name,
                    Origin::File {
                        path: path.to_owned(),
                        line,
                        implicit,
                    },
                );
            }
        }
    }

    /// Remembers a variable that is no setting and may have been meant to be one. What is no variable's name at all
    /// is none: where the `=` was forgotten, a value that holds one stands there.
    fn note_unknown(&mut self, name: &str, origin: Origin) {
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return;
        }
        if let Some(own) = meant_own(name) {
            if own != name {
                self.warnings.push(no_setting(name, &origin, &own));
            } else if origin != Origin::Environment {
                let origin = origin.text();
                self.warnings.push(tr!(
                    "{name} ({origin}) has no effect: it is read from the environment only",
                    name,
                    origin
                ));
            }
        }
        self.unknown.extend(Unknown::new(name, origin));
    }
}

#[cfg(test)]
mod tests;
