//! Locks of entities, within a process and across.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage_core::{Applied, Capability, ErrorKind, Storage};
use storage_stores::collections::{Entities, Entity, EntityOptions};

use super::sample::{Note, note, notes, there};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::in_parallel;
use crate::context::Ctx;

cases! { entity_lock:
    smoke [Documents] one_holder_at_a_time = "while a lock is held nobody else gets it, in this process or another; released, the next does at once";
    standard [Documents] waiting_past_the_timeout_is_an_error = "who waits longer than lock_timeout gets Timeout naming the lease, never the lock";
    standard [Documents] holders_never_overlap = "of many that contend through two clients each gets the lock, and never two at once";
    standard [Documents] a_dropped_lock_is_released = "a lock that was dropped is free for others in this process and in another";
    standard [Documents] a_crashed_holder_is_out_after_its_time = "a holder that stopped renewing loses the lock to who waits, and can no longer write through it";
    standard [Documents] a_stuck_holder_is_shown_and_broken = "leases shows who holds a lock; break_lease frees it, and the old holder can no longer write where the backend fences";
    standard [Documents] writes_through_the_lock = "a holder reads, updates and deletes; what somebody without the lock wrote meanwhile is not lost";
    standard [Documents] locks_of_different_entities_are_independent = "another id, another collection, and names that look alike when joined, have locks of their own";
}

fn patient_for(storage: &Storage, timeout: Duration) -> Entities<Note> {
    Entities::with_options(storage.clone(), EntityOptions::new().lock_timeout(timeout))
}

/// Long enough for a busy machine and a far server.
const PATIENT: Duration = Duration::from_secs(100);

async fn one_holder_at_a_time(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let lock = notes(ctx.storage()).lock("a").await?;
    ensure!(lock.is_held(), "it is held");
    ensure_eq!(lock.id().as_str(), "a", "of whom");
    for storage in [ctx.storage(), &second] {
        let tried = patient_for(storage, Duration::from_millis(50)).lock("a").await;
        ensure_kind!(tried, ErrorKind::Timeout, "while it is held");
    }
    lock.release().await?;
    let theirs = notes(&second).lock("a").await?;
    theirs.release().await?;
    notes(ctx.storage()).lock("a").await?.release().await?;
    Ok(())
}

async fn waiting_past_the_timeout_is_an_error(ctx: &Ctx) -> Verdict {
    let notes = patient_for(ctx.storage(), Duration::from_millis(30));
    let lock = notes.lock("a").await?;
    let second = patient_for(&ctx.second().await?, Duration::from_millis(30));
    // The same entities wait in their queue, others for the lease.
    for (waiting, who) in [(notes.clone(), "in this process"), (second, "in another")] {
        let Err(error) = waiting.lock("a").await else {
            return Err(Failure::new(format!("got the lock {who}")));
        };
        ensure_eq!(
            (error.kind(), error.applied()),
            (ErrorKind::Timeout, Applied::No),
            "the error {who}"
        );
        let text = error.to_string();
        ensure!(text.contains("entities/notes/a"), "it names the lease: {text}");
        ensure_eq!(error.key(), Some("notes/a"), "it names the entity");
    }
    ensure!(lock.is_held(), "it is held still");
    Ok(())
}

