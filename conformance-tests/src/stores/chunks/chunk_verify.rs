//! Comparing records with objects, and making good.

use std::time::Duration;

use storage_core::Capability;
use storage_core::bson::{RawDocumentBuf, rawdoc};
use storage_stores::chunks::{ChunkInfo, ChunkStore, ProblemKind, VerifyReport};

use super::sample::{info, object, open, read_all, save_all};
use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { chunk_verify:
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] what_is_whole_has_no_problems = "contents that are complete, under way or empty are counted, and nothing is found";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] what_is_lost_or_damaged_is_named = "a chunk without its object, without its record, or of other bytes is named with its content, and a repair removes none";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] objects_nobody_names_go_once_they_are_old = "an orphan is found and removed once it is old, and not before";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] records_of_nothing_go = "a chunk's record without a content, or of an earlier upload of its id, is found and removed";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] what_an_earlier_upload_left_is_not_part_of_the_next = "a chunk's record that a deletion left behind never counts for a new content of the same id";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_record_that_cannot_be_read_stays = "a chunk's record that cannot be read is named, never removed, and hides no other chunk";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] foreign_objects_are_left_alone = "an object under chunks that has no name of a chunk is neither reported nor removed";
}

fn kinds(report: &VerifyReport) -> Vec<(ProblemKind, Option<&str>, Option<u32>)> {
    let problems = report.problems.iter();
    problems
        .map(|problem| (problem.kind, problem.content_id.as_deref(), problem.chunk_index))
        .collect()
}

async fn what_is_whole_has_no_problems(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    ensure_eq!(store.verify().await?.contents, 0, "contents in an empty place");
    save_all(&store, "a", &["abc", "", "de"]).await?;
    store.save_chunk("xyz", info("unfinished", 3, 9)).await?;
    for report in [store.verify().await?, store.repair().await?] {
        ensure_eq!(
            (report.contents, report.chunks, report.bytes),
            (2, 4, 8),
            "what was looked at"
        );
        ensure_eq!((report.found, report.repaired), (0, 0), "problems: {report:?}");
    }
    Ok(())
}

async fn what_is_lost_or_damaged_is_named(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a", "b", "c", "d"]).await?;
    store.save_chunk("x", info("unfinished", 1, 3)).await?;
    let objects = ctx.storage().objects();
    objects.delete(object(ctx.storage(), "c", 0).await?).await?;
    objects.write(object(ctx.storage(), "c", 1).await?, "!").await?;
    ctx.storage()
        .collection::<RawDocumentBuf>("chunk_metadata")
        .delete("c/00000002")
        .await?;
    objects
        .delete(object(ctx.storage(), "unfinished", 1).await?)
        .await?;
    let expected = [
        (ProblemKind::MissingChunk, Some("c"), Some(0)),
        (ProblemKind::DamagedChunk, Some("c"), Some(1)),
        (ProblemKind::MissingChunk, Some("c"), Some(2)),
        (ProblemKind::MissingChunk, Some("unfinished"), Some(1)),
    ];
    for report in [
        store.verify().await?,
        store.repair().await?,
        store.verify().await?,
    ] {
        ensure_eq!(kinds(&report), expected, "what was found");
        ensure_eq!((report.found, report.repaired), (4, 0), "how many");
    }
    ensure_eq!(
        store.get_chunk("c", 3).await?.as_deref(),
        Some(&b"d"[..]),
        "the chunk that is whole"
    );
    for (bytes, index) in [("a", 0), ("b", 1), ("c", 2)] {
        store.save_chunk(bytes, info("c", index, 4)).await?;
    }
    ensure_eq!(
        store.missing_chunks("unfinished").await?,
        Some(vec![0, 1, 2]),
        "what is missing of the other"
    );
    store.save_chunk("x", info("unfinished", 1, 3)).await?;
    ensure_eq!(store.verify().await?.found, 0, "after they were sent again");
    ensure_eq!(read_all(&store, "c").await?, "abcd", "the content");
    Ok(())
}

async fn objects_nobody_names_go_once_they_are_old(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a"]).await?;
    let objects = ctx.storage().objects();
    for key in ["chunks/63/7.bin", "chunks/64/0.bin"] {
        objects.write(key, "orphan").await?;
    }
    let known = objects
        .stat("chunks/64/0.bin")
        .await?
        .is_some_and(|meta| meta.modified.is_some());
    ensure_eq!(store.repair().await?.found, 0, "orphans that are young");
    ctx.clock().advance_wall(Duration::from_secs(24 * 3600 + 60));
    if !known {
        ctx.advise("objects have no time here, so orphans stay");
        return Ok(());
    }
    let report = store.verify().await?;
    let orphan = ProblemKind::OrphanObject;
    ensure_eq!(
        kinds(&report),
        [(orphan, Some("c"), Some(7)), (orphan, Some("d"), Some(0))],
        "what was found"
    );
    ensure!(
        objects.exists("chunks/64/0.bin").await?,
        "a verification removed something"
    );
    store.repair().await?;
    ensure!(
        !objects.exists("chunks/64").await?,
        "an orphan of nothing is left"
    );
    let report = store.verify().await?;
    let left = kinds(&report);
    if ctx.has(Capability::DeleteIf) {
        ensure_eq!(left, Vec::new(), "after the repair");
    } else {
        // A sender may be about to adopt it, and only a deletion by version could tell.
        ensure_eq!(left, [(orphan, Some("c"), Some(7))], "after the repair");
    }
    ensure_eq!(read_all(&store, "c").await?, "a", "the content beside them");
    Ok(())
}

