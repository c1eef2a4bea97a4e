//! The store under faults: entries that are broken, others' or open, locks that are held, and ends in the middle of a
//! write.

use std::fs::File;
use std::os::unix::fs::chown;

use super::local::keep;
use super::*;
use crate::support::stored::{entry, stored, under};

/// A token that is handed out after one warning and one login, and then stored.
fn one_warning(scene: &Scene, why: &str) -> Promise {
    welcome(scene);
    Promise {
        says: vec![
            format!("warning: {}: the stored session ", scene.step.system),
            why.to_owned(),
        ],
        ..delivered(scene)
    }
}

/// How many warnings there are.
fn warnings(stderr: &str) -> usize {
    stderr
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .count()
}

#[test]
fn entries_that_are_broken() {
    each(|scene| {
        let path = entry(&scene.machine);
        let good = fs::read(&path).expect("an entry");
        let cuts = [
            0,
            1,
            good.len() / 4,
            good.len() / 2,
            good.len() - 2,
            good.len() - 1,
        ];
        let mut broken: Vec<Vec<u8>> = cuts.iter().map(|cut| good[..*cut].to_vec()).collect();
        broken.push((0..=255).collect());
        broken.push([&good[..], b"{}"].concat());
        broken.push(b"[".repeat(10_000));
        for bytes in broken {
            fs::write(&path, &bytes).expect("an entry");
            let run = hold(
                53,
                scene,
                scene.command("token T"),
                &one_warning(scene, "is incomplete, or is not a stored session"),
            );
            assert_eq!(
                warnings(&run.outcome.stderr),
                1,
                "row 53: {}",
                run.outcome.stderr
            );
        }
        fs::write(&path, &good).expect("an entry");
    });
}

#[test]
fn an_entry_of_a_hundred_megabytes() {
    let measured = installed("time");
    each(|scene| {
        let path = entry(&scene.machine);
        let good = fs::read(&path).expect("an entry");
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(100 << 20))
            .expect("a large file");
        let promise = one_warning(scene, "is too large");
        let command = scene.command("token T");
        let run = if measured {
            scene.measured(command)
        } else {
            scene.run(command)
        };
        assert_eq!(
            promise.broken(scene, &run),
            [""; 0],
            "row 53: {}",
            run.outcome.stderr
        );
        fs::write(&path, good).expect("an entry");
    });
}

#[test]
fn entries_of_others_or_open_to_them() {
    each(|scene| {
        let path = entry(&scene.machine);
        for bits in [0o644, 0o640, 0o602] {
            set_mode(&path, bits);
            let run = hold(
                54,
                scene,
                scene.command("token T"),
                &one_warning(scene, "is open to others"),
            );
            assert_eq!(
                warnings(&run.outcome.stderr),
                1,
                "row 54: {}",
                run.outcome.stderr
            );
        }
        set_mode(&path, 0o600);
        // Only root can give files away.
        if chown(&path, Some(12_345), None).is_ok() {
            hold(
                54,
                scene,
                scene.command("token T"),
                &one_warning(scene, "belongs to somebody else"),
            );
        }
    });
}

#[test]
fn twenty_at_once() {
    each(|scene| {
        welcome(scene);
        // They start together once the gate is open.
        let script = script(
            scene,
            "mkfifo gate; exec 3<>gate; \
             for i in $(seq 20); do (read -r x <&3; exec crmauth token T >out.$i 2>>errors 3>&-) & done; \
             seq 20 >&3; wait; cat errors >&2; rm gate errors",
        );
        let sinks = (1..=20)
            .map(|number| scene.machine.path(&format!("out.{number}")))
            .collect();
        let promise = Promise {
            sinks,
            entry: Kept::Replaced,
            ..Promise::exit(0)
        };
        let run = hold(55, scene, script, &promise);
        let token = format!("{}\n", scene.given().token).into_bytes();
        let equal = run.after.iter().filter(|(path, bytes)| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("out."))
                && **bytes == token
        });
        assert_eq!(equal.count(), 20, "row 55: {}", run.outcome.stderr);
    });
}

#[test]
fn a_lock_that_is_held() {
    each(|scene| {
        let path = entry(&scene.machine).with_extension("lock");
        let held = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path)
            .expect("a lock file");
        held.lock().expect("a lock");
        for line in ["login T --timeout 0.5", "token T --timeout 0.5 --json"] {
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let promise = Promise {
                says: vec!["another crmauth has locked".to_owned(), name],
                connections: Some(0),
                timeout: std::time::Duration::from_millis(500),
                ..Promise::exit(7)
            };
            hold(56, scene, scene.command(line), &promise);
        }
        drop(held);
        welcome(scene);
        hold(
            56,
            scene,
            scene.command("token T --timeout 20"),
            &delivered(scene),
        );
    });
}

#[test]
fn a_kill_while_the_session_is_stored() {
    if !installed("strace") {
        return;
    }
    each(|scene| {
        let program = ["strace", "-o", "/dev/null"];
        // A single seat's entry is marked before the login, which takes as many calls.
        let (syncs, renames) = if scene.step.single_seat() {
            (2, 1)
        } else {
            (0, 0)
        };
        for (calls, when) in [
            ("fsync", syncs + 1),
            ("fsync", syncs + 2),
            ("rename,renameat,renameat2", renames + 1),
        ] {
            for _ in 0..2 {
                welcome(scene);
                let (trace, inject) = (
                    format!("trace={calls}"),
                    format!("inject={calls}:signal=KILL:when={when}"),
                );
                let strace = [&program[..], &["-e", &trace, "-e", &inject]].concat();
                let command = under(&scene.machine, &strace, &["token", scene.step.system]);
                let run = scene.run(command);
                assert_eq!(
                    run.outcome.code, 137,
                    "row 57: {calls} {when}: {}",
                    run.outcome.stderr
                );
                // A draft may stay until the next run, as private as the entry is; nothing is said or printed of it.
                let drafts = run.after.keys().filter(|path| {
                    path.file_name()
                        .is_some_and(|name| name.as_encoded_bytes().starts_with(b".crmauth-"))
                });
                let promise = Promise {
                    sinks: drafts.cloned().collect(),
                    ..Promise::exit(137)
                };
                let mut broken = promise.broken(scene, &run);
                // The entry is the old one, or the new one as a whole: the next run reads it.
                broken.retain(|text| !text.starts_with("G3"));
                assert!(
                    broken.is_empty(),
                    "row 57: {calls} {when}: {}",
                    broken.join("\n")
                );
                let replaced = stored(&scene.machine, ".json").iter().any(|path| {
                    fs::read_to_string(path)
                        .expect("an entry")
                        .contains(&*json(&scene.given().token))
                });
                scene.restore(&next(scene, replaced));
                scene.restore(&run);
            }
        }
    });
}

/// The run after one that was killed: it works, and leaves nothing of the other one behind.
fn next(scene: &Scene, replaced: bool) -> Run {
    let mut promise = delivered(scene);
    promise.unsaid = vec!["warning: ".to_owned()];
    if replaced {
        promise.entry = Kept::Same;
        promise.connections = Some(0);
    } else {
        welcome(scene);
    }
    keep(57, scene, scene.command("token T"), &promise)
}

/// A text as it stands in JSON.
fn json(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
