//! Documents: put, get, delete, update, and who sees what.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use storage_core::bson::{Bson, doc};
use storage_core::{ErrorKind, Query};

use super::sample::{documents, ids, in_parallel};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::clock::TestClock;
use crate::context::Ctx;

cases! { documents:
    smoke [Documents] put_get_roundtrip = "a document comes back under its id, with the version its put gave";
    smoke [Documents] missing_is_none = "what was never written reads as None, in a collection that exists and in one that does not";
    smoke [Documents] put_replaces_whole = "a second put leaves no field of the first";
    smoke [Documents] delete_says_whether_it_was_there = "delete is true once and false ever after, and the document is gone everywhere";
    smoke [Documents] second_handle_sees_everything = "two independent clients see each other's writes and deletes";
    standard [Documents] version_changes_every_put = "each put has a version of its own, equal bytes included, and reading changes none";
    standard [Documents] generated_ids_are_unique = "ids given by two clients never collide, and are returned with the version";
    standard [Documents] update_loses_nothing = "concurrent updates over two handles all count";
    standard [Documents] readers_see_whole_documents = "a reader beside a writer sees one state or another, never a mix";
    standard [Documents] all_in_order_of_ids = "every document comes once, in the UTF-8 byte order of ids";
    standard [Documents] errors_name_operation_and_document = "an error says which document of which collection was concerned, and on which backend";
    standard [Documents] sweep_beside_writers_loses_nothing = "housekeeping beside writers that delete and insert anew takes nothing away";
    standard [Documents] survive_reopen = "documents and versions are the same after closing and opening again";
}

async fn put_get_roundtrip(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let ada = doc! { "name": "Ada", "age": 36_i64, "tags": ["a", "b"] };
    let version = people.put("ada", &ada).await?;
    let Some(read) = people.get("ada").await? else {
        return Err("the document that was put is not there".into());
    };
    ensure_eq!(read.id.as_str(), "ada", "the id");
    ensure_eq!(read.value, ada, "the value");
    ensure_eq!(read.version, version, "put and get give the same version");
    ensure_eq!(read.expires_at, None, "nothing was said about expiry");
    let found = people.find(Query::all()).await?.collect().await?;
    ensure_eq!(found, vec![read], "find gives what get gives");
    Ok(())
}

async fn missing_is_none(ctx: &Ctx) -> Verdict {
    let nowhere = documents(ctx.storage(), "nowhere");
    ensure_eq!(
        nowhere.get("x").await?,
        None,
        "get in a collection that does not exist"
    );
    ensure_eq!(
        nowhere.get_many(["x", "y"]).await?,
        vec![None, None],
        "get_many in a collection that does not exist"
    );
    ensure!(!nowhere.delete("x").await?, "nothing was there to delete");
    ensure_eq!(
        nowhere.count(Query::all()).await?,
        0,
        "count in a collection that does not exist"
    );
    ensure!(
        ids(&nowhere, Query::all()).await?.is_empty(),
        "find in a collection that does not exist"
    );
    let people = documents(ctx.storage(), "people");
    people.put("ada", &doc! {}).await?;
    ensure_eq!(people.get("ad").await?, None, "a shorter id");
    ensure_eq!(people.get("adaa").await?, None, "a longer id");
    ensure_eq!(people.get("Ada").await?, None, "another case");
    ensure!(
        people.get("ada").await?.is_some(),
        "an empty document is not a missing one"
    );
    Ok(())
}

async fn put_replaces_whole(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .put(
            "ada",
            &doc! { "name": "Ada", "age": 36_i64, "nested": { "a": 1_i64, "b": 2_i64 } },
        )
        .await?;
    let second = doc! { "nested": { "b": 3_i64 } };
    people.put("ada", &second).await?;
    ensure_eq!(
        people.get("ada").await?.map(|read| read.value),
        Some(second),
        "only the second put is there"
    );
    ensure_eq!(people.count(Query::all()).await?, 1, "it is one document");
    Ok(())
}

async fn delete_says_whether_it_was_there(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("ada", &doc! { "n": 1_i64 }).await?;
    people.put("bob", &doc! { "n": 2_i64 }).await?;
    ensure!(people.delete("ada").await?, "it was there");
    ensure!(!people.delete("ada").await?, "it was not there any more");
    ensure_eq!(people.get("ada").await?, None, "get after delete");
    ensure_eq!(
        people.get_many(["ada"]).await?,
        vec![None],
        "get_many after delete"
    );
    ensure_eq!(ids(&people, Query::all()).await?, ["bob"], "find after delete");
    ensure_eq!(people.count(Query::all()).await?, 1, "count after delete");
    people.insert("ada", &doc! { "n": 3_i64 }).await?;
    ensure_eq!(
        people.get("ada").await?.map(|read| read.value),
        Some(doc! { "n": 3_i64 }),
        "it can be inserted anew"
    );
    Ok(())
}

