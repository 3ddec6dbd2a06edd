//! A crash at every call of every operation, and somebody else coming between.

use futures::FutureExt;
use storage_core::{ErrorKind, Storage};
use storage_stores::chunks::ChunkStore;

use super::sample::{info, iv, open, open_with, options, read_all, save_all};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { chunk_crash:
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_save_cut_short_is_there_or_not = "a first chunk cut short at any call is there whole or not at all, and sending it again makes it so";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_replacement_cut_short_is_the_old_or_the_new = "other bytes cut short at any call leave the old chunk or the new one, with its own vector, also once completed";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_completion_cut_short_is_whole_or_has_not_begun = "a completion cut short at any call leaves an incomplete content or a whole one, and doing it again completes it";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_deletion_cut_short_is_never_half_seen = "a deletion cut short at any call leaves a content whole or not there, and another one, or an upload, finishes it";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_cleanup_cut_short_is_finished_by_the_next = "a cleanup cut short at any call leaves each content whole or not there, and the next does the rest";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] overtaken_by_a_deletion_nothing_is_half_alive = "a save or a completion that a deletion overtakes at any call leaves no chunk of what was deleted";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] overtaken_by_another_upload_a_deletion_takes_none_of_it = "a deletion that another and a new upload overtake at any call takes nothing of the new one";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] overtaken_by_other_bytes_a_save_is_whole = "a save that one of other bytes overtakes at any call leaves one of the two, whole";
}

const FAULTS: [Fault; 2] = [Fault::BeforeTheCall, Fault::AfterTheCall];

async fn a_save_cut_short_is_there_or_not(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let at = points.at();
            let saved = save_dying(&dying, "abc", iv(0)).await;
            let store = open(ctx.storage()).await?;
            let chunk = store.read_chunk("c", 0).await?;
            if saved {
                ensure!(
                    chunk.is_some(),
                    "an acknowledged chunk is gone after {fault:?} {at}"
                );
            }
            if let Some(chunk) = chunk {
                ensure_eq!(chunk.bytes, "abc", "the chunk after {fault:?} {at}");
            }
            store.save_chunk("abc", info("c", 0, 1)).await?;
            store.mark_content_complete("c").await?;
            ensure_eq!(
                read_all(&store, "c").await?,
                "abc",
                "after it was sent again, {fault:?} {at}"
            );
            ensure_eq!(
                store.usage("s").await?.reserved,
                3,
                "what is reserved after {fault:?} {at}"
            );
            ensure_eq!(store.verify().await?.found, 0, "problems after {fault:?} {at}");
            store.delete_session("s").await?;
        }
        ensure!(points.at() > 4, "a save makes more than {} calls", points.at());
    }
    Ok(())
}

async fn save_dying(storage: &Storage, bytes: &'static str, vector: Vec<u8>) -> bool {
    match open(storage).await {
        Ok(store) => store.save_chunk(bytes, info("c", 0, 1).iv(vector)).await.is_ok(),
        Err(_) => false,
    }
}

/// The one chunk of content `c` is one of these, each with its vector.
async fn one_of(store: &ChunkStore, choices: &[(&str, u8)], when: &str) -> Result<String, Failure> {
    let chunk = store.read_chunk("c", 0).await?;
    let chunk = chunk.ok_or_else(|| Failure::new(format!("an acknowledged chunk is gone {when}")))?;
    let found = choices
        .iter()
        .find(|(bytes, vector)| chunk.bytes == bytes.as_bytes() && chunk.iv[..] == [*vector; 12][..]);
    match found {
        Some((bytes, _)) => Ok((*bytes).to_owned()),
        None => Err(Failure::new(format!("a chunk nobody sent {when}: {chunk:?}"))),
    }
}

async fn a_replacement_cut_short_is_the_old_or_the_new(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let store = open(ctx.storage()).await?;
            store.save_chunk("old", info("c", 0, 1).iv(vec![1; 12])).await?;
            let when = format!("after {fault:?} {}", points.at());
            let saved = save_dying(&dying, "newer", vec![2; 12]).await;
            let found = one_of(&store, &[("old", 1), ("newer", 2)], &when).await?;
            ensure!(
                !saved || found == "newer",
                "an acknowledged replacement is gone {when}"
            );
            let content = store.mark_content_complete("c").await?;
            ensure_eq!(
                one_of(&store, &[("old", 1), ("newer", 2)], &when).await?,
                found,
                "once completed {when}"
            );
            ensure_eq!(content.total_size, found.len() as u64, "the size {when}");
            ensure_eq!(read_all(&store, "c").await?, found, "the content {when}");
            ensure_eq!(store.verify().await?.found, 0, "problems {when}");
            store.delete_session("s").await?;
        }
        ensure!(
            points.at() > 8,
            "a replacement makes more than {} calls",
            points.at()
        );
    }
    Ok(())
}

