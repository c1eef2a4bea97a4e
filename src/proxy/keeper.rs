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
use crate::session::Session;

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
    /// What those get who asked before then: a refused login is not tried again for a while.
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
        let gone = |_| Err(error!(Other: "the gateway is shutting down"));
        let (reply, replied) = oneshot::channel();
        let at = Instant::now();
        // What cannot be sent is dropped, and its reply with it.
        let _ = self.asks.send(Ask { at, want, reply });
        replied.await.unwrap_or_else(gone)
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
        let serves = |held: &&Rc<Held>| match &ask.want {
            Want::InsteadOf { suspect, .. } => suspect.token != held.login.session.token,
            _ => held.is_fresh(self.min_ttl),
        };
        if let Some(held) = current.as_ref().filter(serves) {
            return Ok((Rc::clone(held), false));
        }
        let failed = past.failed.as_ref();
        if let Some((_, error)) = failed.filter(|(until, _)| ask.at < *until) {
            return Err(error.clone());
        }
        let before = Timestamp::now();
        let age = |held: Rc<Held>| before.duration_since(held.login.session.obtained_at);
        let young = current.is_some_and(|held| age(held).unsigned_abs() < REFUSED_FOR);
        match self.obtain(&ask.want, past, young).await {
            Ok(held) => {
                let new = held.login.session.obtained_at >= before;
                if new {
                    past.died_young = young && matches!(ask.want, Want::InsteadOf { .. });
                }
                past.failed = None;
                let held = Rc::new(held);
                *self.current.borrow_mut() = Some(Rc::clone(&held));
                Ok((held, new))
            }
            Err(error) => {
                let mut until = Instant::now();
                if error.cause.exit() == 4 {
                    *self.current.borrow_mut() = None;
                    until += REFUSED_FOR;
                }
                past.failed = Some((until, error.clone()));
                Err(error)
            }
        }
    }

    /// Another session. A single seat's that has died young is not replaced if the one before it had died young as well:
    /// each login would throw out whoever has just thrown us out.
    async fn obtain(&self, want: &Want, past: &mut Past, young: bool) -> Result<Held<'a>> {
        let fought_for = young && past.died_young && self.account.target().spec.single_seat();
        if let Want::InsteadOf { suspect, dead } = want
            && fought_for
            && self.is_taken(suspect, *dead).await?
        {
            past.died_young = false;
            let error = error!(Refused:
                "somebody else logs in as this user: a new session has died within ten minutes, twice" =>
                hint "use a separate user for each program or person; the gateway tries again in ten minutes");
            return Err(error.target(&self.name));
        }
        let login = self.account.again().session(want).await;
        login.and_then(Held::new)
    }

    /// Whether somebody else has ended a session: it is dead, and there is no other one of ours.
    async fn is_taken(&self, suspect: &Session, dead: bool) -> Result<bool> {
        let account = self.account.again();
        if !dead && account.check(suspect).await? != Life::Dead {
            return Ok(false);
        }
        // Others of ours may share the seat through the store.
        let cached = account.session(&Want::Cached(self.min_ttl)).await;
        Ok(!cached.is_ok_and(|login| login.session.token != suspect.token))
    }
}
