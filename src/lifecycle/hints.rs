//! The next step where the one who failed knew none: made from the settings that were found.

use crate::error::{Cause, Error};
use crate::i18n::{self, Text, tr};
use crate::settings::{Found, Plan};

/// The next steps that a target's settings suggest.
pub(super) struct Hints {
    url: String,
    plain: bool,
    credentials: Vec<String>,
}

impl Hints {
    pub(super) fn of(plan: &Plan) -> Self {
        let name = |field: &str| {
            plan.found(field).map_or_else(|| plan.target.variable(field), |found| found.variable.clone())
        };
        let credential = |found: &&Found| found.field.credential();
        let credentials = plan.found.iter().filter(credential).map(|found| found.variable.clone()).collect();
        Self { url: name("URL"), plain: plan.url.origin().starts_with("http://"), credentials }
    }

    /// Adds a next step where the one who failed knew none.
    pub(super) fn add(&self, error: Error) -> Error {
        let url = &self.url;
        let hint = match error.cause {
            Cause::Refused => tr!("check {settings}", settings = list(&self.credentials)),
            Cause::Locked => {
                tr!("it will not help to try again; ask its administrator to unlock the account")
            }
            Cause::Dns | Cause::Connect | Cause::NotHttp | Cause::Tls => {
                tr!("is {url} right, and is the server up?", url)
            }
            Cause::Certificate => tr!("is the host in {url} the right one?", url),
            Cause::ConnectTimeout => tr!("is {url} right, and does a firewall or a VPN stand between?", url),
            Cause::Proxy => tr!("check https_proxy, or name the host in no_proxy"),
            Cause::Timeout | Cause::ServerTimeout => {
                tr!("try again, or allow more time with --timeout SECONDS")
            }
            Cause::Closed if self.plain => {
                tr!("try again later; if the server speaks TLS, {url} must begin with https://", url)
            }
            Cause::Closed | Cause::Unavailable | Cause::RateLimited => tr!("try again later"),
            Cause::Redirect => tr!("no redirect is followed; if that place is right, set {url} to it", url),
            Cause::NotFound
            | Cause::Html
            | Cause::BadAnswer
            | Cause::BadToken
            | Cause::TooLarge
            | Cause::Status => {
                tr!("is {url} the base URL of this system?", url)
            }
            _ => return error,
        };
        error.hint(hint)
    }
}

/// The settings' names.
fn list(names: &[String]) -> Text {
    if names.is_empty() { tr!("the credentials") } else { i18n::and(names) }
}
