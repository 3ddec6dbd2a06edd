//! Locks and holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use storage_core::{Error, ErrorKind};
use storage_stores::kv::SetOptions;
use tokio::sync::{Mutex, Notify};

use super::sample::{large, open, open_with, options, put, text};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { kv_lock:
    smoke [Documents, Indexes] read_modify_write_loses_nothing = "many increments under the lock, over two handles, are all counted";
    standard [Documents, Indexes] the_holder_does_not_wait_for_itself = "inside the lock the entry and the store read and write the key without waiting";
    standard [Documents, Indexes] an_error_or_a_panic_inside_lets_go = "work that fails, panics or is dropped lets go of the lock at once";
    standard [Documents, Indexes] callers_get_their_turn_in_the_order_they_came = "in one process the lock is handed on first come, first served";
    standard [Documents, Indexes] three_readers_behind_a_writer_all_wake = "readers who wait behind a writer for the lock, or for the value itself, all get it";
    standard [Documents, Indexes] waiting_ends_with_the_timeout = "a lock that is not to be had is Timeout naming the lease, and the next caller is not hindered";
    standard [Documents, Indexes] a_lock_that_was_lost_writes_nothing = "a holder whose lease was taken away is refused, also one that kept the entry beyond its work";
    standard [Documents, Indexes] other_keys_are_free = "a lock keeps nobody from another key";
    standard [Documents, Indexes] a_hold_ends_by_itself_and_by_release = "a hold counts one, is renewed, ends by release, by dropping and by its time, and is none for what is absent";
    standard [Documents, Indexes] a_hold_survives_an_overwrite = "overwriting a held entry keeps the hold, and deleting it is allowed";
}

const SECOND: Duration = Duration::from_secs(1);
/// Long beside what a call takes on a slow server.
const MINUTE: Duration = Duration::from_secs(60);

async fn read_modify_write_loses_nothing(ctx: &Ctx) -> Verdict {
    let handles = [open(ctx.storage()).await?, open(&ctx.second().await?).await?];
    let increments = (0..10).map(|caller| {
        let kv = &handles[caller % 2];
        kv.lock("count", |entry| async move {
            let count = entry.get::<u32>().await?.unwrap_or(0);
            entry.set(&(count + 1)).await
        })
    });
    for done in join_all(increments).await {
        done?;
    }
    ensure_eq!(handles[0].get("count").await?, Some(10), "the count");
    Ok(())
}

async fn the_holder_does_not_wait_for_itself(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("k", &1).await?;
    let inside = kv.clone();
    let value = kv
        .lock("k", |entry| async move {
            let beside: Option<i64> = inside.get("k").await?;
            inside.set("k", &(beside.unwrap_or(0) + 1)).await?;
            let value: i64 = entry.get().await?.unwrap_or(0);
            entry
                .set_with(&(value + 1), SetOptions::new().permanent())
                .await?;
            entry.set_raw(large('x'), SetOptions::new()).await?;
            let bytes = entry.get_raw().await?;
            entry.delete().await?;
            entry.set(&value).await?;
            Ok((value, bytes.map(|bytes| bytes.len())))
        })
        .await?;
    ensure_eq!(value, (2, Some(1000)), "what was read inside");
    ensure_eq!(kv.get("k").await?, Some(2), "the value after it");
    Ok(())
}

async fn an_error_or_a_panic_inside_lets_go(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let failed = kv
        .lock("k", |_| async {
            Err::<(), _>(Error::new(ErrorKind::Conflict, "the work fails"))
        })
        .await;
    ensure_kind!(failed, ErrorKind::Conflict, "the work's own error");
    let panicking = kv.clone();
    let panicked = tokio::spawn(async move {
        let work = panicking.lock::<(), _>("k", |_| async { std::panic::panic_any("the work panics") });
        // The message is of no use to anybody.
        std::panic::AssertUnwindSafe(work).catch_unwind().await.is_err()
    });
    ensure!(panicked.await.unwrap_or(true), "the work panicked");
    let endless = kv.lock::<(), _>("k", |_| std::future::pending());
    ensure!(
        tokio::time::timeout(Duration::from_millis(200), endless)
            .await
            .is_err(),
        "the work never ends"
    );
    let second = open(&ctx.second().await?).await?;
    for kv in [&kv, &second] {
        let free = kv.lock("k", |_| async { Ok(7) });
        ensure_eq!(
            tokio::time::timeout(5 * SECOND, free)
                .await
                .map_err(|_| "the lock is not free")??,
            7,
            "the lock"
        );
    }
    Ok(())
}

async fn callers_get_their_turn_in_the_order_they_came(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let order = Arc::new(Mutex::new(Vec::new()));
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = {
        let (kv, begun, go) = (kv.clone(), Arc::clone(&begun), Arc::clone(&go));
        tokio::spawn(async move {
            kv.lock("k", |_| async move {
                begun.notify_one();
                go.notified().await;
                Ok(())
            })
            .await
        })
    };
    begun.notified().await;
    // Polled once each, in this order, before the first lets go.
    let mut waiting: Vec<_> = (0..5)
        .map(|caller| {
            let order = Arc::clone(&order);
            let kv = kv.clone();
            Box::pin(async move {
                kv.lock("k", |_| async move {
                    order.lock().await.push(caller);
                    Ok(())
                })
                .await
            })
        })
        .collect();
    for waiter in &mut waiting {
        ensure!(waiter.as_mut().now_or_never().is_none(), "the lock is held");
    }
    go.notify_one();
    for done in join_all(waiting).await {
        done?;
    }
    first.await.map_err(|_| "the first caller panicked")??;
    ensure_eq!(*order.lock().await, [0, 1, 2, 3, 4], "the order");
    Ok(())
}

