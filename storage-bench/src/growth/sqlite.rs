//! In SQLite: each way with what is asked for in the page cache at every size, which shows how the work grows; and with what has to
//! come from the file, which only the smallest size has in the cache. Then opening.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use storage_core::{Durability, Storage};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::collections::Entities;

use super::people::{People, Person, Way, email, sizes, table};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

/// The table that ours keeps the only collection in.
const BY_HAND: &str = "SELECT body FROM _storage_documents_1 WHERE id = ?1";

pub(super) async fn all(run: &mut Run) -> Outcome {
    let directory = run.directory("growth")?;
    let mut all = Vec::new();
    for entities in sizes(run) {
        // What is measured is reading: filling need not wait for the disk.
        let config = SqliteConfig::new(database(&directory, entities)).durability(Durability::ProcessCrash);
        let people = People::fill(Storage::new(Sqlite::open(config).await?), entities).await?;
        people.check_plans().await?;
        all.push(Arc::new(people));
    }
    for (asked, place, of) in [
        ("200 of them, again and again", "hot", 200),
        ("each time others", "cold", u64::MAX),
    ] {
        for way in Way::ALL {
            let name = format!("growth-{}-{place}", way.file());
            let title = format!("Growth, entities in SQLite: {}, {asked}", way.title());
            let mut table = table(name, title, &all, way, of).per_round(50);
            if way == Way::Id {
                for people in [&all[all.len() - 1], &all[0]] {
                    table = by_hand(table, people, &database(&directory, people.entities), of)?;
                }
                table = table.note(
                    "By hand is one prepared statement over the same file, with as large a page cache: how it grows is the floor.",
                );
            }
            table.run(run).await?;
        }
    }
    for people in &all {
        people.close().await?;
    }
    open(run, &directory, &all).await?;
    Run::remove(&directory)
}

fn database(directory: &Path, entities: u64) -> PathBuf {
    directory.join(format!("people-{entities}.db"))
}

/// What SQLite itself takes for the same documents.
fn by_hand(table: Table, people: &Arc<People>, database: &Path, of: u64) -> Outcome<Table> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "cache_size", -8 * 1024)?; // In KiB: that of ours.
    let (people, connection) = (Arc::clone(people), Arc::new(Mutex::new(connection)));
    let name = format!("rusqlite by hand, {}", people.name());
    Ok(table.contender(name, move |number| {
        let (people, connection) = (Arc::clone(&people), Arc::clone(&connection));
        async move {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut select = connection.prepare_cached(BY_HAND)?;
            let id = people.id(people.some(number % of))?;
            let body: String = select.query_row([id], |row| row.get(0))?;
            let person: Person = serde_json::from_str(&body)?;
            assert_eq!(person.text.len(), 200);
            Ok(())
        }
    }))
}

/// Opening reads no documents, however many there are.
async fn open(run: &mut Run, directory: &Path, all: &[Arc<People>]) -> Outcome {
    let mut table = Table::new("growth-open", "Growth, SQLite: open, find one by a field, close")
        .per_round(5)
        .goal(Goal::within(&all[0].name(), 2.0));
    for people in all.iter().rev() {
        let config = SqliteConfig::new(database(directory, people.entities));
        table = table.contender(people.name(), move |number| {
            let config = config.clone();
            async move {
                let storage = Storage::new(Sqlite::open(config).await?);
                let people = Entities::<Person>::new(storage.clone());
                let found = people.find_one_by("by_email", email(number % 100)).await?;
                assert!(found.is_some());
                storage.close().await?;
                Ok(())
            }
        });
    }
    table.run(run).await
}
