//! `storage volume put`, `rm`, `snapshot`.

use std::path::{Path, PathBuf};

use clap::Args;
use futures::stream;
use storage_core::{Error, ErrorKind, Storage};
use tokio::io::AsyncRead;

use super::Place;
use crate::command::objects::piece;
use crate::failure::{Failure, Result};
use crate::output::Output;

#[derive(Debug, Args)]
pub(super) struct Put {
    /// The name
    name: String,
    /// Where its bytes come from; - or nothing is standard input
    file: Option<PathBuf>,
}

impl Put {
    pub(super) async fn run(self, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
        let file = self.file.filter(|file| file != Path::new("-"));
        let from: Box<dyn AsyncRead + Send + Unpin> = match &file {
            Some(file) => {
                let what = format!("open {}", file.display());
                Box::new(tokio::fs::File::open(file).await.map_err(Failure::local(what))?)
            }
            None => Box::new(tokio::io::stdin()),
        };
        let pieces = stream::try_unfold(from, |mut from| async move {
            let read = piece(&mut from).await.map_err(|error| {
                Error::new(ErrorKind::Io, "what was to be put could not be read").with_source(error)
            });
            Ok(read?.map(|bytes| (bytes, from)))
        });
        let volume = place.writable(storage).await?;
        let entry = volume.put_stream(&self.name, pieces).await?;
        output.line(entry.block)
    }
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The names
    #[arg(required = true)]
    names: Vec<String>,
}

impl Remove {
    pub(super) async fn run(self, place: &Place, storage: &Storage) -> Result<()> {
        let volume = place.writable(storage).await?;
        for name in self.names {
            volume.delete(&name).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct Snapshot {
    /// Its label
    label: String,
}

impl Snapshot {
    pub(super) async fn run(self, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
        let volume = place.writable(storage).await?;
        output.line(volume.snapshot(&self.label).await?)
    }
}
