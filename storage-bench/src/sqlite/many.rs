//! Many documents in one call.

use std::sync::Arc;

use redb::ReadableDatabase;

use super::{HAND, OURS, Peers, REDB, Row, id, put, row, some};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const WRITTEN: u64 = 1_000;
const READ: u64 = 200;

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    insert(run, peers).await?;
    get_many(run, peers).await
}

/// A batch that no other operation has.
fn batch(number: u64) -> Vec<(String, Row)> {
    let first = 2_000_000 + number * WRITTEN;
    (first..first + WRITTEN)
        .map(|number| (id(number), row(number)))
        .collect()
}

async fn insert(run: &mut Run, peers: &Peers) -> Outcome {
    let (rows, hand, redb) = (
        peers.rows.clone(),
        Arc::clone(&peers.hand),
        Arc::clone(&peers.redb),
    );
    Table::new("sqlite-put-many", "SQLite: 1,000 new documents of 1 KiB with an index, durable as one")
        .contender("ours: put_many", move |number| {
            let rows = rows.clone();
            async move {
                let batch = batch(number);
                for result in rows.put_many(batch.iter().map(|(id, row)| (id, row))).await? {
                    result?;
                }
                Ok(())
            }
        })
        .contender(HAND, move |number| {
            let hand = Arc::clone(&hand);
            async move { tokio::task::spawn_blocking(move || hand.put_many(&batch(number))).await? }
        })
        .contender(REDB, move |number| {
            let redb = Arc::clone(&redb);
            async move { tokio::task::spawn_blocking(move || put::write(&redb, &batch(number))).await? }
        })
        .goal(Goal::within(HAND, 1.3))
        .note("By hand and in redb it is one transaction. Ours gives each document a version and an answer of its own: with the version, three of these documents lie in a page of the database, by hand four.")
        .run(run)
        .await
}

async fn get_many(run: &mut Run, peers: &Peers) -> Outcome {
    let (rows, hand, redb) = (
        peers.rows.clone(),
        Arc::clone(&peers.hand),
        Arc::clone(&peers.redb),
    );
    let ids = |number: u64| (0..READ).map(move |at| some(number * READ + at));
    Table::new("sqlite-get-many", "SQLite: 200 documents of 1 KiB by id")
        .per_round(5)
        .contender(OURS, move |number| {
            let rows = rows.clone();
            async move {
                let found = rows.get_many(ids(number)).await?;
                assert!(found.iter().all(Option::is_some));
                Ok(())
            }
        })
        .contender(HAND, move |number| {
            let hand = Arc::clone(&hand);
            async move {
                for id in ids(number) {
                    assert!(hand.get(&id)?.is_some());
                }
                Ok(())
            }
        })
        .contender(REDB, move |number| {
            let redb = Arc::clone(&redb);
            async move {
                let reading = redb.begin_read()?;
                let table = reading.open_table(put::ROWS)?;
                for id in ids(number) {
                    let body = table.get(id.as_str())?.ok_or("not there")?;
                    let _: Row = serde_json::from_slice(body.value())?;
                }
                Ok(())
            }
        })
        .goal(Goal::within(HAND, 1.3))
        .run(run)
        .await
}
