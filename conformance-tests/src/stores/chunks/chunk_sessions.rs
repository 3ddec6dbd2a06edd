//! Sessions: lists, newcomers, what each may see, use and change.

use std::time::Duration;

use storage_core::bson::{RawDocumentBuf, doc, rawdoc};
use storage_core::{ByteRange, ErrorKind};
use storage_stores::chunks::ChunkInfo;

use super::sample::{ids, info, open, open_with, options, read_all, save_all, save_in};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { chunk_sessions:
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] lists_have_the_pinned_first_then_the_newest = "pinned first, then the newest, ties by id, in pages, however many there are";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_newcomer_is_sent_the_newest_complete_ones = "as many as the options say, in the order of lists, none that is under way";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] sessions_do_not_see_each_other = "through a session's view a content of another is not there, by no method";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] names_change_everywhere_at_once = "a new name is in the metadata and in the list, beside what was there";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] use_is_noted_once_a_minute = "saving, reading and listing move the times of use, no more than once a minute";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_record_that_cannot_be_read_hides_no_other = "a list gives what can be read, and names what cannot";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] deleting_a_session_takes_everything_of_it = "pinned and unfinished contents go with their session, and no other's";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_session_keeps_metadata = "what is put with a session comes back, and goes again";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] usage_adds_up = "items, pins, uploads and bytes are counted";
}

async fn lists_have_the_pinned_first_then_the_newest(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    for id in ["a", "b", "c", "d", "e"] {
        save_all(&store, id, &[id]).await?;
        ctx.clock().advance_wall(Duration::from_millis(5));
    }
    store.pin("b").await?;
    store.pin("d").await?;
    store.pin("d").await?;
    let all = store.list_content("s", usize::MAX, 0).await?;
    ensure_eq!(ids(&all), ["d", "b", "e", "c", "a"], "the whole list");
    ensure_eq!(
        ids(&store.list_content("s", 2, 1).await?),
        ["b", "e"],
        "a page of it"
    );
    ensure_eq!(
        ids(&store.list_content("s", 10, 4).await?),
        ["a"],
        "the last page"
    );
    ensure!(
        store.list_content("s", 10, 5).await?.items.is_empty(),
        "behind the end"
    );
    ensure!(
        store.list_content("s", 0, 0).await?.items.is_empty(),
        "a page of none"
    );
    store.unpin("d").await?;
    ensure_eq!(
        ids(&store.list_content("s", 2, 0).await?),
        ["b", "e"],
        "with one pin fewer"
    );
    let same = rawdoc! {
        "session_id": "s", "content_type": "t", "total_chunks": 1_i64, "total_size": 1_i64, "created_at": 5_i64,
        "is_complete": true, "is_pinned": false, "last_accessed": 5_i64, "upload": "u", "revision": "r",
        "encryption_iv": storage_core::bson::Binary { subtype: storage_core::bson::spec::BinarySubtype::Generic, bytes: vec![] },
    };
    let contents = ctx.storage().collection::<RawDocumentBuf>("content_metadata");
    for id in ["z", "x", "y"] {
        let mut document = same.clone();
        document.append(storage_core::bson::cstr!("content_id"), id);
        contents.put(id, &document).await?;
    }
    let ties = store.list_content("s", usize::MAX, 5).await?;
    ensure_eq!(ids(&ties), ["x", "y", "z"], "created in the same millisecond");
    Ok(())
}

async fn a_newcomer_is_sent_the_newest_complete_ones(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_items_to_send(3)).await?;
    for id in ["a", "b", "c", "d"] {
        save_all(&store, id, &[id]).await?;
        ctx.clock().advance_wall(Duration::from_millis(5));
    }
    store.save_chunk("x", info("unfinished", 0, 2)).await?;
    store.pin("a").await?;
    ensure_eq!(
        ids(&store.newest("s").await?),
        ["a", "d", "c"],
        "what a newcomer is sent"
    );
    let five = open(ctx.storage()).await?;
    ensure_eq!(
        five.newest("s").await?.items.len(),
        4,
        "what there is, with the default of five"
    );
    Ok(())
}

