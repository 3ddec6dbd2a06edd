//! What the store of chunks promises about files, SQL and other processes; its laws are cases of the public suite.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod place;
mod processes;
mod sql;
#[path = "../processes/task.rs"]
mod task;
