//! Runs a `_CMD`.

use std::io::IsTerminal;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::value::{self, MAX};
use crate::error::why;
use crate::files::{Bytes, seconds};
use crate::i18n::{Text, tr};
use crate::secret::Secret;

/// What a shell ends with where a command does not exist.
const NOT_FOUND: i32 = 127;

/// The secret that a command prints.
pub(super) async fn secret(
    text: &Secret,
    patience: Duration,
    deadline: Instant,
) -> Result<Secret, Text> {
    let printed = run(text, patience, deadline).await?;
    value::from_bytes(&printed).map_err(|why| printed_what(&why))
}

/// What is wrong with a command's output.
pub(super) fn printed_what(why: &Text) -> Text {
    match *why == value::blank() {
        true => tr!("printed nothing"),
        false => tr!("printed something that {why}"; why),
    }
}

/// What the command prints, at most 64 KiB. Errors begin with a verb, without the command's text or its output.
async fn run(text: &Secret, patience: Duration, deadline: Instant) -> Result<Bytes, Text> {
    let mut command = Command::new("sh");
    // A command may ask a person, who sees it only at a terminal; elsewhere it could print secrets to a log.
    let stderr = match std::io::stderr().is_terminal() {
        true => Stdio::inherit(),
        false => Stdio::null(),
    };
    command
        .args(["-c", text.expose()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .kill_on_drop(true);
    // All of its process group can be ended. Where there is a terminal, it has none of its own: reading a password from
    // the terminal would stop a group in the background.
    #[cfg(unix)]
    let alone = std::fs::File::open("/dev/tty").is_err();
    #[cfg(unix)]
    if alone {
        command.process_group(0);
    }
    let unrun = |error| tr!("cannot be run by `sh` ({why})"; why = why(&error));
    let mut child = command.spawn().map_err(unrun)?;
    #[cfg(unix)]
    let group = Group(child.id().filter(|_| alone));
    let ended = tokio::time::timeout_at(deadline, output(&mut child)).await;
    let (printed, status) = match ended {
        Err(_) => return Err(tr!("did not finish within {limit} s"; limit = seconds(patience))),
        Ok(Err(error)) => return Err(tr!("could not be read ({why})"; why = why(&error))),
        Ok(Ok(ended)) => ended,
    };
    let Some(status) = status else {
        return Err(tr!("printed more than {size} KiB and was stopped"; size = MAX / 1024));
    };
    // What it left running is its own affair.
    #[cfg(unix)]
    std::mem::forget(group);
    Err(match status.code() {
        Some(0) => return Ok(printed),
        Some(NOT_FOUND) => tr!("ended with exit status 127: there is no such command"),
        Some(code) => tr!("ended with exit status {code}"; code),
        None => tr!("was ended by a signal"),
    })
}

/// All that a child prints, and its status when it has ended; no status where it prints too much.
async fn output(child: &mut Child) -> std::io::Result<(Bytes, Option<std::process::ExitStatus>)> {
    let mut printed = Zeroizing::new(Vec::with_capacity(MAX + 1));
    let mut status = None;
    let mut stdout = child.stdout.take().map(|out| out.take(MAX as u64 + 1));
    while let Some(stdout) = &mut stdout {
        tokio::select! {
            biased;
            read = stdout.read_buf(&mut *printed) => if read? == 0 { break },
            ended = child.wait(), if status.is_none() => status = Some(ended?),
            // An agent that it left running may hold its stdout for ever. What it printed itself is there by now.
            () = tokio::task::yield_now(), if status.is_some() => break,
        }
    }
    if printed.len() > MAX {
        return Ok((printed, None));
    }
    // Its status is known where it has ended.
    Ok((printed, Some(child.wait().await?)))
}

/// A child's process group, which is ended when this is dropped, also where the run is interrupted.
#[cfg(unix)]
struct Group(Option<u32>);

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let id = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}
