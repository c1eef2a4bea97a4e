//! What the program says: sentences written in English where they are said, and put into the reader's language where
//! they are shown. The English sentence is the catalogue's key, so that the code can be read and searched. Nothing is
//! looked up before something is shown, and nothing at all for English.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The languages.
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
        match &*code(name).to_ascii_lowercase() {
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
        if ["C", "POSIX"].contains(&code(locale)) {
            return Self::En;
        }
        let preferred = set(&"LANGUAGE").unwrap_or_default().split(':');
        let named = preferred.chain([locale]).find_map(Self::named);
        named.unwrap_or_default()
    }
}

/// The language's code in a locale's name: what stands before territory, encoding and variant.
fn code(name: &str) -> &str {
    name.split(['-', '_', '.', '@']).next().unwrap_or_default()
}

/// The Portuguese of the English. Two lines an entry, with an empty line or a comment between entries.
static PORTUGUESE: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let lines = include_str!("pt-BR.txt").lines();
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    std::iter::from_fn(|| Some((lines.next()?, lines.next()?))).collect()
});

/// What the catalogue has for an English text, which may be no sentence of ours, such as a part of the help.
pub fn translation(english: &str, lang: Lang) -> Option<&'static str> {
    match lang {
        Lang::En => None,
        Lang::PtBr => PORTUGUESE.get(english).copied(),
    }
}

/// A sentence, or a part of one, in no language yet. [`tr!`] makes it and [`Text::render`] alone gives its words:
/// a text has no `Display`, so that none gets into a `format!` where it would stay English.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    pattern: &'static str,
    values: Box<[(&'static str, Value)]>,
}

/// What stands in a text's place of a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// The same in every language: a name, a path, a number.
    Plain(String),
    /// A part of the sentence.
    Text(Text),
    /// Parts with this between them.
    List(Vec<Value>, &'static str),
}

impl Text {
    pub(crate) fn new(pattern: &'static str, values: Vec<(&'static str, Value)>) -> Self {
        let values = values.into();
        Self { pattern, values }
    }

    /// A text of a declaration, such as a field's help: English that is the same for every run.
    pub fn declared(english: &'static str) -> Self {
        Self::new(english, Vec::new())
    }

    /// Parts with `separator` between them, which is the same in every language.
    pub(crate) fn list(parts: &[impl Argument], separator: &'static str) -> Self {
        let parts = parts.iter().map(Argument::value).collect();
        Self::new("{list}", vec![("list", Value::List(parts, separator))])
    }

    /// The words. A value stands as it is; whoever shows it makes it harmless.
    pub fn render(&self, lang: Lang) -> String {
        let pattern = translation(self.pattern, lang).unwrap_or(self.pattern);
        let mut words = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some(at) = rest.find(['{', '}']) {
            words.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            rest = behind;
            if let Some(behind) = rest.strip_prefix(brace) {
                words.push_str(brace);
                rest = behind;
            } else if let Some((name, behind)) = rest.split_once('}') {
                if let Some((_, value)) = self.values.iter().find(|(known, _)| *known == name) {
                    value.render(lang, &mut words);
                }
                rest = behind;
            }
        }
        words.push_str(rest);
        words
    }

    pub fn english(&self) -> String {
        self.render(Lang::En)
    }
}

impl Value {
    fn render(&self, lang: Lang, words: &mut String) {
        match self {
            Self::Plain(value) => words.push_str(value),
            Self::Text(text) => words.push_str(&text.render(lang)),
            Self::List(parts, separator) => {
                for (place, part) in parts.iter().enumerate() {
                    words.push_str(if place == 0 { "" } else { separator });
                    part.render(lang, words);
                }
            }
        }
    }
}

/// What can stand in a text: whatever can be shown, which a secret cannot, and other texts.
pub(crate) trait Argument {
    fn value(&self) -> Value;
}

impl<T: Display + ?Sized> Argument for T {
    fn value(&self) -> Value {
        Value::Plain(self.to_string())
    }
}

impl Argument for Text {
    fn value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Argument for &Text {
    fn value(&self) -> Value {
        Value::Text((*self).clone())
    }
}

/// `A`, `A and B`, `A, B and C`.
pub(crate) fn and(parts: &[impl Argument]) -> Text {
    joined(parts, |most, last| tr!("{most} and {last}"; most, last))
}

/// `A`, `A or B`, `A, B or C`.
pub(crate) fn or(parts: &[impl Argument]) -> Text {
    joined(parts, |most, last| tr!("{most} or {last}"; most, last))
}

fn joined(parts: &[impl Argument], join: fn(Text, Text) -> Text) -> Text {
    let (most, last) = parts.split_at(parts.len().saturating_sub(1));
    match most {
        [] => Text::list(last, ""),
        _ => join(Text::list(most, ", "), Text::list(last, "")),
    }
}

/// Makes a [`Text`]: `tr!("{host} refused {what}"; host, what = of(target))`. A name alone is the variable of that
/// name. The compiler refuses a placeholder without a value and a value without a placeholder.
macro_rules! tr {
    ($pattern:literal $(; $($name:ident $(= $value:expr)?),+)?) => {{
        // In an item no variable can be meant, so that every placeholder needs its value here.
        const _: fn() = || {
            let _ = ::std::format_args!($pattern $($(, $name = "")+)?);
        };
        $crate::i18n::Text::new(
            $pattern,
            ::std::vec![$($((
                ::std::stringify!($name),
                $crate::i18n::Argument::value(&$crate::i18n::value_of!($name $(= $value)?)),
            )),+)?],
        )
    }};
}

/// The value that [`tr!`] was given for a name.
macro_rules! value_of {
    ($name:ident) => {
        $name
    };
    ($name:ident = $value:expr) => {
        $value
    };
}

pub(crate) use {tr, value_of};

/// A duration in the unit that says enough, cut off.
pub fn span(seconds: i64) -> Text {
    match seconds {
        ..=119 => tr!("{seconds}s"; seconds),
        120..=7199 => tr!("{minutes}min"; minutes = seconds / 60),
        7200..=172_799 => tr!("{hours}h"; hours = seconds / 3600),
        _ => tr!("{days} days"; days = seconds / 86_400),
    }
}

/// A moment by the clock on the reader's wall; where nobody tells which that is, in UTC.
pub fn local(at: Timestamp) -> String {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
impl PartialEq<&str> for Text {
    fn eq(&self, english: &&str) -> bool {
        self.english() == *english
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_do() {
        let names = ["A", "B", "C"];
        let why = tr!("{most} and {last}"; most = 1, last = tr!("{{2}}"));
        let text = tr!("{why}; {host} {{}} {why}"; host = "h{x}", why);
        assert_eq!(text, "1 and {2}; h{x} {} 1 and {2}");
        for (count, all) in [(0, ""), (1, "A"), (2, "A and B"), (3, "A, B and C")] {
            assert_eq!(and(&names[..count]), all);
            assert_eq!(or(&names[..count]), all.replace("and", "or").as_str());
        }
    }

    #[test]
    fn durations_are_told_in_the_unit_that_says_enough() {
        let table = "0 0s|119 119s|120 2min|7199 119min|7200 2h|172799 47h|172800 2 days|\
            9223372036854775807 106751991167300 days";
        for row in table.split('|') {
            let (seconds, words) = row.split_once(' ').expect(row);
            assert_eq!(span(seconds.parse().expect(row)), words);
        }
    }
}
