//! Gluocrm's records: made, read, changed and deleted as the recorded servers do it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::message::{Pairs, last};
use super::answer::{Answer, Refusal};
use super::modules::{Field, Module};
use super::{Gluo, Version};

/// Fields that name another record or a user.
const REFERENCES: [&str; 4] = ["assigned_user_id", "account_id", "contact_id", "related_to"];

pub(super) struct Record {
    pub module: &'static Module,
    /// In the order of an answer, `id` and `label` last.
    pub values: Map<String, Value>,
}

/// By the number behind the `x`, which is one count for all modules.
pub(super) type Records = BTreeMap<u32, Record>;

type Element = Map<String, Value>;

impl Gluo {
    pub(super) fn create(&mut self, user: &str, input: &Pairs) -> Result<Answer, Refusal> {
        let name = last(input, "elementType").unwrap_or_default();
        let module = Module::find(name).ok_or_else(|| Refusal::denied(""))?;
        let mut element = element(input);
        for (part, field) in [
            ("filename[name]", "filename"),
            ("filename[size]", "filesize"),
        ] {
            if let Some(value) = last(input, part) {
                element.insert(field.to_owned(), json!(value));
            }
        }
        let missing = |field: &Field| field.mandatory && text(&element, field.name).is_empty();
        if let Some(field) = module.fields(self.version).find(missing) {
            let text = format!("{} does not have a value", field.name);
            return Err(Refusal::new("MANDATORY_FIELDS_MISSING", &text));
        }
        let number = self
            .records
            .last_key_value()
            .map_or(5, |(number, _)| number + 1);
        let records = self.records.values();
        let count = records
            .filter(|record| record.module.prefix == module.prefix)
            .count();
        let mut values: Map<String, Value> = module
            .fields(self.version)
            .map(|field| (field.name.to_owned(), json!(field.default)))
            .collect();
        let (counter, letters) = module.count;
        for (name, value) in [
            (counter, format!("{letters}{}", count + 1)),
            ("createdtime", self.clock()),
        ] {
            if values.contains_key(name) {
                values[name] = json!(value);
            }
        }
        values.insert(
            "id".to_owned(),
            json!(format!("{}x{number}", module.prefix)),
        );
        Ok(self.save(number, Record { module, values }, &element, user))
    }

    pub(super) fn retrieve(&self, input: &Pairs) -> Result<Answer, Refusal> {
        let number = self.locate(last(input, "id").unwrap_or_default())?;
        Ok(Answer::Result(self.shown(&self.records[&number])))
    }

    /// `revise`, and `update` too: both leave alone what is not named.
    pub(super) fn revise(&mut self, user: &str, input: &Pairs) -> Result<Answer, Refusal> {
        let element = element(input);
        let number = self.locate(&text(&element, "id"))?;
        let Some(record) = self.records.remove(&number) else {
            return Err(Refusal::denied(""));
        };
        Ok(self.save(number, record, &element, user))
    }

    pub(super) fn delete(&mut self, input: &Pairs) -> Result<Answer, Refusal> {
        let number = self.locate(last(input, "id").unwrap_or_default())?;
        self.records.remove(&number);
        Ok(Answer::Result(json!({"status": "successful"})))
    }

    /// Where a text stands for a number PHP 8 dies and nothing is saved. Where an owner or a record is
    /// named that does not exist it is saved all the same, and vtiger 8 dies behind that.
    fn save(&mut self, number: u32, mut record: Record, element: &Element, user: &str) -> Answer {
        let mut lost = false;
        for field in record.module.fields(self.version) {
            let mut value = text(element, field.name);
            if value.is_empty() || field.name == record.module.count.0 {
                continue;
            }
            if field.default.contains('.') && value.parse::<f64>().is_err() {
                return Answer::Broken;
            }
            if REFERENCES.contains(&field.name) && !self.exists(&value) {
                lost = true;
                value = value.rsplit('x').next().unwrap_or_default().to_owned();
            }
            record.values[field.name] = json!(value);
        }
        for (name, value) in [
            ("modifiedtime", self.clock()),
            ("modifiedby", user.to_owned()),
        ] {
            if record.values.contains_key(name) {
                record.values[name] = json!(value);
            }
        }
        // What a module without names of people makes its labels of is not recorded.
        let label = format!(
            "{} {}",
            text(&record.values, "firstname"),
            text(&record.values, "lastname")
        );
        let label = if self.version == Version::Eight {
            label.trim()
        } else {
            &label
        };
        record.values.insert("label".to_owned(), json!(label));
        let answer = Answer::Result(self.shown(&record));
        self.records.insert(number, record);
        if lost && self.version == Version::Eight {
            Answer::RestrictedFile
        } else {
            answer
        }
    }

    fn shown(&self, record: &Record) -> Value {
        let names = record.module.fields(self.version).map(|field| field.name);
        let names = names.chain(["id", "label"]);
        names
            .map(|name| (name.to_owned(), record.values[name].clone()))
            .collect::<Map<_, _>>()
            .into()
    }

    fn exists(&self, id: &str) -> bool {
        self.users.iter().any(|user| user.id == id) || self.locate(id).is_ok()
    }

    fn locate(&self, id: &str) -> Result<u32, Refusal> {
        let numbers = id.split_once('x').and_then(|(prefix, number)| {
            Some((prefix.parse::<u32>().ok()?, number.parse::<u32>().ok()?))
        });
        let (prefix, number) = numbers.ok_or_else(|| Refusal::denied(" for id"))?;
        let record = self.records.get(&number);
        let found = record.is_some_and(|record| record.module.prefix == prefix);
        if found {
            Ok(number)
        } else {
            Err(Refusal::denied(""))
        }
    }

    fn clock(&self) -> String {
        let now = Timestamp::from_microsecond(self.rules.now()).unwrap_or_default();
        now.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// The `element` of a request; what is no JSON object is an empty one.
fn element(input: &Pairs) -> Element {
    let value: Value =
        serde_json::from_str(last(input, "element").unwrap_or_default()).unwrap_or_default();
    value.as_object().cloned().unwrap_or_default()
}

fn text(element: &Element, name: &str) -> String {
    match element.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
