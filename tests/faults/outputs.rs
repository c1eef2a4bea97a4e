//! Where the answer goes cannot take it, or others could read it there.

use std::os::unix::fs::symlink;

use super::local::keep;
use super::scene::SESSION_FILE;
use super::*;
use crate::support::machine::mode;
use crate::support::stored::store;

/// A shell whose third descriptor is a pipe that nobody reads any more.
const NO_READER: &str = "mkfifo gone; exec 4<>gone; exec 3>gone; exec 4<&-; rm gone; ";

#[test]
fn a_reader_that_went_away() {
    each(|scene| {
        for line in ["login T", "login T -vv", "token T --json", "login T -f sh"] {
            welcome(scene);
            let command = script(scene, &format!("{NO_READER}crmauth {line} >&3"));
            let promise = Promise::exit(7).replaced();
            let run = keep(44, scene, command, &promise);
            run.outcome.lacks(&["error: ", "hint: "]);
            // The session is in the store.
            scene.hold(44, "token T --cached", &cached(scene));
            scene.restore(&run);
        }
    });
}

#[test]
fn what_is_only_passed_on_meets_no_reader_either() {
    each(|scene| {
        welcome(scene);
        let run = keep(44, scene, scene.command("login T"), &delivered(scene));
        for line in ["api T PATH", "status T", "logout T --local"] {
            if line.starts_with("api") {
                scene.server.push([Reply::json(200, "{}")]);
            }
            let command = script(scene, &format!("{NO_READER}crmauth {line} >&3"));
            let local = line.starts_with("logout");
            let entry = if local { Kept::Dropped } else { Kept::Same };
            let ended = keep(44, scene, command, &Promise::exit(7).entry(entry));
            assert_eq!(ended.outcome.stderr, "", "row 44: {line}");
        }
        scene.restore(&run);
    });
}

#[test]
fn no_stdout_at_all() {
    each(|scene| {
        for line in ["login T", "token T -v"] {
            welcome(scene);
            let command = script(scene, &format!("crmauth {line} >&-"));
            hold(45, scene, command, &Promise::exit(0).replaced());
        }
    });
}

#[test]
fn a_device_without_room() {
    each(|scene| {
        for line in ["login T", "token T --json"] {
            welcome(scene);
            let command = script(scene, &format!("crmauth {line} >/dev/full"));
            let says = ["cannot write to stdout", "the disk is full"];
            hold(46, scene, command, &Promise::exit(7).says(&says).replaced());
        }
    });
}

#[test]
fn no_room_for_the_file() {
    if !installed("strace") {
        return;
    }
    each(|scene| {
        let strace = |options: &str| {
            let line = format!("strace -e trace=fsync {options}");
            script(
                scene,
                &line.replace("LOGIN", "crmauth login T -o session.txt"),
            )
        };
        // Which of the calls that sync is the file's.
        welcome(scene);
        let run = scene.run(strace("-y -o calls LOGIN; cat calls >&2; rm calls"));
        let calls = run.outcome.stderr.lines();
        let mut calls = calls.filter(|call| call.starts_with("fsync("));
        let number = calls.position(|call| call.contains("/work/.crmauth-"));
        let number = 1 + number.expect("a draft");
        scene.restore(&run);
        for error in ["ENOSPC", "EFBIG", "EIO", "EDQUOT"] {
            welcome(scene);
            let says = ["session.txt cannot be written"];
            let promise = Promise::exit(7).says(&says).replaced();
            let inject = format!("-o /dev/null -e inject=fsync:error={error}:when={number}");
            let run = keep(46, scene, strace(&format!("{inject} LOGIN")), &promise);
            // It is not lost.
            scene.hold(46, "token T --cached", &cached(scene));
            scene.restore(&run);
        }
    });
}

#[test]
fn no_room_for_the_store() {
    each(|scene| {
        for line in ["login T", "token T"] {
            welcome(scene);
            // Pipes know no limit, so that stdout and stderr have room.
            let command = script(scene, &format!("ulimit -f 0; crmauth {line}"));
            let mut promise = delivered(scene).says(&["the session is not stored"]);
            promise.entry = Kept::Same;
            if scene.step.single_seat() {
                let keep = "keep this session: another one takes a new login, which ends it";
                promise = promise.entry(Kept::Dropped).says(&[keep]);
            }
            hold(47, scene, command, &promise);
        }
    });
}

