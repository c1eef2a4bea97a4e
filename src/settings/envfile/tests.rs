use proptest::prelude::*;

use super::*;
use crate::error::Cause;

/// All settings, or the first fault.
fn read(bytes: &[u8]) -> Result<Vec<Entry>> {
    let entries = super::read(bytes)?;
    match entries.iter().find_map(|entry| entry.fault.clone()) {
        Some(fault) => Err(fault),
        None => Ok(entries),
    }
}

/// Every setting as `NAME=value`, or the error's message.
fn settings(bytes: &[u8]) -> std::result::Result<Vec<String>, String> {
    match read(bytes) {
        Ok(entries) => Ok(entries
            .iter()
            .map(|entry| format!("{}={}", entry.variable, entry.text.expose()))
            .collect()),
        Err(error) => {
            assert_eq!(error.cause, Cause::BadSetting);
            Err(error.message.english())
        }
    }
}

fn accepts(bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let bytes = bytes.as_ref();
    let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(settings(bytes), Ok(expected), "{}", bytes.escape_ascii());
}

fn refuses(bytes: impl AsRef<[u8]>, message: &str) {
    let bytes = bytes.as_ref();
    assert_eq!(
        settings(bytes),
        Err(message.to_owned()),
        "{}",
        bytes.escape_ascii()
    );
}

