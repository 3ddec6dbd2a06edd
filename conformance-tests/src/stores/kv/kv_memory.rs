//! The two levels: what memory gives, and when writes are stored.

use std::time::Duration;

use futures::future::join_all;
use storage_core::ErrorKind;
use storage_stores::kv::SetOptions;

use super::sample::{large, open, open_with, options, put, text};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { kv_memory:
    smoke [Documents, Indexes] a_hit_asks_nobody = "a value in memory is given without a call to the backend, as JSON, bytes, shared and by has";
    standard [Documents, Indexes] own_writes_are_seen_at_once = "what this handle or a clone of it writes, deletes or touches is what it reads next";
    standard [Documents, Indexes] others_writes_are_seen_within_the_bound = "what another handle wrote, deleted or let expire is seen once the bound on staleness has passed, and an unchanged value is not read again";
    standard [Documents, Indexes] readers_of_one_key_share_one_read = "many who read a missing value at once cost the reads of one";
    standard [Documents, Indexes] memory_keeps_within_its_limit = "more values than fit leave the limit kept and every one of them readable";
    standard [Documents, Indexes] without_memory_everything_is_read = "with a limit of 0 nothing is kept";
    standard [Documents, Indexes] a_write_beside_slow_readers_is_not_undone = "readers beside writers never see an older value after a newer one";
    standard [Documents, Indexes] written_back_values_are_seen_before_they_are_stored = "with write-back a value is read at once, another handle sees it after a flush, and close stores the rest";
    standard [Documents, Indexes] writing_back_keeps_the_order_of_a_key = "with write-back the last value set is the one stored, also beside deletions and locks";
    standard [Documents, Indexes] what_cannot_be_written_back_is_told = "with write-back a value that cannot be stored fails the flush, names the key, waits on, and the others are stored";
    standard [Documents, Indexes] values_are_written_back_by_themselves = "with write-back a value is stored after the time said, without a flush";
}

const HOUR: Duration = Duration::from_secs(3600);

async fn a_hit_asks_nobody(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().staleness(HOUR)).await?;
    kv.set("k", &7).await?;
    put(&kv, "large", &large('x')).await?;
    let before = ctx.storage().counters().calls;
    for _ in 0..10 {
        ensure_eq!(kv.get("k").await?, Some(7), "the value");
        ensure_eq!(
            kv.get_shared::<i64>("k").await?.as_deref(),
            Some(&7),
            "the shared value"
        );
        ensure_eq!(text(&kv, "large").await?, Some(large('x')), "the bytes");
        ensure!(kv.has("k").await?, "has");
    }
    ensure_eq!(ctx.storage().counters().calls, before, "calls");
    let one = kv.get_shared::<i64>("k").await?.ok_or("it is there")?;
    let two = kv.get_shared::<i64>("k").await?.ok_or("it is there")?;
    ensure!(std::sync::Arc::ptr_eq(&one, &two), "it was parsed twice");
    Ok(())
}

async fn own_writes_are_seen_at_once(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().staleness(HOUR)).await?;
    let clone = kv.clone();
    for number in 0..5 {
        kv.set("k", &number).await?;
        ensure_eq!(clone.get("k").await?, Some(number), "by the clone");
        clone.set("k", &(number + 100)).await?;
        ensure_eq!(kv.get("k").await?, Some(number + 100), "of the clone");
    }
    clone.touch("k", Duration::from_secs(1)).await?;
    ctx.clock().advance_wall(Duration::from_secs(1));
    ensure_eq!(kv.get::<i64>("k").await?, None, "what was touched has expired");
    kv.set("k", &1).await?;
    clone.delete("k").await?;
    ensure_eq!(kv.get::<i64>("k").await?, None, "what was deleted");
    Ok(())
}

