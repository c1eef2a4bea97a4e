//! The server away, refusing, full or slow: side by side goes on with one warning, a single seat fails closed.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::support::redis::Canned;
use crate::support::server::Nobody;
use crate::support::{Reply, Server, canned, cells};
use crate::{systemsway, zeev};

/// Zeev gets its session with one warning, which holds this text; SystemsWay stays away with exit code 5.
#[track_caller]
fn away(url: &str, text: &str) {
    away_within("20", url, text);
}

#[track_caller]
fn away_within(seconds: &str, url: &str, text: &str) {
    let server = Server::start(vec![Reply::json(200, zeev::DEMO.good())]);
    let mut machine = zeev::DEMO.machine(&server.url());
    shares(&mut machine, url);
    let outcome = machine.run(&format!("token zeev --timeout {seconds}"));
    outcome.gives(0, &[zeev::DEMO.token, "\n"].concat(), url);
    assert_eq!(outcome.stderr.lines().count(), 1, "{url}: {outcome}");
    outcome.says(&["warning: zeev: this session is not shared", text]);

    let server = Server::start(vec![]);
    let mut machine = systemsway::DEMO.machine(&server.url());
    shares(&mut machine, url);
    let line = format!("token systemsway --timeout {seconds}");
    machine.fails(&line, 5, &[text, "hint: --no-store"]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn out_of_reach() {
    let nobody = Nobody::new();
    let refused = format!("connection refused by {}", nobody.host());
    away(&format!("redis://{}", nobody.host()), &refused);
    let (place, unknown) = (
        "redis://no-such-host.invalid:7",
        "cannot resolve no-such-host.invalid",
    );
    away(place, unknown);
    let hangs_up = Canned::start(|_| None);
    away(&hangs_up.url(), "closed the connection before answering");
    let cut = Canned::but(|text| text.contains("HMGET").then_some("*2\r\n$99\r\nab"));
    away(&cut.url(), "no answer within ");
    let frozen = Canned::start(|_| Some(Vec::new()));
    away_within("2", &frozen.url(), "no answer within ");
    let stranger = Canned::start(|_| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    away(&stranger.url(), "does not speak Redis's protocol");
    let over_tls = stranger.url().replace("redis://", "rediss://");
    away(&over_tls, "does not speak TLS");
    let loading = "-LOADING Redis is loading the dataset in memory\r\n-LOADING x\r\n";
    let loading = Canned::start(|_| Some(loading.into()));
    away(&loading.url(), "answered LOADING");
}

#[test]
fn what_answers_may_cost_is_bounded() {
    let tiny = ["*38\r\n", &"*0\r\n".repeat(38)].concat();
    let nested = ["*100000\r\n", &tiny.repeat(100_000)].concat();
    let claims = "*9223372036854775807\r\n".repeat(4);
    let large = [
        nested,
        claims,
        "+x\r\n".repeat(100_001),
        format!("${}\r\n", 9 << 20),
    ];
    let small = "$x\r\n|$-2\r\n|$1\r\nabc|*-2\r\n|:x\r\n|+more\r\n+than\r\n+asked\r\n";
    for answer in large.into_iter().chain(small.split('|').map(str::to_owned)) {
        let large = Canned::start(move |_| Some(answer.clone().into_bytes()));
        away(&large.url(), "does not speak Redis's protocol");
    }
}

#[test]
fn a_scan_without_end_ends() {
    let scans = AtomicUsize::new(0);
    let endless = Canned::start(move |text| {
        if !text.contains("SCAN") {
            return Canned::good(text);
        }
        let scan = scans.fetch_add(1, Ordering::Relaxed);
        let name = |name| format!("$40\r\ncrmauth:{:032x}\r\n", scan * 20_000 + name);
        let names: String = (0..20_000).map(name).collect();
        Some(format!("*2\r\n$1\r\n7\r\n*20000\r\n{names}").into_bytes())
    });
    let mut machine = Machine::new();
    shares(&mut machine, &endless.url());
    for line in ["status", "logout --all"] {
        machine.fails(line, 5, &["sent an answer that is not Redis's"]);
    }
}

#[test]
fn without_the_store_nobody_knows_whether_a_session_is_stored() {
    let nobody = Nobody::new();
    for demo in [&zeev::DEMO, &systemsway::DEMO] {
        let server = Server::start(vec![]);
        let mut machine = demo.machine(&server.url());
        shares(&mut machine, &format!("redis://{}", nobody.host()));
        let line = format!("token {} --cached", demo.id);
        machine.fails(&line, 5, &["connection refused"]);
        assert_eq!(server.connections(), 0);
    }
}

/// What a server answers that takes no changes, in the forms of Redis 7 and Redis 6, and what is said of it.
const REFUSALS: [&str; 8] = [
    "-READONLY You can't write against a read only replica. script: 7b3a, on @user_script:1.\r\n | is a replica",
    "-MISCONF Redis is configured to save RDB snapshots\r\n | because it cannot save them",
    "-ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'\r\n | \
        the memory of the store",
    "-OOM command not allowed when used memory > 'maxmemory'. script: 7b3a, on @user_script:1.\r\n | is full",
    "-MOVED 3999 127.0.0.1:6381\r\n | is part of a cluster",
    "-CROSSSLOT Keys in request don't hash to the same slot\r\n | is part of a cluster",
    "-WRONGTYPE Operation against a key script: 7b3a, on @user_script:1.\r\n | \
        answered WRONGTYPE: Operation against a key\n",
    "-ERR Error running script (call to f_1): @user_script:12: WRONGTYPE Operation against a key\r\n | \
        answered ERR: WRONGTYPE Operation against a key\n",
];

#[test]
fn refusals_before_the_login() {
    for [answer, said] in cells(REFUSALS) {
        let full = Canned::but(move |text| text.contains("INFO").then_some(answer));
        away(&full.url(), said);
    }
}

#[test]
fn refusals_of_who_we_are() {
    for [answer, said] in cells([
        "-NOAUTH Authentication required.\r\n | requires a password",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n | \
            does not accept the user or the password",
        "-NOPERM this user has no permissions to run the 'auth' command\r\n | \
            answered NOPERM: this user has no permissions to run the 'auth' command",
        "-ERR The user executing the script can't run this command or subcommand script: 7b3a, on @user_script:1.\r\n | \
            answered NOPERM: The user executing the script can't run this command or subcommand\n",
        "-ERR Error running script (call to f_1): @user_script:1: The user executing the script can't run this command\r\n | \
            answered NOPERM: The user executing the script can't run this command\n",
        "-ERR ACL failure in script: User ci has no permissions to run the 'hget' command script: 7b3a, on @user_script:1.\r\n | \
            answered NOPERM: ACL failure in script: User ci has no permissions to run the 'hget' command\n",
    ]) {
        let store = Canned::start(move |_| Some(answer.as_bytes().to_vec()));
        for demo in [&zeev::DEMO, &systemsway::DEMO] {
            let server = Server::start(vec![]);
            let mut machine = demo.machine(&server.url());
            let place = store.url().replace("redis://", "redis://ci:Pw7Qx2Store@");
            shares(&mut machine, &place);
            machine.canary("Pw7Qx2Store");
            machine.fails(&format!("token {}", demo.id), 2, &[said]);
        }
    }
}

#[test]
fn what_cannot_be_stored_after_the_login_is_delivered() {
    let loading =
        "-LOADING Redis is loading the dataset in memory\r\n | answered LOADING: Redis is loading";
    for [answer, said] in cells(REFUSALS.into_iter().chain([loading])) {
        for (demo, lines) in [(&zeev::DEMO, 1), (&systemsway::DEMO, 2)] {
            let store = Canned::but(move |text| text.contains("HSET").then_some(answer));
            let server = Server::start(vec![Reply::json(200, demo.good())]);
            let mut machine = demo.machine(&server.url());
            shares(&mut machine, &store.url());
            let outcome = machine.run(&format!("token {} --timeout 20", demo.id));
            outcome.gives(0, &[demo.token, "\n"].concat(), said);
            assert!(outcome.stderr.lines().count() <= lines + 1, "{outcome}");
            outcome.says(&["the session is not stored", said]);
        }
    }
}

#[test]
fn out_of_memory() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let machine = sharing(&servers, &redis.url());
    let got = token(&machine, "token systemsway");
    let set = |limit: u8| ask::<()>(&redis, &format!("CONFIG SET maxmemory {limit}"));
    set(1);
    // What is there is shared; what is not cannot be had safely.
    assert_eq!(token(&machine, "token systemsway"), got);
    machine.fails("login systemsway", 5, &["is full\n", "--no-store"]);
    assert_eq!(logins(&servers), 1);
    let outcome = machine.run("token zeev");
    outcome.exits(0, "side by side");
    outcome.says(&["this session is not shared", "is full\n"]);
    set(0);
    assert_eq!(token(&machine, "token systemsway"), got);
}

#[test]
fn a_read_only_replica() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let port = redis.address().port().to_string();
    let Some(replica) = Redis::with(&["--replicaof", "127.0.0.1", &port]) else {
        return;
    };
    let machine = sharing(&servers, &redis.url());
    let got = token(&machine, "token systemsway");
    replica.wait_until(|| replica.names().len() >= redis.names().len());
    let reader = sharing(&servers, &replica.url());
    assert_eq!(token(&reader, "token systemsway"), got);
    let texts = ["is a replica, which accepts no changes\n"];
    reader.fails("login systemsway", 5, &texts);
    assert_eq!(logins(&servers), 1);
    let outcome = reader.run("token zeev");
    outcome.exits(0, "side by side");
    outcome.says(&["this session is not shared", "is a replica"]);
}

#[test]
fn a_slow_server_is_waited_for_within_the_time_out() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let proxy = Proxy::start(redis.address());
    proxy.delay(Duration::from_millis(200));
    let machines: Vec<Machine> = (0..4).map(|_| sharing(&servers, &proxy.url())).collect();
    at_once(&machines, |machine| {
        token(machine, "token systemsway --timeout 50");
    });
    assert_eq!(logins(&servers), 1);
    // Slower than any answer is waited for.
    proxy.delay(Duration::from_secs(3));
    let started = Instant::now();
    machines[0].fails("token systemsway --timeout 8", 5, &["no answer within "]);
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert_eq!(logins(&servers), 1);
}

