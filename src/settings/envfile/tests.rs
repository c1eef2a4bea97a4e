use proptest::prelude::*;

use super::*;
use crate::error::Cause;

/// All settings, or the first fault.
fn read(bytes: &[u8]) -> Result<Vec<Setting>> {
    let settings = super::read(bytes, EnvFile::new("f", false))?;
    let mut faults = settings.iter().filter_map(|setting| setting.fault.clone());
    faults.next().map_or(Ok(settings.clone()), Err)
}

#[track_caller]
fn accepts(bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let text = bytes.as_ref().escape_ascii();
    let settings = read(bytes.as_ref()).unwrap_or_else(|why| panic!("{text}: {why:?}"));
    let shown = |setting: &Setting| format!("{}={}", setting.variable(), setting.text.expose());
    let found: Vec<String> = settings.iter().map(shown).collect();
    assert_eq!(found, expected, "{text}");
}

/// Returns the hint.
#[track_caller]
fn refuses(bytes: impl AsRef<[u8]>, message: &str) -> String {
    let text = bytes.as_ref().escape_ascii();
    let error = read(bytes.as_ref()).expect_err(message);
    assert_eq!(error.message.english(), format!("f {message}"), "{text}");
    assert_eq!(error.cause, Cause::BadSetting);
    error.hint.expect(message).english()
}

#[test]
fn a_setting_in_another_form_is_named() {
    let words = "\u{a0}|\u{feff}|\u{200b}|export \u{a0}|set |SET |setx |setenv |declare -x |typeset -x |set -gx |set -x |readonly |\
        local |env |ENV |const |- |$env:|$Env:|${env:|$|\"|'|{ \"|env.|process.env.|os.environ[\"|  - ";
    for before in words.split('|') {
        for after in ["=h", " = h", " h", "} = h", ": h", "\": \"h\","] {
            let file = format!("X=1\n{before}GLUO_URL{after}\n");
            let why = "line 2: GLUO_URL is not written as NAME=VALUE, so the line is ignored";
            refuses(&file, why);
            // What is set as it should be is all that counts.
            accepts(format!("{file}GLUO_URL=i"), &["GLUO_URL=i"]);
        }
    }
    for after in ["+=h", "?=h", "\u{a0}=h", "\u{ff1d}h", "\u{200b}= h", "\"=h"] {
        let why = "line 1: GLUO_URL is not written as NAME=VALUE, so the line is ignored";
        refuses(format!("GLUO_URL{after}\n"), why);
    }
    let others = ";GLUO_URL=h|// GLUO_URL=h|X=\"$GLUO_URL\"|echo $GLUO_URL x|os=GLUO_URL =|GLUO_URL-old=h|#set GLUO_URL=h|# GLUO_URL=h|set GLUO_X=1|X=set GLUO_URL=h|GLUO_URL.old=h|set|set |$env:|rem GLUO_URL=h";
    others.split('|').for_each(|line| accepts(line, &[]));
}

const SINGLE: &str = "put it between single quotes, on one line: GLUO_ACCESS_KEY='…'";
const DOUBLE: &str = "put it between double quotes, on one line: GLUO_ACCESS_KEY=\"…\"";

#[test]
fn doubtful_values_are_refused() {
    let single =
        r#"pa$word|pa$|"pa$word"|"pa$"|$|a"b|a"b"|a\b|"a\nb"|"a\qb"|"a\\b"|"ab\"|a b|#ab|"a"b"#;
    let blanks = "a\tb|a\u{a0}|\u{a0}a|a\u{a0}b";
    let double = "don't|'don't'|'a'b|'a' b|'a''b'";
    let neither = r#"'a'$b|${x}|'a${x}b'|"${x}"|'a\\b'|a\\b|'a\'|'a\' # b'|a\|don't\|don't pay $5|"don't \"x\"""#;
    let none = "no quoting works for every program that reads the file: set GLUO_ACCESS_KEY in the environment instead";
    for (values, hint) in [
        (single, SINGLE),
        (blanks, SINGLE),
        (double, DOUBLE),
        (neither, none),
    ] {
        for raw in values.split('|') {
            let file = format!("# x\n\nGLUO_ACCESS_KEY={raw}\n");
            let why = "line 3: GLUO_ACCESS_KEY cannot be read as written";
            assert_eq!(refuses(file, why), hint, "{raw}");
        }
    }
    for raw in "a\0b|'a\0b'|\"a\u{1b}b\"|a\rb|a\r\r|a\u{85}".split('|') {
        let message =
            "line 1: GLUO_USERNAME contains a control character, which is not allowed in a setting";
        refuses(format!("GLUO_USERNAME={raw}\r\n"), message);
    }
}

