//! The server: connections, each used by one exchange at a time, and its refusals in our words.

use std::io::{self, ErrorKind};
use std::time::Duration;

use redis::{Cmd, RedisResult, ServerError, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::error::{Cause, Error, Result, error};
use crate::i18n::{Text, tr};
use crate::tls::{self, Trust};

/// The longest that an exchange may take, including a new connection.
const EXCHANGE_MAX: Duration = Duration::from_secs(5);
const CHUNK: usize = 16 * 1024;

/// A connection, with or without TLS.
type Pipe = Box<dyn crate::http::Stream>;

pub struct Server {
    pub url: super::url::RedisUrl,
    pub trust: std::rc::Rc<Trust>,
    pub allow_plain: bool,
    /// Those not in use. An exchange that is given up takes its own with it, so that no answer is taken for another's.
    pub idle: std::cell::RefCell<Vec<Pipe>>,
}

impl Server {
    /// Sends all commands at once and returns their answers in order. If a connection breaks, they may arrive twice.
    pub async fn ask(&self, commands: &[Cmd], deadline: Instant) -> Result<Vec<Value>> {
        let work = async {
            let idle = self.idle.borrow_mut().pop();
            if let Some(mut pipe) = idle
                && let Ok(values) = self.exchange(&mut pipe, commands).await
            {
                return Ok((values, pipe));
            }
            // The server may have been restarted, which breaks the other connections too.
            self.idle.borrow_mut().clear();
            let mut pipe = self.connect().await?;
            Ok((self.exchange(&mut pipe, commands).await?, pipe))
        };
        // A login without the store needs the rest. A server that never answers costs this once: it is not asked again.
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = (left / 4)
            .clamp(super::lock::NO_ANSWER_MIN, EXCHANGE_MAX)
            .min(left);
        let late = |_| {
            let limit = crate::files::seconds(limit);
            Err(self.out_of_reach(error!(Timeout: "no answer within {limit} s"; limit)))
        };
        let answered = tokio::time::timeout(limit, work).await;
        let (values, pipe) = answered.unwrap_or_else(late)?;
        self.idle.borrow_mut().push(pipe);
        match values.iter().find_map(refusal) {
            None => Ok(values),
            Some(error) => Err(self.refused(error)),
        }
    }

    async fn exchange(&self, pipe: &mut Pipe, commands: &[Cmd]) -> Result<Vec<Value>> {
        exchange(pipe, commands).await.map_err(|error| {
            let host = self.url.address();
            let broke = tls::explain(&error, &host).unwrap_or_else(|| match error.kind() {
                // A server that speaks TLS answers so, or hangs up.
                ErrorKind::InvalidData => error!(Closed:
                    "{host} does not speak Redis's protocol, or only over TLS"; host),
                _ => error!(Closed: "{host} closed the connection before answering"; host),
            });
            self.out_of_reach(broke.caused_by(error))
        })
    }

    async fn connect(&self) -> Result<Pipe> {
        let socket = self.reach().await?;
        // An exchange is one small write, and its answer is waited for.
        let _ = socket.set_nodelay(true);
        let mut pipe: Pipe = if self.url.tls {
            let connected = self.trust.connect(&self.url.host, socket, &[]).await;
            Box::new(connected.map_err(|error| self.unconnected(error))??)
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
        let answers = self.exchange(&mut pipe, &greeting).await?;
        let Some(error) = answers.iter().find_map(refusal) else {
            return Ok(pipe);
        };
        let mut refused = self.refused(error);
        // A refused greeting is a setting to fix, whatever the server calls it.
        if refused.cause != Cause::Closed {
            (refused.cause, refused.hint) = (Cause::BadSetting, Some(check()));
        }
        Err(refused)
    }

    /// Connects to the first address that takes us; without TLS to loopback only, unless allowed.
    async fn reach(&self) -> Result<TcpStream> {
        let found = crate::threads::resolve(&self.url.host, self.url.port).await;
        let unknown = error!(Dns: "cannot resolve {host}"; host = self.url.host);
        let found = found.map_err(|error| self.out_of_reach(unknown.caused_by(error)))?;
        let any = self.url.tls || self.allow_plain;
        let usable = |found: &std::net::SocketAddr| any || found.ip().to_canonical().is_loopback();
        let usable: Vec<_> = found.into_iter().filter(usable).collect();
        if usable.is_empty() {
            let address = self.url.address();
            return Err(error!(BadSetting:
                "redis:// to {address} is not encrypted: its password would be readable"; address =>
                hint "use rediss://, or allow it with CRMAUTH_STORE_ALLOW_PLAIN=1"));
        }
        let socket = TcpStream::connect(&usable[..]).await;
        socket.map_err(|error| self.unconnected(error))
    }

    fn unconnected(&self, error: io::Error) -> Error {
        let why = crate::http::unconnected(&error, &self.url.address());
        self.out_of_reach(why.caused_by(error))
    }

    fn out_of_reach(&self, error: Error) -> Error {
        let (place, why) = (&self.url, error.message);
        let message = tr!("the store {place} cannot be reached: {why}"; place, why);
        Error { message, ..error }.hint(tr!("is CRMAUTH_STORE right, and is its server up?"))
    }

    /// A refused user or password is a setting to fix, what passes by itself counts as no answer, and the rest needs
    /// somebody at the server. A message in our words leaves out the server's, which quote scripts.
    fn refused(&self, error: &ServerError) -> Error {
        let (place, code) = (&self.url, code(error));
        let answered = |cause| {
            let message = tr!("the store {place} answered {code}"; place, code);
            Error::new(cause, message).said(words(error))
        };
        match code {
            "NOAUTH" => {
                error!(BadSetting: "the store {place} requires a password"; place).hint(check())
            }
            "WRONGPASS" => error!(BadSetting:
                "the store {place} does not accept the user or the password"; place)
            .hint(check()),
            "OOM" => error!(Unavailable: "the memory of the store {place} is full"; place =>
                hint "free memory there, or raise its maxmemory"),
            "READONLY" => error!(Unavailable:
                "the store {place} is a replica, which accepts no changes"; place =>
                hint "name its primary in CRMAUTH_STORE"),
            "MISCONF" => error!(Unavailable:
                "the store {place} accepts no changes, because it cannot save them"; place =>
                hint "its log says why; often its disk is full"),
            "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => error!(Unavailable:
                "the store {place} is part of a cluster, which cannot be used"; place =>
                hint "name a stand-alone server in CRMAUTH_STORE"),
            // The rest is said in the server's words.
            "NOPERM" => answered(Cause::BadSetting).hint(tr!(
                "check the user in CRMAUTH_STORE and its permissions on the server"
            )),
            "LOADING" | "MASTERDOWN" | "BUSY" | "TRYAGAIN" => {
                answered(Cause::Closed).hint(tr!("try again later"))
            }
            _ => answered(Cause::Unavailable).hint(tr!("ask that server's administrator")),
        }
    }
}

fn check() -> Text {
    tr!("check the user, the password and the database in CRMAUTH_STORE")
}

fn refusal(value: &Value) -> Option<&ServerError> {
    match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

/// The error's code: the word it begins with, or the one that a script passed on from within.
fn code(error: &ServerError) -> &str {
    let inner = || {
        let mut words = error.details()?.split_whitespace();
        let word = words.find_map(|word| word.strip_prefix('-'))?;
        (word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(word)
    };
    // How Redis and Valkey say that the user may not run a command that is in a script.
    let denied = ["The user executing the script", "ACL failure in script"];
    match error.code() {
        "ERR" if denied.iter().any(|start| words(error).starts_with(start)) => "NOPERM",
        "ERR" => inner().unwrap_or("ERR"),
        code => code,
    }
}

/// The server's words after the code, without the script that it quotes: behind them since Redis 7, before until then.
fn words(error: &ServerError) -> &str {
    let details = error.details().unwrap_or_default();
    let details = match details.rsplit_once(" script: ") {
        Some((words, place)) if place.contains("@user_script") => words,
        _ => details,
    };
    let after = details.rsplit_once("@user_script").map(|(_, after)| after);
    after.map_or(details, |after| {
        after.trim_start_matches(|c: char| !c.is_ascii_alphabetic())
    })
}

async fn exchange(pipe: &mut Pipe, commands: &[Cmd]) -> io::Result<Vec<Value>> {
    let mut packed = zeroize::Zeroizing::new(Vec::new());
    for command in commands {
        command.write_packed_command(&mut packed);
    }
    pipe.write_all(&packed).await?;
    pipe.flush().await?;
    let mut progress = super::reply::Progress::new(commands.len());
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
