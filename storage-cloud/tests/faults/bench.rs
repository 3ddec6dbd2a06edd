//! Server, proxy, clients, and the law they are held to.

use std::time::Duration;

use bytes::Bytes;
use storage_cloud::{Cloud, CloudConfig, ConditionalWrites, S3Config};
use storage_core::{
    Applied, Area, Condition, Key, ReadRequest, Result, StorageBackend, Version, WriteRequest,
};
use tempfile::TempDir;
use test_servers::proxy::{Http, HttpFault, Requests};
use test_servers::{Native, Process, Server};

/// How long a request may take where nothing is meant to hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long a request may take that is meant to hang: long beside a request on this machine, short beside a test.
pub(crate) const IMPATIENCE: Duration = Duration::from_secs(1);

/// A server, a proxy before it, clients of the proxy that are tested, and one of the server that looks.
pub(crate) struct Bench {
    server: Process,
    /// Outlives the server.
    _directory: TempDir,
    pub(crate) proxy: Http,
    pub(crate) direct: Cloud,
}

impl Bench {
    pub(crate) async fn on(native: Native) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = native.spawn(&directory.path().join("data")).await.unwrap();
        let endpoint = server.server().option("endpoint").unwrap();
        let proxy = Http::to(&endpoint).unwrap();
        let direct = open(&server.server(), &endpoint, PATIENCE).await;
        Self {
            server,
            _directory: directory,
            proxy,
            direct,
        }
    }

    pub(crate) async fn client(&self, patience: Duration) -> Cloud {
        open(&self.server.server(), self.proxy.url(), patience).await
    }

    pub(crate) async fn stored(&self, key: &Key) -> Option<(Bytes, Version)> {
        let object = self
            .direct
            .read(Area::Objects, key, ReadRequest::default())
            .await
            .unwrap();
        object.map(|object| (object.bytes, object.meta.version))
    }
}

async fn open(server: &Server, url: &str, patience: Duration) -> Cloud {
    let credential = |name: &str| server.credentials[name].clone();
    let bucket = S3Config::new(server.bucket().unwrap())
        .endpoint(url)
        .allow_http(true)
        .region(server.option("region").unwrap())
        .access_key(
            credential("AWS_ACCESS_KEY_ID"),
            credential("AWS_SECRET_ACCESS_KEY"),
        );
    // The probe has tests of its own.
    let config = CloudConfig::from(bucket)
        .request_timeout(patience)
        .conditional_writes(ConditionalWrites::Trust);
    Cloud::open(config).await.unwrap()
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn puts() -> Requests {
    Requests::all().method("PUT")
}

pub(crate) async fn write(cloud: &Cloud, key: &Key, text: &str, condition: Condition) -> Result<Version> {
    let bytes = Bytes::from(text.to_owned());
    cloud
        .write(Area::Objects, key, bytes, WriteRequest::when(condition))
        .await
}

/// The three kinds of writes, each with the state it is made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Create,
    Swap,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Put, Kind::Create, Kind::Swap];

impl Kind {
    /// Puts what the write is made over where it belongs, past the proxy.
    pub(crate) async fn prepare(self, bench: &Bench, key: &Key) -> Condition {
        match self {
            Self::Create => Condition::IfAbsent,
            Self::Put | Self::Swap => {
                let version = write(&bench.direct, key, "before", Condition::Always)
                    .await
                    .unwrap();
                if self == Self::Put {
                    Condition::Always
                } else {
                    Condition::IfVersion(version)
                }
            }
        }
    }
}

/// The law: `Ok` is there, under the version told; `applied: No` has changed nothing.
pub(crate) fn check(outcome: &Result<Version>, stored: Option<(Bytes, Version)>, kind: Kind, what: &str) {
    match outcome {
        Ok(version) => {
            assert_eq!(
                stored.unwrap(),
                ("after".into(), version.clone()),
                "a false success: {what}"
            );
        }
        Err(error) if error.applied() == Applied::No => {
            let bytes = stored.map(|(bytes, _)| bytes);
            let before = (kind != Kind::Create).then(|| Bytes::from("before"));
            assert_eq!(bytes, before, "applied, and told not to be: {what}: {error}");
        }
        Err(_) => {}
    }
}

/// Faults after which the next request finds everything in order.
pub(crate) fn passing() -> Vec<HttpFault> {
    let mut faults = vec![
        HttpFault::Twice,
        HttpFault::DelayAnswer(Duration::from_millis(50)),
    ];
    for applied in [true, false] {
        faults.push(HttpFault::Drop { applied });
        faults.extend([500, 502, 503].map(|status| HttpFault::Answer { status, applied }));
    }
    faults.push(HttpFault::Answer {
        status: 429,
        applied: false,
    });
    faults
}
