//! Limits of documents and indexes.

use std::collections::BTreeMap;

use storage_core::bson::{Document, doc};
use storage_core::{Index, Query, Result};

use super::{names_of, refused, tried};
use crate::case::{Failure, Verdict, ensure, ensure_eq};
use crate::context::Ctx;
use crate::digest::digest;

/// The documents section, which is there because the case needs it.
fn documents(ctx: &Ctx) -> Result<&storage_core::DocumentsDeclaration, Failure> {
    ctx.declaration()
        .documents
        .as_ref()
        .ok_or_else(|| Failure::new("documents are not declared"))
}

pub(super) async fn document_id_at_and_over(ctx: &Ctx) -> Verdict {
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

pub(super) async fn collection_name_at_and_over(ctx: &Ctx) -> Verdict {
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

pub(super) async fn document_size_at_and_over(ctx: &Ctx) -> Verdict {
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

pub(super) async fn batch_at_and_over(ctx: &Ctx) -> Verdict {
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

pub(super) async fn commit_at_and_over(ctx: &Ctx) -> Verdict {
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

pub(super) async fn page_within(ctx: &Ctx) -> Verdict {
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

pub(super) async fn index_name_at_and_over(ctx: &Ctx) -> Verdict {
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

pub(super) async fn index_key_at_and_over(ctx: &Ctx) -> Verdict {
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
