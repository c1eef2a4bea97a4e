//! How `status --check` finds out, without a secret and without a login, what is at a URL.

use super::Context;
use crate::error::Pending;
use crate::http::response::Response;

pub struct Probe {
    /// The paths of its requests, the usual one first.
    pub requests: &'static [&'static str],
    /// Their `Accept`, where it is not `application/json`.
    pub accept: Option<&'static str>,
    /// What an answer to one of them shows.
    pub recognise: fn(&Response) -> Match,
    /// Where the system may be installed when the URL itself shows another page.
    pub install_paths: &'static [&'static str],
    /// Asks whether the server knows the user. It may disturb a login of the same user.
    pub probe_user: Option<for<'a> fn(&'a Context<'a>) -> Pending<'a, ()>>,
}

impl Probe {
    /// The probe of a system of which nothing but a path is known.
    pub const BY_STATUS: Self = Self {
        requests: &[],
        accept: None,
        recognise: Match::by_status,
        install_paths: &[],
        probe_user: None,
    };
}

/// How well an answer fits the system that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// No other system answers so.
    Certain,
    Possible,
    No,
}

impl Match {
    /// An HTML page, and a path that does not exist, do not fit.
    pub fn by_status(answer: &Response) -> Self {
        let page = answer.body.trim_ascii_start().starts_with(b"<");
        if page || matches!(answer.status, 404 | 410 | 500..) {
            Self::No
        } else {
            Self::Possible
        }
    }
}
