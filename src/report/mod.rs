//! What people read on stderr: errors, warnings and notes become text or JSON here and nowhere else.

#[cfg(not(unix))]
mod console;
mod progress;
mod prompt;
#[cfg(unix)]
mod typing;

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::declaration::Target;
use crate::error::Error;
use crate::i18n::{Lang, Text, tr};
use crate::json;
use crate::secret::foreign::{Foreign, printable};
use crate::secret::{Mask, Redactor, Secret};
use crate::terminal::style;
pub use progress::{Busy, Hold};

/// How stderr is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// One JSON object a line.
    pub json: bool,
    /// Errors only.
    pub quiet: bool,
    /// 0: errors and warnings, 1: also what is done and why, 2: also every request.
    pub verbosity: u8,
    pub color: bool,
    pub lang: Lang,
    /// A person sits there: what went well is told too.
    pub person: bool,
    /// What is under way is shown while it lasts.
    pub live: bool,
    /// The CI runner that is told errors in its own way too, though not beside JSON.
    pub runner: Option<Runner>,
}

/// A CI runner that reads commands from what a step prints: the variable that is `true` there, how the command begins
/// that annotates the job with an error, and what stands for a %, which would make an escape of what follows it.
pub type Runner = [&'static str; 3];

pub const RUNNERS: [Runner; 2] = [
    ["GITHUB_ACTIONS", "::error title=crmauth::", "%25"],
    ["TF_BUILD", "##vso[task.logissue type=error]", "%AZP25"],
];

/// What a line is that is no error.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Warning,
    Note,
    Trace,
}

/// The one writer to stderr. It knows the run's secrets and lets none of them through.
pub struct Report {
    manner: Manner,
    redactor: Redactor,
    said: RefCell<Vec<String>>,
    progress: progress::Progress,
}

