//! `crmauth exec`: what a command finds in its environment or its files, and how it ends.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::machine::{PATH, feed, holds, mode, pause, set_mode, signal};
use crate::support::sandbox::Servers;
use crate::support::stored::{cached, edit, five_at, from_now, logins, store, systems};
use crate::support::{
    Machine, Outcome, Reply, Server, Terminal, at, canned, cells, demo, digits, rows, zeev_at,
};

/// A machine with a Zeev session at a server that takes no more than its login.
fn zeev() -> (Server, Machine) {
    let server = Server::start(vec![canned::zeev("Zv5token1Qm")]);
    let machine = zeev_at(&server);
    machine.run("login zeev").answer();
    (server, machine)
}

/// Arguments with a command behind them.
fn with<'a>(line: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let command = command.iter().copied();
    line.split(' ').chain(["--"]).chain(command).collect()
}

/// Runs a shell's script under a line of ours.
fn sh(machine: &Machine, line: &str, script: &str) -> Outcome {
    machine.run_args(&with(line, &["sh", "-c", script]))
}

/// `NAME=value` lines, sorted; the format env puts quotes around the values.
fn variables(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = text
        .lines()
        .map(|line| line.split_once('=').expect("a variable"))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect();
    found.sort();
    found
}

/// A running `exec` whose command has printed a line and waits for its stdin to end.
struct Waiting<'a> {
    machine: &'a Machine,
    child: Child,
    line: String,
    stdout: BufReader<ChildStdout>,
}

impl<'a> Waiting<'a> {
    fn start(machine: &'a Machine, arguments: &[&str]) -> Self {
        let mut command = machine.command(arguments);
        command.stdin(Stdio::piped());
        let mut child = machine.start(command);
        let mut stdout = BufReader::new(child.stdout.take().expect("a stdout"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        if line.is_empty() {
            let outcome = machine.end(child);
            panic!("the command said nothing: {outcome:?}");
        }
        Self {
            machine,
            child,
            line: line.trim_end().to_owned(),
            stdout,
        }
    }

    /// The same with a shell's script under a line of ours.
    fn sh(machine: &'a Machine, line: &str, script: &str) -> Self {
        Self::start(machine, &with(line, &["sh", "-c", script]))
    }

    /// Lets the command end; returns the exit code, what else it printed, and stderr.
    fn end(mut self) -> (i32, String, String) {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Waits for the end with stdin open; a command that was left behind gets its end of input at last.
    fn wait(mut self) -> (i32, String, String) {
        let stdin = self.child.stdin.take();
        let (_done, over) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let _ = over.recv_timeout(Duration::from_secs(30));
            drop(stdin);
        });
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("output");
        let outcome = self.machine.end(self.child);
        (outcome.code, rest, outcome.stderr)
    }
}

/// The variables that name each system's file.
fn token_files() -> String {
    let names = systems().into_iter();
    let names = names.map(|name| format!("${}_TOKEN_FILE", name.to_uppercase()));
    names.collect::<Vec<_>>().join(" ")
}

/// A command that prints the path of a token's file and then waits.
fn print_file(system: &str) -> String {
    let prefix = system.to_uppercase();
    format!("echo \"${prefix}_TOKEN_FILE\"; read x; exit 3")
}

#[test]
fn the_command_has_the_variables_of_env_and_no_secret() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login --all").answer();
    // Sessions of an outer run that nobody asks for, and what was meant to be a secret, too.
    for line in [
        "GLUO__FILIAL__ACCESS_KEY_CMD ZEEV__OUTRA__PASSWORD_FILE ZEEV__ROBO__API_TOKEN",
        "HELLOCLOUD__X__CLIENT_SECRET SYSTEMSWAY__X__PASSWORD_SHA256_CMD",
        "BROKER__X__PARTNER_TOKEN_FILE BROKER__X__PARTNER_PASSWORD",
        "CRMAUTH_STORE_KEY CRMAUTH_STORE_KEY_FILE CRMAUTH_STORE_KEY_CMD",
        "ZEEV_TOKEN ZEEV__ROBO__TOKEN BROKER__X__TOKEN_EXPIRES_AT GLUO_TOKEN_FILE",
        "GLUO_ACESS_KEY gluo_access_key GLUO_PASSWORD ZEEV__ROBO__PASWORD SystemsWay_Senha",
    ] {
        for name in line.split(' ') {
            machine.set(name, "Secret1Qw");
        }
    }
    let kept = "MINE GLUON_ACCESS_KEY ZEEV_NOTE GLUO__FILIAL__USERNAME".split(' ');
    let kept = kept
        .map(|name| (name, "kept"))
        .chain([("CRMAUTH_LANG", "en")]);
    for (name, value) in kept.clone() {
        machine.set(name, value);
    }
    // Of the demo settings those that hold no secret stay.
    let secret = ["ACCESS_KEY", "PASSWORD", "SECRET"];
    let ours = |name: &str| secret.iter().any(|end| name.ends_with(end));
    let demo = servers.demo().filter(|(name, _)| !ours(name));
    let surroundings = [("PATH", PATH), ("RUST_BACKTRACE", "1"), ("TZ", "UTC0")];
    let rest = demo.chain(kept).chain(surroundings);
    let rest = rest.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let rest: Vec<(String, String)> = rest.collect();
    let seen = |targets: &str| -> Vec<(String, String)> {
        let seen = machine.run(&format!("exec {targets} -q -- env"));
        let mut seen = variables(seen.answer());
        seen.retain(|(name, _)| !["HOME", "TMPDIR"].contains(&name.as_str()));
        seen
    };
    let mut all: Vec<(String, String)> = Vec::new();
    for system in systems() {
        let session = variables(machine.run(&format!("token {system} -f env -q")).answer());
        let token = session.iter().any(|(name, _)| name.ends_with("_TOKEN"));
        assert!(token, "{session:?}");
        let mut expected = [session.clone(), rest.clone()].concat();
        expected.sort();
        expected.dedup();
        assert_eq!(seen(system), expected, "{system}");
        all.extend(session);
    }
    all.extend(rest);
    all.sort();
    all.dedup();
    let backwards: Vec<&str> = systems().into_iter().rev().collect();
    assert_eq!(seen(&format!("{} gluocrm", backwards.join(" "))), all);
}

