//! The store that machines share: its protocol in simulation, and the program against real servers.

mod model;
mod simulation;
