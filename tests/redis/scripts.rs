//! The server's scripts do what the model of the simulation does.

use std::rc::Rc;

use crmauth::secret::Secret;
use crmauth::store::redis::lock::Fence;
use crmauth::store::redis::{RedisStore, RedisUrl};
use crmauth::tls::Trust;

use super::model::{Broken, Model};
use super::*;

const LEASE: Duration = Duration::from_secs(3600);

/// A deadline for a call that is far enough.
fn in_time() -> tokio::time::Instant {
    tokio::time::Instant::now() + LEASE
}

/// A small number that looks random.
fn below(seed: &mut u64, most: u64) -> u64 {
    *seed = seed.wrapping_mul(6364136223846793005);
    *seed = seed.wrapping_add(1442695040888963407);
    (*seed >> 33) % most
}

fn take(owner: Owner, seen: Option<Option<Fence>>, grace: Duration) -> Command {
    let lease = LEASE;
    Command::Take {
        owner,
        lease,
        seen,
        grace,
    }
}

/// What asks a server, and waits for its answer.
fn asks(redis: &Redis) -> impl Fn(&str, &Command) -> Response {
    let place = RedisUrl::parse(&redis.url()).expect("a place");
    let (trust, key) = (Rc::new(Trust::default()), Secret::new(KEY.to_owned()));
    let store = RedisStore::new(place, &key, trust, false, Duration::from_secs(60));
    let store = store.expect("a store");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    move |name, call| {
        let answer = runtime.block_on(async { store.call(name, call, in_time()).await });
        answer.expect("an answer")
    }
}

/// A call of one of three owners, with one of the rights that were given so far, or a made-up one.
fn call(seed: &mut u64, given: &[Right]) -> Command {
    let owner = Owner::from(below(seed, 3) + 1);
    let right = match given {
        [] => Right { owner, fence: 5 },
        given => given[below(seed, given.len() as u64) as usize],
    };
    let seen = match below(seed, 4) {
        0 => Some(None),
        1 => Some(Some(right.fence)),
        _ => None,
    };
    let ttl = match below(seed, 8) {
        0 => Duration::ZERO,
        _ => LEASE,
    };
    match below(seed, 8) {
        0..3 => take(owner, seen, Duration::ZERO),
        3 => Command::Hold(right, LEASE),
        4 | 5 => Command::Write(right, below(seed, 1 << 30).to_be_bytes().into(), ttl),
        6 => Command::Forget(right),
        _ => Command::GiveBack(right),
    }
}

#[test]
fn the_scripts_do_what_the_model_does() {
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let (real, mut client) = (asks(&redis), redis.client());
    let gone = |names: &str| ask::<()>(&redis, names);
    let mut kinds = std::collections::BTreeMap::new();
    for story in 0..60_u64 {
        let mut seed = story;
        let mut model = Model::new(Broken::Nothing);
        let mut now = Duration::from_secs(jiff::Timestamp::now().as_second().unsigned_abs());
        let (mut given, mut told) = (Vec::new(), String::new());
        let name = format!("{story:032x}");
        let entry = format!("crmauth:{name}");
        for _ in 0..60 {
            // What ends by itself, and a server that forgets.
            match below(&mut seed, 20) {
                0 => {
                    gone(&format!("DEL {entry}:lock"));
                    model.lock = None;
                }
                1 => {
                    gone(&format!("DEL {entry}"));
                    model.entry = None;
                }
                2 => {
                    gone("FLUSHDB");
                    model.restart(Duration::ZERO);
                }
                _ => {}
            }
            let call = call(&mut seed, &given);
            let real = real(&name, &call);
            if let Response::Given(fence) = real {
                // The model's clock is the server's.
                now = now.max(Duration::from_micros(fence));
                if let Command::Take { owner, .. } = call {
                    given.push(Right { owner, fence });
                }
            }
            let expected = model.answer(now, &call);
            told.push_str(&format!("{call:?}: {real:?}\n"));
            match (real, expected) {
                (Response::Busy(_), Response::Busy(_)) => {}
                _ => assert_eq!(real, expected, "story {story}\n{told}"),
            }
            let mut command = redis::cmd("HMGET");
            let entry = command.arg(&[&entry, "fence", "sealed"]).query(&mut client);
            let (fence, sealed): (Option<u64>, Option<Vec<u8>>) = entry.expect("it");
            assert_eq!(fence.zip(sealed), model.read(now), "story {story}\n{told}");
            let kind = format!("{real:?}").split('(').next().map(str::to_owned);
            *kinds.entry(kind).or_insert(0) += 1;
        }
    }
    // Every answer but `Quiet` has come, and more than once.
    let often = kinds.values().all(|count| *count > 20);
    assert!(kinds.len() == 5 && often, "{kinds:?}");
}

/// What is not to be waited for in a test of sixty stories: a server that has just started.
#[test]
fn a_server_that_has_just_started_gives_no_right() {
    let Some(redis) = Redis::start() else { return };
    let asks = asks(&redis);
    let ask = |call| asks("0", &call);
    let take = |grace| take(1, None, grace);
    assert_eq!(ask(take(LEASE)), Response::JustStarted);
    let right = Right { owner: 2, fence: 7 };
    let claimed = ask(Command::Hold(right, LEASE));
    assert_eq!(claimed, Response::Done, "what it forgot is claimed");
    assert!(matches!(ask(take(LEASE)), Response::Busy(left) if left > LEASE / 2));
    assert_eq!(ask(Command::GiveBack(right)), Response::Done);
    let again = ask(Command::Hold(right, LEASE));
    assert_eq!(again, Response::Overtaken, "and given back for good");
}
