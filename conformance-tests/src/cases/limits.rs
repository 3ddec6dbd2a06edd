//! Limits: what is declared works up to the last byte, and one more is refused before any effect.

use std::collections::BTreeMap;

use storage_core::bson::{Document, doc};
use storage_core::{Bytes, Capability, Error, ErrorKind, Index, ListRequest, Query, Result, WriteOptions};

use super::objects::{expect, keys};
use crate::case::{Failure, Verdict, cases, check_kind, ensure, ensure_eq};
use crate::context::Ctx;
use crate::digest::digest;

cases! { limits:
    standard [] object_key_at_and_over = "the longest key works; one byte more is LimitExceeded and stores nothing";
    standard [] object_size_at_and_over timeout 600 = "the largest object works, or 64 MiB where none is declared; one byte more is LimitExceeded and keeps what was there";
    standard [Documents] document_id_at_and_over = "the longest id works; one byte more is LimitExceeded and stores nothing";
    standard [Documents] collection_name_at_and_over = "the longest collection name works; one byte more is LimitExceeded and stores nothing";
    standard [Documents] document_size_at_and_over timeout 600 = "the largest document works; one byte more is LimitExceeded and keeps what was there";
    standard [Documents] batch_at_and_over = "one document more than a call takes is LimitExceeded and stores none";
    standard [AtomicBatch] commit_at_and_over timeout 600 = "the largest batch commits; one operation more is LimitExceeded and stores none";
    standard [Documents] page_within = "no page of documents is larger than declared, and nothing is missed";
    standard [Indexes] index_name_at_and_over = "the longest index name works; one byte more is LimitExceeded and makes no index";
    standard [Indexes] index_key_at_and_over = "the longest key of a B-tree index works; more is LimitExceeded naming the field and stores nothing, while a hash index takes it";
    standard [Logs] log_name_at_and_over = "the longest log name works; one byte more is LimitExceeded and stores nothing";
    standard [Logs] append_bytes_at_and_over timeout 600 = "the largest append works, in one entry and in many; one byte more is LimitExceeded and appends nothing";
    standard [Logs] append_entries_at_and_over timeout 600 = "the most entries in one append work; one more is LimitExceeded and appends nothing";
    standard [] forged_position_is_harmless = "any text is a position to list after: no panic, nothing of another place, nothing twice";
}

/// More than this is not tried, whatever is declared: the suite has to run on small machines.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A limit as a length, where it is small enough to be tried.
fn tried(limit: u64) -> Option<usize> {
    usize::try_from(limit).ok().filter(|_| limit <= MOST_BYTES)
}

/// Checks that a call was refused because of a limit, with the numbers said.
fn refused<R: std::fmt::Debug>(what: &str, result: Result<R>, limit: u64) -> Verdict {
    let error = check_kind(result.map(drop), ErrorKind::LimitExceeded);
    let error: Error = error.map_err(|problem| Failure::new(format!("{what}: {problem}")))?;
    ensure_eq!(
        error.context_value("limit"),
        Some(limit.to_string().as_str()),
        "{what}: the limit said"
    );
    let got = error.context_value("got").and_then(|got| got.parse::<u64>().ok());
    ensure!(
        got.is_some_and(|got| got > limit),
        "{what}: what was given is said to be {got:?}"
    );
    Ok(())
}

/// Names of exactly so many bytes, of different kinds.
fn names_of(length: usize) -> Vec<String> {
    let mut names = vec![
        "n".repeat(length),
        "N".repeat(length),
        "%".repeat(length),
        ".".repeat(length),
    ];
    let mut wide = "é".repeat(length / 2);
    wide.push_str(&"e".repeat(length % 2));
    names.push(wide);
    let mut wider = "😀".repeat(length / 4);
    wider.push_str(&"e".repeat(length % 4));
    names.push(wider);
    let mut directories = "d/".repeat(length / 2);
    directories.push_str(&"d".repeat(length % 2));
    names.push(directories);
    names.sort_unstable();
    names.dedup();
    names
}

