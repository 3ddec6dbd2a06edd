//! `sqlite:`

use storage_core::{Durability, Result};
use storage_sqlite::{Sqlite, SqliteConfig};

use super::{Place, Scheme};
use crate::option::{Address, UrlOption, UrlOptionKind as Kind};

const OPTIONS: [UrlOption; 5] = [
    UrlOption::new(
        "busy_timeout_ms",
        Kind::Milliseconds,
        "5000",
        "how long a write waits while another process holds the write lock",
    ),
    UrlOption::new(
        "durability",
        Kind::Choice(&["power-loss", "process-crash"]),
        "power-loss",
        "what an acknowledged write survives",
    ),
    UrlOption::new(
        "page_cache_bytes",
        Kind::Bytes,
        "8388608",
        "the most memory each connection uses to keep pages of the file",
    ),
    UrlOption::new(
        "read_connections",
        Kind::Count { at_least: 1 },
        "processors, at most 4",
        "how many connections serve short reads, and how many more serve long ones",
    ),
    UrlOption::new(
        "staging_age_ms",
        Kind::Milliseconds,
        "86400000",
        "how long a streamed write may rest before a sweep takes it for one that a crash cut short",
    ),
];

pub(super) fn scheme() -> Scheme {
    Scheme::new("sqlite", |address| async move {
        Sqlite::open(config(&address)?).await
    })
    .place(Place::File)
    .options(OPTIONS)
}

fn config(address: &Address) -> Result<SqliteConfig> {
    let mut config = SqliteConfig::new(address.path());
    if let Some(timeout) = address.duration("busy_timeout_ms") {
        config = config.busy_timeout(timeout);
    }
    if address.choice("durability") == Some("process-crash") {
        config = config.durability(Durability::ProcessCrash);
    }
    if let Some(bytes) = address.number("page_cache_bytes") {
        config = config.page_cache_bytes(bytes);
    }
    if let Some(connections) = address.number("read_connections") {
        let connections =
            usize::try_from(connections).map_err(|_| address.refuse("read_connections is too large"))?;
        config = config.read_connections(connections);
    }
    if let Some(age) = address.duration("staging_age_ms") {
        config = config.staging_age(age);
    }
    Ok(config)
}
