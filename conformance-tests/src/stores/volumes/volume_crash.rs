//! A crash at every call of every operation.

use std::time::Duration;

use storage_core::{Capability, Storage};
use storage_stores::volumes::{Keep, Repair, Replica, VolumeStore};

use super::sample::{contents, flip, keys, open_in, options, volume};
use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { volume_crash:
    standard [] a_put_cut_short_is_there_or_not = "a put of a name cut short at any call is there whole or not at all, keeps what was before, and done again is there";
    standard [] an_append_cut_short_is_there_or_not = "an append cut short at any call is there whole or not at all, and the channel goes on";
    standard [] a_deletion_cut_short_is_there_or_not = "a deletion and a snapshot cut short at any call happened or did not, and done again have happened";
    standard [DeleteIf] a_collection_cut_short_is_finished_by_the_next = "a collection cut short at any call takes no root, and the next does the rest";
    standard [] a_quarantine_cut_short_destroys_nothing = "a look at a damaged block cut short at any call leaves the damaged bytes somewhere, and a put heals the block";
    standard [] a_reconciliation_cut_short_is_resumed = "a reconciliation cut short at any call leaves whole copies only, and the next makes what is missing";
    standard [StreamingWrite] a_stream_cut_short_leaves_no_block = "a streamed put cut short at any call leaves the block whole or not at all, and done again it is there";
}

const FAULTS: [Fault; 2] = [Fault::BeforeTheCall, Fault::AfterTheCall];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory of a round, so that each begins with nothing.
fn directory(fault: Fault, at: usize) -> String {
    format!("{fault:?}-{at}")
}

async fn put_dying(storage: &Storage, directory: &str, content: &'static str) -> bool {
    let Ok(store) = open_in(storage, directory).await else {
        return false;
    };
    match volume(&store).await {
        Ok(volume) => volume.put("a", content).await.is_ok(),
        Err(_) => false,
    }
}

async fn a_put_cut_short_is_there_or_not(ctx: &Ctx) -> Verdict {
    for replaces in [false, true] {
        for fault in FAULTS {
            let mut points = ctx.points(fault);
            while let Some(dying) = points.next().await? {
                let when = format!("after {fault:?} {}, replacing: {replaces}", points.at());
                let directory = format!("{}-{replaces}", directory(fault, points.at()));
                if replaces {
                    volume(&open_in(ctx.storage(), &directory).await?)
                        .await?
                        .put("a", "old")
                        .await?;
                }
                let done = put_dying(&dying, &directory, "new").await;
                let store = open_in(ctx.storage(), &directory).await?;
                let after = volume(&store).await?;
                let bytes = after.get("a").await?;
                if done {
                    ensure_eq!(
                        bytes.as_deref(),
                        Some(&b"new"[..]),
                        "what was acknowledged {when}"
                    );
                } else {
                    let before = replaces.then_some(&b"old"[..]);
                    let one_of = bytes.as_deref() == before || bytes.as_deref() == Some(b"new");
                    ensure!(one_of, "{bytes:?} {when}");
                }
                after.put("a", "new").await?;
                ensure_eq!(
                    after.get("a").await?.as_deref(),
                    Some(&b"new"[..]),
                    "done again {when}"
                );
                let report = store.verify_all(Repair::Nothing).await?;
                ensure!(
                    report.is_sound() && report.foreign.is_empty(),
                    "{report:?} {when}"
                );
            }
            ensure!(points.at() > 4, "a put makes more than {} calls", points.at());
        }
    }
    Ok(())
}

async fn an_append_cut_short_is_there_or_not(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let directory = directory(fault, points.at());
            let when = format!("after {fault:?} {}", points.at());
            let store = open_in(ctx.storage(), &directory).await?;
            let channel = store.channel_of(super::sample::key());
            channel.append("first").await?;
            let done = match open_in(&dying, &directory).await {
                Ok(dying) => dying
                    .channel_of(super::sample::key())
                    .append("second")
                    .await
                    .is_ok(),
                Err(_) => false,
            };
            let third = channel.append("third").await?;
            let events = channel.events().await?;
            let payloads: Vec<_> = events.iter().map(|event| event.payload().clone()).collect();
            ensure!(
                payloads == ["first", "second", "third"] || (!done && payloads == ["first", "third"]),
                "{payloads:?} {when}, acknowledged: {done}"
            );
            ensure_eq!(third.parents().len(), 1, "the channel has one head {when}");
            let fresh = open_in(&ctx.second().await?, &directory).await?;
            ensure_eq!(
                fresh.channel(channel.key().clone()).events().await?,
                events,
                "for others {when}"
            );
        }
        ensure!(points.at() > 2, "an append makes more than {} calls", points.at());
    }
    Ok(())
}

