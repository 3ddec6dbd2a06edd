//! Versions of files beside other writers, a collector and a crash.

use std::time::Duration;

use futures::future::FutureExt;
use futures::stream::StreamExt;
use storage_core::bson::doc;
use storage_core::{Applied, ErrorKind, Storage};
use storage_stores::collections::{EntityStorage, Files, Retention};

use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{in_parallel, winners};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { file_races:
    standard [Indexes, UniqueIndexes] concurrent_versions_form_one_chain = "versions made at once through two clients are all kept, in one chain without gaps";
    standard [Indexes, UniqueIndexes] one_file_of_a_path_wins = "of files created at once under one path exactly one is there";
    standard [Indexes, UniqueIndexes] a_crash_leaves_the_chain_whole = "after a crash anywhere in create, create_version, revert or retain every version there is can be read, and errors tell what happened";
    standard [Indexes, UniqueIndexes, DeleteIf] unreferenced_contents_are_collected = "contents that no version has and that are a day old are deleted, all others stay";
    standard [Indexes, UniqueIndexes, DeleteIf] a_collection_overtaken_by_a_writer_loses_nothing = "whenever somebody gives a file a content that is about to be collected, it can be read";
    standard [Indexes, UniqueIndexes, DeleteIf] a_writer_overtaken_by_a_collection_loses_nothing = "whenever a collection runs during a write of a content that was about to be collected, it can be read";
    standard [Indexes, UniqueIndexes, DeleteIf] a_collection_cut_short_is_finished_by_another = "after a crash anywhere in a collection another one does the rest";
}

const FAULTS: [Fault; 2] = [Fault::BeforeTheCall, Fault::AfterTheCall];
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn concurrent_versions_form_one_chain(ctx: &Ctx) -> Verdict {
    let clients = [ctx.storage().files("p"), ctx.second().await?.files("p")];
    let file = clients[0].create("a.txt", "1", doc! {}).await?;
    let work = (0..10).map(|n: usize| {
        let (files, id) = (clients[n % 2].clone(), file.id.clone());
        async move { files.create_version(&id, format!("by {n}")).await }
    });
    for done in in_parallel(work).await? {
        done?;
    }
    let versions = clients[1].versions(&file.id).await?;
    let numbers: Vec<u64> = versions.iter().map(|version| version.number).collect();
    ensure_eq!(numbers, (1..=11).collect::<Vec<_>>(), "the chain");
    let mut texts = Vec::new();
    for number in 2..=11 {
        texts.push(clients[0].content(&file.id, number).await?);
    }
    texts.sort();
    let expected: Vec<_> = (0..10).map(|n| format!("by {n}").into_bytes()).collect();
    ensure_eq!(texts, expected, "what was written");
    Ok(())
}

async fn one_file_of_a_path_wins(ctx: &Ctx) -> Verdict {
    let clients = [ctx.storage().files("p"), ctx.second().await?.files("p")];
    let creates = (0..6).map(|n: usize| {
        let files = clients[n % 2].clone();
        async move { files.create("a.txt", n.to_string(), doc! {}).await }
    });
    let results = in_parallel(creates).await?;
    ensure_eq!(
        winners(&results, ErrorKind::UniqueViolation)?,
        1,
        "how many succeed"
    );
    ensure_eq!(clients[0].list().await?.len(), 1, "how many there are");
    Ok(())
}

/// Every version of every file can be read.
async fn all_readable(files: &Files) -> Verdict {
    for file in files.list().await? {
        for version in files.versions(&file.id).await? {
            let read = files.content(&file.id, version.number).await;
            read.map_err(|error| {
                Failure::from(error).in_context(&format!("version {} of {}", version.number, file.path))
            })?;
        }
    }
    Ok(())
}

async fn a_crash_leaves_the_chain_whole(ctx: &Ctx) -> Verdict {
    let looking = ctx.storage().files("p");
    looking.list().await?;
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            for file in looking.list().await? {
                looking.delete(&file.id).await?;
            }
            let files = storage.files("p");
            let file = looking.create("a.txt", "1", doc! {}).await?;
            let created = files
                .create("b.txt", format!("new {}", points.at()), doc! {})
                .await;
            let there = looking.find_by_path("b.txt").await?.is_some();
            ensure!(created.is_err() || there, "what was reported as created is there");
            ensure!(
                !matches!(&created, Err(error) if error.applied() == Applied::No) || !there,
                "what was reported as not created is not there"
            );
            all_readable(&looking).await?;
            for step in 0..3 {
                let before = looking.versions(&file.id).await?;
                let outcome = match step {
                    0 => files.create_version(&file.id, format!("2 {}", points.at())).await,
                    1 => files.revert_to(&file.id, 1).await,
                    _ => files.retain(&file.id, Retention::new().newest(1)).await,
                };
                let after = looking.versions(&file.id).await?;
                let changed = after != before;
                ensure!(
                    outcome.is_err() || changed,
                    "what was reported as done is, in step {step}"
                );
                ensure!(
                    !matches!(&outcome, Err(error) if error.applied() == Applied::No) || !changed,
                    "what was reported as not done is not, in step {step}"
                );
                let latest = after.last().map(|version| version.number);
                ensure!(
                    latest >= before.last().map(|version| version.number),
                    "the chain goes on"
                );
                all_readable(&looking).await?;
            }
        }
    }
    Ok(())
}

