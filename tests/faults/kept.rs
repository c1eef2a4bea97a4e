//! The store under faults: entries that are broken, others' or open, locks that are held, and ends in the middle of a
//! write.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::chown;

use super::local::keep;
use super::*;
use crate::support::stored::{entry, stored, under};

/// A token that is handed out after one warning and one login, and then stored.
fn one_warning(scene: &Scene, why: &str) -> Promise {
    welcome(scene);
    let told = format!("warning: {}: the stored session ", scene.step.system);
    delivered(scene).says(&[&told, why])
}

/// How many warnings there are.
fn warnings(stderr: &str) -> usize {
    let lines = stderr.lines();
    lines.filter(|line| line.starts_with("warning: ")).count()
}

#[test]
fn entries_that_are_broken() {
    each(|scene| {
        let path = entry(&scene.machine);
        let good = fs::read(&path).expect("an entry");
        let end = good.len();
        let cuts = [0, 1, end / 4, end / 2, end - 2, end - 1];
        let mut broken: Vec<Vec<u8>> = cuts.iter().map(|cut| good[..*cut].to_vec()).collect();
        broken.push((0..=255).collect());
        broken.push([&good[..], b"{}"].concat());
        broken.push(b"[".repeat(10_000));
        for bytes in broken {
            fs::write(&path, &bytes).expect("an entry");
            let promise = one_warning(scene, "is incomplete, or is not a stored session");
            let run = scene.hold(53, "token T", &promise);
            let outcome = &run.outcome;
            assert_eq!(warnings(&outcome.stderr), 1, "row 53: {outcome}");
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
        let file = File::options().write(true).open(&path).expect("a file");
        file.set_len(100 << 20).expect("a large file");
        let promise = one_warning(scene, "is too large");
        let command = scene.command("token T");
        let run = match measured {
            true => scene.measured(command),
            false => scene.run(command),
        };
        let broken = promise.broken(scene, &run);
        assert_eq!(broken, [""; 0], "row 53: {}", run.outcome);
        fs::write(&path, good).expect("an entry");
    });
}

#[test]
fn entries_of_others_or_open_to_them() {
    each(|scene| {
        let path = entry(&scene.machine);
        for bits in [0o644, 0o640, 0o602] {
            set_mode(&path, bits);
            let run = scene.hold(54, "token T", &one_warning(scene, "is open to others"));
            let outcome = &run.outcome;
            assert_eq!(warnings(&outcome.stderr), 1, "row 54: {outcome}");
        }
        set_mode(&path, 0o600);
        // Only root can give files away.
        if chown(&path, Some(12_345), None).is_ok() {
            let promise = one_warning(scene, "belongs to somebody else");
            scene.hold(54, "token T", &promise);
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
        let names = (1..=20).map(|number| format!("out.{number}"));
        let sinks: Vec<_> = names.map(|name| scene.machine.path(&name)).collect();
        let promise = Promise::exit(0).sinks(sinks.clone()).replaced();
        let run = hold(55, scene, script, &promise);
        let token = format!("{}\n", scene.given().token).into_bytes();
        let equal = sinks
            .iter()
            .filter(|path| run.after.get(*path) == Some(&token));
        assert_eq!(equal.count(), 20, "row 55: {}", run.outcome.stderr);
    });
}

#[test]
fn a_lock_that_is_held() {
    each(|scene| {
        let path = entry(&scene.machine).with_extension("lock");
        let held = File::create(&path).expect("a lock file");
        held.lock().expect("a lock");
        for line in ["login T --timeout 0.5", "token T --timeout 0.5 --json"] {
            let name = path.file_name().expect("a name").to_string_lossy();
            let says = ["another crmauth has locked", &*name];
            let mut promise = Promise::exit(7).says(&says).offline();
            promise.timeout = Duration::from_millis(500);
            scene.hold(56, line, &promise);
        }
        drop(held);
        welcome(scene);
        scene.hold(56, "token T --timeout 20", &delivered(scene));
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
        let seat = usize::from(scene.step.single_seat());
        let (syncs, renames) = (2 * seat, seat);
        for (calls, when) in [
            ("fsync", syncs + 1),
            ("fsync", syncs + 2),
            ("rename,renameat,renameat2", renames + 1),
        ] {
            for _ in 0..2 {
                welcome(scene);
                let trace = format!("trace={calls}");
                let inject = format!("inject={calls}:signal=KILL:when={when}");
                let strace = [&program[..], &["-e", &trace, "-e", &inject]].concat();
                let command = under(&scene.machine, &strace, &["token", scene.step.system]);
                let run = scene.run(command);
                run.outcome.exits(137, format!("row 57: {calls} {when}"));
                // A draft may stay until the next run, as private as the entry is; nothing is said or printed of it.
                let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
                let draft = |name: &OsStr| name.as_encoded_bytes().starts_with(b".crmauth-");
                let drafts = run.after.keys().filter(|path| draft(&name(path)));
                let promise = Promise::exit(137).sinks(drafts.cloned().collect());
                let mut broken = promise.broken(scene, &run);
                // The entry is the old one, or the new one as a whole: the next run reads it.
                broken.retain(|text| !text.starts_with("G3"));
                assert_eq!(broken, [""; 0], "row 57: {calls} {when}");
                let token = json(&scene.given().token);
                let replaced = stored(&scene.machine, ".json").iter().any(|path| {
                    let entry = fs::read_to_string(path).expect("an entry");
                    entry.contains(&token)
                });
                scene.restore(&next(scene, replaced));
                scene.restore(&run);
            }
        }
    });
}

/// The run after one that was killed: it works, and leaves nothing of the other one behind.
fn next(scene: &Scene, replaced: bool) -> Run {
    let mut promise = delivered(scene).unsaid(&["warning: "]);
    match replaced {
        true => promise = promise.entry(Kept::Same).offline(),
        false => welcome(scene),
    }
    keep(57, scene, scene.command("token T"), &promise)
}

/// A text as it stands in JSON.
fn json(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
