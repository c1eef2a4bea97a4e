//! Questions to the person at the terminal: asked on stderr, answered on stdin.

use std::io::{BufRead, ErrorKind, IsTerminal};
#[cfg(unix)]
use std::sync::{Mutex, Once, PoisonError};

#[cfg(unix)]
use rustix::process::{Signal, getpid, kill_process};
#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Report;
use crate::declaration::Target;
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::signals::{self, interruptible};
use crate::terminal::{columns, wrap};
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

    /// Tells a person what went wrong with a target, before a question about it; `-q` hides neither.
    pub fn tell_of(&self, target: &Target, error: &Error) {
        self.line(&folded(
            &[&self.safe(&target.to_string()), ": ", &self.message(error)].concat(),
        ));
    }

    /// Asks for a line that may be seen. `None` where the input has ended.
    pub async fn ask(&self, question: Text) -> Result<Option<Secret>> {
        let answer = self.line_of(question, false).await?;
        if answer.is_none() {
            self.line("");
        }
        Ok(answer)
    }

    /// Asks for a line that is not shown while it is typed.
    pub async fn ask_unseen(&self, question: Text) -> Result<Option<Secret>> {
        let answer = self.line_of(question, true).await;
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

    async fn line_of(&self, question: Text, hidden: bool) -> Result<Option<Secret>> {
        let _hold = self.hold();
        let read = if hidden { unseen } else { seen };
        self.write(&[&folded(&self.words(&question)), " "].concat());
        // Whatever ends the wait, the terminal is as it was.
        let _modes = Modes::keep(hidden);
        // Nothing can stop a read from the terminal: a thread waits, not we.
        let answer = interruptible(None, async { Ok(apart(read).await) }).await;
        let answer = answer.inspect_err(|_| self.line(""))?;
        match answer.flatten() {
            Ok(answer) => {
                Ok(answer.map(|line| Secret::new(line.trim_end_matches(['\r', '\n']).to_owned())))
            }
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

fn seen() -> std::io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(String::with_capacity(4096));
    let read = std::io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

fn unseen() -> std::io::Result<Option<Zeroizing<String>>> {
    let config = rpassword::ConfigBuilder::new().output_discard();
    // The terminal that was looked at, not whichever the process may have besides.
    #[cfg(unix)]
    let config = config.input_file_path("/dev/stdin");
    match rpassword::read_password_with_config(config.build()) {
        Ok(line) => Ok(Some(Zeroizing::new(line))),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Drops what waits to be read at the terminal: pasted text may end in more than one line end, and an empty line
/// would be a yes.
fn forget_typed() {
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
}

/// The terminal's modes, put back when this is dropped, and while the process is stopped.
#[cfg(unix)]
struct Modes(Option<Termios>);

/// The modes around a line that is not shown, while it is asked for.
#[cfg(unix)]
static HIDDEN: Mutex<Option<Termios>> = Mutex::new(None);

#[cfg(unix)]
impl Modes {
    fn keep(hidden: bool) -> Self {
        let modes = tcgetattr(std::io::stdin()).ok();
        if hidden {
            static WATCHED: Once = Once::new();
            WATCHED.call_once(show_while_stopped);
            *lock() = modes.clone();
        }
        Self(modes)
    }
}

#[cfg(unix)]
impl Drop for Modes {
    fn drop(&mut self) {
        *lock() = None;
        set(self.0.as_ref());
    }
}

#[cfg(unix)]
fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    HIDDEN.lock().unwrap_or_else(PoisonError::into_inner)
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
                    set(lock().as_ref());
                    let _ = kill_process(getpid(), Signal::STOP);
                }
                _ = go_on.recv() => {}
            }
            let hidden = lock().clone().map(|mut modes| {
                modes.local_modes -= LocalModes::ECHO;
                modes
            });
            set(hidden.as_ref());
        }
    });
}

/// Elsewhere the library puts them back itself.
#[cfg(not(unix))]
struct Modes;

#[cfg(not(unix))]
impl Modes {
    fn keep(_: bool) -> Self {
        Self
    }
}
