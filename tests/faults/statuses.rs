//! Statuses that are no success.

use super::harness::Row;
use super::steps;
use crate::support::Reply;

#[test]
fn a_wait_of_nothing_is_kept_once() {
    Row::new(38)
        .at(steps::last())
        .brief()
        .fault(|_| vec![Reply::with_headers(429, &[("Retry-After", "0")], ""); 2])
        .exit(5)
        .says(&["is rate limited"])
        .sent(2)
        .check();
}
