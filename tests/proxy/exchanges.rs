//! What passes as it is, and what does not: the session's place, headers, cookies, places.

use crmauth::declaration::Placement;

use super::*;
use crate::support::Reply;
use crate::support::machine::lacks;

/// The tests' session as a URL has it.
const ESCAPED: &str = "Tk%2B7%2Fa%3Fb%26c%3Dd%25e";

#[test]
fn each_system_gets_the_session_where_it_wants_it_and_none_of_the_clients() {
    for system in systems() {
        let (server, machine, before) = logged_in(system, [ok("one"), ok("two")]);
        let gateway = Gateway::start(&machine, system);
        let placement = demo::of(system).spec().placement;
        let own = match placement {
            Placement::Query(name) => format!("&{name}=own&%73essionName=own&a={name}"),
            _ => "&sessionName=own".to_owned(),
        };
        let headers = [
            ("Authorization", "Bearer own"),
            ("Accept", "text/x; q=0.5"),
            ("Accept-Encoding", "gzip"),
            ("Cookie", "a=b; PHPSESSID=own; c=d"),
            ("User-Agent", "tests"),
            ("Proxy-Authorization", "Basic eDp5"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Expect", "100-continue"),
            ("X-Own", "1"),
            ("X-Own", "2"),
        ];
        let path = [path(system), &own].concat();
        let reply = gateway.send("GET", &path, &headers, None);
        assert_eq!(reply.text(), "one", "{system}");
        let reply = gateway.post(&path, "text/x", "a=1");
        assert_eq!(reply.text(), "two", "{system}");
        gateway.end();
        let sent = server.received().split_off(before);
        let (target, bearer) = match placement {
            Placement::Bearer => ("/base/x/y?id=2&sessionName=own".to_owned(), true),
            Placement::Path => (
                format!("/base/api/Usuario/{ESCAPED}?id=2&sessionName=own"),
                false,
            ),
            Placement::Query(name) => (format!("/base/x/y?id=2&a={name}&{name}={ESCAPED}"), false),
        };
        for request in &sent {
            assert_eq!(request.target, target, "{system}");
            let authorization = request.header("authorization");
            match bearer {
                true => assert_eq!(authorization, Some(format!("Bearer {TOKEN}").as_str())),
                // It may be for whoever stands before the system.
                false => assert_eq!(
                    authorization,
                    (request.method == "GET").then_some("Bearer own")
                ),
            }
            assert_eq!(request.header("host"), Some(server.host().as_str()));
            for gone in "proxy-authorization keep-alive te expect connection".split(' ') {
                assert_eq!(request.header(gone), None, "{system}");
            }
        }
        let get = &sent[0];
        for (name, value) in [
            ("accept", Some("text/x; q=0.5")),
            ("accept-encoding", bearer.then_some("gzip")),
            ("cookie", Some("a=b; c=d")),
            ("user-agent", Some("tests")),
            ("content-type", None),
            ("content-length", None),
        ] {
            assert_eq!(get.header(name), value, "{system} {name}");
        }
        let own = get.headers.iter().filter(|(name, _)| name == "x-own");
        let own: Vec<&str> = own.map(|(_, value)| value.as_str()).collect();
        assert_eq!(own, ["1", "2"]);
        assert_eq!(sent[1].body, "a=1");
        assert_eq!(sent[1].header("content-type"), Some("text/x"));
        assert_eq!(sent[1].header("user-agent"), None, "nothing is added");
    }
}

#[test]
fn a_session_in_the_path_may_be_spelt_in_several_ways() {
    let spelt = "{session} %7Bsession%7D %7bsession%7d {session%7D %7bsession}";
    let (server, machine, before) = logged_in("systemsway", (0..7).map(|_| ok("[]")));
    let gateway = Gateway::start(&machine, "systemsway");
    for place in spelt.split(' ') {
        gateway.get(&format!("/api/Usuario/{place}"));
    }
    gateway.get("/api/public?x={session}");
    gateway.get("/api/{Session}");
    let line = "GET systemsway /api/Usuario/{session} 200 ";
    gateway.end().says(&[line]);
    let sent = server.received().split_off(before);
    for request in &sent[..5] {
        assert_eq!(request.target, format!("/base/api/Usuario/{ESCAPED}"));
    }
    assert!(!sent[5].target.contains("Tk") && !sent[6].target.contains("Tk"));
}

#[test]
fn gluos_own_login_carries_no_session() {
    let form = "application/x-www-form-urlencoded";
    // Libraries differ in what else they say of a part.
    let about = ["", "Content-Length: 5\r\n", "Content-Type: text/plain\r\n"];
    let multipart = about.map(|about| {
        let name = "Content-Disposition: form-data; name=\"operation\"\r\n";
        ["--b\r\n", name, about, "\r\nlogin\r\n--b--\r\n"].concat()
    });
    let dead = demo::of("gluo").dead();
    let (server, machine, before) =
        logged_in("gluo", (0..8).map(|_| dead.clone()).chain([ok("{}")]));
    let gateway = Gateway::start(&machine, "gluo");
    let path = "/webservice.php";
    gateway.get("/webservice.php?operation=getchallenge&username=x");
    gateway.get("/webservice.php?username=x&operation=GetChallenge");
    gateway.get("/webservice.php?%6Fperation=login&sessionName=theirs");
    gateway.post(path, form, "operation=login&username=x");
    gateway.post(path, form, "username=x&operation=LOGIN");
    for body in multipart {
        gateway.post(path, "multipart/form-data; boundary=b", body);
    }
    gateway.post(path, form, "operation=query&element=login");
    gateway.end();
    let sent = server.received().split_off(before);
    let (login, other) = sent.split_at(8);
    assert!(login.iter().all(|request| !request.target.contains("Tk")));
    assert!(login[2].target.ends_with("&sessionName=theirs"));
    assert!(other[0].target.contains(ESCAPED));
}

/// PHP prefers a form's session to the query's: a client's own would be dead, and each of its requests a new login.
#[test]
fn a_session_of_the_clients_own_in_a_form_gives_way() {
    let part = |name: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nown\r\n")
    };
    // What looks like it in a value, in a file's name or beside another boundary is no field.
    let kept = "--b\r\nX: y\r\nContent-Disposition: form-data; name=\"f\"; filename=\"sessionName\"\r\n\r\nção: \
        --c\r\nContent-Disposition: form-data; name=\"sessionName\"\r\n\r\n--b\r\n--c--\r\n--b--\r\n";
    let form = "application/x-www-form-urlencoded";
    let rows = [
        (form, "sessionName=own&a=%C3%A7+b&c", "a=%C3%A7+b&c"),
        (form, "a=1&%73essionName=own&sessionName=", "a=1"),
        (
            form,
            "a=sessionName&SessionName=b",
            "a=sessionName&SessionName=b",
        ),
        (
            "APPLICATION/x-www-form-urlencoded; charset=utf-8",
            "sessionName=own",
            "",
        ),
        ("text/plain", "sessionName=own", "sessionName=own"),
        (
            "multipart/form-data; boundary=b",
            &[part("a"), part("sessionName"), part("sessionName")].concat(),
            &[part("a"), part("_"), part("_")].concat(),
        ),
        (
            "Multipart/Form-Data; Boundary=\"b\"; charset=utf-8",
            &[&part("sessionName"), kept].concat(),
            &[&part("_"), kept].concat(),
        ),
        (
            "multipart/form-data; boundary=bç",
            &part("sessionName").replace("--b", "--bç"),
            &part("_").replace("--b", "--bç"),
        ),
    ];
    let (server, machine, before) = logged_in("gluo", rows.map(|_| ok("{}")));
    let gateway = Gateway::start(&machine, "gluo");
    for (kind, body, _) in rows {
        gateway.post("/webservice.php?operation=create", kind, body);
    }
    gateway.end();
    for (request, (kind, _, body)) in server.received()[before..].iter().zip(rows) {
        assert_eq!(request.body, body, "{kind}");
        assert!(request.target.contains(ESCAPED));
    }
}

