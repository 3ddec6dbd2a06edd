//! Real servers that take conditional writes without care are found out when the bucket is opened. They are there after
//! `cargo xtask servers up --deep`; without them the tests are ignored.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::ExitCode;
use std::sync::Arc;

use storage_core::{
    Area, Condition, ErrorKind, Key, ReadRequest, Retry, StorageAdapter, Support, WriteRequest,
};
use test_servers::{Places, Server, run_careless};

fn main() -> ExitCode {
    run_careless("is_refused_by_name_and_keeps_objects_only", found_out)
}

async fn found_out(server: Server) {
    let endpoint = server.option("endpoint").unwrap();
    let places = Places::new(server);
    let place = format!("careless-{:016x}", storage_core::random_u128() >> 64);
    let storage = open(&places, &place).await;

    let declared = storage.declaration();
    assert_eq!(declared.objects.create_if_absent, Support::Absent);
    assert_eq!(declared.objects.compare_and_swap, Support::Absent);
    assert_eq!(declared.documents, None);

    let key = Key::new("thing").unwrap();
    let plain = WriteRequest::default();
    let version = storage
        .write(Area::Objects, &key, "first".into(), plain)
        .await
        .unwrap();
    for condition in [Condition::IfAbsent, Condition::IfVersion(version)] {
        let request = WriteRequest::when(condition);
        let refused = storage.write(Area::Objects, &key, "second".into(), request).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(&endpoint), "{error}");
    }
    let found = storage.read(Area::Objects, &key, ReadRequest::default()).await;
    assert_eq!(found.unwrap().unwrap().bytes, "first");
    storage.close().await.unwrap();
    places.wipe(&place).await.unwrap();
}

/// Where writers race, s3s-fs closes a connection now and then without an answer. That is no verdict on the server: whoever opens it
/// is told to try later.
async fn open(places: &Places, place: &str) -> Arc<dyn StorageAdapter> {
    /// It happens in one of fifteen; so many in a row are another fault.
    const TRIES: usize = 10;

    for _ in 1..TRIES {
        match places.open(place).await {
            Err(error) if error.retry() == Retry::Later => eprintln!("once more: {error}"),
            opened => return opened.unwrap(),
        }
    }
    places.open(place).await.unwrap()
}
