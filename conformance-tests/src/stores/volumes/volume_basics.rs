//! Volumes: names and their blocks, the same for everybody.

use futures::stream;
use storage_core::{Bytes, ErrorKind};
use storage_stores::volumes::{Change, Volume};

use super::sample::{contents, flip, keys, open, other_key, volume};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { volume_basics:
    smoke [] a_name_has_its_bytes = "a name gives the bytes it was put with, the newest, and nothing once it is deleted";
    standard [] reopening_gives_the_same_state = "another client, and the same after it was closed, have the same names, blocks and log";
    standard [] a_refresh_shows_what_others_did = "what another client did shows after a refresh, which reads what is new only";
    standard [] putting_the_same_again_makes_no_event = "a put of what is there, and a deletion of what is not, change nothing";
    standard [] names_are_listed_by_prefix_in_order = "names come in byte order, and those that begin so when asked";
    standard [] a_snapshot_keeps_what_was = "a snapshot has the names as they were, whatever happens later, until it is forgotten";
    standard [] the_same_state_is_the_same_snapshot = "two snapshots of one state are one block";
    standard [] volumes_of_different_keys_are_apart = "two volumes in one store share blocks and no names";
    standard [] the_log_tells_every_change = "the log has each change in order, with the events that are none";
    standard [] a_deletion_keeps_the_block = "a deletion takes the name out and leaves the block";
    standard [StreamingWrite] a_stream_becomes_a_name = "a stream is put under a name with its size";
    standard [] a_missing_block_is_corrupt_and_named = "a name whose block is damaged or gone is `Corrupt`, and the other names are read";
    standard [] a_closed_store_answers_closed = "after a close every call is `Closed`";
}

async fn a_name_has_its_bytes(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    ensure_eq!(volume.get("a").await?, None, "before");
    let entry = volume.put("a", "first").await?;
    ensure_eq!((entry.name.as_str(), entry.size), ("a", 5), "the entry");
    ensure_eq!(volume.entry("a"), Some(entry.clone()), "what the name has");
    ensure_eq!(
        volume.get("a").await?.as_deref(),
        Some(&b"first"[..]),
        "the bytes"
    );
    volume.put("a", "second").await?;
    ensure_eq!(
        volume.get("a").await?.as_deref(),
        Some(&b"second"[..]),
        "the newest"
    );
    ensure!(volume.delete("a").await?, "it was there");
    ensure_eq!(volume.get("a").await?, None, "afterwards");
    let there = volume.store().blocks().get(&entry.block).await?;
    ensure_eq!(there.as_deref(), Some(&b"first"[..]), "its first block");
    Ok(())
}

async fn reopening_gives_the_same_state(ctx: &Ctx) -> Verdict {
    let storage = ctx.second().await?;
    let store = open(&storage).await?;
    let one = volume(&store).await?;
    for at in 0..10 {
        one.put(&format!("name {}", at % 4), format!("content {at}"))
            .await?;
        if at % 3 == 2 {
            one.delete(&format!("name {}", at % 4)).await?;
        }
    }
    one.snapshot("label").await?;
    let (entries, log, snapshots) = (one.list(""), one.log(), one.snapshots());
    let other = volume(&open(ctx.storage()).await?).await?;
    ensure_eq!(other.list(""), entries, "the names of another client");
    ensure_eq!(other.log(), log, "its log");
    ensure_eq!(other.snapshots(), snapshots, "its snapshots");
    store.close().await?;
    let again = volume(&open(&ctx.second().await?).await?).await?;
    ensure_eq!(again.list(""), entries, "the names after a close");
    ensure_eq!(contents(&again).await?, contents(&other).await?, "the contents");
    Ok(())
}

async fn a_refresh_shows_what_others_did(ctx: &Ctx) -> Verdict {
    let one = volume(&open(ctx.storage()).await?).await?;
    let other = volume(&open(&ctx.second().await?).await?).await?;
    other.put("a", "x").await?;
    other.put("b", "y").await?;
    ensure_eq!(one.list(""), [], "before");
    let before = one.store().replicas().count();
    let refreshed = one.refresh().await?;
    ensure_eq!((refreshed.new, refreshed.events), (2, 2), "what is new");
    ensure_eq!(one.list(""), other.list(""), "the names");
    ensure_eq!(one.refresh().await?.new, 0, "what is new the second time");
    other.delete("a").await?;
    ensure_eq!(one.refresh().await?.new, 1, "what is new the third time");
    ensure_eq!(one.list("").len(), before, "one name is left");
    Ok(())
}

async fn putting_the_same_again_makes_no_event(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    let first = volume.put("a", "x").await?;
    ensure_eq!(volume.put("a", "x").await?, first, "the entry");
    ensure!(!volume.delete("b").await?, "there is no b");
    ensure!(!volume.forget_snapshot("c").await?, "there is no c");
    ensure_eq!(volume.log().len(), 1, "the events");
    Ok(())
}

async fn names_are_listed_by_prefix_in_order(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    for name in ["b", "a/2", "a", "ä", "a/10", "aa"] {
        volume.put(name, "x").await?;
    }
    let names = |prefix| -> Vec<String> { volume.list(prefix).into_iter().map(|entry| entry.name).collect() };
    ensure_eq!(names(""), ["a", "a/10", "a/2", "aa", "b", "ä"], "all");
    ensure_eq!(names("a/"), ["a/10", "a/2"], "those in a");
    ensure_eq!(names("z"), Vec::<String>::new(), "none");
    Ok(())
}

