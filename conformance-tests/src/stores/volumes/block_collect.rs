//! Collecting what nothing names, beside writers.

use std::time::Duration;

use storage_core::{Capability, ErrorKind};
use storage_stores::volumes::{Keep, Volume};

use super::sample::{key, keys, open, options, other_key, volume};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { block_collect:
    standard [DeleteIf] what_is_old_and_not_named_goes = "a collection deletes blocks that are old and no root, keeps the roots, and counts both";
    standard [DeleteIf] what_is_young_stays = "a block nothing names yet stays for the whole grace";
    standard [] a_shorter_grace_is_refused = "a grace shorter than the store's, which writers count on, is refused before any effect";
    standard [DeleteIf] what_is_not_a_block_stays = "what is called otherwise, and what is in quarantine, is never collected";
    standard [DeleteIf] history_and_snapshots_are_kept_as_asked = "a volume keeps all it ever named, or what names and snapshots have now";
    standard [DeleteIf] what_cannot_be_read_stops_a_collection = "while an event is damaged, waits for its parent, or is no change of a volume, nothing is collected";
    standard [] without_conditional_deletion_nothing_is_collected = "where a deletion cannot name what was looked at, a collection is refused and deletes nothing";
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn what_is_old_and_not_named_goes(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let blocks = store.blocks();
    let (named, other) = (blocks.put("named").await?, blocks.put("other").await?);
    ctx.clock().advance_wall(DAY + DAY);
    let mut roots = blocks.roots();
    roots.keep(named);
    let report = blocks.gc(&roots, DAY).await?;
    ensure_eq!(
        (report.blocks, report.deleted, report.deleted_bytes),
        (2, 1, 5),
        "the report"
    );
    ensure_eq!(
        blocks.get(&named).await?.as_deref(),
        Some(&b"named"[..]),
        "the root"
    );
    ensure_eq!(blocks.get(&other).await?, None, "the other");
    ensure_eq!(blocks.put("other").await?, other, "it can be put again");
    ensure_eq!(
        blocks.get(&other).await?.as_deref(),
        Some(&b"other"[..]),
        "put again"
    );
    Ok(())
}

async fn what_is_young_stays(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let blocks = store.blocks();
    let hash = blocks.put("young").await?;
    ctx.clock().advance_wall(DAY - Duration::from_secs(600));
    let report = blocks.gc(&blocks.roots(), DAY).await?;
    ensure_eq!((report.deleted, report.young), (0, 1), "before the grace is over");
    // Roots that were begun early judge by then, however late the collection is.
    let early = blocks.roots();
    ctx.clock().advance_wall(DAY);
    ensure_eq!(blocks.gc(&early, DAY).await?.deleted, 0, "with early roots");
    ensure!(blocks.has(&hash).await?, "it is there");
    ensure_eq!(
        blocks.gc(&blocks.roots(), DAY).await?.deleted,
        1,
        "after the grace"
    );
    Ok(())
}

async fn a_shorter_grace_is_refused(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let blocks = store.blocks();
    let hash = blocks.put("x").await?;
    ctx.clock().advance_wall(DAY + DAY);
    let short = DAY - Duration::from_secs(1);
    let result = blocks.gc(&blocks.roots(), short).await;
    ensure_kind!(result, ErrorKind::InvalidArgument, "a second less than a day");
    ensure!(blocks.has(&hash).await?, "it is there");
    Ok(())
}

async fn what_is_not_a_block_stays(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let store = open(storage).await?;
    let hash = store.blocks().put("x").await?;
    let damaged = store.blocks().put("y").await?;
    super::sample::flip(storage, &format!("blocks/{damaged}.bin")).await?;
    ensure_kind!(
        store.blocks().get(&damaged).await,
        ErrorKind::Corrupt,
        "a damaged block"
    );
    let others = [
        format!("blocks/{hash} (conflicted copy).bin"),
        format!("blocks/ab/{hash}.bin"),
        "blocks/readme.txt".to_owned(),
        "elsewhere".to_owned(),
    ];
    for other in &others {
        storage.objects().write(other, "foreign").await?;
    }
    ctx.clock().advance_wall(DAY + DAY);
    ensure_eq!(
        store.blocks().gc(&store.blocks().roots(), DAY).await?.deleted,
        1,
        "what went"
    );
    for other in &others {
        ensure!(storage.objects().exists(other).await?, "{other} is gone");
    }
    ensure_eq!(keys(storage, "quarantine/").await?.len(), 1, "quarantine");
    Ok(())
}

async fn history_and_snapshots_are_kept_as_asked(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let one = volume(&store).await?;
    one.put("a", "old").await?;
    one.snapshot("monday").await?;
    one.put("a", "older than now").await?;
    one.put("a", "now").await?;
    let other = Volume::open(&store, other_key()).await?;
    other.put("b", "another volume").await?;
    other.delete("b").await?;
    store.blocks().put("nobody names this").await?;
    ctx.clock().advance_wall(DAY + DAY);
    ensure_eq!(
        store.collect(Keep::History, DAY).await?.deleted,
        1,
        "all history is kept"
    );
    ensure_eq!(
        store.collect(Keep::Current, DAY).await?.deleted,
        2,
        "what is current is kept"
    );
    ensure_eq!(one.get("a").await?.as_deref(), Some(&b"now"[..]), "the name");
    let snapshot = one
        .read_snapshot("monday")
        .await?
        .ok_or("the snapshot is there")?;
    let entry = snapshot.entry("a").ok_or("it has the name")?;
    let bytes = store.blocks().get(&entry.block).await?;
    ensure_eq!(bytes.as_deref(), Some(&b"old"[..]), "what the snapshot has");
    ensure!(one.forget_snapshot("monday").await?, "the snapshot was there");
    ensure_eq!(
        store.collect(Keep::Current, DAY).await?.deleted,
        2,
        "without the snapshot"
    );
    Ok(())
}

async fn what_cannot_be_read_stops_a_collection(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    for (directory, kind) in [
        ("damaged", ErrorKind::Corrupt),
        ("waiting", ErrorKind::Conflict),
        ("no-change", ErrorKind::InvalidArgument),
    ] {
        let store = super::sample::open_in(storage, directory).await?;
        let volume = volume(&store).await?;
        let first = volume.put("a", "first").await?;
        volume.put("b", "second").await?;
        let event = format!(
            "{directory}/channels/{}/{}.bin",
            volume.channel().key(),
            first.event
        );
        match directory {
            "damaged" => drop(super::sample::flip(storage, &event).await?),
            "waiting" => storage.objects().delete(&event).await?,
            _ => drop(volume.channel().append("hello").await?),
        }
        ctx.clock().advance_wall(DAY + DAY);
        let result = store.collect(Keep::Current, DAY).await;
        let Err(error) = result else {
            return Err(format!("{directory}: it was collected").into());
        };
        ensure_eq!(error.kind(), kind, "{directory}: {error}");
        ensure_eq!(store.blocks().list().await?.len(), 2, "{directory}: the blocks");
    }
    Ok(())
}

async fn without_conditional_deletion_nothing_is_collected(ctx: &Ctx) -> Verdict {
    let grace = Duration::from_secs(1);
    let store =
        storage_stores::volumes::VolumeStore::open(ctx.storage().clone(), options().grace(grace)).await?;
    let hash = store.blocks().put("x").await?;
    ctx.clock().advance_wall(DAY);
    let volume = Volume::open(&store, key()).await?;
    volume.put("a", "named").await?;
    if ctx.has(Capability::DeleteIf) {
        ensure_eq!(store.collect(Keep::History, DAY).await?.young, 0, "what is young");
    } else {
        let result = store.collect(Keep::History, DAY).await;
        ensure_kind!(result, ErrorKind::Unsupported, "a collection");
        ensure!(store.blocks().has(&hash).await?, "it is there");
    }
    Ok(())
}
