//! What a killed process was doing, so that the survivor can tell what may be there: contents follow from target and number.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_core::{Result, Storage};

use super::say;

/// How many objects, and how many documents, are written at once.
pub(super) const TARGETS: u64 = 4;
/// How many entries one append has: all or none of them must survive.
pub(super) const ENTRIES: u64 = 3;
/// The log.
pub(super) const LOG: &str = "killed/log";
/// The collection, with its index by `number`.
pub(super) const COLLECTION: &str = "killed";
pub(super) const INDEX: &str = "by_number";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) target: u64,
    pub(super) number: u64,
    pub(super) text: String,
}

/// The bytes the operation of this number leaves behind; every fifth deletes.
pub(super) fn object(target: u64, number: u64) -> Option<Bytes> {
    (number % 5 != 4).then(|| Bytes::from(text(target, number, 40_000)))
}

/// The document the operation of this number leaves behind; every fifth deletes.
pub(super) fn row(target: u64, number: u64) -> Option<Row> {
    (number % 5 != 4).then(|| Row {
        target,
        number,
        text: text(target, number, 3_000),
    })
}

/// One entry of the append of this number.
pub(super) fn entry(number: u64, part: u64) -> Bytes {
    Bytes::from(text(part, number, 500))
}

/// A text that says where it belongs and of which no part is like another's: any mix of two shows.
fn text(target: u64, number: u64, most: u64) -> String {
    let unit = format!("[{target}:{number}]");
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let length = usize::try_from(scattered % most).unwrap_or(0);
    unit.repeat(length / unit.len() + 1)
}

pub(super) fn key(target: u64) -> String {
    format!("killed/{target}.bin")
}

/// Works until it is killed. Says on stdout what it starts and what was acknowledged.
pub(super) async fn work(storage: Storage, first: u64) -> Result<()> {
    let mut tasks = Vec::new();
    for target in 0..TARGETS {
        tasks.push(tokio::spawn(write_objects(storage.clone(), target, first)));
        tasks.push(tokio::spawn(write_documents(storage.clone(), target, first)));
    }
    tasks.push(tokio::spawn(append(storage.clone())));
    for task in tasks {
        task.await.expect("no task panics")?;
    }
    Ok(())
}

async fn write_objects(storage: Storage, target: u64, first: u64) -> Result<()> {
    let objects = storage.objects();
    for number in first.. {
        say(&format!("start object {target} {number}"));
        match object(target, number) {
            Some(bytes) => drop(objects.write(key(target), bytes).await?),
            None => objects.delete(key(target)).await?,
        }
        say(&format!("ack object {target} {number}"));
    }
    Ok(())
}

async fn write_documents(storage: Storage, target: u64, first: u64) -> Result<()> {
    let rows = storage.collection::<Row>(COLLECTION);
    for number in first.. {
        say(&format!("start document {target} {number}"));
        match row(target, number) {
            Some(row) => drop(rows.put(target.to_string(), &row).await?),
            None => drop(rows.delete(target.to_string()).await?),
        }
        say(&format!("ack document {target} {number}"));
    }
    Ok(())
}

async fn append(storage: Storage) -> Result<()> {
    let log = storage.log(LOG);
    let mut number = log.len().await? / ENTRIES;
    loop {
        say(&format!("start log 0 {number}"));
        log.append_at(number * ENTRIES, (0..ENTRIES).map(|part| entry(number, part)))
            .await?;
        say(&format!("ack log 0 {number}"));
        number += 1;
    }
}
