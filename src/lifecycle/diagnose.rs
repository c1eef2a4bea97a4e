//! Why a target has no usable session, found step by step without a secret or a login; the next step after an error.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::Account;
use super::freshness::Stale;
use crate::declaration::{BaseUrl, Settings};
use crate::error::{Cause, Error, Result, error};
use crate::http::{Channel, Request};
use crate::i18n::{self, Text, span, tr};
use crate::provider::{self, Life, Match, Provider, System};

/// A clock that is off by more than this explains what goes wrong with sessions.
const SKEW: SignedDuration = SignedDuration::from_secs(300);

const LOOK: Duration = Duration::from_secs(10);

impl Account<'_> {
    /// Why there is no usable session: the first cause found. One may be `stored` that will not do; `life` is its own.
    pub async fn diagnose(&self, stored: bool, life: Option<Life>) -> Error {
        let target = self.target();
        let error = match life {
            Some(Life::Dead) => error!(NoSession: "the server has ended the session" =>
                hint "`crmauth login {target}` gets a new one"; target),
            Some(Life::Broken) => error!(NoSession:
                "the server fails whenever it is asked with the session" =>
                hint "`crmauth token {target}` gets a new one"; target),
            Some(Life::Busy) => Error::new(Cause::NoSession, Stale::Busy.text()).hint(tr!(
                "wait for that request; each job that logs in for itself has a session of its own"
            )),
            _ => match self.examine().await {
                Ok(look) => self.told_by(look, stored),
                Err(error) => return self.explain(error),
            },
        };
        error.target(&target.to_string())
    }

    fn told_by(&self, look: Match, stored: bool) -> Error {
        let (target, url) = (self.target(), &self.plan.url);
        let why = match (look, stored) {
            (Match::Certain, false) => tr!("the server is the right one; there is no session yet"),
            (Match::Certain, true) => {
                tr!("the server is the right one, and the session must be replaced")
            }
            _ => tr!(
                "something answers at {url}, but only a login can tell whether it is {product}";
                url, product = target.spec.product),
        };
        Error::new(Cause::NoSession, why).hint(match stored {
            true => tr!("`crmauth token {target}` gets another one"; target),
            false => tr!("`crmauth login {target}` tries the credentials"; target),
        })
    }

    async fn examine(&self) -> Result<Match> {
        if let (Some(missing), None) = (&self.plan.missing, self.plan.found("URL")) {
            return Err(missing.clone());
        }
        let _busy = self.busy(tr!("checking what answers at the URL"));
        let context = self.context(&self.known);
        let found = seek(self.provider, &context.channel, &self.url_variable()).await;
        let (look, date) = found.map_err(|(error, _)| error)?;
        if let Some(missing) = &self.plan.missing {
            return Err(missing.clone());
        }
        if let Some(probe_user) = self.provider.probe().probe_user {
            // Nobody else's login is disturbed: if one is under way, it is known why there is no session.
            let quarter = tokio::time::Instant::now() + self.services.timeout / 4;
            let probe = async |_: &crate::store::Lock| probe_user(&context).await;
            self.locked(self.deadline.min(quarter), probe).await?;
        }
        compare_clocks(date)?;
        Ok(look)
    }

    /// Adds the target's name and, where whoever failed knew no next step, one that the settings suggest.
    pub fn explain(&self, error: Error) -> Error {
        let error = error.target(&self.target().to_string());
        // A stored session may be of a target that is not configured here.
        if self.plan.found("URL").is_none() {
            return error;
        }
        let about = error.about;
        let credentials = || self.credentials(about);
        with_next_step(error, &self.url_variable(), &self.plan.url, credentials)
    }

    fn url_variable(&self) -> String {
        let found = self.plan.found("URL").map(|found| found.written.clone());
        found.unwrap_or_else(|| self.target().variable("URL"))
    }

    fn credentials(&self, about: &[&str]) -> Text {
        let found = self.plan.found.iter().filter(|found| {
            let field = found.field;
            field.credential() && (about.is_empty() || about.contains(&field.name))
        });
        let names: Vec<&str> = found.map(|found| found.written.as_str()).collect();
        match names.is_empty() {
            true => tr!("the credentials"),
            false => i18n::and(&names),
        }
    }
}

