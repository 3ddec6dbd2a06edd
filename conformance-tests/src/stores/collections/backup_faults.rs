//! Backups that are damaged, and crashes at any call.

use storage_core::bson::{Document, doc};
use storage_core::{ErrorKind, ListRequest, Storage};
use storage_stores::collections::Backups;

use super::migration_basics::ensure_failed;
use super::migration_sample::{all, load, migrations, roles, users, wipe};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { backup_faults:
    standard [Documents] damage_is_found_before_any_effect = "a backup with a byte changed, cut, taken away or missing anywhere is Corrupt naming the object, and a restore changes nothing";
    standard [Documents] a_damaged_one_hides_no_other = "a backup whose manifest is damaged is told in the list beside the others";
    standard [Documents] a_newer_one_is_refused = "a backup of a later format is FormatTooNew";
    standard [Documents] an_unfinished_one_is_none = "parts without a manifest are no backup: not listed, not restored, in nobody's way, and deleted when asked for";
    standard [Documents] a_backup_cut_short_at_any_call = "whatever call its maker dies at, a backup is whole or none, and can be made again";
    standard [Documents] a_restore_cut_short_before_any_call_is_finished = "whatever call it dies before, a restore is finished by the next, by a backup or by a run, and what there was before is kept";
    deep [Documents] a_restore_cut_short_after_any_call_is_finished = "the same, dying before it learns that the call succeeded";
    standard [Documents] another_backup_takes_its_place = "a restore that cannot be finished gives way to one of another backup";
}

async fn keys(storage: &Storage, prefix: &str) -> Result<Vec<String>, Failure> {
    let page = storage.objects().list_page(ListRequest::new(prefix)).await?;
    Ok(page.entries.iter().map(|entry| entry.name().to_owned()).collect())
}

async fn damage_is_found_before_any_effect(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let backups = Backups::new(storage.clone());
    backups.create(Some("b")).await?;
    users(storage).put("ada", &doc! { "changed": true }).await?;
    let before = all(storage, "users").await?;
    let objects = storage.objects();
    let mut tried = 0;
    for key in keys(storage, "backups/b/").await? {
        let whole = objects.read(&key).await?.ok_or("it is there")?;
        let mut damaged = vec![None, Some(whole[..whole.len() - 2].to_vec())];
        for at in (0..whole.len()).step_by(whole.len() / 7 + 1) {
            let mut bytes = whole.to_vec();
            // Another digit, another letter: what still looks like text.
            bytes[at] ^= 1;
            damaged.push(Some(bytes));
        }
        for bytes in damaged {
            match &bytes {
                Some(bytes) => {
                    objects.write(&key, bytes.clone()).await?;
                }
                None => objects.delete(&key).await?,
            }
            let missing = bytes.is_none() && key.ends_with("manifest.json");
            let kind = if missing {
                ErrorKind::NotFound
            } else {
                ErrorKind::Corrupt
            };
            for outcome in [
                backups.verify("b").await.map(|_| ()),
                backups.restore("b").await.map(|_| ()),
            ] {
                match outcome {
                    Err(error) if error.kind() == kind => {
                        ensure!(missing || error.key() == Some(&key), "it names {key}: {error:?}");
                    }
                    // White space and the spelling of numbers are no damage; nor is a digit of the format made larger.
                    Err(error) if error.kind() == ErrorKind::FormatTooNew => {}
                    other => {
                        return Err(format!("{key} with {bytes:?}: expected {kind}, got {other:?}").into());
                    }
                }
            }
            tried += 1;
        }
        objects.write(&key, whole).await?;
    }
    ensure!(tried > 20, "only {tried} kinds of damage");
    ensure_eq!(all(storage, "users").await?, before, "the documents");
    ensure_eq!(
        backups.list().await?.backups.len(),
        1,
        "no backup was made by what was refused"
    );
    backups.restore("b").await?;
    Ok(())
}

async fn a_damaged_one_hides_no_other(ctx: &Ctx) -> Verdict {
    let backups = Backups::new(ctx.storage().clone());
    for name in ["a", "b", "c"] {
        backups.create(Some(name)).await?;
    }
    ctx.storage()
        .objects()
        .write("backups/b/manifest.json", "{}")
        .await?;
    let list = backups.list().await?;
    let names: Vec<&str> = list.backups.iter().map(|info| info.name.as_str()).collect();
    ensure_eq!(names, ["a", "c"], "the others");
    ensure_eq!(list.unreadable.len(), 1, "the damaged one");
    ensure_eq!(
        list.unreadable[0].key(),
        Some("backups/b/manifest.json"),
        "its name"
    );
    Ok(())
}

async fn a_newer_one_is_refused(ctx: &Ctx) -> Verdict {
    let newer = r#"{"format": 3, "anything": true}"#;
    ctx.storage()
        .objects()
        .write("backups/new/manifest.json", newer)
        .await?;
    let backups = Backups::new(ctx.storage().clone());
    ensure_failed(backups.restore("new").await, ErrorKind::FormatTooNew)?;
    Ok(())
}

async fn an_unfinished_one_is_none(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let backups = Backups::new(storage.clone());
    storage
        .objects()
        .write("backups/b/0123/00000-00000.jsonl", "half")
        .await?;
    ensure_eq!(backups.list().await?.backups.len(), 0, "the list");
    ensure_failed(backups.restore("b").await, ErrorKind::NotFound)?;
    backups.create(Some("b")).await?;
    backups.verify("b").await?;
    ensure!(backups.delete("b").await?, "it was there");
    ensure_eq!(keys(storage, "backups/").await?.len(), 0, "what is left");
    Ok(())
}

