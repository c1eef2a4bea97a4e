//! The protocol on a virtual clock: many clients, a server that forgets, messages that are lost or late, pauses and
//! crashes at any step, all from one seed. What must hold is checked at every step; a seed that breaks it tells its
//! story.

use std::collections::BTreeMap;
use std::fmt::Write;

use crmauth::store::redis::lock::{Action, Event, Failure, Fence, GRACE, Lease, Moment, Terms};

use super::model::{Broken, Model};
use super::*;
use crate::support::split_mix;

/// How long a login may take.
const LOGIN: Duration = Duration::from_secs(3);
/// How long an answer of the server is waited for, where there is so much time.
const PATIENCE: Duration = Duration::from_millis(750);

/// The longest way of a message that is not late.
const WAY_MAX: Duration = Duration::from_millis(15);

struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        split_mix(&mut self.0) % most.max(1)
    }

    /// Whether something happens that does so this often in a thousand.
    fn chance(&mut self, in_a_thousand: u64) -> bool {
        in_a_thousand > 0 && self.below(1000) < in_a_thousand
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }
}

/// How often things go wrong in a story, in a thousand.
#[derive(Clone, Copy)]
struct Weather {
    lost: u64,
    late: u64,
    pauses: u64,
    crashes: u64,
    restarts: u64,
    refusals: u64,
}

impl Weather {
    fn of(random: &mut Random) -> Self {
        let mut some = |most| match random.chance(500) {
            true => random.below(most),
            false => 0,
        };
        Self {
            lost: some(80),
            late: some(80),
            pauses: some(60),
            crashes: some(30),
            restarts: some(4),
            refusals: some(200),
        }
    }

    /// Where what guards against pauses and restarts is put to the test.
    fn rough(random: &mut Random) -> Self {
        Self {
            pauses: random.below(60),
            restarts: random.below(25),
            ..Self::FAIR
        }
    }

    const FAIR: Self = Self {
        lost: 0,
        late: 0,
        pauses: 0,
        crashes: 0,
        restarts: 0,
        refusals: 0,
    };
}

/// What a client asks the server.
#[derive(Clone)]
enum Question {
    Read,
    Do(Command),
}

#[derive(Clone, Debug)]
enum Answer {
    Entry(Option<(Fence, Vec<u8>)>),
    Response(Response),
}

/// What happens next.
enum What {
    Begins,
    /// A question reaches the server; its answer goes to this step, or to the renewals beside it.
    Arrives(Question, Tag),
    Answered(Answer, Tag),
    Silent(Tag),
    Wakes(u64),
    /// The time to look after the right beside the login.
    Beside(u64),
    LoginTakesEffect,
    LoginEnds,
    /// The last word of a client that has ended should have come.
    Gone,
    ServerUp,
}

/// Which question an answer is for: the step that asked it, when, and whether it was asked beside the work.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tag {
    step: u64,
    question: u64,
    beside: bool,
    asked: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Looking,
    Waiting,
    LookingAgain,
    MakingSure,
    LoggingIn,
    Writing,
    GivingBack,
    Ended,
}

/// How a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Shared(u64),
    Own(u64),
    Refused,
    Busy,
    Away,
    Crashed,
}

/// A run of the program.
struct Client {
    step: Step,
    /// Counts the steps, so that what was meant for an earlier one is not used for this one's.
    at: u64,
    question: u64,
    lease: Option<Lease>,
    deadline: Moment,
    began: Moment,
    paused_until: Moment,
    paused: Duration,
    outcome: Option<Outcome>,
    session: Option<u64>,
    written_once: bool,
    // What only the story knows.
    /// A question about its right got no answer, or was lost or late.
    unheard: bool,
    held_until: Moment,
    last_held: Moment,
    disturbed: Moment,
    overdue: bool,
}

