//! `crmauth exec`: what a command finds in its environment or its files, and how it ends.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::machine::{mode, set_mode, signal};
use crate::support::sandbox::Servers;
use crate::support::stored::{edit, five_at, from_now, store, systems};
use crate::support::{Machine, Reply, Server, canned, demo, zeev_at};

/// A machine with a Zeev session at a server that takes no more than its login.
fn zeev() -> (Server, Machine) {
    let server = Server::start(vec![canned::zeev("Zv5token1Qm")]);
    let machine = zeev_at(&server);
    machine.run("login zeev").answer();
    (server, machine)
}

/// Arguments with a command behind them.
fn with<'a>(line: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    line.split(' ')
        .chain(["--"])
        .chain(command.iter().copied())
        .collect()
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

/// A command that prints the path of a token's file and then waits.
fn print_file(system: &str) -> String {
    format!(
        "echo \"${}_TOKEN_FILE\"; read x; exit 3",
        system.to_uppercase()
    )
}

#[test]
fn the_command_has_the_variables_of_env_and_no_secret() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.run("login --all").answer();
    for (name, value) in [
        ("GLUO__FILIAL__ACCESS_KEY_CMD", "cat /secret"),
        ("ZEEV__OUTRA__PASSWORD_FILE", "/secret"),
        ("ZEEV__ROBO__API_TOKEN", "Secret1Qw"),
        ("HELLOCLOUD__X__CLIENT_SECRET", "Secret2Qw"),
        ("SYSTEMSWAY__X__PASSWORD_SHA256_CMD", "cat /secret"),
        ("BROKER__X__PARTNER_TOKEN_FILE", "/secret"),
        ("BROKER__X__PARTNER_PASSWORD", "Secret3Qw"),
        ("CRMAUTH_STORE_KEY", "Secret4Qw"),
        ("CRMAUTH_STORE_KEY_FILE", "/secret"),
        ("CRMAUTH_STORE_KEY_CMD", "cat /secret"),
        // Sessions of an outer run that nobody asks for, and what was meant to be a secret.
        ("ZEEV_TOKEN", "outer"),
        ("ZEEV__ROBO__TOKEN", "outer"),
        ("BROKER__X__TOKEN_EXPIRES_AT", "outer"),
        ("GLUO_TOKEN_FILE", "outer"),
        ("GLUO_ACESS_KEY", "Secret5Qw"),
        ("gluo_access_key", "Secret5Qw"),
        ("GLUO_PASSWORD", "Secret5Qw"),
        ("ZEEV__ROBO__PASWORD", "Secret5Qw"),
        ("SystemsWay_Senha", "Secret5Qw"),
    ] {
        machine.set(name, value);
    }
    let kept = [
        ("MINE", "kept"),
        ("GLUON_ACCESS_KEY", "kept"),
        ("ZEEV_NOTE", "kept"),
        ("GLUO__FILIAL__USERNAME", "kept"),
        ("CRMAUTH_LANG", "en"),
    ];
    for (name, value) in kept {
        machine.set(name, value);
    }
    // Of the demo settings those that hold no secret stay.
    let secret = ["ACCESS_KEY", "PASSWORD", "SECRET"];
    let demo = servers
        .demo()
        .filter(|(name, _)| !secret.iter().any(|end| name.ends_with(end)));
    let rest: Vec<(String, String)> = demo
        .chain(kept)
        .chain([
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("RUST_BACKTRACE", "1"),
            ("TZ", "UTC0"),
        ])
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut all: Vec<(String, String)> = Vec::new();
    for system in systems() {
        let session = variables(machine.run(&format!("token {system} -f env -q")).answer());
        assert!(
            session.iter().any(|(name, _)| name.ends_with("_TOKEN")),
            "{session:?}"
        );
        let seen = machine.run(&format!("exec {system} -q -- env"));
        let seen = variables(seen.answer())
            .into_iter()
            .filter(|(name, _)| !["HOME", "TMPDIR"].contains(&name.as_str()));
        let mut expected = [session.clone(), rest.clone()].concat();
        expected.sort();
        expected.dedup();
        assert_eq!(seen.collect::<Vec<_>>(), expected, "{system}");
        all.extend(session);
    }
    let backwards: Vec<&str> = systems().into_iter().rev().collect();
    let seen = machine.run(&format!("exec {} gluocrm -q -- env", backwards.join(" ")));
    let seen = variables(seen.answer())
        .into_iter()
        .filter(|(name, _)| !["HOME", "TMPDIR"].contains(&name.as_str()));
    all.extend(rest);
    all.sort();
    all.dedup();
    assert_eq!(seen.collect::<Vec<_>>(), all);
}