async fn others_writes_are_seen_within_the_bound(ctx: &Ctx) -> Verdict {
    let bound = Duration::from_secs(10);
    let options = options().staleness(bound);
    let storage = ctx.second().await?;
    let (one, two) = (
        open_with(ctx.storage(), options.clone()).await?,
        open_with(&storage, options).await?,
    );
    put(&one, "k", &large('a')).await?;
    ensure_eq!(text(&two, "k").await?, Some(large('a')), "the first value");
    put(&one, "k", &large('b')).await?;
    ctx.clock().advance_wall(bound);
    ensure_eq!(
        text(&two, "k").await?,
        Some(large('b')),
        "the second, once the bound has passed"
    );
    ctx.clock().advance_wall(bound);
    let before = storage.counters().calls;
    ensure_eq!(text(&two, "k").await?, Some(large('b')), "looked at again");
    ensure_eq!(
        storage.counters().calls - before,
        1,
        "calls for a value that did not change"
    );
    one.delete("k").await?;
    ctx.clock().advance_wall(bound);
    ensure_eq!(
        text(&two, "k").await?,
        None,
        "the deletion, once the bound has passed"
    );
    Ok(())
}

async fn readers_of_one_key_share_one_read(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "k", &large('x')).await?;
    let storage = ctx.second().await?;
    let kv = open_with(&storage, options().staleness(HOUR)).await?;
    let before = storage.counters().calls;
    for value in join_all((0..20).map(|_| text(&kv, "k"))).await {
        ensure_eq!(value?, Some(large('x')), "what each of them got");
    }
    ensure_eq!(storage.counters().calls - before, 2, "a document and an object");
    Ok(())
}

async fn memory_keeps_within_its_limit(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().staleness(HOUR).memory_limit(20_000)).await?;
    for number in 0..60 {
        put(&kv, &number.to_string(), &large('x')).await?;
        let stats = kv.stats().await?;
        ensure!(
            stats.memory_bytes <= 20_000,
            "{} bytes are kept",
            stats.memory_bytes
        );
    }
    let stats = kv.stats().await?;
    ensure!(
        stats.memory_entries >= 5,
        "only {} values are kept",
        stats.memory_entries
    );
    for number in 0..60 {
        ensure_eq!(
            text(&kv, &number.to_string()).await?,
            Some(large('x')),
            "value {number}"
        );
    }
    put(&kv, "huge", &"y".repeat(30_000)).await?;
    ensure!(
        kv.stats().await?.memory_bytes <= 20_000,
        "a value larger than all of it is kept"
    );
    ensure_eq!(text(&kv, "huge").await?, Some("y".repeat(30_000)), "it");
    Ok(())
}

async fn without_memory_everything_is_read(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().memory_limit(0).staleness(HOUR)).await?;
    let other = open(&ctx.second().await?).await?;
    kv.set("k", &1).await?;
    ensure_eq!(kv.get("k").await?, Some(1), "the value");
    other.set("k", &2).await?;
    ensure_eq!(kv.get("k").await?, Some(2), "what another wrote, at once");
    let stats = kv.stats().await?;
    ensure_eq!(
        (stats.memory_entries, stats.memory_bytes, stats.hits),
        (0, 0, 0),
        "memory"
    );
    Ok(())
}