impl Report {
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            redactor: Redactor::default(),
            said: RefCell::default(),
            progress: Default::default(),
        }
    }

    /// Shows what is under way for as long as it is polled; comes to no end.
    pub async fn animate(&self) -> std::convert::Infallible {
        self.progress.run().await
    }

    /// Something is under way that a person may wait for, for `name`. Its line is gone when the answer is dropped.
    pub fn busy(&self, name: impl Display, text: Text) -> Option<Busy<'_>> {
        let name = || self.safe(&name.to_string());
        let begin = || self.progress.begin(name(), self.words(&text));
        self.manner.live.then(begin)
    }

    /// How far that has got: what its line says from here on.
    pub fn reword(&self, name: impl Display, text: &Text) {
        if self.manner.live {
            self.progress.change(&name.to_string(), self.words(text));
        }
    }

    /// What is being done for a target, and why (`-v`): the line of what is under way says so too.
    pub fn doing(&self, target: &Target, text: Text) {
        self.reword(target, &text);
        self.note(Some(target), text);
    }

    /// Leaves the terminal to somebody else, such as a command that asks a person, until the answer is dropped.
    pub fn hold(&self) -> Hold<'_> {
        self.progress.hold()
    }

    pub fn lang(&self) -> Lang {
        self.manner.lang
    }

    /// From here on `secret` is blanked wherever it would appear.
    pub fn learn(&self, secret: &Secret) {
        self.redactor.learn(secret);
    }

    /// Whether a text contains a secret of more than a few characters, in whatever form.
    pub fn knows(&self, text: &str) -> bool {
        self.redactor.own(text) != text
    }

    /// An error: one line with the cause, one with the next step. Never silenced.
    pub fn error(&self, error: &Error) {
        let target = error.target.as_deref();
        if self.manner.json {
            self.line(&json::text(&json!({ "error": self.error_json(error) })));
            return self.causes(target, error);
        }
        let cause = match target {
            Some(target) => [&self.safe(target), ": ", &self.message(error)].concat(),
            None => self.message(error),
        };
        self.labelled(style::RED, &tr!("error:"), &cause);
        let hint = error.hint.as_ref().map(|hint| self.words(hint));
        if let Some(hint) = &hint {
            self.labelled(style::CYAN, &tr!("hint:"), hint);
        }
        if let Some([_, command, percent]) = self.manner.runner {
            let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
            let text = (cause + &hint).replace('%', percent);
            self.line(&[command, &text].concat());
        }
        self.causes(target, error);
    }

    /// What others reported under an error (`-v`), from the outermost in.
    fn causes(&self, target: Option<impl Display>, error: &Error) {
        let Some(source) = error.source.as_ref().filter(|_| self.tells(1)) else {
            return;
        };
        let mut links: Vec<String> = source.chain().map(ToString::to_string).collect();
        // Some errors repeat their cause's text in their own.
        links.dedup_by(|link, last| last.contains(&**link));
        let chain = Foreign::new(&links.join(": ")).clean(&self.redactor);
        let text = self.words(&tr!("caused by: {chain}"; chain));
        self.say(Kind::Note, target, &text);
    }

    fn tells(&self, verbosity: u8) -> bool {
        self.manner.verbosity >= verbosity && !self.manner.quiet
    }

    /// What `--json` promises of an error, for stderr and for a batch's JSON output.
    pub fn error_json(&self, error: &Error) -> Value {
        json!({
            "code": error.cause.code(),
            "exit": error.cause.exit(),
            "target": error.target,
            "message": self.message(error),
            "hint": error.hint.as_ref().map(|hint| self.words(hint)),
            "http_status": error.http_status,
            "retryable": error.retryable(),
        })
    }

    /// Something that the user should know although all went well. Said once a run, however often it happens.
    pub fn warn(&self, target: Option<&Target>, text: Text) {
        if !self.manner.quiet {
            self.once(Kind::Warning, target, &text);
        }
    }

    pub fn warn_of_all(&self, texts: impl IntoIterator<Item = Text>) {
        texts.into_iter().for_each(|text| self.warn(None, text));
    }

    /// A failure that the run survives, behind what it means for the user.
    pub fn warn_of(&self, target: Option<&Target>, text: Text, error: &Error) {
        let text = tr!("{text}: {error}"; text, error = self.message(error));
        self.warn(target, text);
        self.causes(target, error);
    }

    /// What is being done and why (`-v`). Said once a run too: settings are looked at more than once.
    pub fn note(&self, target: Option<&Target>, text: Text) {
        if self.tells(1) {
            self.once(Kind::Note, target, &text);
        }
    }

    pub fn traces(&self) -> bool {
        self.tells(2)
    }

    pub fn chats(&self) -> bool {
        !self.manner.quiet
    }

    /// A request and its outcome (`-vv`).
    pub fn trace(&self, target: Option<&Target>, text: Text) {
        if self.traces() {
            self.say(Kind::Trace, target, &self.words(&text));
        }
    }

    /// A line of somebody else's that belongs to a request (`-vv`).
    pub fn trace_foreign(&self, target: &Target, line: &str) {
        if self.traces() {
            let line = Foreign::new(line).clean(&self.redactor);
            self.say(Kind::Trace, Some(target), &line);
        }
    }

    /// Tells the person at the terminal that something went well.
    pub fn done(&self, target: &Target, text: impl FnOnce() -> Text) {
        if self.manner.person && !self.manner.quiet && !self.manner.json {
            let done = tr!("done:");
            let plain = done.render(self.manner.lang);
            let line = prompt::folded(&format!("{plain} {target}: {}", self.words(&text())));
            self.line(&line.replacen(&plain, &self.label(style::GREEN, &done), 1));
        }
    }

    /// A line that is the verb's own chatter, such as the sandbox's log; `-q` hides it.
    pub fn chat(&self, text: Text) {
        if self.chats() {
            self.line(&self.words(&text));
        }
    }

    /// The program's help, where it stands for an answer that was not asked for.
    pub fn help(&self, text: &str) {
        self.line(text.trim_end());
    }

    /// Says what has not been said yet.
    fn once(&self, kind: Kind, target: Option<&Target>, text: &Text) {
        let (target, text) = (target.map(Target::to_string), self.words(text));
        let key = format!("{kind:?} {target:?}: {text}");
        if !self.said.borrow().contains(&key) {
            self.said.borrow_mut().push(key);
            self.say(kind, target, &text);
        }
    }

    fn say(&self, kind: Kind, target: Option<impl Display>, text: &str) {
        let target = target.map(|target| target.to_string());
        let (word, label, color) = match kind {
            Kind::Warning => ("warning", tr!("warning:"), style::YELLOW),
            Kind::Note => ("note", tr!("note:"), style::GREY),
            Kind::Trace => ("trace", tr!("trace:"), style::GREY),
        };
        if self.manner.json {
            let line = json!({ word: { "target": target, "message": text } });
            return self.line(&json::text(&line));
        }
        let target = target.map_or_else(String::new, |target| target + ": ");
        self.labelled(color, &label, &(target + text));
    }

    fn message(&self, error: &Error) -> String {
        let said = error.said.iter().map(|said| said.clean(&self.redactor));
        let words = [self.words(&error.message)].into_iter().chain(said);
        words.collect::<Vec<_>>().join(": ")
    }

    /// A text in the reader's language, without secrets and in one printable line.
    pub fn words(&self, text: &Text) -> String {
        self.safe(&text.render(self.manner.lang))
    }

    pub fn is_at_terminal(&self) -> bool {
        self.manner.person
    }

    /// Blanks this run's secrets in a stream of bytes.
    pub fn mask(&self) -> Mask<'_> {
        Mask::new(&self.redactor)
    }

    /// Writes what a command wrote to its stderr, on a thread: the reader may keep us waiting.
    pub async fn pass_on(bytes: zeroize::Zeroizing<Vec<u8>>) -> io::Result<()> {
        crate::threads::apart(move || io::stderr().lock().write_all(&bytes)).await?
    }

    fn safe(&self, text: &str) -> String {
        printable(&self.redactor.own(text))
    }

    fn labelled(&self, color: &str, label: &Text, text: &str) {
        self.line(&format!("{} {text}", self.label(color, label)));
    }

    fn label(&self, color: &str, word: &Text) -> String {
        let codes = [style::BOLD, color].concat();
        self.styled(&codes, &word.render(self.manner.lang))
    }

    fn styled(&self, codes: &str, text: &str) -> String {
        match self.manner.color {
            true => [codes, text, style::PLAIN].concat(),
            false => text.to_owned(),
        }
    }

    /// Nobody may be there to read, which is no reason to fail.
    fn line(&self, text: &str) {
        self.write(&[text, "\n"].concat());
    }

    fn write(&self, text: &str) {
        self.progress.erase();
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
