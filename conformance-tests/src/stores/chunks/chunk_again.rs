//! The same chunk again: with the same bytes, with others, and by several at once.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use storage_core::{Applied, Bytes as Object, ErrorKind};
use storage_stores::chunks::ChunkStore;
use tokio::sync::Barrier;

use super::sample::{info, iv, object, open, read_all, save_all};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { chunk_again:
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] the_same_bytes_change_nothing = "a chunk sent again is Ok and writes nothing, also once the content is complete";
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] other_bytes_replace_the_whole_chunk = "other bytes, longer or shorter, take a chunk's place whole, with their own vector";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] the_same_bytes_with_another_vector_replace_it = "the vector is part of what a chunk is";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_complete_content_does_not_change = "other bytes for a chunk of a complete content are PreconditionFailed, and nothing changes";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] sending_again_heals_what_was_lost = "an object that is gone or damaged is there again after its chunk was sent again, complete or not";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] an_object_nobody_names_is_no_data = "an object without a record is not read, does not count, and is written over";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] many_senders_of_different_chunks_lose_none = "clients that each send some chunks of one content, some twice, end with all of them";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] senders_of_different_bytes_never_mix = "of several that send other bytes for one chunk at once, one wins whole, bytes and vector";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] completing_while_a_chunk_is_replaced_is_never_torn = "whatever a completed content is said to be, it is that when it is read";
}

/// What an acknowledged save has made of the one chunk of a content, told by its first byte.
fn bytes_of(sender: u8, length: usize) -> Bytes {
    Bytes::from(vec![sender; length])
}

async fn the_same_bytes_change_nothing(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("abc", info("c", 0, 1)).await?;
    let objects = ctx.storage().objects();
    let key = object(ctx.storage(), "c", 0).await?;
    let written = objects.stat(&key).await?;
    store.save_chunk("abc", info("c", 0, 1)).await?;
    ensure_eq!(
        objects.stat(&key).await?,
        written,
        "the object after a second time"
    );
    let complete = store.mark_content_complete("c").await?;
    store.save_chunk("abc", info("c", 0, 1)).await?;
    ensure_eq!(
        store.content_metadata("c").await?,
        Some(complete.clone()),
        "the content after a third"
    );
    ensure_eq!(
        store.mark_content_complete("c").await?,
        complete,
        "completing again"
    );
    Ok(())
}

async fn other_bytes_replace_the_whole_chunk(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("first", info("c", 0, 2)).await?;
    store.save_chunk("tail", info("c", 1, 2)).await?;
    for (bytes, vector) in [("a longer one", 5_u8), ("", 6), ("x", 7)] {
        store
            .save_chunk(bytes, info("c", 0, 2).iv(vec![vector; 16]))
            .await?;
        let chunk = store.read_chunk("c", 0).await?.ok_or("it is there")?;
        ensure_eq!(chunk.bytes, bytes, "the chunk's bytes");
        ensure_eq!(&chunk.iv[..], &[vector; 16][..], "the chunk's vector");
    }
    let content = store.mark_content_complete("c").await?;
    ensure_eq!(
        (content.total_size, read_all(&store, "c").await?.as_str()),
        (5, "xtail"),
        "the content"
    );
    Ok(())
}

async fn the_same_bytes_with_another_vector_replace_it(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("abc", info("c", 0, 1)).await?;
    store.save_chunk("abc", info("c", 0, 1).iv(vec![9; 12])).await?;
    let chunk = store.read_chunk("c", 0).await?.ok_or("it is there")?;
    ensure_eq!(&chunk.iv[..], &[9; 12][..], "the later vector");
    Ok(())
}

async fn a_complete_content_does_not_change(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a", "b"]).await?;
    let failed = ErrorKind::PreconditionFailed;
    ensure_kind!(
        store.save_chunk("z", info("c", 0, 2)).await,
        failed,
        "other bytes"
    );
    ensure_kind!(
        store.save_chunk("a", info("c", 0, 2).iv(vec![])).await,
        failed,
        "another vector"
    );
    ensure_eq!(read_all(&store, "c").await?, "ab", "the content");
    ensure_eq!(store.verify().await?.found, 0, "problems");
    Ok(())
}

async fn sending_again_heals_what_was_lost(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let objects = ctx.storage().objects();
    save_all(&store, "c", &["abc", "def"]).await?;
    store.save_chunk("abc", info("d", 0, 2)).await?;
    for id in ["c", "d"] {
        for damage in [None, Some(Object::from("ab!")), Some(Object::from("a"))] {
            let key = object(ctx.storage(), id, 0).await?;
            match damage {
                None => objects.delete(&key).await?,
                Some(bytes) => drop(objects.write(&key, bytes).await?),
            }
            ensure_kind!(
                store.get_chunk(id, 0).await,
                ErrorKind::Corrupt,
                "reading what was damaged"
            );
            store.save_chunk("abc", info(id, 0, 2)).await?;
            ensure_eq!(
                store.get_chunk(id, 0).await?.as_deref(),
                Some(&b"abc"[..]),
                "after it was sent again"
            );
        }
    }
    ensure_eq!(read_all(&store, "c").await?, "abcdef", "the complete content");
    Ok(())
}

