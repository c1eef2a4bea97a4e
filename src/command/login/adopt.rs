//! `login --adopt`: a session from elsewhere.

use std::io::{IsTerminal, Read};

use jiff::Timestamp;
use serde_json::Value;

use super::super::Run;
use crate::declaration::{BaseUrl, Target};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::{Text, tr};
use crate::lifecycle::{Account, Active, Services};
use crate::provider;
use crate::secret::Secret;
use crate::session::Session;
use crate::settings::{self, Plan, Sources};

/// The largest session that is read, in bytes.
const MAX: u64 = 128 * 1024;

/// Reads what `token -f json` wrote elsewhere from stdin.
pub(super) fn read(targets: &[Target], run: &Run<'_>) -> Result<Secret> {
    let [target] = targets else {
        return Err(error!(Usage: "--adopt takes one TARGET"));
    };
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        run.report.chat(tr!(
            "waiting for a session on stdin, as `crmauth token TARGET -f json` writes it"
        ));
    }
    let mut text = String::new();
    let read = stdin.lock().take(MAX).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(|_| no_session(tr!("stdin contains no text")).target(&target.to_string()))?;
    Ok(text)
}

/// Stores a session that was read, if it is the target's.
pub(super) async fn adopt<'a>(
    services: &'a Services,
    sources: &Sources,
    target: &Target,
    text: &Secret,
) -> Result<Active<'a>> {
    let adopted = async {
        let handed = object(text.expose()).map_err(no_session)?;
        let url = handed["url"].as_str();
        let url = url.and_then(|url| BaseUrl::parse(url).ok());
        let why = tr!("the session on stdin does not say which server it is for");
        let url = url.ok_or_else(|| no_session(why))?;
        let session = session(&handed)?;
        let account = match sources.without_credentials(target) {
            Some(own) if own.as_ref().is_none_or(|own| *own == url) => {
                let missing = settings::find(target, sources).await.err();
                Account::to_hand_over(services, target, url.clone(), missing)
            }
            _ => Account::find(services, sources, target, None).await?,
        };
        belongs(&handed, &url, &account.plan)?;
        let end = session.expires_at;
        if end.is_some_and(|end| end <= Timestamp::now()) {
            let error =
                error!(Refused: "the session has expired" => hint "adopt a newer one, or log in");
            return Err(error);
        }
        account.adopt(session).await
    };
    let named = |error: Error| error.target(&target.to_string());
    adopted.await.map_err(named)
}

/// Refuses a session whose system, server or user is not the target's.
fn belongs(handed: &Value, url: &BaseUrl, plan: &Plan) -> Result<()> {
    let (target, own_url) = (&plan.target, &plan.url);
    if handed["provider"] != target.spec.id || url != own_url {
        let its = provider::specs()
            .into_iter()
            .find(|spec| handed["provider"] == spec.id);
        let system = its.map_or(
            tr!("another system"),
            |spec| tr!("{name}"; name = spec.product),
        );
        let error = error!(BadSetting: "the session is for {system} at {url} and not for {target} at {own_url}";
            system, url, target, own_url => hint "a session goes to the server that it is for");
        return Err(error);
    }
    if let Some(person) = handed["impersonating"].as_str() {
        let error = error!(BadSetting: "the session impersonates {person}, and {target} does not"; person, target =>
            hint "adopt the session without --as; `--as` then works here too");
        return Err(error);
    }
    if let (Some(user), Some(own)) = (handed["user"].as_str(), plan.text("USERNAME"))
        && user.to_lowercase() != own.to_lowercase()
    {
        let variable = target.variable("USERNAME");
        let error = error!(BadSetting: "the session is {user}'s, and {variable} is {own}"; user, variable, own =>
            hint "adopt a session of that user, or make an account for the other one");
        return Err(error);
    }
    Ok(())
}

fn no_session(why: Text) -> Error {
    let hint = tr!("`crmauth token TARGET -f json` on another machine writes what --adopt reads");
    Error::new(Cause::Usage, why).hint(hint)
}

fn session(handed: &Value) -> Result<Session> {
    let text = |name: &str| handed[name].as_str();
    let time = |name: &str| text(name).and_then(|time| time.parse::<Timestamp>().ok());
    let token = text("token").unwrap_or_default();
    let session = Session::new(token, text("token_type").unwrap_or("session"));
    let why = tr!("the session on stdin has an invalid token");
    let mut session = session.map_err(|_| no_session(why))?;
    session.user = text("user").map(str::to_owned);
    let now = session.obtained_at;
    session.obtained_at = time("obtained_at").unwrap_or(now).min(now);
    session.expires_at = time("expires_at");
    if let Some(details) = handed["details"].as_object() {
        session.details.clone_from(details);
    }
    Ok(session)
}

/// The object of that format, of this version.
fn object(text: &str) -> std::result::Result<Value, Text> {
    // PowerShell writes a byte order mark into its pipes.
    let text = text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    let read = match crate::json::is_small(text.as_bytes()) {
        true => serde_json::from_str(text).unwrap_or_default(),
        false => Value::Null,
    };
    Err(match &read["schema"] {
        schema if *schema == 1 => return Ok(read),
        _ if text.is_empty() => tr!("stdin contains no session: it is empty"),
        _ if read.is_array() => tr!("stdin contains an array, but --adopt takes one session"),
        Value::Null if read.is_object() => {
            tr!("stdin contains no session object: it has no schema")
        }
        Value::Null => tr!("stdin contains no session object"),
        _ => tr!("the session on stdin was written by another version of crmauth"),
    })
}
