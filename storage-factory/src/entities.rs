//! [`entities_from_env`]: storage for an application's model.

use std::path::Path;
use std::sync::Arc;

use storage_core::{Result, Storage};
use storage_fs::{Fs, FsConfig};

use crate::environment::Choice;
use crate::factory::Factory;
use crate::layers;

/// Opens the storage the environment names, and files in `base_path` where no variable says anything. Entities and files of projects
/// come from it: see [`EntityStorage`](storage_stores::collections::EntityStorage).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # std::env::set_current_dir(&directory).unwrap();
/// use storage_factory::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// struct User { name: String }
///
/// impl Entity for User { const COLLECTION: &'static str = "users"; }
///
/// let storage = storage_factory::entities_from_env(".").await?;
/// let ada = storage.entities::<User>().create(User { name: "Ada".into() }).await?;
/// # assert_eq!(ada.name, "Ada");
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`Factory::open_from_env`](crate::Factory::open_from_env).
pub async fn entities_from_env(base_path: impl AsRef<Path> + Send) -> Result<Storage> {
    let factory = Factory::default();
    open(&factory, &factory.choose_from_env()?, base_path.as_ref()).await
}

async fn open(factory: &Factory, choice: &Choice, base_path: &Path) -> Result<Storage> {
    if choice.decided_by().is_empty() {
        let files = Arc::new(Fs::open(FsConfig::new(base_path)).await?);
        let layered = layers::over(factory, files, choice.layer_list()).await;
        return layered
            .map(Storage::from_arc)
            .map_err(|error| choice.stamp(error));
    }
    factory.open_choice(choice).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_variable_files_lie_in_the_base_path() {
        let (base, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let factory = Factory::default();
        let choice = factory.choose_from(|_| None).unwrap();
        let storage = open(&factory, &choice, base.path()).await.unwrap();
        storage.objects().write("a.txt", "here").await.unwrap();
        assert!(base.path().join("a.txt").is_file());

        let path = other.path().to_str().unwrap().to_owned();
        let chosen = |name: &str| (name == "STORAGE_DATA_DIR").then(|| path.clone());
        let choice = factory.choose_from(chosen).unwrap();
        let storage = open(&factory, &choice, base.path()).await.unwrap();
        storage.objects().write("b.txt", "there").await.unwrap();
        assert!(other.path().join("b.txt").is_file() && !base.path().join("b.txt").exists());
    }
}
