//! Several storages: what is needed, what is told, and what they get from each other.

use std::sync::Arc;

use storage_core::{Error, ErrorKind, Storage};
use storage_stores::volumes::{Repair, Replica, Role, Volume, VolumeStore};

use super::sample::{contents, flip, key, keys, open, options, volume};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;
use crate::faulty::{Fault, Faulty};

cases! { volume_replicas:
    smoke [] a_write_is_in_every_replica = "a put is in every replica, each of which is a whole store of its own";
    standard [] a_write_needs_a_durable_replica = "a write succeeds where one durable replica took it, and fails where only others did";
    standard [] what_failed_is_told_by_kind = "what did not work on a replica is told with its kind, though the write succeeded";
    standard [] reads_fall_back_to_what_is_whole = "a block or event that is damaged, gone or out of reach in one replica is read from the next";
    standard [] missing_is_said_only_where_all_say_it = "while a replica cannot be asked, what the others lack is an error and not missing";
    standard [] reconcile_copies_both_ways_and_nothing_damaged = "a reconciliation gives each replica what it lacks, heals damaged blocks and spreads no damage";
    standard [] a_replica_that_comes_back_is_brought_up_to_date = "a replica that was away takes part again without being opened anew, and gets what it lacks";
    standard [] replicas_may_be_spread_differently_and_not_hashed_differently = "replicas with different fan-outs work together, one with another hash is refused";
    standard [] only_opportunistic_replicas_are_pruned = "pruning takes the oldest blocks of an opportunistic replica that a durable one has whole, and never those of a durable one";
    standard [] what_was_written_apart_comes_together = "volumes that were written apart in two places have, once reconciled, everything from both";
    standard [] replicas_are_checked_when_they_are_named = "no durable replica, and two of one name, are refused";
}

/// A durable replica here, and others elsewhere.
async fn elsewhere(ctx: &Ctx) -> Result<Storage, Failure> {
    Ok(ctx.other_place("-b").await?)
}

async fn pair(one: &Storage, other: &Storage, role: Role) -> Result<VolumeStore, Failure> {
    let other = match role {
        Role::Durable => Replica::durable("there", other.clone()),
        _ => Replica::opportunistic("there", other.clone()),
    };
    let replicas = vec![Replica::durable("here", one.clone()), other];
    Ok(VolumeStore::open_replicas(replicas, options()).await?)
}

/// A client of this place that nobody reaches.
async fn dead(ctx: &Ctx, storage: &Storage) -> Storage {
    let _ = ctx;
    let faulty = Faulty::new(Arc::clone(storage.adapter()), 0, Fault::BeforeTheCall);
    Storage::new(faulty)
}

async fn a_write_is_in_every_replica(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    let store = pair(ctx.storage(), &there, Role::Durable).await?;
    volume(&store).await?.put("a", "x").await?;
    for storage in [ctx.storage(), &there] {
        let alone = volume(&open(storage).await?).await?;
        ensure_eq!(
            contents(&alone).await?,
            [("a".to_owned(), "x".to_owned())],
            "one of them alone"
        );
    }
    ensure_eq!(
        keys(ctx.storage(), "").await?,
        keys(&there, "").await?,
        "the same paths"
    );
    ensure_eq!(store.failures(), [], "nothing failed");
    let roles: Vec<_> = store
        .replicas()
        .map(|(name, role)| (name.to_owned(), role))
        .collect();
    let expected = [
        ("here".to_owned(), Role::Durable),
        ("there".to_owned(), Role::Durable),
    ];
    ensure_eq!(roles, expected, "the replicas");
    Ok(())
}

