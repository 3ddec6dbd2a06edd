//! On a MongoDB server: each way beside the driver's own query of the same documents, which shows what of the growth is the server's.

use std::sync::Arc;

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::Collection;
use mongodb::options::Hint;
use storage_core::{Capability, Storage};
use storage_stores::collections::Entity;
use test_servers::{Kind, Places, Servers};

use super::people::{People, Person, Way, email, sizes, table};
use crate::run::{Outcome, Run};
use crate::table::Table;

const TABLES: &str = "growth-mongo-";

/// The first server of MongoDB's protocol, as everywhere in this program.
pub(super) async fn all(run: &mut Run) -> Outcome {
    if !run.wants_some_of(TABLES) {
        return Ok(());
    }
    let Some(server) = Servers::load()?.of(Kind::Mongo).into_iter().next() else {
        return Ok(());
    };
    let title = format!("Growth, entities on {} {}", server.name, server.version);
    let places = Places::new(server);
    let mut all = Vec::new();
    for entities in sizes(run) {
        let place = place(entities);
        places.wipe(&place).await?;
        let storage = Storage::from_arc(places.open(&place).await?);
        storage.require(&[Capability::Documents])?;
        let people = People::fill(storage, entities).await?;
        people.check_plans().await?;
        all.push(Arc::new(people));
    }
    let client = mongodb::Client::with_uri_str(&places.server().url).await?;
    for way in Way::ALL.into_iter().filter(|way| *way != Way::Cached) {
        let name = format!("{TABLES}{}", way.file());
        let title = format!("{title}: {}", way.title());
        let mut table = table(name, title, &all, way, u64::MAX);
        for people in [&all[all.len() - 1], &all[0]] {
            let database = client.database(&place(people.entities));
            table = by_hand(table, people, database.collection(Person::COLLECTION), way);
        }
        table
            .note("By the driver is the same query by the same index of the same documents: how it grows is the floor.")
            .run(run)
            .await?;
    }
    client.shutdown().await;
    for people in &all {
        people.close().await?;
        places.wipe(&place(people.entities)).await?;
    }
    Ok(())
}

/// A database for each size.
fn place(entities: u64) -> String {
    format!("storage-bench-{entities}")
}

/// What the server itself takes for the same documents.
fn by_hand(table: Table, people: &Arc<People>, documents: Collection<RawDocumentBuf>, way: Way) -> Table {
    let people = Arc::clone(people);
    table.contender(format!("driver, {}", people.name()), move |number| {
        let (people, documents) = (Arc::clone(&people), documents.clone());
        async move {
            let some = people.some(number);
            let query = Query::of(&people, way, some)?;
            let mut find = documents.find(query.filter).limit(10).sort(query.index.clone());
            if !query.index.is_empty() {
                find = find.hint(Hint::Keys(query.index));
            }
            let found: Vec<RawDocumentBuf> = find.await?.try_collect().await?;
            assert_eq!(
                found.len(),
                query.expected,
                "{way:?} {some} of {}",
                people.entities
            );
            Ok(())
        }
    })
}

/// A query of the driver.
struct Query {
    filter: Document,
    /// The index that answers it, in whose order.
    index: Document,
    /// How many documents there are.
    expected: usize,
}

impl Query {
    fn of(people: &People, way: Way, some: u64) -> Outcome<Self> {
        let number = i64::try_from(some)?;
        let (filter, index, expected) = match way {
            Way::Id | Way::Cached => (doc! { "_id": people.id(some)? }, doc! {}, 1),
            Way::Field => (doc! { "email": email(some) }, doc! { "email": 1, "_id": 1 }, 1),
            Way::Range => {
                let range = doc! { "number": { "$gte": number, "$lt": number + 10 } };
                (range, doc! { "number": 1, "_id": 1 }, 10)
            }
            Way::Page => {
                let following = doc! { "number": { "$gte": number } };
                (following, doc! { "number": 1, "_id": 1 }, 10)
            }
        };
        Ok(Self {
            filter,
            index,
            expected,
        })
    }
}
