//! Fills a provider's declared fields from the environment and env files, and knows where each value came from.

mod environment;
mod envfile;
mod names;
mod target;

pub use environment::Environment;
pub use target::target;

#[cfg(test)]
mod fixture;
