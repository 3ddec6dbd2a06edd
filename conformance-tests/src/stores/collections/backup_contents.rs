//! Objects and logs in backups.

mod cut_short;

use storage_core::bson::doc;
use storage_core::{Capability, ErrorKind, ListEntry, ListRequest, Storage};
use storage_stores::collections::{Backups, Files, Migration, Step};

use self::cut_short::{
    a_backup_of_contents_cut_short_at_any_call, a_restore_of_contents_cut_short_anywhere_is_finished,
};
use super::migration_basics::ensure_failed;
use super::migration_sample::{all, load, roles, users, with_options};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { backup_contents:
    smoke [Documents] objects_come_back = "after a restore every object is what it was: changed, deleted and empty ones, those larger than a piece; what was added is gone";
    smoke [Documents, Logs] logs_come_back = "after a restore every log is what it was: grown, deleted, closed, begun anew; what was added is gone";
    standard [Documents] an_object_that_is_the_same_is_not_written = "an object that is as it is in the backup keeps its version";
    standard [Indexes, UniqueIndexes] contents_of_files_come_back = "the versions of files can be read after a restore, contents included";
    standard [Documents] damage_of_contents_is_found_before_any_effect = "a piece, or a line about an object or a log, that was changed or is gone is Corrupt naming it, and a restore changes nothing";
    standard [Documents] without_contents_objects_are_left_alone = "a backup of documents only, as earlier programs made all of them, restores documents and leaves objects and logs as they are";
    standard [Documents] a_run_backs_up_what_its_steps_may_change = "the backup before a run has objects where a step is the application's own, and only then; the failing run's are undone";
    standard [Documents] backups_are_in_no_backup = "what lies under backups/ is not in a backup, and a restore leaves it";
    standard [Documents] contents_move_elsewhere = "a backup restored on another storage brings objects and logs with it";
    deep [Documents] a_backup_of_contents_cut_short_at_any_call = "whatever call its maker dies at, it is whole or none";
    deep [Documents] a_restore_of_contents_cut_short_anywhere_is_finished = "whatever call it dies at, the next restore makes objects, logs and documents what they were, and what there was before is kept";
}

/// Every object that is no backup's, and every log where there are any: its entries and whether it is closed.
type Contents = (Vec<(String, Vec<u8>)>, Vec<(String, Vec<Vec<u8>>, bool)>);

async fn contents(storage: &Storage) -> Result<Contents, Failure> {
    let mut objects = Vec::new();
    let mut request = ListRequest::new("");
    loop {
        let page = storage.objects().list_page(request.clone()).await?;
        for entry in page.entries {
            if let ListEntry::Object(key, _) = entry
                && !key.as_str().starts_with("backups/")
            {
                let bytes = storage.objects().read(&key).await?.ok_or("it is there")?;
                objects.push((key.as_str().to_owned(), bytes.to_vec()));
            }
        }
        match page.next {
            Some(next) => request.start_after = Some(next),
            None => break,
        }
    }
    let mut logs = Vec::new();
    if storage.declaration().support(Capability::Logs).is_present() {
        for name in storage.logs().await? {
            let page = storage.log(&name).read(0, 1000).await?;
            let entries = page.entries.iter().map(|entry| entry.bytes.to_vec());
            logs.push((name.to_string(), entries.collect(), page.closed));
        }
    }
    Ok((objects, logs))
}

/// Some objects, and some logs where there are any.
async fn fill(storage: &Storage) -> Verdict {
    let objects = storage.objects();
    for (key, bytes) in [
        ("a/changed.txt", "before"),
        ("a/empty", ""),
        ("a/gone.txt", "gone"),
        ("z/same.bin", "same"),
    ] {
        objects.write(key, bytes).await?;
    }
    if storage.declaration().support(Capability::Logs).is_present() {
        for name in ["anew", "closed", "gone", "grown", "same"] {
            storage
                .log(name)
                .append_all([name, "a line\n", "{\"hex\":\"00\"}"])
                .await?;
        }
        storage.log("same").append(vec![0xFF, 0, 0x0A]).await?;
        storage.log("closed").close().await?;
    }
    Ok(())
}

/// Changes, deletes and adds some of each.
async fn meddle(storage: &Storage) -> Verdict {
    let objects = storage.objects();
    objects.write("a/changed.txt", "behind").await?;
    objects.delete("a/gone.txt").await?;
    objects.write("a/added.txt", "added").await?;
    objects.write("z/zz", "last").await?;
    if storage.declaration().support(Capability::Logs).is_present() {
        storage.log("grown").append("more").await?;
        storage.log("gone").delete().await?;
        storage.log("anew").delete().await?;
        storage.log("anew").append("other").await?;
        storage.log("added").append("added").await?;
        storage.log("closed").delete().await?;
    }
    Ok(())
}

