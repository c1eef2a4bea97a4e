//! `crmauth` logs in to CRM and BPM systems and hands the session to a person, a script or a CI job.

pub mod answer;
pub mod config;
pub mod error;
pub mod http;
pub mod output;
pub mod provider;
pub mod report;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod spec;
