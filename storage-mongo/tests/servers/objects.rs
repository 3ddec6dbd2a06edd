//! Objects: what the shared suite cannot see because it looks from outside: chunks, records of uploads, and what crashes leave.

pub(crate) mod uploads;

use bson::{Document, doc};
use futures::future::join_all;
use storage_core::{
    Area, ByteRange, Bytes, Condition, DeleteRequest, ErrorKind, Key, ListRequest, ObjectGuard, ReadRequest,
    StorageBackend, Version, WriteRequest,
};
use storage_mongo::Mongo;

use crate::place::{Place, laws};

/// Larger than what stays in a head, and no multiple of a chunk.
const LARGE: usize = 3 * 1024 * 1024 + 12345;

laws! {
    Nothing: every_range_of_an_object_in_chunks_is_the_bytes_that_were_written,
    Nothing: what_a_large_object_replaces_or_leaves_behind_is_removed,
    Nothing: a_reader_never_sees_a_mixture_while_others_replace_what_it_reads,
    Atomic: of_racing_conditional_writes_one_wins_large_or_small,
    Transactions: a_guarded_write_and_a_change_of_what_guards_it_never_both_succeed,
    Nothing: listing_jumps_over_what_rolls_up,
    Nothing: damage_is_told_and_hides_no_neighbour,
    Nothing: a_database_of_a_newer_format_is_refused_untouched,
    Atomic: what_cannot_be_read_is_there_for_who_wants_it_absent,
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn pattern(length: usize, seed: u8) -> Bytes {
    (0..length)
        .map(|at| (at % 251).to_le_bytes()[0] ^ seed)
        .collect::<Vec<u8>>()
        .into()
}

async fn write(mongo: &Mongo, name: &str, bytes: Bytes) -> Version {
    let request = WriteRequest::default();
    mongo
        .write(Area::Objects, &key(name), bytes, request)
        .await
        .unwrap()
}

async fn read(mongo: &Mongo, name: &str, range: Option<ByteRange>) -> Option<Bytes> {
    let mut request = ReadRequest::default();
    request.range = range;
    let object = mongo.read(Area::Objects, &key(name), request).await.unwrap();
    object.map(|object| object.bytes)
}

/// How many chunks and records of uploads there are.
async fn remains(place: &Place) -> (u64, u64) {
    let count = async |name: &str| {
        let collection = place.database().collection::<Document>(name);
        collection.count_documents(doc! {}).await.unwrap()
    };
    (count("_storage.chunks").await, count("_storage.uploads").await)
}

async fn every_range_of_an_object_in_chunks_is_the_bytes_that_were_written(place: &Place) {
    let mongo = place.connect().await;
    let whole = pattern(LARGE, 1);
    write(&mongo, "large", whole.clone()).await;
    assert_eq!(read(&mongo, "large", None).await.unwrap(), whole);
    let (chunk, size) = (1024 * 1024_u64, LARGE as u64);
    for (start, end) in [
        (0, 1),
        (0, chunk),
        (chunk - 1, chunk + 1),
        (chunk, 2 * chunk),
        (1, size - 1),
        (size - 1, size),
        (size - 1, size + 10),
        (size, size + 10),
    ] {
        let bytes = read(&mongo, "large", Some(ByteRange::Bounded(start, end)))
            .await
            .unwrap();
        let place = |offset: u64| usize::try_from(offset).unwrap();
        let expected = &whole[place(start)..place(end.min(size))];
        assert_eq!(bytes, expected, "{start}..{end}");
    }
    assert_eq!(remains(place).await, (4, 0));
}

async fn what_a_large_object_replaces_or_leaves_behind_is_removed(place: &Place) {
    let mongo = place.connect().await;
    write(&mongo, "a", pattern(LARGE, 1)).await;
    write(&mongo, "a", pattern(LARGE, 2)).await;
    assert_eq!(remains(place).await, (4, 0));
    write(&mongo, "a", pattern(10, 3)).await;
    assert_eq!(remains(place).await, (0, 0));
    for name in ["a", "b", "c", "d"] {
        write(&mongo, name, pattern(LARGE, 4)).await;
    }
    mongo
        .delete(Area::Objects, &key("a"), DeleteRequest::default())
        .await
        .unwrap();
    assert_eq!(remains(place).await, (12, 0));
    let keys = [key("b"), key("none"), key("c"), key("b")];
    let deleted = mongo.delete_many(Area::Objects, &keys).await.unwrap();
    assert!(deleted.len() == 4 && deleted.iter().all(Result::is_ok));
    assert_eq!(remains(place).await, (4, 0));
    mongo
        .copy(Area::Objects, &key("d"), &key("e"), WriteRequest::default())
        .await
        .unwrap()
        .unwrap();
    mongo
        .delete(Area::Objects, &key("d"), DeleteRequest::default())
        .await
        .unwrap();
    assert_eq!(read(&mongo, "e", None).await.unwrap(), pattern(LARGE, 4));
    assert_eq!(remains(place).await, (4, 0));
}

async fn a_reader_never_sees_a_mixture_while_others_replace_what_it_reads(place: &Place) {
    let mongo = place.connect().await;
    write(&mongo, "a", pattern(LARGE, 0)).await;
    let writing = async {
        for round in 1..12 {
            write(&mongo, "a", pattern(LARGE, round)).await;
        }
    };
    let reading = async {
        for _ in 0..12 {
            let bytes = read(&mongo, "a", None).await.unwrap();
            assert_eq!(bytes, pattern(LARGE, bytes[0]), "a mixture");
        }
    };
    futures::join!(writing, reading);
    assert_eq!(remains(place).await, (4, 0));
}

async fn of_racing_conditional_writes_one_wins_large_or_small(place: &Place) {
    let mongo = place.connect().await;
    for length in [10, 600 * 1024] {
        let name = format!("race-{length}");
        let mut current = None;
        for round in 0..4 {
            let condition = current.clone().map_or(Condition::IfAbsent, Condition::IfVersion);
            let writes = (0..6).map(|racer| {
                let (mongo, name, condition) = (&mongo, key(&name), condition.clone());
                async move {
                    let request = WriteRequest::when(condition);
                    mongo
                        .write(Area::Objects, &name, pattern(length, racer), request)
                        .await
                }
            });
            let answers = join_all(writes).await;
            let won: Vec<Version> = answers.into_iter().flatten().collect();
            assert_eq!(won.len(), 1, "{length} bytes, round {round}");
            current = won.into_iter().next();
        }
        let meta = mongo.stat(Area::Objects, &key(&name)).await.unwrap().unwrap();
        assert_eq!(Some(meta.version), current);
    }
    assert_eq!(remains(place).await, (1, 0));
}

async fn a_guarded_write_and_a_change_of_what_guards_it_never_both_succeed(place: &Place) {
    let mongo = place.connect().await;
    for round in 0..8_u8 {
        let version = write(&mongo, "guard", pattern(10, round)).await;
        let mut request = WriteRequest::default();
        request.guard = Some(ObjectGuard {
            key: key("guard"),
            version: version.clone(),
        });
        let (guarding, guarded) = (key("guard"), key("guarded"));
        let guarded = mongo.write(Area::Objects, &guarded, pattern(10, round), request.clone());
        let change = WriteRequest::when(Condition::IfVersion(version));
        let changed = mongo.write(Area::Objects, &guarding, pattern(11, round), change);
        let (guarded, changed) = futures::join!(guarded, changed);
        // The change cannot lose: to guard by an object does not change its version.
        changed.unwrap();
        if let Err(error) = guarded {
            assert!(error.is_guard_failed(), "{error}");
        }
        let error = mongo
            .write(Area::Objects, &key("guarded"), pattern(12, round), request)
            .await
            .unwrap_err();
        assert!(error.is_guard_failed(), "{error}");
    }
}

async fn listing_jumps_over_what_rolls_up(place: &Place) {
    let mongo = place.connect().await;
    let names: Vec<String> = (0..30).map(|at| format!("d{}/{at}", at % 3)).collect();
    for name in names
        .iter()
        .map(String::as_str)
        .chain(["a", "d1", "d2x", "é", "\u{FFFF}", "\u{10000}"])
    {
        write(&mongo, name, pattern(1, 0)).await;
    }
    for limit in [1, 2, 3, 100] {
        let mut request = ListRequest::new("");
        request.delimiter = true;
        request.limit = limit;
        let mut found = Vec::new();
        loop {
            let page = mongo.list(Area::Objects, request.clone()).await.unwrap();
            assert!(page.entries.len() <= limit);
            found.extend(page.entries.iter().map(|entry| entry.name().to_owned()));
            let Some(next) = page.next else { break };
            request.start_after = Some(next);
        }
        assert_eq!(
            found,
            [
                "a",
                "d0/",
                "d1",
                "d1/",
                "d2/",
                "d2x",
                "é",
                "\u{FFFF}",
                "\u{10000}"
            ],
            "pages of {limit}"
        );
    }
}

async fn damage_is_told_and_hides_no_neighbour(place: &Place) {
    let mongo = place.connect().await;
    write(&mongo, "a", pattern(LARGE, 1)).await;
    write(&mongo, "b", pattern(10, 1)).await;
    let database = place.database();
    let chunks = database.collection::<Document>("_storage.chunks");
    let one = chunks.find_one(doc! {}).await.unwrap().unwrap();
    chunks
        .delete_one(doc! { "_id": one.get("_id").unwrap() })
        .await
        .unwrap();
    let heads = database.collection::<Document>("_storage.objects");
    heads
        .insert_one(doc! { "_id": "broken", "size": "ten" })
        .await
        .unwrap();
    for name in ["a", "broken"] {
        let read = mongo
            .read(Area::Objects, &key(name), ReadRequest::default())
            .await;
        let error = read.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(name)));
    }
    let mut request = ListRequest::new("");
    request.with_meta = true;
    let page = mongo.list(Area::Objects, request).await.unwrap();
    let names: Vec<&str> = page.entries.iter().map(storage_core::ListEntry::name).collect();
    assert_eq!(names, ["a", "b", "broken"]);
    assert_eq!(read(&mongo, "b", None).await.unwrap(), pattern(10, 1));
}

async fn a_database_of_a_newer_format_is_refused_untouched(place: &Place) {
    let formats = place.database().collection::<Document>("_storage.format");
    formats
        .insert_one(doc! { "_id": "storage", "format": 2_i64 })
        .await
        .unwrap();
    let error = Mongo::connect(place.config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FormatTooNew, "{error}");
    let names = place.database().list_collection_names().await.unwrap();
    assert_eq!(names, ["_storage.format"]);
}

async fn what_cannot_be_read_is_there_for_who_wants_it_absent(place: &Place) {
    let mongo = place.connect().await;
    let heads = place.database().collection::<Document>("_storage.objects");
    heads
        .insert_one(doc! { "_id": "broken", "size": "ten" })
        .await
        .unwrap();
    let request = WriteRequest::when(Condition::IfAbsent);
    let refused = mongo
        .write(Area::Objects, &key("broken"), pattern(1, 1), request)
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
}
