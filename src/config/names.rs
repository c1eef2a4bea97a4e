//! Which variables are ours: `PREFIX_FIELD`, `PREFIX__ACCOUNT__FIELD`, and a secret's `_FILE` and `_CMD`.

use crate::spec::{Field, Spec, Target};

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

/// A variable of ours, taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct Name {
    pub target: Target,
    pub field: &'static str,
    pub secret: bool,
    pub shared: bool,
    pub form: Form,
}

/// Whether a variable of that name is a setting of one of these systems.
pub fn is_setting(name: &str, specs: &[&'static Spec]) -> bool {
    parse(name, specs).is_some()
}

/// Whether a variable of that name holds a secret of one of these systems, or says where one is.
pub(super) fn is_secret(name: &str, specs: &[&'static Spec]) -> bool {
    parse(name, specs).is_some_and(|name| name.secret)
}

/// Takes a variable's name apart; `None` for one that is not ours.
pub(super) fn parse(text: &str, specs: &[&'static Spec]) -> Option<Name> {
    specs.iter().find_map(|spec| {
        let rest = text.strip_prefix(spec.prefix().as_str())?;
        let (account, field) = match rest.strip_prefix("__") {
            // From the right: an account may end in `_`, no field begins with one.
            Some(rest) => {
                let (account, field) = rest.rsplit_once("__")?;
                let lower = account.to_ascii_lowercase();
                if account != lower.to_ascii_uppercase() || !is_account(&lower) {
                    return None;
                }
                (Some(lower), field)
            }
            None => (None, rest.strip_prefix('_')?),
        };
        spec.all_fields().find_map(|declared| {
            let form = field.strip_prefix(declared.name).and_then(|suffix| {
                let forms = Form::of(declared).iter();
                forms.copied().find(|form| form.suffix() == suffix)
            })?;
            Some(Name {
                target: Target { spec, account: account.clone() },
                field: declared.name,
                secret: declared.secret(),
                shared: declared.shared,
                form,
            })
        })
    })
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
    use crate::config::fixture::SPECS;

    #[test]
    fn variables_are_taken_apart() {
        for (text, expected) in [
            ("ACME_URL", Some(("acme", "URL", Form::Plain))),
            ("ACME_ACCESS_KEY", Some(("acme", "ACCESS_KEY", Form::Plain))),
            ("ACME_ACCESS_KEY_FILE", Some(("acme", "ACCESS_KEY", Form::File))),
            ("ACME_ACCESS_KEY_CMD", Some(("acme", "ACCESS_KEY", Form::Command))),
            ("ACME__FILIAL__URL", Some(("acme@filial", "URL", Form::Plain))),
            ("ACME__A_1__ACCESS_KEY_CMD", Some(("acme@a_1", "ACCESS_KEY", Form::Command))),
            ("ACME__A___URL", Some(("acme@a_", "URL", Form::Plain))),
            ("ACME____A__URL", None),
            ("ACME___A__URL", Some(("acme@_a", "URL", Form::Plain))),
            ("ACME__A__B__URL", None),
            ("ACME____URL", None),
            ("ACME__FILIAL_URL", None),
            ("ACME__filial__URL", None),
            ("ACME__\u{c9}__URL", None),
            ("ACME_URL_FILE", None),
            ("ACME_URL_CMD", None),
            ("ACME_TOKEN", None),
            ("ACME_ALLOW_HTTP", Some(("acme", "ALLOW_HTTP", Form::Plain))),
            ("acme_url", None),
            ("XACME_URL", None),
            ("ACMEURL", None),
            ("", None),
        ] {
            let name = parse(text, SPECS);
            let found = name.as_ref().map(|n| (n.target.to_string(), n.field, n.form));
            let expected = expected.map(|(target, field, form)| (target.to_owned(), field, form));
            assert_eq!(found, expected, "{text}");
            if let Some(name) = name {
                let variable = name.target.variable(name.field) + name.form.suffix();
                assert_eq!(variable, text);
            }
        }
    }
}
