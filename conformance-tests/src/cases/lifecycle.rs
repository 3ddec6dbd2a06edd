//! The life of a handle: data outlives it, and once closed it says so.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use storage_core::{
    ByteRange, Bytes, Capability, Error, ErrorKind, Index, PutOptions, Query, Result, Storage, Timestamp,
    Version, WriteOptions,
};

use crate::case::{Failure, Verdict, cases, check_kind, ensure, ensure_eq};
use crate::context::Ctx;
use crate::digest::digest;

cases! { lifecycle:
    smoke [] reopen_sees_everything = "objects, documents, versions, expiry, indexes, logs and leases are there after a reopen, exactly";
    standard [] use_after_close_is_closed = "every operation on a closed storage, and on what was made from it before, is Closed";
    standard [] close_is_idempotent_and_shared = "closing twice is Ok, clones are closed together, other clients are not";
    standard [] health_answers = "health is Ok while open";
}

type Numbers = BTreeMap<String, i64>;

fn numbers(n: i64) -> Numbers {
    BTreeMap::from([("n".to_owned(), n)])
}

async fn reopen_sees_everything(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    super::listing::write_all(ctx, ["a", "dir/b", "dir/c", "é"]).await?;
    storage.objects().write("empty", "").await?;
    storage.objects().delete("dir/c").await?;
    let expires = Timestamp::from_millis(storage_core::Clock::now(ctx.clock()).as_millis() + 86_400_000);
    if ctx.has(Capability::Documents) {
        let collection = storage.collection::<Numbers>("numbers");
        if ctx.has(Capability::Indexes) {
            collection.ensure_index(Index::btree("by_n", ["n"])).await?;
        }
        for id in 0..20 {
            collection.put(id.to_string(), &numbers(id % 3)).await?;
        }
        collection.delete("7").await?;
        if ctx.has(Capability::Expiry) {
            collection
                .put_with("expires", &numbers(1), PutOptions::new().expires_at(expires))
                .await?;
        }
    }
    if ctx.has(Capability::Logs) {
        storage.log("open").append_all(["one", "two"]).await?;
        storage.log("closed").append("last").await?;
        storage.log("closed").close().await?;
    }
    let mut token = 0;
    if ctx.has(Capability::Documents) {
        let lease = storage
            .lease("lease", Duration::from_secs(60))
            .try_acquire()
            .await?;
        token = lease.map_or(0, |lease| lease.token());
    }
    let before = digest(storage).await?;
    let storage = ctx.reopen().await?;
    ensure_eq!(digest(&storage).await?, before, "everything after a reopen");
    if ctx.has(Capability::Documents) {
        let held = storage
            .lease("lease", Duration::from_secs(60))
            .try_acquire()
            .await?;
        ensure!(held.is_none(), "a lease that is held is free after a reopen");
        ensure_eq!(
            storage.leases().await?.first().map(|lease| lease.token),
            Some(token),
            "the token after a reopen"
        );
    }
    if ctx.has(Capability::Indexes) {
        let found = storage
            .collection::<Numbers>("numbers")
            .find(Query::eq("n", 1))
            .await?
            .collect()
            .await?;
        let expected = if ctx.has(Capability::Expiry) { 7 } else { 6 };
        ensure_eq!(
            found.len(),
            expected,
            "documents found by an index after a reopen"
        );
    }
    if ctx.has(Capability::Logs) {
        let appended = storage.log("open").append("three").await?;
        ensure_eq!(appended.first, 2, "where an append lands after a reopen");
        ensure!(
            storage.log("closed").append("late").await.is_err(),
            "a closed log is open after a reopen"
        );
    }
    Ok(())
}

/// Checks that a call is refused because the storage is closed.
fn closed<R>(what: &str, result: Result<R>) -> Verdict {
    let error: Result<Error, String> = check_kind(result.map(|_| ()), ErrorKind::Closed);
    error
        .map(drop)
        .map_err(|problem| Failure::new(format!("{what} after close: {problem}")))
}