/// Puts back what a slow sender might write after a deletion.
async fn after_a_deletion(ctx: &Ctx, store: &ChunkStore) -> Verdict {
    for (bytes, index) in [("old0", 0), ("old1", 1), ("old2", 2)] {
        store.save_chunk(bytes, info("c", index, 3)).await?;
    }
    let records = ctx.storage().collection::<RawDocumentBuf>("chunk_metadata");
    let late = records.get("c/00000002").await?.ok_or("it is there")?;
    let key = object(ctx.storage(), "c", 2).await?;
    store.delete_content("c").await?;
    ctx.storage().objects().create(key, "old2").await?;
    records.insert("c/00000002", &late.value).await?;
    Ok(())
}

async fn records_of_nothing_go(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    after_a_deletion(ctx, &store).await?;
    let stray = [(ProblemKind::StrayRecord, Some("c"), Some(2))];
    ensure_eq!(kinds(&store.verify().await?), stray, "without a content");
    store.save_chunk("new", info("c", 0, 3)).await?;
    ensure_eq!(kinds(&store.verify().await?), stray, "of an earlier upload");
    let records = ctx.storage().collection::<RawDocumentBuf>("chunk_metadata");
    records.put("nonsense", &rawdoc! { "a": 1_i64 }).await?;
    let report = store.repair().await?;
    ensure_eq!(
        (report.found, report.repaired),
        (2, 1),
        "a stray one and one that is none"
    );
    ensure_eq!(records.get("c/00000002").await?, None, "the stray record");
    ensure!(
        records.get("nonsense").await?.is_some(),
        "what is no chunk's was removed"
    );
    ensure_eq!(
        store.get_chunk("c", 0).await?.as_deref(),
        Some(&b"new"[..]),
        "the new content"
    );
    Ok(())
}

async fn what_an_earlier_upload_left_is_not_part_of_the_next(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    after_a_deletion(ctx, &store).await?;
    store.save_chunk("new0", info("c", 0, 3)).await?;
    store.save_chunk("new1", info("c", 1, 3)).await?;
    ensure_eq!(
        store.get_chunk("c", 2).await?,
        None,
        "a chunk of the earlier upload"
    );
    ensure_eq!(store.missing_chunks("c").await?, Some(vec![2]), "what is missing");
    ensure!(
        store.mark_content_complete("c").await.is_err(),
        "it was completed with a chunk of the earlier upload"
    );
    store.save_chunk("new2", info("c", 2, 3)).await?;
    store.mark_content_complete("c").await?;
    ensure_eq!(read_all(&store, "c").await?, "new0new1new2", "the content");
    Ok(())
}

async fn foreign_objects_are_left_alone(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("a", ChunkInfo::new("c", "s", 0, 1)).await?;
    let objects = ctx.storage().objects();
    let foreign = [
        "chunks/readme.txt",
        "chunks/63/notes",
        "chunks/6/0.bin",
        "elsewhere/63/5.bin",
    ];
    for key in foreign {
        objects.write(key, "mine").await?;
    }
    ctx.clock().advance_wall(Duration::from_secs(24 * 3600 + 60));
    ensure_eq!(store.repair().await?.found, 0, "problems");
    for key in foreign {
        ensure!(objects.exists(key).await?, "{key} was removed");
    }
    Ok(())
}

async fn a_record_that_cannot_be_read_stays(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a", "b", "c"]).await?;
    let records = ctx.storage().collection::<RawDocumentBuf>("chunk_metadata");
    for broken in [
        rawdoc! { "a": 1_i64 },
        rawdoc! { "content_id": "c", "chunk_index": 0_i64, "upload": 5_i64 },
    ] {
        records.put("c/00000000", &broken).await?;
        let key = object(ctx.storage(), "c", 2).await?;
        ctx.storage().objects().write(key, "!").await?;
        let report = store.repair().await?;
        let expected = [
            (ProblemKind::UnreadableRecord, None, None),
            (ProblemKind::DamagedChunk, Some("c"), Some(2)),
        ];
        ensure_eq!(kinds(&report), expected, "what was found");
        ensure_eq!(report.bytes, 1, "the bytes of the chunk that is whole");
        ensure_eq!(
            records.get("c/00000000").await?.map(|record| record.value),
            Some(broken),
            "the record"
        );
    }
    Ok(())
}