async fn sessions_do_not_see_each_other(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_in(&store, "mine", "c", &["a", "b"]).await?;
    let (mine, other) = (store.session("mine"), store.session("other"));
    ensure_eq!(
        mine.get_chunk("c", 0).await?.as_deref(),
        Some(&b"a"[..]),
        "my own chunk"
    );
    ensure!(mine.read_content("c").await.is_ok(), "my own content");
    ensure!(
        mine.read_range("c", ByteRange::From(1)).await.is_ok(),
        "a part of it"
    );
    ensure_eq!(
        mine.missing_chunks("c").await?,
        Some(vec![]),
        "what is missing of it"
    );
    ensure_eq!(ids(&mine.list_content(5, 0).await?), ["c"], "my list");
    ensure_eq!(mine.usage().await?.items, 1, "my usage");
    ensure_eq!(other.get_chunk("c", 0).await?, None, "another's chunk");
    ensure_eq!(
        other.read_chunk("c", 0).await?,
        None,
        "another's chunk with its vector"
    );
    ensure_eq!(other.content_metadata("c").await?, None, "another's metadata");
    ensure_eq!(
        other.missing_chunks("c").await?,
        None,
        "what is missing of another's"
    );
    ensure!(other.list_content(5, 0).await?.items.is_empty(), "another's list");
    ensure!(other.newest().await?.items.is_empty(), "what another is sent");
    ensure_eq!(other.usage().await?, Default::default(), "another's usage");
    let (read, part) = (
        other.read_content("c").await,
        other.read_range("c", ByteRange::From(0)).await,
    );
    ensure_kind!(read.map(|_| ()), ErrorKind::NotFound, "another's content");
    ensure_kind!(part.map(|_| ()), ErrorKind::NotFound, "a part of it");
    let stolen = store.save_chunk("z", ChunkInfo::new("c", "other", 0, 2)).await;
    ensure_kind!(stolen, ErrorKind::AlreadyExists, "writing to another's content");
    ensure_eq!(read_all(&store, "c").await?, "ab", "the content after all that");
    Ok(())
}

async fn names_change_everywhere_at_once(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let told = info("c", 0, 1).metadata(doc! { "fileName": "old", "width": 3_i64 });
    store.save_chunk("x", told).await?;
    save_all(&store, "plain", &["x"]).await?;
    for id in ["c", "plain"] {
        store.rename(id, "new name").await?;
        let content = store.content_metadata(id).await?.ok_or("it is there")?;
        let listed = store.list_content("s", 9, 0).await?.items;
        ensure!(
            listed.contains(&content),
            "the list says something else of {id:?}"
        );
        let metadata = content.additional_metadata.unwrap_or_default();
        ensure_eq!(
            metadata.get_str("fileName").ok(),
            Some("new name"),
            "the name of {id:?}"
        );
        ensure_eq!(
            metadata.get_i64("width").ok(),
            (id == "c").then_some(3),
            "what was beside it"
        );
    }
    ensure_kind!(
        store.rename("c", "").await,
        ErrorKind::InvalidArgument,
        "an empty name"
    );
    Ok(())
}

async fn use_is_noted_once_a_minute(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["a", "b"]).await?;
    let times = || async {
        let content = store.content_metadata("c").await?.ok_or("it is there")?;
        let session = store.session_info("s").await?.ok_or("it is there")?;
        Ok::<_, crate::case::Failure>((content.last_accessed, session.last_active))
    };
    let (content, session) = times().await?;
    store.get_chunk("c", 0).await?;
    ensure_eq!(times().await?, (content, session), "the times within a minute");
    let mut last = (content, session);
    for step in 0..3 {
        ctx.clock().advance_wall(Duration::from_secs(61));
        match step {
            0 => drop(store.get_chunk("c", 0).await?),
            1 => drop(store.read_content("c").await?),
            _ => store.save_chunk("a", info("c", 0, 2)).await?,
        }
        let now = times().await?;
        ensure!(
            now.0 > last.0 && now.1 > last.1,
            "use {step} was not noted: {now:?} after {last:?}"
        );
        last = now;
    }
    ctx.clock().advance_wall(Duration::from_secs(61));
    store.list_content("s", 1, 0).await?;
    let now = times().await?;
    ensure!(now.1 > last.1, "a list was not noted");
    Ok(())
}