#[test]
fn whoever_cannot_wait_longer_is_busy() {
    let Some(redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let server = Server::start(vec![Reply::Silence]);
    let mut machine = systemsway::DEMO.machine(&server.url());
    shares(&mut machine, &redis.url());
    let holder = machine.begin("token systemsway --timeout 60");
    server.wait_for(1);
    let told = "another machine is logging in, according to the store";
    let texts = [told, "its turn ends in 6"];
    machine.fails("token systemsway --timeout 1", 7, &texts);
    crate::support::machine::signal(&holder, rustix::process::Signal::KILL);
    assert_eq!(machine.end(holder).code, 137);
    // Nobody gave it back.
    machine.fails("token systemsway --timeout 1", 7, &texts);
}

/// How often a run is tried that had to be in time: a machine may be busy, a program that errs errs every time.
const TRIES: usize = 3;

#[test]
fn a_server_that_freezes_at_the_end_of_a_wait_does_not_prolong_it() {
    let in_time = (0..TRIES).any(|_| {
        let started = Instant::now();
        // A turn that another has, and then no answer, so that the last question is under way when the time is over.
        let store = Canned::but(move |text| {
            let frozen = started.elapsed() > Duration::from_millis(7_500);
            let answer = ["*2\r\n$4\r\nbusy\r\n$5\r\n60000\r\n", ""][usize::from(frozen)];
            text.contains("INFO").then_some(answer)
        });
        let server = Server::start(vec![]);
        let mut machine = systemsway::DEMO.machine(&server.url());
        shares(&mut machine, &store.url());
        let outcome = machine.run("token systemsway --timeout 8");
        let took = started.elapsed();
        assert!(matches!(outcome.code, 5 | 7), "{outcome}");
        assert_eq!(server.connections(), 0);
        took < Duration::from_millis(9_000)
    });
    assert!(in_time, "longer than --timeout");
}

#[test]
fn what_somebody_else_put_there_is_not_used() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let machine = sharing(&servers, &redis.url());
    token(&machine, "token systemsway");
    token(&machine, "token zeev");
    let mut entries = redis.names();
    entries.retain(|name| name.len() == "crmauth:".len() + 32);
    assert_eq!(entries.len(), 2);
    // One in the other's place.
    ask::<()>(
        &redis,
        &format!("COPY {} {} REPLACE", entries[0], entries[1]),
    );
    let statuses = machine.run("status systemsway zeev");
    statuses.says(&["was changed or put there by somebody else"]);
    let before = servers.events().len();
    for system in ["systemsway", "zeev"] {
        machine.run(&format!("token {system}")).exits(0, system);
    }
    assert_eq!(servers.events().len(), before + 1, "one was sound");
    // What cannot be read goes with the rest.
    ask::<()>(&redis, &format!("HSET {} sealed \x01x", entries[0]));
    let ended = machine.run("logout --all");
    let texts = ["1 stored entries could not be read; they were removed here"];
    ended.exits(7, "logout").says(&texts);
    assert!(!locked(&redis), "{:?}", redis.names());
}

