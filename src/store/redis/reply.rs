//! Where a reply of the server ends, before anything is made of it: nothing larger than an entry is waited for, and
//! no length is believed.

/// No reply is larger, in bytes.
pub const REPLY_MAX: usize = 16 * 1024 * 1024;
/// No line is longer: a status, an error, a length.
const LINE_MAX: usize = 64 * 1024;
/// No array has more parts.
const PARTS_MAX: usize = 100_000;
/// No array is deeper in others.
const DEPTH_MAX: usize = 4;

/// It is no reply of such a server.
#[derive(Debug, PartialEq, Eq)]
pub struct NoReply;

/// How many bytes the first reply has; `None` where more of it must come.
pub fn length(buffer: &[u8]) -> Result<Option<usize>, NoReply> {
    end(buffer, 0, 0)
}

fn end(buffer: &[u8], at: usize, depth: usize) -> Result<Option<usize>, NoReply> {
    let Some(kind) = buffer.get(at) else { return Ok(None) };
    if !b"+-:$*".contains(kind) || depth > DEPTH_MAX {
        return Err(NoReply);
    }
    let line = &buffer[at + 1..];
    let Some(width) = line.windows(2).take(LINE_MAX).position(|bytes| bytes == b"\r\n") else {
        return if line.len() > LINE_MAX { Err(NoReply) } else { Ok(None) };
    };
    let next = at + 1 + width + 2;
    let number = || std::str::from_utf8(&line[..width]).ok().and_then(|text| text.parse::<i64>().ok());
    match kind {
        b'$' => match number().ok_or(NoReply)? {
            -1 => Ok(Some(next)),
            length => {
                let length = usize::try_from(length).ok().filter(|length| *length <= REPLY_MAX);
                let end = next + length.ok_or(NoReply)? + 2;
                match buffer.get(end - 2..end) {
                    None => Ok(None),
                    Some(b"\r\n") => Ok(Some(end)),
                    Some(_) => Err(NoReply),
                }
            }
        },
        b'*' => {
            let parts = match number().ok_or(NoReply)? {
                -1 => 0,
                parts => usize::try_from(parts).map_err(|_| NoReply)?,
            };
            if parts > PARTS_MAX {
                return Err(NoReply);
            }
            let mut next = next;
            for _ in 0..parts {
                match end(buffer, next, depth + 1)? {
                    None => return Ok(None),
                    Some(after) => next = after,
                }
            }
            Ok(Some(next))
        }
        b':' if number().is_none() => Err(NoReply),
        _ => Ok(Some(next)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_replies_and_their_beginnings() {
        for text in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":-12\r\n",
            "$-1\r\n",
            "$0\r\n\r\n",
            "$4\r\na\r\nb\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
        ] {
            let bytes = text.as_bytes();
            assert_eq!(length(bytes), Ok(Some(bytes.len())), "{text:?}");
            assert_eq!(length(&[bytes, b"+more"].concat()), Ok(Some(bytes.len())), "{text:?}");
            for end in 0..bytes.len() {
                assert_eq!(length(&bytes[..end]), Ok(None), "{text:?} up to {end}");
            }
        }
    }

    #[test]
    fn what_is_no_reply() {
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            "\x15\x03\x01",
            "$x\r\n",
            "$-2\r\n",
            "$99999999999\r\n",
            "$1\r\nabc",
            "*999999999\r\n",
            "*-2\r\n",
            ":x\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            &["+", &"x".repeat(LINE_MAX + 2)].concat(),
        ] {
            assert_eq!(length(text.as_bytes()), Err(NoReply), "{}", &text[..text.len().min(40)]);
        }
    }
}
