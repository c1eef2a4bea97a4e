//! What HelloCloud's refusals mean, and what proves that a token is dead.

use super::super::Context;
use crate::error::{Error, Result, error};
use crate::http::response::{self, Json, Response};
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// What proves that an access token is dead, beside status 401 and the `error` `access_denied`: a `hint` that begins so.
const DEATHS: [&str; 5] = [
    "Access token has been revoked", // By a logout, by a refresh, or by an administrator (recording).
    "Access token could not be verified", // Expired, of keys that the server has no more, or changed (recording).
    "Access token is invalid", // Expired, as older versions of the OAuth2 library say it (assumed).
    "The JWT string must have two dots", // No token of a SuiteCRM at all (recording).
    "Error while decoding",
];

/// The codes with which it refuses a login.
const REFUSALS: &str =
    "invalid_client invalid_grant invalid_credentials access_denied unauthorized_client";

/// What SuiteCRM throws where a session's user is gone, or its client never had one (recording).
const USER_GONE: (&str, &str) = ("Users module with id ", " is not found");
const NO_USER: &str = "Module id is empty when trying to get Users";

/// Whether an answer says that the access token is dead.
pub(super) fn is_dead(answer: &Response) -> bool {
    let says_so = |object: Json| {
        let hint = text(&object, "hint").unwrap_or_default();
        text(&object, "error") == Some("access_denied")
            && object.exact("data").is_none()
            && DEATHS.iter().any(|death| hint.starts_with(death))
    };
    answer.status == 401 && !answer.asks_for_password() && answer.any_object().is_some_and(says_so)
}

fn text<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    object.exact(name)?.as_str()
}

/// Whether the refresh token is dead, or was never this server's (recording; `invalid_grant`: RFC 6749).
pub(super) fn refresh_is_dead(answer: &Response) -> bool {
    let object = answer.any_object();
    let code = object.as_ref().and_then(|object| text(object, "error"));
    let refusal = (code.unwrap_or_default(), answer.status);
    // With 400, `invalid_request` means that a parameter is missing.
    matches!(
        refusal,
        ("invalid_request", 401) | ("invalid_grant", 400 | 401)
    )
}

/// What an answer means, where it is more than its status says.
pub(super) fn explain(answer: &Response) -> Option<Error> {
    let (host, status, path) = (&answer.host, answer.status, &answer.path);
    let object = answer.any_object();
    let errors = object.as_ref().and_then(|object| object.inner("errors"));
    let detail = errors.and_then(|errors| errors.text("detail"));
    let text = |name| object.as_ref().and_then(|object| text(object, name));
    let dropped = |hint: &str| hint.contains("Missing \"Authorization\" header");
    let to_login = answer.leads_to("action=Login");
    let elsewhere = to_login || status == 404 && object.is_none();
    let error = match status {
        400 | 404 | 409 | 422 if let Some(detail) = detail => refused(answer, &detail),
        // Where the request's header never arrived (recording).
        401 if !answer.asks_for_password() && text("hint").is_some_and(dropped) => {
            error!(HeaderDropped:
            "{host} never saw the Authorization header"; host =>
            hint "Apache needs `CGIPassAuth On` or the rule in SuiteCRM's .htaccess; a proxy must pass the header on")
        }
        404 if path.ends_with("/Api/") && text("message") == Some("Not found") => no_rules(host),
        // SuiteCRM's web pages or its web server took the request, not the API.
        _ if elsewhere && path.contains("/Api/V8/") => {
            let path = path.replacen("/Api/V8/", "/Api/index.php/V8/", 1);
            let error = response::status_error(host, &answer.path, 404);
            error.hint(tr!("without URL rewriting it is at {path}"; path))
        }
        _ if to_login && path.contains("/Api/") => no_rules(host),
        _ if answer.leads_to("action=Error") => error!(Rejected:
            "{host} refused the request: the session may not do this"; host),
        _ if answer.leads_to("/legacy/Api/") => error!(Redirect:
            "{host} is a SuiteCRM 8, which has this API below /legacy"; host =>
            hint "add /legacy to the end of the URL"),
        _ if answer.crashed() => Error {
            hint: Some(tr!(
                "its OAuth2 keys may be missing, or its database down: PHP's log there says why"
            )),
            ..response::server_failed(host, status)
        },
        _ => return None,
    };
    Some(error.status(status))
}

/// The failure where neither path leads to the API, which is there.
pub(super) fn no_rules(host: &str) -> Error {
    error!(NotFound: "the web server at {host} does not pass requests on to SuiteCRM's API"; host =>
        hint "it needs the rules in SuiteCRM's .htaccess, or PATH_INFO for Api/index.php")
}

