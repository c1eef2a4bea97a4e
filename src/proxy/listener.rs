//! Where the gateway listens: loopback, or a socket in the file system that nobody but its owner may open.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use crate::http::Stream;
use crate::i18n::{Text, tr};

/// An address that the gateway can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Loopback(SocketAddr),
    Socket(PathBuf),
}

impl Place {
    /// Reads `ADDRESS:PORT` or `unix:PATH`.
    pub fn parse(text: &str) -> Result<Self, Text> {
        match (text.strip_prefix("unix:"), text.parse::<SocketAddr>()) {
            (Some(""), _) => Err(tr!("unix: takes a path")),
            (Some(path), _) if cfg!(unix) => Ok(Self::Socket(path.into())),
            (_, Ok(address)) if address.ip().to_canonical().is_loopback() => {
                Ok(Self::Loopback(address))
            }
            (_, Ok(_)) => Err(tr!(
                "the gateway listens on loopback only, such as 127.0.0.1:0: anybody who reaches it has your sessions"
            )),
            _ => Err(tr!("use 127.0.0.1:PORT, [::1]:PORT or unix:PATH")),
        }
    }
}

pub enum Listener {
    Tcp(TcpListener, SocketAddr),
    /// And its path, which is removed when this is dropped.
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, tempfile::TempPath),
}

impl Listener {
    pub async fn bind(place: &Place) -> io::Result<Self> {
        match place {
            Place::Loopback(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                Ok(Self::Tcp(listener, address))
            }
            #[cfg(unix)]
            Place::Socket(path) => unix::bind(path),
            #[cfg(not(unix))]
            Place::Socket(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Host and port of the gateway's URLs.
    pub fn host(&self) -> String {
        match self {
            Self::Tcp(_, address) => address.to_string(),
            #[cfg(unix)]
            Self::Unix(..) => "localhost".to_owned(),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use rustix::fs::Mode;
    use tempfile::TempPath;
    use tokio::net::UnixListener;

    use super::Listener;

    pub(super) fn bind(path: &Path) -> io::Result<Listener> {
        let listener = match open(path) {
            // What a gateway that was killed has left.
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_over(path) => {
                std::fs::remove_file(path)?;
                open(path)
            }
            opened => opened,
        };
        Ok(Listener::Unix(listener?, TempPath::try_from_path(path)?))
    }

    /// Nobody else may open it, from its first moment on.
    fn open(path: &Path) -> io::Result<UnixListener> {
        let before = rustix::process::umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        bound
    }

    fn is_left_over(path: &Path) -> bool {
        let found = std::fs::symlink_metadata(path);
        let refuses = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
        found.is_ok_and(|found| found.file_type().is_socket())
            && UnixStream::connect(path).is_err_and(refuses)
    }
}
