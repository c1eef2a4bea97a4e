//! A machine of its own for each test, and a server that answers from a script and says what it received.

pub mod machine;
pub mod server;

pub use machine::{Machine, Outcome};
pub use server::{Reply, Server};
