//! The lock that one machine of a fleet holds while it logs in: a state machine without a clock. Events go in, actions
//! come out. [`Turn`](super::turn::Turn) drives it, and so does the tests' simulation.
//!
//! The server keeps a lock that expires by itself (the lease), the number of the last lock that it gave (the fence: it
//! only grows), and the entry with the fence of whoever wrote it. It executes each [`Command`] whole or not at all.

use std::time::Duration;

/// A moment by the holder's own clock: the time since some fixed one.
pub type Moment = Duration;

/// The number of a lock; a later one is larger.
pub type Fence = u64;

/// Who holds a lock: a random number, new for each wait.
pub type Owner = u128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    pub owner: Owner,
    pub fence: Fence,
}

/// A healthy server may take so long to answer; nothing shorter is waited for, unless the deadline comes sooner.
pub const NO_ANSWER_MIN: Duration = Duration::from_millis(250);
const RENEWAL: Duration = Duration::from_millis(500);
/// How long a server that has just started gives no lock: whoever holds one that it forgot renews it meanwhile.
pub const GRACE: Duration = Duration::from_secs(2);
/// The shortest pause between two tries; jitter adds up to as much again.
const PAUSE: Duration = Duration::from_millis(20);
pub const PAUSE_MAX: Duration = Duration::from_millis(160);

#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long a login may take.
    pub login: Duration,
}

impl Terms {
    pub fn lease(self) -> Duration {
        self.login.saturating_add(Duration::from_secs(5))
    }

