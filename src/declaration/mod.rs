//! What a provider declares about itself, and the settings that were found for one of its accounts.
//!
//! README's table, `.env.example`, `crmauth providers`, completion and hints are made from these declarations.

mod host;

use std::fmt;

use url::Url;

use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// A system: its names, its settings, how its session is carried and how it ages.
#[derive(Debug)]
pub struct Spec {
    /// The name on the command line; in upper case the prefix of every variable.
    pub id: &'static str,
    /// Other names for it on the command line.
    pub aliases: &'static [&'static str],
    /// The product's name, for people.
    pub product: &'static str,
    /// How a login works, in a few words.
    pub method: &'static str,
    /// The login's path below the base URL; a URL that ends in it already is taken without it.
    pub endpoint: &'static str,
    /// An example of a base URL.
    pub example_url: &'static str,
    /// Where a person finds the base URL; as [`Field::found`].
    pub url_found: &'static str,
    /// The fields of its own, besides those that every provider has ([`COMMON`]), in the order in which a
    /// person fills them in.
    pub fields: &'static [Field],
    /// The seed script's name for the URL, read from env files only.
    pub seed_url: Option<&'static str>,
    /// Fields of which one set must be, or may be, complete.
    pub alternatives: &'static [Alternatives],
    /// Where the session goes in later requests.
    pub placement: Placement,
    /// How the session ages.
    pub ageing: Ageing,
    /// When a session can be renewed without a new login.
    pub renewal: Renewal,
    /// The content type of `crmauth api -d`.
    pub content_type: &'static str,
    /// Whether `--as` works.
    pub impersonation: bool,
    /// Whether it refuses in JSON only, so that HTML with a 401 or 403 comes from something in front of it.
    pub refuses_in_json: bool,
}

