//! Which variables are ours: `PREFIX_FIELD`, `PREFIX__ACCOUNT__FIELD`, a secret's `_FILE` and `_CMD`, and crmauth's
//! own.

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
        if field.secret() {
            &[Self::Plain, Self::File, Self::Command]
        } else {
            &[Self::Plain]
        }
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
pub(super) const OWN_PREFIX: &str = "CRMAUTH_";

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

/// The system whose settings begin like this variable's name.
pub(super) fn system(name: &str) -> Option<&'static Spec> {
    Some(begun(name)?.0)
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
        Some(Name {
            target: Target {
                spec,
                account: account.clone(),
            },
            field: declared,
            form,
        })
    })
}

/// Whether a text can be an account's name: `[a-z0-9_]`, not empty, no `__`.
pub(super) fn is_account(text: &str) -> bool {
    !text.is_empty()
        && !text.contains("__")
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_taken_apart() {
        for (text, expected) in [
            ("GLUO_URL", Some(("gluo", "URL", Form::Plain))),
            ("GLUO_ACCESS_KEY", Some(("gluo", "ACCESS_KEY", Form::Plain))),
            (
                "GLUO_ACCESS_KEY_FILE",
                Some(("gluo", "ACCESS_KEY", Form::File)),
            ),
            (
                "GLUO_ACCESS_KEY_CMD",
                Some(("gluo", "ACCESS_KEY", Form::Command)),
            ),
            (
                "GLUO__FILIAL__URL",
                Some(("gluo@filial", "URL", Form::Plain)),
            ),
            (
                "GLUO__A_1__ACCESS_KEY_CMD",
                Some(("gluo@a_1", "ACCESS_KEY", Form::Command)),
            ),
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
            let found = name
                .as_ref()
                .map(|n| (n.target.to_string(), n.field.name, n.form));
            let expected = expected.map(|(target, field, form)| (target.to_owned(), field, form));
            assert_eq!(found, expected, "{text}");
            if let Some(name) = name {
                let variable = name.target.variable(name.field.name) + name.form.suffix();
                assert_eq!(variable, text);
            }
        }
    }
}
