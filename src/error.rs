//! What can go wrong: a typed cause, its exit code, and what to do next. `report` makes words of it.

use std::io::{self, ErrorKind};
use std::iter::successors;
use std::pin::Pin;
use std::rc::Rc;

use crate::i18n::{Text, tr};
use crate::secret::foreign::Foreign;

/// Declares the causes of failures, each with its code in JSON, its exit code (both are promised) and its meaning.
macro_rules! causes {
    ($($(#[$mark:ident])? $Cause:ident $code:literal $exit:literal,)*) => {
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub enum Cause {
            $($(#[$mark])? $Cause),*
        }

        impl Cause {
            pub fn code(self) -> &'static str {
                match self { $(Self::$Cause => $code),* }
            }

            pub fn exit(self) -> u8 {
                match self { $(Self::$Cause => $exit),* }
            }
        }
    };
}

causes! {
    #[default]
    Other           "other"             1, // Anything else.
    Rejected        "rejected"          1, // The server refused what the user's own request asked for.
    Clock           "clock"             1, // This machine's clock and the server's are far apart.
    Usage           "usage"             2, // The command line makes no sense.
    MissingSetting  "missing_setting"   2, // Settings that a target needs are not set.
    BadSetting      "bad_setting"       2, // A setting is there but cannot be used.
    Format          "format"            2, // The chosen output cannot carry this session.
    NoSession       "no_session"        3, // There is no usable session, and none may be obtained.
    Refused         "refused"           4, // The server refused the credentials, or the session.
    Locked          "locked"            4, // The server says that the account is locked or its password has expired.
    NoUser          "no_user"           4, // The session lives, but its user does not.
    Dns             "dns"               5, // A host name has no address.
    Connect         "connect"           5, // Nobody takes the connection.
    ConnectTimeout  "connect_timeout"   5, // The connection took too long.
    Tls             "tls"               5, // TLS failed for a reason that may pass.
    Certificate     "certificate"       5, // The server's certificate is not to be trusted.
    Proxy           "proxy"             5, // The proxy cannot be reached, or reaches nobody for now.
    ProxyRefused    "proxy_refused"     5, // The proxy refused, and would refuse again.
    Timeout         "timeout"           5, // The server took the connection and then was silent.
    Closed          "closed"            5, // The connection ended before the answer did.
    ServerTimeout   "server_timeout"    5, // 408: the server gave up waiting.
    RateLimited     "rate_limited"      5, // 429: too many requests.
    Unavailable     "unavailable"       5, // 502, 503, 504, 520 to 524, 530: the server is away for now.
    Outrun          "outrun"            5, // Other logins of the same user spoilt this one.
    Redirect        "redirect"          6, // The server sent the client elsewhere, and no redirect is followed.
    WrongProduct    "wrong_product"     6, // Another system answers at this URL, or none.
    NotFound        "not_found"         6, // 404, 405, 410: there is no such interface at this URL.
    Html            "html"              6, // HTML came instead of JSON.
    BadAnswer       "bad_answer"        6, // The answer is not JSON, or not the JSON that the protocol names.
    BadToken        "bad_token"         6, // The answer names no session, or one that no header could carry.
    TooLarge        "too_large"         6, // The answer is larger than any login's.
    NotHttp         "not_http"          6, // Not HTTP at all.
    Status          "status"            6, // A status that the protocol does not name, or the server failed.
    InFront         "in_front"          6, // A web server or a proxy in front of the system refused the request.
    HeaderDropped   "header_dropped"    6, // The system never saw the header that carries the session.
    Storage         "storage"           7, // A file or folder cannot be written or read.
    Busy            "busy"              7, // Another process holds what this one must write.
    Overtaken       "overtaken"         7, // Another machine has got the right that this one had.
    ClosedPipe      "closed_pipe"       7, // The reader of our output went away.
    NotExecutable   "not_executable"    126, // A child command could not be started.
    CommandNotFound "command_not_found" 127, // A child command does not exist.
    Interrupted     "interrupted"       130, // SIGINT ended the run.
    Quit            "quit"              131, // SIGQUIT ended the run.
    Terminated      "terminated"        143, // SIGTERM ended the run.
}

impl Cause {
    /// Whether the same call may work later without anybody changing anything.
    pub fn retryable(self) -> bool {
        self.exit() == 5 && !matches!(self, Self::Certificate | Self::ProxyRefused)
    }

    pub fn is_signal(self) -> bool {
        matches!(self, Self::Interrupted | Self::Quit | Self::Terminated)
    }
}

macro_rules! exit_codes {
    ($($codes:literal then $action:literal $meaning:literal,)*) => {
        /// Every exit code, what it means and what a script does about it; README and `--help` are made from it.
        pub static EXIT_CODES: &[(&str, &str, &str)] = &[$(($codes, $meaning, $action)),*];
    };
}

exit_codes! {
    "0"             then "go on"         "done; `status`: every target has a usable session",
    "1"             then "look"          "anything else; a batch whose targets failed in different ways",
    "2"             then "fix it"        "usage or configuration",
    "3"             then "log in"        "no usable session, and not allowed to get one; `status`: a target has none, or nothing is configured",
    "4"             then "do not retry"  "the server refused the credentials, or the session",
    "5"             then "retry later"   "unreachable for now: DNS, connection, TLS, time-out, 408, 429, 502, 503, 504, 520 to 524, 530",
    "6"             then "check the URL" "the server answered something other than its protocol says: HTML, a redirect, 404, truncated JSON",
    "7"             then "look"          "local storage: a file, the store, a lock, a full disk, a closed pipe",
    "125"           then "look"          "`exec`: crmauth failed, for any of the reasons above",
    "126, 127"      then "fix it"        "`exec`, `sandbox -- CMD`: CMD cannot be executed, or does not exist; else CMD's own code",
    "130, 131, 143" then "stop"          "interrupted, quit, terminated",
}

/// A failure: the cause, one sentence of ours, what the server said if it said something, and the next step.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Error {
    pub cause: Cause,
    /// One sentence of our own without a full stop; it names the host where one is involved.
    pub message: Text,
    /// What somebody else said about it.
    pub said: Option<Foreign>,
    /// The next step, one sentence without a full stop.
    pub hint: Option<Text>,
    /// The fields that it is about, where that is known of a refusal.
    pub about: &'static [&'static str],
    /// The target it happened to, as typed: `gluo@filial`.
    pub target: Option<Box<str>>,
    pub http_status: Option<u16>,
    /// What a library or the operating system reported, which `-v` shows.
    pub source: Option<Rc<anyhow::Error>>,
    /// Whether a request of the user's may have changed something: the same call could do it twice.
    pub in_doubt: bool,
    /// Whether a login was refused for the session that it needs: with another one it may work.
    pub of_prerequisite: bool,
}

impl Error {
    pub fn new(cause: Cause, message: Text) -> Self {
        Self {
            cause,
            message,
            ..Self::default()
        }
    }

    /// Says that the user's request may have taken effect, whatever hint there was.
    pub fn in_doubt(mut self) -> Self {
        let hint = tr!("it may have taken effect: look first, and repeat it only if it has not");
        (self.hint, self.in_doubt) = (Some(hint), true);
        self
    }

    pub fn retryable(&self) -> bool {
        self.cause.retryable() && !self.in_doubt
    }

    /// Adds the next step, unless a more precise one is there already.
    pub fn hint(mut self, hint: Text) -> Self {
        self.hint.get_or_insert(hint);
        self
    }

    /// Adds what somebody else said; an empty text adds nothing.
    pub fn said(mut self, text: &str) -> Self {
        if !text.trim().is_empty() {
            self.said = Some(Foreign::new(text));
        }
        self
    }

    /// Adds to the sentence why the operating system did not do it.
    pub fn because(self, error: io::Error) -> Self {
        self.since(&error).caused_by(error)
    }

    /// Like [`Self::because`], where the error that led to this one is kept otherwise.
    pub fn since(mut self, error: &io::Error) -> Self {
        self.message = tr!("{what}: {why}"; what = self.message, why = why(error));
        self
    }

    /// Keeps the error that led to this one, with its own causes.
    pub fn caused_by(mut self, error: impl Into<anyhow::Error>) -> Self {
        self.source = Some(Rc::new(error.into()));
        self
    }

    pub fn status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    /// Names the target, unless one is named already.
    pub fn target(mut self, target: &str) -> Self {
        self.target.get_or_insert_with(|| target.into());
        self
    }
}

/// Makes an [`Error`]: `error!(Usage: "{name} is no method"; name => hint "it takes {list}"; list = or(&ALL))`, where
/// the sentence and the hint are as in [`tr!`].
macro_rules! error {
    ($cause:ident: $pattern:literal $(; $($name:ident $(= $value:expr)?),+)?) => {
        $crate::error::Error::new(
            $crate::error::Cause::$cause,
            $crate::i18n::tr!($pattern $(; $($name $(= $value)?),+)?),
        )
    };
    (
        $cause:ident: $pattern:literal $(; $($name:ident $(= $value:expr)?),+)?
        => hint $hint:literal $(; $($hinted:ident $(= $with:expr)?),+)?
    ) => {
        $crate::error::error!($cause: $pattern $(; $($name $(= $value)?),+)?)
            .hint($crate::i18n::tr!($hint $(; $($hinted $(= $with)?),+)?))
    };
}

pub(crate) use error;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A [`Result`] that is not there yet; not `Send`, since all work is done on one thread.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// Why the operating system did not do what was asked of it, as the end of a sentence.
pub fn why(error: &io::Error) -> Text {
    let error = innermost(error).unwrap_or(error);
    match error.kind() {
        ErrorKind::NotFound => tr!("no such file or folder"),
        ErrorKind::PermissionDenied => tr!("permission denied"),
        ErrorKind::AlreadyExists => tr!("it already exists"),
        ErrorKind::IsADirectory => tr!("it is a folder"),
        ErrorKind::NotADirectory => tr!("a part of its path is not a folder"),
        ErrorKind::StorageFull => tr!("the disk is full"),
        ErrorKind::QuotaExceeded => tr!("the disk quota is exceeded"),
        ErrorKind::ReadOnlyFilesystem => tr!("the file system is read-only"),
        ErrorKind::FileTooLarge => tr!("the file would be too large"),
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => tr!("it is in use"),
        ErrorKind::InvalidFilename => tr!("its name is too long, or not allowed"),
        ErrorKind::ArgumentListTooLong => tr!("the command line is too long"),
        ErrorKind::AddrInUse => tr!("the port is taken"),
        ErrorKind::BrokenPipe => tr!("its other end is closed"),
        ErrorKind::TimedOut => tr!("it took too long"),
        ErrorKind::WriteZero => tr!("not all of it could be written"),
        ErrorKind::UnexpectedEof => tr!("it ended too early"),
        ErrorKind::OutOfMemory => tr!("there is not enough memory"),
        ErrorKind::Unsupported => tr!("it cannot be done there"),
        kind => unnamed(error).unwrap_or_else(|| match error.raw_os_error() {
            Some(number) => tr!("the system's error {number}"; number),
            None => tr!("{kind}"; kind),
        }),
    }
}

/// What std has no name for.
fn unnamed(error: &io::Error) -> Option<Text> {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        Some(match Errno::from_io_error(error)? {
            Errno::MFILE => tr!("this process has reached its limit of open files (`ulimit -n`)"),
            Errno::NFILE => tr!("the system cannot open any more files"),
            Errno::AGAIN => tr!(
                "the system cannot do that now, usually because of too many processes or threads (`ulimit -u`)"
            ),
            Errno::NOLCK => tr!("files cannot be locked there"),
            Errno::NOEXEC => tr!(
                "it is neither a program of this system nor a script whose first line names its interpreter, as `#!/bin/sh` does"
            ),
            Errno::LOOP => tr!("its links form a loop, or it is a link"),
            Errno::IO | Errno::NXIO | Errno::NODEV => tr!("the device reports an error"),
            _ => return None,
        })
    }
    #[cfg(not(unix))]
    None
}

/// The system's own error, which may be wrapped in others that tell nothing.
pub fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let found = find::<io::Error>(error)?;
    let inner = found.get_ref().and_then(|inner| innermost(inner));
    inner.or(Some(found))
}

/// Walks an error's sources for one of a type.
pub fn find<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    let mut chain = successors(Some(error), |error| error.source());
    chain.find_map(|error| {
        // The TLS error hides inside an I/O error, which does not name it as its source.
        let inside = || find::<T>(error.downcast_ref::<io::Error>()?.get_ref()?);
        error.downcast_ref().or_else(inside)
    })
}
