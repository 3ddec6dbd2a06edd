#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
//! The proxy for HTTP, between a client of S3 and the honest emulation.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use test_servers::emulator::{self, Running, S3Mode};
use test_servers::proxy::{Http, HttpFault, Requests};

struct Bench {
    server: Running,
    proxy: Http,
}

impl Bench {
    fn new() -> Self {
        let server = emulator::s3(S3Mode::Honest).unwrap();
        let proxy = Http::to(&server.url()).unwrap();
        Self { server, proxy }
    }

    fn store(&self, url: &str, patience: Duration) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(url)
            .with_bucket_name(self.server.bucket())
            .with_skip_signature(true)
            .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout(patience))
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .build()
            .unwrap()
    }

    /// A client that goes through the proxy.
    fn client(&self) -> AmazonS3 {
        self.store(self.proxy.url(), Duration::from_secs(30))
    }

    /// What the server has under the key.
    async fn stored(&self, key: &str) -> Option<String> {
        let direct = self.store(&self.server.url(), Duration::from_secs(30));
        match direct.get(&Path::from(key)).await {
            Ok(found) => Some(String::from_utf8(found.bytes().await.unwrap().to_vec()).unwrap()),
            Err(Error::NotFound { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

fn puts() -> Requests {
    Requests::all().method("PUT")
}

#[tokio::test]
async fn what_no_fault_meets_is_passed_on() {
    let bench = Bench::new();
    let client = bench.client();
    let counted = bench.proxy.count(puts().path("/storage-test/a b"));
    bench.proxy.always(
        Requests::all().method("DELETE"),
        HttpFault::Drop { applied: false },
    );
    client.put(&Path::from("a b"), "one".into()).await.unwrap();
    assert_eq!(
        client
            .get(&Path::from("a b"))
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        "one"
    );
    assert_eq!(client.head(&Path::from("a b")).await.unwrap().size, 3);
    let missing = client.get(&Path::from("none")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    assert_eq!(counted.fired(), 1);
}

#[tokio::test]
async fn a_write_that_fails_is_done_exactly_where_the_fault_says_so() {
    for applied in [true, false] {
        for fault in [
            HttpFault::Drop { applied },
            HttpFault::Answer { status: 429, applied },
            HttpFault::Answer { status: 500, applied },
            HttpFault::Answer { status: 503, applied },
        ] {
            let bench = Bench::new();
            let injected = bench.proxy.once(puts(), fault);
            let client = bench.client();
            let error = client.put(&Path::from("key"), "one".into()).await.unwrap_err();
            if let HttpFault::Answer { status, .. } = fault {
                assert!(error.to_string().contains(&status.to_string()), "{error}");
            }
            assert_eq!(injected.fired(), 1);
            assert_eq!(bench.stored("key").await.is_some(), applied, "{fault:?}");
            client.put(&Path::from("key"), "two".into()).await.unwrap();
            assert_eq!(bench.stored("key").await.unwrap(), "two");
        }
    }
}

#[tokio::test]
async fn a_request_that_hangs_is_the_clients_to_give_up() {
    for applied in [true, false] {
        let bench = Bench::new();
        bench.proxy.once(puts(), HttpFault::Hang { applied });
        let client = bench.store(bench.proxy.url(), Duration::from_millis(500));
        client.put(&Path::from("key"), "one".into()).await.unwrap_err();
        assert_eq!(bench.stored("key").await.is_some(), applied);
    }
}

#[tokio::test]
async fn a_delayed_request_arrives_after_its_client_has_given_up() {
    let bench = Bench::new();
    bench
        .proxy
        .once(puts(), HttpFault::DelayRequest(Duration::from_secs(1)));
    let client = bench.store(bench.proxy.url(), Duration::from_millis(200));
    client.put(&Path::from("key"), "late".into()).await.unwrap_err();
    // Without end: the test hangs, and so fails, if it never arrives.
    while bench.stored("key").await.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_delayed_answer_is_the_answer() {
    let bench = Bench::new();
    let delayed = bench
        .proxy
        .once(puts(), HttpFault::DelayAnswer(Duration::from_millis(50)));
    bench
        .client()
        .put(&Path::from("key"), "one".into())
        .await
        .unwrap();
    assert_eq!(delayed.fired(), 1);
}

#[tokio::test]
async fn a_create_that_is_sent_twice_gets_the_second_answer() {
    let bench = Bench::new();
    bench.proxy.once(puts().header("if-none-match"), HttpFault::Twice);
    let client = bench.client();
    let key = Path::from("key");
    let error = client
        .put_opts(&key, "one".into(), PutMode::Create.into())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(bench.stored("key").await.unwrap(), "one");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_an_error_of_its_body() {
    let bench = Bench::new();
    let client = bench.client();
    let key = Path::from("key");
    client.put(&key, "0123456789".into()).await.unwrap();
    bench
        .proxy
        .once(Requests::all().method("GET"), HttpFault::CutAnswer);
    client.get(&key).await.unwrap().bytes().await.unwrap_err();
    assert_eq!(
        client.get(&key).await.unwrap().bytes().await.unwrap(),
        "0123456789"
    );
}

#[tokio::test]
async fn the_nth_request_meets_the_fault_and_a_healed_proxy_has_none() {
    let bench = Bench::new();
    let client = bench.client();
    let third = bench.proxy.nth(
        3,
        puts().without_header("if-match"),
        HttpFault::Drop { applied: false },
    );
    let key = Path::from("key");
    client.put(&key, "one".into()).await.unwrap();
    client.put(&key, "two".into()).await.unwrap();
    client.put(&key, "three".into()).await.unwrap_err();
    assert_eq!(third.fired(), 1);

    let every = bench.proxy.always(puts(), HttpFault::Drop { applied: false });
    client.put(&key, "four".into()).await.unwrap_err();
    client.put(&key, "five".into()).await.unwrap_err();
    assert_eq!(every.fired(), 2);
    bench.proxy.heal();
    client.put(&key, "six".into()).await.unwrap();
}

#[tokio::test]
async fn a_cut_network_is_joined_again() {
    let bench = Bench::new();
    let client = bench.client();
    let key = Path::from("key");
    client.put(&key, "one".into()).await.unwrap();
    bench.proxy.cut();
    client.put(&key, "two".into()).await.unwrap_err();
    client.get(&key).await.unwrap_err();
    bench.proxy.heal();
    assert_eq!(client.get(&key).await.unwrap().bytes().await.unwrap(), "one");
}

#[tokio::test]
async fn one_can_wait_for_a_fault_to_be_met() {
    let bench = Bench::new();
    let met = bench.proxy.once(puts(), HttpFault::Hang { applied: true });
    let client = bench.client();
    let write = tokio::spawn(async move { client.put(&Path::from("key"), "one".into()).await });
    assert!(met.met().await);
    write.abort();
    let never = bench.proxy.once(puts(), HttpFault::Twice);
    bench.proxy.heal();
    assert!(!never.met().await);
}

#[test]
fn a_url_that_is_none_is_refused() {
    let error = Http::to("nowhere").unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
