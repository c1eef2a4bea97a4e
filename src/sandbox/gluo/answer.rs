//! Gluocrm's answers: results, refusals, and what is left where PHP dies.

use serde_json::{Value, json};

use super::super::Response;
use super::super::message::HTML;
use super::warnings::{self, Ran};
use super::{Errors, Gluo, Version};

pub(super) struct Refusal {
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
        }
    }

    pub fn denied(what: &str) -> Self {
        Self::new(
            "ACCESS_DENIED",
            &format!("Permission to perform the operation is denied{what}"),
        )
    }

    pub fn dead_session() -> Self {
        Self::new(
            "INVALID_SESSIONID",
            "Session Identifier provided is Invalid",
        )
    }
}

/// What an operation comes to.
pub(super) enum Answer {
    Result(Value),
    Refusal(Refusal),
    /// vtiger's answer where PHP could start no session.
    Null,
    /// Saved, but dead before the answer.
    RestrictedFile,
    /// PHP died.
    Broken,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl Gluo {
    /// The answer as PHP sends it: vtiger's own refusals are HTTP 200 too.
    pub(super) fn write(&self, operation: &str, ran: Ran, answer: Answer) -> Response {
        let text = warnings::before(operation, ran, self.errors, self.version);
        let json = if text.len() > self.output_buffering {
            HTML
        } else {
            "application/json"
        };
        let answer = match answer {
            // vtiger 7 catches what vtiger 8 dies of, an unknown operation apart.
            Answer::Broken if self.version == Version::Seven && !operation.is_empty() => {
                let text = "Unknown Error while processing request";
                Answer::Refusal(Refusal::new("INTERNAL_SERVER_ERROR", text))
            }
            answer => answer,
        };
        let mut response = match answer {
            Answer::Result(result) => {
                let body = json!({"success": true, "result": result});
                Response::new(200, json, format!("{text}{body}")).outcome("ok")
            }
            Answer::Refusal(refusal) => {
                let (code, message) = (refusal.code, &refusal.message);
                let error = match self.version {
                    Version::Eight => json!({"message": message, "code": code}),
                    Version::Seven => json!({"code": code, "message": message}),
                };
                let body = json!({"success": false, "error": error});
                Response::new(200, json, format!("{text}{body}")).outcome(code)
            }
            Answer::Null => Response::new(200, json, text + "{\"success\":false,\"error\":null}"),
            Answer::RestrictedFile => Response::new(
                200,
                HTML,
                text + "Sorry! Attempt to access restricted file.",
            ),
            Answer::Broken => {
                let mut response = match self.errors {
                    Errors::Hidden => Response::new(500, HTML, ""),
                    _ => Response::new(200, HTML, text + &warnings::last_words(operation)),
                };
                response.http10 = true;
                response
            }
        };
        if operation.is_empty() {
            return response;
        }
        response.asked = format!(" operation={operation}");
        service_headers(response)
    }
}

pub(super) fn service_headers(response: Response) -> Response {
    response.header("Cache-Control", "no-store, no-cache, must-revalidate")
}
