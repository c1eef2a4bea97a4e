//! Sees the heads of answers as they came, since hyper reads odd lines without saying so.
//!
//! The HTTP client shows a connection's bytes to nobody but the log. So this is the log: it takes the head of each
//! answer, keeps those that are odd until their answer is there, and lets all else go unformatted. Nothing is printed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::error::{Error, error};

/// Lines that say where an answer ends or how its body is to be read. Two readers that differ over one of these see two
/// answers, and an odd line is read by some and not by others. Any other line can be folded, padded or dropped without
/// harm: what it says, nobody here relies on, and the connection ends with that answer.
const FRAMING: [&str; 4] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "content-encoding",
];

/// The largest head that is looked at, in bytes; hyper takes no larger one.
const HEAD_MAX: usize = 512 * 1024;

/// How many odd heads wait for their answers: a server may send interim ones without end.
const ODD_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Regular,
    Odd,
    /// Odd in a line of [`FRAMING`].
    Ambiguous,
}

thread_local! {
    /// The heads that are on their way, by the log's name of their connection.
    static COMING: RefCell<HashMap<String, Vec<u8>>> = RefCell::default();
    /// The odd ones whose answer has not been asked for.
    static ODD: RefCell<Vec<(Vec<u8>, Head)>> = RefCell::default();
}

pub(super) fn watch() {
    if log::set_logger(&Watch).is_ok() {
        log::set_max_level(LevelFilter::Trace);
    }
}

/// How an answer's head came. Answers with the same lines are told apart by nothing and need not be.
pub(super) fn of(response: &reqwest::Response) -> Head {
    ODD.with_borrow_mut(|odd| {
        let fits = |head: &Vec<u8>| {
            let values = response.headers().values();
            let mut values = values.map(|value| without_blanks(value.as_bytes()));
            values.all(|value| value.is_empty() || contains(head, &value))
        };
        let place = odd.iter().position(|(head, _)| fits(head));
        place.map_or(Head::Regular, |place| odd.swap_remove(place).1)
    })
}

/// Whether an answer that hyper could not read was an ambiguous one.
pub(super) fn was_ambiguous() -> bool {
    ODD.with_borrow_mut(|odd| {
        let place = odd.iter().position(|(_, how)| *how == Head::Ambiguous);
        place.map(|place| odd.swap_remove(place)).is_some()
    })
}

pub(super) fn ambiguous(host: &str) -> Error {
    error!(
        BadAnswer,
        "{host} sent a header line that can be read in two ways", host
    )
}

struct Watch;

impl Log for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Trace && metadata.target() == "reqwest::connect::verbose"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut line = Line::default();
        let _ = write!(line, "{}", record.args());
        if let Some(head) = line.head {
            COMING.with_borrow_mut(|coming| coming.insert(line.connection, head));
        }
    }

    fn flush(&self) {}
}

/// A line of the log: `CONNECTION read: b"…"`. An error ends its formatting.
#[derive(Default)]
struct Line {
    connection: String,
    verb: String,
    /// What has come of the head, if it is still to be looked at.
    head: Option<Vec<u8>>,
    escape: String,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        if self.head.is_some() {
            return self.unescape(c);
        }
        if self.verb.is_empty() && c != ' ' {
            self.connection.push(c);
            return Ok(());
        }
        self.verb.push(c);
        match self.verb.as_str() {
            // The next answer on this connection begins.
            " write" => {
                self.head = Some(Vec::new());
                Err(fmt::Error)
            }
            " read: b\"" => {
                let head = COMING.with_borrow_mut(|coming| coming.remove(&self.connection));
                self.head = Some(head.ok_or(fmt::Error)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Line {
    fn unescape(&mut self, c: char) -> fmt::Result {
        if self.escape.is_empty() && c != '\\' {
            return self.take(u8::try_from(c).map_err(|_| fmt::Error)?);
        }
        self.escape.push(c);
        let byte = match self.escape.as_str() {
            "\\" | "\\x" => return Ok(()),
            "\\n" => b'\n',
            "\\r" => b'\r',
            "\\t" => b'\t',
            "\\0" => 0,
            escape => match escape.strip_prefix("\\x") {
                Some(digits) if digits.len() < 2 => return Ok(()),
                Some(digits) => u8::from_str_radix(digits, 16).map_err(|_| fmt::Error)?,
                None => u8::try_from(c).map_err(|_| fmt::Error)?,
            },
        };
        self.escape.clear();
        self.take(byte)
    }

    fn take(&mut self, byte: u8) -> fmt::Result {
        let head = self.head.as_mut().ok_or(fmt::Error)?;
        head.push(byte);
        if byte != b'\n' || !head.ends_with(b"\n\n") && !head.ends_with(b"\n\r\n") {
            return if head.len() < HEAD_MAX {
                Ok(())
            } else {
                Err(fmt::Error)
            };
        }
        let how = judge(head);
        if how != Head::Regular {
            ODD.with_borrow_mut(|odd| {
                if odd.len() == ODD_MAX {
                    odd.remove(0);
                }
                odd.push((without_blanks(head), how));
            });
        }
        // An interim answer is followed by another.
        if head.get(9) == Some(&b'1') {
            head.clear();
            return Ok(());
        }
        self.head = None;
        Err(fmt::Error)
    }
}

/// How the lines after the first would be read by a strict reader.
fn judge(head: &[u8]) -> Head {
    let mut how = Head::Regular;
    let mut last = Vec::new();
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    for line in lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => line.split_at(colon),
            None => (line, &[][..]),
        };
        let folded = line.first().is_some_and(|byte| b" \t".contains(byte));
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        let regular = !name.is_empty() && name.iter().all(token) && name.len() < line.len();
        let name = without_blanks(name).to_ascii_lowercase();
        if !line.is_empty() && (!regular || value.iter().any(control)) {
            let framing = |name: &[u8]| FRAMING.iter().any(|other| other.as_bytes() == name);
            match framing(&name) || folded && framing(&last) {
                true => return Head::Ambiguous,
                false => how = Head::Odd,
            }
        }
        if !folded {
            last = name;
        }
    }
    how
}

fn without_blanks(text: &[u8]) -> Vec<u8> {
    let visible = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    visible.copied().collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|other| other == part)
}
