//! Texts of others, made fit to be shown: on one line, without secrets, and without what a terminal or a CI runner obeys.

use std::iter::successors;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::{Redactor, Secret};

/// How many bytes of a text are looked at, how many of what is left on one line, and how many of the last are not shown
/// if the text goes on, since a secret may begin there.
const LOOKED_AT: usize = 17 * 1024;
const LINE: usize = 4 * 1024;
const BEYOND: usize = 1024;
/// How often a line is made safe at most: each time there is less to do.
const ROUNDS: usize = 8;
/// How many characters are shown.
const SHOWN: usize = 300;

/// A text of others. It can only be shown through [`Foreign::clean`].
#[derive(Clone, Debug)]
pub struct Foreign(Secret);

impl Foreign {
    pub fn new(text: &str) -> Self {
        // One character more tells that it goes on.
        let end = text.ceil_char_boundary(LOOKED_AT + 1);
        Self(Secret::new(text[..end].to_owned()))
    }

    /// One printable line of at most 300 characters: secrets blanked, then controls and CI commands broken, then cut.
    pub fn clean(&self, redactor: &Redactor) -> String {
        let text = self.0.expose();
        let looked_at = &text[..text.floor_char_boundary(LOOKED_AT)];
        let safe = |text: &str| printable(&redactor.foreign(text));
        let mut line = safe(looked_at);
        let end = line.floor_char_boundary(LINE);
        let cut = looked_at.len() < text.len() || end < line.len();
        line.truncate(end);
        // On one line a secret with a space may stand whole that was wrapped before, and where escapes are undone to
        // blank one, what a terminal obeys may come out.
        let safer = |line: &String| Some(safe(line)).filter(|again| again != line);
        let again = successors(Some(safe(&line)), safer);
        let mut line = again.take(ROUNDS).last().unwrap_or_default();
        if cut {
            line.truncate(line.floor_char_boundary(line.len().saturating_sub(BEYOND)));
        }
        while line.contains("::") {
            line = line.replace("::", ": :");
        }
        if !cut && line.chars().count() <= SHOWN {
            return line;
        }
        line.chars().take(SHOWN - 1).chain(['…']).collect()
    }
}

/// Whether nobody sees a character, or a terminal obeys it: control and formatting characters, direction marks, fillers,
/// what picks a variant of the character before. Whatever is shown, and every JSON of ours, is judged here and nowhere
/// else; a body that `api` passes on is left as it is.
pub fn unseen(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(CodePointMapData::new().get(c), Control | Format | LineSeparator | ParagraphSeparator)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        // Blank, and no white space to Unicode: the braille pattern without dots, the null notehead.
        || matches!(c, '\u{2800}' | '\u{1d159}')
}

/// A name or a sentence on one line, without what is not seen, and without what a CI runner would take for a command:
/// `##[name]` and `##vso[name]` anywhere, and `::name` at the start of any word, where a terminal may fold the line.
pub fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        let is_blank = unseen(c) || c.is_whitespace();
        let apart = match c {
            _ if is_blank => !line.is_empty() && !line.ends_with(' '),
            '#' => line.ends_with('#'),
            ':' => line == ":" || line.ends_with(" :"),
            _ => false,
        };
        if apart {
            line.push(' ');
        }
        if !is_blank {
            line.push(c);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cut_of_a_foreign_text_shows_a_secrets_beginning() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("s3cr\"et".into()));
        let clean = |text: &str| Foreign::new(text).clean(&redactor);
        assert_eq!(clean(&"é".repeat(400)).chars().count(), 300);
        let cut = clean(&format!("{}s3cr\"et", "x".repeat(296)));
        assert!(!cut.contains("s3"), "a secret that the limit cuts");
        for (before, shown) in [(7, "***"), (6, "…"), (1, "…"), (0, "…")] {
            let cut = clean(&format!("{}s3cr\"et", " ".repeat(LOOKED_AT - before)));
            assert_eq!(cut, shown, "nor one cut at the end");
        }
    }

    #[test]
    fn a_name_is_one_line_that_no_runner_obeys() {
        let harmless = "Ação, e\u{301} 株 https://[::1]:8080/a::b #1";
        for (text, line) in [
            ("", ""),
            (harmless, harmless),
            ("###[group]", "# # #[group]"),
            (":::error::x  ::debug::", ": : :error::x : :debug::"),
            ("\t::stop\n\u{200b}::x\u{2800}", ": :stop : :x"),
            ("#\u{ad}#vso[x] \u{e0001}#\u{fe0f}#", "# #vso[x] # #"),
            ("\u{3164}\u{1d159}", ""),
        ] {
            assert_eq!(printable(text), line, "{text:?}");
            assert_eq!(printable(line), line, "once is enough");
        }
    }
}
