//! Reads env files: a value of ours arrives byte for byte or is refused with its line and its name; others are skipped.

mod value;

use std::collections::{BTreeMap, HashSet};

use zeroize::Zeroizing;

use super::names::{self, Name};
use super::setting::{Origin, Setting};
use crate::declaration::{Field, Target};
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::provider;
use crate::secret::Secret;
use crate::secret::foreign::unseen;

/// How many settings a file may have: each takes some kilobytes where all accounts are listed.
const SETTINGS_MAX: usize = 10_000;

/// An env file that is read: its name as messages have it, and whether nobody named it.
#[derive(Clone, Copy)]
pub(super) struct EnvFile<'a> {
    pub path: &'a str,
    pub implicit: bool,
}

impl<'a> EnvFile<'a> {
    pub fn new(path: &'a str, implicit: bool) -> Self {
        Self { path, implicit }
    }

    pub fn bad(&self, why: &Text) -> Error {
        error!(BadSetting: "{shown} {why}"; shown = self.path, why)
    }

    pub fn refuse(&self, line: usize, why: Text) -> Error {
        self.bad(&tr!("line {line}: {why}"; line, why))
    }

    pub fn origin(&self, line: usize) -> Origin {
        Origin::File {
            path: self.path.to_owned(),
            line,
            implicit: self.implicit,
        }
    }

    /// The setting that a line gives, or why the line cannot be used.
    fn setting(&self, line: usize, (name, written): Key, text: Result<Secret>) -> Setting {
        let (text, fault) = match text {
            Ok(text) => (text, None),
            Err(fault) => (Secret::new(String::new()), Some(fault)),
        };
        Setting {
            fault,
            ..Setting::new(name, &written, text, self.origin(line))
        }
    }
}

/// Reads a file's bytes: every setting of ours in it, perhaps empty. Errors and faults show names of ours only.
pub(super) fn read(bytes: &[u8], file: EnvFile<'_>) -> Result<Vec<Setting>> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(file.bad(&tr!("is UTF-16")).hint(tr!("save it as UTF-8")));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines: Vec<Line> = lines(bytes).collect();
    let ours = Ours::new(&lines, file);
    let mut settings = Vec::new();
    let mut misplaced = Vec::new();
    let mut seen = BTreeMap::new();
    let mut at = 0;
    while at < lines.len() {
        let number = at + 1;
        if let Some(key) = ours.key(&lines[at]) {
            let text = value(&lines[at], number, &key, file, &mut seen).transpose();
            settings.extend(text.map(|text| file.setting(number, key, text)));
            at += 1;
        } else {
            let last = quote_closes(&lines, at).unwrap_or(at);
            misplaced.extend(otherwise_written(lines[at].bytes, number, &ours));
            let unseen = unseen_by_others(&lines, at, last, &ours);
            settings.extend(unseen.take(SETTINGS_MAX + 1));
            at = last + 1;
        }
        if settings.len() + misplaced.len() > SETTINGS_MAX {
            let most = SETTINGS_MAX;
            let error = file.bad(&tr!("has more than {most} settings of crmauth's"; most));
            return Err(error.hint(tr!(
                "put fewer accounts into one file, and name the right file with --env-file"
            )));
        }
    }
    let set: HashSet<String> = settings.iter().map(Setting::variable).collect();
    misplaced.retain(|setting: &Setting| !set.contains(&setting.variable()));
    settings.append(&mut misplaced);
    Ok(settings)
}

/// The value that a line of ours gives, unless it is given already; `seen` has what the lines before give.
fn value(
    line: &Line,
    number: usize,
    (key, name): &Key,
    file: EnvFile<'_>,
    seen: &mut BTreeMap<String, (usize, Secret)>,
) -> Result<Option<Secret>> {
    let refuse = |why, hint| Err(file.refuse(number, why).hint(hint));
    let Some(raw) = line.value else {
        return refuse(
            tr!("{name} has no `=` after it"; name),
            tr!("write {name}='…', or remove the line"; name),
        );
    };
    let text = match value::parse(raw, name, key) {
        Ok(text) => text,
        Err((why, hint)) => return refuse(why, hint),
    };
    let Some((first, same)) = seen.get(name) else {
        seen.insert(name.clone(), (number, text.clone()));
        return Ok(Some(text));
    };
    // What `token -f env` adds to a file may stand there already.
    if *same == text {
        return Ok(None);
    }
    refuse(
        tr!("{name} is already set in line {first}"; name, first),
        tr!("keep line {first} or line {number}"; first, number),
    )
}

