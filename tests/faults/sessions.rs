//! Sessions that come another way, at another time, or for the last time.

use super::*;

#[test]
fn a_cookie_is_no_session() {
    Row::of(41, steps::last())
        .fault(|scene| {
            let cookie = format!("PHPSESSID={}; path=/; HttpOnly", scene.given().token);
            Reply::with_headers(
                200,
                &[("Set-Cookie", &cookie), ("Set-Cookie", "PHPSESSID=other")],
                "{}",
            )
        })
        .fails(6, &["base URL"])
        .suspect()
        .check();
    // Beside a session in the body they are nothing, and none is sent back.
    Row::of(41, steps::logins())
        .fault(|scene| {
            let headers = [
                ("Set-Cookie", "PHPSESSID=ck1; path=/"),
                ("Set-Cookie", "PHPSESSID=ck2"),
            ];
            Reply::with_headers(200, &headers, scene.good())
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
            .fault(move |scene| {
                let now = jiff::Timestamp::now().as_second() + skew;
                let good = scene.good().replace("1795288795", &now.to_string());
                Reply::json(200, good.replace("1795289095", &(now + 300).to_string()))
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
        Row::of(42, [steps::named("gluo's challenge")])
            .fault(move |scene| {
                Reply::json(
                    200,
                    scene
                        .good()
                        .replace(r#""serverTime":1795288795,"expireTime":1795289095"#, times),
                )
            })
            .brief()
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
                vec![
                    Reply::json(401, body),
                    Reply::json(401, r#"{"error":"invalid_client"}"#),
                ]
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
    let full = scene
        .machine
        .shell_command("sh", "crmauth token hellocloud -vv > /dev/full");
    let run = scene.run(full);
    let promise = Promise::exit(7).says(&["error: "]).replaced();
    assert_eq!(promise.broken(&scene, &run), [""; 0]);
    let entry = stored::read(&stored::entry(&scene.machine));
    assert_eq!(
        (&entry["token"], &entry["refresh"]),
        (
            &(*scene.given().token).into(),
            &(*scene.given().refresh).into()
        )
    );
}
