//! Futures dropped after every possible number of polls.

use std::collections::BTreeMap;
use std::time::Instant;

use storage_core::{Capability, Error, Index, ListEntry, Query, Result, WriteOptions};

use super::SETTLES;
use crate::abandon::dropped_after;
use crate::case::{Failure, Verdict, ensure, ensure_eq};
use crate::context::Ctx;

/// After so many polls without an end the rest is taken to be alike.
pub(super) const MOST_POLLS: usize = 64;

/// Runs `call` dropped after 0, 1, 2, … polls until it ends by itself, and `check` after each.
pub(super) async fn at_every_poll<R, C, K>(
    mut call: impl FnMut(usize) -> C,
    mut check: impl FnMut(usize, Option<Result<R>>) -> K,
) -> Verdict
where
    C: Future<Output = Result<R>>,
    K: Future<Output = Verdict>,
{
    for polls in 0..=MOST_POLLS {
        let ended = dropped_after(polls, call(polls)).await;
        let last = ended.is_some();
        let checked = check(polls, ended).await;
        checked.map_err(|failure| Failure::new(format!("dropped after {polls} polls: {failure}")))?;
        if last {
            return Ok(());
        }
    }
    Ok(())
}

/// Checks that one thing is as it was before or after the call, and that looking does not wait for something never given back.
pub(super) async fn one_of<T, F>(allowed: &[T], look: impl FnOnce() -> F + Send) -> Verdict
where
    T: PartialEq + std::fmt::Debug + Send + Sync,
    F: Future<Output = Result<T>> + Send,
{
    let began = Instant::now();
    let seen = look().await?;
    ensure!(allowed.contains(&seen), "neither before nor after: {seen:?}");
    ensure!(
        began.elapsed() < SETTLES,
        "looking took {:?}: a lock or a connection is not given back",
        began.elapsed()
    );
    Ok(())
}

