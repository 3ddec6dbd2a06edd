#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
//! The emulators under the tests that `object_store` has for the real services.

use object_store::aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists};
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::integration::{
    MarkerHttpConnector, copy_if_not_exists, copy_rename_nonexistent_object, get_opts, list_paginated,
    list_uses_directories_correctly, list_with_delimiter, list_with_offset_exclusivity, multipart,
    multipart_out_of_order, multipart_put_part_out_of_order, multipart_race_condition, multipart_with_opts,
    put_get_attributes, put_get_delete_list, put_opts, rename_and_copy, response_extensions, stream_get,
};
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload, PutResult, RetryConfig,
};
use test_servers::emulator::{self, Running, S3Mode};

fn s3(server: &Running) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_endpoint(server.url())
        .with_allow_http(true)
        .with_bucket_name(server.bucket())
        .with_region("us-east-1")
        .with_access_key_id("anyone")
        .with_secret_access_key("anything")
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
        .with_http_connector(MarkerHttpConnector::default())
        // A failure of the emulator shows at once.
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
        .build()
        .unwrap()
}

fn gcs(server: &Running) -> GoogleCloudStorage {
    GoogleCloudStorageBuilder::new()
        .with_service_account_key(server.service_account_key())
        .with_client_options(object_store::ClientOptions::new().with_allow_http(true))
        .with_bucket_name(server.bucket())
        .with_http_connector(MarkerHttpConnector::default())
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
        .build()
        .unwrap()
}

async fn everything<T: ObjectStore + MultipartStore + PaginatedListStore>(store: &T) {
    put_get_delete_list(store).await;
    list_with_offset_exclusivity(store).await;
    list_uses_directories_correctly(store).await;
    list_with_delimiter(store).await;
    rename_and_copy(store).await;
    copy_if_not_exists(store).await;
    copy_rename_nonexistent_object(store).await;
    stream_get(store).await;
    multipart(store, store).await;
    multipart_with_opts(store, store).await;
    multipart_put_part_out_of_order(store, store).await;
    multipart_race_condition(store, true).await;
    multipart_out_of_order(store).await;
    list_paginated(store, store).await;
    get_opts(store).await;
    put_opts(store, true).await;
    put_get_attributes(store).await;
    response_extensions(store, true).await;
}

#[tokio::test]
async fn the_gcs_emulation_passes_what_gcs_passes() {
    let server = emulator::gcs().unwrap();
    everything(&gcs(&server)).await;
}

#[tokio::test]
async fn the_honest_s3_passes_what_s3_passes() {
    let server = emulator::s3(S3Mode::Honest).unwrap();
    everything(&s3(&server)).await;
}

/// Eight writers that all begin where nothing is, and how many were told that they made it.
async fn winners(store: &dyn ObjectStore, key: &str) -> usize {
    let path = Path::from(key);
    let attempts = (0..8).map(|number| {
        let path = path.clone();
        async move {
            store
                .put_opts(&path, format!("{number}").into(), PutMode::Create.into())
                .await
        }
    });
    let results: Vec<Result<PutResult, Error>> = futures::future::join_all(attempts).await;
    results.iter().filter(|result| result.is_ok()).count()
}

#[tokio::test]
async fn creators_that_race_have_one_winner_at_honest_servers_and_eight_at_careless_ones() {
    let honest = emulator::s3(S3Mode::Honest).unwrap();
    assert_eq!(winners(&s3(&honest), "race").await, 1);
    let gcs_server = emulator::gcs().unwrap();
    assert_eq!(winners(&gcs(&gcs_server), "race").await, 1);
    let ignoring = emulator::s3(S3Mode::IgnoresConditions).unwrap();
    assert_eq!(winners(&s3(&ignoring), "race").await, 8);
    // All eight are sent within the rest of the first, but a loaded machine may send the last ones later.
    let racing = emulator::s3(S3Mode::Races).unwrap();
    assert!(winners(&s3(&racing), "race").await > 1);
}

#[tokio::test]
async fn one_client_finds_no_fault_with_a_server_that_races() {
    let server = emulator::s3(S3Mode::Races).unwrap();
    let store = s3(&server);
    let path = Path::from("one");
    let first = store
        .put_opts(&path, "a".into(), PutMode::Create.into())
        .await
        .unwrap();
    let again = store
        .put_opts(&path, "b".into(), PutMode::Create.into())
        .await
        .unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    store
        .put_opts(&path, "c".into(), PutMode::Update(first.clone().into()).into())
        .await
        .unwrap();
    let stale = store
        .put_opts(&path, "d".into(), PutMode::Update(first.into()).into())
        .await
        .unwrap_err();
    assert!(matches!(stale, Error::Precondition { .. }), "{stale}");
}

#[tokio::test]
async fn a_server_that_ignores_conditions_overwrites() {
    let server = emulator::s3(S3Mode::IgnoresConditions).unwrap();
    let store = s3(&server);
    let path = Path::from("one");
    let first = store
        .put_opts(&path, "a".into(), PutMode::Create.into())
        .await
        .unwrap();
    store
        .put_opts(&path, "b".into(), PutMode::Create.into())
        .await
        .unwrap();
    store
        .put_opts(&path, "c".into(), PutMode::Update(first.into()).into())
        .await
        .unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "c");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_not_found() {
    let server = emulator::gcs().unwrap();
    let elsewhere = GoogleCloudStorageBuilder::new()
        .with_service_account_key(server.service_account_key())
        .with_client_options(object_store::ClientOptions::new().with_allow_http(true))
        .with_bucket_name("nowhere")
        .build()
        .unwrap();
    let error = elsewhere.get(&Path::from("x")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let error = elsewhere.put(&Path::from("x"), "a".into()).await.unwrap_err();
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

#[tokio::test]
async fn a_part_but_the_last_is_not_smaller_than_5_mib() {
    let server = emulator::s3(S3Mode::Honest).unwrap();
    let store = s3(&server);
    let mut upload = store.put_multipart(&Path::from("parts")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"small")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"last")).await.unwrap();
    let error = upload.complete().await.unwrap_err();
    assert!(error.to_string().contains("EntityTooSmall"), "{error}");
}

#[tokio::test]
async fn keys_come_back_as_they_were_put_and_in_the_order_of_bytes() {
    use futures::TryStreamExt;

    let keys = [
        "a b+c&d",
        "a%2Fb",
        "a/b",
        "a<b>\"c'",
        "ä/ö",
        "z~!*()",
        "\u{ffff}",
        "\u{10000}",
    ];
    let s3_server = emulator::s3(S3Mode::Honest).unwrap();
    let gcs_server = emulator::gcs().unwrap();
    for store in [
        Box::new(s3(&s3_server)) as Box<dyn ObjectStore>,
        Box::new(gcs(&gcs_server)),
    ] {
        for key in keys {
            store
                .put(&Path::parse(key).unwrap(), key.to_owned().into())
                .await
                .unwrap();
        }
        let listed: Vec<String> = store
            .list(None)
            .map_ok(|meta| meta.location.to_string())
            .try_collect()
            .await
            .unwrap();
        let mut expected = keys.to_vec();
        expected.sort_unstable();
        assert_eq!(listed, expected);
        for key in keys {
            let bytes = store
                .get(&Path::parse(key).unwrap())
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap();
            assert_eq!(bytes, key);
        }
    }
}
