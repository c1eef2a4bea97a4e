//! How `status --check` finds out, without a secret and without a login, what is at a URL.

use super::Context;
use crate::error::Pending;
use crate::http::response::{Json, Response};

pub struct Probe {
    /// The paths of its requests, the usual one first.
    pub requests: &'static [&'static str],
    /// Their `Accept`, where it is not `application/json`.
    pub accept: Option<&'static str>,
    /// Whether an object that answers shows that it is this system and no other.
    pub certain: fn(&Json) -> bool,
    /// Whether another answer may be its own, as far as its status goes.
    pub by_status: bool,
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
        certain: |_| false,
        by_status: true,
        install_paths: &[],
        probe_user: None,
    };

    /// What an answer shows. An HTML page, and a path that does not exist, do not fit.
    pub fn recognise(&self, answer: &Response) -> Match {
        let page = answer.body.trim_ascii_start().starts_with(b"<");
        let fits = self.by_status && !page && !matches!(answer.status, 404 | 410 | 500..);
        match answer.any_object() {
            Some(object) if (self.certain)(&object) => Match::Certain,
            _ if fits => Match::Possible,
            _ => Match::No,
        }
    }
}

/// How well an answer fits the system that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// No other system answers so.
    Certain,
    Possible,
    No,
}
