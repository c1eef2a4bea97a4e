//! Bytes that nobody thought of, in every place where bytes of others come in: the program ends with a code of its
//! contract, in time and without a panic, and shows no secret.
//!
//! `CRMAUTH_TEST_CASES` makes them more, `CRMAUTH_TEST_SEED` makes them others; a failure names the seed to begin at.

use super::*;
use crate::support::{number, split_mix};

/// Cases of all systems together, unless more are asked for.
const CASES: u64 = 150;
/// No verb asks more often, not even one that finds out what went wrong.
const REQUESTS_MAX: usize = 32;

/// What the case changes.
type Case = fn(&mut Scene, &mut Random) -> &'static str;

#[test]
fn bytes_that_nobody_thought_of() {
    let first = number("CRMAUTH_TEST_SEED").unwrap_or(0);
    let cases = number("CRMAUTH_TEST_CASES").unwrap_or(CASES);
    let kinds: [Case; 6] = [answers, answers, headers, env_file, entry, url];
    each(|scene| {
        for seed in first..first + cases.div_ceil(5) {
            let mut random = Random::new(seed, scene.step.system);
            let kind = kinds[usize::try_from(seed).expect("a seed") % kinds.len()];
            let settings = scene.machine.text(".env");
            let line = kind(scene, &mut random);
            let broken = tried(scene, line).join("\n");
            scene.source(".env", settings);
            scene.machine.unset(&scene.variable("URL"));
            let case = format!("{}, {line}, CRMAUTH_TEST_SEED={seed}", scene.step.system);
            assert!(broken.is_empty(), "row 79, {case}:\n{broken}");
        }
    });
}

/// What a run breaks of the promises that hold for whatever comes in.
fn tried(scene: &Scene, line: &str) -> Vec<String> {
    let mut run = scene.run(scene.command(line));
    let code = run.outcome.code;
    let mut promise = Promise::exit(code);
    // Whatever is answered, a login goes out once; and once more only where a server asks for it.
    promise.sent = match line.starts_with("login") {
        true => 1 + usize::from(line.contains("--timeout")),
        false => REQUESTS_MAX,
    };
    if line.starts_with("status") {
        promise.stdout = Stdout::Anything;
    } else if code == 0 {
        promise.stdout = Stdout::SessionIn;
    }
    let unanswered = run.left_over.1;
    run.left_over = (0, 0);
    let mut broken = promise.broken(scene, &run);
    // Sessions come and go as the bytes have it, and a token that came changed is no longer the one that is looked for.
    broken.retain(|text| {
        !(text.starts_with("G3") || text.starts_with("G1") && text.contains("of the Token"))
    });
    if code != 0 && !line.starts_with("status") {
        broken.extend(lost(&run).map(|path| format!("G3: {path} is gone")));
    }
    if unanswered > 0 {
        broken.push(format!("more than {REQUESTS_MAX} requests"));
    }
    let known = match line.starts_with("exec") {
        true => [0, 125].contains(&code),
        false => (0..=7).contains(&code),
    };
    if !known {
        broken.push(format!("exit {code}"));
    }
    if !broken.is_empty() {
        broken.push(run.outcome.to_string());
    }
    scene.restore(&run);
    broken
}

/// An entry that a failed run has taken away.
fn lost(run: &Run) -> Option<String> {
    let gone = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|end| end == "json") && !run.after.contains_key(*path)
    };
    let path = run.before.keys().find(gone);
    path.map(|path| path.display().to_string())
}

/// Every request is answered alike, and then the connection ends.
fn answered(scene: &Scene, bytes: Vec<u8>) {
    let replies = std::iter::repeat_n(Reply::Last(bytes), REQUESTS_MAX);
    scene.server.push(replies);
}

fn answers(scene: &mut Scene, random: &mut Random) -> &'static str {
    let mut body = match random.below(4) {
        0 => random.bytes(300),
                1 => br#"{"error":{"message":"no"},"Message":"no","errors":[{"detail":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}]}"#
            .to_vec(),
        _ => scene.good().into_bytes(),
    };
    if random.below(4) > 0 {
        random.mutate(&mut body);
    }
    let statuses = "200|200|200|201|204|302|400|401|403|404|422|429|500|503";
    let status = random.line(statuses);
    // A server may quote what it was sent.
    if status >= "400" && random.below(2) == 0 {
        let at = random.below(body.len() + 1);
        let json = serde_json::Value::String(scene.secret().to_owned()).to_string();
        body.splice(at..at, json[1..json.len() - 1].bytes());
    }
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n");
    let mut whole = head.into_bytes();
    if random.below(8) == 0 {
        random.mutate(&mut whole);
    }
    answered(scene, [whole, body].concat());
    random.line("login T -vv|login T --json|exec T -- true|status T --check|api T PATH")
}

