//! One value of an env file. dotenvy decodes it. Other programs read the same file, among them scripts that use
//! python-dotenv, so a value counts only where it is read as written: nothing is unescaped, substituted or cut off.

use zeroize::Zeroizing;

use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::settings::{names::Name, value};

/// Reads what stands after the `=` of the setting that the file calls `name`. Errors: what is wrong, and the cure.
pub(super) fn parse(raw: &[u8], name: &str, setting: &Name) -> Result<Secret, (Text, Text)> {
    let fault = |why, hint| Err((tr!("{name} {why}"; name, why), hint));
    let Ok(raw) = std::str::from_utf8(raw) else {
        return fault(tr!("is not valid UTF-8"), tr!("save the file as UTF-8"));
    };
    if raw.chars().any(|c| c.is_control() && c != '\t') {
        return fault(
            tr!("contains a control character, which is not allowed in a setting"),
            tr!("type the value of {name} again: it contains an invisible character"; name),
        );
    }
    let written = Written::new(raw, setting.field.secret());
    if written.is_read_alike() && written.decoded().is_some_and(|read| *read == written.value) {
        return Ok(Secret::new(written.value.to_owned()));
    }
    let text = raw.trim_matches(BLANKS);
    let hint = hint(text, name, &setting.variable());
    if !text.starts_with(['\'', '"'])
        && let Err((why, cure)) = value::refuse_quotes(text, name)
    {
        return fault(why, cure);
    }
    // What follows the opening quote's other half; without quotes all that is written.
    let rest = match text.strip_prefix(['\'', '"']) {
        Some(inner) => inner.split_once(&text[..1]).map(|(_, rest)| rest),
        None => Some(raw),
    };
    let has_comment = |rest: &str| {
        let glued = rest.len() < text.len() && rest.starts_with('#');
        let mut before = rest.rsplit('#').skip(1);
        glued || setting.field.secret() && before.any(|it| it.ends_with(char::is_whitespace))
    };
    match rest {
        None => Err((tr!("{name}: its quote is not closed"; name), hint)),
        Some(rest) if written.quote.is_none() && has_comment(rest) => fault(
            tr!("has a # after the value"),
            tr!("put the comment on a line of its own; if the # is part of the value, {hint}"; hint),
        ),
        Some(_) => fault(tr!("cannot be read as written"), hint),
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// A value as a person wrote it: without a comment, and what of that stands between the quotes.
struct Written<'a> {
    text: &'a str,
    value: &'a str,
    quote: Option<char>,
}

impl<'a> Written<'a> {
    /// A comment begins at a `#` after a blank. Without quotes it is not told from a part of a secret.
    fn new(raw: &'a str, secret: bool) -> Self {
        let text = raw.trim_matches(BLANKS);
        let quoted = ['\'', '"'].into_iter().find_map(|quote| {
            let (value, rest) = text.strip_prefix(quote)?.split_once(quote)?;
            let comment = rest.trim_start_matches(BLANKS);
            let ends = comment.is_empty() || comment.starts_with('#') && comment.len() < rest.len();
            ends.then_some(Self {
                text: &text[..value.len() + 2],
                value,
                quote: Some(quote),
            })
        });
        let comment = [" #", "\t#"].iter().filter_map(|start| raw.find(start));
        let end = comment.min().filter(|_| !secret).unwrap_or(raw.len());
        let bare = raw[..end].trim_matches(BLANKS);
        quoted.unwrap_or(Self {
            text: bare,
            value: bare,
            quote: None,
        })
    }

    /// Whether python-dotenv reads what dotenvy reads: it unescapes and substitutes `${…}` between single quotes, and
    /// ends a value without quotes at any white space before a `#`. A `$` elsewhere makes dotenvy ask the environment.
    fn is_read_alike(&self) -> bool {
        match self.quote {
            Some('\'') => !is_changed_between_single_quotes(self.value),
            Some(_) => !self.value.contains('$'),
            None => !self.value.contains(|c: char| c == '$' || c.is_whitespace()),
        }
    }

    /// What dotenvy reads. Its errors show the value, so none is kept.
    fn decoded(&self) -> Option<Zeroizing<String>> {
        let line = Zeroizing::new(["VALUE=", self.text].concat());
        let (_, read) = dotenvy::from_read_iter(line.as_bytes()).next()?.ok()?;
        Some(Zeroizing::new(read))
    }
}

fn is_changed_between_single_quotes(value: &str) -> bool {
    value.contains("${") || value.contains(r"\\") || value.ends_with('\\')
}

/// The quotes between which every reader takes the value as it is, if there are any.
fn hint(text: &str, name: &str, variable: &str) -> Text {
    let value = text.trim_matches(['\'', '"']);
    let double = value.contains('\'');
    // Between double quotes a backslash was perhaps meant as an escape.
    let lost = match double {
        true => value.contains(['"', '\\', '$', '`']),
        false => {
            is_changed_between_single_quotes(value)
                && (!text.starts_with('"') || value.contains("${"))
        }
    };
    if lost {
        tr!(
            "no quoting works for every program that reads the file: set {variable} in the environment instead";
            variable)
    } else if double {
        tr!(r#"put it between double quotes, on one line: {name}="…""#; name)
    } else {
        tr!("put it between single quotes, on one line: {name}='…'"; name)
    }
}
