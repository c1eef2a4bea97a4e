//! Gluocrm's records: made, read, changed and deleted as the recorded servers do it; and its query language, as far as
//! `SELECT a,b FROM M WHERE a = 'b' AND … ORDER BY … LIMIT 0, 5;` goes.

use serde_json::{Map, Value, json};

use super::super::message::{Pairs, last};
use super::answer::{Failure, Result, denied, refused};
use super::modules::{Field, Module};
use super::{Gluo, Version};

/// Fields that name another record or a user.
const REFERENCES: [&str; 4] = ["assigned_user_id", "account_id", "contact_id", "related_to"];

type Values = Map<String, Value>;

#[derive(Clone)]
pub(super) struct Record {
    pub module: Module,
    /// In the order of an answer, `id` and `label` last.
    pub values: Values,
}

impl Record {
    pub fn pick<'a>(&self, names: impl Iterator<Item = &'a str>) -> Value {
        let members = names.map(|name| (name.to_owned(), self.values[name].clone()));
        members.collect::<Values>().into()
    }

    /// Sets a field that not every module has.
    fn set(&mut self, field: &str, value: String) {
        if let Some(known) = self.values.get_mut(field) {
            *known = value.into();
        }
    }
}

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
        // A query without LIMIT gets a hundred rows at most.
        let rows = rows.trim().parse().unwrap_or(100);
        let row = |record: &Record| record.pick(columns.iter().copied().chain(["id"]));
        Ok(found.skip(offset).take(rows).map(row).collect())
    }

    pub(super) fn create(&mut self, user: &str, input: &Pairs) -> Result {
        let name = last(input, "elementType").unwrap_or_default();
        let module = Module::find(name).ok_or_else(|| denied(""))?;
        let mut element = element(input);
        for part in ["name", "size"] {
            if let Some(value) = last(input, &format!("filename[{part}]")) {
                element.insert(format!("file{part}"), json!(value));
            }
        }
        let missing = |field: &Field| field.mandatory && text(&element, field.name).is_empty();
        if let Some(field) = module.fields(self.version).find(missing) {
            let text = format!("{} does not have a value", field.name);
            return Err(refused("MANDATORY_FIELDS_MISSING", text));
        }
        let fields = module.fields(self.version);
        let values = fields.map(|field| (field.name.to_owned(), json!(field.default)));
        let values = values.collect();
        let mut record = Record { module, values };
        let others = self.records.values();
        let count = others.filter(|other| other.module.name == name).count();
        let (counter, letters) = module.count;
        record.set(counter, format!("{letters}{}", count + 1));
        record.set("createdtime", self.clock());
        let last = self.records.last_key_value();
        let number = last.map_or(5, |(number, _)| number + 1);
        let id = format!("{}x{number}", module.prefix);
        record.values.insert("id".to_owned(), json!(id));
        self.save(number, record, &element, user)
    }

    pub(super) fn retrieve(&self, input: &Pairs) -> Result {
        let (_, record) = self.locate(last(input, "id").unwrap_or_default())?;
        Ok(self.shown(record))
    }

    /// `revise`, and `update` too: both leave alone what is not named.
    pub(super) fn revise(&mut self, user: &str, input: &Pairs) -> Result {
        let element = element(input);
        let (number, record) = self.locate(&text(&element, "id"))?;
        self.save(number, record.clone(), &element, user)
    }

    pub(super) fn delete(&mut self, input: &Pairs) -> Result {
        let (number, _) = self.locate(last(input, "id").unwrap_or_default())?;
        self.records.remove(&number);
        Ok(json!({"status": "successful"}))
    }

    /// Where a text stands for a number PHP 8 dies and nothing is saved. Where an owner or a record is
    /// named that does not exist it is saved all the same, and vtiger 8 dies behind that.
    fn save(&mut self, number: u32, mut record: Record, element: &Values, user: &str) -> Result {
        let mut lost = false;
        for field in record.module.fields(self.version) {
            let mut value = text(element, field.name);
            if value.is_empty() || field.name == record.module.count.0 {
                continue;
            }
            if field.default.contains('.') && value.parse::<f64>().is_err() {
                return Err(Failure::Broken);
            }
            if REFERENCES.contains(&field.name) && !self.exists(&value) {
                lost = true;
                value = value.rsplit('x').next().unwrap_or_default().to_owned();
            }
            record.values[field.name] = json!(value);
        }
        record.set("modifiedtime", self.clock());
        record.set("modifiedby", user.to_owned());
        // What a module without names of people makes its labels of is not recorded.
        let names = ["firstname", "lastname"].map(|name| text(&record.values, name));
        let label = names.join(" ");
        let eight = self.version == Version::Eight;
        let label = if eight { label.trim() } else { &label };
        record.values.insert("label".to_owned(), json!(label));
        let answer = self.shown(&record);
        self.records.insert(number, record);
        if lost && eight {
            return Err(Failure::RestrictedFile);
        }
        Ok(answer)
    }

    fn shown(&self, record: &Record) -> Value {
        let names = record.module.fields(self.version).map(|field| field.name);
        record.pick(names.chain(["id", "label"]))
    }

    fn exists(&self, id: &str) -> bool {
        self.users.iter().any(|user| user.id == id) || self.locate(id).is_ok()
    }

    fn locate(&self, id: &str) -> Result<(u32, &Record)> {
        let numbers = id.split_once('x').and_then(|(prefix, number)| {
            Some((prefix.parse::<u32>().ok()?, number.parse::<u32>().ok()?))
        });
        let (prefix, number) = numbers.ok_or_else(|| denied(" for id"))?;
        match self.records.get(&number) {
            Some(record) if record.module.prefix == prefix => Ok((number, record)),
            _ => Err(denied("")),
        }
    }

    fn clock(&self) -> String {
        let now = (self.rules.clock)();
        now.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// The `element` of a request; what is no JSON object is an empty one.
fn element(input: &Pairs) -> Values {
    let element = last(input, "element").unwrap_or_default();
    serde_json::from_str(element).unwrap_or_default()
}

fn text(element: &Values, name: &str) -> String {
    match element.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
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