#[test]
fn variables_of_an_outer_run_do_not_stay() {
    let (_server, mut machine) = zeev();
    for name in ["TOKEN", "TOKEN_EXPIRES_AT", "TOKEN_FILE"] {
        machine.set(&format!("ZEEV_{name}"), "/outer");
    }
    let script = "echo ${ZEEV_TOKEN-none} ${ZEEV_TOKEN_EXPIRES_AT-none} ${ZEEV_TOKEN_FILE-none}";
    let outcome = sh(&machine, "exec zeev", script);
    let words: Vec<&str> = outcome.answer().split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("Zv5token1Qm", "none"), "{words:?}");
    assert!(words[1].ends_with('Z'), "{words:?}");
    let outcome = sh(&machine, "exec zeev --token-file", script);
    let words: Vec<&str> = outcome.answer().split_whitespace().collect();
    assert_eq!(words[..2], ["none", "none"]);
    assert!(words[2].ends_with("/ZEEV_TOKEN"), "{words:?}");
}

/// Nor variables of systems that are not set up here, or a store's password if the run does without the store.
#[test]
fn nothing_of_an_outer_run_is_handed_on() {
    let server = Server::start(vec![canned::zeev("Zv5token2Qm")]);
    let mut machine = zeev_at(&server);
    // Their URLs may be in another folder's .env.
    let others = "GLUO_TOKEN BROKER__X__TOKEN_FILE SYSTEMSWAY_TOKEN_EXPIRES_AT GLUO_ACCESS_KEY \
                  HELLOCLOUD__X__CLIENT_SECRET SYSTEMSWAY_PASSWORD_SHA256_CMD Hellocloud_Senha";
    for name in others.split(' ') {
        machine.set(name, "/outer");
    }
    machine.set("BROKER_PASSWORD", "celery's");
    machine.set("CRMAUTH_STORE", "redis://ana:Secret6Qw@127.0.0.1:1/0");
    let outcome = machine.run_args(&with("exec zeev --no-store", &["env"]));
    let seen = variables(outcome.answer());
    let theirs = seen.iter().any(|(_, value)| value.contains("outer"));
    assert!(!theirs, "{seen:?}");
    for (name, value) in [
        ("CRMAUTH_STORE", "redis://127.0.0.1:1/0"),
        ("BROKER_PASSWORD", "celery's"),
    ] {
        let kept = (name.to_owned(), value.to_owned());
        assert!(seen.contains(&kept), "{seen:?}");
    }
}

#[test]
fn a_stores_place_is_handed_on_without_its_password() {
    let places = [
        "redis://:pw@host:7/1 | redis://host:7/1",
        "rediss://u:p@w/@host | rediss://host",
        "redis:pw@host | redis://host",
        "redis://host:7 | redis://host:7",
        "file:/home/me@corp/store | file:/home/me@corp/store",
    ];
    let server = Server::start(vec![canned::zeev("Zv5token2Qm"); places.len()]);
    let mut machine = zeev_at(&server);
    for [place, handed_on] in cells(places) {
        machine.set("CRMAUTH_STORE", place);
        let outcome = sh(&machine, "exec zeev --no-store", "echo $CRMAUTH_STORE");
        assert_eq!(outcome.answer().trim_end(), handed_on);
    }
}