#[test]
fn an_answer_passes_as_it_is_but_for_hops_and_the_session() {
    for system in systems() {
        let headers = [
            ("Content-Type", "text/x"),
            ("Content-Encoding", "br"),
            ("X-Own", "1"),
            ("Set-Cookie", "a=b; Path=/"),
            ("Set-Cookie", &format!("PHPSESSID={TOKEN}; HttpOnly")),
            ("Set-Cookie", &format!("s={ESCAPED}")),
            ("X-Session", TOKEN),
            ("X-Twice", &ESCAPED.replace('%', "%25")),
            ("Keep-Alive", "timeout=5"),
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
        ];
        let odd = Reply::with_headers(418, &headers, b"\0\xff\x80 bytes");
        let (_server, machine, _) = logged_in(system, [odd]);
        let gateway = Gateway::start(&machine, system);
        let reply = gateway.get(path(system));
        assert_eq!(reply.status, 418);
        assert_eq!(reply.body, b"\0\xff\x80 bytes");
        for (name, value) in [
            ("content-type", Some("text/x")),
            ("content-encoding", Some("br")),
            ("x-own", Some("1")),
            ("x-session", None),
            ("x-twice", None),
            ("keep-alive", None),
            ("x-hop", None),
            ("date", None),
        ] {
            assert_eq!(reply.header(name), value, "{system} {name}");
        }
        assert_eq!(reply.all("set-cookie"), ["a=b; Path=/"], "{system}");
        gateway.end();
    }
}

