//! The server: connections, each used by one exchange at a time.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use redis::{Cmd, RedisResult, Value};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::lock::NO_ANSWER_MIN;
use super::refusals::refusal;
use super::reply::Progress;
use super::url::RedisUrl;
use crate::error::{Error, Result, error};
use crate::files;
use crate::i18n::tr;
use crate::threads;
use crate::tls::{self, Trust};

/// The longest that an exchange may take, including a new connection.
const EXCHANGE_MAX: Duration = Duration::from_secs(5);
/// How much is read at first.
const CHUNK: usize = 16 * 1024;

/// A connection, with or without TLS.
pub(super) trait Pipe: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Pipe for T {}

pub(super) struct Server {
    pub(super) url: RedisUrl,
    pub(super) trust: Rc<Trust>,
    pub(super) allow_plain: bool,
    /// Connections that are not in use. An exchange that is given up takes its connection with it, so that no answer is
    /// taken for another's.
    pub(super) idle: RefCell<Vec<Box<dyn Pipe>>>,
}

impl Server {
    /// Sends all commands at once and returns their answers in order, within a share of the time that is left. If a
    /// connection breaks, the commands may reach the server twice.
    pub async fn ask(&self, commands: &[Cmd], deadline: Instant) -> Result<Vec<Value>> {
        let work = async {
            let idle = self.idle.borrow_mut().pop();
            if let Some(pipe) = idle
                && let Ok(values) = self.exchange(pipe, commands).await
            {
                return Ok(values);
            }
            // The server may have been restarted, which breaks the other connections too.
            self.idle.borrow_mut().clear();
            let pipe = self.connect().await?;
            self.exchange(pipe, commands).await
        };
        let limit = share(deadline.saturating_duration_since(Instant::now()));
        let late = |_| {
            let limit = files::seconds(limit);
            Err(self.out_of_reach(error!(Timeout, "no answer within {limit} s", limit)))
        };
        let values = tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(late)?;
        match values.iter().find_map(refusal) {
            None => Ok(values),
            Some(error) => Err(self.refused(error)),
        }
    }

    async fn exchange(&self, mut pipe: Box<dyn Pipe>, commands: &[Cmd]) -> Result<Vec<Value>> {
        let values = exchange(&mut pipe, commands)
            .await
            .map_err(|error| self.broke(error, false))?;
        self.idle.borrow_mut().push(pipe);
        Ok(values)
    }

    async fn connect(&self) -> Result<Box<dyn Pipe>> {
        let socket = self.reach().await?;
        // An exchange is one small write, and its answer is waited for.
        let _ = socket.set_nodelay(true);
        let mut pipe: Box<dyn Pipe> = if self.url.tls {
            let connected = self.trust.connect(&self.url.host, socket, &[]).await;
            Box::new(connected.map_err(|error| self.broke(error, true))??)
        } else {
            Box::new(socket)
        };
        let mut greeting = Vec::new();
        if let Some(password) = &self.url.password {
            let mut auth = redis::cmd("AUTH");
            greeting.push(auth.arg(&self.url.user).arg(password.expose()).take());
        }
        if self.url.database != 0 {
            greeting.push(redis::cmd("SELECT").arg(self.url.database).take());
        }
        let answers = exchange(&mut pipe, &greeting)
            .await
            .map_err(|error| self.broke(error, false))?;
        match answers.iter().find_map(refusal) {
            None => Ok(pipe),
            Some(error) => Err(self.not_let_in(error)),
        }
    }

    /// Connects to the first address that takes us; without TLS to loopback only, unless allowed.
    async fn reach(&self) -> Result<TcpStream> {
        let found = threads::resolve(&self.url.host, self.url.port).await;
        let found = found.map_err(|error| {
            let unknown = error!(Dns, "cannot resolve {host}", host = self.url.host);
            self.out_of_reach(unknown.caused_by(error))
        })?;
        let any = self.url.tls || self.allow_plain;
        let usable = |found: &SocketAddr| any || found.ip().to_canonical().is_loopback();
        let usable: Vec<_> = found.into_iter().filter(usable).collect();
        if usable.is_empty() {
            let address = self.url.address();
            let error = error!(
                BadSetting, "redis:// to {address} is not encrypted: its password would be readable", address;
                hint "use rediss://, or allow it with CRMAUTH_STORE_ALLOW_PLAIN=1"
            );
            return Err(error);
        }
        let error = match TcpStream::connect(&usable[..]).await {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        let host = self.url.address();
        let failed = match error.kind() {
            ErrorKind::ConnectionRefused => error!(Connect, "connection refused by {host}", host),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
                error!(Connect, "no route to {host}", host)
            }
            _ => error!(Connect, "cannot connect to {host}", host),
        };
        Err(self.out_of_reach(failed.caused_by(error)))
    }

    /// A connection that broke, during the TLS handshake or later.
    fn broke(&self, error: io::Error, handshake: bool) -> Error {
        let host = self.url.address();
        let broke = match (tls::explain(&error, &host), error.kind()) {
            (Some(explained), _) => explained,
            (None, _) if handshake => {
                error!(
                    Tls,
                    "{host} closed the connection during the TLS handshake", host
                )
            }
            // A server that speaks TLS answers so, or hangs up.
            (None, ErrorKind::InvalidData) => {
                error!(
                    Closed,
                    "{host} does not speak Redis's protocol, or only over TLS", host
                )
            }
            (None, _) => error!(
                Closed,
                "{host} closed the connection before answering", host
            ),
        };
        self.out_of_reach(broke.caused_by(error))
    }

    fn out_of_reach(&self, error: Error) -> Error {
        let message = tr!(
            "the store {place} cannot be reached: {why}",
            place = self.url,
            why = error.message
        );
        Error { message, ..error }.hint(tr!("is CRMAUTH_STORE right, and is its server up?"))
    }
}

/// How long an exchange may take if so much time is left: a quarter, as a login without the store needs the rest. A
/// server that takes connections and never answers costs that once, since it is not asked again.
fn share(left: Duration) -> Duration {
    (left / 4).clamp(NO_ANSWER_MIN, EXCHANGE_MAX).min(left)
}

/// Sends commands and reads their replies.
async fn exchange(pipe: &mut Box<dyn Pipe>, commands: &[Cmd]) -> io::Result<Vec<Value>> {
    let mut packed = Zeroizing::new(Vec::new());
    for command in commands {
        command.write_packed_command(&mut packed);
    }
    pipe.write_all(&packed).await?;
    pipe.flush().await?;
    let mut progress = Progress::new(commands.len());
    let mut received = Vec::with_capacity(CHUNK);
    while !progress.is_complete(&received)? {
        if pipe.read_buf(&mut received).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    let (mut parser, mut replies) = (redis::Parser::new(), &received[..]);
    let values = commands.iter().map(|_| parser.parse_value(&mut replies));
    let values: RedisResult<_> = values.collect();
    values.map_err(|_| ErrorKind::InvalidData.into())
}
