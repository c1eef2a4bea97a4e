//! SIGINT, SIGTERM, SIGHUP and SIGQUIT: waiting for them and passing them on.

#[cfg(unix)]
use std::task::Poll;

use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, tr};

/// What ends a run from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite request to stop.
    Terminate,
    /// The terminal went away.
    HangUp,
    /// Ctrl-\: it would leave files behind, and a core file with secrets.
    Quit,
}

impl Signal {
    #[cfg(unix)]
    fn number(self) -> i32 {
        use rustix::process::Signal;
        match self {
            Self::Interrupt => Signal::INT,
            Self::Terminate => Signal::TERM,
            Self::HangUp => Signal::HUP,
            Self::Quit => Signal::QUIT,
        }
        .as_raw()
    }

    /// The failure of a run that it stops; `under_way` is what may have been half done: `a login`.
    fn error(self, under_way: Option<&Text>) -> Error {
        let cause = match self {
            Self::Interrupt => Cause::Interrupted,
            Self::Terminate | Self::HangUp => Cause::Terminated,
            Self::Quit => Cause::Quit,
        };
        let message = match under_way {
            Some(what) => tr!("interrupted; {what} under way may have taken effect", what),
            None => tr!("interrupted"),
        };
        Error::new(cause, message)
    }
}

/// The work, or the failure of the signal that stopped it and what was `under_way`, if it can be half done. Until
/// the work first waits there is nothing to tidy up, and a signal ends the process as usual, even where a read
/// blocks it.
pub async fn interruptible<T>(under_way: Option<Text>, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        outcome = work => outcome,
        signal = async { any().await } => Err(signal.error(under_way.as_ref())),
    }
}

/// Listens from now on, and waits for SIGINT or SIGTERM; for ever where the system does not let us listen.
#[cfg(unix)]
pub fn either() -> impl Future<Output = Signal> {
    listen(&[Signal::Interrupt, Signal::Terminate])
}

/// The same with the terminal's end and Ctrl-\, which must leave neither files nor a child behind.
#[cfg(unix)]
pub fn any() -> impl Future<Output = Signal> {
    listen(&[Signal::Interrupt, Signal::Terminate, Signal::HangUp, Signal::Quit])
}

/// A signal that was ignored from the start, as under nohup or behind a shell's `&`, is meant to change nothing,
/// for a child either.
#[cfg(unix)]
fn listen(signals: &[Signal]) -> impl Future<Output = Signal> + use<> {
    use tokio::signal::unix::{SignalKind, signal};
    let ignored = ignored();
    let mut streams: Vec<_> = signals
        .iter()
        .filter(|kind| ignored & (1 << (kind.number() - 1)) == 0)
        .filter_map(|kind| Some((*kind, signal(SignalKind::from_raw(kind.number())).ok()?)))
        .collect();
    // A file beyond its size limit is a write that fails, not an end in the middle of a run.
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    std::future::poll_fn(move |context| {
        let came = streams
            .iter_mut()
            .find_map(|(kind, stream)| stream.poll_recv(context).is_ready().then_some(*kind));
        came.map_or(Poll::Pending, Poll::Ready)
    })
}

/// The signals that this process was started with as ignored, a bit each, as far as the system tells.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn any() -> Signal {
    either().await
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn either() -> Signal {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Signal::Interrupt,
        Err(_) => std::future::pending().await,
    }
}

/// Passes a signal on to a child that runs. At a terminal the keys that send one reach the child by themselves.
#[cfg(unix)]
pub fn forward(signal: Signal, child: Option<u32>) {
    use rustix::process::{Pid, Signal as Number, kill_process};
    use std::io::IsTerminal;
    let number = match signal {
        Signal::Interrupt | Signal::Quit
            if std::io::stdin().is_terminal() || std::io::stderr().is_terminal() =>
        {
            return;
        }
        Signal::Interrupt => Number::INT,
        Signal::Quit => Number::QUIT,
        Signal::Terminate => Number::TERM,
        Signal::HangUp => Number::HUP,
    };
    if let Some(pid) = child.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // A child that has just ended is no failure.
        let _ = kill_process(pid, number);
    }
}

/// The console passes Ctrl-C on by itself.
#[cfg(not(unix))]
pub fn forward(_signal: Signal, _child: Option<u32>) {}