async fn object_key_at_and_over(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let limit = ctx.declaration().objects.max_key_bytes;
    // No service takes more than a few KiB, so a larger limit is tried this far only.
    let at = tried(limit).unwrap_or(usize::MAX).min(16 * 1024);
    for name in names_of(at) {
        objects.write(&name, "at the limit").await?;
        expect(ctx, &name, Some(b"at the limit")).await?;
        ensure_eq!(keys(ctx).await?, [name.as_str()], "the keys");
        objects.delete(&name).await?;
    }
    if limit == at as u64 {
        for name in names_of(at + 1) {
            refused(
                "writing under too long a key",
                objects.write(&name, "x").await,
                limit,
            )?;
            refused("reading too long a key", objects.read(&name).await, limit)?;
            refused("deleting too long a key", objects.delete(&name).await, limit)?;
            if ctx.has(Capability::Copy) {
                objects.write("source", "x").await?;
                refused(
                    "copying to too long a key",
                    objects.copy("source", &name).await,
                    limit,
                )?;
                objects.delete("source").await?;
            }
        }
    }
    ensure_eq!(keys(ctx).await?, Vec::<String>::new(), "the keys after refusals");
    Ok(())
}

async fn object_size_at_and_over(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let limit = ctx.declaration().objects.max_object_bytes;
    objects.write("kept", "old").await?;
    let size = limit.unwrap_or(MOST_BYTES).min(MOST_BYTES);
    let at = ctx.random().bytes(usize::try_from(size).unwrap_or(0));
    objects.write("large", at.clone()).await?;
    let read = objects.read("large").await?;
    ensure!(
        read.as_deref() == Some(at.as_slice()),
        "{size} bytes came back different"
    );
    if let Some(limit) = limit.filter(|limit| *limit == size) {
        let over = Bytes::from([at.as_slice(), b"!"].concat());
        refused(
            "writing too large an object",
            objects.write("kept", over.clone()).await,
            limit,
        )?;
        refused(
            "writing too large an object",
            objects.write("new", over.clone()).await,
            limit,
        )?;
        if ctx.has(Capability::StreamingWrite) {
            let mut upload = objects.upload("kept", WriteOptions::new()).await?;
            upload.write(at).await?;
            refused("streaming too large an object", upload.write("!").await, limit)?;
            drop(upload);
        }
        expect(ctx, "kept", Some(b"old")).await?;
        expect(ctx, "new", None).await?;
    }
    Ok(())
}

/// The documents section, which is there because the case needs it.
fn documents(ctx: &Ctx) -> Result<&storage_core::DocumentsDeclaration, Failure> {
    ctx.declaration()
        .documents
        .as_ref()
        .ok_or_else(|| Failure::new("documents are not declared"))
}

fn logs(ctx: &Ctx) -> Result<&storage_core::LogsDeclaration, Failure> {
    ctx.declaration()
        .logs
        .as_ref()
        .ok_or_else(|| Failure::new("logs are not declared"))
}

async fn document_id_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = documents(ctx)?.max_id_bytes;
    let collection = ctx.storage().collection::<Document>("documents");
    let body = doc! { "n": 1_i64 };
    let Some(at) = tried(limit) else { return Ok(()) };
    for id in names_of(at) {
        collection.put(&id, &body).await?;
        let read = collection.get(&id).await?;
        ensure_eq!(
            read.map(|document| document.id.to_string()),
            Some(id.clone()),
            "the id read back"
        );
        let found = collection.find(Query::all()).await?.collect().await?;
        ensure_eq!(found.len(), 1, "documents found under an id of {at} bytes");
        ensure!(
            collection.delete(&id).await?,
            "an id of {at} bytes was not there to delete"
        );
    }
    for id in names_of(at + 1) {
        refused(
            "putting under too long an id",
            collection.put(&id, &body).await,
            limit,
        )?;
        refused("getting too long an id", collection.get(&id).await, limit)?;
        refused("deleting too long an id", collection.delete(&id).await, limit)?;
    }
    ensure_eq!(
        collection.find(Query::all()).await?.collect().await?.len(),
        0,
        "documents after refusals"
    );
    Ok(())
}

