//! What a cleanup removes, and what it leaves alone.

use std::time::Duration;

use storage_stores::kv::SetOptions;

use super::sample::{large, objects, open, put, text};
use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { kv_cleanup:
    standard [Documents, Indexes] what_has_expired_goes_with_its_object = "a cleanup removes expired entries and their objects, and what they took is free";
    standard [Documents, Indexes] foreign_objects_stay = "objects the store did not write stay, also within its directory, and are counted";
    standard [Documents, Indexes] an_orphan_goes_and_a_value_stays = "an object no entry names goes at once, one that is a value or a backup stays";
    standard [Documents, Indexes] held_entries_stay_until_they_are_not = "an expired entry that is held is invisible and stays until it is let go";
    standard [Documents, Indexes] damage_is_told_and_hides_nothing = "a document that is no entry is Corrupt for its key, told by cleanup and verify, and hides no other";
    standard [Documents, Indexes] a_changed_object_is_corrupt = "a value whose object was changed, cut or removed by others is Corrupt, never another value or none";
    standard [Documents, Indexes] the_store_cleans_up_by_itself = "with an interval a cleanup happens and what came of it can be asked for";
}

const DAY: Duration = Duration::from_secs(86_400);
/// Long beside what a call takes on a slow server.
const MINUTE: Duration = Duration::from_secs(60);

async fn what_has_expired_goes_with_its_object(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    for number in 0..70 {
        kv.set_raw(format!("k{number}"), large('x'), SetOptions::new().ttl(MINUTE))
            .await?;
    }
    put(&kv, "stays", &large('y')).await?;
    ctx.clock().advance_wall(MINUTE);
    let report = kv.cleanup().await?;
    ensure_eq!(
        (report.expired, report.orphans, report.unfinished),
        (70, 0, 0),
        "what went"
    );
    ensure_eq!(objects(ctx.storage()).await?, 1, "objects");
    ensure_eq!(text(&kv, "stays").await?, Some(large('y')), "what lives");
    kv.finish().await?;
    let stats = kv.stats().await?;
    ensure_eq!((stats.entries, stats.bytes), (1, 1005), "what is used");
    ensure_eq!(kv.cleanup().await?.expired, 0, "nothing is left to do");
    Ok(())
}

async fn foreign_objects_stay(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "k", &large('x')).await?;
    let directory = kv
        .resolve("k")
        .await?
        .and_then(|place| place.object)
        .ok_or("it is in an object")?;
    let directory = directory
        .rsplit_once('/')
        .ok_or("it lies in a directory")?
        .0
        .to_owned();
    let foreign = [
        format!("{directory}/notes.txt"),
        format!("{directory}/0123"),
        "kv/readme".to_owned(),
        "kv-other/file".to_owned(),
        "data.json".to_owned(),
    ];
    for key in &foreign {
        ctx.storage().objects().write(key, "of somebody else").await?;
    }
    ctx.clock().advance_wall(DAY * 365);
    ensure_eq!(kv.cleanup().await?.foreign, 2, "foreign objects in its directory");
    kv.clear(true).await?;
    kv.cleanup().await?;
    kv.erase().await?;
    for key in &foreign {
        let bytes = ctx.storage().objects().read(key).await?;
        ensure_eq!(bytes.as_deref(), Some(&b"of somebody else"[..]), "{key}");
    }
    Ok(())
}

async fn an_orphan_goes_and_a_value_stays(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "k", &large('x')).await?;
    let object = kv
        .resolve("k")
        .await?
        .and_then(|place| place.object)
        .ok_or("it is in an object")?;
    let (directory, _) = object.rsplit_once('/').ok_or("it lies in a directory")?;
    for nonce in [1, 2] {
        let orphan = format!("{directory}/{nonce:032x}");
        ctx.storage().objects().write(orphan, "left by a crash").await?;
    }
    let of_nobody = format!(
        "{}/62/{:032x}",
        directory.rsplit_once('/').ok_or("and that in another")?.0,
        3
    );
    ctx.storage()
        .objects()
        .write(of_nobody, "left by a crash")
        .await?;
    let report = kv.cleanup().await?;
    ensure_eq!(report.orphans, 3, "orphans");
    ensure_eq!(text(&kv, "k").await?, Some(large('x')), "the value");
    ensure_eq!(objects(ctx.storage()).await?, 1, "objects");
    Ok(())
}

