//! A crash at any call of a run, on the way there and back.

use storage_core::bson::Document;
use storage_core::{Capability, Index, Storage};
use storage_stores::collections::{Migration, MigrationOptions, Migrations, Step};

use super::migration_sample::{
    all, counting, failing, load, states, times_by_stamp, version, wipe, with_options,
};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { migration_crash:
    standard [Documents] a_run_cut_short_before_any_call_is_finished = "whatever call a migrator dies before, every document has each migration once or not at all, as its stamp says, and the next run finishes";
    deep [Documents] a_run_cut_short_after_any_call_is_finished = "the same, dying before it learns that the call succeeded";
    deep [Documents] a_way_back_cut_short_before_any_call_is_finished = "so it is for going back, whether the next call goes back or there";
    deep [Documents] a_way_back_cut_short_after_any_call_is_finished = "the same, dying before it learns that the call succeeded";
    deep [Documents] a_failing_run_cut_short_anywhere_is_undone_or_resumed = "a run that fails and is undone, cut short at any call: nothing is lost or done twice, and the restore is finished";
}

/// Counts, has an index where there are any, removes Bob, counts again.
fn set(storage: &Storage, backup: bool) -> storage_core::Result<Migrations> {
    let mut second = counting("1.1.0").up(Step::filter("users", "not Bob", |user: &Document| {
        user.get_str("name").ok() != Some("Bob")
    }));
    if storage.declaration().support(Capability::Indexes).is_present() {
        second = second.up(Step::add_index("users", Index::btree("by_times", ["times"])));
    }
    let options = MigrationOptions::new().backup(backup);
    with_options(storage, options, [counting("1.0.0"), second])
}

/// Every document is what its stamp says, and nobody is gone; where a migration is applied every document has it.
async fn whole(storage: &Storage, set: &Migrations) -> Verdict {
    let users = all(storage, "users").await?;
    let current = set.status().await?.current;
    for (id, user) in &users {
        let stamp = user.get_str("_schema").ok().map(version).transpose()?;
        ensure_eq!(
            user.get_i64("times").unwrap_or(0),
            times_by_stamp(user),
            "what {id} of stamp {stamp:?} has"
        );
        ensure!(
            current.is_none() || stamp >= current,
            "{id} has stamp {stamp:?}, and {current:?} is applied"
        );
    }
    let removed = all(storage, "migrations.removed").await?;
    for name in ["ada", "bob"] {
        let kept = removed.values().any(|kept| kept.get_str("id").ok() == Some(name));
        ensure!(users.contains_key(name) || kept, "{name} is nowhere");
    }
    Ok(())
}

async fn all_there(storage: &Storage, set: &Migrations) -> Verdict {
    whole(storage, set).await?;
    ensure_eq!(
        states(set).await?,
        [("1.0.0".into(), "applied"), ("1.1.0".into(), "applied")],
        "the status"
    );
    let ids: Vec<String> = all(storage, "users").await?.into_keys().collect();
    ensure_eq!(ids, ["ada"], "who is left");
    ensure_eq!(all(storage, "migrations.removed").await?.len(), 1, "who is kept");
    if storage.declaration().support(Capability::Indexes).is_present() {
        let indexes = storage.collection::<Document>("users").indexes().await?;
        ensure_eq!(indexes.len(), 1, "the indexes");
    }
    Ok(())
}

async fn all_back(storage: &Storage, set: &Migrations) -> Verdict {
    whole(storage, set).await?;
    ensure_eq!(
        states(set).await?,
        [("1.0.0".into(), "pending"), ("1.1.0".into(), "pending")],
        "the status"
    );
    let ids: Vec<String> = all(storage, "users").await?.into_keys().collect();
    ensure_eq!(ids, ["ada", "bob"], "who is there");
    ensure_eq!(all(storage, "migrations.removed").await?.len(), 0, "who is kept");
    Ok(())
}

fn at(point: usize) -> impl FnOnce(Failure) -> Failure {
    move |failure| failure.in_context(&format!("at call {point}"))
}

