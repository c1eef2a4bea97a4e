//! Which variables are ours: `PREFIX_FIELD`, `PREFIX__ACCOUNT__FIELD`, a secret's `_FILE` and `_CMD`, and crmauth's
//! own; and which ones are nearly ours.

use super::target::distance;
use crate::declaration::{Field, Spec, Target};
use crate::provider;

/// How a variable gives its field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The value itself.
    Plain,
    /// The path of a file that holds it.
    File,
    /// A command that prints it.
    Command,
}

impl Form {
    /// The forms that a field's value may have.
    pub fn of(field: &Field) -> &'static [Self] {
        if field.secret() { &[Self::Plain, Self::File, Self::Command] } else { &[Self::Plain] }
    }

    /// What the form adds to the field's variable.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::File => "_FILE",
            Self::Command => "_CMD",
        }
    }
}

/// crmauth's own variables, which are read from the environment alone.
pub(super) const OWN: [&str; 7] = [
    "CRMAUTH_ENV_FILE",
    "CRMAUTH_LANG",
    "CRMAUTH_STORE",
    "CRMAUTH_STORE_ALLOW_PLAIN",
    "CRMAUTH_STORE_KEY",
    "CRMAUTH_STORE_KEY_CMD",
    "CRMAUTH_STORE_KEY_FILE",
];
/// What each of [`OWN`] begins with.
const OWN_PREFIX: &str = "CRMAUTH_";
/// What people take for a variable and is an option.
const OPTIONS: [(&str, &str); 2] = [("TIMEOUT", "--timeout"), ("CA_FILE", "--ca-file")];

/// A variable of ours, taken apart.
#[derive(Debug)]
pub(super) struct Name {
    pub target: Target,
    pub field: &'static Field,
    pub form: Form,
}

/// Whether a variable of that name is a setting.
pub fn is_setting(name: &str) -> bool {
    parse(name).is_some()
}

/// The system whose settings begin like this variable's name, in letters of any case, and what stands behind that.
fn begun(name: &str) -> Option<(&'static Spec, &str)> {
    provider::specs().into_iter().find_map(|spec| {
        let (prefix, rest) = name.split_at_checked(spec.id.len())?;
        (prefix.eq_ignore_ascii_case(spec.id) && rest.starts_with('_')).then_some((spec, rest))
    })
}

/// Whether a variable's name begins like one of these systems' settings.
pub(super) fn is_of(name: &str) -> bool {
    begun(name).is_some()
}

/// Whether a variable of that name holds a secret of one of these systems, or says where one is.
pub(super) fn is_secret(name: &str) -> bool {
    parse(name).is_some_and(|name| name.field.secret())
}

/// Takes a variable's name apart; `None` for one that is not ours.
pub(super) fn parse(text: &str) -> Option<Name> {
    let (spec, rest) = begun(text)?;
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let (account, field) = match rest.strip_prefix("__") {
        // From the right: an account may end in `_`, no field begins with one.
        Some(rest) => {
            let (account, field) = rest.rsplit_once("__")?;
            let account = account.to_ascii_lowercase();
            if !is_account(&account) {
                return None;
            }
            (Some(account), field)
        }
        None => (None, rest.strip_prefix('_')?),
    };
    spec.all_fields().find_map(|declared| {
        let form = field.strip_prefix(declared.name).and_then(|suffix| {
            let forms = Form::of(declared).iter();
            forms.copied().find(|form| form.suffix() == suffix)
        })?;
        Some(Name { target: Target { spec, account: account.clone() }, field: declared, form })
    })
}

/// What a variable that is no setting may have been meant to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meant {
    /// The account that it would be of.
    pub target: Target,
    /// Whether a named account takes it over from the default one.
    pub shared: bool,
    /// The variable that there is, or the option.
    pub name: String,
}

/// The setting that a variable which is none may have been meant to be: one of the same system in letters of another
/// case, or with a slip or two.
pub(super) fn near(text: &str) -> Option<Meant> {
    let (spec, rest) = begun(text)?;
    let body = rest.trim_start_matches('_').to_ascii_uppercase();
    let forms = |field: &'static Field| Form::of(field).iter().map(move |form| (field, form.suffix()));
    let slips = spec.all_fields().flat_map(forms).filter_map(|(field, suffix)| {
        let word = [field.name, suffix].concat();
        // Before the field an underscore may be missing, if there is an account.
        let joined = || Some((body.strip_suffix(&word)?.strip_suffix('_')?, word.as_str()));
        let apart = body.rsplit_once("__").or_else(|| joined().filter(|_| rest.starts_with("__")));
        let (account, typed) = match apart {
            Some((account, typed)) => (Some(account.to_ascii_lowercase()), typed),
            None => (None, body.as_str()),
        };
        let slips = slips(text, typed, &word).filter(|_| account.as_deref().is_none_or(is_account))?;
        let target = Target { spec, account };
        Some((slips, Meant { name: target.variable(&word), shared: field.inherited(), target }))
    });
    let setting = slips.min_by_key(|(slips, _)| *slips).map(|(_, meant)| meant);
    let target = Target { spec, account: None };
    setting.or_else(|| Some(Meant { target, shared: true, name: option(&body)?.to_owned() }))
}

