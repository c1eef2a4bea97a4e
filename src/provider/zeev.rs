//! Zeev: a user name and a password, or a permanent token, for a temporary token; with it another person's.
//!
//! Requests and fields are the seed document's; the token's ten minutes are its later version's.
//!
//! | question | answer | source |
//! |---|---|---|
//! | What proves that a token is dead? | "not authenticated" to a GET of the token's own person; a living one gets a fresh token and stays alive | seed, assumed |
//! | Which status is that? | 401; 403 is "no permission" and speaks of the request | later |
//! | What of a 401 in HTML, or with `Basic`? | a proxy's: Zeev answers in JSON | assumed |
//! | May a POST be repeated? | after a 401, if the token is dead: who is not authenticated gets nothing done | later |

use jiff::SignedDuration;

use super::{Context, Judgement, Life, Probe, Provider, Renewed, Role, by_status};
use crate::declaration::{Alternatives, Credentials, Kind, Renewal, Settings, Spec, field};
use crate::error::{Cause, Error, Result, error};
use crate::http::Request;
use crate::http::response::{Json, Response};
use crate::i18n::tr;
use crate::secret::{Fields, percent};
use crate::session::Session;

const TOKENS_PATH: &str = "api/2/tokens";
/// How long the server lets a temporary token live; the answer does not say it (later document).
const LIFETIME: SignedDuration = SignedDuration::from_secs(600);

pub(super) static SPEC: Spec = Spec {
    id: "zeev",
    known_as: &["orquestra", "orquestrabpm"],
    product: "Zeev",
    method: "temporary tokens",
    endpoint: TOKENS_PATH,
    example_url: "https://empresa.zeev.it",
    url_found: "the address at which you use Zeev",
    fields: &[
        field!("USERNAME" Kind::Text, "the person's login", found: Some("in Zeev under Access > People")),
        field!("PASSWORD" Kind::Secret, "the person's password", found: Some("ask the person")),
        field!("API_TOKEN" Kind::Token, "a permanent token",
            found: Some("made in Zeev's web interface; if you cannot, ask Zeev's administrator")),
    ],
    alternatives: &[Alternatives {
        required: true,
        ways: &[&["USERNAME", "PASSWORD"], &["API_TOKEN"]],
    }],
    credentials: &[
        Credentials::new("a user name and a password", &["USERNAME", "PASSWORD"]),
        Credentials::new("a permanent token", &["API_TOKEN"]),
    ],
    renewal: Renewal::WhileAlive,
    words: &["impersonate"],
    json_in_text: true,
    impersonation: true,
    ..Spec::PLAIN
};

/// Without a token the path refuses (seed document); no document says in which words.
pub(super) static PROBE: Probe = Probe {
    requests: &[TOKENS_PATH],
    ..Probe::BY_STATUS
};

pub struct Zeev;

impl Provider for Zeev {
    fn prerequisite(&self, role: &Role, settings: &Settings) -> Option<Role> {
        let needs_user = matches!(role, Role::As(_)) && settings.secret("API_TOKEN").is_none();
        needs_user.then_some(Role::User)
    }

    async fn login(&self, context: &Context<'_>) -> Result<Session> {
        match &context.role {
            Role::As(person) => impersonate(context, person).await,
            _ => login(context).await,
        }
    }

    /// A living token fetches a fresh one (seed document).
    async fn renew(&self, context: &Context<'_>, session: &Session) -> Result<Renewed> {
        context.note(tr!("renewing the temporary token"));
        let Some(person) = whoami(context, session).await? else {
            return Ok(Renewed::Refused);
        };
        let mut renewed = session_of(&person)?;
        renewed.user.clone_from(&session.user);
        renewed.impersonating.clone_from(&session.impersonating);
        renewed.details.clone_from(&session.details);
        Ok(Renewed::Session(Box::new(renewed)))
    }