#[test]
fn an_account_has_its_own_variables() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    let robo = "ZEEV__ROBO__API_TOKEN";
    machine.set(robo, servers.setting(robo));
    let script =
        "test \"$ZEEV__ROBO__TOKEN\" != \"$ZEEV_TOKEN\" && echo $ZEEV__ROBO__TOKEN $ZEEV_TOKEN";
    let outcome = sh(&machine, "exec zeev zeev@robo", script);
    assert_eq!(outcome.answer().split_whitespace().count(), 2);
}

#[test]
fn the_command_takes_the_place_of_crmauth() {
    let (_server, machine) = zeev();
    let child = machine.start(machine.command(&with("exec zeev", &["sh", "-c", "echo $$"])));
    let id = child.id();
    assert_eq!(machine.end(child).answer(), format!("{id}\n"));
}

#[test]
fn its_end_is_the_commands() {
    let (_server, machine) = zeev();
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
        for files in ["", " --token-file"] {
            let outcome = sh(&machine, &format!("exec zeev{files}"), script);
            assert_eq!(
                (outcome.code, outcome.stderr.as_str()),
                (code, ""),
                "{script}{files}"
            );
        }
    }
    for (name, number) in [("TERM", 15), ("KILL", 9), ("PIPE", 13)] {
        let script = format!("kill -{name} $$; echo still here");
        let mut command = machine.command(&with("exec zeev", &["sh", "-c", &script]));
        let ended = command.output().expect("a run");
        let left = (ended.status.signal(), ended.stdout);
        assert_eq!(left, (Some(number), Vec::new()), "{name}");
        let shell = format!("crmauth exec zeev -- sh -c '{script}'; echo $?");
        let seen = machine.shell("sh", &shell);
        assert_eq!(seen.stdout, format!("{}\n", 128 + number), "{name}");
        let waited = sh(&machine, "exec zeev --token-file", &script);
        waited.gives(128 + number, "", name);
    }
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let (_server, machine) = zeev();
    let words = [
        "", " a  b ", "*", "$HOME", "'\"\\", "a\nb", "--", "--json", "-q", "--help", "çãé",
    ];
    for files in ["", " --token-file"] {
        let mut command = machine.command(&with(&format!("exec zeev{files}"), &["printf", "%s|"]));
        command
            .args(words)
            .arg(OsString::from_vec(vec![0xff, 0xfe]));
        let ended = command.output().expect("a run");
        let mut expected = words.join("|").into_bytes();
        expected.extend_from_slice(b"|\xff\xfe|");
        assert_eq!(ended.stdout, expected);
    }
    // The command's own name is the one typed.
    let outcome = machine.run_args(&with("exec zeev", &["cat", "/proc/self/cmdline"]));
    assert_eq!(outcome.answer(), "cat\0/proc/self/cmdline\0");
}

#[test]
fn stdin_is_the_commands() {
    let (_server, machine) = zeev();
    for files in ["", " --token-file"] {
        let mut command = machine.command(&with(&format!("exec zeev{files}"), &["cat"]));
        command.stdin(Stdio::piped());
        let mut child = machine.start(command);
        feed(&mut child, "one\ntwo\0\nç");
        assert_eq!(machine.end(child).answer(), "one\ntwo\0\nç");
    }
}

