//! Gluocrm's users, how it finds them by name, and how it writes their names.

pub(super) struct User {
    pub id: &'static str,
    pub name: &'static str,
    pub names: (&'static str, &'static str),
    pub email: &'static str,
    pub key: Option<&'static str>,
    pub admin: bool,
    pub active: bool,
}

const fn user(id: &'static str, name: &'static str, key: Option<&'static str>) -> User {
    User { id, name, names: ("", name), email: "u@sandbox.invalid", key, admin: false, active: true }
}

static USERS: [User; 6] = [
    User { names: ("Ana", "Administradora"), admin: true, ..user("19x1", "admin", Some("SandboxAdminKey")) },
    user("19x5", "plain.user", Some("SandboxPlainKey")),
    User { active: false, ..user("19x6", "sleeper", Some("SandboxSleepKey")) },
    User { names: ("José", "Müller"), ..user("19x7", "josé müller", Some("SandboxJoseKey0")) },
    user("19x8", "nokey", None),
    User { names: ("Pat", "O'Brien"), ..user("19x9", "o'brien+x@lab.invalid", Some("SandboxBrienKey")) },
];

/// MySQL's collation: neither case nor accents count.
pub(super) fn find(name: &str) -> Option<&'static User> {
    let fold = |text: &str| -> String { text.to_lowercase().chars().map(bare).collect() };
    let name = fold(name);
    USERS.iter().find(|user| fold(user.name) == name)
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
    ACCENTS.iter().find(|(accented, _, _)| *accented == letter).map_or(letter, |(_, bare, _)| *bare)
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
