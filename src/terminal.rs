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

/// How many columns and rows a terminal has; `None` for what is no terminal, or does not tell.
#[cfg(unix)]
pub fn size(stream: impl std::os::fd::AsFd) -> [Option<usize>; 2] {
    let size = rustix::termios::tcgetwinsize(stream);
    let counts = size.map_or([0, 0], |size| [size.ws_col, size.ws_row]);
    counts.map(|count| (count > 0).then(|| count.into()))
}

#[cfg(not(unix))]
pub fn size<T>(_: T) -> [Option<usize>; 2] {
    [None, None]
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
    for mut word in text.split(' ') {
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
        let texts = ["", "ação", "ac\u{327}a\u{303}o", "株式", "e\u{301}"];
        assert_eq!(texts.map(width), [0, 4, 4, 4, 1]);
        assert_eq!(["abc", "abcd"].map(|text| clip(text, 3)), ["abc", "ab…"]);
        assert_eq!(clip("株式会社", 4), "株…");
        assert_eq!([0, 1].map(|columns| clip("ab", columns)), ["", "…"]);
    }

    #[test]
    fn lines_break_between_words_and_in_long_ones() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrap("ab abcdefg h", 5), ["ab", "abcde", "fg h"]);
        assert_eq!(wrap("株式会社", 3), ["株", "式", "会", "社"]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }
}
