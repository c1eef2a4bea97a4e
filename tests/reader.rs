//! A reader of stdout that stalls: it keeps no signal from being heard, and in the end it gets the answer.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;

use crate::support::machine::signal;
use crate::support::{Machine, Reply, Server, canned, zeev_at};

/// Nothing takes longer, or it will never come.
const NEVER: Duration = Duration::from_secs(60);

/// A pipe that takes no more.
fn full() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("flags");
    while writer.write(&[b'\n'; 512]).is_ok() {}
    fcntl_setfl(&writer, flags).expect("flags");
    (reader, writer)
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + NEVER;
    while !so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

/// Starts the program with this pipe as its stdout.
fn start(machine: &Machine, line: &str, pipe: &PipeWriter) -> Child {
    let command = machine.command(&line.split(' ').collect::<Vec<_>>());
    machine.start_onto(command, pipe.try_clone().expect("a copy"))
}

#[test]
fn an_answer_that_fills_the_pipe_stops_no_signal() {
    let mut machine = Machine::new();
    machine.set("ZEEV_URL", "https://crm.example");
    for number in 0..400 {
        machine.set(&format!("ZEEV__N{number}__USERNAME"), "ana");
    }
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        let child = start(&machine, "status --json", &writer);
        let takes_more = || {
            let mut asked = [PollFd::new(&writer, PollFlags::OUT)];
            poll(&mut asked, Some(&Timespec::default())).expect("a poll") > 0
        };
        until("the answer fits into the pipe", || !takes_more());
        signal(&child, sent);
        machine.end(child).fails(code, &["interrupted"]);
    }
}

#[test]
fn a_pipe_that_is_full_stops_no_signal() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let server = Server::start(vec![canned::zeev("Zv5token1Qm")]);
    let machine = zeev_at(&server);
    machine.run("login zeev").answer();
    for line in "token zeev -f sh|status|logout gluo hellocloud --local --json".split('|') {
        let (_reader, writer) = full();
        let child = start(&machine, line, &writer);
        // Somebody waits for the reader, and it is not the one that hears signals.
        let threads = format!("/proc/{}/task", child.id());
        until("nobody waits", || {
            fs::read_dir(&threads).expect("threads").count() > 1
        });
        signal(&child, Signal::TERM);
        machine.end(child).fails(143, &["interrupted"]);
    }
}

#[test]
fn what_makes_a_shell_fail_is_not_waited_for_by_whoever_stops_the_run() {
    let server = Server::start(vec![Reply::Silence]);
    let machine = zeev_at(&server);
    let (_reader, writer) = full();
    let child = start(&machine, "login zeev -f sh", &writer);
    server.wait_for(1);
    signal(&child, Signal::TERM);
    machine
        .end(child)
        .fails(143, &["a login under way may have taken effect"]);
}

#[test]
fn a_reader_that_reads_at_last_gets_all_of_it() {
    let refused = Reply::json(401, "{}");
    for (script, line, code, answer) in [
        (
            vec![canned::zeev("Zv5token1Qm")],
            "login zeev",
            0,
            "\nZv5token1Qm\n",
        ),
        (vec![refused], "login zeev -f sh", 4, "\nfalse\n"),
    ] {
        let server = Server::start(script);
        let machine = zeev_at(&server);
        let (mut reader, writer) = full();
        let child = start(&machine, line, &writer);
        drop(writer);
        server.wait_for(1);
        let mut read = String::new();
        reader.read_to_string(&mut read).expect("text");
        let outcome = machine.end(child);
        assert_eq!(outcome.code, code, "{outcome}");
        assert_eq!(read.trim_start(), answer.trim_start(), "{line}");
    }
}
