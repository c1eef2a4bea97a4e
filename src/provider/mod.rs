//! The systems' protocols and nothing else: a provider sees a [`Context`], never the environment, stdout or the store.

mod context;

pub use context::Context;

use crate::declaration::{Settings, Spec};
use crate::error::{Error, Pending, Result, error};
use crate::http::response::{Json, Response};
pub use crate::session::Role;
use crate::session::Session;

macro_rules! providers {
    ($($module:ident $System:ident,)*) => {
        $(mod $module;)*

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum System {
            $($System),*
        }

        /// Every system, in the order in which people see them.
        pub static ALL: &[System] = &[$(System::$System),*];

        impl System {
            pub fn of(spec: &Spec) -> Self {
                let declares = |system: &&Self| system.spec().id == spec.id;
                *ALL.iter().find(declares).expect("only systems declare")
            }

            pub fn spec(self) -> &'static Spec {
                match self { $(Self::$System => &$module::SPEC),* }
            }

            pub fn probe(self) -> &'static Probe {
                match self { $(Self::$System => &$module::PROBE),* }
            }
        }

        impl Provider for System {
            fn prerequisite(&self, role: &Role, settings: &Settings) -> Option<Role> {
                match self { $(Self::$System => $module::$System.prerequisite(role, settings)),* }
            }

            async fn login(&self, context: &Context<'_>) -> Result<Session> {
                match self { $(Self::$System => $module::$System.login(context).await),* }
            }

            async fn renew(&self, context: &Context<'_>, session: &Session) -> Result<Renewed> {
                match self { $(Self::$System => $module::$System.renew(context, session).await),* }
            }

            async fn check(&self, context: &Context<'_>, session: &Session) -> Result<Life> {
                match self { $(Self::$System => $module::$System.check(context, session).await),* }
            }

            async fn revoke(&self, context: &Context<'_>, session: &Session) -> Result<Revocation> {
                match self { $(Self::$System => $module::$System.revoke(context, session).await),* }
            }

            fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
                match self { $(Self::$System => $module::$System.judge(answer, whole)),* }
            }

            fn takes_session(&self, query: &str, body: &[u8]) -> bool {
                match self { $(Self::$System => $module::$System.takes_session(query, body)),* }
            }

            fn explain(&self, answer: &Response) -> Option<Error> {
                match self { $(Self::$System => $module::$System.explain(answer)),* }
            }
        }
    };
}

systems!(providers);

pub fn specs() -> Vec<&'static Spec> {
    ALL.iter().map(|system| system.spec()).collect()
}

/// One system's protocol. What a system leaves out tells the truth: it cannot be done, or nobody knows.
#[allow(async_fn_in_trait, reason = "all work is done on one thread")]
pub trait Provider {
    /// Whose session must be had before `role` can log in; [`Context::prerequisite`] is that session.
    fn prerequisite(&self, _role: &Role, _settings: &Settings) -> Option<Role> {
        None
    }

    /// Logs in. An error says whether it is the prerequisite's session that the server refused.
    async fn login(&self, context: &Context<'_>) -> Result<Session>;

    /// Renews a session without a login, if [`Spec::renewal`] says that it can. An error does not say that it is dead.
    async fn renew(&self, _context: &Context<'_>, _session: &Session) -> Result<Renewed> {
        Ok(Renewed::Impossible)
    }

    /// Asks the server whether a session is alive. A dead session is not an error.
    async fn check(&self, _context: &Context<'_>, _session: &Session) -> Result<Life> {
        Ok(Life::Unknown)
    }

    /// Ends a session on the server. To have no way to do that is not an error.
    async fn revoke(&self, _context: &Context<'_>, _session: &Session) -> Result<Revocation> {
        Ok(Revocation::Unsupported)
    }

    /// What an answer to a request of the user's says of the session; `None` where only more of its body can
    /// tell, which cannot be once it is `whole`.
    fn judge(&self, answer: &Response, whole: bool) -> Option<Judgement> {
        by_status(answer, whole)
    }

    /// Whether a request of the user's takes the session: a login does not.
    fn takes_session(&self, _query: &str, _body: &[u8]) -> bool {
        true
    }

    /// What an answer to a request of the user's means, where it is more than its status says.
    fn explain(&self, _answer: &Response) -> Option<Error> {
        None
    }
}

/// What an answer says of the session of its request. Only the system's own word counts: no text somewhere in the body,
/// and nothing that stands before the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    Alive,
    /// It is dead, and the request was not carried out.
    Dead,
    /// The request was refused and not carried out, perhaps because the session is dead: [`Provider::check`] tells.
    Refused,
    /// The server failed, perhaps because the session is dead; part of the request may have been carried out.
    Unclear,
}