async fn a_completion_cut_short_is_whole_or_has_not_begun(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let store = open(ctx.storage()).await?;
            for (bytes, index) in [("ab", 0), ("c", 1)] {
                store.save_chunk(bytes, info("c", index, 2)).await?;
            }
            let completed = match open(&dying).await {
                Ok(dying) => dying.mark_content_complete("c").await.is_ok(),
                Err(_) => false,
            };
            let content = store.content_metadata("c").await?.ok_or("it is there")?;
            let at = points.at();
            ensure!(
                content.is_complete || !completed,
                "what was acknowledged is gone after {fault:?} {at}"
            );
            let size = if content.is_complete { 3 } else { 0 };
            ensure_eq!(content.total_size, size, "the size after {fault:?} {at}");
            ensure_eq!(
                store.mark_content_complete("c").await?.total_size,
                3,
                "after it was done again"
            );
            ensure_eq!(
                read_all(&store, "c").await?,
                "abc",
                "the content after {fault:?} {at}"
            );
            ensure_eq!(
                store.usage("s").await?.reserved,
                3,
                "what is reserved after {fault:?} {at}"
            );
            store.delete_session("s").await?;
        }
    }
    Ok(())
}

async fn a_deletion_cut_short_is_never_half_seen(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let store = open(ctx.storage()).await?;
            save_all(&store, "c", &["ab", "c"]).await?;
            let deleted = match open(&dying).await {
                Ok(dying) => dying.delete_content("c").await.is_ok(),
                Err(_) => false,
            };
            let when = format!("after {fault:?} {}", points.at());
            match store.content_metadata("c").await? {
                Some(_) => {
                    ensure!(!deleted, "what was deleted is there {when}");
                    ensure_eq!(read_all(&store, "c").await?, "abc", "the content {when}");
                }
                None => {
                    ensure_eq!(store.get_chunk("c", 0).await?, None, "a chunk {when}");
                    ensure!(
                        store.list_content("s", 9, 0).await?.items.is_empty(),
                        "the list {when}"
                    );
                }
            }
            match points.at() % 3 {
                0 => drop(store.delete_content("c").await?),
                1 => drop(store.cleanup().await?),
                _ => drop(store.repair().await?),
            }
            if store.content_metadata("c").await?.is_some() {
                store.delete_content("c").await?;
            }
            store.save_chunk("z", info("c", 1, 2)).await?;
            ensure_eq!(
                store.missing_chunks("c").await?,
                Some(vec![0]),
                "a new upload {when}"
            );
            store.delete_content("c").await?;
            ensure!(
                !ctx.storage().objects().exists("chunks").await?,
                "objects are left {when}"
            );
            ensure_eq!(store.usage("s").await?, Default::default(), "what is used {when}");
        }
        ensure!(
            points.at() > 6,
            "a deletion makes more than {} calls",
            points.at()
        );
    }
    Ok(())
}

async fn a_cleanup_cut_short_is_finished_by_the_next(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let store = open_with(ctx.storage(), options().max_items_per_session(1)).await?;
            for id in ["a", "b", "c"] {
                save_all(&store, id, &[id, "x"]).await?;
                ctx.clock().advance_wall(std::time::Duration::from_millis(2));
            }
            if let Ok(dying) = open_with(&dying, options().max_items_per_session(1)).await {
                drop(dying.cleanup().await);
            }
            for content in store.list_content("s", 9, 0).await?.items {
                let id = content.content_id;
                ensure_eq!(
                    read_all(&store, &id).await?,
                    format!("{id}x"),
                    "what {fault:?} {} left",
                    points.at()
                );
            }
            ctx.storage().break_lease("chunks/cleanup").await?;
            store.cleanup().await?;
            let list = store.list_content("s", 9, 0).await?;
            ensure_eq!(super::sample::ids(&list), ["c"], "after the next cleanup");
            ensure_eq!(
                store.verify().await?.found,
                0,
                "problems after {fault:?} {}",
                points.at()
            );
            store.delete_session("s").await?;
        }
    }
    Ok(())
}

