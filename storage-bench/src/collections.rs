//! Entities in SQLite: how the cost of each way to one of them grows from a thousand of them over a hundred thousand to a million.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage_core::{Index, Query, Storage};
use storage_stores::collections::{Entities, Entity, EntityOptions};

use crate::table::{Outcome, Table};

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

/// How many entities there are, the fewest first: the others are compared with them.
const SIZES: [(u64, &str); 3] = [(1_000, "1,000"), (100_000, "100,000"), (1_000_000, "1,000,000")];

/// One of the ways to an entity, or to a few.
#[derive(Debug, Clone, Copy)]
enum Way {
    Id,
    Field,
    Range,
    Page,
    Cached,
}

/// So many entities in a database of their own.
struct People {
    entities: u64,
    looking: Entities<Person>,
    caching: Entities<Person>,
    ids: Vec<String>,
}

/// A table for each way, the sizes side by side: what the machine does meanwhile it does to all of them. First with what is asked for
/// in SQLite's page cache at every size, which shows how the work grows; then with what has to come from the file, which only the
/// smallest size has in the cache. Filling the largest takes minutes.
pub(crate) async fn all(directory: &Path) -> Outcome {
    let mut sizes = Vec::new();
    for (entities, name) in SIZES {
        sizes.push((Arc::new(People::fill(directory, entities).await?), name));
    }
    for query in [
        Query::eq("email", email(7)),
        Query::ge("number", 7_i64).and(Query::lt("number", 17_i64)),
    ] {
        for (people, name) in &sizes {
            let explained = people.looking.explain(query.clone()).await?;
            println!(
                "{name}: {:?} by {:?}, filtered {}, sorted {}",
                explained.access, explained.index, explained.filtered, explained.sorted
            );
        }
    }
    for (asked, of) in [
        ("200 of them, again and again", 200),
        ("each time others", u64::MAX),
    ] {
        for (way, title) in [
            (Way::Id, "get by id"),
            (Way::Field, "find by field"),
            (Way::Range, "range of 10"),
            (Way::Page, "page of 10 of all that follow"),
            (Way::Cached, "get by id, cached"),
        ] {
            let mut table = Table::new(format!("entities in SQLite: {title}, {asked}"), 60, 200);
            let control = (Arc::clone(&sizes[0].0), "control");
            for (people, name) in sizes.iter().cloned().chain([control]) {
                table = table.contender(name, move |number| {
                    let people = Arc::clone(&people);
                    async move { people.go(way, number % of).await }
                });
            }
            table.run().await?;
        }
    }
    for (people, _) in &sizes {
        people.looking.storage().close().await?;
    }
    Ok(())
}

impl People {
    async fn fill(directory: &Path, entities: u64) -> storage_core::Result<Self> {
        let config = storage_sqlite::SqliteConfig::new(directory.join(format!("people-{entities}.db")));
        let storage = Storage::new(storage_sqlite::Sqlite::open(config).await?);
        let options = EntityOptions::new().cache_enabled(false);
        let looking = Entities::<Person>::with_options(storage.clone(), options);
        let mut ids = Vec::new();
        let mut there = looking.list().await?;
        while let Some(person) = there.next().await? {
            ids.push(person.id.to_string());
        }
        if ids.is_empty() {
            ids = fill(&looking, entities).await?;
        }
        Ok(Self {
            entities,
            looking,
            caching: Entities::new(storage),
            ids,
        })
    }

    async fn go(&self, way: Way, number: u64) -> Outcome {
        let some = number.wrapping_mul(7919) % (self.entities - 10);
        let found = match way {
            Way::Id => self
                .looking
                .get_by_id(&self.ids[usize::try_from(some)?])
                .await?
                .is_some(),
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
                let id = &self.ids[usize::try_from(some % 100)?];
                self.caching.get_by_id(id).await?.is_some()
            }
        };
        assert!(found, "{way:?} {number} of {}", self.entities);
        Ok(())
    }
}

async fn fill(people: &Entities<Person>, entities: u64) -> storage_core::Result<Vec<String>> {
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
