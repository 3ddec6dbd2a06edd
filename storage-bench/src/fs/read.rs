//! Reading what is in the page cache, and looking at it.

use std::sync::Arc;
use std::time::Duration;

use object_store::{ObjectStoreExt, PutPayload};
use storage_core::Bytes;

use super::{KIBIBYTE, OBJECT_STORE, OPENDAL, Peers, STD, TOKIO};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const OURS: &str = "ours, with version";
const NAME: &str = "hot.bin";

/// How long ago a file must have been written for its version to be remembered.
const SETTLED: Duration = Duration::from_secs(3);

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    let bytes = Bytes::from(vec![7; KIBIBYTE]);
    peers.ours.objects().write(NAME, bytes.clone()).await?;
    peers
        .object_store
        .put(&NAME.into(), PutPayload::from(bytes.clone()))
        .await?;
    peers.opendal.write(NAME, bytes.clone()).await?;
    std::fs::write(peers.plain.join(NAME), &bytes)?;
    if !run.is_quick() {
        tokio::time::sleep(SETTLED).await;
    }
    for at_once in [1, 32] {
        read(run, peers, at_once).await?;
        stat(run, peers, at_once).await?;
    }
    Ok(())
}

async fn read(run: &mut Run, peers: &Peers, at_once: u64) -> Outcome {
    let objects = peers.ours.objects();
    let store = Arc::clone(&peers.object_store);
    let operator = peers.opendal.clone();
    let paths = [peers.plain.join(NAME), peers.plain.join(NAME)];
    let [blocking, path] = paths;
    Table::new(
        format!("fs-hot-read-c{at_once}"),
        format!("Files: hot read of 1 KiB, {at_once} at once"),
    )
    .per_round(256)
    .at_once(at_once)
    .contender(OURS, move |_| {
        let objects = objects.clone();
        async move {
            let read = objects.read(NAME).await?;
            assert_eq!(read.map(|bytes| bytes.len()), Some(KIBIBYTE));
            Ok(())
        }
    })
    .contender(TOKIO, move |_| {
        let path = path.clone();
        async move {
            assert_eq!(tokio::fs::read(path).await?.len(), KIBIBYTE);
            Ok(())
        }
    })
    .contender(OBJECT_STORE, move |_| {
        let store = Arc::clone(&store);
        async move {
            assert_eq!(store.get(&NAME.into()).await?.bytes().await?.len(), KIBIBYTE);
            Ok(())
        }
    })
    .contender(OPENDAL, move |_| {
        let operator = operator.clone();
        async move {
            assert_eq!(operator.read_with(NAME).range(0..1024).await?.len(), KIBIBYTE);
            Ok(())
        }
    })
    .contender(STD, move |_| {
        let read = std::fs::read(&blocking);
        async move {
            assert_eq!(read?.len(), KIBIBYTE);
            Ok(())
        }
    })
    .goal(Goal::faster(TOKIO, 3.0))
    .goal(Goal::faster(OBJECT_STORE, 5.0))
    .note("std::fs blocks the thread that asks, and is the floor; neither it nor tokio::fs tells a version.")
    .note("The file was written three seconds before: in the first two each of our reads asks for its version anew.")
    .note("OpenDAL is told the range, or it would clear 2 MiB first.")
    .run(run)
    .await
}

async fn stat(run: &mut Run, peers: &Peers, at_once: u64) -> Outcome {
    let objects = peers.ours.objects();
    let store = Arc::clone(&peers.object_store);
    let operator = peers.opendal.clone();
    let paths = [peers.plain.join(NAME), peers.plain.join(NAME)];
    let [blocking, path] = paths;
    Table::new(
        format!("fs-stat-c{at_once}"),
        format!("Files: stat, {at_once} at once"),
    )
    .per_round(512)
    .at_once(at_once)
    .contender(OURS, move |_| {
        let objects = objects.clone();
        async move {
            let meta = objects.stat(NAME).await?;
            assert_eq!(meta.map(|meta| meta.size), Some(1024));
            Ok(())
        }
    })
    .contender(OBJECT_STORE, move |_| {
        let store = Arc::clone(&store);
        async move {
            assert_eq!(store.head(&NAME.into()).await?.size, 1024);
            Ok(())
        }
    })
    .contender(OPENDAL, move |_| {
        let operator = operator.clone();
        async move {
            assert_eq!(operator.stat(NAME).await?.content_length(), 1024);
            Ok(())
        }
    })
    .contender(TOKIO, move |_| {
        let path = path.clone();
        async move {
            assert_eq!(tokio::fs::metadata(path).await?.len(), 1024);
            Ok(())
        }
    })
    .contender(STD, move |_| {
        let meta = std::fs::metadata(&blocking);
        async move {
            assert_eq!(meta?.len(), 1024);
            Ok(())
        }
    })
    .goal(Goal::faster(OBJECT_STORE, 8.0))
    .run(run)
    .await
}