async fn a_write_needs_a_durable_replica(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    // Both are made while they can be reached.
    pair(ctx.storage(), &there, Role::Durable).await?;
    let without_one = pair(&dead(ctx, ctx.storage()).await, &there, Role::Durable).await?;
    let hash = without_one.blocks().put("in one").await?;
    ensure!(open(&there).await?.blocks().has(&hash).await?, "it is in the one");

    let (here, at) = (Arc::clone(ctx.storage().adapter()), 8);
    let dying = Storage::new(Faulty::new(here, at, Fault::BeforeTheCall));
    let only_others = pair(&dying, &there, Role::Opportunistic).await?;
    for _ in 0..at {
        drop(dying.health().await);
        drop(dying.objects().read("x").await);
    }
    let result = only_others.blocks().put("nowhere durable").await;
    ensure!(
        result
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Unavailable),
        "{result:?}"
    );
    Ok(())
}

async fn what_failed_is_told_by_kind(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    pair(ctx.storage(), &there, Role::Opportunistic).await?;
    let store = pair(ctx.storage(), &dead(ctx, &there).await, Role::Opportunistic).await?;
    let volume = volume(&store).await?;
    volume.put("a", "x").await?;
    let failures = store.failures();
    ensure!(
        failures.len() >= 2,
        "a failure each for the block and the event: {failures:?}"
    );
    for failure in &failures {
        ensure_eq!(failure.replica, "there", "the replica");
        ensure_eq!(failure.kind, ErrorKind::Unavailable, "the kind");
        ensure!(!failure.message.is_empty(), "what was said");
    }
    ensure!(
        !volume.refresh().await?.unreachable.is_empty(),
        "a look tells it too"
    );
    Ok(())
}

async fn reads_fall_back_to_what_is_whole(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    let store = pair(ctx.storage(), &there, Role::Durable).await?;
    let written = volume(&store).await?;
    let entry = written.put("a", "abc").await?;
    let block = format!("blocks/{}.bin", entry.block);
    let event = format!("channels/{}/{}.bin", written.channel().key(), entry.event);
    flip(ctx.storage(), &block).await?;
    flip(ctx.storage(), &event).await?;
    let damaged = volume(&pair(ctx.storage(), &there, Role::Durable).await?).await?;
    ensure_eq!(
        contents(&damaged).await?,
        [("a".to_owned(), "abc".to_owned())],
        "damaged here"
    );
    ensure_eq!(
        damaged.refresh().await?.refused,
        [],
        "what is known is not read again"
    );
    ctx.storage().objects().delete(&block).await?;
    ctx.storage().objects().delete(&event).await?;
    let gone = volume(&pair(ctx.storage(), &there, Role::Durable).await?).await?;
    ensure_eq!(
        contents(&gone).await?,
        [("a".to_owned(), "abc".to_owned())],
        "gone here"
    );
    let away = pair(&dead(ctx, ctx.storage()).await, &there, Role::Durable).await?;
    let away = volume(&away).await?;
    ensure_eq!(
        contents(&away).await?,
        [("a".to_owned(), "abc".to_owned())],
        "out of reach here"
    );
    Ok(())
}

async fn missing_is_said_only_where_all_say_it(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    pair(ctx.storage(), &there, Role::Durable).await?;
    let hash = open(&there).await?.blocks().put("only there").await?;
    let store = pair(ctx.storage(), &dead(ctx, &there).await, Role::Durable).await?;
    let result = store.blocks().get(&hash).await;
    ensure!(
        result
            .as_ref()
            .is_err_and(|error: &Error| error.kind() == ErrorKind::Unavailable),
        "{result:?}"
    );
    let whole = pair(ctx.storage(), &there, Role::Durable).await?;
    ensure!(whole.blocks().get(&hash).await?.is_some(), "once it can be asked");
    let nobody = store.hash_algorithm().hash(b"nobody has this");
    ensure_eq!(whole.blocks().get(&nobody).await?, None, "where all say so");
    Ok(())
}