async fn second_handle_sees_everything(ctx: &Ctx) -> Verdict {
    let (first, second) = (
        documents(ctx.storage(), "people"),
        documents(&ctx.second().await?, "people"),
    );
    let version = first.put("ada", &doc! { "n": 1_i64 }).await?;
    let Some(seen) = second.get("ada").await? else {
        return Err("the second client does not see the put".into());
    };
    ensure_eq!(seen.version, version, "both see one version");
    second.put_if("ada", &doc! { "n": 2_i64 }, seen.version).await?;
    ensure_eq!(
        first.get("ada").await?.map(|read| read.value),
        Some(doc! { "n": 2_i64 }),
        "the first sees the second's put"
    );
    ensure_kind!(
        first.put_if("ada", &doc! {}, version).await,
        ErrorKind::PreconditionFailed,
        "its version is stale now"
    );
    ensure!(first.delete("ada").await?, "it is there for the first to delete");
    ensure_eq!(second.get("ada").await?, None, "the second sees the delete");
    ensure!(ids(&second, Query::all()).await?.is_empty(), "also in find");
    Ok(())
}

async fn version_changes_every_put(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let value = doc! { "same": true };
    let mut versions = Vec::new();
    for _ in 0..10 {
        let version = people.put("ada", &value).await?;
        ensure!(!versions.contains(&version), "version {version} was given twice");
        for _ in 0..2 {
            let read = people.get("ada").await?.map(|read| read.version);
            ensure_eq!(
                read.as_ref(),
                Some(&version),
                "reading shows the version of the last put"
            );
        }
        versions.push(version);
    }
    people.delete("ada").await?;
    let anew = people.put("ada", &value).await?;
    ensure!(!versions.contains(&anew), "a version came back after a delete");
    let other = people.put("bob", &value).await?;
    ensure!(other != anew, "equal documents under two ids share a version");
    Ok(())
}

async fn generated_ids_are_unique(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let adding = [ctx.storage().clone(), second]
        .into_iter()
        .map(|storage| async move {
            let people = documents(&storage, "people");
            let mut added = Vec::new();
            for n in 0..50_i64 {
                added.push((n, people.add(&doc! { "n": n }).await?));
            }
            Ok::<_, storage_core::Error>(added)
        });
    let people = documents(ctx.storage(), "people");
    let mut count = 0;
    for added in in_parallel(adding).await? {
        for (n, (id, version)) in added? {
            let Some(read) = people.get(&id).await? else {
                return Err(format!("added document {id} is missing").into());
            };
            ensure_eq!(
                read.value,
                doc! { "n": n },
                "an id given twice would show another's value"
            );
            ensure_eq!(read.version, version, "the version returned with the id");
            count += 1;
        }
    }
    ensure_eq!(
        people.count(Query::all()).await?,
        count,
        "as many documents as were added"
    );
    Ok(())
}

async fn update_loses_nothing(ctx: &Ctx) -> Verdict {
    let counters = documents(ctx.storage(), "counters");
    ensure!(
        counters.update("missing", |_| ()).await?.is_none(),
        "update of nothing is None"
    );
    ensure_eq!(counters.get("missing").await?, None, "and makes nothing");
    counters.put("hits", &doc! { "n": 0_i64, "kept": "x" }).await?;
    let handles = [
        ctx.storage().clone(),
        ctx.second().await?,
        ctx.storage().clone(),
        ctx.second().await?,
    ];
    let adding = handles.into_iter().map(|storage| async move {
        let counters = documents(&storage, "counters");
        for _ in 0..10 {
            let add = |value: &mut storage_core::bson::Document| {
                let n = value.get_i64("n").unwrap_or(i64::MIN);
                value.insert("n", n + 1);
            };
            counters.update("hits", add).await?;
        }
        Ok::<_, storage_core::Error>(())
    });
    for done in in_parallel(adding).await? {
        done?;
    }
    let total = counters.get("hits").await?.map(|read| read.value);
    ensure_eq!(
        total,
        Some(doc! { "n": 40_i64, "kept": "x" }),
        "4 workers added 10 each"
    );
    Ok(())
}

async fn readers_see_whole_documents(ctx: &Ctx) -> Verdict {
    let state = |n: i64| {
        let filler = char::from(b'a' + u8::try_from(n % 26).unwrap_or(0))
            .to_string()
            .repeat(20_000);
        doc! { "first": n, "filler": filler, "last": n }
    };
    let pages = documents(ctx.storage(), "pages");
    pages.put("page", &state(0)).await?;
    let writing = documents(ctx.storage(), "pages");
    let writer = tokio::spawn(async move {
        for n in 1..40 {
            writing.put("page", &state(n)).await?;
        }
        Ok::<_, storage_core::Error>(())
    });
    let reading = documents(&ctx.second().await?, "pages");
    let mut last = 0;
    while last < 39 {
        // An adapter that never waits would keep the writer from running.
        tokio::task::yield_now().await;
        let finished = writer.is_finished();
        let Some(read) = reading.get("page").await? else {
            return Err("a reader saw the document missing".into());
        };
        let n = read.value.get_i64("first").unwrap_or(-1);
        ensure_eq!(read.value, state(n), "every read is one whole state");
        ensure!(n >= last, "a reader saw state {n} after state {last}");
        last = n;
        if finished && n < 39 {
            return Err(format!("the writer ended, and a reader still sees state {n}").into());
        }
    }
    match writer.await {
        Ok(done) => Ok(done?),
        Err(error) => Err(format!("the writer did not end: {error}").into()),
    }
}

