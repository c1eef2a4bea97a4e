//! What a person types at a terminal, letter by letter, and the terminal's modes meanwhile.

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::io::{read, retry_on_intr};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcsetattr,
};
use zeroize::Zeroizing;

use crate::signals;
use crate::terminal::width;

const END: u8 = 4;
const BACKSPACE: u8 = 8;
const CLEAR: u8 = 21;
const DELETE: u8 = 127;

/// Reads a line, letter by letter where `shown`: the terminal would show all that is pasted, secrets too.
pub(super) fn typed(shown: bool) -> io::Result<Option<Zeroizing<String>>> {
    let stdin = io::stdin();
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    let mut byte = [0];
    loop {
        if retry_on_intr(|| read(&stdin, &mut byte))? == 0 {
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
            let _ = io::stderr().lock().write_all(&echo);
        }
    }
    let line = String::from_utf8(std::mem::take(&mut *line));
    let line = line.map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
    if shown {
        let _ = io::stderr().lock().write_all(b"\n");
    }
    Ok(Some(Zeroizing::new(line)))
}

/// Takes the last letter of a line away, and what shows it off the screen.
fn erase(line: &mut Vec<u8>, shown: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line);
    if let Some(last) = text.chars().next_back() {
        shown.extend(b"\x08 \x08".repeat(width(last.encode_utf8(&mut [0; 4]))));
        let start = line.iter().rposition(|byte| byte & 0xC0 != 0x80);
        line.truncate(start.unwrap_or_default());
    }
}

/// Drops what waits to be read: of pasted lines one is meant, and the shell does not get the others either.
pub(super) fn forget_typed() {
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
}

/// The terminal's modes, put back when this is dropped, and while the process is stopped.
pub(super) struct Modes(Option<Termios>);

/// The modes around a question, and while it is asked.
static ASKING: Mutex<Option<[Termios; 2]>> = Mutex::new(None);

impl Modes {
    /// From here on nothing that is typed shows by itself, and it comes letter by letter.
    pub(super) fn keep() -> Self {
        let modes = tcgetattr(io::stdin()).ok();
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

impl Drop for Modes {
    fn drop(&mut self) {
        *lock() = None;
        forget_typed();
        set(self.0.as_ref());
    }
}

fn lock() -> MutexGuard<'static, Option<[Termios; 2]>> {
    ASKING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(modes: Option<&Termios>) {
    if let Some(modes) = modes {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
    }
}

/// From here on the process stops itself when it is told to, with the terminal as it was, and hides what is typed when it
/// goes on: shells put the modes back that they know. The signals stay caught, so this goes on for the whole run.
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
