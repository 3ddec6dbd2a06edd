//! Laws of the executions store, each on every backend.
//!
//! A file holds the laws about one thing; `laws!` makes a test of each on memory, on files and on SQLite.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod concurrent;
mod corrupt;
mod delete;
mod faulty;
mod files;
mod fork;
mod ids;
mod interrupted;
mod lifecycle;
mod list;
mod output;
mod place;
mod processes;
mod retention;
mod save;
mod values;