async fn reconcile_copies_both_ways_and_nothing_damaged(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    let store = pair(ctx.storage(), &there, Role::Durable).await?;
    let (one, other) = (open(ctx.storage()).await?, open(&there).await?);
    volume(&one).await?.put("a", "here").await?;
    Volume::open(&other, super::sample::other_key())
        .await?
        .put("b", "there")
        .await?;
    let healed = store.blocks().put("damaged in one").await?;
    flip(ctx.storage(), &format!("blocks/{healed}.bin")).await?;
    let lost = one.blocks().put("damaged in the only one").await?;
    flip(ctx.storage(), &format!("blocks/{lost}.bin")).await?;
    let event = one
        .channel_of(super::sample::other_key())
        .append("forged")
        .await?;
    let forged = format!("channels/{}/{}.bin", key_text(), event.hash());
    ctx.storage()
        .objects()
        .write(&forged, event.bytes().clone())
        .await?;
    let large = bytes::Bytes::from(ctx.random().bytes(9 * 1024 * 1024));
    let large = other.blocks().put(large).await?;

    let report = store.reconcile().await?;
    // A block and an event each way, the large block, and the event that is misplaced here and well placed there.
    ensure_eq!(report.copied, 6, "{report:?}");
    ensure_eq!(report.failures, [], "what failed");
    ensure_eq!(
        report.lost,
        [lost.to_string(), event.hash().to_string()],
        "what none has whole"
    );
    ensure_eq!(report.damaged.len(), 2, "what is damaged");
    ensure!(!report.is_complete(), "something is lost");
    for alone in [&one, &other] {
        ensure_eq!(contents(&volume(alone).await?).await?.len(), 1, "the one volume");
        let second = Volume::open(alone, super::sample::other_key()).await?;
        ensure_eq!(
            contents(&second).await?,
            [("b".to_owned(), "there".to_owned())],
            "the other volume"
        );
        ensure!(alone.blocks().get(&large).await?.is_some(), "the large block");
    }
    ensure!(
        !there.objects().exists(&forged).await?,
        "a forged event was spread"
    );
    ensure!(!other.blocks().has(&lost).await?, "damage was spread");
    // The block that was damaged in one of them is read from the other, and healed from there.
    ensure!(store.blocks().get(&healed).await?.is_some(), "it is read");
    store.reconcile().await?;
    let alone = one.blocks().get(&healed).await;
    if ctx.has(storage_core::Capability::DeleteIf) {
        ensure_eq!(alone?.as_deref(), Some(&b"damaged in one"[..]), "healed");
    }
    ensure_eq!(store.reconcile().await?.copied, 0, "nothing is missing");
    Ok(())
}

fn key_text() -> String {
    use storage_stores::volumes::Signer;
    key().public_key().to_string()
}

async fn a_replica_that_comes_back_is_brought_up_to_date(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    pair(ctx.storage(), &there, Role::Durable).await?;
    let away = pair(ctx.storage(), &dead(ctx, &there).await, Role::Opportunistic).await?;
    let written = volume(&away).await?;
    written.put("a", "while it was away").await?;
    let report = away.reconcile().await?;
    ensure_eq!(report.unreachable.len(), 1, "it is away");
    ensure!(!report.is_complete(), "so the others do not have everything");
    ensure_eq!(
        contents(&volume(&open(&there).await?).await?).await?,
        [],
        "it has nothing"
    );
    let back = pair(ctx.storage(), &there, Role::Opportunistic).await?;
    let report = back.reconcile().await?;
    ensure_eq!((report.copied, report.is_complete()), (2, true), "{report:?}");
    let alone = volume(&open(&there).await?).await?;
    let expected = [("a".to_owned(), "while it was away".to_owned())];
    ensure_eq!(contents(&alone).await?, expected, "it has everything");
    Ok(())
}

async fn replicas_may_be_spread_differently_and_not_hashed_differently(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    VolumeStore::open(there.clone(), options().fan_out(2)).await?;
    open(ctx.storage()).await?;
    let store = pair(ctx.storage(), &there, Role::Durable).await?;
    let hash = store.blocks().put("x").await?;
    let text = hash.to_string();
    let path = format!("blocks/{}/{}/{text}.bin", &text[..2], &text[2..4]);
    ensure_eq!(keys(&there, "blocks/").await?, [path], "the path there");
    ensure_eq!(
        keys(ctx.storage(), "blocks/").await?,
        [format!("blocks/{text}.bin")],
        "the path here"
    );
    ensure_eq!(store.reconcile().await?.copied, 0, "nothing is missing");

    let third = ctx.other_place("-c").await?;
    VolumeStore::open(
        third.clone(),
        options().hash(storage_stores::volumes::HashAlgorithm::Blake3),
    )
    .await?;
    let replicas = vec![
        Replica::durable("here", ctx.storage().clone()),
        Replica::durable("third", third),
    ];
    let result = VolumeStore::open_replicas(replicas, options()).await;
    ensure_kind!(result, ErrorKind::InvalidArgument, "another hash");
    Ok(())
}