impl Spec {
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
        let by_default = self.fields.iter().filter_map(|field| match (field.kind, field.default) {
            (Kind::Path, Default::Value(path)) => Some(path),
            _ => None,
        });
        std::iter::once(self.endpoint).chain(by_default)
    }

    /// The seed script's name for a field.
    pub fn seed_name(&self, field: &Field) -> Option<&'static str> {
        if field.name == "URL" { self.seed_url } else { field.seed_name }
    }

    /// Where a person finds a field's value, where it must be looked up.
    pub fn found(&self, field: &Field) -> Option<Text> {
        let found = if field.name == "URL" { Some(self.url_found) } else { field.found };
        found.map(Text::declared)
    }

    /// What a field is, and where a person finds its value.
    pub fn about(&self, field: &Field) -> Text {
        let help = Text::declared(field.help);
        match self.found(field) {
            Some(found) => tr!("{help} ({found})", help, found),
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
    pub const fn new(name: &'static str, kind: Kind, help: &'static str, found: &'static str) -> Self {
        Self { found: Some(found), ..Self::bare(name, kind, help) }
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

/// Sets of fields of which one is used.
#[derive(Debug)]
pub struct Alternatives {
    /// Whether one of the sets must be complete.
    pub required: bool,
    /// The sets, the usual one first.
    pub ways: &'static [&'static [&'static str]],
}

/// The fields that every provider has: the URL, then the guards.
pub static COMMON: [Field; 3] = [
    Field::bare("URL", Kind::Url, "base URL; a bare host means https, a path prefix is kept").required(),
    Field::option("ALLOW_HTTP", Kind::Flag, "1 allows http:// beyond loopback and private addresses"),
    Field::option("ALLOW_PROXY", Kind::Flag, "1 lets http:// go through the environment's proxy too"),
];

/// Where a session goes in later requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// A parameter of this name.
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
    /// Dies unused, at an unknown hour.
    Idle {
        /// After so many seconds without a sign of life the server is asked before the session is handed out.
        ask_after: u32,
    },
    /// Idle, and a new login ends the old session.
    SingleSeat {
        /// As for [`Ageing::Idle`].
        ask_after: u32,
    },
}

/// When a session can be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Not at all: a login is the only way.
    Never,
    /// With the session itself, while it lives.
    WhileAlive,
    /// With a refresh token, once the session has expired: before that, renewing would end the session in the
    /// hands of whoever uses it.
    OnceExpired,
}

/// Whom a command is about: a provider's default account or a named one.
#[derive(Clone)]
pub struct Target {
    /// The provider's declaration.
    pub spec: &'static Spec,
    /// The account's name, lower case; none for the default account.
    pub account: Option<String>,
}

impl Target {
    /// The variables' prefix for this account: `GLUO` or `GLUO__FILIAL_` — what stands before `_FIELD`.
    pub fn prefix(&self) -> String {
        match &self.account {
            None => self.spec.prefix(),
            Some(account) => format!("{}__{}_", self.spec.prefix(), account.to_ascii_uppercase()),
        }
    }

    /// The provider's default account.
    pub fn default_account(&self) -> Self {
        Self { spec: self.spec, account: None }
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
        f.write_str(self.spec.id)?;
        match &self.account {
            None => Ok(()),
            Some(account) => write!(f, "@{account}"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// A server's base URL: http or https, a host, perhaps a port and a path prefix, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a setting of a system: the path of any of its logins is taken off.
    pub fn of(text: &str, spec: &Spec) -> Result<Self> {
        let whole = Self::parse(text, "")?;
        let cut = |endpoint: &str| Self::parse(text, endpoint).ok().filter(|url| *url != whole);
        Ok(spec.endpoints().find_map(cut).unwrap_or(whole))
    }

    /// Reads a URL. A bare host means https; an ending `endpoint` is taken off.
    ///
    /// Errors: [`Cause::BadSetting`] for user information, a query, a fragment, a backslash, a quote, white space,
    /// control characters, another scheme, and what is no URL at all. The message begins with a verb (`holds …`,
    /// `is …`) and never shows the text: the caller puts the variable's name before it.
    pub fn parse(text: &str, endpoint: &str) -> Result<Self> {
        let bad = |why: Text| Error::new(Cause::BadSetting, why);
        let refuse = |why: Text| Err(bad(why));
        let text = text.trim();
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse(tr!("holds white space or a control character, which no URL may"));
        }
        if text.contains('\\') {
            return refuse(tr!("holds a backslash, which no URL may"));
        }
        const QUOTES: [char; 2] = ['"', '\''];
        let quoted = || Err(bad(tr!("has a quote in its host, or begins or ends with one")));
        if text.starts_with(QUOTES) || text.trim_end_matches('/').ends_with(QUOTES) {
            return quoted();
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return refuse(tr!("is neither an http:// nor an https:// URL"));
        }
        let begins = |marks: [&str; 2]| marks.iter().any(|mark| rest.to_ascii_lowercase().starts_with(mark));
        if begins(["http:", "https:"]) && text.contains("://") {
            return refuse(tr!("names its scheme twice"));
        }
        if begins(["http:", "https:"]) || begins(["http//", "https//"]) {
            return refuse(tr!("has no :// behind its scheme"));
        }
        if rest.is_empty() || rest.starts_with(['/', '?', '#', ':', '@']) {
            return refuse(tr!("names no host"));
        }
        if rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@') {
            return refuse(tr!("holds a user name or a password; they have settings of their own"));
        }
        if rest.contains('#') {
            return refuse(tr!("holds a fragment (#)"));
        }
        if rest.contains('?') {
            return refuse(tr!("holds a query (?)"));
        }
        let url = Url::parse(&format!("{scheme}://{rest}"));
        // A host's escapes are undone.
        if url.as_ref().is_ok_and(|url| url.host_str().is_some_and(|host| host.contains(QUOTES))) {
            return quoted();
        }
        let wrong = host::wrong(&url, rest.split('/').next().unwrap_or_default());
        let mut url = match (url, wrong) {
            (Ok(url), None) => url,
            (_, wrong) => return refuse(wrong.unwrap_or_default()),
        };
        let path = url.path().trim_end_matches('/');
        let endpoint = ["/", endpoint.trim_matches('/')].concat();
        let path = path.strip_suffix(&endpoint).unwrap_or(path).trim_end_matches('/').to_owned();
        // The quote stood around what was there before a login path was added to it.
        if path.ends_with('\'') || path.ends_with("%22") {
            return quoted();
        }
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of a path below this one; the path prefix is kept, the path's own query too.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let prefix = self.0.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}/{}", path.trim_start_matches('/')));
        url.set_query(query);
        url
    }

    /// Whether a path stays below the URL that it is joined to, its `..` taken as every URL parser takes them.
    pub fn stays_below(path: &str) -> bool {
        // A URL parser sees neither tabs nor line breaks.
        let path = path.split('?').next().unwrap_or_default().replace(['\t', '\n', '\r'], "");
        let mut depth = 0_usize;
        // Servers differ in what they take for a separator: whichever it is, it must not lead out.
        let path = path
            .to_ascii_lowercase()
            .replace("%2e", ".")
            .replace("%2f", "/")
            .replace("%5c", "/")
            .replace('\\', "/");
        for segment in path.trim_start_matches('/').split('/') {
            match segment.split(';').next().unwrap_or_default() {
                "." => {}
                ".." => match depth.checked_sub(1) {
                    Some(up) => depth = up,
                    None => return false,
                },
                _ => depth += 1,
            }
        }
        true
    }

    /// Scheme, host and port, the boundary that no secret crosses.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The path prefix.
    pub fn path(&self) -> &str {
        self.0.path()
    }
}

impl fmt::Display for BaseUrl {
    /// Without a slash at the end, so that scripts can append `/path`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
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
        Self { target, url, values }
    }

    /// A secret field's value.
    pub fn secret(&self, field: &str) -> Option<&Secret> {
        self.values.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    /// A field's value that anybody may see.
    pub fn text(&self, field: &str) -> Option<&str> {
        debug_assert!(
            self.target.spec.field(field).is_none_or(|field| !field.secret()),
            "{field} is a secret"
        );
        self.secret(field).map(Secret::expose)
    }

    /// Whether a flag is set.
    pub fn flag(&self, field: &str) -> bool {
        self.text(field).is_some_and(is_on)
    }

    /// The values of all secret fields.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let spec = self.target.spec;
        self.values
            .iter()
            .filter(|(name, _)| spec.field(name).is_some_and(Field::secret))
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> std::result::Result<String, String> {
        BaseUrl::parse(text, "webservice.php").map(|url| url.to_string()).map_err(|e| e.message.english())
    }

    #[test]
    fn base_urls() {
        for (text, url) in [
            ("empresa.gluocrm.com.br", "https://empresa.gluocrm.com.br"),
            ("http://10.0.0.7:5000/", "http://10.0.0.7:5000"),
            ("localhost:5000", "https://localhost:5000"),
            ("https://h/crm/", "https://h/crm"),
            ("HTTPS://H/crm/webservice.php", "https://h/crm"),
            ("https://h/webservice.php/", "https://h"),
            ("https://h/xwebservice.php", "https://h/xwebservice.php"),
            ("https://h/a%20b", "https://h/a%20b"),
            ("https://[::1]:8443/x", "https://[::1]:8443/x"),
            ("https://a_b.example.:1/x", "https://a_b.example.:1/x"),
            ("https://b\u{fc}ro.example", "https://xn--bro-hoa.example"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(url), "{text}");
        }
        for text in [
            "https://user:pw@h",
            "https://user@h",
            "user@h",
            "https://h/#x",
            "https://h?x=1",
            "https:\\\\h",
            "h\\x",
            "https://h/\u{7}",
            "https://h/ x",
            "ftp://h",
            "javascript:alert(1)",
            "https://",
            "",
            "https:///x",
            "file:///etc/passwd",
            "https://h:99999",
        ] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
        let long = [&"a".repeat(64), ".example"].concat();
        assert_eq!(parse(&long), Err("is no valid URL: its host's name is too long".to_owned()));
        for (text, why) in [
            ("https://https://h", "names its scheme twice"),
            ("https://HTTP:/h", "names its scheme twice"),
            ("http:/h", "has no :// behind its scheme"),
            ("http//h", "has no :// behind its scheme"),
            ("https:h", "has no :// behind its scheme"),
            ("\"https://h\"", "has a quote in its host, or begins or ends with one"),
            ("https://h'//", "has a quote in its host, or begins or ends with one"),
            ("https://h'/webservice.php", "has a quote in its host, or begins or ends with one"),
            ("https://h/a\"/webservice.php", "has a quote in its host, or begins or ends with one"),
            ("https://h%27/webservice.php", "has a quote in its host, or begins or ends with one"),
            ("https://h:99999", "is no valid URL: its port 99999 is not between 1 and 65535"),
            ("h:0/x", "is no valid URL: its port 0 is not between 1 and 65535"),
            ("https://ana:pa55word/x", "is no valid URL: its port is no number between 1 and 65535"),
            ("https://h:99999999", "is no valid URL: its port is no number between 1 and 65535"),
            ("https://256.1.1.1", "is no valid URL: its host is no IP address"),
            ("https://[h]", "is no valid URL: its host is no IP address"),
            ("https://a..b", "is no valid URL: its host has nothing between two dots, or before one"),
            ("https://.b:80/x", "is no valid URL: its host has nothing between two dots, or before one"),
            ("https://.", "is no valid URL: its host has nothing between two dots, or before one"),
            ("https://a,b", "is no valid URL: no host has `,` in its name"),
            ("a%2cb.example", "is no valid URL: no host has `,` in its name"),
            ("https://a^b", "is no valid URL: no host has `^` in its name"),
            ("https://{gluo}", "is no valid URL: no host has `{` in its name"),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "must say where its value is found")]
    fn a_credential_is_no_option() {
        let _ = Field::option("PASSWORD", Kind::Secret, "the password");
    }

    #[test]
    fn joined_paths_keep_the_prefix() {
        let url = BaseUrl::parse("https://h/legacy/", "Api/access_token").expect("a URL");
        assert_eq!(url.join("/Api/access_token").as_str(), "https://h/legacy/Api/access_token");
        assert_eq!(url.join("x?a=b").as_str(), "https://h/legacy/x?a=b");
        assert_eq!(url.origin(), "https://h");
    }

    #[test]
    fn a_path_must_not_climb_out_of_the_prefix() {
        let url = BaseUrl::parse("https://h/a/b", "").expect("a URL");
        for (path, below) in [
            ("/x", true),
            ("x/../y", true),
            ("/x/%2E./y/./..", true),
            ("/x?a=/../..", true),
            ("/..x/...", true),
            ("/%252e%252e/x", true),
            ("..", false),
            ("/../x", false),
            ("/x/../../y", false),
            ("//../x", false),
            ("%2e%2E/x", false),
            ("/.%2e/x", false),
            ("./x/./%2e./..", false),
            ("..\\x", false),
            (".\n./x", false),
            (".%2\te/x", false),
            ("%2e%2e\\\\x", false),
            ("x\\..\\y", true),
        ] {
            assert_eq!(BaseUrl::stays_below(path), below, "{path}");
            let joined = url.join(path);
            assert!(!below || joined.path().starts_with("/a/b/"), "{path}: {joined}");
        }
    }
}
