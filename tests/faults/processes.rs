//! What another process of this machine sees of a command that runs under `exec`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Barrier;

use super::canary::found;
use super::*;

/// The ids of all processes.
fn processes() -> BTreeSet<OsString> {
    scene::processes()
        .map(|process| process.file_name())
        .collect()
}

/// What the command lines and environments of the processes in a scene's folder hold: the program's name, where it
/// was found, and whose canary it is.
fn seen(folder: &Path, canaries: &[Canary], before: &BTreeSet<OsString>) -> Vec<Seen> {
    let mut all = Vec::new();
    for id in processes().difference(before) {
        let process = Path::new("/proc").join(id);
        if fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder) {
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            for place in ["cmdline", "environ"] {
                let text = fs::read(process.join(place)).unwrap_or_default();
                let seen = |canary: &Canary| (name.trim_end().to_owned(), place, canary.class);
                let canaries = found(canaries, &text).into_iter();
                all.extend(canaries.map(|(canary, _)| seen(canary)));
            }
        }
    }
    all
}

type Seen = (String, &'static str, Class);

/// Runs a command under `exec` that asks the scene's server, and looks around while it waits for the answer.
fn look(scene: &Scene, options: &str) -> Vec<Seen> {
    let gate = Arc::new(Barrier::new(2));
    welcome(scene);
    scene.server.push([Reply::json(200, "{}").together(&gate)]);
    let (folder, canaries) = (scene.machine.work(), scene.canaries());
    let server: &Server = &scene.server;
    let requests = server.received().len() + scene.before().len() + scene.after().len() + 2;
    let before = processes();
    let promise = delivered(scene).prints(Stdout::Is("{}".to_owned()));
    std::thread::scope(|threads| {
        let looking = threads.spawn(move || {
            server.wait_for(requests);
            let seen = seen(&folder, &canaries, &before);
            gate.wait();
            seen
        });
        let url = server.url();
        let line = format!("exec crmauth exec T{options} -- curl -s {url}/waits");
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