async fn all_in_order_of_ids(ctx: &Ctx) -> Verdict {
    let letters = documents(ctx.storage(), "letters");
    // Where UTF-16 and UTF-8 order differ, where `/` is no separator, and where case or accents could be folded.
    let mut all = [
        "b", "a", "a/b", "a-b", "a.b", "a0", "A", "a b", "é", "e\u{301}", "\u{FFFF}", "😀", "~", "!", "%",
        "aa", "a%",
    ];
    let loaded: Vec<_> = all
        .iter()
        .map(|id| ((*id).to_owned(), doc! { "id": *id }))
        .collect();
    super::sample::load(&letters, &loaded).await?;
    all.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    ensure_eq!(ids(&letters, Query::all()).await?, all, "ids in byte order");
    for limit in 1..=all.len() {
        let limited = ids(&letters, Query::all().limit(limit as u64)).await?;
        ensure_eq!(limited, all[..limit], "the first {limit}");
    }
    Ok(())
}

async fn errors_name_operation_and_document(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("ada", &doc! {}).await?;
    let Err(error) = people.insert("ada", &doc! { "secret": Bson::Null }).await else {
        return Err("an insert over a document succeeded".into());
    };
    ensure_eq!(error.key(), Some("people/ada"), "the document concerned");
    ensure_eq!(error.operation(), "put document", "the operation");
    ensure_eq!(error.backend(), ctx.declaration().backend.as_ref(), "the backend");
    ensure_eq!(
        error.applied(),
        storage_core::Applied::No,
        "a refused write was not applied"
    );
    Ok(())
}

async fn survive_reopen(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let ada = people.put("ada", &doc! { "n": 1_i64, "f": -0.5 }).await?;
    people.put("bob", &doc! { "n": 2_i64 }).await?;
    people.put("gone", &doc! {}).await?;
    people.delete("gone").await?;
    let storage = ctx.reopen().await?;
    let people = documents(&storage, "people");
    let Some(read) = people.get("ada").await? else {
        return Err("a document is gone after a reopen".into());
    };
    ensure_eq!(
        read.value,
        doc! { "n": 1_i64, "f": -0.5 },
        "the value after a reopen"
    );
    ensure_eq!(read.version, ada, "the version after a reopen");
    ensure_eq!(people.get("gone").await?, None, "what was deleted stays deleted");
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["ada", "bob"],
        "all documents after a reopen"
    );
    people.put_if("ada", &doc! {}, ada).await?;
    Ok(())
}

async fn sweep_beside_writers_loses_nothing(ctx: &Ctx) -> Verdict {
    // So far ahead that everything is old enough to be worth a look.
    let ahead = Arc::new(TestClock::default());
    ahead.advance(Duration::from_secs(3600 * 24 * 400));
    let sweeping = ctx.second_with(ahead).await?;
    let (enough, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers = [ctx.storage().clone(), ctx.second().await?]
        .into_iter()
        .enumerate()
        .map(|(writer, storage)| {
            let (enough, rounds) = (enough.clone(), rounds.clone());
            tokio::spawn(async move {
                let people = documents(&storage, "people");
                let mut round = 0;
                while !enough.load(Ordering::Acquire) || round < 8 {
                    let id = format!("{writer}-{}", round % 4);
                    if !people.delete(&id).await? && round >= 4 {
                        return Ok(Some(id));
                    }
                    tokio::task::yield_now().await;
                    people.insert(&id, &doc! { "round": round }).await?;
                    tokio::task::yield_now().await;
                    round += 1;
                    rounds.fetch_add(1, Ordering::AcqRel);
                }
                Ok::<_, storage_core::Error>(None)
            })
        });
    let writers: Vec<_> = writers.collect();
    let mut sweeps = 0;
    while sweeps < 100 || rounds.load(Ordering::Acquire) < 100 {
        sweeping.sweep().await?;
        sweeps += 1;
        tokio::task::yield_now().await;
        if writers.iter().any(tokio::task::JoinHandle::is_finished) {
            break;
        }
    }
    enough.store(true, Ordering::Release);
    for writer in writers {
        let lost = writer.await.map_err(|error| error.to_string())??;
        ensure_eq!(lost, None, "a document that was inserted and is gone");
    }
    ensure_eq!(
        documents(ctx.storage(), "people").count(Query::all()).await?,
        8,
        "all that were inserted last"
    );
    Ok(())
}
