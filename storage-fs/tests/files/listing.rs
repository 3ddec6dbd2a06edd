use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use storage_core::{
    Area, Durability, Key, ListEntry, ListRequest, Listing, Query, Storage, StorageBackend, WriteRequest,
    bson,
};
use storage_fs::{Fs, FsBackend, FsConfig};
use tempfile::TempDir;

use super::support::*;

/// What a listing must say, decided over a plain set of keys.
fn expected(keys: &[String], request: &ListRequest) -> Vec<String> {
    let mut names: Vec<String> = keys
        .iter()
        .filter(|key| key.starts_with(&request.prefix))
        .map(|key| match key[request.prefix.len()..].find('/') {
            Some(slash) if request.delimiter => key[..request.prefix.len() + slash + 1].to_owned(),
            _ => key.clone(),
        })
        .filter(|name| request.start_after.as_ref().is_none_or(|after| name > after))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Keys as the overlay has them, and the like.
fn overlay_names() -> impl Strategy<Value = String> {
    let top = prop::sample::select(vec!["entries", "documents", "claims", "catalog", "logs"]);
    (top, "(/[ab1]{1,2}){1,5}/?").prop_map(|(top, rest)| format!("{top}{rest}"))
}

fn names_in() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab./!]{1,6}",
        "[ab]{0,2}".prop_map(|tail| format!("{}{tail}", "x".repeat(200))),
        "[%A~]{1,3}/[a.]{0,2}"
    ]
    .prop_filter("not empty", |name| !name.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_listing_is_what_a_sorted_set_would_say(
        keys in prop::collection::btree_set(names_in(), 0..25),
        prefix in prop_oneof![Just(String::new()), "[ab./]{0,3}", Just("x".repeat(200))],
        after in prop::option::of(names_in()),
        delimiter: bool,
        with_meta: bool,
        limit in 1_usize..7,
        settled: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (root, backend) = fresh().await;
            let keys: Vec<String> = keys.into_iter().collect();
            for key in &keys {
                put(&backend, key, "x").await;
            }
            if settled {
                settle(root.path());
            }
            let mut request = ListRequest::new(prefix);
            request.start_after = after;
            request.delimiter = delimiter;
            request.with_meta = with_meta;
            request.limit = limit;
            assert_eq!(names(&backend, request.clone()).await, expected(&keys, &request), "{request:?} over {keys:?}");
        });
    }
}

#[tokio::test]
async fn metadata_in_a_listing_is_that_of_the_object() {
    let (_root, backend) = fresh().await;
    let version = put(&backend, "a/b.txt", "12345").await;
    let mut request = ListRequest::new("a/");
    request.with_meta = true;
    let page = backend.list(Area::Objects, request).await.unwrap();
    let [ListEntry::Object(_, Some(meta))] = page.entries.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!((meta.size, &meta.version), (5, &version));
}

/// The same page, of a listing that begins with it.
fn anew(request: &ListRequest) -> ListRequest {
    let mut anew = request.clone();
    anew.listing = Listing::new();
    anew
}

/// Nine keys in three directories, long settled; and the page behind the second key of the second directory.
async fn half_listed() -> (TempDir, Arc<FsBackend>, ListRequest) {
    let (root, backend) = fresh().await;
    for directory in ["a", "b", "c"] {
        for file in ["1.txt", "3.txt", "5.txt"] {
            put(&backend, &format!("top/{directory}/{file}"), "x").await;
        }
    }
    settle(root.path());
    let mut request = ListRequest::new("top/");
    request.limit = 5;
    let page = backend.list(Area::Objects, request.clone()).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("top/b/3.txt"));
    request.start_after = page.next;
    (root, backend, request)
}

