//! Which headers of a request and of an answer do not pass as they are.

use ::url::{Position, Url};
use percent_encoding::percent_decode;

use crate::declaration::{BaseUrl, Placement};
use crate::http::headers::{self, AUTHORIZATION, CONNECTION, COOKIE, LOCATION, REFERER};
use crate::http::{HeaderMap, HeaderName, HeaderValue};
use crate::secret::{Secret, percent};

/// What is for the next hop alone: RFC 9110, 7.6.1. The length follows from the body.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    headers::TE,
    headers::TRAILER,
    headers::TRANSFER_ENCODING,
    headers::UPGRADE,
];

/// Takes out of a request's headers what must not go to the server. `key` is in our own URL.
pub fn outward(headers: &mut HeaderMap, placement: Placement, key: Option<&Secret>, empty: bool) {
    let framed = [headers::CONTENT_LENGTH, headers::TRANSFER_ENCODING];
    let framed = framed.iter().any(|name| headers.contains_key(name));
    hop_by_hop(headers);
    use headers::{CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHORIZATION};
    for name in [HOST, CONTENT_LENGTH, EXPECT, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
    // Some servers want to be told that there is no body.
    if framed && empty {
        headers.insert(headers::CONTENT_LENGTH, 0.into());
    }
    match placement {
        Placement::Bearer => drop(headers.remove(AUTHORIZATION)),
        // An answer in which a session's death would show must be one that can be read.
        Placement::Query(_) | Placement::Path => drop(headers.remove(headers::ACCEPT_ENCODING)),
    }
    if let (Some(key), Some(referer)) = (key, headers.get(REFERER))
        && contains(referer.as_bytes(), key.expose().as_bytes())
    {
        headers.remove(REFERER);
    }
    if headers.contains_key(COOKIE) {
        without_php_session(headers);
    }
}

/// Takes out of an answer's headers what is for us, and the session. What lay below the target's URL lies below ours.
pub(super) fn inward(
    headers: &mut HeaderMap,
    session: Option<&Secret>,
    asked: &Url,
    base: &BaseUrl,
    ours: &str,
) {
    hop_by_hop(headers);
    for name in [LOCATION, headers::CONTENT_LOCATION] {
        let Some(place) = headers.get(&name).and_then(|value| value.to_str().ok()) else {
            continue;
        };
        let mut place = rewritten(place, asked, base, ours).unwrap_or_else(|| place.to_owned());
        if let Some(session) = session {
            for form in [session.expose(), &percent(session.expose())] {
                place = place.replace(form, "%7Bsession%7D");
            }
        }
        if let Ok(value) = HeaderValue::try_from(place) {
            headers.insert(name, value);
        }
    }
    let Some(session) = session else { return };
    let leaks = |value: &HeaderValue| reveals(value.as_bytes(), session.expose().as_bytes());
    let leaky = headers.iter().filter(|(_, value)| leaks(value));
    let mut leaky: Vec<HeaderName> = leaky.map(|(name, _)| name.clone()).collect();
    leaky.dedup();
    for name in leaky {
        // Other cookies are the client's.
        let passes = |value: &&HeaderValue| name == headers::SET_COOKIE && !leaks(value);
        let kept = headers.get_all(&name).iter().filter(passes).cloned();
        replace(headers, &name, kept.collect());
    }
}

fn hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named = named_by_connection(headers).map(HeaderName::try_from);
        let named: Vec<HeaderName> = named.flatten().collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

pub(super) fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',').map(str::trim))
}

/// Takes out the cookie by which PHP would take another session than the one that we place.
fn without_php_session(headers: &mut HeaderMap) {
    let kept = headers.get_all(COOKIE).iter().filter_map(|value| {
        let is_other = |cookie: &&[u8]| {
            let name = cookie.split(|byte| *byte == b'=').next();
            name.map(<[u8]>::trim_ascii) != Some(b"PHPSESSID")
        };
        let cookies = value.as_bytes().split(|byte| *byte == b';');
        let others: Vec<&[u8]> = cookies.filter(is_other).collect();
        HeaderValue::from_bytes(others.join(&b';').trim_ascii()).ok()
    });
    let kept = kept.filter(|value| !value.is_empty()).collect();
    replace(headers, &COOKIE, kept);
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, values: Vec<HeaderValue>) {
    headers.remove(name);
    for value in values {
        headers.append(name, value);
    }
}

fn rewritten(place: &str, asked: &Url, base: &BaseUrl, ours: &str) -> Option<String> {
    let place = asked.join(place).ok()?;
    let ends = base.path().trim_end_matches('/');
    let path = place.path().strip_prefix(ends)?;
    let below = base.is_origin_of(&place) && (path.is_empty() || path.starts_with('/'));
    below.then(|| [ours, path, &place[Position::AfterPath..]].concat())
}

/// Whether a header's value contains the session, also percent-encoded up to three times.
fn reveals(value: &[u8], session: &[u8]) -> bool {
    let mut value = std::borrow::Cow::Borrowed(value);
    for _ in 0..3 {
        if contains(&value, session) {
            return true;
        }
        if !value.contains(&b'%') {
            return false;
        }
        value = percent_decode(&value).collect::<Vec<u8>>().into();
    }
    contains(&value, session)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
