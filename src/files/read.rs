//! Reads files that may be links, pipes or devices, without reading for ever or too much.

use std::fs::{File, Metadata};
use std::io::{self, Read};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::error::error;
use crate::i18n::{Text, tr};
use crate::threads::apart;

/// A file's bytes, wiped when dropped.
pub type Bytes = Zeroizing<Vec<u8>>;

/// A time as a message shows it: in seconds, to a hundredth.
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}

/// When a wait that begins now ends.
pub fn deadline(patience: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(366 * 86_400);
    Instant::now() + patience.min(YEAR)
}

/// Whether a run can open the files that it needs. The runtime panics where it gets none for its signals.
pub fn room() -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        // A login of one target opens so many at once, with the sandbox's server in the same process.
        const NEEDED: usize = 16;
        // With so many, whoever started us has left enough.
        const PLENTY: u64 = 128;
        let limit = getrlimit(Resource::Nofile).current;
        if limit.is_some_and(|limit| limit < PLENTY) {
            let stdin = io::stdin();
            let spare = (0..NEEDED).map(|_| rustix::io::fcntl_dupfd_cloexec(&stdin, 0));
            spare.collect::<Result<Vec<_>, _>>()?;
        }
    }
    Ok(())
}

/// Bytes that nobody can guess.
pub fn random() -> crate::error::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    let filled = getrandom::fill(&mut bytes).map(|()| bytes);
    filled.map_err(|_| error!(Other: "the system provides no random bytes"))
}

/// What is wrong with a file that does not exist.
pub fn not_there() -> Text {
    tr!("does not exist")
}

/// Reads a file that somebody named, at most `cap` bytes of it. A pipe or a device is waited for until `deadline`, set
/// by `patience`. Errors: what is wrong with it, as the end of a sentence: `does not exist`.
pub async fn read(
    path: &Path,
    cap: usize,
    patience: Duration,
    deadline: Instant,
) -> Result<(Bytes, Metadata), Text> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => return read_regular(path, cap),
        Ok(meta) if meta.is_dir() => return Err(tr!("is a folder")),
        found => found.map_err(|error| why(&error))?,
    };
    let path = path.to_owned();
    // Opening and reading a pipe wait for its writer; other targets and signals are served meanwhile.
    let read = apart(move || read_opened(File::open(&path), cap));
    match tokio::time::timeout_at(deadline, read).await {
        Ok(read) => read.map_err(|error| why(&error))?,
        Err(_) => Err(tr!("produced nothing within {limit} s"; limit = seconds(patience))),
    }
}

/// Reads what has been found to be a regular file: should a pipe have taken its place meanwhile, nobody waits for it.
pub fn read_regular(path: &Path, cap: usize) -> Result<(Bytes, Metadata), Text> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    read_opened(options.open(path), cap)
}

fn read_opened(file: io::Result<File>, cap: usize) -> Result<(Bytes, Metadata), Text> {
    let file = file.map_err(|error| why(&error))?;
    let meta = file.metadata().map_err(|error| why(&error))?;
    Ok((slurp(file, &meta, cap)?, meta))
}

/// Reads an open file, at most `cap` bytes of it.
pub fn slurp(file: File, meta: &Metadata, cap: usize) -> Result<Bytes, Text> {
    // Room for all of it from the start: growing would leave copies of secrets behind.
    let room = match meta.len() {
        0 => cap,
        expected => cap.min(usize::try_from(expected).unwrap_or(cap)),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    let read = file.take(cap as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| why(&error))?;
    if bytes.len() > cap {
        return Err(tr!("is larger than {size} KiB"; size = cap / 1024));
    }
    Ok(bytes)
}

/// What is wrong with a file, as the end of a sentence; in our words, not in the system's.
pub fn why(error: &io::Error) -> Text {
    match error.kind() {
        io::ErrorKind::NotFound => not_there(),
        _ => tr!("cannot be read ({why})"; why = crate::error::why(error)),
    }
}
