//! Several at once: migrators, one that was paused, and writers.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use storage_core::bson::{Document, doc};
use storage_core::{Capability, ErrorKind, Storage};
use storage_stores::collections::{MigrationOptions, MigrationReport, Migrations};

use super::migration_basics::ensure_failed;
use super::migration_sample::{
    all, counting, load, migrations, states, times_by_stamp, users, wipe, with_options,
};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::cases::sample::in_parallel;
use crate::context::{Ctx, Points};

cases! { migration_races:
    smoke [Documents] many_migrators_at_once = "of clients that migrate at the same time one does the work, the others wait and find nothing to do";
    standard [Documents] a_migrator_gives_up_waiting = "while another is at work for longer than asked for, a run is Timeout and says what to do";
    standard [Documents] one_that_is_gone_is_waited_out = "a migrator that died keeps others out no longer than its lease lives";
    standard [Documents] an_update_is_never_lost = "a writer that updates a document at any call of the run loses nothing, and the document is migrated once";
    standard [Documents] an_old_writer_is_never_half_migrated = "a writer that puts a whole document of the old shape at any call leaves it whole: as it is without a stamp, or migrated once";
    standard [Documents] a_deleted_document_stays_deleted = "a document deleted at any call of the run does not come back";
    deep [Documents] a_paused_migrator_does_no_harm = "a migrator overtaken at any call by another that does all the work changes nothing any more";
    deep [Documents] a_paused_migrator_undoes_no_way_back = "overtaken at any call by one that goes there and back, it brings no document and no state forward again, where writes can be guarded";
}

async fn many_migrators_at_once(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let mut work = Vec::new();
    for _ in 0..4 {
        let set = migrations(&ctx.second().await?, [counting("1.0.0"), counting("1.1.0")])?;
        work.push(async move { set.migrate().await });
    }
    let mut applied = 0;
    for report in in_parallel(work).await? {
        applied += report?.applied.len();
    }
    ensure_eq!(applied, 2, "how many were applied, by all of them");
    for (id, user) in all(ctx.storage(), "users").await? {
        ensure_eq!(user.get_i64("times").ok(), Some(2), "how often {id} was migrated");
    }
    Ok(())
}

async fn a_migrator_gives_up_waiting(ctx: &Ctx) -> Verdict {
    let other = ctx.second().await?;
    let held = other
        .lease("migrations", Duration::from_secs(600))
        .acquire()
        .await?;
    let options = MigrationOptions::new().wait(Duration::from_millis(60));
    let set = with_options(ctx.storage(), options, [counting("1.0.0")])?;
    let error = ensure_failed(set.migrate().await, ErrorKind::Timeout)?;
    ensure!(
        error.contains("another migrator") && error.contains("storage lease break migrations"),
        "it says what to do: {error}"
    );
    held.release().await?;
    // On a slow server, asking for the lease takes longer than the first one was patient.
    let set = migrations(ctx.storage(), [counting("1.0.0")])?;
    ensure_eq!(set.migrate().await?.applied.len(), 1, "once it is free");
    Ok(())
}

async fn one_that_is_gone_is_waited_out(ctx: &Ctx) -> Verdict {
    let other = ctx.second().await?;
    other
        .lease("migrations", Duration::from_millis(200))
        .acquire()
        .await?;
    let set = migrations(ctx.storage(), [counting("1.0.0")])?;
    ensure_eq!(set.migrate().await?.applied.len(), 1, "after its lease ran out");
    Ok(())
}

/// Somebody else, who does this through a client of their own whenever they are let.
fn somebody<F>(
    other: Storage,
    act: fn(Storage) -> F,
) -> impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static
where
    F: Future<Output = ()> + Send + 'static,
{
    move || act(other.clone()).boxed()
}

/// Runs the migrations over fresh users, through a client that somebody overtakes.
async fn run(ctx: &Ctx, overtaken: &Storage) -> Result<storage_core::Result<MigrationReport>, Failure> {
    let storage = ctx.storage();
    wipe(storage).await?;
    load(storage).await?;
    let outcome = counted_twice(overtaken)?.migrate().await;
    storage.break_lease("migrations").await?;
    Ok(outcome)
}

fn counted_twice(storage: &Storage) -> storage_core::Result<Migrations> {
    migrations(storage, [counting("1.0.0"), counting("1.1.0")])
}

fn enough(points: &Points<'_>) -> Verdict {
    ensure!(points.at() > 10, "only {} calls were tried", points.at());
    Ok(())
}

/// Every document is what its stamp says.
async fn consistent(storage: &Storage, at: usize) -> Verdict {
    for (id, user) in all(storage, "users").await? {
        ensure_eq!(
            user.get_i64("times").unwrap_or(0),
            times_by_stamp(&user),
            "{id} at call {at}: {user}"
        );
    }
    Ok(())
}

