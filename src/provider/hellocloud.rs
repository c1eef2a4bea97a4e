//! HelloCloud, a SuiteCRM 7.10 or later: OAuth2 with client credentials or a password.
//!
//! Bodies and fields are the seed document's; refusals and the `index.php` path are measured on a real
//! SuiteCRM 7.14.

use super::{Context, Judgement, Life, LoginError, Match, Probe, Provider, Renewed, Revocation};
use crate::declaration::{Ageing, Default, Field, Group, Kind, Placement, Renewal, Spec};
use crate::error::{Cause, Error, Result, error};
use crate::http::response::{Json, Response};
use crate::http::{Effect, Request};
use crate::i18n::{Text, tr};
use crate::secret::{Fields, Secret};
use crate::session::{Session, lifetime};

/// Content type and accepted type of every call: seed document.
const MEDIA_TYPE: &str = "application/vnd.api+json";
const TOKEN_PATH: &str = "Api/access_token";
/// Where the same service answers on a server without URL rewriting (real server).
const UNREWRITTEN_PATH: &str = "Api/index.php/access_token";

static SPEC: Spec = Spec {
    id: "hellocloud",
    aliases: &[],
    product: "HelloCloud",
    method: "OAuth2",
    endpoint: TOKEN_PATH,
    example_url: "https://crm.empresa.com.br",
    url_found: "the address of your HelloCloud, as far as /Api; a SuiteCRM 8 has /legacy before that",
    fields: &[
        Field::new(
            "CLIENT_ID",
            Kind::Text,
            "the client's id",
            "in the admin panel under OAuth2 Clients and Tokens, once the client is saved",
        )
        .required()
        .shared(Group::Client),
        Field::new(
            "CLIENT_SECRET",
            Kind::Secret,
            "the client's secret",
            "typed into the field Change Secret of that client; it is not shown again, only set anew",
        )
        .required()
        .shared(Group::Client),
        Field::new(
            "USERNAME",
            Kind::Text,
            "the user's name, for the password grant",
            "ask HelloCloud's administrator",
        )
        .required_when("GRANT", "password"),
        Field::new(
            "PASSWORD",
            Kind::Secret,
            "the user's password, for the password grant",
            "ask HelloCloud's administrator",
        )
        .required_when("GRANT", "password"),
        Field::option("GRANT", Kind::Choice(&["client_credentials", "password"]), "the grant that the client was made for")
            .identity()
            .shared(Group::Client)
            .default(Default::IfSet { field: "USERNAME", then: "password", otherwise: "client_credentials" }),
        Field::option(
            "BODY",
            Kind::Choice(&["json", "form"]),
            "how the login is sent; `form` where a secret holds quotes, < or > and was typed into the admin panel",
        )
        .shared(Group::Client)
        .default(Default::Value("json")),
        Field::option("TOKEN_PATH", Kind::Path, "the token's path below the URL, where it is not Api/access_token")
            .shared(Group::Client),
    ],
    seed_url: None,
    alternatives: &[],
    placement: Placement::Bearer,
    ageing: Ageing::Fixed,
    renewal: Renewal::OnceExpired,
    content_type: MEDIA_TYPE,
    refuses_in_json: true,
    impersonation: false,
};

static PROBE: Probe = Probe {
    // Without a token the interface refuses in its own words, with and without URL rewriting (real server).
    requests: &["Api/V8/current-user", "Api/index.php/V8/current-user"],
    accept: Some(MEDIA_TYPE),
    recognise,
    // SuiteCRM 8 keeps the interface of version 7 in `legacy`.
    install_paths: &["legacy", "suitecrm", "crm"],
    ..Probe::BY_STATUS
};

pub struct HelloCloud;