async fn objects_come_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let objects = storage.objects();
    fill(storage).await?;
    let large: Vec<u8> = (0..5 * 1024 * 1024_u32).map(|n| n.to_le_bytes()[1]).collect();
    objects.write("a/large.bin", large.clone()).await?;
    let before = contents(storage).await?;
    let backups = Backups::new(storage.clone());
    let info = backups.create(Some("b")).await?;
    ensure_eq!(info.objects, Some(5), "how many objects are in it");
    ensure_eq!(backups.verify("b").await?, info, "what verify says");
    meddle(storage).await?;
    objects.write("a/large.bin", large[1..].to_vec()).await?;
    let report = Backups::new(ctx.second().await?).restore("b").await?;
    ensure_eq!(
        contents(storage).await?.0 == before.0,
        true,
        "the objects are as they were"
    );
    ensure_eq!(
        (report.objects_written, report.objects_deleted),
        (3, 2),
        "what was written and deleted"
    );
    Ok(())
}

async fn logs_come_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    fill(storage).await?;
    let many: Vec<String> = (0..2500).map(|n| format!("{n}")).collect();
    for some in many.chunks(100) {
        storage.log("many").append_all(some.to_vec()).await?;
    }
    let before = contents(storage).await?.1;
    let backups = Backups::new(storage.clone());
    let info = backups.create(Some("b")).await?;
    ensure_eq!(info.logs, Some(6), "how many logs are in it");
    ensure_eq!(backups.verify("b").await?, info, "what verify says");
    meddle(storage).await?;
    storage.log("many").delete().await?;
    let report = Backups::new(ctx.second().await?).restore("b").await?;
    ensure_eq!(contents(storage).await?.1, before, "the logs");
    ensure_eq!(
        storage.log("many").len().await?,
        2500,
        "the entries of a log of many pages"
    );
    ensure_eq!(
        (report.logs_written, report.logs_deleted),
        (5, 1),
        "what was written and deleted"
    );
    storage.log("grown").append("on it goes").await?;
    ensure_failed(storage.log("closed").append("no").await, ErrorKind::LogClosed)?;
    Ok(())
}

async fn an_object_that_is_the_same_is_not_written(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    fill(storage).await?;
    let backups = Backups::new(storage.clone());
    backups.create(Some("b")).await?;
    let version = storage
        .objects()
        .stat("z/same.bin")
        .await?
        .map(|meta| meta.version);
    meddle(storage).await?;
    backups.restore("b").await?;
    let now = storage
        .objects()
        .stat("z/same.bin")
        .await?
        .map(|meta| meta.version);
    ensure_eq!(now, version, "the version of what did not change");
    let report = backups.restore("b").await?;
    ensure_eq!(
        (
            report.objects_written,
            report.objects_deleted,
            report.logs_written,
            report.logs_deleted
        ),
        (0, 0, 0, 0),
        "what a second restore does"
    );
    Ok(())
}

async fn contents_of_files_come_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let files = Files::new(storage.clone(), "project");
    let file = files.create("notes.txt", "first", doc! {}).await?;
    files.create_version(&file.id, "second").await?;
    let backups = Backups::new(storage.clone());
    backups.create(Some("b")).await?;
    let keys: Vec<String> = contents(storage)
        .await?
        .0
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    ensure!(keys.len() >= 2, "there is an object for each content: {keys:?}");
    for key in &keys {
        storage.objects().delete(key).await?;
    }
    files.delete(&file.id).await?;
    backups.restore("b").await?;
    for (number, text) in [(1, "first"), (2, "second")] {
        let read = files.content(&file.id, number).await?;
        ensure_eq!(read, text, "version {number}");
    }
    Ok(())
}

async fn keys(storage: &Storage, prefix: &str) -> Result<Vec<String>, Failure> {
    let page = storage.objects().list_page(ListRequest::new(prefix)).await?;
    Ok(page.entries.iter().map(|entry| entry.name().to_owned()).collect())
}

