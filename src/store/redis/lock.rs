//! The right to log in, which one machine of a fleet has at a time: the protocol as a state machine. Events go in,
//! actions come out; it sends nothing itself and has no clock of its own. The store in `redis.rs` drives it, and so
//! does the tests' simulation.
//!
//! The server keeps a lock that ends by itself (the lease), the number of the last right that it gave (the fence,
//! which only grows), and the entry with the fence of whoever wrote it. Each [`Command`] is done whole or not at all.

use std::time::Duration;

/// A moment by the holder's own clock: the time since some fixed one.
pub type Moment = Duration;

/// The number of a right; a later one is larger.
pub type Fence = u64;

/// Whose right it is: a random number of its own for each wait.
pub type Owner = u128;

/// A healthy server may be silent for so long; nothing shorter is waited for, unless the deadline comes sooner.
pub const NO_ANSWER_MIN: Duration = Duration::from_millis(250);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long a login may take.
    pub login: Duration,
    /// How long the right lasts without a word from its holder.
    pub lease: Duration,
    /// Between two words.
    pub renewal: Duration,
    /// How long a server that does not answer is asked again, where there is time.
    pub no_answer: Duration,
    /// How long a server that has just started gives no right, so that whoever had one can claim it: it may have
    /// forgotten. Longer than a renewal and whatever it takes to connect.
    pub grace: Duration,
    /// The shortest pause between two tries; jitter adds up to as much again.
    pub pause: Duration,
    /// The longest, jitter apart.
    pub pause_max: Duration,
}

impl Terms {
    /// The terms of a fleet whose logins take no longer than `login`.
    pub fn new(login: Duration) -> Self {
        Self {
            login,
            lease: login.saturating_add(Duration::from_secs(5)),
            renewal: Duration::from_millis(500),
            no_answer: Duration::from_secs(2).min(login / 4),
            grace: Duration::from_secs(2),
            pause: Duration::from_millis(20),
            pause_max: Duration::from_millis(160),
        }
    }
}

/// What the server is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Give the right to this owner, unless another has it. The same owner gets the same right again.
    Take {
        /// Who wants it.
        owner: Owner,
        /// For how long.
        lease: Duration,
        /// The entry's fence when it was read (none: there was no entry). Another one is news, and then no right
        /// is wanted.
        seen: Option<Option<Fence>>,
        /// How old the server must be.
        grace: Duration,
    },
    /// Prolong the right; also where the server has forgotten it, unless it has given a later one.
    Hold {
        owner: Owner,
        fence: Fence,
        /// For how long from now.
        lease: Duration,
    },
    /// Write the entry, unless a later right was given.
    Write {
        /// Whose right it is.
        owner: Owner,
        fence: Fence,
        /// The entry.
        sealed: Vec<u8>,
        /// How long it is kept; for no time, there is none afterwards.
        ttl: Duration,
    },
    /// Remove the entry, unless a later right was given.
    Forget {
        /// Whose right it is.
        owner: Owner,
        fence: Fence,
    },
    /// Take the right back, for good, also where the server has forgotten it: nothing that was sent with it counts from
    /// here on.
    GiveBack {
        /// Whose right it is.
        owner: Owner,
        fence: Fence,
    },
}

/// What the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// The right is yours.
    Given(Fence),
    /// Another has it, for so long if nothing is heard from him.
    Busy(Duration),
    /// The entry is not the one that was seen.
    News,
    /// The server has just started.
    JustStarted,
    Done,
    /// A later right was given, or another has the lock.
    Overtaken,
}

/// What happens to the holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The right is wanted, or wanted for a whole login from now on.
    Begin,
    /// The server's answer to what it was asked.
    Response(Response),
    /// No answer came; it may have been done all the same.
    NoAnswer,
    /// The time to sleep is over.
    Woken,
}

/// What the holder is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the server, and tell the answer.
    Ask(Command),
    /// Sleep, and tell when awake.
    Sleep(Duration),
    /// Go on: the right is in hand for a whole login.
    Granted,
    /// Look at the entry again: it has changed.
    Reread,
    /// Begin again: another may have the right by now.
    Lost,
    /// There is no right to be had in time.
    GiveUp(Failure),
}

/// Why there is no right to be had in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Another has it, for so long if nothing is heard from him.
    Busy(Duration),
    /// The server does not answer.
    NoAnswer,
    /// The server has just started.
    JustStarted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Until when it is ours whatever happens, and when it is to be prolonged.
    Held {
        fence: Fence,
        until: Moment,
        renewal: Moment,
    },
    Lost {
        fence: Fence,
    },
}

