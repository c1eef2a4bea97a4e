//! Who can read the memory of a run: of the program nobody of the same user, of its command everybody who could.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::process::{Signal, geteuid};

use crate::support::machine::{installed, signal};
use crate::support::{Machine, Reply, Server, canned};

/// A user without rights of its own, as Debian numbers it.
const NOBODY: &str = "65534";

/// Puts a command under a user that is not root: what root runs belongs to root anyway.
fn as_nobody(command: &Command) -> Command {
    if !geteuid().is_root() {
        let mut same = Command::new(command.get_program());
        same.args(command.get_args());
        return dressed(same, command);
    }
    let mut other = Command::new("setpriv");
    other.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    other.arg(command.get_program()).args(command.get_args());
    dressed(other, command)
}

fn dressed(mut command: Command, like: &Command) -> Command {
    command.env_clear().envs(
        like.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.current_dir("/").stdin(std::process::Stdio::null());
    command
}

fn zeev_at(server: &Server) -> Machine {
    let given = "USERNAME=ana PASSWORD=Vq7memoryPassword2Lw";
    Machine::of("ZEEV", &server.url(), given)
}

/// The kernel gives the files of a process that may not be dumped to root.
#[cfg(target_os = "linux")]
#[test]
fn no_process_of_the_same_user_reads_a_run() {
    if !installed("setpriv") {
        return;
    }
    let server = Server::start(vec![Reply::Silence]);
    let machine = zeev_at(&server);
    let child = machine.start(as_nobody(&machine.command(&[
        "login",
        "zeev",
        "--no-store",
    ])));
    server.wait_for(1);
    let files = format!("/proc/{}", child.id());
    assert_eq!(
        std::fs::metadata(format!("{files}/mem"))
            .expect("it runs")
            .uid(),
        0,
        "a debugger may read it"
    );
    assert_eq!(
        std::fs::metadata(format!("{files}/environ"))
            .expect("it runs")
            .uid(),
        0
    );
    signal(&child, Signal::INT);
    assert_eq!(machine.end(child).code, 130);
}

/// And the command that is started may be debugged as ever.
#[cfg(target_os = "linux")]
#[test]
fn a_command_has_core_dumps_of_its_own() {
    if !installed("python3") || !installed("setpriv") {
        return;
    }
    let server = Server::start(vec![canned::zeev("Zv5memory1Qm")]);
    let machine = zeev_at(&server);
    const DUMPABLE: &str = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))";
    let line = [
        "exec",
        "zeev",
        "--no-store",
        "--",
        "python3",
        "-c",
        DUMPABLE,
    ];
    assert_eq!(
        machine.finish(as_nobody(&machine.command(&line))).answer(),
        "1\n"
    );
}

/// A secret in a pipe of the shell's is a file of this process, which it must go on reading.
#[test]
fn a_run_reads_its_own_pipes() {
    if !installed("setpriv") || !installed("bash") {
        return;
    }
    let server = Server::start(vec![canned::zeev("Zv5memory2Qm")]);
    let machine = zeev_at(&server);
    let script = r#"unset ZEEV_PASSWORD; ZEEV_PASSWORD_FILE=<(printf %s Vq7memoryPassword2Lw) crmauth login zeev --no-store"#;
    let outcome = machine.finish(as_nobody(&machine.shell_command("bash", script)));
    assert_eq!(outcome.answer(), "Zv5memory2Qm\n");
}
