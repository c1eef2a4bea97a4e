//! Why a target has no usable session: found out step by step, without a secret and without a login.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::App;
use super::account::Account;
use super::hints::Hints;
use crate::declaration::{BaseUrl, Target};
use crate::error::{Cause, Error, Result};
use crate::http::Channel;
use crate::http::response::Response;
use crate::i18n::tr;
use crate::provider::{self, Context, Look, Provider, Role};

/// A clock that is off by more than this explains what goes wrong with sessions.
const SKEW: SignedDuration = SignedDuration::from_secs(300);

impl App {
    /// Why a target has no usable session, the first cause that is found: its server cannot be reached, another
    /// system answers at its URL, somebody else is logging in, the server does not know the user, a clock is wrong, or
    /// nobody has logged in yet. `stored` says that a session is stored which will not do. No secret is sent.
    pub async fn diagnose(&self, target: &Target, stored: bool) -> Error {
        let work = async {
            let account = self.account(target).await?;
            let hints = Hints::of(&account.plan);
            let _busy = self.report.busy(&target.to_string(), tr!("looking what answers at the URL"));
            let look = self.examine(&account).await.map_err(|error| hints.add(error))?;
            let message = match (look, stored) {
                (Look::Own, false) => tr!("the server is the right one, and nobody is logged in"),
                (Look::Own, true) => tr!("the server is the right one, and the session must be replaced"),
                _ => tr!(
                    "something answers at {url}; whether it is a {product}, only a login can tell",
                    url = account.plan.url,
                    product = target.spec.product
                ),
            };
            Ok(Error::new(Cause::NoSession, message).hint(match stored {
                true => tr!("`crmauth token {target}` gets another one", target),
                false => tr!("`crmauth login {target}` tries the credentials", target),
            }))
        };
        let found: Result<Error> = work.await;
        found.unwrap_or_else(|error| error).target(&target.to_string())
    }

    /// What the system at the target's URL looks like, where nothing is wrong.
    async fn examine(&self, account: &Account<'_>) -> Result<Look> {
        let settings = account.plan.known();
        let channel = self.channel(account, &settings);
        let url = &account.plan.url;
        let (look, answer) = knock(account.provider, &channel, url).await?;
        if look == Look::Other {
            return Err(self.whoever_answers(account, &channel).await);
        }
        if let Some(missing) = &account.plan.missing {
            return Err(missing.clone());
        }
        let context = Context::new(&settings, Role::User, &channel);
        if let Some(greeting) = account.provider.greet(&context) {
            // Nobody else's login is disturbed: with one under way it is known why there is no session.
            let soon = account.deadline.min(Instant::now() + self.timeout / 4);
            let lock = self.store.lock(&account.key(&Role::User), soon).await?;
            let greeted = greeting.await;
            self.release(lock).await;
            greeted?;
        }
        clock(answer.date)?;
        Ok(look)
    }

    /// What answers in the place of a target's system.
    async fn whoever_answers(&self, account: &Account<'_>, channel: &Channel<'_>) -> Error {
        let (url, spec) = (&account.plan.url, account.target.spec);
        let variable = account
            .plan
            .found("URL")
            .map_or_else(|| account.target.variable("URL"), |url| url.variable.clone());
        let product = spec.product;
        let wrong = |message| Error::new(Cause::WrongProduct, message);
        for folder in account.provider.folders() {
            let Ok(below) = BaseUrl::parse(&format!("{url}/{folder}"), "") else { continue };
            if let Ok((Look::Own, _)) = knock(account.provider, channel, &below).await {
                let message = tr!("{url} is a {product}, and its URL needs /{folder}", url, product, folder);
                return wrong(message).hint(tr!("set {variable} to {below}", variable, below));
            }
        }
        for other in provider::ALL.iter().filter(|other| other.spec().id != spec.id) {
            if let Ok((Look::Own, _)) = knock(*other, channel, url).await {
                let other = other.spec();
                let message = tr!(
                    "{url} looks like a {other}, not like a {product}",
                    url,
                    other = other.product,
                    product
                );
                return wrong(message).hint(tr!(
                    "set {variable} to the URL of {product}; this one may belong in {other}_URL",
                    variable,
                    product,
                    other = other.prefix()
                ));
            }
        }
        wrong(tr!("nothing at {url} answers like a {product}", url, product)).hint(tr!(
            "is {variable} the base URL of this system, as in {example}?",
            variable,
            example = spec.example_url
        ))
    }
}

/// Asks at a URL for a system, and looks at what answers.
async fn knock(provider: &dyn Provider, channel: &Channel<'_>, url: &BaseUrl) -> Result<(Look, Response)> {
    let mut first = None;
    for request in provider.knocks(url) {
        let answer = channel.send(&request).await?;
        if matches!(answer.status, 300..400 | 407 | 408 | 429 | 502..=504) {
            // It says itself what is wrong.
            answer.object(|_| None)?;
        }
        let look = provider.look(&answer);
        if look != Look::Other {
            return Ok((look, answer));
        }
        first.get_or_insert(answer);
    }
    let answer = first.ok_or_else(|| Error::new(Cause::Other, tr!("there is no way to ask")))?;
    Ok((Look::Other, answer))
}

/// Whether this machine and the server agree on the time.
fn clock(server: Option<Timestamp>) -> Result<()> {
    let Some(server) = server else { return Ok(()) };
    let ahead = server.duration_since(Timestamp::now());
    if ahead.abs() <= SKEW {
        return Ok(());
    }
    let minutes = ahead.abs().as_mins();
    let message = match ahead.is_positive() {
        true => tr!("this machine's clock is {minutes} min behind the server's", minutes),
        false => tr!("this machine's clock is {minutes} min ahead of the server's", minutes),
    };
    Err(Error::new(Cause::Clock, message)
        .hint(tr!("set the clock, best by NTP, or tell whoever runs the server")))
}