#[test]
fn without_a_session_the_command_does_not_run() {
    let server = Server::start(vec![canned::zeev_refuses()]);
    let mut machine = zeev_at(&server);
    let never = |machine: &Machine, line: &str, texts: &[&str]| {
        let outcome = machine.run_args(&with(line, &["touch", "ran"]));
        outcome.fails(125, texts);
    };
    never(
        &machine,
        "exec zeev",
        &["error: zeev: ", "refused", "hint: "],
    );
    // A good session does not make up for one that is missing, and each failure is told.
    let (_other, good) = zeev();
    let missing = [
        "error: gluo: ",
        "GLUO_URL",
        "error: hellocloud: ",
        "HELLOCLOUD_URL",
    ];
    never(&good, "exec zeev gluo hellocloud", &missing);
    for [line, text] in rows(
        "exec nosuch | nosuch
        exec gluo --as ana | --as works with zeev
        exec zeev --env-file none.env | none.env
        exec zeev --store nowhere:x | --store",
    ) {
        never(&machine, line, &["error: ", text]);
    }
    never(
        &machine,
        "exec nosuch --json",
        &[r#"{"error":{"code":"usage""#],
    );
    machine.set("ZEEV_URL", "ftp://x");
    never(&machine, "exec zeev", &["ZEEV_URL"]);
    assert_eq!([machine.files(), good.files()].concat(), [""; 0]);
}

#[test]
fn a_command_line_that_makes_no_sense_has_no_code_of_a_commands() {
    let machine = Machine::new();
    for line in [
        "exec",
        "exec zeev",
        "exec zeev --",
        "exec --nosuch zeev -- true",
        "exec zeev --min-ttl x -- true",
    ] {
        machine.run(line).fails(125, &["error: "]);
        machine.fails(&format!("-q --timeout 5 {line}"), 125, &["error: "]);
    }
    machine.fails("login zeev --nosuch", 2, &["error: "]);
    machine.fails("sandbox --nosuch -- exec", 2, &["error: "]);
    let help = machine.run("exec --help");
    assert!(help.answer().contains("125 crmauth failed"));
}

#[test]
fn a_command_that_cannot_run_is_found_out_before_any_login() {
    let server = Server::start(Vec::new());
    let mut machine = zeev_at(&server);
    for (name, text, mode) in [
        ("not executable", "", 0o600),
        ("import.sh", "#!/bin/sh\n", 0o600),
        ("no-interpreter", "#! /no/such/python3 -u\n", 0o700),
        ("windows", "#!/bin/sh\r\n:\r\n", 0o700),
    ] {
        set_mode(&machine.write(name, text), mode);
    }
    fs::create_dir(machine.path("folder")).expect("a folder");
    let folder = machine.path("folder").display().to_string();
    machine.set("PATH", &format!("{folder}:/bin"));
    set_mode(&machine.write("folder/plain", ""), 0o600);
    let lines = [
        "exec zeev",
        "exec zeev --token-file",
        "exec zeev --sandbox",
        "sandbox",
        "proxy zeev",
    ];
    for line in lines {
        for [command, code, said] in rows(
            "no-such-command | 127 | hint: check its name and PATH
            ./no-such-file | 127 | error
            /no/such/file | 127 | error
             | 127 | error
            import.sh | 127 | hint: to run the file in this folder, write ./import.sh
            not executable | 127 | write './not executable'
            folder | 127 | hint: check its name and PATH
            ./not executable | 126 | hint: `chmod +x './not executable'` makes it executable
            ./import.sh | 126 | `chmod +x ./import.sh`
            plain | 126 | `chmod +x FOLDER/plain`
            ./folder | 126 | it is a folder
            / | 126 | it is a folder
            ./no-interpreter | 126 | its interpreter `/no/such/python3` does not exist^hint: check the first line
            ./windows | 126 | its interpreter `/bin/sh` does not exist^hint: check the first line of ./windows; \
             it must end with LF",
        ) {
            let said = said.replace('^', "\n").replace("FOLDER", &folder);
            let outcome = machine.run_args(&with(line, &[command, "x"]));
            outcome.fails(digits(code), &["error: ", &format!("`{command}`"), &said, "hint: "]);
        }
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn commands_are_found_as_a_shell_finds_them() {
    let (_server, mut machine) = zeev();
    for folder in ["first", "second", "first/tool"] {
        fs::create_dir(machine.path(folder)).expect("a folder");
    }
    for (name, text, mode) in [
        ("second/tool", "second", 0o700),
        ("tool", "here", 0o700),
        ("first/plain", "first", 0o600),
    ] {
        let path = machine.write(name, format!("#!/bin/sh\necho {text} \"$0\"\n"));
        set_mode(&path, mode);
    }
    let path = format!("{}:second:/usr/bin:/bin", machine.path("first").display());
    machine.set("PATH", &path);
    machine.prints("exec zeev -- ./tool", "here ./tool\n");
    // A folder of that name, or a file that cannot be run, is passed over.
    let found = machine.run("exec zeev -- tool");
    assert!(found.answer().starts_with("second "));
    machine.fails("exec zeev -- plain", 126, &["`plain`"]);
    machine.unset("PATH");
    let mut command = machine.command(&with("exec zeev", &["sh", "-c", "echo found"]));
    command.env_remove("PATH");
    assert_eq!(machine.finish(command).answer(), "found\n");
}

#[test]
fn the_session_may_be_another_persons() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    // The configured user's session is another one, and it stays so.
    for (line, user) in [
        ("exec zeev --as maria.souza", "maria.souza"),
        ("exec zeev", "integracao"),
    ] {
        let outcome = sh(&machine, line, "echo $ZEEV_TOKEN");
        let token = Some(outcome.answer().trim_end());
        let person = servers.call("zeev", "GET", "/api/2/tokens", token);
        assert_eq!(person.json()["username"], user);
    }
}

#[test]
fn a_session_that_ends_too_soon_is_replaced() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    let token = |line: &str| {
        let outcome = machine.run_args(&with(line, &["sh", "-c", "echo $HELLOCLOUD_TOKEN"]));
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        (outcome.stdout, outcome.stderr)
    };
    let (first, _) = token("exec hellocloud");
    assert_eq!(token("exec hellocloud"), (first.clone(), String::new()));
    let ending = |entry: &mut Value| entry["expires_at"] = from_now(90);
    edit(&machine, "hellocloud", ending);
    assert_eq!(token("exec hellocloud").0, first);
    let (second, _) = token("exec hellocloud --min-ttl 120");
    assert_ne!(second, first);
    let (third, warning) = token("exec hellocloud --min-ttl 7200");
    assert_ne!(third, second);
    assert!(warning.contains("--min-ttl 7200"), "{warning}");
}

#[test]
fn the_sandbox_lives_as_long_as_the_command() {
    let machine = Machine::new();
    for system in systems() {
        let prefix = system.to_uppercase();
        let script = format!("echo $PPID ${prefix}_URL ${prefix}_TOKEN; read x; exit 7");
        let run = Waiting::sh(&machine, &format!("exec {system} --sandbox"), &script);
        let words: Vec<String> = run.line.split(' ').map(str::to_owned).collect();
        let id = run.child.id().to_string();
        assert_eq!(words[0], id, "the servers' process stays");
        assert!(alive(system, &words[1], &words[2]), "{system}");
        assert_eq!(run.end(), (7, String::new(), String::new()), "{system}");
    }
    assert!(!store(&machine).exists(), "the sandbox stores nothing");
    let script = "kill -TERM $$";
    assert_eq!(
        machine
            .run_args(&with("exec gluo --sandbox", &["sh", "-c", script]))
            .code,
        143
    );
    let run = Waiting::sh(
        &machine,
        "exec gluo zeev --sandbox --token-file",
        &print_file("zeev"),
    );
    assert_eq!(fs::read(&run.line).expect("a token").len(), 64);
    assert_eq!(run.end().0, 3);
}

#[test]
fn signals_reach_the_command_once() {
    let (_server, mut machine) = zeev();
    machine.set("TMPDIR", machine.work().to_str().expect("UTF-8"));
    for line in ["exec zeev", "exec zeev --token-file", "exec zeev --sandbox"] {
        for (sent, name, code) in [
            (Signal::TERM, "TERM", 5),
            (Signal::INT, "INT", 6),
            (Signal::HUP, "HUP", 7),
            (Signal::QUIT, "QUIT", 8),
        ] {
            let script =
                format!("trap 'echo {name}; exit {code}' {name}; echo ready; read x; exit 1");
            let run = Waiting::sh(&machine, line, &script);
            signal(&run.child, sent);
            let said = format!("{name}\n");
            assert_eq!(run.wait(), (code, said, String::new()), "{line} {name}");
            assert_eq!(machine.files(), Vec::<String>::new(), "{line} {name}");
        }
    }
    // A command that takes its time is waited for; a second signal would be a second line.
    let script =
        "trap 'echo asked' TERM; echo ready; while ! read x; do test -e end && exit 4; done";
    let run = Waiting::sh(&machine, "exec zeev --token-file", script);
    signal(&run.child, Signal::TERM);
    let mut run = run;
    let mut asked = String::new();
    run.stdout.read_line(&mut asked).expect("a line");
    assert_eq!(asked, "asked\n");
    machine.write("end", "");
    assert_eq!(run.end(), (4, String::new(), String::new()));
}

#[test]
fn a_signal_during_the_login_ends_it() {
    for (sent, code) in [(Signal::INT, 130), (Signal::QUIT, 131), (Signal::TERM, 143)] {
        for files in ["", " --token-file"] {
            let server = Server::start(vec![Reply::Silence]);
            let machine = zeev_at(&server);
            let child = machine
                .start(machine.command(&with(&format!("exec zeev{files}"), &["touch", "ran"])));
            server.wait_for(1);
            signal(&child, sent);
            machine.end(child).fails(code, &["interrupted"]);
            assert_eq!(machine.files(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_token_file_is_private_and_goes_with_the_command() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login --all").answer();
    let temporary = machine.path("temporary");
    fs::create_dir(&temporary).expect("a folder");
    machine.set("TMPDIR", temporary.to_str().expect("UTF-8"));
    let line = format!("exec --token-file {}", systems().join(" "));
    let paths = token_files();
    let tokens = "env | grep -c -E '_TOKEN=|_EXPIRES_AT=|PASSWORD|ACCESS_KEY|CLIENT_SECRET'";
    let urls = "env | grep -c -E '^[A-Z]+_URL='";
    for (ending, code) in [
        ("read x; exit 3", 3),
        ("read x; kill -KILL $$", 137),
        ("trap 'exit 9' TERM; kill -TERM $PPID; read x; exit 1", 9),
    ] {
        let script = format!("echo {paths} $({tokens}) $({urls}); {ending}");
        let run = Waiting::sh(&machine, &line, &script);
        let words: Vec<String> = run.line.split(' ').map(str::to_owned).collect();
        let count = systems().len();
        assert_eq!(words[count..], ["0", &count.to_string()], "{words:?}");
        if code != 9 {
            for (system, path) in systems().iter().zip(&words) {
                let path = Path::new(path);
                let folder = path.parent().expect("a folder");
                assert_eq!((mode(path), mode(folder)), (0o600, 0o700));
                assert_eq!(folder.parent(), Some(temporary.as_path()));
                let stored = machine.run(&format!("token {system} --cached"));
                let token = stored.answer().trim_end().as_bytes();
                assert_eq!(fs::read(path).expect("a token"), token, "{system}");
            }
        }
        if code == 3 {
            // No lock is held while the command runs.
            machine.run("login zeev --timeout 10").answer();
        }
        let ended = if code == 9 { run.wait() } else { run.end() };
        assert_eq!(ended, (code, String::new(), String::new()), "{ending}");
        let left: Vec<_> = fs::read_dir(&temporary).expect("a folder").collect();
        assert!(left.is_empty(), "{ending}: {left:?}");
    }
}

#[test]
fn a_folder_of_tokens_does_not_outlive_a_kill_for_long() {
    let (_server, mut machine) = zeev();
    machine.set("TMPDIR", machine.work().to_str().expect("UTF-8"));
    let waiting = with(
        "exec zeev --token-file",
        &["sh", "-c", "echo $ZEEV_TOKEN_FILE; read x; exit 3"],
    );
    let folder_of = |run: &Waiting<'_>| {
        PathBuf::from(&run.line)
            .parent()
            .expect("a folder")
            .to_owned()
    };
    let again = || {
        machine
            .run("exec zeev --token-file -- true")
            .answer()
            .to_owned()
    };
    // What only looks like one of ours.
    for folder in [
        "crmauth-exec-backup",
        "crmauth-exec-",
        "crmauth-sandbox-aaaaaaaaaaaaaaaa",
        "target",
    ] {
        fs::create_dir(machine.path(folder)).expect("a folder");
    }
    machine.write("crmauth-exec-aaaaaaaaaaaaaaaa", "a file");
    std::os::unix::fs::symlink("target", machine.path("crmauth-exec-bbbbbbbbbbbbbbbb"))
        .expect("a link");
    let others = machine.files();
    let mut killed = Waiting::start(&machine, &waiting);
    let living = Waiting::start(&machine, &waiting);
    let (abandoned, held) = (folder_of(&killed), folder_of(&living));
    let stdin = killed.child.stdin.take();
    signal(&killed.child, Signal::KILL);
    killed.child.wait().expect("a status");
    again();
    assert!(
        abandoned.join("ZEEV_TOKEN").exists(),
        "its command still uses it"
    );
    let began = Instant::now();
    drop(stdin);
    while abandoned.exists() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the folder stays"
        );
        again();
    }
    assert!(
        held.join("ZEEV_TOKEN").exists(),
        "another's folder is left alone"
    );
    assert_eq!(living.end().0, 3);
    assert_eq!(machine.files(), others);
}

#[test]
fn without_room_for_the_file_the_command_does_not_run() {
    let (_server, mut machine) = zeev();
    machine.set("TMPDIR", "/no/such/folder");
    let outcome = machine.run_args(&with("exec zeev --token-file", &["touch", "ran"]));
    outcome.fails(125, &["error: cannot create a temporary folder"]);
    assert_eq!(machine.files(), Vec::<String>::new());
}

/// Asks a sandbox's system whether a token is alive.
fn alive(system: &str, url: &str, token: &str) -> bool {
    let host = url
        .strip_prefix("http://")
        .expect("http")
        .trim_end_matches('/');
    (demo::of(system).alive)(host, token)
}

/// A sandbox whose sessions last two seconds, by the real clock.
struct ShortLived {
    child: Child,
}

impl ShortLived {
    /// Starts it; its block goes into the file `.env`.
    fn start(machine: &Machine) -> Self {
        let mut child = machine.begin("sandbox --ttl 2");
        let mut errors = BufReader::new(child.stderr.take().expect("a stderr"));
        let mut line = String::new();
        errors.read_line(&mut line).expect("a line");
        // The log is read on, so that the pipe never fills.
        std::thread::spawn(move || errors.read_to_end(&mut Vec::new()));
        let mut block = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a stdout"));
        while !block.contains("ZEEV_PASSWORD=") {
            assert_ne!(stdout.read_line(&mut block).expect("a line"), 0, "{line}");
        }
        machine.write(".env", block);
        Self { child }
    }
}

impl Drop for ShortLived {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks until something is so. The real clock is the subject here.
#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "not in time: {what}"
        );
        pause(Duration::from_millis(50));
    }
}

