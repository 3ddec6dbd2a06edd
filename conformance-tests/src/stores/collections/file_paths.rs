//! Files of a project under their paths.

use storage_core::ErrorKind;
use storage_core::bson::doc;
use storage_stores::collections::EntityStorage;

use super::file_versions::{numbers, text};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { file_paths:
    standard [Indexes, UniqueIndexes] projects_are_apart = "a project sees its own files only, and its paths are its own";
    standard [Indexes, UniqueIndexes] a_path_is_taken_once = "a second file of a path is UniqueViolation and changes nothing; a deleted file's path is free";
    standard [Indexes, UniqueIndexes] paths_and_metadata_are_data = "any text is a path, and metadata comes back as it was, whatever its names";
    standard [Indexes, UniqueIndexes] renaming_and_metadata_keep_the_chain = "a new path or new metadata leaves id and versions as they are";
    standard [Indexes, UniqueIndexes] lists_are_in_the_order_of_paths = "list gives the files of the project in the byte order of their paths";
}

async fn projects_are_apart(ctx: &Ctx) -> Verdict {
    let (mine, theirs) = (ctx.storage().files("mine"), ctx.storage().files("mine2"));
    let file = mine.create("a.txt", "mine", doc! {}).await?;
    let other = theirs.create("a.txt", "theirs", doc! {}).await?;
    ensure_eq!(theirs.get(&file.id).await?, None, "another project's file");
    ensure_kind!(
        theirs.create_version(&file.id, "x").await,
        ErrorKind::NotFound,
        "a version of it"
    );
    ensure_kind!(
        theirs.rename(&file.id, "x").await,
        ErrorKind::NotFound,
        "a new path of it"
    );
    ensure_kind!(
        theirs.content(&file.id, 1).await,
        ErrorKind::NotFound,
        "its content"
    );
    ensure!(!theirs.delete(&file.id).await?, "it is not there to delete");
    ensure_eq!(theirs.list().await?, vec![other.clone()], "their list");
    ensure_eq!(theirs.find_by_path("a.txt").await?, Some(other), "their path");
    ensure_eq!(mine.list().await?, [file], "my list");
    Ok(())
}

async fn a_path_is_taken_once(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let file = files.create("a.txt", "one", doc! {}).await?;
    ensure_kind!(
        files.create("a.txt", "two", doc! {}).await,
        ErrorKind::UniqueViolation,
        "a second file"
    );
    let other = files.create("b.txt", "two", doc! {}).await?;
    ensure_kind!(
        files.rename(&other.id, "a.txt").await,
        ErrorKind::UniqueViolation,
        "a taken path"
    );
    ensure_eq!(
        files.find_by_path("a.txt").await?,
        Some(file.clone()),
        "whose it is"
    );
    files.delete(&file.id).await?;
    let again = files.create("a.txt", "three", doc! {}).await?;
    ensure!(
        again.id != file.id && again.latest.number == 1,
        "another file, from the beginning"
    );
    Ok(())
}

async fn paths_and_metadata_are_data(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("../../evil");
    let metadata =
        doc! { "$oid": "0123456789abcdef01234567", "created": "mine", "nested": { "$date": 1_i64 } };
    for path in ["../../evil", "/", "a//b", "__proto__", "", "C:\\x", "é", "a\0b"] {
        let file = files.create(path, path.to_owned(), metadata.clone()).await?;
        let found = files.find_by_path(path).await?;
        ensure_eq!(
            found.as_ref().map(|found| &found.id),
            Some(&file.id),
            "path {path:?}"
        );
        ensure_eq!(
            found.map(|found| found.metadata),
            Some(metadata.clone()),
            "its metadata"
        );
        ensure_eq!(text(&files, &file, 1).await?, path, "its content");
    }
    Ok(())
}

async fn renaming_and_metadata_keep_the_chain(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    let file = files.create("a.txt", "one", doc! { "n": 1_i64 }).await?;
    files.create_version(&file.id, "two").await?;
    files.rename(&file.id, "b/a.txt").await?;
    let file = files.set_metadata(&file.id, doc! { "n": 2_i64 }).await?;
    ensure_eq!(files.find_by_path("a.txt").await?, None, "the old path");
    ensure_eq!(
        files.find_by_path("b/a.txt").await?,
        Some(file.clone()),
        "the new path"
    );
    ensure_eq!(file.metadata, doc! { "n": 2_i64 }, "the new metadata");
    ensure_eq!(numbers(&files, &file).await?, [1, 2], "its versions");
    Ok(())
}

async fn lists_are_in_the_order_of_paths(ctx: &Ctx) -> Verdict {
    let files = ctx.storage().files("p");
    for path in ["b", "a/b", "é", "a", "a.txt", "B"] {
        files.create(path, "x", doc! {}).await?;
    }
    let listed = files.list().await?;
    let listed: Vec<&str> = listed.iter().map(|file| file.path.as_str()).collect();
    ensure_eq!(listed, ["B", "a", "a.txt", "a/b", "b", "é"], "the list");
    Ok(())
}
