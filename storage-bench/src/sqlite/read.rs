//! Reads of one document of about 1 KiB by id, decoded into a struct.

use std::sync::Arc;

use redb::ReadableDatabase;

use super::{HAND, OPENDAL, Peers, REDB, Row, put, some};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    for at_once in [1, 32] {
        point_read(run, peers, at_once).await?;
    }
    Ok(())
}

async fn point_read(run: &mut Run, peers: &Peers, at_once: u64) -> Outcome {
    let (rows, hand, redb) = (
        peers.rows.clone(),
        Arc::clone(&peers.hand),
        Arc::clone(&peers.redb),
    );
    let table = Table::new(
        format!("sqlite-point-read-c{at_once}"),
        format!("SQLite: point read of a 1 KiB document, {at_once} at once"),
    )
    .per_round(128)
    .at_once(at_once)
    .contender("ours, with version and expiry", move |number| {
        let rows = rows.clone();
        async move {
            assert!(rows.get(some(number)).await?.is_some_and(|found| found.value.name == "Ada"));
            Ok(())
        }
    })
    .contender(HAND, move |number| {
        let hand = Arc::clone(&hand);
        async move {
            assert!(hand.get(&some(number))?.is_some_and(|row| row.name == "Ada"));
            Ok(())
        }
    })
    .contender(REDB, move |number| {
        let redb = Arc::clone(&redb);
        async move {
            let reading = redb.begin_read()?;
            let body = reading.open_table(put::ROWS)?.get(some(number).as_str())?;
            let row: Row = serde_json::from_slice(body.ok_or("not there")?.value())?;
            assert_eq!(row.name, "Ada");
            Ok(())
        }
    })
    .goal(Goal::within(HAND, 1.5))
    .note("All four give the document as a struct; by hand and in redb it is JSON. By hand there is a pool of connections, used where one is asked.");
    let table = match &peers.opendal {
        Ok(opendal) => opendal.reads(table).goal(Goal::faster(OPENDAL, 5.0)),
        Err(reason) => table.note(format!("{OPENDAL} is left out: {reason}")),
    };
    table.run(run).await
}
