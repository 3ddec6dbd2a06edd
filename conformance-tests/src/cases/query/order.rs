//! In which order answers come.

use storage_core::bson::doc;
use storage_core::{Index, Query};

use crate::case::{Verdict, ensure_eq};
use crate::cases::sample::{documents, ids, load};
use crate::context::Ctx;

pub(super) async fn order_is_global(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    // The order asked runs against the order of ids and of insertion.
    let all: Vec<_> = (0..300_i64)
        .map(|n| (format!("{n:03}"), doc! { "rank": 1000 - n, "even": n % 2 == 0 }))
        .collect();
    load(&things, &all).await?;
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_rank", ["rank"])).await?;
        }
        let first = ids(&things, Query::all().sort("rank").limit(3).allow_scan()).await?;
        ensure_eq!(
            first,
            ["299", "298", "297"],
            "the least three, indexed: {indexed}"
        );
        let last = ids(
            &things,
            Query::all().sort_descending("rank").limit(3).allow_scan(),
        )
        .await?;
        ensure_eq!(
            last,
            ["000", "001", "002"],
            "the greatest three, indexed: {indexed}"
        );
        let range = Query::gt("rank", 0_i64);
        // What is filtered document by document must not use up the limit.
        let filtered = ids(
            &things,
            range.clone().and(Query::eq("even", true)).limit(3).allow_scan(),
        )
        .await?;
        ensure_eq!(
            filtered,
            ["298", "296", "294"],
            "the least three that are even, indexed: {indexed}"
        );
        let rare = ids(
            &things,
            range.and(Query::eq("rank", 1000_i64)).limit(1).allow_scan(),
        )
        .await?;
        ensure_eq!(rare, ["000"], "the one that comes last, indexed: {indexed}");
    }
    Ok(())
}

pub(super) async fn range_implies_its_order(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for (id, age, name) in [
        ("a", 50_i64, "n3"),
        ("b", 20, "n2"),
        ("c", 40, "n1"),
        ("d", 20, "n4"),
    ] {
        people
            .put(id, &doc! { "age": age, "name": name, "here": true })
            .await?;
    }
    for index in [
        None,
        Some(Index::btree("age", ["age"])),
        Some(Index::btree("here_name", ["here", "name"])),
    ] {
        if let Some(index) = index {
            people.ensure_index(index).await?;
        }
        let by_age = Query::ge("age", 20_i64).allow_scan();
        ensure_eq!(
            ids(&people, by_age).await?,
            ["b", "d", "c", "a"],
            "a range over age"
        );
        let by_name = Query::prefix("name", "n").allow_scan();
        ensure_eq!(
            ids(&people, by_name).await?,
            ["c", "b", "a", "d"],
            "a prefix of name"
        );
        let first = Query::eq("here", true)
            .and(Query::ge("age", 20_i64))
            .and(Query::prefix("name", "n"))
            .allow_scan();
        ensure_eq!(
            ids(&people, first).await?,
            ["b", "d", "c", "a"],
            "the first range counts"
        );
        let by_id = Query::eq("here", true).allow_scan();
        ensure_eq!(
            ids(&people, by_id).await?,
            ["a", "b", "c", "d"],
            "equality implies no order but that of ids"
        );
        let asked = Query::ge("age", 20_i64).sort_descending("name").allow_scan();
        ensure_eq!(
            ids(&people, asked).await?,
            ["d", "a", "b", "c"],
            "what is asked goes before what is implied"
        );
    }
    Ok(())
}

pub(super) async fn ties_are_in_order_of_ids(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let ids_in_order = ["A", "a", "a/b", "b", "é", "😀"];
    for id in ["é", "b", "😀", "a/b", "A", "a"] {
        things.put(id, &doc! { "same": 1_i64 }).await?;
        things.put(format!("{id}-2"), &doc! { "same": 2_i64 }).await?;
    }
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_same", ["same"])).await?;
        }
        let twos = ["A-2", "a-2", "a/b-2", "b-2", "é-2", "😀-2"];
        let up = ids(&things, Query::all().sort("same").allow_scan()).await?;
        ensure_eq!(up, [ids_in_order, twos].concat(), "ascending, indexed: {indexed}");
        let down = ids(&things, Query::all().sort_descending("same").allow_scan()).await?;
        ensure_eq!(
            down,
            [twos, ids_in_order].concat(),
            "descending, indexed: {indexed}"
        );
        for limit in 1..12 {
            let first = ids(
                &things,
                Query::all()
                    .sort_descending("same")
                    .limit(limit as u64)
                    .allow_scan(),
            )
            .await?;
            ensure_eq!(
                first,
                down[..limit],
                "the first {limit} descending, indexed: {indexed}"
            );
        }
    }
    Ok(())
}
