//! A turn at logging in: waiting for it, keeping it and giving it back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::database::is_no_answer;
use super::lock::{Action, Command, Event, Failure, Lease, Response};
use super::{RedisStore, Shared, scripts};
use crate::error::{Cause, Error, Result};
use crate::i18n::tr;
use crate::store::{Lock, Version, Written};

/// A right that is wanted or in hand: then it is prolonged until it is dropped.
pub(super) struct Holding {
    pub(super) name: String,
    pub(super) lease: Rc<RefCell<Lease>>,
    pub(super) shared: Rc<Shared>,
    beside: Option<JoinHandle<()>>,
    given_back: Cell<bool>,
}

impl Holding {
    /// Waits until the right is in hand for a whole login: `false` where there is news, or it was lost.
    pub(super) async fn ensure(&self) -> Result<bool> {
        let Self { name, lease, shared, .. } = self;
        let mut away = None;
        let mut event = Event::Begin;
        loop {
            let action = lease.borrow_mut().next(shared.now(), event);
            match action {
                Action::Ask(call) => event = shared.event(name, &call, self.deadline(), &mut away).await?,
                Action::Sleep(pause) => {
                    tokio::time::sleep(pause).await;
                    event = Event::Woken;
                }
                Action::Granted => return Ok(true),
                Action::Reread | Action::Lost => return Ok(false),
                Action::GiveUp(why) => return Err(shared.no_right(why, away)),
            }
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.shared.began + self.lease.borrow().deadline()
    }

    /// Gives the right back, and tells what keeps it from that.
    pub(super) async fn release(&self) -> Result<()> {
        self.beside.iter().for_each(JoinHandle::abort);
        self.given_back.set(true);
        let call = self.lease.borrow().give_back();
        match call {
            Some(call) => {
                let deadline = self.shared.beyond(self.deadline());
                self.shared.call(&self.name, &call, deadline).await.map(|_| ())
            }
            None => Ok(()),
        }
    }
}

impl Drop for Holding {
    /// Whoever is interrupted gives the right back too, if there is still time for it; and so does whoever was given
    /// it too late. The server has answered before, so it is asked once more even where it was found to be away.
    fn drop(&mut self) {
        self.beside.iter().for_each(JoinHandle::abort);
        if self.given_back.get() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        if let Some(call) = self.lease.borrow().give_back() {
            let (shared, name) = (Rc::clone(&self.shared), self.name.clone());
            tokio::task::spawn_local(async move {
                let deadline = shared.beyond(Instant::now());
                shared.server.ask(&[scripts::command(&name, &call)], deadline).await.map(|_| ())
            });
        }
    }
}

impl RedisStore {
    /// Waits for the right to write an entry, or for news of it.
    pub(super) async fn turn(
        &self,
        name: String,
        seen: Option<Version>,
        deadline: Instant,
    ) -> Result<Option<Holding>> {
        let shared = &self.0;
        shared.claim(deadline).await?;
        let mut owner = [0; 16];
        getrandom::fill(&mut owner)
            .map_err(|_| Error::new(Cause::Other, tr!("there are no random numbers")))?;
        let deadline = deadline.saturating_duration_since(shared.began);
        let seen = seen.map(|version| version.0);
        let lease = Lease::new(shared.terms, u128::from_be_bytes(owner), seen, deadline);
        let lease = Rc::new(RefCell::new(lease));
        let (shared, given_back) = (Rc::clone(shared), Cell::new(false));
        let mut holding = Holding { name, lease, shared, beside: None, given_back };
        // Where it is lost, a long pause of ours came right after it was given.
        if !holding.ensure().await? {
            return Ok(None);
        }
        let beside = self.0.beside(holding.name.clone(), Rc::clone(&holding.lease));
        holding.beside = Some(beside);
        Ok(Some(holding))
    }

