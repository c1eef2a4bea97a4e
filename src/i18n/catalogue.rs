//! The Portuguese sentences, each behind its English one.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Two lines an entry, English and Portuguese, with an empty line or a comment between entries.
const PORTUGUESE: &str = include_str!("pt-BR.txt");

static ENTRIES: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| entries(PORTUGUESE).collect());

/// The Portuguese sentence; `None` for one that has no words in it.
pub(super) fn portuguese(english: &str) -> Option<&'static str> {
    ENTRIES.get(english).copied()
}

fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
}
