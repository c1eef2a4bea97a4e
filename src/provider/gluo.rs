//! Gluocrm, a vtiger CRM: a challenge, then its MD5 with the access key.
//!
//! The two steps are the seed document's; codes, life times and the race are measured on a real vtiger 8.0.

use jiff::Timestamp;

use super::{Context, Life, Look, Provider, Revocation, ended, life, refused_in_body};
use crate::answer::{Answer, Object};
use crate::error::{Cause, Error, Pending, Result};
use crate::http::Request;
use crate::say::say;
use crate::secret::{Fields, md5_hex, percent};
use crate::session::Session;
use crate::spec::{Ageing, BaseUrl, Field, Kind, Placement, Renewal, Spec};

/// A clock that is off by more than this many seconds is worth a note.
const SKEW: i64 = 60;

/// Codes that mean "these credentials", as a real server spells them.
const REFUSALS: [&str; 7] = [
    "ACCESS_DENIED",
    "INVALID_USER_CREDENTIALS",
    "INVALID_AUTH_TOKEN",
    "ACCESSKEY_UNDEFINED",
    "AUTHENTICATION_REQUIRED",
    "AUTHENTICATION_FAILURE",
    "INVALID_SESSIONID",
];

/// Codes that a rival's challenge provokes too: it ends ours, and the right key looks wrong (real server).
const RACES: [&str; 2] = ["INVALID_USER_CREDENTIALS", "INVALID_AUTH_TOKEN"];

static SPEC: Spec = Spec {
    id: "gluo",
    aliases: &["gluocrm"],
    product: "Gluocrm",
    method: "challenge + MD5",
    endpoint: "webservice.php",
    example_url: "https://empresa.gluocrm.com.br",
    url_found: "from Gluocrm's support, with the user's name and the access key",
    fields: &[
        Field::new(
            "USERNAME",
            Kind::Text,
            "the integration user's name",
            "from Gluocrm's support; the user needs the permission to use the API",
        )
        .required()
        .seed_name("username"),
        Field::new(
            "ACCESS_KEY",
            Kind::Key,
            "the user's access key, which is not the password",
            "in the user's record in Gluocrm; it comes by e-mail, else ask Gluocrm's support",
        )
        .required()
        .seed_name("acceskey"),
    ],
    seed_url: Some("link"),
    alternatives: &[],
    placement: Placement::Query("sessionName"),
    ageing: Ageing::Idle { ask_after: 600 },
    renewal: Renewal::Never,
    content_type: "application/x-www-form-urlencoded",
    impersonation: false,
};

/// The provider.
pub struct Gluo;

impl Provider for Gluo {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn login<'a>(&'a self, context: &'a Context<'a>) -> Pending<'a, Session> {
        Box::pin(async move {
            match attempt(context).await {
                Err(Attempt { raced: true, .. }) => {
                    context.note(say!(
                        "the challenge may have been taken by another login; asking for a fresh one"
                    ));
                    attempt(context).await
                }
                outcome => outcome,
            }
            .map_err(|attempt| attempt.error)
        })
    }

    /// `extendsession` tells and renews in one; the session keeps its name (real server).
    fn check<'a>(&'a self, context: &'a Context<'a>, session: &'a Session) -> Pending<'a, Life> {
        Box::pin(async move {
            life(context.call(operation(context, "extendsession", session).question(), refusal).await)
        })
    }

    /// A real vtiger 8.0 answers 500 with nothing in it and keeps the session; older ones end it.
    fn revoke<'a>(&'a self, context: &'a Context<'a>, session: &'a Session) -> Pending<'a, Revocation> {
        Box::pin(async move {
            let answer = context.channel.send(&operation(context, "logout", session).ending()).await?;
            if answer.status == 500 && answer.body.is_empty() {
                return Ok(Revocation::StillAlive);
            }
            context.read(&answer, refusal).map(|_| Revocation::Revoked).or_else(ended)
        })
    }

    /// The status is 200 (real server).
    fn looks_dead(&self, _status: u16, start: &[u8]) -> Option<bool> {
        let codes = ["INVALID_SESSIONID", "AUTHENTICATION_REQUIRED", "AUTHENTICATION_FAILURE"];
        refused_in_body(start, |text| codes.iter().any(|code| text.contains(code)))
    }

    /// Without a session every operation answers in the same frame: AUTHENTICATION_REQUIRED (real server).
    fn knocks(&self, url: &BaseUrl) -> Vec<Request> {
        vec![Request::get(url.join("webservice.php?operation=listtypes")).uncached()]
    }

    fn look(&self, answer: &Answer) -> Look {
        let framed = |object: Object| {
            object.get("success").is_some_and(serde_json::Value::is_boolean)
                && (object.get("error").is_some() || object.get("result").is_some())
        };
        if answer.any_object().is_some_and(framed) { Look::Own } else { Look::Other }
    }

    /// `/crm` and `/vtigercrm` are where vtiger's own installers put it.
    fn folders(&self) -> &'static [&'static str] {
        &["crm", "vtigercrm"]
    }

    /// A challenge is refused to a user who is not there: ACCESS_DENIED (real server). It ends the one before it.
    fn greet<'a>(&'a self, context: &'a Context<'a>) -> Option<Pending<'a, ()>> {
        Some(Box::pin(async move {
            let request = challenge(context)?;
            let user = context.variable("USERNAME");
            context.call(request, refusal).await.map(drop).map_err(|error| match error.cause {
                Cause::Refused => error.hint(say!("check {user}", user)),
                _ => error,
            })
        }))
    }
}

