//! What a fault strikes: a machine whose every secret is a canary, a server of its own, and what lay there before: a session
//! in the store and one in a file.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use crmauth::declaration::Renewal;

use super::canary::md5_hex;
use super::*;
use crate::support::server::{Received, Watcher};
use crate::support::{Machine, Outcome, machine};

/// The file that an earlier run has left.
pub const SESSION_FILE: &str = "session.txt";
/// How long a request waits until it is known whose it is.
const STARTED: Duration = Duration::from_secs(10);

/// What a server gives, each of it a canary.
#[derive(Debug, Clone)]
pub struct Given {
    pub token: String,
    pub prior: String,
    pub refresh: String,
    pub challenge: String,
}

/// The scene.
pub struct Scene {
    pub step: &'static Step,
    pub machine: Machine,
    pub server: Server,
    canaries: RefCell<Vec<Canary>>,
    secrets: [String; 2],
    given: Given,
    /// Files that the test has written itself.
    sources: RefCell<Vec<PathBuf>>,
    arguments: String,
    watch: Arc<Watch>,
}

/// What a run was, and what it left.
pub struct Run {
    pub outcome: Outcome,
    pub took: Duration,
    /// The most memory that the program had at once, in KiB, where it was measured.
    pub peak: Option<u64>,
    /// Command lines of all processes and environments of those of the run, while its requests waited.
    pub seen: BTreeSet<Vec<u8>>,
    pub received: Vec<Received>,
    pub connections: usize,
    /// Replies that nobody asked for, and requests without a reply.
    pub left_over: (usize, usize),
    pub before: Files,
    pub after: Files,
}

/// Files by their paths, with their contents.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

impl Scene {
    /// A scene for a step, over plain HTTP.
    pub fn new(step: &'static Step) -> Self {
        Self::at(step, Server::start(Vec::new()), None)
    }

    /// The same over TLS, with a server that the authority speaks for.
    pub fn over_tls(step: &'static Step, authority: &Authority) -> Self {
        let server = Server::start_tls(authority.server("127.0.0.1"), Vec::new());
        Self::at(step, server, Some(authority))
    }

    fn at(step: &'static Step, server: Server, authority: Option<&Authority>) -> Self {
        let watch = Arc::new(Watch::default());
        let watching = Arc::clone(&watch);
        let watcher: Watcher = Arc::new(move || watching.look());
        server.watch(watcher);
        if step.kind == Kind::Check {
            // Who a server is is found out by questions that carry no secret.
            server.rest(Reply::http(404, "text/html", "<html>Not Found</html>"));
        }
        let mut machine = Machine::new();
        machine.set("RUST_LOG", "trace");
        let mut scene = Self {
            step,
            machine,
            server,
            canaries: RefCell::default(),
            secrets: Default::default(),
            given: Given::new(),
            sources: RefCell::default(),
            arguments: step.arguments.to_owned(),
            watch,
        };
        if let Some(authority) = authority {
            scene.source("ca.pem", authority.pem());
            scene.arguments.push_str(" --ca-file ca.pem");
        }
        scene.new_secrets();
        scene.new_given();
        scene.log_in_before();
        match step.kind {
            // With another password the stored session is no longer the one that is asked for.
            Kind::Login => scene.new_secrets(),
            Kind::Renewal if step.spec().renewal == Renewal::WhileAlive => {
                stored::ends(&stored::entry(&scene.machine), 30)
            }
            Kind::Renewal => stored::ends(&stored::entry(&scene.machine), -10),
            Kind::Check | Kind::Revocation | Kind::Call => return scene,
        }
        scene.new_given();
        scene
    }

    /// A login that works: its session lies in the store and in a file.
    fn log_in_before(&self) {
        let login = self.login_step();
        let answers = [login.before, &[login.answer], login.after].concat();
        let answers = answers.iter().map(|answer| self.given.fill(answer));
        self.server
            .push(answers.map(|answer| Reply::json(200, answer)));
        let line = format!("login {}{} -o {SESSION_FILE}", login.system, self.arguments);
        let run = self.run(self.machine.line(&line));
        run.outcome.exits(0, &line);
        assert_eq!(run.left_over, (0, 0), "{line}: {}", run.outcome);
    }

