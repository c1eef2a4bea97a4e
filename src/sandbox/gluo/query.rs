//! Gluocrm's query language, as far as `SELECT a,b FROM M WHERE a = 'b' AND … ORDER BY … LIMIT 0, 5;` goes.

use serde_json::json;

use super::Gluo;
use super::answer::{Failure, Result, denied, refused};
use super::modules::Module;
use super::records::Record;

/// What a query without LIMIT gets at most.
const ROWS_MAX: usize = 100;

impl Gluo {
    pub(super) fn query(&self, text: &str) -> Result {
        let (columns, rest) = split(select(text)?, " FROM ");
        let (rest, limit) = split(rest, " LIMIT ");
        // Records come in the order of their ids anyway.
        let (rest, _) = split(rest, " ORDER BY ");
        let (name, conditions) = split(rest, " WHERE ");
        let module = Module::asked_for(name)?;
        let fields = || module.fields(self.version).map(|field| field.name);
        let counts = columns.eq_ignore_ascii_case("count(*)");
        let columns: Vec<&str> = match columns {
            _ if counts => Vec::new(),
            "*" => fields().collect(),
            columns => columns.split(',').map(str::trim).collect(),
        };
        let conditions = conditions.split(" AND ").filter_map(|condition| {
            let (name, value) = condition.split_once('=')?;
            Some((name.trim(), value.trim().trim_matches('\'')))
        });
        let conditions: Vec<(&str, &str)> = conditions.collect();
        let named = conditions.iter().map(|(name, _)| name);
        let mut named = columns.iter().chain(named);
        let unknown = |name: &&&str| **name != "id" && !fields().any(|field| field == **name);
        if let Some(name) = named.find(unknown) {
            let text = format!("Permission to access '.{name}.' attribute denied.");
            return Err(refused("ACCESS_DENIED", text));
        }
        let found = self.records.values().filter(|record| {
            let mut conditions = conditions.iter();
            record.module.name == module.name
                && conditions.all(|(name, value)| record.values[*name] == **value)
        });
        if counts {
            return Ok(json!([{"count": found.count().to_string()}]));
        }
        let (offset, rows) = limit.split_once(',').unwrap_or(("0", limit));
        let offset = offset.trim().parse().unwrap_or(0);
        let rows = rows.trim().parse().unwrap_or(ROWS_MAX);
        let row = |record: &Record| record.pick(columns.iter().copied().chain(["id"]));
        Ok(found.skip(offset).take(rows).map(row).collect())
    }
}

/// What stands between `SELECT` and the semicolon.
fn select(text: &str) -> Result<&str> {
    let (start, rest) = text.split_at_checked(7).unwrap_or_default();
    if !start.eq_ignore_ascii_case("SELECT ") {
        return Err(denied(" for query"));
    }
    if rest.to_ascii_uppercase().starts_with("FROM ") {
        return Err(unexpected("FROM", "FRM(FROM)", "COLUMNNAME"));
    }
    let last = rest.split_whitespace().last().unwrap_or_default();
    let end = || unexpected(last, "End of Input(0)", "SEMICOLON");
    rest.trim_end().strip_suffix(';').ok_or_else(end)
}

fn unexpected(token: &str, found: &str, expected: &str) -> Failure {
    let text = format!(
        "Syntax Error on line 1: token '{token}' Unexpected {found}, expected one of: {expected}"
    );
    refused("QUERY_SYNTAX_ERROR", text)
}

fn split<'a>(text: &'a str, keyword: &str) -> (&'a str, &'a str) {
    match text.to_ascii_uppercase().find(keyword) {
        Some(at) => (text[..at].trim(), text[at + keyword.len()..].trim()),
        None => (text.trim(), ""),
    }
}