#[test]
fn a_token_file_holds_a_live_token_past_three_expiries() {
    let machine = Machine::new();
    let sandbox = ShortLived::start(&machine);
    let script = "echo $HELLOCLOUD_TOKEN_FILE $HELLOCLOUD_URL $BROKER_TOKEN_FILE $BROKER_URL; read x; exit 3";
    let run = Waiting::sh(&machine, "exec hellocloud broker --token-file -q", script);
    let words: Vec<&str> = run.line.split(' ').collect();
    let began = Instant::now();
    let mut seen: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    // Six seconds are three expiries; five different tokens span as many.
    until("the tokens are renewed", || {
        let watched = ["hellocloud", "broker"].into_iter().zip(words.chunks(2));
        for ((system, place), seen) in watched.zip(&mut seen) {
            let (path, url) = (place[0], place[1]);
            let token = fs::read_to_string(path).expect("a token, whole at any time");
            // If it died between the look and the question, another stands in the file by now.
            let lives = alive(system, url, &token);
            let replaced = || fs::read_to_string(path).expect("a token") != token;
            assert!(lives || replaced(), "{system}: a dead token");
            if lives && !seen.contains(&token) {
                seen.push(token);
            }
        }
        let enough = seen.iter().all(|tokens| tokens.len() >= 5);
        enough && began.elapsed() >= Duration::from_millis(6500)
    });
    assert_eq!(run.end(), (3, String::new(), String::new()));
    drop(sandbox);
}

