//! The laws of the executions store on every server there is, each in a database or under a prefix of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(dead_code, reason = "the program beside this one tests what needs no server")]

mod concurrent;
mod corrupt;
mod delete;
mod faulty;
mod fork;
mod ids;
mod interrupted;
mod lifecycle;
mod list;
mod output;
mod place;
mod retention;
mod save;
mod values;

use std::process::ExitCode;
use std::sync::Arc;

use futures::future::BoxFuture;
use storage_core::{StorageAdapter, random_u128};
use test_servers::{Kind, Places, Server, Trial, absent_trial, run, trial};

use crate::place::{Law, Place};

const LAWS: &[(&str, &[Law])] = &[
    ("concurrent", concurrent::LAWS),
    ("corrupt", corrupt::LAWS),
    ("delete", delete::LAWS),
    ("fork", fork::LAWS),
    ("ids", ids::LAWS),
    ("interrupted", interrupted::LAWS),
    ("lifecycle", lifecycle::LAWS),
    ("list", list::LAWS),
    ("output", output::LAWS),
    ("retention", retention::LAWS),
    ("save", save::LAWS),
    ("values", values::LAWS),
];

fn main() -> ExitCode {
    run(&Kind::ALL, on_server, absent)
}

fn each_law() -> impl Iterator<Item = (String, Law)> {
    LAWS.iter()
        .flat_map(|(file, laws)| laws.iter().map(move |law| (format!("{file}::{}", law.0), *law)))
}

/// A test of each law, in a place of its own.
fn on_server(server: Server) -> Vec<Trial> {
    // FerretDB changes documents in two steps, so no documents are offered on it.
    if server.name == "FerretDB" {
        return Vec::new();
    }
    let slow = ["SecantusDB", "moto", "Azurite"].contains(&server.name.as_str());
    let prefix = server.name.to_lowercase();
    let places = Places::new(server);
    let test = |(name, (_, check)): (String, Law)| {
        let places = places.clone();
        trial(format!("{prefix}::{name}"), move || async move {
            let name = format!("executions-{:016x}", random_u128() >> 64);
            check(&Place::Server(opener(places.clone(), name.clone()))).await;
            places.wipe(&name).await.unwrap();
        })
        .with_ignored_flag(slow)
    };
    each_law().map(test).collect()
}

fn opener(places: Places, name: String) -> crate::place::OpenServer {
    Box::new(move || {
        let (places, name) = (places.clone(), name.clone());
        let opening: BoxFuture<'static, Arc<dyn StorageAdapter>> =
            Box::pin(async move { places.open(&name).await.unwrap() });
        opening
    })
}

/// What is not there never counts as passed.
fn absent(server: &str, reason: &str) -> Vec<Trial> {
    let prefix = server.to_lowercase();
    each_law()
        .map(|(name, _)| absent_trial(&format!("{prefix}::{name}"), reason))
        .collect()
}
