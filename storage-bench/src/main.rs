//! Side-by-side measurements: our crates and the peers on the same work with the same guarantees, interleaved in one process.
//!
//! `cargo run --release -p storage-bench -- [--only fs,sqlite,…] [--place DIR] [--out DIR]`. The place is where the data goes: name a
//! directory on a real disk, not in memory. Servers take part that `cargo xtask servers up` has started. Tables are printed as
//! Markdown and written, with a JSON and an SVG file each, to `target/bench`. Ratios are to be read, never absolute times: machines
//! differ. A table whose control is off by more than 10 % is marked unusable.
#![allow(clippy::print_stdout, reason = "a program that prints tables")]

#[cfg(feature = "servers")]
mod cloud;
mod fs;
mod growth;
mod kv;
mod layers;
mod machine;
mod memory;
#[cfg(feature = "servers")]
mod mongo;
mod page;
mod plot;
mod report;
mod run;
mod sqlite;
mod table;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use self::run::{Outcome, Run};

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Theme {
    /// Objects in files.
    Fs,
    /// Documents and logs in SQLite.
    Sqlite,
    /// Values under keys that are in memory.
    Kv,
    /// Compression and encryption.
    Layers,
    /// Documents on every MongoDB server that runs.
    #[cfg(feature = "servers")]
    Mongo,
    /// Objects on the S3 and Azure servers that run.
    #[cfg(feature = "servers")]
    Cloud,
    /// Memory while a GiB goes through.
    Memory,
    /// From 1,000 to 1,000,000 documents in SQLite and on the first MongoDB server that runs.
    Growth,
}

/// Measures our crates beside their peers.
#[derive(Debug, Parser)]
#[command(name = "storage-bench")]
struct Arguments {
    /// Only these; everything by default
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Theme>,
    /// Only the tables whose file has a name that begins so
    #[arg(long, default_value = "")]
    table: String,
    /// Where the data goes, in a directory of its own that is removed at the end; `target/bench` by default
    #[arg(long)]
    place: Option<PathBuf>,
    /// Where tables, JSON and plots are written; `target/bench` by default
    #[arg(long)]
    out: Option<PathBuf>,
    /// The least work that touches everything: shows that the program works, and measures nothing
    #[arg(long)]
    quick: bool,
    /// Puts the tables into the marked section of this page
    #[arg(long, value_name = "PAGE")]
    paste: Option<PathBuf>,
    /// What the program tells itself when it measures memory
    #[arg(long, hide = true, num_args = 3)]
    through: Option<Vec<String>>,
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments = Arguments::parse();
    if let Some(words) = arguments.through {
        return memory::through(&words).await;
    }
    let out = arguments.out.unwrap_or_else(|| "target/bench".into());
    let mut run = Run::begin(out, arguments.place, arguments.quick, arguments.table)?;
    let mut failed = Vec::new();
    for theme in Theme::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(theme) {
            continue;
        }
        let name = format!("{theme:?}").to_lowercase();
        let measured = match theme {
            Theme::Fs => fs::all(&mut run).await,
            Theme::Sqlite => sqlite::all(&mut run).await,
            Theme::Kv => kv::all(&mut run).await,
            Theme::Layers => layers::all(&mut run).await,
            #[cfg(feature = "servers")]
            Theme::Mongo => mongo::all(&mut run).await,
            #[cfg(feature = "servers")]
            Theme::Cloud => cloud::all(&mut run).await,
            Theme::Memory => memory::all(&mut run).await,
            Theme::Growth => growth::all(&mut run).await,
        };
        // The others are of use all the same.
        if let Err(error) = measured {
            run.say(&format!("**{name} could not be measured to its end: {error}**"));
            failed.push(name);
        }
    }
    let tables = run.end()?;
    if let Some(page) = arguments.paste {
        page::paste(&page, &tables)?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("could not be measured: {}", failed.join(", ")).into())
    }
}
