//! What stands before hyper on a client's connection: it hands on heads that have been judged, and after each as much of
//! a body as its head says. Servers differ in what they forgive, and what two of them read in two ways smuggles one
//! request inside another; so whatever RFC 9112 does not allow is refused.

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use percent_encoding::percent_decode;
use tokio::io::{AsyncRead, ReadBuf};

use crate::error::{Error, error};
use crate::http::is_token;

const PART: usize = 32 * 1024;

/// The longest line of a chunked body that is no data: a chunk's size, or a trailer.
const LINE_MAX: usize = 4096;

/// What hyper reads in place of a refused head. Nothing follows it.
const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The largest head that is read, in bytes, and in lines after the first.
pub(super) const HEAD_MAX: usize = 64 * 1024;
const LINES_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Ambiguous,
    Upwards,
    TooLarge,
}

impl Fault {
    pub(super) fn refusal(self) -> (u16, Error) {
        let error = match self {
            Self::Ambiguous => error!(Usage:
                "the request is not plain HTTP/1.1: servers may read it in two ways"),
            Self::Upwards => error!(Usage: "the request's path contains .. in some spelling"),
            Self::TooLarge => error!(Usage:
                "the request's head is larger than 64 KiB, or has more than 100 lines"),
        };
        (if self == Self::TooLarge { 431 } else { 400 }, error)
    }
}

pub(super) struct Guard<R> {
    stream: R,
    next: Next,
    /// Bytes that were read and not handed on; the first `cleared` of them may be.
    kept: Vec<u8>,
    cleared: usize,
    /// How much of what is kept is known to contain no end of a head.
    searched: usize,
    verdict: Rc<Verdict>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Head,
    Body(u64),
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    /// Nothing: after a refused head hyper answers, and a refused body is an error.
    Nothing,
    Broken,
}

/// What those who serve the connection learn from the guard. A head may be read before the one before it is served.
#[derive(Default)]
pub(super) struct Verdict {
    /// How many heads were handed on.
    heads: Cell<usize>,
    served: Cell<usize>,
    /// Why the connection is read no further than the last of them.
    fault: Cell<Option<Fault>>,
}

impl Verdict {
    /// Begins to serve the next head; its number.
    pub(super) fn serve(&self) -> usize {
        self.served.set(self.served.get() + 1);
        self.served.get()
    }

    /// What is wrong with a head, or with its body as far as that has been read.
    pub(super) fn fault(&self, head: usize) -> Option<Fault> {
        self.fault.get().filter(|_| head == self.heads.get())
    }
}

impl<R> Guard<R> {
    pub(super) fn new(stream: R, verdict: Rc<Verdict>) -> Self {
        Self {
            stream,
            next: Next::Head,
            kept: Vec::new(),
            cleared: 0,
            searched: 0,
            verdict,
        }
    }

    /// How many bytes, and what comes after them; `None` where more are needed to tell.
    fn step(&mut self) -> Result<Option<(usize, Next)>, Fault> {
        let part = |left: u64, end, more: fn(u64) -> Next| {
            let step = left.min(self.kept.len() as u64);
            let next = if step == left { end } else { more(left - step) };
            Ok(Some((step as usize, next)))
        };
        match self.next {
            _ if self.kept.is_empty() => Ok(None),
            Next::Head => self.head(),
            Next::Body(left) => part(left, Next::Head, Next::Body),
            Next::Chunk(left) => part(left, Next::ChunkEnd, Next::Chunk),
            Next::ChunkEnd | Next::Size | Next::Trailer => self.line(),
            Next::Nothing | Next::Broken => Ok(None),
        }
    }

    fn head(&mut self) -> Result<Option<(usize, Next)>, Fault> {
        // RFC 9112, 2.2: an empty line before a request is ignored.
        if self.kept.starts_with(b"\r\n") {
            return Ok(Some((2, Next::Head)));
        }
        let end = end(&self.kept, self.searched);
        if end.unwrap_or(self.kept.len()) > HEAD_MAX {
            return Err(Fault::TooLarge);
        }
        self.searched = if end.is_some() { 0 } else { self.kept.len() };
        let Some(end) = end else { return Ok(None) };
        let next = match judge(&self.kept[..end])? {
            Some(0) => Next::Head,
            Some(length) => Next::Body(length),
            None => Next::Size,
        };
        self.verdict.heads.set(self.verdict.heads.get() + 1);
        Ok(Some((end, next)))
    }

    /// A line of a chunked body that is no data.
    fn line(&self) -> Result<Option<(usize, Next)>, Fault> {
        let end = match self.kept.iter().position(|byte| *byte == b'\n') {
            Some(end) if end < LINE_MAX => end,
            None if self.kept.len() < LINE_MAX => return Ok(None),
            _ => return Err(Fault::Ambiguous),
        };
        let next = after(self.next, &self.kept[..end]).ok_or(Fault::Ambiguous)?;
        Ok(Some((end + 1, next)))
    }

    /// Reads no further. Before the body of a request whose head was good, hyper sees it break off.
    fn refuse(&mut self, fault: Fault) {
        self.verdict.fault.set(Some(fault));
        (self.next, self.kept) = match self.next {
            Next::Head => (Next::Nothing, REFUSED.to_vec()),
            _ => (Next::Broken, Vec::new()),
        };
        let heads = self.verdict.heads.get() + usize::from(self.next == Next::Nothing);
        self.verdict.heads.set(heads);
        self.cleared = self.kept.len();
    }
}

