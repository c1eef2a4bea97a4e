//! The verbs, one file each: arguments, help and behaviour together.

pub mod api;
mod ask;
mod child;
pub mod completions;
mod delivery;
pub mod exec;
mod gitignore;
pub mod login;
pub mod logout;
pub mod providers;
pub mod proxy;
pub mod sandbox;
mod shared;
pub mod status;
pub mod token;

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, ValueEnum};
use serde_json::Value;

use crate::declaration::Target;
use crate::error::{Cause, Error, Result, error};
use crate::http::{Http, Proxies};
use crate::i18n::{Lang, Text, tr};
use crate::json;
use crate::lifecycle::Services;
use crate::output::stdout;
use crate::provider;
use crate::report::Report;
use crate::settings::{Environment, Sources};
use crate::signals::heed_signals;
use crate::store::{Entry, Key, Store, file};
use crate::tls::{CaLocations, Trust};
use crate::{sandbox as systems, settings};

/// How many targets are worked on at once by default: each needs files, of which a process may have a few hundred.
const AT_ONCE: u16 = 10;

/// What the help writes above the options of every verb.
pub const GLOBAL_OPTIONS: &str = "Global options";

/// Options of every verb.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = GLOBAL_OPTIONS)]
pub struct Global {
    /// Read settings from FILE instead of ./.env; can be repeated, later files win
    #[arg(long, value_name = "FILE", action = ArgAction::Append)]
    pub env_file: Vec<PathBuf>,
    /// How long each target may take to get its session
    #[arg(long, value_name = "SECONDS", global = true, default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
    /// Trust these certificates besides the system's
    #[arg(long, value_name = "PEM", global = true)]
    pub ca_file: Option<PathBuf>,
    /// Use the built-in servers and their demo accounts instead of any settings
    #[arg(long, global = true)]
    pub sandbox: bool,
    /// Where sessions are kept: file:DIR, redis://HOST, rediss://HOST or none
    #[arg(long, value_name = "URL", global = true)]
    pub store: Option<String>,
    /// Neither read nor keep stored sessions
    #[arg(long, global = true, conflicts_with = "store")]
    pub no_store: bool,
    /// Never ask questions, even at a terminal
    #[arg(long, global = true)]
    pub no_input: bool,
    /// JSON on stdout (-f json) and for errors on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Hide warnings and chatter, never the answer or an error
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say what is done and why; -vv also shows every request
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Colour: auto, always or never
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    #[arg(hide_possible_values = true)]
    pub color: Color,
    /// The language of messages: en or pt-BR [default: CRMAUTH_LANG, else the locale's]
    #[arg(long, value_name = "LANG", global = true, value_parser = languages())]
    #[arg(hide_possible_values = true, ignore_case = true)]
    pub lang: Option<Lang>,
}

/// The languages under their names, and under those that a locale gives them.
fn languages() -> impl TypedValueParser<Value = Lang> {
    let [english, portuguese] = Lang::NAMES.map(PossibleValue::new);
    PossibleValuesParser::new([english, portuguese.aliases(["pt", "pt_BR"])])
        .map(|name| Lang::named(&name).unwrap_or_default())
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// At a terminal, unless NO_COLOR or CI is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What every verb is handed.
pub struct Run<'a> {
    pub program: fn() -> clap::Command,
    pub global: &'a Global,
    pub environment: &'a Environment,
    /// Where people read what goes on.
    pub report: Rc<Report>,
    /// Whether an answer has been begun, so that nothing else may stand on stdout.
    pub answered: Cell<bool>,
    pub color: bool,
}

