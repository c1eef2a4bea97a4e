//! Redirects, which are never followed.

use super::*;

#[test]
fn redirects_to_the_same_server() {
    for status in [301, 302, 303, 307, 308] {
        Row::of(28, steps::all())
            .fault(move |scene| {
                let to = format!(
                    "{}/crm/?token={}#x",
                    scene.server.url(),
                    scene.given().token
                );
                Reply::with_headers(status, &[("Location", &to)], "")
            })
            .exit(6)
            .brief_unless(status == 302)
            .says(&[
                &format!("redirected the request (HTTP {status}): http://127.0.0.1:"),
                "/crm/\n",
                "redirects are not followed",
            ])
            .check();
    }
}

#[test]
fn redirects_to_elsewhere() {
    let other = Arc::new(Server::start(Vec::new()));
    let own = |place: &str| {
        place
            .replace("OTHER", &other.url())
            .replace("LOCAL", &other.url().replace("127.0.0.1", "localhost"))
    };
    let port = other.address().port();
    for (place, shown) in [
        ("OTHER/crm/?password=x#y", format!("{}/crm/\n", other.url())),
        ("LOCAL/", format!("http://localhost:{port}/\n")),
        (
            &*format!("https://127.0.0.1:{port}/"),
            format!("https://127.0.0.1:{port}/\n"),
        ),
        (
            &format!("//127.0.0.1:{port}/x"),
            format!("http://127.0.0.1:{port}/x\n"),
        ),
        ("//evil.example/x", "http://evil.example/x\n".to_owned()),
        (
            "javascript:alert(1)",
            "a javascript: address (HTTP 307)\n".to_owned(),
        ),
        (
            "data:text/html,x",
            "a data: address (HTTP 307)\n".to_owned(),
        ),
        (
            &format!("http://user:pw@127.0.0.1:{port}/"),
            format!("http://127.0.0.1:{port}/\n"),
        ),
        (
            "http://[",
            "something that is not a URL (HTTP 307)\n".to_owned(),
        ),
        ("/\u{e9}", "/%C3%A9\n".to_owned()),
        ("/\u{202e}x", "/%E2%80%AEx\n".to_owned()),
        ("", "http://127.0.0.1:".to_owned()),
    ] {
        let place = own(place);
        Row::of(29, steps::last())
            .at(steps::of_kind(steps::Kind::Call))
            .brief()
            .fault(move |scene| {
                // A body that would do changes nothing.
                let body = if scene.step.kind == steps::Kind::Login {
                    scene.good()
                } else {
                    String::new()
                };
                Reply::with_headers(
                    307,
                    &[("Location", &place), ("Content-Type", "text/html")],
                    body,
                )
            })
            .fails(6, &[shown])
            .check();
    }
    Row::of(29, steps::last())
        .brief()
        .fault(|_| Reply::with_headers(302, &[("Location", "http://\u{1b}[2J/")], ""))
        .fails(6, &["redirected without saying where (HTTP 302)"])
        .check();
    Row::of(29, steps::all())
        .fault(|_| Reply::json(303, ""))
        .exit(6)
        .says(&[
            "redirected without saying where (HTTP 303)",
            "redirects are not followed; ask that server's administrator",
        ])
        .check();
    assert_eq!(other.connections(), 0);
}
