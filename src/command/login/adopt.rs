//! `login --adopt`: a session from elsewhere.

use std::io::{IsTerminal, Read};

use jiff::Timestamp;
use serde_json::Value;

use super::super::Run;
use crate::declaration::{BaseUrl, Target};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::{Text, tr};
use crate::json::is_small;
use crate::lifecycle::{Account, Active, Services};
use crate::secret::Secret;
use crate::session::Session;
use crate::settings::{Plan, Sources};

/// The largest session that is read, in bytes.
const MAX: u64 = 128 * 1024;

/// Reads what `token -f json` wrote elsewhere from stdin.
pub(super) fn read(targets: &[Target], run: &Run<'_>) -> Result<Secret> {
    let [target] = targets else {
        return Err(error!(Usage, "--adopt takes one TARGET"));
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
    read.map_err(|_| no_session(tr!("stdin holds no text")).target(&target.to_string()))?;
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
        let handed = parse(text.expose())?;
        let account = Account::find(services, sources, target, None).await?;
        belongs(&handed, target, &account.plan)?;
        if handed
            .session
            .expires_at
            .is_some_and(|end| end <= Timestamp::now())
        {
            return Err(error!(
                Refused, "the session has expired";
                hint "adopt a newer one, or log in"
            ));
        }
        account.adopt(handed.session).await
    };
    adopted
        .await
        .map_err(|error: Error| error.target(&target.to_string()))
}

/// Refuses a session whose system, server or user is not the target's.
fn belongs(handed: &Handed, target: &Target, plan: &Plan) -> Result<()> {
    let refuse = |message: Text, hint: Text| Err(Error::new(Cause::BadSetting, message).hint(hint));
    if handed.provider != target.spec.id || handed.url != plan.url {
        let message = tr!(
            "the session is for {url} and not for {target} at {own_url}",
            url = handed.url,
            target,
            own_url = plan.url
        );
        return refuse(message, tr!("a session goes to the server that it is for"));
    }
    if let Some(person) = &handed.person {
        let message = tr!(
            "the session stands for {person} and not for the user of {target}",
            person,
            target
        );
        return refuse(
            message,
            tr!("adopt the session without --as; `--as` then works here too"),
        );
    }
    if let (Some(user), Some(own)) = (&handed.session.user, plan.text("USERNAME"))
        && user.to_lowercase() != own.to_lowercase()
    {
        let message = tr!(
            "the session is {user}'s, and {variable} is {own}",
            user,
            variable = target.variable("USERNAME"),
            own
        );
        return refuse(
            message,
            tr!("adopt a session of that user, or make an account for the other one"),
        );
    }
    Ok(())
}

/// A session from elsewhere.
struct Handed {
    provider: String,
    url: BaseUrl,
    person: Option<String>,
    session: Session,
}

fn no_session(why: Text) -> Error {
    Error::new(Cause::Usage, why).hint(tr!(
        "`crmauth token TARGET -f json` on another machine writes what --adopt reads"
    ))
}

/// Reads what the format json writes.
fn parse(text: &str) -> Result<Handed> {
    // PowerShell writes a byte order mark into its pipes.
    let text = text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    let small = if is_small(text.as_bytes()) {
        text
    } else {
        "too many values"
    };
    let object = match serde_json::from_str(small) {
        Ok(Value::Object(object)) => Value::Object(object),
        Ok(Value::Array(_)) => {
            return Err(no_session(tr!(
                "stdin holds an array, and --adopt takes one session"
            )));
        }
        _ if text.is_empty() => {
            return Err(no_session(tr!("stdin holds no session, it is empty")));
        }
        _ => return Err(no_session(tr!("stdin holds no session object"))),
    };
    let text = |name: &str| object[name].as_str();
    let time = |name: &str| text(name).and_then(|time| time.parse::<Timestamp>().ok());
    match &object["schema"] {
        Value::Null => {
            return Err(no_session(tr!(
                "stdin holds no session object: it has no schema"
            )));
        }
        schema if *schema == 1 => {}
        _ => {
            return Err(no_session(tr!(
                "the session on stdin was written by another version of crmauth"
            )));
        }
    }
    let url = text("url").and_then(|url| BaseUrl::parse(url).ok());
    let url = url.ok_or_else(|| {
        no_session(tr!(
            "the session on stdin does not say which server it is for"
        ))
    })?;
    let token = text("token").unwrap_or_default();
    let mut session = Session::new(token, text("token_type").unwrap_or("session"))
        .map_err(|_| no_session(tr!("the session on stdin has a token that cannot be one")))?;
    session.user = text("user").map(str::to_owned);
    session.obtained_at = time("obtained_at")
        .unwrap_or(session.obtained_at)
        .min(session.obtained_at);
    session.expires_at = time("expires_at");
    if let Some(details) = object["details"].as_object() {
        session.details.clone_from(details);
    }
    let [provider, person] =
        ["provider", "impersonating"].map(|name| text(name).map(str::to_owned));
    Ok(Handed {
        provider: provider.unwrap_or_default(),
        url,
        person,
        session,
    })
}
