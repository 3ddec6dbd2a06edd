//! Entities in SQLite: what the ways to one of them cost, with a thousand, a hundred thousand and a million there.

use std::path::Path;

use serde::{Deserialize, Serialize};
use storage_core::{Index, Storage};
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

/// All sizes, one after the other; filling the last takes minutes.
pub(crate) async fn all(directory: &Path) -> Outcome {
    for entities in [1_000, 100_000, 1_000_000] {
        one(directory, entities).await?;
    }
    Ok(())
}

async fn one(directory: &Path, entities: u64) -> Outcome {
    let config = storage_sqlite::SqliteConfig::new(directory.join(format!("people-{entities}.db")));
    let storage = Storage::new(storage_sqlite::Sqlite::open(config).await?);
    let looking =
        Entities::<Person>::with_options(storage.clone(), EntityOptions::new().cache_enabled(false));
    let ids = fill(&looking, entities).await?;
    // The hundred that fit into it.
    let caching = Entities::<Person>::new(storage.clone());
    let cached_ids: Vec<String> = ids.iter().take(100).cloned().collect();
    let get = {
        let looking = looking.clone();
        move |number: u64| {
            let (looking, id) = (looking.clone(), ids[at(number, entities)].clone());
            async move {
                let found = looking.get_by_id(&id).await?;
                assert!(found.is_some());
                Ok(())
            }
        }
    };
    let by_field = looking.clone();
    let range = looking.clone();
    Table::new(format!("entities in SQLite, {entities} of them"), 20, 500)
        .contender("get by id", get.clone())
        .contender("find by field", move |number| {
            let people = by_field.clone();
            async move {
                let found = people
                    .find_one_by("by_email", email(number * 7919 % entities))
                    .await?;
                assert!(found.is_some());
                Ok(())
            }
        })
        .contender("range of 10", move |number| {
            let people = range.clone();
            async move {
                let from = number * 7919 % (entities - 10);
                let found = people.find_range("by_number", from..from + 10).await?;
                assert_eq!(found.collect().await?.len(), 10);
                Ok(())
            }
        })
        .contender("get by id, cached", move |number| {
            let (people, id) = (caching.clone(), cached_ids[at(number, 100)].clone());
            async move {
                let found = people.get_by_id(&id).await?;
                assert!(found.is_some());
                Ok(())
            }
        })
        .contender("control", get)
        .run()
        .await?;
    storage.close().await?;
    Ok(())
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

/// Spreads what is asked for over all there are.
fn at(number: u64, of: u64) -> usize {
    usize::try_from(number.wrapping_mul(7919) % of).unwrap_or(0)
}
