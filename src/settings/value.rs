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

/// A value as its provider gets it: a word of a choice or a flag as it is declared, a path without blanks
/// around it, a URL and any other text as it is.
///
/// Errors: what is wrong with it, beginning with a verb (`holds …`), without showing it.
pub(super) fn check(text: &str, field: &Field, spec: &Spec) -> Result<Secret, Text> {
    if text.chars().any(char::is_control) {
        return Err(tr!("holds a control character, which no setting may"));
    }
    let word = text.trim();
    let text = match field.kind {
        Kind::Text | Kind::Secret => text,
        Kind::Key if text.contains(char::is_whitespace) => {
            return Err(tr!("holds white space, which no such key does"));
        }
        Kind::Key => text,
        Kind::Url => {
            spec.base_url(text).map_err(|error| error.message)?;
            text
        }
        Kind::Token => {
            check_token(text).map_err(|_| {
                tr!("is no token: 1 to 8192 printable ASCII characters without spaces, and no word for \"none\"")
            })?;
            text
        }
        Kind::Choice(words) => one_of(word, words)?,
        Kind::Flag => one_of(word, FLAG.as_flattened())?,
        Kind::Path => path(word)?,
    };
    Ok(Secret::new(text.to_owned()))
}

/// What stands around a value that is hardly part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Quotes at both ends: typographic ones, which a text program puts there, or a pair of straight ones, as in code.
    Quotes,
    /// Characters at an end that nobody sees, copied along from a page or a mail.
    Unseen,
}

/// What stands around a value, and the value without it.
pub fn wrapped(text: &str) -> Option<(Wrapping, &str)> {
    const TYPOGRAPHIC: [char; 4] = ['“', '”', '‘', '’'];
    let seen = text.trim_matches(|c| unseen(c) || c == '\u{a0}');
    if seen.len() < text.len() {
        return Some((Wrapping::Unseen, seen));
    }
    let between =
        |open: &[char], close: &[char]| text.trim().strip_prefix(open)?.strip_suffix(close);
    let inner = between(&TYPOGRAPHIC, &TYPOGRAPHIC)
        .or_else(|| between(&['"'], &['"']))
        .or_else(|| between(&['\''], &['\'']))?;
    Some((Wrapping::Quotes, inner))
}