/// The API's own refusal of a request (400: recording; the others: JSON:API, assumed). What looks like a session
/// without a user may be about a record of the module Users.
fn refused(answer: &Response, detail: &str) -> Error {
    let host = &answer.host;
    let gone = detail.strip_prefix(USER_GONE.0);
    let id = gone.and_then(|rest| rest.strip_suffix(USER_GONE.1));
    let of_record = |id| answer.path.contains(id) || answer.path.ends_with("/V8/module");
    let error = if detail != NO_USER && id.is_none_or(of_record) {
        error!(Rejected: "{host} refused the request"; host)
    } else {
        error!(NoUser: "{host} knows the session, but it has no user"; host =>
            hint "an administrator can restore the user, or choose another one in the client")
    };
    error.said(detail)
}

/// Refuses an answer that is not the API's, or of which is known why it is not a good one.
pub(super) fn admit(context: &Context<'_>, answer: &Response) -> Result<()> {
    explain(answer).map_or_else(|| context.admit(answer), Err)
}

/// Refuses a login's answer as [`admit`] does, and a refusal: real servers refuse credentials with 500 and a sentence,
/// secrets with 401 and a code.
pub(super) fn accept(context: &Context<'_>, answer: &Response) -> Result<()> {
    admit(context, answer)?;
    let object = answer.any_object();
    let text = |name| object.as_ref().and_then(|object| object.text(name));
    let Some(code) = text("error") else {
        return Ok(());
    };
    let sentence = text("message").or(text("error_description"));
    let sentence = sentence.unwrap_or_default();
    let has = |word| code.contains(word) || sentence.contains(word);
    let clients = [
        "OAuth2Clients module with id",
        "trying to get OAuth2Clients",
    ];
    // The setting that the refusal is about: the server checks them one after the other (recording).
    let about = match &*code {
        // The password itself follows, which may contain anything.
        _ if sentence.starts_with("The password is invalid") => Some("PASSWORD"),
        "invalid_client" => Some("CLIENT_SECRET"),
        // Version 7.10 names no user (a user's report).
        _ if sentence.starts_with("No user found") => Some("USERNAME"),
        _ if clients.iter().any(|part| sentence.contains(part)) => Some("CLIENT_ID"),
        _ => None,
    };
    let host = &answer.host;
    let error = if has("lockout_reached") || has("password_expired") {
        error!(Locked: "{host} says that the account is locked or its password has expired"; host =>
            hint "log in once on the web page, or ask its administrator")
    } else if code == "unsupported_grant_type" {
        // Also where a server has not read the body (users' reports).
        let [grant, body] = ["GRANT", "BODY"].map(|field| context.variable(field));
        let error = response::status_error(host, &answer.path, answer.status);
        error.hint(tr!("check {grant}; if it is right, try {body}={other}"; grant, body, other = other_body(context)))
    } else if about.is_some() || REFUSALS.split(' ').any(|refusal| refusal == code) {
        let error = error!(Refused: "{host} refused the login"; host);
        let hint = about.map(|field| hint(context, field));
        hint.into_iter().fold(error, Error::hint)
    } else {
        return Ok(());
    };
    let said = object.as_ref().and_then(Json::said).unwrap_or_default();
    Err(error.said(&said).status(answer.status))
}

fn hint(context: &Context<'_>, field: &str) -> Text {
    let settings = context.settings;
    let [setting, variable] = [field, "GRANT"].map(|field| context.variable(field));
    let check = match (field, settings.text("GRANT")) {
        ("CLIENT_SECRET", Some("password")) => tr!(
            "check {setting}, and whether the client may use the grant `password` ({variable})"; setting, variable),
        ("CLIENT_SECRET", _) => tr!(
            "check {setting}, whether the client may use the grant `client_credentials` ({variable}), and whether its \
            box Is Confidential is ticked";
            setting, variable),
        _ => tr!("check {settings}"; settings = setting),
    };
    // Typed into the admin panel, these are stored HTML-escaped: then only a form body matches (real server).
    let escaped = |secret: &Secret| secret.expose().contains(['"', '\'', '<', '>', '`']);
    let is_secret = matches!(field, "CLIENT_SECRET" | "PASSWORD");
    if !is_secret || !settings.secret(field).is_some_and(escaped) {
        return check;
    }
    let (variable, other) = (context.variable("BODY"), other_body(context));
    tr!(
        "{check}; {setting} has quotes, < or >, which SuiteCRM may have stored escaped: try {variable}={other}";
        check, setting, variable, other)
}

/// The way of sending a login that is not the one in use.
fn other_body(context: &Context<'_>) -> &'static str {
    match context.settings.text("BODY") {
        Some("form") => "json",
        _ => "form",
    }
}
