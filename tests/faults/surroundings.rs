//! What surrounds the program: no terminal, proxies, a CGI server, and commands that cannot be run.

use super::*;

#[test]
fn nobody_to_ask() {
    if !installed("setsid") {
        return;
    }
    each(|scene| {
        let file = fs::read_to_string(scene.machine.path(".env")).expect("an env file");
        let line = file
            .lines()
            .find(|line| line.contains(scene.secret()))
            .expect("a secret");
        let variable = line.split('=').next().expect("a variable").to_owned();
        scene.source(".env", file.replace(line, ""));
        for line in ["login T", "login T --json", "login T -vv"] {
            let command = script(scene, &format!("setsid -w crmauth {line} </dev/null"));
            let promise = before_any_request(2, &[&variable, "hint: "]);
            hold(69, scene, command, &promise);
        }
    });
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
        let name = "Pr0xyUser:Pr0xyPassword@";
        for url in [
            recording
                .url()
                .replace("http://", &format!("http://{name}")),
            format!("socks5://{}", recording.host()),
            "x:y:z".to_owned(),
            "".to_owned(),
        ] {
            proxy(scene, &url);
            for line in ["login T", "token T -vv"] {
                welcome(scene);
                let promise = Promise {
                    unsaid: vec!["Pr0xy".to_owned()],
                    ..delivered(scene)
                };
                scene.hold(70, line, &promise);
            }
        }
    });
    assert_eq!(recording.connections(), 0);
}

#[test]
fn a_proxy_that_is_none() {
    each(|scene| {
        let file = fs::read_to_string(scene.machine.path(".env")).expect("an env file");
        let prefix = scene.step.system.to_uppercase();
        scene.source(".env", format!("{file}{prefix}_ALLOW_PROXY=1\n"));
        for bad in "http://Pr0xyPassword:x@ Pr0xyPassword://x http://[Pr0xyPassword".split(' ') {
            proxy(scene, bad);
            let mut promise = before_any_request(2, &["proxy", "hint: "]);
            promise.unsaid = vec!["Pr0xyPassword".to_owned()];
            scene.hold(70, "login T -vv", &promise);
        }
    });
}

#[test]
fn a_proxy_that_was_allowed_sees_the_login_once() {
    each(|scene| {
        let recording = Server::start(vec![Reply::http(407, "text/html", "<h1>Pr0xyPage</h1>")]);
        let file = fs::read_to_string(scene.machine.path(".env")).expect("an env file");
        let prefix = scene.step.system.to_uppercase();
        scene.source(".env", format!("{file}{prefix}_ALLOW_PROXY=1\n"));
        proxy(
            scene,
            &recording
                .url()
                .replace("http://", "http://Pr0xyUser:Pr0xyPassword@"),
        );
        let run = scene.run(scene.command("login T"));
        let promise = Promise {
            connections: Some(0),
            unsaid: vec!["Pr0xy".to_owned()],
            ..Promise::exit(run.outcome.code)
        };
        assert!(
            [4, 5, 6].contains(&run.outcome.code),
            "{}",
            run.outcome.stderr
        );
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
        let file = fs::read_to_string(scene.machine.path(".env")).expect("an env file");
        let prefix = scene.step.system.to_uppercase();
        scene.source(".env", format!("{file}{prefix}_ALLOW_PROXY=1\n"));
        scene
            .machine
            .set("REQUEST_METHOD", "GET")
            .set("HTTP_PROXY", &recording.url());
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
                let mut promise = delivered(scene);
                (promise.exit, promise.stdout) = (code, Stdout::Is(String::new()));
                let command = script(
                    scene,
                    &format!("exec crmauth exec T{option} -- sh -c 'kill -{name} $$'"),
                );
                hold(72, scene, command, &promise);
            }
        }
    });
}
