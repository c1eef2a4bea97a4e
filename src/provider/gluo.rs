//! Gluocrm, a vtiger CRM: a challenge, then its MD5 with the access key.
//!
//! The two steps are the seed document's; codes, life times and the race are measured on real vtiger 8.2, 8.0 and 7.0.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Context, Judgement, Life, Match, Probe, Provider, Revocation, by_object};
use crate::declaration::{Ageing, FORM, Kind, Need, Pages, Placement, Query, Spec, field};
use crate::error::{Cause, Error, Result, error};
use crate::http::response::{self, Json, Response};
use crate::http::{Effect, Request, random_part};
use crate::i18n::{span, tr};
use crate::secret::{Fields, md5_hex, percent};
use crate::session::Session;

/// A clock that is off by more than this many seconds is worth a note.
const SKEW: i64 = 60;
/// Codes that mean "these credentials", as a real server spells them.
const REFUSALS: &str = "ACCESS_DENIED|INVALID_USER_CREDENTIALS|INVALID_AUTH_TOKEN|ACCESSKEY_UNDEFINED|\
    AUTHENTICATION_REQUIRED|AUTHENTICATION_FAILURE|INVALID_SESSIONID";
/// What proves a session's death: one of these as `error.code` beside `success: false`. AUTHENTICATION_FAILURE does not:
/// up to vtiger 7.1.1 `extendsession` says it of a living session (recording).
const DEATHS: [&str; 4] = [
    "INVALID_SESSIONID", // It never existed, or PHP has collected it (recording, 8.2 and 7.0).
    "AUTHENTICATION_REQUIRED", // No session was named (recording, 8.2 and 7.0).
    "SESSION_EXPIRED", // vtiger's own limits, provoked by changing the session's file (recording, 8.2).
    "SESSION_LEFT_IDLE",
];
/// The user's challenge is not there. Right after we asked for one, a rival's is being made (recording).
const NO_CHALLENGE: &str = "INVALID_AUTH_TOKEN";
/// The key is wrong, or a rival's challenge has replaced ours (recording).
const WRONG_KEY: &str = "INVALID_USER_CREDENTIALS";
/// How many logins are tried, each with a fresh challenge. vtiger locks nobody out (recording).
const LOGINS_MAX: usize = 5;
/// The last one begins within this time. A slow server gets more: rivals take as long as we do.
const LOGINS_SPAN: Duration = Duration::from_millis(2700);
/// How much more: so many times the fastest login, since this machine may be the slow one.
const SLOW_SPAN: u32 = 28;
/// How long a check waits behind another request of the session. It takes longer than a connection may.
const CHECK_WAIT: Duration = Duration::from_secs(6);
/// How much of the time that is left it may take.
const CHECK_SHARE: f64 = 0.85;

pub(super) static SPEC: Spec = Spec {
    id: "gluo",
    aliases: &["gluocrm"],
    known_as: &["vtiger", "vtigercrm"],
    product: "Gluocrm",
    method: "challenge + MD5",
    endpoint: "webservice.php",
    example_url: "https://empresa.gluocrm.com.br",
    url_found: "from Gluocrm's support, with the user's name and the access key",
    fields: &[
        field!("USERNAME" Kind::Text, "the integration user's name",
            found: Some("from Gluocrm's support; the user needs the permission to use the API"),
            need: Need::Always, seed_name: Some("username")),
        field!("ACCESS_KEY" Kind::Key, "the user's access key, which is not the password",
            found: Some("in the user's record in Gluocrm; it is sent by e-mail, or ask Gluocrm's support"),
            need: Need::Always, seed_name: Some("acceskey")),
    ],
    seed_url: Some("link"),
    placement: Placement::Query("sessionName"),
    ageing: Ageing::Idle { ask_after: 600 },
    words: &[
        REFUSALS,
        "SESSION_EXPIRED|SESSION_LEFT_IDLE|INTERNAL_SERVER_ERROR|Fatal error",
        "getchallenge|login|listtypes|logout",
    ],
    pages: Some(&PAGES),
    content_type: FORM,
    refuses_in_json: true,
    login_is_repeatable: true,
    ..Spec::PLAIN
};

