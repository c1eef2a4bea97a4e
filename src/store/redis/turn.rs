//! A turn at logging in: waiting for the lock, keeping it and giving it back, as [`Lease`] decides.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::lock::{Action, Command, Event, Failure, Lease, PAUSE_MAX, Response, Right};
use super::{RedisStore, is_no_answer, kept, purpose, scripts, shifted};
use crate::error::{Error, Result, error};
use crate::i18n::tr;
use crate::store::{ENTRY_MAX, Entry, Key, Version, Written, encode};

/// A lock that is waited for or held. While it is held, it is renewed in the background.
pub struct Turn {
    name: String,
    lease: Rc<RefCell<Lease>>,
    store: Rc<RedisStore>,
    renewals: Option<JoinHandle<()>>,
}

impl RedisStore {
    /// Waits for a turn at the entry of this name; there is none once it is another than the one that was `seen`.
    pub async fn wait(
        self: &Rc<Self>,
        name: &str,
        seen: Option<Version>,
        deadline: Instant,
    ) -> Result<Option<Turn>> {
        self.claim(deadline).await?;
        let owner = u128::from_be_bytes(crate::files::random()?);
        let until = deadline.saturating_duration_since(self.began);
        let lease = Lease::new(self.terms, owner, seen, until);
        let mut turn = Turn {
            name: name.to_owned(),
            lease: Rc::new(RefCell::new(lease)),
            store: Rc::clone(self),
            renewals: None,
        };
        if !turn.ensure().await? {
            // A lock that is lost at once was given before a long pause of this process: for another there is no time.
            let late = Instant::now() > deadline;
            let busy = || self.no_turn(Failure::Busy(Duration::ZERO), None);
            return if late { Err(busy()) } else { Ok(None) };
        }
        let renewing = Rc::clone(self).keep_renewing(turn.name.clone(), Rc::clone(&turn.lease));
        turn.renewals = Some(tokio::task::spawn_local(renewing));
        Ok(Some(turn))
    }

    async fn keep_renewing(self: Rc<Self>, name: String, lease: Rc<RefCell<Lease>>) {
        loop {
            let action = lease.borrow().renew(self.now());
            match action {
                Action::Sleep(pause) => tokio::time::sleep(pause).await,
                Action::Ask(command) => {
                    let asked = self.now();
                    // The holder has a deadline of its own; this one bounds a single renewal.
                    let deadline = Instant::now() + self.terms.lease();
                    let response = self.call(&name, &command, deadline).await.ok();
                    lease.borrow_mut().renewed(asked, self.now(), response);
                }
                _ => return,
            }
        }
    }

    /// The deadline of what comes after a login: if that is quick, a session is stored even if the time is used up.
    fn beyond(&self, deadline: Instant) -> Instant {
        deadline.max(Instant::now() + self.terms.no_answer())
    }

    fn no_turn(&self, why: Failure, last_error: Option<Error>) -> Error {
        let place = &self.server.url;
        let busy =
            || error!(Busy: "another machine is logging in, according to the store {place}"; place);
        let error = match (why, last_error) {
            (Failure::NoAnswer, Some(error)) => {
                self.remember(&error);
                return error;
            }
            (Failure::NoAnswer, None) => error!(Timeout: "the store {place} does not answer"; place),
            (Failure::JustStarted, _) => error!(Busy:
                "the store {place} has just started and does not allow a login yet"; place),
            (Failure::Busy(Duration::ZERO), _) => busy(),
            (Failure::Busy(left), _) => busy().hint(tr!(
                "wait for it; if that machine is gone, its turn ends in {left} s"; left = left.as_secs_f64().ceil())),
        };
        error.hint(tr!("wait for it; --timeout SECONDS allows more time"))
    }
}

impl Turn {
    /// Waits until the lock is held for a whole login. `false`: the entry has changed, or the lock was lost.
    pub async fn ensure(&self) -> Result<bool> {
        let mut last_error = None;
        let mut event = Event::Begin;
        loop {
            let action = self.lease.borrow_mut().next(self.store.now(), event);
            event = match action {
                Action::Ask(command) => {
                    let response = self.store.call(&self.name, &command, self.deadline()).await;
                    match response {
                        Err(error) if is_no_answer(&error) => {
                            last_error = Some(error);
                            Event::NoAnswer
                        }
                        response => Event::Response(response?),
                    }
                }
                Action::Sleep(pause) => {
                    tokio::time::sleep(pause).await;
                    Event::Woken
                }
                Action::Granted => return Ok(true),
                Action::Reread | Action::Lost => return Ok(false),
                Action::GiveUp(why) => return Err(self.store.no_turn(why, last_error)),
            };
        }
    }

    fn deadline(&self) -> Instant {
        self.store.began + self.lease.borrow().deadline
    }

    pub async fn write(&self, key: &Key, entry: &Entry) -> Result<Written> {
        let store = &self.store;
        let ahead = store.open(self.deadline()).await?;
        let ttl = kept(entry, jiff::Timestamp::now());
        let text = encode(key, &shifted(entry.clone(), ahead));
        if text.len() > ENTRY_MAX {
            return Err(error!(Storage: "the session is too large to be stored"));
        }
        let right = self.lease.borrow().right;
        let fence = right.map_or(0, |right| right.fence);
        let sealed = store.keys.seal(&text, &purpose(&self.name, fence))?;
        let write = |right| Command::Write(right, sealed, ttl);
        Ok(match self.change(write).await? {
            Written::Stored if ttl.is_zero() => Written::NotKept,
            written => written,
        })
    }

    pub async fn forget(&self) -> Result<Written> {
        self.change(Command::Forget).await
    }

    /// Sends a change, again while the server does not answer, and once more if it was this process that slept.
    async fn change(&self, make: impl FnOnce(Right) -> Command) -> Result<Written> {
        let right = self.lease.borrow().right;
        let Some(command) = right.map(make) else {
            return Ok(Written::Overtaken);
        };
        let store = &self.store;
        let until = store.now() + store.terms.no_answer();
        let mut slept = false;
        loop {
            let deadline = store.beyond(self.deadline());
            let error = match store.call(&self.name, &command, deadline).await {
                Ok(Response::Done) => return Ok(Written::Stored),
                Ok(_) => return Ok(Written::Overtaken),
                Err(error) => error,
            };
            let now = store.now();
            if is_no_answer(&error) && now < until {
                tokio::time::sleep(PAUSE_MAX).await;
            } else if is_no_answer(&error) && !slept && self.lease.borrow().has_ended(now) {
                slept = true;
            } else {
                store.remember(&error);
                return Err(error);
            }
        }
    }

    /// The command that gives the lock back, once.
    fn give_back(&self) -> Option<Command> {
        self.renewals.iter().for_each(JoinHandle::abort);
        self.lease.borrow_mut().right.take().map(Command::GiveBack)
    }

    pub async fn release(&self) -> Result<()> {
        let Some(back) = self.give_back() else {
            return Ok(());
        };
        let deadline = self.store.beyond(self.deadline());
        self.store.call(&self.name, &back, deadline).await.map(drop)
    }
}

impl Drop for Turn {
    /// A run that is interrupted, or that was given the lock too late, gives it back too if there is still time for
    /// that. The server has answered before, so it is asked even if it was found to be away since.
    fn drop(&mut self) {
        let Some(back) = self.give_back() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            let (store, back) = (Rc::clone(&self.store), scripts::eval(&self.name, &back));
            tokio::task::spawn_local(async move {
                let deadline = store.beyond(Instant::now());
                store.server.ask(&[back], deadline).await.map(drop)
            });
        }
    }
}
