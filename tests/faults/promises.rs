//! What every run promises, whatever went wrong. The numbers are those of the nine promises.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::canary::{Canary, Class, found};
use super::scene::{Files, Run, SESSION_FILE, Scene};
use crate::support::harm::harm;
use crate::support::server::Received;
use crate::support::{Outcome, stored};

/// How much longer than its time-out a run may take.
const GRACE: Duration = Duration::from_secs(1);
/// The most memory that a run may have, in KiB.
pub const MEMORY: u64 = 64 * 1024;

/// What a run promises beyond what all promise.
#[derive(Debug, Clone)]
pub struct Promise {
    /// The exit code.
    pub exit: i32,
    /// What stands on stderr.
    pub says: Vec<String>,
    /// What does not.
    pub unsaid: Vec<String>,
    pub stdout: Stdout,
    pub entry: Kept,
    pub file: Kept,
    /// What the error names beside the target and the next step, such as the host.
    pub place: Option<String>,
    /// How often a request that carries a secret may go out.
    pub sent: usize,
    /// How often the program connects, where that is known.
    pub connections: Option<usize>,
    /// The longest that the program may take, its own time-out and not the grace.
    pub timeout: Duration,
    /// The shortest.
    pub at_least: Duration,
    /// Files that may hold the session.
    pub sinks: Vec<PathBuf>,
}

/// What stands on stdout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdout {
    /// Exactly this, and no canary.
    Is(String),
    /// Anything but a canary.
    Anything,
    /// Exactly this, which may hold the session.
    Session(String),
    /// Anything, with the session.
    SessionIn,
}

/// What becomes of a session that was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It stays as it is, byte for byte.
    Same,
    /// It stays, and is asked for before it is used again: it may have ended.
    Suspect,
    /// It stays without its refresh token.
    Spent,
    /// It goes.
    Dropped,
    /// Another takes its place.
    Replaced,
    /// It is this from now on.
    Becomes(String),
}

impl Promise {
    /// A run that ends with this code; everything else is as on most rows.
    pub fn exit(exit: i32) -> Self {
        Self {
            exit,
            says: Vec::new(),
            unsaid: Vec::new(),
            stdout: Stdout::Is(String::new()),
            entry: Kept::Same,
            file: Kept::Same,
            place: None,
            sent: 1,
            connections: None,
            timeout: Duration::from_secs(30),
            at_least: Duration::ZERO,
            sinks: Vec::new(),
        }
    }

    /// These texts stand on stderr.
    pub fn says<T: AsRef<str>>(mut self, texts: &[T]) -> Self {
        let texts = texts.iter().map(|text| text.as_ref().to_owned());
        self.says.extend(texts);
        self
    }

    /// What stands on stdout.
    pub fn prints(self, stdout: Stdout) -> Self {
        Self { stdout, ..self }
    }

    /// What becomes of the stored session.
    pub fn entry(self, entry: Kept) -> Self {
        Self { entry, ..self }
    }

    /// Another session takes the place of the stored one.
    pub fn replaced(self) -> Self {
        self.entry(Kept::Replaced)
    }

    /// These do not.
    pub fn unsaid(mut self, texts: &[&str]) -> Self {
        let texts = texts.iter().map(|text| (*text).to_owned());
        self.unsaid.extend(texts);
        self
    }

    /// A login may have worked, so that a single seat's session may have ended.
    pub fn suspect(&mut self, scene: &Scene) {
        if scene.step.single_seat() {
            self.entry = Kept::Suspect;
        }
    }

    /// Nobody is asked anything.
    pub fn offline(mut self) -> Self {
        self.connections = Some(0);
        self
    }

    /// Files that may hold the session.
    pub fn sinks(self, sinks: Vec<PathBuf>) -> Self {
        Self { sinks, ..self }
    }

