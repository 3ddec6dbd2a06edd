//! Values that are in memory: hits of the key-value store and of the layer that caches, beside the cache library both use.

use std::sync::Arc;
use std::time::Duration;

use storage_core::{Bytes, Storage};
use storage_layers::{Cache, CacheOptions};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::kv::{Kv, KvOptions, SetOptions};

use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const KIBIBYTE: usize = 1024;
const VALUES: u64 = 1_000;
const MOKA: &str = "moka, sync";
/// Longer than any run, so that every read is a hit.
const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## Values in memory");
    let directory = run.directory("kv")?;
    let keys: Arc<[String]> = (0..VALUES).map(|number| format!("value-{number}")).collect();
    let value = Bytes::from(vec![7; KIBIBYTE]);
    let moka = moka::sync::Cache::builder()
        .max_capacity(64 << 20)
        .weigher(|key: &Arc<str>, value: &Bytes| u32::try_from(key.len() + value.len()).unwrap_or(u32::MAX))
        .build();
    for key in keys.iter() {
        moka.insert(key.as_str().into(), value.clone());
    }
    for at_once in [1, 32] {
        store(
            run,
            &directory.join(format!("kv-{at_once}.db")),
            &keys,
            &moka,
            at_once,
        )
        .await?;
    }
    layer(run, &directory.join("layer.db"), &keys, &moka).await?;
    Run::remove(&directory)
}

type Moka = moka::sync::Cache<Arc<str>, Bytes>;

async fn store(
    run: &mut Run,
    database: &std::path::Path,
    keys: &Arc<[String]>,
    moka: &Moka,
    at_once: u64,
) -> Outcome {
    let storage = Storage::new(Sqlite::open(SqliteConfig::new(database)).await?);
    let kv = Kv::open(storage.clone(), KvOptions::new().staleness(HOUR)).await?;
    let text = "x".repeat(KIBIBYTE);
    for key in keys.iter() {
        kv.set_raw(key, vec![7; KIBIBYTE], SetOptions::new()).await?;
    }
    kv.set("text", &text).await?;
    let (ours, shared) = (kv.clone(), kv.clone());
    let (our_keys, their_keys, moka) = (Arc::clone(keys), Arc::clone(keys), moka.clone());
    Table::new(
        format!("kv-hit-c{at_once}"),
        format!("Key-value store: a value of 1 KiB that is in memory, {at_once} at once"),
    )
    .per_round(1_024)
    .at_once(at_once)
    .contender("ours: get_raw", move |number| {
        let (kv, keys) = (ours.clone(), Arc::clone(&our_keys));
        async move {
            let found = kv.get_raw(&keys[at(number)]).await?;
            assert!(found.is_some_and(|bytes| bytes.len() == KIBIBYTE));
            Ok(())
        }
    })
    .contender(MOKA, move |number| {
        let (moka, keys) = (moka.clone(), Arc::clone(&their_keys));
        async move {
            assert!(
                moka.get(keys[at(number)].as_str())
                    .is_some_and(|bytes| bytes.len() == KIBIBYTE)
            );
            Ok(())
        }
    })
    .contender("ours: get_shared of a parsed value", move |_| {
        let kv = shared.clone();
        async move {
            let found = kv.get_shared::<String>("text").await?;
            assert!(found.is_some_and(|text| text.len() == KIBIBYTE));
            Ok(())
        }
    })
    .goal(Goal::within(MOKA, 1.5))
    .note("Ours checks expiry, staleness and that nothing was written meanwhile, and counts hits.")
    .run(run)
    .await?;
    kv.close().await?;
    storage.close().await?;
    Ok(())
}

async fn layer(run: &mut Run, database: &std::path::Path, keys: &Arc<[String]>, moka: &Moka) -> Outcome {
    let sqlite = Sqlite::open(SqliteConfig::new(database)).await?;
    let mut options = CacheOptions::default();
    options.max_age = HOUR;
    let storage = Storage::new(Cache::new(sqlite, options));
    let objects = storage.objects();
    for key in keys.iter() {
        objects.write(key, vec![7; KIBIBYTE]).await?;
    }
    let (our_keys, their_keys, moka) = (Arc::clone(keys), Arc::clone(keys), moka.clone());
    Table::new("cache-hit", "Layer `cache`: an object of 1 KiB that is in memory")
        .per_round(1_024)
        .contender("ours: read through the layer", move |number| {
            let (objects, keys) = (objects.clone(), Arc::clone(&our_keys));
            async move {
                let found = objects.read(&keys[at(number)]).await?;
                assert!(found.is_some_and(|bytes| bytes.len() == KIBIBYTE));
                Ok(())
            }
        })
        .contender(MOKA, move |number| {
            let (moka, keys) = (moka.clone(), Arc::clone(&their_keys));
            async move {
                assert!(
                    moka.get(keys[at(number)].as_str())
                        .is_some_and(|bytes| bytes.len() == KIBIBYTE)
                );
                Ok(())
            }
        })
        .goal(Goal::within(MOKA, 1.5))
        .run(run)
        .await?;
    storage.close().await?;
    Ok(())
}

fn at(number: u64) -> usize {
    usize::try_from(number * 7_919 % VALUES).unwrap_or_default()
}
