//! A crash at every call of every operation, and somebody else coming between.

use std::time::Duration;

use futures::FutureExt;
use storage_core::Storage;
use storage_stores::kv::{Eviction, Kv, KvOptions, SetOptions};

use super::sample::{large, objects, open, open_with, options, put, sealed, text};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { kv_crash:
    standard [Documents, Indexes] a_set_cut_short_is_there_or_not = "a first value, small or large, cut short at any call is there whole or not at all, and a cleanup leaves nothing of it";
    standard [Documents, Indexes] an_overwrite_cut_short_is_the_old_or_the_new = "an overwrite cut short at any call leaves the old value or the new one, whole, and backups that can be read";
    standard [Documents, Indexes] a_deletion_cut_short_is_whole_or_has_not_begun = "a deletion cut short at any call leaves the value whole or not there, with keys of values' own too";
    standard [Documents, Indexes] an_eviction_cut_short_loses_nothing_else = "a write that evicts, cut short at any call, leaves every other entry whole or gone, and the limit holds";
    standard [Documents, Indexes] an_erasure_cut_short_is_finished_by_another = "an erasure cut short at any call is finished by doing it again";
    standard [Documents, Indexes] a_rotation_cut_short_leaves_every_value_readable = "a rotation cut short at any call leaves every value readable, and doing it again seals the rest";
    standard [Documents, Indexes] overtaken_by_another_value_a_set_is_whole = "a set that another one, a deletion or a cleanup overtakes at any call leaves one of the values, whole, or none";
}

const FAULTS: [Fault; 2] = [Fault::BeforeTheCall, Fault::AfterTheCall];
const MINUTES: Duration = Duration::from_secs(700);
const DAYS: Duration = Duration::from_secs(2 * 86_400);

