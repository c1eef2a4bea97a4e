//! A line a request on stderr.

use tokio::time::Instant;

use crate::http::Method;
use crate::i18n::tr;
use crate::report::Report;

/// A request's line, which is written when its answer begins, or when its client has gone.
pub(super) struct Line<'a> {
    report: &'a Report,
    started: Instant,
    /// Method, target and path, without the query.
    asked: String,
    pub(super) status: Option<u16>,
    /// Whether a session was made for it.
    pub(super) new: bool,
}

impl<'a> Line<'a> {
    pub(super) fn begin(report: &'a Report) -> Self {
        Self {
            report,
            started: Instant::now(),
            asked: String::new(),
            status: None,
            new: false,
        }
    }

    pub(super) fn asks(&mut self, method: &Method, target: &str, path: &str) {
        if self.report.chats() {
            self.asked = [method.as_str(), " ", target, " ", path].concat();
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.report.chats() {
            return;
        }
        let (asked, elapsed) = (self.asked.trim_end(), self.started.elapsed().as_millis());
        self.report.chat(match (self.status, self.new) {
            (None, _) => tr!(
                "{asked}: the client went away after {elapsed} ms",
                asked,
                elapsed
            ),
            (Some(status), false) => tr!("{asked} {status} {elapsed} ms", asked, status, elapsed),
            (Some(status), true) => tr!(
                "{asked} {status} {elapsed} ms, new session",
                asked,
                status,
                elapsed
            ),
        });
    }
}
