//! SIGINT, SIGTERM, SIGHUP and SIGQUIT: waiting for them and passing them on.

use std::task::Poll;

#[cfg(unix)]
use rustix::process::{Pid, Signal as Number, kill_process};

use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};

#[cfg(not(unix))]
type Number = ();

/// A signal that ends a run, and what the run's end is called.
pub type Signal = (Number, Cause);

#[cfg(unix)]
const SIGNALS: [Signal; 4] = [
    (Number::INT, Cause::Interrupted),
    (Number::TERM, Cause::Terminated),
    // The terminal went away.
    (Number::HUP, Cause::Terminated),
    // Ctrl-\: it would leave files behind, and a core file with secrets.
    (Number::QUIT, Cause::Quit),
];

/// Does the work unless a signal stops it. Until the work first waits there is nothing to tidy up, and a signal ends the
/// process as usual, even while a read blocks it. `under_way` is what may have been half done: `a login`.
pub async fn interruptible<T>(
    under_way: Option<Text>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let (_, cause) = tokio::select! {
        biased;
        outcome = work => return outcome,
        signal = async { any().await } => signal,
    };
    let message = match under_way {
        Some(what) => tr!("interrupted; {what} under way may have taken effect"; what),
        None => tr!("interrupted"),
    };
    Err(Error::new(cause, message))
}

/// Called before a file is made that a signal must not leave behind: from now on [`interruptible`] hears of signals.
/// The order of a batch stays, which tokio's own yield turns around.
pub async fn heed_signals() {
    let mut heeded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut heeded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for SIGINT or SIGTERM, which are caught from this call on; for ever if the system does not let us listen.
#[cfg(unix)]
pub fn either() -> impl Future<Output = Signal> {
    listen(&SIGNALS[..2])
}

/// Waits for any of the four: the terminal's end and Ctrl-\ must leave neither files nor a child behind either.
#[cfg(unix)]
pub fn any() -> impl Future<Output = Signal> {
    listen(&SIGNALS)
}

/// A signal that was ignored when we were started, as under nohup or after a shell's `&`, stays ignored, for a child too.
#[cfg(unix)]
fn listen(signals: &[Signal]) -> impl Future<Output = Signal> + use<> {
    let opened = |signal: &Signal| Some((*signal, stream(signal.0)?));
    let mut streams: Vec<_> = signals.iter().filter_map(opened).collect();
    // A file beyond its size limit is a write that fails, not an end in the middle of a run.
    let _ = stream(Number::XFSZ);
    std::future::poll_fn(move |context| {
        let mut each = streams.iter_mut();
        let came = each.find_map(|(signal, stream)| {
            let is_ready = stream.poll_recv(context).is_ready();
            is_ready.then_some(*signal)
        });
        came.map_or(Poll::Pending, Poll::Ready)
    })
}

/// The times when a signal comes, which then does nothing else; none where it is ignored.
#[cfg(unix)]
pub fn stream(number: Number) -> Option<tokio::signal::unix::Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    let number = number.as_raw();
    let heard = *IGNORED & (1 << (number - 1)) == 0;
    heard.then(|| signal(SignalKind::from_raw(number)).ok())?
}

/// The signals that are ignored from the start, a bit each; none if the system does not tell.
#[cfg(unix)]
static IGNORED: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or_default()
});

#[cfg(not(unix))]
pub use either as any;

#[cfg(not(unix))]
pub async fn either() -> Signal {
    match tokio::signal::ctrl_c().await {
        Ok(()) => ((), Cause::Interrupted),
        Err(_) => std::future::pending().await,
    }
}

/// Passes a signal on to a running child. At a terminal the keys that send one reach the child by themselves.
#[cfg(unix)]
pub fn forward((number, cause): Signal, child: Option<u32>) {
    use std::io::IsTerminal;
    let key = matches!(cause, Cause::Interrupted | Cause::Quit);
    if key && (std::io::stdin().is_terminal() || std::io::stderr().is_terminal()) {
        return;
    }
    let id = child.and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = id.and_then(Pid::from_raw) {
        // A child that has just ended is no failure.
        let _ = kill_process(pid, number);
    }
}

/// The console passes Ctrl-C on by itself.
#[cfg(not(unix))]
pub fn forward(_signal: Signal, _child: Option<u32>) {}
