//! Bodies that are passed on as they come: what is sent while it arrives, and what is left of an answer.

use std::error::Error as StdError;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use zeroize::Zeroizing;

type Failure = Box<dyn StdError + Send + Sync>;

/// So much of a file is read at once, in bytes.
const PIECE: u64 = 64 * 1024;

/// A part of a body. A file is read from its beginning whenever the body is sent.
#[derive(Clone)]
pub enum Part {
    Bytes(Bytes),
    File(Arc<File>, u64),
}

impl Part {
    /// Bytes that are wiped when nobody needs them any more.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Bytes::from_owner(Zeroizing::new(bytes.into())))
    }

    /// Reads all of it, unless it is larger than `max`.
    pub fn read(&self, into: &mut Vec<u8>, max: u64) -> io::Result<()> {
        match self {
            _ if self.length() > max => return Err(io::ErrorKind::FileTooLarge.into()),
            Self::Bytes(bytes) => into.extend_from_slice(bytes),
            Self::File(file, length) => drop((&**file).take(*length).read_to_end(into)?),
        }
        Ok(())
    }

    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

/// A body that is put together as it is sent.
pub struct Payload {
    /// What is left of the parts, in reverse order.
    left: Vec<Part>,
    rest: Option<Incoming>,
    /// When the last part of the rest was sent.
    moved: Arc<Mutex<Instant>>,
    /// How long a part may take to come before the body fails.
    patience: Option<Duration>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Payload {
    pub(super) fn new(parts: &[Part], rest: Option<Incoming>, moved: &Arc<Mutex<Instant>>) -> Self {
        for part in parts {
            // What cannot be rewound is read as it is.
            if let Part::File(file, _) = part {
                let _ = (&**file).rewind();
            }
        }
        let left = parts.iter().rev().filter(|part| part.length() > 0);
        Self {
            left: left.cloned().collect(),
            rest,
            moved: Arc::clone(moved),
            patience: None,
            waiting: None,
        }
    }

    /// An answer's body: the part that was read, then the rest as it comes.
    pub(super) fn passed(read: Vec<u8>, rest: Option<Incoming>, patience: Duration) -> Self {
        let moved = Arc::new(Mutex::new(Instant::now()));
        Self {
            patience: Some(patience),
            ..Self::new(&[Part::Bytes(read.into())], rest, &moved)
        }
    }

    fn take(&mut self) -> io::Result<Option<Bytes>> {
        let (file, length) = match self.left.pop() {
            None => return Ok(None),
            Some(Part::Bytes(bytes)) => return Ok(Some(bytes)),
            Some(Part::File(file, length)) => (file, length),
        };
        let mut bytes = vec![0; length.min(PIECE) as usize];
        (&*file).read_exact(&mut bytes)?;
        let left = length - bytes.len() as u64;
        if left > 0 {
            self.left.push(Part::File(file, left));
        }
        Ok(Some(bytes.into()))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        let part = match (this.take()?, &mut this.rest) {
            (Some(bytes), _) => Some(Ok(Frame::data(bytes))),
            (None, None) => None,
            (None, Some(rest)) => match (Pin::new(rest).poll_frame(context), this.patience) {
                (Poll::Ready(part), _) => part.map(|part| part.map_err(Into::into)),
                (Poll::Pending, None) => return Poll::Pending,
                (Poll::Pending, Some(patience)) => {
                    let sleep = || Box::pin(tokio::time::sleep(patience));
                    let waiting = this.waiting.get_or_insert_with(sleep);
                    ready!(waiting.as_mut().poll(context));
                    Some(Err(io::Error::from(io::ErrorKind::TimedOut).into()))
                }
            },
        };
        self.waiting = None;
        if let Ok(mut moved) = self.moved.lock() {
            *moved = Instant::now();
        }
        Poll::Ready(part)
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map(|rest| rest.size_hint().exact());
        let left: u64 = self.left.iter().map(Part::length).sum();
        match rest.unwrap_or(Some(0)) {
            Some(rest) => SizeHint::with_exact(left + rest),
            None => SizeHint::default(),
        }
    }
}
