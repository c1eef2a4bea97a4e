//! Gluocrm's users, how it finds them by name, and how it writes their names.

use super::super::random_hex;

pub struct User {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) names: (&'static str, &'static str),
    pub(super) email: &'static str,
    pub(super) key: Option<String>,
    pub(super) admin: bool,
    pub active: bool,
}

impl User {
    fn new(id: &'static str, name: &'static str, key: Option<&str>) -> Self {
        let key = key.map(str::to_owned);
        Self {
            id,
            name,
            names: ("", name),
            email: "u@sandbox.invalid",
            key,
            admin: false,
            active: true,
        }
    }

    /// The old key is worth nothing from here on; the user's sessions live on.
    pub fn change_key(&mut self) {
        self.key = Some(random_hex(16));
    }
}

pub(super) fn users() -> Vec<User> {
    vec![
        User {
            names: ("Ana", "Administradora"),
            admin: true,
            ..User::new("19x1", "admin", Some("SandboxAdminKey"))
        },
        User::new("19x5", "plain.user", Some("SandboxPlainKey")),
        User {
            active: false,
            ..User::new("19x6", "sleeper", Some("SandboxSleepKey"))
        },
        User {
            names: ("José", "Müller"),
            ..User::new("19x7", "josé müller", Some("SandboxJoseKey0"))
        },
        User::new("19x8", "nokey", None),
        User {
            names: ("Pat", "O'Brien"),
            ..User::new("19x9", "o'brien+x@lab.invalid", Some("SandboxBrienKey"))
        },
    ]
}

/// MySQL's collation: neither case nor accents count.
pub(super) fn find<'a>(users: &'a [User], name: &str) -> Option<&'a User> {
    let name = fold(name);
    users.iter().find(|user| fold(user.name) == name)
}

fn fold(text: &str) -> String {
    text.to_lowercase().chars().map(bare).collect()
}
/// Letters that have an entity of their own in HTML, and the letter below the accent.
static ACCENTS: [(char, char, &str); 14] = [
    ('á', 'a', "aacute"),
    ('à', 'a', "agrave"),
    ('â', 'a', "acirc"),
    ('ã', 'a', "atilde"),
    ('é', 'e', "eacute"),
    ('ê', 'e', "ecirc"),
    ('í', 'i', "iacute"),
    ('ó', 'o', "oacute"),
    ('ô', 'o', "ocirc"),
    ('õ', 'o', "otilde"),
    ('ú', 'u', "uacute"),
    ('ü', 'u', "uuml"),
    ('ç', 'c', "ccedil"),
    ('ñ', 'n', "ntilde"),
];

fn bare(letter: char) -> char {
    let accented = ACCENTS.iter().find(|(accented, ..)| *accented == letter);
    accented.map_or(letter, |(_, bare, _)| *bare)
}

/// PHP's `htmlentities` with `ENT_QUOTES`, as the service writes names.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in markup(text).chars() {
        match ACCENTS.iter().find(|(accented, _, _)| *accented == letter) {
            Some((_, _, entity)) => out.push_str(&format!("&{entity};")),
            None => out.push(letter),
        }
    }
    out
}

/// PHP's and Apache's escaping of what HTML itself uses.
pub(super) fn markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#039;")
}