/// The store is looked at every few seconds: what another process does to a session shows soon, whenever it would end.
#[test]
fn a_token_file_follows_what_others_do_to_the_session() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    let line = format!("exec --token-file {}", systems().join(" "));
    let script = format!("echo {}; read x; exit 3", token_files());
    let run = Waiting::sh(&machine, &line, &script);
    let files: Vec<PathBuf> = run.line.split(' ').map(PathBuf::from).collect();
    let read = |file: &PathBuf| fs::read_to_string(file).expect("a token, whole at any time");
    let all = |what: &str, done: &dyn Fn(usize) -> bool| {
        for (at, system) in systems().into_iter().enumerate() {
            until(&format!("{system}: {what}"), || done(at));
        }
    };
    let first: Vec<String> = files.iter().map(read).collect();

    machine.run("login --all -q").answer();
    let after_login = servers.events().len();
    let stored = systems().into_iter().map(|name| cached(&machine, name));
    let stored: Vec<String> = stored.collect();
    let taken_over = |at| read(&files[at]) == stored[at];
    all("a newer session is not taken over", &taken_over);
    assert_eq!(servers.events().len(), after_login, "no server is asked");
    assert!(first.iter().zip(&stored).all(|(old, new)| old != new));

    machine.run("logout --all -q").answer();
    // What is left alive, as vtiger 8 does, may stay.
    all("a session that has ended is not replaced", &|at| {
        let system = systems()[at];
        let url = servers.setting(&demo::of(system).variable("URL"));
        alive(system, url, &read(&files[at]))
    });
    assert_eq!(run.end().0, 3);
}