/// What an entry may be like: a name of that, how it is kept, and a value of that kind.
type Form = (&'static str, KvOptions, fn(char) -> String);

/// The forms an entry may have: in a document, in an object, and both sealed under keys of their own.
fn forms() -> Vec<Form> {
    let small: fn(char) -> String = |of| of.to_string().repeat(10);
    vec![
        ("small", options(), small),
        ("large", options(), large),
        (
            "small and sealed",
            sealed(1).data_keys(true).inline_limit(4096),
            small,
        ),
        ("large and sealed", sealed(1).data_keys(true), large),
    ]
}

async fn dying(storage: &Storage, options: &KvOptions) -> Option<Kv> {
    Kv::open(storage.clone(), options.clone()).await.ok()
}

/// Nothing is left of anything but these values, once what crashed is old.
async fn nothing_else(ctx: &Ctx, options: &KvOptions, values: &[(&str, &str)], when: &str) -> Verdict {
    ctx.clock().advance_wall(DAYS);
    let kv = open_with(ctx.storage(), options.clone()).await?;
    kv.cleanup().await?;
    kv.align().await?;
    let mut bytes = 0;
    let mut large = 0;
    for (key, value) in values {
        ensure_eq!(text(&kv, key).await?.as_deref(), Some(*value), "{key} {when}");
        let info = kv.info(key).await?.ok_or("it is there")?;
        bytes += info.size;
        let in_object = kv.resolve(key).await?.is_some_and(|place| place.object.is_some());
        large += usize::from(in_object) + info.backups * usize::from(in_object);
    }
    ensure_eq!(kv.keys("").await?.len(), values.len(), "keys {when}");
    ensure_eq!(objects(ctx.storage()).await?, large, "objects {when}");
    ensure_eq!(kv.verify().await?.problems, [], "problems {when}");
    let stats = kv.stats().await?;
    ensure_eq!(
        (stats.bytes, stats.entries),
        (bytes, values.len() as u64),
        "what is used {when}"
    );
    let keys = ctx
        .storage()
        .collection::<storage_core::bson::RawDocumentBuf>("kv_keys.default");
    let keys = keys.find(storage_core::Query::all()).await?.collect().await?;
    let most = values.len() * 3;
    ensure!(
        keys.len() <= most,
        "{} keys of values' own are left {when}",
        keys.len()
    );
    Ok(())
}

/// Whether the one entry is there: with this value, whole, or not at all, and nothing else is left.
async fn survived(ctx: &Ctx, kv: &Kv, options: &KvOptions, value: &str, when: &str) -> Result<bool, Failure> {
    let found = text(kv, "k").await?;
    ensure!(
        found.as_ref().is_none_or(|found| found == value),
        "a torn value {when}"
    );
    ensure_eq!(kv.has("k").await?, found.is_some(), "has {when}");
    let left = found.as_ref().map(|found| ("k", found.as_str()));
    nothing_else(ctx, options, left.as_slice(), when).await?;
    Ok(found.is_some())
}

async fn a_set_cut_short_is_there_or_not(ctx: &Ctx) -> Verdict {
    for (form, options, value) in forms() {
        for fault in FAULTS {
            let mut points = ctx.points(fault);
            while let Some(storage) = points.next().await? {
                let when = format!("({form}) after {fault:?} {}", points.at());
                let set = match dying(&storage, &options).await {
                    Some(kv) => kv.set_raw("k", value('x'), SetOptions::new()).await.is_ok(),
                    None => false,
                };
                let kv = open_with(ctx.storage(), options.clone()).await?;
                let survived = survived(ctx, &kv, &options, &value('x'), &when).await?;
                ensure!(survived || !set, "an acknowledged value is gone {when}");
                kv.delete("k").await?;
                put(&kv, "k", &value('y')).await?;
                ensure_eq!(text(&kv, "k").await?, Some(value('y')), "set again {when}");
                kv.erase().await?;
            }
            ensure!(points.at() > 3, "a set makes more than {} calls", points.at());
        }
    }
    Ok(())
}

async fn an_overwrite_cut_short_is_the_old_or_the_new(ctx: &Ctx) -> Verdict {
    for (form, options, value) in forms() {
        let options = options.backups(1);
        for fault in FAULTS {
            let mut points = ctx.points(fault);
            while let Some(storage) = points.next().await? {
                let when = format!("({form}) after {fault:?} {}", points.at());
                let kv = open_with(ctx.storage(), options.clone()).await?;
                put(&kv, "k", &value('o')).await?;
                put(&kv, "k", &value('p')).await?;
                let set = match dying(&storage, &options).await {
                    Some(kv) => kv.set_raw("k", value('n'), SetOptions::new()).await.is_ok(),
                    None => false,
                };
                let found = text(&kv, "k").await?;
                let found = found.ok_or_else(|| Failure::new(format!("the value is gone {when}")))?;
                ensure!(
                    found == value('n') || (!set && found == value('p')),
                    "a value nobody set {when}: {found:?}"
                );
                nothing_else(ctx, &options, &[("k", &found)], &when).await?;
                kv.restore("k").await?;
                let before = if found == value('n') {
                    value('p')
                } else {
                    value('o')
                };
                ensure_eq!(text(&kv, "k").await?, Some(before), "the backup {when}");
                kv.erase().await?;
            }
        }
    }
    Ok(())
}

async fn a_deletion_cut_short_is_whole_or_has_not_begun(ctx: &Ctx) -> Verdict {
    for (form, options, value) in forms() {
        for fault in FAULTS {
            let mut points = ctx.points(fault);
            while let Some(storage) = points.next().await? {
                let when = format!("({form}) after {fault:?} {}", points.at());
                let kv = open_with(ctx.storage(), options.clone()).await?;
                put(&kv, "k", &value('x')).await?;
                kv.finish().await?;
                let deleted = match dying(&storage, &options).await {
                    Some(kv) => kv.delete("k").await.is_ok(),
                    None => false,
                };
                let survived = survived(ctx, &kv, &options, &value('x'), &when).await?;
                ensure!(!survived || !deleted, "what was deleted is there {when}");
                kv.erase().await?;
            }
        }
    }
    Ok(())
}

async fn an_eviction_cut_short_loses_nothing_else(ctx: &Ctx) -> Verdict {
    let options = options().inline_limit(50).size_limit(400).eviction(Eviction::Lru);
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            let when = format!("after {fault:?} {}", points.at());
            let kv = open_with(ctx.storage(), options.clone()).await?;
            for key in ["a", "b", "c", "d"] {
                put(&kv, key, &key.repeat(99)).await?;
                ctx.clock().advance_wall(Duration::from_secs(1));
            }
            kv.finish().await?;
            let set = match dying(&storage, &options).await {
                Some(kv) => kv.set_raw("e", "e".repeat(149), SetOptions::new()).await.is_ok(),
                None => false,
            };
            let mut left = Vec::new();
            for key in ["a", "b", "c", "d", "e"] {
                let value = key.repeat(if key == "e" { 149 } else { 99 });
                match text(&kv, key).await? {
                    Some(found) => {
                        ensure_eq!(found, value, "{key} {when}");
                        left.push((key, value));
                    }
                    None => ensure!(key != "c" && key != "d", "{key} was not to go {when}"),
                }
            }
            ensure!(
                !set || left.iter().any(|(key, _)| *key == "e"),
                "what was set is gone {when}"
            );
            let bytes: usize = left.iter().map(|(_, value)| value.len() + 1).sum();
            ensure!(bytes <= 400, "{bytes} bytes are stored {when}");
            let left: Vec<(&str, &str)> = left.iter().map(|(key, value)| (*key, value.as_str())).collect();
            nothing_else(ctx, &options, &left, &when).await?;
            kv.erase().await?;
        }
        ensure!(
            points.at() > 8,
            "an eviction makes more than {} calls",
            points.at()
        );
    }
    Ok(())
}

