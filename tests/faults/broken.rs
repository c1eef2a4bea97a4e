//! The connection breaks, or what comes is no HTTP.

use super::harness::Row;
use super::scene::Scene;
use super::steps;
use crate::support::Reply;

/// The reply to each try: what carries no secret is asked again twice.
fn lost(scene: &Scene, reply: &Reply) -> Vec<Reply> {
    vec![reply.clone(); if scene.step.secret { 1 } else { 3 }]
}

#[test]
fn a_connection_that_is_reset() {
    Row::new(8)
        .at(steps::all())
        .fault(|scene| lost(scene, &Reply::Reset))
        .exit(5)
        .says(&["closed the connection before answering"])
        .suspect()
        .check();
}