/// A client each call of which the other client's work overtakes, one call later each time.
macro_rules! overtakings {
    ($ctx:expr, $store:expr, |$other:ident| $work:expr) => {{
        let other = $store.clone();
        $ctx.overtakings(move || {
            let $other = other.clone();
            async move { drop($work.await) }.boxed()
        })
    }};
}

async fn overtaken_by_a_deletion_nothing_is_half_alive(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    for completes in [false, true] {
        let mut points = overtakings!(ctx, store, |other| other.delete_content("c"));
        while let Some(overtaken) = points.next().await? {
            let slow = open(&overtaken).await?;
            store.save_chunk("b", info("c", 1, 2)).await?;
            let at = points.at();
            if completes {
                store.save_chunk("a", info("c", 0, 2)).await?;
                match slow.mark_content_complete("c").await {
                    Ok(_) => {}
                    Err(error) => ensure_eq!(error.kind(), ErrorKind::NotFound, "overtaken at {at}: {error}"),
                }
            } else {
                slow.save_chunk("a", info("c", 0, 2)).await?;
            }
            if let Some(content) = store.content_metadata("c").await? {
                if content.is_complete {
                    ensure_eq!(read_all(&store, "c").await?, "ab", "completed at {at}");
                } else {
                    let missing = store.missing_chunks("c").await?;
                    let begun = [Some(vec![1]), Some(vec![])].contains(&missing);
                    ensure!(begun, "overtaken at {at}, what is missing is {missing:?}");
                }
            }
            store.delete_session("s").await?;
            ctx.clock()
                .advance_wall(std::time::Duration::from_secs(25 * 3600));
            store.repair().await?;
        }
    }
    Ok(())
}

async fn overtaken_by_another_upload_a_deletion_takes_none_of_it(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let mut points = overtakings!(ctx, store, |other| async move {
        other.delete_content("c").await?;
        other.save_chunk("new0", info("c", 0, 2)).await?;
        other.save_chunk("new1", info("c", 1, 2)).await?;
        other.mark_content_complete("c").await
    });
    while let Some(overtaken) = points.next().await? {
        let slow = open(&overtaken).await?;
        // Where opening was overtaken already, it begins anew.
        store.delete_content("c").await?;
        save_all(&store, "c", &["old0", "old1"]).await?;
        slow.delete_content("c").await?;
        if store.content_metadata("c").await?.is_some() {
            ensure_eq!(
                read_all(&store, "c").await?,
                "new0new1",
                "the new upload, overtaken at {}",
                points.at()
            );
            ensure_eq!(
                store.usage("s").await?.reserved,
                8,
                "what it reserved, overtaken at {}",
                points.at()
            );
        }
        ensure_eq!(
            store.verify().await?.found,
            0,
            "problems, overtaken at {}",
            points.at()
        );
        store.delete_session("s").await?;
    }
    ensure!(
        points.at() > 6,
        "a deletion makes more than {} calls",
        points.at()
    );
    Ok(())
}

async fn overtaken_by_other_bytes_a_save_is_whole(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    for first in [None, Some("first")] {
        let mut points = overtakings!(ctx, store, |other| {
            other.save_chunk("other", info("c", 0, 1).iv(vec![3; 12]))
        });
        while let Some(overtaken) = points.next().await? {
            let slow = open(&overtaken).await?;
            if let Some(first) = first {
                store.save_chunk(first, info("c", 0, 1).iv(vec![1; 12])).await?;
            }
            let when = format!("overtaken at {}", points.at());
            let saved = slow.save_chunk("slow", info("c", 0, 1).iv(vec![2; 12])).await;
            if let Err(error) = &saved {
                ensure_eq!(error.kind(), ErrorKind::Conflict, "{when}: {error}");
            }
            let found = one_of(&store, &[("other", 3), ("slow", 2)], &when).await?;
            let content = store.mark_content_complete("c").await?;
            ensure_eq!(content.total_size, found.len() as u64, "the size {when}");
            ensure_eq!(read_all(&store, "c").await?, found, "the content {when}");
            ensure_eq!(store.verify().await?.found, 0, "problems {when}");
            store.delete_session("s").await?;
        }
    }
    Ok(())
}
