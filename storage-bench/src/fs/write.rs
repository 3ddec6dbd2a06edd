//! Writes of 1 KiB that survive loss of power: of new objects, and over others.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::{ObjectStoreExt, PutPayload};
use storage_core::Bytes;

use super::{KIBIBYTE, OBJECT_STORE, OPENDAL, OURS, Peers, STD};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

/// Which object the n-th write is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    New,
    Known,
}

impl Target {
    fn key(self, number: u64) -> String {
        match self {
            Self::New => format!("new/{number}.bin"),
            // More than there are writers, so that no two wait for one object.
            Self::Known => format!("known/{}.bin", number % 64),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::New => "create",
            Self::Known => "overwrite",
        }
    }
}

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    std::fs::create_dir(peers.plain.join("new"))?;
    std::fs::create_dir(peers.plain.join("known"))?;
    for target in [Target::New, Target::Known] {
        for at_once in [1, 32] {
            write(run, peers, target, at_once).await?;
        }
    }
    Ok(())
}

async fn write(run: &mut Run, peers: &Peers, target: Target, at_once: u64) -> Outcome {
    let bytes = Bytes::from(vec![7; KIBIBYTE]);
    let objects = peers.ours.objects();
    let store = Arc::clone(&peers.object_store);
    let operator = peers.opendal.clone();
    let plain = peers.plain.clone();
    let word = target.word();
    let (ours, theirs, others) = (bytes.clone(), bytes.clone(), bytes.clone());
    Table::new(
        format!("fs-{word}-c{at_once}"),
        format!("Files: durable {word} of 1 KiB, {at_once} at once"),
    )
    .per_round(if at_once == 1 { 16 } else { 128 })
    .at_once(at_once)
    .contender(OURS, move |number| {
        let (objects, bytes) = (objects.clone(), ours.clone());
        async move {
            objects.write(target.key(number), bytes).await?;
            Ok(())
        }
    })
    .contender(OBJECT_STORE, move |number| {
        let (store, bytes) = (Arc::clone(&store), theirs.clone());
        async move {
            let path = target.key(number).into();
            store.put(&path, PutPayload::from(bytes)).await?;
            Ok(())
        }
    })
    .contender(OPENDAL, move |number| {
        let (operator, bytes) = (operator.clone(), others.clone());
        async move {
            operator.write(&target.key(number), bytes).await?;
            Ok(())
        }
    })
    .contender(STD, move |number| {
        let (path, bytes) = (plain.join(target.key(number)), bytes.clone());
        async move {
            tokio::task::spawn_blocking(move || publish(&path, &bytes)).await??;
            Ok(())
        }
    })
    .goal(Goal::faster(OBJECT_STORE, if at_once == 1 { 1.0 } else { 1.5 }))
    .note("object_store with `with_fsync`. OpenDAL with `atomic_write_dir` syncs the file and not the directory: less than the others promise.")
    .run(run)
    .await
}

/// The least there is: a temporary file, synced, renamed, and the directory synced.
pub(super) fn publish(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let staged = directory.join(format!(".{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let mut file = std::fs::File::create_new(&staged)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&staged, path)?;
    std::fs::File::open(directory)?.sync_all()
}
