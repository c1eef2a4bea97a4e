//! A terminal with a person at it: what is typed goes in, and what comes out is a screen to be read.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::machine::{code, lacks, signal, wrapped};

/// Nothing takes longer, or it will never come.
const NEVER: Duration = Duration::from_secs(60);

/// A program at a terminal.
pub struct Terminal {
    master: std::fs::File,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    child: Child,
    columns: usize,
    rows: usize,
    /// How much of the output has been asked about.
    read: usize,
}

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

/// What a program left behind on its terminal.
pub struct Left {
    pub code: i32,
    /// Everything that came out.
    pub output: String,
    /// What stands on the screen at last, line by line.
    pub screen: Vec<String>,
    /// Whether typed characters are shown again, as before.
    pub sane: bool,
}

impl Terminal {
    /// Starts a command at a terminal of so many columns, with a session of its own, so that Ctrl-C reaches it.
    pub fn start(command: Command, columns: u16) -> Self {
        Self::with(command, columns, None)
    }

    /// The same, with another stdout.
    pub fn with(command: Command, columns: u16, stdout: Option<Stdio>) -> Self {
        Self::sized(command, (24, columns), stdout)
    }

    /// The same, of so many rows and columns.
    pub fn sized(command: Command, (rows, columns): (u16, u16), stdout: Option<Stdio>) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        // A program that another test starts would keep this terminal open.
        fcntl_setfd(&master, FdFlags::CLOEXEC).expect("a flag");
        grantpt(&master).expect("a right");
        unlockpt(&master).expect("a right");
        tcsetwinsize(
            &master,
            Winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )
        .expect("a size");
        let path = ptsname(&master, Vec::new())
            .expect("a name")
            .into_string()
            .expect("a name in UTF-8");
        let mut options = std::fs::OpenOptions::new();
        let slave: OwnedFd = options
            .read(true)
            .write(true)
            .open(path)
            .expect("its other end")
            .into();
        // After the signal that Ctrl-C sends, the system drops what is on its way to the screen: what the program has
        // just said, if it was quick.
        let mut modes = tcgetattr(&slave).expect("a terminal");
        modes.local_modes |= LocalModes::NOFLSH;
        tcsetattr(&slave, OptionalActions::Now, &modes).expect("a mode");
        let end = || Stdio::from(slave.try_clone().expect("a copy"));
        let mut command = wrapped(&command, &["setsid", "--ctty"]);
        command
            .stdin(end())
            .stdout(stdout.unwrap_or_else(&end))
            .stderr(end());
        let child = command.spawn().expect("the program starts");
        let master = std::fs::File::from(master);
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let (mut from, to) = (master.try_clone().expect("a copy"), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                // Once nobody holds the other end any more, reading fails.
                let read = from.read(&mut chunk).unwrap_or_default();
                let mut seen = to.0.lock().expect("no panic");
                seen.bytes.extend_from_slice(&chunk[..read]);
                seen.ended = read == 0;
                to.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self {
            master,
            seen,
            child,
            columns: columns.into(),
            rows: rows.into(),
            read: 0,
        }
    }