async fn only_opportunistic_replicas_are_pruned(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    let store = pair(ctx.storage(), &there, Role::Opportunistic).await?;
    let mut hashes = Vec::new();
    for at in 0..4 {
        hashes.push(store.blocks().put(format!("content {at}")).await?);
    }
    let needed = open(&there).await?.blocks().put("only in that").await?;
    flip(ctx.storage(), &format!("blocks/{}.bin", hashes[1])).await?;
    ensure_kind!(
        store.prune("here", 0).await,
        ErrorKind::InvalidArgument,
        "a durable one"
    );
    ensure_kind!(
        store.prune("nobody", 0).await,
        ErrorKind::NotFound,
        "one that is not there"
    );
    let report = store.prune("there", 0).await?;
    ensure_eq!(
        (report.deleted, report.deleted_bytes, report.needed),
        (3, 27, 2),
        "the report"
    );
    ensure_eq!(report.left_bytes, 9 + 12, "what is left");
    let left = open(&there).await?.blocks();
    ensure!(left.has(&needed).await?, "what only it has stays");
    ensure!(
        left.has(&hashes[1]).await?,
        "what is damaged in the durable one stays"
    );
    ensure_eq!(
        store.prune("there", u64::MAX).await?.deleted,
        0,
        "where there is room enough"
    );
    for hash in [hashes[0], hashes[2], hashes[3]] {
        ensure!(
            store.blocks().get(&hash).await?.is_some(),
            "it is read from the durable one"
        );
    }
    Ok(())
}

async fn what_was_written_apart_comes_together(ctx: &Ctx) -> Verdict {
    let there = elsewhere(ctx).await?;
    let one = volume(&open(ctx.storage()).await?).await?;
    let other = volume(&open(&there).await?).await?;
    one.put("shared", "from here").await?;
    one.put("here", "1").await?;
    other.put("shared", "from there").await?;
    other.put("there", "2").await?;
    let store = pair(ctx.storage(), &there, Role::Durable).await?;
    store.reconcile().await?;
    one.refresh().await?;
    other.refresh().await?;
    let merged = contents(&one).await?;
    ensure_eq!(contents(&other).await?, merged, "both see the same");
    let names: Vec<&str> = merged.iter().map(|(name, _)| name.as_str()).collect();
    ensure_eq!(names, ["here", "shared", "there"], "the names");
    ensure!(merged[1].1.starts_with("from "), "one of the two: {merged:?}");
    let entry = one.put("shared", "agreed").await?;
    let log = one.log();
    let parents = log
        .iter()
        .find(|(event, _)| event.hash() == entry.event)
        .map(|(event, _)| event.parents().len());
    ensure_eq!(parents, Some(2), "the next event follows both");
    ensure!(store.verify_all(Repair::Nothing).await?.is_sound(), "damage");
    Ok(())
}

async fn replicas_are_checked_when_they_are_named(ctx: &Ctx) -> Verdict {
    let replica = || Replica::opportunistic("a", ctx.storage().clone());
    for replicas in [
        vec![],
        vec![replica()],
        vec![Replica::durable("a", ctx.storage().clone()), replica()],
    ] {
        let result = VolumeStore::open_replicas(replicas, options()).await;
        ensure_kind!(result, ErrorKind::InvalidArgument, "such replicas");
    }
    ensure_eq!(
        keys(ctx.storage(), "").await?,
        Vec::<String>::new(),
        "nothing was written"
    );
    Ok(())
}
