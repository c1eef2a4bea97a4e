//! Gluocrm, a vtiger CRM: a challenge, then its MD5 with the access key.
//!
//! The two steps are the seed document's; codes, life times and the race are measured on real servers, vtiger 8.2,
//! 8.0 and 7.0.

use jiff::Timestamp;

use super::{Context, Judgement, Life, Match, Probe, Provider, Revocation, by_object};
use crate::declaration::{Ageing, Field, Kind, Placement, Renewal, Spec};
use crate::error::{Cause, Error, Result};
use crate::http::response::{Json, Response};
use crate::http::{Effect, Request};
use crate::i18n::tr;
use crate::secret::{Fields, md5_hex, percent};
use crate::session::Session;

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

/// Codes of a session that is dead (real servers; the last two were provoked there). AUTHENTICATION_FAILURE is none:
/// up to vtiger 7.1.1 `extendsession` says it of a living session.
const DEATHS: [&str; 4] =
    ["INVALID_SESSIONID", "AUTHENTICATION_REQUIRED", "SESSION_EXPIRED", "SESSION_LEFT_IDLE"];

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
    refuses_in_json: true,
    impersonation: false,
};

static PROBE: Probe = Probe {
    // Without a session every operation answers in the same frame: AUTHENTICATION_REQUIRED (real server).
    requests: &["webservice.php?operation=listtypes"],
    recognise,
    // Where vtiger's own installers put it.
    install_paths: &["crm", "vtigercrm"],
    probe_user: Some(|context| Box::pin(probe_user(context))),
    ..Probe::BY_STATUS
};

pub struct Gluo;

impl Provider for Gluo {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn probe(&self) -> &'static Probe {
        &PROBE
    }

    async fn login(&self, context: &Context<'_>) -> Result<Session> {
        match attempt(context).await {
            Err(Attempt { raced: true, .. }) => {
                context
                    .note(tr!("the challenge may have been taken by another login; asking for a fresh one"));
                attempt(context).await
            }
            outcome => outcome,
        }
        .map_err(|attempt| attempt.error)
    }

    /// `listtypes` by GET keeps a living session alive and harms no dead one. `extendsession` must not be asked: on
    /// vtiger 8 it revives a dead id without a user, and every later request with that id fails; up to 7.1.1 it calls
    /// living sessions dead (real servers).
    async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
        let token = percent(session.token.expose());
        let path = ["webservice.php?operation=listtypes&sessionName=", &token].concat();
        let url = context.settings.url.join(&path);
        let request = Request::get(url).no_cache().effect(Effect::None).secret(&session.token);
        let answer = context.channel.send(&request).await?;
        if crashed(&answer) {
            return Ok(Life::Broken);
        }
        match by_object(&answer, true, death) {
            Some(Judgement::Dead) => Ok(Life::Dead),
            _ => context.read(&answer, refusal).map(|_| Life::Alive),
        }
    }

    /// vtiger 8 crashes over it, 7 reports an error under PHP 7.4, and both keep the session (real servers); success
    /// ends it (assumed).
    async fn revoke(&self, context: &Context<'_>, session: &Session) -> Result<Revocation> {
        let body = Fields::new().text("operation", "logout").secret("sessionName", &session.token);
        let url = context.settings.url.join("webservice.php");
        let request =
            Request::post(url, SPEC.content_type, body.form(), body.secrets()).effect(Effect::Logout);
        let answer = context.channel.send(&request).await?;
        let failed = answer.any_object().and_then(|object| code(&object));
        if crashed(&answer) || failed.is_some_and(|code| code == "INTERNAL_SERVER_ERROR") {
            return Ok(Revocation::StillAlive);
        }
        match by_object(&answer, true, death) {
            Some(Judgement::Dead) => Ok(Revocation::Ended),
            _ => context.read(&answer, refusal).map(|_| Revocation::Revoked),
        }
    }

    fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
        if whole && crashed(answer) {
            return Some(Judgement::Unclear);
        }
        by_object(answer, whole, death)
    }
}

