//! The server's refusals in our words.

use redis::{ServerError, Value};

use super::server::Server;
use crate::error::{Cause, Error, error};
use crate::i18n::{Text, tr};

impl Server {
    /// A refused user or password is a setting to fix, what passes by itself counts as no answer, and the rest needs
    /// somebody at the server. A message in our words leaves out the server's, which quote scripts.
    pub(super) fn refused(&self, error: &ServerError) -> Error {
        let (place, code) = (&self.url, code(error));
        match code {
            "NOAUTH" => error!(BadSetting, "the store {place} requires a password", place)
                .hint(check_user()),
            "WRONGPASS" => error!(
                BadSetting,
                "the store {place} does not accept the user or the password", place
            )
            .hint(check_user()),
            "OOM" => error!(
                Unavailable, "the memory of the store {place} is full", place;
                hint "free memory there, or raise its maxmemory"
            ),
            "READONLY" => error!(
                Unavailable, "the store {place} is a replica, which accepts no changes", place;
                hint "name its primary in CRMAUTH_STORE"
            ),
            "MISCONF" => error!(
                Unavailable, "the store {place} accepts no changes, because it cannot save them", place;
                hint "its log says why; often its disk is full"
            ),
            "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => error!(
                Unavailable, "the store {place} is part of a cluster, which cannot be used", place;
                hint "name a stand-alone server in CRMAUTH_STORE"
            ),
            _ => self.answered(code, error),
        }
    }

    /// A refusal in the server's words.
    fn answered(&self, code: &str, error: &ServerError) -> Error {
        let message = tr!("the store {place} answered {code}", place = &self.url, code);
        let (cause, hint) = match code {
            "NOPERM" => (
                Cause::BadSetting,
                tr!("check the user in CRMAUTH_STORE and its permissions on the server"),
            ),
            "LOADING" | "MASTERDOWN" | "BUSY" | "TRYAGAIN" => {
                (Cause::Closed, tr!("try again later"))
            }
            _ => (Cause::Unavailable, tr!("ask that server's administrator")),
        };
        Error::new(cause, message).said(words(error)).hint(hint)
    }

    /// A refused greeting is a setting to fix, whatever the server calls it.
    pub(super) fn not_let_in(&self, error: &ServerError) -> Error {
        let refused = self.refused(error);
        match refused.cause {
            Cause::Closed => refused,
            _ => Error {
                cause: Cause::BadSetting,
                hint: Some(check_user()),
                ..refused
            },
        }
    }
}

fn check_user() -> Text {
    tr!("check the user, the password and the database in CRMAUTH_STORE")
}

pub(super) fn refusal(value: &Value) -> Option<&ServerError> {
    if let Value::ServerError(error) = value {
        Some(error)
    } else {
        None
    }
}

/// The error's code: the word it begins with, or the one that a script passed on from within.
fn code(error: &ServerError) -> &str {
    let inner = || {
        let word = error
            .details()?
            .split_whitespace()
            .find_map(|word| word.strip_prefix('-'))?;
        (word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(word)
    };
    // How Redis and Valkey say that the user may not run a command that is in a script.
    let denied = ["The user executing the script", "ACL failure in script"];
    match error.code() {
        "ERR" if denied.iter().any(|start| words(error).starts_with(start)) => "NOPERM",
        "ERR" => inner().unwrap_or("ERR"),
        code => code,
    }
}

/// The server's words after the code, without the script that it quotes: after the words since Redis 7, before them
/// until then.
fn words(error: &ServerError) -> &str {
    let details = error.details().unwrap_or_default();
    let details = match details.rsplit_once(" script: ") {
        Some((words, place)) if place.contains("@user_script") => words,
        _ => details,
    };
    let after = details.rsplit_once("@user_script").map(|(_, after)| after);
    after.map_or(details, |after| {
        after.trim_start_matches(|c: char| !c.is_ascii_alphabetic())
    })
}
