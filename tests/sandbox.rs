//! `crmauth sandbox` and `--sandbox`: the systems as people and their scripts meet them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};

use rustix::process::Signal;

use crate::support::machine::{set_mode, signal};
use crate::support::stored::systems;
use crate::support::{Machine, Outcome, program};

/// A running `crmauth sandbox`.
pub struct Running<'a> {
    machine: &'a Machine,
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl<'a> Running<'a> {
    /// Starts it; its block goes into the file `sandbox.env`.
    pub fn start(machine: &'a Machine, arguments: &[&str]) -> Self {
        let block = File::create(machine.path("sandbox.env")).expect("a file");
        let mut child = machine.start_onto(machine.command(arguments), block);
        let mut stderr = BufReader::new(child.stderr.take().expect("a stderr"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("a line");
        assert_eq!(line, "the sandbox is running; Ctrl-C ends it\n");
        Self {
            machine,
            child,
            stderr,
        }
    }

    /// Ends it; returns what it said meanwhile.
    pub fn stop(mut self, sent: Signal) -> Outcome {
        signal(&self.child, sent);
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).expect("lines");
        let mut outcome = self.machine.end(self.child);
        outcome.stderr = stderr;
        outcome
    }
}

#[test]
fn its_block_is_an_env_file_that_works() {
    let machine = Machine::new();
    for (sent, block_is) in [
        (Signal::INT, "--env-file sandbox.env"),
        (Signal::TERM, "./.env"),
    ] {
        let running = Running::start(&machine, &["sandbox"]);
        let outcome = match block_is {
            "./.env" => {
                let block = fs::read(machine.path("sandbox.env")).expect("a block");
                machine.write(".env", block);
                // The ports may be those of the sandbox before.
                machine.run("login --all --store file:another")
            }
            option => {
                set_mode(&machine.path("sandbox.env"), 0o600);
                machine.run(&format!("login --all {option}"))
            }
        };
        let tokens: Vec<(&str, &str)> = outcome
            .answer()
            .lines()
            .map(|line| line.split_once('\t').expect("a tab"))
            .collect();
        let targets: Vec<&str> = tokens.iter().map(|(target, _)| *target).collect();
        assert_eq!(targets, systems());
        let ended = running.stop(sent);
        assert_eq!(ended.code, 0, "{ended}");
        for (system, token) in tokens {
            let login = format!("{system} POST ");
            let mut lines = ended.stderr.lines();
            assert!(lines.any(|line| line.starts_with(&login)), "{ended}");
            assert!(!ended.stderr.contains(token), "a token is logged: {ended}");
        }
    }
}

#[test]
fn its_log_holds_no_secret() {
    let machine = Machine::new();
    let running = Running::start(&machine, &["sandbox"]);
    set_mode(&machine.path("sandbox.env"), 0o600);
    let block = fs::read_to_string(machine.path("sandbox.env")).expect("a block");
    // The accounts that show other ways in stand there as comments.
    machine.write("all.env", block.replace("\n#", "\n"));
    machine
        .run("login zeev@robo hellocloud@maquina --env-file all.env")
        .answer();
    machine.write(
        "wrong.env",
        "ZEEV_PASSWORD=Wr0ngZeevCanary7\nGLUO_ACCESS_KEY=Wr0ngGluoCanary8\n",
    );
    let refused = machine.run("login zeev gluo --env-file all.env --env-file wrong.env");
    assert_eq!(refused.code, 4, "{refused}");
    let log = running.stop(Signal::INT).stderr;
    // Five of them are logins of Gluocrm, two lines each.
    assert_eq!(log.lines().count(), 13, "{log}");
    let secrets = block.lines().filter_map(|line| {
        let (name, value) = line.trim_start_matches('#').split_once('=')?;
        let secret = ["PASSWORD", "ACCESS_KEY", "SECRET", "API_TOKEN"]
            .iter()
            .any(|end| name.ends_with(end));
        secret.then(|| value.trim_matches('\''))
    });
    for secret in secrets
        .chain(["Wr0ngZeevCanary7", "Wr0ngGluoCanary8"])
        .filter(|secret| secret.len() > 6)
    {
        assert!(!log.contains(secret), "{secret} is logged: {log}");
    }
}

#[test]
fn a_signal_right_after_the_block_ends_it_well() {
    let machine = Machine::new();
    let mut child = machine.start(machine.command(&["sandbox"]));
    let mut byte = [0];
    let stdout = child.stdout.as_mut().expect("a stdout");
    stdout.read_exact(&mut byte).expect("a block");
    signal(&child, Signal::INT);
    assert_eq!(machine.end(child).code, 0);
}

#[test]
fn quiet_hides_its_log() {
    let machine = Machine::new();
    let outcome = machine.run_args(&["sandbox", "-q", "--", "sh", "-c", "echo done"]);
    assert_eq!(outcome.answer(), "done\n");
}

#[test]
fn a_command_gets_the_settings_and_gives_its_exit_code() {
    let mut machine = Machine::new();
    machine.write("not executable", "");
    for (command, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 255"], 255),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["no-such-command"], 127),
        (&["./no-such-file"], 127),
        (&["./not executable"], 126),
        (&["."], 126),
    ] {
        let outcome = machine.run_args(&[&["sandbox", "--"], command].concat());
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (code, ""),
            "{command:?}: {outcome}"
        );
        match code {
            126 | 127 => outcome.says(&["error: ", command[0], "hint: "]),
            _ => outcome.says(&[]),
        };
    }
    machine.set("PATH_TO_CRMAUTH", program());
    let script = "\"$PATH_TO_CRMAUTH\" login --all && exit 9";
    let outcome = machine.run_args(&["sandbox", "--", "sh", "-c", script]);
    assert_eq!(
        (outcome.code, outcome.stdout.lines().count()),
        (9, systems().len()),
        "{outcome}"
    );
    outcome.says(&["gluo GET /webservice.php", "zeev POST /api/2/tokens"]);
}