async fn held_entries_stay_until_they_are_not(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set_raw("k", large('x'), SetOptions::new().ttl(MINUTE)).await?;
    let _hold = kv.hold("k", 10 * MINUTE).await?.ok_or("it is there")?;
    ctx.clock().advance_wall(MINUTE);
    let report = kv.cleanup().await?;
    ensure_eq!(
        (report.expired, report.held),
        (0, 1),
        "what went and what is held"
    );
    ensure_eq!(text(&kv, "k").await?, None, "it has expired all the same");
    ctx.clock().advance_wall(9 * MINUTE);
    ensure_eq!(kv.cleanup().await?.expired, 1, "what went once it was let go");
    Ok(())
}

async fn damage_is_told_and_hides_nothing(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    for key in ["a", "c"] {
        kv.set(key, &1).await?;
    }
    let documents = ctx
        .storage()
        .collection::<storage_core::bson::RawDocumentBuf>("kv.default");
    let rubbish = storage_core::bson::rawdoc! { "format": 1_i64, "value": "no value", "expires_at": 1_i64 };
    documents.put("b", &rubbish).await?;
    let error = kv.get::<i64>("b").await;
    let error = crate::case::check_kind(error, storage_core::ErrorKind::Corrupt)?;
    ensure_eq!(error.key(), Some("b"), "the error names the key");
    let newer = storage_core::bson::rawdoc! { "format": 9_i64 };
    documents.put("d", &newer).await?;
    let error = kv.set("d", &1).await;
    crate::case::check_kind(error, storage_core::ErrorKind::FormatTooNew)?;
    ensure_eq!(kv.cleanup().await?.unreadable.len(), 1, "told by a cleanup");
    let report = kv.verify().await?;
    let keys: Vec<&str> = report
        .problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    ensure_eq!((keys, report.sound), (vec!["b", "d"], 2), "told by verify");
    ensure!(
        documents.get("b").await?.is_some() && documents.get("d").await?.is_some(),
        "it was removed"
    );
    ensure_eq!(kv.get("c").await?, Some(1), "a healthy neighbour");
    Ok(())
}

async fn a_changed_object_is_corrupt(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    for change in ["other bytes", "cut", "removed"] {
        put(&kv, "k", &large('x')).await?;
        let object = kv
            .resolve("k")
            .await?
            .and_then(|place| place.object)
            .ok_or("it is in an object")?;
        match change {
            "cut" => drop(
                ctx.storage()
                    .objects()
                    .write(&object, large('x')[1..].to_owned())
                    .await?,
            ),
            "removed" => ctx.storage().objects().delete(&object).await?,
            _ => drop(ctx.storage().objects().write(&object, large('y')).await?),
        }
        let fresh = open(&ctx.second().await?).await?;
        let error = crate::case::check_kind(fresh.get_raw("k").await, storage_core::ErrorKind::Corrupt)?;
        ensure_eq!(error.key(), Some("k"), "{change}: the error names the key");
        ensure_eq!(
            fresh.verify().await?.problems.len(),
            1,
            "{change}: told by verify"
        );
        ensure_eq!(
            fresh.exists("k").await?,
            change != "removed",
            "{change}: exists asks for the object"
        );
        put(&kv, "k", &large('z')).await?;
        ensure_eq!(
            text(&fresh, "k").await?,
            Some(large('z')),
            "{change}: overwriting it heals"
        );
    }
    Ok(())
}

async fn the_store_cleans_up_by_itself(ctx: &Ctx) -> Verdict {
    let options = super::sample::options().cleanup_interval(Duration::from_millis(5));
    let kv = super::sample::open_with(ctx.storage(), options).await?;
    kv.set_raw("k", large('x'), SetOptions::new().ttl(MINUTE)).await?;
    ctx.clock().advance_wall(MINUTE);
    for _ in 0..2000 {
        if objects(ctx.storage()).await? == 0 && kv.last_cleanup().is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err("no cleanup happened".into())
}
