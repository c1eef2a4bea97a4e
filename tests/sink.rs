//! Where output goes: what is refused, what is replaced, and what a failure leaves behind.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crmauth::error::Cause;
use crmauth::i18n::Text;
use crmauth::output::file::Replacement;
use tempfile::TempDir;

use crate::support::machine::make_pipe;
use crate::support::{Machine, Server, canned, cells, program};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn file(path: &Path) -> crmauth::error::Result<Replacement> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime")
        .block_on(Replacement::open(path.to_owned()))
}

fn write(file: Replacement, text: &str) -> crmauth::error::Result<Vec<Text>> {
    file.write(text.as_bytes())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_file_is_ours_alone() {
    let dir = folder();
    let path = dir.path().join("session.txt");
    let sink = file(&path).expect("a sink");
    assert!(
        !path.exists(),
        "the file must not appear before it is whole"
    );
    assert!(write(sink, "t1").expect("written").is_empty());
    assert_eq!(fs::read(&path).expect("a file"), b"t1");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(dir.path()), ["session.txt"]);
}

#[test]
fn a_file_without_a_folder_in_its_name_stands_in_this_one() {
    let dir = folder();
    let output = child(dir.path(), "true", "plain")
        .output()
        .expect("a child");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(names(dir.path()), ["session.txt"]);
}

#[test]
fn a_file_that_others_could_read_is_closed_and_told() {
    let dir = folder();
    let path = dir.path().join("session.txt");
    fs::write(&path, "old").expect("a file");
    set_mode(&path, 0o644);
    let sink = file(&path).expect("a sink");
    assert_eq!(fs::read(&path).expect("a file"), b"old");
    let warnings = write(sink, "new").expect("written");
    let warnings: Vec<String> = warnings.iter().map(Text::english).collect();
    assert_eq!(
        warnings,
        [format!(
            "{} was readable by others; it is 0600 now",
            path.display()
        )]
    );
    assert_eq!(
        (mode(&path), fs::read(&path).expect("a file")),
        (0o600, b"new".to_vec())
    );
}

#[test]
fn a_folder_that_others_can_write_is_told() {
    let dir = folder();
    let path = dir.path().join("session.txt");
    for (bits, told) in [(0o777, true), (0o1777, false), (0o775, false)] {
        set_mode(dir.path(), bits);
        let warnings = write(file(&path).expect("a sink"), "t").expect("written");
        assert_eq!(
            warnings
                .iter()
                .any(|w| w.english().contains("the directory is writable by others")),
            told,
            "{bits:o}: {warnings:?}"
        );
        assert_eq!(mode(&path), 0o600);
    }
}

#[test]
fn nothing_but_a_regular_file_is_replaced() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("victim"), "precious").expect("a file");
    fs::create_dir(at("folder")).expect("a folder");
    symlink(at("victim"), at("to-file")).expect("a link");
    symlink(at("folder"), at("to-folder")).expect("a link");
    symlink(at("nowhere"), at("dangling")).expect("a link");
    symlink(at("loop"), at("loop")).expect("a link");
    make_pipe(&at("fifo"));
    let before = names(dir.path());
    for [name, why] in cells([
        "to-file | is a symbolic link",
        "to-folder | is a symbolic link",
        "dangling | is a symbolic link",
        "loop | is a symbolic link",
        "folder | is a directory",
        "folder/ | is a directory",
        "new/ | is a directory",
        "folder/.. | is a directory",
        "fifo | is not a regular file but a pipe, a device or a socket",
        "/dev/null | is not a regular file but a pipe, a device or a socket",
        "victim/x | cannot be examined: a part of its path is not a folder",
        "missing/x | cannot be written: no such file or folder",
    ]) {
        let path = at(name);
        let error = file(&path).err().expect(name);
        assert_eq!(error.cause, Cause::Storage, "{name}");
        assert_eq!(
            error.message.english(),
            format!("{} {why}", path.display()),
            "{name}"
        );
        assert!(error.hint.is_some(), "{name}");
    }
    assert_eq!(
        file(Path::new("")).err().expect("an error").cause,
        Cause::Usage
    );
    assert_eq!(names(dir.path()), before);
    assert_eq!(fs::read(at("victim")).expect("a file"), b"precious");
    assert!(
        fs::symlink_metadata("/dev/null")
            .expect("a device")
            .file_type()
            .is_char_device()
    );
}

