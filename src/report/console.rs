//! What a person types at Windows' console, whose modes the library sets and puts back.

use std::io::{self, BufRead, ErrorKind};

use zeroize::Zeroizing;

/// Reads a line, and shows it where it is to be `shown`.
pub(super) fn typed(shown: bool) -> io::Result<Option<Zeroizing<String>>> {
    if !shown {
        let config = rpassword::ConfigBuilder::new().output_discard();
        return match rpassword::read_password_with_config(config.build()) {
            Ok(line) => Ok(Some(Zeroizing::new(line))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        };
    }
    let mut line = Zeroizing::new(String::with_capacity(4096));
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

pub(super) fn forget_typed() {}

pub(super) struct Modes;

impl Modes {
    pub(super) fn keep() -> Self {
        Self
    }
}
