//! Cleanup and limits.

use std::time::Duration;

use futures::future::join_all;
use storage_core::{Error, ErrorKind, Result};
use storage_stores::chunks::ChunkInfo;

use super::sample::{ids, info, open, open_with, options, read_all, save_all, save_in};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { chunk_cleanup:
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] the_newest_of_each_session_stay = "a cleanup keeps the newest complete ones of each session, ties by id, and everything that is pinned";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_dry_run_changes_nothing = "what a dry run says would go is what the cleanup after it removes, items and bytes";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] uploads_that_rest_for_long_go = "an unfinished upload goes once nobody added to it for the age, and not before";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_pass_is_bounded = "a cleanup removes no more than its bound, says that there is more, and the next goes on";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] one_cleaner_at_a_time = "while somebody holds the lease a cleanup does nothing and says so";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] what_is_pinned_meanwhile_stays = "a content that is pinned between the look and the removal is not removed";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] the_timer_cleans_by_itself = "a store with an interval cleans up without being asked, and stops when it is closed";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_session_keeps_to_its_bytes = "an upload that does not fit is refused naming limit, use and when it frees, and fits once something went";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] an_upload_reserves_from_its_first_chunk = "what was announced, or as many as its largest chunk makes likely, counts from the first chunk on, once";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] uploads_side_by_side_do_not_overshoot = "of uploads that begin at once only as many get in as fit, whoever asks";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_reservation_without_a_content_goes = "what an upload reserved that died before its first record frees once it is old";
}

async fn the_newest_of_each_session_stay(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_items_per_session(2)).await?;
    for id in ["a", "b", "c", "d"] {
        save_all(&store, id, &[id, "x"]).await?;
        save_in(&store, "other", &format!("other {id}"), &[id]).await?;
        ctx.clock().advance_wall(Duration::from_millis(5));
    }
    store.pin("a").await?;
    store.save_chunk("x", info("unfinished", 0, 2)).await?;
    let report = store.cleanup().await?;
    ensure_eq!(report.removed, ["other b", "other a", "b"], "what went");
    ensure_eq!(report.bytes, "a".len() as u64 * 2 + 2, "the bytes that went");
    ensure!(!report.more && !report.busy, "the report: {report:?}");
    let list = store.list_content("s", 9, 0).await?;
    ensure_eq!(ids(&list), ["a", "unfinished", "d", "c"], "what stayed");
    ensure_eq!(
        ids(&store.list_content("other", 9, 0).await?),
        ["other d", "other c"],
        "in the other session"
    );
    ensure_eq!(store.cleanup().await?.removed.len(), 0, "another cleanup");
    ensure_eq!(store.usage("s").await?.reserved, 6 + 2, "what is still reserved");
    ensure_eq!(store.verify().await?.found, 0, "problems");
    Ok(())
}

async fn a_dry_run_changes_nothing(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_items_per_session(1)).await?;
    for id in ["a", "b", "c"] {
        save_all(&store, id, &[id, "x"]).await?;
        ctx.clock().advance_wall(Duration::from_millis(5));
    }
    let plan = store.cleanup_dry_run().await?;
    ensure_eq!(plan.removed, ["b", "a"], "what would go");
    ensure_eq!(
        store.list_content("s", 9, 0).await?.items.len(),
        3,
        "what is there after a dry run"
    );
    let report = store.cleanup().await?;
    ensure_eq!(
        (report.removed, report.bytes),
        (plan.removed, plan.bytes),
        "what went"
    );
    Ok(())
}

async fn uploads_that_rest_for_long_go(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().upload_age(Duration::from_secs(3600))).await?;
    store.save_chunk("abc", info("resting", 0, 2)).await?;
    store.save_chunk("abc", info("pinned", 0, 2)).await?;
    store.pin("pinned").await?;
    store.save_chunk("abc", info("going on", 0, 3)).await?;
    ctx.clock().advance_wall(Duration::from_secs(1800));
    store.save_chunk("def", info("going on", 1, 3)).await?;
    ensure_eq!(store.cleanup().await?.removed.len(), 0, "before the age");
    ctx.clock().advance_wall(Duration::from_secs(1801));
    let report = store.cleanup().await?;
    ensure_eq!(
        (report.removed, report.bytes),
        (vec!["resting".to_owned()], 3),
        "after the age"
    );
    ensure_eq!(
        store.missing_chunks("going on").await?,
        Some(vec![2]),
        "an upload that goes on"
    );
    Ok(())
}

