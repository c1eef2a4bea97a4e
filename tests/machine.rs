//! What a machine lacks or has too much of: threads, files to open, locks, text in its paths, variables of others.

use crate::support::machine::installed;
use crate::support::stored::under;
use crate::support::{Reply, Server, at_once, demo};
use crate::{gluo, zeev};

const NO_THREAD: [&str; 7] = [
    "strace",
    "-f",
    "-o/dev/null",
    "-e",
    "trace=clone,clone3",
    "-e",
    "inject=clone,clone3:error=EAGAIN",
];
/// What std says where it has no words.
const NO_WORDS: [&str; 3] = ["uncategorized", "other error", "os error"];

/// A login of each system works without a thread, over a name that must be resolved; what waits for a pipe says why not.
#[test]
fn without_a_thread_a_login_works_and_the_rest_says_why_not() {
    if !installed("strace") {
        return;
    }
    at_once(demo::ALL, |demo| {
        let server = Server::start(demo.script([Reply::json(200, demo.good())]));
        let machine = demo.machine(&server.url().replace("127.0.0.1", "localhost"));
        let outcome = machine.finish(under(&machine, &NO_THREAD, &["login", demo.id]));
        assert_eq!(outcome.answer().trim_end(), demo.token, "{}", demo.id);
    });
    let refused = Server::start(Vec::new());
    let mut machine = gluo::DEMO.machine(&refused.url());
    let pipe = machine.shell("bash", "mkfifo pipe");
    assert_eq!(pipe.code, 0);
    let busy = "the system cannot do it now; too many processes or threads are the usual reason";
    for (variable, line, code) in [
        ("", "login gluo --env-file pipe", 2),
        ("GLUO_ACCESS_KEY_FILE", "login gluo", 2),
        ("GLUO_ACCESS_KEY_CMD", "login gluo", 2),
        ("", "login gluo --ca-file pipe", 2),
        ("CRMAUTH_ENV_FILE", "token gluo", 2),
        ("", "sandbox -- true", 126),
    ] {
        if !variable.is_empty() {
            machine.set(variable, "pipe");
        }
        if variable.starts_with("GLUO") {
            machine.unset("GLUO_ACCESS_KEY");
        }
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = machine.finish(under(&machine, &NO_THREAD, &words));
        outcome.fails(code, &[busy]);
        machine.unset(variable);
    }
}

#[test]
fn few_files_to_open_are_named_as_the_reason() {
    let server = Server::start(Vec::new());
    server.rest(Reply::json(200, zeev::DEMO.good()));
    let machine = zeev::DEMO.machine(&server.url().replace("127.0.0.1", "localhost"));
    let mut worked = 0;
    for (limit, line) in (4..=40).flat_map(|limit| {
        [
            "login zeev",
            "exec zeev -- true",
            "token zeev --sandbox",
            "status --check",
        ]
        .map(|line| (limit, line))
    }) {
        let script = format!("ulimit -n {limit}; exec crmauth {line}");
        let outcome = machine.shell("bash", &script);
        let stderr = &outcome.stderr;
        // The loader itself needs a few.
        if outcome.code == 127 && stderr.contains("shared librar") {
            continue;
        }
        worked += u32::from(outcome.code == 0);
        let named = stderr.contains("this process may open no more files");
        assert_eq!(named, outcome.code != 0, "{script}: {stderr}");
        assert!(
            NO_WORDS.iter().all(|word| !stderr.contains(word)),
            "{stderr}"
        );
    }
    assert!(worked >= 20, "{worked} runs worked");
}

#[test]
fn a_store_where_locks_do_not_work_says_why() {
    if !installed("strace") {
        return;
    }
    for (errno, why) in [
        ("ENOLCK", "files cannot be locked there"),
        ("EOPNOTSUPP", "it cannot be done there"),
        ("ENOSYS", "it cannot be done there"),
        ("EIO", "the device fails"),
    ] {
        let server = Server::start(vec![Reply::json(200, zeev::DEMO.good())]);
        let machine = zeev::DEMO.machine(&server.url());
        let inject = format!("inject=flock:error={errno}");
        let program = ["strace", "-o/dev/null", "-e", "trace=flock", "-e", &inject];
        let outcome = machine.finish(under(&machine, &program, &["login", "zeev"]));
        assert_eq!(outcome.code, 0);
        outcome.says(&["the session is not stored: ", "cannot be locked: ", why]);
    }
}
