//! The next step where the one who failed knew none: made from the settings that were found.

use crate::config::{Found, Plan};
use crate::error::{Cause, Error};

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
            Cause::Refused => format!("check {}", list(&self.credentials)),
            Cause::Locked => {
                "it will not help to try again; ask its administrator to unlock the account".to_owned()
            }
            Cause::Dns | Cause::Connect | Cause::NotHttp | Cause::Tls => {
                format!("is {url} right, and is the server up?")
            }
            Cause::Certificate => format!("is the host in {url} the right one?"),
            Cause::ConnectTimeout => format!("is {url} right, and does a firewall or a VPN stand between?"),
            Cause::Proxy => "check https_proxy, or name the host in no_proxy".to_owned(),
            Cause::Timeout | Cause::ServerTimeout => {
                "try again, or allow more time with --timeout SECONDS".to_owned()
            }
            Cause::Closed if self.plain => {
                format!("try again later; if the server speaks TLS, {url} must begin with https://")
            }
            Cause::Closed | Cause::Unavailable | Cause::RateLimited => "try again later".to_owned(),
            Cause::Redirect => format!("no redirect is followed; if that place is right, set {url} to it"),
            Cause::NotFound
            | Cause::Html
            | Cause::BadAnswer
            | Cause::BadToken
            | Cause::TooLarge
            | Cause::Status => {
                format!("is {url} the base URL of this system?")
            }
            _ => return error,
        };
        error.hint(hint)
    }
}

/// `A`, `A and B`, `A, B and C`.
fn list(names: &[String]) -> String {
    match names {
        [] => "the credentials".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
