//! Objects in files: ours beside the standard library, `tokio::fs`, `object_store` and OpenDAL.

mod list;
mod log;
mod read;
mod stream;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use opendal::Operator;
use storage_core::Storage;
use storage_fs::{Fs, FsConfig};

use crate::run::{Outcome, Run};

const KIBIBYTE: usize = 1024;

const OURS: &str = "ours";
const STD: &str = "std::fs, by hand";
const TOKIO: &str = "tokio::fs";
const OBJECT_STORE: &str = "object_store";
const OPENDAL: &str = "OpenDAL";

pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## Files");
    let directory = run.directory("fs")?;
    let peers = Peers::open(&directory).await?;
    read::all(run, &peers).await?;
    write::all(run, &peers).await?;
    stream::all(run, &peers).await?;
    log::all(run, &peers).await?;
    peers.ours.close().await?;
    Run::remove(&directory)?;
    list::all(run).await
}

/// Ours and the others, each in a directory of its own.
struct Peers {
    ours: Storage,
    object_store: Arc<LocalFileSystem>,
    opendal: Operator,
    /// The standard library's directory, and that of `tokio::fs`.
    plain: PathBuf,
}

impl Peers {
    async fn open(directory: &Path) -> Outcome<Self> {
        let [theirs, plain] = ["object_store", "plain"].map(|name| directory.join(name));
        std::fs::create_dir(&theirs)?;
        std::fs::create_dir(&plain)?;
        Ok(Self {
            ours: ours(&directory.join("ours")).await?,
            object_store: Arc::new(LocalFileSystem::new_with_prefix(theirs)?.with_fsync(true)),
            opendal: opendal(&directory.join("opendal"))?,
            plain,
        })
    }
}

async fn ours(directory: &Path) -> Outcome<Storage> {
    Ok(Storage::new(Fs::open(FsConfig::new(directory)).await?))
}

/// Its own way of writing in place tears when two write at once; this one does not. It syncs files, and no directory.
fn opendal(directory: &Path) -> Outcome<Operator> {
    let root = directory.to_str().ok_or("the place is not UTF-8")?;
    let service = opendal::services::Fs::default()
        .root(root)
        .atomic_write_dir(&format!("{root}-staging"));
    Ok(Operator::new(service)?.finish())
}