async fn a_deletion_cut_short_is_there_or_not(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        for snapshots in [false, true] {
            let mut points = ctx.points(fault);
            while let Some(dying) = points.next().await? {
                let directory = format!("{}-{snapshots}", directory(fault, points.at()));
                let when = format!("after {fault:?} {}, a snapshot: {snapshots}", points.at());
                let store = open_in(ctx.storage(), &directory).await?;
                let first = volume(&store).await?;
                first.put("a", "x").await?;
                let done = match open_in(&dying, &directory).await {
                    Ok(dying) => match volume(&dying).await {
                        Ok(dying) if snapshots => dying.snapshot("label").await.is_ok(),
                        Ok(dying) => dying.delete("a").await.is_ok(),
                        Err(_) => false,
                    },
                    Err(_) => false,
                };
                first.refresh().await?;
                if snapshots {
                    let there = first.read_snapshot("label").await?;
                    ensure!(there.is_some() || !done, "what was acknowledged {when}");
                    first.snapshot("label").await?;
                    let there = first.read_snapshot("label").await?.ok_or("it is there")?;
                    ensure_eq!(there.entries().len(), 1, "done again {when}");
                } else {
                    ensure!(
                        first.entry("a").is_none() || !done,
                        "what was acknowledged {when}"
                    );
                    first.delete("a").await?;
                    ensure_eq!(first.entry("a"), None, "done again {when}");
                }
                ensure!(
                    store.verify_all(Repair::Nothing).await?.is_sound(),
                    "damage {when}"
                );
            }
        }
    }
    Ok(())
}

async fn a_collection_cut_short_is_finished_by_the_next(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let directory = directory(fault, points.at());
            let when = format!("after {fault:?} {}", points.at());
            let store = open_in(ctx.storage(), &directory).await?;
            let first = volume(&store).await?;
            first.put("a", "named").await?;
            for at in 0..3 {
                store.blocks().put(format!("unnamed {at}")).await?;
            }
            ctx.clock().advance_wall(DAY + DAY);
            if let Ok(dying) = open_in(&dying, &directory).await {
                drop(dying.collect(Keep::Current, DAY).await);
            }
            ensure_eq!(
                first.get("a").await?.as_deref(),
                Some(&b"named"[..]),
                "the root {when}"
            );
            store.collect(Keep::Current, DAY).await?;
            ensure_eq!(store.blocks().list().await?.len(), 1, "what is left {when}");
            ensure_eq!(
                first.get("a").await?.as_deref(),
                Some(&b"named"[..]),
                "the root {when}"
            );
        }
        ensure!(
            points.at() > 6,
            "a collection makes more than {} calls",
            points.at()
        );
    }
    Ok(())
}

async fn a_quarantine_cut_short_destroys_nothing(ctx: &Ctx) -> Verdict {
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let directory = directory(fault, points.at());
            let when = format!("after {fault:?} {}", points.at());
            let store = open_in(ctx.storage(), &directory).await?;
            let hash = store.blocks().put("abc").await?;
            let key = format!("{directory}/blocks/{hash}.bin");
            let damaged = flip(ctx.storage(), &key).await?;
            if let Ok(dying) = open_in(&dying, &directory).await {
                ensure!(
                    dying.blocks().get(&hash).await.is_err(),
                    "it was handed out {when}"
                );
            }
            let mut places = keys(ctx.storage(), &format!("{directory}/quarantine/")).await?;
            places.push(key);
            let mut kept = false;
            for place in &places {
                kept |= ctx.storage().objects().read(place).await?.as_deref() == Some(&damaged);
            }
            ensure!(kept, "the damaged bytes are gone {when}");
            store.blocks().put("abc").await?;
            ensure_eq!(
                store.blocks().get(&hash).await?.as_deref(),
                Some(&b"abc"[..]),
                "healed {when}"
            );
            ensure_eq!(
                keys(ctx.storage(), &format!("{directory}/quarantine/"))
                    .await?
                    .len(),
                1,
                "in quarantine {when}"
            );
        }
        ensure!(points.at() > 3, "that makes more than {} calls", points.at());
    }
    Ok(())
}