async fn collection_name_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = documents(ctx)?.max_name_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let body = doc! { "n": 1_i64 };
    let names = names_of(at);
    for name in &names {
        let collection = ctx.storage().collection::<Document>(name);
        collection.put("a", &body).await?;
        ensure_eq!(
            collection.get("a").await?.map(|document| document.value),
            Some(body.clone()),
            "the document of {name:?}"
        );
    }
    let listed: Vec<String> = ctx
        .storage()
        .collections()
        .await?
        .iter()
        .map(ToString::to_string)
        .collect();
    ensure_eq!(listed, names, "the collections");
    for name in names_of(at + 1) {
        let collection = ctx.storage().collection::<Document>(&name);
        refused(
            "putting into a collection of too long a name",
            collection.put("a", &body).await,
            limit,
        )?;
        refused(
            "finding in a collection of too long a name",
            collection.find(Query::all()).await.map(drop),
            limit,
        )?;
    }
    ensure_eq!(
        ctx.storage().collections().await?.len(),
        names.len(),
        "collections after refusals"
    );
    Ok(())
}

/// A document of exactly so many bytes of BSON.
fn document_of(size: usize) -> Result<BTreeMap<String, String>, Failure> {
    let with = |length: usize| BTreeMap::from([("text".to_owned(), "x".repeat(length))]);
    let bytes = |document: &BTreeMap<String, String>| {
        let raw = storage_core::bson::serialize_to_raw_document_buf(document);
        raw.map(|raw| raw.as_bytes().len())
            .map_err(|error| Failure::new(error.to_string()))
    };
    let overhead = bytes(&with(0))?;
    let document = with(size.saturating_sub(overhead));
    ensure_eq!(bytes(&document)?, size, "the size of the document that was made");
    Ok(document)
}

async fn document_size_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = documents(ctx)?.max_document_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let collection = ctx.storage().collection::<BTreeMap<String, String>>("documents");
    let largest = document_of(at)?;
    collection.put("a", &largest).await?;
    let read = collection.get("a").await?.map(|document| document.value);
    ensure!(
        read.as_ref() == Some(&largest),
        "a document of {at} bytes came back different"
    );
    let before = BTreeMap::from([("text".to_owned(), "kept".to_owned())]);
    collection.put("a", &before).await?;
    let over = document_of(at + 1)?;
    refused(
        "putting too large a document",
        collection.put("a", &over).await,
        limit,
    )?;
    refused(
        "inserting too large a document",
        collection.insert("new", &over).await,
        limit,
    )?;
    ensure_eq!(
        collection.get("a").await?.map(|document| document.value),
        Some(before),
        "what was there before"
    );
    ensure_eq!(collection.get("new").await?, None, "a document that was refused");
    Ok(())
}

async fn batch_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = documents(ctx)?.max_batch_operations;
    let Some(at) = tried(limit).filter(|at| *at <= 1_000_000) else {
        return Ok(());
    };
    let collection = ctx.storage().collection::<Document>("documents");
    let body = doc! { "n": 1_i64 };
    // Each document may cost a durable write of its own, so a large limit is not tried in full here; commit_at_and_over does.
    let some = at.min(200);
    let written = collection
        .put_many((0..some).map(|id| (id.to_string(), &body)))
        .await?;
    ensure_eq!(
        written.into_iter().collect::<Result<Vec<_>>>()?.len(),
        some,
        "documents written"
    );
    let before = digest(ctx.storage()).await?;
    let over = collection
        .put_many((0..=at).map(|id| (format!("x{id}"), &body)))
        .await;
    refused("putting too many documents", over, limit)?;
    ensure!(
        digest(ctx.storage()).await? == before,
        "a call that was refused changed something"
    );
    Ok(())
}

async fn commit_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = documents(ctx)?.max_batch_operations;
    let Some(at) = tried(limit).filter(|at| *at <= 100_000) else {
        return Ok(());
    };
    let collection = ctx.storage().collection::<Document>("documents");
    let body = doc! { "n": 1_i64 };
    let batch = |operations: usize, prefix: &str| {
        let empty = ctx.storage().batch();
        (0..operations).fold(empty, |batch, id| {
            batch.put(&collection, format!("{prefix}{id}"), &body)
        })
    };
    refused(
        "committing too many operations",
        batch(at + 1, "x").commit().await,
        limit,
    )?;
    ensure_eq!(
        collection.count(Query::all()).await?,
        0,
        "documents after a batch that was refused"
    );
    ensure_eq!(
        batch(at, "a").commit().await?.len(),
        at,
        "versions of the largest batch"
    );
    ensure_eq!(
        collection.count(Query::all()).await?,
        at as u64,
        "documents after the largest batch"
    );
    Ok(())
}