async fn an_object_nobody_names_is_no_data(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("b", info("c", 1, 3)).await?;
    let last = object(ctx.storage(), "c", 1).await?;
    for index in [0, 2, 3] {
        ctx.storage()
            .objects()
            .write(last.replace("1.bin", &format!("{index}.bin")), "orphan")
            .await?;
    }
    ensure_eq!(store.get_chunk("c", 0).await?, None, "an orphan");
    ensure_eq!(
        store.missing_chunks("c").await?,
        Some(vec![0, 2]),
        "what is missing"
    );
    ensure_kind!(
        store.mark_content_complete("c").await,
        ErrorKind::NotFound,
        "completing with orphans"
    );
    store.save_chunk("a", info("c", 0, 3)).await?;
    store.save_chunk("orphan", info("c", 2, 3)).await?;
    store.mark_content_complete("c").await?;
    ensure_eq!(read_all(&store, "c").await?, "aborphan", "the content");
    Ok(())
}

async fn many_senders_of_different_chunks_lose_none(ctx: &Ctx) -> Verdict {
    const CHUNKS: u32 = 24;
    let mut senders = Vec::new();
    for sender in 0..4 {
        let store = open(&ctx.second().await?).await?;
        senders.push(async move {
            for step in 0..CHUNKS / 2 {
                let index = (sender * 6 + step) % CHUNKS;
                store
                    .save_chunk(format!("<{index}>"), info("c", index, CHUNKS))
                    .await?;
            }
            Ok::<_, Failure>(())
        });
    }
    for sent in join_all(senders).await {
        sent?;
    }
    let store = open(ctx.storage()).await?;
    ensure_eq!(store.missing_chunks("c").await?, Some(vec![]), "what is missing");
    store.mark_content_complete("c").await?;
    let expected: String = (0..CHUNKS).map(|index| format!("<{index}>")).collect();
    ensure_eq!(read_all(&store, "c").await?, expected, "the content");
    Ok(())
}

async fn senders_of_different_bytes_never_mix(ctx: &Ctx) -> Verdict {
    const SENDERS: u8 = 4;
    for round in 0..6 {
        let id = format!("c{round}");
        let together = Arc::new(Barrier::new(SENDERS.into()));
        let mut senders = Vec::new();
        for sender in 0..SENDERS {
            let store = open(&ctx.second().await?).await?;
            let (id, together) = (id.clone(), Arc::clone(&together));
            senders.push(tokio::spawn(async move {
                together.wait().await;
                let info = info(&id, 0, 1).iv(vec![sender; 12]);
                store
                    .save_chunk(bytes_of(sender, 100 + usize::from(sender)), info)
                    .await
            }));
        }
        let mut won = 0;
        for sent in join_all(senders).await {
            match sent.map_err(|error| error.to_string())? {
                Ok(()) => won += 1,
                Err(error) => ensure_eq!(error.kind(), ErrorKind::Conflict, "a sender that lost: {error}"),
            }
        }
        ensure!(won > 0, "of {SENDERS} senders none was let through");
        let store = open(ctx.storage()).await?;
        whole(&store, &id).await?;
        store.mark_content_complete(&id).await?;
        whole(&store, &id).await?;
        ensure_eq!(store.verify().await?.found, 0, "problems");
    }
    Ok(())
}

/// The one chunk of a content is some sender's, bytes and vector.
async fn whole(store: &ChunkStore, id: &str) -> Verdict {
    let chunk = store
        .read_chunk(id, 0)
        .await?
        .ok_or("an acknowledged chunk is not there")?;
    let sender = chunk.iv.first().copied().unwrap_or(u8::MAX);
    ensure_eq!(
        chunk.bytes,
        bytes_of(sender, 100 + usize::from(sender)),
        "the bytes of vector {sender}"
    );
    Ok(())
}

async fn completing_while_a_chunk_is_replaced_is_never_torn(ctx: &Ctx) -> Verdict {
    for round in 0..8_u32 {
        let (sender, completer) = (
            open(&ctx.second().await?).await?,
            open(&ctx.second().await?).await?,
        );
        let id = format!("c{round}");
        sender.save_chunk("old", info(&id, 0, 2)).await?;
        sender.save_chunk("end", info(&id, 1, 2)).await?;
        let replace = sender.save_chunk("newer", info(&id, 0, 2).iv(iv(9)));
        let (replaced, completed) = futures::join!(replace, completer.mark_content_complete(&id));
        let possible: &[&str] = match replaced {
            Ok(()) => &["newerend"],
            Err(error) => {
                let kinds = [ErrorKind::PreconditionFailed, ErrorKind::Conflict];
                ensure!(kinds.contains(&error.kind()), "a replacement that lost: {error}");
                match error.applied() {
                    Applied::No => &["oldend"],
                    // Who completed it may have settled it as what was replaced, or as the replacement.
                    _ => &["oldend", "newerend"],
                }
            }
        };
        if completed.is_err() {
            completer.mark_content_complete(&id).await?;
        }
        let content = read_all(&completer, &id).await?;
        ensure!(
            possible.contains(&content.as_str()),
            "the content is {content:?} and may be {possible:?}"
        );
    }
    Ok(())
}
