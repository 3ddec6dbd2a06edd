//! What the public suite cannot see because it looks from outside, on every server that speaks MongoDB's protocol: what is in the database,
//! what crashes leave, what other programs write, and what a network does. Each test has a database of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod faults;
mod foreign;
mod logs;
mod objects;
mod place;
mod probed;
mod refused;

use std::process::ExitCode;

use test_servers::{Kind, Server, Trial, absent_trial, run, trial};

use crate::place::{Law, Place};

const LAWS: &[(&str, &[Law])] = &[
    ("faults::documents", faults::documents::LAWS),
    ("faults::indexes", faults::indexes::LAWS),
    ("faults::logs", faults::logs::LAWS),
    ("faults::objects", faults::objects::LAWS),
    ("foreign", foreign::LAWS),
    ("foreign::indexes", foreign::indexes::LAWS),
    ("logs", logs::LAWS),
    ("objects", objects::LAWS),
    ("objects::uploads", objects::uploads::LAWS),
    ("probed", probed::LAWS),
    ("refused", refused::LAWS),
];

fn main() -> ExitCode {
    run(&[Kind::Mongo], on_server, absent)
}

fn each_law() -> impl Iterator<Item = (String, Law)> {
    LAWS.iter().flat_map(|(file, laws)| {
        laws.iter()
            .map(move |law| (format!("{file}::{}", law.name), *law))
    })
}

/// The tests of what the server can do.
fn on_server(server: Server) -> Vec<Trial> {
    each_law()
        .filter(|(_, law)| law.is_for(&server))
        .map(|(name, law)| {
            let server = server.clone();
            // They wait for time to pass, three minutes on each server, and ask the library more than the server.
            let waits = server.name == "SecantusDB" && name.starts_with("faults::");
            trial(
                format!("{}::{name}", server.name.to_lowercase()),
                move || async move {
                    let place = Place::on(server).await;
                    (law.check)(&place).await;
                    place.empty().await;
                },
            )
            .with_ignored_flag(waits)
        })
        .collect()
}

/// What is not there never counts as passed.
fn absent(server: &str, reason: &str) -> Vec<Trial> {
    let prefix = server.to_lowercase();
    each_law()
        .map(|(name, _)| absent_trial(&format!("{prefix}::{name}"), reason))
        .collect()
}