    /// The same where nothing but the right will do.
    pub(super) async fn acquire(&self, name: String, deadline: Instant) -> Result<Holding> {
        loop {
            if let Some(holding) = self.turn(name.clone(), None, deadline).await? {
                return Ok(holding);
            }
            if Instant::now() > deadline {
                return Err(self.0.no_right(Failure::Busy(Duration::ZERO), None));
            }
        }
    }
}

impl Shared {
    /// A call's outcome for the machine; a refusal ends the wait.
    async fn event(
        &self,
        name: &str,
        call: &Command,
        deadline: Instant,
        away: &mut Option<Error>,
    ) -> Result<Event> {
        match self.call(name, call, deadline).await {
            Ok(reply) => Ok(Event::Response(reply)),
            Err(error) if is_no_answer(&error) => {
                *away = Some(error);
                Ok(Event::NoAnswer)
            }
            Err(error) => Err(error),
        }
    }

    /// A call that is sent again while the server does not answer, as one that is just being restarted; and once
    /// more where it was this process that slept.
    async fn insist(&self, holding: &Holding, call: &Command) -> Result<Response> {
        let until = self.now() + self.terms.no_answer;
        let mut slept = false;
        loop {
            match self.call(&holding.name, call, self.beyond(holding.deadline())).await {
                Err(error) if is_no_answer(&error) && self.now() < until => {
                    tokio::time::sleep(self.terms.pause_max).await;
                }
                Err(error)
                    if is_no_answer(&error) && !slept && holding.lease.borrow().has_ended(self.now()) =>
                {
                    slept = true;
                }
                outcome => return outcome.inspect_err(|error| self.remember(error)),
            }
        }
    }

    /// The deadline of what comes after a login: the session in hand is to be kept and the right given back even where
    /// the login has used up the time, if that is quickly done.
    fn beyond(&self, deadline: Instant) -> Instant {
        deadline.max(Instant::now() + self.terms.no_answer)
    }

    /// Prolongs a right until it is lost, beside whatever its holder does.
    fn beside(self: &Rc<Self>, name: String, lease: Rc<RefCell<Lease>>) -> JoinHandle<()> {
        let shared = Rc::clone(self);
        tokio::task::spawn_local(async move {
            loop {
                let action = lease.borrow().beside(shared.now());
                match action {
                    Action::Sleep(pause) => tokio::time::sleep(pause).await,
                    Action::Ask(call) => {
                        let asked = shared.now();
                        // Whoever works has his own deadline; this one bounds a single call.
                        let deadline = Instant::now() + shared.terms.lease;
                        let reply = shared.call(&name, &call, deadline).await.ok();
                        lease.borrow_mut().beside_done(asked, shared.now(), reply);
                    }
                    _ => return,
                }
            }
        })
    }

    fn no_right(&self, why: Failure, away: Option<Error>) -> Error {
        let place = self.server.place();
        let wait = tr!("wait for it; --timeout SECONDS allows more time");
        let (message, hint) = match (why, away) {
            (Failure::NoAnswer, Some(error)) => {
                self.remember(&error);
                return error;
            }
            (Failure::NoAnswer, None) => {
                let message = tr!("the store {place} does not answer", place);
                return Error::new(Cause::Timeout, message).hint(wait);
            }
            (Failure::JustStarted, _) => {
                (tr!("the store {place} has just started and gives no right to log in yet", place), wait)
            }
            (Failure::Busy(left), _) => (
                tr!("another machine is logging in, says the store {place}", place),
                match left.as_secs_f64().ceil() {
                    0.0 => wait,
                    left => tr!("wait for it; if that machine is gone, its turn ends in {left} s", left),
                },
            ),
        };
        Error::new(Cause::Busy, message).hint(hint)
    }
}

/// What the store holds for a lock of its own.
pub(super) fn holding(lock: &Lock) -> Result<&Holding> {
    lock.held.downcast_ref().ok_or_else(|| Error::new(Cause::Other, tr!("the lock is another store's")))
}

/// Sends a change, and tells whether it came in time.
pub(super) async fn written(holding: &Holding, call: Option<Command>) -> Result<Written> {
    let Some(call) = call else { return Ok(Written::Overtaken) };
    Ok(match holding.shared.insist(holding, &call).await? {
        Response::Done => Written::Stored,
        _ => Written::Overtaken,
    })
}
