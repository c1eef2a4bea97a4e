//! Bodies that are passed on as they come: what is sent while it arrives, and what is left of an answer.

use std::error::Error as StdError;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::Either;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use zeroize::Zeroizing;

type Failure = Box<dyn StdError + Send + Sync>;

/// What is sent: a body whose parts are at hand, or one that is sent as it comes.
pub(super) type Payload = Either<Parts, Upload>;

/// So much of a file is read at once, in bytes.
const PIECE: u64 = 64 * 1024;

/// A body of which a part was read before the rest is passed on as it comes.
struct Joined {
    read: Bytes,
    rest: Incoming,
}

impl Joined {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.rest)
                .poll_frame(context)
                .map_err(Into::into);
        }
        let read = std::mem::take(&mut self.read);
        Poll::Ready(Some(Ok(Frame::data(read))))
    }

    fn is_end(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn hint(&self) -> SizeHint {
        let left = self.rest.size_hint().exact();
        left.map_or_else(SizeHint::default, |left| {
            SizeHint::with_exact(left + self.read.len() as u64)
        })
    }
}

/// A body that is sent as it comes.
pub(super) struct Upload {
    body: Joined,
    /// When the last part of it was sent.
    moved: Arc<Mutex<Instant>>,
}

impl Upload {
    pub(super) fn new(read: Bytes, rest: Incoming, moved: Arc<Mutex<Instant>>) -> Self {
        let body = Joined { read, rest };
        Self { body, moved }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let part = ready!(self.body.poll(context));
        if let Ok(mut moved) = self.moved.lock() {
            *moved = Instant::now();
        }
        Poll::Ready(part)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.hint()
    }
}

/// A part of a body. A file is read from its beginning whenever the body is sent.
#[derive(Clone)]
pub enum Part {
    Bytes(Bytes),
    File(Arc<File>, u64),
}

impl Part {
    /// Bytes that are wiped when nobody needs them any more.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self::Bytes(Bytes::from_owner(Zeroizing::new(bytes)))
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
pub(super) struct Parts {
    /// What is left, in reverse order.
    left: Vec<Part>,
    moved: Arc<Mutex<Instant>>,
}

impl Parts {
    pub(super) fn new(parts: &[Part], moved: &Arc<Mutex<Instant>>) -> Self {
        for part in parts {
            if let Part::File(file, _) = part {
                // What cannot be rewound is read as it is.
                let _ = (&**file).rewind();
            }
        }
        Self {
            left: parts.iter().rev().cloned().collect(),
            moved: Arc::clone(moved),
        }
    }

    /// The next bytes, where there are any.
    fn take(&mut self) -> io::Result<Option<Bytes>> {
        let Some(part) = self.left.pop() else {
            return Ok(None);
        };
        let (file, length) = match part {
            Part::Bytes(bytes) => return Ok(Some(bytes)),
            Part::File(file, length) => (file, length),
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

impl Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Ok(mut moved) = self.moved.lock() {
            *moved = Instant::now();
        }
        Poll::Ready(self.take().transpose().map(|part| part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.iter().map(Part::length).sum())
    }
}

/// An answer's body: the part that was read, then the rest as it comes. It fails where no part comes for `patience`.
pub struct Rest {
    body: Joined,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Rest {
    pub(super) fn new(read: Vec<u8>, rest: Incoming, patience: Duration) -> Self {
        let read = read.into();
        Self {
            body: Joined { read, rest },
            patience,
            waiting: None,
        }
    }
}

impl Body for Rest {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Poll::Ready(part) = self.body.poll(context) {
            self.waiting = None;
            return Poll::Ready(part);
        }
        let patience = self.patience;
        let waiting = &mut self.waiting;
        let sleep = waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.hint()
    }
}
