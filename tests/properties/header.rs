//! Whatever stands in `Retry-After`, `Date` and `Location`: a wait that is no overflow, and an address that shows
//! neither user nor query.

use crmauth::http::header::{http_date, location, retry_after};
use crmauth::http::response::redirect;
use crmauth::secret::Redactor;
use crmauth::secret::foreign::Foreign;
use jiff::Timestamp;
use url::Url;

use super::one_harmless_line;

/// The bytes are three lines: `Retry-After`, `Date`, `Location`.
pub fn holds(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (wait, date, place) = (line(), line(), line());
    let now = http_date(date);
    let waited = retry_after(wait, now.or(Some(Timestamp::UNIX_EPOCH)));
    let digits = wait.trim();
    match !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => assert_eq!(waited, Some(digits.parse().unwrap_or(u64::MAX)), "{wait:?}"),
        false => {
            let then = http_date(wait);
            assert_eq!(waited.is_some(), then.is_some(), "{wait:?}");
            if let (Some(waited), Some(then)) = (waited, then) {
                let rest = then.as_second() - now.unwrap_or(Timestamp::UNIX_EPOCH).as_second();
                assert_eq!(
                    waited,
                    u64::try_from(rest).unwrap_or(0),
                    "{wait:?} after {date:?}"
                );
                // A part of a second later the wait does not end before that date either.
                let later = now
                    .unwrap_or(Timestamp::UNIX_EPOCH)
                    .checked_add(jiff::SignedDuration::from_millis(100));
                let later = later.expect("a time");
                assert_eq!(retry_after(wait, Some(later)), Some(waited), "{wait:?}");
            }
        }
    }

    for from in "https://h.example/crm/login?user=ana http://127.0.0.1:81/".split(' ') {
        let from = Url::parse(from).expect("a URL");
        let shown = location(&from, place);
        if let Ok(shown) = &shown {
            let url = Url::parse(shown).expect("a URL");
            assert!(
                url.username().is_empty() && url.password().is_none(),
                "{place:?}: {shown}"
            );
            assert!(
                url.query().is_none() && url.fragment().is_none(),
                "{place:?}: {shown}"
            );
            let there = from.join(place).expect("it was shown as a URL");
            // A file: URL may lose its host when it is read again.
            if there.scheme() != "file" {
                assert_eq!(
                    (url.scheme(), url.host_str()),
                    (there.scheme(), there.host_str()),
                    "{place:?}"
                );
            }
        }
        let error = redirect("h.example", 302, Some(&shown), from.scheme() == "https");
        super::shown(&super::silent(), &error);
        let said = error
            .said
            .map(|said| said.clean(&Redactor::default()))
            .unwrap_or_default();
        assert!(said.chars().count() <= 300, "{said}");
        one_harmless_line(&said);
        assert_eq!(
            Foreign::new(&said).clean(&Redactor::default()),
            said,
            "cleaning once is enough"
        );
    }
}
