//! The systems: what each one's protocol is, and nothing else. A provider sees a [`Context`], never the
//! environment, stdout or the store.

mod broker;
mod gluo;
mod hellocloud;
mod systemsway;
mod zeev;

use std::cell::Cell;

use crate::declaration::{BaseUrl, Settings, Spec};
use crate::error::{Cause, Error, Pending, Result};
use crate::http::response::{self, Json, Response};
use crate::http::{Channel, Request};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
pub use crate::session::Role;
use crate::session::Session;

/// Every provider, in the order in which people see them.
#[rustfmt::skip] // a line a system, so that another one is one line
pub static ALL: &[&dyn Provider] = &[
    &gluo::Gluo,
    &hellocloud::HelloCloud,
    &systemsway::SystemsWay,
    &broker::Broker,
    &zeev::Zeev,
];

/// The declarations of every provider, in the same order.
pub fn specs() -> Vec<&'static Spec> {
    ALL.iter().map(|provider| provider.spec()).collect()
}

/// The provider that declared `spec`.
pub fn of(spec: &Spec) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.spec().id == spec.id)
}

/// One system's protocol.
pub trait Provider: Sync {
    /// The declaration.
    fn spec(&self) -> &'static Spec;

    /// Whose session must be had before `role` can log in; it is handed over in [`Context::prior`].
    fn prerequisite(&self, role: &Role, settings: &Settings) -> Option<Role> {
        let _ = (role, settings);
        None
    }

    /// Logs in: a new session, now.
    fn login<'a>(&'a self, context: &'a Context<'a>) -> Pending<'a, Session>;

    /// Renews a session without a login, where [`Spec::renewal`] says that it can be.
    ///
    /// Errors: as [`Provider::login`]; none of them says that the session is dead.
    fn renew<'a>(&'a self, context: &'a Context<'a>, session: &'a Session) -> Pending<'a, Renewed> {
        let _ = (context, session);
        Box::pin(async { Ok(Renewed::Impossible) })
    }

    /// Asks the server whether a session is alive.
    ///
    /// Errors: where the server cannot be asked; a dead session is no error.
    fn check<'a>(&'a self, context: &'a Context<'a>, session: &'a Session) -> Pending<'a, Life> {
        let _ = (context, session);
        Box::pin(async { Ok(Life::Unknown) })
    }

    /// Ends a session on the server.
    ///
    /// Errors: where the server cannot be asked; one that has no way to end a session is no error.
    fn revoke<'a>(&'a self, context: &'a Context<'a>, session: &'a Session) -> Pending<'a, Revocation> {
        let _ = (context, session);
        Box::pin(async { Ok(Revocation::Unsupported) })
    }

    /// Requests without any secret, the usual one first: an answer to one of them shows whether this system is at
    /// home at a URL.
    fn knocks(&self, url: &BaseUrl) -> Vec<Request>;

    /// What an answer to such a request shows.
    fn look(&self, answer: &Response) -> Look;

    /// Folders that this system may be installed in where the URL itself shows another page.
    fn folders(&self) -> &'static [&'static str] {
        &[]
    }

    /// Tries of the credentials what can be tried without a secret and without a login; `None` where nothing can. It may
    /// disturb a login of the same user.
    fn greet<'a>(&'a self, context: &'a Context<'a>) -> Option<Pending<'a, ()>> {
        let _ = context;
        None
    }

    /// What an answer to a request of the user's says of the session. `None` where more of its body is needed to
    /// tell, which cannot be once it is `whole`.
    fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
        by_status(answer, whole)
    }

    /// What an answer to a request of the user's means, where it is more than its status says.
    fn explain(&self, answer: &Response) -> Option<Error> {
        let _ = answer;
        None
    }
}

/// What an answer says of the session that its request carried. Only the system's own word counts: not a text
/// somewhere in the body, and not what stands before the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing against it.
    Alive,
    /// It is dead, and the request was not carried out.
    Dead,
    /// The request was refused and not carried out, perhaps because the session is dead: [`Provider::check`] tells.
    Refused,
    /// The server failed, perhaps because the session is dead; part of the request may have been carried out.
    Unclear,
}

/// The judgement where nothing but the status is documented: 401 from the system itself.
fn by_status(answer: &Response, whole: bool) -> Option<Judgement> {
    match answer.status {
        401 if !whole => None,
        401 if !answer.asks_for_password && !answer.is_markup() => Some(Judgement::Refused),
        _ => Some(Judgement::Alive),
    }
}

