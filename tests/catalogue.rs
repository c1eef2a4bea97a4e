//! Every sentence stands in the catalogue of each language, with its placeholders, and nothing else does.
//! `UPDATE_CATALOGUE=1` adds what is missing, to be translated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crmauth::cli::Cli;
use crmauth::cli::translate::with_words;
use crmauth::i18n::{Lang, translation};
use crmauth::provider;

/// Stands in an added entry until somebody translates it.
const UNTRANSLATED: &str = "???";

#[test]
fn every_sentence_has_a_translation() {
    let mut said = said();
    said.extend(declared());
    said.extend(help());
    said.retain(|sentence, _| has_words(sentence));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/i18n/pt-BR.txt");
    let mut text = std::fs::read_to_string(&path).expect("the catalogue");
    let known: BTreeSet<String> = entries(&text)
        .into_iter()
        .map(|(english, _)| english)
        .collect();
    #[expect(clippy::disallowed_methods, reason = "a test may be asked to write")]
    if std::env::var_os("UPDATE_CATALOGUE").is_some() {
        for (sentence, _) in said
            .iter()
            .filter(|(sentence, _)| !known.contains(*sentence))
        {
            text.push_str(&format!("\n{sentence}\n{UNTRANSLATED}\n"));
        }
        std::fs::write(&path, text).expect("written");
    }
    let missing: Vec<_> = said
        .iter()
        .filter(|(sentence, _)| !known.contains(*sentence))
        .collect();
    assert!(
        missing.is_empty(),
        "without an entry, which `UPDATE_CATALOGUE=1 cargo test catalogue` adds to src/i18n/pt-BR.txt: {missing:#?}"
    );
    let stale: Vec<_> = known
        .iter()
        .filter(|sentence| !said.contains_key(*sentence))
        .collect();
    assert!(stale.is_empty(), "said nowhere: {stale:#?}");
}

/// What is under way stands on one line of a terminal of 80 columns, beside the longest name of a system.
#[test]
fn what_is_under_way_fits_on_a_line() {
    let room = 79 - "⣾ systemsway: …".chars().count();
    let is_note = |sentence: &str, path: &Path| {
        let text = std::fs::read_to_string(path).expect("a source file");
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ").replace("( ", "(");
        text.contains(&format!("note(tr!(\"{sentence}\""))
    };
    let mut notes = said();
    notes.retain(|sentence, path| is_note(sentence, path));
    assert!(notes.len() > 10, "{notes:?}");
    for english in notes.keys() {
        let portuguese = translation(english, Lang::PtBr).expect("an entry");
        for words in [english, portuguese] {
            assert!(words.chars().count() <= room, "{words}");
        }
    }
}

#[test]
fn translations_keep_the_placeholders_and_the_spaces_around() {
    let text = include_str!("../src/i18n/pt-BR.txt");
    let mut seen = BTreeSet::new();
    for (english, portuguese) in entries(text) {
        assert!(
            !portuguese.contains(UNTRANSLATED),
            "not translated: {english}"
        );
        assert_eq!(places(&english), places(&portuguese), "{english}");
        let around = |text: &str| {
            (
                text.len() - text.trim_start().len(),
                text.len() - text.trim_end().len(),
            )
        };
        assert_eq!(around(&english), around(&portuguese), "{english}");
        assert!(seen.insert(english.clone()), "twice: {english}");
    }
}

/// The catalogue's entries; two lines each, and a line that is empty or a comment between them.
fn entries(text: &str) -> Vec<(String, String)> {
    let apart = |line: &str| line.is_empty() || line.starts_with('#');
    let lines: Vec<&str> = text.lines().collect();
    let blocks = lines
        .split(|line| apart(line))
        .filter(|block| !block.is_empty());
    let entry = |block: &[&str]| match block {
        [english, portuguese] => ((*english).to_owned(), (*portuguese).to_owned()),
        _ => panic!("no entry of two lines: {block:#?}"),
    };
    blocks.map(entry).collect()
}

/// The names between braces. A sentence knows `{name}` and doubled braces, and none of `format!`'s other forms.
fn places(sentence: &str) -> BTreeSet<String> {
    let single = sentence.replace("{{", "").replace("}}", "");
    let names = single
        .split('{')
        .skip(1)
        .map(|rest| rest.split_once('}').expect("a closing brace").0);
    names
        .inspect(|name| {
            let plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(plain && !name.is_empty(), "{{{name}}} in: {sentence}");
        })
        .map(str::to_owned)
        .collect()
}

/// Whether there is anything to translate beside the placeholders.
fn has_words(sentence: &str) -> bool {
    let bare = places(sentence)
        .iter()
        .fold(sentence.to_owned(), |s, name| {
            s.replace(&format!("{{{name}}}"), "")
        });
    bare.contains(char::is_alphabetic)
}

#[test]
fn what_is_said_of_a_setting_stands_alone() {
    for sentence in declared().keys() {
        let portuguese = translation(sentence, Lang::PtBr).unwrap_or_default();
        for text in [sentence, portuguese] {
            let begins = |word: &&str| text.starts_with(word);
            assert!(!["or ", "and ", "ou ", "e "].iter().any(begins), "{text}");
        }
    }
}

/// The texts of declarations that people see while the program runs.
fn declared() -> BTreeMap<String, PathBuf> {
    let specs = provider::specs();
    let fields = || specs.iter().flat_map(|spec| spec.all_fields());
    let (helps, places) = (
        fields().map(|field| field.help),
        fields().filter_map(|field| field.found),
    );
    helps
        .chain(places)
        .chain(
            specs
                .iter()
                .flat_map(|spec| spec.credentials.iter().map(|kind| kind.about)),
        )
        .chain(specs.iter().flat_map(|spec| [spec.method, spec.url_found]))
        .map(|text| (text.to_owned(), "a declaration".into()))
        .collect()
}

/// The texts of the help.
fn help() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for program in [Cli::program(), Cli::verbs()] {
        with_words(program, &mut |english| {
            found.insert(english.to_owned(), "the help".into());
            None
        });
    }
    found
}

/// Every sentence of `tr!(…)` and `error!(… => hint …)` in the sources, with its file.
fn said() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let tokens = tokens(&text);
                for said in (0..tokens.len()).filter_map(|at| said_at(&tokens[at..])) {
                    let Token::Text(sentence) = said else {
                        panic!("a sentence that is no literal: {said:?}");
                    };
                    found.insert(sentence.clone(), path.clone());
                }
            }
        }
    }
    assert!(found.len() > 5, "the sentences were found");
    found
}

