//! TLS that fails. Nothing is sent to a server that is not trusted.

use std::sync::LazyLock;

use super::harness::{Fault, Row};
use super::scene::Scene;
use super::steps;
use crate::support::server::Door;
use crate::support::tls::Authority;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
static STRANGER: LazyLock<Authority> = LazyLock::new(Authority::new);

/// A row whose server meets whoever connects like this; each run connects once, since no certificate changes by
/// asking again.
fn certificate(number: u8, door: fn() -> Door) -> Row {
    Row::new(number)
        .at(steps::first())
        .scene(|step| Scene::over_tls(step, &AUTHORITY))
        .fault(move |scene| {
            scene.server.door(door());
            Fault::Door
        })
        .exit(5)
        .unsaid(&["may have taken effect", "disable"])
        .connects(1)
}

#[test]
fn an_expired_certificate() {
    certificate(4, || Door::Tls(AUTHORITY.expired("127.0.0.1")))
        .says(&["expired on 2020-01-01", "clock"])
        .check();
}

#[test]
fn an_unknown_issuer() {
    let row = certificate(5, || Door::Tls(STRANGER.server("127.0.0.1")));
    row.says(&["from an unknown issuer", "--ca-file FILE.pem"]).check();
}

#[test]
fn a_certificate_for_another_host() {
    let row = certificate(6, || Door::Tls(AUTHORITY.server("other.example")));
    row.says(&["for another name: ", "other.example", "the host in "]).check();
}