/// Values of headers and of lifetimes.
fn headers(scene: &mut Scene, random: &mut Random) -> &'static str {
    let value = |random: &mut Random| match random.below(5) {
        0 => format!("{}{}", random.line("|-|+|0x|1e"), random.next()),
        1 => random
            .line("|null|1e308|-1|NaN|9223372036854775808|0|3600.5")
            .to_owned(),
        2 => "Wed, 21 Oct 2037 07:28:00 GMT".to_owned(),
        _ => {
            let mut date = b"Sun, 22 Nov 2026 01:00:00 GMT".to_vec();
            random.mutate(&mut date);
            date.retain(|byte| !b"\r\n".contains(byte));
            String::from_utf8_lossy(&date).into_owned()
        }
    };
    let status = random.of(&[200, 429, 503]);
    let (retry, date, lifetime) = (value(random), value(random), value(random));
    let lifetime = serde_json::Value::String(lifetime).to_string();
    let lifetime = lifetime.trim_matches(if random.below(2) == 0 { '"' } else { ' ' });
    let body = scene.good().replace("3600", lifetime);
    let head = format!("HTTP/1.1 {status} X\r\nRetry-After: {retry}\r\nDate: {date}\r\n\r\n");
    answered(scene, [head, body].concat().into_bytes());
    random.line("login T --timeout 2|login T --json --timeout 2|exec T --timeout 2 -- true")
}

fn env_file(scene: &mut Scene, random: &mut Random) -> &'static str {
    let url = scene.server.url();
    // The environment's wins, so that whatever is changed, nobody else is asked.
    scene.machine.set(&scene.variable("URL"), &url);
    let mut file = scene.machine.text(".env").into_bytes();
    if random.below(6) == 0 {
        file = random.bytes(400);
    }
    random.mutate(&mut file);
    scene.source(".env", file);
    welcome(scene);
    random.line("login T -vv|login T --json|exec T -- true|status -v")
}

fn entry(scene: &mut Scene, random: &mut Random) -> &'static str {
    let path = stored::entry(&scene.machine);
    let mut content = fs::read(&path).expect("an entry");
    if random.below(6) == 0 {
        content = random.bytes(400);
    }
    random.mutate(&mut content);
    fs::write(&path, content).expect("an entry");
    welcome(scene);
    random.line("token T -vv|exec T -- true|status|status --json|login T")
}

/// Behind a port nothing can lead to another host.
fn url(scene: &mut Scene, random: &mut Random) -> &'static str {
    let start = random.line("/|?|#|@|:|\\|'|\"|%|.| |é");
    let rest = random.line("|webservice.php|legacy/Api|../x//%2e%2e");
    let mut rest = rest.as_bytes().to_vec();
    random.mutate(&mut rest);
    rest.retain(|byte| *byte != 0);
    let rest = String::from_utf8_lossy(&rest);
    let url = format!("{}{start}{rest}", scene.server.url());
    scene.machine.set(&scene.variable("URL"), &url);
    welcome(scene);
    random.line("login T -vv|login T --json|exec T -- true|status")
}

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn new(seed: u64, system: &str) -> Self {
        let mut random = Self(seed);
        let mix = |sum: u64, byte| sum.rotate_left(8) ^ u64::from(byte);
        random.0 = system.bytes().fold(random.next(), mix);
        random
    }

    fn next(&mut self) -> u64 {
        split_mix(&mut self.0)
    }

    /// A number below another one, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("a small number")
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// One of the texts that `|` separates.
    fn line<'t>(&mut self, all: &'t str) -> &'t str {
        self.of(&all.split('|').collect::<Vec<_>>())
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.below(most);
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Changes bytes, takes some away, doubles some, and puts in what readers stumble over.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const PIECES: &[u8] =
            b"\0|\"|'|\\|{|}|[|\n|\r\n|=|$|#|&|%|\xff|\xef\xbb\xbf|\xed\xa0\x80|null|1e999|\
            ::error::|\x1b[2J|<html>";
        let pieces: Vec<&[u8]> = PIECES.split(|byte| *byte == b'|').collect();
        for _ in 0..=self.below(4) {
            let from = self.below(bytes.len() + 1);
            let to = (from + self.below(12)).min(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(from),
                1 => drop(bytes.drain(from..to)),
                2 => bytes.extend_from_within(from..to),
                3 if from < bytes.len() => bytes[from] ^= 1 << self.below(8),
                _ => drop(bytes.splice(from..from, self.of(&pieces).iter().copied())),
            }
        }
    }
}
