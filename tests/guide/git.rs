//! The file that the guided login writes is kept out of git, whatever the repository holds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::{KEY, TOKEN, bare};
use crate::support::machine::{holds, installed, make_pipe, set_mode};
use crate::support::terminal::Left;
use crate::support::{Machine, Server, Terminal, canned};

/// Logs in at a terminal and has the password written to `./.env`; what is left of it.
fn saves(machine: &mut Machine) -> Left {
    let server = Server::start(vec![canned::zeev(TOKEN)]);
    machine.set("ZEEV_URL", &server.url());
    machine.set("ZEEV_USERNAME", "ana");
    let mut terminal = Terminal::start(machine.command(&["login", "zeev"]), 400);
    terminal.asks("(not shown): ", KEY);
    terminal.asks("Write ZEEV_PASSWORD to ./.env? [Y/n] ", "y");
    let left = terminal.exits(0);
    assert!(machine.path(".env").exists(), "{}", left.output);
    left
}

fn git(machine: &Machine, folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(folder);
    git.env("HOME", machine.root().join("home"));
    assert!(git.status().expect("git starts").success(), "{arguments:?}");
}

/// A program that runs in place of git.
fn in_place_of_git(machine: &mut Machine, script: &str) {
    let bin = machine.root().join("bin");
    fs::create_dir(&bin).expect("a folder");
    fs::write(bin.join("git"), format!("#!/bin/sh\n{script}\n")).expect("a file");
    set_mode(&bin.join("git"), 0o755);
    machine.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
}

#[test]
fn git_itself_says_whether_the_file_is_ignored() {
    if !installed("git") {
        return;
    }
    const PLAIN: &[u8] = b"target\n";
    const LATIN: &[u8] = b"# configura\xe7\xe3o\n*.log";
    for (rules, after) in [
        (PLAIN, &b"target\n.env\n"[..]),
        (b"", b".env\n"),
        (b"*.env\n!.env\n", b"*.env\n!.env\n.env\n"),
        (b".env/\r\n#x", b".env/\r\n#x\r\n.env\r\n"),
        (LATIN, b"# configura\xe7\xe3o\n*.log\n.env\n"),
        (b".env*", b".env*"),
        (b"/.e[mn]v\r\n", b"/.e[mn]v\r\n"),
        (b"*\n!.gitignore\n", b"*\n!.gitignore\n"),
    ] {
        let mut machine = bare();
        git(&machine, &machine.work(), &["init", "-q"]);
        machine.write(".gitignore", rules);
        let left = saves(&mut machine);
        let written = fs::read(machine.path(".gitignore")).expect("a file");
        let [shown, expected] = [&*written, after].map(String::from_utf8_lossy);
        assert_eq!(shown, expected);
        let told = left.output.contains("keeps it out of git");
        assert_eq!(told, rules != after, "{}", left.output);
    }
    // Rules that stand elsewhere: in the folder above, in the repository, with the person.
    for place in ".gitignore .git/info/exclude home/.config/git/ignore nowhere".split(' ') {
        let mut machine = bare();
        git(&machine, machine.root(), &["init", "-q"]);
        let path = machine.root().join(place);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, ".env\n").expect("a file");
        saves(&mut machine);
        let made = machine.path(".gitignore").exists();
        assert_eq!(made, place == "nowhere", "{place}");
    }
    let mut machine = bare();
    saves(&mut machine);
    // No repository, nothing to ignore.
    assert_eq!(machine.files(), [".env"]);
}

#[test]
fn where_git_cannot_tell_the_line_is_written_once() {
    for script in ["exit 128", "kill -9 $$", "exec tail -f /dev/null"] {
        for (rules, after) in [("", ".env\n"), ("a\n.env \nb\n", "a\n.env \nb\n")] {
            let mut machine = bare();
            in_place_of_git(&mut machine, script);
            fs::create_dir(machine.path(".git")).expect("a folder");
            machine.write(".gitignore", rules);
            saves(&mut machine);
            assert_eq!(machine.text(".gitignore"), after, "{script}");
        }
    }
    let mut machine = bare();
    fs::create_dir(machine.path(".git")).expect("a folder");
    symlink("/usr/bin/setsid", machine.path("setsid")).expect("a link");
    machine.set("PATH", &machine.work().display().to_string());
    saves(&mut machine);
    assert_eq!(machine.text(".gitignore"), ".env\n");
}

#[test]
fn a_hostile_repository_neither_stops_the_login_nor_leads_it_astray() {
    if !installed("git") {
        return;
    }
    let stars = ["*".repeat(2000).as_str(), "x\n"].concat();
    let mut machine = bare();
    git(&machine, &machine.work(), &["init", "-q"]);
    machine.write(".gitignore", &stars);
    saves(&mut machine);
    assert_eq!(machine.text(".gitignore"), stars + ".env\n");

    type Plant = fn(&Path);
    let (link, other) = ("it is a symbolic link", "it is not a regular file");
    let precious: Plant = |rules| symlink("precious", rules).expect("a link");
    for (plant, why) in [
        (precious, link),
        (|rules| symlink("nowhere", rules).expect("a link"), link),
        (|rules| make_pipe(rules), other),
        (|rules| fs::create_dir(rules).expect("a folder"), other),
    ] {
        let mut machine = bare();
        git(&machine, &machine.work(), &["init", "-q"]);
        machine.write("precious", "# mine\n");
        plant(&machine.path(".gitignore"));
        let left = saves(&mut machine);
        let warning = "warning: git does not ignore ./.env, and .gitignore cannot be written";
        holds(&left.output, &[&format!("{warning} ({why})")]);
        assert_eq!(machine.text("precious"), "# mine\n");
        assert!(!machine.path("nowhere").exists());
    }

    // What the repository's own configuration names is not run.
    let mut machine = bare();
    git(&machine, &machine.work(), &["init", "-q"]);
    let add = ["add", "--intent-to-add", "--", "."];
    git(&machine, &machine.work(), &add);
    let monitor = ["config", "core.fsmonitor", "touch ran; false"];
    git(&machine, &machine.work(), &monitor);
    saves(&mut machine);
    assert!(!machine.path("ran").exists(), "{:?}", machine.files());
}