async fn page_within(ctx: &Ctx) -> Verdict {
    let most = tried(documents(ctx)?.max_page_documents).unwrap_or(usize::MAX);
    let collection = ctx.storage().collection::<Document>("documents");
    let body = doc! { "n": 1_i64 };
    collection
        .put_many((0..250).map(|id| (format!("{id:03}"), &body)))
        .await?
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    for limit in [1, 100, 101, 249, 250, 1_000_000] {
        let page = collection.find_page(Query::all().limit(limit)).await?;
        let expected = usize::try_from(limit).unwrap_or(usize::MAX).min(250);
        ensure_eq!(page.documents.len(), expected, "documents in a page of {limit}");
    }
    let mut request = storage_core::FindRequest::new(
        storage_core::Filter::All,
        Vec::new(),
        storage_core::Clock::now(ctx.clock()),
    );
    request.limit = most;
    let page = ctx
        .storage()
        .adapter()
        .find(&storage_core::Name::new("documents")?, request)
        .await?;
    ensure!(
        page.documents.len() <= most,
        "{} documents in a page of {most}",
        page.documents.len()
    );
    Ok(())
}

async fn index_name_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = documents(ctx)?.max_name_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let collection = ctx.storage().collection::<Document>("documents");
    collection.put("a", &doc! { "n": 1_i64 }).await?;
    for name in names_of(at) {
        ensure!(
            collection.ensure_index(Index::btree(&name, ["n"])).await?,
            "the index {name:?} was there already"
        );
        ensure_eq!(
            collection.find(Query::eq("n", 1)).await?.collect().await?.len(),
            1,
            "found by the index {name:?}"
        );
        ensure!(
            collection.drop_index(&name).await?,
            "the index {name:?} was not there to drop"
        );
    }
    for name in names_of(at + 1) {
        refused(
            "an index of too long a name",
            collection.ensure_index(Index::btree(&name, ["n"])).await,
            limit,
        )?;
    }
    ensure_eq!(collection.indexes().await?.len(), 0, "indexes after refusals");
    Ok(())
}

async fn index_key_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = documents(ctx)?.max_index_key_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let collection = ctx.storage().collection::<Document>("documents");
    collection.ensure_index(Index::btree("by_text", ["text"])).await?;
    // The limit is on the encoded key, whose overhead is measured with the encoding itself.
    let encoded = |length: usize| {
        storage_core::encode_bson(&storage_core::bson::Bson::String("x".repeat(length))).len()
    };
    let Some(length) = (0..=at).rev().find(|length| encoded(*length) <= at) else {
        return Err(format!("no text is short enough for an index key of {at} bytes").into());
    };
    let text = |length: usize| doc! { "text": "x".repeat(length) };
    collection.put("a", &text(length)).await?;
    let found = collection
        .find(Query::eq("text", "x".repeat(length)))
        .await?
        .collect()
        .await?;
    ensure_eq!(found.len(), 1, "found by the longest index key");
    let before = digest(ctx.storage()).await?;
    let over = collection.put("b", &text(length + 1)).await;
    let named = over
        .as_ref()
        .err()
        .is_some_and(|error| format!("{error:?}").contains("text"));
    ensure!(named, "the error does not name the field: {over:?}");
    refused("putting too long an index key", over, limit)?;
    refused(
        "replacing by too long an index key",
        collection.put("a", &text(length + 1)).await,
        limit,
    )?;
    ensure!(
        digest(ctx.storage()).await? == before,
        "a put that was refused changed something"
    );
    collection.drop_index("by_text").await?;
    collection.ensure_index(Index::hash("by_text", ["text"])).await?;
    collection.put("b", &text(at * 4)).await?;
    let found = collection
        .find(Query::eq("text", "x".repeat(at * 4)))
        .await?
        .collect()
        .await?;
    ensure_eq!(found.len(), 1, "found by a hash index");
    Ok(())
}

