//! What `Storage` refuses before any adapter sees it.

use std::collections::BTreeMap;

use storage_core::{ErrorKind, Memory, Query, Storage};

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
