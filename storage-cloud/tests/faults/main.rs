#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
//! What writers are told when the network and the server have a bad day, held against what the server has.
#![cfg(feature = "s3")]

mod bench;
mod hanging;
mod history;
mod passing;
mod reading;
