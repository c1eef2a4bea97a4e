//! Whatever status and body an answer has: an object whose parts can be used, or an error by the contract.

use crmauth::error::{Cause, Error};
use crmauth::http::response::{Json, Response};
use crmauth::i18n::Text;
use crmauth::session::check_token;
use serde_json::Value;

use super::{CANARY, shown, silent};

/// The first two bytes choose the status, the rest is the body.
pub fn holds(data: &[u8]) {
    let [high, low, body @ ..] = data else { return };
    let status = 200 + u16::from_be_bytes([high % 2, *low]) % 400;
    let answer = Response {
        host: "h.example".to_owned(),
        https: true,
        path: "/login".to_owned(),
        status,
        location: (low % 2 == 0).then(|| Ok(String::from_utf8_lossy(body).into_owned())),
        retry_after: (low % 3 == 0).then_some(u64::from(*low)),
        body: body.to_vec(),
        ..Response::default()
    };
    let found = answer.object();
    let text = body.trim_ascii();
    if let Ok(Value::Object(fields)) = serde_json::from_slice(text) {
        assert_eq!(
            found.is_ok(),
            status < 300,
            "an object's status decides: {status}"
        );
        assert!(
            found
                .as_ref()
                .map_or(true, |object| object.oddities.is_empty())
        );
        fields
            .keys()
            .for_each(|name| assert!(found.is_err() || matches(&found, name, &fields[name])));
    }
    match &found {
        Ok(object) => good(object),
        Err(error) => bad(error, status),
    }
}

fn matches(found: &Result<Json, Error>, name: &str, value: &Value) -> bool {
    found
        .as_ref()
        .is_ok_and(|object| object.get(name) == Some(value).filter(|value| !value.is_null()))
}

fn good(object: &Json) {
    object.secrets();
    if let Some(said) = object.said() {
        let error = Error::new(Cause::Refused, Text::declared("refused")).said(&said);
        let report = silent();
        report.learn(&crmauth::secret::Secret::new(CANARY.to_owned()));
        let texts = shown(&report, &error);
        assert!(
            texts
                .iter()
                .all(|text| !text.contains(CANARY) && text.chars().count() < 320),
            "{texts:?}"
        );
    }
    for name in ["access_token", "result", "sessionName", "x"] {
        match object.session(name, "Bearer") {
            Ok(session) => check_token(session.token.expose()).expect("a token"),
            Err(error) => {
                assert!(matches!(error.cause, Cause::BadAnswer | Cause::BadToken));
                shown(&silent(), &error);
            }
        }
        shown(&silent(), &object.wrong(name, &Text::declared("a string")));
        if let Some(inner) = object.inner(name) {
            assert_eq!(inner.host, object.host);
        }
    }
}

fn bad(error: &Error, status: u16) {
    assert!(matches!(error.cause.exit(), 4..=6), "{error:?}");
    assert_eq!(error.http_status, Some(status));
    for text in shown(&silent(), error) {
        assert!(text.chars().count() < 400, "{text}");
    }
}
