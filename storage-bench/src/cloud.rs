//! Object stores: ours beside `object_store` on the same server.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use storage_core::{Bytes, Storage};
use test_servers::{Kind, Places, Servers};

use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const OBJECTS: u64 = 64;
/// Objects in one batch: enough that doing them together is told from doing them one by one.
const BATCH: u64 = 100;
const PLACE: &str = "storage-bench";
const OURS: &str = "ours";

/// The first server of S3's protocol, and the first of Azure's: the others of a kind are not durable, or slower than what is measured.
pub(crate) async fn all(run: &mut Run) -> Outcome {
    let servers = Servers::load()?;
    for kind in [Kind::S3, Kind::Azure] {
        let Some(server) = servers.of(kind).into_iter().next() else {
            run.say(&format!(
                "No server of {} runs; `cargo xtask servers up` starts one.",
                kind.name()
            ));
            continue;
        };
        run.say(&format!("## {}: {} {}", kind.name(), server.name, server.version));
        let places = Places::new(server);
        places.wipe(PLACE).await?;
        let mut bench = Bench {
            run,
            file: kind.name(),
            storage: Storage::from_arc(places.open(PLACE).await?),
            store: places.server().object_store()?,
        };
        bench.fill().await?;
        for at_once in [1, 32] {
            bench.write(at_once).await?;
            bench.read(at_once).await?;
        }
        bench.stat().await?;
        bench.delete_many().await?;
        bench.list().await?;
        bench.storage.close().await?;
        places.wipe(PLACE).await?;
    }
    Ok(())
}

/// Ours and `object_store` on one server.
struct Bench<'a> {
    run: &'a mut Run,
    /// What the names of files begin with.
    file: &'static str,
    storage: Storage,
    store: Arc<dyn ObjectStore>,
}

fn key(number: u64) -> String {
    format!("objects/{}.bin", number % OBJECTS)
}

/// Where the peer puts its own.
fn by_hand(number: u64) -> Path {
    format!("{PLACE}/by-hand/{}.bin", number % OBJECTS).into()
}

const PUT: &str = "object_store: put";
const GET: &str = "object_store: get";
const HEAD: &str = "object_store: head";
const LIST: &str = "object_store: list";
const ONE_BY_ONE: &str = "object_store: one by one";

impl Bench<'_> {
    async fn fill(&self) -> Outcome {
        let bytes = Bytes::from(vec![7; 1024]);
        for number in 0..OBJECTS {
            self.storage.objects().write(key(number), bytes.clone()).await?;
            self.store
                .put(&by_hand(number), PutPayload::from(bytes.clone()))
                .await?;
        }
        Ok(())
    }

    async fn write(&mut self, at_once: u64) -> Outcome {
        let (objects, store) = (self.storage.objects(), Arc::clone(&self.store));
        let (ours, theirs) = (Bytes::from(vec![7; 1024]), Bytes::from(vec![7; 1024]));
        Table::new(
            format!("{}-write-c{at_once}", self.file),
            format!("{}: write of a 1 KiB object, {at_once} at once", self.file),
        )
        .per_round(OBJECTS)
        .at_once(at_once)
        .contender(OURS, move |number| {
            let (objects, bytes) = (objects.clone(), ours.clone());
            async move {
                objects.write(key(number), bytes).await?;
                Ok(())
            }
        })
        .contender(PUT, move |number| {
            let (store, bytes) = (Arc::clone(&store), theirs.clone());
            async move {
                store.put(&by_hand(number), PutPayload::from(bytes)).await?;
                Ok(())
            }
        })
        .goal(Goal::within(PUT, 1.1))
        .run(self.run)
        .await
    }

    async fn read(&mut self, at_once: u64) -> Outcome {
        let (objects, store) = (self.storage.objects(), Arc::clone(&self.store));
        Table::new(
            format!("{}-read-c{at_once}", self.file),
            format!("{}: read of a 1 KiB object, {at_once} at once", self.file),
        )
        .per_round(OBJECTS)
        .at_once(at_once)
        .contender("ours, with version", move |number| {
            let objects = objects.clone();
            async move {
                assert!(objects.read(key(number)).await?.is_some());
                Ok(())
            }
        })
        .contender(GET, move |number| {
            let store = Arc::clone(&store);
            async move {
                assert_eq!(store.get(&by_hand(number)).await?.bytes().await?.len(), 1024);
                Ok(())
            }
        })
        .goal(Goal::within(GET, 1.1))
        .run(self.run)
        .await
    }

    async fn stat(&mut self) -> Outcome {
        let (objects, store) = (self.storage.objects(), Arc::clone(&self.store));
        Table::new(
            format!("{}-stat", self.file),
            format!("{}: stat of an object", self.file),
        )
        .per_round(OBJECTS)
        .contender(OURS, move |number| {
            let objects = objects.clone();
            async move {
                assert!(objects.stat(key(number)).await?.is_some());
                Ok(())
            }
        })
        .contender(HEAD, move |number| {
            let store = Arc::clone(&store);
            async move {
                assert_eq!(store.head(&by_hand(number)).await?.size, 1024);
                Ok(())
            }
        })
        .goal(Goal::within(HEAD, 1.1))
        .run(self.run)
        .await
    }

    async fn delete_many(&mut self) -> Outcome {
        let (objects, store) = (self.storage.objects(), Arc::clone(&self.store));
        Table::new(
            format!("{}-delete-many", self.file),
            format!("{}: deleting {BATCH} objects", self.file),
        )
        .contender("ours: delete_many", move |_| {
            let objects = objects.clone();
            async move {
                let keys = (0..BATCH).map(|number| format!("gone/{number}"));
                for result in objects.delete_many(keys).await? {
                    result?;
                }
                Ok(())
            }
        })
        .contender(ONE_BY_ONE, move |_| {
            let store = Arc::clone(&store);
            async move {
                for number in 0..BATCH {
                    let path = format!("{PLACE}/by-hand/gone/{number}").into();
                    match store.delete(&path).await {
                        // Azure says so where S3 is content.
                        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(())
            }
        })
        .goal(Goal::faster(ONE_BY_ONE, 5.0))
        .run(self.run)
        .await
    }

    async fn list(&mut self) -> Outcome {
        let (objects, store) = (self.storage.objects(), Arc::clone(&self.store));
        Table::new(
            format!("{}-list", self.file),
            format!("{}: list of {OBJECTS} objects", self.file),
        )
        .per_round(5)
        .contender(OURS, move |_| {
            let objects = objects.clone();
            async move {
                let mut there = objects.list("objects/");
                let mut count = 0;
                while there.try_next().await?.is_some() {
                    count += 1;
                }
                assert_eq!(count, OBJECTS);
                Ok(())
            }
        })
        .contender(LIST, move |_| {
            let store = Arc::clone(&store);
            async move {
                let mut there = store.list(Some(&format!("{PLACE}/by-hand").into()));
                let mut count = 0;
                while there.try_next().await?.is_some() {
                    count += 1;
                }
                assert_eq!(count, OBJECTS);
                Ok(())
            }
        })
        .goal(Goal::within(LIST, 1.1))
        .run(self.run)
        .await
    }
}
