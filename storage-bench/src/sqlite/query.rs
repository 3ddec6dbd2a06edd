//! Queries that an index answers.

use std::sync::Arc;

use storage_core::Query;

use super::{HAND, OURS, Peers, ROWS, age};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

/// How many documents a range is of.
const FOUND: i64 = 10;

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    equality(run, peers).await?;
    range(run, peers).await
}

fn some(number: u64) -> i64 {
    age(number.wrapping_mul(7_919) % (ROWS - 10))
}

async fn equality(run: &mut Run, peers: &Peers) -> Outcome {
    let (rows, hand) = (peers.rows.clone(), Arc::clone(&peers.hand));
    Table::new(
        "sqlite-equality",
        "SQLite: the one document of 1 KiB whose indexed field has a value",
    )
    .per_round(40)
    .contender(OURS, move |number| {
        let rows = rows.clone();
        async move {
            let found = rows.find_page(Query::eq("age", some(number))).await?;
            assert_eq!(found.documents.len(), 1);
            Ok(())
        }
    })
    .contender(HAND, move |number| {
        let hand = Arc::clone(&hand);
        async move {
            assert_eq!(hand.equal(some(number))?.len(), 1);
            Ok(())
        }
    })
    .goal(Goal::within(HAND, 1.3))
    .note("By hand there is an index over `json_extract(body, '$.age')`, used on the thread that asks. It has neither versions nor expiry to look at.")
    .run(run)
    .await
}

async fn range(run: &mut Run, peers: &Peers) -> Outcome {
    let (rows, hand) = (peers.rows.clone(), Arc::clone(&peers.hand));
    Table::new(
        "sqlite-range",
        "SQLite: the ten documents of 1 KiB whose indexed field is in a range",
    )
    .per_round(10)
    .contender(OURS, move |number| {
        let rows = rows.clone();
        async move {
            let from = some(number);
            let query = Query::ge("age", from).and(Query::lt("age", from + FOUND));
            assert_eq!(rows.find_page(query).await?.documents.len(), 10);
            Ok(())
        }
    })
    .contender(HAND, move |number| {
        let hand = Arc::clone(&hand);
        async move {
            let from = some(number);
            assert_eq!(hand.find(from, from + FOUND)?.len(), 10);
            Ok(())
        }
    })
    .goal(Goal::within(HAND, 1.3))
    .run(run)
    .await
}
