//! What several topics share: a machine of its own for each test, a server that answers from a script, the
//! sandbox in this process, and a raw client for it.

pub mod canned;
pub mod machine;
pub mod raw;
pub mod sandbox;
pub mod server;
pub mod tools;

pub use machine::{Machine, Outcome};
pub use server::{Reply, Server};