    /// The step whose answer gives the session that this one needs.
    fn login_step(&self) -> &'static Step {
        match self.step.kind {
            Kind::Login => self.step,
            _ => steps::usual(demo::of(self.step.system)),
        }
    }

    /// New values for the settings' secrets.
    fn new_secrets(&mut self) {
        self.secrets = [self.canary(Canary::secret()), self.canary(Canary::secret())];
        let mut settings = self.step.settings.iter();
        if settings.any(|(_, value)| *value == "HEADER") {
            self.secrets[0] = self.canary(Canary::of(Class::Setting, &Canary::token().value));
        }
        self.derive();
        self.point_at(&self.server.url());
    }

    /// New values for what the server gives.
    fn new_given(&mut self) {
        self.given = Given::new();
        for token in [&self.given.token, &self.given.prior, &self.given.refresh] {
            self.canary(Canary::of(Class::Token, token));
        }
        self.canary(Canary::of(Class::Setting, &self.given.challenge));
        self.derive();
    }

    /// What is made of the secrets on the way, and is as good as they are.
    fn derive(&self) {
        let hash = md5_hex(&[&*self.given.challenge, &self.secrets[0]].concat());
        self.canary(Canary::of(Class::Setting, &hash));
    }

    /// Looks for this value too from now on; gives it back.
    pub fn canary(&self, canary: Canary) -> String {
        let value = canary.value.clone();
        self.canaries.borrow_mut().push(canary);
        value
    }

    /// Everything that is looked for.
    pub fn canaries(&self) -> Vec<Canary> {
        self.canaries.borrow().clone()
    }

    /// Writes the env file, with this URL.
    pub fn point_at(&self, url: &str) {
        let prefix = self.step.system.to_uppercase();
        let mut text = format!("{prefix}_URL='{url}'\n");
        for (name, value) in self.step.settings {
            let value = match *value {
                "SECRET" | "HEADER" => &self.secrets[0],
                "OTHER" => &self.secrets[1],
                known => known,
            };
            text.push_str(&format!("{prefix}_{name}='{value}'\n"));
        }
        self.source(".env", &text);
    }

    /// Writes a file in the work folder that may hold whatever the test puts there.
    pub fn source(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.machine.write(name, text);
        self.own(&path);
        path
    }

    /// Takes a file or a folder for one of the test's own.
    pub fn own(&self, path: &Path) {
        self.sources.borrow_mut().push(path.to_owned());
    }

    pub fn is_own(&self, path: &Path) -> bool {
        let sources = self.sources.borrow();
        sources.iter().any(|own| path.starts_with(own))
    }

    /// The first secret of the settings.
    pub fn secret(&self) -> &str {
        &self.secrets[0]
    }

    /// What the server gives.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// Has the server give a session that begins like this.
    pub fn replace_token(&mut self, start: &str) {
        let token = [start, &Canary::token().value].concat();
        self.given.token = self.canary(Canary::of(Class::Token, &token));
    }

    /// A variable of the system's.
    pub fn variable(&self, field: &str) -> String {
        format!("{}_{field}", self.step.system.to_uppercase())
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.server.host()
    }

    /// The good answer to the step.
    pub fn good(&self) -> String {
        self.given.fill(self.step.answer)
    }

    /// The good answer with something else, written as JSON, in the session's place.
    pub fn answer_with(&self, token: &str) -> String {
        self.given.fill(&self.step.answer.replace("TOKEN", token))
    }

    /// The good answers before the step.
    pub fn before(&self) -> Vec<Reply> {
        self.answers(self.step.before)
    }

    /// The good answers after the step.
    pub fn after(&self) -> Vec<Reply> {
        self.answers(self.step.after)
    }

    fn answers(&self, answers: &[&str]) -> Vec<Reply> {
        let login = self.step.kind == Kind::Login;
        let answers = answers.iter().filter(|_| login);
        let reply = |answer: &&str| Reply::json(200, self.given.fill(answer));
        answers.map(reply).collect()
    }

    /// A command line: `T` stands for the target with what belongs to it, `PATH` for a path of its system.
    pub fn command(&self, line: &str) -> Command {
        let line = line.replace(" T", &format!(" {}{}", self.step.system, self.arguments));
        self.machine.line(&line.replace("PATH", self.step.path()))
    }

    /// Runs a command and tells what came of it.
    pub fn run(&self, command: Command) -> Run {
        self.watched(command, None)
    }

    /// The same, with its memory measured.
    pub fn measured(&self, command: Command) -> Run {
        let report = tempfile::NamedTempFile::new().expect("a file");
        let command = machine::measured(&command, report.path());
        self.watched(command, Some(report.path()))
    }

    fn watched(&self, command: Command, report: Option<&Path>) -> Run {
        let before = files(self.machine.root());
        let (received, connections) = (self.server.received().len(), self.server.connections());
        self.watch.begin();
        let started = Instant::now();
        let child = self.machine.start(command);
        self.watch.started();
        let outcome = machine::wait(child);
        let took = started.elapsed();
        Run {
            outcome,
            took,
            peak: report.map(machine::peak),
            seen: self.watch.seen(),
            received: self.server.received().split_off(received),
            connections: self.server.connections() - connections,
            left_over: self.server.left_over(),
            before,
            after: files(self.machine.root()),
        }
    }

    /// Makes all files those that lay there before a run.
    pub fn restore(&self, run: &Run) {
        let new = |path: &&PathBuf| !run.before.contains_key(*path);
        for path in run.after.keys().filter(new) {
            fs::remove_file(path).expect("a file");
        }
        for (path, content) in &run.before {
            if run.after.get(path) != Some(content) {
                fs::write(path, content).expect("a file");
                set_mode(path, 0o600);
            }
        }
    }
}

