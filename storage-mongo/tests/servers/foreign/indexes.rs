//! Indexes beside other programs, and what a crash leaves of an index.

use std::time::Duration;

use mongodb::IndexModel;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::IndexOptions;
use storage_core::bson::rawdoc;
use storage_core::{
    Condition, Direction, ErrorKind, FindRequest, Index, Name, StorageAdapter, StorageBackend,
};

use super::{documents, kind, name, now, pages, put, scan};
use crate::place::{Place, laws};

laws! {
    Atomic: an_array_under_an_index_has_no_place_in_its_order_and_is_named,
    Atomic: an_index_dropped_behind_our_back_is_missed_by_nobody_and_can_be_built_anew,
    Atomic: indexes_of_other_programs_are_obeyed_and_left_alone,
    Atomic: what_a_crash_left_of_an_index_is_finished_by_the_next,
    Atomic: the_engine_is_told_to_purge_what_expires,
}

async fn an_array_under_an_index_has_no_place_in_its_order_and_is_named(place: &Place) {
    let mongo = place.connect().await;
    for (at, n) in [("a", 1_i64), ("b", 5), ("c", 5), ("d", 5), ("e", 9)] {
        mongo
            .put(
                &name(),
                put(at, rawdoc! { "n": n, "in": { "n": n } }, Condition::Always),
            )
            .await
            .unwrap();
    }
    for (index, field) in [("by_n", "n"), ("by_inner", "in.n")] {
        let index = Index::btree(index, [field]);
        assert!(mongo.ensure_index(&name(), &index, now()).await.unwrap());
    }
    documents(place)
        .insert_one(doc! { "_id": "c5", "n": [5, 1, "x"], "in": [{ "n": 5 }] })
        .await
        .unwrap();
    for limit in [1, 2, 10] {
        for field in ["n", "in.n"] {
            let ascending = pages(&mongo, scan(&[(field, Direction::Ascending)]), limit).await;
            assert_eq!(ascending.0, ["a", "b", "c", "d", "e"]);
            let descending = pages(&mongo, scan(&[(field, Direction::Descending)]), limit).await;
            assert_eq!(descending.0, ["e", "b", "c", "d", "a"]);
            for (_, unreadable) in [ascending, descending] {
                assert!(
                    !unreadable.is_empty() && unreadable.iter().all(|name| name == "c5"),
                    "{unreadable:?}"
                );
            }
        }
    }
    mongo.close().await.unwrap();
}

async fn an_index_dropped_behind_our_back_is_missed_by_nobody_and_can_be_built_anew(place: &Place) {
    let mongo = place.connect().await;
    let index = Index::btree("by_n", ["n"]).unique();
    mongo.ensure_index(&name(), &index, now()).await.unwrap();
    mongo
        .put(&name(), put("a", rawdoc! { "n": 1_i64 }, Condition::Always))
        .await
        .unwrap();
    documents(place).drop_indexes().await.unwrap();
    let request = FindRequest::new(storage_core::Query::eq("n", 1_i64).into(), vec![], now());
    assert_eq!(
        mongo
            .find(&name(), request.clone())
            .await
            .unwrap()
            .documents
            .len(),
        1
    );
    assert_eq!(mongo.count(&name(), request).await.unwrap(), 1);
    mongo
        .rebuild_index(&name(), &Name::new("by_n").unwrap(), now())
        .await
        .unwrap();
    let second = put("b", rawdoc! { "n": 1_i64 }, Condition::Always);
    let error = mongo.put(&name(), second).await.unwrap_err();
    assert_eq!(
        (
            error.kind(),
            error.context_value("index"),
            error.context_value("holder")
        ),
        (ErrorKind::UniqueViolation, Some("by_n"), Some("a"))
    );
    mongo.close().await.unwrap();
}