#[test]
fn a_place_that_takes_no_file() {
    each(|scene| {
        scene.source("file", "mine");
        for place in "file/below /proc/x missing/x . /dev/null file/".split(' ') {
            for line in ["login T", "token T --json"] {
                let command = scene.command(&format!("{line} -o {place}"));
                let promise = before_any_request(7, &["hint", place.trim_end_matches('/')]);
                hold(48, scene, command, &promise);
            }
        }
    });
}

#[test]
fn a_store_where_no_folder_can_be() {
    each(|scene| {
        scene.source("file", "mine");
        for place in ["file:file", "file:file/below", "file:/proc/x"] {
            welcome(scene);
            let says = ["the session is not stored", &place[5..]];
            let promise = delivered(scene).entry(Kept::Same).says(&says);
            scene.hold(48, &format!("token T --store {place}"), &promise);
        }
    });
}

#[test]
fn a_link_in_the_files_place() {
    each(|scene| {
        scene.source("victim", "mine");
        fs::create_dir(scene.machine.path("folder")).expect("a folder");
        let links = [
            "to-victim victim",
            "dangling nothing",
            "to-folder folder",
            "loop loop",
        ];
        for (name, to) in links.map(|link| link.split_once(' ').expect("two")) {
            let link = scene.machine.path(name);
            symlink(to, &link).expect("a link");
            scene.own(&link);
            for line in ["login T", "token T"] {
                let promise = before_any_request(7, &["is a symbolic link", name, "hint"]);
                scene.hold(49, &format!("{line} -o {name}"), &promise);
            }
        }
        assert_eq!(scene.machine.text("victim"), "mine");
    });
}

/// A login into a file that goes well.
fn into_file(scene: &Scene, name: &str, says: &[&str]) -> Promise {
    welcome(scene);
    let mut promise = Promise::exit(0).says(says).replaced();
    promise.sinks = vec![scene.machine.path(name)];
    if name == SESSION_FILE {
        promise.file = Kept::Replaced;
    }
    promise
}

#[test]
fn a_file_that_others_could_read() {
    each(|scene| {
        let file = scene.machine.path(SESSION_FILE);
        for before in [0o644, 0o666, 0o640, 0o777] {
            set_mode(&file, before);
            let told = "session.txt was readable by others; it is 0600 now";
            let promise = into_file(scene, SESSION_FILE, &[told]);
            let run = keep(50, scene, scene.command("login T --save"), &promise);
            assert_eq!(mode(&file), 0o600, "row 50");
            assert_eq!(scene.machine.text(SESSION_FILE), scene.given().token);
            scene.restore(&run);
        }
    });
}

#[test]
fn a_folder_that_others_may_write() {
    each(|scene| {
        let folder = scene.machine.path("open");
        fs::create_dir(&folder).expect("a folder");
        for (bits, warned) in [(0o777, true), (0o1777, false)] {
            set_mode(&folder, bits);
            let promise = into_file(scene, "open/new", &[]);
            let promise = match warned {
                true => promise.says(&["the directory is writable by others"]),
                false => promise.unsaid(&["writable by others"]),
            };
            let run = keep(51, scene, scene.command("login T -o open/new"), &promise);
            assert_eq!(mode(&folder.join("new")), 0o600, "row 51");
            scene.restore(&run);
        }
    });
}

#[test]
fn any_umask() {
    each(|scene| {
        let folder = store(&scene.machine);
        for umask in ["000", "777", "277"] {
            fs::remove_dir_all(&folder).expect("a store");
            let promise = into_file(scene, "new", &[]);
            let command = script(scene, &format!("umask {umask}; crmauth login T -o new"));
            keep(52, scene, command, &promise);
            let new = scene.machine.path("new");
            let entries = stored::stored(&scene.machine, ".json");
            assert!(!entries.is_empty(), "row 52: umask {umask}");
            for file in entries.iter().chain([&new]) {
                assert_eq!(mode(file), 0o600, "row 52: {}", file.display());
            }
            assert_eq!(mode(&folder), 0o700, "row 52: umask {umask}");
            fs::remove_file(new).expect("a file");
        }
    });
}
