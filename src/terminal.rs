//! Terminals: how large they are, and how wide a text is on them.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a text looks on a terminal: ECMA-48's codes, for colour that is meaning only.
pub mod style {
    pub const PLAIN: &str = "\x1b[0m";
    pub const BOLD: &str = "\x1b[1m";
    pub const DIM: &str = "\x1b[2m";
    pub const RED: &str = "\x1b[31m";
    pub const GREEN: &str = "\x1b[32m";
    pub const YELLOW: &str = "\x1b[33m";
    pub const BLUE: &str = "\x1b[34m";
    pub const CYAN: &str = "\x1b[36m";
    pub const GREY: &str = "\x1b[90m";
}

/// How many columns a terminal has; `None` for what is no terminal, or does not tell.
#[cfg(unix)]
pub fn columns(stream: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// How many rows a terminal has; `None` as with [`columns`].
#[cfg(unix)]
pub fn rows(stream: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_row > 0).then(|| usize::from(size.ws_row))
}

/// How many columns a terminal has: nobody tells.
#[cfg(not(unix))]
pub fn columns<T>(_stream: T) -> Option<usize> {
    None
}

/// How many rows a terminal has: nobody tells.
#[cfg(not(unix))]
pub fn rows<T>(_stream: T) -> Option<usize> {
    None
}

/// How many columns a text takes: none for an accent of its own, two for a wide letter.
pub fn width(text: &str) -> usize {
    text.width()
}

/// As much of a text as these columns hold; where that is not all of it, an ellipsis stands at its end.
pub fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += c.width().unwrap_or_default();
        used <= room
    });
    kept.chain(['…']).take(columns).collect()
}

/// A text in lines of so many columns, broken between words where that is possible.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        while width(word) > columns {
            let start = start(word, columns);
            lines.push(word[..start].to_owned());
            word = &word[start..];
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Where the part of a word ends that these columns hold; at least one letter is.
fn start(word: &str, columns: usize) -> usize {
    let mut used = 0;
    let next = word.char_indices().find(|(at, c)| {
        used += c.width().unwrap_or_default();
        used > columns && *at > 0
    });
    next.map_or(word.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_what_a_reader_sees() {
        for (text, columns) in [
            ("", 0),
            ("ação", 4),
            ("ac\u{327}a\u{303}o", 4),
            ("株式", 4),
            ("e\u{301}", 1),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
        for (text, columns, clipped) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("株式会社", 4, "株…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(clip(text, columns), clipped, "{text}");
        }
    }

    #[test]
    fn lines_break_between_words_and_in_long_ones() {
        for (text, columns, lines) in [
            ("", 5, &[""][..]),
            ("ab cd ef", 5, &["ab cd", "ef"]),
            ("ab abcdefg h", 5, &["ab", "abcde", "fg h"]),
            ("株式会社", 3, &["株", "式", "会", "社"]),
            ("ab", 0, &["a", "b"]),
        ] {
            assert_eq!(wrap(text, columns), lines, "{text}");
        }
    }
}