async fn a_pass_is_bounded(ctx: &Ctx) -> Verdict {
    let bounded = options().max_items_per_session(1).max_items_per_cleanup(2);
    let store = open_with(ctx.storage(), bounded).await?;
    for id in ["a", "b", "c", "d", "e", "f"] {
        save_all(&store, id, &["x"]).await?;
        ctx.clock().advance_wall(Duration::from_millis(5));
    }
    let mut passes = Vec::new();
    loop {
        let report = store.cleanup().await?;
        passes.push(report.removed.len());
        if !report.more {
            break;
        }
    }
    ensure_eq!(passes, [2, 2, 1], "what each pass removed");
    ensure_eq!(ids(&store.list_content("s", 9, 0).await?), ["f"], "what stayed");
    Ok(())
}

async fn one_cleaner_at_a_time(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_items_per_session(1)).await?;
    save_all(&store, "a", &["x"]).await?;
    save_all(&store, "b", &["x"]).await?;
    let other = ctx.second().await?;
    let lease = other
        .lease("chunks/cleanup", Duration::from_secs(60))
        .acquire()
        .await?;
    let report = store.cleanup().await?;
    ensure!(
        report.busy && report.removed.is_empty(),
        "beside another cleaner: {report:?}"
    );
    lease.release().await?;
    ensure_eq!(store.cleanup().await?.removed.len(), 1, "after it");
    ensure_eq!(store.cleanup().await?.busy, false, "a cleanup leaves the lease");
    Ok(())
}

async fn what_is_pinned_meanwhile_stays(ctx: &Ctx) -> Verdict {
    let setup = open(ctx.storage()).await?;
    let pinner = setup.clone();
    let mut points = ctx.overtakings(move || {
        let pinner = pinner.clone();
        Box::pin(async move { drop(pinner.pin("old").await) })
    });
    let mut kept = 0;
    while let Some(overtaken) = points.next().await? {
        let store = open_with(&overtaken, options().max_items_per_session(1)).await?;
        save_all(&setup, "old", &["x"]).await?;
        ctx.clock().advance_wall(Duration::from_millis(5));
        save_all(&setup, "new", &["y"]).await?;
        let report = store.cleanup().await?;
        let at = points.at();
        match setup.content_metadata("old").await? {
            None => ensure_eq!(report.removed, ["old"], "what went, pinned at call {at}"),
            Some(content) => {
                ensure!(
                    report.removed.is_empty(),
                    "pinned at call {at}, it is reported as removed"
                );
                ensure_eq!(
                    read_all(&setup, "old").await?,
                    "x",
                    "the content pinned at call {at}"
                );
                kept += u64::from(content.is_pinned);
            }
        }
        setup.delete_session("s").await?;
    }
    ensure!(kept > 0, "no pin came in time, so this proves nothing");
    Ok(())
}