async fn migrated_once(storage: &Storage, at: usize) -> Verdict {
    for (id, user) in all(storage, "users").await? {
        ensure_eq!(
            user.get_i64("times").ok(),
            Some(2),
            "how often {id} was migrated, at {at}"
        );
    }
    Ok(())
}

async fn ada(storage: &Storage) -> Result<Document, Failure> {
    let ada = all(storage, "users").await?.remove("ada");
    ada.ok_or_else(|| "she is there".into())
}

async fn an_update_is_never_lost(ctx: &Ctx) -> Verdict {
    let updates = |other: Storage| async move {
        let count = |user: &mut Document| {
            user.insert("n", user.get_i64("n").unwrap_or(0) + 1);
        };
        drop(users(&other).update("ada", count).await);
    };
    let mut points = ctx.overtakings(somebody(ctx.second().await?, updates));
    while let Some(overtaken) = points.next().await? {
        run(ctx, &overtaken).await??;
        let (storage, at) = (ctx.storage(), points.at());
        consistent(storage, at).await?;
        let ada = ada(storage).await?;
        ensure_eq!(
            ada.get_i64("times").ok(),
            Some(2),
            "how often she was migrated, at {at}"
        );
        ensure_eq!(
            ada.get_i64("n").unwrap_or(1),
            1,
            "how often she was counted, at {at}"
        );
    }
    enough(&points)
}

async fn an_old_writer_is_never_half_migrated(ctx: &Ctx) -> Verdict {
    let writes = |other: Storage| async move {
        let old = doc! { "name": "Ada", "old": true };
        drop(users(&other).put("ada", &old).await);
    };
    let mut points = ctx.overtakings(somebody(ctx.second().await?, writes));
    while let Some(overtaken) = points.next().await? {
        run(ctx, &overtaken).await??;
        let (storage, at) = (ctx.storage(), points.at());
        consistent(storage, at).await?;
        let ada = ada(storage).await?;
        ensure!(
            at == 0 || ada.contains_key("old") || ada.contains_key("mail"),
            "what was written at {at}: {ada}"
        );
    }
    enough(&points)
}

async fn a_deleted_document_stays_deleted(ctx: &Ctx) -> Verdict {
    let deletes = |other: Storage| async move {
        drop(users(&other).delete("ada").await);
        drop(users(&other).put("gone", &doc! {}).await);
    };
    let mut points = ctx.overtakings(somebody(ctx.second().await?, deletes));
    while let Some(overtaken) = points.next().await? {
        run(ctx, &overtaken).await??;
        let (storage, at) = (ctx.storage(), points.at());
        consistent(storage, at).await?;
        let found = all(storage, "users").await?;
        let deleted = found.contains_key("gone");
        ensure!(
            !(deleted && found.contains_key("ada")),
            "she was deleted at call {at}, and is there"
        );
    }
    enough(&points)
}

async fn a_paused_migrator_does_no_harm(ctx: &Ctx) -> Verdict {
    let migrates = |other: Storage| async move {
        // What it finds is taken from the paused one, as if its lease had run out.
        other.break_lease("migrations").await.unwrap_or_default();
        if let Ok(set) = counted_twice(&other) {
            drop(set.migrate().await);
        }
    };
    let mut points = ctx.overtakings(somebody(ctx.second().await?, migrates));
    while let Some(overtaken) = points.next().await? {
        drop(run(ctx, &overtaken).await?);
        let (storage, at) = (ctx.storage(), points.at());
        consistent(storage, at).await?;
        let set = counted_twice(storage)?;
        set.migrate().await?;
        ensure_eq!(
            states(&set).await?,
            [("1.0.0".into(), "applied"), ("1.1.0".into(), "applied")],
            "the status at call {at}"
        );
        migrated_once(storage, at).await?;
    }
    enough(&points)
}

async fn a_paused_migrator_undoes_no_way_back(ctx: &Ctx) -> Verdict {
    let guarded = ctx.has(Capability::GuardedWrite) || ctx.has(Capability::AtomicBatch);
    let goes_there_and_back = |other: Storage| async move {
        other.break_lease("migrations").await.unwrap_or_default();
        if let Ok(set) = counted_twice(&other) {
            drop(set.migrate().await);
            drop(set.rollback_to("0.0.0").await);
        }
    };
    let mut points = ctx.overtakings(somebody(ctx.second().await?, goes_there_and_back));
    while let Some(overtaken) = points.next().await? {
        let outcome = run(ctx, &overtaken).await?;
        let (storage, at) = (ctx.storage(), points.at());
        consistent(storage, at).await?;
        let set = counted_twice(storage)?;
        let applied = set.status().await?.current.is_some();
        let stamped = all(storage, "users")
            .await?
            .values()
            .any(|user| user.contains_key("_schema"));
        if guarded {
            ensure_eq!(
                stamped,
                applied,
                "whether documents are migrated and the state says so, at call {at}: {outcome:?}"
            );
        }
        set.migrate().await?;
        migrated_once(storage, at).await?;
    }
    enough(&points)
}
