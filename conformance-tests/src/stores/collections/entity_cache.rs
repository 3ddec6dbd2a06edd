//! The cache of entities: what it may give, and when it must look.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use futures::future::FutureExt;
use storage_core::bson::doc;
use storage_core::{Error, PutOptions};
use storage_stores::collections::{Entities, EntityOptions};

use super::sample::{Note, note, notes, there, uncached};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::cases::sample::in_parallel;
use crate::context::Ctx;

cases! { entity_cache:
    smoke [Documents] hits_and_misses_are_counted = "a read of what is cached asks nobody; size, hits and misses are told";
    standard [Documents] own_writes_are_seen_at_once = "after a write through an Entities or a clone, every read through them gives the new state";
    standard [Documents] a_strangers_write_is_seen_within_the_ttl = "another client's write is seen once cache_ttl has passed";
    standard [Documents] without_a_cache_every_read_looks = "with cache_enabled false, or no time or room, another client's write is seen at once";
    standard [Documents] clearing_looks_again = "after clear_cache the next read looks, and the size is 0";
    standard [Documents] the_cache_is_bounded = "no more than max_cache_size entities are kept";
    standard [Documents] what_is_not_there_is_not_cached = "an id that was not there is seen as soon as somebody creates it";
    standard [Documents] concurrent_misses_read_once = "twenty reads of one entity that is not cached ask the medium once";
    standard [Documents] a_read_during_a_write_is_not_kept_beyond_it = "whoever reads between two steps of a write, the cache gives the new state after it";
    standard [Documents] reads_never_step_back = "beside a writer, readers through the same cache never see less than what was acknowledged, nor less than before";
    standard [Watch] what_was_told_is_not_cached = "who reads an entity after another client's change of it was told sees it, whatever the cache held";
    standard [Documents, Expiry] what_expired_is_not_given = "a document that expires is gone from the cache at once";
}

fn cached(ctx: &Ctx, options: EntityOptions) -> Entities<Note> {
    Entities::with_options(ctx.storage().clone(), options)
}

async fn what_was_told_is_not_cached(ctx: &Ctx) -> Verdict {
    let (notes, other) = (cached(ctx, EntityOptions::new()), uncached(&ctx.second().await?));
    let stored = notes.create(note("0")).await?;
    let mut changes = notes.watch().await?;
    for n in 1..6 {
        ensure_eq!(
            there(notes.get_by_id(&stored.id).await?)?.n,
            n - 1,
            "what is cached"
        );
        other.update(&stored.id, |note| note.n = n).await?;
        let change = changes.next().await.ok_or("it goes on")??;
        ensure_eq!(change.id, stored.id, "what was changed");
        ensure_eq!(
            there(notes.get_by_id(&change.id).await?)?.n,
            n,
            "what is read then"
        );
    }
    other.delete(&stored.id).await?;
    let change = changes.next().await.ok_or("it goes on")??;
    let mut again = notes.watch_after(&change.position).await?;
    ensure!(notes.get_by_id(&change.id).await?.is_none(), "a deleted entity");
    let created = other.create(note("new")).await?;
    ensure_eq!(
        again.next().await.ok_or("it goes on")??.id,
        created.id,
        "the next change"
    );
    Ok(())
}

async fn hits_and_misses_are_counted(ctx: &Ctx) -> Verdict {
    let stored = uncached(&ctx.second().await?).create(note("a")).await?;
    let notes = notes(ctx.storage());
    let stats = notes.cache_stats().await;
    ensure_eq!(
        (stats.size, stats.hits, stats.misses),
        (0, 0, 0),
        "the figures of a new one"
    );
    ensure_eq!(
        (stats.max_size, stats.ttl, stats.enabled),
        (100, Duration::from_secs(300), true),
        "its options"
    );
    ensure_eq!(there(notes.get_by_id(&stored.id).await?)?, stored, "a miss");
    let calls = ctx.storage().counters().calls;
    for _ in 0..3 {
        ensure_eq!(there(notes.get_by_id(&stored.id).await?)?, stored, "a hit");
    }
    ensure_eq!(ctx.storage().counters().calls, calls, "calls of the storage");
    let stats = notes.cache_stats().await;
    ensure_eq!(
        (stats.size, stats.hits, stats.misses),
        (1, 3, 1),
        "the figures then"
    );
    Ok(())
}

