//! Answers that came whole and are not what they should be, or not quite.

use super::harness::Row;
use super::steps;
use crate::support::Reply;

#[test]
fn the_body_decides_and_not_its_type() {
    for content_type in ["text/plain", "text/html; charset=UTF-8", "application/octet-stream", ""] {
        Row::new(17)
            .at(steps::logins())
            .at(steps::RENEWALS)
            .fault(|scene| Reply::http(200, content_type, scene.good()))
            .exit(0)
            .check();
    }
}

#[test]
fn a_session_of_another_type() {
    for (value, kind) in [
        ("8125663091", "a number"),
        ("[\"x\"]", "an array"),
        ("{\"x\":1}", "an object"),
        ("true", "true or false"),
    ] {
        Row::new(22)
            .at(steps::last())
            .fault(move |scene| Reply::json(200, scene.answer_with(value)))
            .but(move |scene, promise| {
                let text = format!("has {kind} in `{}` where a text was expected", scene.step.field);
                promise.says.push(text);
            })
            .exit(6)
            .unsaid(&["8125663091"])
            .suspect()
            .check();
    }
}