#[test]
fn values_arrive_as_they_are_written() {
    for (raw, value) in [
        ("abc", "abc"),
        (" abc", "abc"),
        ("abc \t", "abc"),
        ("ab#cd", "ab#cd"),
        ("ab#", "ab#"),
        ("a=b", "a=b"),
        ("=", "="),
        ("a`b", "a`b"),
        ("`ab`", "`ab`"),
        ("a!*?[]{}()<>|&;~%^b", "a!*?[]{}()<>|&;~%^b"),
        ("\u{e9}\u{1f511}", "\u{e9}\u{1f511}"),
        ("", ""),
        ("  ", ""),
        ("''", ""),
        ("\"\"", ""),
        (r#"'pa$w"o\r#d `x` '"#, r#"pa$w"o\r#d `x` "#),
        (r"'a\b\n'", r"a\b\n"),
        ("'$x $(x) {x}'", "$x $(x) {x}"),
        ("'a' ", "a"),
        ("'a' # don't", "a"),
        ("'a'\t#", "a"),
        ("'a\u{a0}b'", "a\u{a0}b"),
        (r#""a b""#, "a b"),
        (r#""don't `x` #y""#, "don't `x` #y"),
        (r#""a" # "b""#, "a"),
        (" 'a'", "a"),
    ] {
        accepts(
            format!("GLUO_ACCESS_KEY={raw}"),
            &[&format!("GLUO_ACCESS_KEY={value}")],
        );
        accepts(
            format!("GLUO_USERNAME={raw}\n"),
            &[&format!("GLUO_USERNAME={value}")],
        );
    }
}

#[test]
fn what_stands_before_a_name_is_named() {
    let words = "\u{a0}|\u{feff}|\u{200b}|export \u{a0}|set |SET |setx |setenv |declare -x |typeset -x |set -gx |set -x |readonly |\
        local |env |ENV |const |- |$env:|$Env:|${env:";
    for before in words.split('|') {
        for after in ["=h", " = h", " h", "} = h", ": h"] {
            let file = format!("X=1\n{before}GLUO_URL{after}\n");
            let why = "line 2: something stands before GLUO_URL, so nobody reads it";
            refuses(&file, why);
            // What is set as it should be is all that counts.
            accepts(format!("{file}GLUO_URL=i"), &["GLUO_URL=i"]);
        }
    }
    let others = "#set GLUO_URL=h|# GLUO_URL=h|set GLUO_X=1|X=set GLUO_URL=h|GLUO_URL.old=h|set|set |$env:|rem GLUO_URL=h";
    others.split('|').for_each(|line| accepts(line, &[]));
}

#[test]
fn doubtful_values_are_refused() {
    let single = "put it between single quotes, on one line: GLUO_ACCESS_KEY='…'";
    let double = "put it between double quotes, on one line: GLUO_ACCESS_KEY=\"…\"";
    let neither =
        "no quotes carry it to every reader: set GLUO_ACCESS_KEY in the environment instead";
    for (raw, hint) in [
        ("pa$word", single),
        ("pa$", single),
        ("\"pa$word\"", single),
        ("\"pa$\"", single),
        ("'a'$b", neither),
        ("$", single),
        ("a\"b", single),
        ("a\"b\"", single),
        ("a\\b", single),
        ("\"a\\nb\"", single),
        ("\"a\\qb\"", single),
        ("\"a\\\\b\"", single),
        ("\"ab\\\"", single),
        ("a b", single),
        ("a\tb", single),
        ("a\u{a0}", single),
        ("\u{a0}a", single),
        ("a\u{a0}b", single),
        ("a\u{a0}#b", single),
        ("a\u{2003}# b", single),
        ("#ab", single),
        ("'ab", single),
        ("\"ab", single),
        ("\"a\"b", single),
        ("don't", double),
        ("'don't'", double),
        ("'a'b", double),
        ("'a'#b", double),
        ("'a' b", double),
        ("'a''b'", double),
        ("'a'\u{a0}# b", double),
        ("${x}", neither),
        ("'a${x}b'", neither),
        ("\"${x}\"", neither),
        (r"'a\\b'", neither),
        (r"a\\b", neither),
        (r"'a\'", neither),
        (r"'a\' # b'", neither),
        (r"a\", neither),
        (r"don't\", neither),
        ("don't pay $5", neither),
        ("\"don't \\\"x\\\"\"", neither),
    ] {
        refuses(
            format!("# x\n\nGLUO_ACCESS_KEY={raw}\n"),
            "line 3: GLUO_ACCESS_KEY cannot be read as it stands",
        );
        let error = read(format!("GLUO_ACCESS_KEY={raw}").as_bytes())
            .err()
            .expect(raw);
        assert_eq!(error.hint.expect("a hint").english(), hint, "{raw}");
    }
    for raw in ["a\0b", "'a\0b'", "\"a\u{1b}b\"", "a\rb", "a\r\r", "a\u{85}"] {
        let message = "line 1: GLUO_USERNAME holds a control character, which no setting may";
        refuses(format!("GLUO_USERNAME={raw}\r\n"), message);
    }
    refuses(b"GLUO_URL=a\xffb", "line 1: GLUO_URL is not valid UTF-8");
}

#[test]
fn a_comment_behind_a_value_is_cut_unless_the_value_is_a_secret() {
    for (raw, value) in [
        ("ab # cd", "ab"),
        ("ab\t#cd", "ab"),
        ("ab #", "ab"),
        (" # ab", ""),
        ("a#b #c", "a#b"),
        ("ab # don't $x \\", "ab"),
    ] {
        accepts(format!("GLUO_URL={raw}"), &[&format!("GLUO_URL={value}")]);
        refuses(
            format!("GLUO_ACCESS_KEY={raw}"),
            "line 1: GLUO_ACCESS_KEY cannot be read as it stands",
        );
    }
    refuses(
        "GLUO_URL=a b # c",
        "line 1: GLUO_URL cannot be read as it stands",
    );
}

#[test]
fn names_and_line_ends() {
    let url = &["GLUO_URL=h"];
    for text in [
        "\u{feff}GLUO_URL=h",
        "GLUO_URL=h\r\n",
        "export GLUO_URL=h",
        "export\tGLUO_URL = h",
        "  GLUO_URL\t=\t'h'",
        "\n\r\n# GLUO_URL=x\n  # GLUO_URL=y\nGLUO_URL=h\n\n",
        "#\u{feff}\nGLUO_URL=h",
    ] {
        accepts(text, url);
    }
    accepts(
        "GLUO__FILIAL__URL=h\nGLUO_ACCESS_KEY_FILE=/x\nGLUO__A__ACCESS_KEY_CMD='pass x'\n",
        &[
            "GLUO__FILIAL__URL=h",
            "GLUO_ACCESS_KEY_FILE=/x",
            "GLUO__A__ACCESS_KEY_CMD=pass x",
        ],
    );
    for text in [
        "GLUO_URL",
        "GLUO_URL h",
        "GLUO_URL: h",
        "export GLUO_URL",
        "GLUO_URL:=h",
        "GLUO_URL\r=h",
    ] {
        refuses(text, "line 1: GLUO_URL has no `=` behind it");
    }
    accepts("GLUO_URL=h\nX=1\nGLUO_URL='h'\n", &["GLUO_URL=h"]);
    refuses(
        "GLUO_URL=h\nX=1\nGLUO_URL=\n",
        "line 3: GLUO_URL is set in line 1 already",
    );
    refuses(
        "X=1\rGLUO_URL=h\r",
        "line 1: GLUO_URL stands behind a carriage return, which ends no line",
    );
}

#[test]
fn lines_of_others_are_skipped_whatever_they_hold() {
    let mut file = b"X=a\0b\nY=\xff\xfe\nZ='don't\n=\n===\n'\n\"\nexport\nexport =\n".to_vec();
    file.extend(
        b"GLUO_TOKEN=$x\nGLUO_URL_FILE=`\ngluo_url=$\nXGLUO_URL=\"\n \x0b\nW=a \\\n${X}=1\n",
    );
    file.extend(b"link=$x\nusername=don't\nlink\n");
    accepts([&file[..], b"\nGLUO_URL=h\n"].concat(), &["GLUO_URL=h"]);
}

#[test]
fn foreign_values_over_several_lines() {
    let pem = "-----BEGIN KEY-----\nMIIB=\n# x\n-----END KEY-----";
    for quote in ["'", "\""] {
        accepts(
            format!("KEY={quote}{pem}{quote}\nGLUO_URL=h"),
            &["GLUO_URL=h"],
        );
        accepts(
            format!("export KEY = {quote}{pem}\r\n{quote} # x\r\nGLUO_URL=h"),
            &["GLUO_URL=h"],
        );
        refuses(
            format!("A=1\nKEY={quote}x\nGLUO_URL=h\ny{quote}\n"),
            "line 3: GLUO_URL stands inside the quoted value that opens in line 2",
        );
        // The line that closes it is still inside.
        refuses(
            format!("KEY={quote}x\nGLUO_URL={quote}h{quote}\n"),
            "line 2: GLUO_URL stands inside the quoted value that opens in line 1",
        );
        // Prose is no setting.
        accepts(format!("KEY={quote}x\nGLUO_URL is y{quote}\n"), &[]);
        // A quote that never closes ends with its line.
        accepts(format!("KEY={quote}x\nGLUO_URL=h\n"), &["GLUO_URL=h"]);
        // Only a value that begins with a quote can go on.
        accepts(
            format!("KEY=x{quote}\nGLUO_URL=h\nB={quote}"),
            &["GLUO_URL=h"],
        );
        accepts(
            format!("# KEY={quote}x\nGLUO_URL=h\nB={quote}"),
            &["GLUO_URL=h"],
        );
        accepts(
            format!("#KEY={quote}x\nGLUO_URL=h\nB={quote}"),
            &["GLUO_URL=h"],
        );
    }
    accepts("KEY=\"a\\\"b\nx\"\nGLUO_URL=h", &["GLUO_URL=h"]);
    refuses(
        "KEY=\"a\\\"\nGLUO_URL=h\n\"",
        "line 2: GLUO_URL stands inside the quoted value that opens in line 1",
    );
}

#[test]
fn the_seed_scripts_own_file() {
    let seed = "link = 'https://h'\nusername=\"u\"\nacceskey=k\n";
    accepts(
        seed,
        &["GLUO_URL=https://h", "GLUO_USERNAME=u", "GLUO_ACCESS_KEY=k"],
    );
    // Without the one unmistakable name the others are anybody's, and are not judged.
    accepts("link=$x\nusername='\nlink\n", &[]);
    accepts("username=u\nGLUO_ACCESS_KEY=k\n", &["GLUO_ACCESS_KEY=k"]);
    // With it they are ours.
    refuses(
        "acceskey=k\nusername=$x\n",
        "line 2: username cannot be read as it stands",
    );
    refuses(
        "acceskey=k\nusername=a\nusername=b\n",
        "line 3: username is set in line 2 already",
    );
    refuses(
        "X='\nacceskey=k\n'",
        "line 2: acceskey stands inside the quoted value that opens in line 1",
    );
    // A new name takes the place of the old one, whose line is not judged then.
    accepts(
        "acceskey=k\nusername=$x\nGLUO_USERNAME=u",
        &["GLUO_ACCESS_KEY=k", "GLUO_USERNAME=u"],
    );
    accepts(
        "acceskey=$x\nGLUO_ACCESS_KEY_FILE=/x",
        &["GLUO_ACCESS_KEY_FILE=/x"],
    );
    accepts(
        "acceskey=k\nGLUO_USERNAME=\nusername=u",
        &["GLUO_ACCESS_KEY=k", "GLUO_USERNAME=", "GLUO_USERNAME=u"],
    );
    accepts("link\nacceskey=k\nusername is here", &["GLUO_ACCESS_KEY=k"]);
}

#[test]
fn no_value_is_ever_shown() {
    for raw in [
        "c4n4ry$",
        "'c4n4ry",
        "c4n4ry x",
        "c4n4ry\0",
        "'c4n4ry'x",
        "c4n4ry #x",
        "c4n4ry'",
        "\"c4n4ry\\q\"",
    ] {
        let error = read(format!("GLUO_ACCESS_KEY={raw}").as_bytes())
            .err()
            .expect(raw);
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
    }
}

fn oracle(line: &str) -> Option<String> {
    let mut read = dotenvy::from_read_iter(line.as_bytes());
    match (read.next(), read.next()) {
        (Some(Ok((name, value))), None) if name.starts_with("GLUO_") => Some(value),
        _ => None,
    }
}

/// Pieces that readers disagree on, and plain ones.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9]{1,4}",
        4 => prop::sample::select(vec![
            "'", "\"", "\\", "$", "#", " ", "\t", "`", " #", "=", "\\n", "\\$", "\\\"", "{", "}", "\u{e9}", "\u{a0}",
            "\r", "\0", "export ", "\\\\", "\u{feff}",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

fn raw_value() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..8).prop_flat_map(|pieces| {
        let text = pieces.concat();
        prop::sample::select(vec![
            text.clone(),
            format!("'{text}'"),
            format!("\"{text}\""),
            format!(" \"{text}\" # x"),
        ])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_lines_are_read_without_panic(lines in prop::collection::vec((
        prop::sample::select(vec!["GLUO_URL=", "GLUO_ACCESS_KEY=", "X=", "", "acceskey=", "username =", "export "]),
        raw_value(),
    ), 0..6)) {
        let file: Vec<String> = lines.iter().map(|(name, value)| format!("{name}{value}")).collect();
        let _ = read(file.join("\n").as_bytes());
    }

    #[test]
    fn dotenvy_reads_the_same(
        name in prop::sample::select(vec!["GLUO_URL=", "GLUO_ACCESS_KEY=", "export GLUO_USERNAME =\t"]),
        raw in raw_value(),
    ) {
        let line = format!("{name}{raw}\n");
        if let (Ok(ours), Some(theirs)) = (read(line.as_bytes()), oracle(&line))
            && let [entry] = &ours[..]
        {
            prop_assert_eq!(entry.text.expose(), theirs);
        }
    }

    #[test]
    fn single_quotes_carry_every_secret_but_what_python_dotenv_changes(secret in "[^'\\p{Cc}]{0,40}") {
        let changed = secret.contains("${") || secret.contains(r"\\") || secret.ends_with('\\');
        let read = read(format!("GLUO_ACCESS_KEY='{secret}'").as_bytes());
        prop_assert_eq!(read.is_err(), changed);
        if let Ok(read) = read {
            prop_assert_eq!(read[0].text.expose(), secret);
        }
    }

    #[test]
    fn double_quotes_carry_every_secret_without_what_they_expand(secret in r#"[^"\\$\p{Cc}]{0,40}"#) {
        let read = read(format!("GLUO_ACCESS_KEY=\"{secret}\"").as_bytes()).expect("double quotes");
        prop_assert_eq!(read[0].text.expose(), secret);
    }
}