    /// Every promise that a run has broken.
    pub fn broken(&self, scene: &Scene, run: &Run) -> Vec<String> {
        let mut broken = Vec::new();
        let mut check = |number: u8, found: Option<String>| {
            broken.extend(found.map(|text| format!("G{number}: {text}")))
        };
        let stderr = &run.outcome.stderr;
        for text in self.canaries(scene, run) {
            check(1, Some(text));
        }
        check(2, self.stdout(&run.outcome.stdout));
        check(3, self.sessions(scene, run));
        check(4, temporary(scene, self, &run.after));
        check(5, self.duration(run));
        let panicked = matches!(run.outcome.code, 101 | 134) || stderr.contains("panicked");
        check(6, panicked.then(|| "a panic".to_owned()));
        check(7, unprintable(stderr));
        check(8, self.requests(scene, run));
        let lines = lines(&run.outcome);
        if self.exit != 0 {
            check(9, self.unnamed(scene, &lines));
        }
        let mut text = lines.join("\n") + "\n";
        if self.stdout == Stdout::Anything {
            text.push_str(&run.outcome.stdout);
        }
        let told = |said: &&String| text.contains(said.as_str());
        let missing = self.says.iter().filter(|said| !told(said));
        broken.extend(missing.map(|said| format!("{said:?} is not said")));
        let unwanted = self.unsaid.iter().filter(told);
        broken.extend(unwanted.map(|said| format!("{said:?} is said")));
        if run.outcome.code != self.exit {
            broken.push(format!("exit {} and not {}", run.outcome.code, self.exit));
        }
        broken
    }

    fn canaries(&self, scene: &Scene, run: &Run) -> Vec<String> {
        let canaries = scene.canaries();
        let mut leaks = Vec::new();
        let mut look = |place: &str, text: &[u8], tokens_too: bool| {
            for (canary, form) in found(&canaries, text) {
                let Canary { class, value, .. } = canary;
                if tokens_too || *class == Class::Setting {
                    leaks.push(format!("{place} holds {form:?} of the {class:?} {value:?}"));
                }
            }
        };
        let handed_over = matches!(self.stdout, Stdout::Session(_) | Stdout::SessionIn);
        look("stdout", run.outcome.stdout.as_bytes(), !handed_over);
        look("stderr", run.outcome.stderr.as_bytes(), true);
        for text in &run.seen {
            look("a process", text, true);
        }
        for (path, content) in run.after.iter().filter(|(path, _)| !scene.is_own(path)) {
            let place = path.display().to_string();
            look(&place, content, !self.is_sink(scene, path));
            look("a file's name", path.as_os_str().as_encoded_bytes(), true);
        }
        leaks
    }

    fn is_sink(&self, scene: &Scene, path: &Path) -> bool {
        let file = *path == scene.machine.path(SESSION_FILE);
        is_entry(scene, path) || file || self.sinks.contains(&path.to_owned())
    }

    fn stdout(&self, stdout: &str) -> Option<String> {
        match &self.stdout {
            Stdout::Is(text) | Stdout::Session(text) => {
                (stdout != text).then(|| format!("stdout is {stdout:?}"))
            }
            Stdout::Anything | Stdout::SessionIn => None,
        }
    }

    fn sessions(&self, scene: &Scene, run: &Run) -> Option<String> {
        let file = scene.machine.path(SESSION_FILE);
        let prior = scene.step.prior_role();
        for (path, before) in &run.before {
            if prior.is_some_and(|role| read(before)["key"]["role"] == role) {
                continue;
            }
            let kept = match (is_entry(scene, path), *path == file) {
                (true, _) => &self.entry,
                (_, true) => &self.file,
                _ => continue,
            };
            let after = run.after.get(path);
            let good = match kept {
                Kept::Same => after == Some(before),
                Kept::Suspect => after.is_some_and(|after| without("seen_at", before, after)),
                Kept::Spent => after.is_some_and(|after| without("refresh", before, after)),
                Kept::Dropped => after.is_none(),
                Kept::Replaced => after.is_some_and(|after| after != before),
                Kept::Becomes(text) => after.is_some_and(|after| after == text.as_bytes()),
            };
            if !good {
                let after = after.map(|after| String::from_utf8_lossy(after).into_owned());
                return Some(format!("{} is not {kept:?}: {after:?}", path.display()));
            }
        }
        None
    }

    fn duration(&self, run: &Run) -> Option<String> {
        if let Some(peak) = run.peak.filter(|peak| *peak >= MEMORY) {
            return Some(format!("{peak} KiB of memory"));
        }
        let in_time = (self.at_least..=self.timeout + GRACE).contains(&run.took);
        (!in_time).then(|| format!("it took {} ms", run.took.as_millis()))
    }