async fn a_record_that_cannot_be_read_hides_no_other(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "a", &["a"]).await?;
    save_all(&store, "c", &["c"]).await?;
    let contents = ctx.storage().collection::<RawDocumentBuf>("content_metadata");
    let broken = rawdoc! { "session_id": "s", "is_pinned": true, "created_at": 5_i64, "content_id": "b" };
    contents.put("b", &broken).await?;
    let list = store.list_content("s", usize::MAX, 0).await?;
    ensure_eq!(list.items.len(), 2, "what can be read");
    ensure_eq!(list.unreadable.len(), 1, "what cannot");
    let key = list
        .unreadable
        .first()
        .and_then(|error| error.key())
        .unwrap_or_default();
    ensure!(key.ends_with('b'), "the record it names: {key}");
    ensure_kind!(
        store.content_metadata("b").await,
        ErrorKind::Corrupt,
        "its metadata"
    );
    ensure_kind!(store.get_chunk("b", 0).await, ErrorKind::Corrupt, "its chunk");
    ensure_kind!(
        store.save_chunk("x", info("b", 0, 1)).await,
        ErrorKind::Corrupt,
        "saving over it"
    );
    let report = store.cleanup().await?;
    ensure_eq!(
        (report.removed.len(), report.unreadable.len()),
        (0, 1),
        "a cleanup"
    );
    Ok(())
}

async fn deleting_a_session_takes_everything_of_it(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "a", &["a"]).await?;
    save_all(&store, "pinned", &["b"]).await?;
    store.pin("pinned").await?;
    store.save_chunk("x", info("unfinished", 0, 2)).await?;
    save_in(&store, "other", "c", &["c"]).await?;
    ensure_eq!(store.delete_session("s").await?, 3, "what went");
    ensure_eq!(store.session_info("s").await?, None, "the session");
    ensure!(store.list_content("s", 9, 0).await?.items.is_empty(), "its list");
    ensure_eq!(read_all(&store, "c").await?, "c", "another session's content");
    ensure_eq!(store.delete_session("s").await?, 0, "deleting it again");
    save_all(&store, "a", &["new"]).await?;
    ensure_eq!(read_all(&store, "a").await?, "new", "the id used anew");
    Ok(())
}

async fn a_session_keeps_metadata(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store
        .set_session_metadata("s", Some(doc! { "name": "room 7" }))
        .await?;
    save_all(&store, "c", &["a"]).await?;
    let session = store.session_info("s").await?.ok_or("it is there")?;
    ensure_eq!(session.metadata, Some(doc! { "name": "room 7" }), "its metadata");
    store.set_session_metadata("s", None).await?;
    let session = store.session_info("s").await?.ok_or("it is there")?;
    ensure_eq!(session.metadata, None, "its metadata after they went");
    ensure_eq!(
        store.usage("s").await?.reserved,
        1,
        "what was reserved beside them"
    );
    Ok(())
}

async fn usage_adds_up(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "a", &["abc", "de"]).await?;
    save_all(&store, "b", &["fghi"]).await?;
    store.pin("b").await?;
    store.save_chunk("xyz", info("unfinished", 0, 4)).await?;
    let usage = store.usage("s").await?;
    ensure_eq!(
        (usage.items, usage.pinned, usage.uploads),
        (2, 1, 1),
        "items, pins, uploads"
    );
    ensure_eq!(
        (usage.bytes, usage.reserved),
        (9, 9 + 12),
        "bytes, and with what is reserved"
    );
    store.delete_content("unfinished").await?;
    ensure_eq!(store.usage("s").await?.reserved, 9, "after the upload went");
    Ok(())
}
