//! Durable puts of new documents of 1 KiB with an indexed field.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, Durability, TableDefinition};

use super::{HAND, OPENDAL, OURS, Peers, REDB, Row, id, row};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

pub(super) const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");
const BY_AGE: TableDefinition<'_, (i64, &str), ()> = TableDefinition::new("by_age");

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    for (at_once, goal) in [(1, 1.0), (32, 4.0), (128, 5.0)] {
        put(run, peers, at_once, goal).await?;
    }
    Ok(())
}

/// New ones: those from the start are read by others. Not in the order of their ids, as random ids are not either.
fn new(number: u64) -> (String, Row) {
    (
        id(number.wrapping_mul(7_919) % 1_000_000_000 + 1_000_000),
        row(number + 1_000_000),
    )
}

async fn put(run: &mut Run, peers: &Peers, at_once: u64, goal: f64) -> Outcome {
    let (rows, hand, redb) = (
        peers.rows.clone(),
        Arc::clone(&peers.hand),
        Arc::clone(&peers.redb),
    );
    let table = Table::new(
        format!("sqlite-put-c{at_once}"),
        format!("SQLite: durable put of a 1 KiB document with an index, {at_once} at once"),
    )
    .per_round(at_once.max(16) * if at_once == 1 { 1 } else { 2 })
    .at_once(at_once)
    .contender(OURS, move |number| {
        let rows = rows.clone();
        async move {
            let (id, row) = new(number);
            rows.put(id, &row).await?;
            Ok(())
        }
    })
    .contender(HAND, move |number| {
        let hand = Arc::clone(&hand);
        async move {
            let put = move || {
                let (id, row) = new(number);
                hand.put(&id, &row)
            };
            tokio::task::spawn_blocking(put).await?
        }
    })
    .contender(REDB, move |number| {
        let redb = Arc::clone(&redb);
        async move { tokio::task::spawn_blocking(move || write(&redb, &[new(number)])).await? }
    })
    .goal(Goal::faster(HAND, goal))
    .note(
        "By hand each statement commits by itself, with `synchronous` FULL, over one connection that writes.",
    );
    let table = match &peers.opendal {
        Ok(opendal) => opendal.writes(table).goal(Goal::faster(OPENDAL, goal)),
        Err(reason) => table.note(format!("{OPENDAL} is left out: {reason}")),
    };
    table.run(run).await
}

pub(super) fn redb(path: &Path, rows: &[(String, Row)]) -> Outcome<Database> {
    let database = Database::create(path)?;
    write(&database, rows)?;
    Ok(database)
}

/// One transaction, on the disk when it is committed.
pub(super) fn write(database: &Database, rows: &[(String, Row)]) -> Outcome {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut all = transaction.open_table(ROWS)?;
        let mut by_age = transaction.open_table(BY_AGE)?;
        for (id, row) in rows {
            all.insert(id.as_str(), serde_json::to_vec(row)?.as_slice())?;
            by_age.insert((row.age, id.as_str()), ())?;
        }
    }
    transaction.commit()?;
    Ok(())
}