#[test]
fn a_session_that_has_ended_and_cannot_be_replaced_is_told() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    let session = machine.run("login hellocloud -f json").answer().to_owned();
    machine.write("session.json", session);
    machine.unset("HELLOCLOUD_PASSWORD");
    let script =
        "crmauth logout hellocloud >out; while ! grep -q 'not be updated' err; do sleep 0.1; done";
    let run =
        format!("crmauth exec hellocloud --token-file -- sh -c \"{script}\" 2>err; cat err >&2");
    let outcome = machine.shell("sh", &run);
    outcome.says(&["will not be updated any more", "HELLOCLOUD_PASSWORD"]);
}

#[test]
fn zeevs_token_is_renewed_by_itself_before_its_ten_minutes_are_over() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    machine.run("login zeev").answer();
    let old = cached(&machine, "zeev");
    edit(&machine, "zeev", |entry| {
        entry["obtained_at"] = from_now(-538);
        entry["expires_at"] = from_now(62);
    });
    let run = Waiting::sh(&machine, "exec zeev --token-file", &print_file("zeev"));
    let mut new = old.clone();
    until("the token is renewed", || {
        new = fs::read_to_string(&run.line).expect("a token");
        assert!(alive("zeev", servers.setting("ZEEV_URL"), &new));
        new != old
    });
    assert_eq!(run.end(), (3, String::new(), String::new()));
    assert_eq!(cached(&machine, "zeev"), new, "it is stored for others too");
    assert_eq!(logins(&servers), 1, "a renewal takes no password");
}

#[test]
fn an_idle_session_is_asked_for_before_it_is_handed_over() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    for (system, prefix, question) in [
        ("gluo", "GLUO", "operation=listtypes"),
        ("systemsway", "SYSTEMSWAY", "id=0"),
    ] {
        machine.run(&format!("login {system}")).answer();
        edit(&machine, system, |entry| entry["seen_at"] = from_now(-1200));
        let before = servers.events().len();
        let script = format!("cat ${prefix}_TOKEN_FILE");
        let outcome = sh(&machine, &format!("exec {system} --token-file"), &script);
        assert_eq!(outcome.answer(), cached(&machine, system));
        let asked = servers.events().split_off(before);
        assert_eq!(asked.len(), 1, "{system}");
        let body = String::from_utf8_lossy(&asked[0].body);
        holds(&format!("{} {body}", asked[0].query), &[question]);
    }
}