#[test]
fn places_below_the_targets_url_are_made_ours() {
    let (server, machine, _) = logged_in("gluo", []);
    let gateway = Gateway::start(&machine, "gluo");
    let (ours, theirs) = (gateway.urls[0].clone(), format!("{}/base", server.url()));
    for (place, expected) in [
        (format!("{theirs}/a?b=c#d"), format!("{ours}/a?b=c#d")),
        (theirs.clone(), ours.clone()),
        ("/base/a".to_owned(), format!("{ours}/a")),
        ("b".to_owned(), format!("{ours}/x/b")),
        ("/other".to_owned(), "/other".to_owned()),
        (format!("{theirs}x"), format!("{theirs}x")),
        (
            "https://evil.example/base/a".to_owned(),
            "https://evil.example/base/a".to_owned(),
        ),
        (
            format!("{theirs}/a?sessionName={ESCAPED}"),
            format!("{ours}/a?sessionName=%7Bsession%7D"),
        ),
        (
            format!("https://evil.example/?s={TOKEN}"),
            "https://evil.example/?s=%7Bsession%7D".to_owned(),
        ),
        ("http://[".to_owned(), "http://[".to_owned()),
    ] {
        server.push([Reply::with_headers(302, &[("Location", &place)], "")]);
        let reply = gateway.get("/x/y");
        assert_eq!(reply.status, 302, "{place}");
        assert_eq!(reply.header("location"), Some(&*expected), "{place}");
    }
    let hidden = format!("/base/?s={}", ESCAPED.replace('%', "%25"));
    server.push([Reply::with_headers(302, &[("Location", &hidden)], "")]);
    assert_eq!(gateway.get("/x").header("location"), None);
    gateway.end();
}

#[test]
fn a_referer_with_the_key_stays_here() {
    let (server, machine, before) = logged_in("zeev", [ok(""), ok("")]);
    let gateway = Gateway::start(&machine, "zeev");
    for referer in [gateway.urls[0].clone(), "https://other.example/".to_owned()] {
        gateway.send("GET", "/x", &[("Referer", &referer)], None);
    }
    gateway.end();
    let sent = server.received().split_off(before);
    assert_eq!(sent[0].header("referer"), None);
    assert_eq!(sent[1].header("referer"), Some("https://other.example/"));
}

#[test]
fn failures_of_ours_are_json_without_a_secret() {
    for (replies, status, code) in [
        (Some(Reply::Silence), 504, "timeout"),
        (Some(Reply::Reset), 502, "closed"),
        (
            Some(Reply::Last(b"SSH-2.0-x\r\n".to_vec())),
            502,
            "not_http",
        ),
        (
            Some(Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())),
            502,
            "closed",
        ),
        (None, 502, "connect"),
    ] {
        let gone = replies.is_none();
        let (mut server, machine, _) = logged_in("gluo", replies);
        let gateway = Gateway::start(&machine, "gluo --timeout 1");
        if gone {
            server.leave();
        }
        let reply = gateway.post("/x?secret=1", "text/x", "a");
        let (found, message) = error(&reply);
        assert_eq!(found, status);
        assert_eq!(reply.json()["error"]["code"], code);
        lacks(reply.text(), &[TOKEN, ESCAPED, "secret=1"]);
        assert!(message.contains(&server.host()), "{message}");
        assert_eq!(reply.json()["error"]["target"], "gluo");
        let line = format!("POST gluo /x {status} ");
        gateway.end().says(&[&line]);
    }
}
