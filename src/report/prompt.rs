//! Questions to the person at the terminal: asked on stderr, answered on stdin.

#[cfg(unix)]
use std::io::Write;
use std::io::{ErrorKind, IsTerminal};
#[cfg(unix)]
use std::sync::{Mutex, Once, PoisonError};

#[cfg(unix)]
use rustix::process::{Signal, getpid, kill_process};
#[cfg(unix)]
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::Report;
use crate::declaration::Target;
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
#[cfg(unix)]
use crate::signals;
use crate::signals::interruptible;
#[cfg(unix)]
use crate::terminal::width;
use crate::terminal::{columns, style, wrap};
use crate::threads::apart;

impl Report {
    /// Whether there is a person to be asked: a terminal to ask at, and one to answer at.
    pub fn meets_person(&self) -> bool {
        self.manner.person && std::io::stdin().is_terminal()
    }

    /// Tells a person what belongs to a question; `-q` hides it.
    pub fn tell(&self, text: Text) {
        if !self.manner.quiet {
            self.line(&folded(&self.words(&text)));
        }
    }

    /// The same for what need not be read to answer.
    pub fn aside(&self, text: Text) {
        if !self.manner.quiet {
            self.line(&self.styled(style::DIM, &folded(&self.words(&text))));
        }
    }

    /// Tells a person what went wrong with a target and the next step, before a question about it; `-q` hides neither.
    pub fn tell_of(&self, target: &Target, error: &Error) {
        let target = self.safe(&target.to_string());
        self.line(&folded(&[&target, ": ", &self.message(error)].concat()));
        if let Some(hint) = &error.hint {
            let label = tr!("hint:").render(self.manner.lang);
            self.line(&folded(&[&label, " ", &self.words(hint)].concat()));
        }
    }

    /// Asks which of several is meant; Enter alone is the `usual` one. `None` where the input has ended.
    pub async fn choose(
        &self,
        question: Text,
        choices: &[Text],
        usual: usize,
    ) -> Result<Option<usize>> {
        loop {
            self.line(&self.styled(style::BOLD, &folded(&self.words(&question))));
            for (number, choice) in (1..).zip(choices) {
                self.line(&folded(&format!("{number}) {}", self.words(choice))));
            }
            let (last, enter) = (choices.len(), usual + 1);
            let number = tr!("A number from 1 to {last} [{enter}]:", last, enter);
            let Some(answer) = self.ask(number).await? else {
                return Ok(None);
            };
            match answer.expose().trim().parse() {
                _ if answer.expose().trim().is_empty() => return Ok(Some(usual)),
                Ok(number) if (1..=last).contains(&number) => return Ok(Some(number - 1)),
                _ => {}
            }
        }
    }

    /// Asks for a line that may be seen. `None` where the input has ended.
    pub async fn ask(&self, question: Text) -> Result<Option<Secret>> {
        let answer = self.line_of(question, true).await?;
        if answer.is_none() {
            self.line("");
        }
        Ok(answer)
    }

    /// Asks for a line that is not shown while it is typed.
    pub async fn ask_unseen(&self, question: Text) -> Result<Option<Secret>> {
        let answer = self.line_of(question, false).await;
        self.line("");
        let answer = answer?;
        answer.iter().for_each(|answer| self.learn(answer));
        Ok(answer)
    }

    /// Asks yes or no; Enter alone is `usual`, and the end of the input is a no. Only what is typed once the
    /// question stands there answers it.
    pub async fn confirm(&self, question: Text, usual: bool) -> Result<bool> {
        let choice = if usual { tr!("[Y/n]") } else { tr!("[y/N]") };
        loop {
            let question = Text::list(&[&question, &choice], " ");
            forget_typed();
            let Some(answer) = self.ask(question).await? else {
                return Ok(false);
            };
            match answer.expose().trim().to_lowercase().as_str() {
                "" => return Ok(usual),
                "y" | "yes" | "s" | "sim" => return Ok(true),
                "n" | "no" | "não" | "nao" => return Ok(false),
                _ => {}
            }
        }
    }

    async fn line_of(&self, question: Text, shown: bool) -> Result<Option<Secret>> {
        let _hold = self.hold();
        // Whatever ends the wait, the terminal is as it was.
        let _modes = Modes::keep();
        let question = folded(&self.words(&question));
        self.write(&[&self.styled(style::BOLD, &question), " "].concat());
        // Nothing can stop a read from the terminal: a thread waits, not we.
        let answer = interruptible(None, async { Ok(apart(move || typed(shown)).await) }).await;
        let answer = answer.inspect_err(|_| self.line(""))?;
        let line = |line: Zeroizing<String>| line.trim_end_matches(['\r', '\n']).to_owned();
        match answer.flatten() {
            Ok(answer) => Ok(answer.map(|answer| Secret::new(line(answer)))),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                Err(error!(Interrupted, "interrupted"))
            }
            Err(error) => Err(error!(Other, "the terminal cannot be read").because(error)),
        }
    }
}

/// A text whose lines end between words at the terminal's edge, with room for the cursor.
pub(super) fn folded(text: &str) -> String {
    match columns(std::io::stderr()) {
        Some(columns) => wrap(text, columns.saturating_sub(1)).join("\n"),
        None => text.to_owned(),
    }
}

