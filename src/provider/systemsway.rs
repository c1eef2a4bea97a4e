//! SystemsWay: a user name and the SHA-256 of the password; the session is a path segment.
//!
//! The seed document's answer and the one of its later version are both read.
//!
//! | question | answer | source |
//! |---|---|---|
//! | What proves that a session is dead? | `Status: ERROR` to a GET of users | seed |
//! | Also to a GET of the user 0, whose data nobody needs? | a living session gets an empty list | assumed |
//! | What does `Status: ERROR` prove elsewhere? | nothing: a name that is taken gets it too | seed |
//! | Which is `codigo`, and what is `01`? | the later spelling of the same | later |
//! | May a POST be repeated after it? | if the session is dead: its refusals are listed "given that the session is valid" | seed |
//! | And after a 401? | no: the documents name no status, so that whatever stands between may have said it | assumed |

use super::{Context, Judgement, Life, Probe, Provider, by_object, by_status, refused_login};
use crate::declaration::{Ageing, Alternatives, Default, Kind, Need, Placement, Spec, field};
use crate::error::{Cause, Error, Result, error};
use crate::http::response::{Json, Response};
use crate::i18n::tr;
use crate::secret::{Fields, Secret, percent, sha256_hex};
use crate::session::Session;

const LOGIN_PATH: &str = "api/main";

pub(super) static SPEC: Spec = Spec {
    id: "systemsway",
    product: "SystemsWay",
    method: "SHA-256",
    endpoint: LOGIN_PATH,
    example_url: "http://192.168.0.10:5000",
    url_found: "the IP address of the machine that runs the API, and its port, 5000 or 50000: ask its administrator",
    fields: &[
        field!("USERNAME" Kind::Text, "the user's name",
            found: Some("ask SystemsWay's administrator"), need: Need::Always),
        field!("PASSWORD" Kind::Secret, "the user's password", found: Some("ask SystemsWay's administrator")),
        field!("PASSWORD_SHA256" Kind::Secret, "the password's SHA-256, 64 hex digits; as secret as the password",
            found: Some("`sha256sum` makes it from the password, without a line break")),
        field!("HASH_CASE" Kind::Choice(&["upper", "lower"]),
            "the case of the hash's letters, as the server compares them", default: Default::Value("upper")),
    ],
    alternatives: &[Alternatives {
        required: true,
        ways: &[&["PASSWORD"], &["PASSWORD_SHA256"]],
    }],
    placement: Placement::Path,
    ageing: Ageing::SingleSeat { ask_after: 120 },
    words: &["OK|ERROR|00|01|NA"],
    json_in_text: true,
    ..Spec::PLAIN
};

pub(super) static PROBE: Probe = Probe {
    // The system refuses this session, which does not exist, in its own frame (seed document).
    requests: &["api/Usuario/0?id=0"],
    certain: refuses,
    ..Probe::BY_STATUS
};

pub struct SystemsWay;

impl Provider for SystemsWay {
    async fn login(&self, context: &Context<'_>) -> Result<Session> {
        let user = context.required("USERNAME")?.expose();
        let hash = hash(context)?;
        let body = Fields::default().text("User", user).secret("Passwd", &hash);
        let request = context.post(LOGIN_PATH, SPEC.content_type, &body);
        context.note(tr!("logging in, which ends any other session of this user"));
        let answer = context.send(&request).await?;
        if let Some(object) = answer.any_object().filter(refuses) {
            let said = object.said().or(object.text("Status"));
            return Err(refused_login(&answer, said));
        }
        let fields = context.json(&answer)?;
        if fields.text("Status").is_none() && fields.text("codigo").is_none() {
            return Err(fields.wrong("Status", &tr!("a string")));
        }
        let mut session = fields.session("IDSessao", "session")?;
        session.user = Some(user.to_owned());
        Ok(session)
    }

    /// Asks for the user 0, who does not exist: nobody's data comes back, and a dead session says so.
    async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
        let path = ["api/Usuario/", &percent(session.token.expose()), "?id=0"].concat();
        let request = context.question(&path).secret(&session.token);
        let answer = context.send(&request).await?;
        // A living session gets a list, which is not an object.
        if answer.status == 200 && answer.body.trim_ascii_start().starts_with(b"[") {
            return Ok(Life::Alive);
        }
        if answer.any_object().is_some_and(|object| is_error(&object)) {
            return Ok(Life::Dead);
        }
        context.json(&answer).map(|_| Life::Alive)
    }

    /// A number is a record's own field, not the system's word.
    fn explain(&self, answer: &Response) -> Option<Error> {
        let refused = answer.any_object().filter(refuses)?;
        let field = refused.get("Status").or_else(|| refused.get("codigo"));
        let is_text = field.is_some_and(serde_json::Value::is_string);
        is_text.then(|| answer.rejection(Cause::Rejected, &refused))
    }

    /// As the table above has it; [`Provider::check`] tells a dead session from a request refused for its content.
    fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
        if by_status(answer, whole)? != Judgement::Alive {
            return Some(Judgement::Unclear);
        }
        by_object(answer, whole, is_error, Judgement::Refused)
    }
}

/// The password's hash in the letters that the server compares.
fn hash(context: &Context<'_>) -> Result<Secret> {
    let given = context.settings.secret("PASSWORD_SHA256");
    let hash = match (given, context.settings.secret("PASSWORD")) {
        (None, Some(password)) => sha256_hex(password.expose()),
        _ => context.required("PASSWORD_SHA256")?.clone(),
    };
    let digits = hash.expose();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let [variable, password] =
            ["PASSWORD_SHA256", "PASSWORD"].map(|field| context.variable(field));
        let error = error!(BadSetting: "{variable} is not a SHA-256: it must have 64 hex digits"; variable =>
            hint "make it with `printf %s 'the password' | sha256sum`, or set {password}"; password);
        return Err(error);
    }
    let [upper, lower] = [digits.to_uppercase(), digits.to_lowercase()].map(Secret::new);
    context.channel.report.learn(&upper);
    context.channel.report.learn(&lower);
    let is_lower = context.settings.text("HASH_CASE") == Some("lower");
    Ok(if is_lower { lower } else { upper })
}

/// Whether an object is the system's own refusal of a request: a record may have a `Status` or a `codigo` too.
fn is_error(object: &Json) -> bool {
    let is_error = |text: &str| text.eq_ignore_ascii_case("error");
    match object.get("Status") {
        Some(status) => status.as_str().is_some_and(is_error),
        None => object.get("codigo").is_some_and(|code| code == "01"),
    }
}

/// `Status` is `OK` or `ERROR` (seed); `codigo` is `00` or `01` in the later version.
fn refuses(object: &Json) -> bool {
    match (object.text("Status"), object.text("codigo")) {
        (Some(status), _) => !status.eq_ignore_ascii_case("ok"),
        (None, Some(code)) => !code.trim_start_matches('0').is_empty(),
        (None, None) => false,
    }
}