async fn run_cut_short(ctx: &Ctx, fault: Fault) -> Verdict {
    let storage = ctx.storage();
    let mut points = ctx.points(fault);
    while let Some(dying) = points.next().await? {
        wipe(storage).await?;
        load(storage).await?;
        // With a backup the run has all its phases; without, a crash is all there is.
        let healthy = set(storage, points.at().is_multiple_of(2))?;
        let outcome = set(&dying, true)?.migrate().await;
        storage.break_lease("migrations").await?;
        whole(storage, &healthy).await.map_err(at(points.at()))?;
        if outcome.is_ok() {
            all_there(storage, &healthy).await.map_err(at(points.at()))?;
        }
        healthy.migrate().await?;
        all_there(storage, &healthy).await.map_err(at(points.at()))?;
    }
    ensure!(points.at() > 20, "only {} calls were tried", points.at());
    Ok(())
}

async fn a_run_cut_short_before_any_call_is_finished(ctx: &Ctx) -> Verdict {
    run_cut_short(ctx, Fault::BeforeTheCall).await
}

async fn a_run_cut_short_after_any_call_is_finished(ctx: &Ctx) -> Verdict {
    run_cut_short(ctx, Fault::AfterTheCall).await
}

async fn way_back_cut_short(ctx: &Ctx, fault: Fault) -> Verdict {
    let storage = ctx.storage();
    let mut points = ctx.points(fault);
    while let Some(dying) = points.next().await? {
        wipe(storage).await?;
        load(storage).await?;
        let healthy = set(storage, false)?;
        healthy.migrate().await?;
        let outcome = set(&dying, true)?.rollback_to("0.0.0").await;
        storage.break_lease("migrations").await?;
        whole(storage, &healthy).await.map_err(at(points.at()))?;
        if outcome.is_ok() {
            all_back(storage, &healthy).await.map_err(at(points.at()))?;
        }
        if points.at().is_multiple_of(2) {
            healthy.rollback_to("0.0.0").await?;
            all_back(storage, &healthy).await.map_err(at(points.at()))?;
        }
        healthy.migrate().await?;
        all_there(storage, &healthy).await.map_err(at(points.at()))?;
    }
    ensure!(points.at() > 20, "only {} calls were tried", points.at());
    Ok(())
}

async fn a_way_back_cut_short_before_any_call_is_finished(ctx: &Ctx) -> Verdict {
    way_back_cut_short(ctx, Fault::BeforeTheCall).await
}

async fn a_way_back_cut_short_after_any_call_is_finished(ctx: &Ctx) -> Verdict {
    way_back_cut_short(ctx, Fault::AfterTheCall).await
}

async fn a_failing_run_cut_short_anywhere_is_undone_or_resumed(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let set = |storage: &Storage, mended: bool| {
        let second = if mended {
            Migration::new("1.1.0", "fails").up(Step::add_field("users", "x", 1_i64))
        } else {
            failing("1.1.0", "no")
        };
        // A run that succeeds needs no backup to show it.
        let options = MigrationOptions::new().backup(!mended);
        with_options(storage, options, [counting("1.0.0"), second])
    };
    // Whoever dies after a call leaves what the next one leaves that dies before its own: each state is tried once.
    let mut points = ctx.points(Fault::BeforeTheCall);
    while let Some(dying) = points.next().await? {
        wipe(storage).await?;
        load(storage).await?;
        let outcome = set(&dying, false)?.migrate().await;
        ensure!(outcome.is_err(), "it fails, whatever happens");
        storage.break_lease("migrations").await?;
        let healthy = set(storage, false)?;
        let again = healthy.migrate().await;
        ensure!(again.is_err(), "it fails again");
        ensure_eq!(
            healthy.status().await?.restoring,
            None,
            "nothing is half restored at {}",
            points.at()
        );
        for (id, user) in all(storage, "users").await? {
            let stamped = i64::from(user.contains_key("_schema"));
            ensure_eq!(
                user.get_i64("times").unwrap_or(0),
                stamped,
                "{id} at {}",
                points.at()
            );
        }
        set(storage, true)?.migrate().await?;
        let users = all(storage, "users").await?;
        ensure_eq!(users.len(), 2, "everybody is there at {}", points.at());
        for (id, user) in users {
            ensure_eq!(
                user.get_i64("times").ok(),
                Some(1),
                "how often {id} was migrated, at {}",
                points.at()
            );
            ensure_eq!(
                user.get_str("_schema").ok(),
                Some("1.1.0"),
                "the stamp of {id}, at {}",
                points.at()
            );
        }
    }
    ensure!(points.at() > 20, "only {} calls were tried", points.at());
    Ok(())
}