async fn a_reconciliation_cut_short_is_resumed(ctx: &Ctx) -> Verdict {
    let other = ctx.other_place("-b").await?;
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let directory = directory(fault, points.at());
            let when = format!("after {fault:?} {}", points.at());
            let open = async |storage: &Storage| {
                let replicas = vec![
                    Replica::durable("a", storage.clone()),
                    Replica::durable("b", other.clone()),
                ];
                VolumeStore::open_replicas(replicas, options().directory(&directory)).await
            };
            // Each has something the other lacks, and one block of the first is damaged.
            let here = open_in(ctx.storage(), &directory).await?;
            let there = open_in(&other, &directory).await?;
            let first = volume(&here).await?;
            first.put("a", "here").await?;
            let damaged = here.blocks().put("damaged here").await?;
            flip(ctx.storage(), &format!("{directory}/blocks/{damaged}.bin")).await?;
            there
                .channel_of(super::sample::other_key())
                .append("there")
                .await?;
            there.blocks().put("block there").await?;
            if let Ok(dying) = open(&dying).await {
                drop(dying.reconcile().await);
            }
            let report = there.verify_all(Repair::Nothing).await?;
            ensure!(report.is_sound(), "what arrived is damaged {when}: {report:?}");
            let both = open(ctx.storage()).await?;
            both.reconcile().await?;
            let report = both.reconcile().await?;
            ensure_eq!(report.copied, 0, "nothing is missing {when}: {report:?}");
            ensure!(!there.blocks().has(&damaged).await?, "damage was spread {when}");
            let arrived = volume(&there).await?;
            ensure_eq!(
                contents(&arrived).await?,
                [("a".to_owned(), "here".to_owned())],
                "the volume there {when}"
            );
            ensure_eq!(here.channels().await?.len(), 2, "the channels here {when}");
        }
        ensure!(
            points.at() > 8,
            "a reconciliation makes more than {} calls",
            points.at()
        );
    }
    Ok(())
}

async fn a_stream_cut_short_leaves_no_block(ctx: &Ctx) -> Verdict {
    let content = bytes::Bytes::from(ctx.random().bytes(1024 * 1024 + 100));
    let stream = || futures::stream::iter(content.chunks(600_000).map(|piece| Ok(content.slice_ref(piece))));
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let directory = directory(fault, points.at());
            let when = format!("after {fault:?} {}", points.at());
            let put = match open_in(&dying, &directory).await {
                Ok(dying) => dying.blocks().put_stream(stream()).await.ok(),
                Err(_) => None,
            };
            let store = open_in(ctx.storage(), &directory).await?;
            ensure!(
                store.verify_all(Repair::Nothing).await?.is_sound(),
                "damage {when}"
            );
            if let Some(hash) = put {
                ensure!(
                    store.blocks().get(&hash).await? == Some(content.clone()),
                    "acknowledged {when}"
                );
            }
            let hash = store.blocks().put_stream(stream()).await?;
            ensure!(
                store.blocks().get(&hash).await? == Some(content.clone()),
                "done again {when}"
            );
            if ctx.has(Capability::DeleteIf) {
                ctx.clock().advance_wall(DAY + DAY);
                let mut roots = store.blocks().roots();
                roots.keep(hash);
                store.blocks().gc(&roots, DAY).await?;
                let left = keys(ctx.storage(), &format!("{directory}/staging/")).await?;
                ensure_eq!(left, Vec::<String>::new(), "what is left {when}");
            }
        }
        ensure!(points.at() > 4, "that makes more than {} calls", points.at());
    }
    Ok(())
}
