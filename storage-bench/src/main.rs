//! Side-by-side measurements: our crates and the peers on the same work with the same guarantees, interleaved in one process.
//!
//! `cargo run --release -p storage-bench -- [DIR] [--collections | --layers]`; `DIR` is where the data goes, so name a real disk, not memory. Servers take part
//! that `cargo xtask servers up` has started. Ratios are to be read, never absolute times: machines differ. A table whose control is
//! off by more than 10 % is marked unusable. With `--collections` only the table of entities is made, with up to a million of them, which
//! takes some minutes and 2 GB; with `--layers` only those of codecs and ciphers are.
#![allow(clippy::print_stdout, reason = "a program that prints tables")]

mod cloud;
mod collections;
mod fs;
mod layers;
mod mongo;
mod sqlite;
mod table;

use std::path::PathBuf;

use test_servers::{Kind, Places, Server, Servers};

#[tokio::main]
async fn main() -> table::Outcome {
    let (options, places): (Vec<_>, Vec<_>) = std::env::args_os()
        .skip(1)
        .partition(|argument| argument == "--collections" || argument == "--layers");
    let place = places.into_iter().next().map(PathBuf::from);
    let directory = tempfile::tempdir_in(place.unwrap_or_else(std::env::temp_dir))?;
    if options.iter().any(|option| option == "--layers") {
        return layers::all().await;
    }
    if !options.is_empty() {
        return collections::all(directory.path()).await;
    }
    fs::durable_put(directory.path()).await?;
    fs::hot_read(directory.path()).await?;
    sqlite::point_read(directory.path()).await?;
    layers::all().await?;
    let servers = Servers::load()?;
    for server in servers.of(Kind::Mongo) {
        mongo::all(&titled(server)).await?;
    }
    // The others of its kind are not durable, or slower than what is measured.
    if let Some(server) = servers.of(Kind::S3).into_iter().next() {
        cloud::all(&titled(server)).await?;
    }
    Ok(())
}

fn titled(server: Server) -> Places {
    println!("\n# {} {}", server.name, server.version);
    Places::new(server)
}