impl Given {
    fn new() -> Self {
        let token = || Canary::token().value;
        Self {
            token: token(),
            prior: token(),
            refresh: token(),
            challenge: token(),
        }
    }

    /// An answer with these values in their places.
    pub fn fill(&self, answer: &str) -> String {
        let json = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
        let mut answer = answer.to_owned();
        for (name, value) in [
            ("TOKEN", &self.token),
            ("PRIOR", &self.prior),
            ("REFRESH", &self.refresh),
            ("CHALLENGE", &self.challenge),
        ] {
            answer = answer.replace(name, &json(value));
        }
        answer
    }
}

/// Every file below a folder with its content; of what is not a regular file the name alone.
fn files(folder: &Path) -> Files {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                let content = kind.is_file().then(|| fs::read(entry.path()).ok());
                all.insert(entry.path(), content.flatten().unwrap_or_default());
            }
        }
    }
    all
}

/// Looks at the processes of the machine while a request waits for its answer: then the program is there for sure.
#[derive(Default)]
struct Watch {
    watched: Mutex<Watched>,
    news: Condvar,
}

#[derive(Default)]
struct Watched {
    /// Processes that are none of the run's.
    others: BTreeSet<OsString>,
    started: bool,
    seen: BTreeSet<Vec<u8>>,
}

impl Watch {
    fn begin(&self) {
        let others = processes().map(|process| process.file_name()).collect();
        *self.watched.lock().expect("no panic") = Watched {
            others,
            ..Watched::default()
        };
    }

    fn started(&self) {
        self.watched.lock().expect("no panic").started = true;
        self.news.notify_all();
    }

    fn seen(&self) -> BTreeSet<Vec<u8>> {
        self.watched.lock().expect("no panic").seen.clone()
    }

    fn look(&self) {
        let watched = self.watched.lock().expect("no panic");
        let waiting = self
            .news
            .wait_timeout_while(watched, STARTED, |watched| !watched.started);
        let (mut watched, _) = waiting.expect("no panic");
        for process in processes() {
            if !watched.others.contains(&process.file_name()) {
                let read = |name| fs::read(process.path().join(name)).ok();
                let texts = ["cmdline", "environ"].into_iter().filter_map(read);
                watched.seen.extend(texts);
            }
        }
    }
}

pub fn processes() -> impl Iterator<Item = fs::DirEntry> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter(|process| process.file_name().as_encoded_bytes()[0].is_ascii_digit())
}
