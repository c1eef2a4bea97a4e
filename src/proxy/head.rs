//! Judges a request's head as it came. Servers differ in what they forgive, and what two of them read in two ways smuggles
//! one request inside another; so whatever RFC 9112 does not allow is refused.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::error::{Error, error};
use crate::http::is_token;

/// The largest head that is read, in bytes, and in lines after the first.
pub(super) const MAX: usize = 64 * 1024;
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
            Self::Ambiguous => error!(
                Usage,
                "the request is not plain HTTP/1.1: servers may read it in two ways"
            ),
            Self::Upwards => error!(Usage, "the request's path contains .. in some spelling"),
            Self::TooLarge => error!(
                Usage,
                "the request's head is larger than 64 KiB, or has more than 100 lines"
            ),
        };
        (if self == Self::TooLarge { 431 } else { 400 }, error)
    }
}

/// Where a head ends, for the most forgiving of readers: after an empty line. None ends before `from`.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    (from.saturating_sub(2)..bytes.len()).find_map(|at| match bytes[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Judges a whole head, its last empty line included: the length of the body after it; `None` if that comes in chunks.
pub(super) fn judge(head: &[u8]) -> Result<Option<u64>, Fault> {
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
