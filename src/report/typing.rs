//! What a person types at a terminal, letter by letter, and the terminal's modes meanwhile.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write};
use std::sync::Once;

use rustix::io::{read, retry_on_intr};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

use crate::signals;

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
        shown.extend(b"\x08 \x08".repeat(crate::terminal::width(last.encode_utf8(&mut [0; 4]))));
        let start = line.iter().rposition(|byte| byte & 0xC0 != 0x80);
        line.truncate(start.unwrap_or_default());
    }
}

/// Drops what waits to be read: of pasted lines one is meant, and the shell does not get the others either.
pub(super) fn forget_typed() {
    let _ = termios::tcflush(io::stdin(), termios::QueueSelector::IFlush);
}

thread_local! {
    /// The terminal's modes around a question, and while it is asked.
    static MODES: RefCell<Option<[Termios; 2]>> = const { RefCell::new(None) };
}

/// Puts the modes back when it is dropped, and while the process is stopped.
pub(super) struct Modes;

impl Modes {
    /// From here on nothing that is typed shows by itself, and it comes letter by letter.
    pub(super) fn keep() -> Self {
        static WATCHED: Once = Once::new();
        WATCHED.call_once(show_while_stopped);
        let modes = termios::tcgetattr(io::stdin()).ok().map(|around| {
            let mut asking = around.clone();
            asking.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
            asking.special_codes[SpecialCodeIndex::VMIN] = 1;
            asking.special_codes[SpecialCodeIndex::VTIME] = 0;
            [around, asking]
        });
        MODES.set(modes);
        set(|[_, asking]| asking);
        Self
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        forget_typed();
        set(|[around, _]| around);
        MODES.set(None);
    }
}

fn set(which: fn(&[Termios; 2]) -> &Termios) {
    if let Some(modes) = MODES.with_borrow(|modes| modes.as_ref().map(which).cloned()) {
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes);
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
                    set(|[around, _]| around);
                    let _ = kill_process(getpid(), Signal::STOP);
                }
                _ = go_on.recv() => {}
            }
            set(|[_, asking]| asking);
        }
    });
}
