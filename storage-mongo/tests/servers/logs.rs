//! Logs: buckets, what crashes between the steps leave, and appenders that meet.

use std::collections::BTreeSet;

use bson::{Document, doc};
use futures::future::join_all;
use storage_core::{AppendRequest, Appended, Bytes, ErrorKind, Name, StorageAdapter, Timestamp};
use storage_mongo::Mongo;

use crate::place::{Place, laws};

laws! {
    Atomic: entries_are_read_alike_from_buckets_and_head_and_across_them,
    Atomic: racing_appenders_share_the_numbers_without_a_gap,
    Atomic: an_expected_append_happens_once_however_often_it_is_sent,
    Atomic: a_roll_that_a_crash_cut_short_is_finished_by_the_next_appender,
    Atomic: a_deleted_log_begins_anew_and_sweep_removes_what_a_crash_left_of_it,
    Atomic: a_missing_bucket_is_corruption_and_not_an_end,
    Atomic: appending_to_closed_logs_is_refused_also_where_they_are_full,
}

fn name(log: &str) -> Name {
    Name::new(log).unwrap()
}

fn entries(from: u64, count: u64) -> Vec<Bytes> {
    (from..from + count)
        .map(|at| Bytes::from(at.to_string()))
        .collect()
}

async fn append(mongo: &Mongo, log: &str, entries: Vec<Bytes>) -> Appended {
    mongo
        .append(&name(log), AppendRequest::new(entries))
        .await
        .unwrap()
}

/// The texts of all entries from one on, in pages.
async fn texts(mongo: &Mongo, log: &str, mut from: u64, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = mongo.read_log(&name(log), from, limit).await.unwrap();
        for entry in &page.entries {
            assert_eq!(entry.sequence, from);
            from += 1;
            found.push(String::from_utf8(entry.bytes.to_vec()).unwrap());
        }
        if from >= page.end {
            return found;
        }
        assert!(!page.entries.is_empty(), "no progress at {from}");
    }
}

fn numbers(from: u64, to: u64) -> Vec<String> {
    (from..to).map(|at| at.to_string()).collect()
}

async fn count(place: &Place, collection: &str) -> u64 {
    let collection = place.database().collection::<Document>(collection);
    collection.count_documents(doc! {}).await.unwrap()
}

async fn entries_are_read_alike_from_buckets_and_head_and_across_them(place: &Place) {
    let mongo = place.connect().await;
    let (mut at, steps) = (0, [1, 300, 300, 5, 600, 2, 700, 1]);
    for step in steps {
        let appended = append(&mongo, "log", entries(at, step)).await;
        assert_eq!((appended.first, appended.next), (at, at + step));
        at += step;
    }
    assert!(
        count(place, "_storage.log_entries").await >= 2,
        "nothing was rolled"
    );
    for limit in [1000, 7, 10_000] {
        assert_eq!(
            texts(&mongo, "log", 0, limit).await,
            numbers(0, at),
            "pages of {limit}"
        );
    }
    for from in [1, 300, 601, 606, 1205, at - 1, at, at + 5] {
        assert_eq!(
            texts(&mongo, "log", from, 10_000).await,
            numbers(from, at),
            "from {from}"
        );
    }
    // Large entries: a page is bounded, and always brings one.
    for _ in 0..3 {
        append(&mongo, "large", vec![Bytes::from(vec![7; 6 * 1024 * 1024])]).await;
    }
    let page = mongo.read_log(&name("large"), 0, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.end), (1, 3));
}

async fn racing_appenders_share_the_numbers_without_a_gap(place: &Place) {
    let mongo = place.connect().await;
    let appends = (0..8_u64).map(|appender| {
        let mongo = &mongo;
        async move {
            let mut places = Vec::new();
            for round in 0..20_u64 {
                let text = Bytes::from(format!("{appender}-{round}"));
                let large = Bytes::from(vec![b'x'; 20_000]);
                places.push(append(mongo, "log", vec![text, large]).await.first);
            }
            places
        }
    });
    let places: Vec<u64> = join_all(appends).await.into_iter().flatten().collect();
    let distinct: BTreeSet<u64> = places.iter().copied().collect();
    assert_eq!(distinct, (0..320).step_by(2).collect());
    assert_eq!(texts(&mongo, "log", 0, 100).await.len(), 320);
}

