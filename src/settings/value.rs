//! Checks a value against the kind that its field declares.

use crate::declaration::{FLAG, Field, Kind, Spec};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::secret::foreign::unseen;
use crate::session::check_token;
use crate::url::PathFault;

/// What is wrong with a value that holds nothing but white space.
pub(super) fn blank() -> Text {
    tr!("is blank")
}

/// The largest value from a file or a command, in bytes.
pub(super) const MAX: usize = 64 * 1024;

/// A value as its provider gets it: a word of a choice or a flag as it is declared, a path without blanks around it,
/// any other text as it is. Errors: what is wrong with it, beginning with a verb, without showing it.
pub(super) fn check(text: &str, field: &Field, spec: &Spec) -> Result<Secret, Text> {
    if let Some(unmeant) = Unmeant::of(text) {
        return Err(unmeant.what());
    }
    if text.chars().any(char::is_control) {
        return Err(tr!(
            "contains a control character, which is not allowed in a setting"
        ));
    }
    let word = text.trim();
    let text = match field.kind {
        Kind::Key if text.contains(char::is_whitespace) => {
            return Err(tr!("contains white space, which such a key never does"));
        }
        Kind::Text | Kind::Secret | Kind::Key => text,
        Kind::Url => spec.base_url(text).map(|_| text).map_err(|error| error.message)?,
        Kind::Token => check_token(text).map(|()| text).map_err(|_| {
            tr!("is not a token: it must be 1 to 8192 printable ASCII characters without spaces, and not a word for \"none\"")
        })?,
        Kind::Choice(words) => one_of(word, words)?,
        Kind::Flag => one_of(word, FLAG.as_flattened())?,
        Kind::Path => path(word)?,
    };
    Ok(Secret::new(text.to_owned()))
}

/// What a whole value can be that nobody means: servers count a login with it as a refusal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unmeant {
    /// `$(NAME)`, `${{ … }}`, `%NAME%`: a template that nothing has filled in.
    Placeholder,
    /// `op://…`, `ENC[…]`: where the value is, or what encrypts it.
    Reference,
    LineEnd,
}

impl Unmeant {
    pub fn of(text: &str) -> Option<Self> {
        // What stands at both ends.
        const BRACKETS: [&str; 7] = ["${{ }}", "{{ }}", "${ }", "$( )", "#{ }", "<%= %>", "% %"];
        const REFERENCES: &str = "op:// |vault: |ref+ |arn:aws: |ENC[ ]|ENC( )|!vault |\
            $ANSIBLE_VAULT; |@Microsoft.KeyVault( )";
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let inner = |ends: &'static str| {
            let (open, close) = ends.split_once(' ')?;
            let inner = text.trim().strip_prefix(open)?.strip_suffix(close)?.trim();
            (!inner.is_empty()).then_some((inner, close))
        };
        let is_named = |ends: &'static str| {
            inner(ends).is_some_and(|(inner, close)| {
                !inner.starts_with(|c: char| !word(c) || c.is_ascii_digit())
                    && (close != "%" || inner.chars().all(word))
                    && !inner.contains(close)
            })
        };
        // `$GLUO_KEY`, but not `$ECRET`.
        let variable = inner("$ ").is_some_and(|(name, _)| {
            name.contains('_') && name.chars().all(|c| word(c) && !c.is_ascii_lowercase())
        });
        if text.ends_with(['\n', '\r']) {
            Some(Self::LineEnd)
        } else if variable || BRACKETS.into_iter().any(is_named) {
            Some(Self::Placeholder)
        } else {
            let mut shapes = REFERENCES.split('|');
            let is_reference = shapes.any(|shape| inner(shape).is_some());
            is_reference.then_some(Self::Reference)
        }
    }

    fn what(self) -> Text {
        match self {
            Self::Placeholder => tr!("is a placeholder that was never replaced with the value"),
            Self::Reference => tr!("refers to a value kept elsewhere, or is encrypted"),
            Self::LineEnd => tr!("ends with a line break"),
        }
    }

    pub fn cure(self, variable: &str) -> Text {
        match self {
            Self::Placeholder => tr!(
                "the shell, CI system or template that should have replaced it does not know that \
                name: check the name, and whether this job may see it"
            ),
            Self::Reference => {
                tr!("have {variable}_CMD print the value (`op read …`, `vault kv get …`, `sops decrypt …`), \
                or run crmauth through the program that fills it in"; variable)
            }
            Self::LineEnd => tr!("remove it: `echo` adds one, `printf %s` does not"),
        }
    }
}

