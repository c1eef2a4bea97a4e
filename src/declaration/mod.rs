//! What a provider declares about itself. README's table, `.env.example`, `crmauth providers`, completion and hints are
//! made from these declarations.

mod field;
mod target;

pub(crate) use field::field;
pub use field::{COMMON, Default, FLAG, Field, Group, Kind, Need, is_on};
pub use target::{Settings, Target};

use crate::error::Result;
use crate::i18n::{Text, tr};
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
    /// Words and numbers of its protocol, in requests and answers, that tell nothing of anybody, with `|` between them.
    pub words: &'static [&'static str],
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

/// The content type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

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
