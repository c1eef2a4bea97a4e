//! HelloCloud's OAuth 2 errors, as a real SuiteCRM words them.

use serde_json::json;

use super::super::Response;
use super::JSON;

pub(super) struct Refusal {
    pub status: u16,
    pub error: &'static str,
    text: String,
    hint: Option<String>,
}

impl Refusal {
    fn new(status: u16, error: &'static str, text: &str, hint: &str) -> Self {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let text = text.to_owned();
        Self {
            status,
            error,
            text,
            hint,
        }
    }

    pub fn client() -> Self {
        Self::new(401, "invalid_client", "Client authentication failed", "")
    }

    pub fn denied(hint: &str) -> Self {
        let text = "The resource owner or authorization server denied the request.";
        Self::new(401, "access_denied", text, hint)
    }

    pub fn grant_type() -> Self {
        let text = "The authorization grant type is not supported by the authorization server.";
        let hint = "Check that all required parameters have been provided";
        Self::new(400, "unsupported_grant_type", text, hint)
    }

    pub fn missing(parameter: &str) -> Self {
        let text = "The request is missing a required parameter, includes an invalid parameter value, \
                    includes a parameter more than once, or is otherwise malformed.";
        let hint = format!("Check the `{parameter}` parameter");
        Self::new(400, "invalid_request", text, &hint)
    }

    pub fn refresh(hint: &str) -> Self {
        Self::new(
            401,
            "invalid_request",
            "The refresh token is invalid.",
            hint,
        )
    }

    pub fn scope() -> Self {
        let text = "The requested scope is invalid, unknown, or malformed";
        Self::new(400, "invalid_scope", text, "")
    }

    /// What SuiteCRM throws itself, wrong credentials among it, comes as a 500.
    pub fn unknown(text: String) -> Self {
        Self::new(500, "unknown_error", &text, "")
    }

    pub fn into_response(self) -> Response {
        let mut body = json!({"error": self.error, "error_description": self.text});
        if let Some(hint) = self.hint {
            body["hint"] = json!(hint);
        }
        body["message"] = json!(self.text);
        Response::new(self.status, JSON, body.to_string()).outcome(self.error)
    }
}