struct Story<'a> {
    seed: u64,
    random: Random,
    weather: Weather,
    broken: Broken,
    terms: Terms,
    now: Moment,
    /// What is to happen when and to whom; what comes at the same moment, in the order of its making.
    queue: BTreeMap<(Moment, u64), (usize, What)>,
    made: u64,
    clients: Vec<Client>,
    server: Model,
    up: bool,
    went_down: Moment,
    came_up: Moment,
    sessions: u64,
    life: Duration,
    grants: Vec<(Owner, Fence)>,
    /// Which session the entry holds, and by which right.
    stored: Option<(u64, u64)>,
    fault: Option<String>,
    text: Option<&'a mut String>,
}

macro_rules! tell {
    ($story:expr, $($words:tt)*) => {
        if let Some(text) = $story.text.as_deref_mut() {
            let _ = write!(text, "{:>8} ms  ", $story.now.as_millis());
            let _ = writeln!(text, $($words)*);
        }
    };
}

const NOBODY: usize = usize::MAX;

impl<'a> Story<'a> {
    /// The story of a seed.
    fn new(seed: u64, broken: Broken, text: Option<&'a mut String>) -> Self {
        let mut random = Random(seed);
        let weather = match random.chance(300) {
            true => Weather::rough(&mut random),
            false => Weather::of(&mut random),
        };
        let life = random.millis(4_000, 60_000);
        let mut story = Self {
            text,
            ..Self::empty(seed, random, weather, broken, life)
        };
        let together = story.random.chance(500);
        let spread = if together { 200 } else { 20_000 };
        for _ in 0..2 + story.random.below(5) {
            let begins = story.random.millis(0, spread);
            let patience = story.random.millis(3_000, 25_000);
            story.client(begins, patience);
        }
        story
    }

    /// One without clients.
    fn empty(seed: u64, random: Random, weather: Weather, broken: Broken, life: Duration) -> Self {
        let terms = Terms { login: LOGIN };
        Self {
            seed,
            random,
            weather,
            broken,
            terms,
            // Past what a counter that begins anew would reach.
            now: Duration::from_secs(1000),
            queue: BTreeMap::new(),
            made: 0,
            clients: Vec::new(),
            server: Model::new(broken),
            up: true,
            went_down: Moment::ZERO,
            came_up: Moment::ZERO,
            sessions: 0,
            life,
            grants: Vec::new(),
            stored: None,
            fault: None,
            text: None,
        }
    }

    fn client(&mut self, begins: Duration, patience: Duration) -> usize {
        let began = self.now + begins;
        self.clients.push(Client {
            step: Step::Looking,
            at: 0,
            question: 0,
            lease: None,
            deadline: began + patience,
            began,
            paused_until: Moment::ZERO,
            paused: Duration::ZERO,
            outcome: None,
            session: None,
            written_once: false,
            unheard: false,
            held_until: Moment::ZERO,
            last_held: Moment::ZERO,
            disturbed: Moment::ZERO,
            overdue: false,
        });
        let id = self.clients.len() - 1;
        self.after(begins, id, What::Begins);
        id
    }

    fn after(&mut self, wait: Duration, who: usize, what: What) {
        self.made += 1;
        self.queue.insert((self.now + wait, self.made), (who, what));
    }

    /// Runs to the end, and then asks whether the next one still gets in.
    fn run(&mut self) -> Result<(), String> {
        self.until_quiet();
        if self.fault.is_none() {
            self.weather = Weather::FAIR;
            let last = self.client(Duration::ZERO, self.terms.lease() + GRACE * 2);
            tell!(self, "fair weather from here on; client {last} is the last");
            self.until_quiet();
            let outcome = self.clients[last].outcome;
            if !matches!(outcome, Some(Outcome::Shared(_) | Outcome::Own(_))) {
                let fault = "the last client got no session in fair weather";
                self.fail(format!("{fault}: {outcome:?}"));
            }
        }
        match self.fault.take() {
            None => Ok(()),
            Some(fault) => Err(format!("seed {}: {fault}", self.seed)),
        }
    }

