//! No connection comes about.

use super::*;

#[test]
fn nobody_listens() {
    Row::of(1, steps::first())
        .fault(|scene| {
            scene.server.leave();
            Fault::Door
        })
        .fails(5, &["connection refused by 127.0.0.1:"])
        .unsaid(&["may have taken effect"])
        .check();
}

#[test]
fn a_name_without_an_address() {
    Row::of(2, steps::first_logins())
        .fault(|scene| {
            scene.point_at("https://x.invalid/crm");
            Fault::Door
        })
        .fails(5, &["cannot resolve x.invalid"])
        .unsaid(&["may have taken effect"])
        .but(|_, promise| promise.place = Some("x.invalid".to_owned()))
        .check();
}

#[test]
fn a_connection_that_never_comes_about() {
    Row::of(3, steps::first())
        .fault(|scene| {
            scene.server.fill();
            Fault::Door
        })
        .timeout(2.5)
        .measured()
        .fails(5, &["timed out connecting to 127.0.0.1:", " after 2 s"])
        .unsaid(&["may have taken effect"])
        .check();
}
