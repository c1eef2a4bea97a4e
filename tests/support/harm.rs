//! Texts that harm whoever reads them, or a runner that logs them: one with all of it, and what tells that some of it
//! came through. The characters stand here once more, by hand: a search by the program's own tables would miss what
//! those miss.

use std::ops::RangeInclusive;

/// What a server, an env file, an argument or a store entry may choose for a name.
pub const HOSTILE: &str = "ana##vso[task.prependpath]/opt/evil \n::stop-commands::x\r\n \t ::add-mask::y ##[group]z\
    \u{b}::a::\u{c}::b::\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}2J\u{85}::c::\u{7f}\u{2028}::d::\u{2029}::e:: #\u{200b}#\u{ad}#[f]\
    \u{202e}gnp\u{2066}\u{61c}\u{e0041}\u{e0001}\u{feff}\u{3164}\u{115f}\u{fe0f}\u{e0100}\u{fff9}\u{180e}\u{34f}\u{2800}é";

/// The same without control characters, which no setting may hold.
pub fn without_controls() -> String {
    HOSTILE.replace(char::is_control, " ")
}

/// What nobody sees, or a terminal obeys, besides control characters: category Cf, the separators of lines and
/// paragraphs, what a font without it shows nothing for, and a blank that is no space.
pub const UNSEEN: &[RangeInclusive<u32>] = &[
    0xad..=0xad,
    0x34f..=0x34f,
    0x600..=0x605,
    0x61c..=0x61c,
    0x6dd..=0x6dd,
    0x70f..=0x70f,
    0x890..=0x891,
    0x8e2..=0x8e2,
    0x115f..=0x1160,
    0x17b4..=0x17b5,
    0x180b..=0x180f,
    0x200b..=0x200f,
    0x2028..=0x202e,
    0x2060..=0x206f,
    0x2800..=0x2800,
    0x3164..=0x3164,
    0xfe00..=0xfe0f,
    0xfeff..=0xfeff,
    0xffa0..=0xffa0,
    0xfff0..=0xfffb,
    0x110bd..=0x110bd,
    0x110cd..=0x110cd,
    0x13430..=0x1343f,
    0x1bca0..=0x1bca3,
    0x1d159..=0x1d159,
    0x1d173..=0x1d17a,
    0xe0000..=0xe0fff,
];

/// What harms in a text that may have several lines; `None` where nothing does.
pub fn harm(text: &str) -> Option<String> {
    let unseen =
        |c: char| c.is_control() || UNSEEN.iter().any(|range| range.contains(&u32::from(c)));
    text.split('\n').find_map(|line| {
        if let Some(c) = line.chars().find(|c| unseen(*c)) {
            return Some(format!("U+{:04X} in {line:?}", u32::from(c)));
        }
        // GitHub's runner passes over blanks.
        let command = line.trim_start().starts_with("::") || line.contains("##");
        command.then(|| format!("a CI command: {line:?}"))
    })
}
