//! What headers' values mean: times, codings, and where a redirect points.

use std::borrow::Cow;
use std::time::SystemTime;

use hyper::header::{AsHeaderName, HeaderMap, HeaderName};
use jiff::Timestamp;
use url::{Position, Url};

use crate::i18n::{Text, tr};

/// Where a redirect points, as far as it may be shown: an absolute URL, without user, query and fragment, or anything
/// else, in words: `a javascript: address`.
pub type Place = Result<String, Text>;

pub(super) fn text_header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A header in which some servers write names of other scripts as they are.
pub(super) fn readable(headers: &HeaderMap, name: impl AsHeaderName) -> Option<Cow<'_, str>> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()))
}

/// Whether what `Content-Encoding` or `Transfer-Encoding` names is a compression. PHP programs and gateways name other
/// things there, such as a charset; `None` if it names nothing.
pub(super) fn compresses(headers: &HeaderMap, name: HeaderName) -> Option<bool> {
    const CODINGS: &str = "br compress dcb dcz deflate gzip x-compress x-deflate x-gzip zstd";
    let is_coding = |name: Vec<u8>| CODINGS.split(' ').any(|coding| coding.as_bytes() == name);
    let values = headers.get_all(name).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let names = names.map(|name| name.trim_ascii().to_ascii_lowercase());
    names
        .filter(|name| name != b"identity")
        .map(is_coding)
        .max()
}

/// A time in any of HTTP's three spellings.
pub fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

/// Seconds from now, from a number or a date. A date in the past is now; a number that is too large is the longest wait.
pub fn retry_after(text: &str, server_now: Option<Timestamp>) -> Option<u64> {
    let digits = text.trim();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(digits.parse().unwrap_or(u64::MAX));
    }
    // The latest date is later than any `Timestamp`.
    let then = httpdate::parse_http_date(text).ok()?;
    let now = server_now.map_or_else(SystemTime::now, SystemTime::from);
    let wait = then.duration_since(now).unwrap_or_default();
    // Rounded up: no request is sent before the date.
    Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

pub fn location(from: &Url, place: &str) -> Place {
    match from.join(place) {
        Ok(url) if url.has_host() => {
            let shown = &url[Position::BeforeHost..Position::AfterPath];
            Ok([url.scheme(), "://", shown].concat())
        }
        Ok(url) => Err(tr!("a {scheme}: address"; scheme = url.scheme())),
        Err(_) => Err(tr!("something that is not a URL")),
    }
}
