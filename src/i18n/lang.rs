//! The languages, and which one a name or a machine's locale stands for.

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    En,
    PtBr,
}

impl Lang {
    /// The languages' names, in their order, as `--lang` takes them.
    pub const NAMES: [&'static str; 2] = ["en", "pt-BR"];

    /// The language of a name such as `pt-BR`, `pt`, `pt_BR.UTF-8` or `en_US`.
    pub fn named(name: &str) -> Option<Self> {
        match &*language(name).to_ascii_lowercase() {
            "en" => Some(Self::En),
            "pt" => Some(Self::PtBr),
            _ => None,
        }
    }

    /// The language of a machine's locale: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set says which
    /// one, as POSIX has it, and where that is not `C`, the list in `LANGUAGE` goes before it, as gettext has it.
    /// English for every other language.
    pub fn of_locale<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let Some(locale) = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set) else {
            return Self::En;
        };
        if ["C", "POSIX"].contains(&language(locale)) {
            return Self::En;
        }
        let preferred = set(&"LANGUAGE").unwrap_or_default().split(':');
        let named = preferred.chain([locale]).find_map(Self::named);
        named.unwrap_or_default()
    }
}

/// The language's code in a locale's name: what stands before territory, encoding and variant.
fn language(name: &str) -> &str {
    name.split(['-', '_', '.', '@']).next().unwrap_or_default()
}
