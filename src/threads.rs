//! Calls that block and that nothing can stop, each on a thread of its own, so that time-outs and signals go on.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use tokio::sync::oneshot;

/// Does work on another thread. An error means that the system gives none: a limit of the user's, or of a container's.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    // Neither `thread::spawn` nor tokio's pool: both panic where there is no thread to be had.
    std::thread::Builder::new().spawn(move || drop(sender.send(work())))?;
    receiver.await.map_err(io::Error::other)
}

/// The addresses of a host. Without a thread the name is resolved on this one: late is better than not at all.
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let name = host.to_owned();
    let look = move || Ok((name.as_str(), port).to_socket_addrs()?.collect());
    apart(look.clone()).await.unwrap_or_else(|_| look())
}
