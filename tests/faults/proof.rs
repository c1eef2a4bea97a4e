//! The harness itself: a program that breaks a promise is found out.

use super::*;

/// What is found of a shell script in the program's place.
fn found(script: &str, promise: impl FnOnce(&mut Promise)) -> Vec<String> {
    let scene = Scene::new(steps::named("a call to zeev"));
    let mut expected = Promise::exit(0);
    promise(&mut expected);
    let script = script
        .replace("URL", &scene.server.url())
        .replace("SECRET", scene.secret());
    let run = scene.run(scene.machine.shell_command("bash", &script));
    let broken = expected.broken(&scene, &run);
    let number = |text: &String| text.split(':').next().expect("a word").to_owned();
    broken.iter().map(number).collect()
}

#[test]
fn who_keeps_every_promise_is_found_innocent() {
    assert!(found("echo 'note: all is well' >&2", |_| {}).is_empty());
    let whole = "printf 'error: zeev: nobody at h:1\\nhint: wait\\n' >&2; exit 5";
    assert!(found(whole, |p| (p.exit, p.place) = (5, Some("h:1".to_owned()))).is_empty());
}

#[test]
fn each_broken_promise_is_found() {
    let error = "printf 'error: zeev: nobody\\n' >&2; exit 5";
    for (script, numbers) in [
        ("echo note: 'SECRET' >&2", &["G1"][..]),
        ("echo note: $(printf %s 'SECRET' | sha1sum) >&2", &["G1"]),
        (
            "echo note: $(printf %s 'SECRET' | base64 -w 0) >&2",
            &["G1"],
        ),
        ("cp .env .copy", &["G1", "G4"]),
        ("cp session.txt copy", &["G1", "G4"]),
        ("cat session.txt", &["G1", "G2"]),
        ("curl -s URL/ || : 'SECRET'", &["G1", "G8"]),
        ("echo x", &["G2"]),
        (": > session.txt", &["G3"]),
        ("rm ~/.local/state/crmauth/*.json", &["G3"]),
        (": > $TMPDIR/x", &["G4"]),
        ("sleep 1.1", &["G5"]),
        ("exit 101", &["G6", "exit 101 and not 0"]),
        ("printf '::error::x\\n' >&2", &["G7"]),
        ("printf 'note: a\\033[2J\\n' >&2", &["G7"]),
        ("printf 'sh' >&2", &["G7"]),
        ("curl -s URL/ || true", &["G8"]),
    ] {
        let found = found(script, |promise| {
            if numbers == ["G5"] {
                promise.timeout = std::time::Duration::from_millis(50);
            }
        });
        assert_eq!(found, numbers, "{script}");
    }
    assert_eq!(found(error, |p| p.exit = 5), ["G9"]);
    let elsewhere = "printf 'error: zeev: nobody\\nhint: wait\\n' >&2; exit 5";
    let unnamed = found(elsewhere, |p| {
        (p.exit, p.place) = (5, Some("h:1".to_owned()))
    });
    assert_eq!(unnamed, ["G9"]);
    assert_eq!(found("true", |p| p.says = vec!["x".to_owned()]).len(), 1);
}

#[test]
fn a_session_goes_to_whom_it_was_promised() {
    let session = |p: &mut Promise| p.stdout = Stdout::SessionIn;
    assert!(found("cat session.txt", session).is_empty());
    assert_eq!(found("cat .env", session), ["G1"], "and no setting with it");
    let copied = |p: &mut Promise| p.file = Kept::Replaced;
    assert!(found("echo >> session.txt", copied).is_empty());
    assert_eq!(found("true", copied), ["G3"]);
    let dropped = |p: &mut Promise| p.entry = Kept::Dropped;
    assert_eq!(found("true", dropped), ["G3"]);
    assert!(found("rm ~/.local/state/crmauth/*.json", dropped).is_empty());
}

#[test]
fn what_carries_a_secret_is_counted() {
    let scene = Scene::new(steps::named("a call to zeev"));
    let send = format!("curl -s {} -d @.env; ", scene.server.url());
    scene.server.push([(); 2].map(|()| Reply::json(200, "")));
    let run = scene.run(scene.machine.shell_command("bash", &send.repeat(2)));
    let broken = Promise::exit(0).broken(&scene, &run);
    assert_eq!(broken, ["G8: a secret was sent 2 times"]);
    scene.restore(&run);
}
