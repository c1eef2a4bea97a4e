//! Finds the end of an exchange's replies, and bounds what they may cost. They are parsed once they are whole, and no
//! length that the server names is believed. An error says that the bytes are not replies of Redis, or exceed that.

use std::io::{ErrorKind, Result};

/// How many bytes the replies of an exchange may have: twice the largest entry.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many values they may have, of which the smallest has four bytes and takes some fifty once it is parsed.
const VALUES_MAX: usize = 100_000;
/// How many bytes a line may have: a status, an error, a number.
const LINE_MAX: usize = 64 * 1024;

pub struct Progress {
    /// How many values must still come, those in arrays included.
    missing: usize,
    values: usize,
    at: usize,
}

impl Progress {
    pub fn new(replies: usize) -> Self {
        Self {
            missing: replies,
            values: 0,
            at: 0,
        }
    }

    /// Whether all replies are there, and nothing after them.
    pub fn is_complete(&mut self, received: &[u8]) -> Result<bool> {
        while self.missing > 0 {
            let next = value(&received[self.at..])?;
            if let Some((length, parts)) = next {
                self.at += length;
                self.values += 1;
                self.missing = (self.missing - 1).saturating_add(parts);
            }
            let bytes = next.map_or(received.len(), |_| self.at);
            if bytes > BYTES_MAX || self.values.saturating_add(self.missing) > VALUES_MAX {
                return not_redis();
            }
            if next.is_none() {
                return Ok(false);
            }
        }
        match self.at == received.len() {
            true => Ok(true),
            false => not_redis(),
        }
    }
}

/// The length of the value at the start, and how many more it announces as its parts; `None` if more must come.
fn value(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(kind) = bytes.first() else {
        return Ok(None);
    };
    if !b"+-:$*".contains(kind) {
        return not_redis();
    }
    let line = &bytes[..bytes.len().min(LINE_MAX + 1)];
    let Some(end) = line.windows(2).position(|two| two == b"\r\n") else {
        let too_long = line.len() > LINE_MAX;
        return if too_long { not_redis() } else { Ok(None) };
    };
    let number = std::str::from_utf8(&line[1..end]).unwrap_or_default();
    let after = end + 2;
    let whole = |bytes: &[u8], end: usize| match bytes.get(end..end + 2) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some((end + 2, 0))),
        Some(_) => not_redis(),
    };
    match (kind, number.parse::<i64>(), number.parse::<usize>()) {
        (b'+' | b'-', ..) | (b':', Ok(_), _) | (b'$' | b'*', Ok(-1), _) => Ok(Some((after, 0))),
        (b'*', _, Ok(parts)) => Ok(Some((after, parts))),
        (b'$', _, Ok(length)) if length <= BYTES_MAX => whole(bytes, after + length),
        _ => not_redis(),
    }
}

fn not_redis<T>() -> Result<T> {
    Err(ErrorKind::InvalidData.into())
}