#[test]
fn a_number_that_nobody_was_given_counts_for_nothing() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let proxy = Proxy::start(redis.address());
    let machine = sharing(&servers, &proxy.url());
    token(&machine, "token systemsway");
    let mut names = redis.names().into_iter();
    let last = names.find(|name| name.ends_with(":last"));
    let last = last.expect("a right's number");
    let entry = last.trim_end_matches(":last");
    let huge = "99999999999999999999999";
    let numbers = "7|007|+7|7.0| 7|abc||-1|0|1e15|0x10|inf|nan|9007199254740992|9007199254740993|\
        18446744073709551615|99999999999999999999999";
    let numbers = numbers
        .split('|')
        .map(|number| vec!["HSET", entry, "fence", number]);
    let halves = ["fence", "sealed"].map(|half| vec!["HDEL", entry, half]);
    for words in numbers.chain(halves) {
        asked::<()>(&redis, &words);
        let before = (logins(&servers), proxy.questions());
        let outcome = machine.run("token systemsway");
        outcome.exits(0, format!("{words:?}"));
        outcome.says(&["was changed or put there by somebody else; it is not used"]);
        assert_eq!(logins(&servers), before.0 + 1, "{words:?}");
        let questions = proxy.questions() - before.1;
        assert!(questions < 40, "{words:?}: {questions} questions");
        let kept = token(&machine, "token systemsway");
        assert_eq!(kept, outcome.stdout.trim_end(), "{words:?}");
    }
    for number in ["abc", huge] {
        ask::<()>(&redis, &format!("SET {last} {number}"));
        let outcome = machine.run("login systemsway");
        outcome.exits(0, number);
        let kept = token(&machine, "token systemsway");
        assert_eq!(kept, outcome.stdout.trim_end(), "{number}");
    }
}