    fn requests(&self, scene: &Scene, run: &Run) -> Option<String> {
        if run.left_over != (0, 0) {
            let (left, beyond) = run.left_over;
            let left = format!("{left} replies that nobody asked for");
            return Some(format!("{left}, {beyond} requests without a reply"));
        }
        if self.connections.unwrap_or(run.connections) != run.connections {
            return Some(format!("it connected {} times", run.connections));
        }
        let mut unwanted = ["accept-encoding", "cookie", "referer"].into_iter();
        let has = |name: &&str| run.received.iter().any(|sent| sent.header(name).is_some());
        if let Some(name) = unwanted.find(has) {
            return Some(format!("a request has the header {name}"));
        }
        let canaries = scene.canaries();
        let secret = |text: &String| !found(&canaries, text.as_bytes()).is_empty();
        let beyond = run.received.iter().filter(|request| request.beyond);
        if let Some(text) = beyond.map(Received::text).find(secret) {
            return Some(format!("a secret goes beyond the protocol: {text}"));
        }
        let mut alike: BTreeMap<String, usize> = BTreeMap::new();
        for text in run.received.iter().map(Received::text).filter(secret) {
            *alike.entry(text).or_default() += 1;
        }
        let often = alike.into_values().find(|times| *times > self.sent);
        often.map(|times| format!("a secret was sent {times} times"))
    }

    fn unnamed(&self, scene: &Scene, lines: &[String]) -> Option<String> {
        let start = format!("error: {}: ", scene.step.system);
        let error = lines.iter().find(|line| line.starts_with(&start))?;
        let named = |place: &&String| lines.iter().any(|line| line.contains(*place));
        if let Some(place) = self.place.as_ref().filter(|place| !named(place)) {
            return Some(format!("{place} is not named: {error}"));
        }
        let next = lines.iter().any(|line| line.starts_with("hint: "));
        (!next).then(|| "there is no next step".to_owned())
    }
}

/// Whether a file is a stored session.
fn is_entry(scene: &Scene, path: &Path) -> bool {
    let there = path.starts_with(stored::store(&scene.machine));
    there && path.extension().is_some_and(|end| end == "json")
}

/// The same entry, with nothing in this field.
fn without(field: &str, before: &[u8], after: &[u8]) -> bool {
    let (mut before, after) = (read(before), read(after));
    before[field] = Value::Null;
    before.is_object() && before == after
}

/// A file's JSON, or null.
fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// What lies there that is neither the test's own nor asked for, nor the store's.
fn temporary(scene: &Scene, promise: &Promise, files: &Files) -> Option<String> {
    let store = stored::store(&scene.machine);
    let known = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stores = path.parent() == Some(&store) && !name.starts_with('.');
        let end = path.extension().unwrap_or_default();
        let ends = end == "json" || end == "lock" || name == "key";
        scene.is_own(path) || promise.is_sink(scene, path) || stores && ends
    };
    let found: Vec<_> = files.keys().filter(|path| !known(path)).collect();
    (!found.is_empty()).then(|| format!("left behind: {found:?}"))
}

/// What a terminal or a CI runner would obey, or nobody can read.
fn unprintable(stderr: &str) -> Option<String> {
    let starts = ["error: ", "hint: ", "warning: ", "note: ", "trace: ", "{\""];
    if let Some(harm) = harm(stderr) {
        return Some(harm);
    }
    let ours = |line: &&str| starts.iter().any(|start| line.starts_with(start));
    if let Some(line) = stderr.lines().find(|line| !ours(line)) {
        return Some(format!("no message of ours: {line:?}"));
    }
    let cut = !stderr.is_empty() && !stderr.ends_with('\n');
    cut.then(|| "the last line does not end".to_owned())
}

/// The lines of stderr, those in JSON as people read them; and the errors of a list on stdout.
fn lines(outcome: &Outcome) -> Vec<String> {
    let read = |object: &Value| {
        let object = object.as_object()?;
        let mut members = object.iter();
        let (word, said) = members.find(|(_, said)| said["message"].is_string())?;
        let target = said["target"].as_str().map(|target| format!("{target}: "));
        let (target, message) = (target.unwrap_or_default(), said["message"].as_str()?);
        let hint = said["hint"].as_str().map(|hint| format!("hint: {hint}"));
        let lines = [format!("{word}: {target}{message}")].into_iter();
        Some(lines.chain(hint).collect::<Vec<_>>())
    };
    let line = |line: &str| {
        let object = serde_json::from_str(line).unwrap_or_default();
        read(&object).unwrap_or_else(|| vec![line.to_owned()])
    };
    let listed = serde_json::from_str::<Vec<Value>>(&outcome.stdout).unwrap_or_default();
    let lines = outcome.stderr.lines().map(line);
    lines
        .chain(listed.iter().filter_map(read))
        .flatten()
        .collect()
}