async fn log_name_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = logs(ctx)?.max_name_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let names = names_of(at);
    for name in &names {
        let log = ctx.storage().log(name);
        log.append(name.clone()).await?;
        ensure_eq!(
            log.read(0, 10).await?.entries[0].bytes,
            *name,
            "the entry of {name:?}"
        );
    }
    let listed: Vec<String> = ctx
        .storage()
        .logs()
        .await?
        .iter()
        .map(ToString::to_string)
        .collect();
    ensure_eq!(listed, names, "the logs");
    for name in names_of(at + 1) {
        let log = ctx.storage().log(&name);
        refused(
            "appending to a log of too long a name",
            log.append("x").await,
            limit,
        )?;
        refused("reading a log of too long a name", log.read(0, 1).await, limit)?;
        refused("deleting a log of too long a name", log.delete().await, limit)?;
    }
    ensure_eq!(
        ctx.storage().logs().await?.len(),
        names.len(),
        "logs after refusals"
    );
    Ok(())
}

/// All entries of a log, as bytes.
async fn entries(ctx: &Ctx, log: &str) -> Result<Vec<Bytes>, Failure> {
    use futures::TryStreamExt;
    let entries: Vec<_> = ctx.storage().log(log).entries(0).try_collect().await?;
    Ok(entries.into_iter().map(|entry| entry.bytes).collect())
}

async fn append_bytes_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = logs(ctx)?.max_append_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let largest = Bytes::from(ctx.random().bytes(at));
    let pieces: Vec<Bytes> = largest
        .chunks(at.div_ceil(7))
        .map(Bytes::copy_from_slice)
        .collect();
    for (name, given) in [("one", vec![largest.clone()]), ("many", pieces)] {
        let log = ctx.storage().log(name);
        log.append_all(given.clone()).await?;
        ensure!(
            entries(ctx, name).await? == given,
            "an append of {at} bytes came back different"
        );
        let over = given.iter().cloned().chain([Bytes::from_static(b"!")]);
        refused("appending too many bytes", log.append_all(over).await, limit)?;
        ensure_eq!(
            log.len().await?,
            given.len() as u64,
            "entries after an append that was refused"
        );
        log.append("after").await?;
        ensure_eq!(
            log.len().await?,
            given.len() as u64 + 1,
            "entries after the next append"
        );
    }
    Ok(())
}

async fn append_entries_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = logs(ctx)?.max_entries;
    let Some(at) = tried(limit).filter(|at| *at <= 1_000_000) else {
        return Ok(());
    };
    let log = ctx.storage().log("log");
    let given: Vec<String> = (0..at).map(|number| number.to_string()).collect();
    let appended = log.append_all(given.clone()).await?;
    ensure_eq!(
        (appended.first, appended.next),
        (0, at as u64),
        "where the largest append landed"
    );
    ensure!(
        entries(ctx, "log").await? == given,
        "{at} entries came back different"
    );
    refused(
        "appending too many entries",
        log.append_all(vec!["x"; at + 1]).await,
        limit,
    )?;
    ensure_eq!(
        log.len().await?,
        at as u64,
        "entries after an append that was refused"
    );
    Ok(())
}

async fn forged_position_is_harmless(ctx: &Ctx) -> Verdict {
    let neighbour = ctx.other_place("1").await?.objects();
    neighbour.write("neighbours", "x").await?;
    super::listing::write_all(ctx, ["a", "b/c", "d"]).await?;
    let long = "z".repeat(5000);
    for after in [
        "../",
        "%",
        "%zz",
        "\u{10ffff}",
        "{\"token\":1}",
        "' OR 1=1 --",
        "MDAwMDA=",
        "\u{1}",
        "a\u{0}",
        &long,
    ] {
        for prefix in ["", "b"] {
            for delimiter in [false, true] {
                let mut request = ListRequest::new(prefix);
                request.start_after = Some(after.to_owned());
                request.delimiter = delimiter;
                let page = match ctx.storage().objects().list_page(request).await {
                    Ok(page) => page,
                    Err(error)
                        if matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::InvalidName) =>
                    {
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                let names: Vec<&str> = page.entries.iter().map(storage_core::ListEntry::name).collect();
                let rolled = if delimiter { "b/" } else { "b/c" };
                let expected: Vec<&str> = ["a", rolled, "d"]
                    .into_iter()
                    .filter(|name| name.starts_with(prefix) && *name > after)
                    .collect();
                ensure_eq!(names, expected, "under {prefix:?} after {after:?}");
            }
        }
    }
    Ok(())
}