#[test]
fn a_server_of_http_is_none() {
    let servers = Servers::start();
    let machine = sharing(&servers, &format!("redis://{}", servers.host("zeev")));
    machine.fails("token systemsway", 5, &["does not speak Redis's protocol"]);
}

#[test]
fn a_restart_in_the_middle_of_a_login_makes_no_second_one() {
    let Some(mut redis) = Redis::start().map(Redis::settled) else {
        return;
    };
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
    let server = Server::start(vec![canned::systemsway("T1").together(&barrier)]);
    let mut machine = systemsway::DEMO.machine(&server.url());
    shares(&mut machine, &redis.url());
    let start = || machine.begin("token systemsway --timeout 50");
    let holder = start();
    server.wait_for(1);
    redis.down();
    machine.fails("token systemsway --timeout 20", 5, &["connection refused"]);
    redis.up();
    assert!(redis.names().is_empty(), "it has forgotten all");
    let other = start();
    // The holder claims its right before anybody else is given one.
    redis.wait_until(|| locked(&redis));
    let up: String = ask(&redis, "INFO server");
    assert!(up.contains("uptime_in_seconds"), "{up}");
    barrier.wait();
    for run in [holder, other] {
        machine.end(run).gives(0, "T1\n", "a token");
    }
    assert_eq!(server.received().len(), 1);
}
