//! MongoDB: ours beside the driver on the same server, with the same write concern.

use bson::{RawDocumentBuf, rawdoc};
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};
use storage_core::{Bytes, Capability, Storage, random_u128};
use test_servers::{Kind, Places, Servers};

use crate::report::Goal;
use crate::run::{Outcome, Problem, Run};
use crate::table::Table;

const ROWS: u64 = 1_000;
/// Documents in one batch: enough that one exchange for all is told from one exchange each.
const BATCH: u64 = 200;

/// The first server of MongoDB's protocol: the others are slower than what is measured.
pub(crate) async fn all(run: &mut Run) -> Outcome {
    let Some(server) = Servers::load()?.of(Kind::Mongo).into_iter().next() else {
        run.say("## MongoDB");
        run.say("No server runs; `cargo xtask servers up` starts one.");
        return Ok(());
    };
    run.say(&format!("## MongoDB: {} {}", server.name, server.version));
    server_of(run, &Places::new(server)).await
}

/// Documents and objects of about 1 KiB, one at a time and many at once.
async fn server_of(run: &mut Run, places: &Places) -> Outcome {
    let place = "storage-bench";
    places.wipe(place).await?;
    let storage = Storage::from_arc(places.open(place).await?);
    if let Err(refusal) = storage.require(&[Capability::Documents]) {
        run.say(&refusal.to_string());
        return Ok(());
    }
    let hand = by_hand(places, place).await?;
    fill(&storage, &hand).await?;
    let mut bench = Bench { run, storage, hand };
    for at_once in [1, 32] {
        bench.put(at_once).await?;
        bench.get(at_once).await?;
    }
    bench.object().await?;
    bench.put_many(Ids::New).await?;
    bench.put_many(Ids::Known).await?;
    bench.get_many().await?;
    bench.storage.close().await?;
    places.wipe(place).await?;
    Ok(())
}

/// Ours and the driver on one server.
struct Bench<'a> {
    run: &'a mut Run,
    storage: Storage,
    hand: Collection<RawDocumentBuf>,
}

const ONE_BY_ONE: &str = "driver: one by one";

/// A collection of the raw driver that waits for what ours waits for.
async fn by_hand(places: &Places, place: &str) -> Result<Collection<RawDocumentBuf>, Problem> {
    let mut options = ClientOptions::parse(&places.server().url).await?;
    let concern = WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .build();
    options.write_concern = Some(concern);
    options.read_concern = Some(mongodb::options::ReadConcern::majority());
    options.max_pool_size = Some(32);
    let client = mongodb::Client::with_options(options)?;
    Ok(client.database(place).collection("by_hand"))
}

fn body() -> RawDocumentBuf {
    rawdoc! { "name": "Ada", "age": 36_i64, "text": "x".repeat(950) }
}

fn row(number: u64) -> String {
    format!("row-{:06}", number * 7919 % ROWS)
}

/// The document as the driver is given it by hand. No two are equal, as no two of ours are, which have a version each: a server does
/// not write what is there already.
fn with_id(id: &str) -> RawDocumentBuf {
    let age = i64::from_be_bytes(random_u128().to_be_bytes()[..8].try_into().unwrap_or_default());
    rawdoc! { "_id": id, "name": "Ada", "age": age, "text": "x".repeat(950) }
}

async fn fill(storage: &Storage, by_hand: &Collection<RawDocumentBuf>) -> Outcome {
    let rows = storage.collection::<RawDocumentBuf>("rows");
    let (ids, body) = ((0..ROWS).map(row).collect::<Vec<_>>(), body());
    for result in rows.put_many(ids.iter().map(|id| (id, &body))).await? {
        result?;
    }
    by_hand.insert_many(ids.iter().map(|id| with_id(id))).await?;
    Ok(())
}

