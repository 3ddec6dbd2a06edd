//! Damaged blocks: never handed out, never destroyed, never acknowledged.

use storage_core::{ByteRange, ErrorKind};
use storage_stores::volumes::Repair;

use super::sample::{flip, keys, open, options};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { block_damage:
    smoke [] a_damaged_block_is_never_handed_out = "a block with one bit changed is `Corrupt`, in every way to read it, and at once";
    standard [] a_damaged_block_goes_to_quarantine_and_is_not_destroyed = "the damaged bytes are kept in quarantine, and where a deletion can name what was looked at, nowhere else";
    standard [] putting_it_again_heals_it = "a put finds that what is there is damaged, keeps it in quarantine, and the block is whole again";
    standard [] verify_all_finds_every_damaged_block = "a look at everything counts what is sound, names what is damaged and what is foreign, and moves things only when told to";
    standard [] a_flip_at_every_place_is_found = "a change of any byte, a missing end and bytes too many are all found";
}

async fn a_damaged_block_is_never_handed_out(ctx: &Ctx) -> Verdict {
    let blocks = open(ctx.storage()).await?.blocks();
    for (content, how) in [("one", "get"), ("two", "range"), ("three", "ranges")] {
        let hash = blocks.put(content).await?;
        flip(ctx.storage(), &format!("blocks/{hash}.bin")).await?;
        match how {
            "get" => ensure_kind_of(blocks.get(&hash).await.map(drop))?,
            "range" => ensure_kind_of(blocks.range(&hash, ByteRange::Bounded(0, 1)).await.map(drop))?,
            _ => ensure_kind_of(blocks.ranges(&hash, &[]).await.map(drop))?,
        }
    }
    Ok(())
}

fn ensure_kind_of(result: storage_core::Result<()>) -> Verdict {
    ensure_kind!(result, ErrorKind::Corrupt, "a damaged block");
    Ok(())
}

async fn a_damaged_block_goes_to_quarantine_and_is_not_destroyed(ctx: &Ctx) -> Verdict {
    let blocks = open(ctx.storage()).await?.blocks();
    let hash = blocks.put("abc").await?;
    let key = format!("blocks/{hash}.bin");
    let damaged = flip(ctx.storage(), &key).await?;
    ensure_kind!(blocks.get(&hash).await, ErrorKind::Corrupt, "the damaged block");
    let kept = keys(ctx.storage(), "quarantine/").await?;
    ensure_eq!(kept.len(), 1, "in quarantine");
    ensure!(
        kept[0].contains(&hash.to_string()),
        "its name says what it was to be: {}",
        kept[0]
    );
    let bytes = ctx.storage().objects().read(&kept[0]).await?;
    ensure_eq!(bytes.as_deref(), Some(&damaged[..]), "the damaged bytes");
    if ctx.has(storage_core::Capability::DeleteIf) {
        ensure_eq!(ctx.storage().objects().read(&key).await?, None, "where it was");
        ensure_eq!(blocks.get(&hash).await?, None, "it is as if nobody had put it");
    } else {
        ensure_kind!(blocks.get(&hash).await, ErrorKind::Corrupt, "again");
    }
    Ok(())
}

async fn putting_it_again_heals_it(ctx: &Ctx) -> Verdict {
    let blocks = open(ctx.storage()).await?.blocks();
    let hash = blocks.put("abc").await?;
    let damaged = flip(ctx.storage(), &format!("blocks/{hash}.bin")).await?;
    ensure_eq!(blocks.put("abc").await?, hash, "the hash");
    ensure_eq!(
        blocks.get(&hash).await?.as_deref(),
        Some(&b"abc"[..]),
        "the block"
    );
    let kept = keys(ctx.storage(), "quarantine/").await?;
    ensure_eq!(kept.len(), 1, "in quarantine");
    let bytes = ctx.storage().objects().read(&kept[0]).await?;
    ensure_eq!(bytes.as_deref(), Some(&damaged[..]), "the damaged bytes");
    Ok(())
}

async fn verify_all_finds_every_damaged_block(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let blocks = store.blocks();
    let mut hashes = Vec::new();
    for at in 0..6 {
        hashes.push(blocks.put(format!("content {at}")).await?);
    }
    let damaged = format!("blocks/{}.bin", hashes[3]);
    flip(ctx.storage(), &damaged).await?;
    let foreign = format!("blocks/{} (conflicted copy).bin", hashes[0]);
    ctx.storage().objects().write(&foreign, "content 0").await?;
    let report = blocks.verify_all(Repair::Nothing).await?;
    ensure_eq!(
        (report.sound, report.bytes, report.quarantined),
        (5, 45, 0),
        "the report"
    );
    ensure_eq!(report.damaged, [format!("store: {damaged}")], "what is damaged");
    ensure_eq!(report.foreign, [format!("store: {foreign}")], "what is foreign");
    ensure_eq!(
        keys(ctx.storage(), "quarantine/").await?,
        Vec::<String>::new(),
        "nothing was moved"
    );
    let report = store.verify_all(Repair::Quarantine).await?;
    ensure_eq!(
        (report.damaged.len(), report.quarantined),
        (1, 1),
        "the second report"
    );
    ensure!(
        ctx.storage().objects().exists(&foreign).await?,
        "what is foreign stays"
    );
    blocks.put("content 3").await?;
    ensure!(
        blocks.verify_all(Repair::Nothing).await?.is_sound(),
        "it was put again"
    );
    Ok(())
}

async fn a_flip_at_every_place_is_found(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let store = storage_stores::volumes::VolumeStore::open(
        storage.clone(),
        options().hash(storage_stores::volumes::HashAlgorithm::Blake3),
    )
    .await?;
    let content = ctx.random().bytes(24);
    let hash = store.blocks().put(content.clone()).await?;
    let key = format!("blocks/{hash}.bin");
    let flipped = (0..content.len()).map(|at| {
        let mut bytes = content.clone();
        bytes[at] ^= 0x80;
        bytes
    });
    let others = [vec![], content[..23].to_vec(), [&content[..], &[0]].concat()];
    for bytes in flipped.chain(others) {
        storage.objects().write(&key, bytes.clone()).await?;
        ensure_kind!(
            store.blocks().get(&hash).await,
            ErrorKind::Corrupt,
            "with {bytes:?}"
        );
    }
    ensure_eq!(
        keys(storage, "quarantine/").await?.len(),
        content.len() + 3,
        "each damage is kept"
    );
    Ok(())
}
