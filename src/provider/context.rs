//! What a provider works with: a target's settings and the way to its server.

use std::cell::Cell;

use super::Role;
use crate::declaration::Settings;
use crate::error::{Cause, Error, Result};
use crate::http::response::{self, Json, Response};
use crate::http::{Channel, Request};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::session::Session;

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
