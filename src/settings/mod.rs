//! Fills a provider's declared fields from the environment and env files, and knows where each value came from.

mod command;
mod envfile;
mod environment;
mod names;
mod plan;
mod resolve;
mod setting;
mod sources;
mod suggest;
mod value;

pub use envfile::fill;
pub use environment::Environment;
pub use names::{Form, is_setting, target, target_meant};
pub use plan::Plan;
pub use resolve::{Questions, answer, find, questions};
pub use setting::{Origin, Setting};
pub use sources::{GATEWAY, Sources};
pub use suggest::{nearest, variable_meant};
pub use value::{Wrapping, wrapped};
