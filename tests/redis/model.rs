//! The server as the protocol sees it: one entry, its lock, and the number of the last right. `scripts.rs` holds it
//! against a real one.

use crmauth::store::redis::lock::{Command, Fence, Moment, Owner, Response, Right};

/// What may be broken, to see whether anybody notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// A late writer wins.
    Fence,
    /// The right is taken back from whoever has it.
    Compare,
    /// Rights are counted from one, also after a restart.
    Clock,
    /// Rights are given as soon as the server is up.
    Quiet,
    /// What a restart forgot cannot be claimed.
    Claim,
    /// Whoever got the right does not look at the entry again.
    Reread,
    /// The login begins without making sure of the right.
    Confirm,
    /// Whoever gives up keeps the right.
    GiveUp,
}

/// The server.
pub struct Model {
    pub lock: Option<(Owner, Fence, Moment)>,
    pub last: Fence,
    pub entry: Option<(Fence, Vec<u8>, Moment)>,
    started: Moment,
    broken: Broken,
}

impl Model {
    /// An empty one that has been up for long.
    pub fn new(broken: Broken) -> Self {
        Self {
            lock: None,
            last: 0,
            entry: None,
            started: Moment::ZERO,
            broken,
        }
    }

    /// It has lost all it knew and is up from now on.
    pub fn restart(&mut self, now: Moment) {
        *self = Self {
            started: now,
            ..Self::new(self.broken)
        };
    }

    /// The entry, as long as it is kept.
    pub fn read(&mut self, now: Moment) -> Option<(Fence, Vec<u8>)> {
        self.expire(now);
        let entry = self.entry.as_ref();
        entry.map(|(fence, sealed, _)| (*fence, sealed.clone()))
    }

    /// Does what it is asked.
    pub fn answer(&mut self, now: Moment, call: &Command) -> Response {
        self.expire(now);
        match call {
            Command::Take { .. } => self.take(now, call),
            Command::Hold(Right { owner, fence }, lease) => {
                let claim = self.lock.is_none() && self.broken == Broken::Claim;
                if claim || self.is_late(*owner, *fence) {
                    return Response::Overtaken;
                }
                self.lock = Some((*owner, *fence, now + *lease));
                self.last = *fence;
                Response::Done
            }
            Command::Write(Right { owner, fence }, sealed, ttl) => {
                if self.broken != Broken::Fence && self.is_late(*owner, *fence) {
                    return Response::Overtaken;
                }
                self.entry = (!ttl.is_zero()).then(|| (*fence, sealed.clone(), now + *ttl));
                self.last = self.last.max(*fence);
                Response::Done
            }
            Command::Forget(Right { owner, fence }) => {
                if self.is_late(*owner, *fence) {
                    return Response::Overtaken;
                }
                self.entry = None;
                Response::Done
            }
            Command::GiveBack(Right { owner, fence }) => {
                let its = |(other, its, _)| (other, its) == (*owner, *fence);
                if self.lock.is_none_or(its) || self.broken == Broken::Compare {
                    self.lock = None;
                    self.last = self.newest().max(*fence + 1);
                }
                Response::Done
            }
        }
    }

    fn take(&mut self, now: Moment, call: &Command) -> Response {
        let &Command::Take {
            owner,
            lease,
            seen,
            grace,
        } = call
        else {
            panic!("{call:?}")
        };
        if let Some((holder, fence, ends)) = self.lock
            && holder == owner
        {
            self.lock = Some((owner, fence, ends.max(now + lease)));
            return Response::Given(fence);
        }
        if seen.is_some_and(|seen| seen != self.entry.as_ref().map(|(fence, ..)| *fence)) {
            return Response::News;
        }
        if let Some((_, _, ends)) = self.lock {
            return Response::Busy(ends - now);
        }
        let young = self.started > Moment::ZERO && now < self.started + grace;
        if young && self.broken != Broken::Quiet {
            return Response::JustStarted;
        }
        let counts = self.broken == Broken::Clock;
        let clock = if counts { 0 } else { now.as_micros() as Fence };
        let fence = clock.max(self.newest() + 1);
        self.lock = Some((owner, fence, now + lease));
        self.last = fence;
        Response::Given(fence)
    }

    /// Whether a later right than this was given, or another has the lock.
    fn is_late(&self, owner: Owner, fence: Fence) -> bool {
        let others = |(other, its, _)| (other, its) != (owner, fence);
        self.lock.is_some_and(others) || self.newest() > fence
    }

    fn newest(&self) -> Fence {
        let entry = self.entry.as_ref();
        self.last.max(entry.map_or(0, |(fence, ..)| *fence))
    }

    fn expire(&mut self, now: Moment) {
        self.lock = self.lock.filter(|(_, _, ends)| now < *ends);
        self.entry = self.entry.take().filter(|(_, _, ends)| now < *ends);
    }
}