    /// Waits for a text behind those that were waited for before.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> &mut Self {
        let until = Instant::now() + NEVER;
        let mut seen = self.seen.0.lock().expect("no panic");
        loop {
            let all = String::from_utf8_lossy(&seen.bytes).into_owned();
            if let Some(at) = all[self.read.min(all.len())..].find(text) {
                self.read += at + text.len();
                drop(seen);
                return self;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!seen.ended && !left.is_zero(), "no {text:?} in: {all}");
            seen = self.seen.1.wait_timeout(seen, left).expect("no panic").0;
        }
    }

    /// Types a text as it is; `\r` is Enter, `\x03` is Ctrl-C.
    pub fn types(&mut self, text: &str) -> &mut Self {
        self.master.write_all(text.as_bytes()).expect("a reader");
        self
    }

    /// Answers a question; a secret, whose question ends with a bracket, once it is not shown.
    #[track_caller]
    pub fn asks(&mut self, question: &str, answer: impl std::fmt::Display) -> &mut Self {
        self.sees(question);
        if question.ends_with("): ") {
            self.hides();
        }
        self.types(&format!("{answer}\r"))
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.master).expect("a terminal").local_modes;
        modes.contains(LocalModes::ECHO) && modes.contains(LocalModes::ICANON)
    }

    /// Shows what is typed, as a shell makes it when a program stops.
    pub fn show(&self) {
        let mut modes = tcgetattr(&self.master).expect("a terminal");
        modes.local_modes |= LocalModes::ECHO;
        tcsetattr(&self.master, OptionalActions::Now, &modes).expect("a mode");
    }

    /// Sends the program a signal that stops it, and waits until it has stopped.
    #[track_caller]
    pub fn stops(&mut self, number: rustix::process::Signal) -> &mut Self {
        signal(&self.child, number);
        let until = Instant::now() + NEVER;
        let path = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&path)
            .expect("a state")
            .contains(") T ")
        {
            assert!(Instant::now() < until, "it goes on");
            std::thread::yield_now();
        }
        self
    }

    /// Waits until what is typed is not shown: until then it would be.
    #[track_caller]
    pub fn hides(&mut self) -> &mut Self {
        let until = Instant::now() + NEVER;
        while self.echoes() {
            assert!(Instant::now() < until, "what is typed shows");
            std::thread::yield_now();
        }
        self
    }

    /// The program's process.
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// Waits for the program's end, which is this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Left {
        let left = self.ends();
        assert_eq!(left.code, code, "{}", left.output);
        left
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn ends(mut self) -> Left {
        let until = Instant::now() + NEVER;
        let mut seen = self.seen.0.lock().expect("no panic");
        while !seen.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let _ = self.child.kill();
                panic!(
                    "the program hangs: {}",
                    String::from_utf8_lossy(&seen.bytes)
                );
            }
            seen = self.seen.1.wait_timeout(seen, left).expect("no panic").0;
        }
        let output = String::from_utf8(seen.bytes.clone()).expect("UTF-8");
        let code = code(self.child.wait().expect("a status"));
        let screen = screen(&output, self.columns, self.rows);
        Left {
            code,
            screen,
            sane: self.echoes(),
            output,
        }
    }
}

impl Drop for Terminal {
    /// A test that fails leaves no program behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Left {
    /// None of these texts came out.
    #[track_caller]
    pub fn lacks(&self, texts: &[&str]) -> &Self {
        lacks(&self.output, texts);
        self
    }

    /// A line on the screen that holds this.
    #[track_caller]
    pub fn line(&self, text: &str) -> &str {
        let found = self.screen.iter().find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no {text:?} in: {}", self.screen.join("\n")))
    }
}

/// What stands on a screen of so many columns and rows, and has scrolled off its top, after an output of letters, line
/// ends, colours, and the two movements that the program makes: up, and away with what follows.
fn screen(output: &str, columns: usize, rows: usize) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column, mut top) = (0_usize, 0_usize, 0_usize);
    let mut rest = output.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\x08' => column = column.saturating_sub(1),
            '\n' => row += 1,
            '\x1b' => {
                assert_eq!(rest.next(), Some('['), "an escape sequence");
                let mut number = String::new();
                let end = loop {
                    match rest.next().expect("a whole sequence") {
                        c if c.is_ascii_digit() || c == ';' => number.push(c),
                        c => break c,
                    }
                };
                match end {
                    'A' => {
                        row = row
                            .saturating_sub(number.parse::<usize>().unwrap_or(1))
                            .max(top)
                    }
                    'J' => {
                        lines.truncate(row + 1);
                        lines[row].truncate(column);
                    }
                    'm' => {}
                    other => panic!("{other} ends an escape sequence"),
                }
            }
            c => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
        top = top.max((row + 1).saturating_sub(rows));
    }
    lines
        .into_iter()
        .map(|line| line.into_iter().collect::<String>().trim_end().to_owned())
        .collect()
}