#[test]
fn variables_of_an_outer_run_do_not_stay() {
    let (_server, mut machine) = zeev();
    machine
        .set("ZEEV_TOKEN", "outer")
        .set("ZEEV_TOKEN_EXPIRES_AT", "outer")
        .set("ZEEV_TOKEN_FILE", "/outer");
    let script = "echo ${ZEEV_TOKEN-none} ${ZEEV_TOKEN_EXPIRES_AT-none} ${ZEEV_TOKEN_FILE-none}";
    let outcome = machine.run_args(&with("exec zeev", &["sh", "-c", script]));
    let words: Vec<&str> = outcome.answer().split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("Zv5token1Qm", "none"), "{words:?}");
    assert!(words[1].ends_with('Z'), "{words:?}");
    let outcome = machine.run_args(&with("exec zeev --token-file", &["sh", "-c", script]));
    let words: Vec<&str> = outcome.answer().split_whitespace().collect();
    assert_eq!(words[..2], ["none", "none"]);
    assert!(words[2].ends_with("/ZEEV_TOKEN"), "{words:?}");
}

/// Nor variables of systems that are not set up here, or a store's password if the run does without the store.
#[test]
fn nothing_of_an_outer_run_is_handed_on() {
    let server = Server::start(vec![canned::zeev("Zv5token2Qm")]);
    let mut machine = zeev_at(&server);
    machine
        .set("GLUO_TOKEN", "outer")
        .set("BROKER__X__TOKEN_FILE", "/outer")
        .set("SYSTEMSWAY_TOKEN_EXPIRES_AT", "outer")
        // Their URLs may be in another folder's .env.
        .set("GLUO_ACCESS_KEY", "outer")
        .set("HELLOCLOUD__X__CLIENT_SECRET", "outer")
        .set("SYSTEMSWAY_PASSWORD_SHA256_CMD", "echo outer")
        .set("Hellocloud_Senha", "outer")
        .set("BROKER_PASSWORD", "celery's")
        .set("CRMAUTH_STORE", "redis://ana:Secret6Qw@127.0.0.1:1/0");
    let outcome = machine.run_args(&with("exec zeev --no-store", &["env"]));
    let seen = variables(outcome.answer());
    assert!(
        seen.iter().all(|(_, value)| !value.contains("outer")),
        "{seen:?}"
    );
    for (name, value) in [
        ("CRMAUTH_STORE", "redis://127.0.0.1:1/0"),
        ("BROKER_PASSWORD", "celery's"),
    ] {
        assert!(
            seen.contains(&(name.to_owned(), value.to_owned())),
            "{seen:?}"
        );
    }
}