/// Reads a line, and shows it letter by letter where it is to be `shown`. The terminal itself would show all that is
/// pasted: the next lines too, in which a secret may stand.
#[cfg(unix)]
fn typed(shown: bool) -> std::io::Result<Option<Zeroizing<String>>> {
    let stdin = std::io::stdin();
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    let mut byte = [0];
    loop {
        if rustix::io::read(&stdin, &mut byte)? == 0 {
            return Ok(None);
        }
        let mut echo = Zeroizing::new(Vec::new());
        match byte[0] {
            b'\r' | b'\n' => break,
            // The terminal keeps an end that came before the question as a zero.
            0 | END if line.is_empty() => return Ok(None),
            BACKSPACE | DELETE => erase(&mut line, &mut echo),
            CLEAR => (0..line.len()).for_each(|_| erase(&mut line, &mut echo)),
            0..b' ' => {}
            letter => {
                line.push(letter);
                echo.push(letter);
            }
        }
        if shown {
            let _ = std::io::stderr().lock().write_all(&echo);
        }
    }
    let line = String::from_utf8(std::mem::take(&mut *line));
    let line = line.map_err(|_| std::io::Error::from(ErrorKind::InvalidData))?;
    if shown {
        let _ = std::io::stderr().lock().write_all(b"\n");
    }
    Ok(Some(Zeroizing::new(line)))
}

/// Takes the last letter of a line away, and what shows it off the screen.
#[cfg(unix)]
fn erase(line: &mut Vec<u8>, shown: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line);
    if let Some(last) = text.chars().next_back() {
        shown.extend(b"\x08 \x08".repeat(width(last.encode_utf8(&mut [0; 4]))));
        let start = line.iter().rposition(|byte| byte & 0xC0 != 0x80);
        line.truncate(start.unwrap_or_default());
    }
}

#[cfg(unix)]
const END: u8 = 4;
#[cfg(unix)]
const BACKSPACE: u8 = 8;
#[cfg(unix)]
const CLEAR: u8 = 21;
#[cfg(unix)]
const DELETE: u8 = 127;

#[cfg(windows)]
fn typed(shown: bool) -> std::io::Result<Option<Zeroizing<String>>> {
    if !shown {
        let config = rpassword::ConfigBuilder::new().output_discard();
        return match rpassword::read_password_with_config(config.build()) {
            Ok(line) => Ok(Some(Zeroizing::new(line))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        };
    }
    let mut line = Zeroizing::new(String::with_capacity(4096));
    let read = std::io::BufRead::read_line(&mut std::io::stdin().lock(), &mut line)?;
    Ok((read > 0).then_some(line))
}

/// Drops what waits to be read at the terminal. Of pasted lines one is meant: the others answer no question, and the
/// shell does not get them either.
#[cfg(unix)]
fn forget_typed() {
    let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
}

#[cfg(not(unix))]
fn forget_typed() {}

/// The terminal's modes, put back when this is dropped, and while the process is stopped.
#[cfg(unix)]
struct Modes(Option<Termios>);

/// The modes around a question, and while it is asked.
#[cfg(unix)]
static ASKING: Mutex<Option<[Termios; 2]>> = Mutex::new(None);

#[cfg(unix)]
impl Modes {
    /// From here on nothing that is typed shows by itself, and it comes letter by letter.
    fn keep() -> Self {
        let modes = tcgetattr(std::io::stdin()).ok();
        static WATCHED: Once = Once::new();
        WATCHED.call_once(show_while_stopped);
        *lock() = modes.clone().map(|modes| {
            let mut asking = modes.clone();
            asking.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
            asking.special_codes[SpecialCodeIndex::VMIN] = 1;
            asking.special_codes[SpecialCodeIndex::VTIME] = 0;
            [modes, asking]
        });
        set(lock().as_ref().map(|[_, asking]| asking));
        Self(modes)
    }
}

#[cfg(unix)]
impl Drop for Modes {
    fn drop(&mut self) {
        *lock() = None;
        forget_typed();
        set(self.0.as_ref());
    }
}

#[cfg(unix)]
fn lock() -> std::sync::MutexGuard<'static, Option<[Termios; 2]>> {
    ASKING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn set(modes: Option<&Termios>) {
    if let Some(modes) = modes {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, modes);
    }
}

/// From here on the process stops itself when it is told to, with the terminal as it was, and hides what is typed when it
/// goes on: shells put the modes back that they know. The signals stay caught, so this goes on for the whole run.
#[cfg(unix)]
fn show_while_stopped() {
    let [Some(mut stop), Some(mut go_on)] = [Signal::TSTP, Signal::CONT].map(signals::stream)
    else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = stop.recv() => {
                    set(lock().as_ref().map(|[before, _]| before));
                    let _ = kill_process(getpid(), Signal::STOP);
                }
                _ = go_on.recv() => {}
            }
            set(lock().as_ref().map(|[_, asking]| asking));
        }
    });
}

/// Elsewhere the library puts them back itself.
#[cfg(not(unix))]
struct Modes;

#[cfg(not(unix))]
impl Modes {
    fn keep() -> Self {
        Self
    }
}