async fn damage_of_contents_is_found_before_any_effect(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    fill(storage).await?;
    let backups = Backups::new(storage.clone());
    backups.create(Some("b")).await?;
    meddle(storage).await?;
    let before = contents(storage).await?;
    let objects = storage.objects();
    let mut tried = 0;
    for key in keys(storage, "backups/b/").await? {
        if !key.contains("/objects") && !key.contains("/logs") {
            continue;
        }
        let whole = objects.read(&key).await?.ok_or("it is there")?;
        let mut flipped = whole.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        for bytes in [None, Some(whole[..whole.len() - 1].to_vec()), Some(flipped)] {
            match bytes {
                Some(bytes) => drop(objects.write(&key, bytes).await?),
                None => objects.delete(&key).await?,
            }
            for outcome in [
                backups.verify("b").await.map(|_| ()),
                backups.restore("b").await.map(|_| ()),
            ] {
                match outcome {
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        ensure_eq!(error.key(), Some(key.as_str()), "what it names");
                    }
                    other => return Err(format!("{key}: expected Corrupt, got {other:?}").into()),
                }
            }
            tried += 1;
        }
        objects.write(&key, whole).await?;
    }
    ensure!(tried >= 4 * 3, "only {tried} kinds of damage");
    ensure_eq!(contents(storage).await?, before, "objects and logs");
    backups.restore("b").await?;
    Ok(())
}

async fn without_contents_objects_are_left_alone(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    fill(storage).await?;
    let backups = Backups::new(storage.clone()).documents_only();
    let info = backups.create(Some("b")).await?;
    ensure_eq!((info.objects, info.logs), (None, None), "what is in it");
    let manifest = storage.objects().read("backups/b/manifest.json").await?;
    let manifest = String::from_utf8_lossy(manifest.as_deref().unwrap_or_default()).into_owned();
    ensure!(
        manifest.contains("\"format\": 1,") && !manifest.contains("\"objects\""),
        "earlier programs can read it: {manifest}"
    );
    let before = all(storage, "users").await?;
    users(storage).put("ada", &doc! { "changed": true }).await?;
    meddle(storage).await?;
    let meddled = contents(storage).await?;
    // Whoever restores it: what a backup has decides.
    let report = Backups::new(storage.clone()).restore("b").await?;
    ensure_eq!(all(storage, "users").await?, before, "the documents");
    ensure_eq!(contents(storage).await?, meddled, "objects and logs");
    let safety = backups.verify(&report.safety).await?;
    ensure_eq!(safety.objects, None, "what was kept of what there was before");
    Ok(())
}

async fn a_run_backs_up_what_its_steps_may_change(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    fill(storage).await?;
    let before = contents(storage).await?;
    let options = storage_stores::collections::MigrationOptions::new;
    let own =
        Migration::new("1.2.0", "writes objects").up(Step::run("write", |storage: Storage| async move {
            storage.objects().write("a/changed.txt", "by a step").await?;
            Err("it fails".into())
        }));
    let set = with_options(storage, options(), [roles()])?;
    let report = set.migrate().await?;
    let made = report.backup.ok_or("there is a backup")?;
    ensure_eq!(
        set.backups().verify(&made).await?.objects,
        None,
        "of steps on documents"
    );
    let set = with_options(storage, options(), [roles(), own])?;
    ensure!(set.migrate().await.is_err(), "its step fails");
    ensure_eq!(contents(storage).await?, before, "objects and logs");
    let with_objects = set.backups().list().await?.backups;
    ensure!(
        with_objects
            .iter()
            .any(|info| info.objects == Some(before.0.len() as u64)),
        "a backup has the objects: {with_objects:?}"
    );
    Ok(())
}

async fn backups_are_in_no_backup(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    fill(storage).await?;
    let backups = Backups::new(storage.clone());
    let first = backups.create(Some("a")).await?;
    let second = backups.create(Some("b")).await?;
    ensure_eq!(
        second.objects,
        first.objects,
        "how many objects are in the second"
    );
    backups.restore("a").await?;
    backups.verify("b").await?;
    Ok(())
}

async fn contents_move_elsewhere(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    fill(storage).await?;
    let elsewhere = Storage::new(storage_core::Memory::new());
    elsewhere.objects().write("in/the/way", "x").await?;
    Backups::new(storage.clone())
        .kept_on(elsewhere.clone())
        .create(Some("b"))
        .await?;
    Backups::new(elsewhere.clone()).restore("b").await?;
    ensure_eq!(
        contents(&elsewhere).await?,
        contents(storage).await?,
        "objects and logs"
    );
    ensure_eq!(
        all(&elsewhere, "users").await?,
        all(storage, "users").await?,
        "users"
    );
    Ok(())
}