impl Bench<'_> {
    async fn put(&mut self, at_once: u64) -> Outcome {
        let (rows, hand) = (
            self.storage.collection::<RawDocumentBuf>("rows"),
            self.hand.clone(),
        );
        let put = move |number: u64| {
            let rows = rows.clone();
            async move {
                rows.put(row(number), &body()).await?;
                Ok(())
            }
        };
        Table::new(
            format!("mongo-put-c{at_once}"),
            format!("MongoDB: put of a 1 KiB document, {at_once} at once"),
        )
        .per_round(64)
        .at_once(at_once)
        .contender("ours, with version and expiry", put)
        .contender("driver: replace_one, upsert", move |number| {
            let hand = hand.clone();
            async move {
                let id = row(number);
                let filter = mongodb::bson::doc! { "_id": &id };
                hand.replace_one(filter, with_id(&id)).upsert(true).await?;
                Ok(())
            }
        })
        .goal(Goal::within("driver: replace_one, upsert", 1.1))
        .run(self.run)
        .await
    }

    async fn get(&mut self, at_once: u64) -> Outcome {
        let (rows, hand) = (
            self.storage.collection::<RawDocumentBuf>("rows"),
            self.hand.clone(),
        );
        let get = move |number: u64| {
            let rows = rows.clone();
            async move {
                assert!(rows.get(row(number)).await?.is_some());
                Ok(())
            }
        };
        Table::new(
            format!("mongo-get-c{at_once}"),
            format!("MongoDB: get of a 1 KiB document, {at_once} at once"),
        )
        .per_round(64)
        .at_once(at_once)
        .contender("ours, with version and expiry", get)
        .contender("driver: find_one", move |number| {
            let hand = hand.clone();
            async move {
                let filter = mongodb::bson::doc! { "_id": row(number) };
                assert!(hand.find_one(filter).await?.is_some());
                Ok(())
            }
        })
        .goal(Goal::within("driver: find_one", 1.1))
        .run(self.run)
        .await
    }

    async fn object(&mut self) -> Outcome {
        let (objects, hand) = (self.storage.objects(), self.hand.clone());
        let bytes = Bytes::from(vec![7; 1024]);
        let write = move |number: u64| {
            let (objects, bytes) = (objects.clone(), bytes.clone());
            async move {
                objects.write(row(number), bytes).await?;
                Ok(())
            }
        };
        Table::new("mongo-object", "MongoDB: write of a 1 KiB object")
            .per_round(50)
            .contender("ours", write)
            .contender(
                "driver: replace_one of a document with the bytes",
                move |number| {
                    let hand = hand.clone();
                    async move {
                        let id = row(number);
                        let mut bytes = vec![7; 1024];
                        bytes[..16].copy_from_slice(&random_u128().to_be_bytes());
                        let subtype = bson::spec::BinarySubtype::Generic;
                        let bytes = bson::Binary { subtype, bytes };
                        let filter = mongodb::bson::doc! { "_id": &id };
                        let document = rawdoc! { "_id": id.as_str(), "data": bytes };
                        hand.replace_one(filter, document).upsert(true).await?;
                        Ok(())
                    }
                },
            )
            .goal(Goal::within(
                "driver: replace_one of a document with the bytes",
                1.1,
            ))
            .run(self.run)
            .await
    }

    async fn put_many(&mut self, what: Ids) -> Outcome {
        let bulk = self.hand.client().database(self.hand.namespace().db.as_str());
        let (rows, hand) = (
            self.storage.collection::<RawDocumentBuf>("many"),
            self.hand.clone(),
        );
        let put = move |_: u64| {
            let rows = rows.clone();
            async move {
                let (ids, body) = (what.take(), body());
                for result in rows.put_many(ids.iter().map(|id| (id, &body))).await? {
                    result?;
                }
                Ok(())
            }
        };
        Table::new(format!("mongo-{}", what.file()), what.title())
        .contender("ours: put_many", put)
        .contender(ONE_BY_ONE, move |_| {
            let hand = hand.clone();
            async move {
                for id in what.take() {
                    let filter = mongodb::bson::doc! { "_id": &id };
                    hand.replace_one(filter, with_id(&id)).upsert(true).await?;
                }
                Ok(())
            }
        })
        .contender("driver: one command, all that the server can save", move |_| {
            let bulk = bulk.clone();
            async move {
                let update = |id: &String| {
                    let document = Document::try_from(with_id(id))?;
                    Ok(doc! { "q": { "_id": id }, "u": document, "upsert": true })
                };
                let updates: Vec<Document> = what.take().iter().map(update).collect::<Result<_, Problem>>()?;
                let concern = doc! { "w": "majority", "j": true };
                let command = doc! { "update": "by_hand", "updates": updates, "ordered": false, "writeConcern": concern };
                let answer = bulk.run_command(command).await?;
                assert!(answer.get("writeErrors").is_none(), "{answer}");
                Ok(())
            }
        })
        .goal(Goal::faster(ONE_BY_ONE, 5.0))
        .run(self.run)
        .await
    }

    async fn get_many(&mut self) -> Outcome {
        let (rows, hand) = (
            self.storage.collection::<RawDocumentBuf>("rows"),
            self.hand.clone(),
        );
        let get = move |_: u64| {
            let rows = rows.clone();
            async move {
                let found = rows.get_many((0..BATCH).map(row)).await?;
                assert!(found.iter().all(Option::is_some));
                Ok(())
            }
        };
        Table::new("mongo-get-many", "MongoDB: 200 documents of 1 KiB by id")
            .contender("ours: get_many", get)
            .contender(ONE_BY_ONE, move |_| {
                let hand = hand.clone();
                async move {
                    for number in 0..BATCH {
                        let filter = mongodb::bson::doc! { "_id": row(number) };
                        assert!(hand.find_one(filter).await?.is_some());
                    }
                    Ok(())
                }
            })
            .goal(Goal::faster(ONE_BY_ONE, 5.0))
            .run(self.run)
            .await
    }
}

/// Which documents a batch is of.
#[derive(Debug, Clone, Copy)]
enum Ids {
    New,
    Known,
}

impl Ids {
    fn take(self) -> Vec<String> {
        let prefix = match self {
            Self::New => format!("{:032x}", random_u128()),
            Self::Known => "known".to_owned(),
        };
        (0..BATCH).map(|number| format!("{prefix}-{number}")).collect()
    }

    const fn file(self) -> &'static str {
        match self {
            Self::New => "put-many-new",
            Self::Known => "put-many-known",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::New => "MongoDB: 200 new documents of 1 KiB",
            Self::Known => "MongoDB: 200 documents of 1 KiB over others",
        }
    }
}
