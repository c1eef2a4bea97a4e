//! The program's tests, one binary: a file a topic.

mod formats;
mod sink;
mod support;
