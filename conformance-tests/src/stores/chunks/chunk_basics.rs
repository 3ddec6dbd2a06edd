//! Saving, reading and deleting.

use bytes::Bytes;
use storage_core::bson::{Bson, Document, RawDocumentBuf, doc};
use storage_core::{Capability, ErrorKind, Query};
use storage_stores::chunks::ChunkInfo;

use super::sample::{ids, info, iv, object, open, read_all, save_all};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { chunk_basics:
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] the_seeds_example_works = "a chunk is saved, completed, read, listed and described as the document shows";
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] chunks_come_in_any_order = "chunks out of order and more than once become one content, byte for byte";
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] everything_survives_a_reopen = "bytes, records, completeness and pins are there after a reopen";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] an_empty_chunk_is_not_an_absent_one = "a chunk of no bytes is Some of nothing, one that never came is None";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] what_is_optional_has_defaults = "without a type, an initialization vector or metadata a chunk is taken, and a later chunk may bring them";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] records_have_the_seeds_fields = "the three collections hold the fields the document names, times in milliseconds";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] objects_have_the_seeds_names = "bytes lie under chunks, hex of the content's id, decimal index, bin; where nothing is deleted by its version the upload stands before the index";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] every_chunk_keeps_its_own_vector = "each chunk's initialization vector comes back with it, and the content has that of the first to arrive";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] deleting_leaves_nothing = "after a delete there is no record, no object and no reservation, and the same id can be used anew";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] what_is_not_there_is_none = "an unknown content is None, false or NotFound, never an error of another kind";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] after_close_everything_is_closed = "every method of a closed store is Closed, and closing again is Ok";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] opening_again_is_harmless = "a store may be opened any number of times on the same place";
}

async fn the_seeds_example_works(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let info = ChunkInfo::new("unique-content-id", "user-session-id", 0, 1)
        .size(4)
        .iv(vec![7; 12]);
    store.save_chunk("data", info).await?;
    store.mark_content_complete("unique-content-id").await?;
    let data = store.get_chunk("unique-content-id", 0).await?;
    ensure_eq!(
        data.as_deref(),
        Some(&b"data"[..]),
        "the chunk, by the content's id alone"
    );
    let list = store.list_content("user-session-id", 50, 0).await?;
    ensure_eq!(ids(&list), ["unique-content-id"], "the session's list");
    let content = store.content_metadata("unique-content-id").await?;
    ensure_eq!(content.as_ref(), list.items.first(), "list and metadata agree");
    let content = content.ok_or("it is there")?;
    ensure!(content.is_complete, "it was completed");
    ensure_eq!(
        (content.total_chunks, content.total_size),
        (1, 4),
        "chunks and bytes"
    );
    ensure_eq!(&content.encryption_iv[..], &[7; 12][..], "the vector");
    store.close().await?;
    Ok(())
}

async fn chunks_come_in_any_order(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let chunks = ["one ", "two ", "three ", "four"];
    for index in [3_u32, 1, 3, 0, 2, 1] {
        let bytes = Bytes::from_static(chunks[index as usize].as_bytes());
        store.save_chunk(bytes, info("c", index, 4)).await?;
        let content = store.content_metadata("c").await?;
        ensure!(
            content.is_some_and(|content| !content.is_complete),
            "complete before it was completed"
        );
    }
    let content = store.mark_content_complete("c").await?;
    ensure_eq!(content.total_size, 18, "the sum of all chunks");
    ensure_eq!(read_all(&store, "c").await?, chunks.concat(), "the content");
    Ok(())
}

async fn everything_survives_a_reopen(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "whole", &["a", "b"]).await?;
    store.pin("whole").await?;
    store.save_chunk("x", info("part", 1, 2)).await?;
    let before = store.list_content("s", usize::MAX, 0).await?;
    let store = open(&ctx.reopen().await?).await?;
    let after = store.list_content("s", usize::MAX, 0).await?;
    ensure_eq!(after.items, before.items, "the list after a reopen");
    ensure_eq!(read_all(&store, "whole").await?, "ab", "a content after a reopen");
    ensure_eq!(
        store.missing_chunks("part").await?,
        Some(vec![0]),
        "missing after a reopen"
    );
    Ok(())
}