/// One wait for the right, and its use.
#[derive(Debug)]
pub struct Lease {
    terms: Terms,
    owner: Owner,
    seen: Option<Option<Fence>>,
    deadline: Moment,
    state: State,
    /// When the question that is under way was sent.
    asked: Moment,
    unanswered_since: Option<Moment>,
    /// Why there was no right when the server answered last.
    heard: Failure,
    pause: Duration,
    random: u64,
}

impl Lease {
    /// A wait until `deadline`. `owner` is random; `seen` is what the entry's fence was, where another is news.
    pub fn new(terms: Terms, owner: Owner, seen: Option<Option<Fence>>, deadline: Moment) -> Self {
        Self {
            terms,
            owner,
            seen,
            deadline,
            state: State::Waiting,
            asked: Moment::ZERO,
            unanswered_since: None,
            heard: Failure::NoAnswer,
            pause: terms.pause,
            random: (owner >> 64) as u64,
        }
    }

    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Until when it is waited for.
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// The right's number, once it was given.
    pub fn fence(&self) -> Option<Fence> {
        match self.state {
            State::Waiting => None,
            State::Held { fence, .. } | State::Lost { fence } => Some(fence),
        }
    }

    /// On the way to the right, and later to the certainty that it lasts a whole login.
    pub fn next(&mut self, now: Moment, event: Event) -> Action {
        if matches!(event, Event::Response(_)) && !self.is_old(now) {
            self.unanswered_since = None;
        }
        match (self.state, event) {
            (State::Waiting, Event::Begin | Event::Woken) => self.ask(now, self.take()),
            (State::Waiting, Event::Response(Response::Given(fence))) => self.given(now, fence),
            (State::Waiting, Event::Response(Response::News)) if now < self.deadline => Action::Reread,
            (State::Waiting, Event::Response(Response::Busy(left))) => self.refused(now, Failure::Busy(left)),
            (State::Waiting, Event::Response(Response::JustStarted)) => {
                self.refused(now, Failure::JustStarted)
            }
            (State::Waiting, Event::Response(_)) => Action::GiveUp(Failure::Busy(Duration::ZERO)),
            (State::Held { fence, until, .. }, event) => match event {
                _ if until <= now => self.lost(fence),
                Event::Begin | Event::Woken => self.ask(now, self.hold(fence)),
                Event::Response(Response::Done) => {
                    self.prolonged(self.asked);
                    self.go(now, fence)
                }
                Event::Response(_) => self.lost(fence),
                Event::NoAnswer => self.no_answer(now),
            },
            (State::Waiting, Event::NoAnswer) => self.no_answer(now),
            (State::Lost { .. }, _) => Action::Lost,
        }
    }

    /// What the holder does beside his work: sleep, prolong, or stop where the right is lost.
    pub fn renew(&self, now: Moment) -> Action {
        match self.state {
            State::Held { fence, until, renewal } if now < until => match renewal.saturating_sub(now) {
                Duration::ZERO => Action::Ask(self.hold(fence)),
                left => Action::Sleep(left),
            },
            _ => Action::Lost,
        }
    }

    /// What came of prolonging it beside the work; `asked` is when that was sent.
    pub fn renewed(&mut self, asked: Moment, now: Moment, reply: Option<Response>) {
        match (self.state, reply) {
            (State::Held { .. }, Some(Response::Done)) => self.prolonged(asked),
            (State::Held { fence, .. }, Some(_)) => self.state = State::Lost { fence },
            (State::Held { fence, until, .. }, None) => {
                self.state = State::Held { fence, until, renewal: now + self.terms.pause_max };
            }
            _ => {}
        }
    }

    /// Whether the right has ended as far as is known here, or was lost.
    pub fn has_ended(&self, now: Moment) -> bool {
        !matches!(self.state, State::Held { until, .. } if now < until)
    }

    /// To write the entry. The server decides whether it is too late.
    pub fn write(&self, sealed: Vec<u8>, ttl: Duration) -> Option<Command> {
        self.fence().map(|fence| Command::Write { owner: self.owner, fence, sealed, ttl })
    }

    /// To remove the entry.
    pub fn forget(&self) -> Option<Command> {
        self.fence().map(|fence| Command::Forget { owner: self.owner, fence })
    }

