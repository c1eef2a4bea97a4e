//! Broker: a user name and a password behind the partner's own token; the session is a JWT.
//!
//! Request, fields and the partner's path are the seed document's; header and spelling vary with its later version.
//!
//! | question | answer | source |
//! |---|---|---|
//! | What proves that a session is dead? | nothing: no document names a refusal, and no request asks for one; its end is `Created + Expires_In` | seed |
//! | What is a 401? | neither HTML nor `Basic`, perhaps a dead session, as ASP.NET answers before the product's own code: one new login in a run | assumed |
//! | May a POST be repeated after it? | no, a GET may | assumed |
//! | What is a 401 of the login? | the partner's session, unless it has a `CodigoRetorno`, which speaks of the login itself | assumed |

use jiff::{SignedDuration, Timestamp};

use super::{Context, Judgement, Probe, Provider, Role, by_status, refused_login};
use crate::declaration::{
    Alternatives, Credentials, Default, Group, Kind, Need, Settings, Spec, field,
};
use crate::error::{Cause, Error, Result};
use crate::http::response::{Json, Response};
use crate::i18n::tr;
use crate::secret::Fields;
use crate::session::{Session, lifetime};

const LOGIN_PATH: &str = "api/broker/estabelecimento/login";
/// Clocks this close count as equal.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_secs(2);

const OWN: [&str; 2] = ["USERNAME", "PASSWORD"];
const PARTNERS: [&str; 2] = ["PARTNER_USERNAME", "PARTNER_PASSWORD"];

pub(super) static SPEC: Spec = Spec {
    id: "broker",
    product: "Broker",
    method: "JWT",
    endpoint: LOGIN_PATH,
    example_url: "https://api.broker.com.br",
    url_found: "ask your Broker's administrator",
    fields: &[
        field!("USERNAME" Kind::Text, "the establishment's user",
            found: Some("ask your Broker's administrator"), need: Need::Always),
        field!("PASSWORD" Kind::Secret, "the establishment's password",
            found: Some("ask your Broker's administrator"), need: Need::Always),
        field!("PARTNER_TOKEN" Kind::Token, "the partner's token, if you have it",
            found: Some("the Access_Token that the partner's own login returns"), shared: Some(Group::Partner)),
        field!("PARTNER_USERNAME" Kind::Text, "the partner's user, to fetch the token",
            found: Some("ask the partner"), shared: Some(Group::Partner)),
        field!("PARTNER_PASSWORD" Kind::Secret, "the partner's password",
            found: Some("ask the partner"), shared: Some(Group::Partner)),
        field!("PARTNER_LOGIN_PATH" Kind::Path, "where the partner logs in",
            default: Default::Value("api/Autenticacao/login"), shared: Some(Group::Partner)),
    ],
    alternatives: &[Alternatives {
        required: false,
        ways: &[&["PARTNER_TOKEN"], &PARTNERS],
    }],
    credentials: &[
        Credentials::new("the establishment's user and password", &OWN),
        Credentials::new(
            "the establishment's user and password, with the partner's user and password",
            &[OWN[0], OWN[1], PARTNERS[0], PARTNERS[1]],
        ),
        Credentials::new(
            "the establishment's user and password, with the partner's token",
            &[OWN[0], OWN[1], "PARTNER_TOKEN"],
        ),
    ],
    words: &["1|Bearer"],
    login_is_repeatable: true,
    json_in_text: true,
    // Celery's and MQTT clients' settings, for example.
    common_word: true,
    ..Spec::PLAIN
};

pub(super) static PROBE: Probe = Probe {
    // No path is documented that answers without credentials; this shows at least that there is a path.
    requests: &[LOGIN_PATH],
    certain: has_code,
    ..Probe::BY_STATUS
};

pub struct Broker;

impl Provider for Broker {
    fn prerequisite(&self, role: &Role, settings: &Settings) -> Option<Role> {
        let has_partner = settings.text("PARTNER_USERNAME").is_some();
        (*role == Role::User && has_partner).then_some(Role::Partner)
    }

