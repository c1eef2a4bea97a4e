//! Bodies that are passed on as they come: what is sent while it arrives, and what is left of an answer.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

type Failure = Box<dyn StdError + Send + Sync>;

/// What is sent: a body that is at hand, or one that is sent as it comes.
pub(super) type Payload = Either<Full<Bytes>, Upload>;

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
