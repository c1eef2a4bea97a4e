//! Whether a request is sent again, and after how long.

use std::mem;
use std::time::Duration;

use super::failure::{Again, Outcome};
use super::request::{Effect, Request};
use super::response::is_away;

/// How many times a request that may be repeated is repeated.
const REPEATS_MAX: u32 = 2;
/// The shortest pause before a repetition; jitter adds up to as much again, and each pause doubles.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(super) struct Retries {
    reconnected: bool,
    /// Whether the next try needs a fresh connection.
    pub fresh: bool,
    waited: bool,
    repeats: u32,
}

impl Retries {
    /// How long to pause before another try, if there is to be one.
    pub fn pause(&mut self, request: &Request, harmless: bool, last: &Outcome) -> Option<Duration> {
        let once = |done: &mut bool| !mem::replace(done, true);
        let can_be_replayed = request.stream.is_none();
        match last {
            Err(failure) => match failure.again {
                Again::NothingSent if can_be_replayed && once(&mut self.reconnected) => {
                    Some(PAUSE + random_part(PAUSE))
                }
                Again::HungUp if can_be_replayed && harmless && once(&mut self.fresh) => {
                    Some(Duration::ZERO)
                }
                Again::HungUp | Again::Lost => self.repeat(request),
                Again::NothingSent | Again::Never => None,
            },
            Ok(answer) => match (answer.status, answer.retry_after) {
                // A server that names a wait is asked once more, not as often as others.
                (429, Some(wait)) => once(&mut self.waited).then(|| Duration::from_secs(wait)),
                (status, _) if status == 429 || is_away(status) => self.repeat(request),
                _ => None,
            },
        }
    }

    fn repeat(&mut self, request: &Request) -> Option<Duration> {
        if request.effect != Effect::Question || self.repeats == REPEATS_MAX {
            return None;
        }
        self.repeats += 1;
        let pause = PAUSE * 2u32.pow(self.repeats - 1);
        Some(pause + random_part(pause))
    }
}

/// A part of a pause, which differs so that many clients do not come back at once.
pub fn random_part(time: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    time.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
