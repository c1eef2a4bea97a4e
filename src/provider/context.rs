//! What a provider works with: a target's settings and the way to its server.

use super::Role;
use crate::declaration::{FORM, Settings};
use crate::error::{Result, error};
use crate::http::response::{Json, Response};
use crate::http::{Channel, Effect, Request};
use crate::i18n::Text;
use crate::secret::{Fields, Secret};
use crate::session::Session;

pub struct Context<'a> {
    pub settings: &'a Settings,
    pub role: Role,
    /// The session of the role that [`super::Provider::prerequisite`] names.
    pub prerequisite: Option<&'a Session>,
    pub channel: Channel<'a>,
}

impl Context<'_> {
    /// Sends a request. What [`Context::admit`] refuses is an error; the rest is the provider's to judge, whatever its
    /// status. Tokens in the answer are learnt.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let answer = self.ask(request).await?;
        self.admit(&answer)?;
        Ok(answer)
    }

    /// [`Context::send`] for a provider that judges redirects itself before it [admits](Context::admit) the answer.
    pub async fn ask(&self, request: &Request) -> Result<Response> {
        let answer = self.channel.send(request).await?;
        for secret in answer.any_object().iter().flat_map(Json::secrets) {
            self.channel.report.learn(&secret);
        }
        Ok(answer)
    }

    /// A question that changes nothing on the server, to it and not to a cache.
    pub fn question(&self, path: &str) -> Request {
        let request = Request::get(self.settings.url.join(path)).no_cache();
        request.effect(Effect::None)
    }

    /// A POST of fields, as the content's type has them.
    pub fn post(&self, path: &str, content_type: &str, fields: &Fields) -> Request {
        let (url, secrets) = (self.settings.url.join(path), &fields.secrets);
        match content_type {
            FORM => Request::post(url, FORM, fields.form(), secrets),
            other => Request::post(url, other, fields.json(), secrets),
        }
    }

    /// Refuses a redirect, and an answer that comes from something in front of the system.
    pub fn admit(&self, answer: &Response) -> Result<()> {
        let spec = self.settings.target.spec;
        let in_front = || answer.refused_in_front(spec.refuses_in_json);
        answer.redirected().or_else(in_front).map_or(Ok(()), Err)
    }

    /// The JSON object of a successful answer. Look for a refusal before: real servers refuse with 200, 401 and 500.
    pub fn json(&self, answer: &Response) -> Result<Json> {
        let object = answer.object()?;
        let oddities = object.oddities.iter().cloned();
        oddities.for_each(|oddity| self.warn(oddity));
        Ok(object)
    }

    pub fn warn(&self, text: Text) {
        self.channel.report.warn(Some(&self.settings.target), text);
    }

    /// Says what is being done, while it lasts and with `-v`.
    pub fn note(&self, text: Text) {
        self.channel.report.doing(&self.settings.target, text);
    }

    pub fn variable(&self, field: &str) -> String {
        self.settings.target.variable(field)
    }

    /// A setting that the declaration requires, so that it is there.
    pub fn required(&self, field: &str) -> Result<&Secret> {
        self.settings.secret(field).ok_or_else(|| {
            let variable = self.variable(field);
            error!(MissingSetting: "{variable} is not set"; variable)
        })
    }
}
