//! Files of a project and the chain of their versions.

use std::time::Duration;

use futures::stream::StreamExt;
use storage_core::bson::doc;
use storage_core::{Bytes, ErrorKind};
use storage_stores::collections::{EntityStorage, File, Files, Retention};

use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { file_versions:
    smoke [Indexes, UniqueIndexes] a_file_comes_back = "a file is created with its first version and read back by id and by path, with content and metadata";
    smoke [Indexes, UniqueIndexes] versions_form_a_chain = "each new version continues the latest; numbers, neighbours, latest and contents are right";
    standard [Indexes, UniqueIndexes] a_revert_is_a_new_version = "revert_to makes a new version of the old content and stores no bytes";
    standard [Indexes, UniqueIndexes] unchanged_content_costs_nothing = "equal contents of one file or of several are stored once";
    standard [Indexes, UniqueIndexes] what_is_not_there_is_said = "unknown files and versions are None or NotFound naming the versions there are";
    standard [Indexes, UniqueIndexes] differences_are_shown = "a unified diff of texts, a line for others, nothing for equals";
    standard [Indexes, UniqueIndexes] retention_by_count_and_age = "retain keeps the newest so many or those young enough, always the latest, and numbers are never used again";
    standard [Indexes, UniqueIndexes] large_contents_are_streamed = "a content of several pieces comes back piece by piece, byte for byte; an empty one too";
    standard [Indexes, UniqueIndexes] damaged_contents_are_corrupt = "a content that is not what was stored, or is gone, is Corrupt naming it, and the other versions stay readable";
    standard [Indexes, UniqueIndexes] files_survive_a_reopen = "after a reopen every version reads as before";
}

pub(super) async fn text(files: &Files, file: &File, number: u64) -> Result<String, Failure> {
    let bytes = files.content(&file.id, number).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) async fn numbers(files: &Files, file: &File) -> Result<Vec<u64>, Failure> {
    let versions = files.versions(&file.id).await?;
    Ok(versions.into_iter().map(|version| version.number).collect())
}

/// How many contents the medium holds.
async fn contents(ctx: &Ctx) -> Result<usize, Failure> {
    let listed: Vec<_> = ctx.storage().objects().list("files/content/").collect().await;
    Ok(listed.len())
}

async fn a_file_comes_back(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let metadata = doc! { "language": "rust", "lines": 1_i64 };
    let file = files
        .create("src/main.rs", "fn main() {}", metadata.clone())
        .await?;
    ensure_eq!(
        (file.path.as_str(), file.versions),
        ("src/main.rs", 1),
        "what create gave"
    );
    ensure_eq!(file.metadata, metadata, "its metadata");
    ensure_eq!(
        (file.latest.number, file.latest.size),
        (1, 12),
        "its first version"
    );
    let second = ctx.second().await?.files("p");
    ensure_eq!(second.get(&file.id).await?, Some(file.clone()), "by its id");
    ensure_eq!(
        second.find_by_path("src/main.rs").await?,
        Some(file.clone()),
        "by its path"
    );
    ensure_eq!(text(&second, &file, 1).await?, "fn main() {}", "its content");
    let key = format!("files/content/{}", file.latest.hash);
    ensure!(ctx.storage().objects().exists(&key).await?, "it lies at {key}");
    ensure!(files.delete(&file.id).await?, "it was there");
    ensure!(!files.delete(&file.id).await?, "it is not there any more");
    ensure_eq!(second.get(&file.id).await?, None, "after the delete");
    Ok(())
}

async fn versions_form_a_chain(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let first = files.create("a.txt", "one", doc! {}).await?;
    ensure_eq!(
        (first.latest.previous, first.latest.next),
        (None, None),
        "the only one"
    );
    ctx.clock().advance(Duration::from_secs(1));
    // Whoever has an old state in hand continues from the latest all the same.
    let second = ctx
        .second()
        .await?
        .files("p")
        .create_version(&first.id, "two")
        .await?;
    let third = files.create_version(&first.id, "three").await?;
    ensure_eq!(
        (second.latest.number, third.latest.number),
        (2, 3),
        "their numbers"
    );
    ensure_eq!(third.versions, 3, "how many there are");
    ensure!(
        third.updated >= first.updated.after(Duration::from_secs(1)),
        "it was updated"
    );
    ensure_eq!(third.created, first.created, "when it was created");
    let chain: Vec<_> = files
        .versions(&first.id)
        .await?
        .into_iter()
        .map(|version| (version.previous, version.number, version.next))
        .collect();
    ensure_eq!(
        chain,
        [(None, 1, Some(2)), (Some(1), 2, Some(3)), (Some(2), 3, None)],
        "the chain"
    );
    for (number, expected) in [(1, "one"), (2, "two"), (3, "three")] {
        ensure_eq!(text(&files, &first, number).await?, expected, "version {number}");
    }
    ensure_eq!(
        files.latest(&first.id).await?,
        Some(third.latest.clone()),
        "the latest"
    );
    let two = files.version(&first.id, 2).await?.map(|version| version.hash);
    ensure_eq!(two, Some(second.latest.hash), "version 2 by its number");
    Ok(())
}

