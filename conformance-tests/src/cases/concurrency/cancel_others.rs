//! The calls that [`cancel`](super::cancel) leaves out, dropped after every possible number of polls: those that read, those that work
//! on many things or on a whole index or log, and housekeeping.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use storage_core::{ByteRange, Capability, Document, ErrorKind, Index, ListRequest, Query, Result, Storage};

use super::cancel::{MOST_POLLS, at_every_poll, goes_on, numbers, one_of, settles_to_one_of};
use crate::abandon::dropped_after;
use crate::case::{Failure, Verdict, ensure, ensure_eq};
use crate::context::Ctx;
use crate::digest::digest;

type Numbers = BTreeMap<String, i64>;

/// A call that changes nothing, and its answer as text.
type Look = for<'a> fn(&'a Storage) -> BoxFuture<'a, Result<String>>;

macro_rules! looks {
    ($($what:literal $capability:expr => |$storage:ident| $call:expr;)+) => {
        &[$(($what, $capability, |$storage| Box::pin(async move { Ok(format!("{:?}", $call.await?)) }))),+]
    };
}

/// Every call that reads, with what it needs.
const LOOKS: &[(&str, Option<Capability>, Look)] = looks! {
    "read" None => |storage| storage.objects().read("a");
    "read_range" None => |storage| storage.objects().read_range("a", ByteRange::From(1));
    "stat" None => |storage| storage.objects().stat("a");
    "list_page" None => |storage| storage.objects().list_page(ListRequest::new(""));
    "health" None => |storage| storage.health();
    "get" Some(Capability::Documents) => |storage| documents(storage).get("a");
    "get_many" Some(Capability::Documents) => |storage| documents(storage).get_many(["a", "b", "c"]);
    "collections" Some(Capability::Documents) => |storage| storage.collections();
    "find" Some(Capability::Indexes) => |storage| found(storage);
    "count" Some(Capability::Indexes) => |storage| documents(storage).count(Query::ge("n", 1));
    "explain" Some(Capability::Indexes) => |storage| documents(storage).explain(Query::ge("n", 1));
    "indexes" Some(Capability::Indexes) => |storage| documents(storage).indexes();
    "index_stats" Some(Capability::Indexes) => |storage| documents(storage).index_stats("by_n");
    "read_log" Some(Capability::Logs) => |storage| storage.log("log").read(0, 10);
    "logs" Some(Capability::Logs) => |storage| storage.logs();
};

fn documents(storage: &Storage) -> storage_core::Collection<Numbers> {
    storage.collection("numbers")
}

async fn found(storage: &Storage) -> Result<Vec<Document<Numbers>>> {
    documents(storage).find(Query::ge("n", 1)).await?.collect().await
}

pub(super) async fn cancel_reads_at_every_poll(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    storage.objects().write("a", "bytes").await?;
    if ctx.has(Capability::Documents) {
        documents(storage).put("a", &numbers(1)).await?;
        documents(storage).put("b", &numbers(2)).await?;
    }
    if ctx.has(Capability::Indexes) {
        documents(storage)
            .ensure_index(Index::btree("by_n", ["n"]))
            .await?;
    }
    if ctx.has(Capability::Logs) {
        storage.log("log").append_all(["x", "y"]).await?;
    }
    let before = digest(storage).await?;
    for (what, capability, look) in LOOKS {
        if capability.is_some_and(|capability| !ctx.has(capability)) {
            continue;
        }
        let expected = look(storage).await?;
        for polls in 0..=MOST_POLLS {
            let Some(seen) = dropped_after(polls, look(storage)).await else {
                continue;
            };
            ensure_eq!(seen?, expected, "{what}, after it was given up {polls} times");
            break;
        }
    }
    ensure_eq!(
        digest(storage).await?,
        before,
        "what is there after reads were given up"
    );
    goes_on(ctx).await
}

pub(super) async fn cancel_many_at_every_poll(ctx: &Ctx) -> Verdict {
    let documents = documents(ctx.storage());
    let value = numbers(1);
    at_every_poll(
        |polls| {
            let (documents, value) = (documents.clone(), value.clone());
            async move {
                let ids: Vec<String> = (0..5).map(|part| format!("{polls}-{part}")).collect();
                let written = documents.put_many(ids.iter().map(|id| (id, &value))).await?;
                written.into_iter().collect::<Result<Vec<_>>>()
            }
        },
        |polls, ended| {
            let documents = documents.clone();
            async move {
                let all = ended.is_some();
                ended.transpose()?;
                let ids = (0..5).map(|part| format!("{polls}-{part}"));
                let there = documents.get_many(ids).await?;
                ensure!(
                    !all || there.iter().all(Option::is_some),
                    "one of many that were acknowledged is missing"
                );
                let whole = |document: &Document<Numbers>| document.value == numbers(1);
                ensure!(
                    there.iter().flatten().all(whole),
                    "a document is not whole: {there:?}"
                );
                // Nothing is in the way of the next who writes there.
                documents.put(format!("{polls}-0"), &numbers(1)).await?;
                Ok(())
            }
        },
    )
    .await?;
    goes_on(ctx).await
}

