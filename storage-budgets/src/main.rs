//! Hot paths, repeated as often as asked: what `cargo xtask budgets` counts.
//!
//! `storage-budgets` prints their names; `storage-budgets NAME TIMES` does one of them so many times. Counted twice, with few and with many
//! times, the difference is what a path takes by itself, on all its threads, without what it takes to begin and to end.
#![allow(clippy::print_stdout, reason = "a program that is asked for names")]

mod document;
mod files;
mod key;
mod kv;
mod sqlite;

use std::error::Error;

use serde::{Deserialize, Serialize};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A path and what does it so many times.
type Path = (&'static str, fn(u64) -> Outcome);

const PATHS: [Path; 7] = [
    ("fs-read", files::read),
    ("sqlite-get", sqlite::get),
    ("sqlite-put", sqlite::put),
    ("document-encode", document::encode),
    ("document-decode", document::decode),
    ("key-parse", key::parse),
    ("kv-hit", kv::hit),
];

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => PATHS.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] => {
            let path = PATHS.iter().find(|(known, _)| known == name);
            let (_, work) = path.ok_or_else(|| format!("{name} is no path"))?;
            work(times.parse()?)?;
        }
        _ => return Err("asked for neither the names nor a name and a number of times".into()),
    }
    Ok(())
}

/// One thread that asks: what others do is done by threads of the backend, and counted too.
fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?)
}

/// About 1 KiB, of the kinds of fields documents have.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    name: String,
    age: i64,
    score: f64,
    active: bool,
    tags: Vec<String>,
    text: String,
}

fn record(age: i64) -> Record {
    Record {
        name: "Ada Lovelace".into(),
        age,
        score: 0.5,
        active: true,
        tags: ["analysis", "engines", "numbers"].map(String::from).into(),
        text: "Notes upon the memoir, with \"quotes\".\n".repeat(24),
    }
}
