//! Keeps one target's session for all clients: whoever needs another one asks the keeper, which obtains one at a time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use crate::declaration::Placement;
use crate::error::{Error, Result, error};
use crate::http::{self, HeaderValue};
use crate::lifecycle::{Account, Active, Want};
use crate::provider::Life;

/// For how long a refused login is not tried again: some systems lock an account after a few.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// A target with the session that its clients share.
pub(super) struct Door<'a> {
    /// The target as it was typed, and as it stands in its URL.
    pub(super) name: String,
    pub(super) account: Account<'a>,
    min_ttl: Duration,
    current: RefCell<Option<Rc<Held<'a>>>>,
    asks: mpsc::UnboundedSender<Ask<'a>>,
    asked: Mutex<mpsc::UnboundedReceiver<Ask<'a>>>,
}

pub(super) struct Held<'a> {
    pub(super) login: Active<'a>,
    /// The header that carries the session, where one does.
    pub(super) authorization: Option<HeaderValue>,
    seen: Cell<Timestamp>,
}

/// A session, and whether it was made for whoever asked.
pub(super) type Given<'a> = (Rc<Held<'a>>, bool);

/// What a request asks of the keeper.
struct Ask<'a> {
    at: Instant,
    want: Want,
    reply: oneshot::Sender<Result<Given<'a>>>,
}

/// What the keeper remembers of what went wrong.
#[derive(Default)]
struct Past {
    /// What every request gets until then.
    refused: Option<(Instant, Error)>,
    /// What those get who have waited since before.
    failed: Option<(Instant, Error)>,
    /// Whether the last session that was replaced had died young.
    died_young: bool,
}

impl<'a> Held<'a> {
    fn new(login: Active<'a>) -> Result<Self> {
        let authorization = match login.target().spec.placement {
            Placement::Bearer => Some(http::authorization(&login.session.token)?),
            Placement::Path | Placement::Query(_) => None,
        };
        Ok(Self {
            login,
            authorization,
            seen: Cell::new(Timestamp::now()),
        })
    }

    pub(super) fn saw(&self) {
        self.seen.set(Timestamp::now());
    }

    fn is_fresh(&self, min_ttl: Duration) -> bool {
        self.login.is_fresh(self.seen.get(), min_ttl)
    }

    fn is_young(&self) -> bool {
        let age = Timestamp::now().duration_since(self.login.session.obtained_at);
        age.unsigned_abs() < REFUSED_FOR
    }
}

impl<'a> Door<'a> {
    pub(super) fn new(account: Account<'a>, min_ttl: Duration) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        Self {
            name: account.target().to_string(),
            account,
            min_ttl,
            current: RefCell::default(),
            asks,
            asked: asked.into(),
        }
    }

    pub(super) async fn session(&self) -> Result<Given<'a>> {
        let current = self.current.borrow().clone();
        match current.filter(|held| held.is_fresh(self.min_ttl)) {
            Some(held) => Ok((held, false)),
            None => self.ask(Want::Usable(self.min_ttl)).await,
        }
    }

    /// Another session in place of one that may be dead; the same one if it is not.
    pub(super) async fn instead_of(&self, held: &Held<'a>, dead: bool) -> Result<Given<'a>> {
        let suspect = Box::new(held.login.session.clone());
        self.ask(Want::InsteadOf { suspect, dead }).await
    }

    /// Asks the keeper. A client that goes away meanwhile interrupts no login.
    async fn ask(&self, want: Want) -> Result<Given<'a>> {
        let gone = || error!(Other: "the gateway is shutting down");
        let (reply, replied) = oneshot::channel();
        let at = Instant::now();
        let ask = Ask { at, want, reply };
        self.asks.send(ask).map_err(|_| gone())?;
        replied.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Serves those who ask, one after the other.
    pub(super) async fn keep(&self) {
        let mut asked = self.asked.lock().await;
        let mut past = Past::default();
        while let Some(ask) = asked.recv().await {
            let given = self.answer(&ask, &mut past).await;
            let _ = ask.reply.send(given);
        }
    }

    async fn answer(&self, ask: &Ask<'a>, past: &mut Past) -> Result<Given<'a>> {
        let current = self.current.borrow().clone();
        if let Some(held) = &current {
            let usable = match &ask.want {
                Want::InsteadOf { suspect, .. } => suspect.token != held.login.session.token,
                _ => held.is_fresh(self.min_ttl),
            };
            if usable {
                return Ok((Rc::clone(held), false));
            }
        }
        match (&past.refused, &past.failed) {
            (Some((until, error)), _) if Instant::now() < *until => return Err(error.clone()),
            (_, Some((at, error))) if ask.at < *at => return Err(error.clone()),
            _ => {}
        }
        let young = current.as_ref().is_some_and(|held| held.is_young());
        let before = Timestamp::now();
        let outcome = match self.taken(ask, past, young).await {
            Ok(None) => {
                let login = self.account.again().session(&ask.want).await;
                login.and_then(Held::new)
            }
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match outcome {
            Ok(held) => {
                let new = held.login.session.obtained_at >= before;
                if new {
                    past.died_young = young && matches!(ask.want, Want::InsteadOf { .. });
                }
                (past.refused, past.failed) = (None, None);
                let held = Rc::new(held);
                *self.current.borrow_mut() = Some(Rc::clone(&held));
                Ok((held, new))
            }
            Err(error) => {
                if error.cause.exit() == 4 {
                    *self.current.borrow_mut() = None;
                    past.refused = Some((Instant::now() + REFUSED_FOR, error.clone()));
                }
                past.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Why a single seat's session that has died young is not replaced, if the one before it had died young as well: each
    /// login would throw out whoever has just thrown us out.
    async fn taken(&self, ask: &Ask<'a>, past: &mut Past, young: bool) -> Result<Option<Error>> {
        let Want::InsteadOf { suspect, dead } = &ask.want else {
            return Ok(None);
        };
        if !(self.account.target().spec.single_seat() && young && past.died_young) {
            return Ok(None);
        }
        let account = self.account.again();
        if !*dead && account.check(suspect).await? != Life::Dead {
            return Ok(None);
        }
        // Others of ours may share the seat through the store.
        let cached = account.session(&Want::Cached(self.min_ttl)).await;
        if cached.is_ok_and(|login| login.session.token != suspect.token) {
            return Ok(None);
        }
        past.died_young = false;
        let error = error!(Refused:
            "somebody else logs in as this user: a new session has died within ten minutes, twice" =>
            hint "use a separate user for each program or person; the gateway tries again in ten minutes");
        Ok(Some(error.target(&self.name)))
    }
}
