//! The next step after an error that names none, made from the settings that were found.

use super::account::Account;
use crate::declaration::BaseUrl;
use crate::error::{Cause, Error};
use crate::i18n::{self, Text, tr};

impl Account<'_> {
    /// Adds the target's name and, where whoever failed knew no next step, one that the settings suggest.
    pub fn explain(&self, error: Error) -> Error {
        let error = error.target(&self.target().to_string());
        if !self.is_configured() {
            return error;
        }
        let about = error.about;
        let credentials = || self.credentials(about);
        with_next_step(error, &self.url_variable(), &self.plan.url, credentials)
    }

    /// The variable that the URL is, or would be, set by.
    pub(super) fn url_variable(&self) -> String {
        let found = self.plan.found("URL").map(|found| found.written.clone());
        found.unwrap_or_else(|| self.target().variable("URL"))
    }

    /// Those of these fields, or all of them.
    fn credentials(&self, about: &[&str]) -> Text {
        let found = self.plan.found.iter().filter(|found| {
            let field = found.field;
            field.credential() && (about.is_empty() || about.contains(&field.name))
        });
        let names: Vec<&str> = found.map(|found| found.written.as_str()).collect();
        if names.is_empty() {
            tr!("the credentials")
        } else {
            i18n::and(&names)
        }
    }
}

/// Adds the next step where whoever failed knew none. `url` is the variable that the base URL is set by, or would be.
pub(super) fn with_next_step(
    error: Error,
    url: &str,
    base: &BaseUrl,
    credentials: impl Fn() -> Text,
) -> Error {
    // Where the system itself has answered, the URL is right.
    let own = error.said.is_some() || error.http_status.is_some_and(|status| status >= 500);
    let plain = base.origin().starts_with("http://");
    let hint = match error.cause {
        Cause::Closed if plain => tr!(
            "try again later; if the server speaks TLS, {url} must begin with https://",
            url
        ),
        // So web servers refuse what is not TLS at a port of theirs for that.
        Cause::Status if plain && error.http_status == Some(400) && !own => {
            tr!(
                "if the server speaks TLS, {url} must begin with https://",
                url
            )
        }
        Cause::Refused => tr!("check {settings}", settings = credentials()),
        Cause::Locked => {
            tr!("trying again will not help; ask its administrator to unlock the account")
        }
        Cause::Tls => tr!(
            "is {url} right, or is it an http:// server? For a private address write {url}='{plain}'",
            url,
            plain = base.to_string().replacen("https:", "http:", 1)
        ),
        Cause::Dns | Cause::Connect | Cause::NotHttp => {
            tr!("is {url} right, and is the server up?", url)
        }
        Cause::Certificate => tr!("is the host in {url} the right one?", url),
        Cause::ConnectTimeout => tr!(
            "is {url} right? A firewall or a missing VPN may be in the way",
            url
        ),
        Cause::ProxyRefused => {
            tr!(
                "ask the proxy's administrator, or name the host in no_proxy; \
                 https_proxy takes a user and a password as http://USER:PASSWORD@HOST:PORT"
            )
        }
        Cause::Proxy => tr!("check https_proxy, or name the host in no_proxy"),
        Cause::Timeout | Cause::ServerTimeout => {
            tr!("try again, or allow more time with --timeout SECONDS")
        }
        Cause::Closed | Cause::Unavailable | Cause::RateLimited => tr!("try again later"),
        Cause::Redirect => tr!(
            "redirects are not followed; if that address is right, set {url} to it",
            url
        ),
        Cause::BadAnswer | Cause::Status | Cause::Rejected if own => {
            tr!("the server itself has answered; its log, or its administrator, can say more")
        }
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
