//! One value of an env file, as it stands behind the `=`.
//!
//! Readers disagree on much here. Where they do, the value is refused, so that no other program reads a file
//! that works here differently. A backtick is literal, except where it opens a value: env file readers run
//! nothing, but one of them takes it for a quote.

use zeroize::Zeroizing;

use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// Why a value is refused; both texts show its name only.
pub(super) struct Fault {
    pub message: Text,
    pub hint: Text,
}

impl Fault {
    fn new(message: Text, hint: Text) -> Self {
        Self { message, hint }
    }
}

/// Reads what stands behind the `=` of the setting `name`.
pub(super) fn parse(raw: &[u8], name: &str, secret: bool) -> Result<Secret, Fault> {
    let Ok(raw) = std::str::from_utf8(raw) else {
        return Err(Fault::new(tr!("{name} is not valid UTF-8", name), tr!("save the file as UTF-8")));
    };
    if raw.chars().any(|c| c.is_control() && c != '\t') {
        return Err(control(name));
    }
    let text = raw.trim_start_matches(BLANKS);
    if let Some(rest) = text.strip_prefix('\'') {
        return single(rest, name);
    }
    if let Some(rest) = text.strip_prefix('"') {
        return double(rest, name);
    }
    let text = match comment(raw) {
        None => text,
        Some(_) if secret => {
            return Err(Fault::new(
                tr!("white space and `#` in {name} need single quotes", name),
                tr!(
                    "put the value between single quotes if ` #` belongs to it, or the comment on a line of its own: {name}='…'",
                    name
                ),
            ));
        }
        Some(at) => raw[..at].trim_start_matches(BLANKS),
    };
    bare(text.trim_end_matches(BLANKS), name)
}

const BLANKS: [char; 2] = [' ', '\t'];

/// Where a comment begins: at a `#` behind a blank.
fn comment(raw: &str) -> Option<usize> {
    let bytes = raw.as_bytes();
    (1..bytes.len()).find(|at| bytes[*at] == b'#' && matches!(bytes[at - 1], b' ' | b'\t'))
}

fn control(name: &str) -> Fault {
    Fault::new(
        tr!("{name} holds a control character, which no setting may", name),
        tr!("type the value of {name} anew: something in it cannot be seen", name),
    )
}

fn single(rest: &str, name: &str) -> Result<Secret, Fault> {
    let Some((text, tail)) = rest.split_once('\'') else {
        return Err(unclosed(
            tr!("the single quote that opens {name} does not close on its line", name),
            name,
        ));
    };
    if text.contains('\t') {
        return Err(control(name));
    }
    end(tail, name)?;
    Ok(Secret::new(text.to_owned()))
}

fn double(rest: &str, name: &str) -> Result<Secret, Fault> {
    // Never longer than `rest`: no copy of a secret is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                end(&rest[at + 1..], name)?;
                return Ok(Secret::new(std::mem::take(&mut *text)));
            }
            '\\' => match chars.next() {
                Some((_, c @ ('\\' | '"' | '$'))) => text.push(c),
                None => break,
                Some(_) => {
                    let message = tr!("a backslash in {name} needs single quotes", name);
                    return Err(Fault::new(
                        message,
                        tr!(r#"between double quotes only \\, \" and \$ are known"#),
                    ));
                }
            },
            '$' => return Err(quote_it(tr!("`$` in {name} needs single quotes", name), name)),
            '\t' => return Err(control(name)),
            c => text.push(c),
        }
    }
    Err(unclosed(tr!("the double quote that opens {name} does not close on its line", name), name))
}

fn bare(text: &str, name: &str) -> Result<Secret, Fault> {
    if text.starts_with(['#', '`']) {
        let first = &text[..1];
        return Err(quote_it(tr!("`{first}` at the start of {name} needs single quotes", first, name), name));
    }
    for c in text.chars() {
        let what = match c {
            '$' => tr!("`$`"),
            '"' => tr!("a double quote"),
            '\\' => tr!("a backslash"),
            '\'' => {
                return Err(Fault::new(
                    tr!("a single quote in {name} needs double quotes", name),
                    tr!(
                        r#"write {name}="…", with \\, \" and \$ for a backslash, a double quote and a dollar sign"#,
                        name
                    ),
                ));
            }
            c if c.is_whitespace() => tr!("white space"),
            _ => continue,
        };
        return Err(quote_it(tr!("{what} in {name} needs single quotes", what, name), name));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Behind a closing quote: blanks, and a comment after at least one.
fn end(tail: &str, name: &str) -> Result<(), Fault> {
    let rest = tail.trim_start_matches(BLANKS);
    if rest.is_empty() || (rest.len() < tail.len() && rest.starts_with('#')) {
        return Ok(());
    }
    Err(Fault::new(
        tr!("something stands behind the closing quote of {name}", name),
        tr!(
            "a quote inside the value ends it: a value with both kinds of quotes goes between double ones, as \\\""
        ),
    ))
}

fn quote_it(message: Text, name: &str) -> Fault {
    Fault::new(
        message,
        tr!("write {name}='…': between single quotes every character stands for itself", name),
    )
}

fn unclosed(message: Text, name: &str) -> Fault {
    Fault::new(message, tr!("write {name}='…' on one line: no setting has several", name))
}