/// As [`one_of`], for what is looked at in several steps: a dropped call may take effect between two of them, so it is looked at
/// again for a while.
pub(super) async fn settles_to_one_of<T, F>(allowed: &[T], mut look: impl FnMut() -> F + Send) -> Verdict
where
    T: PartialEq + std::fmt::Debug + Send + Sync,
    F: Future<Output = Result<T>> + Send,
{
    let began = Instant::now();
    loop {
        let seen = look().await?;
        if allowed.contains(&seen) {
            return Ok(());
        }
        ensure!(
            began.elapsed() < SETTLES,
            "neither before nor after, and it stays so: {seen:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

pub(super) async fn cancel_objects_at_every_poll(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let look = |key: String| async move { ctx.storage().objects().read(&key).await };
    let old = || Some(storage_core::Bytes::from_static(b"old"));
    let new = || Some(storage_core::Bytes::from_static(b"new"));
    let case = |what: &'static str, polls: usize| format!("{what}/{polls}");

    // Each number of polls has a key of its own: a call dropped earlier may still finish.
    for polls in 0..=MOST_POLLS {
        for what in ["write", "create", "swap", "delete"] {
            if what == "create" && !ctx.has(Capability::CreateIfAbsent)
                || what == "swap" && !ctx.has(Capability::CompareAndSwap)
            {
                continue;
            }
            let key = case(what, polls);
            let version = if what == "create" {
                None
            } else {
                Some(objects.write(&key, "old").await?)
            };
            let ended = match (what, version) {
                ("create", _) => dropped_after(polls, objects.create(&key, "new"))
                    .await
                    .map(|result| result.map(drop)),
                ("swap", Some(version)) => dropped_after(polls, objects.write_if(&key, "new", version))
                    .await
                    .map(|result| result.map(drop)),
                ("delete", _) => dropped_after(polls, objects.delete(&key)).await,
                _ => dropped_after(polls, objects.write(&key, "new"))
                    .await
                    .map(|result| result.map(drop)),
            };
            let (before, after) = match what {
                "create" => (None, new()),
                "delete" => (old(), None),
                _ => (old(), new()),
            };
            let allowed = if ended.is_some() {
                vec![after]
            } else {
                vec![before, after]
            };
            ended.transpose()?;
            let fits = one_of(&allowed, || look(key.clone())).await;
            fits.map_err(|failure| Failure::new(format!("{what} dropped after {polls} polls: {failure}")))?;
            // The key is not locked for ever: the next write goes through. The dropped one may still come after it.
            objects.write(&key, "next").await?;
        }
        let read = dropped_after(polls, objects.read(case("write", polls))).await;
        if let Some(read) = read {
            ensure!(read?.is_some(), "nothing is there after the next write");
            let listed = dropped_after(polls, objects.list_files("write")).await;
            if listed.is_some() && polls > 0 {
                break;
            }
        }
    }
    goes_on(ctx).await
}

/// The handle works after all that, and nothing strange is listed.
pub(super) async fn goes_on(ctx: &Ctx) -> Verdict {
    use futures::TryStreamExt;
    let objects = ctx.storage().objects();
    objects.write("after", "x").await?;
    let entries: Vec<ListEntry> = objects.list("").try_collect().await?;
    for entry in entries {
        let read = objects.read(entry.name()).await?;
        ensure!(read.is_some(), "{:?} is listed and not there", entry.name());
    }
    Ok(())
}

pub(super) async fn cancel_copy_at_every_poll(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("source", "new").await?;
    at_every_poll(
        |polls| {
            let objects = objects.clone();
            async move {
                objects.write(format!("copy/{polls}"), "old").await?;
                // The write above is part of what is polled; it leaves the same "old" whole or not at all.
                objects.copy("source", format!("copy/{polls}")).await
            }
        },
        |polls, ended| async move {
            let new = Some(storage_core::Bytes::from_static(b"new"));
            let allowed = match ended {
                Some(copied) => {
                    ensure!(copied?.is_some(), "the copy found nothing");
                    vec![new]
                }
                None => vec![None, Some(storage_core::Bytes::from_static(b"old")), new],
            };
            let objects = ctx.storage().objects();
            one_of(
                &allowed,
                || async move { objects.read(format!("copy/{polls}")).await },
            )
            .await
        },
    )
    .await?;
    goes_on(ctx).await
}

pub(super) async fn cancel_upload_at_every_poll(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let whole = [vec![b'1'; 300_000], vec![b'2'; 300_000]];
    at_every_poll(
        |polls| {
            let (objects, whole) = (objects.clone(), whole.clone());
            async move {
                let mut upload = objects
                    .upload(format!("upload/{polls}"), WriteOptions::new())
                    .await?;
                for piece in whole {
                    upload.write(piece).await?;
                }
                upload.finish().await
            }
        },
        |polls, ended| async move {
            let allowed = if let Some(ended) = ended {
                ended?;
                vec![Some(600_000)]
            } else {
                vec![None, Some(600_000)]
            };
            one_of(&allowed, || async move {
                let read = ctx.storage().objects().read(format!("upload/{polls}")).await?;
                Ok(read.map(|bytes| bytes.len()))
            })
            .await
        },
    )
    .await?;
    goes_on(ctx).await
}

type Numbers = BTreeMap<String, i64>;

pub(super) fn numbers(n: i64) -> Numbers {
    BTreeMap::from([("n".to_owned(), n)])
}

pub(super) async fn cancel_documents_at_every_poll(ctx: &Ctx) -> Verdict {
    let collection = ctx.storage().collection::<Numbers>("numbers");
    let indexed = ctx.has(Capability::Indexes);
    if indexed {
        collection.ensure_index(Index::btree("by_n", ["n"])).await?;
    }
    for polls in 0..=MOST_POLLS {
        let mut ended_all = true;
        for what in ["put", "insert", "delete"] {
            let id = format!("{what}-{polls}");
            if what != "insert" {
                collection.put(&id, &numbers(1)).await?;
            }
            let ended = match what {
                "put" => dropped_after(polls, collection.put(&id, &numbers(2)))
                    .await
                    .map(|result| result.map(drop)),
                "insert" => dropped_after(polls, collection.insert(&id, &numbers(2)))
                    .await
                    .map(|result| result.map(drop)),
                _ => dropped_after(polls, collection.delete(&id))
                    .await
                    .map(|result| result.map(drop)),
            };
            let (before, after) = match what {
                "put" => (Some(1), Some(2)),
                "insert" => (None, Some(2)),
                _ => (Some(1), None),
            };
            let allowed = if ended.is_some() {
                vec![after]
            } else {
                vec![before, after]
            };
            ended_all &= ended.is_some();
            ended.transpose()?;
            let read = |id: String| {
                let collection = collection.clone();
                async move { Ok::<_, Error>(collection.get(&id).await?.map(|document| document.value["n"])) }
            };
            let fits = one_of(&allowed, || read(id.clone())).await;
            fits.map_err(|failure| Failure::new(format!("{what} dropped after {polls} polls: {failure}")))?;
            // What was left half done is in nobody's way. The dropped call may still come after this one.
            collection.put(&id, &numbers(3)).await?;
        }
        if indexed {
            let collection = &collection;
            settles_to_one_of(&[true], || async move {
                // The index finds exactly what the documents say, whatever that has become.
                let all = collection.find(Query::all()).await?.collect().await?;
                for n in [1, 2, 3] {
                    let found = collection.find(Query::eq("n", n)).await?.collect().await?;
                    let expected = all.iter().filter(|document| document.value["n"] == n);
                    if !found
                        .iter()
                        .map(|document| &document.id)
                        .eq(expected.map(|document| &document.id))
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            })
            .await?;
        }
        if ended_all {
            return goes_on(ctx).await;
        }
    }
    goes_on(ctx).await
}

pub(super) async fn cancel_batch_at_every_poll(ctx: &Ctx) -> Verdict {
    let collection = ctx.storage().collection::<Numbers>("numbers");
    at_every_poll(
        |polls| {
            let collection = &collection;
            let mut batch = ctx.storage().batch();
            for part in 0..5 {
                batch = batch.insert(collection, format!("{polls}-{part}"), &numbers(part));
            }
            batch.commit()
        },
        |polls, ended| {
            let collection = collection.clone();
            async move {
                let allowed = if ended.is_some() { vec![5] } else { vec![0, 5] };
                ended.transpose()?;
                settles_to_one_of(&allowed, || async {
                    let ids = (0..5).map(|part| format!("{polls}-{part}"));
                    Ok(collection.get_many(ids).await?.iter().flatten().count())
                })
                .await
            }
        },
    )
    .await?;
    goes_on(ctx).await
}

pub(super) async fn cancel_append_at_every_poll(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("log");
    at_every_poll(
        |polls| {
            let log = log.clone();
            async move { log.append_all((0..3).map(|part| format!("{polls}-{part}"))).await }
        },
        |polls, ended| {
            let log = log.clone();
            async move {
                ended.transpose()?;
                // This one comes after the dropped one or instead of it, never in the middle.
                log.append(format!("{polls}-after")).await?;
                Ok(())
            }
        },
    )
    .await?;
    // Every append is there whole, or not at all.
    let page = log.read(0, 10_000).await?;
    let mut texts = Vec::new();
    for (at, entry) in page.entries.iter().enumerate() {
        ensure_eq!(entry.sequence, at as u64, "the number of an entry");
        texts.push(String::from_utf8_lossy(&entry.bytes).into_owned());
    }
    let mut rest = texts.as_slice();
    while let Some(first) = rest.first() {
        let Some((polls, part)) = first.split_once('-') else {
            return Err(format!("a strange entry {first:?}").into());
        };
        let length = if part == "after" { 1 } else { 3 };
        let expected: Vec<String> = match part {
            "after" => vec![format!("{polls}-after")],
            _ => (0..3).map(|part| format!("{polls}-{part}")).collect(),
        };
        ensure_eq!(
            rest.get(..length),
            Some(expected.as_slice()),
            "entries of one append"
        );
        rest = &rest[length..];
    }
    goes_on(ctx).await
}
