//! Which variables are ours: `PREFIX_FIELD`, `PREFIX__ACCOUNT__FIELD`, and a secret's `_FILE` and `_CMD`.

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
    /// The forms of a secret.
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::File, Self::Command];

    /// The forms that a field's value may have.
    pub(super) fn of(field: &Field) -> &'static [Self] {
        &Self::ALL[..if field.secret() { 3 } else { 1 }]
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
        Self {
            target: target.clone(),
            field,
            form: Form::Plain,
        }
    }

    /// The variable with its suffix, whatever a source calls it.
    pub fn variable(&self) -> String {
        self.target.variable(self.field.name) + self.form.suffix()
    }
}

/// Whether a variable of that name is a setting.
pub fn is_setting(name: &str) -> bool {
    parse(name).is_some()
}

/// The system whose settings begin like this variable's name, and what stands behind that.
pub(super) fn system(variable: &str) -> Option<(&'static Spec, &str)> {
    let behind =
        |spec: &Spec| after(&[spec.id], variable).or_else(|| after(spec.aliases, variable));
    provider::specs()
        .into_iter()
        .find_map(|spec| Some((spec, behind(spec)?)))
}

/// What follows one of these names in a variable, in letters of any case.
pub(super) fn after<'a>(names: &[&str], variable: &'a str) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let (start, end) = variable.split_at_checked(name.len())?;
        (start.eq_ignore_ascii_case(name) && end.starts_with('_')).then_some(end)
    })
}

/// Takes a variable's name apart; `None` for one that is not ours.
pub(super) fn parse(text: &str) -> Option<Name> {
    let mut specs = provider::specs().into_iter();
    let (spec, rest) = specs.find_map(|spec| Some((spec, after(&[spec.id], text)?)))?;
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let (account, field) = match rest.strip_prefix("__") {
        // From the right: an account may end in `_`, no field begins with one.
        Some(rest) => {
            let (account, field) = rest.rsplit_once("__")?;
            let account = Some(account.to_ascii_lowercase()).filter(|name| is_account(name));
            (Some(account?), field)
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
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    !text.is_empty() && !text.contains("__") && text.bytes().all(allowed)
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
            let (variable, field) = (name.variable(), name.field.name);
            let found = format!("{variable} {} {field} {:?}", name.target, name.form);
            assert_eq!(found, line);
        }
        let others = "|GLUO____A__URL|GLUO__A__B__URL|GLUO____URL|GLUO__FILIAL_URL|GLUO__filial__URL|GLUO__\u{c9}__URL|\
            GLUO_URL_FILE|GLUO_URL_CMD|GLUO_TOKEN|gluo_url|XGLUO_URL|GLUOURL";
        for text in others.split('|') {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
