//! Writing to stdout, past std's buffers, so that no secret stays in them and a stalled reader blocks nothing else.

use std::io::{self, ErrorKind, IsTerminal};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::{Error, Result, error};
use crate::i18n::tr;
use crate::signals::heed_signals;
use crate::terminal::size;
use crate::threads::apart;

pub async fn print(text: &str) -> Result<()> {
    write(Zeroizing::new(text.as_bytes().to_vec())).await
}

/// Blocks until the text is written. Only where signals still end the process, and so the wait for a reader.
pub fn print_now(text: &str) -> Result<()> {
    write_all(text.as_bytes()).map_err(failed)
}

pub fn columns() -> Option<usize> {
    size(io::stdout())[0]
}

pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes on a thread where stdout's reader may keep us waiting: on ours no time-out would fire and no signal would be
/// heard. A thread takes half a millisecond, a quarter of what `token` takes, so what stdout takes at once is written here.
pub async fn write(bytes: Zeroizing<Vec<u8>>) -> Result<()> {
    let at_once = takes_at_once(bytes.len());
    if is_file() || !at_once {
        // Beyond a file's size limit a signal would end us, and whoever waits for a reader hears signals.
        heed_signals().await;
    }
    if at_once {
        return write_all(&bytes).map_err(failed);
    }
    let bytes = Arc::new(bytes);
    let theirs = Arc::clone(&bytes);
    let written = apart(move || write_all(&theirs)).await;
    let written = written.unwrap_or_else(|_| write_all(&bytes));
    written.map_err(failed)
}

/// Whether so many bytes can be written at once: a pipe that takes any takes `PIPE_BUF`; of a terminal nobody knows.
#[cfg(unix)]
fn takes_at_once(count: usize) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::OUT)];
    count <= rustix::pipe::PIPE_BUF
        && !stdout.is_terminal()
        && poll(&mut asked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

#[cfg(not(unix))]
fn takes_at_once(_: usize) -> bool {
    false
}

fn is_file() -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{FileType, fstat};
        fstat(io::stdout()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
    }
    #[cfg(not(unix))]
    false
}

/// std's line buffer would keep what could not be written, unwiped; its lock would be held by a write that waits.
#[cfg(unix)]
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(&stdout, bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn write_all(bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn failed(error: io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::BrokenPipe => {
            return error!(ClosedPipe: "the program that reads the output has closed it");
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            tr!("free space where stdout goes, or send it elsewhere")
        }
        _ => tr!("send stdout to a place that can be written to"),
    };
    let failed = error!(Storage: "cannot write to stdout").because(error);
    failed.hint(hint)
}
