//! How the cost of each way to a document grows from a thousand of them to a million, in SQLite; and that of opening.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use storage_core::{Durability, Index, Query, Storage};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::collections::{Entities, Entity, EntityOptions};

use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

#[derive(Serialize, Deserialize)]
struct Person {
    email: String,
    number: u64,
    text: String,
}

impl Entity for Person {
    const COLLECTION: &'static str = "people";

    fn indexes() -> Vec<Index> {
        vec![
            Index::hash("by_email", ["email"]).unique(),
            Index::btree("by_number", ["number"]),
        ]
    }
}

/// One of the ways to an entity, or to a few.
#[derive(Debug, Clone, Copy)]
enum Way {
    Id,
    Field,
    Range,
    Page,
    Cached,
}

const WAYS: [(Way, &str, &str); 5] = [
    (Way::Id, "id", "get by id"),
    (Way::Field, "field", "find by a unique field"),
    (Way::Range, "range", "range of 10"),
    (Way::Page, "page", "page of 10 of all that follow"),
    (Way::Cached, "cached", "get by id, cached"),
];

/// So many entities in a database of their own.
struct People {
    entities: u64,
    looking: Entities<Person>,
    caching: Entities<Person>,
    by_hand: Mutex<Connection>,
    ids: Vec<String>,
}

/// The table that ours keeps the only collection in.
const BY_HAND: &str = "SELECT body FROM _storage_documents_1 WHERE id = ?1";

/// A table for each way, the sizes side by side: what the machine does meanwhile it does to all of them. First with what is asked for
/// in SQLite's page cache at every size, which shows how the work grows; then with what has to come from the file, which only the
/// smallest size has in the cache.
pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## Growth");
    let directory = run.directory("growth")?;
    let sizes = [
        run.amount(1_000, 100),
        run.amount(100_000, 300),
        run.amount(1_000_000, 1_000),
    ];
    let names = sizes.map(|entities| format!("{entities} documents"));
    let mut all = Vec::new();
    for entities in sizes {
        all.push(Arc::new(People::fill(&directory, entities).await?));
    }
    explain(run, &all).await?;
    for (asked, place, of) in [
        ("200 of them, again and again", "hot", 200),
        ("each time others", "cold", u64::MAX),
    ] {
        for (way, file, title) in WAYS {
            let mut table = Table::new(
                format!("growth-{file}-{place}"),
                format!("Growth, entities in SQLite: {title}, {asked}"),
            )
            .per_round(50)
            .goal(Goal::within(&names[0], 2.0));
            // The many first, so that they are what is judged.
            for (people, name) in all.iter().zip(&names).rev() {
                let people = Arc::clone(people);
                table = table.contender(name, move |number| {
                    let people = Arc::clone(&people);
                    async move { people.go(way, number % of).await }
                });
            }
            if matches!(way, Way::Id) {
                table = by_hand(table, &all, &names, of);
            }
            table.run(run).await?;
        }
    }
    for people in &all {
        people.looking.storage().close().await?;
    }
    open(run, &directory, sizes, &names).await?;
    Run::remove(&directory)
}

/// What SQLite itself takes for the same documents, in the largest database and the smallest.
fn by_hand(table: Table, all: &[Arc<People>], names: &[String], of: u64) -> Table {
    let ends = [all.len() - 1, 0];
    let table = ends.into_iter().fold(table, |table, size| {
        let people = Arc::clone(&all[size]);
        table.contender(format!("rusqlite by hand, {}", names[size]), move |number| {
            let people = Arc::clone(&people);
            async move { people.by_hand(number % of) }
        })
    });
    table.note("By hand is one prepared statement over the same file, with as large a page cache: how it grows is the floor.")
}

async fn explain(run: &mut Run, all: &[Arc<People>]) -> Outcome {
    for query in [
        Query::eq("email", email(7)),
        Query::ge("number", 7_i64).and(Query::lt("number", 17_i64)),
    ] {
        for people in all {
            let explained = people.looking.explain(query.clone()).await?;
            run.say(&format!(
                "{} documents: {:?} by {:?}, filtered {}, sorted {}.",
                people.entities, explained.access, explained.index, explained.filtered, explained.sorted
            ));
        }
    }
    Ok(())
}

fn database(directory: &Path, entities: u64) -> SqliteConfig {
    SqliteConfig::new(directory.join(format!("people-{entities}.db")))
}

/// Opening reads no documents, however many there are.
async fn open(run: &mut Run, directory: &Path, sizes: [u64; 3], names: &[String; 3]) -> Outcome {
    let mut table = Table::new("growth-open", "Growth, SQLite: open, find one by a field, close")
        .per_round(5)
        .goal(Goal::within(&names[0], 2.0));
    for (entities, name) in sizes.into_iter().zip(names).rev() {
        let config = database(directory, entities);
        table = table.contender(name, move |number| {
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

impl People {
    async fn fill(directory: &Path, entities: u64) -> Outcome<Self> {
        // What is measured is reading: filling need not wait for the disk.
        let config = database(directory, entities).durability(Durability::ProcessCrash);
        let storage = Storage::new(Sqlite::open(config).await?);
        let looking =
            Entities::<Person>::with_options(storage.clone(), EntityOptions::new().cache_enabled(false));
        let ids = fill(&looking, entities).await?;
        let path = directory.join(format!("people-{entities}.db"));
        let by_hand = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        by_hand.pragma_update(None, "cache_size", -8 * 1024)?; // In KiB: that of ours.
        Ok(Self {
            entities,
            looking,
            caching: Entities::new(storage),
            by_hand: Mutex::new(by_hand),
            ids,
        })
    }

    fn by_hand(&self, number: u64) -> Outcome {
        let connection = self.by_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let mut select = connection.prepare_cached(BY_HAND)?;
        let body: String = select.query_row([&self.ids[self.some(number)?]], |row| row.get(0))?;
        let person: Person = serde_json::from_str(&body)?;
        assert_eq!(person.text.len(), 200);
        Ok(())
    }

    /// Which one is asked for: not those beside each other.
    fn some(&self, number: u64) -> Outcome<usize> {
        Ok(usize::try_from(number.wrapping_mul(7919) % (self.entities - 10))?)
    }

    async fn go(&self, way: Way, number: u64) -> Outcome {
        let at = self.some(number)?;
        let some = at as u64;
        let found = match way {
            Way::Id => self.looking.get_by_id(&self.ids[at]).await?.is_some(),
            Way::Field => self.looking.find_one_by("by_email", email(some)).await?.is_some(),
            Way::Range => {
                let found = self.looking.find_range("by_number", some..some + 10).await?;
                found.collect().await?.len() == 10
            }
            Way::Page => {
                let query = Query::ge("number", i64::try_from(some)?).limit(10);
                self.looking.find_page(query).await?.entities.len() == 10
            }
            // The hundred that fit into it.
            Way::Cached => {
                let id = &self.ids[at % 100];
                self.caching.get_by_id(id).await?.is_some()
            }
        };
        assert!(found, "{way:?} {number} of {}", self.entities);
        Ok(())
    }
}

async fn fill(people: &Entities<Person>, entities: u64) -> Outcome<Vec<String>> {
    let mut ids = Vec::new();
    for first in (0..entities).step_by(1_000) {
        let chunk = (first..entities.min(first + 1_000)).map(|number| Person {
            email: email(number),
            number,
            text: "x".repeat(200),
        });
        for created in people.create_many(chunk).await {
            ids.push(created?.id.to_string());
        }
    }
    Ok(ids)
}

fn email(number: u64) -> String {
    format!("person{number}@example.org")
}