async fn an_empty_chunk_is_not_an_absent_one(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("", info("c", 0, 2)).await?;
    ensure_eq!(
        store.get_chunk("c", 0).await?,
        Some(Bytes::new()),
        "an empty chunk"
    );
    ensure_eq!(store.get_chunk("c", 1).await?, None, "a chunk that has not come");
    ensure_eq!(
        store.get_chunk("c", 2).await?,
        None,
        "a chunk there will never be"
    );
    store.save_chunk("", info("c", 1, 2)).await?;
    let content = store.mark_content_complete("c").await?;
    ensure_eq!(
        (content.total_size, content.is_complete),
        (0, true),
        "a content of no bytes"
    );
    ensure_eq!(read_all(&store, "c").await?, "", "its bytes");
    Ok(())
}

async fn what_is_optional_has_defaults(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("b", ChunkInfo::new("c", "s", 1, 2)).await?;
    let content = store.content_metadata("c").await?.ok_or("it is there")?;
    ensure_eq!(content.content_type, "unknown", "the type nobody gave");
    ensure_eq!(content.additional_metadata, None, "the metadata nobody gave");
    ensure_eq!(content.encryption_iv, Bytes::new(), "the vector nobody gave");
    let later = ChunkInfo::new("c", "s", 0, 2)
        .content_type("image/png")
        .metadata(doc! { "fileName": "cat.png" });
    store.save_chunk("a", later).await?;
    let content = store.mark_content_complete("c").await?;
    ensure_eq!(content.content_type, "image/png", "the type the other chunk gave");
    ensure_eq!(
        content.additional_metadata,
        Some(doc! { "fileName": "cat.png" }),
        "its metadata"
    );
    Ok(())
}

async fn records_have_the_seeds_fields(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let began = storage_core::Clock::now(ctx.clock()).as_millis();
    let told = info("c", 0, 1)
        .content_type("text/plain")
        .metadata(doc! { "fileName": "a.txt" });
    store.save_chunk("abc", told).await?;
    store.mark_content_complete("c").await?;
    let read = |collection: &'static str, id: &'static str| async move {
        let documents = ctx.storage().collection::<RawDocumentBuf>(collection);
        let found = documents
            .get(id)
            .await?
            .ok_or(format!("no document {id} in {collection}"))?;
        Document::try_from(&found.value).map_err(|error| error.to_string().into())
    };
    let content: Result<Document, crate::case::Failure> = read("content_metadata", "c").await;
    let content = content?;
    for (field, value) in [
        ("content_id", Bson::from("c")),
        ("session_id", Bson::from("s")),
        ("content_type", Bson::from("text/plain")),
        ("total_chunks", Bson::from(1_i64)),
        ("total_size", Bson::from(3_i64)),
        (
            "additional_metadata",
            Bson::Document(doc! { "fileName": "a.txt" }),
        ),
        ("is_complete", Bson::from(true)),
    ] {
        ensure_eq!(content.get(field), Some(&value), "field {field}");
    }
    ensure_eq!(
        content.get_binary_generic("encryption_iv").ok(),
        Some(&iv(0)),
        "the vector"
    );
    let chunk = read("chunk_metadata", "c/00000000").await?;
    ensure_eq!(chunk.get_str("content_id").ok(), Some("c"), "the chunk's content");
    ensure_eq!(chunk.get_i64("chunk_index").ok(), Some(0), "the chunk's index");
    ensure_eq!(chunk.get_i64("size").ok(), Some(3), "the chunk's size");
    let session = read("sessions", "s").await?;
    ensure_eq!(session.get_str("session_id").ok(), Some("s"), "the session's id");
    for (document, field) in [
        (&content, "created_at"),
        (&content, "last_accessed"),
        (&chunk, "created_at"),
        (&session, "created_at"),
        (&session, "last_active"),
    ] {
        let time = document.get_i64(field).unwrap_or_default();
        ensure!(
            (began..began + 600_000).contains(&time),
            "{field} is {time}, not milliseconds since 1970"
        );
    }
    Ok(())
}

async fn objects_have_the_seeds_names(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    for index in 0..11 {
        store.save_chunk(index.to_string(), info("Ab", index, 11)).await?;
    }
    let objects = ctx.storage().objects();
    for index in 0..11 {
        let key = object(ctx.storage(), "Ab", index).await?;
        let plain = key == format!("chunks/4162/{index}.bin");
        // Elsewhere a deletion that is late could meet a later upload's object.
        ensure_eq!(
            plain,
            ctx.has(Capability::DeleteIf),
            "the seed's name, and not {key}"
        );
        let found = objects.read(&key).await?;
        ensure_eq!(
            found.as_deref(),
            Some(index.to_string().as_bytes()),
            "object {index}"
        );
    }
    Ok(())
}