    fn until_quiet(&mut self) {
        while let Some(((moment, _), (who, what))) = self.queue.pop_first() {
            self.now = moment;
            if self.fault.is_some() {
                return;
            }
            self.happen(who, what);
        }
        for id in 0..self.clients.len() {
            let Client { outcome, step, .. } = self.clients[id];
            if outcome.is_none() {
                self.fail(format!("client {id} waits for ever: {step:?}"));
            }
        }
    }

    fn fail(&mut self, fault: String) {
        tell!(self, "WRONG: {fault}");
        self.fault.get_or_insert(fault);
    }

    fn happen(&mut self, who: usize, what: What) {
        match what {
            What::ServerUp => return self.comes_up(),
            What::Arrives(question, tag) => return self.arrives(who, question, tag),
            What::Gone => return self.gone(who),
            What::LoginTakesEffect => {
                self.sessions += 1;
                let id = self.sessions;
                self.clients[who].session = Some(id);
                tell!(self, "client {who}'s login takes effect: session {id}");
                return;
            }
            _ => {}
        }
        if self.clients[who].outcome.is_some() {
            return;
        }
        if self.up && self.random.chance(self.weather.restarts) {
            self.goes_down();
        }
        let (now, step) = (self.now, self.clients[who].step);
        if now < self.clients[who].paused_until {
            let wait = self.clients[who].paused_until - now;
            return self.after(wait, who, what);
        }
        if self.random.chance(self.weather.crashes) {
            tell!(self, "client {who} crashes while {step:?}");
            return self.end(who, Outcome::Crashed);
        }
        if self.random.chance(self.weather.pauses) {
            let long = self.random.chance(400);
            let pause = self.random.millis(10, if long { 25_000 } else { 1_500 });
            let millis = pause.as_millis();
            tell!(self, "client {who} pauses for {millis} ms while {step:?}");
            let client = &mut self.clients[who];
            (client.paused_until, client.disturbed) = (now + pause, now + pause);
            client.paused += pause;
            return self.after(pause, who, what);
        }
        let at = self.clients[who].at;
        match what {
            What::Begins => self.look(who, Step::Looking),
            What::Answered(answer, tag) => self.answered(who, Some(answer), tag),
            What::Silent(tag) => self.answered(who, None, tag),
            What::Wakes(step) if step == at => self.drive(who, Event::Woken),
            What::Beside(question) if question == self.clients[who].question => self.beside(who),
            What::LoginEnds => self.logged_in(who),
            _ => {}
        }
    }

    fn goes_down(&mut self) {
        if !self.up {
            return;
        }
        (self.up, self.went_down) = (false, self.now);
        tell!(self, "the server is killed");
        let down = self.random.millis(1, 3_000);
        self.after(down, NOBODY, What::ServerUp);
    }

    fn comes_up(&mut self) {
        self.up = true;
        self.came_up = self.now;
        self.server.restart(self.now);
        self.stored = None;
        tell!(self, "the server is up again, empty");
    }

    fn ask(&mut self, who: usize, question: Question, beside: bool) {
        let client = &mut self.clients[who];
        client.question += u64::from(!beside);
        let tag = Tag {
            step: client.at,
            question: client.question,
            beside,
            asked: self.now,
        };
        let way = self.way(who);
        if let Some(way) = way {
            self.after(way, who, What::Arrives(question, tag));
        }
        let client = &self.clients[who];
        // What comes after a login is done all the same.
        let patience = match client.step {
            Step::LoggingIn | Step::Writing | Step::GivingBack => PATIENCE,
            _ => PATIENCE.min(client.deadline.saturating_sub(self.now)),
        };
        self.after(patience, who, What::Silent(tag));
    }

