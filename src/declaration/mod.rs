//! What a provider declares about itself, and the settings that were found for one of its accounts.
//!
//! README's table, `.env.example`, `crmauth providers`, completion and hints are made from these declarations.

use std::fmt;

use crate::error::Result;
use crate::i18n::{Text, tr};
use crate::secret::Secret;
pub use crate::url::BaseUrl;

/// A system: its names, its settings, how its session is carried and how it ages.
#[derive(Debug)]
pub struct Spec {
    /// The name on the command line; in upper case the prefix of every variable.
    pub id: &'static str,
    pub aliases: &'static [&'static str],
    /// Names of the product that it is made from, or was sold as: suggestions know them.
    pub known_as: &'static [&'static str],
    pub product: &'static str,
    /// How a login works, in a few words.
    pub method: &'static str,
    /// The login's path below the base URL; a URL that ends in it already is taken without it.
    pub endpoint: &'static str,
    /// Other paths of its API that people paste with the URL, the longest first; they are taken off too.
    pub other_endpoints: &'static [&'static str],
    pub example_url: &'static str,
    /// Where a person finds the base URL; as [`Field::found`].
    pub url_found: &'static str,
    /// The fields of its own, besides those of every provider ([`COMMON`]), as a person fills them in.
    pub fields: &'static [Field],
    /// The seed script's name for the URL, read from env files only.
    pub seed_url: Option<&'static str>,
    /// Fields of which one set must be, or may be, complete.
    pub alternatives: &'static [Alternatives],
    /// The kinds of credentials that it takes, the usual one first; empty where there is only one.
    pub credentials: &'static [Credentials],
    pub placement: Placement,
    pub ageing: Ageing,
    /// When a session can be renewed without a new login.
    pub renewal: Renewal,
    /// Words and numbers of its protocol, in requests and answers, that tell nothing of anybody.
    pub words: &'static [&'static [&'static str]],
    /// How `api --paginate` asks for a list.
    pub pages: Option<&'static Pages>,
    pub content_type: &'static str,
    /// Whether `--as` works.
    pub impersonation: bool,
    /// Whether it refuses in JSON only, so that HTML with a 401 or 403 comes from something in front of it.
    pub refuses_in_json: bool,
    /// Whether a login that is sent twice harms nobody: no session ends by it, and no count of refusals grows.
    pub login_is_repeatable: bool,
    /// Whether a login's answer that is one JSON text stands for the JSON in it, as some .NET services send it.
    pub json_in_text: bool,
    /// Whether other programs have variables with this prefix.
    pub common_word: bool,
}

impl Spec {
    /// A system of which nothing is special, for declarations to differ from.
    pub const PLAIN: Self = Self {
        id: "",
        aliases: &[],
        known_as: &[],
        product: "",
        method: "",
        endpoint: "",
        other_endpoints: &[],
        example_url: "",
        url_found: "",
        fields: &[],
        seed_url: None,
        alternatives: &[],
        credentials: &[],
        placement: Placement::Bearer,
        ageing: Ageing::Fixed,
        renewal: Renewal::Never,
        words: &[],
        pages: None,
        content_type: "application/json",
        impersonation: false,
        refuses_in_json: false,
        login_is_repeatable: false,
        json_in_text: false,
        common_word: false,
    };

    /// The prefix of every variable: `GLUO`.
    pub fn prefix(&self) -> String {
        self.id.to_ascii_uppercase()
    }

    /// Every field: `URL`, the provider's own, then the guards that every provider has.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        let (url, guards) = COMMON.split_at(1);
        url.iter().chain(self.fields).chain(guards)
    }

    /// The paths of its logins: its own, and those that its fields have by default, such as a partner's.
    pub fn endpoints(&self) -> impl Iterator<Item = &'static str> {
        let by_default = |field: &Field| match (field.kind, field.default) {
            (Kind::Path, Default::Value(path)) => Some(path),
            _ => None,
        };
        std::iter::once(self.endpoint).chain(self.fields.iter().filter_map(by_default))
    }

    /// Reads a URL of this system; the path of any of its logins is taken off.
    pub fn base_url(&self, text: &str) -> Result<BaseUrl> {
        let url = BaseUrl::parse(text)?;
        let mut endpoints = self.endpoints().chain(self.other_endpoints.iter().copied());
        let found = endpoints.find_map(|endpoint| url.without(endpoint));
        found.unwrap_or(Ok(url))
    }

    /// The fields that the seed script has, each with its name there.
    pub fn seeds(&self) -> impl Iterator<Item = (&'static Field, &'static str)> {
        let name = |field: &Field| match field.kind {
            Kind::Url => self.seed_url,
            _ => field.seed_name,
        };
        let fields = self.all_fields();
        fields.filter_map(move |field| Some((field, name(field)?)))
    }

    /// Where a person finds a field's value, where it must be looked up.
    pub fn found(&self, field: &Field) -> Option<Text> {
        let found = match field.kind {
            Kind::Url => Some(self.url_found),
            _ => field.found,
        };
        found.map(Text::declared)
    }

    /// What a field is, and where a person finds its value.
    pub fn about(&self, field: &Field) -> Text {
        let help = Text::declared(field.help);
        match self.found(field) {
            Some(found) => tr!("{help} ({found})"; help, found),
            None => help,
        }
    }

    /// Whether a new login ends the old session.
    pub fn single_seat(&self) -> bool {
        matches!(self.ageing, Ageing::SingleSeat { .. })
    }

    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| field.name == name)
    }
}

