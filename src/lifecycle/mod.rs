//! A session's life, which every verb shares: find the settings, look into the store, and where that does not do, lock,
//! look again, renew or log in, and keep what came of it.

mod account;
mod adopt;
mod diagnose;
mod exchange;
mod freshness;
mod obtain;
mod revoke;
mod services;
mod shared;

pub use account::{Account, role, unclear};
pub use diagnose::Lost;
pub use exchange::Answer;
pub use freshness::{Compared, Stale, Verdict};
pub use obtain::{Active, Want};
pub use revoke::lost;
pub use services::Services;
