//! The strict reader of env files: a value of ours arrives byte for byte, or is refused with its line number
//! and its name. Lines of other programs are skipped, whatever they hold.

mod fill;
mod value;

use std::collections::{BTreeMap, HashSet};

pub use fill::fill;

use super::names::{self, Form};
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::provider;
use crate::secret::Secret;
use crate::secret::foreign::unseen;

/// A setting that a file holds.
pub(super) struct Entry {
    /// Its variable: `GLUO_ACCESS_KEY`, also where the file says `acceskey`.
    pub variable: String,
    /// The name that the file uses for it.
    pub written: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// Its value, perhaps empty.
    pub text: Secret,
    /// Whether it is the value, a path or a command.
    pub form: Form,
    /// Whether its field is a secret.
    pub secret: bool,
    /// Why it cannot be used; its text is empty then. Whose settings they are not is not concerned.
    pub fault: Option<Error>,
}

/// Reads a file's bytes: every setting of ours in it.
///
/// Errors and faults: [`Cause::BadSetting`]; the message begins with `line N: `, or with a verb, and shows names of ours only:
/// the caller puts the file's path before it.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Entry>> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(error!(BadSetting, "is UTF-16"; hint "save it as UTF-8"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines: Vec<Line> = bytes.split(|byte| *byte == b'\n').map(Line::new).collect();
    let ours = Ours::new(&lines);
    let mut entries = Vec::new();
    let mut misplaced = Vec::new();
    let mut seen = BTreeMap::new();
    let mut at = 0;
    while at < lines.len() {
        let number = at + 1;
        let Some(key) = ours.key(&lines[at]) else {
            entries.extend(hidden_behind_a_return(lines[at].bytes, number, &ours));
            misplaced.extend(not_at_the_start(lines[at].bytes, number, &ours));
            let last = quote_closes(&lines, at).unwrap_or(at);
            entries.extend(swallowed(&lines, at, last, &ours));
            at = last + 1;
            continue;
        };
        if let Some(text) = setting(&lines[at], number, &key, &mut seen).transpose() {
            entries.push(key.entry(number, text));
        }
        at += 1;
    }
    let set: HashSet<&str> = entries
        .iter()
        .map(|entry| entry.variable.as_str())
        .collect();
    misplaced.retain(|entry| !set.contains(entry.variable.as_str()));
    entries.append(&mut misplaced);
    Ok(entries)
}

/// The value that a line of ours gives, unless it is given already; `seen` has what the lines before give.
fn setting(
    line: &Line,
    number: usize,
    key: &Key,
    seen: &mut BTreeMap<String, (usize, Secret)>,
) -> Result<Option<Secret>> {
    let name = &key.written;
    let Some(raw) = line.value else {
        return Err(refuse(number, tr!("{name} has no `=` behind it", name))
            .hint(tr!("write {name}='…', or remove the line", name)));
    };
    let text = value::parse(raw, name, &key.variable, key.secret)
        .map_err(|fault| refuse(number, fault.message).hint(fault.hint))?;
    let Some((first, same)) = seen.get(name) else {
        seen.insert(name.clone(), (number, text.clone()));
        return Ok(Some(text));
    };
    // What `token -f env` adds to a file may stand there already.
    if *same == text {
        return Ok(None);
    }
    let why = tr!("{name} is set in line {first} already", name, first);
    Err(refuse(number, why).hint(tr!("keep line {first} or line {number}", first, number)))
}

/// Every name in a file that a value is given to, with its line.
pub(super) fn names(bytes: &[u8]) -> Vec<(String, usize)> {
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .map(Line::new)
        .enumerate();
    let set = lines.filter(|(_, line)| line.value.is_some());
    set.filter_map(|(at, line)| Some((line.name()?.to_owned(), at + 1)))
        .collect()
}

fn refuse(line: usize, why: Text) -> Error {
    error!(BadSetting, "line {line}: {why}", line, why)
}

/// A line without its end: `[export] NAME [= VALUE]`.
struct Line<'a> {
    bytes: &'a [u8],
    name: &'a [u8],
    /// What stands behind the `=`.
    value: Option<&'a [u8]>,
}

impl<'a> Line<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let (mut name, mut rest) = word(bytes);
        if name == b"export" && !rest.starts_with(b"=") {
            (name, rest) = word(rest);
        }
        Self {
            bytes,
            name,
            value: rest.strip_prefix(b"="),
        }
    }

    fn name(&self) -> Option<&'a str> {
        std::str::from_utf8(self.name).ok()
    }
}

/// The characters up to a blank, `=` or `:`, and what follows the blanks behind them.
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let bytes = skip_blanks(bytes);
    let end = bytes
        .iter()
        .position(|b| matches!(b, b' ' | b'\t' | b'\r' | b'=' | b':'));
    let (word, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    (word, skip_blanks(rest))
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_blank(*byte));
    &bytes[start.unwrap_or(bytes.len())..]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What a name of ours stands for.
#[derive(Clone)]
struct Key {
    variable: String,
    written: String,
    form: Form,
    secret: bool,
}

impl Key {
    fn entry(self, line: usize, text: Result<Secret>) -> Entry {
        let (text, fault) = match text {
            Ok(text) => (text, None),
            Err(fault) => (Secret::new(String::new()), Some(fault)),
        };
        Entry {
            variable: self.variable,
            written: self.written,
            line,
            text,
            form: self.form,
            secret: self.secret,
            fault,
        }
    }
}

/// Knows which names in this file are ours.
struct Ours {
    /// The seed script's names, where this file is one of the seed script's.
    seeds: BTreeMap<&'static str, Key>,
}