fn recognise(answer: &Response) -> Match {
    let framed = |object: Json| {
        object.get("success").is_some_and(serde_json::Value::is_boolean)
            && (object.get("error").is_some() || object.get("result").is_some())
    };
    if answer.any_object().is_some_and(framed) { Match::Certain } else { Match::No }
}

/// A challenge is refused to a user who is not there: ACCESS_DENIED (real server). It ends the one before it.
async fn probe_user(context: &Context<'_>) -> Result<()> {
    let request = challenge(context)?;
    let user = context.variable("USERNAME");
    context.call(request, refusal).await.map(drop).map_err(|error| match error.cause {
        Cause::Refused => error.hint(tr!("check {user}", user)),
        _ => error,
    })
}

/// The request for a challenge, which ends the one before it.
fn challenge(context: &Context<'_>) -> Result<Request> {
    let user = percent(context.required("USERNAME")?.expose());
    let path = ["webservice.php?operation=getchallenge&username=", &user].concat();
    Ok(Request::get(context.settings.url.join(&path)).repeatable())
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
    context.note(tr!("asking for a challenge"));
    let challenge = result(&context.call(challenge(context)?, refusal).await?)?;
    note_skew(context, &challenge);

    context.note(tr!("logging in"));
    // The server builds the same hash from the challenge and its copy of the key: seed document.
    let key = md5_hex(&[challenge.require_text("token")?, context.required("ACCESS_KEY")?.expose()]);
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
fn result(answer: &Json) -> Result<Json> {
    if answer.get("result").is_some() {
        return answer.require_object("result");
    }
    Ok(answer.inner("application/json").unwrap_or_else(|| answer.clone()))
}

/// `success: false` names a code; vtiger sends it with status 200 (real server).
fn refusal(answer: &Json) -> Option<Error> {
    if answer.get("success")?.as_bool()? {
        return None;
    }
    let host = answer.host();
    let known = code(answer).is_some_and(|code| REFUSALS.contains(&code.as_str()));
    let (cause, message) = if known {
        (Cause::Refused, tr!("{host} refused the login", host))
    } else {
        (Cause::BadAnswer, tr!("{host} reported an error", host))
    };
    Some(Error::new(cause, message).said(&answer.said().unwrap_or_default()))
}

fn code(answer: &Json) -> Option<String> {
    answer.inner("error")?.text("code")
}

/// Whether an object says that the session is dead: in its own `success` and `error.code`, and in no other place.
/// A success holds the record, and messages hold what was asked for.
fn death(answer: &Json) -> Option<Judgement> {
    let failed = answer.exact("success")? == false && answer.exact("result").is_none();
    let code = answer.exact("error")?.get("code")?.as_str()?;
    (failed && DEATHS.contains(&code)).then_some(Judgement::Dead)
}

/// Whether PHP died over a request: nothing came, or its own page instead of JSON (real servers). It does so at every
/// request with an id that was revived without a user, and at some requests with a living one.
fn crashed(answer: &Response) -> bool {
    let page = || answer.any_object().is_none() && contains(&answer.body, b"Fatal error");
    match answer.status {
        500 => answer.body.is_empty() || page(),
        200 => page(),
        _ => false,
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|part| part == text)
}

/// The challenge lives from `serverTime` to `expireTime`, whatever our clock says; a clock that is far off
/// explains other trouble.
fn note_skew(context: &Context<'_>, challenge: &Json) {
    let Some(server) = challenge.get("serverTime").and_then(serde_json::Value::as_i64) else {
        return;
    };
    let ahead = server.saturating_sub(Timestamp::now().as_second());
    if ahead.saturating_abs() > SKEW {
        let seconds = ahead.saturating_abs();
        let text = match ahead > 0 {
            true => tr!("the server's clock is {seconds} s ahead of this machine's", seconds),
            false => tr!("the server's clock is {seconds} s behind this machine's", seconds),
        };
        context.channel.report.note(Some(&context.settings.target), text);
    }
}