impl super::services::Services {
    /// Looks what answers at a URL before anybody types a secret for it.
    pub async fn look(&self, settings: &Settings) -> Result<Option<Lost>> {
        let (target, timeout) = (&settings.target, self.timeout.min(LOOK));
        let text = tr!("checking what answers at the URL");
        let _busy = self.report.busy(target, text);
        let channel = Channel {
            deadline: crate::files::deadline(timeout),
            timeout,
            ..self.channel(settings)
        };
        let variable = &target.variable("URL");
        let Err((error, below)) = seek(System::of(target.spec), &channel, variable).await else {
            return Ok(None);
        };
        // No credential has been asked for yet.
        let error = with_next_step(error, variable, &settings.url, Text::default);
        Ok(Some((error, below)))
    }
}

/// What is wrong with a URL, and the one above or below it that seems to be meant.
pub type Lost = (Error, Option<BaseUrl>);

type Look = (Match, Option<Timestamp>);

/// Asks for a system at a URL, and where it is not there, finds out what is.
async fn seek(system: System, channel: &Channel<'_>, variable: &str) -> Result<Look, Lost> {
    let (url, product) = (&channel.settings.url, system.spec().product);
    let error = match knock(system, channel, url).await {
        Ok((Match::No, _)) => None,
        Err(error) if error.cause == Cause::Redirect => Some(error),
        // One with a next step of its own knows better.
        Err(error) if error.cause == Cause::NotFound && error.hint.is_none() => Some(error),
        found => return found.map_err(|error| (error, None)),
    };
    // A URL that was copied from a browser has a page's path, too.
    let above = std::iter::successors(Some(url.clone()), |url| {
        BaseUrl::parse(url.to_string().rsplit_once('/')?.0).ok()
    });
    let redirected = matches!(&error, Some(error) if error.cause == Cause::Redirect);
    let folders = system.probe().install_paths.iter().filter(|_| !redirected);
    let below = folders.filter_map(|folder| BaseUrl::parse(&format!("{url}/{folder}")).ok());
    let mut perhaps = None;
    for found in above.skip(1).take(3).chain(below) {
        match knock(system, channel, &found).await {
            Ok((Match::Certain, _)) => {
                let error = error!(WrongProduct: "{product} answers at {found}, not at {url}"; product, found, url =>
                    hint "set {variable} to {found}"; variable, found);
                return Err((error, Some(found)));
            }
            Ok((Match::Possible, _)) => perhaps = perhaps.or(Some(found)),
            _ => {}
        }
    }
    let error = match error {
        Some(error) => error,
        None => wrong_product(system, channel, variable).await,
    };
    Err((error, perhaps))
}

async fn wrong_product(system: System, channel: &Channel<'_>, variable: &str) -> Error {
    let (url, spec) = (&channel.settings.url, system.spec());
    let product = spec.product;
    for other in provider::ALL.iter().filter(|other| **other != system) {
        if let Ok((Match::Certain, _)) = knock(*other, channel, url).await {
            let other = other.spec();
            let (name, other) = (other.product, other.prefix());
            return error!(WrongProduct: "{url} looks like {other}, not like {product}"; url, other = name, product =>
                hint "set {variable} to the URL of {product}; this one may belong in {other}_URL";
                variable, product, other);
        }
    }
    error!(WrongProduct: "nothing at {url} answers like {product}"; url, product =>
        hint "is {variable} the base URL of this system, as in {example}?"; variable, example = spec.example_url)
}

/// Asks at a URL for a system, until an answer looks like one of it, or says itself what is wrong.
async fn knock(system: System, channel: &Channel<'_>, url: &BaseUrl) -> Result<Look> {
    let probe = system.probe();
    let mut last = None;
    for path in probe.requests {
        let mut request = Request::get(url.join(path)).no_cache();
        if let Some(accept) = probe.accept {
            request = request.accept(accept);
        }
        let answer = channel.send(&request).await?;
        let fit = probe.recognise(&answer);
        if fit == Match::Certain {
            return Ok((fit, answer.date));
        }
        match system.explain(&answer).or_else(|| told(system, &answer)) {
            // Another path may lead to it.
            Some(error) if error.cause == Cause::NotFound => last = Some(error),
            Some(error) => return Err(error),
            None if fit == Match::Possible => return Ok((fit, answer.date)),
            None => {
                // So web servers refuse what is not TLS at a port of theirs for that.
                let plain = url.origin().starts_with("http://");
                let refused = plain && answer.status == 400 && answer.any_object().is_none();
                last = refused.then(|| answer.object().err()).flatten();
            }
        }
    }
    last.map_or(Ok((Match::No, None)), Err)
}

