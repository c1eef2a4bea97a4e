//! Suggests the system, the account or the variable that a name which is none was meant to be.

use super::names::{self, Form};
use super::setting::{Origin, Setting};
use super::sources::Sources;
use crate::declaration::{Field, Kind, Spec, Target};
use crate::i18n::{Text, and, tr};
use crate::provider;

/// Names, each with what people call the thing, in lower case and without marks.
const SYNONYMS: &str = include_str!("synonyms.txt");

/// crmauth's own variables, behind `CRMAUTH_`, which are read from the environment alone.
const OWN: &str = "ENV_FILE LANG STORE STORE_ALLOW_PLAIN STORE_KEY STORE_KEY_CMD STORE_KEY_FILE";

/// Options that people take for variables.
const OPTIONS: [&str; 2] = ["--ca-file", "--timeout"];

/// The best of all valid names: the same letters or a synonym, what it is the beginning of, or the nearest within two
/// edits, of a short name within one, of two letters within none.
pub fn nearest<N: AsRef<str>>(typed: &str, names: impl IntoIterator<Item = N>) -> Option<N> {
    let (letters, plain) = (typed.chars().count(), plain(typed));
    let rank = |name: &str| {
        if !plain.is_empty() && (self::plain(name) == plain || is_synonym(&plain, name)) {
            return Some(0);
        }
        let rest = name.strip_prefix(typed).filter(|_| letters > 2);
        if rest.is_some_and(|rest| rest.starts_with(char::is_alphabetic)) {
            return Some(1);
        }
        let most = (name.trim_start_matches('-').len() / 3).min(2);
        // Whatever is much longer is not worth the time.
        let is_near = letters.abs_diff(name.len()) <= most;
        let edits = is_near.then(|| strsim::osa_distance(typed, name));
        edits.filter(|edits| *edits <= most)
    };
    let names = names.into_iter();
    let near = names.filter_map(|name| Some((rank(name.as_ref())?, name)));
    near.min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

fn plain(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether people call a thing so; a variable's form is written behind the one as behind the other.
fn is_synonym(typed: &str, name: &str) -> bool {
    let called = |typed: &str, name: &str| {
        let mut words = SYNONYMS.lines().filter_map(|line| line.split_once(": "));
        words.any(|(known, words)| known == name && words.split(' ').any(|word| word == typed))
    };
    let mut forms = [("", ""), ("file", "_FILE"), ("cmd", "_CMD")].into_iter();
    forms.any(|(end, form)| {
        let parts = typed.strip_suffix(end).zip(name.strip_suffix(form));
        parts.is_some_and(|(typed, name)| called(typed, name))
    })
}

/// The variable with this prefix whose last part was meant to be one of these words, or the option. In a name in letters
/// of both cases nothing but the case may be wrong: its end may be a value whose `=` was forgotten.
fn nearest_variable(
    typed: &str,
    last_part: &str,
    prefix: &str,
    words: impl Iterator<Item = String>,
) -> Option<String> {
    let last_part = last_part.to_ascii_uppercase();
    let has = |case: fn(&u8) -> bool| typed.bytes().any(|byte| case(&byte));
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    let is_option = |option: &&str| !mixed && plain(option) == plain(&last_part);
    match nearest(&last_part, words) {
        Some(word) => (!mixed || word == last_part).then(|| [prefix, "_", &word].concat()),
        None => OPTIONS.into_iter().find(is_option).map(str::to_owned),
    }
}

/// A target's variable, or the option, that a variable was meant to be. Case and underscores before it are no edits.
pub(super) fn meant(variable: &str, target: &Target) -> Option<String> {
    let spec = target.spec;
    let mut rest = names::known(spec).find_map(|name| names::after(name, variable))?;
    if let Some(account) = &target.account {
        rest = names::after(account, rest.trim_start_matches('_'))?;
    }
    let words = spec.all_fields().flat_map(|field| {
        let forms = Form::of(field).iter();
        forms.map(|form| [field.name, form.suffix()].concat())
    });
    let rest = rest.trim_start_matches('_');
    nearest_variable(variable, rest, &target.prefix(), words)
}

/// The target's variable that an option was meant to set.
pub fn variable_meant(option: &str, target: &Target) -> Option<String> {
    let fields = target.spec.all_fields().map(|field| field.name);
    let option = option.trim_start_matches('-').to_ascii_uppercase();
    nearest(&option, fields).map(|field| target.variable(field))
}

/// The system whose seed script's names a file has, or nearly: what it calls the URL or a secret is unmistakable.
pub(super) fn seed_style<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<&'static Spec> {
    let tells = |name: &str, (field, seed): (&Field, &str)| match field.secret() {
        true => nearest(name, [seed]).is_some(),
        false => field.kind == Kind::Url && seed == name,
    };
    names.find_map(|name| {
        let name = plain(name);
        let is_of = |spec: &&Spec| spec.seeds().any(|seed| tells(&name, seed));
        provider::specs().into_iter().find(is_of)
    })
}

/// The variable of crmauth's own that this one is, or was meant to be; or the option.
pub(super) fn meant_own(variable: &str) -> Option<String> {
    let rest = names::after("CRMAUTH", variable)?;
    let words = OWN.split(' ').map(str::to_owned);
    nearest_variable(variable, &rest[1..], "CRMAUTH", words)
}

/// A variable that begins like a system's settings and is none.
#[derive(Clone)]
pub(super) struct Unknown {
    name: String,
    /// The name as variables are written.
    variable: String,
    origin: Origin,
    spec: &'static Spec,
    /// What it was meant to be if it is about the default account.
    of_default: Option<String>,
    /// The name that it was meant to be in a seed script's file.
    seed: Option<&'static str>,
}

impl Unknown {
    /// `None` where the name begins like no system's settings, and is none of those in a file of a seed script's `style`.
    pub fn new(name: &str, origin: Origin, style: Option<&'static Spec>) -> Option<Self> {
        let variable = name.replace(['-', '.'], "_");
        let seed = style.and_then(|style| {
            let plain = plain(name);
            let mut seeds = style.seeds();
            seeds.find(|(field, seed)| nearest(&plain, [*seed, field.name]).is_some())
        });
        let begins = |name| names::after(name, &variable).is_some();
        let mut specs = provider::specs().into_iter();
        let spec = specs.find(|spec| names::known(spec).any(begins));
        let spec = spec.or(style.filter(|_| seed.is_some()))?;
        let default = Target::new(spec, None);
        let of_seed = || Some(default.variable(seed?.0.name));
        let of_default = meant(&variable, &default).or_else(of_seed);
        Some(Self {
            name: name.to_owned(),
            variable,
            origin,
            spec,
            of_default,
            seed: seed.map(|(_, name)| name),
        })
    }

    /// A target's variable, the default account's that it takes over, or the option that this one was meant to be.
    fn meant(&self, target: &Target) -> Option<String> {
        if self.spec.id != target.spec.id {
            return None;
        }
        let taken = |name: &String| names::parse(name).is_none_or(|name| name.field.inherited());
        match target.account {
            None => self.of_default.clone(),
            Some(_) => {
                meant(&self.variable, target).or_else(|| self.of_default.clone().filter(taken))
            }
        }
    }

    fn text(&self, meant: &str) -> Text {
        no_setting(&self.name, &self.origin, meant)
    }
}

impl Sources {
    /// Variables that are no settings and were perhaps meant to be some of this target's.
    pub fn near_misses(&self, target: &Target) -> Vec<Text> {
        let is_set = |name: names::Name| self.hits(&name.target, name.field).next().is_some();
        // What is set was not mistyped: the other one is another program's.
        let open = |meant: &String| !names::parse(meant).is_some_and(is_set);
        let near = |other: &Unknown| Some(other.text(&other.meant(target).filter(open)?));
        let ours = |other: &&Unknown| names::system(&other.variable).is_some();
        self.unknown.iter().filter(ours).filter_map(near).collect()
    }

    /// A variable that is no setting and was perhaps meant to be this one, which is missing.
    pub(super) fn near_miss(&self, target: &Target, field: &Field) -> Option<Text> {
        let is_variable = |hit: &Setting| names::parse(&hit.written).is_some();
        let mut seeds = target.spec.seeds();
        let by_variable = seeds.any(|(field, _)| self.hits(target, field).any(is_variable));
        self.unknown.iter().find_map(|other| {
            let meant = other.meant(target)?;
            names::parse(&meant).filter(|meant| meant.field.name == field.name)?;
            let Some(seed) = other.seed.filter(|_| !by_variable) else {
                return Some(other.text(&meant));
            };
            let others = target.spec.seeds().map(|(_, name)| name);
            let others: Vec<_> = others.filter(|name| *name != seed).collect();
            let (hint, others) = (other.text(seed), and(&others));
            (other.name != seed).then(|| tr!("{hint} It goes with {others}"; hint, others))
        })
    }

    /// Which account with settings one without any was perhaps meant to be.
    pub(super) fn near_account(&self, target: &Target) -> Option<Text> {
        let set = self.sets(target, |_| true);
        let typed = target.account.as_ref().filter(|_| !set)?;
        let mut known = self.configured();
        known.retain(|other| other.spec.id == target.spec.id);
        let account = nearest(typed, known.into_iter().filter_map(|other| other.account))?;
        let near = Target::new(target.spec, Some(account));
        Some(tr!("{target} has no settings; did you mean `{near}`?"; target, near))
    }
}

/// Says that a variable is no setting and what it was meant to be.
pub(super) fn no_setting(name: &str, origin: &Origin, meant: &str) -> Text {
    let origin = origin.text();
    tr!("{name} ({origin}) is not a setting; did you mean {meant}?"; name, origin, meant)
}
