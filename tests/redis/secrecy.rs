//! Who reads the server learns no user, no host and no token.

use std::io::Read;
use std::process::{Command, Stdio};

use crmauth::secret::{Redactor, Secret};

use super::settings::OTHER_KEY;
use super::*;
use crate::support::machine::installed;
use crate::support::stored::{cached, systems};

/// The parts of a sealed text, and what the text itself is filled up to, in bytes.
const VERSION: usize = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const BLOCK: usize = 256;

/// Every byte that the server has: what was said to it, what it keeps, and the file that it writes.
#[test]
fn nothing_can_be_read_from_the_server() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    if !installed("redis-cli") {
        return;
    }
    let mut monitor = Command::new("redis-cli")
        .args(["-p", &redis.address().port().to_string(), "MONITOR"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli");
    let mut heard = monitor.stdout.take().expect("a pipe");
    let mut first = [0; 3];
    heard.read_exact(&mut first).expect("its first words");
    assert_eq!(&first, b"OK\n");
    let listening = std::thread::spawn(move || {
        let mut all = Vec::new();
        heard.read_to_end(&mut all).expect("its words");
        all
    });

    let machine = sharing(&servers, &redis.url());
    let redactor = Redactor::default();
    let mut plain: Vec<String> = Vec::new();
    for system in systems() {
        redactor.learn(&Secret::new(token(&machine, &format!("token {system}"))));
        redactor.learn(&Secret::new(token(&machine, &format!("login {system} -q"))));
        plain.push(servers.host(system).to_owned());
        plain.push(system.to_owned());
    }
    for (name, value) in servers.demo() {
        let mut ends = "PASSWORD SECRET KEY USERNAME CLIENT_ID".split(' ');
        if ends.any(|end| name.ends_with(end)) && value.len() > 3 {
            redactor.learn(&Secret::new(value.to_owned()));
        }
    }
    redactor.learn(&Secret::new(KEY.to_owned()));
    let words = "admin TesteBroker integracao Bearer schema gluo";
    plain.extend(words.split(' ').map(str::to_owned));

    let mut all = Vec::new();
    let names = redis.names();
    // With another key the same sessions have other names: whoever guesses a user does not find that user's entry.
    let other = Redis::start().expect("another server").settled();
    let mut stranger = sharing(&servers, &other.url());
    stranger.secret("CRMAUTH_STORE_KEY", OTHER_KEY);
    stranger.run("login --all -q");
    let others = other.names();
    assert_eq!(others.len(), names.len());
    let shared = names.iter().filter(|name| others.contains(name));
    assert_eq!(shared.collect::<Vec<_>>(), ["crmauth:check"]);
    for name in &names {
        all.extend_from_slice(name.as_bytes());
        all.extend(ask::<Vec<u8>>(&redis, &format!("DUMP {name}")));
        let kind: String = ask(&redis, &format!("TYPE {name}"));
        let value: Vec<u8> = match kind.as_str() {
            "hash" => ask(&redis, &format!("HGET {name} sealed")),
            _ => ask(&redis, &format!("GET {name}")),
        };
        if kind == "hash" {
            let text = value.len() - VERSION - NONCE - TAG;
            assert_eq!(text % BLOCK, 0, "its length tells little");
        }
        all.extend(value);
    }
    ask::<()>(&redis, "SAVE");
    all.extend(std::fs::read(redis.folder().join("dump.rdb")).expect("the file"));
    monitor.kill().expect("it runs");
    monitor.wait().expect("it ends");
    let heard = listening.join().expect("no panic");
    assert!(heard.len() > 1000, "the monitor heard nothing");
    all.extend(&heard);

    // What is there can be found, so what is not found is not there.
    let text: String = all.iter().map(|byte| char::from(*byte)).collect();
    let entries = names.iter();
    let entries = entries.filter(|name| name.len() == "crmauth:".len() + 32);
    // The partner has one too.
    assert_eq!(entries.clone().count(), systems().len() + 1, "{names:?}");
    entries.for_each(|name| assert!(text.matches(name.as_str()).count() > 2, "{name}"));

    let shown = redactor.foreign(&text);
    if let Some(at) = shown.find("***").filter(|_| shown != text) {
        let around = at.saturating_sub(200)..(at + 100).min(shown.len());
        panic!("a secret: {:?}", &shown[around]);
    }
    for word in plain {
        assert!(!text.contains(&word), "{word}");
    }
    // The forms that the monitor writes bytes in.
    let digits =
        |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let hex = digits(&all);
    for system in systems() {
        let token = digits(cached(&machine, system).as_bytes());
        assert!(!hex.contains(&token), "{system}");
    }
}