/// What follows a line of a chunked body, given without its LF; `None` where the line is not allowed.
fn after(before: Next, line: &[u8]) -> Option<Next> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r")?).ok()?;
    let size = || {
        let digits = line.split(';').next()?;
        let plain = digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u64::from_str_radix(digits, 16).ok().filter(|_| plain)
    };
    match (before, line) {
        _ if line.contains(char::is_control) => None,
        (Next::Size, _) => match size()? {
            0 => Some(Next::Trailer),
            size => Some(Next::Chunk(size)),
        },
        (Next::ChunkEnd, "") => Some(Next::Size),
        (Next::ChunkEnd, _) => None,
        (_, "") => Some(Next::Head),
        _ => Some(Next::Trailer),
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Guard<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.cleared == 0 {
                match this.step() {
                    Ok(Some((step, next))) => (this.cleared, this.next) = (step, next),
                    Ok(None) => {}
                    Err(fault) => this.refuse(fault),
                }
            }
            if this.cleared > 0 {
                let now = this.cleared.min(out.remaining());
                out.put_slice(&this.kept[..now]);
                this.cleared -= now;
                this.kept.drain(..now);
                if this.kept.is_empty() {
                    this.kept = Vec::new();
                }
                return Poll::Ready(Ok(()));
            }
            match this.next {
                // Not an end: hyper would take that for a client who has gone.
                Next::Nothing => return Poll::Pending,
                Next::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                _ => {}
            }
            let mut space = [MaybeUninit::uninit(); PART];
            let mut part = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.kept.extend_from_slice(part.filled());
        }
    }
}

/// Where a head ends, for the most forgiving of readers: after an empty line. None ends before `from`.
fn end(bytes: &[u8], from: usize) -> Option<usize> {
    (from.saturating_sub(2)..bytes.len()).find_map(|at| match bytes[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Judges a whole head, its last empty line included: the length of the body after it; `None` if that comes in chunks.
fn judge(head: &[u8]) -> Result<Option<u64>, Fault> {
    let head = String::from_utf8_lossy(head);
    let (target, length) = read(&head).ok_or(Fault::Ambiguous)?;
    if head.matches('\n').count() > LINES_MAX + 2 {
        return Err(Fault::TooLarge);
    }
    let path = target.split('?').next().unwrap_or_default();
    match leads_upwards(path.as_bytes().to_vec()) {
        true => Err(Fault::Upwards),
        false => Ok(length),
    }
}

/// The target of a head that has one reading, and the length of its body.
fn read(head: &str) -> Option<(&str, Option<u64>)> {
    let mut lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let (method, rest) = lines.next()?.split_once(' ')?;
    let (target, version) = rest.split_once(' ')?;
    let old = version == "HTTP/1.0";
    let is_path = target.starts_with('/') || target == "*" && method == "OPTIONS";
    let plain = |c: char| c.is_ascii_graphic() && c != '#';
    if !is_token(method.as_bytes())
        || ["CONNECT", "TRACE"].contains(&method)
        || !(old || version == "HTTP/1.1")
        || !(is_path && target.chars().all(plain))
    {
        return None;
    }
    let (mut length, mut chunked, mut hosts) = (None, false, 0);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim_matches([' ', '\t']);
        let control = |c: char| c.is_control() && c != '\t';
        // A folded line has no name of its own.
        if !is_token(name.as_bytes()) || value.contains(control) {
            return None;
        }
        if name.eq_ignore_ascii_case("host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case("content-length") {
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            if length.is_some() || !digits {
                return None;
            }
            length = Some(value.parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || old || !value.eq_ignore_ascii_case("chunked") {
                return None;
            }
            chunked = true;
        }
    }
    let one = !(chunked && length.is_some()) && (hosts == 1 || hosts == 0 && old);
    let length = (!chunked).then_some(length.unwrap_or(0));
    one.then_some((target, length))
}

/// Whether any reading of a path, however often it is decoded, has a segment of dots that leads upwards, or an encoding of
/// UTF-8 that is longer than need be, or a unit of UTF-16, which some servers take for a dot or a slash.
fn leads_upwards(mut path: Vec<u8>) -> bool {
    let too_long = |pair: &[u8]| {
        matches!(
            pair,
            [0xc0 | 0xc1, 0x80..=0xbf] | [0xe0, 0x80..0xa0] | [0xf0, 0x80..0x90]
        )
    };
    // `%u002e`, which IIS once decoded.
    let by_unit = |part: &[u8]| {
        let mark = part[..2].eq_ignore_ascii_case(b"%u");
        mark && part[2..].iter().all(u8::is_ascii_hexdigit)
    };
    loop {
        let mut segments = path.split(|byte| b"/\\".contains(byte));
        let misspelt = path.windows(2).any(too_long) || path.windows(6).any(by_unit);
        if segments.any(is_dots) || misspelt {
            return true;
        }
        match Cow::from(percent_decode(&path)) {
            Cow::Borrowed(_) => return false,
            Cow::Owned(decoded) => path = decoded,
        }
    }
}

/// Whether a segment without its parameters is `..` or more dots, with nothing else that counts.
fn is_dots(segment: &[u8]) -> bool {
    let name = segment.split(|byte| b";?#".contains(byte)).next();
    let name = name.unwrap_or_default().iter();
    let counts = name.filter(|byte| **byte > b' ' && **byte != 0x7f);
    let counts: Vec<&u8> = counts.collect();
    counts.len() > 1 && counts.iter().all(|byte| **byte == b'.')
}
