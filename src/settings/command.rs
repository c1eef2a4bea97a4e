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
        tr!("printed something that {why}", why)
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
        spawned.map_err(|error| tr!("cannot be run by `sh` ({why})", why = why(&error)))?;
    #[cfg(unix)]
    let group = group::Group::new(alone, &child);
    let ended = tokio::time::timeout_at(deadline, output(&mut child)).await;
    #[cfg(unix)]
    if matches!(ended, Ok(Ok((_, Some(_))))) {
        group.leave();
    }
    let (printed, status) = match ended {
        Err(_) => {
            let limit = seconds(patience);
            return Err(tr!("did not finish within {limit} s", limit));
        }
        Ok(Err(error)) => return Err(tr!("could not be read ({why})", why = why(&error))),
        Ok(Ok(ended)) => ended,
    };
    let Some(status) = status else {
        let size = MAX / 1024;
        return Err(tr!("printed more than {size} KiB and was stopped", size));
    };
    Err(match status.code() {
        Some(0) => return Ok(printed),
        Some(NOT_FOUND) => tr!("ended with exit status 127: there is no such command"),
        Some(code) => tr!("ended with exit status {code}", code),
        None => tr!("was ended by a signal"),
    })
}

/// All that a child prints, and its status when it has ended; no status where it prints too much.
async fn output(child: &mut Child) -> std::io::Result<(Bytes, Option<std::process::ExitStatus>)> {
    let mut printed = Zeroizing::new(Vec::with_capacity(MAX + 1));
    let mut status = None;
    let mut stdout = child
        .stdout
        .take()
        .map(|stdout| stdout.take(MAX as u64 + 1));
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

        /// The command has ended by itself: what it left running is its own affair.
        pub fn leave(mut self) {
            self.0 = None;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::settings::fixture::wait_for;

    fn run(text: &str, patience: Duration) -> Result<String, String> {
        let text = Secret::new(text.to_owned());
        let printed = wait_for(super::run(&text, patience, files::deadline(patience)));
        let printed = printed.map_err(|why| why.english())?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    #[test]
    fn what_a_command_prints() {
        for (text, printed) in [
            ("printf 'a b\\n'", Ok("a b\n")),
            ("cat; echo x >&2", Ok("")),
            ("kill -9 $$", Err("was ended by a signal")),
            (
                "cat /dev/zero",
                Err("printed more than 64 KiB and was stopped"),
            ),
        ] {
            let found = run(text, Duration::from_secs(60));
            assert_eq!(found.as_deref().map_err(String::as_str), printed, "{text}");
        }
        let most = run("head -c 65536 /dev/zero", Duration::from_secs(60));
        assert_eq!(most.map(|text| text.len()), Ok(65536));
    }

    #[test]
    fn what_a_command_leaves_running_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let pipe = dir.path().join("pipe");
        let name = pipe.display();
        for text in [
            "cat '{name}' & echo v",
            "echo v; cat '{name}' &",
            "(cat '{name}'; echo late) & sleep 0 & echo v",
            "sh -c \"cat '{name}' &\"; echo v; exit 0",
        ] {
            let long = Duration::from_secs(60);
            let made = run(&format!("rm -f '{name}'; mkfifo '{name}'"), long);
            assert_eq!(made.as_deref(), Ok(""));
            let printed = run(&text.replace("{name}", &name.to_string()), long);
            assert_eq!(printed.as_deref(), Ok("v\n"), "{text}");
            // It reads, so it is there still; now it ends.
            std::fs::write(&pipe, "").expect("a reader");
        }
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let dir = tempfile::tempdir().expect("a folder");
        let pipe = dir.path().join("pipe");
        let text = format!("mkfifo '{0}'; cat '{0}'; echo", pipe.display());
        let late = |seconds: &str| Err(format!("did not finish within {seconds} s"));
        assert_eq!(run(&text, Duration::from_millis(200)), late("0.2"));
        assert_eq!(
            run("exec tail -f /dev/null", Duration::from_millis(50)),
            late("0.05")
        );
    }
}