    /// How long a message is on its way; none if it is lost.
    fn way(&mut self, who: usize) -> Option<Duration> {
        if self.random.chance(self.weather.lost) {
            let client = &mut self.clients[who];
            (client.disturbed, client.unheard) = (self.now + PATIENCE, true);
            tell!(self, "a message of client {who} is lost");
            return None;
        }
        if self.random.chance(self.weather.late) {
            let way = self.random.millis(200, 12_000);
            let client = &mut self.clients[who];
            (client.disturbed, client.unheard) = (self.now + way, true);
            let millis = way.as_millis();
            tell!(self, "a message of client {who} takes {millis} ms");
            return Some(way);
        }
        Some(self.random.millis(1, WAY_MAX.as_millis() as u64))
    }

    /// The server's part; its answer may be lost or late like any message.
    fn arrives(&mut self, who: usize, question: Question, tag: Tag) {
        if !self.up {
            self.clients[who].unheard = true;
            return;
        }
        let answer = match question {
            Question::Read => Answer::Entry(self.server.read(self.now)),
            Question::Do(call) => {
                let reply = self.server.answer(self.now, &call);
                let name = name(&call);
                tell!(
                    self,
                    "the server: client {who}'s {name} is answered {reply:?}"
                );
                self.note(who, &call, reply);
                Answer::Response(reply)
            }
        };
        if let Some(way) = self.way(who) {
            self.after(way, who, What::Answered(answer, tag));
        }
    }

    /// What the story remembers of an answer, and what must hold of it.
    fn note(&mut self, who: usize, call: &Command, reply: Response) {
        match (call, reply) {
            (Command::Take { owner, lease, .. }, Response::Given(fence)) => {
                if self.grants.last() != Some(&(*owner, fence)) {
                    self.grants.push((*owner, fence));
                }
                self.held(who, *lease);
            }
            (Command::Hold(_, lease), Response::Done) => self.held(who, *lease),
            (Command::Write(Right { owner, fence }, sealed, _), Response::Done) => {
                let (id, _) = session(sealed);
                let mut grants = self.grants.iter();
                let grant = grants.position(|right| *right == (*owner, *fence));
                let grant = grant.unwrap_or(0) as u64;
                if let Some((newer, later)) = self.stored
                    && id < newer
                    && grant < later
                {
                    let fault = format!("stale session {id} overwrites the newer {newer}");
                    self.fail(format!("client {who}'s {fault}"));
                }
                self.stored = Some((id, grant));
            }
            _ => {}
        }
    }

    fn held(&mut self, who: usize, lease: Duration) {
        let client = &mut self.clients[who];
        (client.held_until, client.last_held) = (self.now + lease, self.now);
    }

    fn answered(&mut self, who: usize, answer: Option<Answer>, tag: Tag) {
        let client = &mut self.clients[who];
        if tag.beside {
            if client.at != tag.step || client.question != tag.question {
                return;
            }
            // Answered once: what comes later is not for this question.
            client.question += 1;
            if let Some(lease) = &mut client.lease {
                let reply = match answer {
                    Some(Answer::Response(reply)) => Some(reply),
                    _ => None,
                };
                lease.renewed(tag.asked, self.now, reply);
            }
            return self.beside(who);
        }
        if client.at != tag.step || client.question != tag.question {
            return;
        }
        client.question += 1;
        client.unheard |= answer.is_none();
        match (client.step, answer) {
            (Step::Looking | Step::LookingAgain, None) => self.give_up(who, Outcome::Away),
            (Step::Looking | Step::LookingAgain, Some(Answer::Entry(entry))) => {
                self.looked(who, entry)
            }
            (Step::Waiting | Step::MakingSure, Some(Answer::Response(reply))) => {
                self.drive(who, Event::Response(reply));
            }
            (Step::Waiting | Step::MakingSure, None) => self.drive(who, Event::NoAnswer),
            (Step::Writing, None) if !client.written_once => {
                client.written_once = true;
                self.write(who);
            }
            (Step::Writing, _) => self.give_back(who),
            (Step::GivingBack, _) => {
                let client = &self.clients[who];
                let outcome = match client.session {
                    Some(session) => Outcome::Own(session),
                    None if client.lease.is_some() => Outcome::Refused,
                    None => Outcome::Away,
                };
                self.end(who, outcome);
            }
            _ => {}
        }
    }

