//! One setting of a system: what its value is, when it must be set, and what holds where it is not.

/// One setting, `PREFIX_NAME`.
#[derive(Debug)]
pub struct Field {
    /// Its name behind the prefix: `ACCESS_KEY`.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// When it must be set.
    pub need: Need,
    /// What holds where it is not set.
    pub default: Default,
    /// What it is: one line without a full stop.
    pub help: &'static str,
    /// Where a person finds its value, or whom to ask: one line without a full stop. None where there is nothing to be
    /// found: an option, and the URL, of which [`Spec::url_found`] speaks.
    pub found: Option<&'static str>,
    /// What it is a part of that named accounts take from the default one.
    pub shared: Option<Group>,
    /// The seed script's name for it, read from env files only.
    pub seed_name: Option<&'static str>,
    /// Whether sessions under another value are other sessions, though it names nobody: a grant.
    pub identity: bool,
}

impl Field {
    /// A field whose value a person must look up: its kind, what it is, and where it is found. It is optional,
    /// without a default, not shared.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        help: &'static str,
        found: &'static str,
    ) -> Self {
        Self {
            found: Some(found),
            ..Self::bare(name, kind, help)
        }
    }

    /// An option: a field that a person chooses a value for, if at all. Nobody logs in with such a value.
    pub const fn option(name: &'static str, kind: Kind, help: &'static str) -> Self {
        assert!(
            matches!(kind, Kind::Choice(_) | Kind::Path | Kind::Flag),
            "a field of this kind must say where its value is found"
        );
        Self::bare(name, kind, help)
    }

    const fn bare(name: &'static str, kind: Kind, help: &'static str) -> Self {
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

    /// The same field, required.
    pub const fn required(mut self) -> Self {
        self.need = Need::Always;
        self
    }

    /// The same field, required when `field` has `value`.
    pub const fn required_when(mut self, field: &'static str, value: &'static str) -> Self {
        self.need = Need::When { field, value };
        self
    }

    /// The same field with a default.
    pub const fn default(mut self, default: Default) -> Self {
        self.default = default;
        self
    }

    /// The same field, a part of what named accounts take from the default one.
    pub const fn shared(mut self, group: Group) -> Self {
        self.shared = Some(group);
        self
    }

    /// The same field with the seed script's name for it.
    pub const fn seed_name(mut self, name: &'static str) -> Self {
        self.seed_name = Some(name);
        self
    }

    /// The same field, part of what a session is stored under.
    pub const fn identity(mut self) -> Self {
        self.identity = true;
        self
    }

    /// Whether nobody may see its value.
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

/// Fields that belong to one server and to each other: a named account at the default account's URL takes all of them
/// from there, or none where it sets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The client through which users log in.
    Client,
    /// The partner, who logs in first and with credentials of its own.
    Partner,
}

/// What a field's value is, and how it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A base URL; see [`BaseUrl::parse`].
    Url,
    /// A text without control characters.
    Text,
    /// A secret text without control characters.
    Secret,
    /// A secret that some program made: as [`Kind::Secret`], and without white space.
    Key,
    /// A secret that goes into a header: 1 to 8192 bytes of 0x21–0x7E.
    Token,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A path below the base URL.
    Path,
    /// `1`, `true`, `yes`, `on`, or `0`, `false`, `no`, `off`.
    Flag,
}

/// The words of a flag: those that set it, those that do not.
pub const FLAG: [[&str; 4]; 2] = [["1", "true", "yes", "on"], ["0", "false", "no", "off"]];

/// Whether a flag with this value is set.
pub fn is_on(value: &str) -> bool {
    FLAG[0].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// When a field must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// For every login.
    Always,
    /// Not on its own account; [`Spec::alternatives`] may ask for it.
    Optional,
    /// When another field has this value, set or by default.
    When {
        /// That other field.
        field: &'static str,
        value: &'static str,
    },
}

/// What holds where a field is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing.
    None,
    Value(&'static str),
    /// One value where another field is set, another where it is not.
    IfSet {
        /// That other field.
        field: &'static str,
        /// The value where it is set.
        then: &'static str,
        /// The value where it is not.
        otherwise: &'static str,
    },
}
/// The fields that every provider has: the URL, then the guards.
pub static COMMON: [Field; 3] = [
    Field::bare(
        "URL",
        Kind::Url,
        "base URL; a bare host means https, a path prefix is kept",
    )
    .required(),
    Field::option(
        "ALLOW_HTTP",
        Kind::Flag,
        "1 allows http:// beyond loopback and private addresses",
    ),
    Field::option(
        "ALLOW_PROXY",
        Kind::Flag,
        "1 lets http:// go through the environment's proxy too",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "must say where its value is found")]
    fn a_credential_is_no_option() {
        let _ = Field::option("PASSWORD", Kind::Secret, "the password");
    }
}
