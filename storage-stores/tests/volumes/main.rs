//! What the store of volumes promises about files, other processes, and data of this version; its laws are cases of the public suite.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod arrival;
mod cost;
mod files;
mod golden;
mod place;
mod processes;
#[path = "../processes/task.rs"]
mod task;