async fn an_expected_append_happens_once_however_often_it_is_sent(place: &Place) {
    let mongo = place.connect().await;
    let mut request = AppendRequest::new(entries(0, 700));
    request.expected = Some(0);
    for _ in 0..3 {
        let appended = mongo.append(&name("log"), request.clone()).await.unwrap();
        assert_eq!((appended.first, appended.next), (0, 700));
        append(&mongo, "log", entries(700, 1)).await;
    }
    let mut other = AppendRequest::new(entries(1, 700));
    other.expected = Some(0);
    let error = mongo.append(&name("log"), other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    let mut beyond = AppendRequest::new(entries(0, 1));
    beyond.expected = Some(9000);
    for log in ["log", "none"] {
        let error = mongo.append(&name(log), beyond.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{log}");
    }
    let logs = mongo.logs(None, 10).await.unwrap();
    assert_eq!(logs, [name("log")]);
}

async fn a_roll_that_a_crash_cut_short_is_finished_by_the_next_appender(place: &Place) {
    let mongo = place.connect().await;
    append(&mongo, "log", entries(0, 600)).await;
    // The crash came after the bucket was written and before the head was emptied.
    let database = place.database();
    let heads = database.collection::<Document>("_storage.logs");
    let head = heads.find_one(doc! {}).await.unwrap().unwrap();
    let bucket = doc! {
        "_id": { "i": head.get("incarnation").unwrap(), "f": 0_i64 },
        "next": 600_i64,
        "entries": head.get("entries").unwrap(),
    };
    let buckets = database.collection::<Document>("_storage.log_entries");
    buckets.insert_one(bucket).await.unwrap();
    assert_eq!(texts(&mongo, "log", 0, 1000).await, numbers(0, 600));
    append(&mongo, "log", entries(600, 1)).await;
    assert_eq!(count(place, "_storage.log_entries").await, 1);
    assert_eq!(texts(&mongo, "log", 0, 1000).await, numbers(0, 601));
}

async fn a_deleted_log_begins_anew_and_sweep_removes_what_a_crash_left_of_it(place: &Place) {
    let mongo = place.connect().await;
    append(&mongo, "log", entries(0, 600)).await;
    append(&mongo, "log", entries(600, 600)).await;
    append(&mongo, "kept", entries(0, 600)).await;
    append(&mongo, "kept", entries(600, 1)).await;
    let before = mongo.read_log(&name("log"), 0, 1).await.unwrap().incarnation;
    // The crash came right after the head was gone.
    let database = place.database();
    let heads = database.collection::<Document>("_storage.logs");
    heads.delete_one(doc! { "_id": "log" }).await.unwrap();
    assert_eq!(texts(&mongo, "log", 0, 10).await, numbers(0, 0));
    let appended = append(&mongo, "log", entries(0, 2)).await;
    assert_eq!((appended.first, appended.next), (0, 2));
    let after = mongo.read_log(&name("log"), 0, 1).await.unwrap().incarnation;
    assert!(after.is_some() && before != after);
    assert_eq!(count(place, "_storage.log_entries").await, 2);
    let report = mongo.sweep(Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(report.temporaries, 1);
    assert_eq!(texts(&mongo, "log", 0, 10).await, numbers(0, 2));
    assert_eq!(texts(&mongo, "kept", 0, 1000).await, numbers(0, 601));
    mongo.delete_log(&name("kept")).await.unwrap();
    assert_eq!(count(place, "_storage.log_entries").await, 0);
}

async fn a_missing_bucket_is_corruption_and_not_an_end(place: &Place) {
    let mongo = place.connect().await;
    append(&mongo, "log", entries(0, 600)).await;
    append(&mongo, "log", entries(600, 600)).await;
    append(&mongo, "log", entries(1200, 1)).await;
    let buckets = place.database().collection::<Document>("_storage.log_entries");
    buckets.delete_one(doc! { "_id.f": 600_i64 }).await.unwrap();
    for from in [0, 600, 700] {
        let error = mongo.read_log(&name("log"), from, 10_000).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "from {from}");
        let expected = format!("log/{}", from.max(600));
        assert_eq!(error.key(), Some(expected.as_str()));
    }
    let page = mongo.read_log(&name("log"), 1200, 10).await.unwrap();
    assert_eq!(page.entries.len(), 1);
}

async fn appending_to_closed_logs_is_refused_also_where_they_are_full(place: &Place) {
    let mongo = place.connect().await;
    append(&mongo, "full", entries(0, 600)).await;
    for log in ["new", "full"] {
        mongo.close_log(&name(log)).await.unwrap();
        mongo.close_log(&name(log)).await.unwrap();
        let append = AppendRequest::new(entries(0, 1));
        let error = mongo.append(&name(log), append).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LogClosed, "{log}");
        assert!(mongo.read_log(&name(log), 0, 1).await.unwrap().closed);
    }
}
