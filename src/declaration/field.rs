//! The settings that a provider declares, and those that every provider has.

/// Declares a [`Field`]: its name, its kind and what it is, then whatever is not as in [`Field::bare`].
macro_rules! field {
    ($name:literal $kind:expr, $help:literal $(, $member:ident: $value:expr)* $(,)?) => {
        $crate::declaration::Field {
            $($member: $value,)*
            ..$crate::declaration::Field::bare($name, $kind, $help)
        }
    };
}

pub(crate) use field;

/// One setting, `PREFIX_NAME`.
#[derive(Debug)]
pub struct Field {
    /// Its name behind the prefix: `ACCESS_KEY`.
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    pub default: Default,
    /// What it is: one line without a full stop.
    pub help: &'static str,
    /// Where a person finds its value, or whom to ask: one line without a full stop. The URL has `Spec::url_found`.
    pub found: Option<&'static str>,
    /// What it is a part of that named accounts take from the default one.
    pub shared: Option<Group>,
    /// The seed script's name for it, read from env files only.
    pub seed_name: Option<&'static str>,
    /// Whether sessions under another value are other sessions, though it names nobody: a grant.
    pub identity: bool,
}

impl Field {
    /// An optional field without a default, which named accounts do not share; see [`field!`].
    pub const fn bare(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            need: Need::Optional,
            default: Default::None,
            help,
            found: None,
            shared: None,
            seed_name: None,
            identity: false,
        }
    }

    pub fn secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Key | Kind::Token)
    }

    /// Whether a named account may take its value from the default one.
    pub fn inherited(&self) -> bool {
        self.kind == Kind::Url || self.shared.is_some()
    }

    /// Whether its value names or proves who logs in.
    pub fn credential(&self) -> bool {
        self.kind == Kind::Text || self.secret()
    }
}

/// Fields that a named account at the default account's URL takes from there all together, or none where it sets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The client through which users log in.
    Client,
    /// The partner, who logs in first and with credentials of its own.
    Partner,
}

/// What a field's value is. No kind allows control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Url,
    Text,
    Secret,
    /// A secret that some program made, without white space.
    Key,
    /// A secret that goes into a header: 1 to 8192 bytes of 0x21–0x7E.
    Token,
    Choice(&'static [&'static str]),
    Path,
    /// One of [`FLAG`].
    Flag,
}

/// The words of a flag: those that set it, those that do not.
pub const FLAG: [[&str; 4]; 2] = [["1", "true", "yes", "on"], ["0", "false", "no", "off"]];

pub fn is_on(value: &str) -> bool {
    FLAG[0].iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// For every login.
    Always,
    /// Not on its own account; [`super::Spec::alternatives`] may ask for it.
    Optional,
    /// When another field has this value, set or by default.
    When(&'static str, &'static str),
}

/// What holds where a field is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    None,
    Value(&'static str),
    /// Where the first of these is a field that is set, the second; otherwise the third.
    IfSet(&'static str, &'static str, &'static str),
}

/// The fields that every provider has: the URL, then the guards.
pub static COMMON: [Field; 3] = [
    field!("URL" Kind::Url, "base URL; https is assumed, and a path after the host is kept", need: Need::Always),
    field!("ALLOW_HTTP" Kind::Flag, "1 allows http:// beyond loopback and private addresses"),
    field!("ALLOW_PROXY" Kind::Flag, "1 allows http:// through the environment's proxy too"),
];
