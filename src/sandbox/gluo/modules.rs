//! A few of the modules that every vtiger has, and their fields.

use serde_json::{Map, Value, json};

use super::Version;
use super::answer::Refusal;

pub(super) struct Module {
    pub name: &'static str,
    singular: &'static str,
    /// What a record's id begins with: `12` in `12x5`.
    pub prefix: u32,
    /// The field that counts the records, and what stands before the number: `CON5`.
    pub count: (&'static str, &'static str),
    /// In the order of an answer. `*`: must be given; `+`: vtiger 8 has it, 7 has not; `=0`: what it is
    /// when nothing is given. A default with a decimal point marks a number.
    fields: &'static str,
}

#[derive(Clone, Copy)]
pub(super) struct Field {
    pub name: &'static str,
    pub mandatory: bool,
    pub default: &'static str,
}

static MODULES: [Module; 6] = [
    Module {
        name: "Leads",
        singular: "Lead",
        prefix: 10,
        count: ("lead_no", "LEA"),
        fields: "salutationtype firstname lead_no phone lastname* mobile company fax designation email \
                 leadsource website industry leadstatus annualrevenue=0.00000000 rating noofemployees=0 \
                 assigned_user_id* secondaryemail createdtime modifiedtime modifiedby +source=WEBSERVICE \
                 +starred=0 +tags emailoptout=0 lane code city country state pobox description",
    },
    Module {
        name: "Accounts",
        singular: "Organization",
        prefix: 11,
        count: ("account_no", "ACC"),
        fields: "accountname* account_no phone website fax email1 industry assigned_user_id* createdtime \
                 modifiedtime modifiedby description",
    },
    Module {
        name: "Contacts",
        singular: "Contact",
        prefix: 12,
        count: ("contact_no", "CON"),
        fields: "salutationtype firstname contact_no phone lastname* mobile account_id homephone leadsource \
                 otherphone title fax department birthday email contact_id assistant secondaryemail \
                 assistantphone donotcall=0 emailoptout=0 assigned_user_id* reference=0 notify_owner=0 \
                 createdtime modifiedtime modifiedby isconvertedfromlead=0 +source=WEBSERVICE +starred=0 \
                 +tags portal=0 support_start_date support_end_date mailingstreet otherstreet mailingcity \
                 othercity mailingstate otherstate mailingzip otherzip mailingcountry othercountry \
                 mailingpobox otherpobox description imagename",
    },
    Module {
        name: "Products",
        singular: "Product",
        prefix: 14,
        count: ("product_no", "PRO"),
        fields: "productname* product_no unit_price=0.00000000 assigned_user_id* createdtime modifiedtime \
                 modifiedby description",
    },
    // Its fields are those of vtiger's source; the folder has a default there too.
    Module {
        name: "Documents",
        singular: "Document",
        prefix: 15,
        count: ("note_no", "DOC"),
        fields: "notes_title* createdtime modifiedtime filename assigned_user_id* notecontent filetype \
                 filesize filelocationtype fileversion filestatus=1 filedownloadcount folderid=22x1 \
                 note_no modifiedby",
    },
    Module {
        name: "Users",
        singular: "User",
        prefix: 19,
        count: ("", ""),
        fields: "user_name* first_name last_name email1",
    },
];

impl Module {
    pub fn find(name: &str) -> Option<&'static Self> {
        MODULES.iter().find(|module| module.name == name)
    }

    pub fn fields(&self, version: Version) -> impl Iterator<Item = Field> {
        let words = self.fields.split_whitespace();
        words
            .filter(move |word| version == Version::Eight || !word.starts_with('+'))
            .map(|word| {
                let (name, default) = word.split_once('=').unwrap_or((word, ""));
                Field {
                    name: name.trim_matches(['+', '*']),
                    mandatory: name.ends_with('*'),
                    default,
                }
            })
    }
}

/// The answer to `listtypes`.
pub(super) fn types() -> Value {
    let names: Vec<&str> = MODULES.iter().map(|module| module.name).collect();
    let information = MODULES.iter().map(|Module { name, singular, .. }| {
        let about = json!({"isEntity": true, "label": name, "singular": singular});
        ((*name).to_owned(), about)
    });
    json!({"types": names, "information": information.collect::<Map<_, _>>()})
}

/// The answer to `describe`. vtiger 7 has neither `isunique` nor `allowDuplicates`.
pub(super) fn describe(name: &str, version: Version) -> Result<Value, Refusal> {
    let module =
        Module::find(name).ok_or_else(|| Refusal::denied(&format!(" for name : {name}")))?;
    let without = |mut value: Value, member: &str| {
        if let (Version::Seven, Some(members)) = (version, value.as_object_mut()) {
            members.shift_remove(member);
        }
        value
    };
    let fields = module.fields(version).map(
        |Field {
             name, mandatory, ..
         }| {
            let editable = name != module.count.0;
            let field = json!({
                "name": name,
                "label": name,
                "mandatory": mandatory,
                "type": {"name": "string"},
                "isunique": false,
                "nullable": editable && !mandatory,
                "editable": editable,
                "default": "",
            });
            without(field, "isunique")
        },
    );
    let answer = json!({
        "label": module.name,
        "name": module.name,
        "createable": true,
        "updateable": true,
        "deleteable": true,
        "retrieveable": true,
        "fields": fields.collect::<Vec<_>>(),
        "idPrefix": module.prefix.to_string(),
        "isEntity": true,
        "allowDuplicates": false,
        "labelFields": "firstname,lastname",
    });
    Ok(without(answer, "allowDuplicates"))
}
