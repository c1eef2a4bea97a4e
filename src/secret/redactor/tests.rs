use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::secret::percent;

/// Whether a text shows these surroundings and a blank between them, escapes undone or not. An escape's beginning or a blank may
/// be left of what the blank stands for.
fn is_blanked(text: &str, before: &str, behind: &str) -> bool {
    let rest = [' ', '+', '\\', '\r', '\n'];
    let reads = |text: &str, shown: &str| {
        find_in_readings(text, |read| {
            (read.trim_matches(rest) == shown.trim_matches(rest)).then_some(())
        })
        .is_some()
    };
    text.split_once(BLANK)
        .is_some_and(|(left, right)| reads(before, left) && reads(behind, right))
}

/// What stands around secrets: texts with pieces of every escape.
const PIECES: &[&str] = &[
    "Ol\u{e1}", " ", "&", "amp;", "%", "41", "\\", "u00", "+", "<br />", "\n", "x=1", "\"", "{",
    "#", "...",
];

fn secret() -> impl Strategy<Value = String> {
    let ascii: Vec<char> = ('!'..='~').filter(|c| *c != '*').collect();
    let spaced: Vec<char> = ascii.iter().copied().chain([' '; 20]).collect();
    let foreign: Vec<char> = ascii
        .iter()
        .copied()
        .chain("áéíõçüß¥€ж中😀".chars().cycle().take(60))
        .collect();
    prop_oneof![
        vec(select(ascii), 8..40),
        vec(select(spaced), 8..40),
        vec(select(foreign), 8..40)
    ]
    .prop_map(|chars| chars.into_iter().collect::<String>())
    .prop_filter("a line has no blanks at its ends", |secret| {
        secret.trim() == secret
    })
}

fn surroundings() -> impl Strategy<Value = String> {
    vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat())
}

/// A character in the form of that number; one that begins escapes is never left as it is.
fn escaped(c: char, form: u8) -> String {
    let bytes = |start: &str| {
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer)
            .bytes()
            .map(|byte| format!("{start}{byte:02x}"))
            .collect()
    };
    let named = [
        ('&', "amp"),
        ('<', "lt"),
        ('>', "gt"),
        ('"', "quot"),
        ('\'', "apos"),
        ('é', "eacute"),
    ];
    match (form, named.iter().find(|(known, _)| *known == c)) {
        (0, _) if !"\\&%+<".contains(c) => c.to_string(),
        (1, _) => bytes("%"),
        (2, _) => format!("&#{};", u32::from(c)),
        (3, _) => format!("&#x{:X};", u32::from(c)),
        (4, Some((_, name))) => format!("&{name};"),
        (5, _) if c.is_ascii() => bytes("\\x"),
        _ => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect(),
    }
}

/// The secret in every form that changes it as a whole.
fn wholes(secret: &str) -> Vec<String> {
    let json = serde_json::Value::String(secret.to_owned()).to_string();
    let mut all = vec![
        secret.to_owned(),
        percent(secret),
        percent(secret).replace("%20", "+"),
        percent(&percent(secret)),
        json[1..json.len() - 1].to_owned(),
    ];
    for hash in [
        md5::Md5::digest(secret).to_vec(),
        sha1::Sha1::digest(secret).to_vec(),
        sha2::Sha256::digest(secret).to_vec(),
        sha2::Sha512::digest(secret).to_vec(),
    ] {
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        all.extend([
            pairs.join("-"),
            pairs.concat(),
            hex(&hash),
            STANDARD.encode(hash),
        ]);
    }
    all
}

/// Whether nothing of a form stays that tells anything. Where a secret begins or ends as an escape of its own letter does
/// (`%25` of `%`, `%30` of `0`), the rest of that escape may stay.
fn is_gone(said: &str, secret: &str, before: &str, behind: &str) -> bool {
    let letters: Vec<char> = secret.chars().collect();
    let parts: Vec<String> = letters
        .windows(5)
        .map(|part| part.iter().collect())
        .collect();
    let tells = |read: &str| parts.iter().any(|part| read.contains(part)).then_some(());
    is_blanked(said, before, behind)
        || said.contains(BLANK) && find_in_readings(said, tells).is_none()
}

