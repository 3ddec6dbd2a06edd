//! Indexes built, rebuilt and dropped while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage_core::bson::doc;
use storage_core::{ErrorKind, Index, Query};

use super::sample::{Documents, documents, ids, in_parallel, load};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { index_build:
    standard [Indexes] built_during_writes_is_complete = "an index made while two clients write holds exactly what is there in the end";
    standard [Indexes] rebuilt_during_writes_is_complete = "so does an index that is rebuilt meanwhile, and it answers all the time";
    standard [Indexes] ensured_by_many_at_once_is_made_once = "of many clients that ensure one index, one makes it and none fails";
    standard [Indexes] concurrent_changes_leave_no_stale_entry = "after concurrent changes of one document every index knows its last state only";
}

/// Writers that insert, change and delete until told to stop, and what they say they left.
struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<storage_core::Result<()>>>,
}

impl Writers {
    fn start(handles: Vec<storage_core::Storage>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = handles.into_iter().enumerate().map(|(writer, storage)| {
            let stop = stop.clone();
            tokio::spawn(async move {
                let things = documents(&storage, "things");
                let mut round = 0_i64;
                while !stop.load(Ordering::Acquire) || round < 20 {
                    let id = format!("moving-{writer}-{}", round % 10);
                    match round % 3 {
                        2 => _ = things.delete(&id).await?,
                        _ => {
                            _ = things
                                .put(&id, &doc! { "n": round % 7, "writer": writer.to_string() })
                                .await?
                        }
                    }
                    round += 1;
                    tokio::task::yield_now().await;
                }
                Ok(())
            })
        });
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    async fn stop(self) -> Verdict {
        self.stop.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.map_err(|error| Failure::new(error.to_string()))??;
        }
        Ok(())
    }
}

/// Every answer by the index is the answer without it.
async fn complete(things: &Documents) -> Verdict {
    for n in 0..8_i64 {
        let indexed = ids(things, Query::eq("n", n)).await?;
        let all = things.find(Query::all()).await?.collect().await?;
        let expected: Vec<String> = all
            .into_iter()
            .filter(|document| document.value.get_i64("n").ok() == Some(n))
            .map(|document| document.id.to_string())
            .collect();
        ensure_eq!(indexed, expected, "the documents with n = {n}");
    }
    let (entries, count) = (
        things.index_stats("by_n").await?.total_entries,
        things.count(Query::all()).await?,
    );
    ensure_eq!(entries, count, "one entry for each document");
    Ok(())
}

async fn built_during_writes_is_complete(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let still: Vec<_> = (0..60_i64)
        .map(|n| (format!("still-{n:02}"), doc! { "n": n % 7 }))
        .collect();
    load(&things, &still).await?;
    for round in 0..3 {
        let writers = Writers::start(vec![ctx.second().await?, ctx.second().await?]);
        tokio::task::yield_now().await;
        ensure!(
            things.ensure_index(Index::btree("by_n", ["n"])).await?,
            "round {round} makes it"
        );
        for n in 0..7_i64 {
            let found = ids(&things, Query::eq("n", n)).await?;
            let missed = still
                .iter()
                .filter(|(id, value)| value.get_i64("n").ok() == Some(n) && !found.contains(id))
                .count();
            ensure_eq!(
                missed,
                0,
                "documents that stand still and are missed while others write, n = {n}"
            );
        }
        writers.stop().await?;
        complete(&things).await?;
        things.drop_index("by_n").await?;
    }
    Ok(())
}

async fn rebuilt_during_writes_is_complete(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let still: Vec<_> = (0..40_i64)
        .map(|n| (format!("still-{n:02}"), doc! { "n": 7_i64 }))
        .collect();
    load(&things, &still).await?;
    things.ensure_index(Index::btree("by_n", ["n"])).await?;
    let writers = Writers::start(vec![ctx.second().await?, ctx.second().await?]);
    let rebuilding = documents(&ctx.second().await?, "things");
    let rebuild = tokio::spawn(async move {
        for _ in 0..3 {
            rebuilding.rebuild_index("by_n").await?;
            tokio::task::yield_now().await;
        }
        Ok::<_, storage_core::Error>(())
    });
    loop {
        tokio::task::yield_now().await;
        let finished = rebuild.is_finished();
        match ids(&things, Query::eq("n", 7_i64)).await {
            Ok(found) => ensure_eq!(
                found.len(),
                still.len(),
                "documents that stand still, while the index is rebuilt"
            ),
            // An adapter that builds in place says so for the time it takes, and never answers with less.
            Err(error) if error.kind() == ErrorKind::IndexRequired => {}
            Err(error) => return Err(error.into()),
        }
        if finished {
            break;
        }
    }
    rebuild.await.map_err(|error| Failure::new(error.to_string()))??;
    writers.stop().await?;
    complete(&things).await
}

async fn ensured_by_many_at_once_is_made_once(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let all: Vec<_> = (0..30_i64)
        .map(|n| (format!("{n:02}"), doc! { "n": n % 7 }))
        .collect();
    load(&things, &all).await?;
    let handles = [ctx.storage().clone(), ctx.second().await?];
    for round in 0..4 {
        let ensuring = (0..4).map(|at| {
            let things = documents(&handles[at % 2], "things");
            async move { things.ensure_index(Index::btree("by_n", ["n"])).await }
        });
        let mut made = 0;
        for result in in_parallel(ensuring).await? {
            made += usize::from(result?);
        }
        ensure_eq!(made, 1, "how many made it in round {round}");
        complete(&things).await?;
        things.drop_index("by_n").await?;
    }
    Ok(())
}

async fn concurrent_changes_leave_no_stale_entry(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    things.ensure_index(Index::btree("by_n", ["n"])).await?;
    let handles = [ctx.storage().clone(), ctx.second().await?];
    for round in 0..8_i64 {
        let writing = (0..4_i64).map(|writer| {
            let things = documents(&handles[usize::from(writer % 2 == 0)], "things");
            async move {
                for step in 0..3_i64 {
                    if (writer + step) % 4 == 3 {
                        things.delete("one").await?;
                    } else {
                        things
                            .put("one", &doc! { "n": (round + writer + step) % 8 })
                            .await?;
                    }
                }
                Ok::<_, storage_core::Error>(())
            }
        });
        for done in in_parallel(writing).await? {
            done?;
        }
        complete(&things).await?;
    }
    Ok(())
}