/// What stands around a value that is hardly part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Quotes at both ends: typographic ones, which a text program puts there, or a pair of straight ones, as in code.
    Quotes,
    /// Characters at an end that nobody sees, copied along from a page or a mail.
    Unseen,
}

const TYPOGRAPHIC: [char; 4] = ['“', '”', '‘', '’'];

/// What stands around a value, and the value without it.
pub fn wrapped(text: &str) -> Option<(Wrapping, &str)> {
    let seen = text.trim_matches(|c| unseen(c) || c == '\u{a0}');
    if seen.len() < text.len() {
        return Some((Wrapping::Unseen, seen));
    }
    let between = |quotes: &[char]| text.trim().strip_prefix(quotes)?.strip_suffix(quotes);
    let mut quotes = [&TYPOGRAPHIC[..], &['"'], &['\'']].into_iter();
    Some((Wrapping::Quotes, quotes.find_map(between)?))
}

/// Quotes around a value are a shell's or JSON's; what is in a file nobody quotes. Errors: what is wrong, and the cure.
pub(super) fn refuse_quotes(text: &str, variable: &str) -> Result<(), (Text, Text)> {
    let Some((Wrapping::Quotes, _)) = wrapped(text) else {
        return Ok(());
    };
    if text.trim().starts_with(TYPOGRAPHIC) {
        let cure = tr!("use straight single quotes: {variable}='…'"; variable);
        return Err((tr!("begins and ends with typographic quotes (“ ”)"), cure));
    }
    let cure = tr!(
        "one pair of quotes is enough, and the environment's value needs none: write {variable}='…'"; variable);
    Err((tr!("begins and ends with quotes"), cure))
}

fn one_of(word: &str, words: &[&'static str]) -> Result<&'static str, Text> {
    let known = words.iter().find(|known| known.eq_ignore_ascii_case(word));
    let none = || tr!("is not one of {words}"; words = words.join(", "));
    known.copied().ok_or_else(none)
}

fn path(text: &str) -> Result<&str, Text> {
    Err(match PathFault::of(text) {
        None => return Ok(text),
        Some(PathFault::Url) => tr!("is a whole URL; it should be a path below the base URL"),
        Some(PathFault::TwoSlashes) => tr!("begins with //"),
        Some(PathFault::Character('\\')) => tr!("contains a backslash"),
        Some(PathFault::Character('#')) => tr!("contains a fragment (#)"),
        Some(PathFault::Character(_)) => tr!("contains white space"),
        Some(PathFault::Outside) => tr!("leads out of the base URL (..)"),
    })
}

/// A value from a file or a command: without one line end behind it.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Secret, Text> {
    let text = std::str::from_utf8(bytes).map_err(|_| tr!("is not valid UTF-8"))?;
    let line = text.strip_suffix('\n');
    let text = line.map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.trim().is_empty() {
        return Err(blank());
    }
    if let Some(unmeant @ Unmeant::LineEnd) = Unmeant::of(text) {
        return Err(unmeant.what());
    }
    // Editors put it there unseen, and the server would refuse the credentials.
    if text.starts_with('\u{feff}') {
        return Err(tr!("begins with a byte order mark"));
    }
    if text.chars().any(char::is_control) {
        return Err(tr!(
            "contains a control character or a second line, which is not allowed in a setting"
        ));
    }
    Ok(Secret::new(text.to_owned()))
}
