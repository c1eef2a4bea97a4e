//! Suggests the system, the account or the variable that a name which is none was meant to be.

use super::names::{self, Form, OWN, OWN_PREFIX};
use super::sources::{Origin, Sources};
use crate::declaration::{Field, Spec, Target};
use crate::i18n::{Text, tr};
use crate::secret::names_secret;

/// What people call a thing, and its name here; of a setting without what stands before its field.
const SYNONYMS: &[(&str, &str)] = &[
    ("CA_FILE", "--ca-file"),
    ("PASS", "PASSWORD"),
    ("TIMEOUT", "--timeout"),
    ("USER", "USERNAME"),
    ("suitecrm", "hellocloud"),
    ("vtiger", "gluo"),
];

/// Options that people take for variables.
const OPTIONS: [&str; 2] = ["--ca-file", "--timeout"];

/// The best of all valid names: a synonym, or the nearest within two edits, of a short name within one.
pub(super) fn nearest<N: AsRef<str>>(typed: &str, names: impl IntoIterator<Item = N>) -> Option<N> {
    let synonym = SYNONYMS
        .iter()
        .find(|(word, _)| *word == typed)
        .map(|(_, name)| *name);
    let letters = typed.chars().count();
    let edits = |name: &str| {
        let most = (name.len() / 3).clamp(1, 2);
        if synonym == Some(name) {
            return Some(0);
        }
        // Whatever is much longer is not worth the time.
        let near = letters.abs_diff(name.len()) <= most;
        near.then(|| strsim::osa_distance(typed, name))
            .filter(|edits| *edits <= most)
    };
    let near = names
        .into_iter()
        .filter_map(|name| Some((edits(name.as_ref())?, name)));
    near.min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// The word that the last part of a variable was meant to be, or an option. In a name in letters of both cases nothing
/// but the case may be wrong: its end may be a value whose `=` was forgotten.
fn nearest_word(variable: &str, part: &str, words: impl Iterator<Item = String>) -> Option<String> {
    let typed = part.to_ascii_uppercase();
    let word = nearest(&typed, words.chain(OPTIONS.map(str::to_owned)))?;
    let has = |case: fn(&u8) -> bool| variable.bytes().any(|byte| case(&byte));
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    (!mixed || typed == word).then_some(word)
}

/// A target's variable, or the option, that a variable which is no setting was meant to be. Letters of another case and
/// underscores too many or too few before the field are no edits.
fn meant(variable: &str, target: &Target) -> Option<String> {
    let mut rest = variable;
    for part in std::iter::once(target.spec.id).chain(target.account.as_deref()) {
        let (start, end) = rest.split_at_checked(part.len())?;
        let field = end.trim_start_matches('_');
        if !start.eq_ignore_ascii_case(part) || field.len() == end.len() {
            return None;
        }
        rest = field;
    }
    let forms = |field: &'static Field| {
        Form::of(field)
            .iter()
            .map(|form| [field.name, form.suffix()].concat())
    };
    let word = nearest_word(variable, rest, target.spec.all_fields().flat_map(forms))?;
    Some(if OPTIONS.contains(&&*word) {
        word
    } else {
        target.variable(&word)
    })
}

/// Whether a variable holds a secret of one of these systems, or a session of one, or was perhaps meant to.
pub(super) fn may_be_secret(name: &str) -> bool {
    let Some(spec) = names::system(name) else {
        return false;
    };
    let is_secret = |name: &str| Some(names::parse(name)?.field.secret());
    if let Some(secret) = is_secret(name) {
        return secret;
    }
    let (_, field) = name
        .rsplit_once("__")
        .unwrap_or(name.split_at(spec.id.len()));
    let default = Target {
        spec,
        account: None,
    };
    let whole = [spec.id, "_", field.trim_start_matches('_')].concat();
    let whole = whole.to_ascii_uppercase();
    names_secret(field) || meant(&whole, &default).and_then(|meant| is_secret(&meant)) == Some(true)
}