fn one_of(word: &str, words: &[&'static str]) -> Result<&'static str, Text> {
    let known = words.iter().find(|known| known.eq_ignore_ascii_case(word));
    known
        .copied()
        .ok_or_else(|| tr!("is none of {words}", words = words.join(", ")))
}

fn path(text: &str) -> Result<&str, Text> {
    Err(match PathFault::of(text) {
        None => return Ok(text),
        Some(PathFault::Url) => tr!("is a whole URL, and should be a path below the base URL"),
        Some(PathFault::TwoSlashes) => tr!("begins with //"),
        Some(PathFault::Character('\\')) => tr!("holds a backslash"),
        Some(PathFault::Character('#')) => tr!("holds a fragment (#)"),
        Some(PathFault::Character(_)) => tr!("holds white space"),
        Some(PathFault::Outside) => tr!("leads out of the base URL (..)"),
    })
}

/// A value from a file or a command: without one line end behind it.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Secret, Text> {
    let bytes = bytes
        .strip_suffix(b"\n")
        .map_or(bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    let text = std::str::from_utf8(bytes).map_err(|_| tr!("is not valid UTF-8"))?;
    if text.trim().is_empty() {
        return Err(blank());
    }
    // Editors put it there unseen, and the server would refuse the credentials.
    if text.starts_with('\u{feff}') {
        return Err(tr!("begins with a byte order mark"));
    }
    if text.chars().any(char::is_control) {
        return Err(tr!(
            "holds a control character or a second line, which no setting may"
        ));
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider;

    fn checked(kind: Kind, text: &str) -> Result<String, String> {
        let found = check(text, &Field::new("X", kind, "x", "y"), provider::specs()[0]);
        found
            .map(|value| value.expose().to_owned())
            .map_err(|why| why.english())
    }

    #[test]
    fn good_values() {
        let choice = Kind::Choice(&["upper", "lower"]);
        for (kind, text, value) in [
            (Kind::Url, "h", "h"),
            (
                Kind::Url,
                "http://10.0.0.7:5000/x/",
                "http://10.0.0.7:5000/x/",
            ),
            (Kind::Text, " a b ", " a b "),
            (Kind::Secret, " pa$w'\"\\ ", " pa$w'\"\\ "),
            (Kind::Token, "abc", "abc"),
            (choice, "lower", "lower"),
            (choice, " UPPER ", "upper"),
            (Kind::Flag, "1", "1"),
            (Kind::Flag, "Off", "off"),
            (Kind::Path, "/a/b", "/a/b"),
            (Kind::Path, "a/b?c=d", "a/b?c=d"),
        ] {
            assert_eq!(checked(kind, text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn quotes_stand_at_both_ends_and_unseen_characters_at_one() {
        let (quotes, unseen) = (Wrapping::Quotes, Wrapping::Unseen);
        for (text, found) in [
            ("“a b”", Some((quotes, "a b"))),
            (" ‘a’ ", Some((quotes, "a"))),
            ("’’", Some((quotes, ""))),
            ("\"a\"", Some((quotes, "a"))),
            ("'a'", Some((quotes, "a"))),
            ("''a''", Some((quotes, "'a'"))),
            ("\u{200b}a", Some((unseen, "a"))),
            ("a\u{feff}", Some((unseen, "a"))),
            ("\u{a0}'a'", Some((unseen, "'a'"))),
            ("\u{a0}", Some((unseen, ""))),
            ("\u{202a}\u{200e}a\u{202c}", Some((unseen, "a"))),
            ("“", None),
            ("“a", None),
            ("a”", None),
            ("don’t", None),
            ("'", None),
            ("'a\"", None),
            ("“a\"", None),
            ("a'b'", None),
            ("a\u{200b}b", None),
            (" a ", None),
        ] {
            assert_eq!(wrapped(text), found, "{text:?}");
        }
    }

    #[test]
    fn bad_values() {
        for (kind, text, message) in [
            (
                Kind::Url,
                "ftp://h",
                "is neither an http:// nor an https:// URL",
            ),
            (
                Kind::Text,
                "a\u{1b}b",
                "holds a control character, which no setting may",
            ),
            (
                Kind::Key,
                "a b",
                "holds white space, which no such key does",
            ),
            (
                Kind::Secret,
                "a\n",
                "holds a control character, which no setting may",
            ),
            (
                Kind::Token,
                "a b",
                "is no token: 1 to 8192 printable ASCII characters without spaces, and no word for \"none\"",
            ),
            (
                Kind::Choice(&["upper", "lower"]),
                "up",
                "is none of upper, lower",
            ),
            (
                Kind::Flag,
                "2",
                "is none of 1, true, yes, on, 0, false, no, off",
            ),
            (
                Kind::Path,
                "https://h/x",
                "is a whole URL, and should be a path below the base URL",
            ),
            (Kind::Path, "//h/x", "begins with //"),
            (Kind::Path, "/a\\b", "holds a backslash"),
            (Kind::Path, "/a#b", "holds a fragment (#)"),
            (Kind::Path, "/a b", "holds white space"),
            (
                Kind::Path,
                "/a/../%2e%2E/b",
                "leads out of the base URL (..)",
            ),
        ] {
            assert_eq!(checked(kind, text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn one_line_end_is_no_part_of_a_file() {
        for (bytes, value) in [
            (&b"abc"[..], Ok("abc")),
            (b"abc\n", Ok("abc")),
            (b"abc\r\n", Ok("abc")),
            (b" a b ", Ok(" a b ")),
            (
                b"abc\r",
                Err("holds a control character or a second line, which no setting may"),
            ),
            (
                b"abc\n\n",
                Err("holds a control character or a second line, which no setting may"),
            ),
            (
                b"a\nb",
                Err("holds a control character or a second line, which no setting may"),
            ),
            (b"", Err("is blank")),
            (b"\n", Err("is blank")),
            (b" \r\n", Err("is blank")),
            (
                b"a\0",
                Err("holds a control character or a second line, which no setting may"),
            ),
            (b"\xff", Err("is not valid UTF-8")),
            (b"\xef\xbb\xbfa", Err("begins with a byte order mark")),
        ] {
            let found = from_bytes(bytes);
            let found = found.as_ref().map(Secret::expose).map_err(Text::english);
            assert_eq!(
                found,
                value.map_err(str::to_owned),
                "{}",
                bytes.escape_ascii()
            );
        }
    }
}
