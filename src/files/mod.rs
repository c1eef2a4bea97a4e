//! Files: read within bounds, written whole or not at all.

mod read;
mod write;

pub use read::*;
pub use write::*;
