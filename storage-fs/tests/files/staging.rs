use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage_core::{Area, Condition, ErrorKind, StorageBackend, WriteRequest};
use storage_fs::FsBackend;

use super::support::*;

#[tokio::test]
async fn a_streamed_write_shows_when_it_is_finished_and_not_before() {
    let (root, backend) = fresh().await;
    put(&backend, "big.bin", "old").await;
    let mut writer = Arc::clone(&backend)
        .open_writer(Area::Objects, &key("big.bin"), WriteRequest::default())
        .await
        .unwrap();
    let mut whole = Vec::new();
    for piece in 0..40_u8 {
        let bytes = Bytes::from(vec![piece; 10_000 * (1 + usize::from(piece))]);
        whole.extend_from_slice(&bytes);
        writer.write(bytes).await.unwrap();
    }
    assert_eq!(bytes(&backend, "big.bin").await.unwrap(), "old");
    assert_eq!(all(&backend).await, ["big.bin"]);
    assert_eq!(temporaries(root.path()), 1);
    let written = writer.finish().await.unwrap();
    assert_eq!(bytes(&backend, "big.bin").await.unwrap(), whole);
    assert_eq!(version(&backend, "big.bin").await.unwrap(), written);
    assert_eq!(temporaries(root.path()), 0);
}

#[tokio::test]
async fn a_streamed_write_given_up_leaves_no_trace() {
    let (root, backend) = fresh().await;
    let name = key("a.bin");
    let writer =
        || Arc::clone(&backend).open_writer(Area::Objects, &name, WriteRequest::when(Condition::IfAbsent));
    let mut aborted = writer().await.unwrap();
    aborted.write(Bytes::from(vec![0; 300_000])).await.unwrap();
    aborted.abort().await.unwrap();
    assert_eq!(temporaries(root.path()), 0);

    let mut dropped = writer().await.unwrap();
    dropped.write(Bytes::from(vec![0; 300_000])).await.unwrap();
    drop(dropped);
    let lost = writer().await.unwrap();
    put(&backend, "a.bin", "first").await;
    assert_eq!(lost.finish().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(bytes(&backend, "a.bin").await.unwrap(), "first");
    // Closing waits for what dropping left to be done.
    while temporaries(root.path()) > 0 {
        tokio::task::yield_now().await;
    }
}

/// Leaves a temporary the way a process that died in a write does.
fn orphan(root: &std::path::Path, name: &str, age: Duration) {
    let file = std::fs::File::create(root.join(".storage/staging").join(name)).unwrap();
    file.set_modified(std::time::SystemTime::now() - age).unwrap();
}

#[tokio::test]
async fn a_sweep_takes_the_old_temporaries_of_the_dead_and_no_others() {
    let (root, _backend) = fresh().await;
    let backend = Arc::new(
        FsBackend::open(config(root.path()).staging_max_age(Duration::ZERO))
            .await
            .unwrap(),
    );
    let writer = Arc::clone(&backend)
        .open_writer(Area::Objects, &key("slow.bin"), WriteRequest::default())
        .await
        .unwrap();
    orphan(root.path(), &"0".repeat(32), Duration::from_secs(10));
    let report = backend.sweep().await.unwrap();
    assert_eq!(report.temporaries, 1, "the dead writer's, not the living one's");
    writer.finish().await.unwrap();
    assert_eq!(bytes(&backend, "slow.bin").await.unwrap(), "");

    let patient = open(root.path()).await;
    orphan(root.path(), &"1".repeat(32), Duration::from_secs(60));
    assert_eq!(
        patient.sweep().await.unwrap().temporaries,
        0,
        "too young to look at"
    );
    orphan(root.path(), &"2".repeat(32), Duration::from_secs(7200));
    assert_eq!(patient.sweep().await.unwrap().temporaries, 1);
    assert_eq!(
        patient.sweep().await.unwrap().temporaries,
        0,
        "a second sweep finds nothing"
    );
}

#[tokio::test]
async fn opening_a_root_sweeps_it() {
    let (root, backend) = fresh().await;
    orphan(root.path(), &"3".repeat(32), Duration::from_secs(7200));
    assert_eq!(
        all(&backend).await,
        Vec::<String>::new(),
        "a temporary is no object"
    );
    open(root.path()).await;
    assert_eq!(temporaries(root.path()), 0);
}

#[tokio::test]
async fn a_copy_is_an_object_of_its_own() {
    let (_root, backend) = fresh().await;
    let large = Bytes::from(vec![9; 3 << 20]);
    let original = put(&backend, "from.bin", large.clone()).await;
    let copy = |from: &str, to: &str, condition: Condition| {
        let (backend, from, to) = (Arc::clone(&backend), key(from), key(to));
        async move {
            backend
                .copy(Area::Objects, &from, &to, WriteRequest::when(condition))
                .await
        }
    };
    let version = copy("from.bin", "d/to.bin", Condition::Always)
        .await
        .unwrap()
        .unwrap();
    assert_ne!(version, original);
    assert_eq!(bytes(&backend, "d/to.bin").await.unwrap(), large);
    assert_eq!(copy("missing", "x", Condition::Always).await.unwrap(), None);
    assert_eq!(
        copy("from.bin", "d/to.bin", Condition::IfAbsent)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::AlreadyExists
    );
    let onto_itself = copy("from.bin", "from.bin", Condition::Always)
        .await
        .unwrap()
        .unwrap();
    assert_ne!(onto_itself, original);
}