pub(super) static PROBE: Probe = Probe {
    // Without a session every operation answers in the same frame: AUTHENTICATION_REQUIRED (real server).
    requests: &["webservice.php?operation=listtypes"],
    certain: is_framed,
    by_status: false,
    // Where vtiger's own installers put it.
    install_paths: &["crm", "vtigercrm"],
    probe_user: Some(|context| Box::pin(async move { challenged(context).await.map(drop) })),
    ..Probe::BY_STATUS
};

/// A query gets 100 rows at most (vtiger's source).
const PAGE: usize = 100;

static PAGES: Pages = Pages {
    ask: ask_page,
    read: |text| {
        let page: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let result = page.get("result")?.get();
        let rows = serde_json::from_str::<Vec<IgnoredAny>>(result).ok()?.len();
        Some((result, rows, rows == PAGE))
    },
};

pub struct Gluo;

impl Provider for Gluo {
    async fn login(&self, context: &Context<'_>) -> Result<Session> {
        let (started, mut took) = (Instant::now(), Duration::MAX);
        let (mut tried, mut gone) = (0, false);
        loop {
            let begun = Instant::now();
            context.note(tr!("asking for a challenge"));
            let challenge = challenged(context).await?;
            note_skew(context, &challenge);

            context.note(tr!("logging in"));
            // The server builds the same hash from the challenge and its copy of the key: seed document.
            let token = challenge.require_text("token")?;
            let key = md5_hex(&[token, context.required("ACCESS_KEY")?.expose()]);
            let user = context.required("USERNAME")?.expose();
            let body = Fields::default().text("operation", "login");
            let body = body.text("username", user).secret("accessKey", &key);
            let request = context.post(SPEC.endpoint, FORM, &body);
            let answer = context.send(&request).await?;

            let code = refused(&answer).and_then(|refused| code(&refused));
            if let Some(code @ (NO_CHALLENGE | WRONG_KEY)) = code.as_deref() {
                (tried, gone) = (tried + 1, gone || code == NO_CHALLENGE);
                took = took.min(begun.elapsed());
                if tried < LOGINS_MAX {
                    context.note(tr!("refused; trying again"));
                    pause(context, tried, started, took).await;
                    continue;
                }
                if gone {
                    return Err(outrun(&answer));
                }
            }
            let fields = fields(context, &answer)?;
            let mut session = fields.session("sessionName", "session")?;
            session.user = Some(user.to_owned());
            let challenge = challenge.fields.into();
            session.details.insert("challenge".to_owned(), challenge);
            return Ok(session);
        }
    }

