//! Pages while others write, and finds that are given up.

use storage_core::bson::{Document, doc};
use storage_core::{Index, Query};

use crate::case::{Verdict, ensure, ensure_eq};
use crate::cases::sample::{documents, ids, load};
use crate::context::Ctx;

pub(super) async fn unchanged_documents_come_once(ctx: &Ctx) -> Verdict {
    comes_once(ctx, &Query::all(), "by id").await
}

pub(super) async fn unchanged_documents_come_once_in_an_order(ctx: &Ctx) -> Verdict {
    comes_once(ctx, &Query::all().sort_descending("n").allow_scan(), "by a scan").await?;
    comes_once(ctx, &Query::ge("n", 0_i64).allow_scan(), "in a range, by a scan").await?;
    let things = documents(ctx.storage(), "things");
    things.ensure_index(Index::btree("by_n", ["n"])).await?;
    comes_once(ctx, &Query::all().sort("n"), "by an index").await?;
    comes_once(
        ctx,
        &Query::all().sort_descending("n"),
        "by an index from its end",
    )
    .await?;
    comes_once(ctx, &Query::ge("n", 0_i64), "in a range of an index").await
}

/// Pages through while everything but every third document is changed, moved, deleted and inserted before and behind.
async fn comes_once(ctx: &Ctx, query: &Query, how: &str) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let writing = documents(&ctx.second().await?, "things");
    let all: Vec<(String, Document)> = (0..60_i64)
        .map(|n| (format!("{n:02}"), doc! { "n": n }))
        .collect();
    load(&things, &all).await?;
    let still: Vec<String> = all.iter().step_by(3).map(|(id, _)| id.clone()).collect();
    let moving: Vec<&String> = all
        .iter()
        .map(|(id, _)| id)
        .filter(|id| !still.contains(id))
        .collect();
    let mut seen = Vec::new();
    let mut query = query.clone().limit(4);
    let mut round = 0;
    loop {
        let page = things.find_page(query.clone()).await?;
        seen.extend(page.documents.iter().map(|document| document.id.to_string()));
        // At the cursor itself, before it and behind it.
        if let Some(last) = page
            .documents
            .iter()
            .map(|document| document.id.to_string())
            .rfind(|id| !still.contains(id))
        {
            writing.delete(&last).await?;
        }
        for step in 0..2 {
            let id = moving[(round * 7 + step * 13) % moving.len()];
            match (round + step) % 3 {
                0 => _ = writing.delete(id).await?,
                1 => {
                    _ = writing
                        .put(id, &doc! { "n": 100 - i64::try_from(round).unwrap_or(0) })
                        .await?
                }
                _ => _ = writing.put(format!("{id}-new"), &doc! { "n": 30_i64 }).await?,
            }
        }
        round += 1;
        ensure!(round < 1000, "paging {how} does not come to an end");
        match page.next {
            Some(token) => query = query.after(token),
            None => break,
        }
    }
    for id in &still {
        let times = seen.iter().filter(|seen| *seen == id).count();
        ensure_eq!(times, 1, "how often {id}, which did not change, came {how}");
    }
    for id in ids(&things, Query::all()).await? {
        things.delete(id).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_writers_hide_nothing(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let still: Vec<_> = (0..150_i64)
        .map(|n| (format!("still-{n:03}"), doc! { "n": n }))
        .collect();
    load(&things, &still).await?;
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let writers: Vec<_> = handles
        .into_iter()
        .enumerate()
        .map(|(writer, storage)| {
            tokio::spawn(async move {
                let things = documents(&storage, "things");
                for n in 0..40 {
                    let id = format!("still-{:03}-{writer}", n * 3);
                    things.put(&id, &doc! {}).await?;
                    if n % 2 == 0 {
                        things.delete(&id).await?;
                    }
                }
                Ok::<_, storage_core::Error>(())
            })
        })
        .collect();
    loop {
        tokio::task::yield_now().await;
        let finished = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let mut found = ids(&things, Query::all()).await?;
        let count = found.len();
        found.dedup();
        ensure_eq!(found.len(), count, "a document came twice");
        found.retain(|id| id.len() == "still-000".len());
        ensure_eq!(found.len(), still.len(), "documents that stand still");
        if finished {
            break;
        }
    }
    for writer in writers {
        writer.await.map_err(|error| error.to_string())??;
    }
    Ok(())
}

pub(super) async fn dropped_cursors_release_what_they_hold(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let all: Vec<_> = (0..250_i64)
        .map(|n| (format!("{n:03}"), doc! { "n": n }))
        .collect();
    load(&things, &all).await?;
    let mut kept = Vec::new();
    for n in 0..200 {
        let mut found = things.find(Query::all()).await?;
        for _ in 0..=n % 3 {
            ensure!(found.next().await?.is_some(), "find {n} comes to an early end");
        }
        // Half are dropped at once, half together.
        if n % 2 == 0 {
            kept.push(found);
        }
    }
    things.put("while", &doc! { "open": true }).await?;
    drop(kept);
    ensure_eq!(things.count(Query::all()).await?, 251, "the storage is usable");
    ctx.storage().close().await?;
    Ok(())
}
