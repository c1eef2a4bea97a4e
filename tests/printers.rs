//! A secret as the functions print it that servers of these systems use, each by its documented rule: PHP's, SQL Server's,
//! .NET's and Python's. Of none of them anything readable may be left.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crmauth::secret::foreign::Foreign;
use crmauth::secret::{Redactor, Secret, hex, percent};
use md5::Digest;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

type Printer = (&'static str, fn(&str) -> String);

/// Each character by a rule of its own, or as it is.
fn each(text: &str, rule: impl Fn(char) -> Option<String>) -> String {
    text.chars()
        .map(|c| rule(c).unwrap_or(c.to_string()))
        .collect()
}

fn escape(text: &str, escaped: &str, start: &str) -> String {
    each(text, |c| escaped.contains(c).then(|| format!("{start}{c}")))
}

/// Each byte of some characters as `start` and its digits.
fn bytes(text: &str, which: impl Fn(char) -> bool, digits: impl Fn(u8) -> String) -> String {
    each(text, |c| {
        which(c).then(|| c.to_string().bytes().map(&digits).collect())
    })
}

fn units(c: char) -> String {
    let units = c
        .encode_utf16(&mut [0; 2])
        .iter()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect::<Vec<_>>();
    units.concat()
}

fn unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn html(text: &str, quote: &str, rest: impl Fn(char) -> Option<String>) -> String {
    each(text, |c| match c {
        '&' => Some("&amp;".into()),
        '<' => Some("&lt;".into()),
        '>' => Some("&gt;".into()),
        '"' => Some("&quot;".into()),
        '\'' => Some(quote.into()),
        c => rest(c),
    })
}

/// Names that PHP's `htmlentities` has for the characters of [`secret`].
fn named(c: char) -> Option<String> {
    let names = [
        ('á', "aacute"),
        ('é', "eacute"),
        ('í', "iacute"),
        ('õ', "otilde"),
        ('ç', "ccedil"),
        ('ü', "uuml"),
        ('ß', "szlig"),
        ('¥', "yen"),
        ('€', "euro"),
        ('–', "ndash"),
        ('’', "rsquo"),
        ('…', "hellip"),
        ('Ω', "Omega"),
    ];
    names
        .iter()
        .find(|(known, _)| *known == c)
        .map(|(_, name)| format!("&{name};"))
}

fn windows_1252(c: char) -> Vec<u8> {
    match c {
        '€' => vec![0x80],
        '…' => vec![0x85],
        '’' => vec![0x92],
        '–' => vec![0x96],
        c => u8::try_from(u32::from(c)).map_or(vec![b'?'], |byte| vec![byte]),
    }
}

const PRINTERS: &[Printer] = &[
    ("PHP htmlspecialchars", |text| {
        html(text, "&#039;", |_| None)
    }),
    ("PHP htmlentities", |text| html(text, "&#039;", named)),
    ("PHP rawurlencode", |text| {
        bytes(
            text,
            |c| !unreserved(c) && c != '~',
            |byte| format!("%{byte:02X}"),
        )
    }),
    ("PHP urlencode", |text| {
        bytes(
            text,
            |c| !unreserved(c) && c != ' ',
            |byte| format!("%{byte:02X}"),
        )
        .replace(' ', "+")
    }),
    ("PHP urlencode of ISO-8859-1", |text| {
        each(text, |c| {
            (!unreserved(c)).then(|| {
                windows_1252(c)
                    .iter()
                    .map(|byte| format!("%{byte:02X}"))
                    .collect()
            })
        })
    }),
    ("PHP json_encode", |text| {
        each(&escape(text, "\\\"/", "\\"), |c| {
            (!c.is_ascii()).then(|| units(c))
        })
    }),
    ("PHP addslashes", |text| escape(text, "\\\"'", "\\")),
    ("PHP var_export", |text| escape(text, "\\'", "\\")),
    ("PHP escapeshellarg", |text| text.replace('\'', "'\\''")),
    ("PHP preg_quote", |text| {
        escape(text, ".\\+*?[^]$(){}=!<>|:-#/", "\\")
    }),
    ("PHP addcslashes", |text| {
        bytes(text, |c| !c.is_ascii(), |byte| format!("\\{byte:03o}"))
    }),
    ("PHP bin2hex", |text| hex(text.as_bytes())),
    ("PHP hash, .NET BitConverter of a hash", |text| {
        let hashes = [
            md5::Md5::digest(text).to_vec(),
            sha1::Sha1::digest(text).to_vec(),
            sha2::Sha256::digest(text).to_vec(),
            sha2::Sha512::digest(text).to_vec(),
        ];
        let forms = hashes.map(|hash| {
            let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
            [
                pairs.join("-"),
                pairs.concat(),
                hex(&hash),
                STANDARD.encode(hash),
            ]
            .join(" ")
        });
        forms.join(" ")
    }),
    ("PHP base64_encode", |text| STANDARD.encode(text)),
    ("PHP utf8_encode of UTF-8", |text| {
        text.bytes().map(char::from).collect()
    }),
    ("PHP strip_tags' nl2br", |text| {
        format!(
            "{}<br />\n{}",
            &text[..text.floor_char_boundary(4)],
            &text[text.floor_char_boundary(4)..]
        )
    }),
    ("PHP quoted_printable_encode", |text| {
        let rule = |c: char| !c.is_ascii() || c == '=';
        bytes(text, rule, |byte| format!("={byte:02X}"))
    }),
    ("PHP mb_strtoupper", |text| text.to_uppercase()),
    ("PHP mb_strtolower", |text| text.to_lowercase()),
    ("PHP Normalizer's form D", |text| {
        let apart = [
            "áa\u{301}",
            "ée\u{301}",
            "íi\u{301}",
            "õo\u{303}",
            "çc\u{327}",
            "üu\u{308}",
        ];
        each(text, |c| {
            apart
                .iter()
                .find_map(|pair| Some(pair.strip_prefix(c)?.to_owned()))
        })
    }),
    ("PHP preg_replace_callback's \\x{}", |text| {
        each(text, |c| {
            (!c.is_ascii()).then(|| format!("\\x{{{:x}}}", u32::from(c)))
        })
    }),
    ("PHP escapeshellcmd on Windows", |text| {
        escape(text, "#&;`|*?~<>^()[]{}$\\'\"%!", "^")
    }),
    ("PHP's soft hyphens", |text| {
        each(text, |c| Some(format!("{c}\u{ad}")))
    }),
    ("PowerShell", |text| escape(text, "`\"$", "`")),
    ("Node's bytes", |text| {
        let bytes = text.bytes().map(|byte| format!("{byte:02x}"));
        bytes.collect::<Vec<_>>().join(",")
    }),
    ("SQL Server QUOTENAME with brackets", |text| {
        text.replace(']', "]]")
    }),
    (".NET XmlConvert.EncodeName, SQL Server FOR XML", |text| {
        each(text, |c| match u32::from(c) {
            _ if c.is_ascii_alphanumeric() => None,
            code @ 0..=0xffff => Some(format!("_x{code:04X}_")),
            code => Some(format!("_x{code:08X}_")),
        })
    }),
    ("SQL Server QUOTENAME, REPLACE", |text| {
        text.replace('\'', "''")
    }),
    ("SQL Server LIKE", |text| {
        each(text, |c| "[%_".contains(c).then(|| format!("[{c}]")))
    }),
    ("SQL Server varbinary of varchar", |text| {
        format!("0x{}", hex(text.as_bytes()).to_uppercase())
    }),
    ("SQL Server varbinary of nvarchar", |text| {
        format!("0x{}", hex(&wide(text)).to_uppercase())
    }),
    ("SQL Server HASHBYTES", |text| {
        format!("0x{}", hex(&sha2::Sha256::digest(text)).to_uppercase())
    }),
    ("SQL Server varchar", |text| {
        each(text, |c| {
            (windows_1252(c) == b"?").then(|| "?".repeat(c.len_utf16()))
        })
    }),
    (".NET WebUtility.HtmlEncode", |text| {
        html(text, "&#39;", |c| {
            (c >= '\u{a0}').then(|| format!("&#{};", u32::from(c)))
        })
    }),
    (".NET HtmlEncoder", |text| {
        each(text, |c| {
            (!c.is_ascii() || "<>&'\"+".contains(c)).then(|| format!("&#x{:X};", u32::from(c)))
        })
    }),
    (".NET HttpUtility.UrlEncode", |text| {
        bytes(
            text,
            |c| !unreserved(c) && !"!*() ".contains(c),
            |byte| format!("%{byte:02x}"),
        )
        .replace(' ', "+")
    }),
    (".NET UrlEncodeUnicode", |text| {
        each(text, |c| {
            (!c.is_ascii()).then(|| units(c).replace('\\', "%"))
        })
        .replace(' ', "+")
    }),
    (".NET JsonSerializer", |text| {
        each(text, |c| {
            (!c.is_ascii() || "<>&'\"+`\\".contains(c))
                .then(|| units(c).to_uppercase().replace("\\U", "\\u"))
        })
    }),
    (".NET Regex.Escape", |text| {
        escape(text, "\\*+?|{[()^$.# ", "\\")
    }),
    (".NET BitConverter", |text| {
        text.bytes()
            .map(|byte| format!("{byte:02X}"))
            .collect::<Vec<_>>()
            .join("-")
    }),
    (".NET ToBase64String of UTF-16", |text| {
        STANDARD.encode(wide(text))
    }),
    (".NET ASCII", |text| {
        each(text, |c| (!c.is_ascii()).then(|| "?".repeat(c.len_utf16())))
    }),
    ("Python repr", |text| {
        if text.contains('\'') && !text.contains('"') {
            text.replace('\\', "\\\\")
        } else {
            escape(text, "\\'", "\\")
        }
    }),
    ("Python repr of bytes", |text| {
        bytes(
            &escape(text, "\\'", "\\"),
            |c| !c.is_ascii(),
            |byte| format!("\\x{byte:02x}"),
        )
    }),
    ("Python ascii", |text| {
        each(&escape(text, "\\'", "\\"), |c| {
            let code = u32::from(c);
            (!c.is_ascii()).then(|| match code {
                0..=0xff => format!("\\x{code:02x}"),
                0x100..=0xffff => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            })
        })
    }),
    ("Python xmlcharrefreplace", |text| {
        each(text, |c| {
            (!c.is_ascii()).then(|| format!("&#{};", u32::from(c)))
        })
    }),
    ("Python html.escape", |text| html(text, "&#x27;", |_| None)),
    ("Python shlex.quote", |text| text.replace('\'', "'\"'\"'")),
    ("Python json.dumps", |text| {
        each(&escape(text, "\\\"", "\\"), |c| {
            (!c.is_ascii()).then(|| units(c))
        })
    }),
    ("Python errors=replace", |text| {
        each(text, |c| (!c.is_ascii()).then(|| "?".into()))
    }),
];

fn secret() -> impl Strategy<Value = String> {
    let ascii: Vec<char> = ('!'..='~').filter(|c| *c != '*').collect();
    let foreign = "áéíõçüß¥€–’…Ωж中😀 ".chars().cycle().take(50);
    let mixed: Vec<char> = ascii.iter().copied().chain(foreign).collect();
    let text = |chars| {
        vec(select(chars), 8..40).prop_map(|chars: Vec<char>| chars.into_iter().collect::<String>())
    };
    prop_oneof![text(ascii), text(mixed)].prop_filter(
        "a line has no blanks at its ends, nor two inside",
        |secret| secret.trim() == secret && !secret.contains("  "),
    )
}

// So many characters in a row of a secret tell something of it, or so many of what was printed: what is left of an escape
// whose beginning was blanked with the secret's end tells nothing.
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn of_a_printed_secret_nothing_is_readable(secret in secret()) {
        let redactor = knowing(&secret);
        for (printer, print) in PRINTERS {
            for (before, behind) in [("in [", "] !"), ("{\"in\":\"", "\"}"), ("in ('", "')")] {
                unreadable(&redactor, &secret, printer, &print(&secret), before, behind)?;
            }
        }
    }

    /// Wherever what is looked at of a long text ends.
    #[test]
    fn nor_of_one_across_the_end(secret in secret(), printer in select(PRINTERS), nested in 0..3_usize, at in 0..2000_usize) {
        let mut printed = printer.1(&secret);
        (0..nested).for_each(|_| printed = percent(&printed));
        unreadable(&knowing(&secret), &secret, printer.0, &printed, &" ".repeat(17 * 1024 - at), &"\t".repeat(4096))?;
    }
}

fn knowing(secret: &str) -> Redactor {
    let redactor = Redactor::default();
    redactor.learn(&Secret::new(secret.to_owned()));
    redactor
}

fn unreadable(
    redactor: &Redactor,
    secret: &str,
    printer: &str,
    printed: &str,
    before: &str,
    behind: &str,
) -> Result<(), TestCaseError> {
    let said = Foreign::new(&[before, printed, behind].concat()).clean(redactor);
    for (text, telling) in [(secret, 5), (printed, 13)] {
        let chars: Vec<char> = text.chars().collect();
        for telling in chars
            .windows(telling)
            .map(|part| part.iter().collect::<String>())
        {
            prop_assert!(
                !said.contains(&telling),
                "{}: {} as {}: {}",
                printer,
                secret,
                printed,
                said
            );
        }
    }
    Ok(())
}
