//! Memory at its highest while much goes through: it must not grow with what goes through.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStoreExt, WriteMultipart};
use storage_core::{Bytes, Objects, Storage, WriteOptions};
use storage_fs::{Fs, FsConfig};
use storage_sqlite::{Sqlite, SqliteConfig};

use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const MEBIBYTE: usize = 1 << 20;

pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## Memory");
    if reset().is_err() {
        run.say("The system does not say how much memory was in use at most (`/proc/self/clear_refs`).");
        return Ok(());
    }
    let directory = run.directory("memory")?;
    let files = Storage::new(Fs::open(FsConfig::new(directory.join("ours"))).await?);
    let theirs = directory.join("object_store");
    std::fs::create_dir(&theirs)?;
    let store = Arc::new(LocalFileSystem::new_with_prefix(theirs)?);
    let (few, many) = (run.amount(64, 2), run.amount(1_024, 4));
    let objects = files.objects();
    Table::new(
        "memory-fs",
        format!("Memory, files: {many} MiB streamed in and out, above what was in use before"),
    )
    .of_memory()
    .measured(format!("ours, {many} MiB"), through(objects.clone(), many))
    .measured(format!("ours, {few} MiB"), through(objects, few))
    .measured(format!("object_store, {many} MiB"), move |_| {
        peak(by_object_store(Arc::clone(&store), many))
    })
    .goal(Goal::within(&format!("ours, {few} MiB"), 1.25))
    .run(run)
    .await?;
    files.close().await?;
    sqlite(run, &directory, few, many).await?;
    Run::remove(&directory)
}

async fn sqlite(run: &mut Run, directory: &Path, few: u64, many: u64) -> Outcome {
    let storage = Storage::new(Sqlite::open(SqliteConfig::new(directory.join("ours.db"))).await?);
    let objects = storage.objects();
    Table::new(
        "memory-sqlite",
        format!("Memory, SQLite: {many} MiB streamed in and out, above what was in use before"),
    )
    .of_memory()
    .measured(format!("ours, {many} MiB"), through(objects.clone(), many))
    .measured(format!("ours, {few} MiB"), through(objects, few))
    .goal(Goal::within(&format!("ours, {few} MiB"), 1.25))
    .run(run)
    .await?;
    storage.close().await?;
    Ok(())
}

type Boxed = futures::future::BoxFuture<'static, Outcome<f64>>;

fn through(objects: Objects, pieces: u64) -> impl Fn(crate::table::Share) -> Boxed + Send + Sync + 'static {
    move |_| {
        let objects = objects.clone();
        Box::pin(peak(async move {
            let piece = Bytes::from(vec![7; MEBIBYTE]);
            let mut upload = objects.upload("large.bin", WriteOptions::new()).await?;
            for _ in 0..pieces {
                upload.write(piece.clone()).await?;
            }
            upload.finish().await?;
            let mut reader = objects.reader("large.bin").await?.ok_or("nothing there")?;
            let mut length = 0;
            while let Some(bytes) = reader.try_next().await? {
                length += bytes.len() as u64;
            }
            assert_eq!(length, pieces << 20);
            objects.delete("large.bin").await?;
            Ok(())
        }))
    }
}

async fn by_object_store(store: Arc<LocalFileSystem>, pieces: u64) -> Outcome {
    let piece = Bytes::from(vec![7; MEBIBYTE]);
    let upload = store.put_multipart(&"large.bin".into()).await?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, MEBIBYTE);
    for _ in 0..pieces {
        upload.wait_for_capacity(1).await?;
        upload.put(piece.clone());
    }
    upload.finish().await?;
    let mut stream = store.get(&"large.bin".into()).await?.into_stream();
    let mut length = 0;
    while let Some(bytes) = stream.try_next().await? {
        length += bytes.len() as u64;
    }
    assert_eq!(length, pieces << 20);
    store.delete(&"large.bin".into()).await?;
    Ok(())
}

/// The most bytes of memory in use during some work, above what is in use before.
async fn peak(work: impl Future<Output = Outcome>) -> Outcome<f64> {
    reset()?;
    let before = status("VmRSS:")?;
    work.await?;
    // One page at least, so that there is something to compare with.
    Ok((status("VmHWM:")? - before).max(4096.0))
}

/// Begins anew to watch for the most memory in use; see `proc_pid_clear_refs(5)`.
fn reset() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}

/// A figure of this process in bytes.
fn status(name: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes
        .ok_or("the status of this process has no such line")?
        .parse::<f64>()?
        * 1024.0)
}
