//! Whatever is typed as a URL or as a target: it is what it is read back as, or it is refused without being shown.

use crmauth::error::Cause;
use crmauth::provider;
use crmauth::settings;
use crmauth::url::{BaseUrl, PathFault};

use super::{CANARY, one_harmless_line, shown, silent};

/// The bytes are a URL or a target; a path to be joined stands behind the first line.
pub fn holds(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (text, path) = text.split_once('\n').unwrap_or((&text, "x?a=b"));
    for spec in provider::specs() {
        match spec.base_url(text) {
            Ok(url) => base_url(&url, path),
            Err(error) => {
                assert_eq!(error.cause, Cause::BadSetting);
                shown(&silent(), &error)
                    .iter()
                    .for_each(|text| assert!(!text.contains(CANARY), "{text}"));
            }
        }
    }
    target(text);
}

fn base_url(url: &BaseUrl, path: &str) {
    let shown = url.to_string();
    one_harmless_line(&shown);
    assert!(!shown.contains(['?', '#', '\\', ' ']), "{shown}");
    assert!(!shown.ends_with('/'), "{shown}");
    assert_eq!(
        BaseUrl::parse(&shown).ok().as_ref(),
        Some(url),
        "{shown} is read back"
    );
    let origin = url.origin();
    assert!(
        origin.starts_with("http://") || origin.starts_with("https://"),
        "{origin}"
    );
    assert!(
        shown.starts_with(&origin) && !origin.contains('@'),
        "{shown}"
    );
    let joined = url.join(path);
    assert_eq!(
        joined.origin().ascii_serialization(),
        origin,
        "{path:?} stays with the server"
    );
    assert!(
        joined.username().is_empty() && joined.password().is_none(),
        "{joined}"
    );
    if PathFault::of(path).is_none() {
        let prefix = url.path().trim_end_matches('/');
        assert!(
            joined.path().starts_with(&format!("{prefix}/")),
            "{path:?} left {shown}: {joined}"
        );
    }
}

fn target(text: &str) {
    match settings::target(text) {
        Ok(target) => {
            let shown = target.to_string();
            assert_eq!(
                settings::target(&shown).as_ref().ok(),
                Some(&target),
                "{shown} is read back"
            );
            let variable = target.variable("URL");
            let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            assert!(variable.chars().all(is_name), "{variable}");
            assert!(settings::is_setting(&variable), "{variable}");
        }
        Err(error) => {
            assert_eq!(error.cause, Cause::Usage);
            let texts = shown(&silent(), &error);
            assert!(
                texts.iter().all(|text| text.chars().count() < 150),
                "{texts:?}"
            );
        }
    }
}
