//! Queries: an index answers as a scan would, page by page, whatever goes on beside it.

use bson::rawdoc;
use storage_core::{ErrorKind, Index, MemoryBackend, Overlay, Query, StorageAdapter};

use crate::store::*;

async fn filled() -> Memory {
    let store = Overlay::new(MemoryBackend::new());
    for at in 0..60_i64 {
        let body = match at % 6 {
            0 => rawdoc! { "age": at / 7, "city": "Delft", "tags": ["a", "b"] },
            1 => rawdoc! { "age": at / 7, "city": "Lyon", "tags": ["b", "b", "c"] },
            2 => rawdoc! { "age": (at / 7) as f64 + 0.5, "city": "Lyon" },
            3 => rawdoc! { "age": null, "city": "Delft/1", "tags": [] },
            4 => rawdoc! { "city": "é\u{1}~" },
            _ => rawdoc! { "age": "old", "city": "Delft", "tags": "a" },
        };
        put(&store, &format!("{at:02}/{}", at % 3), body).await.unwrap();
    }
    store
}

fn queries() -> Vec<Query> {
    vec![
        Query::eq("age", 3),
        Query::ge("age", 2),
        Query::gt("age", 2).and(Query::le("age", 5)),
        Query::lt("age", 4).sort_descending("age"),
        Query::ge("age", 1)
            .and(Query::eq("city", "Lyon"))
            .sort_descending("age"),
        Query::all().sort("age"),
        Query::all().sort_descending("age"),
        Query::is_in("age", [1, 3, 5]).sort_descending("age"),
        Query::is_in("age", [1, 3, 5]),
        Query::prefix("city", "Delft"),
        Query::eq("city", "Delft").and(Query::ge("age", 3)),
        Query::eq("city", "Lyon").sort("age"),
        Query::eq("tags", "b"),
        Query::is_in("tags", ["a", "b", "c"]),
        Query::eq("age", storage_core::bson::Bson::Null),
        Query::exists("age", false).sort("age"),
    ]
}

#[tokio::test]
async fn an_index_answers_as_a_scan_would_at_every_page_size() {
    let store = filled().await;
    let mut expected = Vec::new();
    for query in queries() {
        expected.push(scanned(&store, &query).await.unwrap());
    }
    for index in [
        by_age(),
        Index::btree("by_city_age", ["city", "age"]),
        Index::btree("by_tag", ["tags"]).each(),
        Index::hash("by_city", ["city"]),
        Index::hash("by_each_tag", ["tags"]).each(),
    ] {
        let made = store.ensure_index(&people(), &index, NOW).await;
        assert!(made.unwrap());
        assert!(!store.ensure_index(&people(), &index, NOW).await.unwrap());
    }
    let mut refused = 0;
    for (query, expected) in queries().iter().zip(&expected) {
        for page in [1, 2, 5, 1000] {
            match ids(&store, query, page).await {
                Ok(found) => assert_eq!(found, *expected, "{query:?} in pages of {page}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::IndexRequired, "{query:?}: {error}");
                    refused += 1;
                    let found = ids_scan(&store, query, page).await;
                    assert_eq!(found, *expected, "{query:?} scanned in pages of {page}");
                }
            }
        }
        let mut all = request(query);
        all.allow_scan = true;
        assert_eq!(
            store.count(&people(), all).await.unwrap(),
            expected.len() as u64,
            "{query:?}"
        );
    }
    assert_eq!(refused, 4, "one query is answered by no index");
}

async fn ids_scan(store: &Memory, query: &Query, page: usize) -> Vec<String> {
    let mut request = request(query);
    request.allow_scan = true;
    request.limit = page;
    let mut found = Vec::new();
    loop {
        let page = store.find(&people(), request.clone()).await.unwrap();
        found.extend(
            page.documents
                .iter()
                .map(|document| document.id.as_str().to_owned()),
        );
        match page.next {
            Some(next) => request.after = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_descending_walk_goes_on_behind_its_window() {
    let store: Memory = Overlay::new(MemoryBackend::new());
    store.ensure_index(&people(), &by_age(), NOW).await.unwrap();
    let requests =
        (0..2500_i64).map(|at| put_of(&format!("{at:04}"), rawdoc! { "age": at / 10, "odd": at % 2 }));
    for result in store.put_many(&people(), requests.collect()).await.unwrap() {
        result.unwrap();
    }
    let query = Query::ge("age", 0)
        .and(Query::eq("odd", 1))
        .sort_descending("age");
    let found = ids(&store, &query, 1249).await.unwrap();
    assert_eq!(found, scanned(&store, &query).await.unwrap());
    assert_eq!(found.len(), 1250);
    // The first page that matches lies far behind the first window.
    let query = Query::ge("age", 0)
        .and(Query::lt("odd", 5))
        .and(Query::eq("missing", 1))
        .sort_descending("age");
    assert_eq!(ids(&store, &query, 10).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn index_statistics_count_what_answers() {
    let store = filled().await;
    store
        .ensure_index(&people(), &Index::btree("by_tag", ["tags"]).each().sparse(), NOW)
        .await
        .unwrap();
    let stats = store.index_stats(&people(), &name("by_tag"), NOW).await.unwrap();
    assert_eq!(
        (stats.unique_keys, stats.total_entries),
        (3, 10 * 2 + 10 * 2 + 10)
    );
    let missing = store.index_stats(&people(), &name("by_age"), NOW).await;
    assert_eq!(kind(missing), ErrorKind::NotFound);
}