/// What an answer says is wrong, whatever system was asked for; a login would say the same.
fn told(system: System, answer: &crate::http::response::Response) -> Option<Error> {
    let in_front = answer.refused_in_front(system.spec().refuses_in_json);
    let tells = match answer.status {
        200 => answer.body.trim_ascii().is_empty() || answer.crashed(),
        403 => answer.any_object().is_none(),
        status => matches!(status, 300..400 | 407 | 408 | 413 | 429 | 500..),
    };
    in_front.or_else(|| tells.then(|| answer.object().err())?)
}

fn compare_clocks(server: Option<Timestamp>) -> Result<()> {
    let Some(server) = server else { return Ok(()) };
    let ahead = server.duration_since(Timestamp::now());
    if ahead.abs() <= SKEW {
        return Ok(());
    }
    let skew = span(ahead.abs().as_secs());
    let hint = tr!("set the clock, best by NTP, or tell the server's administrator");
    let why = match ahead.is_positive() {
        true => tr!("this machine's clock is {skew} behind the server's"; skew),
        false => tr!("this machine's clock is {skew} ahead of the server's"; skew),
    };
    Err(Error::new(Cause::Clock, why).hint(hint))
}

/// Adds the next step where whoever failed knew none. `url` is the variable that the base URL is set by, or would be.
fn with_next_step(
    error: Error,
    url: &str,
    base: &BaseUrl,
    credentials: impl Fn() -> Text,
) -> Error {
    use Cause::{BadAnswer, BadToken, Html, NotFound, Status, TooLarge};
    // Where the system itself has answered, the URL is right.
    let own = error.said.is_some() || error.http_status.is_some_and(|status| status >= 500);
    let plain = base.origin().starts_with("http://");
    let hint = match error.cause {
        Cause::Closed if plain => tr!(
            "try again later; if the server speaks TLS, {url} must begin with https://"; url),
        Status if plain && error.http_status == Some(400) && !own => tr!(
            "if the server speaks TLS, {url} must begin with https://"; url),
        Cause::Refused => tr!("check {settings}"; settings = credentials()),
        Cause::Locked => {
            tr!("trying again will not help; ask its administrator to unlock the account")
        }
        Cause::Tls => tr!(
            "is {url} right, or is it an http:// server? For a private address write {url}='{plain}'";
            url, plain = base.to_string().replacen("https:", "http:", 1)),
        Cause::Dns | Cause::Connect | Cause::NotHttp => tr!(
            "is {url} right, and is the server up?"; url),
        Cause::Certificate => tr!("is the host in {url} the right one?"; url),
        Cause::ConnectTimeout => tr!(
            "is {url} right? A firewall or a missing VPN may be in the way"; url),
        Cause::ProxyRefused => tr!(
            "ask the proxy's administrator, or name the host in no_proxy; https_proxy takes a user and a password as \
            http://USER:PASSWORD@HOST:PORT"
        ),
        Cause::Proxy => tr!("check https_proxy, or name the host in no_proxy"),
        Cause::Timeout | Cause::ServerTimeout => {
            tr!("try again, or allow more time with --timeout SECONDS")
        }
        Cause::Closed | Cause::Unavailable | Cause::RateLimited => tr!("try again later"),
        Cause::Redirect => tr!(
            "redirects are not followed; if that address is right, set {url} to it"; url),
        BadAnswer | Status | Cause::Rejected if own => {
            tr!("the server itself has answered; its log, or its administrator, can say more")
        }
        NotFound | Html | BadAnswer | BadToken | TooLarge | Status => tr!(
            "is {url} the base URL of this system?"; url),
        _ => return error,
    };
    error.hint(hint)
}