/// Every name in a file that a value is given to, with its line.
pub(super) fn names(bytes: &[u8]) -> Vec<(String, usize)> {
    let lines = lines(bytes).zip(1..);
    let set = lines.filter(|(line, _)| line.value.is_some());
    let names = set.filter_map(|(line, number)| Some((line.name()?.to_owned(), number)));
    names.collect()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    bytes.split(|byte| *byte == b'\n').map(Line::new)
}

/// A line without its end: `[export] NAME [= VALUE]`.
#[derive(Clone, Copy)]
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

    fn is_filled(&self) -> bool {
        !skip_blanks(self.value.unwrap_or_default()).is_empty()
    }

    /// Where the line sets its name to nothing, what stands behind that: a comment with the blanks before it.
    fn remark_of_nothing(&self) -> Option<&'a [u8]> {
        let value = self.value?;
        let text = skip_blanks(value);
        match text {
            [] | b"''" | b"\"\"" => Some(&[]),
            [b'#', ..] if text.len() < value.len() => Some(value),
            _ => None,
        }
    }
}

/// The characters up to a blank, `=` or `:`, and what follows the blanks behind them.
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let bytes = skip_blanks(bytes);
    let ends = |byte: &u8| b" \t\r=:".contains(byte);
    let end = bytes.iter().position(ends);
    let (word, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    (word, skip_blanks(rest))
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !b" \t".contains(byte));
    &bytes[start.unwrap_or(bytes.len())..]
}

/// What a name of ours stands for, and the name as it is written.
type Key = (Name, String);

/// Knows which names in this file are ours.
struct Ours<'a> {
    /// The seed script's names, where this file is one of the seed script's.
    seeds: BTreeMap<&'static str, Key>,
    file: EnvFile<'a>,
}

impl<'a> Ours<'a> {
    fn new(lines: &[Line], file: EnvFile<'a>) -> Self {
        let set = lines.iter().filter(|line| line.value.is_some());
        let set: HashSet<&str> = set.filter_map(Line::name).collect();
        let filled = lines.iter().filter(|line| line.is_filled());
        let fields = filled.filter_map(|line| {
            let name = names::parse(line.name()?)?;
            Some(name.target.variable(name.field.name))
        });
        let filled: HashSet<String> = fields.collect();
        let mut seeds = BTreeMap::new();
        for spec in provider::specs() {
            let target = Target::new(spec, None);
            // Only the name of a secret is unmistakable: `link` and `username` are anybody's.
            let tells = |(field, seed): (&Field, &str)| field.secret() && set.contains(seed);
            if !spec.seeds().any(tells) {
                continue;
            }
            for (field, seed) in spec.seeds() {
                if !filled.contains(&target.variable(field.name)) {
                    let key = (Name::plain(&target, field), seed.to_owned());
                    seeds.entry(seed).or_insert(key);
                }
            }
        }
        Self { seeds, file }
    }

    fn key(&self, line: &Line) -> Option<Key> {
        let name = line.name()?;
        if let Some(seed) = self.seeds.get(name) {
            // Such a word without `=` is prose.
            return line.value.is_some().then(|| seed.clone());
        }
        Some((names::parse(name)?, name.to_owned()))
    }

    /// A setting that is written where other readers would not see it.
    fn hidden(&self, line: usize, key: Key, why: Text, hint: Text) -> Setting {
        let why = tr!("{name} {why}"; name = key.1, why);
        let fault = self.file.refuse(line, why).hint(hint);
        self.file.setting(line, key, Err(fault))
    }
}

/// The line in which a foreign quoted value that opens in line `at` ends; a quote that never closes is a stray one.
fn quote_closes(lines: &[Line], at: usize) -> Option<usize> {
    if lines[at].name.starts_with(b"#") {
        return None;
    }
    let value = skip_blanks(lines[at].value?);
    let quote = *value.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let closes = |rest: &[u8]| {
        let mut bytes = rest.iter();
        while let Some(byte) = bytes.next() {
            match *byte {
                // At a line's end it escapes that.
                b'\\' if quote == b'"' => drop(bytes.next()),
                byte if byte == quote => return true,
                _ => {}
            }
        }
        false
    };
    let later = lines[at + 1..].iter().map(|line| line.bytes);
    let mut rests = std::iter::once(&value[1..]).chain(later);
    Some(at + rests.position(closes)?)
}

