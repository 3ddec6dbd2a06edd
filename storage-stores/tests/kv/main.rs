//! What the key-value store promises about disks, processes, memory and time; its laws are cases of the public suite.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod disk;
mod golden;
mod large;
mod place;
mod processes;
#[path = "../processes/task.rs"]
mod task;
