//! Gluocrm, a vtiger CRM: a challenge, then its MD5 with the access key.
//!
//! The two steps are the seed document's; codes, life times and the race are measured on real servers, vtiger 8.2,
//! 8.0 and 7.0.

use jiff::Timestamp;

use super::{Context, Judgement, Life, LoginError, Match, Probe, Provider, Revocation, by_object};
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
const DEATHS: [&str; 4] = [
    "INVALID_SESSIONID",
    "AUTHENTICATION_REQUIRED",
    "SESSION_EXPIRED",
    "SESSION_LEFT_IDLE",
];

/// Codes that a rival's challenge provokes too: it ends ours, and the right key looks wrong (real server).
const RACES: [&str; 2] = ["INVALID_USER_CREDENTIALS", "INVALID_AUTH_TOKEN"];

/// How often a login begins anew with a fresh challenge, the first time included.
const LOGINS_MAX: u32 = 2;

static SPEC: Spec = Spec {
    id: "gluo",
    aliases: &["gluocrm"],
    product: "Gluocrm",
    method: "challenge + MD5",
    endpoint: "webservice.php",
    other_endpoints: &[],
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
    words: &[
        &REFUSALS,
        &DEATHS,
        &[
            "INTERNAL_SERVER_ERROR",
            "getchallenge",
            "login",
            "listtypes",
            "logout",
            "Fatal error",
        ],
    ],
    content_type: "application/x-www-form-urlencoded",
    refuses_in_json: true,
    login_is_repeatable: true,
    json_in_text: false,
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

    async fn login(&self, context: &Context<'_>) -> Result<Session, LoginError> {
        let user = context.required("USERNAME")?.expose();
        let mut logins = 0;
        loop {
            logins += 1;
            context.note(tr!("asking for a challenge"));
            let challenge = fields(context, &context.send(&challenge(context)?).await?)?;
            note_skew(context, &challenge);

            context.note(tr!("logging in"));
            // The server builds the same hash from the challenge and its copy of the key: seed document.
            let key = md5_hex(&[
                challenge.require_text("token")?,
                context.required("ACCESS_KEY")?.expose(),
            ]);
            let body = Fields::new()
                .text("operation", "login")
                .text("username", user)
                .secret("accessKey", &key);
            let answer = context.send(&post(context, &body)).await?;
            if logins < LOGINS_MAX
                && code(&answer).is_some_and(|code| RACES.contains(&code.as_str()))
            {
                context.note(tr!(
                    "the challenge may have been taken by another login; asking for a fresh one"
                ));
                continue;
            }
            let fields = fields(context, &answer)?;
            let mut session = fields.session("sessionName", "session")?;
            session.user = Some(user.to_owned());
            session.details = fields.details(&["sessionName"]);
            session
                .details
                .insert("challenge".to_owned(), challenge.details(&["token"]).into());
            return Ok(session);
        }
    }

    /// `listtypes` by GET keeps a living session alive and harms no dead one. `extendsession` must not be asked: on
    /// vtiger 8 it revives a dead id without a user, and every later request with that id fails; up to 7.1.1 it calls
    /// living sessions dead (real servers).
    async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
        let token = percent(session.token.expose());
        let path = ["webservice.php?operation=listtypes&sessionName=", &token].concat();
        let request = Request::get(context.settings.url.join(&path))
            .no_cache()
            .effect(Effect::None);
        let answer = context.send(&request.secret(&session.token)).await?;
        match self.judge(&answer, true) {
            Some(Judgement::Dead) => Ok(Life::Dead),
            Some(Judgement::Unclear) => Ok(Life::Broken),
            _ => {
                refusal(&answer)?;
                context.json(&answer).map(|_| Life::Alive)
            }
        }
    }

    /// vtiger 8 crashes over it, 7 reports an error under PHP 7.4, and both keep the session (real servers); success
    /// ends it (assumed).
    async fn revoke(&self, context: &Context<'_>, session: &Session) -> Result<Revocation> {
        let body = Fields::new()
            .text("operation", "logout")
            .secret("sessionName", &session.token);
        let answer = context
            .send(&post(context, &body).effect(Effect::Logout))
            .await?;
        if code(&answer).is_some_and(|code| code == "INTERNAL_SERVER_ERROR") {
            return Ok(Revocation::StillAlive);
        }
        match self.judge(&answer, true) {
            Some(Judgement::Dead) => Ok(Revocation::Ended),
            Some(Judgement::Unclear) => Ok(Revocation::StillAlive),
            _ => {
                refusal(&answer)?;
                context.json(&answer).map(|_| Revocation::Revoked)
            }
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
        object
            .get("success")
            .is_some_and(serde_json::Value::is_boolean)
            && (object.get("error").is_some() || object.get("result").is_some())
    };
    if answer.any_object().is_some_and(framed) {
        Match::Certain
    } else {
        Match::No
    }
}

