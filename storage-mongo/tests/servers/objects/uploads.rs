//! Large objects on their way: those that are refused, dropped or left by a crash leave nothing behind.

use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use storage_core::{
    Applied, Area, Condition, ErrorKind, StorageAdapter, StorageBackend, Timestamp, Version, WriteRequest,
};

use super::{LARGE, key, pattern, read, remains, write};
use crate::place::{Place, laws};

laws! {
    Atomic: a_refused_write_leaves_what_was_there_and_nothing_else,
    Nothing: a_dropped_write_leaves_what_was_there_and_nothing_else,
    Atomic: sweep_removes_what_crashes_left_and_nothing_that_counts,
    Atomic: of_a_sleeping_upload_and_the_sweep_exactly_one_goes_on,
    Nothing: closing_waits_for_writes_whose_callers_are_gone,
}

async fn a_refused_write_leaves_what_was_there_and_nothing_else(place: &Place) {
    let mongo = place.connect().await;
    write(&mongo, "a", pattern(LARGE, 1)).await;
    for condition in [Condition::IfAbsent, Condition::IfVersion(Version::random())] {
        let request = WriteRequest::when(condition.clone());
        let error = mongo
            .write(Area::Objects, &key("a"), pattern(LARGE, 2), request)
            .await
            .unwrap_err();
        let expected = match condition {
            Condition::IfAbsent => ErrorKind::AlreadyExists,
            _ => ErrorKind::PreconditionFailed,
        };
        assert_eq!(
            (error.kind(), error.applied()),
            (expected, Applied::No),
            "{condition:?}"
        );
    }
    assert_eq!(remains(place).await, (4, 0));
}

async fn a_dropped_write_leaves_what_was_there_and_nothing_else(place: &Place) {
    let mongo = place.connect().await;
    write(&mongo, "a", pattern(LARGE, 1)).await;
    let open = async || {
        let request = WriteRequest::default();
        let shared = Arc::new(mongo.clone());
        shared
            .open_writer(Area::Objects, &key("a"), request)
            .await
            .unwrap()
    };
    let mut writer = open().await;
    writer.write(pattern(20 * 1024 * 1024, 3)).await.unwrap();
    assert!(remains(place).await.0 > 4);
    writer.abort().await.unwrap();
    assert_eq!(remains(place).await, (4, 0));
    let mut writer = open().await;
    writer.write(pattern(20 * 1024 * 1024, 3)).await.unwrap();
    drop(writer);
    // Dropped in the middle of a write, too: what was on its way is waited for and then removed.
    let mut writer = open().await;
    let writing = writer.write(pattern(20 * 1024 * 1024, 3));
    assert!(
        tokio::time::timeout(Duration::from_millis(1), writing)
            .await
            .is_err()
    );
    drop(writer);
    place.until(async || remains(place).await == (4, 0)).await;
    assert_eq!(read(&mongo, "a", None).await.unwrap(), pattern(LARGE, 1));
}

async fn sweep_removes_what_crashes_left_and_nothing_that_counts(place: &Place) {
    let mongo = place
        .connect_with(|config| config.upload_age(Duration::ZERO))
        .await;
    write(&mongo, "kept", pattern(LARGE, 1)).await;
    let database = place.database();
    let (chunks, uploads) = (
        database.collection::<Document>("_storage.chunks"),
        database.collection::<Document>("_storage.uploads"),
    );
    let long_ago = bson::DateTime::from_millis(1);
    let blob = |byte: u8| bson::Binary {
        subtype: bson::spec::BinarySubtype::Generic,
        bytes: vec![byte; 16],
    };
    let kept = chunks.find_one(doc! {}).await.unwrap().unwrap();
    let kept = kept.get_document("_id").unwrap().get("b").unwrap().clone();
    // A crash while chunks were written; while sweep removed one; after the record was gone; and before the head named it.
    for (byte, state) in [
        (1, Some("open")),
        (2, Some("dead")),
        (3, None),
        (4, Some("committed")),
    ] {
        for number in 0..3_i64 {
            let chunk = doc! { "_id": { "b": blob(byte), "n": number }, "d": blob(9) };
            chunks.insert_one(chunk).await.unwrap();
        }
        if let Some(state) = state {
            let record = doc! { "_id": blob(byte), "touched": long_ago, "state": state };
            uploads.insert_one(record).await.unwrap();
        }
    }
    // After the head named it, before the record was gone.
    let record = doc! { "_id": kept, "touched": long_ago, "state": "committed" };
    uploads.insert_one(record).await.unwrap();
    let report = mongo.sweep(Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(report.temporaries, 3);
    // The one that was about to be named stays: nobody knows whether it still will be.
    assert_eq!(remains(place).await, (4 + 3, 1));
    assert_eq!(read(&mongo, "kept", None).await.unwrap(), pattern(LARGE, 1));
    assert_eq!(
        mongo.sweep(Timestamp::from_millis(0)).await.unwrap().temporaries,
        0
    );
}

async fn of_a_sleeping_upload_and_the_sweep_exactly_one_goes_on(place: &Place) {
    let sweeper = place
        .connect_with(|config| config.upload_age(Duration::ZERO))
        .await;
    let mongo = Arc::new(place.connect().await);
    let request = WriteRequest::default();
    let mut writer = Arc::clone(&mongo)
        .open_writer(Area::Objects, &key("a"), request)
        .await
        .unwrap();
    writer.write(pattern(20 * 1024 * 1024, 1)).await.unwrap();
    assert_eq!(
        sweeper
            .sweep(Timestamp::from_millis(0))
            .await
            .unwrap()
            .temporaries,
        1
    );
    writer.write(pattern(20 * 1024 * 1024, 1)).await.unwrap();
    let error = writer.finish().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.applied()),
        (ErrorKind::Conflict, Applied::No)
    );
    assert_eq!(read(&mongo, "a", None).await, None);
    place.until(async || remains(place).await == (0, 0)).await;
}

async fn closing_waits_for_writes_whose_callers_are_gone(place: &Place) {
    let mongo = place.connect().await;
    let writing = write(&mongo, "a", pattern(LARGE, 1));
    // Polled once, so that the write has begun.
    assert!(tokio::time::timeout(Duration::ZERO, writing).await.is_err());
    mongo.close().await.unwrap();
    let stat = mongo.stat(Area::Objects, &key("a")).await;
    assert_eq!(stat.unwrap_err().kind(), ErrorKind::Closed);
    let other = place.connect().await;
    assert_eq!(read(&other, "a", None).await.unwrap(), pattern(LARGE, 1));
    assert_eq!(remains(place).await, (4, 0));
}
