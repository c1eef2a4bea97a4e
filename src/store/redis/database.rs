//! The database: whether it is ours, what time it is there, and which entries it has.

use std::cell::Cell;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use redis::{Cmd, FromRedisValue, Value, from_redis_value};
use tokio::time::Instant;

use super::lock::{Command, Response};
use super::seal::Broken;
use super::{PREFIX, RedisStore, scripts};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::tr;
use crate::store::is_name;

/// A sealed value that only the right key opens.
const CHECK: &str = "crmauth:check";
/// How many names are asked for at once.
const SCAN: usize = 500;
/// How many names a scan may find.
const NAMES_MAX: usize = 100_000;

/// Facts about the server from the first exchange.
pub(super) struct Opened {
    /// How far its clock is ahead of ours. Entries are written by its clock, which all machines share.
    pub(super) ahead: SignedDuration,
    checked: Cell<bool>,
}

impl RedisStore {
    /// Sends commands, unless the server was found to be away before.
    async fn ask(&self, commands: &[Cmd], deadline: Instant) -> Result<Vec<Value>> {
        if let Some(error) = &*self.away.borrow() {
            return Err(error.clone());
        }
        self.server.ask(commands, deadline).await
    }

    /// Sends commands. If there is no answer, the server is away for the rest of the run.
    pub(super) async fn ask_once(&self, commands: &[Cmd], deadline: Instant) -> Result<Vec<Value>> {
        let answers = self.ask(commands, deadline).await;
        answers.inspect_err(|error| self.remember(error))
    }

    pub(super) fn remember(&self, error: &Error) {
        if is_no_answer(error) {
            self.away.borrow_mut().get_or_insert_with(|| error.clone());
        }
    }

    /// Sends a command of the lock protocol for the entry of this name.
    pub async fn call(&self, name: &str, command: &Command, deadline: Instant) -> Result<Response> {
        let command = scripts::eval(name, command);
        let answer = self.ask(&[command], deadline).await?.pop();
        scripts::response(&self.parsed::<Vec<String>>(answer)?).ok_or_else(|| self.strange())
    }

    /// The first exchange: whether the database is sealed with our key, and what time it is there.
    pub(super) async fn open(&self, deadline: Instant) -> Result<&Opened> {
        let open = || async {
            let commands = [redis::cmd("GET").arg(CHECK).take(), redis::cmd("TIME")];
            let before = Timestamp::now();
            let mut answers = self.ask_once(&commands, deadline).await?;
            let between = Timestamp::now().duration_since(before) / 2;
            let (seconds, micros): (i64, i32) = self.parsed(answers.pop())?;
            let nanos = micros.checked_mul(1000);
            let time = nanos.and_then(|nanos| Timestamp::new(seconds, nanos).ok());
            let ahead = time.ok_or_else(|| self.strange())?.duration_since(before) - between;
            let checked = Cell::new(self.check(answers.pop())?);
            Ok(Opened { ahead, checked })
        };
        self.opened.get_or_try_init(open).await
    }

    /// Whether a check value is there. One of another key ends the run.
    fn check(&self, value: Option<Value>) -> Result<bool> {
        let Some(sealed) = self.parsed::<Option<Vec<u8>>>(value)? else {
            return Ok(false);
        };
        let place = &self.server.url;
        let why = match self.keys.open(&sealed, CHECK) {
            Ok(_) => return Ok(true),
            Err(Broken::NotOurs) => {
                tr!("this store was encrypted with another key: {place}", place)
            }
            Err(Broken::Newer) => tr!("the store {place} belongs to a newer crmauth", place),
        };
        Err(Error::new(Cause::BadSetting, why).hint(tr!(
            "give every machine the same CRMAUTH_STORE_KEY, or use another database (redis://…/1)"
        )))
    }

    /// Makes sure, before anything is written, that the database has a check value of our key.
    pub(super) async fn claim(&self, deadline: Instant) -> Result<()> {
        let opened = self.open(deadline).await?;
        if !opened.checked.get() {
            let sealed = self.keys.seal(b"crmauth", CHECK)?;
            let set = redis::cmd("SET").arg((CHECK, sealed, "NX")).take();
            let get = redis::cmd("GET").arg(CHECK).take();
            let mut answers = self.ask_once(&[set, get], deadline).await?;
            // Another machine may have been first, with another key.
            opened.checked.set(self.check(answers.pop())?);
        }
        Ok(())
    }

    pub(super) async fn names(&self, deadline: Instant) -> Result<BTreeSet<String>> {
        self.open(deadline).await?;
        let pattern = [PREFIX, "*"].concat();
        let mut names = BTreeSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg(("MATCH", &pattern, "COUNT", SCAN));
            let keys: Vec<Vec<u8>>;
            (cursor, keys) = self.parsed(self.ask(&[scan], deadline).await?.pop())?;
            let texts = keys
                .iter()
                .filter_map(|key| std::str::from_utf8(key).ok()?.strip_prefix(PREFIX));
            names.extend(texts.filter(|name| is_name(name)).map(str::to_owned));
            // Its deadline bounds how long a scan may take.
            if names.len() > NAMES_MAX {
                return Err(self.strange());
            }
            if cursor == "0" {
                return Ok(names);
            }
        }
    }

    /// An answer in the form that its command has.
    pub(super) fn parsed<T: FromRedisValue>(&self, answer: Option<Value>) -> Result<T> {
        from_redis_value(answer.unwrap_or(Value::Nil)).map_err(|_| self.strange())
    }

    fn strange(&self) -> Error {
        let place = &self.server.url;
        error!(
            Unavailable,
            "{place} sent an answer that is not Redis's", place
        )
    }
}

/// Whether the server gave no answer, or one that will soon be another.
pub(super) fn is_no_answer(error: &Error) -> bool {
    error.cause.exit() == 5 && !matches!(error.cause, Cause::Certificate | Cause::Unavailable)
}
