//! [`killed`]: the server is killed and started again under load. What was acknowledged is there, what was refused as not applied is
//! not, and the handle goes on without being opened anew.
#![allow(clippy::unwrap_used, reason = "a check that cannot go on panics")]

use std::time::{Duration, Instant};

use storage_core::bson::rawdoc;
use storage_core::{
    AppendRequest, Applied, Area, Bytes, Clock, Condition, DocumentId, Key, Name, PutRequest, ReadRequest,
    StorageAdapter, SystemClock, Timestamp, Version, WriteRequest, random_u128,
};

use crate::{Native, Places};

/// How often the server is killed.
const KILLS: usize = 3;
/// How many entries each life of the server acknowledges at least before it is killed.
const ENTRIES_PER_LIFE: usize = 20;

/// What became of what was written.
#[derive(Default)]
struct Told {
    /// Where an entry landed that was acknowledged.
    acknowledged: Vec<(u64, String)>,
    /// Entries that were refused for certain.
    refused: Vec<String>,
    /// The last object that was acknowledged.
    object: Option<usize>,
    /// Documents that were created, as far as is known.
    documents: Vec<(DocumentId, Fate)>,
    /// The count in a document that is only ever changed over the version that was read, and how often that was acknowledged.
    counter: Counter,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Acknowledged,
    Refused,
    Unknown,
}

#[derive(Default)]
struct Counter {
    acknowledged: i64,
    unknown: i64,
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn id(text: &str) -> DocumentId {
    DocumentId::new(text).unwrap()
}

/// Appends and writes until so many entries more are acknowledged.
async fn load(storage: &dyn StorageAdapter, told: &mut Told, enough: usize) {
    let begun = Instant::now();
    while told.acknowledged.len() < enough {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "the handle does not recover"
        );
        let number = told.acknowledged.len() + told.refused.len();
        let text = format!("{number}-{:x}", random_u128());
        let request = AppendRequest::new(vec![Bytes::from(text.clone())]);
        match storage.append(&name("log"), request).await {
            Ok(appended) => told.acknowledged.push((appended.first, text)),
            Err(error) if error.applied() == Applied::No => told.refused.push(text),
            Err(_) => {}
        }
        // In chunks, so that the kill falls between steps as well.
        let bytes = Bytes::from(vec![u8::try_from(number % 251).unwrap(); 300 * 1024]);
        let key = Key::new("object").unwrap();
        if storage
            .write(Area::Objects, &key, bytes, WriteRequest::default())
            .await
            .is_ok()
        {
            told.object = Some(number);
        }
        create(storage, told).await;
        count(storage, &mut told.counter).await;
    }
}

/// Makes a document of a new id.
async fn create(storage: &dyn StorageAdapter, told: &mut Told) {
    let id = id(&format!("{:x}", random_u128()));
    let mut request = PutRequest::new(id.clone(), rawdoc! { "whole": true }, now());
    request.condition = Condition::IfAbsent;
    let fate = match storage.put(&name("created"), request).await {
        Ok(_) => Fate::Acknowledged,
        Err(error) if error.applied() == Applied::No => Fate::Refused,
        Err(_) => Fate::Unknown,
    };
    told.documents.push((id, fate));
}

/// Counts one up, over the version that is there.
async fn count(storage: &dyn StorageAdapter, counter: &mut Counter) {
    let Ok(found) = read_counter(storage).await else {
        return;
    };
    let (counted, condition) = found.map_or((0, Condition::IfAbsent), |(counted, version)| {
        (counted, Condition::IfVersion(version))
    });
    let mut request = PutRequest::new(id("counter"), rawdoc! { "n": counted + 1 }, now());
    request.condition = condition;
    match storage.put(&name("counters"), request).await {
        Ok(_) => counter.acknowledged += 1,
        Err(error) if error.applied() == Applied::No => {}
        Err(_) => counter.unknown += 1,
    }
}

async fn read_counter(storage: &dyn StorageAdapter) -> storage_core::Result<Option<(i64, Version)>> {
    let found = storage.get(&name("counters"), &id("counter"), now()).await?;
    Ok(found.map(|found| (found.body.get_i64("n").unwrap(), found.version)))
}

/// Runs a server of its own, kills it and starts it again under load, and looks what is there.
///
/// # Panics
/// When something acknowledged is gone, something refused is there, something is torn, or the handle does not recover.
pub async fn killed(native: Native) {
    let directory = std::env::temp_dir().join(format!("storage-killed-{:032x}", random_u128()));
    let mut process = native.spawn(&directory).await.unwrap();
    let storage = Places::new(process.server()).open("killed").await.unwrap();
    let mut told = Told::default();
    for life in 1..=KILLS {
        load(&*storage, &mut told, life * ENTRIES_PER_LIFE).await;
        let enough = life * ENTRIES_PER_LIFE + 2;
        let killing = async {
            process.kill().await.unwrap();
            process.restart().await.unwrap();
        };
        futures::join!(load(&*storage, &mut told, enough), killing);
    }
    check_log(&*storage, &told).await;
    check_object(&*storage, &told).await;
    check_documents(&*storage, &told).await;
    storage.close().await.unwrap();
    process.kill().await.unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::remove_file(directory.with_extension("log")).unwrap();
}

async fn check_log(storage: &dyn StorageAdapter, told: &Told) {
    let mut found = Vec::new();
    loop {
        let from = found.len() as u64;
        let page = storage.read_log(&name("log"), from, 1000).await.unwrap();
        if page.entries.is_empty() {
            break;
        }
        found.extend(page.entries.into_iter().map(|entry| entry.bytes));
    }
    for (at, text) in &told.acknowledged {
        let entry = &found[usize::try_from(*at).unwrap()];
        assert_eq!(entry, text.as_bytes(), "entry {at}");
    }
    for text in &told.refused {
        let there = found.iter().any(|entry| entry == text.as_bytes());
        assert!(!there, "{text} was refused");
    }
}

async fn check_object(storage: &dyn StorageAdapter, told: &Told) {
    let key = Key::new("object").unwrap();
    let read = storage.read(Area::Objects, &key, ReadRequest::default()).await;
    let bytes = read.unwrap().unwrap().bytes;
    let whole = bytes.len() == 300 * 1024 && bytes.iter().all(|byte| *byte == bytes[0]);
    assert!(whole, "a torn object");
    assert!(
        Some(usize::from(bytes[0])) >= told.object,
        "an object that was replaced since"
    );
}

async fn check_documents(storage: &dyn StorageAdapter, told: &Told) {
    for (id, fate) in &told.documents {
        let found = storage.get(&name("created"), id, now()).await.unwrap();
        match fate {
            Fate::Acknowledged => assert_eq!(found.unwrap().body, rawdoc! { "whole": true }, "{id}"),
            Fate::Refused => assert!(found.is_none(), "{id} was refused"),
            Fate::Unknown => {}
        }
    }
    let (counted, _) = read_counter(storage).await.unwrap().unwrap();
    let Counter {
        acknowledged,
        unknown,
    } = told.counter;
    assert!(
        (acknowledged..=acknowledged + unknown).contains(&counted),
        "{counted} is not {acknowledged} and some of {unknown}"
    );
}
