//! A request to Gluocrm's web service: which operation, over which session.

use super::super::Request;
use super::super::message::{Pairs, last};

/// What `webservice.php` knows; of the rest it dies.
static OPERATIONS: [&str; 13] = [
    "getchallenge",
    "login",
    "listtypes",
    "describe",
    "query",
    "retrieve",
    "sync",
    "create",
    "update",
    "revise",
    "delete",
    "logout",
    "extendsession",
];

pub(super) struct Call {
    /// Empty if it is none that is known.
    pub operation: &'static str,
    /// Empty where none is named.
    pub session: String,
    pub cookie: String,
    pub posted: bool,
    pub query: Pairs,
    pub body: Pairs,
}

impl Call {
    pub fn read(request: &Request) -> Self {
        let posted = request.method == "POST";
        let query = request.query_pairs();
        let body = if posted {
            request.form_pairs()
        } else {
            Pairs::new()
        };
        let cookie = request.header("cookie").unwrap_or_default();
        let cookie = cookie
            .split("; ")
            .find_map(|pair| pair.strip_prefix("PHPSESSID="));
        let cookie = cookie.unwrap_or_default().to_owned();
        let (operation, session) = ("", String::new());
        let mut call = Self {
            operation,
            session,
            cookie,
            posted,
            query,
            body,
        };
        let asked = call.either("operation").to_ascii_lowercase();
        let mut known = OPERATIONS.iter();
        call.operation = known.find(|known| **known == asked).unwrap_or(&"");
        let session = call.either("sessionName");
        if !session.eq_ignore_ascii_case("null") {
            call.session = session.to_owned();
        }
        call
    }

    /// A parameter wherever it stands.
    pub fn either(&self, name: &str) -> &str {
        last(&self.body, name)
            .or_else(|| last(&self.query, name))
            .unwrap_or_default()
    }
}