/// What made a value unreadable is told where it can be, and the cure for that.
#[test]
fn a_slip_is_told_by_its_name() {
    let comment = "put the comment on a line of its own; if the # is part of the value, ";
    let straight = "use straight single quotes: GLUO_ACCESS_KEY='…'";
    let bare = "a # b|a #b|a #|a\t# b| # a|a b # c|a$b # c|a #b #c|a\u{a0}#b|a\u{2003}# b|\"a\"#b|\"a\" b # c";
    let glued = "'a'#b|'a'\u{a0}# b|don't # b|'it's # b";
    let (open, typographic) = (
        "'ab|\"ab|'a b # c|\"a$b|'|\"|'a\"",
        "“a b”|‘a b’|“a$b”|”a # b”| “a b” ",
    );
    let after = " has a # after the value";
    let around = " begins and ends with typographic quotes (“ ”)";
    for (values, why, hints) in [
        (bare, after, [comment, SINGLE]),
        (glued, after, [comment, DOUBLE]),
        (open, ": its quote is not closed", ["", SINGLE]),
        (typographic, around, ["", straight]),
    ] {
        for raw in values.split('|') {
            let why = format!("line 1: GLUO_ACCESS_KEY{why}");
            let hint = refuses(format!("GLUO_ACCESS_KEY={raw}"), &why);
            assert_eq!(hint, hints.concat(), "{raw}");
        }
    }
    // A comment is one behind every other value, unless it touches the quote.
    refuses("GLUO_URL='a'#b", "line 1: GLUO_URL has a # after the value");
    let unreadable = "line 1: GLUO_ACCESS_KEY cannot be read as written";
    refuses("GLUO_ACCESS_KEY=\"a$b\" # c", unreadable);
}

#[test]
fn a_comment_behind_a_value_is_cut_unless_the_value_is_a_secret() {
    for row in "ab # cd>ab|ab\t#cd>ab|ab #>ab| # ab>|a#b #c>a#b|ab # don't $x \\>ab".split('|') {
        let (raw, value) = row.split_once('>').expect(row);
        accepts(format!("GLUO_URL={raw}"), &[&format!("GLUO_URL={value}")]);
        let why = "line 1: GLUO_ACCESS_KEY has a # after the value";
        refuses(format!("GLUO_ACCESS_KEY={raw}"), why);
    }
    let unreadable = "line 1: GLUO_URL cannot be read as written";
    refuses("GLUO_URL=a b # c", unreadable);
}

#[test]
fn names_and_line_ends() {
    for text in [
        "\u{feff}GLUO_URL=h",
        "export\tGLUO_URL = h",
        "  GLUO_URL\t=\t'h'",
        "\n\r\n# GLUO_URL=x\n  # GLUO_URL=y\nGLUO_URL=h\n\n",
        "#\u{feff}\nGLUO_URL=h",
        "GLUO_URL=h\nX=1\nGLUO_URL='h'\n",
    ] {
        accepts(text, &["GLUO_URL=h"]);
    }
    let forms = "GLUO__FILIAL__URL=h\nGLUO_ACCESS_KEY_FILE=/x\nGLUO__A__ACCESS_KEY_CMD=pass";
    accepts(forms, &forms.lines().collect::<Vec<_>>());
    for after in ["", " h", ": h", ":=h", "\r=h"] {
        let why = "line 1: GLUO_URL has no `=` after it";
        refuses(format!("export GLUO_URL{after}"), why);
    }
    let twice = "GLUO_URL=h\nX=1\nGLUO_URL=\n";
    refuses(twice, "line 3: GLUO_URL is already set in line 1");
    let why = "line 1: GLUO_URL follows a carriage return, which does not end a line";
    refuses("X=1\rGLUO_URL=h\r", why);
}

