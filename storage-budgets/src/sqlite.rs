//! One document out of a database file and into it.

use std::hint::black_box;
use std::path::Path;

use storage_core::{Collection, Index, Storage};
use storage_sqlite::{Sqlite, SqliteConfig};

use crate::{Outcome, Record, record, runtime};

const DOCUMENTS: u64 = 200;

pub(crate) fn get(times: u64) -> Outcome {
    let directory = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let (storage, records) = opened(directory.path()).await?;
        let filled: Vec<_> = (0..DOCUMENTS).map(|number| (id(number), record(36))).collect();
        let all = filled.iter().map(|(id, record)| (id, record));
        for put in records.put_many(all).await? {
            put?;
        }
        for number in 0..times {
            black_box(records.get(id(number % DOCUMENTS)).await?);
        }
        storage.close().await?;
        Ok(())
    })
}

/// Each in a transaction of its own: with one who asks there is never a second in the queue of the thread that writes.
pub(crate) fn put(times: u64) -> Outcome {
    let directory = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let (storage, records) = opened(directory.path()).await?;
        records.ensure_index(Index::btree("age", ["age"])).await?;
        let mut one = record(0);
        for number in 0..times {
            one.age = (number % 100).try_into()?;
            records.put(id(number), &one).await?;
        }
        storage.close().await?;
        Ok(())
    })
}

async fn opened(directory: &Path) -> Outcome<(Storage, Collection<Record>)> {
    let storage = Storage::new(Sqlite::open(SqliteConfig::new(directory.join("data.db"))).await?);
    let records = storage.collection("records");
    Ok((storage, records))
}

fn id(number: u64) -> String {
    format!("record-{number:06}")
}
