//! [`chunks_from_env`]: a store of chunks where the environment says, on the pair of backends it is made for.

use storage_core::{Error, Result};
use storage_stores::chunks::{ChunkOptions, ChunkStore};

use crate::environment::of_process;
use crate::factory::Factory;
use crate::url::StorageUrl;

/// Where chunks lie when no variable says anything.
const DEFAULT_DIRECTORY: &str = "./data/sessions";
const DIRECTORY: &str = "CHUNK_STORAGE_PATH";

/// Opens the store of chunks the environment names: chunks in files below `CHUNK_STORAGE_PATH` (`./data/sessions`), what is known about
/// them in the SQLite file `metadata.db` there, and options from
/// [`ChunkOptions::from_env`](storage_stores::chunks::ChunkOptions::from_env). For another storage, open that and call
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
    let storage = Factory::default()
        .open_pair(objects.with_secrets(), documents.with_secrets())
        .await
        .map_err(|error| error.with_context("variable", DIRECTORY))?;
    ChunkStore::open(storage, options).await
}

fn opening(error: Error) -> Error {
    error.with_operation("open chunks from the environment")
}