#[test]
fn an_account_has_its_own_variables() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.set(
        "ZEEV__ROBO__API_TOKEN",
        servers.setting("ZEEV__ROBO__API_TOKEN"),
    );
    let script =
        "test \"$ZEEV__ROBO__TOKEN\" != \"$ZEEV_TOKEN\" && echo $ZEEV__ROBO__TOKEN $ZEEV_TOKEN";
    let outcome = machine.run_args(&with("exec zeev zeev@robo", &["sh", "-c", script]));
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
            let outcome =
                machine.run_args(&with(&format!("exec zeev{files}"), &["sh", "-c", script]));
            assert_eq!(
                (outcome.code, outcome.stderr.as_str()),
                (code, ""),
                "{script}{files}"
            );
        }
    }
    for (name, number) in [("TERM", 15), ("KILL", 9), ("PIPE", 13)] {
        let script = format!("kill -{name} $$; echo still here");
        let ended = machine
            .command(&with("exec zeev", &["sh", "-c", &script]))
            .output()
            .expect("a run");
        assert_eq!(
            (ended.status.signal(), ended.stdout),
            (Some(number), Vec::new()),
            "{name}"
        );
        let shell = format!("crmauth exec zeev -- sh -c '{script}'; echo $?");
        let seen = machine.shell("sh", &shell);
        assert_eq!(seen.stdout, format!("{}\n", 128 + number), "{name}");
        let waited = machine.run_args(&with("exec zeev --token-file", &["sh", "-c", &script]));
        assert_eq!(
            (waited.code, waited.stdout.as_str()),
            (128 + number, ""),
            "{name}"
        );
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
        child
            .stdin
            .take()
            .expect("a stdin")
            .write_all("one\ntwo\0\nç".as_bytes())
            .expect("a reader");
        assert_eq!(machine.end(child).answer(), "one\ntwo\0\nç");
    }
}