async fn an_erasure_cut_short_is_finished_by_another(ctx: &Ctx) -> Verdict {
    let options = sealed(1).data_keys(true);
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            let when = format!("after {fault:?} {}", points.at());
            let kv = open_with(ctx.storage(), options.clone()).await?;
            put(&kv, "small", "x").await?;
            put(&kv, "large", &large('x')).await?;
            kv.finish().await?;
            let dying = dying(&storage, &options).await;
            let erased = match &dying {
                Some(kv) => kv.erase().await.is_ok(),
                None => false,
            };
            if erased {
                let left = ctx.storage().objects().exists("kv").await?;
                ensure!(
                    !left && Kv::namespaces(ctx.storage()).await?.is_empty(),
                    "something is left {when}"
                );
            }
            // The keys may be gone already, so that whoever does it again brings a new one.
            let again = open_with(ctx.storage(), options.clone()).await?;
            again.erase().await?;
            ensure_eq!(objects(ctx.storage()).await?, 0, "objects {when}");
            let fresh = open(ctx.storage()).await?;
            ensure!(fresh.keys("").await?.is_empty(), "entries {when}");
            ensure_eq!(fresh.stats().await?.bytes, 0, "what is used {when}");
        }
        ensure!(
            points.at() > 6,
            "an erasure makes more than {} calls",
            points.at()
        );
    }
    Ok(())
}

async fn a_rotation_cut_short_leaves_every_value_readable(ctx: &Ctx) -> Verdict {
    for data_keys in [false, true] {
        let options = sealed(1).data_keys(data_keys).inline_limit(512);
        for fault in FAULTS {
            let mut points = ctx.points(fault);
            while let Some(storage) = points.next().await? {
                let when = format!("after {fault:?} {}", points.at());
                let kv = open_with(ctx.storage(), options.clone()).await?;
                put(&kv, "small", "s").await?;
                put(&kv, "large", &large('l')).await?;
                kv.finish().await?;
                if let Some(kv) = dying(&storage, &options).await {
                    drop(kv.rotate().await);
                }
                for reader in [kv, open_with(ctx.storage(), options.clone()).await?] {
                    ensure_eq!(
                        text(&reader, "small").await?,
                        Some("s".into()),
                        "a small value {when}"
                    );
                    ensure_eq!(
                        text(&reader, "large").await?,
                        Some(large('l')),
                        "a large value {when}"
                    );
                }
                ctx.clock().advance_wall(MINUTES);
                let kv = open_with(ctx.storage(), options.clone()).await?;
                let report = kv.rotate().await?;
                ensure_eq!(report.sealed, 2, "what is sealed anew {when}");
                let left = [("large", large('l')), ("small", "s".to_owned())];
                let left: Vec<(&str, &str)> =
                    left.iter().map(|(key, value)| (*key, value.as_str())).collect();
                nothing_else(ctx, &options, &left, &when).await?;
                kv.erase().await?;
            }
            ensure!(
                points.at() > 8,
                "a rotation makes more than {} calls",
                points.at()
            );
        }
    }
    Ok(())
}

/// A client each call of which the other client's work overtakes, one call later each time.
macro_rules! overtakings {
    ($ctx:expr, $store:expr, |$other:ident| $work:expr) => {{
        let other = $store.clone();
        $ctx.overtakings(move || {
            let $other = other.clone();
            async move { drop($work.await) }.boxed()
        })
    }};
}

async fn overtaken_by_another_value_a_set_is_whole(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().upload_age(Duration::ZERO)).await?;
    for (there, others) in [
        (false, "set"),
        (true, "set"),
        (true, "delete"),
        (false, "clean"),
        (true, "clean"),
    ] {
        let mut points = overtakings!(ctx, store, |other| async move {
            match others {
                "set" => other.set_raw("k", large('o'), SetOptions::new()).await,
                "delete" => other.delete("k").await.map(drop),
                _ => other.cleanup().await.map(drop),
            }
        });
        while let Some(overtaken) = points.next().await? {
            let slow = open(&overtaken).await?;
            if there {
                put(&store, "k", &large('f')).await?;
            }
            let when = format!("overtaken by {others} at {}", points.at());
            slow.set_raw("k", large('s'), SetOptions::new()).await?;
            let found = text(&store, "k").await?;
            match (&found, others) {
                (Some(found), "set") => {
                    ensure!([large('o'), large('s')].contains(found), "a torn value {when}")
                }
                (Some(found), _) => ensure!(*found == large('s'), "another value {when}"),
                (None, "delete") => {}
                (None, _) => return Err(Failure::new(format!("nothing is there {when}"))),
            }
            store.cleanup().await?;
            ensure_eq!(
                objects(ctx.storage()).await?,
                usize::from(found.is_some()),
                "objects {when}"
            );
            let fresh = open(ctx.storage()).await?;
            ensure!(
                text(&fresh, "k").await? == found,
                "another handle reads another value {when}"
            );
            ensure_eq!(store.verify().await?.problems, [], "problems {when}");
            store.erase().await?;
        }
    }
    Ok(())
}
