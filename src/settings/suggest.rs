//! Suggests the system, the account or the variable that a name which is none was meant to be.

use super::names::{self, Form, OWN, OWN_PREFIX};
use super::setting::{Origin, Setting};
use super::sources::Sources;
use crate::declaration::{Field, Kind, Spec, Target};
use crate::i18n::{Text, and, tr};
use crate::provider;
use crate::secret::names_secret;

/// Names, each with what people call the thing, in lower case and without marks.
const SYNONYMS: &str = include_str!("synonyms.txt");

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
        let near = letters.abs_diff(name.len()) <= most;
        near.then(|| strsim::osa_distance(typed, name))
            .filter(|edits| *edits <= most)
    };
    let near = names
        .into_iter()
        .filter_map(|name| Some((rank(name.as_ref())?, name)));
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
    let forms = [("", ""), ("file", "_FILE"), ("cmd", "_CMD")].into_iter();
    let mut whole =
        forms.filter_map(|(end, form)| Some((typed.strip_suffix(end)?, name.strip_suffix(form)?)));
    whole.any(|(typed, name)| called(typed, name))
}

/// The variable whose last part was meant to be one of these words, or the option. In a name in letters of both cases
/// nothing but the case may be wrong: its end may be a value whose `=` was forgotten.
fn nearest_variable(
    typed: &str,
    last_part: &str,
    words: impl Iterator<Item = String>,
    variable: impl FnOnce(&str) -> String,
) -> Option<String> {
    let last_part = last_part.to_ascii_uppercase();
    let option = OPTIONS
        .into_iter()
        .find(|option| plain(option) == plain(&last_part));
    let word = nearest(&last_part, words).or(option.map(str::to_owned))?;
    let has = |case: fn(&u8) -> bool| typed.bytes().any(|byte| case(&byte));
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    if mixed && last_part != word {
        return None;
    }
    Some(match OPTIONS.contains(&&*word) {
        true => word,
        false => variable(&word),
    })
}

/// A target's variable, or the option, that a variable which is no setting was meant to be. Letters of another case and
/// underscores too many or too few before the field are no edits.
fn meant(variable: &str, target: &Target) -> Option<String> {
    let spec = target.spec;
    let alias =
        names::after(spec.aliases, variable).or_else(|| names::after(spec.known_as, variable));
    let mut rest = alias.map_or(variable, |after| after.trim_start_matches('_'));
    let id = std::iter::once(spec.id).filter(|_| alias.is_none());
    for part in id.chain(target.account.as_deref()) {
        let (start, end) = rest.split_at_checked(part.len())?;
        let field = end.trim_start_matches('_');
        if !start.eq_ignore_ascii_case(part) || field.len() == end.len() {
            return None;
        }
        rest = field;
    }
    let words = spec.all_fields().flat_map(|field| {
        let forms = Form::of(field).iter();
        forms.map(|form| [field.name, form.suffix()].concat())
    });
    nearest_variable(variable, rest, words, |word| target.variable(word))
}

/// The target's variable that an option was meant to set.
pub fn variable_meant(option: &str, target: &Target) -> Option<String> {
    let fields = target.spec.all_fields().map(|field| field.name);
    let option = option.trim_start_matches('-').to_ascii_uppercase();
    nearest(&option, fields).map(|field| target.variable(field))
}

/// The system whose seed script's names a file has, or nearly: what it calls the URL or a secret is unmistakable.
pub(super) fn seed_style<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<&'static Spec> {
    names.find_map(|name| {
        let plain = plain(name);
        let tells = |spec: &Spec, field: &Field| match spec.seed_name(field) {
            Some(seed) if field.secret() => nearest(&plain, [seed]).is_some(),
            seed => field.kind == Kind::Url && seed == Some(&plain),
        };
        let mut specs = provider::specs().into_iter();
        specs.find(|spec| spec.all_fields().any(|field| tells(spec, field)))
    })
}

/// The field that a name in such a file was meant to be, and its name there.
fn seed(name: &str, spec: &'static Spec) -> Option<(&'static Field, &'static str)> {
    let plain = plain(name);
    let fields = spec.all_fields();
    let mut seeds = fields.filter_map(|field| Some((field, spec.seed_name(field)?)));
    seeds.find(|(field, seed)| nearest(&plain, [*seed, field.name]).is_some())
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
    let whole = [spec.id, "_", field.trim_start_matches('_')].concat();
    let meant = meant(&whole.to_ascii_uppercase(), &Target::new(spec, None));
    names_secret(field) || meant.and_then(|meant| is_secret(&meant)) == Some(true)
}