async fn own_writes_are_seen_at_once(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let clone = notes.clone();
    let stored = notes.create(note("0")).await?;
    for n in 1..6 {
        let updated = there(notes.update(&stored.id, |note| note.n = n).await?)?;
        let calls = ctx.storage().counters().calls;
        ensure_eq!(
            there(clone.get_by_id(&stored.id).await?)?,
            updated,
            "after an update"
        );
        ensure_eq!(
            ctx.storage().counters().calls,
            calls,
            "what was written is cached"
        );
        let mut replaced = updated;
        replaced.text = n.to_string();
        clone.replace(&mut replaced).await?;
        ensure_eq!(
            there(notes.get_by_id(&stored.id).await?)?,
            replaced,
            "after a replacement"
        );
    }
    clone.delete(&stored.id).await?;
    ensure_eq!(notes.get_by_id(&stored.id).await?, None, "after a delete");
    let again = notes.create_with_id(&stored.id, note("again")).await?;
    ensure_eq!(
        there(clone.get_by_id(&stored.id).await?)?,
        again,
        "after it came back"
    );
    Ok(())
}

async fn a_strangers_write_is_seen_within_the_ttl(ctx: &Ctx) -> Verdict {
    let ttl = Duration::from_secs(60);
    let notes = cached(ctx, EntityOptions::new().cache_ttl(ttl));
    let stored = notes.create(note("a")).await?;
    notes.get_by_id(&stored.id).await?;
    let second = uncached(&ctx.second().await?);
    let updated = there(second.update(&stored.id, |note| note.n = 7).await?)?;
    let seen = there(notes.get_by_id(&stored.id).await?)?;
    ensure!(
        seen == stored || seen == updated,
        "one of the two states, not {seen:?}"
    );
    ctx.clock().advance(ttl);
    ensure_eq!(
        there(notes.get_by_id(&stored.id).await?)?,
        updated,
        "after the time to live"
    );
    second.delete(&stored.id).await?;
    ctx.clock().advance(ttl);
    ensure_eq!(
        notes.get_by_id(&stored.id).await?,
        None,
        "after a delete and the time to live"
    );
    Ok(())
}

async fn without_a_cache_every_read_looks(ctx: &Ctx) -> Verdict {
    let second = uncached(&ctx.second().await?);
    for options in [
        EntityOptions::new().cache_enabled(false),
        EntityOptions::new().cache_ttl(Duration::ZERO),
        EntityOptions::new().max_cache_size(0),
    ] {
        let notes = cached(ctx, options);
        let stored = notes.create(note("a")).await?;
        notes.get_by_id(&stored.id).await?;
        let updated = there(second.update(&stored.id, |note| note.n = 7).await?)?;
        ensure_eq!(there(notes.get_by_id(&stored.id).await?)?, updated, "at once");
        let stats = notes.cache_stats().await;
        ensure_eq!(
            (stats.enabled, stats.size, stats.hits),
            (false, 0, 0),
            "its figures"
        );
    }
    Ok(())
}

async fn clearing_looks_again(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let stored = notes.create(note("a")).await?;
    notes.get_by_id(&stored.id).await?;
    let second = uncached(&ctx.second().await?);
    let updated = there(second.update(&stored.id, |note| note.n = 7).await?)?;
    notes.clear_cache();
    ensure_eq!(notes.cache_stats().await.size, 0, "the size of a cleared cache");
    ensure_eq!(
        there(notes.get_by_id(&stored.id).await?)?,
        updated,
        "what is read then"
    );
    Ok(())
}

async fn the_cache_is_bounded(ctx: &Ctx) -> Verdict {
    let notes = cached(ctx, EntityOptions::new().max_cache_size(5));
    let mut ids = Vec::new();
    for result in notes.create_many((0..40).map(|n| note(&n.to_string()))).await {
        ids.push(result?.id);
    }
    for (n, id) in ids.iter().enumerate() {
        ensure_eq!(
            there(notes.get_by_id(id).await?)?.text,
            n.to_string(),
            "number {n}"
        );
    }
    let size = notes.cache_stats().await.size;
    ensure!(size <= 5, "{size} are kept");
    Ok(())
}

async fn what_is_not_there_is_not_cached(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    ensure_eq!(notes.get_by_id("a").await?, None, "before");
    let created = uncached(&ctx.second().await?)
        .create_with_id("a", note("a"))
        .await?;
    ensure_eq!(there(notes.get_by_id("a").await?)?, created, "after");
    Ok(())
}