#[test]
fn foreign_values_over_several_lines() {
    let pem = "-----BEGIN KEY-----\nMIIB=\n# x\n-----END KEY-----";
    for quote in ["'", "\""] {
        for before in [
            format!("KEY={quote}{pem}{quote}\n"),
            format!("export KEY = {quote}{pem}\r\n{quote} # x\r\n"),
            // A quote that never closes ends with its line.
            format!("KEY={quote}x\n"),
        ] {
            accepts(before + "GLUO_URL=h", &["GLUO_URL=h"]);
        }
        // Only a value that begins with a quote can go on.
        for before in ["KEY=xQ", "# KEY=Qx", "#KEY=Qx"] {
            let file = format!("{before}\nGLUO_URL=h\nB=Q").replace('Q', quote);
            accepts(file, &["GLUO_URL=h"]);
        }
        let inside = "GLUO_URL is inside the quoted value that opens in line";
        let file = format!("A=1\nKEY={quote}x\nGLUO_URL=h\ny{quote}\n");
        refuses(file, &format!("line 3: {inside} 2"));
        // The line that closes it is still inside.
        let file = format!("KEY={quote}x\nGLUO_URL={quote}h{quote}\n");
        refuses(file, &format!("line 2: {inside} 1"));
        // Prose is no setting.
        accepts(format!("KEY={quote}x\nGLUO_URL is y{quote}\n"), &[]);
    }
    accepts("KEY=\"a\\\"b\nx\"\nGLUO_URL=h", &["GLUO_URL=h"]);
    let why = "line 2: GLUO_URL is inside the quoted value that opens in line 1";
    refuses("KEY=\"a\\\"\nGLUO_URL=h\n\"", why);
}

#[test]
fn the_seed_scripts_own_file() {
    // Without the one unmistakable name the others are anybody's, and are not judged. A new name takes the place of the
    // old one, whose line is not judged then.
    let rows = "\
        link = 'h'|username=\"u\"|acceskey=k > GLUO_URL=h GLUO_USERNAME=u GLUO_ACCESS_KEY=k
        link=$x|username='|link >
        username=u|GLUO_ACCESS_KEY=k > GLUO_ACCESS_KEY=k
        acceskey=k|username=$x|GLUO_USERNAME=u > GLUO_ACCESS_KEY=k GLUO_USERNAME=u
        acceskey=$x|GLUO_ACCESS_KEY_FILE=/x > GLUO_ACCESS_KEY_FILE=/x
        acceskey=k|GLUO_USERNAME=|username=u > GLUO_ACCESS_KEY=k GLUO_USERNAME= GLUO_USERNAME=u
        link|acceskey=k|username is here > GLUO_ACCESS_KEY=k";
    for row in rows.lines() {
        let (text, expected) = row.trim().split_once(" >").expect(row);
        let expected: Vec<&str> = expected.split_whitespace().collect();
        accepts(text.replace('|', "\n"), &expected);
    }
    let unreadable = "line 2: username cannot be read as written";
    refuses("acceskey=k\nusername=$x\n", unreadable);
    let twice = "line 3: username is already set in line 2";
    refuses("acceskey=k\nusername=a\nusername=b\n", twice);
    let inside = "line 2: acceskey is inside the quoted value that opens in line 1";
    refuses("X='\nacceskey=k\n'", inside);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// Between single quotes python-dotenv changes little, between double ones all readers expand.
    #[test]
    fn quotes_carry_every_secret_that_no_reader_changes(
        quote in "['\"]",
        secret in r#"([ '"$\\{#]|[^\p{Cc}]){0,20}"#,
    ) {
        let secret = secret.replace(&quote, "");
        let changed = match &*quote {
            "'" => secret.contains("${") || secret.contains(r"\\") || secret.ends_with('\\'),
            _ => secret.contains(['$', '\\']),
        };
        let read = read(format!("GLUO_ACCESS_KEY={quote}{secret}{quote}").as_bytes());
        prop_assert_eq!(read.is_err(), changed);
        if let Ok(read) = read {
            prop_assert_eq!(read[0].text.expose(), secret);
        }
    }
}