    fn to(&mut self, who: usize, step: Step) {
        let client = &mut self.clients[who];
        client.step = step;
        client.at += 1;
    }

    fn look(&mut self, who: usize, step: Step) {
        self.to(who, step);
        self.ask(who, Question::Read, false);
    }

    fn looked(&mut self, who: usize, entry: Option<(Fence, Vec<u8>)>) {
        let fresh = entry.as_ref().map(|(_, sealed)| session(sealed));
        let fresh = fresh.filter(|(_, ends)| self.now < *ends);
        let step = self.clients[who].step;
        if let Some((id, _)) = fresh {
            tell!(self, "client {who} shares session {id}");
            // The answer is not waited for: the story of this client is over with its session.
            self.give_back(who);
            return self.end(who, Outcome::Shared(id));
        }
        if step == Step::LookingAgain {
            return self.make_sure(who);
        }
        let mut half = || Owner::from(split_mix(&mut self.random.0));
        let owner = half() << 64 | half();
        let deadline = self.clients[who].deadline;
        // Some wait for the right and nothing else, as a replacement of a dead session does.
        let heeds_news = self.random.chance(700) && self.broken != Broken::Reread;
        let seen = heeds_news.then_some(entry.map(|(fence, _)| fence));
        let client = &mut self.clients[who];
        client.lease = Some(Lease::new(self.terms, owner, seen, deadline));
        client.unheard = false;
        self.to(who, Step::Waiting);
        self.drive(who, Event::Begin);
    }

    fn make_sure(&mut self, who: usize) {
        if self.broken == Broken::Confirm {
            return self.log_in(who);
        }
        self.to(who, Step::MakingSure);
        self.drive(who, Event::Begin);
    }

    fn drive(&mut self, who: usize, event: Event) {
        let now = self.now;
        let Some(lease) = &mut self.clients[who].lease else {
            return;
        };
        match lease.next(now, event) {
            Action::Ask(call) => self.ask(who, Question::Do(call), false),
            Action::Sleep(wait) => {
                let at = self.clients[who].at;
                self.after(wait, who, What::Wakes(at));
            }
            Action::Granted if self.clients[who].step == Step::MakingSure => self.log_in(who),
            Action::Granted if self.broken == Broken::Reread => self.make_sure(who),
            Action::Granted => self.look(who, Step::LookingAgain),
            Action::Reread | Action::Lost if now < self.clients[who].deadline => {
                self.give_back(who);
                self.look(who, Step::Looking);
            }
            Action::Reread | Action::Lost => self.give_up(who, Outcome::Busy),
            Action::GiveUp(Failure::NoAnswer) => self.give_up(who, Outcome::Away),
            Action::GiveUp(_) => self.give_up(who, Outcome::Busy),
        }
    }

    /// Ends without a session; a right that is in hand all the same is given back, and the answer not waited for.
    fn give_up(&mut self, who: usize, outcome: Outcome) {
        if self.broken != Broken::GiveUp {
            self.give_back(who);
        }
        self.end(who, outcome);
    }

    fn log_in(&mut self, who: usize) {
        self.to(who, Step::LoggingIn);
        tell!(self, "client {who} logs in");
        self.check_login(who);
        let takes = self.random.millis(50, LOGIN.as_millis() as u64);
        if !self.random.chance(self.weather.refusals) {
            let effect = takes.mul_f64(0.1 + self.random.below(80) as f64 / 100.0);
            self.after(effect, who, What::LoginTakesEffect);
        }
        self.after(takes, who, What::LoginEnds);
        self.beside(who);
    }