async fn a_backup_cut_short_at_any_call(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let backups = Backups::new(storage.clone());
    for fault in [Fault::BeforeTheCall, Fault::AfterTheCall] {
        let mut points = ctx.points(fault);
        while let Some(dying) = points.next().await? {
            let outcome = Backups::new(dying).create(Some("b")).await;
            storage.break_lease("migrations").await?;
            let listed = backups.list().await?;
            ensure_eq!(listed.unreadable.len(), 0, "damaged ones at {}", points.at());
            ensure!(
                outcome.is_err() || listed.backups.len() == 1,
                "one that was made is there, at {}",
                points.at()
            );
            if listed.backups.is_empty() {
                backups.create(Some("b")).await?;
            }
            ensure_eq!(
                backups.verify("b").await?.documents,
                3,
                "what is in it, at {}",
                points.at()
            );
            ensure!(backups.delete("b").await?, "it was there, at {}", points.at());
            ensure_eq!(
                keys(storage, "backups/").await?.len(),
                0,
                "what is left, at {}",
                points.at()
            );
        }
        ensure!(points.at() > 8, "only {} calls were tried", points.at());
    }
    Ok(())
}

async fn restore_cut_short(ctx: &Ctx, fault: Fault) -> Verdict {
    let storage = ctx.storage();
    let set = migrations(storage, [roles()])?;
    let mut points = ctx.points(fault);
    while let Some(dying) = points.next().await? {
        let at = points.at();
        wipe(storage).await?;
        load(storage).await?;
        set.backup(Some("b")).await?;
        let wanted = (all(storage, "users").await?, all(storage, "cities").await?);
        users(storage).put("ada", &doc! { "changed": true }).await?;
        users(storage).delete("bob").await?;
        storage.collection::<Document>("new").put("x", &doc! {}).await?;
        let changed = all(storage, "users").await?;

        let outcome = Backups::new(dying).restore("b").await;
        storage.break_lease("migrations").await?;
        let begun = set.status().await?.restoring;
        let now = all(storage, "users").await?;
        ensure!(
            begun.is_some() || now == changed || now == wanted.0,
            "what is half restored is known to be, at {at}: {now:?}"
        );
        match (&begun, at % 3) {
            (Some(name), _) => {
                ensure_eq!(name, "b", "what is being restored, at {at}");
                match at % 3 {
                    0 => set.backups().restore("b").await.map(|_| ())?,
                    1 => set.backups().create(Some("next")).await.map(|_| ())?,
                    _ => {
                        set.migrate().await?;
                        set.rollback_to("0.0.0").await?;
                    }
                }
            }
            (None, _) if outcome.is_err() => set.backups().restore("b").await.map(|_| ())?,
            (None, _) => {}
        }
        ensure_eq!(all(storage, "users").await?, wanted.0, "users, at {at}");
        ensure_eq!(all(storage, "cities").await?, wanted.1, "cities, at {at}");
        ensure_eq!(all(storage, "new").await?.len(), 0, "what was not there, at {at}");
        ensure_eq!(set.status().await?.restoring, None, "it is over, at {at}");

        let safety = set.backups().list().await?.backups;
        let safety = safety
            .iter()
            .find(|info| info.name.starts_with("before-restore"))
            .ok_or_else(|| Failure::new(format!("there is a backup of what was before, at {at}")))?;
        set.restore(&safety.name).await?;
        ensure_eq!(all(storage, "users").await?, changed, "what was before, at {at}");
    }
    ensure!(points.at() > 20, "only {} calls were tried", points.at());
    Ok(())
}

async fn a_restore_cut_short_before_any_call_is_finished(ctx: &Ctx) -> Verdict {
    restore_cut_short(ctx, Fault::BeforeTheCall).await
}

async fn a_restore_cut_short_after_any_call_is_finished(ctx: &Ctx) -> Verdict {
    restore_cut_short(ctx, Fault::AfterTheCall).await
}

async fn another_backup_takes_its_place(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let set = migrations(storage, [roles()])?;
    let before = all(storage, "users").await?;
    set.backup(Some("good")).await?;
    set.backup(Some("bad")).await?;
    users(storage).put("ada", &doc! { "changed": true }).await?;
    let mut points = ctx.points(Fault::BeforeTheCall);
    while let Some(dying) = points.next().await? {
        // Far enough for the restore to be begun, not to be over.
        let _ = Backups::new(dying).restore("bad").await;
        storage.break_lease("migrations").await?;
        if set.status().await?.restoring.is_some() {
            break;
        }
    }
    storage.objects().write("backups/bad/manifest.json", "{}").await?;
    let error = set.migrate().await;
    match error {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let advice = error.context_value("what to do").unwrap_or_default();
            ensure!(advice.contains("before-restore"), "it says what to do: {advice}");
        }
        other => return Err(format!("a damaged backup cannot be restored: {other:?}").into()),
    }
    set.restore("good").await?;
    ensure_eq!(all(storage, "users").await?, before, "after the other restore");
    ensure_eq!(set.status().await?.restoring, None, "it is over");
    Ok(())
}
