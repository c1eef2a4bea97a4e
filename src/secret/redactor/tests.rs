use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::secret::percent;

fn secret() -> impl Strategy<Value = String> {
    let ascii: Vec<char> = ('!'..='~').filter(|c| *c != '*').collect();
    let with = |more: &str| [ascii.clone(), more.chars().cycle().take(60).collect()].concat();
    let spaced: Vec<char> = ascii.iter().copied().chain([' '; 8]).collect();
    let letters = [with("áéíõçüß¥€ж中😀"), spaced, ascii.clone()];
    let text = select(letters.to_vec()).prop_flat_map(|letters| vec(select(letters), 8..40));
    let text = text.prop_map(|chars| chars.into_iter().collect::<String>());
    text.prop_filter("a line has no blanks at its ends", |text| {
        text.trim() == text
    })
}

/// What stands around secrets: texts with pieces of every escape.
fn surroundings() -> impl Strategy<Value = String> {
    let pieces = "Ol\u{e1}, ,&,amp;,%,41,\\,u00,+,<br />,\n,x=1,\",{,#,...";
    let pieces: Vec<&str> = pieces.split(',').collect();
    vec(select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

/// A character in the form of that number; one that begins escapes is never left as it is.
fn escaped(c: char, form: u8) -> String {
    let bytes = |start: &str| {
        let bytes = c.to_string().into_bytes().into_iter();
        bytes.map(|byte| format!("{start}{byte:02x}")).collect()
    };
    let mut names = "&amp <lt >gt \"quot 'apos éeacute".split(' ');
    match (form, names.find_map(|name| name.strip_prefix(c))) {
        (0, _) if !"\\&%+<".contains(c) => c.to_string(),
        (1, _) => bytes("%"),
        (2, _) => format!("&#{};", u32::from(c)),
        (3, _) => format!("&#x{:X};", u32::from(c)),
        (4, Some(name)) => format!("&{name};"),
        (5, _) if c.is_ascii() => bytes("\\x"),
        _ => {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
    }
}

/// Whether nothing stays that tells anything. Where a secret begins or ends as an escape of its own letter does (`%25` of
/// `%`, `%30` of `0`), the rest of that escape may stay.
fn is_gone(said: &str, secret: &str) -> bool {
    let letters: Vec<char> = secret.chars().collect();
    let parts = letters.windows(5).map(|part| part.iter().collect());
    let parts: Vec<String> = parts.collect();
    let tells = |read: &str| parts.iter().any(|part| read.contains(part)).then_some(());
    said.contains(BLANK) && find_in_readings(said, tells).is_none()
}

fn knowing(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::default();
    let learn = |secret: &&str| redactor.learn(&Secret::new((*secret).to_owned()));
    secrets.iter().for_each(learn);
    redactor
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_whole_form_and_escapes_of_each_character_are_blanked_and_nothing_else(
        secret in secret(),
        forms in vec(0..7_u8, 40),
        wrap in (0..80_usize, select(&["\n", "\r\n", "<br />\n", "<br>"][..])),
        before in surroundings(),
        behind in surroundings(),
    ) {
        let redactor = knowing(&[&secret]);
        let mixed = [false, true].map(|alike| {
            let each = secret.chars().enumerate().map(|(at, c)| {
                let form = if alike { forms[0] } else { forms[at] };
                let end = if at + 1 == wrap.0 && wrap.0 < secret.chars().count() { wrap.1 } else { "" };
                escaped(c, form) + end
            });
            each.collect()
        });
        let once = percent(&secret);
        for form in [secret.clone(), percent(&once), once].into_iter().chain(mixed) {
            let said = redactor.foreign(&format!("{before} {form} {behind}"));
            prop_assert!(is_gone(&said, &secret), "{}: {}", form, said);
        }
        let without = [before, behind].concat();
        prop_assert_eq!(redactor.foreign(&without), without);
    }

    #[test]
    fn base64_is_blanked_at_every_place(secret in secret(), user in "[an:]{0,6}") {
        let redactor = knowing(&[&secret]);
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
        let redactor = knowing(&[secret]);
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
fn what_is_known_is_blanked_in_the_forms_that_servers_mix() {
    let mixed = "p\u{e9}&\"x y+1";
    let escape = "a%41&amp;b\\u0041";
    let (cut, beside) = ("hunter2 & co", ["hunter2%", "41414141"]);
    let html_in_a_url = "p%26eacute%3B%26amp%3B%26quot%3Bx%20y%2B1!";
    let html_in_json = "p&amp;eacute;\\u0026amp;\\u0026quot;x y+1!";
    for (secrets, text, said) in [
        // Escapes may be mixed and wrapped around each other.
        (&[mixed][..], "p%C3%A9&amp;\\u0022x+y%2b1!", "***!"),
        (&[mixed], "p%e9&#38;\\\"x\\u0020y+1!", "***!"),
        (&[mixed], "p&eacute;&amp;&quot;x y&plus;1!", "***!"),
        (&[mixed], html_in_a_url, "***!"),
        (&[mixed], html_in_json, "***!"),
        (&[mixed], "p\u{e9}&\\x22x y+1!", "***!"),
        (&[mixed], "p\u{e9}&\"x\r\n y+1!", "***!"),
        (&[mixed], "p\u{e9}&<br />\n\"x y+1!", "***!"),
        // What a secret holds may look like one, and one that is cut off before it does not hide it.
        (&[escape], "is a%41&amp;b\\u0041!", "is ***!"),
        (&[escape], &percent(escape), "***"),
        (&[escape], "is a%41&amp;amp;b\\u0041!", "is ***!"),
        (&[escape], "is a%41&amp;b\\\\u0041!", "is ***!"),
        (&[escape], "\\u00a%41&amp;b\\u0041", "\\u00***"),
        // A line may cut a secret.
        (&[cut], "is: hunter2", "is: ***"),
        (&[cut], "is: hunter2...", "is: ***..."),
        (&[cut], "is: hunter2 &am", "is: ***&am"),
        (&[cut], "is: hunt\u{2026}\nnext", "is: ***\u{2026}\nnext"),
        (&[cut], "is: hunt\nhunt er", "is: ***\nhunt er"),
        (&[cut], "is: hun", "is: hun"),
        // Secrets may overlap, and a blank may lay another one open.
        (&["abcdef", "defghi"], "xabcdefghiy", "x***y"),
        (&["aa"], "aaa b aa", "*** b ***"),
        (&["a"], "a b", "*** b"),
        (&beside, "is %68unt\\u0065r2%41414141!", "is ******!"),
        (&["hunter2%"], "hunter2%25", "***25"),
    ] {
        assert_eq!(knowing(secrets).foreign(text), said, "{text}");
    }
    assert_eq!(knowing(&[cut]).own("do not hunt"), "do not hunt");
    assert_eq!(knowing(&["a"]).own("a broken answer"), "a broken answer");
}

#[test]
fn a_secret_that_looks_like_a_blank_is_no_endless_work() {
    for secret in ["*", "**", "a*", "*a", "***"] {
        let redactor = knowing(&[secret]);
        let said = redactor.foreign("a*b aa**a *");
        assert_eq!(redactor.foreign(&said), said, "{secret}");
    }
}

#[test]
fn secrets_of_every_length_are_found_among_many() {
    let many: Vec<String> = (0..500).map(|number| format!("key-{number:04}")).collect();
    let short = ["#", "~!", "=+=", "^^^^", "<<>><"];
    let all: Vec<&str> = many.iter().map(String::as_str).chain(short).collect();
    let redactor = knowing(&all);
    for secret in all {
        for (before, behind) in [("", ""), ("a ", " b"), ("", "c"), ("key-", "")] {
            let said = redactor.foreign(&[before, secret, behind].concat());
            assert_eq!(said, [before, BLANK, behind].concat(), "{secret}");
        }
    }
    // What is learnt later is found too.
    redactor.learn(&Secret::new("later".to_owned()));
    let said = redactor.foreign("key-0499 later key-0500");
    assert_eq!(said, "*** *** key-0500");
}
