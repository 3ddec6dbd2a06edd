#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
//! Real servers behind the proxies: their clients do not notice, but for the faults.

use std::process::ExitCode;

use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use test_servers::proxy::{Commands, Http, HttpFault, Mongo, MongoFault, Requests};
use test_servers::{Native, run_natives, trial};

fn main() -> ExitCode {
    run_natives(&[Native::Secantus, Native::Versitygw], |native| {
        vec![if native == Native::Secantus {
            trial("a_driver_meets_the_faults_and_nothing_else", documents)
        } else {
            trial(
                "signed_requests_pass_and_a_lost_answer_is_a_write_done",
                signed_requests,
            )
        }]
    })
}

async fn things(url: &str, retries: bool) -> Collection<Document> {
    let mut options = mongodb::options::ClientOptions::parse(url).await.unwrap();
    options.retry_writes = Some(retries);
    Client::with_options(options)
        .unwrap()
        .default_database()
        .unwrap()
        .collection("things")
}

async fn documents() {
    let directory = tempfile::tempdir().unwrap();
    let server = Native::Secantus
        .spawn(&directory.path().join("data"))
        .await
        .unwrap();
    let proxy = Mongo::to(&server.url()).unwrap();
    let once = things(proxy.url(), false).await;
    once.insert_one(doc! { "_id": "plain" }).await.unwrap();

    for (id, applied) in [("lost before", false), ("lost after", true)] {
        let insert = Commands::named("insert").on("things").with(id);
        let lost = proxy.once(insert, MongoFault::Drop { applied });
        once.insert_one(doc! { "_id": id }).await.unwrap_err();
        assert_eq!(lost.fired(), 1);
        let found = once.find_one(doc! { "_id": id }).await.unwrap();
        assert_eq!(found.is_some(), applied, "{id}");
    }

    // A driver that may send a write again has it known by its number.
    let retrying = things(proxy.url(), true).await;
    let inserts = proxy.count(Commands::named("insert"));
    proxy.once(Commands::named("insert"), MongoFault::Drop { applied: true });
    retrying.insert_one(doc! { "_id": "again" }).await.unwrap();
    assert_eq!(inserts.fired(), 2);

    proxy.cut();
    once.insert_one(doc! { "_id": "cut" }).await.unwrap_err();
    proxy.heal();
    once.insert_one(doc! { "_id": "healed" }).await.unwrap();
    assert_eq!(once.count_documents(doc! {}).await.unwrap(), 4);
}

/// The signature covers the host, which is the proxy's: it has to arrive as it was sent.
async fn signed_requests() {
    let directory = tempfile::tempdir().unwrap();
    let server = Native::Versitygw
        .spawn(&directory.path().join("data"))
        .await
        .unwrap();
    let proxy = Http::to(&format!("http://127.0.0.1:{}", server.port())).unwrap();
    let mut builder = AmazonS3Builder::new()
        .with_endpoint(proxy.url())
        .with_bucket_name("storage-test")
        .with_region("us-east-1")
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        });
    for (name, value) in server.server().credentials {
        builder = builder.with_config(name.to_ascii_lowercase().parse().unwrap(), value);
    }
    let store = builder.build().unwrap();
    let key = Path::from("a key");
    let lost = proxy.once(Requests::all().method("PUT"), HttpFault::Drop { applied: true });
    store
        .put_opts(&key, "one".into(), PutMode::Create.into())
        .await
        .unwrap_err();
    assert_eq!(lost.fired(), 1);
    let error = store
        .put_opts(&key, "two".into(), PutMode::Create.into())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "one");
}