    /// `listtypes` by GET keeps a living session alive and harms no dead one. `extendsession` must not be asked: on
    /// vtiger 8 it revives a dead id without a user, and every later request with that id fails; up to 7.1.1 it calls
    /// living sessions dead (recording). PHP serves one request of a session at a time: behind a long one this waits.
    async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
        let token = percent(session.token.expose());
        let path = [PROBE.requests[0], "&sessionName=", &token].concat();
        let request = context.question(&path).secret(&session.token);
        let left = context.channel.deadline - Instant::now();
        let wait = CHECK_WAIT.min(left.mul_f64(CHECK_SHARE));
        let mut asked = pin!(context.send(&request));
        let answer = match tokio::time::timeout(wait, &mut asked).await {
            Ok(answer) => answer?,
            Err(_) if matches!(responds(context).await, Ok(true)) => return Ok(Life::Busy),
            Err(_) => asked.await?,
        };
        match self.judge(&answer, true) {
            Some(Judgement::Dead) => Ok(Life::Dead),
            // No living session is failed at so: it has lost its user (recording).
            Some(Judgement::Unclear) => Ok(Life::Broken),
            _ => {
                let done = || done(context, &answer).map(|()| Life::Alive);
                self.explain(&answer).map_or_else(done, Err)
            }
        }
    }

    /// vtiger 8 crashes over it, 7 reports an error under PHP 7.4, and both keep the session (recording); success ends
    /// it (assumed). The crash is the same where the session has lost its user, and lives no more.
    async fn revoke(&self, context: &Context<'_>, session: &Session) -> Result<Revocation> {
        let body = Fields::default().text("operation", "logout");
        let body = body.secret("sessionName", &session.token);
        let request = context.post(SPEC.endpoint, FORM, &body);
        let answer = context.send(&request.effect(Effect::Logout)).await?;
        match self.judge(&answer, true) {
            Some(Judgement::Dead) => Ok(Revocation::Ended),
            Some(Judgement::Unclear) => match self.check(context, session).await {
                Ok(Life::Dead) => Ok(Revocation::Ended),
                Ok(Life::Broken) if responds(context).await? => Ok(Revocation::Ended),
                _ => Ok(Revocation::StillAlive),
            },
            _ if refused(&answer).is_some() => Ok(Revocation::StillAlive),
            _ => done(context, &answer).map(|()| Revocation::Revoked),
        }
    }

    /// A challenge and a login carry none. The operation is in the query or the form, in any case (real server).
    fn takes_session(&self, query: &str, body: &[u8]) -> bool {
        let logs_in = |operation: &str| {
            let mut known = ["getchallenge", "login"].into_iter();
            known.any(|known| operation.eq_ignore_ascii_case(known))
        };
        let multipart = String::from_utf8_lossy(body);
        let part = multipart.split("name=\"operation\"").nth(1);
        let value = part.and_then(|part| part.split("\r\n\r\n").nth(1)?.split('\r').next());
        let forms = [query.as_bytes(), body].map(url::form_urlencoded::parse);
        let mut named = forms.into_iter().flatten();
        !value.is_some_and(logs_in)
            && !named.any(|(name, value)| name == "operation" && logs_in(&value))
    }

    fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
        if whole && crashed(answer) {
            return Some(Judgement::Unclear);
        }
        by_object(answer, whole, is_death, Judgement::Dead)
    }

    fn explain(&self, answer: &Response) -> Option<Error> {
        if crashed(answer) {
            return Some(response::server_failed(&answer.host, answer.status));
        }
        // A crash may also leave a 200 without a body (real server).
        let is_empty = answer.body.trim_ascii().is_empty() && !answer.head_only;
        if answer.status == 200 && is_empty && answer.path.ends_with(SPEC.endpoint) {
            return answer.object().err();
        }
        let refused = answer.any_object().filter(is_refusal)?;
        let cause = match is_death(&refused) {
            true => Cause::Refused,
            false => Cause::Rejected,
        };
        Some(answer.rejection(cause, &refused))
    }
}

/// Waits before the next login until a random moment of its own part of the span, so that rivals spread over all of it.
async fn pause(context: &Context<'_>, tried: usize, started: Instant, took: Duration) {
    let left = context.channel.deadline.saturating_duration_since(started);
    let span = LOGINS_SPAN.max(took * SLOW_SPAN).min(left / 2);
    let part = span / (LOGINS_MAX as u32 - 1);
    let end = part * tried as u32;
    tokio::time::sleep_until(started + end - random_part(part)).await;
}

/// The error after a last login that only others can have spoilt.
fn outrun(answer: &Response) -> Error {
    let error = error!(Outrun: "other logins of this user got in the way at {host}"; host = answer.host =>
        hint "try again; jobs that share a store share one session, and log in once");
    let said = refused(answer).and_then(|refused| refused.said());
    error.said(&said.unwrap_or_default()).status(answer.status)
}

fn ask_page(mut pairs: Query, page: usize) -> Result<Query> {
    let queries = pairs.contains(&("operation".to_owned(), "query".to_owned()));
    let mut queried = pairs.iter_mut().filter(|_| queries);
    let Some((_, query)) = queried.find(|(name, _)| name == "query") else {
        let error = error!(Usage: "--paginate goes through the rows of a query" =>
            hint "add -Q operation=query -Q 'query=SELECT * FROM Contacts;'");
        return Err(error);
    };
    let select = query.trim().trim_end_matches(';').trim_end();
    let unquoted: String = select.split('\'').step_by(2).collect();
    let mut words = unquoted.split_whitespace();
    if words.any(|word| word.eq_ignore_ascii_case("limit")) {
        let error = error!(Usage: "the query has its own LIMIT, but --paginate sets it" =>
            hint "leave LIMIT out, or --paginate");
        return Err(error);
    }
    *query = format!("{select} LIMIT {}, {PAGE};", page * PAGE);
    Ok(pairs)
}

/// Whether an object is in the frame of every answer.
fn is_framed(object: &Json) -> bool {
    let has = |name| object.get(name).is_some();
    object.get("success").is_some_and(Value::is_boolean) && (has("error") || has("result"))
}

