//! [`People`]: so many entities in a storage of their own, the ways to them, and a table of each way.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage_core::{Index, Query, Storage};
use storage_stores::collections::{Entities, Entity, EntityOptions};

use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

#[derive(Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) email: String,
    number: u64,
    pub(super) text: String,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Id,
    Field,
    Range,
    Page,
    Cached,
}

impl Way {
    pub(super) const ALL: [Self; 5] = [Self::Id, Self::Field, Self::Range, Self::Page, Self::Cached];

    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Field => "field",
            Self::Range => "range",
            Self::Page => "page",
            Self::Cached => "cached",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Id => "get by id",
            Self::Field => "find by a unique field",
            Self::Range => "range of 10",
            Self::Page => "page of 10 of all that follow",
            Self::Cached => "get by id, cached",
        }
    }
}

/// How many there are, the fewest first.
pub(super) fn sizes(run: &Run) -> [u64; 3] {
    [
        run.amount(1_000, 100),
        run.amount(100_000, 300),
        run.amount(1_000_000, 1_000),
    ]
}

/// So many entities, looked for in the storage and in the cache.
pub(super) struct People {
    pub(super) entities: u64,
    looking: Entities<Person>,
    caching: Entities<Person>,
    ids: Vec<String>,
}

impl People {
    /// Creates so many.
    pub(super) async fn fill(storage: Storage, entities: u64) -> Outcome<Self> {
        let looking =
            Entities::<Person>::with_options(storage.clone(), EntityOptions::new().cache_enabled(false));
        let mut ids = Vec::new();
        for first in (0..entities).step_by(1_000) {
            let chunk = (first..entities.min(first + 1_000)).map(|number| Person {
                email: email(number),
                number,
                text: "x".repeat(200),
            });
            for created in looking.create_many(chunk).await {
                ids.push(created?.id.to_string());
            }
        }
        Ok(Self {
            entities,
            looking,
            caching: Entities::new(storage),
            ids,
        })
    }

    /// What a column of a table is called.
    pub(super) fn name(&self) -> String {
        format!("{} documents", self.entities)
    }

    /// The number of one of them: not of those beside each other.
    pub(super) fn some(&self, number: u64) -> u64 {
        number.wrapping_mul(7919) % (self.entities - 10)
    }

    pub(super) fn id(&self, number: u64) -> Outcome<&str> {
        Ok(&self.ids[usize::try_from(number)?])
    }

    /// Goes one way, to some of them.
    pub(super) async fn go(&self, way: Way, number: u64) -> Outcome {
        let some = self.some(number);
        let found = match way {
            Way::Id => self.looking.get_by_id(self.id(some)?).await?.is_some(),
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
            Way::Cached => self.caching.get_by_id(self.id(some % 100)?).await?.is_some(),
        };
        assert!(found, "{way:?} {number} of {}", self.entities);
        Ok(())
    }

    /// An index answers the ways that look for fields, by itself.
    pub(super) async fn check_plans(&self) -> Outcome {
        for query in [
            Query::eq("email", email(7)),
            Query::ge("number", 7_i64).and(Query::lt("number", 17_i64)),
        ] {
            let plan = self.looking.explain(query).await?;
            if plan.index.is_none() || plan.filtered || plan.sorted {
                return Err(format!("{}: no index alone answers: {plan:?}", self.name()).into());
            }
        }
        Ok(())
    }

    pub(super) async fn close(&self) -> Outcome {
        Ok(self.looking.storage().close().await?)
    }
}

/// The sizes side by side, the fewest first: what the machine does meanwhile it does to all of them. Each round asks for the next of the
/// first `of` numbers.
pub(super) fn table(name: String, title: String, all: &[Arc<People>], way: Way, of: u64) -> Table {
    let table = Table::new(name, title).goal(Goal::within(&all[0].name(), 2.0));
    // The many first, so that they are what is judged.
    all.iter().rev().fold(table, |table, people| {
        let (name, people) = (people.name(), Arc::clone(people));
        table.contender(name, move |number| {
            let people = Arc::clone(&people);
            async move { people.go(way, number % of).await }
        })
    })
}

pub(super) fn email(number: u64) -> String {
    format!("person{number}@example.org")
}