/// A call about a session, `operation` in the body as a real server wants it.
fn operation(context: &Context<'_>, operation: &str, session: &Session) -> Request {
    let body = Fields::new().text("operation", operation).secret("sessionName", &session.token);
    let url = context.settings.url.join("webservice.php");
    Request::post(url, SPEC.content_type, body.form(), body.secrets())
}

/// The request for a challenge, which ends the one before it.
fn challenge(context: &Context<'_>) -> Result<Request> {
    let user = percent(context.required("USERNAME")?.expose());
    let path = ["webservice.php?operation=getchallenge&username=", &user].concat();
    Ok(Request::get(context.settings.url.join(&path)).challenge())
}

/// A try that failed.
struct Attempt {
    error: Error,
    raced: bool,
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self { error, raced: false }
    }
}

/// One challenge and one login.
async fn attempt(context: &Context<'_>) -> std::result::Result<Session, Attempt> {
    let settings = context.settings;
    let user = context.required("USERNAME")?.expose();
    context.note(say!("asking for a challenge"));
    let challenge = result(&context.call(challenge(context)?, refusal).await?)?;
    note_skew(context, &challenge);

    context.note(say!("logging in"));
    // The server builds the same hash from the challenge and its copy of the key: seed document.
    let key = md5_hex(&[challenge.need_text("token")?, context.required("ACCESS_KEY")?.expose()]);
    let body = Fields::new().text("operation", "login").text("username", user).secret("accessKey", &key);
    let url = settings.url.join("webservice.php");
    let request = Request::post(url, SPEC.content_type, body.form(), body.secrets());
    let raced = std::cell::Cell::new(false);
    let answer = context
        .call(request, |object| {
            raced.set(code(object).is_some_and(|code| RACES.contains(&code.as_str())));
            refusal(object)
        })
        .await
        .map_err(|error| Attempt { error, raced: raced.get() })?;
    let fields = result(&answer)?;
    let mut session = fields.session("sessionName", "session")?;
    session.user = Some(user.to_owned());
    session.details = fields.details(&["sessionName"]);
    session.details.insert("challenge".to_owned(), challenge.details(&["token"]).into());
    Ok(session)
}

/// The part of an answer that holds the fields: `result` on a real server, `application/json` in the seed
/// document's example, or the answer itself.
fn result(answer: &Object) -> Result<Object> {
    if answer.get("result").is_some() {
        return answer.need_inner("result");
    }
    Ok(answer.inner("application/json").unwrap_or_else(|| answer.clone()))
}

/// `success: false` names a code; vtiger sends it with status 200 (real server).
fn refusal(answer: &Object) -> Option<Error> {
    if answer.get("success")?.as_bool()? {
        return None;
    }
    let host = answer.host();
    let known = code(answer).is_some_and(|code| REFUSALS.contains(&code.as_str()));
    let (cause, message) = if known {
        (Cause::Refused, say!("{host} refused the login", host))
    } else {
        (Cause::BadAnswer, say!("{host} reported an error", host))
    };
    Some(Error::new(cause, message).said(&answer.said().unwrap_or_default()))
}

fn code(answer: &Object) -> Option<String> {
    answer.inner("error")?.text("code")
}

/// The challenge lives from `serverTime` to `expireTime`, whatever our clock says; a clock that is far off
/// explains other trouble.
fn note_skew(context: &Context<'_>, challenge: &Object) {
    let Some(server) = challenge.get("serverTime").and_then(serde_json::Value::as_i64) else {
        return;
    };
    let ahead = server.saturating_sub(Timestamp::now().as_second());
    if ahead.saturating_abs() > SKEW {
        let seconds = ahead.saturating_abs();
        let text = match ahead > 0 {
            true => say!("the server's clock is {seconds} s ahead of this machine's", seconds),
            false => say!("the server's clock is {seconds} s behind this machine's", seconds),
        };
        context.channel.report.note(Some(&context.settings.target), text);
    }
}
