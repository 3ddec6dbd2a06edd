//! What the servers started here must be for the tests that rest on them: back after a kill with what they acknowledged, where they
//! are called durable, and exact about conditional writes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::ExitCode;
use std::sync::Arc;

use futures::future::join_all;
use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use test_servers::{Kind, Native, Process, run_natives, trial};

fn main() -> ExitCode {
    let natives = [
        Native::Secantus,
        Native::SecantusRs,
        Native::FerretDb,
        Native::Versitygw,
        Native::Moto,
        Native::Azurite,
    ];
    run_natives(&natives, |native| {
        let name = |test: &str| format!("{}::{test}", native.name().to_lowercase());
        let mut tests = Vec::new();
        match native.kind() {
            Kind::Mongo => {
                let test = move || documents_survive(native);
                tests.push(trial(name("keeps_documents_it_acknowledged"), test));
            }
            _ => {
                // moto looks and writes without a lock: on a busy machine two of its writers win now and then.
                if native != Native::Moto {
                    let test = move || one_of_racing_writes_wins(native);
                    tests.push(trial(name("decides_races"), test));
                }
                let test = move || comes_back(native);
                tests.push(trial(name("comes_back"), test));
            }
        }
        tests
    })
}

/// A server with a directory of its own.
async fn spawn(native: Native) -> (tempfile::TempDir, Process) {
    let directory = tempfile::tempdir().unwrap();
    let process = native.spawn(&directory.path().join("data")).await.unwrap();
    (directory, process)
}

async fn documents(process: &Process) -> Collection<Document> {
    let client = Client::with_uri_str(process.url()).await.unwrap();
    client.default_database().unwrap().collection("things")
}

async fn documents_survive(native: Native) {
    let (_directory, mut process) = spawn(native).await;
    let url = process.url();
    let before = documents(&process).await;
    for number in 0..20 {
        before.insert_one(doc! { "_id": number }).await.unwrap();
    }
    process.kill().await.unwrap();
    let stopped = std::net::TcpStream::connect(("127.0.0.1", process.port()));
    assert!(stopped.is_err(), "it still listens after it was killed");

    process.restart().await.unwrap();
    assert_eq!(process.url(), url);
    let after = documents(&process).await;
    assert_eq!(after.count_documents(doc! {}).await.unwrap(), 20);
}

/// With its bucket, and with what it acknowledged where it is durable.
async fn comes_back(native: Native) {
    let (_directory, mut process) = spawn(native).await;
    let store = process.server().object_store().unwrap();
    let paths: Vec<Path> = (0..20).map(|number| format!("things/{number}").into()).collect();
    for path in &paths {
        store.put(path, PutPayload::from("whole")).await.unwrap();
    }
    process.restart().await.unwrap();
    for path in paths.iter().filter(|_| native.is_durable()) {
        let bytes = store.get(path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, "whole");
    }
    let after = Path::from("after");
    store.put(&after, PutPayload::from("whole")).await.unwrap();
}

/// Of racing conditional writes exactly one wins: of those that create, and of those that replace one version.
async fn one_of_racing_writes_wins(native: Native) {
    /// As many as object_store opens connections without waiting.
    const WRITERS: usize = 16;
    const ROUNDS: usize = 10;

    let (_directory, process) = spawn(native).await;
    let store: Arc<dyn ObjectStore> = process.server().object_store().unwrap();
    for round in 0..ROUNDS {
        let path = Path::from(format!("races/{round}"));
        let base = race(&store, &path, WRITERS, PutMode::Create).await;
        race(&store, &path, WRITERS, PutMode::Update(base)).await;
    }
}

/// Writes at once from all; the version of the only one that won.
async fn race(store: &Arc<dyn ObjectStore>, path: &Path, writers: usize, mode: PutMode) -> UpdateVersion {
    let writes = (0..writers).map(|writer| {
        let (store, path, mode) = (Arc::clone(store), path.clone(), mode.clone());
        tokio::spawn(async move {
            let bytes = PutPayload::from(format!("{mode:?} by {writer}"));
            store.put_opts(&path, bytes, PutOptions::from(mode)).await
        })
    });
    let mut won = Vec::new();
    for outcome in join_all(writes).await {
        match outcome.unwrap() {
            Ok(put) => won.push(put),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(won.len(), 1, "{mode:?} had {} winners", won.len());
    won.remove(0).into()
}
