//! Redirects, which are never followed.

use super::*;
use crate::support::cells;

#[test]
fn redirects_to_the_same_server() {
    for status in [301, 302, 303, 307, 308] {
        Row::of(28, steps::all())
            .fault(move |scene| {
                let (url, token) = (scene.server.url(), &scene.given().token);
                let to = format!("{url}/crm/?token={token}#x");
                Reply::with_headers(status, &[("Location", &to)], "")
            })
            .brief_unless(status == 302)
            .says(&[format!(
                "redirected the request (HTTP {status}): http://127.0.0.1:"
            )])
            .fails(6, &["/crm/\n", "redirects are not followed"])
            .check();
    }
}

#[test]
fn redirects_to_elsewhere() {
    let other = Arc::new(Server::start(Vec::new()));
    let port = other.address().port().to_string();
    for [place, shown] in cells([
        "http://127.0.0.1:PORT/crm/?password=x#y | http://127.0.0.1:PORT/crm/\n",
        "http://localhost:PORT/ | http://localhost:PORT/\n",
        "https://127.0.0.1:PORT/ | https://127.0.0.1:PORT/\n",
        "//127.0.0.1:PORT/x | http://127.0.0.1:PORT/x\n",
        "//evil.example/x | http://evil.example/x\n",
        "javascript:alert(1) | a javascript: address (HTTP 307)\n",
        "data:text/html,x | a data: address (HTTP 307)\n",
        "http://user:pw@127.0.0.1:PORT/ | http://127.0.0.1:PORT/\n",
        "http://[ | something that is not a URL (HTTP 307)\n",
        "/\u{e9} | /%C3%A9\n",
        "/\u{202e}x | /%E2%80%AEx\n",
        " | http://127.0.0.1:",
    ]) {
        let [place, shown] = [place, shown].map(|text| text.replace("PORT", &port));
        Row::of(29, steps::last())
            .at(steps::of_kind(steps::Kind::Call))
            .brief()
            .fault(move |scene| {
                // A body that would do changes nothing.
                let body = (scene.step.kind == Kind::Login).then(|| scene.good());
                let headers = [("Location", &*place), ("Content-Type", "text/html")];
                Reply::with_headers(307, &headers, body.unwrap_or_default())
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
        .says(&["redirects are not followed; ask that server's administrator"])
        .fails(6, &["redirected without saying where (HTTP 303)"])
        .check();
    assert_eq!(other.connections(), 0);
}