#[test]
fn a_command_gets_its_own_options() {
    let machine = Machine::new();
    let outcome = machine.run_args(&[
        "sandbox", "--", "printf", "%s ", "--json", "-q", "--help", "--",
    ]);
    assert_eq!(outcome.answer(), "--json -q --help -- ");
}

#[test]
fn a_command_sees_none_of_the_users_own_settings() {
    let mut machine = Machine::new();
    machine
        .secret("GLUO_ACCESS_KEY", "MyOwnAccessKey3Hd")
        .secret("GLUO__FILIAL__ACCESS_KEY", "MyOwnFilial8Wq");
    machine
        .secret("ZEEV_API_TOKEN", "MyOwnZeevToken7Bn")
        .set("GLUO_ACCESS_KEY_CMD", "echo MyOwnCommand");
    machine
        .set("ZEEV_PASSWORD_FILE", "/my/own/file")
        .set("CRMAUTH_STORE", "file:/my/own/store");
    machine
        .set("CRMAUTH_ENV_FILE", "/my/own.env")
        .set("MINE", "kept")
        .set("GLUON", "kept");
    machine.write(
        ".env",
        "GLUO__DOTENV__USERNAME=MyOwnDotenv\nGLUO__DOTENV__ACCESS_KEY=x\n",
    );
    let outcome = machine.run_args(&["sandbox", "-q", "--", "env"]);
    let seen = outcome.answer();
    assert!(
        !seen.contains("MyOwn") && !seen.contains("/my/own"),
        "{seen}"
    );
    let lines = "MINE=kept GLUON=kept GLUO_ACCESS_KEY=SandboxAdminKey ZEEV_USERNAME=integracao";
    for line in lines.split(' ') {
        assert!(seen.lines().any(|seen| seen == line), "no {line} in {seen}");
    }
    machine.set("PATH_TO_CRMAUTH", program());
    let outcome = machine.run_args(&[
        "sandbox",
        "-q",
        "--",
        "sh",
        "-c",
        "\"$PATH_TO_CRMAUTH\" login gluo@dotenv",
    ]);
    outcome.fails(2, &["gluo@dotenv", "GLUO__DOTENV__USERNAME"]);
}

#[test]
fn a_commands_store_is_its_own_and_goes_with_it() {
    let machine = Machine::new();
    let script = "f=${CRMAUTH_STORE#file:}; stat -c %a \"$f\" && >\"$f/x\" && echo \"$f\"";
    let outcome = machine.run_args(&["sandbox", "-q", "--", "sh", "-c", script]);
    let (mode, folder) = outcome
        .answer()
        .trim_end()
        .split_once('\n')
        .expect("two lines");
    assert_eq!(mode, "700");
    assert!(
        !std::path::Path::new(folder).exists(),
        "{folder} is left behind"
    );
}

#[test]
fn a_signal_reaches_the_command_once() {
    let machine = Machine::new();
    for (sent, name, code) in [(Signal::TERM, "TERM", 5), (Signal::INT, "INT", 6)] {
        let script = format!(
            "trap 'echo {name} >>got; exit {code}' {name}; mkfifo {name}; echo ready; read x <{name}; exit 1"
        );
        let mut child =
            machine.start(machine.command(&["sandbox", "-q", "--", "sh", "-c", &script]));
        let mut ready = [0; 6];
        child
            .stdout
            .as_mut()
            .expect("a stdout")
            .read_exact(&mut ready)
            .expect("a line");
        signal(&child, sent);
        assert_eq!(machine.end(child).code, code, "{name}");
    }
    assert_eq!(
        fs::read_to_string(machine.path("got")).expect("a file"),
        "TERM\nINT\n"
    );
}

#[test]
fn ttl_shortens_sessions() {
    let mut machine = Machine::new();
    machine.set("PATH_TO_CRMAUTH", program());
    for (option, lifetime) in [(&["--ttl", "5"][..], 5), (&[][..], 3600)] {
        let script = "\"$PATH_TO_CRMAUTH\" login hellocloud --json";
        let arguments = [&["sandbox", "-q"], option, &["--", "sh", "-c", script]].concat();
        let outcome = machine.run_args(&arguments);
        outcome.answer();
        assert_eq!(outcome.json()["details"]["expires_in"], lifetime);
    }
    for ttl in ["0", "x", "1e9", "NaN", ""] {
        machine
            .run_args(&["sandbox", "--ttl", ttl, "--", "true"])
            .fails(2, &["--ttl"]);
    }
}

#[test]
fn a_command_speaks_the_language_that_was_asked_for() {
    let mut machine = Machine::new();
    let script = "crmauth --lang pt-BR sandbox -- crmauth login zev";
    machine.set("CRMAUTH_LANG", "pt-BR");
    let kept = machine.shell("sh", "crmauth sandbox -- crmauth login zev");
    machine.unset("CRMAUTH_LANG");
    let handed = machine.shell("sh", script);
    for outcome in [kept, handed] {
        assert_eq!(outcome.code, 2);
        outcome.says(&["erro: nenhum sistema se chama `zev`"]);
    }
}
