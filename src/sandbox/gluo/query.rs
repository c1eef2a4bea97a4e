//! Gluocrm's query language, as far as `SELECT a,b FROM M WHERE a = 'b' AND … ORDER BY … LIMIT 0, 5;` goes.

use serde_json::{Map, Value, json};

use super::Version;
use super::answer::Refusal;
use super::modules::Module;
use super::records::{Record, Records};

/// What a query without LIMIT gets at most.
const ROWS_MAX: usize = 100;

pub(super) fn run(text: &str, records: &Records, version: Version) -> Result<Value, Refusal> {
    let (columns, rest) = split(select(text)?, " FROM ");
    let (rest, limit) = split(rest, " LIMIT ");
    // Records come in the order of their ids anyway.
    let (rest, _) = split(rest, " ORDER BY ");
    let (name, conditions) = split(rest, " WHERE ");
    let module =
        Module::find(name).ok_or_else(|| Refusal::denied(&format!(" for name : {name}")))?;
    let known = |name: &str| name == "id" || module.fields(version).any(|field| field.name == name);
    let counts = columns.eq_ignore_ascii_case("count(*)");
    let columns: Vec<&str> = match columns {
        _ if counts => Vec::new(),
        "*" => module.fields(version).map(|field| field.name).collect(),
        columns => columns.split(',').map(str::trim).collect(),
    };
    let conditions: Vec<(&str, &str)> = conditions
        .split(" AND ")
        .filter_map(|condition| condition.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim().trim_matches('\'')))
        .collect();
    let mut named = columns
        .iter()
        .chain(conditions.iter().map(|(name, _)| name));
    if let Some(name) = named.find(|name| !known(name)) {
        let text = format!("Permission to access '.{name}.' attribute denied.");
        return Err(Refusal::new("ACCESS_DENIED", &text));
    }
    let wanted = |record: &&Record| {
        let mut conditions = conditions.iter();
        record.module.name == module.name
            && conditions.all(|(name, value)| record.values[*name] == **value)
    };
    let found = records.values().filter(wanted);
    if counts {
        return Ok(json!([{"count": found.count().to_string()}]));
    }
    let (offset, rows) = limit.split_once(',').unwrap_or(("0", limit));
    let offset = offset.trim().parse().unwrap_or(0);
    let rows = rows.trim().parse().unwrap_or(ROWS_MAX);
    let row = |record: &Record| -> Value {
        let columns = columns.iter().chain(&["id"]);
        let row: Map<_, _> = columns
            .map(|name| ((*name).to_owned(), record.values[*name].clone()))
            .collect();
        row.into()
    };
    Ok(found.skip(offset).take(rows).map(row).collect())
}

/// What stands between `SELECT` and the semicolon.
fn select(text: &str) -> Result<&str, Refusal> {
    let start = text
        .get(..7)
        .filter(|start| start.eq_ignore_ascii_case("SELECT "));
    let rest = start
        .and(text.get(7..))
        .ok_or_else(|| Refusal::denied(" for query"))?;
    let unexpected = |token: &str, found: &str, expected: &str| {
        let text = format!("token '{token}' Unexpected {found}, expected one of: {expected}");
        Refusal::new(
            "QUERY_SYNTAX_ERROR",
            &format!("Syntax Error on line 1: {text}"),
        )
    };
    if rest.to_ascii_uppercase().starts_with("FROM ") {
        return Err(unexpected("FROM", "FRM(FROM)", "COLUMNNAME"));
    }
    let last = rest.split_whitespace().last().unwrap_or_default();
    let end = || unexpected(last, "End of Input(0)", "SEMICOLON");
    rest.trim_end().strip_suffix(';').ok_or_else(end)
}

fn split<'a>(text: &'a str, keyword: &str) -> (&'a str, &'a str) {
    match text.to_ascii_uppercase().find(keyword) {
        Some(at) => (text[..at].trim(), text[at + keyword.len()..].trim()),
        None => (text.trim(), ""),
    }
}