#[tokio::test]
async fn a_listing_that_begins_where_another_stopped_sees_what_came_and_went_before_it() {
    let (_root, backend, request) = half_listed().await;
    put(&backend, "top/b/4.txt", "x").await;
    assert_eq!(
        names(&backend, anew(&request)).await,
        [
            "top/b/4.txt",
            "top/b/5.txt",
            "top/c/1.txt",
            "top/c/3.txt",
            "top/c/5.txt"
        ]
    );

    let (_root, backend, request) = half_listed().await;
    remove(&backend, "top/b/5.txt").await;
    put(&backend, "top/bb/1.txt", "x").await;
    remove(&backend, "top/c/3.txt").await;
    assert_eq!(
        names(&backend, anew(&request)).await,
        ["top/bb/1.txt", "top/c/1.txt", "top/c/5.txt"]
    );

    let (root, backend, request) = half_listed().await;
    std::fs::remove_dir_all(root.path().join("top/b")).unwrap();
    assert_eq!(
        names(&backend, anew(&request)).await,
        ["top/c/1.txt", "top/c/3.txt", "top/c/5.txt"]
    );
}

#[tokio::test]
async fn a_listing_goes_on_with_the_names_it_read_whatever_is_written_meanwhile() {
    let (root, backend, mut request) = half_listed().await;
    put(&backend, "top/b/5.txt", "written over").await;
    put(&backend, "top/b/4.txt", "x").await;
    // Known to the listing, and gone without a trace it would look for.
    std::fs::remove_file(root.path().join("top/c/1.txt")).unwrap();
    request.limit = 1;
    let page = backend.list(Area::Objects, request.clone()).await.unwrap();
    assert_eq!(page.entries[0].name(), "top/b/5.txt");
    // The next directory was not read yet.
    request.start_after = page.next;
    assert_eq!(names(&backend, request).await, ["top/c/3.txt", "top/c/5.txt"]);
}

#[tokio::test]
async fn a_listing_goes_on_from_any_name_of_its_last_page() {
    let (_root, backend, mut request) = half_listed().await;
    put(&backend, "top/a/4.txt", "x").await;
    put(&backend, "top/b/4.txt", "x").await;
    request.limit = 2;
    let mut page_after = async |after: &str| {
        request.start_after = Some(after.to_owned());
        let page = backend.list(Area::Objects, request.clone()).await.unwrap();
        page.entries
            .iter()
            .map(|entry| entry.name().to_owned())
            .collect::<Vec<_>>()
    };
    // A directory the walk is in is not read again for it, one it has left is.
    assert_eq!(page_after("top/b/1.txt").await, ["top/b/3.txt", "top/b/5.txt"]);
    assert_eq!(page_after("top/b/3.txt").await, ["top/b/4.txt", "top/b/5.txt"]);
    assert_eq!(page_after("top/b/5.txt").await, ["top/c/1.txt", "top/c/3.txt"]);
    // Before what its last page began with it has no names: there it begins anew.
    assert_eq!(page_after("top/a/3.txt").await, ["top/a/4.txt", "top/a/5.txt"]);
    assert_eq!(page_after("top/b/3.txt").await, ["top/b/4.txt", "top/b/5.txt"]);
}

#[tokio::test]
async fn a_directory_that_looks_unchanged_is_not_read_again_for_the_next_page() {
    let (root, backend, request) = half_listed().await;
    // A change that nothing tells: so what is listed is what was read before.
    std::fs::remove_file(root.path().join("top/b/5.txt")).unwrap();
    let directory = std::fs::File::open(root.path().join("top/b")).unwrap();
    let modified = directory.metadata().unwrap().modified().unwrap();
    let settled = std::fs::metadata(root.path().join("top/a"))
        .unwrap()
        .modified()
        .unwrap();
    assert!(settled < modified);
    directory.set_modified(settled).unwrap();
    let page = backend.list(Area::Objects, anew(&request)).await.unwrap();
    assert_eq!(page.entries[0].name(), "top/b/5.txt");
    // The walk is over: the same page is a new walk.
    let page = backend.list(Area::Objects, request).await.unwrap();
    assert_eq!(page.entries[0].name(), "top/c/1.txt");
}