impl Run<'_> {
    /// What the run works with, and where its settings come from. With `--sandbox` the servers come with them and end
    /// when they are dropped. From then on signals are heard: files of settings may be pipes, and wait.
    pub async fn services(&self) -> Result<(Services, Sources, Option<systems::Sandbox>)> {
        let found = self.services_alone().await?;
        heed_signals().await;
        Ok(found)
    }

    /// Like [`Self::services`], for a stored session that is only printed: a signal still ends the process at once.
    pub async fn services_alone(&self) -> Result<(Services, Sources, Option<systems::Sandbox>)> {
        let (global, timeout) = (self.global, self.global.timeout);
        let trust = Trust::new(self.roots(), global.ca_file.as_deref(), timeout).await?;
        let trust = Rc::new(trust);
        let http = Http::new(self.proxies()?, Rc::clone(&trust), timeout);
        let (sources, servers) = if global.sandbox {
            let servers = sandbox::start(None, Rc::new(|_| ())).await?;
            let mut sources = Sources::only(servers.settings.clone());
            sources.also_protect(self.environment, &global.env_file);
            (sources, Some(servers))
        } else {
            let mut sources = Sources::load(self.environment, &global.env_file, timeout).await?;
            sources.login_asks = ask::why_not_asking(self).is_none();
            (sources, None)
        };
        self.report.warn_of_all(sources.warnings.iter().cloned());
        let notes = sources.notes.iter().cloned();
        notes.for_each(|note| self.report.note(None, note));
        let store = match self.store_setting()? {
            (name, Some(place)) if !global.sandbox && shared::is_shared(place) => {
                self.shared_store(name, place, trust).await?
            }
            _ => self.store()?,
        };
        let services = Services::new(Rc::clone(&self.report), http, store, timeout);
        Ok((services, sources, servers))
    }

    /// Where sessions are to be kept, and what says so.
    fn store_setting(&self) -> Result<(&'static str, Option<&str>)> {
        Ok(match &self.global.store {
            _ if self.global.no_store => ("--no-store", Some("none")),
            Some(place) => ("--store", Some(place.as_str())),
            None => ("CRMAUTH_STORE", self.environment.get("CRMAUTH_STORE")?),
        })
    }

    /// A store of this machine: `--store`, `CRMAUTH_STORE`, else the user's state folder.
    fn store(&self) -> Result<Store> {
        if self.global.sandbox {
            return Ok(Store::memory(None));
        }
        let (name, place) = self.store_setting()?;
        let folder = match (place, self.state_folder()) {
            (Some("none"), folder) => return Ok(Store::memory(folder)),
            (Some(place), _) => self.folder(name, place)?,
            (None, Some(folder)) => folder,
            (None, None) => {
                self.report.warn_of_all([tr!(
                    "HOME is not set: sessions are not stored, unless CRMAUTH_STORE names a place"
                )]);
                return Ok(Store::memory(None));
            }
        };
        let folder = self.environment.cwd().join(folder);
        self.report.warn_of_all(file::judge(&folder)?);
        Ok(Store::folder(folder))
    }

    /// The folder of `file:DIR`, whose `~/` is the user's home: no shell puts that there behind `file:`.
    fn folder(&self, name: &str, place: &str) -> Result<PathBuf> {
        let path = place.strip_prefix("file:");
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            return Err(error!(BadSetting: "{name} is not a known store"; name =>
                hint "use file:DIR, redis://…, rediss://… or none"));
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        match (path.strip_prefix("~/"), self.environment.path("HOME")) {
            (None, _) => Ok(path.into()),
            (Some(below), Some(home)) => Ok(home.join(below)),
            (Some(_), None) => Err(error!(BadSetting:
                "the store {path} begins with ~, and HOME is not set"; path)),
        }
    }

    /// `$XDG_STATE_HOME/crmauth`, which counts only if it is absolute, or `~/.local/state/crmauth`.
    fn state_folder(&self) -> Option<PathBuf> {
        let state = self.environment.path("XDG_STATE_HOME");
        let state = state.filter(|path| path.is_absolute()).map(PathBuf::from);
        let home = || Some(self.environment.path("HOME")?.join(".local/state"));
        Some(state.or_else(home)?.join("crmauth"))
    }

    /// An empty `SSL_CERT_FILE` is set too, and names no file: so OpenSSL reads it.
    fn roots(&self) -> CaLocations {
        let value = |name| {
            let mut variables = self.environment.vars();
            Some(variables.find(|(other, _)| *other == name)?.1)
        };
        let folders = value("SSL_CERT_DIR").map(std::env::split_paths);
        let folders = folders.into_iter().flatten();
        let folders = folders.filter(|path| !path.as_os_str().is_empty());
        CaLocations {
            file: value("SSL_CERT_FILE").map(PathBuf::from),
            folders: folders.collect(),
        }
    }

    fn proxies(&self) -> Result<Proxies> {
        let first = |names: &[&str]| {
            let value = |name: &&str| self.environment.get(name).transpose();
            let mut set = names.iter().filter_map(value);
            set.next().transpose().map(|value| value.map(str::to_owned))
        };
        // Under CGI the variable HTTP_PROXY is the client's header `Proxy`.
        let http: &[&str] = match self.environment.path("REQUEST_METHOD") {
            Some(_) => &["http_proxy", "all_proxy", "ALL_PROXY"],
            None => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        };
        Ok(Proxies {
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            http: first(http)?,
            no: first(&["no_proxy", "NO_PROXY"])?,
        })
    }

    pub async fn print_json(&self, items: Vec<Value>) -> Result<()> {
        self.print(&(json::text(&items.into()) + "\n")).await
    }

    pub async fn print(&self, text: &str) -> Result<()> {
        // Both may be one terminal.
        let _hold = self.report.hold();
        stdout::print(text).await
    }
}

