//! [`kv_from_env`]: a key-value store where the environment says, with its settings.

use storage_core::{Error, Result, Storage};
use storage_stores::kv::{Kv, KvOptions, KvSettings, SEARCHED_FIELDS};

use crate::environment::{self, of_process};
use crate::factory::Factory;
use crate::layers::{self, LayerList};
use crate::url::StorageUrl;

/// Where entries lie when neither a setting nor a variable of the factory says anything.
const DEFAULT_DIRECTORY: &str = "./data/storage";

/// Opens the key-value store the environment names. `KV_STORAGE_PATH` is a directory of files; without it the variables of
/// [`open_from_env`](crate::open_from_env) decide, and files in `./data/storage` where there are none. The layers of `STORAGE_LAYERS` are
/// over it in either case; one that encrypts leaves [the fields the store searches for](storage_stores::kv::SEARCHED_FIELDS) readable.
/// The other settings are the variables of [`KvSettings`](storage_stores::kv::KvSettings).
///
/// # Errors
/// `InvalidArgument` naming a variable that begins with `KV_` and is none of them, or whose value cannot be; those of
/// [`Kv::open`](storage_stores::kv::Kv::open) and of the backends.
pub async fn kv_from_env() -> Result<Kv> {
    kv_from(KvSettings::from_env()?, KvOptions::new()).await
}

/// The same with these settings, over these options.
///
/// # Errors
/// As [`kv_from_env`].
pub async fn kv_from(settings: KvSettings, options: KvOptions) -> Result<Kv> {
    let options = settings.apply(options).map_err(opening)?;
    let factory = Factory::default().searching(SEARCHED_FIELDS);
    let storage = match settings.path().map_err(opening)? {
        Some(path) => {
            let layers = environment::layers(of_process).map_err(opening)?;
            files(&factory, &path, layers.as_ref())
                .await
                .map_err(|error| error.with_context("setting", "storage-path"))?
        }
        None => {
            let choice = factory.choose_from_env()?;
            if choice.decided_by().is_empty() {
                files(&factory, DEFAULT_DIRECTORY, choice.layer_list()).await?
            } else {
                factory.open_choice(&choice).await?
            }
        }
    };
    Kv::open(storage, options).await
}

async fn files(factory: &Factory, directory: &str, layers: Option<&LayerList>) -> Result<Storage> {
    let url = StorageUrl::from_path("fs", directory);
    let bare = factory.open_below_layers(&url).await?;
    layers::over(factory, bare, layers).await.map(Storage::from_arc)
}

fn opening(error: Error) -> Error {
    error.with_operation("open key-value store from the environment")
}
