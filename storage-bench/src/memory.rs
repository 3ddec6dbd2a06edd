//! Memory at its highest while much goes through: it must not grow with what goes through.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStoreExt, WriteMultipart};
use storage_core::{Bytes, Storage, WriteOptions};
use storage_fs::{Fs, FsConfig};
use storage_sqlite::{Sqlite, SqliteConfig};
use tokio::process::Command;

use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::{Share, Table};

const MEBIBYTE: usize = 1 << 20;
const NAME: &str = "large.bin";

pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## Memory");
    if peak().is_err() {
        run.say("The system does not say how much memory was in use at most (`/proc/self/status`).");
        return Ok(());
    }
    let directory = run.directory("memory")?;
    let (few, many) = (run.amount(64, 2), run.amount(1_024, 4));
    for (what, title) in [("fs", "files"), ("sqlite", "SQLite")] {
        let less = format!("ours, {few} MiB");
        let mut table = Table::new(
            format!("memory-{what}"),
            format!("Memory, {title}: {many} MiB streamed in and out"),
        )
        .of_memory()
        .measured(format!("ours, {many} MiB"), process(what, many, &directory))
        .measured(&less, process(what, few, &directory));
        if what == "fs" {
            table = table.measured(
                format!("object_store, {many} MiB"),
                process("object_store", many, &directory),
            );
        }
        table
            .goal(Goal::within(&less, 1.25))
            .note("Each is a process of its own, with all that it takes.")
            .run(run)
            .await?;
    }
    Run::remove(&directory)
}

type Boxed = futures::future::BoxFuture<'static, Outcome<f64>>;

/// Starts this program to send so many MiB through, and gives the most memory it had.
fn process(
    what: &'static str,
    pieces: u64,
    directory: &Path,
) -> impl Fn(Share) -> Boxed + Send + Sync + 'static {
    let directory = directory.to_owned();
    move |_| {
        let directory = directory.clone();
        Box::pin(async move {
            let done = Command::new(std::env::current_exe()?)
                .arg("--through")
                .args([what, &pieces.to_string()])
                .arg(&directory)
                .output()
                .await?;
            if !done.status.success() {
                return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
            }
            Ok(String::from_utf8(done.stdout)?.trim().parse()?)
        })
    }
}

/// What the started program does: `[what, MiB, directory]`. Prints the most bytes of memory it had.
pub(crate) async fn through(words: &[String]) -> Outcome {
    let [what, pieces, directory] = words else {
        return Err("what, how much, and where?".into());
    };
    let (pieces, place) = (pieces.parse()?, PathBuf::from(directory).join(what));
    match what.as_str() {
        "fs" => by_us(Storage::new(Fs::open(FsConfig::new(place)).await?), pieces).await?,
        "sqlite" => {
            by_us(
                Storage::new(Sqlite::open(SqliteConfig::new(place)).await?),
                pieces,
            )
            .await?
        }
        _ => by_object_store(&place, pieces).await?,
    }
    println!("{}", peak()?);
    Ok(())
}

async fn by_us(storage: Storage, pieces: u64) -> Outcome {
    let objects = storage.objects();
    let piece = Bytes::from(vec![7; MEBIBYTE]);
    let mut upload = objects.upload(NAME, WriteOptions::new()).await?;
    for _ in 0..pieces {
        upload.write(piece.clone()).await?;
    }
    upload.finish().await?;
    let mut reader = objects.reader(NAME).await?.ok_or("nothing there")?;
    let mut length = 0;
    while let Some(bytes) = reader.try_next().await? {
        length += bytes.len() as u64;
    }
    assert_eq!(length, pieces << 20);
    objects.delete(NAME).await?;
    storage.close().await?;
    Ok(())
}

async fn by_object_store(place: &Path, pieces: u64) -> Outcome {
    std::fs::create_dir_all(place)?;
    let store = LocalFileSystem::new_with_prefix(place)?.with_fsync(true);
    let piece = Bytes::from(vec![7; MEBIBYTE]);
    let upload = store.put_multipart(&NAME.into()).await?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, MEBIBYTE);
    for _ in 0..pieces {
        upload.wait_for_capacity(1).await?;
        upload.put(piece.clone());
    }
    upload.finish().await?;
    let mut stream = store.get(&NAME.into()).await?.into_stream();
    let mut length = 0;
    while let Some(bytes) = stream.try_next().await? {
        length += bytes.len() as u64;
    }
    assert_eq!(length, pieces << 20);
    store.delete(&NAME.into()).await?;
    Ok(())
}

/// The most bytes of memory this process had so far.
fn peak() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes
        .ok_or("the status of this process has no such line")?
        .parse::<f64>()?
        * 1024.0)
}
