//! Names: which variables are ours (`PREFIX_FIELD`, `PREFIX__ACCOUNT__FIELD`, a secret's `_FILE` and `_CMD`), and what
//! TARGET stands for: a provider, an alias of it, or one of its accounts.

use super::suggest::nearest;
use crate::declaration::{Field, Spec, Target};
use crate::error::{Error, Result, error};
use crate::i18n::tr;
use crate::provider;
use crate::secret::foreign::printable;

/// How much of a mistyped name is shown.
const SHOWN: usize = 40;

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
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::File, Self::Command];

    /// The forms that a field's value may have.
    pub(super) fn of(field: &Field) -> &'static [Self] {
        match field.secret() {
            true => &Self::ALL,
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

pub fn is_setting(name: &str) -> bool {
    parse(name).is_some()
}

/// The system whose settings begin like this variable's name, and what stands behind that.
pub(super) fn system(variable: &str) -> Option<(&'static Spec, &str)> {
    let mut specs = provider::specs().into_iter();
    specs.find_map(|spec| Some((spec, called(spec).find_map(|name| after(name, variable))?)))
}

/// What follows a name in a variable, in letters of any case.
pub(super) fn after<'a>(name: &str, variable: &'a str) -> Option<&'a str> {
    let (start, end) = variable.split_at_checked(name.len())?;
    (start.eq_ignore_ascii_case(name) && end.starts_with('_')).then_some(end)
}

/// Takes a variable's name apart, if it is one of ours.
pub(super) fn parse(text: &str) -> Option<Name> {
    let mut specs = provider::specs().into_iter();
    let (spec, rest) = specs.find_map(|spec| Some((spec, after(spec.id, text)?)))?;
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

/// Reads `gluo`, an alias, or `gluo@filial`, in letters of any case.
pub fn target(text: &str) -> Result<Target> {
    let lower = text.to_ascii_lowercase();
    let parts = lower.split_once('@');
    let (name, account) = parts.map_or((&*lower, None), |(name, account)| (name, Some(account)));
    let mut specs = provider::specs().into_iter();
    let spec = specs.find(|spec| called(spec).any(|known| known == name));
    let spec = spec.ok_or_else(|| unknown(name))?;
    if let Some(account) = account.filter(|account| !is_account(account)) {
        let error = match account {
            "" => error!(Usage: "the account's name is missing after @"),
            _ => error!(Usage: "`{account}` is not a valid account name"; account = shown(account)),
        };
        return Err(error.hint(tr!(
            "an account's name consists of a-z, 0-9 and single _, as in `{id}@filial`"; id = spec.id)));
    }
    Ok(Target::new(spec, account.map(str::to_owned)))
}

/// A system's name and its aliases.
fn called(spec: &'static Spec) -> impl Iterator<Item = &'static str> {
    std::iter::once(spec.id).chain(spec.aliases.iter().copied())
}

/// A system's names, and those of its product.
pub(super) fn known(spec: &'static Spec) -> impl Iterator<Item = &'static str> {
    called(spec).chain(spec.known_as.iter().copied())
}

/// The system or the account that an unknown name was meant to be.
pub fn target_meant(name: &str) -> Option<String> {
    let named = |spec: &'static Spec| known(spec).map(|name| (name, spec.id));
    let known: Vec<_> = provider::specs().into_iter().flat_map(named).collect();
    let of = |name: &str| known.iter().find(|(known, _)| *known == name);
    let id = |(_, id): &(&str, &str)| (*id).to_owned();
    // `gluo-crm` is an alias with a mark in it.
    let whole = name.replace(|c: char| !c.is_alphanumeric(), "");
    let split = |mark| {
        let (system, account) = name.split_once(mark)?;
        Some(target(&[system, "@", account].concat()).ok()?.to_string())
    };
    let account = || ["__", "_", "/", ":", ".", "-"].into_iter().find_map(split);
    let near = || of(nearest(name, known.iter().map(|(name, _)| *name))?).map(id);
    of(&whole).map(id).or_else(account).or_else(near)
}

fn unknown(name: &str) -> Error {
    let before = name.split_once('=').map(|(before, _)| before);
    let url = name.contains("://").then_some(name);
    if let Some(setting) = url.or(before) {
        return error!(Usage: "`{setting}` is not a target"; setting = shown(setting) =>
            hint "the URL and the other settings come from the environment or .env: `crmauth providers` lists them");
    }
    let error = error!(Usage: "no system is called `{name}`"; name = shown(name));
    let parts = name.split([',', ';', '+', ' ']);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let several = parts.len() > 1 && parts.iter().all(|part| target(part).is_ok());
    let several = Some(parts.join(" ")).filter(|_| several);
    let all = || nearest(name, ["--all"]).map(str::to_owned);
    error.hint(match several.or_else(|| target_meant(name)).or_else(all) {
        Some(known) => tr!("did you mean `{known}`?"; known),
        None => {
            let ids: Vec<&str> = provider::specs().iter().map(|spec| spec.id).collect();
            tr!("the systems are {ids}"; ids = ids.join(", "))
        }
    })
}

fn shown(text: &str) -> String {
    printable(text).chars().take(SHOWN).collect()
}
