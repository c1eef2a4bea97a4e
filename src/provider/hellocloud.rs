//! HelloCloud, a SuiteCRM 7.10 or later: OAuth2 with client credentials or a password.
//!
//! Bodies and fields are the seed document's; refusals and the `index.php` path are measured on a real SuiteCRM 7.14.

mod refusal;

use super::{Context, Judgement, Life, Probe, Provider, Renewed, Revocation};
use crate::declaration::{
    Credentials, Default, FORM, Group, Kind, Need, Pages, Query, Renewal, Spec, field,
};
use crate::error::{Cause, Error, Result, error};
use crate::http::response::{self, Json, Response};
use crate::http::{Effect, Request};
use crate::i18n::tr;
use crate::secret::{Fields, Secret};
use crate::session::{Session, TOKEN_MAX, lifetime};
use refusal::{accept, admit, is_dead, no_rules, refresh_is_dead};

use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Content type and accepted type of every call: seed document.
const MEDIA_TYPE: &str = "application/vnd.api+json";
const TOKEN_PATH: &str = "Api/access_token";
/// The folder of the API, and what is added to it on a server without URL rewriting, with the same answers (recording).
const FOLDER: &str = "Api";
const UNREWRITTEN: &str = "/index.php";
/// The session's detail that names the folder, where it is not the usual one.
const DETAIL: &str = "api";

const CLIENT: [&str; 2] = ["CLIENT_ID", "CLIENT_SECRET"];
const PASSWORD_GRANT: Need = Need::When("GRANT", "password");

pub(super) static SPEC: Spec = Spec {
    id: "hellocloud",
    known_as: &["suitecrm"],
    product: "HelloCloud",
    method: "OAuth2",
    endpoint: TOKEN_PATH,
    other_endpoints: &[
        "Api/index.php/access_token",
        "Api/index.php/V8",
        "Api/index.php",
        "Api/V8",
        "Api",
    ],
    example_url: "https://crm.empresa.com.br",
    url_found: "the address of your HelloCloud, without /Api; with SuiteCRM 8 it ends in /legacy",
    fields: &[
        field!("CLIENT_ID" Kind::Text, "the client's id",
            found: Some("in the admin panel under OAuth2 Clients and Tokens, once the client is saved"),
            need: Need::Always, shared: Some(Group::Client)),
        field!("CLIENT_SECRET" Kind::Secret, "the client's secret",
            found: Some("typed into the field Change Secret of that client; it is never shown again, but can be set again"),
            need: Need::Always, shared: Some(Group::Client)),
        field!("USERNAME" Kind::Text, "the user's name, for the password grant",
            found: Some("ask HelloCloud's administrator"), need: PASSWORD_GRANT),
        field!("PASSWORD" Kind::Secret, "the user's password, for the password grant",
            found: Some("ask HelloCloud's administrator"), need: PASSWORD_GRANT),
        field!("GRANT" Kind::Choice(&["client_credentials", "password"]), "the grant that the client was made for",
            default: Default::IfSet("USERNAME", "password", "client_credentials"),
            identity: true, shared: Some(Group::Client)),
        field!("BODY" Kind::Choice(&["json", "form"]),
            "how the login is sent; `form` if a secret contains quotes, < or > and was typed into the admin panel",
            default: Default::Value("json"), shared: Some(Group::Client)),
        field!("TOKEN_PATH" Kind::Path, "the token's path below the URL, if it is not Api/access_token",
            shared: Some(Group::Client)),
    ],
    credentials: &[
        Credentials::new("an OAuth2 client (id and secret)", &CLIENT),
        Credentials::new(
            "an OAuth2 client with a user (id and secret, user name and password)",
            &[CLIENT[0], CLIENT[1], "USERNAME", "PASSWORD"],
        ),
    ],
    renewal: Renewal::OnceExpired,
    words: &[
        "password|client_credentials|refresh_token|Bearer|access_denied|invalid_client|invalid_request",
        "invalid_grant|unknown_error|unsupported_grant_type|Token has been revoked|Not found",
        "Access token has been revoked|Access token could not be verified|Missing \"Authorization\" header",
    ],
    pages: Some(&PAGES),
    content_type: MEDIA_TYPE,
    refuses_in_json: true,
    ..Spec::PLAIN
};

pub(super) static PROBE: Probe = Probe {
    // Without a token the interface refuses in its own words, with and without URL rewriting (real server).
    // The last one tells a server that leads nothing else to it (real server).
    requests: &[
        "Api/V8/current-user",
        "Api/index.php/V8/current-user",
        "Api/",
    ],
    accept: Some(MEDIA_TYPE),
    certain: |object| object.text("error").as_deref() == Some("access_denied"),
    by_status: false,
    // SuiteCRM 8 keeps the interface of version 7 in `legacy`.
    install_paths: &["legacy", "suitecrm", "crm"],
    ..Probe::BY_STATUS
};