/// The sentence of a `tr!(…)`, an `error!(…)` or a hint that begins here.
fn said_at(tokens: &[Token]) -> Option<&Token> {
    use Token::{Mark, Text, Word};
    match tokens {
        // A macro's own definition.
        [_, Mark('!'), Mark('('), Mark('$'), ..] => None,
        [Word(name), Mark('!'), Mark('('), said, ..] if name == "tr" => Some(said),
        [
            Word(name),
            Mark('!'),
            Mark('('),
            Word(_),
            Mark(':'),
            said,
            ..,
        ] if name == "error" => Some(said),
        [Mark('>'), Word(name), said @ Text(_), ..] if name == "hint" => Some(said),
        _ => None,
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// Rust as far as it matters here: words, string literals, and every other character; no comments.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, rest)| rest);
        } else if let Some((text, behind)) = raw_string(rest) {
            tokens.push(Token::Text(text.to_owned()));
            rest = behind;
        } else if c == '"' {
            let (text, behind) = string(&rest[1..]);
            tokens.push(Token::Text(text));
            rest = behind;
        } else if c == '\'' {
            rest = &rest[character(rest)..];
        } else if c.is_alphanumeric() || c == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Mark(c));
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    tokens
}

/// A raw string's text, and what follows it.
fn raw_string(source: &str) -> Option<(&str, &str)> {
    let rest = source.strip_prefix('r')?;
    let hashes = &rest[..rest.len() - rest.trim_start_matches('#').len()];
    let rest = rest[hashes.len()..].strip_prefix('"')?;
    rest.split_once(&format!("\"{hashes}"))
}

/// A string's text from behind its opening quote, and what follows it.
fn string(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = source.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &source[at + 1..]),
            '\\' => match chars.next().expect("an escape").1 {
                '\n' => {
                    let left = chars.as_str().trim_start().len();
                    chars = source.char_indices();
                    while chars.as_str().len() > left {
                        chars.next();
                    }
                }
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let digits: String = chars
                        .by_ref()
                        .map(|(_, c)| c)
                        .take_while(|c| *c != '}')
                        .collect();
                    let code = u32::from_str_radix(&digits[1..], 16).expect("hex digits");
                    text.push(char::from_u32(code).expect("a character"));
                }
                escaped => text.push(escaped),
            },
            _ => text.push(c),
        }
    }
    panic!("a string without an end: {text}");
}

/// How long the character literal is that stands here, or the quote alone where it begins a lifetime.
fn character(source: &str) -> usize {
    let mut chars = source.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let closing = source[3..].find('\'').expect("a closing quote");
            closing + 4
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[test]
fn sources_are_read_as_rust_reads_them() {
    let source =
        "a!(\"x\\\"y\\u{e9}\\\n      z\", '\"', '\\'', 'l: r#\"q\"r\"#) // \"no\"\n/* \" */ b\"w\"";
    let words = |text: &str| Token::Word(text.to_owned());
    let texts = |text: &str| Token::Text(text.to_owned());
    let marks: Vec<Token> = "!(".chars().map(Token::Mark).collect();
    let expected = [words("a")].into_iter().chain(marks).chain([
        texts("x\"yéz"),
        Token::Mark(','),
        Token::Mark(','),
        Token::Mark(','),
        words("l"),
        Token::Mark(':'),
        texts("q\"r"),
        Token::Mark(')'),
        words("b"),
        texts("w"),
    ]);
    assert_eq!(tokens(source), expected.collect::<Vec<_>>());
}
