//! What a client sends, kept where it is small.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::forward::without;
use crate::http::Bytes;

/// The largest body that is kept so that its request can be repeated, in bytes.
const KEPT_MAX: usize = 1024 * 1024;

pub(super) enum Sent {
    Kept(Bytes),
    /// Too large to be kept: the part that was read, and the rest, taken by the one request that it goes with.
    Streamed(Option<(Bytes, Incoming)>),
}

impl Sent {
    /// Reads a body as far as it is kept; a part of it may take as long as `patience`. `None` if it breaks off.
    pub(super) async fn read(mut body: Incoming, patience: Duration) -> Option<Self> {
        let expected = body.size_hint().lower();
        let mut kept = Vec::new();
        while expected <= KEPT_MAX as u64 && kept.len() <= KEPT_MAX {
            let part = match body.is_end_stream() {
                true => None,
                false => tokio::time::timeout(patience, body.frame()).await.ok()?,
            };
            let Some(part) = part else {
                return Some(Self::Kept(kept.into()));
            };
            if let Ok(data) = part.ok()?.into_data() {
                kept.extend_from_slice(&data);
            }
        }
        Some(Self::Streamed(Some((kept.into(), body))))
    }

    pub(super) fn kept(&self) -> &[u8] {
        match self {
            Self::Kept(bytes) => bytes,
            Self::Streamed(_) => &[],
        }
    }

    /// Takes a field out of a form of this content type: PHP would prefer it to one of the query. A part of a multipart form
    /// gets a name that nobody asks for. No other byte changes.
    pub(super) fn drop_field(&mut self, kind: &[u8], name: &str) {
        let Self::Kept(body) = self else { return };
        // A character for each byte, whatever it stands for.
        let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
        let kind = text(kind);
        let lower = kind.to_ascii_lowercase();
        let left = if lower.starts_with("application/x-www-form-urlencoded") {
            without(&text(body), name)
        } else if lower.starts_with("multipart/form-data")
            && let Some(at) = lower.find("boundary=")
        {
            rename_part(&text(body), &kind[at + "boundary=".len()..], name)
        } else {
            return;
        };
        *body = left.chars().map(|c| c as u8).collect();
    }
}

/// Gives a part of a multipart form the name `_`. `boundary` is what stands behind `boundary=`.
fn rename_part(form: &str, boundary: &str, name: &str) -> String {
    let boundary = match boundary.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => boundary.split(';').next().map(str::trim),
    };
    let line = ["\r\n--", boundary.unwrap_or_default()].concat();
    let form = ["\r\n", form].concat();
    let parts = form.split(&line).map(|part| {
        let (head, value) = part.split_at(part.find("\r\n\r\n").unwrap_or(part.len()));
        let mut head = head.to_owned();
        for before in [' ', ';'] {
            let [one, other] = [name, "_"].map(|name| format!("{before}name=\"{name}\""));
            head = head.replace(&one, &other);
        }
        head + value
    });
    parts.collect::<Vec<_>>().join(&line)[2..].to_owned()
}
