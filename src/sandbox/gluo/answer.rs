//! Gluocrm's answers: results, refusals, what is left where PHP dies, and what display_errors writes before the JSON.

use serde_json::{Value, json};

use super::super::Response;
use super::super::message::{HTML, fatal, notice};
use super::{Errors, Gluo, Version};

/// Why a request has no result.
pub(super) enum Failure {
    /// vtiger's own refusal: its code and its message.
    Refused(&'static str, String),
    /// vtiger's answer where PHP could start no session.
    Null,
    /// Saved, but dead before the answer.
    RestrictedFile,
    /// PHP died.
    Broken,
}

pub(super) type Result<T = Value> = std::result::Result<T, Failure>;

pub(super) fn refused(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::Refused(code, message.into())
}

pub(super) fn denied(what: &str) -> Failure {
    let text = format!("Permission to perform the operation is denied{what}");
    refused("ACCESS_DENIED", text)
}

pub(super) fn dead_session() -> Failure {
    let text = "Session Identifier provided is Invalid";
    refused("INVALID_SESSIONID", text)
}

impl Gluo {
    /// The answer as PHP sends it: vtiger's refusals are 200 too. `ran`: whether the session let the operation run.
    pub(super) fn write(&self, operation: &str, ran: bool, result: Result) -> Response {
        let refused_itself = matches!(result, Err(Failure::Refused(..)));
        let text = self.messages(operation, ran, refused_itself);
        let overflows = text.len() > self.output_buffering;
        let media = if overflows { HTML } else { "application/json" };
        let answer = |media, body: &str| Response::new(200, media, format!("{text}{body}"));
        let refusal = |code: &str, message: &str| {
            let error = match self.version {
                Version::Eight => json!({"message": message, "code": code}),
                Version::Seven => json!({"code": code, "message": message}),
            };
            let body = json!({"success": false, "error": error});
            answer(media, &body.to_string()).outcome(code)
        };
        // vtiger 7 catches what vtiger 8 dies of, an unknown operation apart.
        let catches = self.version == Version::Seven && !operation.is_empty();
        let mut response = match result {
            Ok(result) => {
                let body = json!({"success": true, "result": result});
                answer(media, &body.to_string()).outcome("ok")
            }
            Err(Failure::Refused(code, message)) => refusal(code, &message),
            Err(Failure::Broken) if catches => {
                let text = "Unknown Error while processing request";
                refusal("INTERNAL_SERVER_ERROR", text)
            }
            Err(Failure::Null) => answer(media, "{\"success\":false,\"error\":null}"),
            Err(Failure::RestrictedFile) => {
                answer(HTML, "Sorry! Attempt to access restricted file.")
            }
            Err(Failure::Broken) => {
                let mut response = match self.errors {
                    Errors::Hidden => Response::new(500, HTML, ""),
                    _ => answer(HTML, &last_words(operation)),
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

    /// What PHP writes before an answer.
    fn messages(&self, operation: &str, ran: bool, refused: bool) -> String {
        // Bytes: vtiger 8 and 7 with warnings, vtiger 8 with everything.
        let [eight, seven, everything] = match operation {
            _ if !ran => [262, 1262, 8322],
            "getchallenge" => [676, 1443, 10_527],
            "login" => [818, 1624, 21_440],
            "listtypes" => [538, 2219, 50_123],
            "extendsession" => [604, 1262, 20_406],
            "logout" => [396, 1654, 8500],
            "create" if refused => [809, 3449, 102_239],
            "create" => [9698, 3812, 457_135],
            _ => [404, 3449, 111_889],
        };
        let (size, line) = match (self.errors, self.version) {
            (Errors::Hidden, _) => return String::new(),
            (Errors::Warnings, Version::Eight) => (eight, UNDEFINED_KEY),
            (Errors::Warnings, Version::Seven) => (seven, DECLARATION),
            (Errors::Everything, _) => (everything, DYNAMIC_PROPERTY),
        };
        let line = notice(line);
        line.repeat((size + line.len() / 2) / line.len())
    }
}

const UNDEFINED_KEY: &str =
    "Warning: Undefined array key \"format\" in include/Webservices/Utils.php:142";
const DECLARATION: &str = "Warning: Declaration of Users::saveentity($module) should be compatible \
    with CRMEntity::saveentity($module, $fileid = '') in modules/Users/Users.php:706";
const DYNAMIC_PROPERTY: &str = "Deprecated: Creation of dynamic property Users::$column_fields is \
    deprecated in modules/Users/Users.php:143";

fn last_words(operation: &str) -> String {
    let manager = "include/Webservices/OperationManager.php";
    let error = match operation {
        "" => format!("WebServiceException: Unknown operation requested in {manager}:36"),
        "logout" => format!("Error: Unknown named parameter $sessionName in {manager}:152"),
        _ => "Error: Failed opening required 'user_privileges/user_privileges_.php' in \
              include/utils/UserInfoUtil.php:2124"
            .to_owned(),
    };
    fatal(&error)
}

pub(super) fn service_headers(response: Response) -> Response {
    response.header("Cache-Control", "no-store, no-cache, must-revalidate")
}
