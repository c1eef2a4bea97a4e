//! Reads headers as servers write them, and shows as much of a URL as may be shown.

use std::time::SystemTime;

use hyper::header::{HeaderMap, HeaderName, WWW_AUTHENTICATE};
use jiff::Timestamp;
use url::Url;

use crate::http::response::Redirect;
use crate::i18n::tr;

/// Host and port as a person would write them.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

pub(super) fn text_header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// What `Content-Encoding` or `Transfer-Encoding` names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Coding {
    None,
    /// Something that is not a coding, such as a charset: PHP programs and gateways write that.
    Imaginary,
    Real,
}

pub(super) fn coding(headers: &HeaderMap, name: HeaderName) -> Coding {
    const CODINGS: &str = "br compress dcb dcz deflate gzip x-compress x-deflate x-gzip zstd";
    let values = headers.get_all(name).iter();
    let names: Vec<String> = values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .collect();
    match names.iter().all(|name| name == "identity") {
        true => Coding::None,
        false
            if names
                .iter()
                .any(|name| CODINGS.split(' ').any(|coding| coding == name)) =>
        {
            Coding::Real
        }
        false => Coding::Imaginary,
    }
}

/// Whether an answer asks for a password as web servers and proxies do, and APIs do not.
pub(super) fn asks_for_password(headers: &HeaderMap) -> bool {
    const SCHEMES: [&str; 4] = ["basic", "digest", "ntlm", "negotiate"];
    let challenges = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    // A header may contain several challenges with their parameters.
    challenges
        .flat_map(|challenges| challenges.split([',', ' ']))
        .any(|word| {
            SCHEMES
                .iter()
                .any(|scheme| word.trim().eq_ignore_ascii_case(scheme))
        })
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
    let then = httpdate::parse_http_date(text).ok()?;
    let now = server_now.map_or_else(SystemTime::now, SystemTime::from);
    let wait = then.duration_since(now).unwrap_or_default();
    // Rounded up: no request is sent before the date.
    Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// Where a redirect points, without the parts that must not be shown.
pub fn location(from: &Url, place: &str) -> Redirect {
    match from.join(place) {
        Ok(mut url) if url.has_host() => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            Redirect::Url(url.to_string())
        }
        Ok(url) => Redirect::Other(tr!("a {scheme}: address", scheme = url.scheme())),
        Err(_) => Redirect::Other(tr!("something that is not a URL")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_servers_write_them() {
        let now = http_date("Sat, 21 Nov 2026 20:00:00 GMT");
        for (text, seconds) in [
            ("1", Some(1)),
            (" 30 ", Some(30)),
            ("Sat, 21 Nov 2026 20:00:05 GMT", Some(5)),
            ("Sat, 21 Nov 2020 20:00:05 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(251_607_009_599)),
            ("-1", None),
            ("soon", None),
            ("1e9", None),
            ("1000000000000000000000000000000", Some(u64::MAX)),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), seconds, "{text}");
        }
    }

    #[test]
    fn a_wait_until_a_date_does_not_end_before_it() {
        let now = http_date("Sat, 21 Nov 2026 20:00:00 GMT").expect("a date");
        let almost = now
            .checked_add(jiff::SignedDuration::from_millis(100))
            .expect("a time");
        assert_eq!(
            retry_after("Sat, 21 Nov 2026 20:00:05 GMT", Some(almost)),
            Some(5)
        );
    }

    #[test]
    fn a_redirect_is_shown_without_secrets() {
        let from = Url::parse("https://h/crm?x=1").expect("a URL");
        for (place, shown) in [
            ("/crm/?token=1", "https://h/crm/"),
            ("//evil.example/x#y", "https://evil.example/x"),
            ("http://u:p@h2:81/", "http://h2:81/"),
            ("javascript:alert(1)", "a javascript: address"),
            ("https://", "something that is not a URL"),
        ] {
            let found = match location(&from, place) {
                Redirect::Url(url) => url,
                Redirect::Other(what) => what.english(),
            };
            assert_eq!(found, shown, "{place}");
        }
    }
}
