//! What is under way, at the foot of a terminal: a line a target, there while it lasts and gone afterwards.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::time::Duration;

use tokio::time::Instant;

use crate::terminal::{clip, size};

/// What is done sooner is not shown.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a picture stands.
const BEAT: Duration = Duration::from_millis(100);
const PICTURES: [char; 8] = ['⣾', '⣽', '⣻', '⢿', '⡿', '⣟', '⣯', '⣷'];
const LINES: usize = 10;

#[derive(Default)]
pub(super) struct Progress {
    lines: RefCell<Vec<Line>>,
    next: Cell<usize>,
    /// How many lines stand on the terminal, the cursor behind the last one.
    drawn: Cell<usize>,
    /// Above 0 somebody else uses the terminal.
    holds: Cell<usize>,
    wake: tokio::sync::Notify,
}

struct Line {
    id: usize,
    name: String,
    text: String,
    since: Instant,
}

/// Something under way, for as long as this lives.
pub struct Busy<'a>(&'a Progress, usize);

impl Drop for Busy<'_> {
    /// The line goes with the next beat, so that in a batch it can be read, or at once if it was the last.
    fn drop(&mut self) {
        let mut lines = self.0.lines.borrow_mut();
        lines.retain(|line| line.id != self.1);
        if lines.is_empty() {
            self.0.erase();
        }
    }
}

/// Somebody else uses the terminal for as long as this lives.
pub struct Hold<'a>(&'a Progress);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.holds.update(|holds| holds - 1);
    }
}

impl Progress {
    pub(super) fn begin(&self, name: String, text: String) -> Busy<'_> {
        let id = self.next.replace(self.next.get() + 1);
        let since = Instant::now();
        self.lines.borrow_mut().push(Line {
            id,
            name,
            text,
            since,
        });
        self.wake.notify_one();
        Busy(self, id)
    }

    /// Changes the text of the newest line of that name.
    pub(super) fn change(&self, name: &str, text: String) {
        let mut lines = self.lines.borrow_mut();
        let mut newest = lines.iter_mut().rev();
        if let Some(line) = newest.find(|line| line.name == name) {
            line.text = text;
        }
    }

    pub(super) fn hold(&self) -> Hold<'_> {
        self.holds.update(|holds| holds + 1);
        self.erase();
        Hold(self)
    }

    /// Takes the lines off the terminal; the next beat brings back what is still under way.
    pub(super) fn erase(&self) {
        let lines = self.drawn.take();
        if lines > 0 {
            write(&erasure(lines));
        }
    }

    pub(super) async fn run(&self) -> std::convert::Infallible {
        let mut beat = 0;
        loop {
            let Some(first) = self.lines.borrow().iter().map(|line| line.since).min() else {
                self.wake.notified().await;
                continue;
            };
            tokio::time::sleep_until((first + PATIENCE).max(Instant::now() + BEAT)).await;
            self.draw(PICTURES[beat % PICTURES.len()]);
            beat += 1;
        }
    }

    fn draw(&self, picture: char) {
        if self.holds.get() > 0 {
            return;
        }
        let [columns, rows] = size(std::io::stderr());
        let most = columns.unwrap_or(80).saturating_sub(1);
        // What has scrolled off its top cannot be taken away again.
        let room = rows.map_or(LINES, |rows| rows.min(LINES));
        let lines = self.lines.borrow();
        let slow = lines.iter().filter(|line| line.since.elapsed() >= PATIENCE);
        let text = |line: &Line| format!("{picture} {}: {}…", line.name, line.text);
        let shown = slow.take(room).map(|line| clip(&text(line), most));
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() {
            return;
        }
        let before = self.drawn.replace(shown.len());
        write(&[&*erasure(before), &shown.join("\n")].concat());
    }
}

/// What takes so many lines off a terminal whose cursor stands in the last of them.
fn erasure(lines: usize) -> String {
    match lines {
        0 => String::new(),
        1 => "\r\x1b[J".to_owned(),
        more => format!("\r\x1b[{}A\x1b[J", more - 1),
    }
}

/// In one piece, so that no half of it stands there.
fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
