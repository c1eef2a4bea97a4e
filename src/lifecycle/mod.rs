//! A session's life, which every verb shares: find the settings, look into the store, and where that does not do, lock,
//! look again, renew or log in, and keep what came of it.

mod account;
mod adopt;
mod diagnose;
pub mod freshness;
mod hints;
mod obtain;
mod once_per_run;
mod revoke;
mod shared_store;
mod single_seat;

pub use obtain::{Active, App, Want, of, role};
pub use revoke::{lost, url_of};
