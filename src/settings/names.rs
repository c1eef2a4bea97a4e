//! Which variables are ours: `PREFIX_FIELD`, `PREFIX__ACCOUNT__FIELD`, a secret's `_FILE` and `_CMD`, and crmauth's
//! own.

use crate::declaration::{Field, Spec, Target};
use crate::provider;

/// How a variable gives its field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The value itself.
    Plain,
    /// The path of a file that holds it.
    File,
    /// A command that prints it.
    Command,
}

impl Form {
    /// The forms that a field's value may have.
    pub(super) fn of(field: &Field) -> &'static [Self] {
        match field.secret() {
            true => &[Self::Plain, Self::File, Self::Command],
            false => &[Self::Plain],
        }
    }

    /// What the form adds to the field's variable.
    pub(super) fn suffix(self) -> &'static str {
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
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub target: Target,
    pub field: &'static Field,
    pub form: Form,
}

impl Name {
    /// The variable of a field's value itself.
    pub fn plain(target: &Target, field: &'static Field) -> Self {
        let (target, form) = (target.clone(), Form::Plain);
        Self {
            target,
            field,
            form,
        }
    }
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
    let by_alias = |spec: &&'static Spec| after(spec.aliases, name).is_some();
    let begun = begun(name).map(|(spec, _)| spec);
    begun.or_else(|| provider::specs().into_iter().find(by_alias))
}

/// What follows one of a system's other names in a variable.
pub(super) fn after<'a>(names: &[&str], variable: &'a str) -> Option<&'a str> {
    names.iter().find_map(|alias| {
        let (start, end) = variable.split_at_checked(alias.len())?;
        (start.eq_ignore_ascii_case(alias) && end.starts_with('_')).then_some(end)
    })
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
    let (field, form) = spec.all_fields().find_map(|declared| {
        let suffix = field.strip_prefix(declared.name)?;
        let mut forms = Form::of(declared).iter();
        Some((declared, *forms.find(|form| form.suffix() == suffix)?))
    })?;
    let target = Target::new(spec, account);
    Some(Name {
        target,
        field,
        form,
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
        // The variable, then target, field and form.
        let ours = "\
            GLUO_URL gluo URL Plain
            GLUO_ACCESS_KEY gluo ACCESS_KEY Plain
            GLUO_ACCESS_KEY_FILE gluo ACCESS_KEY File
            GLUO_ACCESS_KEY_CMD gluo ACCESS_KEY Command
            GLUO_ALLOW_HTTP gluo ALLOW_HTTP Plain
            GLUO__FILIAL__URL gluo@filial URL Plain
            GLUO__A_1__ACCESS_KEY_CMD gluo@a_1 ACCESS_KEY Command
            GLUO__A___URL gluo@a_ URL Plain
            GLUO___A__URL gluo@_a URL Plain";
        for line in ours.lines().map(str::trim) {
            let name = parse(line.split(' ').next().expect("a variable")).expect(line);
            let variable = name.target.variable(name.field.name) + name.form.suffix();
            let found = format!(
                "{variable} {} {} {:?}",
                name.target, name.field.name, name.form
            );
            assert_eq!(found, line);
        }
        let others = "|GLUO____A__URL|GLUO__A__B__URL|GLUO____URL|GLUO__FILIAL_URL|GLUO__filial__URL|GLUO__\u{c9}__URL|\
            GLUO_URL_FILE|GLUO_URL_CMD|GLUO_TOKEN|gluo_url|XGLUO_URL|GLUOURL";
        for text in others.split('|') {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
