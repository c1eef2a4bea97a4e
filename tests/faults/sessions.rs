//! Sessions that come another way, at another time, or for the last time.

use super::*;

#[test]
fn a_cookie_is_no_session() {
    Row::of(41, steps::last())
        .fault(|scene| {
            let cookie = format!("PHPSESSID={}; path=/; HttpOnly", scene.given().token);
            let cookies = [cookie.as_str(), "PHPSESSID=other"];
            Reply::with_headers(200, &cookies.map(|cookie| ("Set-Cookie", cookie)), "{}")
        })
        .fails(6, &["base URL"])
        .suspect()
        .check();
    // Beside a session in the body they are nothing, and none is sent back.
    Row::of(41, steps::logins())
        .fault(|scene| {
            let cookies = ["PHPSESSID=ck1; path=/", "PHPSESSID=ck2"];
            let cookies = cookies.map(|cookie| ("Set-Cookie", cookie));
            Reply::with_headers(200, &cookies, scene.good())
        })
        .check();
}

#[test]
fn a_servers_clock_that_is_off() {
    for (skew, way) in [
        (3690, "61min ahead of this machine's"),
        (-3630, "60min behind this machine's"),
        (-400_000, "4 days behind this machine's"),
    ] {
        Row::of(42, [steps::named("gluo's challenge")])
            .answer(move |scene| {
                let now = jiff::Timestamp::now().as_second() + skew;
                let good = scene.good().replace("1795288795", &now.to_string());
                good.replace("1795289095", &(now + 300).to_string())
            })
            .notes(way)
            .check();
    }
    // Its own clock says when a challenge ends, whatever it says.
    for times in [
        r#""serverTime":0,"expireTime":-1"#,
        r#""serverTime":9223372036854775807,"expireTime":null"#,
        r#""serverTime":"x""#,
    ] {
        let known = r#""serverTime":1795288795,"expireTime":1795289095"#;
        let row = Row::of(42, [steps::named("gluo's challenge")]).brief();
        row.answer(move |scene| scene.good().replace(known, times))
            .check();
    }
}

#[test]
fn a_refresh_token_that_was_used() {
    for body in [
        r#"{"error":"invalid_grant","message":"no"}"#,
        r#"{"error":"invalid_request","message":"The refresh token is invalid."}"#,
    ] {
        Row::of(43, [steps::named("hellocloud's refresh")])
            .fault(move |scene| vec![Reply::json(401, body), Reply::json(200, scene.good())])
            .unsaid(&["warning: "])
            .check();
        // Where the login is refused too, the token is gone all the same.
        Row::of(43, [steps::named("hellocloud's refresh")])
            .fault(move |_| {
                let answers = [body, r#"{"error":"invalid_client"}"#];
                answers.map(|body| Reply::json(401, body)).to_vec()
            })
            .fails(4, &["refused the login: invalid_client"])
            .but(|_, promise| promise.entry = Kept::Spent)
            .check();
    }
}

#[test]
fn a_new_refresh_token_is_stored_before_the_session_is_printed() {
    let scene = Scene::new(steps::named("hellocloud's refresh"));
    scene.server.push([Reply::json(200, scene.good())]);
    let run = scene.run(script(&scene, "crmauth token T -vv > /dev/full"));
    let promise = Promise::exit(7).says(&["error: "]).replaced();
    assert_eq!(promise.broken(&scene, &run), [""; 0]);
    let entry = stored::read(&stored::entry(&scene.machine));
    assert_eq!(entry["token"], scene.given().token);
    assert_eq!(entry["refresh"], scene.given().refresh);
}