async fn indexes_of_other_programs_are_obeyed_and_left_alone(place: &Place) {
    let mongo = place.connect().await;
    let foreign = documents(place);
    let unique = IndexOptions::builder()
        .name("theirs".to_owned())
        .unique(true)
        .build();
    let model = IndexModel::builder()
        .keys(doc! { "email": 1 })
        .options(unique)
        .build();
    foreign.create_index(model).await.unwrap();
    let one = |at: &str| put(at, rawdoc! { "email": "x" }, Condition::Always);
    mongo.put(&name(), one("a")).await.unwrap();
    let error = mongo.put(&name(), one("b")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.context_value("index")),
        (ErrorKind::UniqueViolation, Some("theirs"))
    );
    mongo.put(&name(), one("a")).await.unwrap();

    let plain = IndexOptions::builder().name("in the way".to_owned()).build();
    let model = IndexModel::builder()
        .keys(doc! { "n": 1, "_id": 1 })
        .options(plain)
        .build();
    foreign.create_index(model).await.unwrap();
    let index = Index::btree("by_n", ["n"]);
    assert_eq!(
        kind(mongo.ensure_index(&name(), &index, now()).await),
        ErrorKind::AlreadyExists
    );
    assert_eq!(mongo.indexes(&name()).await.unwrap(), []);
    foreign.drop_index("in the way").await.unwrap();
    assert!(mongo.ensure_index(&name(), &index, now()).await.unwrap());
    let names = foreign.list_index_names().await.unwrap();
    assert!(names.contains(&"theirs".to_owned()), "{names:?}");
    mongo.close().await.unwrap();
}

async fn what_a_crash_left_of_an_index_is_finished_by_the_next(place: &Place) {
    let mongo = place.connect().await;
    let catalog = place.database().collection::<Document>("_storage.catalog");
    mongo
        .put(&name(), put("a", rawdoc! { "n": 1_i64 }, Condition::Always))
        .await
        .unwrap();
    let index = Index::btree("by_n", ["n"]).unique();
    assert!(mongo.ensure_index(&name(), &index, now()).await.unwrap());
    // As the catalog stands between registering and the end, and with the engine's indexes not yet made.
    documents(place).drop_indexes().await.unwrap();
    let building = doc! { "$set": { "indexes.0.state": "building" }, "$inc": { "generation": 1_i64 } };
    catalog
        .update_one(doc! { "_id": "users" }, building)
        .await
        .unwrap();
    let infos = mongo.indexes(&name()).await.unwrap();
    assert!(!infos[0].ready);
    let second = place.connect().await;
    let users = name();
    let (one, two) = tokio::join!(
        mongo.ensure_index(&users, &index, now()),
        second.ensure_index(&users, &index, now())
    );
    assert_ne!(one.unwrap(), two.unwrap(), "one of the two made it ready");
    assert!(second.indexes(&name()).await.unwrap()[0].ready);
    let taken = put("b", rawdoc! { "n": 1_i64 }, Condition::Always);
    assert_eq!(kind(second.put(&name(), taken).await), ErrorKind::UniqueViolation);

    // As it stands while an index is being dropped, and the engine still has its own.
    let natives = documents(place).list_index_names().await.unwrap();
    let ours: Vec<Bson> = natives
        .into_iter()
        .filter(|native| native.starts_with("by_n~"))
        .map(Bson::from)
        .collect();
    assert_eq!(ours.len(), 2);
    let dropping = doc! { "$set": { "indexes": [], "dropped": ours }, "$inc": { "generation": 1_i64 } };
    catalog
        .update_one(doc! { "_id": "users" }, dropping)
        .await
        .unwrap();
    assert!(
        mongo
            .ensure_index(&name(), &Index::btree("by_n", ["n"]), now())
            .await
            .unwrap()
    );
    let taken = put("b", rawdoc! { "n": 1_i64 }, Condition::Always);
    second.put(&name(), taken).await.unwrap();
    mongo.close().await.unwrap();
    second.close().await.unwrap();
}

async fn the_engine_is_told_to_purge_what_expires(place: &Place) {
    let mongo = place.connect().await;
    let mut brief = put("a", rawdoc! {}, Condition::Always);
    brief.expires_at = Some(now().after(Duration::from_secs(3600)));
    mongo.put(&name(), brief).await.unwrap();
    let indexes = documents(place).list_index_names().await.unwrap();
    assert!(indexes.contains(&"_storage.expires_at".to_owned()), "{indexes:?}");
    mongo.close().await.unwrap();
}