/// The judgement where the system refuses in an object of its own. A refusal counts only as the whole answer.
fn by_object(
    answer: &Response,
    whole: bool,
    refuses: impl Fn(&Json) -> Option<Judgement>,
) -> Option<Judgement> {
    let Some(object) = answer.arriving_object(whole)? else { return Some(Judgement::Alive) };
    match refuses(&object) {
        Some(_) if !whole => None,
        judgement => Some(judgement.unwrap_or(Judgement::Alive)),
    }
}

/// What an answer shows of the system that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// No other system answers so.
    Own,
    /// It may be this system.
    Unclear,
    /// It is not this system.
    Other,
}

impl Look {
    /// How a system looks of which nothing but its path is known: a page, or no such path, is none of it.
    fn by_status(answer: &Response) -> Self {
        let page = answer.body.trim_ascii_start().starts_with(b"<");
        if page || matches!(answer.status, 404 | 410 | 500..) { Self::Other } else { Self::Unclear }
    }
}

/// What a server says of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It works.
    Alive,
    /// The system says that it does not.
    Dead,
    /// The server fails at it, as it does at no living one. That is no proof, so nobody forgets it before there is
    /// another.
    Broken,
    /// There is no way to ask.
    Unknown,
}

/// What became of a renewal; what is no session leads to a login.
pub enum Renewed {
    /// The next session.
    Session(Box<Session>),
    /// The system says that what it was asked with is dead.
    Refused,
    /// It cannot be renewed.
    Impossible,
}

/// What became of a session that was to be ended on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The server ended it.
    Revoked,
    /// The server says that it had ended before.
    Ended,
    /// The server was asked and left it alive.
    StillAlive,
    /// The system has no way to end a session.
    Unsupported,
}

/// What a provider works with.
pub struct Context<'a> {
    /// The target's settings.
    pub settings: &'a Settings,
    /// Whose session is wanted.
    pub role: Role,
    /// The prerequisite's session.
    pub prior: Option<&'a Session>,
    /// Set by the provider where it is the prerequisite's session that the server did not take.
    pub prior_refused: Cell<bool>,
    /// The way to the server.
    pub channel: &'a Channel<'a>,
}

impl<'a> Context<'a> {
    /// A context without a prerequisite's session.
    pub fn new(settings: &'a Settings, role: Role, channel: &'a Channel<'a>) -> Self {
        Self { settings, role, prior: None, prior_refused: Cell::new(false), channel }
    }

    /// Sends a request and reads the answer's object, as [`Response::object`] does. Tokens in it are learnt, and
    /// text around it is warned about.
    pub async fn call(&self, request: Request, refusal: impl Fn(&Json) -> Option<Error>) -> Result<Json> {
        let answer = self.channel.send(&request).await?;
        self.read(&answer, refusal)
    }

    /// The second half of [`Context::call`], for an answer that was looked at before.
    pub fn read(&self, answer: &Response, refusal: impl Fn(&Json) -> Option<Error>) -> Result<Json> {
        let object = answer.object(|object| {
            self.learn(object);
            refusal(object)
        });
        if answer.refused_in_front(self.settings.target.spec.refuses_in_json) {
            return Err(response::in_front(&answer.host, answer.status));
        }
        let object = object?;
        if object.had_extra_text() {
            self.warn(tr!("the server printed text around its JSON (PHP display_errors?)"));
        }
        Ok(object)
    }

    /// Says something that the user should know.
    pub fn warn(&self, text: Text) {
        self.channel.report.warn(Some(&self.settings.target), text);
    }

    /// Says what is being done, while it lasts and with `-v`.
    pub fn note(&self, text: Text) {
        self.channel.report.doing(&self.settings.target, text);
    }

    /// A setting's variable, for hints.
    pub fn variable(&self, field: &str) -> String {
        self.settings.target.variable(field)
    }

    /// A setting that the declaration requires, so that it is there.
    pub fn required(&self, field: &str) -> Result<&Secret> {
        self.settings.secret(field).ok_or_else(|| {
            Error::new(Cause::MissingSetting, tr!("{variable} is not set", variable = self.variable(field)))
        })
    }

    fn learn(&self, object: &Json) {
        object.secrets().iter().for_each(|secret| self.channel.report.learn(secret));
    }
}