#[test]
fn without_a_session_the_command_does_not_run() {
    let server = Server::start(vec![canned::zeev_refuses()]);
    let mut machine = zeev_at(&server);
    let outcome = machine.run_args(&with("exec zeev", &["touch", "ran"]));
    outcome.fails(125, &["error: zeev: ", "refused", "hint: "]);
    // A good session does not make up for one that is missing, and each failure is told.
    let (_other, good) = zeev();
    let outcome = good.run_args(&with("exec zeev gluo hellocloud", &["touch", "ran"]));
    outcome.fails(
        125,
        &[
            "error: gluo: ",
            "GLUO_URL",
            "error: hellocloud: ",
            "HELLOCLOUD_URL",
        ],
    );
    for (line, text) in [
        ("exec nosuch", "nosuch"),
        ("exec gluo --as ana", "--as works with zeev"),
        ("exec zeev --env-file none.env", "none.env"),
        ("exec zeev --store nowhere:x", "--store"),
    ] {
        machine
            .run_args(&with(line, &["touch", "ran"]))
            .fails(125, &["error: ", text]);
    }
    let json = machine.run_args(&with("exec nosuch --json", &["touch", "ran"]));
    json.fails(125, &[r#"{"error":{"code":"usage""#]);
    machine.set("ZEEV_URL", "ftp://x");
    machine
        .run_args(&with("exec zeev", &["touch", "ran"]))
        .fails(125, &["ZEEV_URL"]);
    assert_eq!(
        (machine.files(), good.files()),
        (Vec::<String>::new(), Vec::new())
    );
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
        machine
            .run(&format!("-q --timeout 5 {line}"))
            .fails(125, &["error: "]);
    }
    machine.run("login zeev --nosuch").fails(2, &["error: "]);
    machine
        .run("sandbox --nosuch -- exec")
        .fails(2, &["error: "]);
    assert!(
        machine
            .run("exec --help")
            .answer()
            .contains("125 crmauth failed")
    );
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
    machine.set(
        "PATH",
        &format!("{}:/bin", machine.path("folder").display()),
    );
    set_mode(&machine.write("folder/plain", ""), 0o600);
    let plain = format!("`chmod +x {}`", machine.path("folder/plain").display());
    for line in [
        "exec zeev",
        "exec zeev --token-file",
        "exec zeev --sandbox",
        "sandbox",
        "proxy zeev",
    ] {
        for (command, code, said) in [
            ("no-such-command", 127, "hint: check its name and PATH"),
            ("./no-such-file", 127, "hint: "),
            ("/no/such/file", 127, "hint: "),
            ("", 127, "hint: "),
            (
                "import.sh",
                127,
                "hint: to run the file in this folder, write ./import.sh",
            ),
            ("not executable", 127, "write './not executable'"),
            ("folder", 127, "hint: check its name and PATH"),
            (
                "./not executable",
                126,
                "hint: `chmod +x './not executable'` makes it executable",
            ),
            ("./import.sh", 126, "`chmod +x ./import.sh`"),
            ("plain", 126, &plain),
            ("./folder", 126, "it is a folder"),
            ("/", 126, "it is a folder"),
            (
                "./no-interpreter",
                126,
                "its interpreter `/no/such/python3` does not exist\nhint: check the first line",
            ),
            (
                "./windows",
                126,
                "its interpreter `/bin/sh` does not exist\nhint: check the first line of ./windows; it must end with LF",
            ),
        ] {
            let outcome = machine.run_args(&with(line, &[command, "x"]));
            outcome.fails(code, &["error: ", &format!("`{command}`"), said]);
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
    for (name, text) in [
        ("second/tool", "second"),
        ("tool", "here"),
        ("first/plain", "first"),
    ] {
        let path = machine.write(name, format!("#!/bin/sh\necho {text} \"$0\"\n"));
        set_mode(&path, if text == "first" { 0o600 } else { 0o700 });
    }
    let path = format!("{}:second:/usr/bin:/bin", machine.path("first").display());
    machine.set("PATH", &path);
    assert_eq!(machine.run("exec zeev -- ./tool").answer(), "here ./tool\n");
    // A folder of that name, or a file that cannot be run, is passed over.
    assert!(
        machine
            .run("exec zeev -- tool")
            .answer()
            .starts_with("second ")
    );
    machine.run("exec zeev -- plain").fails(126, &["`plain`"]);
    machine.unset("PATH");
    let mut command = machine.command(&["exec", "zeev", "--", "sh", "-c", "echo found"]);
    command.env_remove("PATH");
    assert_eq!(machine.finish(command).answer(), "found\n");
}

#[test]
fn the_session_may_be_another_persons() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    let script = "echo $ZEEV_TOKEN";
    let outcome = machine.run_args(&with("exec zeev --as maria.souza", &["sh", "-c", script]));
    let person = servers.call(
        "zeev",
        "GET",
        "/api/2/tokens",
        Some(outcome.answer().trim_end()),
    );
    assert_eq!(person.json()["username"], "maria.souza");
    // The configured user's session is another one, and it stays so.
    let outcome = machine.run_args(&with("exec zeev", &["sh", "-c", script]));
    let person = servers.call(
        "zeev",
        "GET",
        "/api/2/tokens",
        Some(outcome.answer().trim_end()),
    );
    assert_eq!(person.json()["username"], "integracao");
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
    edit(&machine, "hellocloud", |entry| {
        entry["expires_at"] = from_now(90)
    });
    assert_eq!(token("exec hellocloud").0, first);
    let (second, _) = token("exec hellocloud --min-ttl 120");
    assert_ne!(second, first);
    let (third, warning) = token("exec hellocloud --min-ttl 7200");
    assert!(
        third != second && warning.contains("--min-ttl 7200"),
        "{warning}"
    );
}

#[test]
fn the_sandbox_lives_as_long_as_the_command() {
    let machine = Machine::new();
    for system in systems() {
        let prefix = system.to_uppercase();
        let script = format!("echo $PPID ${prefix}_URL ${prefix}_TOKEN; read x; exit 7");
        let run = Waiting::start(
            &machine,
            &with(&format!("exec {system} --sandbox"), &["sh", "-c", &script]),
        );
        let words: Vec<String> = run.line.split(' ').map(str::to_owned).collect();
        assert_eq!(
            words[0],
            run.child.id().to_string(),
            "the servers' process stays"
        );
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
    let run = Waiting::start(
        &machine,
        &with(
            "exec gluo zeev --sandbox --token-file",
            &["sh", "-c", &print_file("zeev")],
        ),
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
            let run = Waiting::start(&machine, &with(line, &["sh", "-c", &script]));
            signal(&run.child, sent);
            let (ended, said, stderr) = run.wait();
            assert_eq!(
                (ended, said.trim_end(), stderr.as_str()),
                (code, name, ""),
                "{line} {name}"
            );
            assert_eq!(machine.files(), Vec::<String>::new(), "{line} {name}");
        }
    }
    // A command that takes its time is waited for; a second signal would be a second line.
    let script =
        "trap 'echo asked' TERM; echo ready; while ! read x; do test -e end && exit 4; done";
    let run = Waiting::start(
        &machine,
        &with("exec zeev --token-file", &["sh", "-c", script]),
    );
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
    let mut names = Vec::new();
    let mut line = "exec --token-file".to_owned();
    for system in systems() {
        names.push(system.to_uppercase());
        line = format!("{line} {system}");
    }
    let paths: Vec<String> = names
        .iter()
        .map(|name| format!("${name}_TOKEN_FILE"))
        .collect();
    let tokens = "env | grep -c -E '_TOKEN=|_EXPIRES_AT=|PASSWORD|ACCESS_KEY|CLIENT_SECRET'";
    let urls = "env | grep -c -E '^[A-Z]+_URL='";
    for (ending, code) in [
        ("read x; exit 3", 3),
        ("read x; kill -KILL $$", 137),
        ("trap 'exit 9' TERM; kill -TERM $PPID; read x; exit 1", 9),
    ] {
        let script = format!("echo {} $({tokens}) $({urls}); {ending}", paths.join(" "));
        let run = Waiting::start(&machine, &with(&line, &["sh", "-c", &script]));
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
        let mut child = machine.start(machine.command(&["sandbox", "--ttl", "2"]));
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

/// Waits as long as a look at a file should not be repeated. The real clock is the subject here.
fn pause() {
    let (_sender, nobody) = mpsc::channel::<()>();
    let _ = nobody.recv_timeout(Duration::from_millis(50));
}

#[test]
fn a_token_file_holds_a_live_token_past_three_expiries() {
    let machine = Machine::new();
    let sandbox = ShortLived::start(&machine);
    let prefixes = [("hellocloud", "HELLOCLOUD"), ("broker", "BROKER")];
    let script = "echo $HELLOCLOUD_TOKEN_FILE $HELLOCLOUD_URL $BROKER_TOKEN_FILE $BROKER_URL; read x; exit 3";
    let run = Waiting::start(
        &machine,
        &with(
            "exec hellocloud broker --token-file -q",
            &["sh", "-c", script],
        ),
    );
    let words: Vec<String> = run.line.split(' ').map(str::to_owned).collect();
    let watched: Vec<(&str, PathBuf, String)> = prefixes
        .iter()
        .zip(words.chunks(2))
        .map(|((system, _), place)| (*system, PathBuf::from(&place[0]), place[1].clone()))
        .collect();
    let began = Instant::now();
    let mut seen: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    // Six seconds are three expiries; five different tokens span as many.
    while began.elapsed() < Duration::from_millis(6500)
        || seen.iter().any(|tokens| tokens.len() < 5)
    {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the tokens are not renewed: {seen:?}"
        );
        for ((system, path, url), seen) in watched.iter().zip(&mut seen) {
            let token = fs::read_to_string(path).expect("a token, whole at any time");
            // If it died between the look and the question, another stands in the file by now.
            let lives = alive(system, url, &token);
            assert!(
                lives || fs::read_to_string(path).expect("a token") != token,
                "{system}: a dead token"
            );
            if lives && !seen.contains(&token) {
                seen.push(token);
            }
        }
        pause();
    }
    assert_eq!(run.end(), (3, String::new(), String::new()));
    drop(sandbox);
}

/// The store is looked at every few seconds: what another process does to a session shows soon, whenever it would end.
#[test]
fn a_token_file_follows_what_others_do_to_the_session() {
    let servers = Servers::start();
    let machine = five_at(&servers);
    let names: Vec<String> = systems().iter().map(|name| name.to_uppercase()).collect();
    let files: Vec<String> = names
        .iter()
        .map(|name| format!("${name}_TOKEN_FILE"))
        .collect();
    let line = format!("exec --token-file {}", systems().join(" "));
    let script = format!("echo {}; read x; exit 3", files.join(" "));
    let run = Waiting::start(&machine, &with(&line, &["sh", "-c", &script]));
    let files: Vec<PathBuf> = run.line.split(' ').map(PathBuf::from).collect();
    let began = Instant::now();
    let read = |file: &PathBuf| fs::read_to_string(file).expect("a token, whole at any time");
    let until = |what: &str, done: &dyn Fn(usize) -> bool| {
        for (at, name) in names.iter().enumerate() {
            while !done(at) {
                assert!(began.elapsed() < Duration::from_secs(60), "{name}: {what}");
                pause();
            }
        }
    };
    let first: Vec<String> = files.iter().map(read).collect();

    machine.run("login --all -q").answer();
    let after_login = servers.events().len();
    let stored: Vec<String> = systems()
        .iter()
        .map(|name| machine.run(&format!("token {name} --cached")))
        .map(|token| token.answer().trim_end().to_owned())
        .collect();
    until("a newer session is not taken over", &|at| {
        read(&files[at]) == stored[at]
    });
    assert_eq!(servers.events().len(), after_login, "no server is asked");
    assert!(first.iter().zip(&stored).all(|(old, new)| old != new));

    machine.run("logout --all -q").answer();
    // What is left alive, as vtiger 8 does, may stay.
    until("a session that has ended is not replaced", &|at| {
        let url = servers.setting(&format!("{}_URL", names[at]));
        alive(systems()[at], url, &read(&files[at]))
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
    let old = machine
        .run("token zeev --cached")
        .answer()
        .trim_end()
        .to_owned();
    edit(&machine, "zeev", |entry| {
        entry["obtained_at"] = from_now(-538);
        entry["expires_at"] = from_now(62);
    });
    let run = Waiting::start(
        &machine,
        &with("exec zeev --token-file", &["sh", "-c", &print_file("zeev")]),
    );
    let path = PathBuf::from(&run.line);
    let began = Instant::now();
    let new = loop {
        let token = fs::read_to_string(&path).expect("a token");
        assert!(alive("zeev", servers.setting("ZEEV_URL"), &token));
        if token != old {
            break token;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the token is not renewed"
        );
        pause();
    };
    assert_eq!(run.end(), (3, String::new(), String::new()));
    assert_eq!(
        machine.run("token zeev --cached").answer().trim_end(),
        new,
        "it is stored for others too"
    );
    let logins = servers
        .events()
        .iter()
        .filter(|event| event.method == "POST")
        .count();
    assert_eq!(logins, 1, "a renewal takes no password");
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
        let outcome = machine.run_args(&with(
            &format!("exec {system} --token-file"),
            &["sh", "-c", &script],
        ));
        assert_eq!(
            outcome.answer(),
            machine
                .run(&format!("token {system} --cached"))
                .answer()
                .trim_end()
        );
        let asked = servers.events().split_off(before);
        assert_eq!(asked.len(), 1, "{system}");
        let text = format!(
            "{} {}",
            asked[0].query,
            String::from_utf8_lossy(&asked[0].body)
        );
        assert!(text.contains(question), "{text}");
    }
}

#[test]
fn a_renewal_that_fails_is_told_and_the_token_stays() {
    let short = r#"{"token_type":"Bearer","expires_in":1,"access_token":"Hc1shortToken"}"#;
    let away = Reply::http(503, "text/plain", "");
    let server = Server::start(vec![Reply::json(200, short), away]);
    let mut machine = Machine::new();
    machine
        .set("HELLOCLOUD_URL", &server.url())
        .set("HELLOCLOUD_CLIENT_ID", "c1");
    machine.secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
    let script = print_file("hellocloud");
    let run = Waiting::start(
        &machine,
        &with("exec hellocloud --token-file", &["sh", "-c", &script]),
    );
    server.wait_for(2);
    assert_eq!(
        fs::read_to_string(&run.line).expect("a token"),
        "Hc1shortToken"
    );
    let (code, _, stderr) = run.end();
    assert_eq!(code, 3);
    assert!(
        stderr.contains("warning: hellocloud: the server's sessions last"),
        "{stderr}"
    );
}

#[test]
fn a_renewal_outlives_an_answer_that_makes_no_sense() {
    let token = |seconds: u32, token: &str| json!({"token_type": "Bearer", "expires_in": seconds, "access_token": token});
    let server = Server::start(vec![
        Reply::json(200, token(1, "Hc1shortToken").to_string()),
        Reply::http(500, "text/html", "<html>being updated"),
        Reply::json(200, token(3600, "Hc2longToken").to_string()),
    ]);
    let mut machine = Machine::new();
    machine
        .set("HELLOCLOUD_URL", &server.url())
        .set("HELLOCLOUD_CLIENT_ID", "c1");
    machine.secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
    let script = print_file("hellocloud");
    let run = Waiting::start(
        &machine,
        &with("exec hellocloud --token-file", &["sh", "-c", &script]),
    );
    let began = Instant::now();
    while fs::read_to_string(&run.line).expect("a token") != "Hc2longToken" {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the token is not renewed"
        );
        pause();
    }
    let (code, _, stderr) = run.end();
    assert_eq!(code, 3);
    assert!(
        stderr.contains("could not be renewed; trying again"),
        "{stderr}"
    );
}

#[test]
fn a_renewal_that_is_refused_is_not_tried_again() {
    let good = json!({ "Access_Token": "e.s.t", "Expires_In": 2 }).to_string();
    let refused = Reply::json(401, r#"{"CodigoRetorno":2}"#);
    let server = Server::start(vec![Reply::json(200, good), refused]);
    let mut machine = Machine::new();
    machine
        .set("BROKER_URL", &server.url())
        .set("BROKER_USERNAME", "loja")
        .secret("BROKER_PASSWORD", "Ww1Loja7Kk");
    // The command ends once the refusal has been told; the server fails the test if it is asked once more.
    let script = "while ! grep -q 'not be updated' err; do sleep 0.1; done; sleep 1.5";
    let run = format!("crmauth exec broker --token-file -- sh -c \"{script}\" 2>err; cat err >&2");
    machine
        .shell("sh", &run)
        .says(&["will not be updated any more", "refused"]);
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
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (0, "alive\n"),
            "{name}: {}",
            outcome.stderr
        );
    }
}

/// What CMD prints is passed on without the token, however it is split; everything else unchanged.
#[test]
fn what_a_command_prints_is_masked() {
    let (_server, machine, _) = crate::api::logged_in("zeev", []);
    let token = crate::api::TOKEN;
    let masked =
        |script: &str| machine.run_args(&["exec", "zeev", "--mask", "--", "sh", "-c", script]);
    let outcome =
        masked("printf 'a %s b' \"$ZEEV_TOKEN\"; printf '%s' \"$ZEEV_TOKEN\" >&2; exit 7");
    assert_eq!(
        (
            outcome.code,
            outcome.stdout.as_str(),
            outcome.stderr.as_str()
        ),
        (7, "a *** b", "***")
    );
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
    let outcome = machine
        .command(&["exec", "zeev", "--mask", "--", "cat", "binary"])
        .output()
        .expect("a run");
    assert!(outcome.status.success() && outcome.stdout == bytes);
    // A reader that takes its time gets all of it, though the command has ended.
    let script = "crmauth exec zeev --mask -- head -c 300000 binary | (sleep 2; cat) | wc -c";
    assert_eq!(machine.shell("sh", script).stdout.trim(), "300000");
    // A background process that keeps the pipes open does not keep us.
    assert_eq!(masked("sleep 300 & echo done").stdout, "done\n");
    let shown = crate::support::Terminal::start(
        machine.command(&["exec", "zeev", "--mask", "--", "true"]),
        80,
    )
    .ends();
    assert!(
        shown.output.contains("does not see the terminal"),
        "{}",
        shown.output
    );
}
