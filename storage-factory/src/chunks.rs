//! [`chunks_from_env`]: a store of chunks where the environment says, on the pair of backends it is made for.

use std::path::Path;
use std::sync::Arc;

use storage_core::{Composed, Error, Result, Storage};
use storage_stores::chunks::{ChunkOptions, ChunkStore, SEARCHED_FIELDS};

use crate::environment::{self, of_process};
use crate::factory::Factory;
use crate::layers::{self, LayerList};
use crate::url::StorageUrl;

/// Where chunks lie when no variable says anything.
const DEFAULT_DIRECTORY: &str = "./data/sessions";
const DIRECTORY: &str = "CHUNK_STORAGE_PATH";

/// Opens the store of chunks the environment names: chunks in files below `CHUNK_STORAGE_PATH` (`./data/sessions`), what is known about
/// them in the SQLite file `metadata.db` there, and options from
/// [`ChunkOptions::from_env`](storage_stores::chunks::ChunkOptions::from_env). The layers of `STORAGE_LAYERS` are over both; one that
/// encrypts leaves [the fields the store searches for](storage_stores::chunks::SEARCHED_FIELDS) readable. For another storage, open that and call
/// [`ChunkStore::open`](storage_stores::chunks::ChunkStore::open).
///
/// # Errors
/// `InvalidArgument` naming a variable whose value cannot be, an empty path included; those of the backends, naming the path.
pub async fn chunks_from_env() -> Result<ChunkStore> {
    chunks_from(of_process).await
}

/// The same, from variables that are looked up here.
///
/// # Errors
/// As [`chunks_from_env`].
pub async fn chunks_from(
    variable: impl Fn(&'static str) -> Result<Option<String>> + Send,
) -> Result<ChunkStore> {
    let options = ChunkOptions::from_variables(&variable).map_err(opening)?;
    let directory = match variable(DIRECTORY).map_err(opening)? {
        Some(directory) if directory.is_empty() => {
            let message = format!("{DIRECTORY} is set but empty; unset it or say where the chunks are");
            return Err(opening(Error::invalid_argument(message)));
        }
        Some(directory) => directory,
        None => DEFAULT_DIRECTORY.to_owned(),
    };
    // The directory is made by the first of the two.
    let objects = StorageUrl::from_path("fs", &directory);
    let database = format!("{}/metadata.db", directory.trim_end_matches('/'));
    let documents = StorageUrl::from_path("sqlite", &database);
    let layers = environment::layers(&variable).map_err(opening)?;
    let factory = Factory::default().searching(SEARCHED_FIELDS);
    if let Some(sealing) = layers.as_ref().and_then(LayerList::sealing)
        && !Path::new(&database).exists()
    {
        // Keys are made where nothing is yet, and the database will be something: its file lies among the objects.
        let alone = factory.open_below_layers(&objects).await?;
        let sealed = layers::over(&factory, alone, Some(&sealing))
            .await
            .map_err(opening)?;
        sealed.close().await?;
    }
    let named = |error: Error| error.with_context("variable", DIRECTORY);
    let first = factory.open_below_layers(&objects).await.map_err(named)?;
    let second = match factory.open_below_layers(&documents).await {
        Ok(second) => second,
        Err(error) => {
            if let Err(closing) = first.close().await {
                tracing::warn!(error = %closing, "the directory of chunks could not be closed again");
            }
            return Err(named(error));
        }
    };
    let adapter = Arc::new(Composed::new(first, second));
    let layered = layers::over(&factory, adapter, layers.as_ref())
        .await
        .map_err(opening)?;
    ChunkStore::open(Storage::from_arc(layered), options).await
}

fn opening(error: Error) -> Error {
    error.with_operation("open chunks from the environment")
}
