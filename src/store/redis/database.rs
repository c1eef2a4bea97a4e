//! The database: whose it is, what time it is there, and which entries it has.

use std::cell::Cell;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use redis::Value;
use tokio::time::Instant;

use super::lock::{Command, Response};
use super::seal::Broken;
use super::{PREFIX, RedisStore, scripts};
use crate::error::{Cause, Error, Result};
use crate::i18n::tr;
use crate::store::is_name;

/// The value that tells whether a key is the store's.
const CHECK: &str = "crmauth:check";
/// How many names are asked for at once.
const SCAN: usize = 500;
/// How many names a scan may find.
const NAMES_MAX: usize = 100_000;

/// What is known of the server since the first call.
pub(super) struct Opened {
    /// How far its clock is ahead of ours. Entries are written by its clock, which all machines share.
    pub(super) ahead: SignedDuration,
    /// Whether the check value is there.
    pub(super) checked: Cell<bool>,
}

impl RedisStore {
    /// Every entry's name, once.
    pub(super) async fn names(&self, deadline: Instant) -> Result<BTreeSet<String>> {
        self.open(deadline).await?;
        let mut names = BTreeSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(&cursor).arg("MATCH").arg([PREFIX, "*"].concat()).arg("COUNT").arg(SCAN);
            let answer = self.ask(&[command], deadline).await?;
            let Some(Value::Array(parts)) = answer.first() else { return Err(self.strange()) };
            let [next, Value::Array(keys)] = &parts[..] else { return Err(self.strange()) };
            cursor = text(next).ok_or_else(|| self.strange())?.to_owned();
            let entries = keys.iter().filter_map(text).filter_map(|key| key.strip_prefix(PREFIX));
            names.extend(entries.filter(|name| is_name(name)).map(str::to_owned));
            if !within_bounds(names.len()) {
                return Err(self.strange());
            }
            if cursor == "0" {
                return Ok(names);
            }
        }
    }

    /// Asks the server, unless it was found to be away before.
    async fn ask(&self, commands: &[redis::Cmd], deadline: Instant) -> Result<Vec<Value>> {
        if let Some(error) = &*self.away.borrow() {
            return Err(error.clone());
        }
        self.server.ask(commands, deadline).await
    }

    /// The same for what is not asked again in this run if there is no answer.
    pub(super) async fn ask_once(&self, commands: &[redis::Cmd], deadline: Instant) -> Result<Vec<Value>> {
        self.ask(commands, deadline).await.inspect_err(|error| self.remember(error))
    }

    pub(super) fn remember(&self, error: &Error) {
        if is_no_answer(error) {
            self.away.borrow_mut().get_or_insert_with(|| error.clone());
        }
    }

    /// The first call: whether the key is the store's, and what time it is there.
    pub(super) async fn open(&self, deadline: Instant) -> Result<&Opened> {
        let open = || async {
            let mut check = redis::cmd("GET");
            check.arg(CHECK);
            let before = Timestamp::now();
            let answers = self.ask_once(&[check, redis::cmd("TIME")], deadline).await?;
            let between = Timestamp::now().duration_since(before) / 2;
            let [check, time] = &answers[..] else { return Err(self.strange()) };
            let ahead = clock(time).ok_or_else(|| self.strange())?.duration_since(before) - between;
            let checked = self.check(check)?;
            Ok(Opened { ahead, checked: Cell::new(checked) })
        };
        self.opened.get_or_try_init(open).await
    }

    /// Whether a check value is there; another key's is the end of the run.
    fn check(&self, value: &Value) -> Result<bool> {
        let Value::BulkString(sealed) = value else { return Ok(false) };
        match self.keys.open(sealed, CHECK) {
            Ok(_) => Ok(true),
            Err(broken) => {
                let place = self.server.url();
                let message = match broken {
                    Broken::NotOurs => tr!("this store was sealed with another key: {place}", place),
                    Broken::Newer => tr!("the store {place} is a newer crmauth's", place),
                };
                Err(Error::new(Cause::BadSetting, message).hint(tr!(
                    "give every machine the same CRMAUTH_STORE_KEY, or use another database (redis://…/1)"
                )))
            }
        }
    }

    /// Before anything is written: the store is under our key.
    pub(super) async fn claim(&self, deadline: Instant) -> Result<()> {
        let opened = self.open(deadline).await?;
        if !opened.checked.get() {
            let sealed = self.keys.seal(b"crmauth", CHECK)?;
            let (mut set, mut get) = (redis::cmd("SET"), redis::cmd("GET"));
            set.arg(CHECK).arg(sealed).arg("NX");
            get.arg(CHECK);
            let answers = self.ask_once(&[set, get], deadline).await?;
            // Another machine may have been first, with another key.
            opened.checked.set(self.check(answers.last().unwrap_or(&Value::Nil))?);
        }
        Ok(())
    }

    /// Sends a command of the lock protocol for the entry of this name.
    pub async fn call(&self, name: &str, command: &Command, deadline: Instant) -> Result<Response> {
        let answers = self.ask(&[scripts::eval(name, command)], deadline).await?;
        answers.first().and_then(scripts::response).ok_or_else(|| self.strange())
    }

    pub(super) fn strange(&self) -> Error {
        let message = tr!("{place} gave an answer that Redis does not give", place = self.server.url());
        Error::new(Cause::Unavailable, message)
    }
}

/// What a scan may cost is decided here and nowhere else; how long it may take, by its deadline.
fn within_bounds(names: usize) -> bool {
    names <= NAMES_MAX
}

/// Whether there was no answer, or one that soon becomes another.
pub(super) fn is_no_answer(error: &Error) -> bool {
    error.cause.exit() == 5 && !matches!(error.cause, Cause::Certificate | Cause::Unavailable)
}

pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// The server's clock: seconds and microseconds.
fn clock(time: &Value) -> Option<Timestamp> {
    let Value::Array(parts) = time else { return None };
    let mut numbers = parts.iter().map(|part| text(part)?.parse::<i64>().ok());
    let (seconds, micros) = (numbers.next()??, numbers.next()??);
    Timestamp::from_microsecond(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()
}