/// The settings of ours that other readers may not see: behind a carriage return in line `first`, where some begin one,
/// and inside the foreign quoted value that opens there and ends in line `last`.
fn unseen_by_others(
    lines: &[Line],
    first: usize,
    last: usize,
    ours: &Ours,
) -> impl Iterator<Item = Setting> {
    let parts = lines[first].bytes.split(|byte| *byte == b'\r').skip(1);
    let behind = parts.map(move |part| (first, Line::new(part)));
    let inside = (first + 1..=last).map(|place| (place, lines[place]));
    behind.chain(inside).filter_map(move |(place, line)| {
        let key = ours.key(&line).filter(|_| line.value.is_some())?;
        let (name, at) = (&key.1, first + 1);
        let (why, hint) = match place == first {
            true => (
                tr!("follows a carriage return, which does not end a line"),
                tr!("end the file's lines with LF or CRLF"),
            ),
            false => (
                tr!("is inside the quoted value that opens in line {at}"; at),
                tr!("close the quote in line {at}, or move {name} out of it"; at, name),
            ),
        };
        Some(ours.hidden(place + 1, key, why, hint))
    })
}

/// A setting of ours in a shell's or a language's form, or beside a character that nobody sees: no reader takes it.
fn otherwise_written(line: &[u8], number: usize, ours: &Ours) -> Option<Setting> {
    const WORDS: &str = " const declare env environ export global let local os process readonly set setenv setx typeset var ";
    let line = std::str::from_utf8(line).ok()?;
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = line;
    let (before, name, behind) = loop {
        let begun = rest.trim_start_matches(|c| !in_name(c) && !['#', ';', '/', '='].contains(&c));
        let before = &line[..line.len() - begun.len()];
        let (word, behind) = begun.split_at(begun.find(|c| !in_name(c))?);
        let option = before.ends_with('-') && word.len() < 3;
        let is_known = || WORDS.contains(&format!(" {} ", word.to_ascii_lowercase()));
        if word.is_empty() || !option && !is_known() {
            break (before, word, behind);
        }
        rest = behind;
    };
    let (key, name) = ours.key(&Line::new(name.as_bytes()))?;
    let gap = |c: char| unseen(c) || c.is_whitespace() || ['+', '?', '"', '\''].contains(&c);
    let set = ['=', ':', '\u{ff1d}'];
    let is_set = behind.trim_start_matches(gap).starts_with(set);
    if before.trim_start_matches([' ', '\t']).is_empty() && !is_set {
        return None;
    }
    let hint = tr!("write the line as {name}='…'"; name);
    let why = tr!("is not written as NAME=VALUE, so the line is ignored");
    Some(ours.hidden(number, (key, name), why, hint))
}

/// A file's bytes with these settings in it: each variable, its value, and the value as the file will quote it. A line
/// that sets one to nothing is filled in, the others come last. `None` where all of it would not be read back as meant.
pub fn fill(old: &[u8], settings: &[(String, Secret, Secret)]) -> Option<Zeroizing<Vec<u8>>> {
    let size = |(name, _, quoted): &(String, _, Secret)| name.len() + quoted.expose().len() + 5;
    let added: usize = settings.iter().map(size).sum();
    // Growing would leave copies of secrets behind.
    let mut new = Zeroizing::new(Vec::with_capacity(old.len() + added + 2));
    let mut left: Vec<_> = settings.iter().collect();
    let mut rest = old.strip_prefix(b"\xef\xbb\xbf").unwrap_or(old);
    new.extend_from_slice(&old[..old.len() - rest.len()]);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (whole, behind) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
        rest = behind;
        let line = Line::new(whole.strip_suffix(b"\n").unwrap_or(whole));
        let fits = |(name, ..): &&(String, Secret, Secret)| line.name() == Some(name);
        match (line.remark_of_nothing(), left.iter().position(fits)) {
            (Some(remark), Some(at)) => {
                let (_, _, quoted) = left.remove(at);
                let value = line.value.unwrap_or_default();
                let (name, end) = (line.bytes.len() - value.len(), &whole[line.bytes.len()..]);
                for part in [&line.bytes[..name], quoted.expose().as_bytes(), remark, end] {
                    new.extend_from_slice(part);
                }
            }
            _ => new.extend_from_slice(whole),
        }
    }
    let first = old.iter().position(|byte| *byte == b'\n');
    let crlf = first.is_some_and(|at| old[..at].ends_with(b"\r"));
    let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    if !left.is_empty() && !new.is_empty() && !new.ends_with(b"\n") {
        new.extend_from_slice(end);
    }
    for (name, _, quoted) in left {
        for part in [name.as_bytes(), b"=", quoted.expose().as_bytes(), end] {
            new.extend_from_slice(part);
        }
    }
    let found = read(&new, EnvFile::new("", false)).ok()?;
    let as_meant = |(name, value, _): &(String, Secret, Secret)| {
        let mut found = found.iter();
        found.any(|setting| setting.written == *name && setting.text == *value)
    };
    settings.iter().all(as_meant).then_some(new)
}

#[cfg(test)]
mod tests;
