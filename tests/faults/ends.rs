//! Signals, and clocks that are wrong.

use rustix::process::{Pid, Signal, kill_process};

use super::local::of;
use super::*;
use crate::support::machine::{clock_can_be_set, wrapped};

/// Sends a signal to whatever runs in a folder.
fn strike(folder: &Path, signal: Signal) {
    for process in fs::read_dir("/proc").expect("processes").flatten() {
        let is_there = fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
        let name = process.file_name();
        let id = name.to_str().and_then(|id| id.parse().ok());
        if let (true, Some(id)) = (is_there, id.and_then(Pid::from_raw)) {
            kill_process(id, signal).expect("it runs");
        }
    }
}

#[test]
fn a_signal_while_an_answer_is_waited_for() {
    let steps = steps::first();
    of(steps, |scene| {
        let lines: &[&str] = match scene.step.kind {
            steps::Kind::Login | steps::Kind::Renewal => &[
                "login T",
                "token T -o session.txt -vv",
                "exec T -- env",
                "exec T --token-file -- env",
            ],
            steps::Kind::Check => &["status T --check"],
            steps::Kind::Revocation => &["logout T"],
            steps::Kind::Call => &["api T PATH"],
        };
        let signals = [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP];
        let signals = signals.into_iter().zip([130, 131, 143, 143]);
        for (line, (signal, code)) in lines.iter().zip(signals.cycle()) {
            scene.server.push([Reply::Silence]);
            let mut promise = Promise::exit(code).says(&["error: interrupted"]);
            let said = "error: interrupted; a login under way may have taken effect";
            if line.starts_with("login") || scene.step.kind == steps::Kind::Login {
                promise = promise.says(&[said]);
                promise.suspect(scene);
            }
            let (server, work) = (&scene.server, scene.machine.work());
            std::thread::scope(|threads| {
                let requests = server.received().len() + 1;
                threads.spawn(move || {
                    server.wait_for(requests);
                    strike(&work, signal);
                });
                scene.hold(58, line, &promise);
            });
        }
    });
}

/// The program with another clock.
fn at_time(scene: &Scene, clock: &str, line: &str) -> std::process::Command {
    wrapped(&scene.command(line), &["faketime", "-f", clock])
}

#[test]
fn a_clock_that_is_far_off() {
    if !clock_can_be_set() {
        return;
    }
    each(|scene| {
        for clock in "@2100-01-01 00:00:00|+400d|-2h|@1971-01-01 00:00:00".split('|') {
            for line in ["login T", "token T"] {
                welcome(scene);
                hold(59, scene, at_time(scene, clock, line), &delivered(scene));
            }
        }
    });
}

#[test]
fn a_certificate_under_a_clock_that_is_far_off() {
    if !clock_can_be_set() {
        return;
    }
    let authority = Authority::new();
    at_once(steps::usual_logins(), |step| {
        let scene = Scene::over_tls(step, &authority);
        for clock in ["@5000-01-01 00:00:00", "@1971-01-01 00:00:00"] {
            let mut promise = Promise::exit(5).says(&["clock"]);
            promise.place = Some(scene.host());
            hold(59, &scene, at_time(&scene, clock, "login T"), &promise);
        }
    });
}
