//! Searching among sealed documents.

use storage_core::bson::{Document, doc};
use storage_core::{
    Capability, DocumentId, ErrorKind, Index, Memory, Name, PutRequest, Query, Storage, StorageAdapter,
};
use storage_layers::{Encrypt, EncryptOptions, Fields};

use super::options;

fn searchable() -> EncryptOptions {
    options(7).collection(
        "users",
        Fields::new()
            .plain("age")
            .plain("home.city")
            .blind("email")
            .blind("tags"),
    )
}

async fn open(memory: &Memory) -> Storage {
    Storage::new(Encrypt::open(memory.clone(), searchable()).await.unwrap())
}

async fn fill(storage: &Storage) {
    let users = storage.collection::<Document>("users");
    for (id, age, city, email, tags) in [
        ("ada", 36, "London", "ada@example.org", vec!["x", "y"]),
        ("bob", 17, "Delft", "bob@example.org", vec!["y"]),
        ("cyd", 64, "Delft", "cyd@example.org", vec![]),
    ] {
        let body =
            doc! { "age": age, "home": { "city": city, "street": "secret" }, "email": email, "tags": tags };
        users.put(id, &body).await.unwrap();
    }
}

async fn ids(storage: &Storage, query: Query) -> Vec<String> {
    let found = storage.collection::<Document>("users").find(query).await.unwrap();
    let documents = found.collect().await.unwrap();
    documents
        .into_iter()
        .map(|document| document.id.to_string())
        .collect()
}

#[tokio::test]
async fn declared_fields_are_found_and_others_refused() {
    let memory = Memory::new();
    let storage = open(&memory).await;
    fill(&storage).await;
    let users = storage.collection::<Document>("users");
    for index in [
        Index::btree("by_age", ["age"]),
        Index::btree("by_city", ["home.city", "age"]),
        Index::hash("by_email", ["email"]).unique(),
        Index::btree("by_tag", ["tags"]).each(),
    ] {
        assert!(users.ensure_index(index.clone()).await.unwrap());
        assert!(!users.ensure_index(index).await.unwrap(), "it is there already");
    }
    assert_eq!(ids(&storage, Query::ge("age", 18)).await, ["ada", "cyd"]);
    assert_eq!(
        ids(&storage, Query::eq("home.city", "Delft").sort("age")).await,
        ["bob", "cyd"]
    );
    assert_eq!(
        ids(&storage, Query::eq("email", "bob@example.org")).await,
        ["bob"]
    );
    assert_eq!(
        ids(&storage, Query::is_in("email", ["cyd@example.org", "x"])).await,
        ["cyd"]
    );
    assert_eq!(ids(&storage, Query::eq("tags", "y")).await, ["ada", "bob"]);
    assert_eq!(
        ids(&storage, Query::eq("email", "nobody")).await,
        Vec::<String>::new()
    );

    let taken = users
        .put("dan", &doc! { "email": "ada@example.org" })
        .await
        .unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::UniqueViolation);
    let names: Vec<_> = users
        .indexes()
        .await
        .unwrap()
        .into_iter()
        .map(|info| info.index)
        .collect();
    assert!(
        names.contains(&Index::hash("by_email", ["email"]).unique()),
        "{names:?}"
    );

    for query in [
        Query::ge("email", "a"),
        Query::prefix("email", "a"),
        Query::all().sort("email"),
        Query::eq("name", "Ada"),
        Query::eq("home", 1),
        Query::eq("home.street", "secret"),
    ] {
        let error = users
            .find(query.clone().allow_scan())
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{query:?}");
        assert_eq!(
            users.count(query.allow_scan()).await.unwrap_err().kind(),
            ErrorKind::Unsupported
        );
    }
    let error = users
        .ensure_index(Index::btree("by_street", ["home.street"]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn without_declared_fields_queries_say_why_not() {
    let storage = Storage::new(Encrypt::open(Memory::new(), options(7)).await.unwrap());
    let users = storage.collection::<Document>("users");
    let error = users
        .find(Query::eq("age", 1).allow_scan())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("sealed"), "{error}");
    assert!(
        !storage
            .declaration()
            .support(Capability::UniqueIndexes)
            .is_present()
    );
}

#[tokio::test]
async fn what_shows_cannot_be_changed_on_the_medium() {
    let memory = Memory::new();
    let storage = open(&memory).await;
    fill(&storage).await;
    let (users, id, now) = (
        Name::new("users").unwrap(),
        DocumentId::new("bob").unwrap(),
        storage.now(),
    );
    let stored = memory.get(&users, &id, now).await.unwrap().unwrap().body;
    let mut forged = Document::try_from(stored).unwrap();
    assert_eq!(forged.get_i64("age").unwrap(), 17);
    assert!(!format!("{forged:?}").contains("example.org") && !format!("{forged:?}").contains("secret"));
    forged.insert("age", 18_i64);
    let forged = storage_core::bson::RawDocumentBuf::try_from(&forged).unwrap();
    memory
        .put(&users, PutRequest::new(id, forged, now))
        .await
        .unwrap();
    let error = storage
        .collection::<Document>("users")
        .get("bob")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn an_index_finds_documents_from_before_its_field_was_declared() {
    let memory = Memory::new();
    let before = Storage::new(Encrypt::open(memory.clone(), options(7)).await.unwrap());
    fill(&before).await;
    let storage = open(&memory).await;
    let users = storage.collection::<Document>("users");
    users.ensure_index(Index::btree("by_age", ["age"])).await.unwrap();
    assert_eq!(ids(&storage, Query::ge("age", 18)).await, ["ada", "cyd"]);
}

#[tokio::test]
async fn equal_values_have_unequal_hashes_in_other_fields_collections_and_stores() {
    let hash = async |memory: &Memory, collection: &str, field: &str| {
        let storage = Storage::new(
            Encrypt::open(
                memory.clone(),
                options(7).every_collection(Fields::new().blind("a").blind("b")),
            )
            .await
            .unwrap(),
        );
        let id = format!("{field}{}", storage.now().as_millis());
        storage
            .collection::<Document>(collection)
            .put(&id, &doc! { field: "same" })
            .await
            .unwrap();
        let (name, id) = (Name::new(collection).unwrap(), DocumentId::new(id).unwrap());
        let stored = memory.get(&name, &id, storage.now()).await.unwrap().unwrap().body;
        let hashes = Document::try_from(stored).unwrap();
        hashes
            .get_document("_blind")
            .unwrap()
            .get_binary_generic(field)
            .unwrap()
            .clone()
    };
    let (one, two) = (Memory::new(), Memory::new());
    let first = hash(&one, "c", "a").await;
    assert_eq!(first.len(), 16);
    assert_eq!(hash(&one, "c", "a").await, first);
    for other in [
        hash(&one, "c", "b").await,
        hash(&one, "d", "a").await,
        hash(&two, "c", "a").await,
    ] {
        assert_ne!(other, first);
    }
}

#[test]
fn fields_that_get_into_each_others_way_are_refused() {
    use storage_layers::encryption::{Key, Keyring};
    for fields in [
        Fields::new().plain("a").plain("a.b"),
        Fields::new().plain("_sealed"),
        Fields::new().plain("_blind.x"),
        Fields::new().plain("a").blind("a"),
        Fields::new().blind("a").blind("a"),
    ] {
        let options = options(7).collection("c", fields.clone());
        let refused =
            Encrypt::with_keys(Memory::new(), Keyring::new(Key::random()), b"", options).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{fields:?}");
    }
}