    async fn login(&self, context: &Context<'_>) -> Result<Session> {
        let settings = context.settings;
        let (fields, path, token) = if context.role == Role::Partner {
            context.note(tr!("logging in as the partner"));
            let path = settings.text("PARTNER_LOGIN_PATH").unwrap_or_default();
            (PARTNERS, path, None)
        } else {
            context.note(tr!("logging in"));
            let fetched = context.prerequisite.map(|session| &session.token);
            let token = fetched.or_else(|| settings.secret("PARTNER_TOKEN"));
            (OWN, LOGIN_PATH, token)
        };
        let user = context.required(fields[0])?.expose();
        let body = Fields::default().text("UserName", user);
        let body = body.secret("Password", context.required(fields[1])?);
        let mut request = context.post(path, SPEC.content_type, &body);
        if let Some(token) = token {
            request = request.bearer(token);
        }
        let answer = context.send(&request).await?;
        if let Some(object) = answer.any_object().filter(refuses) {
            return Err(partner_hint(context, refused_login(&answer, object.said())));
        }
        let fields = context.json(&answer).map_err(|error| {
            // With a code of its own an answer speaks of this login, not of the partner's.
            let of_login = answer.any_object().is_some_and(|object| has_code(&object));
            let mut error = partner_hint(context, error);
            error.of_prerequisite = answer.status == 401 && !of_login && !answer.is_markup();
            error
        })?;
        let mut session = fields.oauth_session("Access_Token")?;
        session.user = Some(user.to_owned());
        match remaining(&fields, answer.date) {
            Some(rest) => session.lasts(rest),
            None => context.warn(tr!("the server does not say how long its token lasts")),
        }
        Ok(session)
    }

    fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
        Some(match by_status(answer, whole)? {
            Judgement::Refused => Judgement::Unclear,
            judgement => judgement,
        })
    }

    fn explain(&self, answer: &Response) -> Option<Error> {
        let refused = answer.any_object().filter(refuses)?;
        Some(answer.rejection(Cause::Rejected, &refused))
    }
}

/// `CodigoRetorno` 1 is success; another is a refusal even under status 200 (seed). The later version leaves it out.
fn refuses(object: &Json) -> bool {
    has_code(object) && object.text("CodigoRetorno").as_deref() != Some("1")
}

fn has_code(object: &Json) -> bool {
    object.get("CodigoRetorno").is_some()
}

/// Where the server refuses and it is, or may be, the partner that it refuses, says so.
fn partner_hint(context: &Context<'_>, error: Error) -> Error {
    if error.cause != Cause::Refused {
        return error;
    }
    let [user, password] = PARTNERS.map(|field| context.variable(field));
    if context.role == Role::Partner {
        return error.hint(
            tr!("the partner's login was refused: check {user} and {password}"; user, password),
        );
    }
    if context.prerequisite.is_some() {
        // The partner has logged in with its own.
        return Error {
            about: &OWN,
            ..error
        };
    }
    if context.settings.secret("PARTNER_TOKEN").is_some() {
        return error;
    }
    let [own_user, own_password] = OWN.map(|field| context.variable(field));
    error.hint(tr!(
        "check {own_user} and {own_password}; no partner's token was sent: set {token}, or {user} and {password}, if \
        your Broker asks for one";
        own_user, own_password, token = context.variable("PARTNER_TOKEN"), user, password))
}

/// How long the token still lasts: `Created + Expires_In` by the clock of the server's `Date`, at most `Expires_In`.
/// `Created` may count milliseconds; in local time it may say that a token has ended that has just been handed out.
fn remaining(answer: &Json, server_now: Option<Timestamp>) -> Option<SignedDuration> {
    let lasts = lifetime(answer.get("Expires_In")?)?;
    // The year 5138 in seconds, 1973 in milliseconds.
    const SECONDS_MAX: i64 = 100_000_000_000;
    /// No zone is further from UTC.
    const ZONE_MAX: SignedDuration = SignedDuration::from_hours(14);
    let created = answer.text("Created");
    let Some(created) = created.and_then(|text| text.parse::<i64>().ok()) else {
        return Some(lasts);
    };
    let unit = if created < SECONDS_MAX { 1 } else { 1000 };
    let created = Timestamp::from_second(created / unit).ok()?;
    let end = created.checked_add(lasts).ok()?;
    let local_now = Timestamp::now();
    let now = server_now.filter(|server| server.duration_since(local_now).abs() > CLOCKS_AGREE);
    let now = now.unwrap_or(local_now);
    let rest = end.duration_since(now);
    if rest.is_positive() {
        return Some(rest.min(lasts));
    }
    (now.duration_since(created) <= ZONE_MAX).then_some(lasts)
}