/// The variable of crmauth's own that this one is, or was meant to be; or the option.
pub(super) fn meant_own(variable: &str) -> Option<String> {
    let (prefix, rest) = variable.split_at_checked(OWN_PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(OWN_PREFIX) {
        return None;
    }
    let words = OWN.iter().map(|own| own[OWN_PREFIX.len()..].to_owned());
    nearest_variable(variable, rest, words, |word| [OWN_PREFIX, word].concat())
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
        let known = |spec: &&Spec| names::after(spec.known_as, &variable).is_some();
        let known = || provider::specs().into_iter().find(known);
        let spec = names::system(&variable).or_else(known);
        let seed = style.and_then(|style| seed(name, style));
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
        if target.account.is_none() {
            return self.of_default.clone();
        }
        let taken = |name: &String| names::parse(name).is_none_or(|name| name.field.inherited());
        let of_default = || self.of_default.clone().filter(taken);
        meant(&self.variable, target).or_else(of_default)
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
        let mut fields = target.spec.all_fields();
        let has_seed = |field: &Field| target.spec.seed_name(field).is_some();
        let is_variable = |hit: &Setting| names::parse(&hit.written).is_some();
        let by_variable =
            fields.any(|field| has_seed(field) && self.hits(target, field).any(is_variable));
        self.unknown.iter().find_map(|other| {
            let meant = other.meant(target)?;
            let this = names::parse(&meant)?.field.name == field.name;
            let seed = other.seed.filter(|_| this && !by_variable);
            let Some(seed) = seed else {
                return this.then(|| other.text(&meant));
            };
            let fields = target.spec.all_fields();
            let names = fields.filter_map(|field| target.spec.seed_name(field));
            let others = and(&names.filter(|name| *name != seed).collect::<Vec<_>>());
            let hint = other.text(seed);
            (other.name != seed).then(|| tr!("{hint} It goes with {others}", hint, others))
        })
    }

    /// The account with settings that one without any was perhaps meant to be.
    pub(super) fn near_account(&self, target: &Target) -> Option<Target> {
        let typed = target.account.as_ref()?;
        if self.sets(target, |_| true) {
            return None;
        }
        let configured = self.configured().into_iter();
        let known = configured.filter(|other| other.spec.id == target.spec.id);
        let account = nearest(typed, known.filter_map(|other| other.account))?;
        Some(Target::new(target.spec, Some(account)))
    }
}

/// Says that a variable is no setting and what it was meant to be.
pub(super) fn no_setting(name: &str, origin: &Origin, meant: &str) -> Text {
    tr!(
        "{name} ({origin}) is not a setting; did you mean {meant}?",
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
        // What was typed, the target, and what was meant: nothing in others' variables and those that the formats make.
        let table = "\
            GLUO_USERNAM|GLUO_USER|GLUO_EMAIL|gluo_username gluo GLUO_USERNAME
            GLUO_BASE_URL|GLUO_ENDERECO|GLUO-URL|VTIGER_URL|Gluo_Url|GLUO_ULR|GLUO__URL gluo GLUO_URL
            GLUO_API_KEY|GLUO_SENHA|gluo.access_key|vtiger_accesskey gluo GLUO_ACCESS_KEY
            GLUO_PASSWORD_FILE|GLUO_ACESS_KEY_FIEL gluo GLUO_ACCESS_KEY_FILE
            GLUO_CHAVE_CMD gluo GLUO_ACCESS_KEY_CMD
            SUITECRM_CLIENT_ID hellocloud HELLOCLOUD_CLIENT_ID
            HELLOCLOUD_SEGREDO hellocloud HELLOCLOUD_CLIENT_SECRET
            ZEEV_PWD|ZEEV_PASS zeev ZEEV_PASSWORD
            ZEEV_CHAVE zeev ZEEV_API_TOKEN
            GLUO_CERT|GLUO__A__USERNAM|GLUO_COLOR|GLUO_TOKEN|GLUO_TOKEN_EXPIRES_AT|GLUO_UID|GLUO_URL_OLD gluo
            GLUO_|GLUO__|GLUO_ACCESS_KEYab gluo
            GLUO_ALOW_HTTP gluo GLUO_ALLOW_HTTP
            GLUO_TIMEOUT gluo --timeout
            GLUO__FILIAL__USRNAME|GLUO__FILIAL_USERNAME|GLUO_FILIAL__USERNAME gluo@filial GLUO__FILIAL__USERNAME
            GLUO_FILIAL_USERNAME gluo@filial GLUO__FILIAL__USERNAME
            gluo__filial__url gluo@filial GLUO__FILIAL__URL
            GLUO_ULR gluo@filial GLUO_URL
            BROKER_PARTNER_TOKE broker@filial BROKER_PARTNER_TOKEN
            GLUO_TIMEOUT gluo@filial --timeout
            GLUO_USERNAM|GLUO__FILIAL__TOKEN gluo@filial
            GLUO_ULR zeev
            GLUO__A__USERNAM gluo@b
            GLUO__DA__USERNAM gluo@d
            BROKER_TOKEN broker
            HELLOCLOUD_TOKEN hellocloud
            SYSTEMSWAY_TOKEN systemsway";
        for line in table.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let target = target(words[1]);
            for typed in words[0].split('|') {
                assert!(names::parse(typed).is_none(), "{typed}");
                let unknown = Unknown::new(typed, Origin::Environment, None).expect(line);
                let meant = unknown.meant(&target);
                assert_eq!(meant.as_deref(), words.get(2).copied(), "{typed}");
            }
        }
        for text in ["GLUOX_URL", "GLUOURL", "XGLUO_URL", ""] {
            assert!(
                Unknown::new(text, Origin::Environment, None).is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_nearly_one_of_crmauths_own_was_meant_to_be_it() {
        for (text, meant) in [
            ("CRMAUTH_STOER", "CRMAUTH_STORE"),
            ("CRMAUTH_STORE_KEY", "CRMAUTH_STORE_KEY"),
            ("crmauth_lang", "CRMAUTH_LANG"),
            ("CRMAUTH_ENVFILE", "CRMAUTH_ENV_FILE"),
            ("CRMAUTH_TIMEOUT", "--timeout"),
        ] {
            assert_eq!(meant_own(text).as_deref(), Some(meant), "{text}");
        }
        for text in ["CRMAUTH_COLOR", "CRMAUTH_LONG_NAME", "CRMAUTH_", "CRMAUTH"] {
            assert_eq!(meant_own(text), None, "{text}");
        }
    }
}
