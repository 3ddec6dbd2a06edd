//! The overlay over a backend of bytes: what its protocols promise, one law per test.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

#[path = "overlay/store.rs"]
mod store;

#[path = "overlay/documents.rs"]
mod documents;
#[path = "overlay/faults.rs"]
mod faults;
#[path = "overlay/faulty.rs"]
mod faulty;
#[path = "overlay/logs.rs"]
mod logs;
#[path = "overlay/queries.rs"]
mod queries;
#[path = "overlay/races.rs"]
mod races;
#[path = "overlay/sweeping.rs"]
mod sweeping;
