//! Other programs write to the same collections: what they wrote is read, found and kept, and what they broke is named.

pub(crate) mod indexes;

use mongodb::bson::{Decimal128, Document, doc, oid::ObjectId};
use storage_core::bson::{RawDocumentBuf, rawdoc};
use storage_core::{
    Condition, DeleteDocumentRequest, Direction, DocumentGuard, DocumentId, Error, ErrorKind, Filter,
    FindRequest, Index, Name, PutRequest, Sort, StorageAdapter, StorageBackend, SystemClock, Timestamp,
    Version,
};
use storage_mongo::Mongo;

use crate::place::{Place, laws};

laws! {
    Atomic: a_foreign_document_is_a_document,
    Transactions: a_foreign_document_guards_like_any_other,
    Atomic: what_cannot_be_read_is_named_beside_what_can_and_never_overwritten,
}

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

fn documents(place: &Place) -> mongodb::Collection<Document> {
    place.database().collection("users")
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

async fn a_foreign_document_is_a_document(place: &Place) {
    let mongo = place.connect().await;
    let foreign = documents(place);
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
}

async fn a_foreign_document_guards_like_any_other(place: &Place) {
    let mongo = place.connect().await;
    let foreign = documents(place);
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
}

async fn what_cannot_be_read_is_named_beside_what_can_and_never_overwritten(place: &Place) {
    let mongo = place.connect().await;
    let foreign = documents(place);
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
}