/// The error of a login that the system refused, with what it said.
fn refused_login(answer: &Response, said: Option<String>) -> Error {
    let error = error!(Refused: "{host} refused the login"; host = answer.host);
    error.said(&said.unwrap_or_default()).status(answer.status)
}

/// The judgement where nothing but the status is documented: 401 from the system itself.
fn by_status(answer: &Response, whole: bool) -> Option<Judgement> {
    match answer.status {
        401 if !whole => None,
        401 if !answer.asks_for_password() && !answer.is_markup() => Some(Judgement::Refused),
        _ => Some(Judgement::Alive),
    }
}

/// The judgement where the system refuses in an object of its own. A refusal counts only as the whole answer.
fn by_object(
    answer: &Response,
    whole: bool,
    refuses: fn(&Json) -> bool,
    refusal: Judgement,
) -> Option<Judgement> {
    match answer.arriving_object(whole)? {
        Some(object) if refuses(&object) => whole.then_some(refusal),
        _ => Some(Judgement::Alive),
    }
}

/// What a server says of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Alive,
    Dead,
    /// The server fails whenever it is asked with it. That proves nothing: the session is kept until there is another.
    Broken,
    /// No answer came in time: the server is busy with another request of the session.
    Busy,
    Unknown,
}

/// What became of a renewal. Without a session the next step is a login.
pub enum Renewed {
    Session(Box<Session>),
    /// The system says that what it was asked with is dead.
    Refused,
    Impossible,
}

/// What became of a session that was to be ended on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    Revoked,
    /// The server says that it had ended before.
    Ended,
    /// The server was asked and left it alive.
    StillAlive,
    Unsupported,
}

/// How `status --check` finds out, without a secret and without a login, what is at a URL.
pub struct Probe {
    /// The paths of its requests, the usual one first.
    pub requests: &'static [&'static str],
    /// Their `Accept`, where it is not `application/json`.
    pub accept: Option<&'static str>,
    /// Whether an object that answers shows that it is this system and no other.
    pub certain: fn(&Json) -> bool,
    /// Whether another answer may be its own, as far as its status goes.
    pub by_status: bool,
    /// Where the system may be installed when the URL itself shows another page.
    pub install_paths: &'static [&'static str],
    /// Asks whether the server knows the user. It may disturb a login of the same user.
    pub probe_user: Option<for<'a> fn(&'a Context<'a>) -> Pending<'a, ()>>,
}

impl Probe {
    /// The probe of a system of which nothing but a path is known.
    pub const BY_STATUS: Self = Self {
        requests: &[],
        accept: None,
        certain: |_| false,
        by_status: true,
        install_paths: &[],
        probe_user: None,
    };

    /// What an answer shows. An HTML page, and a path that does not exist, do not fit.
    pub fn recognise(&self, answer: &Response) -> Match {
        let page = answer.body.trim_ascii_start().starts_with(b"<");
        let fits = self.by_status && !page && !matches!(answer.status, 404 | 410 | 500..);
        match answer.any_object() {
            Some(object) if (self.certain)(&object) => Match::Certain,
            _ if fits => Match::Possible,
            _ => Match::No,
        }
    }
}

/// How well an answer fits the system that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// No other system answers so.
    Certain,
    Possible,
    No,
}
