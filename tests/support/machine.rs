//! A machine of its own for each test: a home, a folder, an environment that holds what the test put there
//! and nothing else.

use std::fmt::Display;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use crmauth::secret::{Redactor, Secret};

use super::harm::harm;
use super::tools::skipped;

/// No run takes longer, or it hangs. What must not keep a run waiting lasts longer in its test.
const HANG: Duration = Duration::from_secs(240);

/// Where programs are looked for.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The program under test: the one that `CRMAUTH_TEST_PROGRAM` names, which is called `crmauth`, else cargo's.
pub fn program() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "which program is tested is for the caller to say"
        )]
        let named = std::env::var("CRMAUTH_TEST_PROGRAM").ok();
        named.unwrap_or_else(|| env!("CARGO_BIN_EXE_crmauth").to_owned())
    });
    &PROGRAM
}

/// Whether that is a static program: what changes a C library from outside does not reach it.
pub fn is_static() -> bool {
    static TARGET: LazyLock<String> = LazyLock::new(|| Machine::new().run("--version").stdout);
    TARGET.trim_end().ends_with("-musl")
}

/// The machine.
pub struct Machine {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Machine {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home");
        std::fs::create_dir(folder.path().join("work")).expect("a work folder");
        std::fs::create_dir(folder.path().join("tmp")).expect("a folder for temporary files");
        Self {
            folder,
            variables: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// One that knows a system at `url`, with settings that blanks separate: `of("ZEEV", url, "USERNAME=ana API_TOKEN=x")`.
    /// What is a secret by its name counts as one.
    pub fn of(system: &str, url: &str, settings: &str) -> Self {
        let mut machine = Self::new();
        machine.set(&format!("{system}_URL"), url);
        for (name, value) in settings.split(' ').filter_map(|text| text.split_once('=')) {
            let secret = ["PASSWORD", "TOKEN", "KEY", "SECRET"]
                .iter()
                .any(|end| name.ends_with(end));
            if secret {
                machine.canary(value);
            }
            machine.set(&format!("{system}_{name}"), value);
        }
        machine
    }

    /// The folder that holds the home, the work folder and the temporary files.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that runs start in.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A file's path in that folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    /// Sets an environment variable.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Unsets variables, which blanks separate.
    pub fn unset(&mut self, names: &str) -> &mut Self {
        self.variables
            .retain(|(name, _)| !names.split(' ').any(|gone| gone == name));
        self
    }

    /// Sets a variable to a secret: no output but the answer may hold it in any form.
    pub fn secret(&mut self, name: &str, value: &str) -> &mut Self {
        self.canary(value);
        self.set(name, value)
    }

    /// Remembers a text that must not show.
    pub fn canary(&mut self, value: &str) -> &mut Self {
        self.secrets.push(value.to_owned());
        self
    }

    /// Writes a file in the work folder, mode 0600.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        set_mode(&path, 0o600);
        path
    }

    /// The content of a file in the work folder.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect(name)
    }

    /// The program with a line's words, not started yet.
    pub fn line(&self, line: &str) -> Command {
        self.command(&line.split(' ').collect::<Vec<_>>())
    }

    /// Starts the program with a line's words.
    pub fn begin(&self, line: &str) -> Child {
        self.start(self.line(line))
    }

    /// Runs the program, which prints this and says nothing.
    #[track_caller]
    pub fn prints(&self, line: &str, stdout: impl AsRef<str>) {
        assert_eq!(self.run(line).answer(), stdout.as_ref(), "{line}");
    }

    /// Runs the program, which fails with this exit code, an empty stdout, and these texts on stderr.
    #[track_caller]
    pub fn fails(&self, line: &str, code: i32, texts: &[&str]) -> Outcome {
        let outcome = self.run(line);
        outcome.gives(code, "", line);
        let missing = texts.iter().find(|text| !outcome.stderr.contains(**text));
        assert_eq!(missing, None, "{line}: {}", outcome.stderr);
        outcome
    }

    /// Runs the first of what ` | ` separates, which fails with exit code 2 and tells the rest.
    #[track_caller]
    pub fn refuses(&self, line_and_texts: &str) {
        let (line, texts) = line_and_texts.split_once(" | ").expect("a text");
        self.fails(line, 2, &[]).tells(texts);
    }

    /// The program with its arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("HOME", self.folder.path().join("home"))
            .env("PATH", PATH)
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("RUST_BACKTRACE", "1")
            .env("TZ", "UTC0")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program; `line` is split at spaces.
    pub fn run(&self, line: &str) -> Outcome {
        self.finish(self.line(line))
    }

