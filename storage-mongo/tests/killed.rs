//! The server is killed and started again under load: what was acknowledged is there, what was refused as not applied is not, and the
//! handle goes on without being opened anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::{Duration, Instant};

use storage_core::{
    AppendRequest, Applied, Area, Bytes, Key, Name, ReadRequest, StorageAdapter, StorageBackend,
    WriteRequest, random_u128,
};
use storage_mongo::{Mongo, MongoConfig};
use test_servers::Native;

/// How often the server is killed.
const KILLS: usize = 3;
/// How many entries each life of the server acknowledges at least before it is killed.
const ENTRIES_PER_LIFE: usize = 20;

/// What became of the entries of one log and of one object.
#[derive(Default)]
struct Told {
    /// Where an entry landed that was acknowledged.
    acknowledged: Vec<(u64, String)>,
    /// Entries that were refused for certain.
    refused: Vec<String>,
    /// The last object that was acknowledged.
    object: Option<usize>,
}

/// Appends and writes until so many entries more are acknowledged.
async fn load(mongo: &Mongo, told: &mut Told, enough: usize) {
    let begun = Instant::now();
    while told.acknowledged.len() < enough {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "the handle does not recover"
        );
        let number = told.acknowledged.len() + told.refused.len();
        let text = format!("{number}-{:x}", random_u128());
        let request = AppendRequest::new(vec![Bytes::from(text.clone())]);
        match mongo.append(&Name::new("log").unwrap(), request).await {
            Ok(appended) => told.acknowledged.push((appended.first, text)),
            Err(error) if error.applied() == Applied::No => told.refused.push(text),
            Err(_) => {}
        }
        // In chunks, so that the kill falls between steps as well.
        let bytes = Bytes::from(vec![u8::try_from(number % 251).unwrap(); 300 * 1024]);
        let key = Key::new("object").unwrap();
        if mongo
            .write(Area::Objects, &key, bytes, WriteRequest::default())
            .await
            .is_ok()
        {
            told.object = Some(number);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_kill_of_the_server() {
    let directory = std::env::temp_dir().join(format!("storage-mongo-killed-{:032x}", random_u128()));
    let Some(mut server) = Native::Secantus.spawn_if_installed(&directory).await else {
        return;
    };
    let config = MongoConfig::new(server.url()).database("killed");
    let mongo = Mongo::connect(config).await.unwrap();
    let mut told = Told::default();
    for life in 1..=KILLS {
        load(&mongo, &mut told, life * ENTRIES_PER_LIFE).await;
        let enough = life * ENTRIES_PER_LIFE + 2;
        let killing = async {
            server.kill().await.unwrap();
            server.restart().await.unwrap();
        };
        futures::join!(load(&mongo, &mut told, enough), killing);
    }
    let mut found = Vec::new();
    loop {
        let from = found.len() as u64;
        let page = mongo
            .read_log(&Name::new("log").unwrap(), from, 1000)
            .await
            .unwrap();
        if page.entries.is_empty() {
            break;
        }
        found.extend(page.entries.into_iter().map(|entry| entry.bytes));
    }
    for (at, text) in &told.acknowledged {
        assert_eq!(
            found[usize::try_from(*at).unwrap()],
            text.as_bytes(),
            "entry {at}"
        );
    }
    for text in &told.refused {
        assert!(
            !found.iter().any(|entry| entry == text.as_bytes()),
            "{text} was refused"
        );
    }
    let read = mongo
        .read(
            Area::Objects,
            &Key::new("object").unwrap(),
            ReadRequest::default(),
        )
        .await;
    let bytes = read.unwrap().unwrap().bytes;
    assert!(
        bytes.len() == 300 * 1024 && bytes.iter().all(|byte| *byte == bytes[0]),
        "a torn object"
    );
    assert!(Some(usize::from(bytes[0])) >= told.object, "an object that was replaced since");
    server.kill().await.unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}
