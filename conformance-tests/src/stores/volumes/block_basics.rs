//! Blocks: named by their content, put by anybody, at once.

use futures::future::try_join_all;
use futures::stream;
use storage_core::{ByteRange, Bytes, Error, ErrorKind};
use storage_stores::volumes::{HashAlgorithm, VolumeStore};

use super::sample::{keys, open, options};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { block_basics:
    smoke [] a_block_is_at_the_path_of_its_hash = "a block is `blocks/<hash>.bin` with the hash of its bytes, and comes back as it was put";
    standard [] the_same_content_is_one_block = "content that is put again, by another client too, is one object, whose path does not change";
    standard [] fifty_writers_of_one_content_all_succeed = "fifty writers of one content at once all succeed, and the block is whole";
    standard [] empty_and_large_contents_are_blocks = "a block may be empty, and of many pieces, and every range of it is what it is of the whole";
    standard [StreamingWrite] a_stream_is_the_block_of_its_bytes = "a stream of any size becomes the block its bytes have, and leaves nothing else behind";
    standard [StreamingWrite] a_stream_that_fails_leaves_nothing = "an error of the stream leaves no block and nothing that is not swept";
    standard [] what_is_not_there_is_none = "a hash nobody put reads as nothing, in every way to read";
    standard [] hash_and_fan_out_are_as_chosen = "with BLAKE3 and two levels a block is where both say, also for a client that does not say them";
}

async fn a_block_is_at_the_path_of_its_hash(ctx: &Ctx) -> Verdict {
    let blocks = open(ctx.storage()).await?.blocks();
    let hash = blocks.put("abc").await?;
    ensure_eq!(
        hash.to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "the hash"
    );
    let path = format!("blocks/{hash}.bin");
    let there = ctx.storage().objects().read(&path).await?;
    ensure_eq!(there.as_deref(), Some(&b"abc"[..]), "the object");
    ensure_eq!(
        blocks.get(&hash).await?.as_deref(),
        Some(&b"abc"[..]),
        "the block"
    );
    ensure!(blocks.has(&hash).await?, "it is there");
    ensure_eq!(blocks.list().await?, [hash], "the list");
    Ok(())
}

async fn the_same_content_is_one_block(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let other = open(&ctx.second().await?).await?;
    let hash = store.blocks().put("same").await?;
    let before = keys(ctx.storage(), "blocks/").await?;
    ensure_eq!(other.blocks().put("same").await?, hash, "the hash of the second");
    ensure_eq!(store.blocks().put("same").await?, hash, "the hash of the third");
    ensure_eq!(keys(ctx.storage(), "blocks/").await?, before, "the objects");
    Ok(())
}

async fn fifty_writers_of_one_content_all_succeed(ctx: &Ctx) -> Verdict {
    let one = open(ctx.storage()).await?.blocks();
    let other = open(&ctx.second().await?).await?.blocks();
    let content = Bytes::from(ctx.random().bytes(100_000));
    let writers = (0..50).map(|at| {
        let blocks = if at % 2 == 0 { &one } else { &other };
        blocks.put(content.clone())
    });
    let hashes = try_join_all(writers).await?;
    ensure!(hashes.iter().all(|hash| *hash == hashes[0]), "one hash");
    ensure_eq!(one.get(&hashes[0]).await?, Some(content), "the block");
    ensure_eq!(keys(ctx.storage(), "blocks/").await?.len(), 1, "the objects");
    Ok(())
}

