//! Calls that block and that nothing can stop, each on a thread of its own, so that time-outs and signals go on.

use std::io;
use std::net::SocketAddr;

/// Does work on another thread. An error means that the system gives none: a limit of the user's, or of a container's.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // Neither `thread::spawn` nor tokio's pool: both panic where there is no thread to be had.
    std::thread::Builder::new().spawn(move || drop(sender.send(work())))?;
    receiver.await.map_err(io::Error::other)
}

#[cfg(not(target_env = "musl"))]
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let name = host.to_owned();
    look(move || Ok(std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), port))?.collect()))
        .await
}

/// The addresses of a host. Asked for both families at once, musl finds nothing where the answer for one is an error,
/// as old load balancers send it for IPv6: each is asked for by itself, and an answer does not wait long for the other.
#[cfg(target_env = "musl")]
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    use dns_lookup::AddrFamily::{Inet, Inet6};

    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(300);

    let [mut four, mut six] = [Inet, Inet6].map(|family| {
        let hints = dns_lookup::AddrInfoHints {
            socktype: dns_lookup::SockType::Stream.into(),
            address: family.into(),
            ..Default::default()
        };
        let (name, port) = (host.to_owned(), port.to_string());
        Box::pin(look(move || {
            let found = dns_lookup::getaddrinfo(Some(&name), Some(&port), Some(hints))?;
            found.map(|found| Ok(found?.sockaddr)).collect()
        }))
    });
    let (first, other) = tokio::select! {
        found = &mut four => (found, six),
        found = &mut six => (found, four),
    };
    let Ok(mut found) = first else {
        return other.await;
    };
    if let Ok(Ok(more)) = tokio::time::timeout(PATIENCE, other).await {
        found.extend(more);
    }
    // IPv4 first: where IPv6 leads nowhere, a connection is tried until its limit.
    found.sort_by_key(SocketAddr::is_ipv6);
    Ok(found)
}

/// Looks a name up. Without a thread that is done on this one: late is better than not at all.
async fn look(
    work: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Clone + Send + 'static,
) -> io::Result<Vec<SocketAddr>> {
    apart(work.clone()).await.unwrap_or_else(|_| work())
}