async fn use_after_close_is_closed(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage().clone();
    let objects = storage.objects();
    let version = objects.write("a", vec![b'x'; 2_000_000]).await?;
    let reader = objects.reader("a").await?;
    let mut listing = objects.list("");
    let mut upload = None;
    if ctx.has(Capability::StreamingWrite) {
        upload = Some(objects.upload("b", WriteOptions::new()).await?);
    }
    storage.close().await?;
    closed("write", objects.write("a", "y").await)?;
    closed("create", objects.create("b", "y").await)?;
    closed("read", objects.read("a").await)?;
    closed(
        "read of a range",
        objects.read_range("a", ByteRange::From(1)).await,
    )?;
    closed("stat", objects.stat("a").await)?;
    closed("exists", objects.exists("a").await)?;
    closed("delete", objects.delete("a").await)?;
    closed(
        "delete of a version",
        objects.delete_if("a", version.clone()).await,
    )?;
    closed("replacement", objects.write_if("a", "y", version).await)?;
    closed("delete of many", objects.delete_many(["a"]).await)?;
    closed("copy", objects.copy("a", "b").await)?;
    closed("presign", objects.presign("a", Duration::from_secs(1)).await)?;
    closed("upload", objects.upload("b", WriteOptions::new()).await)?;
    closed("list", objects.list("").try_collect::<Vec<_>>().await)?;
    closed(
        "a listing made before",
        listing
            .next()
            .await
            .unwrap_or_else(|| Err(Error::invalid_argument("it ended"))),
    )?;
    closed("the files of a directory", objects.list_files("").await)?;
    closed("create of a directory", objects.create_directory("d").await)?;
    if let Some(mut reader) = reader {
        closed("a reader made before", reader.try_next().await)?;
    }
    if let Some(mut upload) = upload {
        closed("an upload begun before", upload.write("x").await)?;
        closed("an upload finished", upload.finish().await)?;
    }
    let collection = storage.collection::<Numbers>("numbers");
    closed("put", collection.put("a", &numbers(1)).await)?;
    closed("insert", collection.insert("a", &numbers(1)).await)?;
    closed(
        "put of a version",
        collection.put_if("a", &numbers(1), Version::random()).await,
    )?;
    closed("put of many", collection.put_many([("a", &numbers(1))]).await)?;
    closed("add", collection.add(&numbers(1)).await)?;
    closed("get", collection.get("a").await)?;
    closed("get of many", collection.get_many(["a"]).await)?;
    closed("update", collection.update("a", |_| ()).await)?;
    closed("delete of a document", collection.delete("a").await)?;
    closed("find", collection.find(Query::all()).await)?;
    closed("a page", collection.find_page(Query::all()).await)?;
    closed("count", collection.count(Query::all()).await)?;
    closed("explain", collection.explain(Query::all()).await)?;
    closed(
        "ensure index",
        collection.ensure_index(Index::btree("by_n", ["n"])).await,
    )?;
    closed("drop index", collection.drop_index("by_n").await)?;
    closed("list of indexes", collection.indexes().await)?;
    closed("rebuild of an index", collection.rebuild_index("by_n").await)?;
    closed("figures of an index", collection.index_stats("by_n").await)?;
    closed(
        "batch",
        storage.batch().put(&collection, "a", &numbers(1)).commit().await,
    )?;
    closed("collections", storage.collections().await)?;
    let log = storage.log("log");
    closed("append", log.append("x").await)?;
    closed("read of a log", log.read(0, 1).await)?;
    closed("entries of a log", log.entries(0).try_collect::<Vec<_>>().await)?;
    closed("follow", log.follow(0).try_collect::<Vec<_>>().await)?;
    closed("length of a log", log.len().await)?;
    closed("close of a log", log.close().await)?;
    closed("delete of a log", log.delete().await)?;
    closed("logs", storage.logs().await)?;
    closed(
        "lease",
        storage.lease("lease", Duration::from_secs(1)).try_acquire().await,
    )?;
    closed("leases", storage.leases().await)?;
    closed("break of a lease", storage.break_lease("lease").await)?;
    closed("sweep", storage.sweep().await)?;
    closed("health", storage.health().await)?;
    let again = ctx.second().await?;
    let read = again.objects().read("a").await?;
    ensure_eq!(
        read.map(|bytes| bytes.len()),
        Some(2_000_000),
        "the size of the object after a reopen"
    );
    ensure!(
        !again.objects().exists("b").await?,
        "a write after close was applied"
    );
    Ok(())
}

async fn close_is_idempotent_and_shared(ctx: &Ctx) -> Verdict {
    let storage = ctx.second().await?;
    let (clone, objects) = (storage.clone(), storage.objects());
    storage.objects().write("a", Bytes::from_static(b"kept")).await?;
    storage.close().await?;
    storage.close().await?;
    clone.close().await?;
    closed("a clone", clone.objects().read("a").await)?;
    closed("a handle made before", objects.read("a").await)?;
    crate::settle::settled(ctx).await;
    let read = ctx.storage().objects().read("a").await?;
    ensure_eq!(
        read.as_deref(),
        Some(b"kept".as_slice()),
        "what another client reads after the close"
    );
    ctx.storage().objects().write("b", "other").await?;
    let third = ctx.second().await?;
    ensure!(
        third.objects().read("b").await?.is_some(),
        "a client opened after the close"
    );
    drop::<Storage>(third);
    Ok(())
}

async fn health_answers(ctx: &Ctx) -> Verdict {
    Ok(ctx.storage().health().await?)
}