async fn empty_and_large_contents_are_blocks(ctx: &Ctx) -> Verdict {
    let blocks = open(ctx.storage()).await?.blocks();
    let large = Bytes::from(ctx.random().bytes(2 * 1024 * 1024 + 17));
    for content in [Bytes::new(), large] {
        let hash = blocks.put(content.clone()).await?;
        ensure!(blocks.get(&hash).await? == Some(content.clone()), "the whole");
        let (length, piece) = (content.len() as u64, 1024 * 1024);
        let ranges = [
            ByteRange::From(0),
            ByteRange::From(length),
            ByteRange::From(length + 9),
            ByteRange::Bounded(3, 10),
            ByteRange::Bounded(piece - 1, piece + 1),
            ByteRange::Bounded(7, u64::MAX),
            ByteRange::Suffix(5),
        ];
        let parts = blocks.ranges(&hash, &ranges).await?.ok_or("it is there")?;
        ensure_eq!(parts.len(), ranges.len(), "a part for each range");
        for (part, range) in parts.iter().zip(ranges) {
            let wanted = range.resolve(length);
            #[allow(clippy::cast_possible_truncation, reason = "the content is in memory")]
            let expected = content.slice(wanted.start as usize..wanted.end as usize);
            ensure!(*part == expected, "{range:?} of {length} bytes");
            ensure!(
                blocks.range(&hash, range).await? == Some(expected),
                "{range:?} alone"
            );
        }
    }
    Ok(())
}

async fn a_stream_is_the_block_of_its_bytes(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let blocks = store.blocks();
    for length in [0, 10, 3 * 1024 * 1024 + 5] {
        let content = Bytes::from(ctx.random().bytes(length));
        let pieces = content.chunks(700_000).map(|piece| Ok(content.slice_ref(piece)));
        let hash = blocks.put_stream(stream::iter(pieces)).await?;
        ensure_eq!(
            hash,
            HashAlgorithm::Sha256.hash(&content),
            "the hash of {length} bytes"
        );
        ensure!(
            blocks.get(&hash).await? == Some(content.clone()),
            "the block of {length} bytes"
        );
        ensure_eq!(blocks.put(content).await?, hash, "put whole");
    }
    ensure_eq!(
        keys(ctx.storage(), "staging/").await?,
        Vec::<String>::new(),
        "what is left"
    );
    Ok(())
}

async fn a_stream_that_fails_leaves_nothing(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    for pieces in [0, 1, 3] {
        let broken = || Error::new(ErrorKind::InvalidArgument, "the sender has gone");
        let good = (0..pieces).map(|_| Ok(Bytes::from(vec![1; 1024 * 1024])));
        let result = store
            .blocks()
            .put_stream(stream::iter(good.chain([Err(broken())])))
            .await;
        ensure_kind!(result, ErrorKind::InvalidArgument, "after {pieces} pieces");
    }
    ensure_eq!(store.blocks().list().await?, [], "the blocks");
    ensure_eq!(
        keys(ctx.storage(), "staging/").await?,
        Vec::<String>::new(),
        "what is left"
    );
    Ok(())
}

async fn what_is_not_there_is_none(ctx: &Ctx) -> Verdict {
    let blocks = open(ctx.storage()).await?.blocks();
    let hash = HashAlgorithm::Sha256.hash(b"nobody put this");
    ensure_eq!(blocks.get(&hash).await?, None, "get");
    ensure_eq!(blocks.ranges(&hash, &[ByteRange::From(0)]).await?, None, "ranges");
    ensure!(!blocks.has(&hash).await?, "has");
    ensure_eq!(blocks.list().await?, [], "list");
    Ok(())
}

async fn hash_and_fan_out_are_as_chosen(ctx: &Ctx) -> Verdict {
    let chosen = options().hash(HashAlgorithm::Blake3).fan_out(2);
    let store = VolumeStore::open(ctx.storage().clone(), chosen).await?;
    let hash = store.blocks().put("abc").await?;
    let text = hash.to_string();
    ensure_eq!(
        text,
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        "the hash"
    );
    let path = format!("blocks/64/37/{text}.bin");
    ensure_eq!(keys(ctx.storage(), "blocks/").await?, [path], "where it is");
    let other = open(&ctx.second().await?).await?;
    ensure_eq!(
        other.hash_algorithm(),
        HashAlgorithm::Blake3,
        "what the store says"
    );
    ensure_eq!(
        other.blocks().get(&hash).await?.as_deref(),
        Some(&b"abc"[..]),
        "the block"
    );
    ensure_eq!(other.blocks().put("abc").await?, hash, "the same block");
    Ok(())
}