/// The variable of crmauth's own that this one is, or may have been meant to be; or the option.
pub(super) fn near_own(text: &str) -> Option<&'static str> {
    let (prefix, rest) = text.split_at_checked(OWN_PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(OWN_PREFIX) {
        return None;
    }
    let body = rest.to_ascii_uppercase();
    let slips = OWN.iter().filter_map(|own| Some((slips(text, &body, &own[OWN_PREFIX.len()..])?, *own)));
    slips.min_by_key(|(slips, _)| *slips).map(|(_, own)| own).or_else(|| option(&body))
}

fn option(word: &str) -> Option<&'static str> {
    OPTIONS.iter().find(|(name, _)| *name == word).map(|(_, option)| *option)
}

/// By how many slips a part of a variable, typed in upper case here, is another word; `None` for more than a mistyped
/// one has. In letters of both cases nothing but that may be wrong: a value may stand there.
fn slips(variable: &str, typed: &str, word: &str) -> Option<usize> {
    let both = |test: fn(&u8) -> bool| variable.bytes().any(|byte| test(&byte));
    if both(u8::is_ascii_lowercase) && both(u8::is_ascii_uppercase) && typed != word {
        return None;
    }
    let most = (word.len() / 3).clamp(1, 2);
    let near = typed.len().abs_diff(word.len()) <= most;
    let slips = near.then(|| distance(&typed.chars().collect::<Vec<_>>(), word));
    slips.filter(|slips| *slips <= most)
}

/// Whether a text can be an account's name: `[a-z0-9_]`, not empty, no `__`.
pub(super) fn is_account(text: &str) -> bool {
    !text.is_empty()
        && !text.contains("__")
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_setting_was_meant_to_be_it() {
        for (text, meant) in [
            ("GLUO_USERNAM", "GLUO_USERNAME"),
            ("gluo_username", "GLUO_USERNAME"),
            ("Gluo_Url", "GLUO_URL"),
            ("GLUO_ULR", "GLUO_URL"),
            ("GLUO_ALOW_HTTP", "GLUO_ALLOW_HTTP"),
            ("GLUO_ACESS_KEY_FIEL", "GLUO_ACCESS_KEY_FILE"),
            ("GLUO__FILIAL__USRNAME", "GLUO__FILIAL__USERNAME"),
            ("GLUO__FILIAL_USERNAME", "GLUO__FILIAL__USERNAME"),
            ("GLUO_FILIAL__USERNAME", "GLUO__FILIAL__USERNAME"),
            ("gluo__filial__url", "GLUO__FILIAL__URL"),
            ("GLUO__URL", "GLUO_URL"),
            ("GLUO_TIMEOUT", "--timeout"),
        ] {
            assert!(parse(text).is_none(), "{text}");
            assert_eq!(near(text).map(|meant| meant.name).as_deref(), Some(meant), "{text}");
        }
        // Others' variables, and those that the output formats make.
        for text in [
            "GLUO_COLOR",
            "GLUO_TOKEN",
            "GLUO_TOKEN_EXPIRES_AT",
            "GLUO__FILIAL__TOKEN",
            "BROKER_TOKEN",
            "HELLOCLOUD_TOKEN",
            "SYSTEMSWAY_TOKEN",
            "GLUO_UID",
            "GLUO_URL_OLD",
            "GLUOX_URL",
            "GLUOURL",
            "GLUO_",
            "GLUO__",
            "GLUO_ACCESS_KEYab",
            "XGLUO_URL",
            "",
        ] {
            assert_eq!(near(text), None, "{text}");
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
            assert_eq!(near_own(text), meant, "{text}");
        }
    }

    #[test]
    fn variables_are_taken_apart() {
        for (text, expected) in [
            ("GLUO_URL", Some(("gluo", "URL", Form::Plain))),
            ("GLUO_ACCESS_KEY", Some(("gluo", "ACCESS_KEY", Form::Plain))),
            ("GLUO_ACCESS_KEY_FILE", Some(("gluo", "ACCESS_KEY", Form::File))),
            ("GLUO_ACCESS_KEY_CMD", Some(("gluo", "ACCESS_KEY", Form::Command))),
            ("GLUO__FILIAL__URL", Some(("gluo@filial", "URL", Form::Plain))),
            ("GLUO__A_1__ACCESS_KEY_CMD", Some(("gluo@a_1", "ACCESS_KEY", Form::Command))),
            ("GLUO__A___URL", Some(("gluo@a_", "URL", Form::Plain))),
            ("GLUO____A__URL", None),
            ("GLUO___A__URL", Some(("gluo@_a", "URL", Form::Plain))),
            ("GLUO__A__B__URL", None),
            ("GLUO____URL", None),
            ("GLUO__FILIAL_URL", None),
            ("GLUO__filial__URL", None),
            ("GLUO__\u{c9}__URL", None),
            ("GLUO_URL_FILE", None),
            ("GLUO_URL_CMD", None),
            ("GLUO_TOKEN", None),
            ("GLUO_ALLOW_HTTP", Some(("gluo", "ALLOW_HTTP", Form::Plain))),
            ("gluo_url", None),
            ("XGLUO_URL", None),
            ("GLUOURL", None),
            ("", None),
        ] {
            let name = parse(text);
            let found = name.as_ref().map(|n| (n.target.to_string(), n.field.name, n.form));
            let expected = expected.map(|(target, field, form)| (target.to_owned(), field, form));
            assert_eq!(found, expected, "{text}");
            if let Some(name) = name {
                let variable = name.target.variable(name.field.name) + name.form.suffix();
                assert_eq!(variable, text);
            }
        }
    }
}