/// Whether the service itself is in order: it answers without a session, for which nothing has to be waited for.
async fn responds(context: &Context<'_>) -> Result<bool> {
    let request = context.question(PROBE.requests[0]);
    let answer = context.send(&request).await?;
    Ok(PROBE.recognise(&answer) == Match::Certain)
}

/// A challenge, which ends the one before. The server refuses it to an unknown user: ACCESS_DENIED (real server).
async fn challenged(context: &Context<'_>) -> Result<Json> {
    let user = percent(context.required("USERNAME")?.expose());
    let path = ["webservice.php?operation=getchallenge&username=", &user].concat();
    let request = Request::get(context.settings.url.join(&path)).effect(Effect::Question);
    let about = &["USERNAME"];
    fields(context, &context.send(&request).await?).map_err(|error| Error { about, ..error })
}

/// A good answer's fields: in `result` (real server), in `application/json` (seed document's example), or in itself.
fn fields(context: &Context<'_>, answer: &Response) -> Result<Json> {
    // vtiger refuses with `success: false` and a code, under status 200 (real server).
    let Some(refused) = refused(answer) else {
        let object = context.json(answer)?;
        return match object.get("result") {
            Some(_) => object.require_object("result"),
            None => Ok(object.inner("application/json").unwrap_or(object)),
        };
    };
    let (host, said) = (&refused.host, refused.said().unwrap_or_default());
    let error = match code(&refused) {
        Some(code) if REFUSALS.split('|').any(|refusal| refusal == code) => {
            let mut error = error!(Refused: "{host} refused the login"; host);
            let hint = || tr!("the user is inactive in Gluocrm: have it activated there");
            error.hint = said.contains("inactive").then(hint);
            error
        }
        Some(_) => error!(BadAnswer: "{host} reported an error"; host =>
            hint "it is a Gluocrm that answered; its own log may say more"),
        // So where PHP's messages came before the session's cookie (recording).
        None => error!(Status: "{host} failed without saying why"; host =>
            hint "PHP's messages may be in the way: switch display_errors off there, or raise output_buffering"),
    };
    Err(error.said(&said).status(answer.status))
}

/// A refusal of a request of our own, its names in any case. [`is_refusal`] judges what users ask.
fn refused(answer: &Response) -> Option<Json> {
    let refuses = |object: &Json| object.get("success") == Some(&false.into());
    answer.any_object().filter(refuses)
}

/// Refuses an answer that is not vtiger's own word that it did what was asked.
fn done(context: &Context<'_>, answer: &Response) -> Result<()> {
    let object = context.json(answer)?;
    if object.exact("success") != Some(&true.into()) {
        return Err(object.wrong("success", &tr!("true or false")));
    }
    match object.exact("error") {
        Some(_) => Err(object.wrong("error", &tr!("null"))),
        None => Ok(()),
    }
}

fn code(refusal: &Json) -> Option<String> {
    refusal.inner("error")?.text("code")
}

/// Whether the session is dead, by the own `success` and `error.code` only: records and messages may quote requests.
fn is_death(answer: &Json) -> bool {
    let error = answer.exact("error");
    let code = error.and_then(|error| error.get("code")?.as_str());
    let dead = code.is_some_and(|code| DEATHS.contains(&code));
    dead && is_refusal(answer) && answer.exact("result").is_none()
}

fn is_refusal(answer: &Json) -> bool {
    answer.exact("success") == Some(&false.into())
}

/// Whether the server died over a request that may be carried out in part: so with each of an id that was revived
/// without a user, and some of a living one. "Sorry!" is vtiger's own: a record's owner does not exist (recording).
fn crashed(answer: &Response) -> bool {
    answer.crashed() || answer.status == 200 && answer.page_says("Sorry! Attempt to access")
}

/// Notes a clock that is far off: it explains other trouble. A challenge's life is measured by the server's clock.
fn note_skew(context: &Context<'_>, challenge: &Json) {
    let Some(server) = challenge.get("serverTime").and_then(Value::as_i64) else {
        return;
    };
    let ahead = server.saturating_sub(Timestamp::now().as_second());
    let skew = span(ahead.saturating_abs());
    let text = match ahead {
        _ if ahead.saturating_abs() <= SKEW => return,
        0.. => tr!("the server's clock is {skew} ahead of this machine's"; skew),
        _ => tr!("the server's clock is {skew} behind this machine's"; skew),
    };
    let target = &context.settings.target;
    context.channel.report.note(Some(target), text);
}
