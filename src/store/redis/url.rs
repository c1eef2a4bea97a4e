//! `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS.

use std::fmt;

use crate::i18n::{Text, tr};
use crate::secret::Secret;

const PORT: u16 = 6379;

pub struct RedisUrl {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub tls: bool,
    pub database: u32,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

impl RedisUrl {
    /// Reads a URL. An error says what is wrong with it, beginning with a verb, and does not show it.
    pub fn parse(text: &str) -> Result<Self, Text> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(tr!(
                "contains white space or a control character, which is not allowed in a URL"
            ));
        }
        let url = url::Url::parse(text).map_err(|_| tr!("is not a valid URL"))?;
        match (url.scheme(), url.fragment(), url.query()) {
            ("redis" | "rediss", None, None) => {}
            ("redis" | "rediss", None, Some(_)) => {
                return Err(tr!("has parameters (?), and none are supported"));
            }
            ("redis" | "rediss", Some("insecure"), _) => {
                return Err(tr!(
                    "asks for #insecure, but certificates are always checked"
                ));
            }
            ("redis" | "rediss", ..) => return Err(tr!("contains a fragment (#)")),
            _ => return Err(tr!("is neither a redis:// nor a rediss:// URL")),
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(named) {
            return Err(tr!("has no usable host"));
        }
        let database = match url.path().trim_start_matches('/') {
            "" => "0",
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
            _ => return Err(tr!("has a database that is not a number")),
        };
        let large = |_| tr!("has too large a database number");
        let database = database.parse().map_err(large)?;
        let password = url.password().map(decoded).transpose()?.map(Secret::new);
        let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        if user.is_some() && password.is_none() {
            return Err(tr!(
                "has a user but no password; a password alone is written redis://:PASSWORD@HOST"
            ));
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(PORT),
            tls: url.scheme() == "rediss",
            database,
            user,
            password,
        })
    }

    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

fn decoded(part: &str) -> Result<String, Text> {
    let text = percent_encoding::percent_decode_str(part).decode_utf8();
    text.map(String::from)
        .map_err(|_| tr!("has a user or a password that is not valid UTF-8"))
}

impl fmt::Display for RedisUrl {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}/{}", self.address(), self.database)
    }
}
