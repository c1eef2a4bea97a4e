//! The program's tests, one binary: a file a topic.

mod api;
mod broker;
mod completions;
mod docs;
mod exec;
mod formats;
mod gluo;
mod hellocloud;
mod http;
mod layers;
mod login;
mod logout;
mod providers;
mod sandbox;
mod sandbox_behaviour;
mod sandbox_facts;
mod settings;
mod sink;
mod status;
mod store;
mod support;
mod systemsway;
mod token;
mod usage;
mod zeev;