/// Reads targets, each one once, in the order typed.
pub fn targets(names: &[String]) -> Result<Vec<Target>> {
    let targets = names.iter().map(|name| settings::target(name));
    Ok(each_once(Vec::new(), targets.collect::<Result<Vec<_>>>()?))
}

/// Adds what is only stored to the targets that are configured.
pub fn with_stored(targets: Vec<Target>, stored: &[(Key, Entry)]) -> Vec<Target> {
    let target = |(_, entry): &(Key, Entry)| settings::target(&entry.target).ok();
    each_once(targets, stored.iter().filter_map(target))
}

/// Targets, and more of them that are not among them yet.
pub fn each_once(mut targets: Vec<Target>, more: impl IntoIterator<Item = Target>) -> Vec<Target> {
    for target in more {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

/// Why an option does not take a value: the end of a sentence, as clap hands it on.
#[derive(Debug, Clone)]
pub struct Refused(pub Text);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.english())
    }
}

impl std::error::Error for Refused {}

/// Seconds as a person writes them, `30` or `0.5`.
pub fn seconds(text: &str) -> std::result::Result<Duration, Refused> {
    let why = tr!("it must be a number of seconds between 0.001 and 86400");
    match text.parse::<f64>() {
        Ok(time) if (0.001..=86_400.0).contains(&time) => Ok(Duration::from_secs_f64(time)),
        _ => Err(Refused(why)),
    }
}

/// Seconds, or 0 for whatever still lives.
pub fn seconds_or_none(text: &str) -> std::result::Result<Duration, Refused> {
    match text {
        "0" => Ok(Duration::ZERO),
        text => seconds(text),
    }
}

/// The error for an argument that a verb must have; `form` is how the verb is written.
pub fn missing_argument(argument: &str, form: &str, verb: &str) -> Error {
    let missing = tr!("a required argument is missing: {argument}"; argument);
    Error::new(Cause::Usage, missing).hint(match verb {
        "login" | "logout" => tr!(
            "name a target, as in `crmauth {verb} gluo`, or all of them with `crmauth {verb} --all`"; verb),
        _ => tr!("write it as `{form}`; `crmauth {verb} --help` shows more"; form, verb),
    })
}

pub fn target_help() -> String {
    let ids: Vec<&str> = provider::specs().iter().map(|spec| spec.id).collect();
    let ids = ids.join(", ");
    format!("A system ({ids}), or an account of it: gluo@filial")
}

/// A batch's exit code with one more: 0 if all went well, the failures' own code if they agree, else 1.
pub fn both(before: u8, code: u8) -> u8 {
    match (before, code) {
        (0, code) | (code, 0) => code,
        _ if before == code => code,
        _ => 1,
    }
}