/// The variable of crmauth's own that this one is, or was meant to be; or the option.
pub(super) fn meant_own(variable: &str) -> Option<String> {
    let (prefix, rest) = variable.split_at_checked(OWN_PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(OWN_PREFIX) {
        return None;
    }
    let word = nearest_word(
        variable,
        rest,
        OWN.iter().map(|own| own[OWN_PREFIX.len()..].to_owned()),
    )?;
    Some(if OPTIONS.contains(&&*word) {
        word
    } else {
        [OWN_PREFIX, &word].concat()
    })
}

/// A variable that begins like a system's settings and is none.
#[derive(Clone)]
pub(super) struct Unknown {
    name: String,
    origin: Origin,
    spec: &'static Spec,
    /// What it was meant to be if it is about the default account.
    of_default: Option<String>,
}

impl Unknown {
    /// `None` where the name begins like no system's settings.
    pub fn new(name: &str, origin: Origin) -> Option<Self> {
        let spec = names::system(name)?;
        let of_default = meant(
            name,
            &Target {
                spec,
                account: None,
            },
        );
        Some(Self {
            name: name.to_owned(),
            origin,
            spec,
            of_default,
        })
    }

    /// A target's variable, the default account's that it takes over, or the option that this one was meant to be.
    fn meant(&self, target: &Target) -> Option<String> {
        if self.spec.id != target.spec.id {
            return None;
        }
        let taken = |name: &String| names::parse(name).is_none_or(|name| name.field.inherited());
        let of_default = || {
            self.of_default
                .clone()
                .filter(|name| target.account.is_none() || taken(name))
        };
        let own = target
            .account
            .as_ref()
            .and_then(|_| meant(&self.name, target));
        own.or_else(of_default)
    }
}

impl Sources {
    /// Variables that are no settings and were perhaps meant to be some of this target's.
    pub fn near_misses(&self, target: &Target) -> Vec<Text> {
        let is_set = |meant: &str| {
            names::parse(meant)
                .is_some_and(|name| self.hits(&name.target, name.field).next().is_some())
        };
        let unknown = self.unknown.iter();
        unknown
            .filter_map(|other| {
                // What is set was not mistyped: the other one is another program's.
                let meant = other.meant(target).filter(|meant| !is_set(meant))?;
                Some(no_setting(&other.name, &other.origin, &meant))
            })
            .collect()
    }

    /// A variable that is no setting and was perhaps meant to be this one, which is missing.
    pub(super) fn near_miss(&self, target: &Target, field: &Field) -> Option<Text> {
        self.unknown.iter().find_map(|other| {
            let meant = other.meant(target)?;
            let this = names::parse(&meant)?.field.name == field.name;
            this.then(|| no_setting(&other.name, &other.origin, &meant))
        })
    }

    /// The account with settings that one without any was perhaps meant to be.
    pub(super) fn near_account(&self, target: &Target) -> Option<Target> {
        let typed = target.account.as_ref()?;
        if self.sets(target, |_| true) {
            return None;
        }
        let known = self
            .configured()
            .into_iter()
            .filter(|other| other.spec.id == target.spec.id);
        let account = nearest(typed, known.filter_map(|other| other.account))?;
        Some(Target {
            spec: target.spec,
            account: Some(account),
        })
    }
}

/// Says that a variable is no setting and what it was meant to be.
pub(super) fn no_setting(name: &str, origin: &Origin, meant: &str) -> Text {
    tr!(
        "{name} ({origin}) is no setting; did you mean {meant}?",
        name,
        origin = origin.text(),
        meant
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::fixture::target;

    #[test]
    fn what_is_nearly_a_setting_was_meant_to_be_it() {
        for (text, account, expected) in [
            ("GLUO_USERNAM", "gluo", "GLUO_USERNAME"),
            ("GLUO_USER", "gluo", "GLUO_USERNAME"),
            ("gluo_username", "gluo", "GLUO_USERNAME"),
            ("Gluo_Url", "gluo", "GLUO_URL"),
            ("GLUO_ULR", "gluo", "GLUO_URL"),
            ("GLUO_ALOW_HTTP", "gluo", "GLUO_ALLOW_HTTP"),
            ("GLUO_ACESS_KEY_FIEL", "gluo", "GLUO_ACCESS_KEY_FILE"),
            ("GLUO__URL", "gluo", "GLUO_URL"),
            ("GLUO_TIMEOUT", "gluo", "--timeout"),
            ("ZEEV_PASS", "zeev", "ZEEV_PASSWORD"),
            (
                "GLUO__FILIAL__USRNAME",
                "gluo@filial",
                "GLUO__FILIAL__USERNAME",
            ),
            (
                "GLUO__FILIAL_USERNAME",
                "gluo@filial",
                "GLUO__FILIAL__USERNAME",
            ),
            (
                "GLUO_FILIAL__USERNAME",
                "gluo@filial",
                "GLUO__FILIAL__USERNAME",
            ),
            (
                "GLUO_FILIAL_USERNAME",
                "gluo@filial",
                "GLUO__FILIAL__USERNAME",
            ),
            ("gluo__filial__url", "gluo@filial", "GLUO__FILIAL__URL"),
            // What a named account takes from the default one, and what is everybody's.
            ("GLUO_ULR", "gluo@filial", "GLUO_URL"),
            (
                "BROKER_PARTNER_TOKE",
                "broker@filial",
                "BROKER_PARTNER_TOKEN",
            ),
            ("GLUO_TIMEOUT", "gluo@filial", "--timeout"),
        ] {
            assert!(names::parse(text).is_none(), "{text}");
            let unknown = Unknown::new(text, Origin::Environment).expect(text);
            assert_eq!(
                unknown.meant(&target(account)).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for (text, account) in [
            ("GLUO_USERNAM", "gluo@filial"),
            ("GLUO_ULR", "zeev"),
            ("GLUO__A__USERNAM", "gluo"),
            ("GLUO__A__USERNAM", "gluo@b"),
            ("GLUO__DA__USERNAM", "gluo@d"),
            // Others' variables, and those that the output formats make.
            ("GLUO_COLOR", "gluo"),
            ("GLUO_TOKEN", "gluo"),
            ("GLUO_TOKEN_EXPIRES_AT", "gluo"),
            ("GLUO__FILIAL__TOKEN", "gluo@filial"),
            ("BROKER_TOKEN", "broker"),
            ("HELLOCLOUD_TOKEN", "hellocloud"),
            ("SYSTEMSWAY_TOKEN", "systemsway"),
            ("GLUO_UID", "gluo"),
            ("GLUO_URL_OLD", "gluo"),
            ("GLUO_", "gluo"),
            ("GLUO__", "gluo"),
            ("GLUO_ACCESS_KEYab", "gluo"),
        ] {
            let unknown = Unknown::new(text, Origin::Environment).expect(text);
            assert_eq!(unknown.meant(&target(account)), None, "{text}");
        }
        for text in ["GLUOX_URL", "GLUOURL", "XGLUO_URL", ""] {
            assert!(Unknown::new(text, Origin::Environment).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_nearly_one_of_crmauths_own_was_meant_to_be_it() {
        for (text, meant) in [
            ("CRMAUTH_STOER", Some("CRMAUTH_STORE")),
            ("CRMAUTH_STORE_KEY", Some("CRMAUTH_STORE_KEY")),
            ("crmauth_lang", Some("CRMAUTH_LANG")),
            ("CRMAUTH_ENVFILE", Some("CRMAUTH_ENV_FILE")),
            ("CRMAUTH_TIMEOUT", Some("--timeout")),
            ("CRMAUTH_COLOR", None),
            ("CRMAUTH_LONG_NAME", None),
            ("CRMAUTH_", None),
            ("CRMAUTH", None),
        ] {
            assert_eq!(meant_own(text).as_deref(), meant, "{text}");
        }
    }
}