impl Provider for HelloCloud {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn probe(&self) -> &'static Probe {
        &PROBE
    }

    async fn login(&self, context: &Context<'_>) -> Result<Session, LoginError> {
        let settings = context.settings;
        let grant = settings.text("GRANT").unwrap_or("client_credentials");
        let user = settings.text("USERNAME").filter(|_| grant == "password");
        let mut fields = client(context, grant)?;
        if let Some(user) = user {
            fields = fields
                .text("username", user)
                .secret("password", context.required("PASSWORD")?);
        }
        context.note(tr!("logging in with the grant {grant}", grant));
        let (answer, detour) = exchange(context, &fields).await?;
        let mut session = session_in(context, &answer, detour)?;
        session.user = user.map(str::to_owned);
        Ok(session)
    }

    /// The refresh token works once; it ends the old access token too (real server).
    async fn renew(&self, context: &Context<'_>, session: &Session) -> Result<Renewed> {
        let Some(refresh) = &session.refresh else {
            return Ok(Renewed::Impossible);
        };
        let fields = client(context, "refresh_token")?.secret("refresh_token", refresh);
        context.note(tr!("renewing with the refresh token"));
        let (answer, detour) = exchange(context, &fields).await?;
        if refresh_is_dead(&answer) {
            return Ok(Renewed::Refused);
        }
        let mut renewed = session_in(context, &answer, detour)?;
        renewed.user.clone_from(&session.user);
        Ok(Renewed::Session(Box::new(renewed)))
    }

    /// A client without a user cannot ask who it is, but for the modules; answers may say that they keep for a
    /// month (real server).
    async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
        let path = if session.user.is_some() {
            "Api/V8/current-user"
        } else {
            "Api/V8/meta/modules"
        };
        let request = Request::get(context.settings.url.join(path))
            .no_cache()
            .effect(Effect::None);
        let request = request.accept(MEDIA_TYPE).bearer(&session.token);
        let answer = context.send(&request).await?;
        if is_dead(&answer) {
            return Ok(Life::Dead);
        }
        refusal(context, &answer)?;
        context.json(&answer).map(|_| Life::Alive)
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
            401 if is_dead(answer) => Some(Judgement::Dead),
            _ => Some(Judgement::Alive),
        }
    }

    fn explain(&self, answer: &Response) -> Option<Error> {
        let dropped = answer.status == 401
            && answer
                .any_object()
                .is_some_and(|object| lacks_header(&object));
        dropped.then(|| header_dropped(&answer.host).status(401))
    }
}

fn recognise(answer: &Response) -> Match {
    let code = answer.any_object().and_then(|object| object.text("error"));
    if code.as_deref() == Some("access_denied") {
        Match::Certain
    } else {
        Match::No
    }
}

/// The failure of a request whose header never arrived.
fn header_dropped(host: &str) -> Error {
    error!(
        HeaderDropped, "{host} never saw the Authorization header", host;
        hint "Apache needs `CGIPassAuth On` or the rule in SuiteCRM's .htaccess; a proxy must pass the header on"
    )
}

/// Ends a session; false where the server says that its access token is dead.
async fn log_out(context: &Context<'_>, session: &Session) -> Result<bool> {
    let url = context.settings.url.join("Api/V8/logout");
    let request = Request::post(url, MEDIA_TYPE, Fields::new().json(), &[]);
    let request = request
        .effect(Effect::Logout)
        .accept(MEDIA_TYPE)
        .bearer(&session.token);
    let answer = context.send(&request).await?;
    if is_dead(&answer) {
        return Ok(false);
    }
    refusal(context, &answer)?;
    context.json(&answer).map(|_| true)
}

/// Whether an answer says that the access token is dead (real server). Not so where the server never saw it.
fn is_dead(answer: &Response) -> bool {
    answer.status == 401
        && answer.any_object().is_some_and(|object| {
            object.text("error").as_deref() == Some("access_denied") && !lacks_header(&object)
        })
}

/// Whether the server says that no header with a token reached it (real server).
fn lacks_header(object: &Json) -> bool {
    object
        .text("hint")
        .is_some_and(|hint| hint.contains("Missing \"Authorization\" header"))
}

/// Whether an answer says that the refresh token is dead, or was never this server's (real server; `invalid_grant`:
/// RFC 6749).
fn refresh_is_dead(answer: &Response) -> bool {
    let code = answer.any_object().and_then(|object| object.text("error"));
    // With 400, `invalid_request` means that a parameter is missing.
    matches!(
        (answer.status, code.as_deref()),
        (401, Some("invalid_request")) | (400 | 401, Some("invalid_grant"))
    )
}

/// The fields of every request for a token.
fn client(context: &Context<'_>, grant: &str) -> Result<Fields> {
    Ok(Fields::new()
        .text("grant_type", grant)
        .text("client_id", context.required("CLIENT_ID")?.expose())
        .secret("client_secret", context.required("CLIENT_SECRET")?))
}

/// Asks for a token, at the usual path and at the one of a server without URL rewriting; whether the latter answered.
async fn exchange(context: &Context<'_>, fields: &Fields) -> Result<(Response, bool)> {
    let own_path = context.settings.text("TOKEN_PATH");
    let mut answer = context
        .send(&request(context, own_path.unwrap_or(TOKEN_PATH), fields))
        .await?;
    let detour = answer.status == 404 && own_path.is_none();
    if detour {
        context.note(tr!(
            "there is no {usual}; trying {other}",
            usual = TOKEN_PATH,
            other = UNREWRITTEN_PATH
        ));
        answer = context
            .send(&request(context, UNREWRITTEN_PATH, fields))
            .await?;
    }
    Ok((answer, detour))
}