    /// How long a server that does not answer is asked again, where there is time.
    pub fn no_answer(self) -> Duration {
        Duration::from_secs(2).min(self.login / 4)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Give the lock to this owner, unless another holds it. If the owner holds it already, it gets the same again.
    Take {
        owner: Owner,
        lease: Duration,
        /// The entry's fence when it was read, `Some(None)` if there was none: if it is another by now, that is news.
        seen: Option<Option<Fence>>,
        grace: Duration,
    },
    /// Extend the lock from now on, even if the server has forgotten it, unless it has given a later one.
    Hold(Right, Duration),
    /// Write the entry with its time to live, unless a later lock was given. Without time there is no entry afterwards.
    Write(Right, Vec<u8>, Duration),
    /// Remove the entry, unless a later lock was given.
    Forget(Right),
    /// Take the lock back, even if the server has forgotten it: no command that was sent with it counts from here on.
    GiveBack(Right),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    Given(Fence),
    /// Another holds the lock, for so long unless it is renewed.
    Busy(Duration),
    News,
    JustStarted,
    Done,
    /// A later lock was given, or another holds the lock.
    Overtaken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The lock is wanted, or wanted for a whole login from now on.
    Begin,
    Response(Response),
    /// There was no answer, though the command may have been executed.
    NoAnswer,
    Woken,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Ask(Command),
    Sleep(Duration),
    /// Go on: the lock lasts for a whole login.
    Granted,
    /// Read the entry again: it has changed.
    Reread,
    /// Begin again: another may hold the lock by now.
    Lost,
    GiveUp(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Busy(Duration),
    NoAnswer,
    JustStarted,
}

#[derive(Debug)]
pub struct Lease {
    terms: Terms,
    pub owner: Owner,
    seen: Option<Option<Fence>>,
    pub deadline: Moment,
    /// The right to change the entry, once the lock was given.
    pub right: Option<Right>,
    /// Until when it is ours whatever happens; zero before it was given, and once it is lost.
    until: Moment,
    renewal: Moment,
    /// When the command that is under way was sent.
    asked: Moment,
    unanswered_since: Option<Moment>,
    /// Why there was no lock when the server answered last.
    heard: Failure,
    pause: Duration,
    random: u64,
}

impl Lease {
    /// A wait until `deadline`. `owner` is random; for `seen`, see [`Command::Take`].
    pub fn new(terms: Terms, owner: Owner, seen: Option<Option<Fence>>, deadline: Moment) -> Self {
        Self {
            terms,
            owner,
            seen,
            deadline,
            right: None,
            until: Moment::ZERO,
            renewal: Moment::ZERO,
            asked: Moment::ZERO,
            unanswered_since: None,
            heard: Failure::NoAnswer,
            pause: PAUSE,
            random: (owner >> 64) as u64,
        }
    }

    /// The next step on the way to the lock, and later to the certainty that it lasts for a whole login.
    pub fn next(&mut self, now: Moment, event: Event) -> Action {
        if matches!(event, Event::Response(_)) && !self.is_old(now) {
            self.unanswered_since = None;
        }
        match (self.right, event) {
            (Some(_), _) if self.has_ended(now) => self.lost(),
            (_, Event::NoAnswer) => self.no_answer(now),
            (None, Event::Begin | Event::Woken) => self.ask(now, self.take()),
            (None, Event::Response(response)) => match response {
                Response::Given(fence) => self.given(now, fence),
                Response::News if now < self.deadline => Action::Reread,
                Response::Busy(left) => self.wait(now, Failure::Busy(left)),
                Response::JustStarted => self.wait(now, Failure::JustStarted),
                _ => Action::GiveUp(Failure::Busy(Duration::ZERO)),
            },
            (Some(right), Event::Begin | Event::Woken) => self.ask(now, self.hold(right)),
            (Some(right), Event::Response(Response::Done)) => {
                self.extended(self.asked);
                self.go(now, right)
            }
            (Some(_), Event::Response(_)) => self.lost(),
        }
    }

    /// The next step in the background while the lock is held: sleep, renew it, or stop once it is lost.
    pub fn renew(&self, now: Moment) -> Action {
        match self.right {
            Some(right) if !self.has_ended(now) => match self.renewal.saturating_sub(now) {
                Duration::ZERO => Action::Ask(self.hold(right)),
                left => Action::Sleep(left),
            },
            _ => Action::Lost,
        }
    }

    /// Takes the outcome of a renewal that was sent at `asked`. A lock that is lost stays so.
    pub fn renewed(&mut self, asked: Moment, now: Moment, reply: Option<Response>) {
        if self.until.is_zero() {
            return;
        }
        match reply {
            Some(Response::Done) => self.extended(asked),
            Some(_) => self.until = Moment::ZERO,
            None => self.renewal = now + PAUSE_MAX,
        }
    }

    /// Whether the lock was lost, or has expired as far as is known here.
    pub fn has_ended(&self, now: Moment) -> bool {
        self.until <= now
    }

    fn take(&self) -> Command {
        Command::Take {
            owner: self.owner,
            lease: self.terms.lease(),
            seen: self.seen,
            grace: GRACE,
        }
    }

    fn hold(&self, right: Right) -> Command {
        Command::Hold(right, self.terms.lease())
    }

    fn ask(&mut self, now: Moment, command: Command) -> Action {
        self.asked = now;
        Action::Ask(command)
    }

    fn given(&mut self, now: Moment, fence: Fence) -> Action {
        let owner = self.owner;
        let right = Right { owner, fence };
        (self.heard, self.right) = (Failure::NoAnswer, Some(right));
        self.extended(self.asked);
        match self.has_ended(now) {
            true => self.lost(),
            false => self.go(now, right),
        }
    }

    /// The lock lasts from the moment when the command was sent: the server began to count later.
    fn extended(&mut self, asked: Moment) {
        self.until = self.until.max(asked + self.terms.lease());
        self.renewal = asked + RENEWAL;
    }

    /// A login that begins now must end before the lock does. What the server said long ago counts for nothing: it may
    /// have forgotten the lock since, and given it to another.
    fn go(&mut self, now: Moment, right: Right) -> Action {
        if self.is_old(now) {
            return self.no_answer(now);
        }
        match now + self.terms.login <= self.until {
            true => Action::Granted,
            false => self.ask(now, self.hold(right)),
        }
    }

    /// Whether a server that was restarted since the command was sent may soon give the lock to another.
    fn is_old(&self, now: Moment) -> bool {
        now.saturating_sub(self.asked) > GRACE / 2
    }

    fn lost(&mut self) -> Action {
        self.until = Moment::ZERO;
        Action::Lost
    }

    /// A server that does not answer costs a quarter of the time that was left: a login without it needs the rest. If
    /// the deadline comes before the server's time is over, what it said before counts.
    fn no_answer(&mut self, now: Moment) -> Action {
        let since = *self.unanswered_since.get_or_insert(self.asked);
        let left = self.deadline.saturating_sub(since);
        let patience = self.terms.no_answer().min(left / 4).max(NO_ANSWER_MIN);
        if now.saturating_sub(since) >= patience {
            return Action::GiveUp(Failure::NoAnswer);
        }
        self.wait(now, self.heard)
    }

    fn wait(&mut self, now: Moment, why: Failure) -> Action {
        self.heard = why;
        let pause = self.pause + self.pause.mul_f64(self.jitter());
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        match now + pause > self.deadline {
            true => Action::GiveUp(why),
            false => Action::Sleep(pause),
        }
    }

    /// Between 0 and 1, by SplitMix64, so that a simulation can be repeated.
    fn jitter(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from((bits ^ (bits >> 31)) as u32) / f64::from(u32::MAX)
    }
}