#[tokio::test]
async fn a_directory_that_has_just_changed_is_read_again() {
    let (root, backend, mut request) = half_listed().await;
    // Not settled before the clock is past it, however slow this test is.
    let soon = SystemTime::now() + Duration::from_secs(60 * 60);
    let directory = std::fs::File::open(root.path().join("top/b")).unwrap();
    directory.set_modified(soon).unwrap();
    request.start_after = None;
    let page = backend.list(Area::Objects, request.clone()).await.unwrap();
    request.start_after = page.next;
    std::fs::remove_file(root.path().join("top/b/5.txt")).unwrap();
    directory.set_modified(soon).unwrap();
    assert_eq!(
        names(&backend, anew(&request)).await,
        ["top/c/1.txt", "top/c/3.txt", "top/c/5.txt"]
    );
}

#[tokio::test]
async fn a_directory_that_holds_nothing_shows_nowhere() {
    let (_root, backend) = fresh().await;
    put(&backend, "a/b/c.txt", "x").await;
    remove(&backend, "a/b/c.txt").await;
    let mut request = ListRequest::new("");
    request.delimiter = true;
    assert_eq!(names(&backend, request).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_while_it_is_listed_is_no_error_and_what_stays_is_listed() {
    let (root, backend) = fresh().await;
    for at in 0..20 {
        put(&backend, &format!("stays/{at:02}.txt"), "x").await;
    }
    let path = root.path().to_owned();
    let churn = tokio::task::spawn_blocking(move || {
        for round in 0..300 {
            let directory = path.join(format!("goes{}/deep", round % 3));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("a.txt"), "x").unwrap();
            std::fs::remove_dir_all(directory.parent().unwrap()).unwrap();
        }
    });
    let mut request = ListRequest::new("");
    request.with_meta = true;
    request.limit = 3;
    while !churn.is_finished() {
        let names = names(&backend, request.clone()).await;
        assert_eq!(names.iter().filter(|name| name.starts_with("stays/")).count(), 20);
    }
    churn.await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_overlays_area_lists_like_any_other(
        keys in prop::collection::btree_set(overlay_names(), 0..25),
        depth in 0_usize..6,
        after in prop::option::of(overlay_names()),
        delimiter: bool,
        limit in 1_usize..7,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_root, backend) = fresh().await;
            let keys: Vec<String> = keys.into_iter().collect();
            for key in &keys {
                let key = Key::new(key).unwrap();
                backend.write(Area::Overlay, &key, "x".into(), WriteRequest::default()).await.unwrap();
            }
            // A prefix that some key has, cut anywhere.
            let prefix = keys.first().map(|key| key[..key.len().min(depth * 5)].to_owned()).unwrap_or_default();
            let mut request = ListRequest::new(prefix);
            request.start_after = after;
            request.delimiter = delimiter;
            request.limit = limit;
            let mut found = Vec::new();
            let mut page = request.clone();
            loop {
                let listed = backend.list(Area::Overlay, page.clone()).await.unwrap();
                found.extend(listed.entries.iter().map(|entry| entry.name().to_owned()));
                match listed.next {
                    Some(next) => page.start_after = Some(next),
                    None => break,
                }
            }
            assert_eq!(found, expected(&keys, &request), "{request:?} over {keys:?}");
        });
    }
}

#[tokio::test]
async fn a_find_beside_writes_reads_the_names_of_its_documents_once() {
    let root = TempDir::new().unwrap();
    let config = FsConfig::new(root.path()).durability(Durability::ProcessCrash);
    let storage = Storage::new(Fs::open(config).await.unwrap());
    let documents = storage.collection::<bson::Document>("users");
    let user = bson::doc! { "name": "Ada" };
    for number in 0..250 {
        documents.put(format!("{number:03}"), &user).await.unwrap();
    }
    let mut found = documents.find(Query::all()).await.unwrap();
    documents.put("249 and a half", &user).await.unwrap();
    let mut ids = Vec::new();
    while let Some(document) = found.next().await.unwrap() {
        documents.put(document.id.as_str(), &user).await.unwrap();
        ids.push(document.id.as_str().to_owned());
    }
    // Each once, though each changed its directory; and not the one whose name was not there to be read.
    assert_eq!(
        ids,
        (0..250).map(|number| format!("{number:03}")).collect::<Vec<_>>()
    );
    assert_eq!(documents.count(Query::all()).await.unwrap(), 251);
}