async fn every_chunk_keeps_its_own_vector(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    for index in [2_u32, 0, 1] {
        store.save_chunk("x", info("c", index, 3)).await?;
    }
    for index in 0..3 {
        let chunk = store.read_chunk("c", index).await?.ok_or("it is there")?;
        ensure_eq!(&chunk.iv[..], &iv(index)[..], "the vector of chunk {index}");
    }
    let content = store.mark_content_complete("c").await?;
    ensure_eq!(&content.encryption_iv[..], &iv(2)[..], "the content's vector");
    Ok(())
}

async fn deleting_leaves_nothing(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a", "b", "c"]).await?;
    ensure!(store.delete_content("c").await?, "it was there to delete");
    ensure!(!store.delete_content("c").await?, "it was there after a delete");
    ensure_eq!(
        store.content_metadata("c").await?,
        None,
        "its metadata after a delete"
    );
    ensure_eq!(store.get_chunk("c", 0).await?, None, "a chunk after a delete");
    for collection in ["content_metadata", "chunk_metadata"] {
        let documents = ctx.storage().collection::<RawDocumentBuf>(collection);
        ensure_eq!(documents.count(Query::all()).await?, 0, "what {collection} holds");
    }
    ensure!(
        !ctx.storage().objects().exists("chunks").await?,
        "objects are left"
    );
    ensure_eq!(
        store.usage("s").await?,
        Default::default(),
        "what the session uses"
    );
    store.save_chunk("z", info("c", 1, 2)).await?;
    ensure_eq!(
        store.missing_chunks("c").await?,
        Some(vec![0]),
        "a chunk of the deleted content counts"
    );
    ensure_kind!(
        store.mark_content_complete("c").await,
        ErrorKind::NotFound,
        "completing too early"
    );
    Ok(())
}

async fn what_is_not_there_is_none(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    ensure_eq!(store.get_chunk("no", 0).await?, None, "a chunk");
    ensure_eq!(store.content_metadata("no").await?, None, "metadata");
    ensure_eq!(store.missing_chunks("no").await?, None, "missing chunks");
    ensure!(!store.delete_content("no").await?, "a delete of nothing");
    ensure_eq!(store.delete_session("no").await?, 0, "a session's delete");
    ensure!(
        store.list_content("no", 50, 0).await?.items.is_empty(),
        "a session's list"
    );
    ensure!(
        store.newest("no").await?.items.is_empty(),
        "what a newcomer is sent"
    );
    ensure_eq!(store.session_info("no").await?, None, "a session");
    ensure_kind!(
        store.mark_content_complete("no").await,
        ErrorKind::NotFound,
        "completing"
    );
    ensure_kind!(
        store.read_content("no").await.map(|_| ()),
        ErrorKind::NotFound,
        "reading"
    );
    ensure_kind!(store.pin("no").await, ErrorKind::NotFound, "pinning");
    ensure_kind!(store.unpin("no").await, ErrorKind::NotFound, "unpinning");
    ensure_kind!(store.rename("no", "name").await, ErrorKind::NotFound, "renaming");
    Ok(())
}

async fn after_close_everything_is_closed(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a"]).await?;
    store.close().await?;
    store.close().await?;
    let closed = ErrorKind::Closed;
    ensure_kind!(store.save_chunk("a", info("c", 0, 1)).await, closed, "save");
    ensure_kind!(store.mark_content_complete("c").await, closed, "complete");
    ensure_kind!(store.get_chunk("c", 0).await, closed, "get");
    ensure_kind!(store.list_content("s", 1, 0).await, closed, "list");
    ensure_kind!(store.content_metadata("c").await, closed, "metadata");
    ensure_kind!(store.missing_chunks("c").await, closed, "missing");
    ensure_kind!(store.read_content("c").await.map(|_| ()), closed, "read");
    ensure_kind!(store.delete_content("c").await, closed, "delete");
    ensure_kind!(store.delete_session("s").await, closed, "delete a session");
    ensure_kind!(store.pin("c").await, closed, "pin");
    ensure_kind!(store.rename("c", "n").await, closed, "rename");
    ensure_kind!(store.usage("s").await, closed, "usage");
    ensure_kind!(store.newest("s").await, closed, "newest");
    ensure_kind!(store.cleanup().await, closed, "cleanup");
    ensure_kind!(store.verify().await, closed, "verify");
    ensure_kind!(store.repair().await, closed, "repair");
    Ok(())
}

async fn opening_again_is_harmless(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a"]).await?;
    let again = open(ctx.storage()).await?;
    let other = open(&ctx.second().await?).await?;
    for store in [&store, &again, &other] {
        ensure_eq!(read_all(store, "c").await?, "a", "what each of them reads");
    }
    Ok(())
}
