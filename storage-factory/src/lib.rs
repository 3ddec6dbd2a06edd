//! One URL, or one variable of the environment, to a [`Storage`]. The one crate an application depends on.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # std::env::set_current_dir(&directory).unwrap();
//! use storage_factory::prelude::*;
//!
//! let storage = storage_factory::open_from_env().await?;           // files in ./data when nothing is set
//! let objects = storage.objects();
//! objects.write("notes/a.txt", "hello").await?;
//! let bytes: Option<Bytes> = objects.read("notes/a.txt").await?;   // None when there is nothing
//! # assert_eq!(bytes.as_deref(), Some(&b"hello"[..]));
//!
//! #[derive(Serialize, Deserialize)] struct User { name: String, age: u32 }
//! let users = storage.collection::<User>("users");
//! users.ensure_index(Index::btree("by_age", ["age"])).await?;
//! users.put("ada", &User { name: "Ada".into(), age: 36 }).await?;
//! let adults: Vec<Document<User>> = users.find(Query::ge("age", 18).limit(10)).await?.collect().await?;
//! // Document<T> { id, version, value }; users.put_if("ada", &ada, version) refuses a stale write
//! # let ada = User { name: "Ada".into(), age: 37 };
//! # let version = adults[0].version.clone();
//! # users.put_if("ada", &ada, version.clone()).await?;
//! # assert!(users.put_if("ada", &ada, version).await.is_err());
//!
//! # let program = Program::new("hello", "Hello", "main() {}", storage_core::bson::Bson::Null);
//! storage.save_program(&program).await?;                           // the executions store, from the prelude
//! storage.close().await?;
//! # assert!(std::path::Path::new("data").is_dir());
//! # Ok(()) }
//! ```
//!
//! `STORAGE_URL=sqlite:./app.db` with the feature `sqlite`: same program. [`VARIABLES`] are all the variables and their rules.
//!
//! | URL | selects | feature |
//! |---|---|---|
//! | `fs:./data`, `fs:///srv/data`, `file:…` | files in a directory | `fs` (default) |
//! | `sqlite:./app.db`, `sqlite:///srv/app.db`, `sqlite::memory:` | one SQLite database file, or one in memory | `sqlite` |
//! | `memory:` | memory, empty with every opening | |
//! | `mongodb://host/app`, `mongodb+srv://host/app` | a MongoDB database | `mongo` |
//! | `s3://bucket/prefix` | a prefix in an S3 bucket | `s3` |
//! | `gs://bucket/prefix` | a prefix in a Google Cloud Storage bucket | `gcs` |
//! | `az://container/prefix` | a prefix in an Azure Blob Storage container | `azure` |
//!
//! `STORAGE_LAYERS=compress,encrypt(key_file=/etc/key),retry`, or `?layers=…` in a URL, puts layers over it, named from the application down
//! to the medium; [`LAYERS`] are all of them with their options.
//!
//! Options follow a `?`, as in `fs:./data?durability=process-crash`; [`Scheme::option_table`] has them all, and an unknown one is an
//! error that lists them. [`Factory`] adds a scheme of one's own, opens objects and documents on two backends, and gives options in
//! code.

#[cfg(feature = "chunks")]
mod chunks;
#[cfg(feature = "collections")]
mod entities;
mod environment;
mod factory;
#[cfg(feature = "kv")]
mod kv;
mod layers;
mod option;
pub mod prelude;
mod scheme;
mod url;

pub use storage_core;
use storage_core::{Result, Storage};

#[cfg(feature = "chunks")]
pub use self::chunks::{chunks_from, chunks_from_env};
#[cfg(feature = "collections")]
pub use self::entities::entities_from_env;
pub use self::environment::{Choice, VARIABLES, Variable};
pub use self::factory::Factory;
#[cfg(feature = "kv")]
pub use self::kv::{kv_from, kv_from_env};
pub use self::layers::{LAYERS, LayerOptions};
pub use self::option::{Address, UrlOption, UrlOptionKind};
pub use self::scheme::{Place, Scheme};
pub use self::url::StorageUrl;

/// Opens the storage a URL names: [`Factory::open`] of the default factory.
///
/// # Errors
/// As [`Factory::open`].
pub async fn open(url: &str) -> Result<Storage> {
    Factory::default().open(url).await
}

/// Opens the storage the environment names, files in `./data` when it names none: [`Factory::open_from_env`] of the default
/// factory. [`VARIABLES`] are the rules.
///
/// # Errors
/// As [`Factory::open_from_env`].
pub async fn open_from_env() -> Result<Storage> {
    Factory::default().open_from_env().await
}