async fn the_timer_cleans_by_itself(ctx: &Ctx) -> Verdict {
    let setup = open(ctx.storage()).await?;
    for id in ["a", "b", "c"] {
        save_all(&setup, id, &["x"]).await?;
    }
    let often = options()
        .max_items_per_session(1)
        .cleanup_interval(Duration::from_millis(10));
    let store = open_with(&ctx.second().await?, often).await?;
    while setup.list_content("s", 9, 0).await?.items.len() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    loop {
        match store.last_cleanup().as_deref() {
            Some(Ok(_)) => break,
            Some(Err(error)) => return Err(format!("the cleanup failed to {error}").into()),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    store.close().await?;
    Ok(())
}

async fn a_session_keeps_to_its_bytes(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_session_bytes(10)).await?;
    save_all(&store, "a", &["123456"]).await?;
    store.save_chunk("1", info("b", 0, 3)).await?;
    let refused = store.save_chunk("12", info("c", 0, 1)).await;
    let error = match crate::case::check_kind(refused, ErrorKind::LimitExceeded) {
        Ok(error) => error,
        Err(problem) => return Err(problem.into()),
    };
    let facts = ["limit", "used", "got"].map(|name| error.context_value(name));
    ensure_eq!(
        facts,
        [Some("10"), Some("9"), Some("2")],
        "what the refusal says: {error}"
    );
    let frees: i64 = error
        .context_value("frees_at")
        .and_then(|time| time.parse().ok())
        .unwrap_or_default();
    ensure!(
        frees > storage_core::Clock::now(ctx.clock()).as_millis(),
        "when it frees: {error}"
    );
    ensure_eq!(
        store.content_metadata("c").await?,
        None,
        "a content that was refused"
    );
    ensure!(!ctx.storage().objects().exists("chunks/63").await?, "its object");
    save_in(&store, "other", "elsewhere", &["1234567890"]).await?;
    ensure_kind!(
        store.save_chunk("1234", info("b", 1, 3)).await,
        ErrorKind::LimitExceeded,
        "a larger chunk"
    );
    store.delete_content("a").await?;
    save_all(&store, "c", &["12"]).await?;
    ensure_eq!(store.usage("s").await?.reserved, 5, "what is reserved then");
    Ok(())
}

async fn an_upload_reserves_from_its_first_chunk(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_session_bytes(100)).await?;
    let reserved = || async { store.usage("s").await.map(|usage| usage.reserved) };
    for _ in 0..3 {
        store
            .save_chunk("12345", info("told", 3, 4).content_size(35))
            .await?;
        ensure_eq!(reserved().await?, 35, "what was announced");
    }
    store.save_chunk("1", info("untold", 2, 3)).await?;
    ensure_eq!(reserved().await?, 35 + 3, "with three chunks of one byte");
    for _ in 0..3 {
        store.save_chunk("1234", info("untold", 0, 3)).await?;
        ensure_eq!(reserved().await?, 35 + 12, "with three chunks of four");
    }
    store.save_chunk("1234", info("untold", 1, 3)).await?;
    store.mark_content_complete("untold").await?;
    ensure_eq!(reserved().await?, 35 + 9, "once it is known");
    let refused = store.save_chunk("1", info("huge", 0, 1).content_size(57)).await;
    ensure_kind!(
        refused,
        ErrorKind::LimitExceeded,
        "an announcement that does not fit"
    );
    store.save_chunk("1", info("fits", 0, 1).content_size(56)).await?;
    Ok(())
}

async fn uploads_side_by_side_do_not_overshoot(ctx: &Ctx) -> Verdict {
    let mut uploads = Vec::new();
    for upload in 0..8 {
        let store = open_with(&ctx.second().await?, options().max_session_bytes(35)).await?;
        uploads.push(tokio::spawn(async move {
            let id = format!("c{upload}");
            for index in 0..2 {
                store
                    .save_chunk("12345", info(&id, index, 2).content_size(10))
                    .await?;
            }
            store.mark_content_complete(&id).await?;
            Ok::<_, Error>(())
        }));
    }
    let mut done = 0;
    for upload in join_all(uploads).await {
        let upload: Result<()> = upload.map_err(|error| error.to_string())?;
        match upload {
            Ok(()) => done += 1,
            Err(error) => ensure_eq!(
                error.kind(),
                ErrorKind::LimitExceeded,
                "an upload that lost: {error}"
            ),
        }
    }
    let store = open(ctx.storage()).await?;
    let usage = store.usage("s").await?;
    ensure_eq!(
        (done, usage.items, usage.bytes, usage.reserved),
        (3, 3, 30, 30),
        "what got in"
    );
    Ok(())
}

async fn a_reservation_without_a_content_goes(ctx: &Ctx) -> Verdict {
    let mut points = ctx.points(crate::faulty::Fault::BeforeTheCall);
    let mut left = false;
    while let Some(dying) = points.next().await? {
        let Ok(store) = open(&dying).await else { continue };
        drop(store.save_chunk("abc", ChunkInfo::new("c", "s", 0, 5)).await);
        let store = open(ctx.storage()).await?;
        let abandoned = store.content_metadata("c").await?.is_none();
        if abandoned && store.usage("s").await?.reserved > 0 {
            left = true;
            store.cleanup().await?;
            ensure_eq!(
                store.usage("s").await?.reserved,
                15,
                "a reservation that is young"
            );
            ctx.clock().advance_wall(Duration::from_secs(24 * 3600 + 1));
            store.cleanup().await?;
            ensure_eq!(store.usage("s").await?.reserved, 0, "a reservation that is old");
        }
        store.delete_session("s").await?;
    }
    ensure!(left, "no crash left a reservation, so this proves nothing");
    Ok(())
}
