//! The fault matrix: a test a row, each of them the real binary against a real fault, all through one harness that holds
//! every run to the same promises.
//!
//! G1 no secret or token outside of its sink, in any form, at any level of chatter; G2 nothing on stdout of a failure;
//! G3 earlier sessions stay; G4 no temporary file; G5 in time, in little memory; G6 no panic; G7 a printable stderr, a
//! line a message; G8 what carries a secret is sent once; G9 an error names target, host and next step.
//!
//! A row that strikes at a server is a [`harness::Row`]: a builder that says which steps (`steps`) it strikes, the
//! fault, and what comes of it. A row that strikes at the machine takes a [`scene::Scene`], changes what it likes in
//! `scene.machine`, runs any command through [`scene::Scene::run`], and holds what came of it to a
//! [`promises::Promise`]: `assert_eq!(promise.broken(&scene, &run), [""; 0])`.

mod answers;
mod broken;
pub mod canary;
mod connect;
mod coverage;
mod ends;
mod envfiles;
mod harness;
mod kept;
mod local;
mod outputs;
mod processes;
pub mod promises;
mod proof;
mod random;
mod redirects;
mod scene;
mod sessions;
mod statuses;
pub mod steps;
mod surroundings;
mod tls;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use canary::{Canary, Class};
use harness::{Fault, Row};
use local::{before_any_request, cached, delivered, each, hold, script, welcome};
use promises::{Kept, Promise, Stdout};
use scene::{Run, Scene};
use steps::{Kind, Step};

use crate::support::machine::{installed, set_mode};
use crate::support::tls::Authority;
use crate::support::{Reply, Server, at_once, demo, stored};