fn knowing(secret: &str) -> Redactor {
    let redactor = Redactor::new();
    redactor.learn(&Secret::new(secret.to_owned()));
    redactor
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_whole_form_is_blanked_and_nothing_else(secret in secret(), before in surroundings(), behind in surroundings()) {
        let redactor = knowing(&secret);
        for form in wholes(&secret) {
            let said = redactor.foreign(&format!("{before} {form} {behind}"));
            prop_assert!(is_gone(&said, &secret, &before, &behind), "{}: {}", form, said);
        }
        let without = [before, behind].concat();
        prop_assert_eq!(redactor.foreign(&without), without);
    }

    #[test]
    fn escapes_of_each_character_are_blanked(
        secret in secret(),
        forms in vec(0..7_u8, 40),
        wrap in (0..80_usize, select(&["\n", "\r\n", "<br />\n", "<br>"][..])),
        before in surroundings(),
        behind in surroundings(),
    ) {
        let redactor = knowing(&secret);
        for alike in [false, true] {
            let each = secret.chars().enumerate().map(|(at, c)| {
                let form = if alike { forms[0] } else { forms[at] };
                let end = if at + 1 == wrap.0 && wrap.0 < secret.chars().count() { wrap.1 } else { "" };
                escaped(c, form) + end
            });
            let form: String = each.collect();
            let said = redactor.foreign(&format!("{before} {form} {behind}"));
            prop_assert!(is_gone(&said, &secret, &before, &behind), "{}: {}", form, said);
        }
    }

    #[test]
    fn base64_is_blanked_at_every_place(secret in secret(), user in vec(select(&['a', 'n', ':'][..]), 0..7)) {
        let redactor = knowing(&secret);
        let user: String = user.into_iter().collect();
        for engine in [&STANDARD, &URL_SAFE] {
            let said = redactor.foreign(&format!("is {}!", engine.encode(format!("{user}{secret}"))));
            let digits_before = (user.len() * 8).div_ceil(6);
            prop_assert!(said.contains(BLANK), "{said}");
            // Behind it stand a digit that is no whole byte and what fills up.
            prop_assert!(said.len() <= "is !".len() + digits_before + BLANK.len() + 3, "{said}");
        }
    }
}

#[test]
fn a_break_inside_is_no_part_of_a_secret_whatever_that_looks_like() {
    for secret in ["!!!!<A!>", "<b>Ab1!</b>", "Cd<wbr>2</td>?"] {
        let redactor = knowing(secret);
        for inside in ["<br>", "<br/>", "<br />\n", "<BR />\r\n", "\n", "\r\n"] {
            for at in 1..secret.len() {
                let (start, end) = secret.split_at(at);
                let said = redactor.foreign(&[start, inside, end].concat());
                assert_eq!(said, BLANK, "{secret} {at} {inside:?}");
            }
        }
    }
}

#[test]
fn what_a_blank_lays_open_is_blanked_too() {
    let redactor = knowing("hunter2%");
    redactor.learn(&Secret::new("41414141".to_owned()));
    let text = "is %68unt\\u0065r2%41414141!";
    assert_eq!(redactor.foreign(text), format!("is {BLANK}{BLANK}!"));
    assert_eq!(redactor.foreign("hunter2%25"), format!("{BLANK}25"));
}

#[test]
fn a_secret_that_looks_like_a_blank_is_no_endless_work() {
    for secret in ["*", "**", "a*", "*a", "***"] {
        let redactor = knowing(secret);
        let said = redactor.foreign("a*b aa**a *");
        assert_eq!(redactor.foreign(&said), said, "{secret}");
    }
}