static PAGES: Pages = Pages {
    ask: ask_page,
    read: |text| {
        let page: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let data = page.get("data")?.get();
        let rows = serde_json::from_str::<Vec<IgnoredAny>>(data).ok()?.len();
        let links = page.get("links").map_or("{}", |links| links.get());
        let links: HashMap<String, &RawValue> = serde_json::from_str(links).ok()?;
        // On the last page `next` is null (recording).
        let more = links.get("next").is_some_and(|next| next.get() != "null");
        Some((data, rows, more))
    },
};

pub struct HelloCloud;

impl Provider for HelloCloud {
    async fn login(&self, context: &Context<'_>) -> Result<Session> {
        let settings = context.settings;
        let grant = settings.text("GRANT").unwrap_or("client_credentials");
        let user = settings.text("USERNAME").filter(|_| grant == "password");
        let mut fields = client(context, grant)?;
        if let Some(user) = user {
            let password = context.required("PASSWORD")?;
            fields = fields.text("username", user).secret("password", password);
        }
        context.note(tr!("logging in with the grant {grant}"; grant));
        let (answer, folder) = exchange(context, None, &fields).await?;
        let mut session = session_in(context, &answer, &folder)?;
        session.user = user.map(str::to_owned);
        if folder != self::folder(context, None) {
            let (usual, other) = (TOKEN_PATH, [&folder, "/access_token"].concat());
            let variable = context.variable("TOKEN_PATH");
            context.warn(tr!("the server has no {usual} (URL rewriting is off); {other} works, and {variable}={other} saves \
                a request"; usual, other, variable));
        }
        Ok(session)
    }

    /// The refresh token works once; it ends the old access token too (real server).
    async fn renew(&self, context: &Context<'_>, session: &Session) -> Result<Renewed> {
        let Some(refresh) = &session.refresh else {
            return Ok(Renewed::Impossible);
        };
        let fields = client(context, "refresh_token")?.secret("refresh_token", refresh);
        context.note(tr!("renewing with the refresh token"));
        let (answer, folder) = exchange(context, Some(session), &fields).await?;
        if refresh_is_dead(&answer) {
            return Ok(Renewed::Refused);
        }
        let mut renewed = session_in(context, &answer, &folder)?;
        renewed.user.clone_from(&session.user);
        Ok(Renewed::Session(Box::new(renewed)))
    }

    /// Answers may say that they keep for a month (real server).
    async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
        let who = |path: &str| context.question(path).bearer(&session.token);
        match lives(context, session, "V8/current-user", who, "data").await? {
            true => Ok(Life::Alive),
            false => Ok(Life::Dead),
        }
    }

    /// Ends the access token and its refresh token; other logins live on. A dead access token says nothing of the
    /// refresh token, which lives for a month: it gives a pair that can be ended (real server).
    async fn revoke(&self, context: &Context<'_>, session: &Session) -> Result<Revocation> {
        if log_out(context, session).await? {
            return Ok(Revocation::Revoked);
        }
        if session.refresh.is_some() && context.settings.secret("CLIENT_SECRET").is_none() {
            return Ok(Revocation::StillAlive);
        }
        let renewed = match self.renew(context, session).await {
            Ok(Renewed::Session(renewed)) => renewed,
            Ok(Renewed::Refused | Renewed::Impossible) => return Ok(Revocation::Ended),
            // The client has another secret by now: nobody can end the refresh token from here.
            Err(error) if error.cause == Cause::Refused => return Ok(Revocation::StillAlive),
            Err(error) => return Err(error),
        };
        // The stored refresh token is spent now, so a failure must not leave it to another try.
        match log_out(context, &renewed).await {
            Ok(true) => Ok(Revocation::Revoked),
            _ => Ok(Revocation::StillAlive),
        }
    }

    fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
        match answer.status {
            401 if !whole => None,
            // What they mean may be in an object.
            400 | 404 if answer.arriving_object(whole).is_none() => None,
            401 if is_dead(answer) => Some(Judgement::Dead),
            _ => Some(Judgement::Alive),
        }
    }

    fn explain(&self, answer: &Response) -> Option<Error> {
        refusal::explain(answer).or_else(|| lost_link(answer))
    }
}

/// SuiteCRM's own `links` lack `Api/`, and are not found as they stand (recording).
fn lost_link(answer: &Response) -> Option<Error> {
    let (_, rest) = answer.path.split_once("/V8/")?;
    if answer.status != 404 || answer.path.contains("/Api/") {
        return None;
    }
    let error = response::status_error(&answer.host, &answer.path, 404);
    Some(error.hint(tr!("links in SuiteCRM's answers lack Api/: ask for /Api/V8/{rest}"; rest)))
}

/// Without a number the next page would be the first one again (recording).
fn ask_page(mut pairs: Query, page: usize) -> Result<Query> {
    let first = pairs.iter().position(|(name, _)| name == "page[number]");
    let first = first.map_or(Ok(1), |at| pairs.remove(at).1.parse::<u32>());
    let first = first.map_err(|_| error!(Usage: "page[number] is not a number"))?;
    let number = (first as usize + page).to_string();
    pairs.push(("page[number]".to_owned(), number));
    Ok(pairs)
}

