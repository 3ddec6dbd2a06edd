#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
//! Servers that do not decide conditions are found out when the bucket is opened.
#![cfg(feature = "s3")]

use storage_cloud::{Cloud, CloudConfig, ConditionalWrites, S3Config};
use storage_core::{
    Area, Capability, Condition, ErrorKind, Key, Overlay, ReadRequest, Storage, StorageBackend, Support,
    Version, WriteRequest,
};
use test_servers::emulator::{self, Running, S3Mode};
use test_servers::proxy::{Http, HttpFault, Requests};

fn config(url: &str) -> CloudConfig {
    S3Config::new("storage-test")
        .endpoint(url)
        .allow_http(true)
        .region("us-east-1")
        .access_key("anyone", "anything")
        .into()
}

async fn create(cloud: &Cloud, name: &str) -> storage_core::Result<Version> {
    let request = WriteRequest::when(Condition::IfAbsent);
    cloud
        .write(Area::Objects, &Key::new(name).unwrap(), "text".into(), request)
        .await
}

/// What stands in the bucket, scratch objects included.
async fn left(server: &Running) -> Vec<String> {
    use object_store::{ObjectStore, aws::AmazonS3Builder};

    let store = AmazonS3Builder::new()
        .with_endpoint(server.url())
        .with_allow_http(true)
        .with_bucket_name(server.bucket())
        .with_skip_signature(true)
        .build()
        .unwrap();
    let page = store.list_with_delimiter(None).await.unwrap();
    let objects = page.objects.into_iter().map(|object| object.location.to_string());
    objects
        .chain(page.common_prefixes.iter().map(ToString::to_string))
        .collect()
}

#[tokio::test]
async fn an_honest_server_is_taken_at_its_word_and_nothing_is_left_on_it() {
    let server = emulator::s3(S3Mode::Honest).unwrap();
    let cloud = Cloud::open(config(&server.url())).await.unwrap();
    assert!(cloud.declaration().reasons.is_empty());
    assert_eq!(cloud.declaration().objects.create_if_absent, Support::Native);
    assert_eq!(cloud.declaration().objects.compare_and_swap, Support::Native);
    create(&cloud, "made").await.unwrap();
    assert_eq!(
        create(&cloud, "made").await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(left(&server).await, ["made"]);
}

#[tokio::test]
async fn a_careless_server_is_refused_by_name_and_keeps_objects_only() {
    for mode in [S3Mode::IgnoresConditions, S3Mode::Races] {
        let server = emulator::s3(mode).unwrap();
        let cloud = Cloud::open(config(&server.url())).await.unwrap();
        let why = cloud.declaration().reasons[&Capability::CompareAndSwap].to_string();
        assert!(
            why.contains(server.label()) && why.contains(&server.url()),
            "{why}"
        );
        assert_eq!(
            cloud.declaration().objects.create_if_absent,
            Support::Absent,
            "{mode:?}"
        );
        assert_eq!(
            cloud.declaration().objects.compare_and_swap,
            Support::Absent,
            "{mode:?}"
        );
        let error = create(&cloud, "refused").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(server.label()), "{error}");
        let storage = Storage::new(Overlay::new(cloud.clone()));
        let documents = storage.collection::<String>("things");
        let error = documents.put("one", &"text".to_owned()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(server.label()), "{error}");
        let key = Key::new("plain").unwrap();
        cloud
            .write(Area::Objects, &key, "text".into(), WriteRequest::default())
            .await
            .unwrap();
        let found = cloud
            .read(Area::Objects, &key, ReadRequest::default())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.bytes, "text");
        assert_eq!(left(&server).await, ["plain"]);
    }
}

#[tokio::test]
async fn a_server_that_knows_no_conditions_is_refused_with_its_answer() {
    let server = emulator::s3(S3Mode::Honest).unwrap();
    let proxy = Http::to(&server.url()).unwrap();
    let unknown = HttpFault::Answer {
        status: 501,
        applied: false,
    };
    proxy.always(Requests::all().method("PUT").header("if-none-match"), unknown);
    let cloud = Cloud::open(config(proxy.url())).await.unwrap();
    assert!(!cloud.declaration().reasons.is_empty());
}

#[tokio::test]
async fn a_server_that_fails_while_it_is_probed_is_not_taken_for_careless() {
    let server = emulator::s3(S3Mode::Honest).unwrap();
    let proxy = Http::to(&server.url()).unwrap();
    let failing = HttpFault::Answer {
        status: 503,
        applied: true,
    };
    for nth in [1, 2, 4, 8] {
        let met = proxy.nth(nth, Requests::all().method("PUT"), failing);
        match Cloud::open(config(proxy.url())).await {
            Ok(cloud) => assert!(cloud.declaration().reasons.is_empty()),
            Err(error) => assert_ne!(error.kind(), ErrorKind::Unsupported, "{error}"),
        }
        assert_eq!(met.fired(), 1);
        proxy.heal();
    }
}

#[tokio::test]
async fn the_operator_can_take_the_answer_on_himself() {
    let server = emulator::s3(S3Mode::IgnoresConditions).unwrap();
    let trusted = config(&server.url()).conditional_writes(ConditionalWrites::Trust);
    let trusted = Cloud::open(trusted).await.unwrap();
    assert!(trusted.declaration().reasons.is_empty());
    let honest = emulator::s3(S3Mode::Honest).unwrap();
    let never = config(&honest.url()).conditional_writes(ConditionalWrites::Never);
    let never = Cloud::open(never).await.unwrap();
    assert!(!never.declaration().reasons.is_empty());
}