/// A query's parameters, decoded.
pub type Query = Vec<(String, String)>;

/// A list that comes page by page.
#[derive(Debug)]
pub struct Pages {
    /// Makes a query's parameters ask for a page, counted from 0; an error where they ask for no list.
    pub ask: fn(Query, usize) -> Result<Query>,
    /// Finds the rows in an answer's JSON: their array as it stands, their number, and whether another page follows.
    pub read: fn(&str) -> Option<(&str, usize, bool)>,
}

/// Sets of fields of which one is used.
#[derive(Debug)]
pub struct Alternatives {
    /// Whether one of the sets must be complete.
    pub required: bool,
    /// The sets, the usual one first.
    pub ways: &'static [&'static [&'static str]],
}

/// One of several kinds of credentials, of which a person has one.
#[derive(Debug)]
pub struct Credentials {
    /// What they are: one line without a full stop.
    pub about: &'static str,
    pub fields: &'static [&'static str],
}

impl Credentials {
    pub const fn new(about: &'static str, fields: &'static [&'static str]) -> Self {
        Self { about, fields }
    }
}

/// Where a session goes in later requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    Query(&'static str),
    /// A path segment, which a path names as `{session}`.
    Path,
}

impl Placement {
    /// `header`, `query` or `path`, as JSON output names it.
    pub fn place(self) -> &'static str {
        match self {
            Self::Bearer => "header",
            Self::Query(_) => "query",
            Self::Path => "path",
        }
    }

    /// The name of the header, of the parameter, or of the path's placeholder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Authorization",
            Self::Query(name) => name,
            Self::Path => "session",
        }
    }
}

/// How a session ages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ageing {
    /// An expiry is known.
    Fixed,
    /// Dies unused, at an unknown hour: after so many seconds without a sign of life the server is asked first.
    Idle { ask_after: u32 },
    /// Idle, and a new login ends the old session.
    SingleSeat { ask_after: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Not at all: a login is the only way.
    Never,
    /// With the session itself, while it lives.
    WhileAlive,
    /// With a refresh token, once the session has expired: before, that would end it in the hands of whoever uses it.
    OnceExpired,
}

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
    /// Where a person finds its value, or whom to ask: one line without a full stop. The URL has [`Spec::url_found`].
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
    Choice(&'static [&'static str]),
    Path,
    /// `1`, `true`, `yes`, `on`, or `0`, `false`, `no`, `off`.
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
    /// Not on its own account; [`Spec::alternatives`] may ask for it.
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

/// Whom a command is about: a provider's default account or a named one.
#[derive(Debug, Clone)]
pub struct Target {
    pub spec: &'static Spec,
    /// The account's name, lower case; none for the default account.
    pub account: Option<String>,
}

impl Target {
    pub fn new(spec: &'static Spec, account: Option<String>) -> Self {
        Self { spec, account }
    }

    /// The variables' prefix for this account: `GLUO` or `GLUO__FILIAL_` — what stands before `_FIELD`.
    pub fn prefix(&self) -> String {
        match &self.account {
            None => self.spec.prefix(),
            Some(account) => format!("{}__{}_", self.spec.prefix(), account.to_ascii_uppercase()),
        }
    }

    pub fn default_account(&self) -> Self {
        Self::new(self.spec, None)
    }

    /// A field's variable for this account: `GLUO_URL`, `GLUO__FILIAL__URL`.
    pub fn variable(&self, field: &str) -> String {
        format!("{}_{field}", self.prefix())
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.spec.id == other.spec.id && self.account == other.account
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            None => f.write_str(self.spec.id),
            Some(account) => write!(f, "{}@{account}", self.spec.id),
        }
    }
}

/// The settings that were found for a target, checked against its declaration; what its provider works with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub target: Target,
    pub url: BaseUrl,
    values: Vec<(&'static str, Secret)>,
}

impl Settings {
    /// Values by field name; fields that are not set and have no default are left out, `URL` too.
    pub fn new(target: Target, url: BaseUrl, values: Vec<(&'static str, Secret)>) -> Self {
        Self {
            target,
            url,
            values,
        }
    }

    pub fn secret(&self, field: &str) -> Option<&Secret> {
        let mut values = self.values.iter();
        values.find_map(|(name, value)| (*name == field).then_some(value))
    }

    /// A field's value that anybody may see.
    pub fn text(&self, field: &str) -> Option<&str> {
        debug_assert!(!self.is_secret(field), "{field} is a secret");
        self.secret(field).map(Secret::expose)
    }

    pub fn flag(&self, field: &str) -> bool {
        self.text(field).is_some_and(is_on)
    }

    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let secrets = self.values.iter().filter(|(name, _)| self.is_secret(name));
        secrets.map(|(_, value)| value)
    }

    fn is_secret(&self, field: &str) -> bool {
        self.target.spec.field(field).is_some_and(Field::secret)
    }
}