    /// What must hold where a login begins.
    fn check_login(&mut self, who: usize) {
        let now = self.now;
        let its = self.clients[who].lease.as_ref().map(|lease| lease.owner);
        let forgotten = !self.up || self.came_up > self.clients[who].last_held;
        let holder = self.server.lock.filter(|(_, _, ends)| now < *ends);
        if holder.map(|(owner, ..)| owner) != its && !forgotten {
            self.fail(format!("client {who} logs in without the right"));
        }
        let stored = self.server.read(now).filter(|_| self.up);
        let stored = stored.map(|(_, sealed)| session(&sealed));
        if let Some((id, _)) = stored.filter(|(_, ends)| now < *ends) {
            self.fail(format!(
                "client {who} logs in although session {id} is there"
            ));
        }
        for other in 0..self.clients.len() {
            let client = &self.clients[other];
            if other == who || client.step != Step::LoggingIn || client.outcome.is_some() {
                continue;
            }
            let outlived = client.held_until <= now;
            // A restart takes the right from whoever was kept from claiming it.
            let kept_from =
                self.went_down >= client.last_held && client.disturbed >= self.went_down;
            if !outlived && !kept_from {
                self.fail(format!("clients {who} and {other} log in at once"));
            }
        }
    }

    /// The renewals beside a login.
    fn beside(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if client.step != Step::LoggingIn {
            return;
        }
        match client.lease.as_ref().map(|lease| lease.renew(self.now)) {
            Some(Action::Ask(call)) => self.ask(who, Question::Do(call), true),
            Some(Action::Sleep(wait)) => {
                let question = client.question;
                self.after(wait, who, What::Beside(question));
            }
            _ => {}
        }
    }

    fn logged_in(&mut self, who: usize) {
        if self.clients[who].session.is_some() {
            self.write(who)
        } else {
            self.give_back(who)
        }
    }

    fn write(&mut self, who: usize) {
        let (now, life) = (self.now, self.life);
        let client = &self.clients[who];
        let Some((session, lease)) = client.session.zip(client.lease.as_ref()) else {
            return;
        };
        let sealed = [
            session.to_be_bytes(),
            ((now + life).as_micros() as u64).to_be_bytes(),
        ]
        .concat();
        let Some(right) = lease.right else {
            return;
        };
        self.to(who, Step::Writing);
        let call = Command::Write(right, sealed, life);
        self.ask(who, Question::Do(call), false);
    }

    fn give_back(&mut self, who: usize) {
        let right = self.clients[who].lease.as_ref();
        let right = right.and_then(|lease| lease.right);
        self.to(who, Step::GivingBack);
        if let Some(right) = right {
            self.ask(who, Question::Do(Command::GiveBack(right)), false);
        }
    }

    fn end(&mut self, who: usize, outcome: Outcome) {
        tell!(self, "client {who} ends: {outcome:?}");
        let now = self.now;
        let client = &mut self.clients[who];
        client.outcome = Some(outcome);
        client.step = Step::Ended;
        let bound = client.deadline + client.paused;
        let bound = match outcome {
            Outcome::Shared(_) | Outcome::Busy | Outcome::Away => bound,
            // A login, a write tried twice, and the right given back.
            _ => bound + LOGIN + PATIENCE * 3,
        };
        client.overdue = outcome != Outcome::Crashed && now > bound;
        if client.overdue {
            let took = (now - client.began).as_millis();
            self.fail(format!("client {who} took {took} ms"));
        }
        if outcome != Outcome::Crashed {
            self.after(WAY_MAX * 2, who, What::Gone);
        }
    }

    /// What must hold once the last word of a client has come.
    fn gone(&mut self, who: usize) {
        let client = &self.clients[who];
        let its = client.lease.as_ref().map(|lease| lease.owner);
        let holder = self
            .server
            .lock
            .filter(|(_, _, ends)| self.now < *ends)
            .map(|(owner, ..)| owner);
        if its.is_some() && holder == its && self.up && !client.unheard {
            self.fail(format!("client {who} has ended and still holds the right"));
        }
    }
}

