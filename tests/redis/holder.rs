//! The holder of the right killed or stopped at every step.

use std::sync::Mutex;

use rustix::process::Signal;

use super::*;
use crate::support::machine::signal;
use crate::support::redis::Way;

/// How long the holder's login may take; its right lasts five seconds more.
const HOLDER: &str = "12";

/// How many questions a login asks when nothing goes wrong.
fn steps() -> Option<usize> {
    let (servers, redis) = (Servers::start(), Redis::start()?.settled());
    let proxy = Proxy::start(redis.address());
    token(&sharing(&servers, &proxy.url()), "token systemsway");
    Some(proxy.questions())
}

/// Does this to a holder at each of its steps, both before and after the server did what it was asked; then another
/// machine asks. `check` gets the step and what came of it.
fn at_every_step(to: Signal, check: impl Fn(&str, &Story) + Sync) {
    let Some(steps) = steps() else { return };
    // Look, check, take, look again, make sure, write, give back.
    assert!(steps >= 6, "{steps} steps");
    let all = (0..steps).flat_map(|at| [(Way::Question, at), (Way::Answer, at)]);
    let told = Mutex::new(Vec::new());
    at_once(all, |(way, at)| {
        let Some(story) = Story::begin(way, at, to) else {
            return;
        };
        let step = format!("{to:?} at {way:?} {at}");
        check(&step, &story);
        told.lock().expect("a list").push(step);
    });
    // A slow machine may have given up before the step; most have not.
    let told = told.into_inner().expect("a list");
    assert!(told.len() > steps, "{told:?}");
}

struct Story {
    servers: Servers,
    _redis: Redis,
    proxy: Proxy,
    holder: Mutex<Option<std::process::Child>>,
    machine: Machine,
    other: Machine,
}

impl Story {
    fn begin(way: Way, at: usize, to: Signal) -> Option<Self> {
        let (servers, redis) = (Servers::start(), Redis::start()?.settled());
        let proxy = Proxy::start(redis.address());
        proxy.hold(way, at);
        let [machine, other] = [proxy.url(), redis.url()].map(|url| sharing(&servers, &url));
        let mut holder = machine.begin(&format!("token systemsway --timeout {HOLDER}"));
        if !proxy.reached(|| holder.try_wait().expect("a child").is_none()) {
            machine.end(holder);
            return None;
        }
        signal(&holder, to);
        Some(Self {
            servers,
            _redis: redis,
            proxy,
            holder: Mutex::new(Some(holder)),
            machine,
            other,
        })
    }

    /// The holder's process.
    fn holder(&self) -> std::process::Child {
        let mut holder = self.holder.lock().expect("a child");
        holder.take().expect("a child")
    }

    /// Another machine's token, once the holder's right has ended, and how many logins there were.
    fn others(&self, step: &str) -> (String, usize) {
        let got = token(&self.other, "token systemsway --timeout 55");
        let seen = logins(&self.servers);
        assert!((1..=2).contains(&seen), "{step}: {seen} logins");
        (got, seen)
    }

    /// The store has this token at last, which is alive.
    fn ends(&self, step: &str, got: &str) {
        let kept = token(&self.other, "token systemsway --cached");
        assert_eq!(kept, got, "{step}");
        let status = self.other.run("status systemsway --check --json").json();
        assert_eq!(status[0]["checked"], "alive", "{step}: {status}");
    }
}

#[test]
fn killed_at_every_step() {
    at_every_step(Signal::KILL, |step, story| {
        story.machine.end(story.holder()).exits(137, step);
        // What it had sent may still arrive.
        story.proxy.open();
        let (got, _) = story.others(step);
        story.ends(step, &got);
    });
}

#[test]
fn stopped_at_every_step_beyond_the_lease() {
    at_every_step(Signal::STOP, |step, story| {
        let (got, seen) = story.others(step);
        story.proxy.open();
        let holder = story.holder();
        signal(&holder, Signal::CONT);
        let outcome = story.machine.end(holder);
        // It comes too late for a login of its own: it shares the other's session, or says that it was too slow.
        match outcome.code {
            0 => assert_eq!(outcome.stdout.trim_end(), got, "{step}: {outcome}"),
            5 | 7 => assert_eq!(outcome.stdout, "", "{step}"),
            code => panic!("{step}: {code}: {outcome}"),
        }
        assert_eq!(logins(&story.servers), seen, "{step}: a second login");
        story.ends(step, &got);
    });
}
