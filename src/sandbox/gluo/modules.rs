//! A few of the modules that every vtiger has, and their fields.

use serde_json::{Map, Value, json};

use super::Version;
use super::answer::{Result, denied};

#[derive(Clone, Copy)]
pub(super) struct Module {
    pub name: &'static str,
    singular: &'static str,
    /// What a record's id begins with: `12` in `12x5`.
    pub prefix: u32,
    /// The field that counts the records, and what stands before the number: `CON5`.
    pub count: (&'static str, &'static str),
    fields: &'static str,
}

#[derive(Clone, Copy)]
pub(super) struct Field {
    pub name: &'static str,
    pub mandatory: bool,
    pub default: &'static str,
}

/// A module's members and, in the order of an answer, its fields. `*`: must be given; `+`: vtiger 8 has it, 7 has
/// not; `=0`: what it is when nothing is given. A default with a decimal point marks a number.
static MODULES: [&str; 6] = [
    "Leads Lead 10 lead_no LEA salutationtype firstname lead_no phone lastname* mobile company \
     fax designation email leadsource website industry leadstatus annualrevenue=0.00000000 \
     rating noofemployees=0 assigned_user_id* secondaryemail createdtime modifiedtime modifiedby \
     +source=WEBSERVICE +starred=0 +tags emailoptout=0 lane code city country state pobox \
     description",
    "Accounts Organization 11 account_no ACC accountname* account_no phone website fax email1 \
     industry assigned_user_id* createdtime modifiedtime modifiedby description",
    "Contacts Contact 12 contact_no CON salutationtype firstname contact_no phone lastname* \
     mobile account_id homephone leadsource otherphone title fax department birthday email \
     contact_id assistant secondaryemail assistantphone donotcall=0 emailoptout=0 \
     assigned_user_id* reference=0 notify_owner=0 createdtime modifiedtime modifiedby \
     isconvertedfromlead=0 +source=WEBSERVICE +starred=0 +tags portal=0 support_start_date \
     support_end_date mailingstreet otherstreet mailingcity othercity mailingstate otherstate \
     mailingzip otherzip mailingcountry othercountry mailingpobox otherpobox description \
     imagename",
    "Products Product 14 product_no PRO productname* product_no unit_price=0.00000000 \
     assigned_user_id* createdtime modifiedtime modifiedby description",
    // Its fields are those of vtiger's source; the folder has a default there too.
    "Documents Document 15 note_no DOC notes_title* createdtime modifiedtime filename \
     assigned_user_id* notecontent filetype filesize filelocationtype fileversion filestatus=1 \
     filedownloadcount folderid=22x1 note_no modifiedby",
    "Users User 19 - - user_name* first_name last_name email1",
];

impl Module {
    fn all() -> impl Iterator<Item = Self> {
        MODULES.iter().map(|row| {
            let mut words = row.splitn(6, ' ');
            let mut next = || words.next().unwrap_or_default();
            Self {
                name: next(),
                singular: next(),
                prefix: next().parse().unwrap_or_default(),
                count: (next(), next()),
                fields: next(),
            }
        })
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|module| module.name == name)
    }

    pub fn asked_for(name: &str) -> Result<Self> {
        Self::find(name).ok_or_else(|| denied(&format!(" for name : {name}")))
    }

    pub fn fields(&self, version: Version) -> impl Iterator<Item = Field> + use<> {
        let words = self.fields.split(' ');
        let words = words.filter(move |word| version == Version::Eight || !word.starts_with('+'));
        words.map(|word| {
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
    let names: Vec<&str> = Module::all().map(|module| module.name).collect();
    let information = Module::all().map(|Module { name, singular, .. }| {
        let about = json!({"isEntity": true, "label": name, "singular": singular});
        (name.to_owned(), about)
    });
    json!({"types": names, "information": information.collect::<Map<_, _>>()})
}

/// The answer to `describe`. vtiger 7 has neither `isunique` nor `allowDuplicates`.
pub(super) fn describe(name: &str, version: Version) -> Result {
    let module = Module::asked_for(name)?;
    let without = |mut value: Value, member: &str| {
        if let (Version::Seven, Some(members)) = (version, value.as_object_mut()) {
            members.shift_remove(member);
        }
        value
    };
    let fields = module.fields(version).map(|field| {
        let editable = field.name != module.count.0;
        let field = json!({
            "name": field.name, "label": field.name, "mandatory": field.mandatory,
            "type": {"name": "string"}, "isunique": false,
            "nullable": editable && !field.mandatory, "editable": editable, "default": "",
        });
        without(field, "isunique")
    });
    let answer = json!({
        "label": module.name, "name": module.name,
        "createable": true, "updateable": true, "deleteable": true, "retrieveable": true,
        "fields": fields.collect::<Vec<_>>(),
        "idPrefix": module.prefix.to_string(), "isEntity": true, "allowDuplicates": false,
        "labelFields": "firstname,lastname",
    });
    Ok(without(answer, "allowDuplicates"))
}
