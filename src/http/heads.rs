//! Sees the heads of answers as they came, since hyper reads odd lines without saying so.

use std::io::Result;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::error::{Error, error};

/// Lines that say where an answer ends or how its body is to be read: two readers that differ over one see two answers.
/// Any other line may be folded, padded or dropped, since nothing depends on it; the connection then ends with that answer.
const FRAMING: &str = "content-length transfer-encoding connection content-encoding";
/// The largest head that is looked at, in bytes; hyper takes no larger one.
const HEAD_MAX: usize = 512 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Head {
    #[default]
    Regular,
    Odd,
    /// Odd in a line of [`FRAMING`], or with two lengths, or one that is none.
    Ambiguous,
}

/// What has come of the answer's head on a connection, and how it came.
#[derive(Clone, Default)]
pub(super) struct Heads(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The part that has come, if the head has not ended.
    coming: Option<Vec<u8>>,
    how: Head,
    is_http: bool,
}

impl Heads {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn expect_another(&self) {
        // What else is known holds: only a connection whose heads were regular is kept.
        self.state().coming = Some(Vec::new());
    }

    /// How the answer's head came, or as much of it as there is, and whether it began as one of HTTP does.
    pub(super) fn seen(&self) -> (Head, bool) {
        let state = self.state();
        (state.how, state.is_http)
    }
}

impl State {
    fn read(&mut self, bytes: &[u8]) {
        let Some(head) = &mut self.coming else { return };
        let mut line_start = head.len();
        head.extend_from_slice(bytes);
        self.is_http = head.starts_with(b"HTTP/");
        while let Some(length) = head[line_start..].iter().position(|byte| *byte == b'\n') {
            line_start += length + 1;
            let lines = &head[..line_start];
            if !lines.ends_with(b"\n\n") && !lines.ends_with(b"\n\r\n") {
                continue;
            }
            self.how = self.how.max(judge(lines));
            // An interim answer is followed by another.
            if lines.get(9) != Some(&b'1') {
                self.coming = None;
                return;
            }
            head.drain(..line_start);
            line_start = 0;
        }
        if head.len() > HEAD_MAX {
            self.coming = None;
        }
    }
}

/// The reading half of a connection, which shows the heads of its answers.
pub(super) struct Watched<R>(pub(super) R, pub(super) Heads);

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(context, buffer))?;
        self.1.state().read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

pub(super) fn ambiguous(host: &str) -> Error {
    error!(BadAnswer: "{host} sent a header line that can be read in two ways"; host =>
        hint "the server itself has answered; its log, or its administrator, can say more")
}

/// The error for a head, or a body's chunks, that HTTP does not allow.
pub(super) fn malformed(host: &str) -> Error {
    error!(BadAnswer: "{host}'s answer is not well-formed HTTP"; host =>
        hint "the server itself has answered; its log, or its administrator, can say more")
}

/// Whether a name of a header or a method is one by RFC 9110, 5.6.2.
pub fn is_token(word: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !word.is_empty() && word.iter().all(allowed)
}

/// How the lines after the first would be read by a strict reader.
fn judge(head: &[u8]) -> Head {
    let mut how = Head::Regular;
    let mut last: &[u8] = b"";
    let (mut length, mut coded) = (None, false);
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    for line in lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let folded = line.first().is_some_and(|byte| b" \t".contains(byte));
        let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        let regular = is_token(name) && name.len() < line.len();
        if !line.is_empty() && (!regular || value.iter().any(control)) {
            match is_framing(name) || folded && is_framing(last) {
                true => return Head::Ambiguous,
                false => how = Head::Odd,
            }
        }
        coded |= name.eq_ignore_ascii_case(b"transfer-encoding");
        if regular && name.eq_ignore_ascii_case(b"content-length") {
            let lengths = value[1..].split(|byte| *byte == b',');
            for other in lengths.map(<[u8]>::trim_ascii) {
                let same = *length.get_or_insert(other) == other;
                // A longer number overflows in some readers.
                let digits = (1..=18).contains(&other.len());
                if !same || !digits || !other.iter().all(u8::is_ascii_digit) {
                    return Head::Ambiguous;
                }
            }
        }
        if !folded {
            last = name;
        }
    }
    // RFC 9112, 6.3: the length does not count, and who reads it nevertheless takes the rest for another answer.
    let odd = coded && length.is_some();
    if odd { how.max(Head::Odd) } else { how }
}

/// Whether a line's name is one of [`FRAMING`], its blanks removed.
fn is_framing(name: &[u8]) -> bool {
    let visible = name.iter().filter(|byte| !byte.is_ascii_whitespace());
    let name: Vec<u8> = visible.map(u8::to_ascii_lowercase).collect();
    FRAMING.split(' ').any(|other| other.as_bytes() == name)
}
