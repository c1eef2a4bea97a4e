//! What surrounds the program: no terminal, proxies, a CGI server, and commands that cannot be run.

use super::*;

#[test]
fn nobody_to_ask() {
    if !installed("setsid") {
        return;
    }
    each(|scene| {
        let file = scene.machine.text(".env");
        let mut lines = file.lines();
        let line = lines.find(|line| line.contains(scene.secret()));
        let line = line.expect("a secret");
        let variable = line.split('=').next().expect("a variable").to_owned();
        scene.source(".env", file.replace(line, ""));
        for line in ["login T", "login T --json", "login T -vv"] {
            let command = script(scene, &format!("setsid -w crmauth {line} </dev/null"));
            let promise = before_any_request(2, &[&variable, "hint: "]);
            hold(69, scene, command, &promise);
        }
    });
}

/// Lets a proxy see what is sent.
fn allow(scene: &Scene) {
    let file = scene.machine.text(".env");
    let name = scene.variable("ALLOW_PROXY");
    scene.source(".env", format!("{file}{name}=1\n"));
}

/// Sets a proxy everywhere where one can stand.
fn proxy(scene: &mut Scene, proxy: &str) {
    for name in "http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY".split(' ') {
        scene.machine.set(name, proxy);
    }
}

#[test]
fn plain_http_takes_no_proxy() {
    let recording = Server::start(Vec::new());
    each(|scene| {
        let host = recording.host();
        for url in [
            "http://Pr0xyUser:Pr0xyPassword@HOST",
            "socks5://HOST",
            "x:y:z",
            "",
        ] {
            proxy(scene, &url.replace("HOST", &host));
            for line in ["login T", "token T -vv"] {
                welcome(scene);
                scene.hold(70, line, &delivered(scene).unsaid(&["Pr0xy"]));
            }
        }
    });
    assert_eq!(recording.connections(), 0);
}

#[test]
fn a_proxy_that_is_none() {
    each(|scene| {
        allow(scene);
        for bad in "http://Pr0xyPassword:x@ Pr0xyPassword://x http://[Pr0xyPassword".split(' ') {
            proxy(scene, bad);
            let promise = before_any_request(2, &["proxy", "hint: "]);
            scene.hold(70, "login T -vv", &promise.unsaid(&["Pr0xyPassword"]));
        }
    });
}

#[test]
fn a_proxy_that_was_allowed_sees_the_login_once() {
    each(|scene| {
        let recording = Server::start(vec![Reply::http(407, "text/html", "<h1>Pr0xyPage</h1>")]);
        allow(scene);
        let host = recording.host();
        proxy(scene, &format!("http://Pr0xyUser:Pr0xyPassword@{host}"));
        let run = scene.run(scene.command("login T"));
        let code = run.outcome.code;
        let promise = Promise::exit(code).offline().unsaid(&["Pr0xy"]);
        assert!([4, 5, 6].contains(&code), "{}", run.outcome);
        let mut broken = promise.broken(scene, &run);
        // A single seat cannot know what became of the login.
        broken.retain(|text| !(scene.step.single_seat() && text.starts_with("G3")));
        assert_eq!(broken, [""; 0], "row 70: {}", run.outcome.stderr);
    });
}

#[test]
fn a_cgi_servers_header_is_no_proxy() {
    let recording = Server::start(Vec::new());
    each(|scene| {
        allow(scene);
        scene.machine.set("REQUEST_METHOD", "GET");
        scene.machine.set("HTTP_PROXY", &recording.url());
        welcome(scene);
        scene.hold(71, "login T", &delivered(scene));
    });
    assert_eq!(recording.connections(), 0);
}

#[test]
fn commands_that_cannot_run_or_end_badly() {
    each(|scene| {
        let file = scene.source("not-executable", "");
        set_mode(&file, 0o600);
        for option in ["", " --token-file"] {
            for (command, code) in [
                ("no-such-command", 127),
                ("./no-such-file", 127),
                ("./not-executable", 126),
                ("/", 126),
            ] {
                let promise = before_any_request(code, &[&format!("`{command}`"), "hint: "]);
                scene.hold(72, &format!("exec T{option} -- {command} x"), &promise);
            }
            for (name, code) in [("KILL", 137), ("TERM", 143), ("SEGV", 139)] {
                welcome(scene);
                let line = format!("exec crmauth exec T{option} -- sh -c 'kill -{name} $$'");
                hold(
                    72,
                    scene,
                    script(scene, &line),
                    &Promise::exit(code).replaced(),
                );
            }
        }
    });
}