/// The session that an answer to a request for a token holds.
fn session_in(context: &Context<'_>, answer: &Response, detour: bool) -> Result<Session> {
    let keyless = answer.status == 500 && answer.body.is_empty();
    refusal(context, answer)?;
    let object = context.json(answer).map_err(|error| {
        if keyless {
            error.hint(tr!("were the server's OAuth2 keys ever generated?"))
        } else {
            error
        }
    })?;
    let mut session = object.session(
        "access_token",
        &object.text("token_type").unwrap_or("Bearer".to_owned()),
    )?;
    session.refresh = object.text("refresh_token").map(Secret::new);
    if detour {
        context.warn(tr!(
            "the server has no {usual} (URL rewriting is off); {other} works, and {variable}={other} saves the \
             detour",
            usual = TOKEN_PATH,
            other = UNREWRITTEN_PATH,
            variable = context.variable("TOKEN_PATH")
        ));
    }
    match object.get("expires_in").map(lifetime) {
        Some(Some(seconds)) => session.lasts(seconds),
        _ => context.warn(tr!("the server names no usable lifetime for its token")),
    }
    session.details = object.details(&["token_type", "access_token"]);
    Ok(session)
}

fn request(context: &Context<'_>, path: &str, fields: &Fields) -> Request {
    let url = context.settings.url.join(path);
    let (content_type, body) = match context.settings.text("BODY") {
        Some("form") => ("application/x-www-form-urlencoded", fields.form()),
        _ => (MEDIA_TYPE, fields.json()),
    };
    Request::post(url, content_type, body, fields.secrets()).accept(MEDIA_TYPE)
}

/// A real server refuses wrong credentials with status 500 and a sentence, wrong secrets with 401 and a code.
fn refusal(context: &Context<'_>, answer: &Response) -> Result<()> {
    const CODES: [&str; 5] = [
        "invalid_client",
        "invalid_grant",
        "invalid_credentials",
        "access_denied",
        "unauthorized_client",
    ];
    const SENTENCES: [&str; 4] = [
        "OAuth2Clients module with id",
        "trying to get OAuth2Clients",
        "No user found with this username",
        "The password is invalid",
    ];
    let Some(object) = answer.any_object() else {
        return Ok(());
    };
    let Some(code) = object.text("error") else {
        return Ok(());
    };
    if lacks_header(&object) {
        return Err(header_dropped(&answer.host).status(answer.status));
    }
    let text = object
        .text("message")
        .or_else(|| object.text("error_description"))
        .unwrap_or_default();
    let host = &answer.host;
    let refuse = |cause, message| {
        Error::new(cause, message)
            .said(&object.said().unwrap_or_default())
            .status(answer.status)
    };
    if ["lockout_reached", "password_expired"]
        .iter()
        .any(|word| code.contains(word) || text.contains(word))
    {
        let message = tr!(
            "{host} says that the account is locked or its password has expired",
            host
        );
        return Err(refuse(Cause::Locked, message)
            .hint(tr!("log in once on the web page, or ask its administrator")));
    }
    if CODES.contains(&code.as_str()) || SENTENCES.iter().any(|sentence| text.contains(sentence)) {
        let error = refuse(Cause::Refused, tr!("{host} refused the login", host));
        return Err(match hint(context, &code) {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }
    Ok(())
}

/// The next step where it is more than "check what you typed".
fn hint(context: &Context<'_>, code: &str) -> Option<Text> {
    let settings = context.settings;
    // Typed into the admin panel, these are stored HTML-escaped: then only a form body matches (real server).
    let escaped = |secret: &Secret| secret.expose().contains(['"', '\'', '<', '>', '`']);
    if settings.secrets().any(escaped) {
        let other = if settings.text("BODY") == Some("form") {
            "json"
        } else {
            "form"
        };
        return Some(tr!(
            "a secret holds quotes, < or >, which SuiteCRM may have stored escaped: try {variable}={other}",
            variable = context.variable("BODY"),
            other
        ));
    }
    (code == "invalid_client").then(|| {
        tr!(
            "check {id} and {secret}, and whether the client may use the grant `{grant}` ({variable})",
            id = context.variable("CLIENT_ID"),
            secret = context.variable("CLIENT_SECRET"),
            grant = settings.text("GRANT").unwrap_or_default(),
            variable = context.variable("GRANT")
        )
    })
}
