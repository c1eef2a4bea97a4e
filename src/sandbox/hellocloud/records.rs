//! HelloCloud's API below `V8/module`: lists, single records, new ones.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::message::last;
use super::super::{Request, Response, random_hex};
use super::accounts::User;
use super::surroundings::Workflow;
use super::{HTML, HelloCloud, JSON, JSON_API, api};

/// A few of the modules that every SuiteCRM has, and what one of their records is called.
static MODULES: [(&str, &str); 7] = [
    ("Accounts", "Account"),
    ("Bugs", "Bug"),
    ("Calls", "Call"),
    ("Contacts", "Contact"),
    ("Leads", "Lead"),
    ("Opportunities", "Opportunity"),
    ("Users", "User"),
];

pub(super) struct Record {
    pub module: &'static str,
    pub id: String,
    pub attributes: Map<String, Value>,
}

pub(super) fn demo() -> Record {
    let attributes = json!({"name": "Silva & Cia", "date_entered": "2026-11-28T00:16:00+00:00"});
    let attributes = attributes.as_object().cloned().unwrap_or_default();
    Record {
        module: "Accounts",
        id: guid(),
        attributes,
    }
}

/// The answer to `meta/modules`.
pub(super) fn modules() -> Value {
    let access = [
        "access",
        "delete",
        "edit",
        "export",
        "import",
        "list",
        "massupdate",
        "view",
    ];
    let about = |name: &str| (name.to_owned(), json!({"label": name, "access": access}));
    let attributes: Map<String, Value> = MODULES.iter().map(|(name, _)| about(name)).collect();
    json!({"data": {"type": "modules", "attributes": attributes}})
}

impl HelloCloud {
    /// `path` is what stands behind `V8/module`.
    pub(super) fn module(
        &mut self,
        request: &Request,
        path: &str,
        user: Option<&'static str>,
    ) -> Response {
        let admin = match self.acting(user) {
            Ok(user) => user.admin,
            Err(detail) => return invalid(JSON, &detail),
        };
        match request.method.as_str() {
            "POST" => return self.make(request, admin),
            "PATCH" => return self.change(request),
            _ => {}
        }
        let mut parts = path.trim_start_matches('/').split('/');
        let name = parts.next().unwrap_or_default();
        let Some((module, _)) = find(name) else {
            return invalid(JSON, &format!("Module {name} does not exist"));
        };
        match parts.next() {
            None => self.list(request, module),
            Some(id) => match self
                .records
                .iter()
                .position(|record| record.module == module && record.id == id)
            {
                Some(at) if request.method == "DELETE" => {
                    self.records.remove(at);
                    let message = format!("Record with id {id} is deleted");
                    api(200, &json!({"meta": {"message": message}, "data": []}))
                }
                Some(at) => api(200, &json!({"data": data(&self.records[at])})),
                None => invalid(
                    JSON,
                    &format!("The option \"id\" with value \"{id}\" is invalid."),
                ),
            },
        }
    }

    fn list(&self, request: &Request, module: &str) -> Response {
        let pairs = request.query_pairs();
        let number = |name| {
            last(&pairs, name)
                .and_then(|text| text.parse::<usize>().ok())
                .unwrap_or(0)
        };
        let found = self.records.iter().filter(|record| record.module == module);
        let found: Vec<&Record> = found.collect();
        // Without a page size all rows stand on one page. Without a number the next page is the first one.
        let size = if number("page[size]") == 0 {
            found.len().max(1)
        } else {
            number("page[size]")
        };
        let (page, pages) = (number("page[number]"), found.len().div_ceil(size));
        let first = page.saturating_sub(1) * size;
        let rows: Vec<Value> = found.into_iter().skip(first).take(size).map(data).collect();
        let link = |to: usize| format!("V8/module/{module}?page[size]={size}&page[number]={to}");
        api(
            200,
            &json!({
                "meta": {"total-pages": pages, "records-on-this-page": rows.len()},
                "data": rows,
                "links": {
                    "first": (page > 1).then(|| link(1)),
                    "prev": (page > 1).then(|| link(page - 1)),
                    "next": (page < pages).then(|| link(page + 1)),
                    "last": link(pages),
                },
            }),
        )
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
            record.attributes.insert(name.clone(), value.clone());
        }
        api(200, &json!({"data": data(record)}))
    }

    fn make(&mut self, request: &Request, admin: bool) -> Response {
        let body = request.json();
        let Some(data_sent) = body.get("data") else {
            return invalid(JSON, "The required option \"data\" is missing.");
        };
        let wanted = data_sent["type"].as_str().unwrap_or_default();
        let Some((module, _)) = find(wanted) else {
            return invalid(JSON, "The option \"data\" with value array is invalid.");
        };
        if module == "Users" && !admin {
            // SuiteCRM's own slip: the header's name stands in its value too.
            return Response::new(301, HTML, "")
                .header("Location", "Location: index.php?action=Error&module=Users");
        }
        let attributes = data_sent["attributes"].as_object();
        let mut attributes = attributes.cloned().unwrap_or_default();
        let now = Timestamp::from_microsecond(self.rules.now()).unwrap_or_default();
        let entered = now.strftime("%Y-%m-%dT%H:%M:00+00:00").to_string();
        attributes.insert("date_entered".to_owned(), json!(entered));
        let record = Record {
            module,
            id: guid(),
            attributes,
        };
        let answer = api(201, &json!({"data": data(&record)}));
        self.records.push(record);
        match self.surroundings.workflow.filter(|_| module == "Bugs") {
            None => answer,
            Some(Workflow::Slow) => Response::nginx(504, "Gateway Time-out"),
            Some(Workflow::Throws) => {
                let error = json!({
                    "type": "Error",
                    "code": 0,
                    "message": "boom",
                    "file": "/var/www/crm/custom/modules/Bugs/hook.php",
                    "line": 2,
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

fn guid() -> String {
    let hex = random_hex(30);
    let (start, middle, end) = (&hex[..8], &hex[8..12], &hex[18..]);
    format!("{start}-{middle}-4{}-8{}-{end}", &hex[12..15], &hex[15..18])
}

fn find(module: &str) -> Option<(&'static str, &'static str)> {
    MODULES.iter().copied().find(|(name, _)| *name == module)
}

fn data(record: &Record) -> Value {
    json!({
        "type": find(record.module).map(|(_, singular)| singular),
        "id": record.id,
        "attributes": record.attributes,
        "relationships": {},
    })
}

/// The API's own refusal.
pub(super) fn invalid(content_type: &str, detail: &str) -> Response {
    let errors = json!({"status": 400, "title": null, "detail": detail});
    Response::pretty(400, content_type, &json!({"errors": errors})).header("Accept", JSON_API)
}
