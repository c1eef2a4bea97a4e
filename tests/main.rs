//! The program's tests, one binary: a file a topic, and a file a system.

mod api;
mod between;
mod bounds;
mod catalogue;
mod causes;
mod completions;
mod corpus;
mod docs;
mod doctor;
mod exec;
mod faults;
mod formats;
mod guide;
mod hostile;
mod http;
mod judgement;
mod language;
mod layers;
mod login;
mod logout;
mod machine;
mod memory;
mod one_story;
mod printers;
mod properties;
mod providers;
mod proxy;
mod reader;
mod redis;
mod repeat;
mod reports;
mod requests;
mod resolution;
mod sandbox;
mod sandbox_behaviour;
mod sandbox_facts;
mod sandbox_sequences;
mod settings;
mod shared_session;
mod sink;
mod status;
mod store;
mod support;
mod terminal;
mod tls;
mod token;
mod usage;

macro_rules! modules {
    ($($module:ident $System:ident,)*) => {
        $(mod $module;)*
    };
}

crmauth::systems!(modules);