async fn holders_never_overlap(ctx: &Ctx) -> Verdict {
    let first = patient_for(ctx.storage(), PATIENT);
    let second = patient_for(&ctx.second().await?, PATIENT);
    let (inside, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = (0..10).map(|n| {
        let notes = if n % 2 == 0 { first.clone() } else { second.clone() };
        let (inside, done) = (Arc::clone(&inside), Arc::clone(&done));
        async move {
            let lock = notes.lock("a").await?;
            let others = inside.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            done.fetch_add(1, Ordering::SeqCst);
            lock.release().await?;
            Ok::<_, storage_core::Error>(others)
        }
    });
    for others in in_parallel(work).await? {
        ensure_eq!(others?, 0, "others inside");
    }
    ensure_eq!(done.load(Ordering::SeqCst), 10, "who got it");
    Ok(())
}

async fn a_dropped_lock_is_released(ctx: &Ctx) -> Verdict {
    let notes = patient_for(ctx.storage(), PATIENT);
    drop(notes.lock("a").await?);
    drop(notes.lock("a").await?);
    let second = patient_for(&ctx.second().await?, PATIENT);
    drop(second.lock("a").await?);
    notes.lock("a").await?.release().await?;
    Ok(())
}

async fn a_crashed_holder_is_out_after_its_time(ctx: &Ctx) -> Verdict {
    let (first, second) = (notes(ctx.storage()), ctx.second().await?);
    first.create_with_id("a", note("a")).await?;
    let lock = first.lock("a").await?;
    let hasty = patient_for(&second, Duration::ZERO);
    ensure_kind!(hasty.lock("a").await, ErrorKind::Timeout, "while it is held");
    // It renews by the real clock, every few seconds; by this one it has stopped for longer than its lease lives.
    ctx.clock().advance_elapsed(Duration::from_secs(11));
    ensure!(!lock.is_held(), "its time is over");
    let taken = hasty.lock("a").await?;
    ensure_kind!(
        lock.update(|note| note.text.push_str(" by the old holder")).await,
        ErrorKind::LeaseLost,
        "an update by the old holder"
    );
    ensure_kind!(
        lock.delete().await,
        ErrorKind::LeaseLost,
        "a delete by the old holder"
    );
    ensure_eq!(there(taken.get().await?)?.text, "a", "what is there");
    taken.update(|note| note.n = 1).await?;
    Ok(())
}

async fn a_stuck_holder_is_shown_and_broken(ctx: &Ctx) -> Verdict {
    let (first, second) = (notes(ctx.storage()), ctx.second().await?);
    first.create_with_id("a", note("a")).await?;
    let lock = first.lock("a").await?;
    let shown = second.leases().await?;
    let shown: Vec<_> = shown
        .iter()
        .map(|lease| (lease.name.as_str(), lease.held))
        .collect();
    ensure_eq!(shown, [("entities/notes/a", true)], "what is shown");
    ensure!(second.break_lease("entities/notes/a").await?, "it was held");
    let taken = patient_for(&second, PATIENT).lock("a").await?;
    if ctx.has(Capability::GuardedWrite) {
        ensure_kind!(
            lock.update(|note| note.n = 7).await,
            ErrorKind::LeaseLost,
            "an update by the old holder"
        );
        ensure_kind!(
            lock.delete().await,
            ErrorKind::LeaseLost,
            "a delete by the old holder"
        );
        ensure_eq!(there(taken.get().await?)?.n, 0, "what is there");
    }
    ensure_kind!(
        lock.release().await,
        ErrorKind::LeaseLost,
        "a release by the old holder"
    );
    ensure!(taken.is_held(), "the new holder has it");
    taken.update(|note| note.n = 1).await?;
    taken.release().await?;
    Ok(())
}

async fn writes_through_the_lock(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let lock = notes.lock("a").await?;
    ensure_eq!(lock.get().await?, None, "before it is there");
    ensure_eq!(lock.update(|_| ()).await?, None, "an update before it is there");
    ensure!(!lock.delete().await?, "there is nothing to delete");
    notes.create_with_id("a", note("a")).await?;
    let second = self::notes(&ctx.second().await?);
    second.update("a", |note| note.text.push('b')).await?;
    let updated = there(lock.update(|note| note.text.push('c')).await?)?;
    ensure_eq!(updated.text, "abc", "both changes");
    ensure_eq!(
        there(notes.get_by_id("a").await?)?,
        updated,
        "what the cache gives"
    );
    let late = notes.clone();
    let result = in_parallel([async move {
        for _ in 0..10 {
            late.update("a", |note| note.n += 1).await?;
        }
        Ok::<_, storage_core::Error>(())
    }]);
    let holder = async {
        for _ in 0..10 {
            lock.update(|note| note.n += 1).await?;
        }
        Ok::<_, storage_core::Error>(())
    };
    let (others, own) = futures::future::join(result, holder).await;
    own?;
    for other in others? {
        other?;
    }
    ensure_eq!(there(lock.get().await?)?.n, 20, "no change is lost");
    ensure!(lock.delete().await?, "it was there");
    ensure_eq!(
        notes.get_by_id("a").await?,
        None,
        "what the cache gives after the delete"
    );
    lock.release().await?;
    Ok(())
}

macro_rules! in_collection {
    ($($type:ident: $name:literal)*) => {$(
        #[derive(Debug, Serialize, Deserialize)]
        struct $type {}

        impl Entity for $type {
            const COLLECTION: &'static str = $name;
        }
    )*};
}

in_collection! { A: "a" AB: "a/b" Percent: "a%2Fb" }

async fn locks_of_different_entities_are_independent(ctx: &Ctx) -> Verdict {
    fn hasty<T: Entity>(ctx: &Ctx) -> Entities<T> {
        let options = EntityOptions::new().lock_timeout(Duration::from_millis(50));
        Entities::with_options(ctx.storage().clone(), options)
    }
    let _one = hasty::<A>(ctx).lock("b/c").await?;
    let _two = hasty::<AB>(ctx).lock("c").await?;
    let _three = hasty::<Percent>(ctx).lock("c").await?;
    let _four = hasty::<A>(ctx).lock("b/d").await?;
    ensure_kind!(
        hasty::<AB>(ctx).lock("c").await,
        ErrorKind::Timeout,
        "the same again"
    );
    Ok(())
}
