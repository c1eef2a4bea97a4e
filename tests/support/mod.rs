//! What several topics share: a machine of its own for each test, servers that answer from a script, with and
//! without TLS, the providers' settings, the sandbox in this process, and a raw client for it.

pub mod canned;
pub mod demo;
pub mod machine;
pub mod raw;
pub mod sandbox;
pub mod server;
pub mod tls;
pub mod tools;

pub use demo::Demo;
pub use machine::{Machine, Outcome};
pub use server::{Reply, Server};