/// The hash of a content that nothing refers to and that is more than a day old.
async fn abandoned(ctx: &Ctx, files: &Files, content: &str) -> Result<String, Failure> {
    let file = files.create("abandoned", content.to_owned(), doc! {}).await?;
    files.delete(&file.id).await?;
    ctx.clock().advance(DAY + Duration::from_secs(60));
    Ok(file.latest.hash)
}

async fn hashes(storage: &Storage) -> Vec<String> {
    let listed: Vec<_> = storage.objects().list("files/content/").collect().await;
    let keys = listed.into_iter().flatten().map(|entry| format!("{entry:?}"));
    let mut hashes: Vec<String> = keys
        .filter_map(|key| {
            key.split("files/content/")
                .nth(1)
                .and_then(|rest| rest.get(..64))
                .map(str::to_owned)
        })
        .collect();
    hashes.sort();
    hashes
}

async fn unreferenced_contents_are_collected(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let kept = files.create("kept", "kept", doc! {}).await?;
    let shortened = files.create("shortened", "old", doc! {}).await?;
    let new = files.create_version(&shortened.id, "new").await?;
    files.retain(&shortened.id, Retention::new().newest(1)).await?;
    let gone = files.create("gone", "gone", doc! {}).await?;
    files.delete(&gone.id).await?;
    let shared = files.create("shared", "kept", doc! {}).await?;
    files.delete(&shared.id).await?;
    let report = files.collect().await?;
    ensure_eq!((report.contents, report.deleted), (4, 0), "while all are young");
    ctx.clock().advance(DAY + Duration::from_secs(60));
    let young = files.create("young", "young", doc! {}).await?;
    files.delete(&young.id).await?;
    let report = ctx.second().await?.files("another").collect().await?;
    let mut expected = vec![kept.latest.hash, new.latest.hash];
    let mut left = hashes(ctx.storage()).await;
    // The medium's clock is not the test's: it may have written the last one just now, a day ago.
    left.retain(|hash| *hash != young.latest.hash);
    expected.sort();
    ensure_eq!(left, expected, "what is left");
    ensure!(
        report.deleted >= 2 && report.deleted_bytes >= 7,
        "what is told: {report:?}"
    );
    all_readable(&files).await
}

async fn a_collection_overtaken_by_a_writer_loses_nothing(ctx: &Ctx) -> Verdict {
    let others = ctx.second().await?.files("p");
    let writer = others.clone();
    let mut points = ctx.overtakings(move || {
        let writer = writer.clone();
        async move {
            // The case sees whether it arrived.
            let _ = writer.create("taken", "about to be collected", doc! {}).await;
        }
        .boxed()
    });
    while let Some(storage) = points.next().await? {
        if let Some(file) = others.find_by_path("taken").await? {
            others.delete(&file.id).await?;
        }
        abandoned(ctx, &others, "about to be collected").await?;
        match storage.files("p").collect().await {
            Ok(_) => {}
            Err(error) => return Err(Failure::from(error).in_context("the collection")),
        }
        all_readable(&others).await?;
    }
    ensure!(points.at() > 3, "there are steps to come between");
    Ok(())
}

async fn a_writer_overtaken_by_a_collection_loses_nothing(ctx: &Ctx) -> Verdict {
    let others = ctx.second().await?.files("p");
    let collector = others.clone();
    let mut points = ctx.overtakings(move || {
        let collector = collector.clone();
        async move {
            let _ = collector.collect().await;
        }
        .boxed()
    });
    while let Some(storage) = points.next().await? {
        for file in others.list().await? {
            others.delete(&file.id).await?;
        }
        let file = others.create("a.txt", "1", doc! {}).await?;
        abandoned(ctx, &others, "about to be collected").await?;
        let files = storage.files("p");
        files.create("b.txt", "about to be collected", doc! {}).await?;
        files.create_version(&file.id, "about to be collected").await?;
        files.revert_to(&file.id, 1).await?;
        all_readable(&others).await?;
    }
    ensure!(points.at() > 3, "there are steps to come between");
    Ok(())
}

async fn a_collection_cut_short_is_finished_by_another(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let kept = files.create("kept", "kept", doc! {}).await?;
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            for n in 0..2 {
                abandoned(ctx, &files, &format!("{n} at {}", points.at())).await?;
            }
            // Whatever became of it.
            let _ = storage.files("p").collect().await;
            let mut again = files.collect().await;
            if matches!(&again, Err(error) if error.kind() == ErrorKind::Conflict) {
                ctx.clock().advance_elapsed(Duration::from_secs(70));
                again = files.collect().await;
            }
            again.map_err(|error| Failure::from(error).in_context("the one after"))?;
            ensure_eq!(
                hashes(ctx.storage()).await,
                vec![kept.latest.hash.clone()],
                "what is left"
            );
            all_readable(&files).await?;
        }
    }
    let held = ctx.second().await?;
    let lease = held
        .lease("files/collect", Duration::from_secs(60))
        .acquire()
        .await?;
    ensure_kind!(
        files.collect().await,
        ErrorKind::Conflict,
        "while another is at it"
    );
    lease.release().await?;
    Ok(())
}
