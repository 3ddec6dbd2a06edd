//! Other programs write to the same collections: what they wrote is read, found and kept, and what they broke is named.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::time::Duration;

use mongodb::IndexModel;
use mongodb::bson::{Bson, Decimal128, Document, doc, oid::ObjectId};
use mongodb::options::IndexOptions;
use storage_core::bson::{RawDocumentBuf, rawdoc};
use storage_core::{
    Condition, DeleteDocumentRequest, Direction, DocumentGuard, DocumentId, Error, ErrorKind, Filter,
    FindRequest, Index, Name, PutRequest, Sort, StorageAdapter, StorageBackend, SystemClock, Timestamp,
    Version,
};
use storage_mongo::Mongo;

use self::common::{Place, on_every_server};

fn name() -> Name {
    Name::new("users").unwrap()
}

fn id(id: &str) -> DocumentId {
    DocumentId::new(id).unwrap()
}

fn now() -> Timestamp {
    storage_core::Clock::now(&SystemClock::default())
}

fn put(at: &str, body: RawDocumentBuf, condition: Condition) -> PutRequest {
    let mut request = PutRequest::new(id(at), body, now());
    request.condition = condition;
    request
}

fn documents(place: &Place, database: &str) -> mongodb::Collection<Document> {
    place
        .client
        .database(&place.database(database))
        .collection("users")
}

fn scan(sort: &[(&str, Direction)]) -> FindRequest {
    let sort = sort
        .iter()
        .map(|(field, direction)| Sort::new((*field).into(), *direction))
        .collect();
    let mut request = FindRequest::new(Filter::All, sort, now());
    request.allow_scan = true;
    request
}