pub(super) async fn cancel_deletions_at_every_poll(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let keys = |polls: usize| (0..5).map(move |part| format!("many/{polls}-{part}"));
    for polls in 0..=MOST_POLLS {
        for key in keys(polls) {
            objects.write(key, "old").await?;
        }
        let ended = dropped_after(polls, objects.delete_many(keys(polls))).await;
        let old = || Some(storage_core::Bytes::from_static(b"old"));
        let allowed = if ended.is_some() {
            vec![None]
        } else {
            vec![None, old()]
        };
        let is_last = ended.is_some();
        if let Some(ended) = ended {
            for deleted in ended? {
                deleted?;
            }
        }
        for key in keys(polls) {
            one_of(&allowed, || objects.read(key.clone())).await?;
        }
        if is_last {
            break;
        }
    }
    goes_on(ctx).await
}

pub(super) async fn cancel_index_at_every_poll(ctx: &Ctx) -> Verdict {
    let documents = documents(ctx.storage());
    for n in 0..20_i64 {
        documents.put(n.to_string(), &numbers(n % 5)).await?;
    }
    let index = || Index::btree("by_n", ["n"]);
    for what in ["ensure", "rebuild", "drop"] {
        for polls in 0..=MOST_POLLS {
            if what == "ensure" {
                documents.drop_index("by_n").await?;
            } else {
                documents.ensure_index(index()).await?;
            }
            let ended = match what {
                "ensure" => dropped_after(polls, documents.ensure_index(index()))
                    .await
                    .map(|result| result.map(drop)),
                "rebuild" => dropped_after(polls, documents.rebuild_index("by_n")).await,
                _ => dropped_after(polls, documents.drop_index("by_n"))
                    .await
                    .map(|result| result.map(drop)),
            };
            let is_last = ended.is_some();
            ended.transpose()?;
            // Whoever comes next gets the index made, whatever was left, and it finds exactly what the documents say.
            let made = async || {
                documents.ensure_index(index()).await?;
                match documents.find(Query::eq("n", 3)).await {
                    Ok(found) => Ok(found.collect().await?.len()),
                    // A drop that was given up may land between the two, once.
                    Err(error) if error.kind() == ErrorKind::IndexRequired => Ok(0),
                    Err(error) => Err(error),
                }
            };
            let settled = settles_to_one_of(&[4], made).await;
            settled
                .map_err(|failure| Failure::new(format!("{what} dropped after {polls} polls: {failure}")))?;
            if is_last {
                break;
            }
        }
    }
    goes_on(ctx).await
}

pub(super) async fn cancel_end_of_log_at_every_poll(ctx: &Ctx) -> Verdict {
    for what in ["close", "delete"] {
        for polls in 0..=MOST_POLLS {
            let log = ctx.storage().log(format!("{what}/{polls}"));
            log.append_all(["x", "y"]).await?;
            let ended = match what {
                "close" => dropped_after(polls, log.close()).await,
                _ => dropped_after(polls, log.delete()).await,
            };
            let after = if what == "close" { (2, true) } else { (0, false) };
            let allowed = if ended.is_some() {
                vec![after]
            } else {
                vec![(2, false), after]
            };
            let is_last = ended.is_some();
            ended.transpose()?;
            let look = || async {
                let page = log.read(0, 10).await?;
                Ok((page.entries.len(), page.closed))
            };
            one_of(&allowed, look).await?;
            if is_last {
                break;
            }
        }
    }
    goes_on(ctx).await
}

pub(super) async fn cancel_sweep_at_every_poll(ctx: &Ctx) -> Verdict {
    use std::time::Duration;
    let documents = documents(ctx.storage());
    documents.put("stays", &numbers(1)).await?;
    for polls in 0..=MOST_POLLS {
        for part in 0..5 {
            let options = storage_core::PutOptions::new().ttl(Duration::from_secs(1));
            documents
                .put_with(format!("{polls}-{part}"), &numbers(2), options)
                .await?;
        }
        ctx.clock().advance(Duration::from_secs(5));
        let ended = dropped_after(polls, ctx.storage().sweep()).await;
        let is_last = ended.is_some();
        ended.transpose()?;
        let all = documents.find(Query::all()).await?.collect().await?;
        ensure!(
            all.len() == 1 && all[0].id.as_str() == "stays",
            "a sweep given up after {polls} polls changed what can be read: {all:?}"
        );
        if is_last {
            break;
        }
    }
    ctx.storage().sweep().await?;
    goes_on(ctx).await
}

pub(super) async fn cancel_close_at_every_poll(ctx: &Ctx) -> Verdict {
    for polls in 0..=MOST_POLLS {
        let client = ctx.second().await?;
        let key = format!("close/{polls}");
        client.objects().write(&key, "acknowledged").await?;
        let ended = dropped_after(polls, client.close()).await;
        let is_last = ended.is_some();
        ended.transpose()?;
        let seen = ctx.second().await?.objects().read(&key).await?;
        ensure!(
            seen.as_deref() == Some(b"acknowledged".as_slice()),
            "what was acknowledged is gone after a close given up after {polls} polls: {seen:?}"
        );
        if is_last {
            break;
        }
    }
    goes_on(ctx).await
}
