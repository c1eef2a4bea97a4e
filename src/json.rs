//! JSON as it is printed: others choose parts of it, so nothing in it may be what a terminal or a CI runner acts upon.

use std::io::{Result, Write};

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Deserializer, Error, Value};

use crate::secret::foreign::unseen;
use crate::terminal::style;

/// How many braces, brackets, commas and colons a text may have that is read into memory: each takes up to 250 bytes.
const VALUES_MAX: usize = 20_000;
/// The deepest that `serde_json` reads.
const DEPTH_MAX: usize = 128;

/// Whether the JSON text that `bytes` begin with may be read into memory. Where it ends, so does the count.
pub fn is_small(bytes: &[u8]) -> bool {
    if bytes.len() <= VALUES_MAX {
        return true;
    }
    let (mut values, mut depth, mut quoted, mut escaped) = (0, 0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            // The reader goes no deeper either.
            b'{' | b'[' if depth == DEPTH_MAX => break,
            b'{' | b'[' => (values, depth) = (values + 1, depth + 1),
            b',' | b':' => values += 1,
            b'}' | b']' if depth <= 1 => return values <= VALUES_MAX,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    values <= VALUES_MAX
}

/// The value on one line, without the line's end.
pub fn text(value: &Value) -> String {
    let mut bytes = Vec::new();
    // A `Value` always has a form in JSON, and a `Vec` takes every byte.
    let _ = write(&mut bytes, value);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes the value as [`text`] has it; for a writer that wipes what it holds.
pub fn write(out: impl Write, value: &(impl Serialize + ?Sized)) -> std::result::Result<(), Error> {
    value.serialize(&mut Serializer::with_formatter(out, Harmless))
}

/// Compact JSON in which every text shows all its characters, and without `##`: an Azure agent obeys `##vso[` anywhere.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, text: &str) -> Result<()> {
        let mut written = 0;
        for (at, c) in text.char_indices() {
            if unseen(c) || (c == '#' && text[..at].ends_with('#')) {
                out.write_all(&text.as_bytes()[written..at])?;
                out.write_all(escaped(c).as_bytes())?;
                written = at + c.len_utf8();
            }
        }
        out.write_all(&text.as_bytes()[written..])
    }
}

/// The largest text that is indented, in bytes.
const INDENTED_MAX: usize = 16 * 1024 * 1024;

/// A JSON text of others with a member a line, its numbers digit by digit; `None` if it is not JSON, or too large.
pub fn indented(text: &[u8], color: bool) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim();
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let paint = |code: &str, word: &str| match color {
        true => [code, word, style::PLAIN].concat(),
        false => word.to_owned(),
    };
    let (mut out, mut rest, mut depth) = (String::new(), text, 0_usize);
    while let Some(first) = rest.chars().next() {
        if out.len() > INDENTED_MAX {
            return None;
        }
        let length = match first {
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ => {
                let mut values = Deserializer::from_str(rest).into_iter::<IgnoredAny>();
                values.next();
                values.byte_offset()
            }
        };
        let (word, after) = rest.split_at(length);
        rest = after.trim_ascii_start();
        let closes = rest.starts_with(['}', ']']);
        match first {
            '"' if rest.starts_with(':') => out += &paint(style::BLUE, &seen(word)),
            '"' => out += &paint(style::GREEN, &seen(word)),
            ':' => out += ": ",
            '{' | '[' if closes => {
                out += word;
                out += &rest[..1];
                rest = rest[1..].trim_ascii_start();
            }
            '{' | '[' | ',' => {
                depth += usize::from(first != ',');
                out += &[word, "\n", &"  ".repeat(depth)].concat();
            }
            '}' | ']' => {
                depth -= 1;
                out += &["\n", &"  ".repeat(depth), word].concat();
            }
            _ => out += &paint(style::YELLOW, word),
        }
    }
    Some(out)
}

/// A JSON string without what is not seen.
fn seen(word: &str) -> String {
    let shown = |c| if unseen(c) { escaped(c) } else { c.to_string() };
    word.chars().map(shown).collect()
}

fn escaped(c: char) -> String {
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units).iter();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}