async fn three_readers_behind_a_writer_all_wake(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("k", &1).await?;
    let awake = Arc::new(AtomicU32::new(0));
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let writer = {
        let (kv, begun, go) = (kv.clone(), Arc::clone(&begun), Arc::clone(&go));
        tokio::spawn(async move {
            kv.lock("k", |entry| async move {
                begun.notify_one();
                go.notified().await;
                entry.set(&2).await
            })
            .await
        })
    };
    begun.notified().await;
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (kv, awake) = (kv.clone(), Arc::clone(&awake));
            tokio::spawn(async move {
                let value = kv
                    .lock("k", |entry| async move { entry.get::<i64>().await })
                    .await;
                awake.fetch_add(1, Ordering::SeqCst);
                value
            })
        })
        .collect();
    go.notify_one();
    writer.await.map_err(|_| "the writer panicked")??;
    for reader in readers {
        let value = tokio::time::timeout(10 * SECOND, reader).await;
        let value = value
            .map_err(|_| "a reader never woke")?
            .map_err(|_| "a reader panicked")??;
        ensure_eq!(value, Some(2), "what a reader behind the writer sees");
    }
    ensure_eq!(awake.load(Ordering::SeqCst), 3, "readers awake");
    let reads = (0..3).map(|_| kv.get::<i64>("k"));
    for read in join_all(reads).await {
        ensure_eq!(read?, Some(2), "a reader without the lock");
    }
    Ok(())
}

async fn waiting_ends_with_the_timeout(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let impatient = open_with(
        &ctx.second().await?,
        options().lock_timeout(Duration::from_millis(100)),
    )
    .await?;
    let brief = impatient.clone();
    kv.lock("k", |_| async move {
        let refused = brief.lock("k", |_| async { Ok(()) }).await;
        match refused {
            Err(error)
                if error.kind() == ErrorKind::Timeout && error.to_string().contains("kv/default/k") =>
            {
                Ok(())
            }
            other => Err(Error::new(
                ErrorKind::Internal,
                format!("expected a timeout, got {other:?}"),
            )),
        }
    })
    .await?;
    impatient.lock("k", |_| async { Ok(()) }).await?;
    Ok(())
}

async fn a_lock_that_was_lost_writes_nothing(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("k", &1).await?;
    let (storage, clock) = (ctx.storage().clone(), ctx.clock());
    let kept = kv
        .lock("k", |entry| async move {
            storage.break_lease("kv/default/k").await?;
            clock.advance_elapsed(Duration::from_secs(11));
            let refused = entry.set(&2).await;
            match refused {
                Err(error) if error.kind() == ErrorKind::LeaseLost => Ok(entry),
                other => Err(Error::new(
                    ErrorKind::Internal,
                    format!("expected LeaseLost, got {other:?}"),
                )),
            }
        })
        .await?;
    ensure_kind!(
        kept.set(&3).await,
        ErrorKind::LeaseLost,
        "an entry kept beyond the work"
    );
    ensure_kind!(kept.delete().await, ErrorKind::LeaseLost, "deleting through it");
    let kept = kv.lock("other", |entry| async move { Ok(entry) }).await?;
    ensure_kind!(
        kept.set(&3).await,
        ErrorKind::LeaseLost,
        "an entry kept beyond work that was done"
    );
    ensure_eq!(kv.get("k").await?, Some(1), "the value");
    Ok(())
}

async fn other_keys_are_free(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let inside = kv.clone();
    kv.lock("a", |_| async move {
        inside.lock("b", |entry| async move { entry.set(&1).await }).await
    })
    .await?;
    ensure_eq!(kv.get("b").await?, Some(1), "the other key");
    Ok(())
}

async fn a_hold_ends_by_itself_and_by_release(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    ensure!(kv.hold("k", MINUTE).await?.is_none(), "nothing is there to hold");
    put(&kv, "k", "x").await?;
    let mut one = kv.hold("k", 10 * MINUTE).await?.ok_or("it is there")?;
    let two = kv.hold("k", 10 * MINUTE).await?.ok_or("it is there")?;
    let holds = async || Ok::<_, Error>(kv.info("k").await?.map(|info| info.holds));
    ensure_eq!(holds().await?, Some(2), "holds");
    two.release().await?;
    ensure_eq!(holds().await?, Some(1), "holds once one is released");
    ctx.clock().advance_wall(9 * MINUTE);
    ensure!(one.renew(10 * MINUTE).await?, "it holds still");
    ctx.clock().advance_wall(9 * MINUTE);
    ensure_eq!(holds().await?, Some(1), "holds once it is renewed");
    ctx.clock().advance_wall(MINUTE);
    ensure_eq!(holds().await?, Some(0), "holds once its time is over");
    ensure!(!one.renew(MINUTE).await?, "what is over is not renewed");
    drop(kv.hold("k", 1000 * MINUTE).await?);
    for _ in 0..1000 {
        if holds().await? == Some(0) {
            return Ok(());
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err("a hold that was dropped stays".into())
}

async fn a_hold_survives_an_overwrite(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "k", "x").await?;
    let _hold = kv.hold("k", MINUTE).await?.ok_or("it is there")?;
    put(&kv, "k", &large('y')).await?;
    ensure_eq!(kv.info("k").await?.map(|info| info.holds), Some(1), "holds");
    kv.clear(true).await?;
    ensure_eq!(text(&kv, "k").await?, Some(large('y')), "it is held");
    ensure!(kv.delete("k").await?, "deleting it is allowed");
    ensure_eq!(text(&kv, "k").await?, None, "it is gone");
    Ok(())
}
