//! Logs in SQLite: durable appends, and the end of a long log.

use std::sync::Arc;

use storage_core::Bytes;

use super::{HAND, OURS, Peers};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    append(run, peers, 1, 1.0).await?;
    append(run, peers, 32, 4.0).await?;
    tail(run, peers).await
}

fn entry() -> Bytes {
    Bytes::from(vec![b'x'; 200])
}

async fn append(run: &mut Run, peers: &Peers, at_once: u64, goal: f64) -> Outcome {
    let (log, hand) = (peers.ours.log("appends"), Arc::clone(&peers.hand));
    Table::new(
        format!("sqlite-log-append-c{at_once}"),
        format!("SQLite: durable append of 200 bytes to a log, {at_once} at once"),
    )
    .per_round(if at_once == 1 { 16 } else { 64 })
    .at_once(at_once)
    .contender(OURS, move |_| {
        let log = log.clone();
        async move {
            log.append(entry()).await?;
            Ok(())
        }
    })
    .contender(HAND, move |_| {
        let hand = Arc::clone(&hand);
        async move {
            let append = move || -> Outcome {
                hand.writing()
                    .prepare_cached("INSERT INTO log (entry) VALUES (?1)")?
                    .execute([entry().as_ref()])?;
                Ok(())
            };
            tokio::task::spawn_blocking(append).await?
        }
    })
    .goal(Goal::faster(HAND, goal))
    .run(run)
    .await
}

async fn tail(run: &mut Run, peers: &Peers) -> Outcome {
    let entries = run.amount(100_000, 1_000);
    let (log, hand) = (peers.ours.log("long"), Arc::clone(&peers.hand));
    {
        let mut connection = hand.writing();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM log", [])?;
        for first in (0..entries).step_by(1_000) {
            let some = first..entries.min(first + 1_000);
            for number in some {
                transaction
                    .prepare_cached("INSERT INTO log VALUES (?1, ?2)")?
                    .execute((i64::try_from(number)?, entry().as_ref()))?;
            }
        }
        transaction.commit()?;
    }
    for first in (0..entries).step_by(1_000) {
        let some = first..entries.min(first + 1_000);
        log.append_all(some.map(|_| entry())).await?;
    }
    Table::new(
        "sqlite-log-tail",
        format!("SQLite: the last 100 entries of a log of {entries}"),
    )
    .per_round(50)
    .contender(OURS, move |_| {
        let log = log.clone();
        async move {
            assert_eq!(log.read(entries - 100, 100).await?.entries.len(), 100);
            Ok(())
        }
    })
    .contender(HAND, move |_| {
        let hand = Arc::clone(&hand);
        async move {
            let from = i64::try_from(entries - 100)?;
            let found: Vec<Vec<u8>> = hand.reading(|connection| {
                let mut select = connection.prepare_cached(
                    "SELECT entry FROM log WHERE sequence >= ?1 ORDER BY sequence LIMIT 100",
                )?;
                select.query_map([from], |row| row.get(0))?.collect()
            })?;
            assert_eq!(found.len(), 100);
            Ok(())
        }
    })
    .goal(Goal::within(HAND, 1.5))
    .run(run)
    .await
}
