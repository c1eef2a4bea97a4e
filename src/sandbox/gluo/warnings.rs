//! What PHP writes before Gluocrm's JSON where display_errors is on: as much of it as was recorded.

use super::super::message::{fatal, notice};
use super::{Errors, Version};

/// The text before an answer.
pub(super) fn before(operation: &str, ran: Ran, errors: Errors, version: Version) -> String {
    // Bytes: vtiger 8 and 7 with warnings, vtiger 8 with everything.
    let [eight, seven, everything] = match (operation, ran) {
        (_, Ran::No) => [262, 1262, 8322],
        ("getchallenge", _) => [676, 1443, 10_527],
        ("login", _) => [818, 1624, 21_440],
        ("listtypes", _) => [538, 2219, 50_123],
        ("extendsession", _) => [604, 1262, 20_406],
        ("logout", _) => [396, 1654, 8500],
        ("create", Ran::Refused) => [809, 3449, 102_239],
        ("create", _) => [9698, 3812, 457_135],
        _ => [404, 3449, 111_889],
    };
    let (size, line) = match (errors, version) {
        (Errors::Hidden, _) => return String::new(),
        (Errors::Warnings, Version::Eight) => (eight, UNDEFINED_KEY),
        (Errors::Warnings, Version::Seven) => (seven, DECLARATION),
        (Errors::Everything, _) => (everything, DYNAMIC_PROPERTY),
    };
    let line = notice(line);
    line.repeat((size + line.len() / 2) / line.len())
}

/// How far an operation came: not at all where the session was in its way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    No,
    Refused,
    Through,
}

/// PHP's last words.
pub(super) fn last_words(operation: &str) -> String {
    fatal(match operation {
        "" => {
            "WebServiceException: Unknown operation requested in \
             include/Webservices/OperationManager.php:36"
        }
        "logout" => {
            "Error: Unknown named parameter $sessionName in \
             include/Webservices/OperationManager.php:152"
        }
        _ => {
            "Error: Failed opening required 'user_privileges/user_privileges_.php' in \
             include/utils/UserInfoUtil.php:2124"
        }
    })
}

const UNDEFINED_KEY: &str =
    "Warning: Undefined array key \"format\" in include/Webservices/Utils.php:142";
const DECLARATION: &str = "Warning: Declaration of Users::saveentity($module) should be compatible with \
    CRMEntity::saveentity($module, $fileid = '') in modules/Users/Users.php:706";
const DYNAMIC_PROPERTY: &str = "Deprecated: Creation of dynamic property Users::$column_fields is deprecated \
    in modules/Users/Users.php:143";