#[test]
fn a_folder_that_takes_no_file_is_found_out_at_once() {
    let error = file(Path::new("/proc/session.txt"))
        .err()
        .expect("an error");
    assert_eq!(error.cause, Cause::Storage);
    assert!(
        error
            .message
            .english()
            .starts_with("/proc/session.txt cannot be written")
    );
}

#[test]
fn what_came_in_between_is_not_written_over() {
    let dir = folder();
    let path = dir.path().join("session.txt");
    let victim = dir.path().join("victim");
    fs::write(&victim, "precious").expect("a file");

    let sink = file(&path).expect("a sink");
    symlink(&victim, &path).expect("a link");
    assert_eq!(write(sink, "t").expect_err("a link").cause, Cause::Storage);
    assert_eq!(fs::read(&victim).expect("a file"), b"precious");
    fs::remove_file(&path).expect("no link");

    let sink = file(&path).expect("a sink");
    fs::create_dir(&path).expect("a folder");
    assert_eq!(
        write(sink, "t").expect_err("a folder").cause,
        Cause::Storage
    );
    assert_eq!(names(dir.path()), ["session.txt", "victim"]);
}

#[test]
fn a_folder_that_vanished_is_an_error() {
    let dir = folder();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).expect("a folder");
    let sink = file(&inner.join("session.txt")).expect("a sink");
    fs::remove_dir_all(&inner).expect("no folder");
    assert_eq!(
        write(sink, "t").expect_err("no folder").cause,
        Cause::Storage
    );
    assert!(!inner.exists());
}

#[test]
fn a_sink_that_is_not_used_leaves_nothing() {
    let dir = folder();
    let path = dir.path().join("session.txt");
    fs::write(&path, "old").expect("a file");
    let sink = file(&path).expect("a sink");
    assert_eq!(names(dir.path()).len(), 2);
    drop(sink);
    assert_eq!(names(dir.path()), ["session.txt"]);
    assert_eq!(fs::read(&path).expect("a file"), b"old");
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let dir = folder();
    let path = dir.path().join("session.txt");
    fs::write(&path, "old").expect("a file");
    for limit in ["0", "1"] {
        let output = child(
            dir.path(),
            &format!("trap '' XFSZ; ulimit -f {limit}"),
            "json",
        )
        .output()
        .expect("a child");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("session.txt cannot be written"), "{said}");
        assert_eq!(fs::read(&path).expect("a file"), b"old");
        assert_eq!(names(dir.path()), ["session.txt"]);
    }
}

#[test]
fn the_umask_changes_nothing() {
    for umask in ["000", "777"] {
        let dir = folder();
        let output = child(dir.path(), &format!("umask {umask}"), "plain")
            .output()
            .expect("a child");
        assert!(output.status.success(), "{output:?}");
        let path = dir.path().join("session.txt");
        assert_eq!(mode(&path), 0o600);
        assert!(fs::read(&path).expect("a file").starts_with(b"eyJ"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_a_mount_is_found_out_before_the_login() {
    let dir = folder();
    let path = dir.path().join("session.txt");
    fs::write(&path, "old").expect("a file");
    let before = "touch x && mount --bind x session.txt && echo mounted >&2";
    let child = child(dir.path(), before, "plain");
    let output = Command::new("unshare")
        .args(["-rm", "bash"])
        .args(child.get_args())
        .current_dir(dir.path())
        .output();
    let said = output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    // Not every system lets us mount, even in a namespace of our own.
    if said.contains("mounted") {
        assert!(said.contains("session.txt is a mount point"), "{said}");
    }
    assert_eq!(fs::read(&path).expect("a file"), b"old");
}

/// The program in a shell that has done `before`: limits and umask are a whole process's.
fn child(folder: &Path, before: &str, format: &str) -> Command {
    let mut command = Command::new("bash");
    command
        .current_dir(folder)
        .arg("-c")
        .arg(format!(
            "{before}; exec \"$0\" login hellocloud --sandbox -o session.txt -f {format}"
        ))
        .arg(program())
        .env("TMPDIR", folder);
    command
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_appended_where_the_masks_did_not_get_out() {
    let server = Server::start(vec![canned::zeev("t0kenBehindNoMask")]);
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana PASSWORD=Pw9maskless");
    machine.canary("t0kenBehindNoMask").set("GITHUB_ENV", "env");
    machine.write("env", "B=2\n");
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device");
    let command = machine.command(&["login", "zeev", "-f", "github"]);
    let outcome = machine.end(machine.start_onto(command, full));
    assert_eq!(outcome.code, 7, "{outcome}");
    assert_eq!(
        fs::read_to_string(machine.path("env")).expect("a file"),
        "B=2\n"
    );
}