fn name(call: &Command) -> &'static str {
    match call {
        Command::Take { .. } => "take",
        Command::Hold(..) => "hold",
        Command::Write(..) => "write",
        Command::Forget(..) => "forget",
        Command::GiveBack(..) => "giving back",
    }
}

/// A stored session's number and end.
fn session(sealed: &[u8]) -> (u64, Moment) {
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    (
        number(&sealed[..8]),
        Duration::from_micros(number(&sealed[8..])),
    )
}

/// A day of a fleet: each runner begins a job about every five minutes, and sessions last ten, of which the last is
/// not handed out. How many logins there were, and how many jobs.
fn day(runners: u64) -> (u64, usize) {
    let life = Duration::from_secs(600 - 60);
    let mut day = Story::empty(1, Random(1), Weather::FAIR, Broken::Nothing, life);
    for _ in 0..runners {
        let mut begins = day.random.millis(0, 300_000);
        while begins < Duration::from_secs(86_400) {
            day.client(begins, Duration::from_secs(30));
            begins += day.random.millis(240_000, 360_000);
        }
    }
    day.until_quiet();
    assert_eq!(day.fault, None);
    let served =
        |client: &Client| matches!(client.outcome, Some(Outcome::Shared(_) | Outcome::Own(_)));
    assert!(day.clients.iter().all(served), "a job without a session");
    (day.sessions, day.clients.len())
}

#[test]
fn a_fleet_logs_in_once_a_session() {
    let (logins, jobs) = day(1000);
    let rate = logins as f64 / 24.0;
    println!("1000 runners, a day: {jobs} jobs, {logins} logins, {rate:.1} an hour");
    assert!((155..=162).contains(&logins), "{logins}");
}

fn breaks(seed: u64, broken: Broken) -> bool {
    Story::new(seed, broken, None).run().is_err()
}

/// The seed's story, and what goes wrong in it.
fn story(seed: u64, broken: Broken) -> (String, Result<(), String>) {
    let mut text = String::new();
    let outcome = Story::new(seed, broken, Some(&mut text)).run();
    (text, outcome)
}

/// How many seeds are tried: `CRMAUTH_SIMULATION_SEEDS`, else ten thousand.
#[expect(
    clippy::disallowed_methods,
    reason = "how long to search is for the caller to say"
)]
fn seeds() -> u64 {
    let given = std::env::var("CRMAUTH_SIMULATION_SEEDS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

#[test]
fn no_seed_breaks_the_protocol() {
    let (seeds, started) = (seeds(), Instant::now());
    for seed in 0..seeds {
        if breaks(seed, Broken::Nothing) {
            let (text, outcome) = story(seed, Broken::Nothing);
            panic!("{outcome:?}\n{text}");
        }
    }
    println!("{seeds} seeds in {:.1} s", started.elapsed().as_secs_f64());
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    let (first, _) = story(7, Broken::Nothing);
    assert!(first.lines().count() > 10, "{first}");
    assert_eq!(first, story(7, Broken::Nothing).0);
}

#[test]
fn whatever_is_broken_is_noticed() {
    for (broken, fault) in [
        (Broken::Fence, "overwrites the newer"),
        (Broken::Compare, "log"),
        (Broken::Clock, "overwrites the newer"),
        (Broken::Quiet, "log in at once"),
        (Broken::Claim, "log in at once"),
        (Broken::Reread, "although session"),
        (Broken::Confirm, "without the right"),
        (Broken::GiveUp, "has ended and still holds the right"),
    ] {
        let seed = (0..200_000).find(|seed| breaks(*seed, broken));
        let seed = seed.unwrap_or_else(|| panic!("nobody notices that {broken:?} is broken"));
        let (text, outcome) = story(seed, broken);
        let why = outcome.expect_err("broken");
        assert!(why.contains(fault), "{broken:?}: {why}\n{text}");
        println!("{broken:?} is noticed: {why}");
    }
}
