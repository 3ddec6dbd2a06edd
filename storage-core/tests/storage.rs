//! What `Storage` refuses before any adapter sees it, and how often it asks.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use storage_core::{ErrorKind, ListRequest, Memory, Query, Storage};

type Row = BTreeMap<String, i64>;

fn row(n: i64) -> Row {
    BTreeMap::from([("n".to_owned(), n)])
}

#[tokio::test]
async fn a_batch_is_of_one_storage() {
    let (one, other) = (Storage::new(Memory::new()), Storage::new(Memory::new()));
    let elsewhere = other.collection::<Row>("rows");
    let error = one
        .batch()
        .put(&elsewhere, "a", &row(1))
        .commit()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let error = one.batch().delete(&elsewhere, "a").commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    // A clone is the same storage.
    one.clone()
        .batch()
        .put(&one.collection("rows"), "a", &row(1))
        .commit()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_query_without_an_index_is_refused_however_few_it_wants() {
    let rows = Storage::new(Memory::new()).collection::<Row>("rows");
    let error = rows.find(Query::eq("n", 1).limit(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IndexRequired);
}

#[tokio::test]
async fn a_page_token_belongs_to_its_collection() {
    let storage = Storage::new(Memory::new());
    let (rows, others) = (
        storage.collection::<Row>("rows"),
        storage.collection::<Row>("others"),
    );
    for id in ["a", "b"] {
        rows.put(id, &row(1)).await.unwrap();
    }
    let token = rows.find_page(Query::all().limit(1)).await.unwrap().next.unwrap();
    let error = others
        .find_page(Query::all().limit(1).after(token.clone()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        rows.find_page(Query::all().limit(1).after(token))
            .await
            .unwrap()
            .documents
            .len(),
        1
    );
}

#[tokio::test]
async fn a_long_listing_asks_in_ever_larger_pages_unless_their_size_is_said() {
    let storage = Storage::new(Memory::new());
    let objects = storage.objects();
    for number in 0..6_000 {
        objects.write(format!("{number:04}"), "x").await.unwrap();
    }
    let before = storage.counters().calls;
    let listed: Vec<_> = objects.list("").try_collect().await.unwrap();
    assert_eq!(listed.len(), 6_000);
    assert!(listed.is_sorted_by(|one, next| one.name() < next.name()));
    assert_eq!(storage.counters().calls - before, 3, "1,000, 4,000 and the rest");

    let mut request = ListRequest::new("");
    request.limit = 500;
    let before = storage.counters().calls;
    let listed: Vec<_> = objects.list_with(request).try_collect().await.unwrap();
    assert_eq!(listed.len(), 6_000);
    assert_eq!(storage.counters().calls - before, 12);
}