async fn a_write_beside_slow_readers_is_not_undone(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().staleness(HOUR)).await?;
    kv.set("k", &0).await?;
    let writer = async {
        for number in 1..=30 {
            kv.set("k", &number).await?;
        }
        Ok::<_, storage_core::Error>(())
    };
    let reader = async || {
        let mut last = 0;
        while last < 30 {
            let seen: i64 = kv.get("k").await?.unwrap_or(-1);
            if seen < last {
                return Err(crate::case::Failure::new(format!("{seen} after {last}")));
            }
            last = seen;
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let (written, one, two) = futures::join!(writer, reader(), reader());
    written?;
    one.and(two)
}

async fn written_back_values_are_seen_before_they_are_stored(ctx: &Ctx) -> Verdict {
    let lazy = open_with(ctx.storage(), options().write_back(HOUR)).await?;
    let other = open(&ctx.second().await?).await?;
    lazy.set("k", &1).await?;
    put(&lazy, "large", &large('x')).await?;
    ensure_eq!(lazy.get("k").await?, Some(1), "its own value");
    ensure!(
        lazy.has("large").await? && lazy.exists("large").await?,
        "it is there"
    );
    ensure_eq!(lazy.stats().await?.waiting, 2, "what waits");
    ensure_eq!(other.get::<i64>("k").await?, None, "the other handle, before");
    lazy.flush().await?;
    ensure_eq!(
        (lazy.stats().await?.waiting, lazy.get("k").await?),
        (0, Some(1)),
        "once flushed"
    );
    ensure_eq!(other.get("k").await?, Some(1), "the other handle, after");
    ensure_eq!(text(&other, "large").await?, Some(large('x')), "a large value");
    lazy.set("late", &2).await?;
    lazy.set_with("brief", &3, SetOptions::new().ttl(Duration::from_secs(1)))
        .await?;
    ctx.clock().advance_wall(Duration::from_secs(1));
    ensure_eq!(
        lazy.get::<i64>("brief").await?,
        None,
        "what expired while it waited"
    );
    ensure_eq!(
        lazy.keys("").await?,
        ["k", "large", "late"],
        "listing stores first"
    );
    lazy.set("last", &4).await?;
    lazy.close().await?;
    ensure_eq!(other.get("last").await?, Some(4), "what close stored");
    Ok(())
}

async fn writing_back_keeps_the_order_of_a_key(ctx: &Ctx) -> Verdict {
    let lazy = open_with(ctx.storage(), options().write_back(HOUR)).await?;
    let other = open(&ctx.second().await?).await?;
    for number in 0..10 {
        lazy.set("k", &number).await?;
    }
    let (flushed, set) = futures::join!(lazy.flush(), lazy.set("k", &10));
    flushed.and(set)?;
    lazy.flush().await?;
    ensure_eq!(other.get("k").await?, Some(10), "the last one");
    lazy.set("k", &11).await?;
    ensure!(lazy.delete("k").await?, "it was there");
    ensure_eq!(lazy.get::<i64>("k").await?, None, "deleted");
    lazy.flush().await?;
    ensure_eq!(other.get::<i64>("k").await?, None, "deleted for others");
    lazy.set("k", &12).await?;
    lazy.lock("k", |entry| async move {
        let value: i64 = entry.get().await?.unwrap_or(0);
        entry.set(&(value + 1)).await
    })
    .await?;
    ensure_eq!(
        (lazy.get("k").await?, other.get("k").await?),
        (Some(13), Some(13)),
        "under the lock"
    );
    ensure!(
        lazy.set_with("k", &1, SetOptions::new().if_absent())
            .await
            .is_err(),
        "something is there"
    );
    Ok(())
}

async fn what_cannot_be_written_back_is_told(ctx: &Ctx) -> Verdict {
    let lazy = open_with(ctx.storage(), options().write_back(HOUR).size_limit(1000)).await?;
    let filling = open_with(ctx.storage(), options()).await?;
    put(&filling, "full", &"x".repeat(900)).await?;
    filling.finish().await?;
    put(&lazy, "a", &"x".repeat(500)).await?;
    lazy.set("b", &1).await?;
    let error = crate::case::check_kind(lazy.flush().await, ErrorKind::LimitExceeded)?;
    ensure_eq!(error.key(), Some("a"), "the error names the key");
    ensure_eq!(filling.get("b").await?, Some(1), "the other one is stored");
    ensure_eq!(text(&lazy, "a").await?, Some("x".repeat(500)), "it waits on");
    filling.delete("full").await?;
    filling.finish().await?;
    lazy.flush().await?;
    ensure_eq!(
        text(&filling, "a").await?,
        Some("x".repeat(500)),
        "once there is room"
    );
    ensure_kind!(
        lazy.set("", &1).await,
        ErrorKind::InvalidName,
        "what could never be is refused at once"
    );
    Ok(())
}

async fn values_are_written_back_by_themselves(ctx: &Ctx) -> Verdict {
    let lazy = open_with(ctx.storage(), options().write_back(Duration::from_millis(5))).await?;
    let other = open(&ctx.second().await?).await?;
    lazy.set("k", &1).await?;
    for _ in 0..2000 {
        if other.get("k").await? == Some(1) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err("it was never stored".into())
}
