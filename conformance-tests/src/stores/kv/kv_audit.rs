//! The audit trail.

use storage_core::ErrorKind;
use storage_stores::kv::{Kv, Lifetime, SetOptions};

use super::sample::{open_with, options, put};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { kv_audit:
    standard [Documents, Indexes, Logs] every_access_is_recorded = "reads, changes, what was refused, and what was done to the whole namespace are in the trail, with who, what, which key and what came of it, and no value";
    standard [Documents, Indexes, Logs] a_trail_that_was_touched_is_found = "a trail that was cut and written anew is found by verify, and one that was not is sound";
    standard [Documents, Indexes, Logs] no_change_without_a_record = "a change cut short at any call is in the trail if it was made";
    standard [Documents, Indexes, Logs] namespaces_have_trails_of_their_own = "what is done in one namespace is not in the trail of another, and an erasure leaves the trail";
}

async fn audited(ctx: &Ctx) -> Result<Kv, Failure> {
    open_with(ctx.storage(), options().audit("ada")).await
}

/// `operation key outcome` of each entry, and the changes that began left out.
async fn told(kv: &Kv) -> Result<Vec<String>, Failure> {
    let trail = kv.audit_trail()?.ok_or("there is a trail")?;
    let entries = trail.tail(1000).await?;
    let over = entries.iter().filter_map(|entry| {
        let outcome = entry.outcome.as_deref()?;
        Some(format!("{} {} {outcome}", entry.operation, entry.key))
    });
    Ok(over.collect())
}

async fn every_access_is_recorded(ctx: &Ctx) -> Verdict {
    let kv = audited(ctx).await?;
    put(&kv, "k", "canary").await?;
    kv.get_raw("k").await?;
    kv.get_raw("absent").await?;
    kv.touch("k", Lifetime::Forever).await?;
    let refused = kv.set_raw("k", "x", SetOptions::new().if_absent()).await;
    ensure_kind!(refused, ErrorKind::AlreadyExists, "it is there");
    kv.lock("k", |entry| async move { entry.set(&1).await }).await?;
    kv.delete("k").await?;
    kv.export().await?;
    kv.clear(true).await?;
    let told = told(&kv).await?;
    ensure_eq!(
        told,
        [
            "set k ok",
            "get k ok",
            "get absent ok",
            "touch k ok",
            "set k already-exists",
            "set k ok",
            "delete k ok",
            "export default ok",
            "clear default ok",
        ],
        "the trail"
    );
    let trail = kv.audit_trail()?.ok_or("there is a trail")?;
    let shown = format!("{:?}", trail.tail(1000).await?);
    ensure!(
        !shown.contains("canary") && shown.contains("ada"),
        "a value, or not who: {shown}"
    );
    ensure!(
        open_with(ctx.storage(), options())
            .await?
            .audit_trail()?
            .is_none(),
        "a trail nobody asked for"
    );
    Ok(())
}

async fn a_trail_that_was_touched_is_found(ctx: &Ctx) -> Verdict {
    let kv = audited(ctx).await?;
    for key in ["a", "b", "c"] {
        put(&kv, key, "x").await?;
    }
    let trail = kv.audit_trail()?.ok_or("there is a trail")?;
    let sound = trail.verify(None).await?;
    ensure_eq!(
        (sound.problems, sound.unfinished, sound.entries),
        (vec![], 0, 6),
        "a sound trail"
    );
    let log = ctx.storage().log("kv/default/audit");
    let entries = log.read(0, 100).await?.entries;
    log.delete().await?;
    log.append_all(entries.iter().take(4).map(|entry| entry.bytes.clone()))
        .await?;
    ensure!(
        !trail.verify(None).await?.problems.is_empty(),
        "a trail that was cut is not found"
    );
    Ok(())
}

async fn no_change_without_a_record(ctx: &Ctx) -> Verdict {
    // A trail whose very first record was cut short has no head yet, and verify says so.
    put(&audited(ctx).await?, "first", "x").await?;
    for fault in [Fault::BeforeTheCall, Fault::AfterTheCall] {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            let key = format!("{fault:?} {}", points.at());
            if let Ok(kv) = Kv::open(storage, options().audit("dying")).await {
                drop(kv.set_raw(&key, "x", SetOptions::new()).await);
            }
            let kv = audited(ctx).await?;
            let trail = kv.audit_trail()?.ok_or("there is a trail")?;
            let recorded = trail.tail(3).await?.iter().any(|entry| entry.key == key);
            ensure!(
                recorded || !kv.has(&key).await?,
                "a change without a record: {key}"
            );
            ensure_eq!(trail.verify(None).await?.problems, [], "problems after {key}");
        }
    }
    Ok(())
}

async fn namespaces_have_trails_of_their_own(ctx: &Ctx) -> Verdict {
    let one = audited(ctx).await?;
    let two = open_with(ctx.storage(), options().audit("bob").namespace("two")).await?;
    put(&one, "k", "x").await?;
    put(&two, "l", "x").await?;
    ensure_eq!(told(&one).await?, ["set k ok"], "the first trail");
    two.erase().await?;
    ensure_eq!(
        told(&two).await?,
        ["set l ok", "erase two ok"],
        "the second trail"
    );
    let trail = two.audit_trail()?.ok_or("there is a trail")?;
    ensure_eq!(trail.verify(None).await?.problems, [], "problems");
    Ok(())
}