    async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
        Ok(match whoami(context, session).await? {
            Some(_) => Life::Alive,
            None => Life::Dead,
        })
    }

    /// Invalid, in conflict (later document); that such a refusal says why is assumed. A 404 may be the path's.
    fn explain(&self, answer: &Response) -> Option<Error> {
        let refuses = matches!(answer.status, 400 | 409 | 422);
        let says_why = |object: &Json| refuses && object.said().is_some();
        let refusal = answer.any_object().filter(says_why)?;
        Some(answer.rejection(Cause::Rejected, &refusal))
    }
}

/// Who a token belongs to; nobody where it is dead: 401 means "not authenticated" (seed document).
async fn whoami(context: &Context<'_>, session: &Session) -> Result<Option<Json>> {
    let request = context.question(TOKENS_PATH).bearer(&session.token);
    let answer = context.send(&request).await?;
    if by_status(&answer, true) == Some(Judgement::Refused) {
        return Ok(None);
    }
    context.json(&answer).map(Some)
}

async fn login(context: &Context<'_>) -> Result<Session> {
    let settings = context.settings;
    let request = match settings.secret("API_TOKEN") {
        Some(token) => {
            context.note(tr!("fetching a temporary token with the permanent one"));
            Request::get(settings.url.join(TOKENS_PATH)).bearer(token)
        }
        None => {
            context.note(tr!("logging in"));
            let user = context.required("USERNAME")?.expose();
            let body = Fields::default().text("login", user);
            let body = body.secret("password", context.required("PASSWORD")?);
            context.post(TOKENS_PATH, SPEC.content_type, &body)
        }
    };
    let person = context.json(&context.send(&request).await?)?;
    let mut session = session_of(&person)?;
    let user = settings.text("USERNAME").map(str::to_owned);
    session.user = user.or_else(|| person.text("username"));
    Ok(session)
}

/// The session of the person whom the answer's `impersonate` names; `current` is the one who asked.
async fn impersonate(context: &Context<'_>, person: &str) -> Result<Session> {
    // Some servers take an escaped slash for one.
    let mut parts = person.split(['/', '\\']).map(str::trim);
    if parts.any(|part| matches!(part, "." | "..")) || person.trim().is_empty() {
        return Err(error!(Usage: "--as needs a person's id or user name"));
    }
    let token = match context.prerequisite {
        Some(session) => &session.token,
        None => context.required("API_TOKEN")?,
    };
    context.note(tr!("impersonating"));
    let path = [TOKENS_PATH, "/impersonate/", &percent(person)].concat();
    let request = Request::get(context.settings.url.join(&path)).bearer(token);
    let answer = context.send(&request).await?;
    let both = context.json(&answer).map_err(|error| match answer.status {
        403 | 404 => explain(context, error, person),
        status => Error {
            of_prerequisite: status == 401 && !answer.is_markup(),
            ..error
        },
    })?;
    let (other, current) = (both.require_object("impersonate")?, both.inner("current"));
    let mut session = session_of(&other)?;
    let by = context.prerequisite.and_then(|by| by.user.clone());
    session.user = current.and_then(|current| current.text("username")).or(by);
    session.impersonating = Some(other.text("username").unwrap_or_else(|| person.to_owned()));
    session.details = both.fields;
    Ok(session)
}

fn session_of(person: &Json) -> Result<Session> {
    let mut session = person.session("temporaryToken", "Bearer")?;
    session.lasts(LIFETIME);
    Ok(session)
}

/// At this path the statuses speak of people, not of paths.
fn explain(context: &Context<'_>, error: Error, person: &str) -> Error {
    let host = context.settings.url.origin();
    let explained = match error.http_status {
        Some(404) => {
            error!(Usage: "Zeev has no person `{person}` to impersonate ({host})"; person, host =>
            hint "--as takes a person's id or user name, as in Zeev under Access > People")
        }
        _ => {
            error!(Refused: "this account may not impersonate `{person}` ({host})"; person, host =>
            hint "ask Zeev's administrator for the permission to impersonate")
        }
    };
    Error {
        said: error.said,
        http_status: error.http_status,
        ..explained
    }
}