async fn concurrent_misses_read_once(ctx: &Ctx) -> Verdict {
    let stored = uncached(&ctx.second().await?).create(note("a")).await?;
    let notes = notes(ctx.storage());
    let calls = ctx.storage().counters().calls;
    let reads = (0..20).map(|_| {
        let (notes, id) = (notes.clone(), stored.id.clone());
        async move { notes.get_by_id(&id).await }
    });
    for read in in_parallel(reads).await? {
        ensure_eq!(there(read?)?, stored, "what each gets");
    }
    ensure_eq!(
        ctx.storage().counters().calls - calls,
        1,
        "how often the storage was asked"
    );
    Ok(())
}

async fn a_read_during_a_write_is_not_kept_beyond_it(ctx: &Ctx) -> Verdict {
    let reader: Arc<OnceLock<Entities<Note>>> = Arc::default();
    // A new client at each step; the one who reads between is of the same cache as the one who writes.
    let current = Arc::new(std::sync::Mutex::new(reader));
    let reading = Arc::clone(&current);
    let mut points = ctx.overtakings(move || {
        let reader = Arc::clone(&reading.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        async move {
            if let Some(notes) = reader.get() {
                // Whatever it sees is right at that time; it may have to wait for the read it comes between.
                let _ = tokio::time::timeout(Duration::from_millis(50), notes.get_by_id("a")).await;
            }
        }
        .boxed()
    });
    let looking = uncached(ctx.storage());
    looking.create_with_id("a", note("a")).await?;
    loop {
        let reader: Arc<OnceLock<Entities<Note>>> = Arc::default();
        *current.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::clone(&reader);
        let Some(storage) = points.next().await? else {
            break;
        };
        let notes = notes(&storage);
        let _ = reader.set(notes.clone());
        let updated = there(notes.update("a", |note| note.n += 1).await?)?;
        ensure_eq!(there(notes.get_by_id("a").await?)?, updated, "after the update");
        notes.delete("a").await?;
        ensure_eq!(notes.get_by_id("a").await?, None, "after the delete");
        let created = notes.create_with_id("a", note("b")).await?;
        ensure_eq!(there(notes.get_by_id("a").await?)?, created, "after the create");
    }
    ensure!(points.at() > 3, "somebody came between");
    Ok(())
}

async fn reads_never_step_back(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let id = notes.create(note("a")).await?.id;
    let acknowledged = Arc::new(AtomicI64::new(0));
    let rounds = 60;
    let readers = (0..4).map(|_| {
        let (notes, id, acknowledged) = (notes.clone(), id.clone(), Arc::clone(&acknowledged));
        async move {
            let mut last = 0;
            while last < rounds {
                let least = acknowledged.load(Ordering::SeqCst).max(last);
                let seen = notes.get_by_id(&id).await?.map_or(-1, |note| note.n);
                if seen < least {
                    return Ok(Some((seen, least)));
                }
                last = seen;
                tokio::task::yield_now().await;
            }
            Ok::<_, Error>(None)
        }
        .boxed()
    });
    let (writing, writes, id) = (notes.clone(), Arc::clone(&acknowledged), id.clone());
    let writer = async move {
        for n in 1..=rounds {
            writing.update(&id, |note| note.n = n).await?;
            writes.store(n, Ordering::SeqCst);
        }
        Ok(None)
    };
    for outcome in in_parallel(readers.chain([writer.boxed()])).await? {
        if let Some((seen, least)) = outcome? {
            return Err(Failure::new(format!("a reader saw {seen} after {least}")));
        }
    }
    Ok(())
}

async fn what_expired_is_not_given(ctx: &Ctx) -> Verdict {
    let raw = ctx.storage().collection::<storage_core::bson::Document>("notes");
    let expiring = PutOptions::new().ttl(Duration::from_secs(10));
    let document = doc! { "text": "short", "created": 1_i64, "updated": 1_i64 };
    raw.put_with("a", &document, expiring).await?;
    let notes = notes(ctx.storage());
    ensure_eq!(
        there(notes.get_by_id("a").await?)?.text,
        "short",
        "while it lives"
    );
    there(notes.update("a", |note| note.n = 1).await?)?;
    ensure_eq!(
        there(notes.get_by_id("a").await?)?.n,
        1,
        "an update keeps its expiry"
    );
    ctx.clock().advance(Duration::from_secs(10));
    ensure_eq!(notes.get_by_id("a").await?, None, "after its time");
    Ok(())
}