/// The server refuses a challenge to an unknown user: ACCESS_DENIED (real server). A new challenge ends the one before.
async fn probe_user(context: &Context<'_>) -> Result<()> {
    let answer = context.send(&challenge(context)?).await?;
    refusal(&answer).map_err(|error| match error.cause {
        Cause::Refused => error.hint(tr!("check {user}", user = context.variable("USERNAME"))),
        _ => error,
    })?;
    context.json(&answer).map(drop)
}

/// The request for a challenge, which ends the one before.
fn challenge(context: &Context<'_>) -> Result<Request> {
    let user = percent(context.required("USERNAME")?.expose());
    let path = ["webservice.php?operation=getchallenge&username=", &user].concat();
    Ok(Request::get(context.settings.url.join(&path)).repeatable())
}

fn post(context: &Context<'_>, body: &Fields) -> Request {
    let url = context.settings.url.join("webservice.php");
    Request::post(url, SPEC.content_type, body.form(), body.secrets())
}

/// The part of a good answer that contains the fields: `result` on a real server, `application/json` in the seed
/// document's example, or the answer itself.
fn fields(context: &Context<'_>, answer: &Response) -> Result<Json> {
    refusal(answer)?;
    let object = context.json(answer)?;
    if object.get("result").is_some() {
        return object.require_object("result");
    }
    Ok(object.inner("application/json").unwrap_or(object))
}

/// vtiger refuses with `success: false` and a code, under status 200 (real server).
fn refusal(answer: &Response) -> Result<()> {
    let Some(refused) = refused(answer) else {
        return Ok(());
    };
    let host = refused.host();
    let (cause, message) = match code(answer) {
        Some(code) if REFUSALS.contains(&code.as_str()) => {
            (Cause::Refused, tr!("{host} refused the login", host))
        }
        _ => (Cause::BadAnswer, tr!("{host} reported an error", host)),
    };
    Err(Error::new(cause, message)
        .said(&refused.said().unwrap_or_default())
        .status(answer.status))
}

fn refused(answer: &Response) -> Option<Json> {
    answer.any_object().filter(|object| {
        object
            .get("success")
            .is_some_and(|success| success == false)
    })
}

/// The code of a refusal.
fn code(answer: &Response) -> Option<String> {
    refused(answer)?.inner("error")?.text("code")
}

/// Whether an object says that the session is dead: in its own `success` and `error.code`, and in no other place.
/// A success contains the record, and messages quote the request.
fn death(answer: &Json) -> Option<Judgement> {
    let failed = answer.exact("success")? == false && answer.exact("result").is_none();
    let code = answer.exact("error")?.get("code")?.as_str()?;
    (failed && DEATHS.contains(&code)).then_some(Judgement::Dead)
}

/// Whether PHP died over a request: the answer is empty, or PHP's own page instead of JSON (real servers). It does so at
/// every request with an id that was revived without a user, and at some requests with a living one.
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

/// Notes a clock that is far off: it explains other trouble. It does not matter to the challenge, whose life is
/// measured by the server's clock.
fn note_skew(context: &Context<'_>, challenge: &Json) {
    let Some(server) = challenge
        .get("serverTime")
        .and_then(serde_json::Value::as_i64)
    else {
        return;
    };
    let ahead = server.saturating_sub(Timestamp::now().as_second());
    if ahead.saturating_abs() > SKEW {
        let seconds = ahead.saturating_abs();
        let text = match ahead > 0 {
            true => tr!(
                "the server's clock is {seconds} s ahead of this machine's",
                seconds
            ),
            false => tr!(
                "the server's clock is {seconds} s behind this machine's",
                seconds
            ),
        };
        context
            .channel
            .report
            .note(Some(&context.settings.target), text);
    }
}
