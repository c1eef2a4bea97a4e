//! What another process of this machine sees of a command that runs under `exec`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Barrier;

use super::canary::found;
use super::*;

/// The ids of all processes.
fn processes() -> BTreeSet<OsString> {
    let all = fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .map(|process| process.file_name());
    all.filter(|name| name.as_encoded_bytes()[0].is_ascii_digit())
        .collect()
}

/// What the command lines and environments of the processes in a scene's folder hold: the program's name, where it
/// was found, and whose canary it is.
fn seen(
    folder: &std::path::Path,
    canaries: &[Canary],
    before: &BTreeSet<OsString>,
) -> Vec<(String, &'static str, Class)> {
    let mut all = Vec::new();
    for id in processes().difference(before) {
        let process = std::path::Path::new("/proc").join(id);
        if fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder) {
            let name = fs::read_to_string(process.join("comm"))
                .unwrap_or_default()
                .trim_end()
                .to_owned();
            for place in ["cmdline", "environ"] {
                let text = fs::read(process.join(place)).unwrap_or_default();
                all.extend(
                    found(canaries, &text)
                        .into_iter()
                        .map(|(canary, _)| (name.clone(), place, canary.class)),
                );
            }
        }
    }
    all
}

/// Runs a command under `exec` that asks the scene's server, and looks around while it waits for the answer.
fn look(scene: &Scene, options: &str) -> Vec<(String, &'static str, Class)> {
    let gate = Arc::new(Barrier::new(2));
    welcome(scene);
    scene.server.push([Reply::json(200, "{}").together(&gate)]);
    let (server, folder, canaries): (&Server, _, _) =
        (&scene.server, scene.machine.work(), scene.canaries());
    let requests = server.received().len() + scene.before().len() + scene.after().len() + 2;
    let before = processes();
    let mut promise = delivered(scene);
    promise.stdout = Stdout::Is("{}".to_owned());
    std::thread::scope(|threads| {
        let looking = threads.spawn(move || {
            server.wait_for(requests);
            let seen = seen(&folder, &canaries, &before);
            gate.wait();
            seen
        });
        let line = format!(
            "exec crmauth exec T{options} -- curl -s {}/waits",
            server.url()
        );
        let run = scene.run(script(scene, &line));
        let mut broken = promise.broken(scene, &run);
        // The harness sees the command itself too; who may hold what is for the test to say.
        broken.retain(|text| !text.starts_with("G1: a process holds "));
        let name = scene.step.name;
        assert_eq!(broken, [""; 0], "row 72, {name}: {}", run.outcome);
        scene.restore(&run);
        looking.join().expect("no panic")
    })
}

#[test]
fn a_commands_environment_is_the_only_place_of_a_token() {
    if !installed("curl") {
        return;
    }
    each(|scene| {
        let (seen, name) = (look(scene, ""), scene.step.name);
        assert!(!seen.is_empty(), "{name}: the command has no token");
        for place in seen {
            let there = ("curl".to_owned(), "environ", Class::Token);
            assert_eq!(place, there, "{name}");
        }
    });
}

#[test]
fn a_token_file_leaves_every_environment_clean() {
    if !installed("curl") {
        return;
    }
    each(|scene| assert_eq!(look(scene, " --token-file"), [], "{}", scene.step.name));
}
