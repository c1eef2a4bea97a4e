//! The rows as a table for people.

use super::row::Row;
use crate::i18n::{Text, span, tr};
use crate::report::Report;
use crate::secret::foreign::printable;
use crate::settings::Origin;
use crate::terminal::{width, wrap};

const COLUMNS: usize = 7;

/// The order in which a narrow terminal goes without columns: the highest first; those at 0 always stay.
const RANKS: [u8; COLUMNS] = [0, 0, 1, 2, 3, 5, 4];

/// A line for each target; `each` adds one for each of its settings. No line is longer than the terminal's `columns`.
pub fn table(rows: &[Row<'_>], each: bool, columns: Option<usize>, report: &Report) -> String {
    let heads = [
        tr!("TARGET"),
        tr!("SESSION"),
        tr!("LEFT"),
        tr!("USER"),
        tr!("URL"),
        tr!("FINGERPRINT"),
        tr!("SETTINGS"),
    ];
    let heads = heads.map(|head| report.words(&head));
    let cells: Vec<_> = rows.iter().map(|row| cells(row, report)).collect();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let cells = cells.iter().chain([&heads]);
        let widths = cells.map(|cells| width(&cells[column]));
        widths.max().unwrap_or_default()
    });
    let shown = shown(&widths, columns);
    let mut text = line(&heads, &widths, &shown);
    for (row, cells) in rows.iter().zip(&cells) {
        text += &line(cells, &widths, &shown);
        for remark in remarks(row, each, report) {
            text += &below(&remark, columns);
        }
    }
    text
}

fn cells(row: &Row<'_>, report: &Report) -> [String; COLUMNS] {
    let mut target = row.target.to_string();
    if let Some(person) = &row.person {
        target.extend([" --as ", person]);
    }
    let cells = [
        target,
        report.words(&row.state_text()),
        report.words(&row.seconds_left().map(span).unwrap_or_default()),
        row.user().unwrap_or_default().to_owned(),
        row.url().unwrap_or_default(),
        row.fingerprint().unwrap_or_default(),
        report.words(&places(row)),
    ];
    // A user name comes from a setting or a server.
    cells.map(|cell| match printable(&cell) {
        cell if cell.is_empty() => "-".to_owned(),
        cell => cell,
    })
}

/// Where a target's settings come from, each place once: `the environment, ./.env`.
fn places(row: &Row<'_>) -> Text {
    let mut places: Vec<Text> = Vec::new();
    for found in row.settings() {
        let place = match &found.origin {
            Origin::File { path, .. } => tr!("{path}", path),
            origin => origin.text(),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Text::list(&places, ", ")
}

/// What to say below a target's line.
fn remarks(row: &Row<'_>, each: bool, report: &Report) -> Vec<String> {
    if row.person.is_some() {
        return Vec::new();
    }
    let mut remarks = Vec::new();
    if each {
        remarks.extend(row.settings().map(|found| report.words(&found.note())));
    }
    if let Some(found) = &row.diagnosis {
        let found = report.error_json(found);
        let words = [&found["message"], &found["hint"]].into_iter();
        remarks.extend(words.filter_map(|words| words.as_str().map(str::to_owned)));
    } else if let Some(error) = row.missing() {
        remarks.push(report.words(&error.message));
    }
    remarks.extend(row.unchecked().map(|why| report.words(&why)));
    remarks
}

/// The columns that a terminal has room for.
fn shown(widths: &[usize; COLUMNS], columns: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..COLUMNS).collect();
    let total = |shown: &[usize]| {
        let widths = shown.iter().map(|column| widths[*column] + 2);
        widths.sum::<usize>()
    };
    for rank in (1..=5).rev() {
        if columns.is_some_and(|columns| total(&shown) > columns + 2) {
            shown.retain(|column| RANKS[*column] != rank);
        }
    }
    shown
}

fn line(cells: &[String; COLUMNS], widths: &[usize; COLUMNS], shown: &[usize]) -> String {
    let padded = shown.iter().map(|column| {
        let cell = &cells[*column];
        [cell, &*" ".repeat(widths[*column] - width(cell))].concat()
    });
    [padded.collect::<Vec<_>>().join("  ").trim_end(), "\n"].concat()
}

/// An indented remark, in as many lines as it takes.
fn below(text: &str, columns: Option<usize>) -> String {
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(2));
    let lines = wrap(&printable(text), room).into_iter();
    lines.map(|line| format!("  {line}\n")).collect()
}