impl Ours {
    fn new(lines: &[Line]) -> Self {
        let set: HashSet<&str> = lines
            .iter()
            .filter(|line| line.value.is_some())
            .filter_map(Line::name)
            .collect();
        let filled: HashSet<&str> = lines
            .iter()
            .filter(|line| {
                line.value
                    .is_some_and(|value| !skip_blanks(value).is_empty())
            })
            .filter_map(Line::name)
            .collect();
        let mut seeds = BTreeMap::new();
        for spec in provider::specs() {
            let named = || {
                spec.all_fields()
                    .filter_map(|field| Some((field, spec.seed_name(field)?)))
            };
            // Only the name of a secret is unmistakable: `link` and `username` are anybody's.
            if !named().any(|(field, seed)| field.secret() && set.contains(seed)) {
                continue;
            }
            for (field, seed) in named() {
                let variable = format!("{}_{}", spec.prefix(), field.name);
                let forms = Form::of(field).iter();
                if forms
                    .map(|form| form.suffix())
                    .any(|suffix| filled.contains(format!("{variable}{suffix}").as_str()))
                {
                    continue;
                }
                let key = Key {
                    variable,
                    written: seed.to_owned(),
                    form: Form::Plain,
                    secret: field.secret(),
                };
                seeds.entry(seed).or_insert(key);
            }
        }
        Self { seeds }
    }

    fn key(&self, line: &Line) -> Option<Key> {
        let name = line.name()?;
        if let Some(seed) = self.seeds.get(name) {
            // Such a word without `=` is prose.
            return line.value.is_some().then(|| seed.clone());
        }
        names::parse(name).map(|parsed| Key {
            variable: name.to_owned(),
            written: name.to_owned(),
            form: parsed.form,
            secret: parsed.field.secret(),
        })
    }
}

/// The line on which a foreign quoted value that opens in line `at` ends; `None` where no quote opens, or where
/// it never closes: then it is a stray one, which ends with its line.
fn quote_closes(lines: &[Line], at: usize) -> Option<usize> {
    if lines[at].name.starts_with(b"#") {
        return None;
    }
    let value = skip_blanks(lines[at].value?);
    let quote = *value.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut escaped = false;
    let mut rest = &value[1..];
    for (last, line) in lines.iter().enumerate().skip(at) {
        if last > at {
            rest = line.bytes;
        }
        for byte in rest {
            if escaped {
                escaped = false;
            } else if *byte == b'\\' && quote == b'"' {
                escaped = true;
            } else if *byte == quote {
                return Some(last);
            }
        }
        // What a backslash at a line's end escapes is the line's end.
        escaped = false;
    }
    None
}

/// The settings of ours inside a foreign quoted value: other readers would not see them.
fn swallowed(lines: &[Line], first: usize, last: usize, ours: &Ours) -> Vec<Entry> {
    let inside = lines.iter().enumerate().take(last + 1).skip(first + 1);
    let entry = |(at, line): (usize, &Line)| {
        let key = ours.key(line).filter(|_| line.value.is_some())?;
        let (name, opens) = (&key.written, first + 1);
        let why = tr!(
            "{name} stands inside the quoted value that opens in line {opens}",
            name,
            opens
        );
        let fault = refuse(at + 1, why).hint(tr!(
            "close the quote in line {opens}, or move {name} out of it",
            opens,
            name
        ));
        Some(key.entry(at + 1, Err(fault)))
    };
    inside.filter_map(entry).collect()
}

/// The settings of ours behind a lone carriage return, where some readers begin a line and some do not.
fn hidden_behind_a_return(line: &[u8], number: usize, ours: &Ours) -> Vec<Entry> {
    let parts = line.split(|byte| *byte == b'\r').skip(1).map(Line::new);
    let entry = |part: Line| {
        let key = ours.key(&part).filter(|_| part.value.is_some())?;
        let why = tr!(
            "{written} stands behind a carriage return, which ends no line",
            written = key.written
        );
        let fault = refuse(number, why).hint(tr!("end the file's lines with LF or CRLF"));
        Some(key.entry(number, Err(fault)))
    };
    parts.filter_map(entry).collect()
}

/// A setting of ours behind a word of some shell's, or behind a character that nobody sees: no reader of env files takes it.
fn not_at_the_start(line: &[u8], number: usize, ours: &Ours) -> Option<Entry> {
    const WORDS: [&str; 14] = [
        "-", "const", "declare", "env", "export", "global", "let", "local", "readonly", "set",
        "setenv", "setx", "typeset", "var",
    ];
    let line = std::str::from_utf8(line).ok()?;
    let hidden = |c: char| unseen(c) || c.is_whitespace();
    let mut rest = line.trim_start_matches(hidden);
    while let Some((word, behind)) = rest.split_once(hidden) {
        let option = word.starts_with('-') && word.len() < 4;
        if !option && !WORDS.contains(&word.to_ascii_lowercase().as_str()) {
            break;
        }
        rest = behind.trim_start_matches(hidden);
    }
    let lower = rest.to_ascii_lowercase();
    let shell = ["$env:", "${env:"]
        .iter()
        .find(|start| lower.starts_with(*start));
    let name = &rest[shell.map_or(0, |start| start.len())..];
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let before = line.trim_start_matches([' ', '\t']).len() > name.len();
    let key = ours
        .key(&Line::new(&name.as_bytes()[..end?]))
        .filter(|_| before)?;
    let name = &key.written;
    let fault = refuse(
        number,
        tr!("something stands before {name}, so nobody reads it", name),
    )
    .hint(tr!("begin the line with the name: {name}='…'", name));
    Some(key.entry(number, Err(fault)))
}

#[cfg(test)]
mod tests;
