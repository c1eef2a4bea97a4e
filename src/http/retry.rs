//! Whether a request is sent again, and after how long.

use std::mem;
use std::time::Duration;

use super::Request;
use super::failure::{Again, Failure, Outcome};
use super::response::{Response, is_away};

/// How often a request that may be repeated is.
const REPEATS_MAX: u32 = 2;
/// The shortest pause before a repetition; jitter adds up to as much again, and each pause doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// The tries of a request so far.
#[derive(Default)]
pub(super) struct Retries {
    reconnected: bool,
    /// Whether the next try needs a fresh connection.
    pub fresh: bool,
    harmless: bool,
    waited: bool,
    repeats: u32,
}

impl Retries {
    pub fn new(harmless: bool, fresh: bool) -> Self {
        Self {
            harmless,
            fresh,
            ..Self::default()
        }
    }

    /// How long to pause before another try, if there is to be one.
    pub fn pause(&mut self, request: &Request, outcome: &Outcome) -> Option<Duration> {
        match outcome {
            Err(Failure {
                again: Again::NothingSent,
                ..
            }) if request.can_repeat() => {
                (!mem::replace(&mut self.reconnected, true)).then(|| jittered(PAUSE))
            }
            Err(Failure {
                again: Again::HungUp,
                ..
            }) if self.harmless && request.can_repeat() && !mem::replace(&mut self.fresh, true) => {
                Some(Duration::ZERO)
            }
            // A server that names a wait is asked once more, not as often as others.
            Ok(Response {
                status: 429,
                retry_after: Some(seconds),
                ..
            }) => (!mem::replace(&mut self.waited, true)).then(|| Duration::from_secs(*seconds)),
            Ok(Response { status, .. }) if *status != 429 && !is_away(*status) => None,
            Ok(_)
            | Err(Failure {
                again: Again::Lost | Again::HungUp,
                ..
            }) if request.repeatable && self.repeats < REPEATS_MAX => {
                self.repeats += 1;
                Some(jittered(PAUSE * 2u32.pow(self.repeats - 1)))
            }
            _ => None,
        }
    }
}

/// One to two times as long, so that many clients do not come back at once.
fn jittered(pause: Duration) -> Duration {
    pause + random_part(pause)
}

/// A random part of a time.
pub fn random_part(time: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    time.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