async fn a_snapshot_keeps_what_was(ctx: &Ctx) -> Verdict {
    let one = volume(&open(ctx.storage()).await?).await?;
    one.put("a", "old").await?;
    one.put("b", "kept").await?;
    one.snapshot("monday").await?;
    let was = one.list("");
    one.put("a", "new").await?;
    one.delete("b").await?;
    let other = volume(&open(&ctx.second().await?).await?).await?;
    for seen in [&one, &other] {
        let snapshot = seen.read_snapshot("monday").await?.ok_or("it is there")?;
        ensure!(snapshot.entries().eq(&was), "the names as they were");
        ensure_eq!(seen.read_snapshot("tuesday").await?, None, "another label");
    }
    one.snapshot("monday").await?;
    let snapshot = one.read_snapshot("monday").await?.ok_or("it is there")?;
    ensure!(
        snapshot.entries().eq(&one.list("")),
        "the label stands for the newest"
    );
    ensure!(one.forget_snapshot("monday").await?, "it was there");
    ensure_eq!(one.snapshots(), [], "forgotten");
    Ok(())
}

async fn the_same_state_is_the_same_snapshot(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    let empty = volume.snapshot("empty").await?;
    volume.put("a", "x").await?;
    let one = volume.snapshot("one").await?;
    ensure_eq!(volume.snapshot("two").await?, one, "a second label");
    let events = volume.log().len();
    ensure_eq!(volume.snapshot("two").await?, one, "the same label again");
    ensure_eq!(volume.log().len(), events, "that makes no event");
    ensure!(empty != one, "another state is another snapshot");
    Ok(())
}

async fn volumes_of_different_keys_are_apart(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let one = volume(&store).await?;
    let other = Volume::open(&store, other_key()).await?;
    one.put("a", "shared").await?;
    other.put("b", "shared").await?;
    ensure_eq!(keys(ctx.storage(), "blocks/").await?.len(), 1, "the blocks");
    one.refresh().await?;
    ensure_eq!(
        contents(&one).await?,
        [("a".to_owned(), "shared".to_owned())],
        "the one"
    );
    ensure_eq!(
        contents(&other).await?,
        [("b".to_owned(), "shared".to_owned())],
        "the other"
    );
    let mut expected = [one.channel().key().clone(), other.channel().key().clone()];
    expected.sort();
    ensure_eq!(store.channels().await?, expected, "the channels");
    Ok(())
}

async fn the_log_tells_every_change(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    let entry = volume.put("a", "x").await?;
    volume.channel().append("no change").await?;
    volume.delete("a").await?;
    let changes: Vec<_> = volume.log().into_iter().map(|(_, change)| change).collect();
    let expected = [
        Some(Change::Put {
            name: "a".to_owned(),
            block: entry.block,
            size: 1,
        }),
        None,
        Some(Change::Delete { name: "a".to_owned() }),
    ];
    ensure_eq!(changes, expected, "the log");
    Ok(())
}

async fn a_deletion_keeps_the_block(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    let entry = volume.put("a", "x").await?;
    volume.delete("a").await?;
    let bytes = volume.store().blocks().get(&entry.block).await?;
    ensure_eq!(bytes.as_deref(), Some(&b"x"[..]), "the block");
    Ok(())
}

async fn a_stream_becomes_a_name(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    let content = Bytes::from(ctx.random().bytes(2 * 1024 * 1024 + 1));
    let pieces = content.chunks(500_000).map(|piece| Ok(content.slice_ref(piece)));
    let entry = volume.put_stream("large", stream::iter(pieces)).await?;
    ensure_eq!(entry.size, content.len() as u64, "the size");
    ensure!(volume.get("large").await? == Some(content), "the bytes");
    Ok(())
}

async fn a_missing_block_is_corrupt_and_named(ctx: &Ctx) -> Verdict {
    let volume = volume(&open(ctx.storage()).await?).await?;
    let damaged = volume.put("damaged", "one").await?.block;
    let gone = volume.put("gone", "two").await?.block;
    volume.put("whole", "three").await?;
    flip(ctx.storage(), &format!("blocks/{damaged}.bin")).await?;
    ctx.storage()
        .objects()
        .delete(format!("blocks/{gone}.bin"))
        .await?;
    for (name, hash) in [("damaged", damaged), ("gone", gone)] {
        let result = volume.get(name).await;
        let Err(error) = &result else {
            return Err(format!("{name} was read").into());
        };
        ensure!(
            error.key().is_some_and(|key| key.contains(&hash.to_string())),
            "{error}"
        );
        ensure_kind!(result, ErrorKind::Corrupt, "{name}");
    }
    ensure_eq!(
        volume.get("whole").await?.as_deref(),
        Some(&b"three"[..]),
        "the other"
    );
    Ok(())
}

async fn a_closed_store_answers_closed(ctx: &Ctx) -> Verdict {
    let store = open(&ctx.second().await?).await?;
    let volume = volume(&store).await?;
    let entry = volume.put("a", "x").await?;
    store.close().await?;
    ensure_kind!(volume.put("a", "y").await, ErrorKind::Closed, "put");
    ensure_kind!(volume.get("a").await, ErrorKind::Closed, "get");
    ensure_kind!(volume.refresh().await, ErrorKind::Closed, "refresh");
    ensure_kind!(store.blocks().has(&entry.block).await, ErrorKind::Closed, "has");
    ensure_kind!(store.reconcile().await, ErrorKind::Closed, "reconcile");
    Ok(())
}
