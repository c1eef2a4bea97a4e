//! A request of the user's own with the session where the system wants it, and what its answer says of the session.

use url::Url;

use super::obtain::Active;
use crate::declaration::{BaseUrl, Placement, Target};
use crate::error::{Error, Result};
use crate::http::Request;
use crate::http::response::Response;
use crate::i18n::tr;
use crate::provider::{Judgement, Provider};
use crate::secret::percent;

/// How much of an answer is held back until it is known whether it refuses the session, in bytes. Refusals are short,
/// but PHP may print a lot before them.
const HELD_BACK_MAX: usize = 64 * 1024;

/// An answer, as much of it read as it takes to judge the session by it.
pub struct Answer {
    pub response: Response,
    pub judgement: Judgement,
    /// Why no more of it came.
    pub broken: Option<Error>,
}

impl Active<'_> {
    pub fn target(&self) -> &Target {
        self.account.target()
    }

    pub fn url(&self) -> &BaseUrl {
        &self.account.plan.url
    }

    /// The URL of a path below the target's URL, with the session where it is a part of that.
    pub fn place(&self, path: &str) -> Url {
        let token = self.session.token.expose();
        match self.target().spec.placement {
            Placement::Bearer => self.url().join(path),
            Placement::Query(name) => {
                let mut url = self.url().join(path);
                url.query_pairs_mut().append_pair(name, token);
                url
            }
            Placement::Path => self.url().join(&path.replace("{session}", &percent(token))),
        }
    }

    /// Sends a request to the target's origin and reads of its answer what must be held back. An answer that is cut
    /// short or longer than that does not refuse the session.
    pub async fn ask(&self, request: &Request) -> Result<Answer> {
        let account = &self.account;
        let _busy = account.busy(tr!("waiting for the answer"));
        let channel = account.services.channel(&account.known);
        let opened = channel.open(request).await;
        let mut response = opened.map_err(|error| account.explain(error))?;
        let mut whole = false;
        let mut broken = None;
        let judgement = loop {
            if let Some(judgement) = account.provider.judge(&response, whole) {
                break judgement;
            }
            if whole || response.body.len() >= HELD_BACK_MAX {
                break Judgement::Alive;
            }
            match response.next().await {
                Ok(Some(part)) => response.body.extend_from_slice(&part),
                Ok(None) => whole = true,
                Err(error) => {
                    broken = Some(error);
                    break Judgement::Alive;
                }
            }
        };
        Ok(Answer {
            response,
            judgement,
            broken,
        })
    }
}