async fn a_revert_is_a_new_version(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let file = files.create("a.txt", "one", doc! {}).await?;
    files.create_version(&file.id, "two").await?;
    let before = contents(ctx).await?;
    let reverted = files.revert_to(&file.id, 1).await?;
    ensure_eq!(
        (
            reverted.latest.number,
            reverted.latest.reverted_to,
            reverted.latest.previous
        ),
        (3, Some(1), Some(2)),
        "the new version"
    );
    ensure_eq!(text(&files, &file, 3).await?, "one", "its content");
    ensure_eq!(text(&files, &file, 2).await?, "two", "what was reverted is kept");
    ensure_eq!(contents(ctx).await?, before, "contents on the medium");
    let again = files.revert_to(&file.id, 3).await?;
    ensure_eq!(
        (again.latest.number, again.latest.reverted_to),
        (4, Some(3)),
        "the latest reverted to"
    );
    Ok(())
}

async fn unchanged_content_costs_nothing(ctx: &Ctx) -> Verdict {
    let (files, other) = (ctx.storage().files("p"), ctx.storage().files("q"));
    let file = files.create("a.txt", "same", doc! {}).await?;
    files.create_version(&file.id, "same").await?;
    files.create("b.txt", "same", doc! {}).await?;
    other.create("a.txt", "same", doc! {}).await?;
    ensure_eq!(contents(ctx).await?, 1, "contents on the medium");
    // However old: the file refers to it all the time.
    ctx.clock().advance(Duration::from_secs(30 * 24 * 3600));
    let hash = &file.latest.hash;
    let stat = || async {
        ctx.storage()
            .objects()
            .stat(format!("files/content/{hash}"))
            .await
    };
    let before = stat().await?;
    let third = files.create_version(&file.id, "same").await?;
    ensure_eq!(third.latest.number, 3, "a version all the same");
    ensure_eq!(stat().await?, before, "the content on the medium");
    Ok(())
}

async fn what_is_not_there_is_said(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    ensure_eq!(files.get("nobody").await?, None, "a file");
    ensure_eq!(files.find_by_path("nowhere").await?, None, "a path");
    ensure_eq!(files.latest("nobody").await?, None, "its latest version");
    ensure_eq!(files.versions("nobody").await?, [], "its versions");
    ensure_eq!(files.list().await?, [], "the list");
    ensure_kind!(
        files.create_version("nobody", "x").await,
        ErrorKind::NotFound,
        "a version of nothing"
    );
    ensure_kind!(
        files.revert_to("nobody", 1).await,
        ErrorKind::NotFound,
        "a revert of nothing"
    );
    ensure_kind!(
        files.retain("nobody", Retention::new()).await,
        ErrorKind::NotFound,
        "a retention of nothing"
    );
    ensure_kind!(
        files.content("nobody", 1).await,
        ErrorKind::NotFound,
        "the content of nothing"
    );
    ensure_eq!(contents(ctx).await?, 0, "contents on the medium");
    let file = files.create("a.txt", "one", doc! {}).await?;
    files.create_version(&file.id, "two").await?;
    for number in [0, 3, u64::MAX] {
        ensure_eq!(files.version(&file.id, number).await?, None, "version {number}");
        let read = files.content(&file.id, number).await;
        let reason = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        ensure!(reason.contains("1 to 2"), "it names those there are: {reason}");
        ensure_kind!(read, ErrorKind::NotFound, "the content of version {number}");
        ensure_kind!(
            files.revert_to(&file.id, number).await,
            ErrorKind::NotFound,
            "a revert to {number}"
        );
        ensure_kind!(
            files.diff(&file.id, 1, number).await,
            ErrorKind::NotFound,
            "a diff to {number}"
        );
    }
    ensure_eq!(numbers(&files, &file).await?, [1, 2], "nothing was added");
    Ok(())
}

