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
    if *why == value::blank() {
        tr!("printed nothing")
    } else {
        tr!("printed something that {why}"; why)
    }
}

/// What the command prints, at most 64 KiB. It sees the process's environment and no stdin.
///
/// Errors: why there is no value, beginning with a verb, without the command's text or its output.
async fn run(text: &Secret, patience: Duration, deadline: Instant) -> Result<Bytes, Text> {
    let mut command = Command::new("sh");
    // A command may ask a person, who sees it only at a terminal; elsewhere it could print secrets to a log.
    let stderr = match std::io::stderr().is_terminal() {
        true => Stdio::inherit(),
        false => Stdio::null(),
    };
    command
        .arg("-c")
        .arg(text.expose())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .kill_on_drop(true);
    #[cfg(unix)]
    let alone = group::apart(&mut command);
    let spawned = command.spawn();
    let mut child =
        spawned.map_err(|error| tr!("cannot be run by `sh` ({why})"; why = why(&error)))?;
    #[cfg(unix)]
    let group = group::Group::new(alone, &child);
    let ended = tokio::time::timeout_at(deadline, output(&mut child)).await;
    #[cfg(unix)]
    if matches!(ended, Ok(Ok((_, Some(_))))) {
        // What it left running is its own affair.
        std::mem::forget(group);
    }
    let (printed, status) = match ended {
        Err(_) => {
            let limit = seconds(patience);
            return Err(tr!("did not finish within {limit} s"; limit));
        }
        Ok(Err(error)) => return Err(tr!("could not be read ({why})"; why = why(&error))),
        Ok(Ok(ended)) => ended,
    };
    let Some(status) = status else {
        let size = MAX / 1024;
        return Err(tr!("printed more than {size} KiB and was stopped"; size));
    };
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

#[cfg(unix)]
mod group {
    use rustix::process::{Pid, Signal, kill_process_group};
    use tokio::process::{Child, Command};

    /// Gives the command a process group of its own, so that all of it can be ended. Not where there is a
    /// terminal: reading a password from it would stop a group in the background.
    pub fn apart(command: &mut Command) -> bool {
        let alone = std::fs::File::open("/dev/tty").is_err();
        if alone {
            command.process_group(0);
        }
        alone
    }

    /// Ends the group when dropped, also where the run is interrupted.
    pub struct Group(Option<Pid>);

    impl Group {
        pub fn new(alone: bool, child: &Child) -> Self {
            let id = child.id().filter(|_| alone);
            let pid = id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
            Self(pid)
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            if let Some(pid) = self.0 {
                // It may have ended meanwhile.
                let _ = kill_process_group(pid, Signal::KILL);
            }
        }
    }
}