/// Ends a session; false where the server says that its access token is dead.
async fn log_out(context: &Context<'_>, session: &Session) -> Result<bool> {
    let log_out = |path: &str| {
        let request = context.post(path, MEDIA_TYPE, &Fields::default());
        request.effect(Effect::Logout).bearer(&session.token)
    };
    lives(context, session, "V8/logout", log_out, "meta").await
}

/// Asks the API with a session; false where it says that the access token is dead. What has no such field is another's.
async fn lives(
    context: &Context<'_>,
    session: &Session,
    path: &str,
    request: impl Fn(&str) -> Request,
    field: &str,
) -> Result<bool> {
    let (answer, _) = call(context, Some(session), path, request).await?;
    if is_dead(&answer) {
        return Ok(false);
    }
    admit(context, &answer)?;
    let object = context.json(&answer)?;
    let found = object.exact(field).map(|_| true);
    found.ok_or_else(|| object.wrong(field, &tr!("an object")))
}

fn client(context: &Context<'_>, grant: &str) -> Result<Fields> {
    Ok(Fields::default()
        .text("grant_type", grant)
        .text("client_id", context.required("CLIENT_ID")?.expose())
        .secret("client_secret", context.required("CLIENT_SECRET")?))
}

/// The folder of the API: the one that served the session, as far as that is known.
fn folder(context: &Context<'_>, session: Option<&Session>) -> String {
    let path = context.settings.text("TOKEN_PATH").unwrap_or(TOKEN_PATH);
    let usual = path.trim_start_matches('/').strip_suffix("/access_token");
    let usual = usual.unwrap_or(FOLDER).to_owned();
    let other = other_folder(&usual);
    match session.and_then(|session| session.details.get(DETAIL)) {
        Some(detail) if *detail == *other => other,
        _ => usual,
    }
}

/// The folder with URL rewriting for the one without, and the reverse.
fn other_folder(folder: &str) -> String {
    match folder.strip_suffix(UNREWRITTEN) {
        Some(folder) => folder.to_owned(),
        None => [folder, UNREWRITTEN].concat(),
    }
}

/// Asks the API for a path below its folder or, if not there, below the other; also returns the one that answered.
async fn call(
    context: &Context<'_>,
    session: Option<&Session>,
    path: &str,
    request: impl Fn(&str) -> Request,
) -> Result<(Response, String)> {
    let below = |folder: &str| [folder, "/", path].concat();
    let request = |folder: &str| request(&below(folder)).accept(MEDIA_TYPE);
    let ask = async |folder: &str| context.ask(&request(folder)).await;
    let first = folder(context, session);
    let answer = ask(&first).await?;
    if !is_elsewhere(&answer) {
        return Ok((answer, first));
    }
    let other = other_folder(&first);
    context.note(tr!(
        "there is no {usual}; trying {other}"; usual = below(&first), other = below(&other)));
    let second = ask(&other).await?;
    match is_elsewhere(&second) && answer.leads_to("action=Login") {
        true => Err(no_rules(&answer.host).status(answer.status)),
        false => Ok((second, other)),
    }
}

/// Whether an answer comes from the web server or from SuiteCRM's web pages instead of the API (recording).
fn is_elsewhere(answer: &Response) -> bool {
    let refuses = |object: Json| object.get("error").is_some();
    let not_found = answer.status == 404 && !answer.any_object().is_some_and(refuses);
    not_found || answer.leads_to("action=Login")
}

/// Asks for a token; also returns the folder of the API that answered.
async fn exchange(
    context: &Context<'_>,
    session: Option<&Session>,
    fields: &Fields,
) -> Result<(Response, String)> {
    let content_type = match context.settings.text("BODY") {
        Some("form") => FORM,
        _ => MEDIA_TYPE,
    };
    let request = |path: &str| context.post(path, content_type, fields);
    match context.settings.text("TOKEN_PATH") {
        Some(path) => {
            let request = request(path).accept(MEDIA_TYPE);
            Ok((context.ask(&request).await?, folder(context, session)))
        }
        None => call(context, session, "access_token", request).await,
    }
}

/// The session that an answer to a request for a token holds.
fn session_in(context: &Context<'_>, answer: &Response, folder: &str) -> Result<Session> {
    accept(context, answer)?;
    let object = context.json(answer)?;
    let mut session = object.oauth_session("access_token")?;
    let refresh = object.text("refresh_token");
    let refresh = refresh.filter(|text| text.len() <= TOKEN_MAX);
    session.refresh = refresh.map(Secret::new);
    match object.get("expires_in").map(lifetime) {
        Some(Some(seconds)) => session.lasts(seconds),
        _ => context.warn(tr!("the server does not say how long its token lasts")),
    }
    if folder != FOLDER {
        session.details.insert(DETAIL.to_owned(), folder.into());
    }
    Ok(session)
}