/// HelloCloud's session for so many seconds.
fn lasting(seconds: u32, token: &str) -> Reply {
    let answer = json!({"token_type": "Bearer", "expires_in": seconds, "access_token": token});
    Reply::json(200, answer.to_string())
}

#[test]
fn a_renewal_that_fails_is_told_and_the_token_stays() {
    let away = Reply::http(503, "text/plain", "");
    let server = Server::start(vec![lasting(1, "Hc1shortToken"), away]);
    let machine = at("hellocloud", &server);
    let script = print_file("hellocloud");
    let run = Waiting::sh(&machine, "exec hellocloud --token-file", &script);
    server.wait_for(2);
    let token = fs::read_to_string(&run.line).expect("a token");
    assert_eq!(token, "Hc1shortToken");
    let (code, _, stderr) = run.end();
    assert_eq!(code, 3);
    holds(
        &stderr,
        &["warning: hellocloud: the server's sessions last"],
    );
}

#[test]
fn a_renewal_outlives_an_answer_that_makes_no_sense() {
    let page = Reply::http(500, "text/html", "<html>being updated");
    let server = Server::start(vec![
        lasting(1, "Hc1shortToken"),
        page,
        lasting(3600, "Hc2longToken"),
    ]);
    let machine = at("hellocloud", &server);
    let script = print_file("hellocloud");
    let run = Waiting::sh(&machine, "exec hellocloud --token-file", &script);
    until("the token is renewed", || {
        fs::read_to_string(&run.line).expect("a token") == "Hc2longToken"
    });
    let (code, _, stderr) = run.end();
    assert_eq!(code, 3);
    holds(&stderr, &["could not be renewed; trying again"]);
}

#[test]
fn a_renewal_that_is_refused_is_not_tried_again() {
    let good = json!({ "Access_Token": "e.s.t", "Expires_In": 2 }).to_string();
    let refused = Reply::json(401, r#"{"CodigoRetorno":2}"#);
    let server = Server::start(vec![Reply::json(200, good), refused]);
    let machine = at("broker", &server);
    // The command ends once the refusal has been told; the server fails the test if it is asked once more.
    let script = "while ! grep -q 'not be updated' err; do sleep 0.1; done; sleep 1.5";
    let run = format!("crmauth exec broker --token-file -- sh -c \"{script}\" 2>err; cat err >&2");
    let outcome = machine.shell("sh", &run);
    outcome.says(&["will not be updated any more", "refused"]);
    assert_eq!(server.received().len(), 2);
}

#[test]
fn a_signal_that_was_ignored_from_the_start_changes_nothing() {
    let machine = Machine::new();
    for name in ["HUP", "INT", "QUIT", "TERM"] {
        // The command sends it to the one that waits for it and to itself, and outlives it.
        let script = format!("kill -{name} $PPID; kill -{name} $$; sleep 0.2; echo alive");
        let run = format!("crmauth exec zeev --sandbox --token-file -- sh -c '{script}'");
        let outcome = machine.shell("bash", &format!("trap '' {name}; exec {run}"));
        outcome.gives(0, "alive\n", name);
    }
}

/// What CMD prints is passed on without the token, however it is split; everything else unchanged.
#[test]
fn what_a_command_prints_is_masked() {
    let (_server, machine, _) = crate::api::logged_in("zeev", []);
    let token = crate::api::TOKEN;
    let masked = |script: &str| sh(&machine, "exec zeev --mask", script);
    let outcome =
        masked("printf 'a %s b' \"$ZEEV_TOKEN\"; printf '%s' \"$ZEEV_TOKEN\" >&2; exit 7");
    outcome.gives(7, "a *** b", "");
    assert_eq!(outcome.stderr, "***");
    let (first, last) = token.split_at(5);
    let outcome = masked(&format!(
        "printf '%s' '{first}'; sleep 0.1; printf '%s' '{last}'; printf %s '{first}Tk'"
    ));
    assert_eq!(outcome.stdout, format!("***{first}Tk"));
    assert_eq!(masked("kill -TERM $$").code, 143);
    let bytes: Vec<u8> = (0..1_048_576u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    machine.write("binary", &bytes);
    let ran = machine.line("exec zeev --mask -- cat binary").output();
    let outcome = ran.expect("a run");
    assert!(outcome.status.success() && outcome.stdout == bytes);
    // A reader that takes its time gets all of it, though the command has ended.
    let script = "crmauth exec zeev --mask -- head -c 300000 binary | (sleep 2; cat) | wc -c";
    assert_eq!(machine.shell("sh", script).stdout.trim(), "300000");
    // A background process that keeps the pipes open does not keep us.
    assert_eq!(masked("sleep 300 & echo done").stdout, "done\n");
    let shown = Terminal::start(machine.line("exec zeev --mask -- true"), 80).ends();
    holds(&shown.output, &["does not see the terminal"]);
}
