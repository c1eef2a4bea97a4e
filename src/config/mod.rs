//! Fills a provider's declared fields from the environment and env files, and knows where each value came from.

mod environment;
mod envfile;
mod file;
mod names;
mod sources;
mod target;

pub use environment::Environment;
pub use sources::{Origin, Sources};
pub use target::target;

#[cfg(test)]
mod fixture;
