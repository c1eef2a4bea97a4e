//! No connection comes about.

use super::*;

#[test]
fn nobody_listens() {
    Row::new(1)
        .at(steps::first())
        .fault(|scene| {
            scene.server.leave();
            Fault::Door
        })
        .exit(5)
        .says(&["connection refused by 127.0.0.1:"])
        .unsaid(&["may have taken effect"])
        .check();
}

#[test]
fn a_name_without_an_address() {
    Row::new(2)
        .at(steps::first_logins())
        .fault(|scene| {
            scene.point_at("https://x.invalid/crm");
            Fault::Door
        })
        .exit(5)
        .says(&["cannot resolve x.invalid"])
        .unsaid(&["may have taken effect"])
        .but(|_, promise| promise.place = Some("x.invalid".to_owned()))
        .check();
}

#[test]
fn a_connection_that_never_comes_about() {
    Row::new(3)
        .at(steps::first())
        .fault(|scene| {
            scene.server.fill();
            Fault::Door
        })
        .timeout(2.5)
        .measured()
        .exit(5)
        .says(&["timed out connecting to 127.0.0.1:", " after 2 s"])
        .unsaid(&["may have taken effect"])
        .check();
}