    /// To give the right back.
    pub fn give_back(&self) -> Option<Command> {
        self.fence().map(|fence| Command::GiveBack { owner: self.owner, fence })
    }

    fn take(&self) -> Command {
        let Terms { lease, grace, .. } = self.terms;
        Command::Take { owner: self.owner, lease, seen: self.seen, grace }
    }

    fn hold(&self, fence: Fence) -> Command {
        Command::Hold { owner: self.owner, fence, lease: self.terms.lease }
    }

    fn ask(&mut self, now: Moment, command: Command) -> Action {
        self.asked = now;
        Action::Ask(command)
    }

    fn given(&mut self, now: Moment, fence: Fence) -> Action {
        // Counted from the question: the server began to count later.
        let until = self.asked + self.terms.lease;
        self.heard = Failure::NoAnswer;
        self.state = State::Held { fence, until, renewal: self.asked + self.terms.renewal };
        if until <= now { self.lost(fence) } else { self.go(now, fence) }
    }

    fn prolonged(&mut self, asked: Moment) {
        if let State::Held { fence, until, .. } = self.state {
            let until = until.max(asked + self.terms.lease);
            self.state = State::Held { fence, until, renewal: asked + self.terms.renewal };
        }
    }

    /// A login that begins now must end before the right does. What the server said long ago counts for nothing: it
    /// may have forgotten the right since, and given it to another.
    fn go(&mut self, now: Moment, fence: Fence) -> Action {
        match self.state {
            _ if self.is_old(now) => self.no_answer(now),
            State::Held { until, .. } if now + self.terms.login <= until => Action::Granted,
            _ => self.ask(now, self.hold(fence)),
        }
    }

    /// Whether the answer that has just come was asked for so long ago that a server that was started meanwhile may
    /// soon give the right away.
    fn is_old(&self, now: Moment) -> bool {
        now.saturating_sub(self.asked) > self.terms.grace / 2
    }

    fn lost(&mut self, fence: Fence) -> Action {
        self.state = State::Lost { fence };
        Action::Lost
    }

    fn refused(&mut self, now: Moment, why: Failure) -> Action {
        self.heard = why;
        self.wait(now)
    }

    /// A quarter of the time that was left is spent on a server that has fallen silent: whoever can do without it needs
    /// the rest. A silence that the deadline cuts short says nothing: what the server said before counts.
    fn no_answer(&mut self, now: Moment) -> Action {
        let since = *self.unanswered_since.get_or_insert(self.asked);
        let left = self.deadline.saturating_sub(since);
        let patience = self.terms.no_answer.min(left / 4).max(NO_ANSWER_MIN);
        if now.saturating_sub(since) >= patience {
            return Action::GiveUp(Failure::NoAnswer);
        }
        self.wait(now)
    }

    fn wait(&mut self, now: Moment) -> Action {
        let pause = self.pause + self.pause.mul_f64(self.jitter());
        self.pause = (self.pause * 2).min(self.terms.pause_max);
        if now + pause > self.deadline { Action::GiveUp(self.heard) } else { Action::Sleep(pause) }
    }

    /// Between 0 and 1, by SplitMix64.
    fn jitter(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from((bits ^ (bits >> 31)) as u32) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Duration = Duration::from_secs(9);

    fn at(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    /// A wait of eight seconds, of which all but `left` are over, and which has just asked again.
    fn asking(left: u64) -> Lease {
        let mut lease = Lease::new(Terms::new(at(8_000)), 1, None, at(8_000));
        assert!(matches!(lease.next(at(0), Event::Begin), Action::Ask(_)));
        assert!(matches!(lease.next(at(1), Event::Response(Response::Busy(BUSY))), Action::Sleep(_)));
        assert!(matches!(lease.next(at(8_000 - left), Event::Woken), Action::Ask(_)));
        lease
    }

    #[test]
    fn silence_costs_a_quarter_of_the_time_that_was_left() {
        assert!(matches!(asking(4_000).next(at(4_900), Event::NoAnswer), Action::Sleep(_)));
        assert_eq!(asking(4_000).next(at(5_000), Event::NoAnswer), Action::GiveUp(Failure::NoAnswer));
    }

    #[test]
    fn silence_at_the_deadline_says_nothing() {
        assert_eq!(asking(200).next(at(8_000), Event::NoAnswer), Action::GiveUp(Failure::Busy(BUSY)));
    }
}
