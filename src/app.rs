//! The one workflow that every verb shares: find the settings, obtain what must be had first, log in.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{self, Found, Plan, Sources};
use crate::error::{Cause, Error, Pending, Result};
use crate::http::{Channel, Http};
use crate::provider::{self, Context, Provider, Role};
use crate::report::Report;
use crate::session::Session;
use crate::spec::{BaseUrl, Kind, Settings, Target};

/// What a run works with.
pub struct App {
    /// Where people read what goes on.
    pub report: Rc<Report>,
    /// The HTTP clients.
    pub http: Http,
    /// Where settings come from.
    pub sources: Sources,
    /// How long one target may take until its session is in hand.
    pub timeout: Duration,
}

/// A target with its session.
pub struct Login {
    /// The target.
    pub target: Target,
    /// Its base URL.
    pub url: BaseUrl,
    /// Its session.
    pub session: Session,
}

impl App {
    /// A new session for a target, now; as somebody else if `person` names one.
    ///
    /// # Errors
    /// Every cause but those of output; the target is named and a next step is given.
    pub async fn login(&self, target: &Target, person: Option<&str>) -> Result<Login> {
        let deadline = Instant::now().checked_add(self.timeout).unwrap_or_else(Instant::now);
        let work = async {
            let plan = config::find(target, &self.sources)?;
            for note in plan.notes() {
                self.report.note(Some(target), &note);
            }
            let hints = Hints::of(&plan);
            let (url, session) = self.open(plan, person, deadline).await.map_err(|error| hints.add(error))?;
            Ok(Login { target: target.clone(), url, session })
        };
        work.await.map_err(|error: Error| error.target(&target.to_string()))
    }

    async fn open(&self, plan: Plan, person: Option<&str>, deadline: Instant) -> Result<(BaseUrl, Session)> {
        let role = role(&plan.target, person)?;
        let settings = plan.reveal(deadline.saturating_duration_since(Instant::now())).await?;
        settings.secrets().for_each(|secret| self.report.learn(secret));
        let provider = provider::of(settings.target.spec)
            .ok_or_else(|| Error::new(Cause::Other, "no provider declares this target"))?;
        let channel = Channel {
            http: &self.http,
            report: &self.report,
            target: &settings.target,
            url: &settings.url,
            allow_http: settings.flag("ALLOW_HTTP"),
            allow_proxy: settings.flag("ALLOW_PROXY"),
            deadline,
            timeout: self.timeout,
        };
        let session = self.obtain(provider, &settings, &channel, role).await?;
        Ok((settings.url, session))
    }

    /// The session of `role`, and before it the session that its login must carry.
    fn obtain<'a>(
        &'a self,
        provider: &'a dyn Provider,
        settings: &'a Settings,
        channel: &'a Channel<'a>,
        role: Role,
    ) -> Pending<'a, Session> {
        Box::pin(async move {
            let prior = match provider.prerequisite(&role, settings) {
                Some(first) => Some(self.obtain(provider, settings, channel, first).await?),
                None => None,
            };
            let context = Context { settings, role, prior: prior.as_ref(), channel };
            let session = provider.login(&context).await?;
            self.report.learn(&session.token);
            Ok(session)
        })
    }
}

fn role(target: &Target, person: Option<&str>) -> Result<Role> {
    match person {
        None => Ok(Role::User),
        Some(_) if !target.spec.impersonation => {
            let able: Vec<_> =
                provider::specs().iter().filter(|spec| spec.impersonation).map(|spec| spec.id).collect();
            let message = format!("{} cannot log in as somebody else", target.spec.product);
            Err(Error::new(Cause::Usage, message).hint(format!("--as works with {}", able.join(", "))))
        }
        Some(person) => Ok(Role::As(person.to_owned())),
    }
}

/// The next steps that a target's settings suggest, taken before the settings are consumed.
struct Hints {
    url: String,
    credentials: Vec<String>,
}

impl Hints {
    fn of(plan: &Plan) -> Self {
        let name = |field: &str| {
            plan.found(field).map_or_else(|| plan.target.variable(field), |found| found.variable.clone())
        };
        let credential = |found: &&Found| matches!(found.field.kind, Kind::Text | Kind::Secret | Kind::Token);
        let credentials = plan.found.iter().filter(credential).map(|found| found.variable.clone()).collect();
        Self { url: name("URL"), credentials }
    }

    /// Adds a next step where the one who failed knew none.
    fn add(&self, error: Error) -> Error {
        let url = &self.url;
        let hint = match error.cause {
            Cause::Refused => format!("check {}", list(&self.credentials)),
            Cause::Locked => {
                "it will not help to try again; ask its administrator to unlock the account".to_owned()
            }
            Cause::Dns | Cause::Connect | Cause::NotHttp | Cause::Tls => {
                format!("is {url} right, and is the server up?")
            }
            Cause::Certificate => format!("is the host in {url} the right one?"),
            Cause::ConnectTimeout => format!("is {url} right, and does a firewall or a VPN stand between?"),
            Cause::Proxy => "check https_proxy, or name the host in no_proxy".to_owned(),
            Cause::Timeout | Cause::ServerTimeout => {
                "try again, or allow more time with --timeout SECONDS".to_owned()
            }
            Cause::Closed | Cause::Unavailable | Cause::RateLimited => "try again later".to_owned(),
            Cause::Redirect => format!("no redirect is followed; if that place is right, set {url} to it"),
            Cause::NotFound
            | Cause::Html
            | Cause::BadAnswer
            | Cause::BadToken
            | Cause::TooLarge
            | Cause::Status => {
                format!("is {url} the base URL of this system?")
            }
            _ => return error,
        };
        error.hint(hint)
    }
}

/// `A`, `A and B`, `A, B and C`.
fn list(names: &[String]) -> String {
    match names {
        [] => "the credentials".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
