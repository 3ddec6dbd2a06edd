//! Eight writers that all count on one document.

use std::path::Path;
use std::sync::Arc;

use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use storage_core::{Collection, Storage};
use storage_fs::{Fs, FsConfig};

use super::{HAND, OURS, Peers, REDB};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

#[derive(Serialize, Deserialize)]
struct Counter {
    value: i64,
}

const COUNTERS: TableDefinition<'_, &str, i64> = TableDefinition::new("counters");
const WRITERS: u64 = 8;

pub(super) async fn all(run: &mut Run, peers: &Peers, directory: &Path) -> Outcome {
    let files = Storage::new(Fs::open(FsConfig::new(directory.join("files"))).await?);
    let (ours, on_files) = (counters(&peers.ours).await?, counters(&files).await?);
    let (hand, redb) = (Arc::clone(&peers.hand), Arc::clone(&peers.redb));
    hand.writing()
        .execute("INSERT INTO counters VALUES ('one', 0)", [])?;
    Table::new("contention", "Conditional updates: 8 writers count on one document")
        .per_round(WRITERS * 8)
        .at_once(WRITERS)
        .contender(OURS, move |_| count(ours.clone()))
        .contender("ours, in files", move |_| count(on_files.clone()))
        .contender(HAND, move |_| {
            let hand = Arc::clone(&hand);
            async move {
                let count = move || -> Outcome {
                    let mut connection = hand.writing();
                    let behavior = rusqlite::TransactionBehavior::Immediate;
                    let transaction = connection.transaction_with_behavior(behavior)?;
                    let value: i64 = transaction
                        .prepare_cached("SELECT value FROM counters WHERE id = 'one'")?
                        .query_row([], |row| row.get(0))?;
                    transaction
                        .prepare_cached("UPDATE counters SET value = ?1 WHERE id = 'one'")?
                        .execute([value + 1])?;
                    transaction.commit()?;
                    Ok(())
                };
                tokio::task::spawn_blocking(count).await?
            }
        })
        .contender(REDB, move |_| {
            let redb = Arc::clone(&redb);
            async move {
                let count = move || -> Outcome {
                    let transaction = redb.begin_write()?;
                    {
                        let mut table = transaction.open_table(COUNTERS)?;
                        let value = table.get("one")?.map_or(0, |value| value.value());
                        table.insert("one", value + 1)?;
                    }
                    transaction.commit()?;
                    Ok(())
                };
                tokio::task::spawn_blocking(count).await?
            }
        })
        .goal(Goal::within(HAND, 1.5))
        .note("Ours reads, and writes over the version it read, again where another was faster. The others hold a lock in this process meanwhile.")
        .run(run)
        .await?;
    files.close().await?;
    Ok(())
}

async fn counters(storage: &Storage) -> Outcome<Collection<Counter>> {
    let counters = storage.collection("counters");
    counters.put("one", &Counter { value: 0 }).await?;
    Ok(counters)
}

async fn count(counters: Collection<Counter>) -> Outcome {
    let counted = counters
        .update("one", |counter: &mut Counter| counter.value += 1)
        .await?;
    assert!(counted.is_some());
    Ok(())
}