async fn differences_are_shown(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let file = files.create("a.txt", "one\ntwo\nthree\n", doc! {}).await?;
    files.create_version(&file.id, "one\n2\nthree\n").await?;
    files
        .create_version(&file.id, Bytes::from_static(b"\xff\x00"))
        .await?;
    files.revert_to(&file.id, 1).await?;
    let diff = files.diff(&file.id, 1, 2).await?;
    let expected = "--- a.txt@1\n+++ a.txt@2\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";
    ensure_eq!(diff, expected, "two texts");
    ensure_eq!(files.diff(&file.id, 1, 4).await?, "", "equals");
    let binary = files.diff(&file.id, 2, 3).await?;
    ensure_eq!(
        binary,
        "binary files a.txt@2 and a.txt@3 differ\n",
        "a text and something else"
    );
    Ok(())
}

async fn retention_by_count_and_age(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let day = Duration::from_secs(24 * 3600);
    let file = files.create("a.txt", "1", doc! {}).await?;
    for n in 2..=6 {
        ctx.clock().advance(day);
        files.create_version(&file.id, n.to_string()).await?;
    }
    ensure_eq!(
        files.retain(&file.id, Retention::new()).await?.versions,
        6,
        "without limits"
    );
    ensure_eq!(
        files
            .retain(&file.id, Retention::new().newest(10))
            .await?
            .versions,
        6,
        "with room"
    );
    files.retain(&file.id, Retention::new().newest(5)).await?;
    ensure_eq!(numbers(&files, &file).await?, [2, 3, 4, 5, 6], "the newest five");
    files.retain(&file.id, Retention::new().max_age(3 * day)).await?;
    ensure_eq!(numbers(&files, &file).await?, [4, 5, 6], "those under three days");
    ensure_kind!(
        files.content(&file.id, 1).await,
        ErrorKind::NotFound,
        "one that was removed"
    );
    ensure_eq!(text(&files, &file, 4).await?, "4", "one that was kept");
    ensure_eq!(
        files
            .version(&file.id, 4)
            .await?
            .and_then(|version| version.previous),
        None,
        "what is before the first that is kept"
    );
    ctx.clock().advance(30 * day);
    let both = Retention::new().newest(0).max_age(day);
    let kept = files.retain(&file.id, both).await?;
    ensure_eq!((kept.versions, kept.latest.number), (1, 6), "the latest stays");
    ensure_eq!(
        files.create_version(&file.id, "7").await?.latest.number,
        7,
        "the next number"
    );
    Ok(())
}

async fn large_contents_are_streamed(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let large = Bytes::from(ctx.random().bytes(3 * 1024 * 1024 + 17));
    let file = files.create("large", large.clone(), doc! {}).await?;
    files.create_version(&file.id, Bytes::new()).await?;
    let mut reader = files.read(&file.id, 1).await?;
    ensure_eq!(reader.version().size, large.len() as u64, "its size");
    let (mut read, mut pieces) = (Vec::new(), 0);
    while let Some(piece) = reader.next().await {
        read.extend_from_slice(&piece?);
        pieces += 1;
    }
    ensure!(read == large, "it comes back byte for byte");
    ensure!(pieces > 1, "in pieces");
    ensure!(files.content(&file.id, 2).await?.is_empty(), "an empty one");
    Ok(())
}

async fn damaged_contents_are_corrupt(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let file = files.create("a.txt", "as it was", doc! {}).await?;
    let second = files.create_version(&file.id, "healthy").await?;
    let key = format!("files/content/{}", file.latest.hash);
    ctx.storage().objects().write(&key, "as it is?").await?;
    let read = files.content(&file.id, 1).await;
    ensure_eq!(
        read.as_ref().err().and_then(|error| error.key()),
        Some(key.as_str()),
        "what the error names"
    );
    ensure_kind!(read, ErrorKind::Corrupt, "other bytes of the same length");
    ensure_kind!(
        files.diff(&file.id, 1, 2).await,
        ErrorKind::Corrupt,
        "a diff of it"
    );
    ctx.storage().objects().delete(&key).await?;
    ensure_kind!(
        files.content(&file.id, 1).await,
        ErrorKind::Corrupt,
        "a content that is gone"
    );
    ensure_eq!(text(&files, &second, 2).await?, "healthy", "the other version");
    ensure_eq!(files.list().await?, [second], "the list");
    Ok(())
}

async fn files_survive_a_reopen(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let file = files.create("a.txt", "one", doc! { "k": "v" }).await?;
    let file = files.create_version(&file.id, "two").await?;
    let reopened = ctx.reopen().await?.files("p");
    ensure_eq!(reopened.get(&file.id).await?, Some(file.clone()), "the file");
    ensure_eq!(text(&reopened, &file, 1).await?, "one", "version 1");
    ensure_eq!(text(&reopened, &file, 2).await?, "two", "version 2");
    Ok(())
}