/// Every page of a query: the ids found, and the names of what is unreadable.
async fn pages(mongo: &Mongo, mut request: FindRequest, limit: usize) -> (Vec<String>, Vec<String>) {
    request.limit = limit;
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    loop {
        let page = mongo.find(&name(), request.clone()).await.unwrap();
        found.extend(page.documents.iter().map(|document| document.id.to_string()));
        for error in page.unreadable {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            unreadable.push(error.key().unwrap().to_owned());
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return (found, unreadable),
        }
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_foreign_document_is_a_document() {
    on_every_server(async |place| {
        let mongo = place.open("whole").await;
        let foreign = documents(place, "whole");
        foreign
            .insert_one(doc! { "name": "Ada", "_id": "ada", "age": 36_i32, "%zz": true })
            .await
            .unwrap();
        let body = rawdoc! { "name": "Ada", "age": 36_i64, "%zz": true };
        let read = mongo.get(&name(), &id("ada"), now()).await.unwrap().unwrap();
        assert_eq!(read.body, body);
        assert_eq!(
            mongo.get(&name(), &id("ada"), now()).await.unwrap().unwrap(),
            read
        );
        mongo
            .ensure_index(&name(), &Index::btree("by_age", ["age"]), now())
            .await
            .unwrap();
        let filter = storage_core::Query::eq("age", 36_i64).into();
        let page = mongo
            .find(&name(), FindRequest::new(filter, vec![], now()))
            .await
            .unwrap();
        assert_eq!(page.documents, std::slice::from_ref(&read));

        // Its version is its content: a change shows, and so does a change back.
        let absent = put("ada", rawdoc! {}, Condition::IfAbsent);
        assert_eq!(kind(mongo.put(&name(), absent).await), ErrorKind::AlreadyExists);
        foreign
            .update_one(doc! { "_id": "ada" }, doc! { "$set": { "age": 37 } })
            .await
            .unwrap();
        let stale = put(
            "ada",
            rawdoc! { "by": "us" },
            Condition::IfVersion(read.version.clone()),
        );
        assert_eq!(
            kind(mongo.put(&name(), stale).await),
            ErrorKind::PreconditionFailed
        );
        let changed = mongo.get(&name(), &id("ada"), now()).await.unwrap().unwrap();
        let fresh = put(
            "ada",
            rawdoc! { "by": "us" },
            Condition::IfVersion(changed.version),
        );
        let ours = mongo.put(&name(), fresh).await.unwrap();

        // What updates a document of ours without a new version is not seen; what removes the version is.
        foreign
            .update_one(
                doc! { "_id": "ada" },
                doc! { "$set": { "by": "them" }, "$unset": { "_storage": "" } },
            )
            .await
            .unwrap();
        let stale = put("ada", rawdoc! { "by": "us" }, Condition::IfVersion(ours));
        assert_eq!(
            kind(mongo.put(&name(), stale).await),
            ErrorKind::PreconditionFailed
        );

        let mut delete = DeleteDocumentRequest::new(id("ada"), now());
        delete.if_version = Some(Version::random());
        assert_eq!(
            kind(mongo.delete_document(&name(), delete.clone()).await),
            ErrorKind::PreconditionFailed
        );
        delete.if_version = Some(
            mongo
                .get(&name(), &id("ada"), now())
                .await
                .unwrap()
                .unwrap()
                .version,
        );
        assert!(mongo.delete_document(&name(), delete).await.unwrap());
        foreign
            .insert_one(doc! { "_id": "ada", "by": "them" })
            .await
            .unwrap();
        let over = put("ada", rawdoc! { "by": "us" }, Condition::Always);
        let results = mongo.put_many(&name(), vec![over.clone(), over]).await.unwrap();
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(
            mongo
                .get(&name(), &id("ada"), now())
                .await
                .unwrap()
                .unwrap()
                .version,
            *results[1].as_ref().unwrap()
        );
        mongo.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_foreign_document_guards_like_any_other() {
    on_every_server(async |place| {
        let mongo = place.open("guard").await;
        let guarding = mongo
            .declaration()
            .documents
            .as_ref()
            .unwrap()
            .guarded_write
            .is_present();
        if !guarding {
            return;
        }
        let foreign = documents(place, "guard");
        foreign
            .insert_one(doc! { "_id": "lock", "held": true })
            .await
            .unwrap();
        let version = mongo
            .get(&name(), &id("lock"), now())
            .await
            .unwrap()
            .unwrap()
            .version;
        let mut guarded = put("ada", rawdoc! { "n": 1_i64 }, Condition::Always);
        guarded.guard = Some(DocumentGuard {
            collection: name(),
            id: id("lock"),
            version: version.clone(),
        });
        for _ in 0..2 {
            mongo.put(&name(), guarded.clone()).await.unwrap();
            let lock = mongo.get(&name(), &id("lock"), now()).await.unwrap().unwrap();
            assert_eq!(
                (lock.version, lock.body),
                (version.clone(), rawdoc! { "held": true })
            );
        }
        foreign
            .replace_one(doc! { "_id": "lock" }, doc! { "held": false })
            .await
            .unwrap();
        assert!(mongo.put(&name(), guarded).await.unwrap_err().is_guard_failed());
        mongo.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_named_beside_what_can_and_never_overwritten() {
    on_every_server(async |place| {
        let mongo = place.open("broken").await;
        let foreign = documents(place, "broken");
        let decimal: Decimal128 = "1.5".parse().unwrap();
        let oid = ObjectId::from_bytes([7; 12]);
        let broken = [
            doc! { "_id": 5, "n": 1 },
            doc! { "_id": oid, "n": 2 },
            doc! { "_id": "decimal", "n": decimal },
            doc! { "_id": "malformed", "n": 3, "_storage": "x" },
        ];
        foreign.insert_many(broken.clone()).await.unwrap();
        for at in ["a", "b", "zz"] {
            let body = rawdoc! { "n": 2_i64, "id": at };
            mongo
                .put(&name(), put(at, body, Condition::Always))
                .await
                .unwrap();
        }
        mongo
            .ensure_index(&name(), &Index::btree("by_n", ["n"]), now())
            .await
            .unwrap();
        let mut expected = vec![
            "5",
            "ObjectId(\"070707070707070707070707\")",
            "decimal",
            "malformed",
        ];
        expected.sort_unstable();
        for limit in [1, 2, 3, 10] {
            for sort in [
                scan(&[]),
                scan(&[("n", Direction::Ascending)]),
                scan(&[("n", Direction::Descending)]),
                scan(&[("id", Direction::Ascending)]),
            ] {
                let (found, mut unreadable) = pages(&mongo, sort.clone(), limit).await;
                unreadable.sort_unstable();
                assert_eq!(found, ["a", "b", "zz"], "{sort:?}");
                assert_eq!(unreadable, expected, "{limit} a page of {sort:?}");
            }
        }
        for at in ["decimal", "malformed"] {
            assert_eq!(kind(mongo.get(&name(), &id(at), now()).await), ErrorKind::Corrupt);
            for condition in [Condition::Always, Condition::IfVersion(Version::random())] {
                let over = put(at, rawdoc! {}, condition);
                assert_eq!(kind(mongo.put(&name(), over.clone()).await), ErrorKind::Corrupt);
                let many = mongo.put_many(&name(), vec![over]).await.unwrap().remove(0);
                assert_eq!(kind(many), ErrorKind::Corrupt);
            }
        }
        assert_eq!(
            foreign
                .count_documents(doc! { "_id": { "$in": [5, oid, "decimal", "malformed"] } })
                .await
                .unwrap(),
            4
        );
        // To be rid of it is possible all the same.
        let delete = DeleteDocumentRequest::new(id("malformed"), now());
        assert!(mongo.delete_document(&name(), delete).await.unwrap());
        mongo.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_array_under_an_index_has_no_place_in_its_order_and_is_named() {
    on_every_server(async |place| {
        let mongo = place.open("arrays").await;
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
        documents(place, "arrays")
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
    })
    .await;
}

#[tokio::test]
async fn an_index_dropped_behind_our_back_is_missed_by_nobody_and_can_be_built_anew() {
    on_every_server(async |place| {
        let mongo = place.open("dropped").await;
        let index = Index::btree("by_n", ["n"]).unique();
        mongo.ensure_index(&name(), &index, now()).await.unwrap();
        mongo
            .put(&name(), put("a", rawdoc! { "n": 1_i64 }, Condition::Always))
            .await
            .unwrap();
        documents(place, "dropped").drop_indexes().await.unwrap();
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
    })
    .await;
}

#[tokio::test]
async fn indexes_of_other_programs_are_obeyed_and_left_alone() {
    on_every_server(async |place| {
        let mongo = place.open("theirs").await;
        let foreign = documents(place, "theirs");
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
    })
    .await;
}

#[tokio::test]
async fn what_a_crash_left_of_an_index_is_finished_by_the_next() {
    on_every_server(async |place| {
        let mongo = place.open("crash").await;
        let catalog = place
            .client
            .database(&place.database("crash"))
            .collection::<Document>("_storage.catalog");
        mongo
            .put(&name(), put("a", rawdoc! { "n": 1_i64 }, Condition::Always))
            .await
            .unwrap();
        let index = Index::btree("by_n", ["n"]).unique();
        assert!(mongo.ensure_index(&name(), &index, now()).await.unwrap());
        // As the catalog stands between registering and the end, and with the engine's indexes not yet made.
        documents(place, "crash").drop_indexes().await.unwrap();
        let building = doc! { "$set": { "indexes.0.state": "building" }, "$inc": { "generation": 1_i64 } };
        catalog
            .update_one(doc! { "_id": "users" }, building)
            .await
            .unwrap();
        let infos = mongo.indexes(&name()).await.unwrap();
        assert!(!infos[0].ready);
        let second = place.open("crash").await;
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
        let natives = documents(place, "crash").list_index_names().await.unwrap();
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
    })
    .await;
}

#[tokio::test]
async fn the_engine_is_told_to_purge_what_expires() {
    on_every_server(async |place| {
        let mongo = place.open("expiry").await;
        let mut brief = put("a", rawdoc! {}, Condition::Always);
        brief.expires_at = Some(now().after(Duration::from_secs(3600)));
        mongo.put(&name(), brief).await.unwrap();
        let indexes = documents(place, "expiry").list_index_names().await.unwrap();
        assert!(indexes.contains(&"_storage.expires_at".to_owned()), "{indexes:?}");
        mongo.close().await.unwrap();
    })
    .await;
}
