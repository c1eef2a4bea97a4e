//! HelloCloud's API below `V8/module`: lists, single records, new ones.

use serde_json::{Map, Value, json};

use super::super::message::last;
use super::super::{Request, Response, random_hex};
use super::surroundings::Workflow;
use super::tokens::User;
use super::{HTML, HelloCloud, JSON, JSON_API, api};

/// A few of the modules that every SuiteCRM has.
const MODULES: &str = "Accounts Bugs Calls Contacts Leads Opportunities Users";

pub(super) struct Record {
    pub module: &'static str,
    id: String,
    /// An object.
    pub attributes: Value,
}

impl Record {
    fn new(module: &'static str, attributes: Value) -> Self {
        let hex = random_hex(30);
        let (start, middle, end) = (&hex[..8], &hex[8..12], &hex[18..]);
        let id = format!("{start}-{middle}-4{}-8{}-{end}", &hex[12..15], &hex[15..18]);
        Self {
            module,
            id,
            attributes,
        }
    }

    fn data(&self) -> Value {
        let singular = match self.module.strip_suffix("ies") {
            Some(start) => format!("{start}y"),
            None => self.module.trim_end_matches('s').to_owned(),
        };
        let (id, attributes) = (&self.id, &self.attributes);
        json!({"type": singular, "id": id, "attributes": attributes, "relationships": {}})
    }
}

pub(super) fn demo() -> Record {
    let entered = "2026-11-28T00:16:00+00:00";
    let attributes = json!({"name": "Silva & Cia", "date_entered": entered});
    Record::new("Accounts", attributes)
}

/// The answer to `meta/modules`.
pub(super) fn modules() -> Value {
    let access = "access delete edit export import list massupdate view".split(' ');
    let access: Vec<&str> = access.collect();
    let about = |name: &str| (name.to_owned(), json!({"label": name, "access": access}));
    let attributes: Map<String, Value> = MODULES.split(' ').map(about).collect();
    json!({"data": {"type": "modules", "attributes": attributes}})
}

impl HelloCloud {
    /// `path` is what stands behind `V8/module`.
    pub(super) fn module(&mut self, request: &Request, path: &[&str], admin: bool) -> Response {
        let (name, id) = match (request.method.as_str(), path) {
            ("POST", _) => return self.make(request, admin),
            ("PATCH", _) => return self.change(request),
            (_, path) => (path[0], path.get(1)),
        };
        let Some(module) = find(name) else {
            return invalid(JSON, &format!("Module {name} does not exist"));
        };
        let Some(id) = id else {
            return self.list(request, module);
        };
        let mut records = self.records.iter();
        let unknown = || format!("The option \"id\" with value \"{id}\" is invalid.");
        match records.position(|record| record.module == module && record.id == *id) {
            Some(at) if request.method == "DELETE" => {
                self.records.remove(at);
                let message = format!("Record with id {id} is deleted");
                api(200, &json!({"meta": {"message": message}, "data": []}))
            }
            Some(at) => api(200, &json!({"data": self.records[at].data()})),
            None => invalid(JSON, &unknown()),
        }
    }

    fn list(&self, request: &Request, module: &str) -> Response {
        let pairs = request.query_pairs();
        let number = |name| last(&pairs, name).and_then(|text| text.parse::<usize>().ok());
        let found = self.records.iter().filter(|record| record.module == module);
        let found: Vec<&Record> = found.collect();
        // Without a page size all rows stand on one page. Without a number the next page is the first one.
        let size = number("page[size]").filter(|size| *size > 0);
        let size = size.unwrap_or(found.len().max(1));
        let page = number("page[number]").unwrap_or_default();
        let pages = found.len().div_ceil(size);
        let rows = found.chunks(size).nth(page.saturating_sub(1));
        let rows = rows.unwrap_or_default().iter().map(|record| record.data());
        let rows: Vec<Value> = rows.collect();
        let link = |to: usize| format!("V8/module/{module}?page[size]={size}&page[number]={to}");
        let body = json!({
            "meta": {"total-pages": pages, "records-on-this-page": rows.len()},
            "data": rows,
            "links": {
                "first": (page > 1).then(|| link(1)),
                "prev": (page > 1).then(|| link(page - 1)),
                "next": (page < pages).then(|| link(page + 1)),
                "last": link(pages),
            },
        });
        api(200, &body)
    }

    /// PATCH and DELETE are not recorded: SuiteCRM's documents show them.
    fn change(&mut self, request: &Request) -> Response {
        let sent = &request.json()["data"];
        let mut records = self.records.iter_mut();
        let record = records.find(|record| sent["id"] == record.id.as_str());
        let Some(record) = record else {
            return invalid(JSON, "The option \"data\" with value array is invalid.");
        };
        for (name, value) in sent["attributes"].as_object().into_iter().flatten() {
            record.attributes[name] = value.clone();
        }
        api(200, &json!({"data": record.data()}))
    }

    fn make(&mut self, request: &Request, admin: bool) -> Response {
        let body = request.json();
        let Some(sent) = body.get("data") else {
            return invalid(JSON, "The required option \"data\" is missing.");
        };
        let Some(module) = sent["type"].as_str().and_then(find) else {
            return invalid(JSON, "The option \"data\" with value array is invalid.");
        };
        if module == "Users" && !admin {
            // SuiteCRM's own slip: the header's name stands in its value too.
            return Response::new(301, HTML, "")
                .header("Location", "Location: index.php?action=Error&module=Users");
        }
        let attributes = sent["attributes"].as_object();
        let mut attributes = Value::from(attributes.cloned().unwrap_or_default());
        let now = (self.rules.clock)();
        let entered = now.strftime("%Y-%m-%dT%H:%M:00+00:00").to_string();
        attributes["date_entered"] = json!(entered);
        let record = Record::new(module, attributes);
        let answer = api(201, &json!({"data": record.data()}));
        self.records.push(record);
        match self.surroundings.workflow.filter(|_| module == "Bugs") {
            None => answer,
            Some(Workflow::Slow) => Response::nginx(504, "Gateway Time-out"),
            Some(Workflow::Throws) => {
                let error = json!({
                    "type": "Error", "code": 0, "message": "boom",
                    "file": "/var/www/crm/custom/modules/Bugs/hook.php", "line": 2,
                    "trace": ["#0 /var/www/crm/include/utils/LogicHook.php(261): Hook->run()"],
                });
                let body = json!({"message": "Slim Application Error", "error": [error]});
                Response::pretty(500, JSON, &body)
            }
        }
    }

    /// The user whose rights count, or why there is none.
    pub(super) fn acting(&self, id: Option<&'static str>) -> Result<&User, String> {
        let id = id.ok_or("Module id is empty when trying to get Users")?;
        let mut users = self.users.iter();
        let user = users.find(|user| user.id == id && !user.deleted);
        user.ok_or_else(|| format!("Users module with id {id} is not found"))
    }
}

fn find(module: &str) -> Option<&'static str> {
    MODULES.split(' ').find(|name| *name == module)
}

/// The API's own refusal.
pub(super) fn invalid(content_type: &str, detail: &str) -> Response {
    let errors = json!({"status": 400, "title": null, "detail": detail});
    Response::pretty(400, content_type, &json!({"errors": errors})).header("Accept", JSON_API)
}
