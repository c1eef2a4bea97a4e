//! What a client sends, kept where it is small.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::http::Bytes;

/// The largest body that is kept so that its request can be repeated, in bytes.
const KEPT_MAX: usize = 1024 * 1024;

pub(super) enum Sent {
    Kept(Bytes),
    /// Too large to be kept: the part that was read, and the rest, taken by the one request that it goes with.
    Streamed(Option<(Bytes, Incoming)>),
}

impl Sent {
    /// Reads a body as far as it is kept; a part of it may take as long as `patience`.
    pub(super) async fn read(
        mut body: Incoming,
        patience: Duration,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let expected = body.size_hint().lower();
        let mut kept = Vec::new();
        while expected <= KEPT_MAX as u64 && kept.len() <= KEPT_MAX {
            let part = match body.is_end_stream() {
                true => None,
                false => tokio::time::timeout(patience, body.frame()).await?,
            };
            let Some(part) = part else {
                return Ok(Self::Kept(kept.into()));
            };
            if let Ok(data) = part.map_err(io::Error::other)?.into_data() {
                kept.extend_from_slice(&data);
            }
        }
        Ok(Self::Streamed(Some((kept.into(), body))))
    }

    pub(super) fn kept(&self) -> &[u8] {
        match self {
            Self::Kept(bytes) => bytes,
            Self::Streamed(_) => &[],
        }
    }
}
