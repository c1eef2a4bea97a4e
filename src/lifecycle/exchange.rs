//! A request of the user's own with the session where the system wants it, and what its answer says of the session.

use super::account::Account;
use super::obtain::{Active, Part, Want};
use crate::declaration::{BaseUrl, Placement, Target};
use crate::error::{Cause, Error, Result};
use crate::http::Request;
use crate::http::response::Response;
use crate::i18n::tr;
use crate::provider::{Judgement, Provider};
use crate::secret::percent;

/// How many bytes of an answer are held back until it is judged. Refusals are short, but PHP may print a lot before.
const HELD_BACK_MAX: usize = 64 * 1024;
/// How much of the end of a longer one is kept.
const TAIL: usize = 512;

/// An answer, as much of it read as it takes to judge the session by it.
pub struct Answer {
    pub response: Response,
    pub judgement: Judgement,
    /// Why no more of it came.
    pub broken: Option<Error>,
    /// Whether all that has come of the body is kept, and is short enough to be a refusal.
    pub whole: bool,
    changes: bool,
}

impl Answer {
    /// The next part of the body, which is not kept; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        match self.broken.take() {
            Some(error) => Err(error),
            None => self.response.next().await,
        }
    }

    /// Keeps what comes of the body later, or the beginning and the end where there is too much of it.
    pub fn keep(&mut self, part: &[u8]) {
        let body = &mut self.response.body;
        body.extend_from_slice(part);
        if body.len() > HELD_BACK_MAX + TAIL {
            body.drain(HELD_BACK_MAX..body.len() - TAIL);
            self.whole = false;
        }
    }

    /// One that says nothing of the session, since its request carried none.
    pub fn sessionless(response: Response) -> Self {
        Self {
            response,
            judgement: Judgement::Alive,
            broken: None,
            whole: true,
            changes: false,
        }
    }

    /// Whether its request may be sent once more with another session: nothing was done, or it changes nothing.
    pub fn may_be_repeated(&self) -> bool {
        self.judgement != Judgement::Unclear || !self.changes
    }

    pub fn doubt(&self, error: Error) -> Error {
        doubt(error, self.changes)
    }
}

/// Says of a request that `changes` something that it may have done so, where bytes of it had left.
fn doubt(error: Error, changes: bool) -> Error {
    use Cause::{BadAnswer, Closed, Other, Timeout, TooLarge};
    use Cause::{RateLimited, ServerTimeout, Status, Unavailable};
    match error.cause {
        Timeout | Closed | BadAnswer | TooLarge | Other if changes => error.in_doubt(),
        ServerTimeout | RateLimited | Unavailable if changes => error.in_doubt(),
        Status if changes && !matches!(error.http_status, None | Some(300..500)) => {
            error.in_doubt()
        }
        _ => error,
    }
}

impl<'a> Active<'a> {
    /// Sends a request and judges the session by the answer. A dead one is replaced, and the request sent once more
    /// unless it may have been carried out and changes something. The error says why there is no other session.
    pub async fn exchange(
        self,
        make: impl Fn(&Active<'_>) -> Request,
    ) -> Result<(Active<'a>, Answer, Option<Error>)> {
        let answer = self.ask(&make(&self)).await?;
        if answer.judgement == Judgement::Alive {
            return Ok((self, answer, None));
        }
        let account = self.account.again();
        account.note(tr!("the answer looks like that of a dead session"));
        let want = Want::InsteadOf {
            suspect: Box::new(self.session.clone()),
            dead: answer.judgement == Judgement::Dead,
        };
        match account.session(&want).await {
            Ok(fresh) if fresh.session.token == self.session.token => Ok((self, answer, None)),
            Ok(fresh) if !answer.may_be_repeated() => {
                fresh.account.warn_not_repeated();
                Ok((self, answer, None))
            }
            Ok(fresh) => {
                let answer = fresh.ask(&make(&fresh)).await?;
                Ok((fresh, answer, None))
            }
            Err(error) => {
                let why = error.message;
                let message = tr!("the session could not be replaced: {why}"; why);
                let lost = doubt(Error { message, ..error }, !answer.may_be_repeated());
                Ok((self, answer, Some(lost)))
            }
        }
    }

    /// The same session for another request, which has `--timeout` of its own.
    #[must_use]
    pub fn again(self) -> Self {
        let account = self.account.again();
        Self { account, ..self }
    }

    pub fn target(&self) -> &Target {
        self.account.target()
    }

    pub fn stored_in(&self) -> Option<String> {
        (self.part == Part::Kept).then(|| self.account.store().place())
    }

    pub fn url(&self) -> &BaseUrl {
        &self.account.plan.url
    }

    /// The URL of a path below the target's URL, with the session where it is a part of that.
    pub fn place(&self, path: &str) -> url::Url {
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

    async fn ask(&self, request: &Request) -> Result<Answer> {
        let _busy = self.account.busy(tr!("waiting for the answer"));
        self.account.try_once(request).await
    }
}

impl Account<'_> {
    pub fn warn_not_repeated(&self) {
        self.warn(tr!("there is a new session now, but the request is not repeated, since it may have taken effect"));
    }

    /// Sends a request to the target's origin and reads the head of its answer.
    pub async fn open(&self, request: &Request) -> Result<Response> {
        let channel = self.services.channel(&self.known);
        let opened = channel.open(request).await;
        opened.map_err(|error| doubt(self.explain(error), request.changes()))
    }

    /// Sends a request with a session, and judges the session by as much of the answer as must be held back. One that
    /// is cut short or longer than that does not refuse the session.
    pub async fn try_once(&self, request: &Request) -> Result<Answer> {
        let mut answer = Answer::sessionless(self.open(request).await?);
        answer.changes = request.changes();
        let mut ended = false;
        while answer.broken.is_none() {
            let response = &mut answer.response;
            if response.body.len() > HELD_BACK_MAX {
                answer.whole = false;
                break;
            }
            if let Some(judgement) = self.provider.judge(response, ended) {
                answer.judgement = judgement;
                break;
            }
            if ended {
                break;
            }
            match response.next().await {
                Ok(Some(part)) => response.body.extend_from_slice(&part),
                Ok(None) => ended = true,
                Err(error) => answer.broken = Some(error),
            }
        }
        Ok(answer)
    }
}
