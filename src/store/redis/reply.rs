//! Finds the end of an exchange's replies, and bounds what they may cost. They are parsed once they are whole, and no
//! length that the server names is believed.

/// How many bytes the replies of an exchange may have: twice the largest entry.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many values they may have, of which the smallest has four bytes and takes some fifty once it is parsed.
const VALUES_MAX: usize = 100_000;
/// How many bytes a line may have: a status, an error, a number.
const LINE_MAX: usize = 64 * 1024;

/// The bytes are not replies of Redis, or exceed what an exchange may cost.
#[derive(Debug, PartialEq, Eq)]
pub struct NotRedis;

/// Follows the replies of one exchange as their bytes arrive.
pub struct Progress {
    /// How many values must still come, those in arrays included.
    missing: usize,
    values: usize,
    /// Where the next value begins.
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
    pub fn is_complete(&mut self, received: &[u8]) -> Result<bool, NotRedis> {
        while self.missing > 0 {
            let Some((length, parts)) = value(&received[self.at..])? else {
                return self
                    .within_bounds(received.len())
                    .then_some(false)
                    .ok_or(NotRedis);
            };
            self.at += length;
            self.values += 1;
            self.missing = (self.missing - 1).saturating_add(parts);
            if !self.within_bounds(self.at) {
                return Err(NotRedis);
            }
        }
        if self.at == received.len() {
            Ok(true)
        } else {
            Err(NotRedis)
        }
    }

    /// The one bound on what the replies of an exchange may cost.
    fn within_bounds(&self, bytes: usize) -> bool {
        bytes <= BYTES_MAX && self.values.saturating_add(self.missing) <= VALUES_MAX
    }
}

/// The length of the value at the start, and how many more it announces as its parts; `None` if more must come.
fn value(bytes: &[u8]) -> Result<Option<(usize, usize)>, NotRedis> {
    let Some(kind) = bytes.first() else {
        return Ok(None);
    };
    if !b"+-:$*".contains(kind) {
        return Err(NotRedis);
    }
    let Some(end) = bytes
        .windows(2)
        .take(LINE_MAX)
        .position(|two| two == b"\r\n")
    else {
        return if bytes.len() > LINE_MAX {
            Err(NotRedis)
        } else {
            Ok(None)
        };
    };
    let after = end + 2;
    let number = std::str::from_utf8(&bytes[1..end])
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    match (kind, number) {
        (b'+' | b'-', _) | (b':', Some(_)) | (b'$' | b'*', Some(-1)) => Ok(Some((after, 0))),
        (b'*', Some(parts @ 0..)) => {
            Ok(Some((after, usize::try_from(parts).map_err(|_| NotRedis)?)))
        }
        (b'$', Some(length @ 0..)) => {
            let length = usize::try_from(length)
                .ok()
                .filter(|length| *length <= BYTES_MAX)
                .ok_or(NotRedis)?;
            match bytes.get(after + length..after + length + 2) {
                None => Ok(None),
                Some(b"\r\n") => Ok(Some((after + length + 2, 0))),
                Some(_) => Err(NotRedis),
            }
        }
        _ => Err(NotRedis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(bytes: &[u8], replies: usize) -> Result<bool, NotRedis> {
        Progress::new(replies).is_complete(bytes)
    }

    #[test]
    fn whole_replies_and_their_beginnings() {
        let replies: &[&[u8]] = &[
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":-12\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"$4\r\na\r\nb\r\n",
            b"*-1\r\n",
            b"*0\r\n",
            b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
        ];
        let all = replies.concat();
        let mut progress = Progress::new(replies.len());
        for end in 0..all.len() {
            assert_eq!(
                complete(&all[..end], replies.len()),
                Ok(false),
                "up to {end}"
            );
            assert_eq!(
                progress.is_complete(&all[..end]),
                Ok(false),
                "byte by byte, up to {end}"
            );
        }
        assert_eq!(complete(&all, replies.len()), Ok(true));
        assert_eq!(progress.is_complete(&all), Ok(true));
        assert_eq!(
            complete(&all, replies.len() - 1),
            Err(NotRedis),
            "more than was asked for"
        );
        for reply in replies {
            assert_eq!(complete(reply, 1), Ok(true));
            assert_eq!(complete(reply, 2), Ok(false));
        }
    }

    #[test]
    fn what_is_no_reply_or_costs_too_much() {
        let tiny = ["*38\r\n", &"*0\r\n".repeat(38)].concat();
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            "\x15\x03\x01",
            "$x\r\n",
            "$-2\r\n",
            "$99999999999\r\n",
            "$1\r\nabc",
            "*999999999\r\n",
            "*9223372036854775807\r\n*9223372036854775807\r\n",
            "*-2\r\n",
            ":x\r\n",
            &["+", &"x".repeat(LINE_MAX + 2)].concat(),
            &["*100000\r\n", &tiny.repeat(3_000)].concat(),
            &["$9000000\r\n", &"x".repeat(10)].concat(),
        ] {
            assert_eq!(
                complete(text.as_bytes(), 1),
                Err(NotRedis),
                "{}",
                &text[..text.len().min(40)]
            );
        }
        let large = [
            "$8000000\r\n",
            &"x".repeat(8_000_000),
            "\r\n$900000\r\n",
            &"x".repeat(900_000),
        ]
        .concat();
        assert_eq!(
            complete(large.as_bytes(), 2),
            Err(NotRedis),
            "each within its bounds, both beyond"
        );
    }
}