    /// Runs the program and checks what holds for every run: no panic, no hang, a printable stderr, no secret.
    pub fn run_args(&self, arguments: &[&str]) -> Outcome {
        self.finish(self.command(arguments))
    }

    /// The same for a command that a test has changed.
    pub fn finish(&self, command: Command) -> Outcome {
        self.end(self.start(command))
    }

    /// Starts the program; its stderr, and its stdout too, can be read.
    pub fn start(&self, mut command: Command) -> Child {
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Starts the program with another stdout.
    pub fn start_onto(&self, mut command: Command, stdout: impl Into<Stdio>) -> Child {
        command
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Waits for a run's end and checks what holds for every run.
    pub fn end(&self, child: Child) -> Outcome {
        let outcome = wait(child);
        self.check(&outcome);
        outcome
    }

    /// What the work folder holds, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.work()).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// A shell that runs `script` with the program as `crmauth` in its PATH.
    pub fn shell(&self, shell: &str, script: &str) -> Outcome {
        self.finish(self.shell_command(shell, script))
    }

    /// The same, not started yet.
    pub fn shell_command(&self, shell: &str, script: &str) -> Command {
        let folder = Path::new(program()).parent().expect("a folder");
        let path = format!("{}:{PATH}", folder.display());
        let mut command = beside(&self.command(&[]), &[shell, "-c", script]);
        command.env("PATH", path);
        command
    }

    fn check(&self, outcome: &Outcome) {
        let stderr = &outcome.stderr;
        assert!(
            outcome.code != 101 && outcome.code != 134 && !stderr.contains("panicked"),
            "a panic: {stderr}"
        );
        assert_eq!(harm(&without_annotations(stderr)), None, "on stderr");
        let redactor = Redactor::default();
        self.secrets
            .iter()
            .for_each(|secret| redactor.learn(&Secret::new(secret.clone())));
        assert_eq!(redactor.foreign(stderr), *stderr, "a secret on stderr");
        if outcome.code != 0 {
            assert_eq!(
                redactor.foreign(&outcome.stdout),
                outcome.stdout,
                "a secret on stdout of a failed run"
            );
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(f, "exit code {code}\nstdout: {stdout}\nstderr: {stderr}")
    }
}

impl Outcome {
    /// These texts, which ` | ` separates, stand on stderr.
    #[track_caller]
    pub fn tells(&self, texts: &str) -> &Self {
        self.says(&texts.split(" | ").collect::<Vec<_>>())
    }

    /// The answer of a run that went well and had nothing to say about it.
    #[track_caller]
    pub fn answer(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self}");
        &self.stdout
    }

    /// A failed run: its exit code, an empty stdout, and these texts on stderr.
    #[track_caller]
    pub fn fails(&self, code: i32, texts: &[&str]) -> &Self {
        self.gives(code, "", "fails").says(texts)
    }

    /// Its exit code and its stdout, whatever it says; `row` is what a failure names.
    #[track_caller]
    pub fn gives(&self, code: i32, stdout: &str, row: impl Display) -> &Self {
        let given = (self.code, self.stdout.as_str());
        assert_eq!(given, (code, stdout), "{row}: {}", self.stderr);
        self
    }

    /// Its exit code, whatever it prints and says.
    #[track_caller]
    pub fn exits(&self, code: i32, row: impl Display) -> &Self {
        assert_eq!(self.code, code, "{row}: {}{}", self.stdout, self.stderr);
        self
    }

    /// These texts stand on stderr.
    #[track_caller]
    pub fn says(&self, texts: &[&str]) -> &Self {
        holds(&self.stderr, texts);
        self
    }

    /// These do not.
    #[track_caller]
    pub fn lacks(&self, texts: &[&str]) -> &Self {
        lacks(&self.stderr, texts);
        self
    }

    /// These texts stand on stdout.
    #[track_caller]
    pub fn shows(&self, texts: &[&str]) -> &Self {
        holds(&self.stdout, texts);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

/// These texts stand in a text.
#[track_caller]
pub fn holds(whole: &str, texts: &[&str]) {
    let missing = texts.iter().find(|text| !whole.contains(**text));
    assert_eq!(missing, None, "in: {whole}");
}

/// These do not.
#[track_caller]
pub fn lacks(whole: &str, texts: &[&str]) {
    let found = texts.iter().find(|text| whole.contains(**text));
    assert_eq!(found, None, "in: {whole}");
}

/// Waits for a child, reading both of its pipes; one that hangs is killed.
pub fn wait(mut child: Child) -> Outcome {
    let (done, ended) = mpsc::channel();
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let errors = std::thread::spawn(move || text(stderr.as_mut()));
    let id = child.id();
    std::thread::spawn(move || {
        let output = text(stdout.as_mut());
        let status = child.wait();
        let _ = done.send((output, status));
    });
    let Ok((stdout, status)) = ended.recv_timeout(HANG) else {
        let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        panic!("the program hangs");
    };
    Outcome {
        code: code(status.expect("a status")),
        stdout,
        stderr: errors.join().expect("stderr"),
    }
}

/// A child's exit code, or 128 and the signal that ended it.
pub fn code(status: ExitStatus) -> i32 {
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).expect("a code or a signal")
}

/// Nothing comes of it until the time is over: for tests whose subject is the clock.
pub fn pause(time: Duration) {
    let (_sender, nobody) = mpsc::channel::<()>();
    let _ = nobody.recv_timeout(time);
}

/// A stdout that takes nothing.
pub fn full() -> std::fs::File {
    let full = std::fs::File::options().write(true).open("/dev/full");
    full.expect("a full disk")
}

fn text(pipe: Option<&mut impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.read_to_end(&mut bytes).expect("output");
    }
    String::from_utf8(bytes).expect("output in UTF-8")
}

/// A command as another program's arguments, in the same folder and environment and without a stdin.
pub fn wrapped(inner: &Command, program: &[&str]) -> Command {
    let mut command = beside(inner, program);
    command.arg(inner.get_program()).args(inner.get_args());
    command
}

/// Another program in a command's folder and environment, without a stdin.
pub fn beside(inner: &Command, program: &[&str]) -> Command {
    let mut command = Command::new(program[0]);
    let set = inner.get_envs();
    let set = set.filter_map(|(name, value)| Some((name, value?)));
    command.args(&program[1..]).env_clear().envs(set);
    let folder = inner.get_current_dir().expect("a folder");
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// A command whose use of memory GNU's `time` reports to a file.
pub fn measured(inner: &Command, report: &Path) -> Command {
    let report = report.to_str().expect("UTF-8");
    wrapped(inner, &["time", "-q", "-f", "%M", "-o", report])
}

/// The most memory that it had at once, in KiB.
pub fn peak(report: &Path) -> u64 {
    let report = std::fs::read_to_string(report).expect("a report");
    report.trim().parse().expect("KiB")
}

/// Makes a pipe that has a name.
pub fn make_pipe(path: &Path) {
    let mut mkfifo = Command::new("mkfifo");
    let made = mkfifo.args(["-m", "600"]).arg(path).status();
    assert!(made.expect("mkfifo").success());
}

/// Sets a file's mode.
pub fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A file's mode.
pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path)
        .expect("a file")
        .permissions()
        .mode()
        & 0o7777
}

/// Sends a signal to a child.
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let id = i32::try_from(child.id()).expect("an id");
    let id = rustix::process::Pid::from_raw(id).expect("an id");
    rustix::process::kill_process(id, signal).expect("it runs");
}

/// Whether a program is there to be tried; says so where it is not, or fails where all are required.
pub fn installed(program: &str) -> bool {
    let found = PATH
        .split(':')
        .any(|folder| Path::new(folder).join(program).exists());
    if !found {
        skipped(program);
    }
    found
}

/// Whether the program can be given another clock. A static one cannot: libfaketime replaces functions of a C library.
pub fn clock_can_be_set() -> bool {
    !is_static() && installed("faketime")
}

/// Writes to a child's stdin.
pub fn feed(child: &mut Child, text: &str) {
    child
        .stdin
        .take()
        .expect("a stdin")
        .write_all(text.as_bytes())
        .expect("a reader");
}

/// What begins an annotation for a CI runner.
pub const ANNOTATIONS: [&str; 2] = ["::error title=crmauth::", "##vso[task.logissue type=error]"];

/// The lines, without the command that makes an annotation of one.
fn without_annotations(stderr: &str) -> String {
    let bare = |line: &str| {
        let begun = ANNOTATIONS
            .iter()
            .find_map(|begin| line.strip_prefix(begin));
        begun.unwrap_or(line).to_owned()
    };
    stderr.lines().map(bare).collect::<Vec<_>>().join("\n")
}
